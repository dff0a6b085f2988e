//! What others have made.
//!
//! Each is measured twice: with the hash that it ships, and with keys that are hashed before. Peers that draw a seed at random get
//! SipHash-1-3 with a fixed one, which is the same work.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;

use anchorhash::AnchorHash;
use consistent_hash::{DefaultHash, Node, RingHash, StaticHashRing};
use hrw_hash::HrwNodes;
use jumphash::{CustomJumpHasher, JumpHasher};
use maglev::{ConsistentHasher as _, Maglev};
use rendezvous_hash::{DefaultNodeHasher, IdNode, NodeHasher, RendezvousNodes};

use crate::POINTS;
use crate::case::{Case, Kind, timed, weighed};
use crate::key::{Key, Pass, Passed, Sip, mix};

/// Slots of Maglev's table: the smaller of the two sizes of the paper.
const TABLE: usize = 65_536;

pub(crate) fn cases(all: &mut Vec<Case>, nodes: u64) {
    all.push(hashring(nodes));
    all.push(consistent_hash(nodes));
    all.push(hulahoop(nodes));
    all.push(rendezvous_hash(nodes));
    all.push(hrw_hash(nodes));
    all.push(jumphash(nodes));
    all.push(anchorhash(nodes));
    all.push(maglev(nodes));
}

/// `hashring` has no virtual nodes: these are its nodes.
#[derive(Clone, Debug)]
struct Point {
    node: u32,
    token: u64,
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.token);
    }
}

fn points(node: u64) -> Vec<Point> {
    let token = |point| mix(mix(node) ^ point);
    (0..u64::from(POINTS)).map(|point| Point { node: node as u32, token: token(point) }).collect()
}

fn hashring(nodes: u64) -> Case {
    let all = || (0..nodes).flat_map(points).collect::<Vec<_>>();
    let mut shipped = hashring::HashRing::new();
    shipped.batch_add(all());
    let (ring, bytes) = weighed(|| {
        let mut ring = hashring::HashRing::with_hasher(Pass);
        ring.batch_add(all());
        ring
    });
    let mut grown = ring.clone();
    let ring = Rc::new(ring);
    let (a, b) = (ring.clone(), ring);
    Case::new(Kind::Ring, "hashring 0.3", bytes)
        .key(move |key: Key| shipped.get(&key).map_or(0, |point| u64::from(point.node)))
        .hashed(move |token| a.get(&token).map_or(0, |point| u64::from(point.node)))
        // the points that follow, distinct nodes or not
        .three(move |token| {
            let found = b.get_with_replicas(&token, 2).unwrap_or_default();
            found.iter().fold(0, |sum, point| sum + u64::from(point.node))
        })
        .add(move || {
            let time = timed(|| grown.batch_add(points(nodes)));
            points(nodes).iter().for_each(|point| _ = grown.remove(point));
            time
        })
}

/// Tokens are hashes, and points are mixed.
struct Mixed;

impl RingHash for Mixed {
    #[inline]
    fn hash_item<T: Hash>(&self, item: &T) -> u64 {
        Pass.hash_one(item)
    }
}

fn consistent_hash(nodes: u64) -> Case {
    fn make<H: RingHash>(hash: H, nodes: u64) -> StaticHashRing<'static, u64, (), H> {
        let all = (0..nodes).map(|node| Node::new(node).quantity(usize::from(POINTS)));
        StaticHashRing::new(hash, all)
    }
    let shipped = make(DefaultHash, nodes);
    let (ring, bytes) = weighed(|| make(Mixed, nodes));
    let ring = Rc::new(ring);
    let (a, b) = (ring.clone(), ring);
    Case::new(Kind::Ring, "consistent_hash 0.1", bytes)
        .key(move |key| shipped.calc_candidates(&key).next().map_or(0, |node| node.key))
        .hashed(move |token| a.calc_candidates(&token).next().map_or(0, |node| node.key))
        .three(move |token| b.calc_candidates(&token).take(3).fold(0, |sum, node| sum + node.key))
        .add(move || timed(|| make(Mixed, nodes + 1)))
}

fn hulahoop(nodes: u64) -> Case {
    let weight = u64::from(POINTS);
    let mut shipped = hulahoop::HashRing::default();
    (0..nodes).for_each(|node| _ = shipped.insert(node, weight));
    let make = move || {
        let mut ring = hulahoop::HashRing::with_hasher(Pass);
        (0..nodes).for_each(|node| _ = ring.insert(node, weight));
        ring
    };
    let (ring, bytes) = weighed(make);
    let mut grown = make();
    Case::new(Kind::Ring, "hulahoop 0.2", bytes)
        .key(move |key| shipped.get(key).copied().unwrap_or(0))
        .hashed(move |token| ring.get(token).copied().unwrap_or(0))
        .add(move || {
            let time = timed(|| grown.insert(nodes, weight));
            grown.remove(&nodes);
            time
        })
}

/// One mix for each node and key, as ours has.
struct MixedNode;

impl NodeHasher<u64> for MixedNode {
    #[inline]
    fn hash<T: Hash>(&self, node: &u64, item: &T) -> u64 {
        let mut hasher = Passed::default();
        item.hash(&mut hasher);
        mix(hasher.finish() ^ *node)
    }
}

fn rendezvous_nodes<H: NodeHasher<u64>>(
    hasher: H,
    nodes: impl Iterator<Item = u64>,
) -> RendezvousNodes<IdNode<u64>, H> {
    let mut all = RendezvousNodes::new(hasher);
    nodes.for_each(|node| _ = all.insert(IdNode::new(node)));
    all
}

fn rendezvous_hash(nodes: u64) -> Case {
    let shipped = rendezvous_nodes(DefaultNodeHasher::new(), 0..nodes);
    let make = || rendezvous_nodes(MixedNode, (0..nodes).map(mix));
    let (all, bytes) = weighed(make);
    let mut grown = make();
    let numbers: HashMap<u64, u64> = (0..nodes).map(|node| (mix(node), node)).collect();
    let all = Rc::new(all);
    let (a, b) = (all.clone(), all);
    Case::new(Kind::Rendezvous, "rendezvous_hash 0.3", bytes)
        .key(move |key| shipped.calc_candidates(&key).next().map_or(0, |node| **node))
        .hashed(move |token| {
            let node = a.calc_candidates(&token).next().map_or(0, |node| **node);
            numbers.get(&node).copied().unwrap_or(0)
        })
        .three(move |token| {
            b.calc_candidates(&token).take(3).fold(0, |sum: u64, node| sum.wrapping_add(**node))
        })
        .add(move || {
            let time = timed(|| grown.insert(IdNode::new(mix(nodes))));
            let _ = grown.remove(&mix(nodes));
            time
        })
}

fn hrw_hash(nodes: u64) -> Case {
    let shipped = HrwNodes::new(0..nodes);
    let (all, bytes) = weighed(|| HrwNodes::with_build_hasher(Spread, 0..nodes));
    let all = Rc::new(all);
    let (a, b) = (all.clone(), all);
    Case::new(Kind::Rendezvous, "hrw-hash 2", bytes)
        .key(move |key| shipped.sorted(&key).next().copied().unwrap_or(0))
        .hashed(move |token| a.sorted(&token).next().copied().unwrap_or(0))
        .three(move |token| b.sorted(&token).take(3).sum())
        .add(move || timed(|| HrwNodes::with_build_hasher(Spread, 0..nodes + 1)))
}

/// Nodes and keys alike are mixed once.
struct Spread;

impl BuildHasher for Spread {
    type Hasher = Mixer;

    #[inline]
    fn build_hasher(&self) -> Mixer {
        Mixer(0)
    }
}

struct Mixer(u64);

impl Hasher for Mixer {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = mix(number);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = mix(self.0 ^ u64::from(*byte)));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

fn jumphash(nodes: u64) -> Case {
    let buckets = nodes as u32;
    let shipped = JumpHasher::new_with_keys(0, 0);
    let hashed = CustomJumpHasher::new(Passed::default());
    Case::new(Kind::Jump, "jumphash 0.1", 0)
        .key(move |key| u64::from(shipped.slot(&key, buckets)))
        .hashed(move |token| u64::from(hashed.slot(&token, buckets)))
}

fn anchorhash(nodes: u64) -> Case {
    // a tenth more than there are, for nodes that come
    let capacity = (nodes + nodes / 10) as u16;
    let shipped: AnchorHash<Key, u64, _> =
        anchorhash::Builder::with_hasher(Sip).with_resources(0..nodes).build(capacity);
    let (all, bytes) = weighed(|| -> AnchorHash<u64, u64, Pass> {
        anchorhash::Builder::with_hasher(Pass).with_resources(0..nodes).build(capacity)
    });
    let mut grown = all.clone();
    Case::new(Kind::Jump, "anchorhash 0.2", bytes)
        .key(move |key| shipped.get_resource(key).copied().unwrap_or(0))
        .hashed(move |token| all.get_resource(token).copied().unwrap_or(0))
        .add(move || {
            let time = timed(|| grown.add_resource(nodes).is_ok());
            let _ = grown.remove_resource(&nodes);
            time
        })
}

fn maglev(nodes: u64) -> Case {
    let shipped: Maglev<u64> = Maglev::with_capacity(0..nodes, TABLE);
    let make = move |nodes| Maglev::with_capacity_and_hasher(0..nodes, TABLE, Pass);
    let (all, bytes) = weighed(|| make(nodes));
    Case::new(Kind::Table, "maglev 0.2", bytes)
        .key(move |key| shipped.get(&key).copied().unwrap_or(0))
        .hashed(move |token| all.get(&token).copied().unwrap_or(0))
        .add(move || timed(|| make(nodes + 1)))
}
