//! What a replica owes and says, rule by rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

extern crate std;

use std::vec;
use std::vec::Vec;

use quorate_clocks::Inline;
use quorate_core::Wire;

use super::*;
use crate::OrSet;

type Set = OrSet<u8, Inline<4>, Inline<4>>;
type Node = Replica<Set, Inline<3>, Inline<96>>;

const PEERS: [NodeId; 3] = [NodeId::new(2), NodeId::new(3), NodeId::new(4)];

fn actor(node: u64) -> Actor {
    NodeId::new(node).into()
}

fn replica(peers: usize, durable: bool) -> Node {
    let members: Vec<NodeId> =
        [NodeId::new(1)].into_iter().chain(PEERS.into_iter().take(peers)).collect();
    let config = Config { durable, ..Config::default() };
    let mut node = Node::new(actor(1), &members, Set::new(), config).unwrap();
    node.tick(Instant::ZERO);
    node
}

/// One that has done something that all have acknowledged, in their lives 5, and has said all it has to say.
fn quiet(peers: usize) -> Node {
    let mut node = replica(peers, false);
    node.update(|set, me| set.add(me, 7)).unwrap();
    for from in 0..peers {
        acknowledge(&mut node, from);
    }
    said(&mut node);
    node
}

fn acknowledge(node: &mut Node, from: usize) {
    let (acks_life, acks) = (node.disk.life(), node.last());
    receive(node, from, Message { acks_life, acks, ..message(5, Body::Ack) }).unwrap();
}

/// A message, as far as the tests look at it; or an event.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// To whom, up to where it acknowledges, and whether it asks for the state.
    Ack(u64, u64, bool),
    Digest(u64),
    Deltas(u64, bool),
    State(u64),
    Former(u64),
    Full(u64),
    Unknown(u64),
    Other,
}

/// All outputs but records; those are not durable before the caller says so.
fn said(node: &mut Node) -> Vec<Said> {
    let mut all = vec![];
    while let Some(output) = node.poll() {
        all.push(match output {
            Output::Persist(..) => continue,
            Output::Event(Event::Full(peer)) => Said::Full(peer.get()),
            Output::Event(Event::UnknownUpdates(peer)) => Said::Unknown(peer.get()),
            Output::Event(_) => Said::Other,
            Output::Send(to, message) => match message.body {
                Body::Ack => Said::Ack(to.get(), message.acks, message.wants),
                Body::Digest { .. } => Said::Digest(to.get()),
                Body::Deltas { .. } => Said::Deltas(to.get(), message.wants),
                Body::State { .. } => Said::State(to.get()),
                Body::Former { .. } => Said::Former(to.get()),
            },
        });
    }
    all
}

/// What an actor's updates look like that add these, one after the other.
fn adds(of: u64, elements: &[u8]) -> Vec<Vec<u8>> {
    let mut state = OrSet::<u8, Inline<16>, Inline<4>>::new();
    let mut log = Log::<Inline<256>>::new(256, 0);
    for &element in elements {
        let delta = state.add(actor(of), element).unwrap();
        assert!(log.append::<OrSet<u8, Inline<16>, Inline<4>>>(&delta, 0));
    }
    (1..=log.last()).map(|seq| log.run(seq, seq, 256).unwrap().0.to_vec()).collect()
}

fn message<'a>(life: u64, body: Body<'a, Set>) -> Message<'a, Set> {
    Message { life, acks_life: 0, acks: 0, wants: false, body }
}

fn receive(node: &mut Node, from: usize, message: Message<'_, Set>) -> Result<(), Rejected> {
    node.receive(Instant::ZERO, PEERS[from], message)
}

fn gossip(node: &mut Node) {
    let due = node.deadline().unwrap();
    node.tick(due);
}

#[test]
fn deltas_that_do_not_fit_wait_for_the_next_gossip() {
    let mut node = quiet(1);
    for element in [8, 9, 10] {
        node.update(|set, me| set.add(me, element)).unwrap();
    }
    said(&mut node);
    let run = &adds(2, &[11])[0];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run })).unwrap();
    assert_eq!(said(&mut node), [Said::Full(2)], "no message: it would be answered with the same");
    node.update(|set, _| Ok::<_, ()>(set.remove(&7))).unwrap();
    assert_eq!(said(&mut node), [Said::Deltas(2, false)]);
    gossip(&mut node);
    assert!(said(&mut node).contains(&Said::Digest(2)));
    assert_eq!(node.peers.first().unwrap().wants, Wants::Asked, "with the first message");
}

#[test]
fn delta_after_a_gap_requests_the_state_at_once() {
    let mut node = quiet(1);
    let run = &adds(2, &[11, 12])[1];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run })).unwrap();
    assert_eq!(said(&mut node), [Said::Ack(2, 0, true)]);
}

#[test]
fn numbers_that_were_taken_are_not_taken_twice() {
    let mut node = quiet(1);
    let (first, other) = (&adds(2, &[11])[0], &adds(3, &[12])[0]);
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run: first })).unwrap();
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run: other })).unwrap();
    assert!(node.state().contains(&11) && !node.state().contains(&12));
    receive(&mut node, 0, message(5, Body::Deltas { first: 2, run: other })).unwrap();
    assert!(node.state().contains(&12));
}

#[test]
fn an_earlier_life_counts_only_if_it_answers_to_the_life_that_asks() {
    let mut node = quiet(1);
    receive(&mut node, 0, message(9, Body::Ack)).unwrap();
    let peer = |node: &Node| node.peers.first().map(|peer| (peer.life, peer.got)).unwrap();
    let run = &adds(2, &[11])[0];
    let earlier = |acks_life| Message { acks_life, ..message(5, Body::Deltas { first: 1, run }) };
    let life = node.disk.life();
    receive(&mut node, 0, earlier(life)).unwrap();
    assert_eq!(peer(&node), (9, 0), "it may be late");
    for _ in 0..8 {
        said(&mut node);
        gossip(&mut node);
    }
    let asks = node.disk.life();
    assert!(asks > life);
    receive(&mut node, 0, earlier(life)).unwrap();
    assert_eq!(peer(&node), (9, 0), "it does not answer");
    receive(&mut node, 0, earlier(asks)).unwrap();
    assert_eq!(peer(&node), (5, 1));
}

#[test]
fn deltas_that_all_members_acknowledged_are_dropped() {
    let mut node = quiet(2);
    let first = node.log.first();
    assert_eq!(first, node.last() + 1);
    node.update(|set, me| set.add(me, 8)).unwrap();
    acknowledge(&mut node, 0);
    assert_eq!(node.log.first(), first);
    let mut left = node.clone();
    acknowledge(&mut node, 1);
    assert_eq!(node.log.first(), first + 1);
    // nor is what a member lacks that leaves
    left.set_members(1, &[NodeId::new(1), PEERS[0]]).unwrap();
    assert_eq!(left.log.first(), first + 1);
}

/// Says what is here otherwise: under this actor's name, or another's.
#[test]
fn a_contradiction_is_a_doubt_if_it_is_about_this_actor() {
    let (own, others) = (adds(1, &[8]).concat(), adds(3, &[8]).concat());
    let after_another = |run: &[u8]| [adds(2, &[11]).concat(), run.to_vec()].concat();
    for (run, is_own) in [
        (own.clone(), true),
        (after_another(&own), true),
        (others.clone(), false),
        (after_another(&others), false),
    ] {
        let mut node = quiet(1);
        let known = &adds(3, &[7])[0];
        receive(&mut node, 0, message(5, Body::Deltas { first: 1, run: known })).unwrap();
        said(&mut node);
        let (before, life) = (node.state().clone(), node.disk.life());
        let taken = receive(&mut node, 0, message(5, Body::Deltas { first: 2, run: &run }));
        assert_eq!(taken, if is_own { Ok(()) } else { Err(Rejected::Impossible) });
        assert_eq!(node.rejections().impossible, 1);
        assert_eq!(node.state(), &before);
        assert_eq!(node.disk.life() > life, is_own);
        assert_eq!(said(&mut node).contains(&Said::Unknown(2)), is_own);
    }
}

#[test]
fn a_state_that_contradicts_is_a_doubt_if_it_is_about_this_actor() {
    for of in [1, 3] {
        let mut node = quiet(1);
        let known = &adds(3, &[7])[0];
        receive(&mut node, 0, message(5, Body::Deltas { first: 1, run: known })).unwrap();
        said(&mut node);
        let mut theirs = Set::new();
        theirs.add(actor(of), 8).unwrap();
        let (before, life) = (node.state().clone(), node.disk.life());
        let whole = Body::State { last: 2, state: Whole::Here(&theirs) };
        let taken = receive(&mut node, 0, message(5, whole));
        assert_eq!(taken, if of == 1 { Ok(()) } else { Err(Rejected::Impossible) });
        assert_eq!(node.state(), &before);
        assert_eq!(node.disk.life() > life, of == 1);
    }
}

#[test]
fn a_state_ends_where_it_ends() {
    let mut theirs = Set::new();
    theirs.add(actor(2), 8).unwrap();
    let mut bytes = vec![0; theirs.encoded_len() + 1];
    theirs.to_slice(&mut bytes).unwrap();
    let end = bytes.len() - 1;
    let mut node = quiet(1);
    let whole = |bytes| Body::State { last: 2, state: Whole::Bytes(bytes) };
    let taken = receive(&mut node, 0, message(5, whole(&bytes)));
    assert_eq!(taken, Err(Rejected::Malformed));
    receive(&mut node, 0, message(5, whole(&bytes[..end]))).unwrap();
    assert!(node.state().contains(&8));
}

#[test]
fn a_former_life_is_a_claim_if_it_is_later_than_this_one_and_was_lived() {
    let node = quiet(1);
    let life = node.disk.life();
    for (former, last, claims) in [
        (life - 1, 9, false),
        (life, 9, false),
        (life + 1, 0, false),
        (life + 1, 1, true),
        (life + 9, 2, true),
    ] {
        let body = || Body::Former { life: former, last };
        let about = |acks_life| Message { acks_life, ..message(5, body()) };
        assert_eq!(node.claims(&about(life)), claims, "{former} {last}");
        assert!(!node.claims(&about(life - 1)), "it does not answer");
    }
}

#[test]
fn digests_that_differ_ask_for_the_state_where_deltas_cannot_help() {
    let whole = (Wants::Ask, true);
    let nothing = (Wants::Nothing, false);
    for (got, lacks, first, last, expected) in [
        (3, 0, 5, 5, (Wants::Ask, false)), // 4 is not kept
        (3, 0, 4, 5, nothing),             // 4 and 5 come
        (5, 0, 1, 5, whole),
        (5, 1, 1, 5, nothing), // it has not got all of ours
        (6, 0, 1, 5, nothing), // late
    ] {
        let mut node = quiet(1);
        let own = node.last();
        let peer = node.peers.first_mut().unwrap();
        (peer.got, peer.acked) = (got, own - lacks);
        node.compare(0, first, last, 0);
        let peer = node.peers.first().unwrap();
        let found = (peer.wants, peer.is(Flag::OwesState));
        assert_eq!(found, expected, "{got} {lacks} {first} {last}");
        assert!(peer.is(Flag::OwesAck));
        assert_eq!(peer.got, got);
        // the same digest: everything is here
        let same = digest(node.state());
        node.compare(0, first, last, same);
        let peer = node.peers.first().unwrap();
        assert_eq!((peer.wants, peer.got), (Wants::Nothing, got.max(last)));
    }
}

#[test]
fn received_deltas_are_acknowledged_once_durable() {
    let mut node = replica(1, true);
    let life = loop {
        match node.poll().unwrap() {
            Output::Persist(ticket, _) => break ticket,
            _ => continue,
        }
    };
    node.persisted(life);
    said(&mut node);
    let run = &adds(2, &[11])[0];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run })).unwrap();
    let Some(Output::Persist(ticket, _)) = node.poll() else { panic!("nothing to write") };
    assert_eq!(said(&mut node), [Said::Other, Said::Ack(2, 0, false)]);
    node.persisted(ticket);
    let all = said(&mut node);
    assert!(!all.is_empty() && all.iter().all(|said| *said != Said::Ack(2, 0, false)), "{all:?}");
    node.persisted(ticket);
    assert_eq!(said(&mut node), [], "once");
}

#[test]
fn prefix_of_a_run_that_fits_is_acknowledged() {
    let mut node = quiet(2);
    for element in [8, 9] {
        node.update(|set, me| set.add(me, element)).unwrap();
    }
    let deltas = adds(2, &[11, 12]);
    receive(&mut node, 1, message(5, Body::Deltas { first: 1, run: &deltas[0] })).unwrap();
    said(&mut node);
    // known, so that no delta is passed on that would acknowledge it
    let run = &deltas.concat();
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, run })).unwrap();
    assert_eq!(said(&mut node), [Said::Full(2), Said::Ack(2, 1, false)]);
}

#[test]
fn each_gossip_tells_one_peer_in_turn_what_the_state_amounts_to() {
    let mut node = quiet(3);
    let told = |node: &mut Node| -> Vec<u64> {
        gossip(node);
        let digest = |said| match said {
            Said::Digest(to) => Some(to),
            _ => None,
        };
        said(node).into_iter().filter_map(digest).collect()
    };
    let turns: Vec<u64> = (0..7).flat_map(|_| told(&mut node)).collect();
    assert_eq!(turns, [4, 2, 3, 4, 2, 3, 4]);
}

#[test]
fn a_digest_is_for_peers_whose_deltas_are_not_kept_once_a_gossip() {
    let mut node = quiet(2);
    // deltas are kept, from the very next on, and from before that
    for element in [8, 9] {
        node.update(|set, me| set.add(me, element)).unwrap();
        assert_eq!(said(&mut node), [Said::Deltas(2, false), Said::Deltas(3, false)]);
    }
    // and none are
    node.note_all();
    assert_eq!(said(&mut node), [Said::Digest(2), Said::Digest(3)]);
    node.note_all();
    assert_eq!(said(&mut node), [], "they were told to look");
    gossip(&mut node);
    assert_eq!(said(&mut node), [Said::Digest(2), Said::Digest(3)]);
}
