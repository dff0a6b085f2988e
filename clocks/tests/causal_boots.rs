//! Which start of a peer counts: a later one once it is confirmed, an earlier one after patience.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{
    IDS, Member, Vector, count, data, dot, drain, exchange_statuses, receive, receive_at,
    restart_peer, sent_to, started, status_reply, status_request, synced, tick, vector,
};
use quorate_clocks::Versions;
use quorate_clocks::causal::{Config, Message};
use quorate_core::{Machine, Rejected};

fn status(boot: u32, request: bool, relay: bool, delivered: &Vector) -> Message<'_> {
    Message::Status { boot, request, relay, delivered: delivered.versions() }
}

/// A member whose peers have its first broadcast, of two, in their start 3.
fn member() -> Member {
    let config = Config { member_timeout_us: 2_000_000, ..Config::lan() };
    let mut member = Member::new(IDS[0].into(), &IDS, config).unwrap();
    exchange_statuses(&mut member);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let has = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        restart_peer(&mut member, peer, 3, &has);
    }
    assert_eq!((member.stored(), member.deadline()), (0, None));
    member.broadcast(b"b").unwrap();
    drain(&mut member);
    member
}

fn now_ms(member: &Member) -> u64 {
    member.deadline().unwrap().as_micros() / 1_000 - 50
}

#[test]
fn unconfirmed_boot_delays_nothing() {
    for (request, relay) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = synced();
        for at in (0..20_000).step_by(50) {
            // damaged or made up; a network may deliver it several times
            if at < 1_000 {
                receive_at(&mut member, at, 1, status(u32::MAX, request, relay, &Vector::new()));
            }
            let mut outputs = tick(&mut member, at);
            let made = member.broadcast(b"x");
            outputs.extend(drain(&mut member));
            assert!(at < 2_000 || made.is_ok(), "{made:?} at {at} ms");
            // both take everything, and answer what they are asked
            let all = member.delivered().clone();
            for (peer, relay) in [1, 2].into_iter().flat_map(|peer| [(peer, false), (peer, true)]) {
                let node = IDS[peer];
                let asked =
                    format!("Send({node:?}, Status {{ boot: 1, request: true, relay: {relay}");
                if count(&outputs, &asked) > 0 {
                    receive_at(&mut member, at + 10, peer, status(1, false, relay, &all));
                }
            }
            drain(&mut member);
        }
    }
}

#[test]
fn later_boot_counts_once_confirmed() {
    let has = vector(&[dot(1, 1)]);
    let both = vector(&[dot(1, 2)]);
    for (request, relay) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut member = member();
        receive(&mut member, 2, status_reply(3, both.versions())).unwrap();
        let at = now_ms(&member);
        // it started again, and may have less; what it acknowledged before does not count meanwhile
        receive_at(&mut member, at, 1, status(4, request, relay, &has));
        receive_at(&mut member, at, 1, status(3, false, false, &both));
        drain(&mut member);
        assert_eq!(member.stored(), 1);
        receive_at(&mut member, at, 1, status(4, false, !relay, &has));
        let outputs = tick(&mut member, at + 50);
        let asked = format!("request: true, relay: {}", !request && !relay);
        assert_eq!(
            count(&outputs, &format!("Send(NodeId(2), Status {{ boot: 1, {asked}")),
            1,
            "{outputs:?}"
        );
        receive_at(&mut member, at + 60, 1, status(4, false, !request && !relay, &has));
        drain(&mut member);
        assert_eq!((member.stored(), member.stable()), (1, has.clone()));
        // from here on it is that start that counts
        receive_at(&mut member, at + 70, 1, status(3, false, false, &both));
        drain(&mut member);
        assert_eq!((member.stored(), member.stable()), (1, has.clone()));
        receive_at(&mut member, at + 80, 1, status(4, true, false, &both));
        drain(&mut member);
        assert_eq!((member.stored(), member.deadline()), (0, None));
    }
}

#[test]
fn withdrawn_boot_changes_nothing() {
    let both = vector(&[dot(1, 2)]);
    let mut member = member();
    let at = now_ms(&member);
    receive_at(&mut member, at, 1, status(9, false, false, &Vector::new()));
    receive_at(&mut member, at, 2, status_reply(3, both.versions()));
    // what it said before the question is no answer to it
    receive_at(&mut member, at, 1, status(3, false, true, &both));
    drain(&mut member);
    assert_eq!(member.stored(), 1);
    tick(&mut member, at + 50);
    receive_at(&mut member, at + 60, 1, status(3, true, true, &both));
    drain(&mut member);
    assert_eq!(member.stored(), 1);
    receive_at(&mut member, at + 60, 1, status(3, false, true, &both));
    drain(&mut member);
    assert_eq!((member.stored(), member.deadline()), (0, None));
}

#[test]
fn last_claimed_boot_is_the_one_confirmed() {
    let has = vector(&[dot(1, 1)]);
    let mut member = member();
    let at = now_ms(&member);
    receive_at(&mut member, at, 1, status(9, true, false, &has));
    tick(&mut member, at + 50);
    receive_at(&mut member, at + 60, 1, status(4, true, false, &has));
    // the answer to what was asked for the sake of the other start
    receive_at(&mut member, at + 60, 1, status(9, false, false, &has));
    receive_at(&mut member, at + 60, 1, status(4, false, false, &has));
    assert!(tick(&mut member, at + 110).iter().any(|line| line.contains("request: true")));
    receive_at(&mut member, at + 120, 1, status(4, false, true, &has));
    let both = vector(&[dot(1, 2)]);
    for (peer, boot) in [(1, 4), (2, 3)] {
        assert_eq!(member.stable(), has);
        receive_at(&mut member, at + 130, peer, status_reply(boot, both.versions()));
    }
    assert_eq!(member.stable(), both);
}

#[test]
fn acknowledgements_of_doubtful_boot_do_not_count() {
    let (has, both) = (vector(&[dot(1, 1)]), vector(&[dot(1, 2)]));
    let mut member = member();
    let at = now_ms(&member);
    receive_at(&mut member, at, 1, status(4, true, false, &has));
    receive_at(&mut member, at, 1, status(3, false, false, &both));
    // both are silent from here on
    for now in (at..at + 10_000).step_by(100) {
        tick(&mut member, now);
        assert_eq!(member.stored(), 1);
    }
    assert_eq!(member.stable(), both);
    receive_at(&mut member, at + 10_000, 1, status(4, false, false, &both));
    drain(&mut member);
    assert_eq!(member.stored(), 0);
}

#[test]
fn first_boot_needs_confirmation() {
    let mut member = started();
    let claims = vector(&[dot(2, 9)]);
    for _ in 0..3 {
        receive(&mut member, 1, status_reply(u32::MAX, claims.versions())).unwrap();
        tick(&mut member, 100);
    }
    assert_eq!(member.gap(), None, "nothing of it counts");
    restart_peer(&mut member, 1, 1, &vector(&[dot(2, 1)]));
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=1");
    assert_eq!(receive(&mut member, 2, status_reply(0, Versions::EMPTY)), Err(Rejected::Malformed));
}

#[test]
fn reply_without_repeated_flag_confirms_request() {
    // versions before the word was repeated say false in every answer
    let mut member = started();
    receive(&mut member, 1, status_reply(1, Versions::EMPTY)).unwrap();
    tick(&mut member, 50);
    receive(&mut member, 1, status_reply(1, Versions::EMPTY)).unwrap();
    receive(&mut member, 1, status_request(1, false, Versions::EMPTY)).unwrap();
    let both = vector(&[dot(2, 2)]);
    receive(&mut member, 1, status_reply(1, both.versions())).unwrap();
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=2");
}

#[test]
fn earlier_boot_counts_after_member_timeout() {
    let (has, both) = (vector(&[dot(1, 1)]), vector(&[dot(1, 2)]));
    let mut member = member();
    let at = now_ms(&member);
    tick(&mut member, at);
    // start 3 was a lie, or the disk forgot it; what it says is no sign of life
    let end = at + 2_000;
    for now in (at + 50..end).step_by(50) {
        receive_at(&mut member, now, 1, status(1, true, false, &has));
        receive_at(&mut member, now, 1, status(1, false, false, &has));
        receive_at(&mut member, now, 2, status_reply(3, has.versions()));
        tick(&mut member, now);
        assert_eq!(member.stored(), 1);
    }
    tick(&mut member, end);
    receive_at(&mut member, end, 1, status(1, true, false, &both));
    tick(&mut member, end + 50);
    receive_at(&mut member, end + 60, 1, status(1, false, false, &both));
    // old messages would say as much: only what was known of both starts counts
    tick(&mut member, end + 1_000);
    assert_eq!(member.stored(), 1);
    receive_at(&mut member, end + 1_010, 1, status(1, true, false, &both));
    drain(&mut member);
    assert_eq!(member.stored(), 0, "a majority has it");
    assert_eq!(member.stable(), both, "and the other is silent");
}

#[test]
fn restarted_peer_gets_missing_messages() {
    let mut member = member();
    restart_peer(&mut member, 1, 4, &Vector::new());
    let at = now_ms(&member);
    receive_at(&mut member, at + 25, 1, status_request(4, false, Versions::EMPTY));
    let outputs = drain(&mut member);
    assert_eq!((sent_to(&outputs, 2), count(&outputs, "Behind")), (vec!["1:2"], 1), "{outputs:?}");
    receive(&mut member, 1, data(dot(2, 1), &Vector::new())).unwrap();
}
