//! Client sessions: every command is applied at most once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model;
mod replica;
mod snapshots;
mod world;

use model::Outcome;
use quorate_core::{DecodeError, Instant, Wire};
use quorate_log::session::{
    Call, Client, ClusterClock, Config, ConfigError, Inline, Request, SessionError, SessionId,
    Sessions, WhenFull,
};
use replica::{CONFIG, Replica, encode, register, snapshot};

#[test]
fn duplicate_command_gets_the_first_response() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let mut client = Client::new(register(&mut replica, 1, 7), 4);
    let serial = client.begin().unwrap();
    let request = client.request(serial, &[2]);
    assert_eq!(replica.request(2, 0, request), Outcome::Applied(vec![1, 0]));
    assert_eq!(replica.request(3, 0, request), Outcome::Duplicate(vec![1, 0]));
    assert_eq!(replica.counter.value, 1);
    assert_eq!(replica.table.response(client.session(), serial), Some(&[1, 0][..]));
}

#[test]
fn response_is_dropped_once_the_client_acknowledges_it() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let mut client = Client::new(register(&mut replica, 1, 7), 4);
    let first = client.begin().unwrap();
    let request = client.request(first, &[1]);
    replica.request(2, 0, request);
    client.finish(first);
    let second = client.begin().unwrap();
    replica.request(3, 0, client.request(second, &[1]));
    assert_eq!(replica.request(4, 0, request), Outcome::Refused(SessionError::Acknowledged));
    assert_eq!(replica.table.response(client.session(), first), None);
    assert_eq!(replica.counter.value, 2);
}

#[test]
fn abandoned_command_is_never_applied() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let late = Request::Command { session, serial: 1, lowest: 1, command: &[1] };
    replica.request(2, 0, Request::KeepAlive { session, lowest: 2 });
    assert_eq!(replica.request(3, 0, late), Outcome::Refused(SessionError::Acknowledged));
    assert_eq!(replica.counter.value, 0);
}

#[test]
fn command_beyond_the_window_is_refused_until_the_window_moves() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let fifth = |lowest| Request::Command { session, serial: 5, lowest, command: &[1] };
    assert_eq!(replica.request(2, 0, fifth(1)), Outcome::Refused(SessionError::WindowExceeded));
    assert_eq!(replica.request(3, 0, fifth(2)), Outcome::Applied(vec![1]));
    assert_eq!(replica.counter.value, 1);
}

#[test]
fn long_response_is_not_stored_and_the_command_is_still_applied_once() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let request = Request::Command { session, serial: 1, lowest: 1, command: &[10] };
    assert_eq!(replica.request(2, 0, request), Outcome::ResponseDropped { duplicate: false });
    assert_eq!(replica.request(3, 0, request), Outcome::ResponseDropped { duplicate: true });
    assert_eq!(replica.counter.value, 1);
}

#[test]
fn token_registers_one_session() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let first = register(&mut replica, 1, 7);
    assert_eq!(register(&mut replica, 2, 7), first);
    assert_ne!(register(&mut replica, 3, 8), first);
    assert_eq!(replica.table.len(), 2);
    assert!(!replica.table.is_empty());
}

#[test]
fn idle_session_expires_by_the_time_in_the_entries() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let (idle, busy) = (register(&mut replica, 1, 7), register(&mut replica, 2, 8));
    assert_eq!(
        replica.request(3, 50, Request::KeepAlive { session: busy, lowest: 1 }),
        Outcome::KeptAlive
    );
    assert!(replica.table.is_alive(idle));
    replica.request(4, 51, Request::Register { token: 9 });
    assert!(!replica.table.is_alive(idle) && replica.table.is_alive(busy));
    let late = Request::Command { session: idle, serial: 1, lowest: 1, command: &[1] };
    // an earlier time does not restore the session
    assert_eq!(replica.request(5, 0, late), Outcome::Refused(SessionError::Expired));
    assert_eq!(replica.counter.value, 0);
}

#[test]
fn oldest_session_is_evicted_when_the_table_is_full() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let [a, b, c] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    replica.request(4, 0, Request::KeepAlive { session: a, lowest: 1 });
    let d = register(&mut replica, 5, 5);
    assert_eq!([a, b, c, d].map(|id| replica.table.is_alive(id)), [true, false, true, true]);
}

#[test]
fn registration_is_refused_when_the_table_is_full() {
    let config = Config { when_full: WhenFull::Refuse, ..CONFIG };
    let mut replica = Replica::<Inline<3, 4, 9>>::new(config);
    let [a, ..] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    let fourth = Request::Register { token: 4 };
    assert_eq!(replica.request(4, 0, fourth), Outcome::Refused(SessionError::TooManySessions));
    assert_eq!(replica.request(5, 0, Request::Close { session: a }), Outcome::Closed);
    assert_eq!(replica.request(6, 0, fourth), Outcome::Registered(6));
    // expired sessions make room as well
    assert_eq!(replica.request(7, 100, Request::Register { token: 5 }), Outcome::Registered(7));
}

#[test]
fn entry_is_applied_once() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    register(&mut replica, 5, 7);
    for index in [5, 4] {
        let again = replica.request(index, 0, Request::Register { token: 8 });
        assert_eq!(again, Outcome::Refused(SessionError::AlreadyApplied));
    }
}

#[test]
fn invalid_requests_change_nothing() {
    let mut replica = Replica::<Inline<3, 4, 9>>::new(CONFIG);
    let session = register(&mut replica, 1, 7);
    let before = snapshot(&replica.table);
    let lowest_above_serial = Request::Command { session, serial: 1, lowest: 2, command: &[] };
    let numbered_zero = Request::Command { session, serial: 0, lowest: 0, command: &[] };
    let hostile = Request::KeepAlive { session, lowest: 1 << 62 };
    let malformed = Outcome::Refused(SessionError::Malformed(DecodeError::Invalid));
    for request in [lowest_above_serial, numbered_zero, hostile] {
        assert_eq!(replica.request(2, 0, request), malformed);
    }
    assert_eq!(replica.request(2, u64::MAX, Request::Register { token: 1 }), malformed);
    assert_eq!(
        replica.apply(2, &[]),
        Outcome::Refused(SessionError::Malformed(DecodeError::Truncated))
    );
    assert_eq!(snapshot(&replica.table), before);
}

#[test]
fn configured_limits_apply_instead_of_the_storage_capacity() {
    let config = Config { max_sessions: 2, window: 2, max_response_bytes: 5, ..CONFIG };
    let mut replica = Replica::<Inline<3, 4, 9>>::new(config);
    let [a, b, c] = [1, 2, 3].map(|index| register(&mut replica, index, index));
    assert_eq!([a, b, c].map(|id| replica.table.is_alive(id)), [false, true, true]);
    let command = |serial, len: &'static [u8]| Request::Command {
        session: b,
        serial,
        lowest: 1,
        command: len,
    };
    assert_eq!(
        replica.request(4, 0, command(3, &[1])),
        Outcome::Refused(SessionError::WindowExceeded)
    );
    assert_eq!(
        replica.request(5, 0, command(2, &[6])),
        Outcome::ResponseDropped { duplicate: false }
    );
    assert_eq!(replica.table.response(b, 2), None);
    assert_eq!(replica.request(6, 0, command(1, &[5])), Outcome::Applied(vec![2, 0, 0, 0, 0]));
}

#[test]
fn config_is_validated() {
    let table = |config| Sessions::<Inline<3, 4, 9>>::new(config).map(|_| ());
    assert_eq!(table(CONFIG), Ok(()));
    for above in [
        Config { max_sessions: 4, ..CONFIG },
        Config { window: 5, ..CONFIG },
        Config { max_response_bytes: 10, ..CONFIG },
    ] {
        assert_eq!(table(above), Err(ConfigError::Storage));
    }
    assert_eq!(table(Config { max_sessions: 0, ..CONFIG }), Err(ConfigError::NoSession));
    assert_eq!(table(Config { window: 0, ..CONFIG }), Err(ConfigError::Window));
    assert_eq!(Config { window: 64, ..CONFIG }.validate(), Ok(()));
    assert_eq!(Config { window: 65, ..CONFIG }.validate(), Err(ConfigError::Window));
}

#[test]
fn client_limits_commands_in_flight() {
    let mut client = Client::new(SessionId::new(1), 1000);
    let serials: Vec<u64> = std::iter::from_fn(|| client.begin()).collect();
    assert_eq!(serials, (1..=64).collect::<Vec<_>>());
    // in any order; `lowest` is the lowest serial without a response
    for serial in (2..=64).rev() {
        assert!(client.finish(serial) && !client.finish(serial));
        assert_eq!((client.lowest(), client.begin()), (1, None));
    }
    assert!(client.finish(1));
    assert_eq!((client.lowest(), client.begin(), client.is_pending(65)), (65, Some(65), true));
    assert!(!client.finish(66));
    // a request for a serial with a response is still valid
    let late = encode(Call { time_us: 0, request: client.request(3, &[]) });
    assert!(Call::from_slice(&late).is_ok());
    assert_eq!(Client::new(SessionId::new(1), 0).begin(), Some(1));
}

#[test]
fn cluster_clock_counts_no_interval_twice() {
    let us = Instant::from_micros;
    let mut clock = ClusterClock::new(us(1000));
    assert_eq!([1010, 1005, 1012].map(|now| clock.stamp(us(now))), [10, 10, 12]);
    // the next leader continues from the last time it received
    let mut next = ClusterClock::new(us(500_000));
    next.observe(12, us(500_003));
    assert_eq!(next.stamp(us(500_010)), 19);
    // late entries do not stop the clock
    next.observe(15, us(500_020));
    assert_eq!(next.stamp(us(500_020)), 29);
    next.observe(29, us(500_025));
    assert_eq!(next.stamp(us(500_025)), 34);
    // the clock ends at its greatest value
    next.observe((1 << 62) - 3, us(500_030));
    assert_eq!(next.stamp(us(500_031)), (1 << 62) - 2);
    assert_eq!(next.stamp(us(500_040)), (1 << 62) - 1);
}

/// The formulas of `Inline`'s documentation.
#[test]
fn memory_usage_is_as_documented() {
    fn check<const SESSIONS: usize, const WINDOW: usize, const BYTES: usize>() {
        let formula = SESSIONS * (48 + WINDOW * (BYTES.next_multiple_of(8) + 24)) + 72;
        let size = size_of::<Sessions<Inline<SESSIONS, WINDOW, BYTES>>>();
        assert!(size <= formula, "{size} > {formula}");
        assert!(formula - size <= 16, "{formula} is far above {size}");
    }
    check::<1, 1, 0>();
    check::<1, 1, 8>();
    check::<8, 1, 16>();
    check::<5, 4, 13>();
    check::<64, 64, 100>();
}
