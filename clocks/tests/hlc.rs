//! Hybrid logical clocks under clocks that stand still, drift, jump and are set back.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading, Timestamp};
use quorate_core::Instant;

const WINDOW: HlcConfig = HlcConfig { window_us: 200_000, ..HlcConfig::LAN };

fn at(ms: u64, wall_ms: u64) -> Reading {
    Reading::new(Instant::from_millis(ms), wall_ms * 1_000)
}

fn blind(ms: u64) -> Reading {
    Reading::unsynchronised(Instant::from_millis(ms))
}

/// What happens to one of three nodes.
#[derive(Clone, Debug)]
enum Step {
    Stamp,
    /// Receives what another sent last.
    Receive(usize),
    /// The wall clock moves, relative to true time.
    Skew(i64),
    /// Restarts, with its last durable ceiling.
    Restart,
    /// Writes the ceiling if it is due.
    Write,
    /// Time passes, in µs.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Stamp),
        4 => (0usize..3).prop_map(Step::Receive),
        1 => (-400_000i64..400_000).prop_map(Step::Skew),
        1 => Just(Step::Restart),
        2 => Just(Step::Write),
        4 => (0u64..50_000).prop_map(Step::Wait),
    ];
    prop::collection::vec((0usize..3, step), 0..200)
}

proptest! {
    #[test]
    fn causes_come_first_whatever_the_clocks_do(steps in steps()) {
        let mut clocks = [Hlc::new(WINDOW); 3];
        let (mut skew, mut written) = ([0i64; 3], [Timestamp::ZERO; 3]);
        // the last timestamp of each, over all its lives, and the last it sent
        let (mut latest, mut sent) = ([Timestamp::ZERO; 3], [None; 3]);
        let mut now = 10_000_000u64;
        for (node, step) in steps {
            let wall = now.checked_add_signed(skew[node]).unwrap();
            let reading = Reading::new(Instant::from_micros(now), wall);
            let before = clocks[node];
            let result = match step {
                Step::Stamp => clocks[node].stamp(reading),
                Step::Receive(from) => match sent[from] {
                    Some(message) => clocks[node].receive(reading, message).inspect(|stamp| assert!(*stamp > message)),
                    None => continue,
                },
                Step::Skew(by) => { skew[node] = by; continue }
                Step::Restart => { clocks[node] = Hlc::restart(WINDOW, written[node]); continue }
                Step::Write => {
                    if let Some(ceiling) = clocks[node].ceiling_due(reading) {
                        prop_assert!(ceiling > written[node]);
                        written[node] = ceiling;
                        clocks[node].ceiling_written(ceiling);
                    }
                    continue
                }
                Step::Wait(us) => { now += us; continue }
            };
            match result {
                Ok(stamp) => {
                    prop_assert!(stamp > latest[node], "{stamp} again, after {}", latest[node]);
                    prop_assert!(stamp.micros() <= wall + WINDOW.max_drift_us);
                    prop_assert!(stamp <= written[node]);
                    // close to physical time: never behind it
                    prop_assert!(stamp.micros() >= wall);
                    latest[node] = stamp;
                    sent[node] = Some(stamp);
                }
                Err(HlcError::Jump { .. }) => {
                    prop_assert_eq!(clocks[node], before);
                    clocks[node].accept_jump(reading);
                }
                Err(_) => prop_assert_eq!(clocks[node], before),
            }
        }
    }

    #[test]
    fn the_paper_s_rule(last in 0u64..20_000, message in 0u64..20_000, wall in 0u64..5) {
        // figure 5 of the paper, with physical and logical parts apart
        let (last, message) = (Timestamp::from_bits(last), Timestamp::from_bits(message));
        let (l, c, lm, cm) = (last.micros(), u64::from(last.logical()), message.micros(), u64::from(message.logical()));
        let physical = l.max(lm).max(wall);
        let logical = match (physical == l, physical == lm) {
            (true, true) => c.max(cm) + 1,
            (true, false) => c + 1,
            (false, true) => cm + 1,
            (false, false) => 0,
        };
        let mut clock = Hlc::restart(HlcConfig::LAN, last);
        let stamp = clock.receive(Reading::new(Instant::ZERO, wall), message).unwrap();
        prop_assert_eq!(stamp.to_bits(), (physical << 12) + logical);
    }
}

#[test]
fn a_frozen_clock_borrows_from_the_future_until_the_bound() {
    let config = HlcConfig { max_drift_us: 2, ..HlcConfig::LAN };
    let mut clock = Hlc::new(config);
    let mut last = Timestamp::ZERO;
    for _ in 0..3 * 4096 {
        let stamp = clock.stamp(at(0, 1_000)).unwrap();
        assert!(stamp > last);
        last = stamp;
    }
    assert_eq!(last.micros(), 1_000_002);
    assert_eq!(clock.stamp(at(0, 1_000)), Err(HlcError::Ahead { by_us: 1 }));
    assert!(clock.stamp(at(1, 1_001)).is_ok());
}

#[test]
fn a_clock_that_was_set_back_waits() {
    let mut clock = Hlc::new(HlcConfig::LAN);
    clock.stamp(at(0, 10_000)).unwrap();
    assert_eq!(clock.stamp(at(1, 9_000)), Err(HlcError::Ahead { by_us: 500_000 }));
    assert!(clock.stamp(at(2, 9_500)).is_ok());
}

#[test]
fn a_jump_is_noticed_and_time_passing_is_not() {
    let mut clock = Hlc::new(HlcConfig::LAN);
    clock.stamp(at(0, 10_000)).unwrap();
    let day_ms = 86_400_000;
    assert!(clock.stamp(at(day_ms, 10_000 + day_ms + day_ms / 2_000)).is_ok(), "a slow crystal");
    let jumped = at(day_ms, 10_000 + 2 * day_ms);
    assert!(matches!(clock.stamp(jumped), Err(HlcError::Jump { .. })));
    assert!(matches!(clock.receive(jumped, Timestamp::ZERO), Err(HlcError::Jump { .. })));
    let mut windowed = Hlc::new(WINDOW);
    windowed.accept_jump(at(0, 10_000));
    assert_eq!(
        windowed.ceiling_due(jumped),
        None,
        "a jump nobody accepted must not become durable"
    );
    windowed.accept_jump(jumped);
    assert!(windowed.ceiling_due(jumped).is_some());
}

#[test]
fn without_a_wall_clock_the_first_message_sets_the_time() {
    let mut board = Hlc::new(HlcConfig::LAN);
    let alone = board.stamp(blind(0)).unwrap();
    assert_eq!((alone.micros(), alone.logical()), (0, 1));
    let first = Timestamp::from_micros(1_700_000_000_000_000);
    assert!(board.receive(blind(10), first).unwrap() > first);
    // a second later it knows what time it is, and refuses what is too far ahead
    let later = board.stamp(blind(1_010)).unwrap();
    assert_eq!(later.micros(), first.micros() + 1_000_000);
    let future = Timestamp::from_micros(first.micros() + 2_000_000);
    assert_eq!(board.receive(blind(1_010), future), Err(HlcError::TooFarAhead { by_us: 500_000 }));
    assert!(board.receive(blind(2_010), future).is_ok());
}

#[test]
fn a_slow_board_keeps_up_and_cannot_be_pulled_away() {
    let mut board = Hlc::new(HlcConfig::LAN);
    let start = 1_700_000_000_000_000;
    board.receive(blind(0), Timestamp::from_micros(start)).unwrap();
    // its crystal is 0.1 % slow: an hour of true time, a message a second
    for second in 1..3_600 {
        let message = Timestamp::from_micros(start + second * 1_000_000);
        board.receive(blind(second * 999), message).unwrap();
    }
    let before = board;
    // as many messages as one likes, all at once, move it no farther than the bound
    let mut farthest = Timestamp::from_micros(start + 3_600_000_000);
    for _ in 0..1_000 {
        farthest = Timestamp::from_micros(farthest.micros() + 400_000);
        if board.receive(blind(3_599 * 999), farthest).is_err() {
            break;
        }
    }
    assert!(board.last().micros() - before.last().micros() < 2_000_000);
}

#[test]
fn the_end_of_time_is_an_error() {
    let mut clock = Hlc::restart(HlcConfig::LAN, Timestamp::MAX);
    assert_eq!(clock.stamp(blind(0)), Err(HlcError::Exhausted));
}

#[test]
fn a_wall_clock_beyond_the_range_uses_up_nothing() {
    // nanoseconds for microseconds, a register that was never set
    for (config, wall_us) in [
        (HlcConfig::LAN, u64::MAX),
        (HlcConfig::LAN, Timestamp::MAX_MICROS + 1),
        (HlcConfig::LAN, 1_700_000_000_000_000_000),
        (HlcConfig::RADIO, u64::MAX),
    ] {
        let wrong = Reading::new(Instant::ZERO, wall_us);
        let right = Reading::new(Instant::from_millis(1), 1_700_000_000_000_000);
        let mut clock = Hlc::new(config);
        let fresh = clock;
        assert_eq!(clock.ceiling_due(wrong), None, "nor is it made durable");
        assert_eq!(clock.stamp(wrong), Err(HlcError::Exhausted));
        assert_eq!(clock.receive(wrong, Timestamp::from_micros(1)), Err(HlcError::Exhausted));
        assert_eq!(clock, fresh);
        if let Some(ceiling) = clock.ceiling_due(right) {
            clock.ceiling_written(ceiling);
        }
        let stamp = clock.stamp(right);
        assert_eq!(stamp.map(Timestamp::micros), Ok(1_700_000_000_000_000));
    }
}

#[test]
fn the_last_microsecond_is_one() {
    let wall = Reading::new(Instant::ZERO, Timestamp::MAX_MICROS);
    let mut clock = Hlc::new(HlcConfig::LAN);
    for n in 0..4096u64 {
        let stamp = clock.stamp(wall).unwrap();
        assert_eq!(stamp.to_bits(), (Timestamp::MAX_MICROS << 12) + n);
    }
    assert_eq!(clock.last(), Timestamp::MAX);
    assert_eq!(clock.stamp(wall), Err(HlcError::Exhausted));
}
