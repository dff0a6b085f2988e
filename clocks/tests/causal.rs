//! One member of a group, hand to hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_clocks::{
    Actor, BroadcastError, Causal, CausalConfig, CausalError, Dot, Event, Inline, Message, Record,
    ResumeError, VersionVector, Versions,
};
use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Ticket, Wire};

type Member = Causal<Inline<3>, Inline<6>, Inline<8>>;
type Vector = VersionVector<Inline<3>>;

const IDS: [NodeId; 3] = [NodeId::new(1), NodeId::new(2), NodeId::new(3)];

fn dot(node: u64, counter: u64) -> Dot {
    Dot::new(NodeId::new(node).into(), counter).unwrap()
}

fn vector(dots: &[Dot]) -> Vector {
    let mut vector = Vector::new();
    dots.iter().for_each(|&dot| _ = vector.observe(dot).unwrap());
    vector
}

/// A member that has started, its start durable.
fn started() -> Member {
    let mut member = Member::new(IDS[0].into(), &IDS, CausalConfig::LAN).unwrap();
    member.tick(Instant::ZERO);
    drain(&mut member);
    member
}

/// Everything polled, as text; records are durable at once.
fn drain(member: &mut Member) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let mut durable = None;
        while let Some(output) = member.poll() {
            said.push(format!("{output:?}"));
            if let Output::Persist(ticket, _) = output {
                durable = Some(ticket);
            }
        }
        match durable {
            Some(ticket) => member.persisted(ticket),
            None => return said,
        }
    }
}

fn delivered(said: &[String]) -> Vec<&str> {
    let prefix = "Event(Deliver { dot: ";
    said.iter()
        .filter_map(|line| line.strip_prefix(prefix))
        .map(|rest| rest.split(',').next().unwrap())
        .collect()
}

fn data<'a>(dot: Dot, causes: &'a Vector) -> Message<'a> {
    Message::Data { dot, causes: causes.versions(), payload: b"x" }
}

fn give(member: &mut Member, from: usize, message: Message<'_>) -> Result<(), Rejected> {
    member.receive(Instant::ZERO, IDS[from], message)
}

#[test]
fn a_message_waits_for_its_causes() {
    let mut member = started();
    give(&mut member, 2, data(dot(3, 1), &vector(&[dot(2, 2)]))).unwrap();
    give(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    assert!(delivered(&drain(&mut member)).is_empty());
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=1");
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "2:2", "3:1"]);
    assert_eq!(member.gap(), None);
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert!(delivered(&drain(&mut member)).is_empty(), "delivered twice");
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut member = Member::new(IDS[0].into(), &IDS, CausalConfig::LAN).unwrap();
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
    member.persisted(Ticket::new(99)); // no more than was issued
    let said = drain(&mut member);
    assert_eq!(delivered(&said), ["1:1"]);
    assert_eq!(said.iter().filter(|line| line.contains("Data")).count(), 2, "{said:?}");
}

#[test]
fn causes_are_told_once() {
    let mut member = started();
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut member);
    member.broadcast(b"a").unwrap();
    member.broadcast(b"b").unwrap();
    let sent: Vec<String> =
        drain(&mut member).into_iter().filter(|line| line.contains("Persist")).collect();
    assert!(sent[0].contains("causes: {2:1}") && sent[1].contains("causes: {}"), "{sent:?}");
}

#[test]
fn stable_is_what_all_have() {
    let mut member = started();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    let status = |boot, delivered| Message::Status { boot, ask: false, help: false, delivered };
    give(&mut member, 1, status(1, all.versions())).unwrap();
    assert!(!drain(&mut member).iter().any(|line| line.contains("Stable")));
    give(&mut member, 2, status(1, all.versions())).unwrap();
    assert!(drain(&mut member).iter().any(|line| line.contains("Event(Stable)")));
    assert_eq!((member.held(), member.stable().get(IDS[0].into())), (0, 1));
    // one of them restarted and has nothing: what it said before does not count, nor does it come late
    give(&mut member, 2, status(2, Versions::EMPTY)).unwrap();
    give(&mut member, 2, status(1, all.versions())).unwrap();
    assert!(member.stable().is_empty());
}

#[test]
fn what_is_silent_is_not_waited_for_once_a_majority_has_it() {
    let config = CausalConfig { patience_us: 1_000_000, ..CausalConfig::LAN };
    let mut member = Member::new(IDS[0].into(), &IDS, config).unwrap();
    member.tick(Instant::ZERO);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    member.tick(Instant::from_millis(2_000));
    drain(&mut member);
    assert_eq!(member.held(), 1, "dropped while nobody else had it");
    let all = vector(&[dot(1, 1)]);
    let status = Message::Status { boot: 1, ask: false, help: false, delivered: all.versions() };
    member.receive(Instant::from_millis(2_000), IDS[1], status).unwrap();
    drain(&mut member);
    assert_eq!(member.held(), 0);
    // who comes back is told that what it lacks is gone
    let back = Message::Status { boot: 1, ask: true, help: false, delivered: Versions::EMPTY };
    member.receive(Instant::from_millis(3_000), IDS[2], back).unwrap();
    let said = drain(&mut member);
    assert!(
        said.iter().any(|line| line.contains("Send(NodeId(3), Behind { floor: {1:1} })")),
        "{said:?}"
    );
}

#[test]
fn a_full_store_makes_room_for_what_can_be_delivered() {
    let mut member = started();
    for n in 2..=7 {
        give(&mut member, 1, data(dot(2, n), &Vector::new())).unwrap();
    }
    let before = member.clone();
    assert_eq!(give(&mut member, 2, data(dot(3, 2), &Vector::new())), Err(Rejected::Full));
    assert_eq!((member.held(), member.rejections().full), (before.held(), 1));
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Busy));
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "2:2", "2:3", "2:4", "2:5", "2:6"]);
    // delivered, and kept to help: the next one displaces one of them
    give(&mut member, 1, data(dot(2, 7), &Vector::new())).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:7"]);
    // and who asks for what was displaced is told
    let ask = Message::Status { boot: 1, ask: true, help: true, delivered: Versions::EMPTY };
    give(&mut member, 2, ask).unwrap();
    assert!(drain(&mut member).iter().any(|line| line.contains("Behind { floor: {2:2} }")));
}

#[test]
fn own_broadcasts_are_never_displaced() {
    let mut member = started();
    for _ in 0..3 {
        member.broadcast(b"a").unwrap();
    }
    drain(&mut member);
    let first = |node, life| Dot::first(Actor::new(NodeId::new(node), life));
    for dot in [first(2, 0), first(3, 0), first(2, 1)] {
        give(&mut member, 1, data(dot, &Vector::new())).unwrap(); // about to be delivered
    }
    assert_eq!(give(&mut member, 1, data(first(3, 1), &Vector::new())), Err(Rejected::Full));
    let own = member.checkpoint().filter(|record| matches!(record, Record::Sent { .. })).count();
    assert_eq!((own, member.held()), (3, 6));
}

#[test]
fn own_broadcasts_take_half_of_the_store() {
    let mut member = started();
    for _ in 0..3 {
        member.broadcast(b"a").unwrap();
    }
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Busy));
    assert_eq!(member.broadcast(b"123456789"), Err(BroadcastError::Busy));
    assert_eq!(started().broadcast(b"123456789"), Err(BroadcastError::TooLarge));
}

#[test]
fn what_no_honest_member_says_changes_nothing() {
    let mut member = started();
    let before = member.clone();
    let stranger = member.receive(Instant::ZERO, NodeId::new(9), data(dot(2, 1), &Vector::new()));
    assert_eq!(stranger, Err(Rejected::UnknownSender));
    assert_eq!(give(&mut member, 1, data(dot(9, 1), &Vector::new())), Err(Rejected::UnknownSender));
    assert_eq!(
        give(&mut member, 1, data(dot(2, 2), &vector(&[dot(2, 1)]))),
        Err(Rejected::Malformed)
    );
    let long = Message::Data { dot: dot(2, 1), causes: Versions::EMPTY, payload: b"123456789" };
    assert_eq!(give(&mut member, 1, long), Err(Rejected::Full));
    assert_eq!(member.rejections().total(), 4);
    assert_eq!((member.held(), member.delivered()), (before.held(), before.delivered()));
    // an own event that was never made: this node forgot, or another acts as it
    assert_eq!(give(&mut member, 1, data(dot(1, 5), &Vector::new())), Err(Rejected::Impossible));
    assert_eq!(member.broadcast(b"a"), Err(BroadcastError::Doubted));
}

#[test]
fn records_restore_what_was_broadcast() {
    let mut member = started();
    for payload in [b"a", b"b"] {
        member.broadcast(payload).unwrap();
    }
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        let status =
            Message::Status { boot: 1, ask: false, help: false, delivered: all.versions() };
        give(&mut member, peer, status).unwrap();
    }
    drain(&mut member);
    let mut again = Member::new(IDS[0].into(), &IDS, CausalConfig::LAN).unwrap();
    let records: Vec<String> = member.checkpoint().map(|record| format!("{record:?}")).collect();
    assert_eq!(
        records,
        [
            "Boot { boot: 1 }",
            "Stable { counter: 1 }",
            "Sent { counter: 2, causes: {}, payload: [98] }"
        ]
    );
    member.checkpoint().for_each(|record| again.restore(record).unwrap());
    // the first is stable and dropped: the application's state must cover it
    assert_eq!(again.resume(&Vector::new()), Err(ResumeError::Older(dot(1, 1))));
    again.resume(&all).unwrap();
    again.tick(Instant::ZERO);
    assert_eq!(delivered(&drain(&mut again)), ["1:2"]);
    assert_eq!(again.broadcast(b"c").unwrap(), dot(1, 3));
    assert_eq!(again.restore(Record::Boot { boot: 9 }), Err(Corrupt::Started));
}

#[test]
fn what_the_state_lost_and_the_store_has_is_delivered_again() {
    let mut member = started();
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    member.broadcast(b"a").unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "1:1"]);
    member.resume(&Vector::new()).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["2:1", "1:1"]);
    member.resume(&vector(&[dot(2, 1)])).unwrap();
    assert_eq!(delivered(&drain(&mut member)), ["1:1"]);
}

#[test]
fn what_makes_room_is_written_first() {
    let mut member = started();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        let status =
            Message::Status { boot: 1, ask: false, help: false, delivered: all.versions() };
        give(&mut member, peer, status).unwrap();
    }
    member.broadcast(b"b").unwrap();
    let said = drain(&mut member);
    let written: Vec<&String> = said.iter().filter(|line| line.contains("Persist")).collect();
    assert!(
        written[0].contains("Stable { counter: 1 }") && written[1].contains("Sent { counter: 2"),
        "{said:?}"
    );
}

#[test]
fn records_that_cannot_be_are_refused() {
    let mut member = Member::new(IDS[0].into(), &IDS, CausalConfig::LAN).unwrap();
    let sent = |counter| Record::Sent { counter, causes: Versions::EMPTY, payload: b"" };
    assert_eq!(member.restore(sent(2)), Err(Corrupt::Gap));
    member.restore(sent(1)).unwrap();
    assert_eq!(member.restore(sent(1)), Err(Corrupt::Regression));
    assert_eq!(member.restore(Record::Boot { boot: 0 }), Err(Corrupt::Regression));
    assert_eq!(member.restore(Record::Stable { counter: 0 }), Err(Corrupt::Malformed));
}

#[test]
fn configurations_are_checked() {
    let make = |members: &[NodeId], config| Member::new(IDS[0].into(), members, config).err();
    assert_eq!(make(&IDS[1..], CausalConfig::LAN), Some(CausalError::NotAMember));
    assert_eq!(
        make(&[IDS[0], IDS[1], IDS[1]], CausalConfig::LAN),
        Some(CausalError::DuplicateMember(IDS[1]))
    );
    let four = [1, 2, 3, 4].map(NodeId::new);
    assert_eq!(make(&four, CausalConfig::LAN), Some(CausalError::TooManyMembers));
    assert_eq!(
        make(&IDS, CausalConfig { interval_us: 0, ..CausalConfig::LAN }),
        Some(CausalError::Interval)
    );
    let tiny =
        Causal::<Inline<3>, Inline<3>, Inline<8>>::new(IDS[0].into(), &IDS, CausalConfig::LAN);
    assert_eq!(tiny.err(), Some(CausalError::StoreTooSmall));
}

#[test]
fn it_takes_no_more_than_the_docs_say() {
    const fn bound(a: usize, m: usize, p: usize) -> usize {
        m * (p + 24 * a + 72) + a * (24 * a + 56) + 3 * 24 * a + 360
    }
    assert!(size_of::<Member>() <= bound(3, 6, 8), "{}", size_of::<Member>());
    type Big = Causal<Inline<16>, Inline<64>, Inline<128>>;
    assert!(size_of::<Big>() <= bound(16, 64, 128), "{} {}", size_of::<Big>(), bound(16, 64, 128));
}

#[test]
fn a_settled_group_is_quiet() {
    let mut member = started();
    for peer in [1, 2] {
        let status =
            Message::Status { boot: 1, ask: false, help: false, delivered: Versions::EMPTY };
        give(&mut member, peer, status).unwrap();
    }
    drain(&mut member);
    assert_eq!(member.deadline(), None);
    assert_eq!(Actor::from(IDS[0]), member.broadcast(b"a").unwrap().actor());
    assert!(member.deadline().is_some());
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(0u8..5, 0..16)) {
        let mut buffer = [0; 64];
        if let Ok(message) = Message::from_slice(&bytes) {
            prop_assert_eq!(message.to_slice(&mut buffer).unwrap(), &bytes[..]);
            // whatever it says, it is taken or refused
            let mut member = started();
            let _ = give(&mut member, 1, message);
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
    let status = Message::Status { boot: 3, ask: true, help: false, delivered: causes.versions() };
    assert_eq!(status.to_slice(&mut buffer).unwrap(), [1, 3, 1, 0, 1, 2, 0, 0xac, 2]);
    let behind = Message::Behind { floor: Versions::EMPTY };
    assert_eq!(behind.to_slice(&mut buffer).unwrap(), [2, 0]);
    let sent = Record::Sent { counter: 7, causes: Versions::EMPTY, payload: b"x" };
    assert_eq!(sent.to_slice(&mut buffer).unwrap(), [1, 7, 0, 1, b'x']);
    let _: Event<'_> = Event::Stable;
}
