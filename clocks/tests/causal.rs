//! One member of a group, hand to hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{
    IDS, Member, Vector, count, data, delivered, dot, drain, exchange_statuses, new_member,
    receive, receive_at, restart_peer, sent_to, started, status_reply, status_request, synced,
    vector,
};
use proptest::prelude::*;
use quorate_clocks::causal::{
    BroadcastError, Config, ConfigError, Event, Message, Record, ResumeError,
};
use quorate_clocks::{Actor, Causal, Dot, Inline, Versions};
use quorate_core::{Instant, Machine, NodeId, Output, Rejected, Ticket, Tickets, Wire};

/// The `n`th ticket of some other machine.
fn nth_ticket(n: u64) -> Ticket {
    let mut tickets = Tickets::default();
    for _ in 1..n {
        tickets.issue();
    }
    tickets.issue()
}

#[test]
fn message_is_delivered_after_its_causes() {
    let mut member = started();
    receive(&mut member, 2, data(dot(3, 1), &vector(&[dot(2, 2)]))).unwrap();
    receive(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    assert!(delivered(&drain(&mut member)).is_empty());
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=1");
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "2:2", "3:1"]);
    assert_eq!(member.gap(), None);
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert!(delivered(&drain(&mut member)).is_empty(), "delivered twice");
}

#[test]
fn broadcast_is_sent_once_durable() {
    let mut member = Member::new(IDS[0].into(), &IDS, Config::lan()).unwrap();
    assert_eq!(member.broadcast(b"early"), Err(BroadcastError::NotStarted));
    member.tick(Instant::ZERO);
    member.broadcast(b"one").unwrap();
    let mut tickets = Vec::new();
    while let Some(output) = member.poll() {
        let Output::Persist(ticket, _) = output else { panic!("{output:?}") };
        tickets.push(ticket);
    }
    member.persisted(tickets[0]); // the start, and not the broadcast
    while let Some(output) = member.poll() {
        assert!(matches!(output, Output::Send(_, Message::Status { .. })), "{output:?}");
    }
    member.persisted(nth_ticket(99)); // which was not issued
    assert!(member.poll().is_none());
    member.persisted(tickets[1]);
    let outputs = drain(&mut member);
    assert_eq!(delivered(&outputs), ["1:1"]);
    assert_eq!(outputs.iter().filter(|line| line.contains("Data")).count(), 2, "{outputs:?}");
    // and nothing of what is issued later
    member.broadcast(b"two").unwrap();
    while let Some(output) = member.poll() {
        let sent_early = matches!(output, Output::Send(_, Message::Data { .. }) | Output::Event(_));
        assert!(!sent_early, "{output:?}");
    }
}

#[test]
fn causes_are_sent_once() {
    let mut member = started();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut member);
    member.broadcast(b"a").unwrap();
    member.broadcast(b"b").unwrap();
    let sent: Vec<String> =
        drain(&mut member).into_iter().filter(|line| line.contains("Persist")).collect();
    assert!(sent[0].contains("causes: {2:1}") && sent[1].contains("causes: {}"), "{sent:?}");
}

#[test]
fn stable_needs_all_members() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    let status =
        |boot, delivered| Message::Status { boot, request: false, relay: false, delivered };
    receive(&mut member, 1, status(1, all.versions())).unwrap();
    assert!(!drain(&mut member).iter().any(|line| line.contains("Stable")));
    receive(&mut member, 2, status(1, all.versions())).unwrap();
    assert!(drain(&mut member).iter().any(|line| line.contains("Event(Stable)")));
    assert_eq!((member.stored(), member.stable().get(IDS[0].into())), (0, 1));
    // one of them restarted and has nothing: what it said before does not count, nor does it come late
    restart_peer(&mut member, 2, 2, &Vector::new());
    receive(&mut member, 2, status(1, all.versions())).unwrap();
    assert!(member.stable().is_empty());
}

#[test]
fn timed_out_member_is_not_waited_for_with_a_majority() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = Member::new(IDS[0].into(), &IDS, config).unwrap();
    exchange_statuses(&mut member);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    member.tick(Instant::ZERO);
    member.tick(Instant::from_millis(2_000));
    drain(&mut member);
    assert_eq!(member.stored(), 1, "dropped while nobody else had it");
    let all = vector(&[dot(1, 1)]);
    let status =
        Message::Status { boot: 1, request: false, relay: false, delivered: all.versions() };
    member.receive(Instant::from_millis(2_000), IDS[1], status).unwrap();
    drain(&mut member);
    assert_eq!(member.stored(), 0);
    assert_eq!(member.deadline(), None, "nor is it asked any more what it has");
    // who comes back is told that what it lacks is gone
    let back = Message::Status { boot: 1, request: true, relay: false, delivered: Versions::EMPTY };
    member.receive(Instant::from_millis(3_000), IDS[2], back).unwrap();
    let outputs = drain(&mut member);
    assert!(
        outputs.iter().any(|line| line.contains("Send(NodeId(3), Behind { floor: {1:1} })")),
        "{outputs:?}"
    );
}

#[test]
fn full_store_evicts_undeliverable_messages() {
    let mut member = synced();
    for n in 2..=7 {
        receive(&mut member, 1, data(dot(2, n), &Vector::new())).unwrap();
    }
    let before = member.clone();
    assert_eq!(receive(&mut member, 2, data(dot(3, 2), &Vector::new())), Err(Rejected::Full));
    assert_eq!((member.stored(), member.rejections().full), (before.stored(), 1));
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Busy));
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "2:2", "2:3", "2:4", "2:5", "2:6"]);
    // delivered, and kept to help: the next one displaces one of them
    receive(&mut member, 1, data(dot(2, 7), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:7"]);
    // and who asks for what was displaced is told
    let request =
        Message::Status { boot: 1, request: true, relay: true, delivered: Versions::EMPTY };
    receive_at(&mut member, 1_000, 2, request);
    assert!(drain(&mut member).iter().any(|line| line.contains("Behind { floor: {2:2} }")));
}

#[test]
fn own_broadcasts_are_never_evicted() {
    let mut member = started();
    for _ in 0..3 {
        member.broadcast(b"a").unwrap();
    }
    drain(&mut member);
    let first = |node, life| Dot::first(Actor::new(NodeId::new(node), life));
    for dot in [first(2, 0), first(3, 0), first(2, 1)] {
        receive(&mut member, 1, data(dot, &Vector::new())).unwrap(); // about to be delivered
    }
    assert_eq!(receive(&mut member, 1, data(first(3, 1), &Vector::new())), Err(Rejected::Full));
    let own = member.checkpoint().filter(|record| matches!(record, Record::Sent { .. })).count();
    assert_eq!((own, member.stored()), (3, 6));
}

#[test]
fn own_broadcasts_take_at_most_half_of_the_store() {
    let mut member = started();
    for _ in 0..3 {
        member.broadcast(b"a").unwrap();
    }
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Busy));
    assert_eq!(member.broadcast(b"123456789"), Err(BroadcastError::Busy));
    assert_eq!(started().broadcast(b"123456789"), Err(BroadcastError::TooLarge));
}

#[test]
fn impossible_messages_are_rejected() {
    let mut member = started();
    let before = member.clone();
    let stranger = member.receive(Instant::ZERO, NodeId::new(9), data(dot(2, 1), &Vector::new()));
    assert_eq!(stranger, Err(Rejected::UnknownSender));
    assert_eq!(
        receive(&mut member, 1, data(dot(9, 1), &Vector::new())),
        Err(Rejected::UnknownSender)
    );
    assert_eq!(
        receive(&mut member, 1, data(dot(2, 2), &vector(&[dot(2, 1)]))),
        Err(Rejected::Malformed)
    );
    let long = Message::Data { dot: dot(2, 1), causes: Versions::EMPTY, payload: b"123456789" };
    assert_eq!(receive(&mut member, 1, long), Err(Rejected::Full));
    let four = [1, 2, 3, 4].map(|life| Dot::first(Actor::new(IDS[2], life)));
    let mut many = quorate_clocks::VersionVector::<Inline<4>>::new();
    four.iter().for_each(|dot| _ = many.observe(*dot).unwrap());
    let crowded = Message::Data { dot: dot(2, 1), causes: many.versions(), payload: b"" };
    assert_eq!(receive(&mut member, 1, crowded), Err(Rejected::Full));
    // own events that were never made, as an event or a cause, or as what cannot be had any more
    assert_eq!(receive(&mut member, 1, data(dot(1, 1), &Vector::new())), Err(Rejected::Impossible));
    assert_eq!(
        receive(&mut member, 1, data(dot(2, 1), &vector(&[dot(1, 1)]))),
        Err(Rejected::Impossible)
    );
    let floor = vector(&[dot(1, 1)]);
    let behind = Message::Behind { floor: floor.versions() };
    assert_eq!(receive(&mut member, 1, behind), Err(Rejected::Impossible));
    assert_eq!(member.rejections().total(), 8);
    assert_eq!((member.stored(), member.delivered()), (before.stored(), before.delivered()));
    assert!(member.broadcast(b"a").is_ok());
}

#[test]
fn resume_redelivers_stored_messages() {
    let mut member = started();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    member.broadcast(b"a").unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "1:1"]);
    member.resume(&Vector::new()).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "1:1"]);
    member.resume(&vector(&[dot(2, 1)])).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["1:1"]);
}

#[test]
fn stable_record_precedes_sent_records() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        let status =
            Message::Status { boot: 1, request: false, relay: false, delivered: all.versions() };
        receive(&mut member, peer, status).unwrap();
    }
    member.broadcast(b"b").unwrap();
    let outputs = drain(&mut member);
    let written: Vec<&String> = outputs.iter().filter(|line| line.contains("Persist")).collect();
    assert!(
        written[0].contains("Stable { counter: 1 }") && written[1].contains("Sent { counter: 2"),
        "{outputs:?}"
    );
}

#[test]
fn invalid_configurations_are_rejected() {
    let lan = Config::lan();
    let make = |members: &[NodeId], config| Member::new(IDS[0].into(), members, config).err();
    assert_eq!(make(&IDS, lan), None);
    assert_eq!(make(&IDS[1..], lan), Some(ConfigError::NotAMember));
    for twice in [[0, 1, 1], [1, 0, 1], [0, 0, 1]] {
        let expected = ConfigError::DuplicateMember(IDS[if twice == [0, 0, 1] { 0 } else { 1 }]);
        assert_eq!(make(&twice.map(|at| IDS[at]), lan), Some(expected));
    }
    let four = [1, 2, 3, 4].map(NodeId::new);
    assert_eq!(make(&four, lan), Some(ConfigError::TooManyMembers));
    for config in [
        Config { interval_us: 0, ..lan },
        Config { gap_us: 0, ..lan },
        Config { member_timeout_us: 0, ..lan },
    ] {
        assert_eq!(make(&IDS, config), Some(ConfigError::Interval));
    }
    let tiny = Causal::<Inline<3>, Inline<3>, Inline<8>>::new(IDS[0].into(), &IDS, lan);
    assert_eq!(tiny.err(), Some(ConfigError::StoreTooSmall));
    assert!(Causal::<Inline<3>, Inline<4>, Inline<8>>::new(IDS[0].into(), &IDS, lan).is_ok());
    let life = |n| Member::new(Actor::new(IDS[0], n), &IDS[1..], lan).err();
    assert_eq!(life(1), Some(ConfigError::NotAMember));
    let life = |n| Member::new(Actor::new(IDS[0], n), &IDS[..2], lan).err();
    assert_eq!((life(1023), life(1024)), (None, Some(ConfigError::Incarnation)));
    assert_eq!(life(u32::MAX), Some(ConfigError::Incarnation));
    // what a former incarnation broadcast keeps its place
    let life = |n| Member::new(Actor::new(IDS[0], n), &IDS, lan).err();
    let few = Some(ConfigError::TooFewActors { needed: 4, limit: 3 });
    assert_eq!((life(0), life(1), life(1023)), (None, few, few));
}

#[test]
fn size_is_within_the_documented_bound() {
    const fn bound(a: usize, m: usize, p: usize) -> usize {
        m * (p + 24 * a + 72) + a * (24 * a + 56) + 3 * 24 * a + 360
    }
    assert!(size_of::<Member>() <= bound(3, 6, 8), "{}", size_of::<Member>());
    type Big = Causal<Inline<16>, Inline<64>, Inline<128>>;
    assert!(size_of::<Big>() <= bound(16, 64, 128), "{} {}", size_of::<Big>(), bound(16, 64, 128));
}

#[test]
fn converged_group_has_no_deadline() {
    let mut member = synced();
    assert_eq!(Actor::from(IDS[0]), member.broadcast(b"a").unwrap().actor());
    assert!(member.deadline().is_some());
}

#[test]
fn causes_exclude_own_events() {
    let mut member = started();
    member.broadcast(b"a").unwrap();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "1:1"]);
    member.broadcast(b"b").unwrap();
    let outputs = drain(&mut member);
    assert_eq!(count(&outputs, "counter: 2, causes: {2:1}"), 1, "{outputs:?}");
    receive(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    receive(&mut member, 2, data(dot(3, 1), &Vector::new())).unwrap();
    drain(&mut member);
    member.broadcast(b"c").unwrap();
    assert_eq!(count(&drain(&mut member), "counter: 3, causes: {2:2, 3:1}"), 1);
}

#[test]
fn former_incarnations_are_learned_from_any_peer() {
    let mut member = started();
    let former = |node, life| Dot::first(Actor::new(NodeId::new(node), life));
    receive(&mut member, 1, data(former(1, 1), &Vector::new())).unwrap();
    receive(&mut member, 2, data(former(2, 7), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["1+1:1", "2+7:1"]);
}

#[test]
fn full_actor_list_rejects_new_actors_only() {
    let mut member = started();
    let life = |node, life, n| Dot::new(Actor::new(NodeId::new(node), life), n).unwrap();
    // held at a time when there is room for one more only
    for dot in [dot(2, 1), dot(3, 1), life(2, 1, 1), life(3, 1, 1)] {
        receive(&mut member, 1, data(dot, &Vector::new())).unwrap();
    }
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "3:1", "2+1:1"]);
    assert_eq!(member.delivered().len(), 3);
    let before = format!("{member:?}");
    let refused = receive(&mut member, 1, data(life(2, 2, 1), &Vector::new()));
    assert_eq!(refused, Err(Rejected::Full));
    assert_eq!(without_counter(&format!("{member:?}")), without_counter(&before));
    // nor could an own broadcast be delivered
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Full));
    receive(&mut member, 2, data(dot(3, 2), &Vector::new())).unwrap();
    receive(&mut member, 1, data(life(2, 1, 2), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["3:2", "2+1:2"]);
}

#[test]
fn message_without_actor_slot_is_evicted() {
    let mut member = synced();
    let life = |life| Dot::first(Actor::new(IDS[2], life));
    for dot in [dot(2, 1), dot(3, 1)] {
        receive(&mut member, 1, data(dot, &Vector::new())).unwrap();
    }
    drain(&mut member);
    // all of them come next, and there is room for one of them among the actors
    for n in 1..5 {
        receive(&mut member, 2, data(life(n), &Vector::new())).unwrap();
    }
    assert_eq!(delivered(&drain(&mut member)), ["3+1:1"]);
    assert_eq!(member.stored(), 6);
    for n in 2..20 {
        receive(&mut member, 1, data(dot(2, n), &Vector::new())).unwrap();
        assert_eq!(delivered(&drain(&mut member)), [format!("2:{n}")]);
    }
    // those that were delivered are still there to help
    receive_at(&mut member, 1_000, 2, status_request(1, true, Versions::EMPTY));
    assert_eq!(sent_to(&drain(&mut member), 3).len(), 6);
}

fn without_counter(shown: &str) -> String {
    let (before, rest) = shown.split_once("rejections: ").unwrap();
    format!("{before}{}", rest.split_once('}').unwrap().1)
}

#[test]
fn duplicate_is_acknowledged_again() {
    let mut member = synced();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    let outputs = drain(&mut member);
    assert_eq!(delivered(&outputs), ["2:1"]);
    assert_eq!(count(&outputs, "Status"), 0, "by the clock: {outputs:?}");
    receive(&mut member, 2, data(dot(2, 1), &Vector::new())).unwrap();
    let outputs = drain(&mut member);
    assert_eq!(
        outputs,
        ["Send(NodeId(3), Status { boot: 1, request: false, relay: false, delivered: {2:1} })"]
    );
}

#[test]
fn duplicate_of_waiting_message_is_stored_once() {
    let mut member = started();
    for from in [1, 2, 1] {
        receive(&mut member, from, data(dot(2, 2), &Vector::new())).unwrap();
    }
    assert_eq!(member.stored(), 1);
}

#[test]
fn message_from_origin_replaces_relayed_copy() {
    let mut member = synced();
    let never = vector(&[dot(3, 999)]);
    receive(&mut member, 2, data(dot(2, 1), &never)).unwrap();
    receive(&mut member, 2, data(dot(2, 1), &Vector::new())).unwrap(); // nor another's other copy
    assert!(delivered(&drain(&mut member)).is_empty());
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1"]);
    assert_eq!(member.stored(), 1);
    // what was delivered stays what it was: others are given the same
    let other = Message::Data { dot: dot(2, 1), causes: Versions::EMPTY, payload: b"other" };
    receive(&mut member, 1, other).unwrap();
    receive_at(&mut member, 1_000, 2, status_request(1, true, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!(sent_to(&outputs, 3), ["2:1"]);
    assert_eq!(count(&outputs, "payload: [120]"), 1, "{outputs:?}");
}

#[test]
fn full_store_evicts_the_last_waiting_message() {
    let mut member = started();
    for n in [3, 5, 7] {
        receive(&mut member, 1, data(dot(2, n), &Vector::new())).unwrap();
        receive(&mut member, 2, data(dot(3, n), &Vector::new())).unwrap();
    }
    // the last of those that wait, 3:7, makes room for 3:1, and then 2:7 for 2:1
    receive(&mut member, 2, data(dot(3, 1), &Vector::new())).unwrap();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["3:1", "2:1"]);
    // 3:5 does for 2:2, and not what was delivered: that could be given to others
    assert_eq!(receive(&mut member, 2, data(dot(3, 7), &Vector::new())), Err(Rejected::Full));
    receive(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:2", "2:3"]);
    assert_eq!(member.gap().unwrap().to_string(), "3:2..=2");
    receive(&mut member, 2, data(dot(3, 2), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["3:2", "3:3"]);
    assert_eq!(member.gap(), None, "3:5 is forgotten, and so is 2:5");
}

#[test]
fn status_request_returns_missing_messages() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    let outputs = drain(&mut member);
    assert_eq!((sent_to(&outputs, 2), sent_to(&outputs, 3)), (vec!["1:1"], vec!["1:1"]));
    assert!(drain(&mut member).is_empty(), "once");
    // again when it asks; its own news are not for it, but with help those of others are
    receive_at(&mut member, 1_000, 2, status_request(1, false, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!((sent_to(&outputs, 2), sent_to(&outputs, 3)), (vec![], vec!["1:1"]));
    assert_eq!(count(&outputs, "Behind"), 0);
    receive_at(&mut member, 1_025, 2, status_request(1, true, Versions::EMPTY));
    assert_eq!(sent_to(&drain(&mut member), 3), ["1:1", "2:1"]);
    let has = vector(&[dot(2, 1)]);
    receive_at(&mut member, 1_050, 2, status_request(1, true, has.versions()));
    assert_eq!(sent_to(&drain(&mut member), 3), ["1:1"]);
    // what it has it is not given, however it asks; nor is who does not ask
    let all = vector(&[dot(1, 1), dot(2, 1)]);
    receive_at(&mut member, 1_075, 2, status_request(1, true, all.versions()));
    receive(&mut member, 1, status_reply(1, Versions::EMPTY)).unwrap();
    let outputs = drain(&mut member);
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert!(
        outputs[0].starts_with("Send(NodeId(3), Status { boot: 1, request: false, relay: true")
    );
}

/// A peer that restarts all the time asks for everything each time.
#[test]
fn request_within_half_an_interval_gets_status_only() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let mut ask = |ms| {
        receive_at(&mut member, ms, 2, status_request(1, false, Versions::EMPTY));
        let outputs = drain(&mut member);
        assert_eq!(count(&outputs, "Send(NodeId(3), Status { boot: 1, request: false"), 1);
        sent_to(&outputs, 3).len()
    };
    assert_eq!([1_000, 1_000, 1_024, 1_025, 1_049, 1_050].map(&mut ask), [1, 0, 0, 1, 0, 1]);
}

#[test]
fn request_of_earlier_boot_gets_status_only() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    restart_peer(&mut member, 1, 3, &Vector::new());
    let late = vector(&[dot(1, 1)]);
    receive_at(&mut member, 1_000, 1, status_request(2, true, late.versions()));
    let outputs = drain(&mut member);
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert!(outputs[0].contains("Status { boot: 1, request: false, relay: true"));
    // nothing of it counts: 2 does not have the broadcast
    receive(&mut member, 2, status_reply(1, late.versions())).unwrap();
    assert_eq!(member.stable().get(IDS[0].into()), 0);
    receive_at(&mut member, 1_025, 1, status_request(3, false, Versions::EMPTY));
    assert_eq!(sent_to(&drain(&mut member), 2), ["1:1"]);
}

#[test]
fn later_boot_resets_acknowledgements() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    restart_peer(&mut member, 1, 2, &all);
    receive(&mut member, 2, status_reply(1, all.versions())).unwrap();
    assert_eq!(member.stable().get(IDS[0].into()), 1);
    // more than it has room for: refused, and it is what it was
    let mut many = quorate_clocks::VersionVector::<Inline<4>>::new();
    (1..5).for_each(|life| _ = many.increment(Actor::new(IDS[1], life)).unwrap());
    assert_eq!(receive(&mut member, 1, status_reply(2, many.versions())), Err(Rejected::Full));
    receive(&mut member, 1, status_request(3, false, Versions::EMPTY)).unwrap();
    member.tick(member.deadline().unwrap());
    drain(&mut member);
    assert_eq!(receive(&mut member, 1, status_reply(3, many.versions())), Err(Rejected::Full));
    assert_eq!(member.stable().get(IDS[0].into()), 1);
    receive(&mut member, 1, status_reply(3, Versions::EMPTY)).unwrap();
    assert_eq!(member.stable().get(IDS[0].into()), 0);
}

#[test]
fn removal_moves_send_cursor() {
    let mut member = synced();
    for payload in [b"a", b"b"] {
        member.broadcast(payload).unwrap();
    }
    let outputs = drain(&mut member);
    assert_eq!(
        (sent_to(&outputs, 2), sent_to(&outputs, 3)),
        (vec!["1:1", "1:2"], vec!["1:1", "1:2"])
    );
    // the first is stable and dropped; the third goes to both, once, and nothing else does
    let first = vector(&[dot(1, 1)]);
    receive(&mut member, 1, status_reply(1, first.versions())).unwrap();
    receive(&mut member, 2, status_reply(1, first.versions())).unwrap();
    drain(&mut member);
    assert_eq!(member.stored(), 1);
    member.broadcast(b"c").unwrap();
    let outputs = drain(&mut member);
    assert_eq!((sent_to(&outputs, 2), sent_to(&outputs, 3)), (vec!["1:3"], vec!["1:3"]));
    // a message behind where a peer is, dropped while that one has not come so far, shifts nothing
    let mut late = synced();
    for payload in [b"a", b"b", b"c"] {
        late.broadcast(payload).unwrap();
    }
    drain(&mut late);
    let all = vector(&[dot(1, 3)]);
    receive(&mut late, 1, status_reply(1, all.versions())).unwrap();
    receive_at(&mut late, 1_000, 2, status_request(1, false, first.versions()));
    let outputs = drain(&mut late);
    assert_eq!(sent_to(&outputs, 3), ["1:2", "1:3"], "{outputs:?}");
}

#[test]
fn removal_at_send_cursor_repeats_nothing() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut member);
    receive_at(&mut member, 1_000, 2, status_request(1, true, Versions::EMPTY));
    let two: Vec<String> = (0..2).map(|_| format!("{:?}", member.poll().unwrap())).collect();
    assert_eq!((count(&two, "Status"), sent_to(&two, 3)), (1, vec!["1:1"]));
    // in that moment the next one becomes stable
    let has = vector(&[dot(2, 1)]);
    receive(&mut member, 1, status_reply(1, has.versions())).unwrap();
    receive(&mut member, 2, status_reply(1, has.versions())).unwrap();
    let outputs = drain(&mut member);
    assert_eq!((member.stored(), sent_to(&outputs, 3)), (1, vec![]));
}

#[test]
fn behind_event_repeats_until_resumed() {
    let mut member = synced();
    let floor = vector(&[dot(2, 3)]);
    let behind = || Message::Behind { floor: floor.versions() };
    for _ in 0..2 {
        receive(&mut member, 1, behind()).unwrap();
        assert_eq!(drain(&mut member), ["Event(Behind { peer: NodeId(2) })"]);
    }
    receive(&mut member, 2, behind()).unwrap();
    receive(&mut member, 2, Message::Behind { floor: Versions::EMPTY }).unwrap(); // not what the first said
    member.resume(&floor).unwrap();
    assert_eq!(count(&drain(&mut member), "Behind"), 0, "it has that state now");
    receive(&mut member, 1, behind()).unwrap();
    assert_eq!(count(&drain(&mut member), "Behind"), 0, "nor is anything lacking");
}

#[test]
fn merged_state_is_not_relayed() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    // both the own one and that of another are covered; the own one is kept all the same
    member.resume(&vector(&[dot(1, 1), dot(2, 1)])).unwrap();
    receive_at(&mut member, 1_000, 2, status_request(1, false, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!((sent_to(&outputs, 3), count(&outputs, "Behind")), (vec!["1:1"], 0));
    receive_at(&mut member, 1_025, 2, status_request(1, true, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!(count(&outputs, "Send(NodeId(3), Behind { floor: {2:1} })"), 1, "{outputs:?}");
    let has = vector(&[dot(2, 1)]);
    receive_at(&mut member, 1_050, 2, status_request(1, true, has.versions()));
    assert_eq!(count(&drain(&mut member), "Behind"), 0);
}

#[test]
fn resume_with_unrecorded_own_broadcasts_fails() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let before = format!("{member:?}");
    let state = vector(&[dot(1, 2), dot(2, 1)]);
    assert_eq!(member.resume(&state), Err(ResumeError::LostState(dot(1, 2))));
    assert_eq!(format!("{member:?}"), before);
    member.resume(&vector(&[dot(1, 1), dot(2, 1)])).unwrap();
}

#[test]
fn resume_with_too_many_actors_fails() {
    let mut member = started();
    let mut many = quorate_clocks::VersionVector::<Inline<4>>::new();
    (2..6).for_each(|node| _ = many.increment(NodeId::new(node).into()).unwrap());
    let before = format!("{member:?}");
    assert_eq!(member.resume(&many), Err(ResumeError::Full));
    assert_eq!(format!("{member:?}"), before);
    // nor is there room for what was broadcast and is not in the state
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let three = vector(&[2, 3, 4].map(|node| dot(node, 1)));
    assert_eq!(member.resume(&three), Err(ResumeError::Full));
    assert_eq!(delivered(&drain(&mut member)), Vec::<&str>::new());
    member.resume(&vector(&[dot(2, 1), dot(3, 1)])).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["1:1"]);
    // one that never broadcasts needs no place of its own
    let mut listener = started();
    listener.resume(&three).unwrap();
    assert_eq!(listener.broadcast(b"a"), Err(BroadcastError::Full));
}

#[test]
fn exhausted_counters_do_not_wrap() {
    let mut member = new_member();
    member.restore(Record::Stable { counter: u64::MAX }).unwrap();
    member.tick(Instant::ZERO);
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Exhausted));
}

#[test]
fn single_member_is_stable_once_durable() {
    type Loner = Causal<Inline<1>, Inline<4>, Inline<8>>;
    let mut member = Loner::new(IDS[0].into(), &IDS[..1], Config::lan()).unwrap();
    member.tick(Instant::ZERO);
    member.broadcast(b"a").unwrap();
    let outputs = drain(&mut member);
    assert_eq!(delivered(&outputs), ["1:1"]);
    assert_eq!(count(&outputs, "Event(Stable)"), 1, "{outputs:?}");
    assert_eq!((member.stored(), member.deadline()), (0, None));
}

#[test]
fn messages_are_dropped_only_with_a_majority() {
    type Five = Causal<Inline<5>, Inline<6>, Inline<8>>;
    let ids = [1, 2, 3, 4, 5].map(NodeId::new);
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = Five::new(ids[0].into(), &ids, config).unwrap();
    member.tick(Instant::ZERO);
    for id in &ids[1..3] {
        member.receive(Instant::ZERO, *id, status_request(1, false, Versions::EMPTY)).unwrap();
    }
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    member.tick(Instant::ZERO);
    let all = vector(&[dot(1, 1)]);
    let late = Instant::from_millis(2_000);
    // all are silent: two of five are not enough, three are
    member.receive(late, ids[1], status_reply(1, all.versions())).unwrap();
    drain(&mut member);
    assert_eq!(member.stored(), 1);
    member.receive(late, ids[2], status_reply(1, all.versions())).unwrap();
    drain(&mut member);
    assert_eq!(member.stored(), 0);
}

proptest! {
    #[test]
    fn decoding_and_encoding_round_trips(bytes in prop::collection::vec(0u8..5, 0..16)) {
        let mut buffer = [0; 64];
        if let Ok(message) = Message::from_slice(&bytes) {
            prop_assert_eq!(message.to_slice(&mut buffer).unwrap(), &bytes[..]);
            // whatever it says, it is taken or refused
            let mut member = started();
            let _ = receive(&mut member, 1, message);
            drain(&mut member);
        }
        if let Ok(record) = Record::from_slice(&bytes) {
            prop_assert_eq!(record.to_slice(&mut buffer).unwrap(), &bytes[..]);
        }
    }
}

#[test]
fn golden_bytes() {
    let causes = vector(&[dot(2, 300)]);
    let message = data(dot(1, 2), &causes);
    let mut buffer = [0; 64];
    assert_eq!(message.to_slice(&mut buffer).unwrap(), [0, 1, 0, 2, 1, 2, 0, 0xac, 2, 1, b'x']);
    let status =
        Message::Status { boot: 3, request: true, relay: false, delivered: causes.versions() };
    assert_eq!(status.to_slice(&mut buffer).unwrap(), [1, 3, 1, 0, 1, 2, 0, 0xac, 2]);
    let behind = Message::Behind { floor: Versions::EMPTY };
    assert_eq!(behind.to_slice(&mut buffer).unwrap(), [2, 0]);
    let sent = Record::Sent { counter: 7, causes: Versions::EMPTY, payload: b"x" };
    assert_eq!(sent.to_slice(&mut buffer).unwrap(), [1, 7, 0, 1, b'x']);
    assert_eq!(Record::Boot { boot: 300 }.to_slice(&mut buffer).unwrap(), [0, 0xac, 2]);
    assert_eq!(Record::Stable { counter: 300 }.to_slice(&mut buffer).unwrap(), [2, 0xac, 2]);
    for message in [message, status, behind] {
        let bytes = message.to_slice(&mut buffer).unwrap();
        assert_eq!(Message::from_slice(bytes), Ok(message));
    }
    for record in [sent, Record::Boot { boot: 300 }, Record::Stable { counter: 300 }] {
        let bytes = record.to_slice(&mut buffer).unwrap();
        assert_eq!(Record::from_slice(bytes), Ok(record));
    }
    // numbers that none has: of a kind, and of a start beyond 32 bits
    let beyond = [1, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 0];
    assert!(Message::from_slice(&[3, 0]).is_err() && Message::from_slice(&beyond).is_err());
    let beyond = [0, 0x80, 0x80, 0x80, 0x80, 0x10];
    assert!(Record::from_slice(&[3, 0]).is_err() && Record::from_slice(&beyond).is_err());
    let _: Event<'_> = Event::Stable;
}
