//! What a member does by the clock: statuses, gaps, patience.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{
    IDS, Member, Vector, count, data, delivered, dot, drain, exchange_statuses, new_member,
    receive, receive_at, restart_peer, started, status_reply, status_request, synced, tick, vector,
};
use quorate_clocks::Versions;
use quorate_clocks::causal::{Config, Message, Record};
use quorate_core::{Instant, Machine, Rejected};

fn with(config: Config) -> Member {
    let mut member = Member::new(IDS[0].into(), &IDS, config).unwrap();
    exchange_statuses(&mut member);
    member
}

fn deadline_ms(member: &Member) -> Option<u64> {
    member.deadline().map(|at| at.as_micros() / 1_000)
}

#[test]
fn status_interval_backs_off() {
    let mut member = started();
    let mut due = vec![];
    for _ in 0..8 {
        let at = deadline_ms(&member).unwrap();
        assert!(tick(&mut member, at - 1).is_empty(), "early");
        assert_eq!(deadline_ms(&member), Some(at), "moved by an early tick");
        assert_eq!(count(&tick(&mut member, at), "request: true, relay: false"), 2);
        due.push(at);
    }
    // 50 ms, then up to sixteen times as long
    assert_eq!(due, [50, 150, 350, 750, 1_550, 2_350, 3_150, 3_950]);
    // something new: at their shortest interval again
    let news = vector(&[dot(3, 1)]);
    receive_at(&mut member, 4_000, 1, status_reply(1, news.versions()));
    assert_eq!(deadline_ms(&member), Some(4_050));
    tick(&mut member, 4_050);
    assert_eq!(deadline_ms(&member), Some(4_100));
    // nothing new: as before
    receive_at(&mut member, 4_060, 1, status_reply(1, news.versions()));
    tick(&mut member, 4_100);
    assert_eq!(deadline_ms(&member), Some(4_200));
    // and never later because of news
    receive_at(&mut member, 4_190, 2, status_reply(1, news.versions()));
    assert_eq!(deadline_ms(&member), Some(4_200));
}

#[test]
fn requests_continue_while_needed() {
    assert!(started().deadline().is_some(), "others were not heard yet");
    let mut member = synced();
    assert!(tick(&mut member, 10_000).is_empty());
    // a peer has what is lacking here
    let news = vector(&[dot(3, 1)]);
    receive(&mut member, 1, status_reply(1, news.versions())).unwrap();
    assert_eq!(count(&tick(&mut member, 10_100), "request: true"), 2);
    receive(&mut member, 2, data(dot(3, 1), &Vector::new())).unwrap();
    drain(&mut member);
    // what it has now others may not have
    assert!(member.deadline().is_some());
    receive(&mut member, 2, status_reply(1, news.versions())).unwrap();
    drain(&mut member);
    assert_eq!((member.stored(), member.deadline()), (0, None));
}

#[test]
fn requests_continue_until_state_is_restored() {
    let mut member = new_member();
    member.restore(Record::Stable { counter: 1 }).unwrap();
    exchange_statuses(&mut member);
    assert!(member.deadline().is_some());
    let all = vector(&[dot(1, 1)]);
    member.resume(&all).unwrap();
    // and until the others have it, too
    assert!(member.deadline().is_some());
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, all.versions())).unwrap();
    }
    assert_eq!(member.deadline(), None);
}

#[test]
fn gap_is_reported_once_after_timeout() {
    for (gap_ms, told) in [(150, true), (151, false)] {
        let mut member = with(Config { gap_us: gap_ms * 1_000, ..Config::lan() });
        receive(&mut member, 1, data(dot(2, 3), &Vector::new())).unwrap();
        assert_eq!(member.gap().unwrap().to_string(), "2:1..=2");
        // noted at 50 ms
        for at in [50, 100] {
            let outputs = tick(&mut member, at);
            assert_eq!(
                (count(&outputs, "Gap"), count(&outputs, "relay: false")),
                (0, 2),
                "{outputs:?}"
            );
        }
        let outputs = tick(&mut member, 200);
        let expected = if told { (1, 2) } else { (0, 0) };
        let gap = "Event(Gap { missing: 2:1..=2 })";
        assert_eq!((count(&outputs, gap), count(&outputs, "relay: true")), expected, "{outputs:?}");
        let outputs = tick(&mut member, 400);
        let expected = if told { (0, 2) } else { (1, 2) };
        assert_eq!((count(&outputs, gap), count(&outputs, "relay: true")), expected, "{outputs:?}");
        let outputs = tick(&mut member, 800);
        assert_eq!(
            (count(&outputs, "Gap"), count(&outputs, "relay: true")),
            (0, 2),
            "once: {outputs:?}"
        );
        // part of it comes from another: no new gap, but a chance for who has the rest
        receive_at(&mut member, 810, 2, data(dot(2, 1), &Vector::new()));
        drain(&mut member);
        let outputs = tick(&mut member, 860);
        assert_eq!(
            (count(&outputs, "Gap"), count(&outputs, "relay: false")),
            (0, 2),
            "{outputs:?}"
        );
        tick(&mut member, 1_000);
        let outputs = tick(&mut member, 1_100);
        assert_eq!(count(&outputs, "Event(Gap { missing: 2:2..=2 })"), 1, "{outputs:?}");
        // all of it: nobody is asked any more
        receive_at(&mut member, 1_110, 2, data(dot(2, 2), &Vector::new()));
        assert_eq!(delivered(&drain(&mut member)), ["2:2", "2:3"]);
        let outputs = tick(&mut member, 1_160);
        assert_eq!((count(&outputs, "Gap"), count(&outputs, "relay: true")), (0, 0), "{outputs:?}");
    }
}

#[test]
fn gap_ends_before_the_first_message_that_is_held() {
    for counters in [[3, 5], [5, 3]] {
        let mut member = synced();
        for counter in counters {
            receive(&mut member, 1, data(dot(2, counter), &Vector::new())).unwrap();
        }
        assert_eq!(member.gap().unwrap().to_string(), "2:1..=2", "{counters:?}");
    }
}

#[test]
fn each_gap_has_its_own_timeout() {
    let mut member = with(Config { gap_us: 150_000, ..Config::lan() });
    receive(&mut member, 1, data(dot(2, 2), &Vector::new())).unwrap();
    tick(&mut member, 50);
    // that one is filled, and the first event of another is missing
    receive_at(&mut member, 60, 1, data(dot(2, 1), &Vector::new()));
    receive_at(&mut member, 60, 2, data(dot(3, 2), &Vector::new()));
    drain(&mut member);
    tick(&mut member, 110);
    let outputs = tick(&mut member, 210);
    assert_eq!(count(&outputs, "Gap"), 0, "{outputs:?}");
    // one that was told of and filled is told of again when it is another
    let outputs = tick(&mut member, 410);
    assert_eq!(count(&outputs, "Event(Gap { missing: 3:1..=1 })"), 1, "{outputs:?}");
    receive_at(&mut member, 420, 2, data(dot(3, 1), &Vector::new()));
    drain(&mut member);
    tick(&mut member, 470);
    receive_at(&mut member, 480, 2, data(dot(3, 4), &Vector::new()));
    let told: usize =
        [530, 630, 830, 1_230].map(|at| count(&tick(&mut member, at), "Event(Gap")).iter().sum();
    assert_eq!(told, 1);
}

#[test]
fn gap_is_detected_from_peer_statuses() {
    let mut member = synced();
    // from what a peer has, and from causes; up to what is held already
    let has = vector(&[dot(2, 5)]);
    receive(&mut member, 2, status_reply(1, has.versions())).unwrap();
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=5");
    receive(&mut member, 1, data(dot(2, 4), &Vector::new())).unwrap();
    assert_eq!(member.gap().unwrap().to_string(), "2:1..=3");
    for n in 1..=3 {
        receive(&mut member, 1, data(dot(2, n), &Vector::new())).unwrap();
    }
    drain(&mut member);
    assert_eq!(member.gap().unwrap().to_string(), "2:5..=5");
    let mut member = synced();
    let causes = vector(&[dot(3, 2)]);
    receive(&mut member, 1, data(dot(2, 1), &causes)).unwrap();
    assert_eq!(member.gap().unwrap().to_string(), "3:1..=2");
}

#[test]
fn stability_waits_until_member_timeout() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let me = IDS[0].into();
    let has = vector(&[dot(1, 1)]);
    let alive = |at: u64, refused: bool| {
        let mut member = with(config);
        member.broadcast(b"a").unwrap();
        drain(&mut member);
        tick(&mut member, 0);
        receive_at(&mut member, 500, 1, status_reply(1, has.versions()));
        if refused {
            let own = vector(&[dot(3, 1)]);
            let result = member.receive(Instant::from_millis(900), IDS[2], data(dot(3, 2), &own));
            assert_eq!(result, Err(Rejected::Malformed));
        }
        member.tick(Instant::from_millis(at));
        drain(&mut member);
        (member.stable().get(me), member.stored())
    };
    assert_eq!(alive(999, false), (0, 1));
    assert_eq!(alive(1_000, false), (1, 0));
    assert_eq!(alive(1_000, true), (1, 0), "what is refused is no sign of life");
    // one that comes back and takes what it lacks is waited for again
    let mut member = with(config);
    for payload in [b"a", b"b"] {
        member.broadcast(payload).unwrap();
    }
    drain(&mut member);
    tick(&mut member, 0);
    let both = vector(&[dot(1, 2)]);
    receive_at(&mut member, 1_500, 1, status_reply(1, both.versions()));
    receive_at(&mut member, 1_500, 2, status_reply(1, has.versions()));
    for (at, expected) in [(2_499, 1), (2_500, 2)] {
        tick(&mut member, at);
        assert_eq!((member.stable().get(me), member.stored()), (expected, 1));
    }
    let due = deadline_ms(&member).unwrap();
    tick(&mut member, due);
    assert_eq!(member.stored(), 0);
}

#[test]
fn member_without_progress_times_out() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = with(config);
    let has = vector(&[dot(1, 1)]);
    let mut broadcasts = 0;
    for at in (0..20_000).step_by(100) {
        if member.broadcast(b"a").is_ok() {
            broadcasts += 1;
        }
        tick(&mut member, at);
        let all = vector(&[dot(1, broadcasts)]);
        receive_at(&mut member, at + 20, 1, status_reply(1, all.versions()));
        // that one has the first, and refuses what comes after; its own broadcasts go on
        receive_at(&mut member, at + 20, 2, status_request(1, true, has.versions()));
        receive_at(&mut member, at + 20, 2, data(dot(3, at / 100 + 1), &Vector::new()));
        receive_at(&mut member, at + 20, 2, Message::Behind { floor: Versions::EMPTY });
        drain(&mut member);
        assert!(at < 1_200 || broadcasts > at / 100 - 12, "{broadcasts} at {at} ms");
    }
}

#[test]
fn idle_time_does_not_count_toward_member_timeout() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = with(config);
    // nobody says anything for an hour, and nobody lets time pass
    for _ in 0..2 {
        assert_eq!(member.deadline(), None);
        member.broadcast(b"a").unwrap();
        drain(&mut member);
        let all = vector(&[dot(1, member.delivered().get(IDS[0].into()))]);
        let hour = member.deadline().unwrap().as_micros() / 1_000 + 3_600_000;
        tick(&mut member, hour);
        receive_at(&mut member, hour + 1, 1, status_reply(1, all.versions()));
        drain(&mut member);
        assert_eq!(member.stored(), 1, "the message to the other may be on its way");
        let mut late = member.clone();
        tick(&mut late, hour + 1_000);
        assert_eq!(late.stored(), 0);
        receive_at(&mut member, hour + 900, 2, status_reply(1, all.versions()));
        drain(&mut member);
        assert_eq!(member.stored(), 0);
    }
}

#[test]
fn member_restarted_after_idle_time_is_waited_for() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = with(config);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let all = vector(&[dot(1, 1)]);
    for peer in [1, 2] {
        receive(&mut member, peer, status_reply(1, all.versions())).unwrap();
    }
    tick(&mut member, 3_600_000);
    assert_eq!(member.stable(), all);
    receive_at(&mut member, 3_600_000, 2, status_request(2, false, Versions::EMPTY));
    tick(&mut member, 3_600_050);
    receive_at(&mut member, 3_600_060, 2, status_reply(2, Versions::EMPTY));
    assert!(member.stable().is_empty());
    // but not again and again, if it never takes anything
    receive_at(&mut member, 3_600_900, 2, status_request(3, false, Versions::EMPTY));
    tick(&mut member, 3_601_000);
    receive_at(&mut member, 3_601_010, 2, status_reply(3, Versions::EMPTY));
    tick(&mut member, 3_601_060);
    assert_eq!(member.stable(), all);
}

#[test]
fn resumed_state_is_announced_at_once() {
    let mut member = synced();
    let state = vector(&[dot(2, 3)]);
    member.resume(&state).unwrap();
    let outputs = drain(&mut member);
    assert_eq!(count(&outputs, "request: false, relay: false, delivered: {2:3}"), 2, "{outputs:?}");
    // nor have the others been silent, however long ago that they said something
    tick(&mut member, 3_600_000);
    assert!(member.stable().is_empty());
    // the other side: a peer forgot what was stable, and says that it has it again, in a message
    // that is lost
    let mut other = synced();
    receive(&mut other, 1, data(dot(2, 1), &Vector::new())).unwrap();
    drain(&mut other);
    let all = vector(&[dot(2, 1)]);
    for peer in [1, 2] {
        receive(&mut other, peer, status_reply(1, all.versions())).unwrap();
    }
    drain(&mut other);
    assert_eq!((other.stable(), other.deadline()), (all.clone(), None));
    restart_peer(&mut other, 2, 2, &Vector::new());
    assert!(other.stable().is_empty());
    for _ in 0..5 {
        let due = deadline_ms(&other).unwrap();
        assert_eq!(
            count(&tick(&mut other, due), "Send(NodeId(3), Status { boot: 1, request: true"),
            1
        );
    }
    receive_at(&mut other, 10_000, 2, status_reply(2, all.versions()));
    assert_eq!((other.stable(), other.deadline()), (all, None));
}

#[test]
fn earlier_now_is_ignored() {
    let config = Config { member_timeout_us: 1_000_000, ..Config::lan() };
    let mut member = with(config);
    member.broadcast(b"a").unwrap();
    drain(&mut member);
    let has = vector(&[dot(1, 1)]);
    tick(&mut member, 900);
    // handed an earlier instant, it was heard at the later one
    receive_at(&mut member, 100, 1, status_reply(1, has.versions()));
    receive_at(&mut member, 100, 2, status_reply(1, Versions::EMPTY));
    member.tick(Instant::from_millis(200));
    member.tick(Instant::from_millis(1_899));
    drain(&mut member);
    assert_eq!(member.stored(), 1);
}
