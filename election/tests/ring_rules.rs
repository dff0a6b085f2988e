//! Rules of the rings that a cluster rarely shows: one machine, and messages made by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::nth_ticket;
use quorate_core::{Instant, Machine, NodeId, Output};
use quorate_election::ring::{ChangRoberts, Collecting, Direction, HirschbergSinclair, Message};
use quorate_election::{Config, Epoch, Event, Inline, Record, Ring, Role, Takeover};

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

fn sent(node: &mut Node) -> Vec<(u64, Message)> {
    let mut sent = Vec::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(ticket, _) => node.persisted(ticket),
            Output::Send(to, message) => sent.push((to.get(), message)),
            Output::Event(_) => {}
        }
    }
    sent
}

#[test]
fn silent_successor_is_retried_then_skipped() {
    let mut node = first(3);
    node.campaign(ms(0));
    let requests = sent(&mut node);
    assert!(matches!(requests[..], [(2, Message::Elect { .. })]), "{requests:?}");
    for (at, to) in [(50, 2), (100, 3), (150, 3)] {
        node.tick(ms(at));
        let sent = sent(&mut node);
        assert!(matches!(sent[..], [(whom, Message::Elect { .. })] if whom == to), "{sent:?}");
    }
    node.tick(ms(200));
    sent(&mut node);
    assert_eq!(node.status().role, Role::Leader, "nobody is left");
}

/// A node that begins anew before its successor counts as dead would never pass it over otherwise.
#[test]
fn silence_counts_from_the_first_message_that_was_not_acknowledged() {
    let mut node = first(3);
    let mut to = Vec::new();
    for at in [0, 40, 80, 120, 160] {
        node.tick(ms(at));
        node.campaign(ms(at));
        to.extend(sent(&mut node).into_iter().map(|(to, _)| to));
    }
    assert_eq!(to[..2], [2, 2], "two attempts");
    assert_eq!(to.last(), Some(&3), "{to:?}");
}

#[test]
fn skipped_nodes_get_heartbeats() {
    let mut node = first(2);
    node.suspect(ms(0), id(2));
    node.campaign(ms(0));
    let epoch = node.status().epoch;
    assert_eq!(sent(&mut node), [(2, Message::Alive { epoch })]);
    assert_eq!(node.status().role, Role::Leader);
}

#[test]
fn fenced_leader_retries_skipped_nodes() {
    let ids = [1, 2].map(NodeId::new);
    let mut node = Node::new(id(1), &ids, Config::lan()).unwrap();
    node.suspect(ms(0), id(2));
    sent(&mut node);
    assert_eq!(node.status().role, Role::Leader);
    let later = Epoch::from_token(321);
    node.fenced(ms(1), Epoch::from_token(1)); // known by now
    assert_eq!(sent(&mut node), []);
    node.fenced(ms(1), later);
    let sent = sent(&mut node);
    assert!(matches!(sent[..], [(2, Message::Elect { token, .. })] if token > later), "{sent:?}");
}

#[test]
fn token_is_durable_before_it_is_sent() {
    let mut node = first(3);
    node.campaign(ms(0));
    let Some(Output::Persist(ticket, record)) = node.poll() else { panic!("nothing to write") };
    assert_eq!(record.epoch.owner(), 0);
    assert!(!matches!(node.poll(), Some(Output::Send(..))));
    node.persisted(ticket);
    assert!(matches!(node.poll(), Some(Output::Send(..))));
}

#[test]
fn duplicate_token_is_dropped() {
    let mut node = first(3);
    let token = Epoch::from_token(34); // of the third, which has died
    let elect = Message::Elect { token, highest: token, passed: 0b100 };
    node.receive(ms(1), id(3), elect).unwrap();
    let passed = Message::Elect { token, highest: token, passed: 0b101 };
    let ack = Message::Ack { token, slot: 0, phase: 0 };
    assert_eq!(sent(&mut node), [(3, ack), (2, passed)]);
    node.receive(ms(1), id(2), ack).unwrap();
    for again in [elect, Message::Elect { token, highest: token, passed: 0b111 }] {
        node.receive(ms(2), id(3), again).unwrap();
        assert_eq!(sent(&mut node), [(3, ack)], "acknowledged, and no more");
    }
}

#[test]
fn heard_node_is_skipped_no_more() {
    let mut node = first(3);
    node.suspect(ms(0), id(2));
    let token = Epoch::from_token(33); // of the second
    node.receive(ms(1), id(3), Message::Elect { token, highest: token, passed: 0b110 }).unwrap();
    assert!(sent(&mut node).iter().any(|(to, m)| *to == 2 && matches!(m, Message::Elect { .. })));
}

#[test]
fn ring_rejects_other_modes_and_foreign_messages() {
    let ids = [1, 2].map(NodeId::new);
    let quorum = Config { mode: quorate_election::Mode::Quorum, ..KEEP };
    assert!(Node::new(id(1), &ids, quorum).is_err());
    let mut node = Ring::<ChangRoberts, Inline<2>>::new(id(1), &ids, KEEP).unwrap();
    let token = Epoch::from_token(33);
    let probe =
        Message::Probe { token, highest: token, phase: 0, hops: 1, direction: Direction::Forward };
    assert!(node.receive(ms(0), id(2), probe).is_err());
    let lie = Message::Alive { epoch: Epoch::from_token(32) };
    assert!(node.receive(ms(0), id(2), lie).is_err());
    assert_eq!(node.rejections().total(), 2);
}

#[test]
fn restarted_leader_needs_a_new_epoch() {
    let (token, epoch) = (Epoch::from_token(33), Epoch::from_token(64));
    let told = Message::Coordinator { token, epoch };
    let mut node = first(3);
    node.receive(ms(1), id(3), Message::Elect { token, highest: token, passed: 0b110 }).unwrap();
    node.receive(ms(1), id(3), told).unwrap();
    sent(&mut node);
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
fn forged_token_does_not_block_its_owner() {
    let mut ring = [1, 2, 3].map(|n| {
        let ids: Vec<NodeId> = (1..=3).map(NodeId::new).collect();
        let mut node = Node::new(id(n), &ids, KEEP).unwrap();
        node.tick(ms(0));
        node
    });
    let token = Epoch::from_token(66); // of the third
    let forged = Message::Elect { token, highest: Epoch::ZERO, passed: 0b100 };
    ring[1].receive(ms(0), id(1), forged).unwrap();
    sent(&mut ring[1]);
    // what the second has passed on is lost; the third goes through the first
    ring[2].campaign(ms(1));
    for now in [ms(1), ms(51)] {
        ring[2].tick(now);
        for at in (0..3).cycle().take(30) {
            for (to, message) in sent(&mut ring[at]) {
                let from = id(at as u64 + 1);
                ring[to as usize - 1].receive(now, from, message).unwrap();
            }
        }
    }
    assert!(ring.iter().all(|node| node.status().leader == Some(id(3))), "{ring:?}");
}

#[test]
fn only_the_next_hop_may_acknowledge() {
    let mut node = first(3);
    node.campaign(ms(0));
    let [(2, Message::Elect { token, .. })] = sent(&mut node)[..] else { panic!("no token") };
    node.receive(ms(1), id(3), Message::Ack { token, slot: 0, phase: 0 }).unwrap();
    node.tick(ms(50));
    assert_eq!(sent(&mut node).len(), 1, "sent again");
    node.receive(ms(51), id(2), Message::Ack { token, slot: 0, phase: 0 }).unwrap();
    node.tick(ms(100));
    assert_eq!(sent(&mut node), []);
}

#[test]
fn leader_survives_a_later_own_token() {
    let mut node = first(2);
    node.suspect(ms(0), id(2));
    node.campaign(ms(0)); // alone, it leads
    sent(&mut node);
    let later = Message::Ack { token: Epoch::from_token(320), slot: 2, phase: 7 };
    node.receive(ms(2), id(2), later).unwrap();
    sent(&mut node);
    assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(1))));
}

#[test]
fn acks_of_a_former_boot_are_ignored() {
    let mut node = first(3);
    let ack = Message::Ack { token: Epoch::from_token(32), slot: 0, phase: 0 };
    for from in [2, 3] {
        node.receive(ms(1), id(from), ack).unwrap();
        assert_eq!(sent(&mut node), []);
    }
    // nor do they make what its own life before has begun impossible
    let (token, epoch) = (Epoch::from_token(64), Epoch::from_token(66));
    node.receive(ms(2), id(3), Message::Coordinator { token, epoch }).unwrap();
    assert_eq!(node.status().leader, Some(id(3)));
}

fn ring<A: quorate_election::ring::Algorithm>(config: Config) -> Ring<A, Inline<12>> {
    let ids = [2, 1, 3].map(NodeId::new);
    let mut node = Ring::new(id(2), &ids, config).unwrap();
    node.tick(ms(0));
    node
}

macro_rules! sent_by {
    ($node:ident) => {{
        let mut sent = Vec::new();
        while let Some(output) = $node.poll() {
            match output {
                Output::Persist(ticket, _) => $node.persisted(ticket),
                Output::Send(to, message) => sent.push((to.get(), message)),
                Output::Event(_) => {}
            }
        }
        sent
    }};
}

/// A message of its own attempt of before it was restarted: it takes part in another's, and waits for that one's outcome.
#[test]
fn returning_token_of_earlier_attempt_is_ignored() {
    let old = Epoch::from_token(32);
    let theirs = Epoch::from_token(34); // of node 3, which is better
    let elect = |token, passed| Message::Elect { token, highest: token, passed };
    macro_rules! check {
        ($algorithm:ty, $begins:expr, $back:expr) => {{
            let mut node = ring::<$algorithm>(KEEP);
            node.receive(ms(1), id(3), $begins).unwrap();
            assert_eq!(node.status().role, Role::Waiting);
            sent_by!(node);
            for back in $back {
                node.receive(ms(2), id(3), back).unwrap();
            }
            let sent = sent_by!(node);
            let acks = sent.iter().filter(|(_, m)| matches!(m, Message::Ack { .. })).count();
            assert_eq!(acks, sent.len(), "{sent:?}");
            assert_eq!((node.status().role, node.status().leader), (Role::Waiting, None));
        }};
    }
    check!(Collecting, elect(theirs, 0b100), [elect(old, 0b001), elect(old, 0b111)]);
    check!(ChangRoberts, elect(theirs, 0), [elect(old, 0)]);
    let probe =
        |token, direction| Message::Probe { token, highest: token, phase: 0, hops: 1, direction };
    let reply = |direction| Message::Reply { token: old, highest: old, phase: 0, direction };
    let both =
        [reply(Direction::Forward), reply(Direction::Backward), probe(old, Direction::Backward)];
    check!(HirschbergSinclair, probe(theirs, Direction::Forward), both);
}

/// What comes back after another leads is too late.
#[test]
fn returning_token_after_the_outcome_is_ignored() {
    let leader = Epoch::from_token(98); // of node 3
    macro_rules! check {
        ($algorithm:ty, $back:expr) => {{
            let mut node = ring::<$algorithm>(KEEP);
            node.campaign(ms(0));
            let token = node.status().epoch;
            sent_by!(node);
            node.receive(ms(1), id(3), Message::Alive { epoch: leader }).unwrap();
            sent_by!(node);
            for back in $back {
                node.receive(ms(2), id(1), back(token)).unwrap();
            }
            let sent = sent_by!(node);
            assert!(sent.iter().all(|(_, m)| matches!(m, Message::Ack { .. })), "{sent:?}");
            let status = node.status();
            assert_eq!((status.leader, status.epoch), (Some(id(3)), leader));
        }};
    }
    let elect = |passed| move |token| Message::Elect { token, highest: token, passed };
    check!(Collecting, [elect(0b011)]); // it would be the best
    check!(Collecting, [elect(0b111)]);
    check!(ChangRoberts, [elect(0)]);
    let reply =
        |direction| move |token| Message::Reply { token, highest: token, phase: 0, direction };
    check!(HirschbergSinclair, [reply(Direction::Forward), reply(Direction::Backward)]);
}

/// A candidate of Hirschberg and Sinclair goes on when both sides have answered its present phase, and no other.
#[test]
fn phase_ends_with_replies_of_both_sides() {
    let mut node = ring::<HirschbergSinclair>(KEEP);
    node.campaign(ms(0));
    let token = node.status().epoch;
    let reply = |phase, direction, highest| Message::Reply { token, highest, phase, direction };
    let probes = |sent: Vec<(u64, Message)>| -> Vec<(u64, u8, u8)> {
        let probe = |(to, m)| match m {
            Message::Probe { phase, hops, .. } => Some((to, phase, hops)),
            _ => None,
        };
        sent.into_iter().filter_map(probe).collect()
    };
    assert_eq!(probes(sent_by!(node)), [(1, 0, 1), (3, 0, 1)]);
    node.receive(ms(1), id(1), reply(1, Direction::Backward, token)).unwrap(); // of a phase to come
    assert_eq!(probes(sent_by!(node)), []);
    let mut node = ring::<HirschbergSinclair>(KEEP);
    node.campaign(ms(0));
    sent_by!(node);
    let later = Epoch::from_token(token.token() + 32 * 7);
    node.receive(ms(1), id(1), reply(0, Direction::Backward, later)).unwrap();
    assert_eq!((probes(sent_by!(node)), node.status().epoch), (vec![], later));
    node.receive(ms(1), id(3), reply(0, Direction::Forward, token)).unwrap();
    let sent = sent_by!(node);
    assert!(
        sent.iter().any(|(_, m)| matches!(m, Message::Probe { highest, .. } if *highest == later))
    );
    assert_eq!(probes(sent), [(1, 1, 2), (3, 1, 2)]);
    // one side twice is not both
    node.receive(ms(2), id(1), reply(1, Direction::Backward, token)).unwrap();
    node.receive(ms(2), id(3), Message::Alive { epoch: Epoch::from_token(2) }).unwrap(); // late
    assert_eq!(probes(sent_by!(node)), []);
    node.receive(ms(3), id(3), reply(1, Direction::Forward, token)).unwrap();
    assert_eq!(probes(sent_by!(node)), [(1, 2, 4), (3, 2, 4)]);
    // a probe that comes all the way round has won
    let round =
        Message::Probe { token, highest: later, phase: 2, hops: 1, direction: Direction::Forward };
    node.receive(ms(4), id(3), round).unwrap();
    sent_by!(node);
    assert_eq!(node.status().role, Role::Leader);
    assert!(node.status().epoch > later);
}

#[test]
fn follower_of_live_leader_forwards_tokens_to_it() {
    let epoch = Epoch::from_token(34);
    let token = Epoch::from_token(65); // of node 1, which is worse than this one
    macro_rules! check {
        ($algorithm:ty, $message:expr) => {{
            let mut node = ring::<$algorithm>(KEEP);
            node.receive(ms(1), id(3), Message::Alive { epoch }).unwrap();
            sent_by!(node);
            node.receive(ms(2), id(1), $message).unwrap();
            let sent = sent_by!(node);
            assert!(sent.len() == 2 && sent.contains(&(3, $message)), "{sent:?}");
            assert_eq!((node.status().role, node.status().leader), (Role::Follower, Some(id(3))));
        }};
    }
    let elect = |passed| Message::Elect { token, highest: token, passed };
    check!(Collecting, elect(0b010));
    check!(ChangRoberts, elect(0));
    let probe = |hops| Message::Probe {
        token,
        highest: token,
        phase: 1,
        hops,
        direction: Direction::Backward,
    };
    check!(HirschbergSinclair, probe(1));
    check!(HirschbergSinclair, probe(2));
    // the leader itself is a candidate, and so leads no more: its token must not come back to it from here
    let mut node = ring::<ChangRoberts>(KEEP);
    node.receive(ms(1), id(3), Message::Alive { epoch }).unwrap();
    sent_by!(node);
    let token = Epoch::from_token(66);
    let elect_of_3 = Message::Elect { token, highest: token, passed: 0 };
    node.receive(ms(2), id(3), elect_of_3).unwrap();
    assert!(sent_by!(node).contains(&(1, elect_of_3)));
    assert_eq!(node.status().role, Role::Waiting);
    // without a leader, and where the highest is to lead, it is a candidate itself
    let mut node = ring::<ChangRoberts>(KEEP);
    node.receive(ms(2), id(3), elect(0)).unwrap();
    assert_eq!(node.status().role, Role::Waiting);
    let own = sent_by!(node);
    assert!(
        own.iter().any(|(_, m)| matches!(m, Message::Elect { token, .. } if token.owner() == 0))
    );
    let mut node = ring::<ChangRoberts>(Config::lan());
    node.receive(ms(1), id(3), Message::Alive { epoch: Epoch::from_token(66) }).unwrap();
    sent_by!(node);
    node.receive(ms(2), id(3), elect(0)).unwrap();
    assert_eq!(node.status().role, Role::Waiting);
}

#[test]
fn nothing_is_sent_before_the_epoch_is_durable() {
    let mut node = first(3);
    node.persisted(nth_ticket(99)); // which was not issued
    node.campaign(ms(0));
    let Some(Output::Persist(ticket, record)) = node.poll() else { panic!("nothing to write") };
    assert_eq!((ticket, record.epoch), (nth_ticket(1), node.status().epoch));
    assert!(node.poll().is_none());
    node.persisted(nth_ticket(99)); // nor was it now
    assert!(node.poll().is_none());
    node.campaign(ms(1)); // another attempt, another record
    let Some(Output::Persist(second, _)) = node.poll() else { panic!("nothing to write") };
    assert_eq!(second, nth_ticket(2));
    node.persisted(ticket);
    assert!(node.poll().is_none(), "the first is not the second");
    node.persisted(second);
    node.persisted(ticket); // once more
    assert!(matches!(node.poll(), Some(Output::Send(..))));
}

#[test]
fn leader_is_reported_once_durable() {
    let mut node = first(3);
    [2, 3].into_iter().for_each(|other| node.suspect(ms(0), id(other)));
    node.campaign(ms(0));
    assert_eq!((node.status().role, node.status().leader), (Role::Claiming, None));
    let Some(Output::Persist(ticket, _)) = node.poll() else { panic!("nothing to write") };
    assert!(node.poll().is_none());
    node.persisted(ticket);
    let epoch = node.status().epoch;
    assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(1))));
    let mut events = Vec::new();
    while let Some(output) = node.poll() {
        if let Output::Event(event) = output {
            events.push(event);
        }
    }
    assert_eq!(events, [Event::Leading { epoch }]);
    assert!(node.checkpoint().eq([Record { epoch }]));
}

/// Node 2 of the ring 2, 1, 3 leads: the others were silent.
fn leader(config: Config) -> (Ring<Collecting, Inline<12>>, Epoch) {
    let mut node = ring::<Collecting>(config);
    [1, 3].into_iter().for_each(|other| node.suspect(ms(0), id(other)));
    node.campaign(ms(0));
    sent_by!(node);
    let epoch = node.status().epoch;
    assert_eq!((node.status().role, node.status().leader), (Role::Leader, Some(id(2))));
    (node, epoch)
}

fn later(epoch: Epoch, by: u64) -> Epoch {
    Epoch::from_token(epoch.token() + by)
}

#[test]
fn unfollowed_leader_steps_down_after_attempts() {
    for attempts in [1, 3] {
        let (mut node, epoch) = leader(Config { attempts, ..KEEP });
        // heartbeats do not count
        (1..=5).for_each(|at| node.tick(ms(at * 100)));
        sent_by!(node);
        let rival = later(epoch, 33); // of node 1
        node.receive(ms(510), id(1), Message::Alive { epoch: rival }).unwrap();
        let mut at = 510;
        for _ in 0..attempts {
            assert_eq!(node.status().role, Role::Leader, "{at}");
            let ask = Message::ConfirmLeadership { epoch };
            assert_eq!(sent_by!(node), [(1, ask), (3, ask)]);
            assert_eq!(node.deadline(), Some(ms(at + 50)));
            // once more, and an earlier one, and what is no answer
            node.receive(ms(at), id(1), Message::Alive { epoch: rival }).unwrap();
            node.receive(ms(at), id(1), Message::Alive { epoch: later(epoch, 1) }).unwrap();
            node.receive(ms(at), id(3), Message::Alive { epoch: later(epoch, 2) }).unwrap();
            at += 50;
            node.tick(ms(at));
        }
        assert_eq!((node.status().role, node.status().epoch), (Role::Follower, rival));
        assert_eq!((node.status().leader, node.deadline()), (None, Some(ms(at + 350))));
        assert_eq!(sent_by!(node), []);
        node.receive(ms(at + 1), id(1), Message::Alive { epoch: rival }).unwrap();
        sent_by!(node);
        assert_eq!(node.status().leader, Some(id(1)));
    }
}

#[test]
fn followed_leader_supersedes_a_rival() {
    let (mut node, epoch) = leader(KEEP);
    let follows = |epoch| Message::Alive { epoch };
    // an answer without a question counts for nothing
    node.receive(ms(1), id(3), follows(epoch)).unwrap();
    let rival = later(epoch, 33);
    node.receive(ms(2), id(1), Message::Alive { epoch: rival }).unwrap();
    // in an epoch of before
    node.receive(ms(3), id(3), follows(Epoch::from_token(epoch.token() - 32))).unwrap();
    assert_eq!(node.status().epoch, epoch);
    node.receive(ms(4), id(3), follows(epoch)).unwrap();
    let (sent, epoch) = (sent_by!(node), node.status().epoch);
    assert!(epoch > rival);
    assert!(sent.contains(&(1, Message::Coordinator { token: epoch, epoch })), "{sent:?}");
    assert_eq!((node.status().role, node.deadline()), (Role::Leader, Some(ms(54))));
    node.receive(ms(5), id(1), Message::Ack { token: epoch, slot: 2, phase: 7 }).unwrap();
    assert_eq!(node.deadline(), Some(ms(104)), "the next heartbeat");
    // that is settled: it takes another majority next time
    let rival = later(epoch, 33);
    node.receive(ms(6), id(1), Message::Alive { epoch: rival }).unwrap();
    assert_eq!(node.status().epoch, epoch);
}

#[test]
fn fenced_sticky_leader_queries_skipped_nodes() {
    let (mut node, epoch) = leader(KEEP);
    node.fenced(ms(1), later(epoch, 0));
    assert_eq!(sent_by!(node), [], "no later epoch");
    let rival = later(epoch, 33);
    node.fenced(ms(1), rival);
    let ask = Message::ConfirmLeadership { epoch };
    assert_eq!(sent_by!(node), [(1, ask), (3, ask)]);
    node.receive(ms(2), id(3), Message::Alive { epoch }).unwrap();
    let (sent, epoch) = (sent_by!(node), node.status().epoch);
    assert!(epoch > rival);
    // the next one is passed over no more; and all are told
    let alive = Message::Alive { epoch };
    assert_eq!(sent, [(1, Message::Coordinator { token: epoch, epoch }), (1, alive), (3, alive)]);
}

#[test]
fn follower_confirms_its_leader_only() {
    let (epoch, rival) = (Epoch::from_token(34), Epoch::from_token(65));
    let mut node = ring::<ChangRoberts>(KEEP);
    // a question is a sign of life, too
    node.receive(ms(1), id(3), Message::ConfirmLeadership { epoch }).unwrap();
    assert_eq!(sent_by!(node), [(3, Message::Alive { epoch })]);
    assert_eq!((node.status().leader, node.counts().accept), (Some(id(3)), 1));
    for message in [Message::Alive { epoch: rival }, Message::ConfirmLeadership { epoch: rival }] {
        node.receive(ms(2), id(1), message).unwrap();
        assert_eq!(sent_by!(node), []);
        assert_eq!((node.status().leader, node.status().epoch), (Some(id(3)), epoch));
    }
    // nor is an earlier epoch of its leader's the one that it follows
    let mut ahead = node.clone();
    ahead.receive(ms(2), id(3), Message::Alive { epoch: Epoch::from_token(98) }).unwrap();
    sent_by!(ahead);
    ahead.receive(ms(2), id(3), Message::ConfirmLeadership { epoch }).unwrap();
    assert_eq!(sent_by!(ahead), []);
    // passed on, and no reason to follow
    let token = Epoch::from_token(33);
    let told = Message::Coordinator { token, epoch: rival };
    node.receive(ms(3), id(1), told).unwrap();
    let ack = Message::Ack { token, slot: 2, phase: 7 };
    assert_eq!(sent_by!(node), [(1, ack), (1, told)]);
    assert_eq!(node.status().leader, Some(id(3)));
    // its own leader in a later epoch is another matter
    let renewed = Epoch::from_token(98);
    node.receive(ms(4), id(3), Message::Alive { epoch: renewed }).unwrap();
    assert_eq!(sent_by!(node), []);
    assert_eq!((node.status().leader, node.status().epoch), (Some(id(3)), renewed));
    // and so is a leader that has not been heard for long
    let rival = Epoch::from_token(129);
    node.receive(ms(353), id(1), Message::Alive { epoch: rival }).unwrap();
    sent_by!(node);
    assert_eq!(node.status().leader, Some(id(3)));
    node.receive(ms(354), id(1), Message::Alive { epoch: rival }).unwrap();
    sent_by!(node);
    assert_eq!(node.status().leader, Some(id(1)));
}

#[test]
fn sticky_leader_absorbs_tokens() {
    let (node, epoch) = leader(KEEP);
    for (token, is_later) in [(Epoch::from_token(1), false), (later(epoch, 33), true)] {
        let mut node = node.clone();
        let elect = Message::Elect { token, highest: Epoch::ZERO, passed: 0b010 };
        node.receive(ms(1), id(1), elect).unwrap();
        let mut sent = sent_by!(node);
        sent.retain(|(_, message)| !matches!(message, Message::Ack { .. }));
        if is_later {
            // the candidate is led by nobody, and the two are a majority
            let epoch = node.status().epoch;
            assert!(epoch > token);
            assert!(sent.contains(&(1, Message::Alive { epoch })), "{sent:?}");
        } else {
            assert_eq!(sent, [(1, Message::Alive { epoch })]);
        }
    }
    // what is no later than its own epoch does not make it ask
    let (token, mut calm) = (Epoch::from_token(1), node.clone());
    calm.receive(ms(1), id(1), Message::Elect { token, highest: epoch, passed: 0b010 }).unwrap();
    let told = sent_by!(calm);
    assert!(told.contains(&(1, Message::Alive { epoch })), "{told:?}");
    assert!(
        !told.iter().any(|(_, message)| matches!(message, Message::ConfirmLeadership { .. })),
        "{told:?}"
    );
    // what is gathered on the way counts as well
    let mut asks = node.clone();
    let (token, highest) = (Epoch::from_token(1), later(epoch, 64));
    asks.receive(ms(1), id(1), Message::Elect { token, highest, passed: 0b010 }).unwrap();
    assert!(asks.status().epoch > highest);
    // where the highest is to lead, the token goes on
    let (mut node, epoch) = leader(Config::lan());
    let token = later(epoch, 33);
    node.receive(ms(1), id(1), Message::Elect { token, highest: token, passed: 0b010 }).unwrap();
    assert!(sent_by!(node).iter().any(|(_, m)| matches!(m, Message::Elect { passed: 0b011, .. })));
}

/// Node 2 of the ring 2, 1, 3, 4, 5 leads; nodes 4 and 5 do not answer. Node 1, which nobody leads, is in a later epoch.
fn leader_of_five() -> (Ring<Collecting, Inline<12>>, Epoch, Message) {
    let mut node =
        Ring::<Collecting, Inline<12>>::new(id(2), &[2, 1, 3, 4, 5].map(id), KEEP).unwrap();
    node.tick(ms(0));
    [1, 3, 4, 5].into_iter().for_each(|other| node.suspect(ms(0), id(other)));
    node.campaign(ms(0));
    sent_by!(node);
    let (epoch, token) = (node.status().epoch, later(node.status().epoch, 33));
    assert_eq!(node.status().role, Role::Leader);
    (node, epoch, Message::Elect { token, highest: token, passed: 0b010 })
}

#[test]
fn candidate_counts_for_the_leader_that_asks_who_follows_it() {
    let (mut node, epoch, elect) = leader_of_five();
    node.receive(ms(1), id(1), elect).unwrap();
    let asked = sent_by!(node);
    assert!(asked.contains(&(3, Message::ConfirmLeadership { epoch })), "{asked:?}");
    assert_eq!(node.status().epoch, epoch, "two of five");
    node.receive(ms(2), id(3), Message::Alive { epoch }).unwrap();
    assert!(node.status().epoch > epoch, "three of five");
    sent_by!(node);
    assert_eq!(node.status().role, Role::Leader);
}

/// A node that is always ahead makes the leader claim once between two heartbeats.
#[test]
fn candidates_in_quick_succession_are_superseded_at_the_next_heartbeat() {
    let (mut node, epoch) = leader(KEEP);
    let candidate = |node: &mut Ring<_, _>, at, token| {
        node.receive(ms(at), id(1), Message::Elect { token, highest: token, passed: 0b010 })
    };
    candidate(&mut node, 1, later(epoch, 33)).unwrap();
    sent_by!(node);
    let claimed = node.status().epoch;
    assert!(claimed > later(epoch, 33));
    let token = later(claimed, 33);
    candidate(&mut node, 2, token).unwrap();
    sent_by!(node);
    assert_eq!(node.status().epoch, claimed);
    for at in [52, 101] {
        assert_eq!(node.status().epoch, claimed);
        node.tick(ms(at));
        sent_by!(node);
    }
    let claimed = node.status().epoch;
    assert!(claimed > token);
    // a heartbeat without any goes by: the next is superseded at once
    for at in [152, 202, 252] {
        node.tick(ms(at));
        sent_by!(node);
    }
    assert_eq!(node.status().epoch, claimed);
    candidate(&mut node, 253, later(claimed, 33)).unwrap();
    assert!(node.status().epoch > later(claimed, 33));
}

/// It has asked in its last time as a leader, and asks at once in this.
#[test]
fn reelected_leader_may_ask_at_once() {
    let (mut node, epoch) = leader(KEEP);
    let rival = later(epoch, 33); // of node 1
    node.receive(ms(1), id(1), Message::Alive { epoch: rival }).unwrap();
    for at in [51, 101] {
        sent_by!(node);
        node.tick(ms(at));
    }
    assert_eq!(node.status().role, Role::Follower);
    [1, 3].into_iter().for_each(|other| node.suspect(ms(102), id(other)));
    node.campaign(ms(102));
    sent_by!(node);
    let epoch = node.status().epoch;
    assert_eq!((node.status().role, epoch > rival), (Role::Leader, true));
    node.receive(ms(103), id(1), Message::Alive { epoch: later(epoch, 33) }).unwrap();
    let ask = Message::ConfirmLeadership { epoch };
    assert_eq!(sent_by!(node), [(1, ask), (3, ask)]);
}

#[test]
fn candidate_does_not_answer_its_former_leader() {
    let mut node = ring::<ChangRoberts>(KEEP);
    let epoch = Epoch::from_token(34);
    node.receive(ms(1), id(3), Message::ConfirmLeadership { epoch }).unwrap();
    node.suspect(ms(1), id(3));
    let sent = sent_by!(node);
    assert!(matches!(sent[..], [(1, Message::Elect { .. })]), "{sent:?}");
}

/// Of the others too few are alive for a majority, but only another leader can lead them.
#[test]
fn unfollowed_leader_steps_down_for_leaders_and_not_for_candidates() {
    for rival_leads in [false, true] {
        let (mut node, epoch, elect) = leader_of_five();
        if rival_leads {
            let epoch = later(epoch, 34); // of node 3
            node.receive(ms(1), id(3), Message::Alive { epoch }).unwrap();
        }
        node.receive(ms(1), id(1), elect).unwrap();
        sent_by!(node);
        node.tick(ms(51));
        sent_by!(node);
        assert_eq!((node.status().role, node.status().epoch), (Role::Leader, epoch));
        node.tick(ms(101));
        let role = if rival_leads { Role::Follower } else { Role::Leader };
        sent_by!(node);
        assert_eq!(node.status().role, role);
        assert!(node.status().epoch > epoch);
    }
    // that there was another leader is over when the leader has gone on in an epoch after that
    let (mut node, epoch, _) = leader_of_five();
    node.receive(ms(1), id(3), Message::Alive { epoch: later(epoch, 34) }).unwrap();
    [1, 4].into_iter().for_each(|n| node.receive(ms(2), id(n), Message::Alive { epoch }).unwrap());
    sent_by!(node);
    let token = later(node.status().epoch, 33);
    node.receive(ms(3), id(1), Message::Elect { token, highest: token, passed: 0b010 }).unwrap();
    for at in [103, 153, 203, 253] {
        sent_by!(node);
        node.tick(ms(at));
    }
    assert!(node.status().epoch > token);
    assert!(matches!(node.status().role, Role::Leader | Role::Claiming));
}

#[test]
fn relaying_node_does_not_win_when_all_others_are_suspected() {
    let mut node = first(3);
    let token = Epoch::from_token(2);
    node.receive(ms(1), id(3), Message::Elect { token, highest: token, passed: 0b100 }).unwrap();
    sent(&mut node);
    assert_eq!(node.status().role, Role::Waiting);
    node.suspect(ms(2), id(2));
    node.suspect(ms(2), id(3));
    assert_eq!(node.status().role, Role::Waiting, "its own attempt may win, later");
}

#[test]
fn token_sets_own_bit_even_if_set() {
    for passed in [0b100, 0b101] {
        let mut node = first(3);
        let token = Epoch::from_token(2);
        node.receive(ms(1), id(3), Message::Elect { token, highest: token, passed }).unwrap();
        let sent = sent(&mut node);
        let listed = |message: &Message| matches!(message, Message::Elect { passed: 0b101, .. });
        assert!(sent.iter().any(|(to, message)| *to == 2 && listed(message)), "{sent:?}");
    }
}

#[test]
fn fenced_rejects_epoch_without_owner() {
    let (node, epoch) = leader(Config::lan());
    for (owner, taken) in [(2, true), (3, false), (31, false)] {
        let mut node = node.clone();
        node.fenced(ms(1), Epoch::from_token((epoch.token() | 31) + 1 + owner));
        assert_eq!(node.status().epoch > epoch, taken, "{owner}");
    }
}

#[test]
fn confirm_leadership_in_foreign_epoch_is_rejected() {
    let mut node = first(3);
    let ask = |owner: u64| Message::ConfirmLeadership { epoch: Epoch::from_token(32 + owner) };
    let refused = node.receive(ms(1), id(2), ask(2));
    assert_eq!(refused, Err(quorate_core::Rejected::Impossible));
    assert_eq!(node.status().leader, None);
    node.receive(ms(1), id(3), ask(2)).unwrap();
    sent(&mut node);
    assert_eq!(node.status().leader, Some(id(3)));
}

/// A peer that acknowledges each token with a later one makes a node begin again once in an answer's time.
#[test]
fn acknowledgements_with_later_tokens_cause_no_storm() {
    let mut node = first(3);
    node.campaign(ms(1));
    let mut attempts = 0;
    for _ in 0..100 {
        for (_, message) in sent(&mut node) {
            let Message::Elect { token, .. } = message else { continue };
            attempts += 1;
            let token = Epoch::from_token(token.token() + 32);
            node.receive(ms(1), id(2), Message::Ack { token, slot: 0, phase: 0 }).unwrap();
        }
    }
    assert_eq!(attempts, 1);
    assert_eq!(node.deadline(), Some(ms(51)));
    // nor do more of them put it off
    node.receive(ms(40), id(2), ack_of(&node, 64)).unwrap();
    node.tick(ms(51));
    assert!(matches!(sent(&mut node)[..], [(2, Message::Elect { .. })]));
}

/// An acknowledgement of so much later a token than the node's.
fn ack_of(node: &Node, by: u64) -> Message {
    Message::Ack { token: later(node.status().epoch, by), slot: 0, phase: 0 }
}

/// Node 2 led, and lost its disk. What tokens of worse candidates tell it counts, although it takes no part in them.
#[test]
fn erased_node_leads_above_all_it_was_told_of() {
    macro_rules! check {
        ($algorithm:ty, $message:expr) => {{
            let ids = [1, 2].map(id);
            let mut node = Ring::<$algorithm, Inline<12>>::new(id(2), &ids, Config::lan()).unwrap();
            node.tick(ms(0));
            sent_by!(node);
            node.receive(ms(1), id(1), $message).unwrap();
            sent_by!(node);
            node.suspect(ms(2), id(1));
            for at in [300, 600] {
                node.tick(ms(at));
                sent_by!(node);
            }
            let (role, epoch) = (node.status().role, node.status().epoch);
            assert!(role == Role::Leader && epoch > Epoch::from_token(736), "{role:?} {epoch:?}");
        }};
    }
    let (token, highest) = (Epoch::from_token(704), Epoch::from_token(736));
    let probe = Message::Probe { token, highest, phase: 0, hops: 1, direction: Direction::Forward };
    check!(Collecting, Message::Elect { token, highest, passed: 0 });
    check!(ChangRoberts, Message::Elect { token, highest, passed: 0 });
    check!(HirschbergSinclair, probe);
}

/// An erased node makes the attempt again that it made before: the follower of a later leader tells it a later one.
#[test]
fn token_of_before_is_answered_with_a_later_one() {
    let mut node = first(3);
    let token = Epoch::from_token(34);
    let elect = Message::Elect { token, highest: token, passed: 0b100 };
    node.receive(ms(1), id(3), elect).unwrap();
    let epoch = Epoch::from_token(65); // of the second, which is better for this one, too
    node.receive(ms(2), id(2), Message::Alive { epoch }).unwrap();
    sent(&mut node);
    node.receive(ms(3), id(3), elect).unwrap();
    let later = Message::Ack { token: Epoch::from_token(66), slot: 0, phase: 0 };
    assert_eq!(sent(&mut node), [(3, later)]);
    // not while its outcome is to come, although there are later attempts
    let mut node = first(3);
    node.receive(ms(1), id(3), elect).unwrap();
    node.campaign(ms(2));
    node.campaign(ms(2));
    assert!(node.status().epoch > token);
    sent(&mut node);
    node.receive(ms(3), id(3), elect).unwrap();
    assert_eq!(sent(&mut node), [(3, Message::Ack { token, slot: 0, phase: 0 })]);
}

/// A leader that yields to another follows it in its next message, however far ahead candidates are.
#[test]
fn yielding_leader_follows_the_other_leader_at_once() {
    let (mut node, epoch, elect) = leader_of_five();
    let other = Message::Alive { epoch: later(epoch, 2) }; // of node 3
    node.receive(ms(1), id(3), other).unwrap();
    node.receive(ms(1), id(1), elect).unwrap();
    for at in [51, 101] {
        sent_by!(node);
        node.tick(ms(at));
    }
    assert_eq!(node.status().role, Role::Follower);
    node.receive(ms(102), id(3), other).unwrap();
    sent_by!(node);
    assert_eq!(node.status().leader, Some(id(3)));
}
