//! Peers that say they have broadcasts of a member that it never made: it forgot, or they are
//! wrong.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{
    IDS, Member, Vector, count, data, dot, drain, receive, receive_at, restart_peer, sent_to,
    status_reply, status_request, synced, tick, vector,
};
use quorate_clocks::Versions;
use quorate_clocks::causal::{BroadcastError, Message};
use quorate_core::{Fatal, Instant, Machine, Rejected};

/// A member that made one broadcast, which others have; statuses that claim a second one.
fn member() -> Member {
    let mut member = synced();
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let has = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, has.versions())).unwrap();
    }
    drain(&mut member);
    assert_eq!((member.stored(), member.deadline()), (0, None));
    member
}

fn claim(relay: bool, delivered: &Vector) -> Message<'_> {
    Message::Status { boot: 1, request: false, relay, delivered: delivered.versions() }
}

#[test]
fn unconfirmed_claim_never_stops_a_member() {
    let claimed = vector(&[dot(1, 2), dot(3, 1)]);
    for (request, relay) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = member();
        let stray = Message::Status { boot: 1, request, relay, delivered: claimed.versions() };
        for at in 1..20 {
            receive_at(&mut member, at * 100, 1, stray);
            tick(&mut member, at * 100 + 50);
        }
        assert_eq!(member.rejections().total(), 0);
        // nor does it count for the own broadcast that comes next
        assert_eq!(member.broadcast(b"b").unwrap(), dot(1, 2));
        let outputs = drain(&mut member);
        assert_eq!((sent_to(&outputs, 2), sent_to(&outputs, 3)), (vec!["1:2"], vec!["1:2"]));
        let has = vector(&[dot(1, 2)]);
        receive_at(&mut member, 3_000, 2, status_reply(1, has.versions()));
        drain(&mut member);
        assert_eq!(member.stable().get(IDS[0].into()), 1);
        // and nothing that it says besides does
        assert_eq!(member.gap(), None);
    }
}

#[test]
fn claim_repeated_in_reply_stops_the_member() {
    let claimed = vector(&[dot(1, 2)]);
    for relay in [false, true] {
        let mut member = member();
        receive(&mut member, 1, claim(relay, &claimed)).unwrap();
        assert!(member.gap().is_none(), "nothing of it is missing");
        // asked by the clock, with the other word, and the other peer as always
        assert!(drain(&mut member).is_empty());
        let outputs = tick(&mut member, 50);
        let asked = format!("Send(NodeId(2), Status {{ boot: 1, request: true, relay: {}", !relay);
        assert_eq!(count(&outputs, &asked), 1, "{outputs:?}");
        assert_eq!(
            count(&outputs, "Send(NodeId(3), Status { boot: 1, request: true, relay: false"),
            1
        );
        assert!(member.broadcast(b"b").is_ok());
        let mut doubted = member.clone();
        let claimed = vector(&[dot(1, 3)]);
        receive_at(&mut doubted, 60, 1, claim(!relay, &claimed));
        // it stops, for good, whatever is said after, and tells that once
        for _ in 0..2 {
            assert_eq!(doubted.broadcast(b"c"), Err(BroadcastError::Stopped));
            assert_eq!((doubted.fatal(), doubted.deadline()), (Some(Fatal::LostState), None));
            let refused = receive(&mut doubted, 1, status_reply(1, Versions::EMPTY));
            assert_eq!(refused, Err(Rejected::Stopped));
        }
        assert_eq!(doubted.rejections().stopped, 2);
        assert_eq!(drain(&mut doubted), ["Event(Fatal(LostState))"]);
        assert!(tick(&mut doubted, 10_000).is_empty(), "others are to find it silent");
        // one that answers without it takes it back
        receive_at(&mut member, 60, 1, status_reply(1, Versions::EMPTY));
        receive_at(&mut member, 70, 1, claim(!relay, &claimed));
        assert!(member.broadcast(b"c").is_ok());
    }
}

#[test]
fn duplicated_claim_is_confirmed_by_reply() {
    let claimed = vector(&[dot(1, 9)]);
    for relay in [false, true] {
        let mut member = member();
        receive(&mut member, 1, claim(relay, &claimed)).unwrap();
        receive(&mut member, 1, claim(relay, &claimed)).unwrap();
        tick(&mut member, 50);
        receive(&mut member, 1, claim(relay, &claimed)).unwrap();
        assert!(member.broadcast(b"b").is_ok());
        receive(&mut member, 1, claim(!relay, &claimed)).unwrap();
        assert_eq!(member.broadcast(b"b"), Err(BroadcastError::Stopped));
    }
}

#[test]
fn claim_needs_a_reply_after_the_request() {
    let claimed = vector(&[dot(1, 99)]);
    let claim =
        |request, relay| Message::Status { boot: 1, request, relay, delivered: claimed.versions() };
    for first in [(false, false), (false, true), (true, false), (true, true)] {
        for second in [(false, false), (false, true), (true, false), (true, true)] {
            let mut unasked = member();
            receive(&mut unasked, 1, claim(first.0, first.1)).unwrap();
            receive(&mut unasked, 1, claim(second.0, second.1)).unwrap();
            assert!(unasked.broadcast(b"b").is_ok(), "{first:?}, {second:?}");
            // the question is due, and was not sent
            unasked.tick(Instant::from_millis(50));
            receive(&mut unasked, 1, claim(second.0, second.1)).unwrap();
            assert_eq!(unasked.fatal(), None, "{first:?}, {second:?}");
            let mut asked = member();
            receive(&mut asked, 1, claim(first.0, first.1)).unwrap();
            tick(&mut asked, 50);
            for _ in 0..2 {
                let _ = receive(&mut asked, 1, claim(second.0, second.1));
            }
            let is_reply = !second.0 && first != second;
            assert_eq!(asked.fatal().is_some(), is_reply, "{first:?}, {second:?}");
        }
    }
}

#[test]
fn pending_request_does_not_replace_reply() {
    // a driver that takes all messages, lets time pass, and only then sends
    let mut member = member();
    member.broadcast(b"b").unwrap();
    drain(&mut member);
    receive_at(&mut member, 60, 1, status_request(1, true, Versions::EMPTY));
    let outputs = tick(&mut member, 60);
    assert_eq!(count(&outputs, "Send(NodeId(2), Status { boot: 1, request: false, relay: true"), 1);
    assert_eq!(count(&outputs, "Send(NodeId(2), Status { boot: 1, request: true, relay: false"), 1);
}

#[test]
fn claims_of_several_peers_do_not_confirm_each_other() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    receive(&mut member, 1, claim(false, &claimed)).unwrap();
    tick(&mut member, 50);
    receive(&mut member, 2, claim(true, &claimed)).unwrap();
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn own_broadcast_acknowledged_is_no_claim() {
    let mut member = member();
    let has = vector(&[dot(1, 1)]);
    for relay in [false, true] {
        receive(&mut member, 1, claim(relay, &has)).unwrap();
        tick(&mut member, 50);
    }
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn claims_of_earlier_boot_are_ignored() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    restart_peer(&mut member, 1, 5, &vector(&[dot(1, 1)]));
    for relay in [false, true] {
        receive(&mut member, 1, claim(relay, &claimed)).unwrap();
        tick(&mut member, 1_000);
    }
    assert!(member.broadcast(b"b").is_ok());
}

#[test]
fn requests_repeat_until_claim_is_settled() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    receive(&mut member, 1, claim(true, &claimed)).unwrap();
    for at in [50, 150, 350] {
        assert_eq!(count(&tick(&mut member, at), "request: true"), 2);
    }
    // an answer without: nothing is left to ask
    receive_at(&mut member, 400, 1, status_reply(1, Versions::EMPTY));
    assert_eq!(member.deadline(), None);
    // and when it is confirmed there is not either
    receive_at(&mut member, 410, 1, claim(false, &claimed));
    tick(&mut member, 500);
    receive_at(&mut member, 510, 1, claim(true, &claimed));
    assert_eq!((member.deadline(), member.broadcast(b"b")), (None, Err(BroadcastError::Stopped)));
}

#[test]
fn gap_does_not_change_confirmation_flag() {
    let claimed = vector(&[dot(1, 2)]);
    let mut member = member();
    receive(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    [50, 100, 200].into_iter().for_each(|at| _ = tick(&mut member, at));
    assert_eq!(count(&tick(&mut member, 400), "request: true, relay: true"), 2);
    receive_at(&mut member, 410, 1, claim(true, &claimed));
    let outputs = tick(&mut member, 460);
    assert_eq!(count(&outputs, "Send(NodeId(2), Status { boot: 1, request: true, relay: false"), 1);
    assert_eq!(count(&outputs, "Send(NodeId(3), Status { boot: 1, request: true, relay: true"), 1);
}

#[test]
fn reply_repeats_flag_of_request() {
    let mut member = member();
    for relay in [true, false, true] {
        receive(&mut member, 1, status_request(1, relay, Versions::EMPTY)).unwrap();
        let outputs = drain(&mut member);
        let status = format!("Send(NodeId(2), Status {{ boot: 1, request: false, relay: {relay}");
        assert_eq!(count(&outputs, &status), 1, "{outputs:?}");
    }
}
