//! Rules of the rings that a cluster rarely shows: one machine, and messages made by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, NodeId, Output};
use quorate_election::ring::{ChangRoberts, Collecting, Message};
use quorate_election::{Config, Epoch, Inline, Ring, Role, Takeover};

type Node = Ring<Collecting, Inline<4>>;

const KEEP: Config = Config { takeover: Takeover::Keep, attempts: 2, ..Config::lan() };

fn id(n: u64) -> NodeId {
    NodeId::new(n)
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// Node 1 of a ring of so many, which follows nobody yet.
fn first(members: u64) -> Node {
    let ids: Vec<NodeId> = (1..=members).map(NodeId::new).collect();
    let mut node = Node::new(id(1), &ids, KEEP).unwrap();
    node.tick(ms(0));
    node
}

fn said(node: &mut Node) -> Vec<(u64, Message)> {
    let mut said = Vec::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Send(to, message) => said.push((to.get(), message)),
            Output::Event(_) => {}
        }
    }
    said
}

#[test]
fn a_silent_successor_is_asked_again_and_then_passed_over() {
    let mut node = first(3);
    node.campaign(ms(0));
    let asked = said(&mut node);
    assert!(matches!(asked[..], [(2, Message::Elect { .. })]), "{asked:?}");
    for (at, to) in [(50, 2), (100, 3), (150, 3)] {
        node.tick(ms(at));
        let said = said(&mut node);
        assert!(matches!(said[..], [(whom, Message::Elect { .. })] if whom == to), "{said:?}");
    }
    node.tick(ms(200));
    said(&mut node);
    assert_eq!(node.status().role, Role::Leader, "nobody is left");
}

#[test]
fn those_passed_over_are_told_who_leads() {
    let mut node = first(2);
    node.suspect(ms(0), id(2));
    node.campaign(ms(0));
    let epoch = node.status().epoch;
    assert_eq!(said(&mut node), [(2, Message::Alive { epoch })]);
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn a_fenced_leader_asks_those_it_passed_over() {
    let mut node = first(2);
    node.suspect(ms(0), id(2));
    node.campaign(ms(0));
    said(&mut node);
    let later = Epoch::from_token(321);
    node.fenced(ms(1), later);
    let said = said(&mut node);
    assert!(matches!(said[..], [(2, Message::Elect { token, .. })] if token > later), "{said:?}");
}

#[test]
fn a_token_is_on_disk_before_it_goes_round() {
    let mut node = first(3);
    node.campaign(ms(0));
    let Some(Output::Persist(ticket, record)) = node.poll() else { panic!("nothing to write") };
    assert_eq!(record.epoch.owner(), 0);
    assert!(!matches!(node.poll(), Some(Output::Send(..))));
    node.persisted(ticket);
    assert!(matches!(node.poll(), Some(Output::Send(..))));
}

#[test]
fn what_comes_by_a_second_time_is_dropped() {
    let mut node = first(3);
    let token = Epoch::from_token(34); // of the third, which has died
    let elect = Message::Elect { token, highest: token, passed: 0b100 };
    node.receive(ms(1), id(3), elect).unwrap();
    let passed = Message::Elect { token, highest: token, passed: 0b101 };
    let ack = Message::Ack { token, slot: 0, phase: 0 };
    assert_eq!(said(&mut node), [(3, ack), (2, passed)]);
    node.receive(ms(1), id(2), ack).unwrap();
    for again in [elect, Message::Elect { token, highest: token, passed: 0b111 }] {
        node.receive(ms(2), id(3), again).unwrap();
        assert_eq!(said(&mut node), [(3, ack)], "acknowledged, and no more");
    }
}

#[test]
fn a_node_that_is_heard_is_passed_over_no_more() {
    let mut node = first(3);
    node.suspect(ms(0), id(2));
    let token = Epoch::from_token(33); // of the second
    node.receive(ms(1), id(3), Message::Elect { token, highest: token, passed: 0b110 }).unwrap();
    assert!(said(&mut node).iter().any(|(to, m)| *to == 2 && matches!(m, Message::Elect { .. })));
}

#[test]
fn a_ring_refuses_what_it_cannot_promise_and_what_is_not_its_own() {
    let ids = [1, 2].map(NodeId::new);
    let quorum = Config { mode: quorate_election::Mode::Quorum, ..KEEP };
    assert!(Node::new(id(1), &ids, quorum).is_err());
    let mut node = Ring::<ChangRoberts, Inline<2>>::new(id(1), &ids, KEEP).unwrap();
    let token = Epoch::from_token(33);
    let probe = Message::Probe {
        token,
        highest: token,
        phase: 0,
        hops: 1,
        way: quorate_election::ring::Way::Forth,
    };
    assert!(node.receive(ms(0), id(2), probe).is_err());
    let lie = Message::Alive { epoch: Epoch::from_token(32) };
    assert!(node.receive(ms(0), id(2), lie).is_err());
    assert_eq!(node.rejections().total(), 2);
}

#[test]
fn a_restarted_leader_does_not_lead_in_its_old_epoch() {
    let (token, epoch) = (Epoch::from_token(33), Epoch::from_token(64));
    let told = Message::Coordinator { token, epoch };
    let mut node = first(3);
    node.receive(ms(1), id(3), told).unwrap();
    said(&mut node);
    assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
    // it restarts; what told it of its office is late, or repeated
    let ids: Vec<NodeId> = (1..=3).map(NodeId::new).collect();
    let mut again = Node::new(id(1), &ids, KEEP).unwrap();
    node.checkpoint().for_each(|record| again.restore(record).unwrap());
    again.tick(ms(10));
    again.receive(ms(11), id(3), told).unwrap();
    assert_eq!(again.status().leader, None);
}

/// Somebody sent a token in another's name, with a later number than its owner's: the owner must come to know.
#[test]
fn a_forged_token_does_not_keep_its_owner_from_leading() {
    let mut ring = [1, 2, 3].map(|n| {
        let ids: Vec<NodeId> = (1..=3).map(NodeId::new).collect();
        let mut node = Node::new(id(n), &ids, KEEP).unwrap();
        node.tick(ms(0));
        node
    });
    let token = Epoch::from_token(66); // of the third
    let forged = Message::Elect { token, highest: Epoch::ZERO, passed: 0b100 };
    ring[1].receive(ms(0), id(1), forged).unwrap();
    said(&mut ring[1]);
    // what the second has passed on is lost; the third goes through the first
    ring[2].campaign(ms(1));
    for _ in 0..10 {
        for at in 0..3 {
            for (to, message) in said(&mut ring[at]) {
                let from = id(at as u64 + 1);
                ring[to as usize - 1].receive(ms(1), from, message).unwrap();
            }
        }
    }
    assert!(ring.iter().all(|node| node.status().leader == Some(id(3))), "{ring:?}");
}

#[test]
fn only_the_next_hop_acknowledges() {
    let mut node = first(3);
    node.campaign(ms(0));
    let [(2, Message::Elect { token, .. })] = said(&mut node)[..] else { panic!("no token") };
    node.receive(ms(1), id(3), Message::Ack { token, slot: 0, phase: 0 }).unwrap();
    node.tick(ms(50));
    assert_eq!(said(&mut node).len(), 1, "sent again");
    node.receive(ms(51), id(2), Message::Ack { token, slot: 0, phase: 0 }).unwrap();
    node.tick(ms(100));
    assert_eq!(said(&mut node), []);
}

#[test]
fn a_leader_that_learns_of_a_later_token_of_its_own_still_leads() {
    let mut node = first(2);
    node.suspect(ms(0), id(2));
    node.campaign(ms(0)); // alone, it leads
    said(&mut node);
    let later = Message::Ack { token: Epoch::from_token(320), slot: 2, phase: 7 };
    node.receive(ms(2), id(2), later).unwrap();
    said(&mut node);
    assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(1))));
}

#[test]
fn acknowledgements_of_before_a_restart_are_quiet() {
    let mut node = first(3);
    let ack = Message::Ack { token: Epoch::from_token(32), slot: 0, phase: 0 };
    for from in [2, 3] {
        node.receive(ms(1), id(from), ack).unwrap();
        assert_eq!(said(&mut node), []);
    }
    // nor do they make what its own life before has begun impossible
    let (token, epoch) = (Epoch::from_token(64), Epoch::from_token(66));
    node.receive(ms(2), id(3), Message::Coordinator { token, epoch }).unwrap();
    assert_eq!(node.status().leader, Some(id(3)));
}
