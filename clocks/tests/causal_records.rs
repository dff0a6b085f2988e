//! What a member keeps on disk, and what it does not take from there.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{
    IDS, Member, Vector, count, data, delivered, dot, drain, exchange_statuses, new_member,
    receive, receive_at, sent_to, status_reply, status_request, synced, vector,
};
use quorate_clocks::causal::{Config, Record, ResumeError};
use quorate_clocks::{Actor, Causal, Inline, Versions};
use quorate_core::{Corrupt, Instant, Machine, Output};

fn sent(counter: u64) -> Record<'static> {
    Record::Sent { counter, causes: Versions::EMPTY, payload: b"a" }
}

fn records(member: &Member) -> Vec<String> {
    member.checkpoint().map(|record| format!("{record:?}")).collect()
}

#[test]
fn records_restore_broadcasts() {
    let mut member = synced();
    for payload in [b"a", b"b"] {
        member.broadcast(payload).unwrap();
    }
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, all.versions())).unwrap();
    }
    drain(&mut member);
    let mut again = new_member();
    assert_eq!(
        records(&member),
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
fn impossible_records_are_rejected() {
    let mut member = new_member();
    let refuse = |member: &mut Member, record: Record<'_>, why| {
        let before = format!("{member:?}");
        assert_eq!(member.restore(record), Err(why), "{record:?}");
        assert_eq!(format!("{member:?}"), before, "{record:?}");
    };
    refuse(&mut member, sent(2), Corrupt::Gap);
    refuse(&mut member, sent(0), Corrupt::Regression);
    refuse(&mut member, Record::Boot { boot: 0 }, Corrupt::Regression);
    refuse(&mut member, Record::Stable { counter: 0 }, Corrupt::Malformed);
    member.restore(sent(1)).unwrap();
    refuse(&mut member, sent(1), Corrupt::Regression);
    refuse(&mut member, sent(3), Corrupt::Gap);
    member.restore(Record::Boot { boot: 3 }).unwrap();
    refuse(&mut member, Record::Boot { boot: 3 }, Corrupt::Regression);
    refuse(&mut member, Record::Boot { boot: 2 }, Corrupt::Regression);
    member.restore(Record::Boot { boot: 9 }).unwrap();
    // written with more room than there is
    let long = Record::Sent { counter: 2, causes: Versions::EMPTY, payload: b"123456789" };
    refuse(&mut member, long, Corrupt::Full);
    let mut many = quorate_clocks::VersionVector::<quorate_clocks::Inline<4>>::new();
    (1..5).for_each(|life| _ = many.increment(Actor::new(IDS[1], life)).unwrap());
    let crowded = Record::Sent { counter: 2, causes: many.versions(), payload: b"" };
    refuse(&mut member, crowded, Corrupt::Full);
    let own = vector(&[dot(1, 2)]);
    let circular = Record::Sent { counter: 2, causes: own.versions(), payload: b"" };
    refuse(&mut member, circular, Corrupt::Malformed);
    for counter in 2..=6 {
        member.restore(sent(counter)).unwrap();
    }
    refuse(&mut member, sent(7), Corrupt::Full);
    // what is stable makes room
    member.restore(Record::Stable { counter: 2 }).unwrap();
    assert_eq!(member.stored(), 4);
    refuse(&mut member, sent(2), Corrupt::Regression);
    member.restore(sent(7)).unwrap();
    // an older one takes nothing back, and a later one than was sent counts as sent
    member.restore(Record::Stable { counter: 1 }).unwrap();
    assert_eq!(member.stored(), 5);
    member.restore(Record::Stable { counter: 20 }).unwrap();
    assert_eq!(member.stored(), 0);
    refuse(&mut member, sent(8), Corrupt::Regression);
    refuse(&mut member, sent(22), Corrupt::Gap);
    member.restore(sent(21)).unwrap();
    member.tick(Instant::ZERO);
    for record in [sent(22), Record::Boot { boot: 99 }, Record::Stable { counter: 22 }] {
        refuse(&mut member, record, Corrupt::Started);
    }
    assert_eq!(records(&member)[..2], ["Boot { boot: 10 }", "Stable { counter: 20 }"]);
}

#[test]
fn checkpoint_contains_issued_records() {
    let mut member = new_member();
    assert!(records(&member).is_empty(), "it has no past");
    member.tick(Instant::ZERO);
    member.broadcast(b"a").unwrap();
    assert_eq!(records(&member), ["Boot { boot: 1 }"], "the broadcast is no record yet");
    while let Some(output) = member.poll() {
        assert!(matches!(output, Output::Persist(..)));
    }
    assert_eq!(records(&member).len(), 2, "on its way to the disk");
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(records(&member).len(), 2, "those of others are theirs to keep");
}

#[test]
fn boot_numbers_increase() {
    let first = |life: u32, before: Option<u32>| {
        type Member = Causal<Inline<4>, Inline<6>, Inline<8>>;
        let mut member = Member::new(Actor::new(IDS[0], life), &IDS, Config::lan()).unwrap();
        if let Some(boot) = before {
            member.restore(Record::Boot { boot }).unwrap();
        }
        member.tick(Instant::ZERO);
        let outputs = drain(&mut member);
        let boot = outputs[0].rsplit_once("boot: ").unwrap().1;
        let boot: u32 = boot.trim_end_matches([' ', '}', ')']).parse().unwrap();
        assert_eq!(
            count(&outputs, &format!("Status {{ boot: {boot}, request: true")),
            2,
            "{outputs:?}"
        );
        boot
    };
    assert_eq!(first(0, None), 1);
    assert_eq!(first(0, Some(7)), 8);
    // an incarnation begins beyond all starts of those before it, and goes on from its own
    assert_eq!(first(1, None), (1 << 22) + 1);
    assert_eq!(first(1, Some(3)), (1 << 22) + 1);
    assert_eq!(first(1, Some((1 << 22) + 5)), (1 << 22) + 6);
    assert_eq!(first(1023, None), (1023 << 22) + 1);
    assert_eq!(first(0, Some(u32::MAX)), u32::MAX);
}

#[test]
fn replayed_broadcast_is_sent_and_delivered_again() {
    let mut member = new_member();
    for counter in [1, 2] {
        member.restore(sent(counter)).unwrap();
    }
    member.resume(&vector(&[dot(1, 1)])).unwrap();
    member.tick(Instant::ZERO);
    let outputs = drain(&mut member);
    assert_eq!(delivered(&outputs), ["1:2"]);
    assert_eq!(sent_to(&outputs, 2), ["1:1", "1:2"]);
    assert_eq!(count(&outputs, "Status"), 2, "the first question tells the state: {outputs:?}");
    assert_eq!(count(&outputs, "Sent"), 0, "it is on the disk: {outputs:?}");
    assert_eq!(member.broadcast(b"b").unwrap(), dot(1, 3));
}

#[test]
fn dropped_own_events_are_not_taken_from_peers() {
    let mut member = new_member();
    member.restore(Record::Stable { counter: 2 }).unwrap();
    exchange_statuses(&mut member);
    assert_eq!(member.resume(&vector(&[dot(1, 1)])), Err(ResumeError::Older(dot(1, 2))));
    receive(&mut member, 1, data(dot(1, 1), &Vector::new())).unwrap();
    assert_eq!((member.stored(), member.rejections().total()), (0, 0));
    // who lacks them is told that they are gone, without asking for help
    receive_at(&mut member, 1_000, 2, status_request(1, false, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!(count(&outputs, "Send(NodeId(3), Behind { floor: {1:2} })"), 1, "{outputs:?}");
    let has = vector(&[dot(1, 2)]);
    receive_at(&mut member, 1_025, 2, status_request(1, false, has.versions()));
    assert_eq!(count(&drain(&mut member), "Behind"), 0);
}

#[test]
fn stable_is_recorded_once() {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut member);
    let theirs = vector(&[dot(2, 1)]);
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, theirs.versions())).unwrap();
    }
    // that of another: the application is told, and nothing is written
    let outputs = drain(&mut member);
    assert_eq!(
        (count(&outputs, "Event(Stable)"), count(&outputs, "Persist")),
        (1, 0),
        "{outputs:?}"
    );
    let both = vector(&[dot(1, 1), dot(2, 1)]);
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, both.versions())).unwrap();
    }
    let outputs = drain(&mut member);
    assert_eq!(count(&outputs, "Persist(Ticket(3), Stable { counter: 1 })"), 1, "{outputs:?}");
    assert_eq!(count(&outputs, "Event(Stable)"), 1);
    assert!(drain(&mut member).is_empty());
}
