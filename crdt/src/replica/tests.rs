//! What a replica owes and says, rule by rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

extern crate std;

use std::vec;
use std::vec::Vec;

use quorate_clocks::Inline;
use quorate_core::{Embedded, Wire};

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

/// A node with one update, which all peers acknowledged in their generations 5; nothing is due.
fn synced_node(peers: usize) -> Node {
    let mut node = replica(peers, false);
    node.update(|set, me| set.add(me, 7)).unwrap();
    for from in 0..peers {
        acknowledge(&mut node, from);
    }
    outputs(&mut node);
    node
}

fn acknowledge(node: &mut Node, from: usize) {
    let (acks_generation, acks) = (node.disk.generation(), node.last());
    receive(node, from, Message { acks_generation, acks, ..message(5, Body::Ack) }).unwrap();
}

/// A message, as far as the tests look at it; or an event.
#[derive(Debug, PartialEq, Eq)]
enum Observed {
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
fn outputs(node: &mut Node) -> Vec<Observed> {
    let mut all = vec![];
    while let Some(output) = node.poll() {
        all.push(match output {
            Output::Persist(..) => continue,
            Output::Event(Event::Full(peer)) => Observed::Full(peer.get()),
            Output::Event(Event::UnknownUpdates(peer)) => Observed::Unknown(peer.get()),
            Output::Event(_) => Observed::Other,
            Output::Send(to, message) => match message.body {
                Body::Ack => Observed::Ack(to.get(), message.acks, message.requests_state),
                Body::Digest { .. } => Observed::Digest(to.get()),
                Body::Deltas { .. } => Observed::Deltas(to.get(), message.requests_state),
                Body::State { .. } => Observed::State(to.get()),
                Body::FormerGeneration { .. } => Observed::Former(to.get()),
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
    (1..=log.last()).map(|seq| log.batch(seq, seq, 256).unwrap().0.to_vec()).collect()
}

fn message<'a>(generation: u64, body: Body<'a, Set>) -> Message<'a, Set> {
    Message { generation, acks_generation: 0, acks: 0, requests_state: false, body }
}

fn receive(node: &mut Node, from: usize, message: Message<'_, Set>) -> Result<(), Rejected> {
    node.receive(Instant::ZERO, PEERS[from], message)
}

fn gossip(node: &mut Node) {
    let due = node.deadline().unwrap();
    node.tick(due);
}

#[test]
fn deltas_that_do_not_fit_are_deferred() {
    let mut node = synced_node(1);
    for element in [8, 9, 10] {
        node.update(|set, me| set.add(me, element)).unwrap();
    }
    outputs(&mut node);
    let batch = &adds(2, &[11])[0];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch })).unwrap();
    assert_eq!(
        outputs(&mut node),
        [Observed::Full(2)],
        "no message: it would be answered with the same"
    );
    node.update(|set, _| Ok::<_, ()>(set.remove(&7))).unwrap();
    assert_eq!(outputs(&mut node), [Observed::Deltas(2, false)]);
    gossip(&mut node);
    assert!(outputs(&mut node).contains(&Observed::Digest(2)));
    assert_eq!(
        node.peers.first().unwrap().state_request,
        StateRequest::Sent,
        "with the first message"
    );
}

#[test]
fn delta_after_a_gap_requests_the_state_at_once() {
    let mut node = synced_node(1);
    let batch = &adds(2, &[11, 12])[1];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch })).unwrap();
    assert_eq!(outputs(&mut node), [Observed::Ack(2, 0, true)]);
}

#[test]
fn duplicate_deltas_are_ignored() {
    let mut node = synced_node(1);
    let (first, other) = (&adds(2, &[11])[0], &adds(3, &[12])[0]);
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch: first })).unwrap();
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch: other })).unwrap();
    assert!(node.state().contains(&11) && !node.state().contains(&12));
    receive(&mut node, 0, message(5, Body::Deltas { first: 2, batch: other })).unwrap();
    assert!(node.state().contains(&12));
}

#[test]
fn earlier_generation_counts_only_if_it_answers_the_challenge() {
    let mut node = synced_node(1);
    receive(&mut node, 0, message(9, Body::Ack)).unwrap();
    let peer =
        |node: &Node| node.peers.first().map(|peer| (peer.generation, peer.received)).unwrap();
    let batch = &adds(2, &[11])[0];
    let earlier = |acks_generation| Message {
        acks_generation,
        ..message(5, Body::Deltas { first: 1, batch })
    };
    let generation = node.disk.generation();
    receive(&mut node, 0, earlier(generation)).unwrap();
    assert_eq!(peer(&node), (9, 0), "it may be late");
    for _ in 0..8 {
        outputs(&mut node);
        gossip(&mut node);
    }
    let asks = node.disk.generation();
    assert!(asks > generation);
    receive(&mut node, 0, earlier(generation)).unwrap();
    assert_eq!(peer(&node), (9, 0), "it does not answer");
    receive(&mut node, 0, earlier(asks)).unwrap();
    assert_eq!(peer(&node), (5, 1));
}

#[test]
fn acknowledged_deltas_are_dropped() {
    let mut node = synced_node(2);
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
fn conflicting_delta_of_this_actor_is_challenged() {
    let (own, others) = (adds(1, &[8]).concat(), adds(3, &[8]).concat());
    let after_another = |batch: &[u8]| [adds(2, &[11]).concat(), batch.to_vec()].concat();
    for (batch, is_own) in [
        (own.clone(), true),
        (after_another(&own), true),
        (others.clone(), false),
        (after_another(&others), false),
    ] {
        let mut node = synced_node(1);
        let known = &adds(3, &[7])[0];
        receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch: known })).unwrap();
        outputs(&mut node);
        let (before, generation) = (node.state().clone(), node.disk.generation());
        let taken = receive(&mut node, 0, message(5, Body::Deltas { first: 2, batch: &batch }));
        assert_eq!(taken, if is_own { Ok(()) } else { Err(Rejected::Impossible) });
        assert_eq!(node.rejections().impossible, u32::from(!is_own));
        assert_eq!(node.state(), &before);
        assert_eq!(node.disk.generation() > generation, is_own);
        assert_eq!(outputs(&mut node).contains(&Observed::Unknown(2)), is_own);
    }
}

#[test]
fn conflicting_state_of_this_actor_is_challenged() {
    for of in [1, 3] {
        let mut node = synced_node(1);
        let known = &adds(3, &[7])[0];
        receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch: known })).unwrap();
        outputs(&mut node);
        let mut theirs = Set::new();
        theirs.add(actor(of), 8).unwrap();
        let (before, generation) = (node.state().clone(), node.disk.generation());
        let whole = Body::State { last: 2, state: Embedded::Local(&theirs) };
        let taken = receive(&mut node, 0, message(5, whole));
        assert_eq!(taken, if of == 1 { Ok(()) } else { Err(Rejected::Impossible) });
        assert_eq!(node.state(), &before);
        assert_eq!(node.disk.generation() > generation, of == 1);
    }
}

#[test]
fn trailing_bytes_of_a_state_are_rejected() {
    let mut theirs = Set::new();
    theirs.add(actor(2), 8).unwrap();
    let mut bytes = vec![0; theirs.encoded_len() + 1];
    theirs.to_slice(&mut bytes).unwrap();
    let end = bytes.len() - 1;
    let mut node = synced_node(1);
    let whole = |bytes| Body::State { last: 2, state: Embedded::Encoded(bytes) };
    let taken = receive(&mut node, 0, message(5, whole(&bytes)));
    assert_eq!(taken, Err(Rejected::Malformed));
    receive(&mut node, 0, message(5, whole(&bytes[..end]))).unwrap();
    assert!(node.state().contains(&8));
}

#[test]
fn later_former_generation_is_a_claim() {
    let node = synced_node(1);
    let generation = node.disk.generation();
    for (former, last, claims) in [
        (generation - 1, 9, false),
        (generation, 9, false),
        (generation + 1, 0, false),
        (generation + 1, 1, true),
        (generation + 9, 2, true),
    ] {
        let body = || Body::FormerGeneration { generation: former, last };
        let about = |acks_generation| Message { acks_generation, ..message(5, body()) };
        assert_eq!(node.claims_unknown_updates(&about(generation)), claims, "{former} {last}");
        assert!(!node.claims_unknown_updates(&about(generation - 1)), "it does not answer");
    }
}

#[test]
fn differing_digests_request_state_when_deltas_cannot_help() {
    let whole = (StateRequest::Due, true);
    let nothing = (StateRequest::Idle, false);
    for (received, lacks, first, last, expected) in [
        (3, 0, 5, 5, (StateRequest::Due, false)), // 4 is not kept
        (3, 0, 4, 5, nothing),                    // 4 and 5 come
        (5, 0, 1, 5, whole),
        (5, 1, 1, 5, nothing), // it has not got all of ours
        (6, 0, 1, 5, nothing), // late
    ] {
        let mut node = synced_node(1);
        let own = node.last();
        let peer = node.peers.first_mut().unwrap();
        (peer.received, peer.acked) = (received, own - lacks);
        node.handle_digest(0, first, last, 0);
        let peer = node.peers.first().unwrap();
        let found = (peer.state_request, peer.is(Flag::StateDue));
        assert_eq!(found, expected, "{received} {lacks} {first} {last}");
        assert!(peer.is(Flag::AckDue));
        assert_eq!(peer.received, received);
        // the same digest: everything is here
        let same = digest(node.state());
        node.handle_digest(0, first, last, same);
        let peer = node.peers.first().unwrap();
        assert_eq!((peer.state_request, peer.received), (StateRequest::Idle, received.max(last)));
    }
}

#[test]
fn received_deltas_are_acknowledged_once_durable() {
    let mut node = replica(1, true);
    let generation = loop {
        match node.poll().unwrap() {
            Output::Persist(ticket, _) => break ticket,
            _ => continue,
        }
    };
    node.persisted(generation);
    outputs(&mut node);
    let batch = &adds(2, &[11])[0];
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch })).unwrap();
    let Some(Output::Persist(ticket, _)) = node.poll() else { panic!("nothing to write") };
    assert_eq!(outputs(&mut node), [Observed::Other, Observed::Ack(2, 0, false)]);
    node.persisted(ticket);
    let all = outputs(&mut node);
    assert!(
        !all.is_empty() && all.iter().all(|outputs| *outputs != Observed::Ack(2, 0, false)),
        "{all:?}"
    );
    node.persisted(ticket);
    assert_eq!(outputs(&mut node), [], "once");
}

#[test]
fn fitting_prefix_of_a_batch_is_acknowledged() {
    let mut node = synced_node(2);
    for element in [8, 9] {
        node.update(|set, me| set.add(me, element)).unwrap();
    }
    let deltas = adds(2, &[11, 12]);
    receive(&mut node, 1, message(5, Body::Deltas { first: 1, batch: &deltas[0] })).unwrap();
    outputs(&mut node);
    // known, so that no delta is passed on that would acknowledge it
    let batch = &deltas.concat();
    receive(&mut node, 0, message(5, Body::Deltas { first: 1, batch })).unwrap();
    assert_eq!(outputs(&mut node), [Observed::Full(2), Observed::Ack(2, 1, false)]);
}

#[test]
fn digests_go_to_peers_in_turn() {
    let mut node = synced_node(3);
    let digest_targets = |node: &mut Node| -> Vec<u64> {
        gossip(node);
        let digest = |outputs| match outputs {
            Observed::Digest(to) => Some(to),
            _ => None,
        };
        outputs(node).into_iter().filter_map(digest).collect()
    };
    let turns: Vec<u64> = (0..7).flat_map(|_| digest_targets(&mut node)).collect();
    assert_eq!(turns, [4, 2, 3, 4, 2, 3, 4]);
}

#[test]
fn digest_replaces_dropped_deltas_once_per_gossip() {
    let mut node = synced_node(2);
    // deltas are kept, from the very next on, and from before that
    for element in [8, 9] {
        node.update(|set, me| set.add(me, element)).unwrap();
        assert_eq!(outputs(&mut node), [Observed::Deltas(2, false), Observed::Deltas(3, false)]);
    }
    // and none are
    node.log_state_change();
    assert_eq!(outputs(&mut node), [Observed::Digest(2), Observed::Digest(3)]);
    node.log_state_change();
    assert_eq!(outputs(&mut node), [], "they were told to look");
    gossip(&mut node);
    assert_eq!(outputs(&mut node), [Observed::Digest(2), Observed::Digest(3)]);
}
