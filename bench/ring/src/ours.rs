//! Our placements, and the least that each kind could take.

use std::error::Error;
use std::rc::Rc;

use quorate_core::NodeId;
use quorate_ring::{
    HashRing, Heap, Jump, KeyHash, Member, MemberError, Placement, Rendezvous, Slots, Token, Zone,
    jump,
};

use crate::POINTS;
use crate::case::{Case, Kind, timed, weighed};
use crate::key::mix;

const HASH: KeyHash = KeyHash::new([0, 0]);

pub(crate) fn cases(all: &mut Vec<Case>, nodes: u64) -> Result<(), Box<dyn Error>> {
    all.push(hash_ring(nodes)?.ours());
    all.push(sorted(nodes));
    all.push(rendezvous("quorate Rendezvous", nodes, 1)?.ours());
    all.push(rendezvous("quorate Rendezvous, weights", nodes, 3)?);
    all.push(splitmix(nodes));
    all.push(jumps("quorate Jump", nodes, 0)?.ours());
    all.push(jumps("quorate Jump, 10 % gone", nodes, nodes / 10)?);
    all.push(jump_alone(nodes));
    all.push(slots(nodes)?);
    Ok(())
}

const fn node(number: u64) -> NodeId {
    NodeId::new(number)
}

fn members(nodes: u64, zones: u16) -> Vec<Member> {
    let zone = |number: u64| Zone::new((number % u64::from(zones)) as u16);
    (0..nodes).map(|number| Member::new(node(number)).in_zone(zone(number))).collect()
}

/// The owner at this position.
#[inline]
fn owner<P: Placement>(placement: &P, at: P::Position<'_>) -> u64 {
    placement.owner(at).map_or(0, NodeId::get)
}

#[inline]
fn three<P: Placement>(placement: &P, at: P::Position<'_>) -> u64 {
    let list = placement.preference_list(at, 3, 0);
    list.replicas().iter().fold(0, |sum, node| sum.wrapping_add(node.get()))
}

/// A placement of tokens that takes members and gives them up, one by one.
trait Members: for<'k> Placement<Position<'k> = Token> + Clone + 'static {
    fn join(&mut self, member: Member) -> Result<(), MemberError>;
    fn leave(&mut self, node: NodeId) -> Result<(), MemberError>;
}

macro_rules! members {
    ($($placement:ident),*) => {$(
        impl Members for $placement<Heap> {
            fn join(&mut self, member: Member) -> Result<(), MemberError> {
                self.add(member)
            }

            fn leave(&mut self, node: NodeId) -> Result<(), MemberError> {
                self.remove(node)
            }
        }
    )*};
}

members!(HashRing, Rendezvous, Jump);

/// The case of a placement that is made for so many zones.
fn of_tokens<P: Members>(
    (kind, who): (Kind, &'static str),
    nodes: u64,
    make: impl Fn(u16) -> Result<P, MemberError>,
) -> Result<Case, Box<dyn Error>> {
    let (all, bytes) = weighed(|| make(1));
    let all = Rc::new(all?);
    let (a, b, c, mut d) = (all.clone(), all.clone(), all.clone(), (*all).clone());
    let zones = make(3)?;
    Ok(Case::new(kind, who, bytes)
        .key(move |key| owner(&*a, a.position(&key.0)))
        .hashed(move |token| owner(&*b, Token::new(token)))
        .three(move |token| three(&*c, Token::new(token)))
        .three_zones(move |token| three(&zones, Token::new(token)))
        .add(move || {
            let time = timed(|| d.join(Member::new(node(nodes))).is_ok());
            let _ = d.leave(node(nodes));
            time
        }))
}

fn hash_ring(nodes: u64) -> Result<Case, Box<dyn Error>> {
    of_tokens((Kind::Ring, "quorate HashRing"), nodes, |zones| {
        let mut ring = HashRing::<Heap>::new(HASH, POINTS);
        ring.add_all(&members(nodes, zones)).map(|()| ring)
    })
}

/// The least of a ring: pairs in a sorted list.
fn sorted(nodes: u64) -> Case {
    let points = |nodes: u64| {
        let point = |node: u64, point: u64| (mix(mix(node) ^ point), node as u32);
        let mut points: Vec<(u64, u32)> = (0..nodes)
            .flat_map(|node| (0..u64::from(POINTS)).map(move |it| point(node, it)))
            .collect();
        points.sort_unstable();
        points
    };
    let (ring, bytes) = weighed(|| points(nodes));
    let ring = Rc::new(ring);
    let (a, b) = (ring.clone(), ring);
    let from = |ring: &[(u64, u32)], token: u64| {
        let place = ring.partition_point(|(other, _)| *other < token);
        if place < ring.len() { place } else { 0 }
    };
    Case::new(Kind::Ring, "(sorted Vec)", bytes)
        .hashed(move |token| u64::from(a[from(&a, token)].1))
        .three(move |token| {
            let place = from(&b, token);
            let (before, after) = b.split_at(place);
            let (mut found, mut len) = ([u32::MAX; 3], 0);
            for (_, node) in after.iter().chain(before) {
                if !found[..len].contains(node) {
                    found[len] = *node;
                    len += 1;
                    if len == 3 {
                        break;
                    }
                }
            }
            found.iter().fold(0, |sum, node| sum + u64::from(*node))
        })
        .add(move || timed(|| points(nodes + 1)))
}

/// Weights from 1 to `weights`.
fn rendezvous(who: &'static str, nodes: u64, weights: u16) -> Result<Case, Box<dyn Error>> {
    of_tokens((Kind::Rendezvous, who), nodes, |zones| {
        let mut all = Rendezvous::<Heap>::new(HASH);
        for (number, member) in members(nodes, zones).into_iter().enumerate() {
            all.add(member.with_weight(1 + number as u16 % weights))?;
        }
        Ok(all)
    })
}

/// The least of rendezvous hashing: one multiplication chain for each node, and the greatest.
fn splitmix(nodes: u64) -> Case {
    let (seeds, bytes) = weighed(|| (0..nodes).map(mix).collect::<Vec<u64>>());
    Case::new(Kind::Rendezvous, "(loop over hashes)", bytes).hashed(move |token| {
        let hashes = (0_u64..).zip(&seeds).map(|(node, seed)| (mix(token ^ seed), node));
        hashes.max().map_or(0, |(_, node)| node)
    })
}

/// Some have gone.
fn jumps(who: &'static str, nodes: u64, gone: u64) -> Result<Case, Box<dyn Error>> {
    of_tokens((Kind::Jump, who), nodes, |zones| {
        let mut all = Jump::<Heap>::new(HASH);
        for member in members(nodes, zones) {
            all.add(member)?;
        }
        for number in 0..gone {
            all.remove(node(number * 7 % nodes))?;
        }
        Ok(all)
    })
}

fn jump_alone(nodes: u64) -> Case {
    let buckets = nodes as u32;
    Case::new(Kind::Jump, "quorate jump()", 0)
        .key(move |key| jump(HASH.token(&key.0).get(), buckets).map_or(0, u64::from))
        .hashed(move |token| jump(token, buckets).map_or(0, u64::from))
}

fn slots(nodes: u64) -> Result<Case, Box<dyn Error>> {
    let (all, bytes) = weighed(|| Slots::<Heap>::even(&members(nodes, 1)));
    let all = Rc::new(all?);
    let (a, b, c) = (all.clone(), all.clone(), all);
    let zones = Slots::<Heap>::even(&members(nodes, 3))?;
    let slot = |token: u64| quorate_ring::Slot::new((token >> 50) as u16).unwrap_or_default();
    Ok(Case::new(Kind::Table, "quorate Slots", bytes)
        .ours()
        .key(move |key| owner(&*a, a.position(&key.0)))
        .hashed(move |token| owner(&*b, slot(token)))
        .three(move |token| three(&*c, slot(token)))
        .three_zones(move |token| three(&zones, slot(token))))
}
