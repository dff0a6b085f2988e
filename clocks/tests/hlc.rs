//! Hybrid logical clocks under clocks that stand still, drift, jump and are set back.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use quorate_clocks::{Hlc, HlcConfig, HlcError, Reading, Timestamp};
use quorate_core::Instant;

const WINDOW: HlcConfig = HlcConfig { window_us: 200_000, ..HlcConfig::lan() };
/// Waits for a wall clock that was set back.
const WAITING: HlcConfig = HlcConfig { max_ahead_us: 0, ..HlcConfig::lan() };

fn at(ms: u64, wall_ms: u64) -> Reading {
    Reading::new(Instant::from_millis(ms), wall_ms * 1_000)
}

fn unsynchronised(ms: u64) -> Reading {
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

/// How far ahead of its wall clock a clock may be.
fn bound(config: HlcConfig) -> u64 {
    config.max_ahead_us.max(config.max_offset_us)
}

proptest! {
    #[test]
    fn timestamps_respect_causality(steps in steps(), waits in any::<bool>()) {
        let config = HlcConfig { max_ahead_us: if waits { 0 } else { WINDOW.max_ahead_us }, ..WINDOW };
        let mut clocks = [Hlc::new(config); 3];
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
                Step::Restart => { clocks[node] = Hlc::restart(config, written[node]); continue }
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
                    prop_assert!(stamp.micros() <= wall.saturating_add(bound(config)));
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
                Err(HlcError::Ahead { .. }) if !waits => prop_assert!(false, "it waits"),
                Err(_) => prop_assert_eq!(clocks[node], before),
            }
        }
    }

    #[test]
    fn matches_the_paper_s_rule(last in 0u64..20_000, message in 0u64..20_000, wall in 0u64..5) {
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
        let mut clock = Hlc::restart(HlcConfig::lan(), last);
        let stamp = clock.receive(Reading::new(Instant::ZERO, wall), message).unwrap();
        prop_assert_eq!(stamp.to_bits(), (physical << 12) + logical);
    }
}

#[test]
fn frozen_clock_runs_ahead_until_the_bound() {
    // by messages to the offset bound at least, whatever the other one is
    for (max_offset_us, max_ahead_us) in [(2, 0), (2, 1), (0, 2), (1, 2)] {
        let mut clock = Hlc::new(HlcConfig { max_offset_us, max_ahead_us, ..HlcConfig::lan() });
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
}

#[test]
fn clock_set_back_continues_logically() {
    for config in [HlcConfig::lan(), HlcConfig { window_us: 0, ..HlcConfig::radio() }] {
        let mut clock = Hlc::new(config);
        let mut last = clock.stamp(at(0, 10_000)).unwrap();
        for step in 0..1_000 {
            // by a second, and it catches up
            let stamp = clock.stamp(at(1 + step, 9_000 + step)).unwrap();
            assert_eq!(stamp, last.next().unwrap());
            last = stamp;
        }
        assert_eq!(clock.stamp(at(1_002, 10_001)).unwrap().micros(), 10_001_000);
        assert_eq!(clock.steps_back(), 1);
    }
}

#[test]
fn clock_set_back_waits_when_configured() {
    let mut clock = Hlc::new(WAITING);
    clock.stamp(at(0, 10_000)).unwrap();
    let before = clock;
    assert_eq!(clock.stamp(at(1, 9_000)), Err(HlcError::Ahead { by_us: 500_000 }));
    let message = Timestamp::from_micros(9_000_000);
    assert_eq!(clock.receive(at(1, 9_000), message), Err(HlcError::Ahead { by_us: 500_000 }));
    assert_eq!(clock, before);
    assert!(clock.stamp(at(2, 9_500)).is_ok());
    // and one that goes on does so up to its bound
    let mut clock = Hlc::new(HlcConfig { max_ahead_us: 3_000_000, ..HlcConfig::lan() });
    clock.stamp(at(0, 10_000)).unwrap();
    assert_eq!(clock.stamp(at(1, 6_900)), Err(HlcError::Ahead { by_us: 100_000 }));
    assert!(clock.stamp(at(2, 7_000)).is_ok());
}

#[test]
fn clock_set_back_may_be_corrected() {
    let mut clock = Hlc::new(HlcConfig::lan());
    clock.stamp(at(0, 100_000)).unwrap();
    // by 10 s and by 5 s more: one time that it is behind
    for (ms, wall_ms) in [(1_000, 91_000), (1_500, 86_500), (2_000, 92_000)] {
        clock.stamp(at(ms, wall_ms)).unwrap();
        assert_eq!(clock.steps_back(), 1);
    }
    // to where it would be, and no more beyond that than always
    let right = |more: u64| {
        Reading::new(Instant::from_millis(3_000), 103_000_000 + 250_000 + (3_000_000 >> 10) + more)
    };
    assert_eq!(clock.stamp(right(1)), Err(HlcError::Jump { by_us: 252_930 }));
    assert_eq!(clock.stamp(right(0)).unwrap().micros(), 103_252_929);
    assert_eq!(clock.stamp(at(3_000, 103_503)), Err(HlcError::Jump { by_us: 250_071 }));
    // set back again, and this time it is right
    clock.stamp(at(3_000, 50_000)).unwrap();
    assert_eq!(clock.steps_back(), 2);
    clock.accept_jump(at(3_000, 50_000));
    assert_eq!(clock.stamp(at(3_000, 50_251)), Err(HlcError::Jump { by_us: 251_000 }));
    clock.stamp(at(3_001, 50_001)).unwrap();
    clock.stamp(at(3_002, 50_000)).unwrap();
    assert_eq!(clock.steps_back(), 3);
}

#[test]
fn frozen_clock_may_be_corrected() {
    let mut clock = Hlc::new(HlcConfig::lan());
    let mut last = clock.stamp(at(0, 100_000)).unwrap();
    for ms in 1..1_000 {
        let stamp = clock.stamp(at(ms, 100_000)).unwrap();
        assert_eq!(stamp, last.next().unwrap());
        last = stamp;
    }
    assert_eq!(clock.stamp(at(1_000, 101_000)).unwrap().micros(), 101_000_000);
    assert_eq!(clock.steps_back(), 0);
}

#[test]
fn jump_limit_is_exact() {
    let start = 1_000_000_000;
    let wall = |passed_us, gained_us| {
        Reading::new(Instant::from_micros(passed_us), start + passed_us + gained_us)
    };
    // a rate difference of 1/1024 and the bound, and not a microsecond more
    for (passed_us, most_us) in
        [(0, 250_000), (1 << 20, 250_000 + 1024), (1 << 30, 250_000 + (1 << 20))]
    {
        let mut clock = Hlc::new(HlcConfig::lan());
        clock.stamp(wall(0, 0)).unwrap();
        let too_far = wall(passed_us, most_us + 1);
        assert_eq!(clock.stamp(too_far), Err(HlcError::Jump { by_us: most_us + 1 }));
        assert!(clock.stamp(wall(passed_us, most_us)).is_ok());
        assert_eq!(clock.steps_back(), 0);
    }
}

#[test]
fn drift_bound_is_exact() {
    let here = at(0, 1_000);
    let mut clock = Hlc::new(HlcConfig::lan());
    let before = clock;
    let beyond = Timestamp::from_micros(1_500_001);
    assert_eq!(clock.receive(here, beyond), Err(HlcError::TooFarAhead { by_us: 1 }));
    assert_eq!(clock, before);
    let last = Timestamp::new(1_500_000, 4094).unwrap();
    assert_eq!(clock.receive(here, last), last.next().map_err(HlcError::from));
    assert_eq!(clock.last(), last.next().unwrap());
    // its successor borrows the microsecond beyond: a clock that waits does not make it
    let mut waiting = Hlc::new(WAITING);
    let full = Timestamp::new(1_500_000, 4095).unwrap();
    assert_eq!(waiting.receive(here, full), Err(HlcError::Ahead { by_us: 1 }));
    assert!(clock.receive(here, full).is_ok());
}

#[test]
fn ceiling_is_exact() {
    let config = HlcConfig { window_us: 1_000, ..HlcConfig::lan() };
    let wall = |us| Reading::new(Instant::from_micros(us), us);
    let mut clock = Hlc::new(config);
    let due = Timestamp::from_micros(6_000);
    assert_eq!(clock.ceiling_due(wall(5_000)), Some(due));
    assert_eq!(clock.stamp(wall(5_000)), Err(HlcError::Ceiling { due }));
    clock.ceiling_written(due);
    clock.ceiling_written(Timestamp::from_micros(5_500)); // a lesser one takes nothing back
    assert_eq!(clock.stamp(wall(5_000)).unwrap().micros(), 5_000);
    // half of it is left, and then not
    assert_eq!(clock.ceiling_due(wall(5_499)), None);
    assert_eq!(clock.ceiling_due(wall(5_500)), Some(Timestamp::from_micros(6_500)));
    // up to it, and not beyond
    assert_eq!(clock.stamp(wall(6_000)).unwrap(), due);
    let next = Timestamp::from_micros(7_000);
    assert_eq!(clock.stamp(wall(6_000)), Err(HlcError::Ceiling { due: next }));
    // a message takes it as far ahead as one may: the ceiling to write lets it pass
    let message = Timestamp::from_micros(506_000);
    let Err(HlcError::Ceiling { due }) = clock.receive(wall(6_000), message) else { panic!() };
    assert_eq!(due, Timestamp::from_micros(507_000));
    clock.ceiling_written(due);
    assert!(clock.receive(wall(6_000), message).is_ok());
    // at the end of time there is no other
    clock.ceiling_written(Timestamp::MAX);
    assert_eq!(clock.ceiling_due(wall(Timestamp::MAX_MICROS)), None);
    assert!(Hlc::new(HlcConfig::lan()).ceiling_due(wall(5_000)).is_none(), "none is kept");
    assert!(Hlc::new(config).ceiling_due(wall(Timestamp::MAX_MICROS)).is_some());
    assert!(Hlc::new(config).ceiling_due(wall(Timestamp::MAX_MICROS + 1)).is_none());
}

#[test]
fn repeated_restarts_do_not_run_ahead() {
    let config = HlcConfig::radio();
    let reading = at(0, 1_700_000_000_000);
    let wall_us = 1_700_000_000_000_000;
    let mut written = Timestamp::ZERO;
    for _ in 0..1_000 {
        let mut clock = Hlc::restart(config, written);
        if let Some(ceiling) = clock.ceiling_due(reading) {
            clock.ceiling_written(ceiling);
            written = ceiling;
        }
        assert!(clock.stamp(reading).unwrap() <= written);
    }
    // two windows, and less than a tenth of a second a restart
    assert!(written.micros() < wall_us + 2 * config.window_us + 1_000 * 60_000, "{written}");
    // a thousandth of a window ahead there is room for all the timestamps that anybody makes
    let mut clock = Hlc::restart(config, written);
    let Some(ceiling) = clock.ceiling_due(reading) else { panic!() };
    clock.ceiling_written(ceiling);
    for _ in 0..100_000 {
        clock.stamp(reading).unwrap();
    }
    assert_eq!(clock.ceiling_due(reading), None);
}

#[test]
fn unsynchronised_node_with_ceilings_follows_messages() {
    let mut board = Hlc::new(HlcConfig::radio());
    let Err(HlcError::Ceiling { due }) = board.stamp(unsynchronised(0)) else { panic!() };
    board.ceiling_written(due);
    assert!(board.stamp(unsynchronised(0)).is_ok());
    let first = Timestamp::from_micros(1_700_000_000_000_000);
    let Err(HlcError::Ceiling { due }) = board.receive(unsynchronised(10), first) else { panic!() };
    assert_eq!(due.micros(), first.micros() + 60_000_000);
    board.ceiling_written(due);
    assert!(board.receive(unsynchronised(10), first).unwrap() > first);
    // and goes on from the ceiling after a restart, with whoever it hears
    let mut again = Hlc::restart(HlcConfig::radio(), due);
    let Err(HlcError::Ceiling { due: next }) = again.stamp(unsynchronised(0)) else { panic!() };
    assert!(next.micros() - due.micros() < 60_000);
    again.ceiling_written(next);
    assert!(again.stamp(unsynchronised(0)).unwrap() > due);
    assert!(
        again.receive(unsynchronised(5), Timestamp::from_micros(first.micros() + 1_000)).is_ok()
    );
}

#[test]
fn jump_is_detected_despite_elapsed_time() {
    let mut clock = Hlc::new(HlcConfig::lan());
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
fn first_message_sets_unsynchronised_time() {
    let mut board = Hlc::new(HlcConfig::lan());
    let alone = board.stamp(unsynchronised(0)).unwrap();
    assert_eq!((alone.micros(), alone.logical()), (0, 1));
    let first = Timestamp::from_micros(1_700_000_000_000_000);
    assert!(board.receive(unsynchronised(10), first).unwrap() > first);
    // a second later it knows what time it is, and refuses what is too far ahead
    let later = board.stamp(unsynchronised(1_010)).unwrap();
    assert_eq!(later.micros(), first.micros() + 1_000_000);
    let future = Timestamp::from_micros(first.micros() + 2_000_000);
    assert_eq!(
        board.receive(unsynchronised(1_010), future),
        Err(HlcError::TooFarAhead { by_us: 500_000 })
    );
    assert!(board.receive(unsynchronised(2_010), future).is_ok());
}

#[test]
fn slow_unsynchronised_node_keeps_up_within_bound() {
    let mut board = Hlc::new(HlcConfig::lan());
    let start = 1_700_000_000_000_000;
    board.receive(unsynchronised(0), Timestamp::from_micros(start)).unwrap();
    // its crystal is 0.1 % slow: an hour of true time, a message a second
    for second in 1..3_600 {
        let message = Timestamp::from_micros(start + second * 1_000_000);
        board.receive(unsynchronised(second * 999), message).unwrap();
    }
    let before = board;
    // as many messages as one likes, all at once, move it no farther than the bound
    let mut farthest = Timestamp::from_micros(start + 3_600_000_000);
    for _ in 0..1_000 {
        farthest = Timestamp::from_micros(farthest.micros() + 400_000);
        if board.receive(unsynchronised(3_599 * 999), farthest).is_err() {
            break;
        }
    }
    assert!(board.last().micros() - before.last().micros() < 2_000_000);
}

#[test]
fn slew_is_a_256th_of_elapsed_time() {
    let start = 1_700_000_000_000_000;
    let mut board = Hlc::new(HlcConfig::lan());
    board.receive(unsynchronised(0), Timestamp::from_micros(start)).unwrap();
    // what it takes the time for is seen by what it refuses
    let taken = |mut board: Hlc, ms: u64| {
        let far = Timestamp::from_micros(start + 1_000_000_000);
        match board.receive(unsynchronised(ms), far) {
            Err(HlcError::TooFarAhead { by_us }) => 1_000_000_000 - 500_000 - by_us,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(taken(board, 0), 0);
    board.receive(unsynchronised(1_000), Timestamp::from_micros(start + 1_400_000)).unwrap();
    assert_eq!(taken(board, 1_000), 1_000_000 + 1_000_000 / 256);
    // no farther in the same instant, nor by one that is not as far ahead as that, nor back
    board.receive(unsynchronised(1_000), Timestamp::from_micros(start + 1_400_000)).unwrap();
    assert_eq!(taken(board, 1_000), 1_003_906);
    board.receive(unsynchronised(2_000), Timestamp::from_micros(start + 2_003_916)).unwrap();
    assert_eq!(taken(board, 2_000), 2_003_916);
    board.receive(unsynchronised(3_000), Timestamp::from_micros(start)).unwrap();
    assert_eq!(taken(board, 3_000), 3_003_916);
    // a driver's clock that went back: the later instant counts
    board.receive(unsynchronised(2_500), Timestamp::from_micros(start)).unwrap();
    assert_eq!(taken(board, 3_000), 3_003_916);
}

#[test]
fn slew_is_independent_of_message_rate() {
    let start = 1_700_000_000_000_000;
    for period in [1u64, 100, 255, 256, 257, 1_000] {
        let config = HlcConfig { window_us: 0, max_offset_us: 10_000, ..HlcConfig::radio() };
        let mut board = Hlc::new(config);
        let reading = |round: u64| Reading::unsynchronised(Instant::from_micros(round * period));
        for round in 0..20_000_000 / period.max(100) {
            // the others' crystals are faster by a part in 1,000
            let told = start + round * period + round * period / 1_000;
            let taken = board.receive(reading(round), Timestamp::from_micros(told));
            taken.unwrap_or_else(|why| panic!("every {period} us, round {round}: {why}"));
            // timestamps in between change nothing
            board.stamp(reading(round)).unwrap();
        }
        // by a 256th where all are far ahead, no more and no less
        let mut pulled = Hlc::new(config);
        pulled.receive(reading(0), Timestamp::from_micros(start)).unwrap();
        for round in 1..=10_000 {
            let most_us = round * period + round * period / 256;
            let ahead = Timestamp::from_micros(start + most_us + 9_000);
            pulled.receive(reading(round), ahead).unwrap();
            let _ = pulled.stamp(reading(round));
            // what it takes the time for is seen by what it refuses
            let far = Timestamp::from_micros(start + 1_000_000_000);
            let Err(HlcError::TooFarAhead { by_us }) = pulled.receive(reading(round), far) else {
                panic!("it is too far");
            };
            let taken_us = 1_000_000_000 - config.max_offset_us - by_us;
            let shown = format!("every {period} us: {taken_us} of {most_us}");
            assert!(taken_us <= most_us && taken_us + 1 >= most_us, "{shown}");
        }
    }
}

#[test]
fn restart_from_ceiling_respects_ahead_bound() {
    let (wall_us, hour_us, minute_us) = (1_700_000_000_000_000, 3_600_000_000, 60_000_000);
    let restart = |set_back_us: u64, config: HlcConfig| {
        let mut clock = Hlc::new(HlcConfig::radio());
        let ceiling = clock.ceiling_due(Reading::new(Instant::ZERO, wall_us)).unwrap();
        clock.ceiling_written(ceiling);
        clock.stamp(Reading::new(Instant::ZERO, wall_us)).unwrap();
        let mut again = Hlc::restart(config, ceiling);
        let reading = Reading::new(Instant::ZERO, wall_us - set_back_us);
        again.ceiling_due(reading).into_iter().for_each(|due| again.ceiling_written(due));
        again.stamp(reading).map(Timestamp::micros)
    };
    let radio = HlcConfig::radio();
    assert_eq!(restart(hour_us - minute_us, radio), Ok(wall_us + minute_us));
    let by_us = minute_us;
    assert_eq!(restart(hour_us, radio), Err(HlcError::Ahead { by_us }));
    let farther = HlcConfig { max_ahead_us: hour_us + minute_us, ..radio };
    assert_eq!(restart(hour_us, farther), Ok(wall_us + minute_us));
    // one that waits, waits for the ceiling and for what it was set back by
    let strict = HlcConfig { max_ahead_us: 0, ..radio };
    let by_us = hour_us + minute_us - radio.max_offset_us;
    assert_eq!(restart(hour_us, strict), Err(HlcError::Ahead { by_us }));
}

#[test]
fn timestamp_exhaustion_is_an_error() {
    let mut clock = Hlc::restart(HlcConfig::lan(), Timestamp::MAX);
    assert_eq!(clock.stamp(unsynchronised(0)), Err(HlcError::Exhausted));
}

#[test]
fn wall_clock_out_of_range_is_rejected() {
    // nanoseconds for microseconds, a register that was never set
    for (config, wall_us) in [
        (HlcConfig::lan(), u64::MAX),
        (HlcConfig::lan(), Timestamp::MAX_MICROS + 1),
        (HlcConfig::lan(), 1_700_000_000_000_000_000),
        (HlcConfig::radio(), u64::MAX),
    ] {
        let wrong = Reading::new(Instant::ZERO, wall_us);
        let right = Reading::new(Instant::from_millis(1), 1_700_000_000_000_000);
        let mut clock = Hlc::new(config);
        let new_member = clock;
        assert_eq!(clock.ceiling_due(wrong), None, "nor is it made durable");
        assert_eq!(clock.stamp(wrong), Err(HlcError::Exhausted));
        assert_eq!(clock.receive(wrong, Timestamp::from_micros(1)), Err(HlcError::Exhausted));
        assert_eq!(clock, new_member);
        if let Some(ceiling) = clock.ceiling_due(right) {
            clock.ceiling_written(ceiling);
        }
        let stamp = clock.stamp(right);
        assert_eq!(stamp.map(Timestamp::micros), Ok(1_700_000_000_000_000));
    }
}

#[test]
fn last_microsecond_is_usable() {
    let wall = Reading::new(Instant::ZERO, Timestamp::MAX_MICROS);
    let mut clock = Hlc::new(HlcConfig::lan());
    for n in 0..4096u64 {
        let stamp = clock.stamp(wall).unwrap();
        assert_eq!(stamp.to_bits(), (Timestamp::MAX_MICROS << 12) + n);
    }
    assert_eq!(clock.last(), Timestamp::MAX);
    assert_eq!(clock.stamp(wall), Err(HlcError::Exhausted));
}

#[test]
fn presets_are_as_documented() {
    let of = |c: HlcConfig| [c.max_offset_us, c.max_ahead_us, c.max_jump_us, c.window_us];
    let (second, hour) = (1_000_000, 3_600_000_000);
    assert_eq!(of(HlcConfig::lan()), [second / 2, u64::MAX, second / 4, 0]);
    assert_eq!(of(HlcConfig::wan()), [second, u64::MAX, second / 2, 0]);
    assert_eq!(of(HlcConfig::radio()), [5 * second, hour, u64::MAX, 60 * second]);
    assert_eq!(HlcConfig::default(), HlcConfig::lan());
}
