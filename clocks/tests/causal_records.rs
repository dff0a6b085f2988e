//! What a member keeps on disk, and what it does not take from there.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    IDS, Member, Vector, answer, count, data, delivered, dot, drain, fresh, give, meet, question,
    sent_to, settled, vector,
};
use quorate_clocks::{Actor, Causal, CausalConfig, Inline, Record, ResumeError, Versions};
use quorate_core::{Corrupt, Instant, Machine, Output};

fn sent(counter: u64) -> Record<'static> {
    Record::Sent { counter, causes: Versions::EMPTY, payload: b"a" }
}

fn records(member: &Member) -> Vec<String> {
    member.checkpoint().map(|record| format!("{record:?}")).collect()
}

#[test]
fn records_restore_what_was_broadcast() {
    let mut member = settled();
    for payload in [b"a", b"b"] {
        member.broadcast(payload).unwrap();
    }
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        give(&mut member, peer, answer(1, all.versions())).unwrap();
    }
    drain(&mut member);
    let mut again = fresh();
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
fn records_that_cannot_be_are_refused_and_change_nothing() {
    let mut member = fresh();
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
    assert_eq!(member.held(), 4);
    refuse(&mut member, sent(2), Corrupt::Regression);
    member.restore(sent(7)).unwrap();
    // an older one takes nothing back, and a later one than was sent counts as sent
    member.restore(Record::Stable { counter: 1 }).unwrap();
    assert_eq!(member.held(), 5);
    member.restore(Record::Stable { counter: 20 }).unwrap();
    assert_eq!(member.held(), 0);
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
fn a_checkpoint_has_what_was_issued() {
    let mut member = fresh();
    assert!(records(&member).is_empty(), "it has no past");
    member.tick(Instant::ZERO);
    member.broadcast(b"a").unwrap();
    assert_eq!(records(&member), ["Boot { boot: 1 }"], "the broadcast is no record yet");
    while let Some(output) = member.poll() {
        assert!(matches!(output, Output::Persist(..)));
    }
    assert_eq!(records(&member).len(), 2, "on its way to the disk");
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    assert_eq!(records(&member).len(), 2, "those of others are theirs to keep");
}

#[test]
fn starts_are_numbered_on() {
    let first = |life: u32, before: Option<u32>| {
        type Member = Causal<Inline<4>, Inline<6>, Inline<8>>;
        let mut member = Member::new(Actor::new(IDS[0], life), &IDS, CausalConfig::LAN).unwrap();
        if let Some(boot) = before {
            member.restore(Record::Boot { boot }).unwrap();
        }
        member.tick(Instant::ZERO);
        let said = drain(&mut member);
        let boot = said[0].rsplit_once("boot: ").unwrap().1;
        let boot: u32 = boot.trim_end_matches([' ', '}', ')']).parse().unwrap();
        assert_eq!(count(&said, &format!("Status {{ boot: {boot}, ask: true")), 2, "{said:?}");
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
fn a_broadcast_that_was_replayed_is_sent_and_delivered_again() {
    let mut member = fresh();
    for counter in [1, 2] {
        member.restore(sent(counter)).unwrap();
    }
    member.resume(&vector(&[dot(1, 1)])).unwrap();
    member.tick(Instant::ZERO);
    let said = drain(&mut member);
    assert_eq!(delivered(&said), ["1:2"]);
    assert_eq!(sent_to(&said, 2), ["1:1", "1:2"]);
    assert_eq!(count(&said, "Status"), 2, "the first question tells the state: {said:?}");
    assert_eq!(count(&said, "Sent"), 0, "it is on the disk: {said:?}");
    assert_eq!(member.broadcast(b"b").unwrap(), dot(1, 3));
}

#[test]
fn own_events_that_were_dropped_come_with_a_state_and_not_from_others() {
    let mut member = fresh();
    member.restore(Record::Stable { counter: 2 }).unwrap();
    meet(&mut member);
    assert_eq!(member.resume(&vector(&[dot(1, 1)])), Err(ResumeError::Older(dot(1, 2))));
    give(&mut member, 1, data(dot(1, 1), &Vector::new())).unwrap();
    assert_eq!((member.held(), member.rejections().total()), (0, 0));
    // who lacks them is told that they are gone, without asking for help
    give(&mut member, 2, question(1, false, Versions::EMPTY)).unwrap();
    let said = drain(&mut member);
    assert_eq!(count(&said, "Send(NodeId(3), Behind { floor: {1:2} })"), 1, "{said:?}");
    let has = vector(&[dot(1, 2)]);
    give(&mut member, 2, question(1, false, has.versions())).unwrap();
    assert_eq!(count(&drain(&mut member), "Behind"), 0);
}

#[test]
fn what_is_stable_is_written_once() {
    let mut member = settled();
    member.broadcast(b"a").unwrap();
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut member);
    let theirs = vector(&[dot(2, 1)]);
    for peer in [1, 2] {
        give(&mut member, peer, answer(1, theirs.versions())).unwrap();
    }
    // that of another: the application is told, and nothing is written
    let said = drain(&mut member);
    assert_eq!((count(&said, "Event(Stable)"), count(&said, "Persist")), (1, 0), "{said:?}");
    let both = vector(&[dot(1, 1), dot(2, 1)]);
    for peer in [1, 2] {
        give(&mut member, peer, answer(1, both.versions())).unwrap();
    }
    let said = drain(&mut member);
    assert_eq!(count(&said, "Persist(Ticket(3), Stable { counter: 1 })"), 1, "{said:?}");
    assert_eq!(count(&said, "Event(Stable)"), 1);
    assert!(drain(&mut member).is_empty());
}
