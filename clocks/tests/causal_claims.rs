//! Peers that say they have broadcasts of a member that it never made: it forgot, or they are
//! wrong.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    IDS, Member, Vector, answer, count, data, dot, drain, give, give_at, question, sent_to,
    settled, start_again, tick, vector,
};
use quorate_clocks::{BroadcastError, Message, Versions};
use quorate_core::{Fatal, Instant, Machine, Rejected};

/// A member that made one broadcast, which others have; statuses that claim a second one.
fn member() -> Member {
    let mut member = settled();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let has = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        give(&mut member, peer, answer(1, has.versions())).unwrap();
    }
    drain(&mut member);
    assert_eq!((member.held(), member.deadline()), (0, None));
    member
}

fn claim(help: bool, delivered: &Vector) -> Message<'_> {
    Message::Status { boot: 1, ask: false, help, delivered: delivered.versions() }
}

#[test]
fn one_status_stops_nobody_however_often_it_comes() {
    let claimed = vector(&[dot(1, 2), dot(3, 1)]);
    for (ask, help) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = member();
        let stray = Message::Status { boot: 1, ask, help, delivered: claimed.versions() };
        for at in 1..20 {
            give_at(&mut member, at * 100, 1, stray);
            tick(&mut member, at * 100 + 50);
        }
        assert_eq!(member.rejections().total(), 0);
        // nor does it count for the own broadcast that comes next
        assert_eq!(member.broadcast(b"b").unwrap(), dot(1, 2));
        let said = drain(&mut member);
        assert_eq!((sent_to(&said, 2), sent_to(&said, 3)), (vec!["1:2"], vec!["1:2"]));
        let has = vector(&[dot(1, 2)]);
        give_at(&mut member, 3_000, 2, answer(1, has.versions()));
        drain(&mut member);
        assert_eq!(member.stable().get(IDS[0].into()), 1);
        // and nothing that it says besides does
        assert_eq!(member.gap(), None);
    }
}

#[test]
fn a_claim_that_is_repeated_in_an_answer_counts() {
    let claimed = vector(&[dot(1, 2)]);
    for help in [false, true] {
        let mut member = member();
        give(&mut member, 1, claim(help, &claimed)).unwrap();
        assert!(member.gap().is_none(), "nothing of it is missing");
        // asked by the clock, with the other word, and the other peer as always
        assert!(drain(&mut member).is_empty());
        let said = tick(&mut member, 50);
        let asked = format!("Send(NodeId(2), Status {{ boot: 1, ask: true, help: {}", !help);
        assert_eq!(count(&said, &asked), 1, "{said:?}");
        assert_eq!(count(&said, "Send(NodeId(3), Status { boot: 1, ask: true, help: false"), 1);
        assert!(member.broadcast(b"b").is_ok());
        let mut doubted = member.clone();
        let claimed = vector(&[dot(1, 3)]);
        give_at(&mut doubted, 60, 1, claim(!help, &claimed));
        // it stops, for good, whatever is said after, and tells that once
        for _ in 0..2 {
            assert_eq!(doubted.broadcast(b"c"), Err(BroadcastError::Doubted));
            assert_eq!((doubted.fatal(), doubted.deadline()), (Some(Fatal::LostState), None));
            let refused = give(&mut doubted, 1, answer(1, Versions::EMPTY));
            assert_eq!(refused, Err(Rejected::Stopped));
        }
        assert_eq!(doubted.rejections().stopped, 2);
        assert_eq!(drain(&mut doubted), ["Event(Stopped(LostState))"]);
        assert!(tick(&mut doubted, 10_000).is_empty(), "others are to find it silent");
        // one that answers without it takes it back
        give_at(&mut member, 60, 1, answer(1, Versions::EMPTY));
        give_at(&mut member, 70, 1, claim(!help, &claimed));
        assert!(member.broadcast(b"c").is_ok());
    }
}

#[test]
fn a_claim_that_arrives_twice_is_confirmed_by_the_answer() {
    let claimed = vector(&[dot(1, 9)]);
    for help in [false, true] {
        let mut member = member();
        give(&mut member, 1, claim(help, &claimed)).unwrap();
        give(&mut member, 1, claim(help, &claimed)).unwrap();
        tick(&mut member, 50);
        give(&mut member, 1, claim(help, &claimed)).unwrap();
        assert!(member.broadcast(b"b").is_ok());
        give(&mut member, 1, claim(!help, &claimed)).unwrap();
        assert_eq!(member.broadcast(b"b"), Err(BroadcastError::Doubted));
    }
}

#[test]
fn an_answer_is_no_question_and_comes_after_one() {
    let claimed = vector(&[dot(1, 99)]);
    let claim = |ask, help| Message::Status { boot: 1, ask, help, delivered: claimed.versions() };
    for first in [(false, false), (false, true), (true, false), (true, true)] {
        for second in [(false, false), (false, true), (true, false), (true, true)] {
            let mut unasked = member();
            give(&mut unasked, 1, claim(first.0, first.1)).unwrap();
            give(&mut unasked, 1, claim(second.0, second.1)).unwrap();
            assert!(unasked.broadcast(b"b").is_ok(), "{first:?}, {second:?}");
            // the question is due, and was not sent
            unasked.tick(Instant::from_millis(50));
            give(&mut unasked, 1, claim(second.0, second.1)).unwrap();
            assert_eq!(unasked.fatal(), None, "{first:?}, {second:?}");
            let mut asked = member();
            give(&mut asked, 1, claim(first.0, first.1)).unwrap();
            tick(&mut asked, 50);
            for _ in 0..2 {
                let _ = give(&mut asked, 1, claim(second.0, second.1));
            }
            let is_answer = !second.0 && first != second;
            assert_eq!(asked.fatal().is_some(), is_answer, "{first:?}, {second:?}");
        }
    }
}

#[test]
fn a_question_that_is_owed_does_not_take_the_place_of_an_answer() {
    // a driver that takes all messages, lets time pass, and only then sends
    let mut member = member();
    member.broadcast(b"b").unwrap();
    drain(&mut member);
    give_at(&mut member, 60, 1, question(1, true, Versions::EMPTY));
    let said = tick(&mut member, 60);
    assert_eq!(count(&said, "Send(NodeId(2), Status { boot: 1, ask: false, help: true"), 1);
    assert_eq!(count(&said, "Send(NodeId(2), Status { boot: 1, ask: true, help: false"), 1);
}

#[test]
fn claims_of_several_peers_are_no_answer() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    give(&mut member, 1, claim(false, &claimed)).unwrap();
    tick(&mut member, 50);
    give(&mut member, 2, claim(true, &claimed)).unwrap();
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn what_was_made_is_no_claim() {
    let mut member = member();
    let has = vector(&[dot(1, 1)]);
    for help in [false, true] {
        give(&mut member, 1, claim(help, &has)).unwrap();
        tick(&mut member, 50);
    }
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn claims_from_an_earlier_start_of_a_peer_do_not_count() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    start_again(&mut member, 1, 5, &vector(&[dot(1, 1)]));
    for help in [false, true] {
        give(&mut member, 1, claim(help, &claimed)).unwrap();
        tick(&mut member, 1_000);
    }
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn a_member_asks_until_the_claim_is_settled() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    give(&mut member, 1, claim(true, &claimed)).unwrap();
    for at in [50, 150, 350] {
        assert_eq!(count(&tick(&mut member, at), "ask: true"), 2);
    }
    // an answer without: nothing is left to ask
    give_at(&mut member, 400, 1, answer(1, Versions::EMPTY));
    assert_eq!(member.deadline(), None);
    // and when it is confirmed there is not either
    give_at(&mut member, 410, 1, claim(false, &claimed));
    tick(&mut member, 500);
    give_at(&mut member, 510, 1, claim(true, &claimed));
    assert_eq!((member.deadline(), member.broadcast(b"b")), (None, Err(BroadcastError::Doubted)));
}

#[test]
fn an_old_gap_does_not_spoil_the_question() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    give(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    [50, 100, 200].into_iter().for_each(|at| _ = tick(&mut member, at));
    assert_eq!(count(&tick(&mut member, 400), "ask: true, help: true"), 2);
    give_at(&mut member, 410, 1, claim(true, &claimed));
    let said = tick(&mut member, 460);
    assert_eq!(count(&said, "Send(NodeId(2), Status { boot: 1, ask: true, help: false"), 1);
    assert_eq!(count(&said, "Send(NodeId(3), Status { boot: 1, ask: true, help: true"), 1);
}

#[test]
fn an_answer_repeats_what_the_question_said() {
    let mut member = member();
    for help in [true, false, true] {
        give(&mut member, 1, question(1, help, Versions::EMPTY)).unwrap();
        let said = drain(&mut member);
        let status = format!("Send(NodeId(2), Status {{ boot: 1, ask: false, help: {help}");
        assert_eq!(count(&said, &status), 1, "{said:?}");
    }
}
