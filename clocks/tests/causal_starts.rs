//! Which start of a peer counts: a later one once it is confirmed, an earlier one after patience.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    IDS, Member, Vector, answer, count, data, dot, drain, give, give_at, meet, question, sent_to,
    settled, start_again, started, tick, vector,
};
use quorate_clocks::{CausalConfig, Message, Versions};
use quorate_core::{Machine, Rejected};

fn status(boot: u32, ask: bool, help: bool, delivered: &Vector) -> Message<'_> {
    Message::Status { boot, ask, help, delivered: delivered.versions() }
}

/// A member whose peers have its first broadcast, of two, in their start 3.
fn member() -> Member {
    let config = CausalConfig { patience_us: 2_000_000, ..CausalConfig::LAN };
    let mut member = Member::new(IDS[0].into(), &IDS, config).unwrap();
    meet(&mut member);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let has = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        start_again(&mut member, peer, 3, &has);
    }
    assert_eq!((member.held(), member.deadline()), (0, None));
    member.broadcast(b"b").unwrap();
    drain(&mut member);
    member
}

fn now_ms(member: &Member) -> u64 {
    member.deadline().unwrap().as_micros() / 1_000 - 50
}

#[test]
fn one_status_of_a_later_start_keeps_nobody_waiting() {
    for (ask, help) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = settled();
        for at in (0..20_000).step_by(50) {
            // damaged or made up; a network may deliver it several times
            if at < 1_000 {
                give_at(&mut member, at, 1, status(u32::MAX, ask, help, &Vector::new()));
            }
            let mut said = tick(&mut member, at);
            let made = member.broadcast(b"x");
            said.extend(drain(&mut member));
            assert!(at < 2_000 || made.is_ok(), "{made:?} at {at} ms");
            // both take everything, and answer what they are asked
            let all = member.delivered().clone();
            for (peer, help) in [1, 2].into_iter().flat_map(|peer| [(peer, false), (peer, true)]) {
                let node = IDS[peer];
                let asked = format!("Send({node:?}, Status {{ boot: 1, ask: true, help: {help}");
                if count(&said, &asked) > 0 {
                    give_at(&mut member, at + 10, peer, status(1, false, help, &all));
                }
            }
            drain(&mut member);
        }
    }
}

#[test]
fn a_later_start_counts_when_an_answer_confirms_it() {
    let has = vector(&[dot(1, 1)]);
    let both = vector(&[dot(1, 2)]);
    for (ask, help) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = member();
        give(&mut member, 2, answer(3, both.versions())).unwrap();
        let at = now_ms(&member);
        // it started again, and may have less; what it acknowledged before does not count meanwhile
        give_at(&mut member, at, 1, status(4, ask, help, &has));
        give_at(&mut member, at, 1, status(3, false, false, &both));
        drain(&mut member);
        assert_eq!(member.held(), 1);
        give_at(&mut member, at, 1, status(4, false, !help, &has));
        let said = tick(&mut member, at + 50);
        let asked = format!("ask: true, help: {}", !ask && !help);
        assert_eq!(
            count(&said, &format!("Send(NodeId(2), Status {{ boot: 1, {asked}")),
            1,
            "{said:?}"
        );
        give_at(&mut member, at + 60, 1, status(4, false, !ask && !help, &has));
        drain(&mut member);
        assert_eq!((member.held(), member.stable()), (1, has.clone()));
        // from here on it is that start that counts
        give_at(&mut member, at + 70, 1, status(3, false, false, &both));
        drain(&mut member);
        assert_eq!((member.held(), member.stable()), (1, has.clone()));
        give_at(&mut member, at + 80, 1, status(4, true, false, &both));
        drain(&mut member);
        assert_eq!((member.held(), member.deadline()), (0, None));
    }
}

#[test]
fn a_later_start_that_is_taken_back_changes_nothing() {
    let both = vector(&[dot(1, 2)]);
    let mut member = member();
    let at = now_ms(&member);
    give_at(&mut member, at, 1, status(9, false, false, &Vector::new()));
    give_at(&mut member, at, 2, answer(3, both.versions()));
    // what it said before the question is no answer to it
    give_at(&mut member, at, 1, status(3, false, true, &both));
    drain(&mut member);
    assert_eq!(member.held(), 1);
    tick(&mut member, at + 50);
    give_at(&mut member, at + 60, 1, status(3, true, true, &both));
    drain(&mut member);
    assert_eq!(member.held(), 1);
    give_at(&mut member, at + 60, 1, status(3, false, true, &both));
    drain(&mut member);
    assert_eq!((member.held(), member.deadline()), (0, None));
}

#[test]
fn the_last_start_that_was_told_is_asked_for() {
    let has = vector(&[dot(1, 1)]);
    let mut member = member();
    let at = now_ms(&member);
    give_at(&mut member, at, 1, status(9, true, false, &has));
    tick(&mut member, at + 50);
    give_at(&mut member, at + 60, 1, status(4, true, false, &has));
    // the answer to what was asked for the sake of the other start
    give_at(&mut member, at + 60, 1, status(9, false, false, &has));
    give_at(&mut member, at + 60, 1, status(4, false, false, &has));
    assert!(tick(&mut member, at + 110).iter().any(|line| line.contains("ask: true")));
    give_at(&mut member, at + 120, 1, status(4, false, true, &has));
    let both = vector(&[dot(1, 2)]);
    for (peer, boot) in [(1, 4), (2, 3)] {
        assert_eq!(member.stable(), has);
        give_at(&mut member, at + 130, peer, answer(boot, both.versions()));
    }
    assert_eq!(member.stable(), both);
}

#[test]
fn what_a_start_that_may_be_over_acknowledged_is_no_majority() {
    let (has, both) = (vector(&[dot(1, 1)]), vector(&[dot(1, 2)]));
    let mut member = member();
    let at = now_ms(&member);
    give_at(&mut member, at, 1, status(4, true, false, &has));
    give_at(&mut member, at, 1, status(3, false, false, &both));
    // both are silent from here on
    for now in (at..at + 10_000).step_by(100) {
        tick(&mut member, now);
        assert_eq!(member.held(), 1);
    }
    assert_eq!(member.stable(), both);
    give_at(&mut member, at + 10_000, 1, status(4, false, false, &both));
    drain(&mut member);
    assert_eq!(member.held(), 0);
}

#[test]
fn the_first_start_is_confirmed_too() {
    let mut member = started();
    let claims = vector(&[dot(2, 9)]);
    for _ in 0..3 {
        give(&mut member, 1, answer(u32::MAX, claims.versions())).unwrap();
        tick(&mut member, 100);
    }
    assert_eq!(member.gap(), None, "nothing of it counts");
    start_again(&mut member, 1, 1, &vector(&[dot(2, 1)]));
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=1");
    assert_eq!(give(&mut member, 2, answer(0, Versions::EMPTY)), Err(Rejected::Malformed));
}

#[test]
fn answers_of_members_that_do_not_repeat_the_word_confirm_a_question() {
    // versions before the word was repeated say false in every answer
    let mut member = started();
    give(&mut member, 1, answer(1, Versions::EMPTY)).unwrap();
    tick(&mut member, 50);
    give(&mut member, 1, answer(1, Versions::EMPTY)).unwrap();
    give(&mut member, 1, question(1, false, Versions::EMPTY)).unwrap();
    let both = vector(&[dot(2, 2)]);
    give(&mut member, 1, answer(1, both.versions())).unwrap();
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=2");
}

#[test]
fn an_earlier_start_counts_after_patience_and_not_before() {
    let (has, both) = (vector(&[dot(1, 1)]), vector(&[dot(1, 2)]));
    let mut member = member();
    let at = now_ms(&member);
    tick(&mut member, at);
    // start 3 was a lie, or the disk forgot it; what it says is no sign of life
    let end = at + 2_000;
    for now in (at + 50..end).step_by(50) {
        give_at(&mut member, now, 1, status(1, true, false, &has));
        give_at(&mut member, now, 1, status(1, false, false, &has));
        give_at(&mut member, now, 2, answer(3, has.versions()));
        tick(&mut member, now);
        assert_eq!(member.held(), 1);
    }
    tick(&mut member, end);
    give_at(&mut member, end, 1, status(1, true, false, &both));
    tick(&mut member, end + 50);
    give_at(&mut member, end + 60, 1, status(1, false, false, &both));
    // old messages would say as much: only what was known of both starts counts
    tick(&mut member, end + 1_000);
    assert_eq!(member.held(), 1);
    give_at(&mut member, end + 1_010, 1, status(1, true, false, &both));
    drain(&mut member);
    assert_eq!(member.held(), 0, "a majority has it");
    assert_eq!(member.stable(), both, "and the other is silent");
}

#[test]
fn a_restarted_peer_is_given_what_it_lacks() {
    let mut member = member();
    start_again(&mut member, 1, 4, &Vector::new());
    let at = now_ms(&member);
    give_at(&mut member, at, 1, question(4, false, Versions::EMPTY));
    let said = drain(&mut member);
    assert_eq!((sent_to(&said, 2), count(&said, "Behind")), (vec!["1:2"], 1), "{said:?}");
    give(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
}
