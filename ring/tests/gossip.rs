//! A topology as a CRDT: its laws, and replicas that gossip it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::common::{List, change, change_or_forget, histories};
use quorate_clocks::{Actor, Causality, Inline as Room};
use quorate_core::{Instant, Machine, NodeId, Output, Reader, Rng, Wire, Writer};
use quorate_crdt::{ApplyError, Config, Crdt, DeltaState, MergeError, Message, Record, Replica};
use quorate_ring::topology::{MemberState, Topology};
use quorate_ring::{Inline, Member};

type Node = Replica<List, Room<3>, Room<512>>;

fn through_bytes(like: &List, delta: &List) -> List {
    let mut buffer = [0; 512];
    let mut out = Writer::new(&mut buffer);
    List::write_delta(delta, &mut out);
    let mut input = Reader::new(out.finish().unwrap());
    let read = like.read_delta(&mut input).unwrap();
    input.finish().unwrap();
    read
}

fn joined<T: Crdt>(one: &T, other: &T) -> T {
    let mut both = one.clone();
    let changed = Crdt::merge(&mut both, other).unwrap();
    assert_eq!(changed, both != *one);
    both
}

#[test]
fn states_deltas_and_operations_lead_to_the_same() {
    for seed in 0..1_000 {
        let mut rng = Rng::new(seed);
        let steps = rng.below(40);
        let ([a, b, c], deltas) = histories(&mut rng, steps);
        let all = joined(&joined(&a, &b), &c);
        for (x, y) in [(&a, &b), (&b, &c), (&a, &all), (&all, &c), (&a, &a)] {
            let relation = match (joined(x, y) == *y, joined(x, y) == *x) {
                (true, true) => Causality::Equal,
                (true, false) => Causality::Before,
                (false, true) => Causality::After,
                (false, false) => Causality::Concurrent,
            };
            assert_eq!(x.compare(y), relation, "{x:?} and {y:?}");
        }
        let mut replayed = all.empty();
        for delta in &deltas {
            let delta = through_bytes(&replayed, delta);
            let before = replayed.clone();
            assert_eq!(replayed.apply(&delta).unwrap(), replayed != before);
            assert_eq!(replayed.apply(&delta), Ok(false), "twice is once");
            assert_eq!(
                (replayed.actor_version(Actor::default()), replayed.actor_limit()),
                (0, None)
            );
        }
        assert_eq!(replayed, all);
        let mut reversed = all.empty();
        for delta in deltas.iter().rev() {
            let state = reversed.delta_state(delta).unwrap();
            Crdt::merge(&mut reversed, &state).unwrap();
        }
        assert_eq!(reversed, all);
        assert_eq!(reversed.to_vec(), all.to_vec());
    }
}

#[test]
fn revision_counts_changes_and_merges() {
    let mut list = List::new();
    let delta = list.join(Member::new(NodeId::new(1))).unwrap();
    assert_eq!(list.revision(), 1);
    list.join(Member::new(NodeId::new(1))).unwrap_err();
    assert_eq!(list.revision(), 1, "a refusal is no change");
    list.apply(&delta).unwrap();
    list.set_state(NodeId::new(1), MemberState::Removed).unwrap();
    list.forget(NodeId::new(1)).unwrap();
    assert_eq!(list.revision(), 4);
    assert_eq!(List::from_slice(&list.to_vec()).unwrap().revision(), 1 << 63);
}

#[test]
fn list_without_room_says_so() {
    type Small = Topology<Inline<1>>;
    let (mut here, mut there) = (Small::new(), Small::new());
    here.join(Member::new(NodeId::new(1))).unwrap();
    let delta = there.join(Member::new(NodeId::new(2))).unwrap();
    let before = here.clone();
    assert_eq!(Crdt::merge(&mut here, &there), Err(MergeError::Full));
    assert_eq!(here.apply(&delta), Err(ApplyError::Full));
    assert_eq!((&here, here.revision()), (&before, before.revision()));
}

fn ids() -> [NodeId; 3] {
    [1, 2, 3].map(NodeId::new)
}

fn replica(at: usize, durable: bool) -> Node {
    let config = Config { durable, max_delta_bytes: 128, max_log_bytes: 512, ..Config::lan() };
    Node::new(Actor::from(ids()[at]), &ids(), List::new(), config).unwrap()
}

/// Everything a replica has to send; what it has to persist is durable at once, and goes into the records.
fn drain(node: &mut Node, records: &mut Vec<Vec<u8>>) -> Vec<(NodeId, Vec<u8>)> {
    let mut messages = Vec::new();
    loop {
        let (mut last, mut quiet) = (None, true);
        while let Some(output) = node.poll() {
            quiet = false;
            match output {
                Output::Send(to, message) => messages.push((to, message.to_vec())),
                Output::Persist(ticket, record) => {
                    records.push(record.to_vec());
                    last = Some(ticket);
                }
                Output::Event(_) => {}
            }
        }
        if let Some(ticket) = last {
            node.persisted(ticket);
        }
        if quiet {
            return messages;
        }
    }
}

/// Lets all replicas talk, and loses some of what they say.
fn exchange(
    nodes: &mut [Node; 3],
    now: Instant,
    records: &mut [Vec<Vec<u8>>; 3],
    mut lost: impl FnMut() -> bool,
) {
    nodes.iter_mut().for_each(|node| node.tick(now));
    loop {
        let mut quiet = true;
        for from in 0..3 {
            for (to, bytes) in drain(&mut nodes[from], &mut records[from]) {
                quiet = false;
                let to = ids().iter().position(|id| *id == to).unwrap();
                if !lost() {
                    let message = Message::from_slice(&bytes).unwrap();
                    nodes[to].receive(now, ids()[from], message).unwrap();
                }
            }
        }
        if quiet {
            return;
        }
    }
}

#[test]
fn replicas_gossip_joins_leaves_and_conflicts_until_they_agree() {
    let mut conflicts = 0;
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut nodes = [0, 1, 2].map(|at| replica(at, true));
        let mut records = [const { Vec::new() }; 3];
        let mut now = Instant::ZERO;
        for _ in 0..40 {
            for node in &mut nodes {
                if rng.chance(1, 2) {
                    let _ = node.update(|list, _| match seed % 2 {
                        0 => change(list, &mut rng),
                        _ => change_or_forget(list, &mut rng),
                    });
                }
            }
            conflicts += usize::from(nodes[0].state().partial_cmp(nodes[1].state()).is_none());
            now = now.after(500_000);
            exchange(&mut nodes, now, &mut records, || rng.chance(1, 2));
        }
        for _ in 0..6 {
            now = now.after(500_000);
            exchange(&mut nodes, now, &mut records, || false);
        }
        let state = nodes[0].state();
        for node in &nodes {
            assert_eq!(node.state(), state);
            assert_eq!(node.state().version(), state.version());
            assert_eq!((node.fatal(), node.stable()), (None, node.last()));
        }
        for (at, records) in records.iter().enumerate() {
            let mut back = replica(at, true);
            for record in records {
                back.restore(Record::from_slice(record).unwrap()).unwrap();
            }
            assert_eq!(back.state(), state);
        }
    }
    assert!(conflicts > 200, "{conflicts}");
}

#[test]
fn change_reaches_others_at_once() {
    let mut nodes = [0, 1, 2].map(|at| replica(at, false));
    let mut records = [const { Vec::new() }; 3];
    exchange(&mut nodes, Instant::ZERO, &mut records, || false);
    for (node, id) in nodes.iter_mut().zip(ids()) {
        node.update(|list, _| list.join(Member::new(id))).unwrap();
    }
    exchange(&mut nodes, Instant::ZERO, &mut records, || false);
    for node in &nodes {
        assert_eq!(node.state().next_holders().count(), 3);
    }
}
