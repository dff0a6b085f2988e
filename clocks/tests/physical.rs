//! Clocks read over a network, against the truth.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::{ClockSync, Exchange, ExchangeError};
use quorate_core::Instant;

const PPM: u32 = 100;

/// A crystal that is off by `ppm`, at true time `us`.
fn crystal(us: u64, ppm: i64) -> Instant {
    Instant::from_micros(us.saturating_add_signed((us as i64 * ppm).div_euclid(1_000_000)))
}

#[derive(Clone, Debug)]
struct Round {
    wait_us: u64,
    there_us: u64,
    work_us: u64,
    back_us: u64,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let delay = || prop_oneof![0u64..500, 0u64..200_000];
    let round = (0u64..100_000_000, delay(), delay(), delay()).prop_map(
        |(wait_us, there_us, work_us, back_us)| Round { wait_us, there_us, work_us, back_us },
    );
    prop::collection::vec(round, 1..30)
}

proptest! {
    #[test]
    fn the_truth_lies_within(rounds in rounds(), ppm in -90i64..90, epoch in 0u64..2_000_000_000_000_000) {
        let mut clock = ClockSync::new(PPM);
        let mut now = 5_000_000;
        let mut fastest = u64::MAX;
        for Round { wait_us, there_us, work_us, back_us } in rounds {
            now += wait_us;
            if let Some(read) = clock.read(crystal(now, ppm)) {
                prop_assert!(read.earliest_us() <= epoch + now && epoch + now <= read.latest_us(), "{read}, not {}", epoch + now);
            }
            let sent = crystal(now, ppm);
            let arrived_us = epoch + now + there_us;
            let left_us = arrived_us + work_us;
            now += there_us + work_us + back_us;
            let received = crystal(now, ppm);
            if received < sent {
                continue;
            }
            let exchange = Exchange { sent, arrived_us, left_us, received, server_error_us: 0 };
            let outcome = clock.exchange(exchange);
            if there_us + back_us > 300 {
                prop_assert_eq!(outcome, Ok(())); // else the crystal may be off by more than the way took
            }
            let Some(read) = clock.read(received) else { continue };
            prop_assert!(read.earliest_us() <= epoch + now && epoch + now <= read.latest_us());
            // never worse than the best reply of all, once aged
            fastest = fastest.saturating_add(wait_us / 4_000).min(there_us + back_us);
            prop_assert!(read.error_us() <= fastest + 400);
        }
        prop_assert_eq!(clock.steps(), 0);
    }
}

fn exchange(sent: u64, arrived_us: u64, left_us: u64, received: u64) -> Exchange {
    let [sent, received] = [sent, received].map(Instant::from_micros);
    Exchange { sent, arrived_us, left_us, received, server_error_us: 0 }
}

#[test]
fn a_slow_reply_does_no_harm_and_asymmetry_is_within_the_error() {
    let mut clock = ClockSync::new(0);
    clock.exchange(exchange(0, 1_000, 1_000, 10)).unwrap();
    let good = clock.read(Instant::from_micros(10)).unwrap();
    assert_eq!((good.earliest_us(), good.latest_us()), (999, 1_011));
    clock.exchange(exchange(100, 9_000, 9_000, 20_000)).unwrap(); // a long way, slow both there and back
    assert_eq!(clock.read(Instant::from_micros(10)), Some(good));
    // two slow replies, each slow in one direction, are as good as one that is fast
    let mut pair = ClockSync::new(0);
    pair.exchange(exchange(0, 1_000, 1_000, 5_000)).unwrap(); // fast there
    pair.exchange(exchange(10_000, 15_990, 15_990, 15_000)).unwrap(); // fast back
    assert!(pair.read(Instant::from_micros(15_000)).unwrap().error_us() <= 12);
}

#[test]
fn what_cannot_be_changes_nothing() {
    let mut clock = ClockSync::new(50);
    clock.exchange(exchange(0, 1_000, 1_000, 10)).unwrap();
    let before = clock;
    for impossible in [exchange(20, 5, 5, 10), exchange(0, 9, 5, 10), exchange(0, 500, 9_000, 10)] {
        assert_eq!(clock.exchange(impossible), Err(ExchangeError::Impossible));
    }
    assert_eq!(clock.exchange(exchange(0, u64::MAX, u64::MAX, 10)), Err(ExchangeError::OutOfRange));
    // however uncertain the server is, no reply comes before its request
    let sloppy = Exchange { server_error_us: 100, ..exchange(20, 5, 5, 10) };
    assert_eq!(clock.exchange(sloppy), Err(ExchangeError::Impossible));
    let reversed = Exchange { server_error_us: 100, ..exchange(0, 9, 5, 10) };
    assert_eq!(clock.exchange(reversed), Err(ExchangeError::Impossible));
    assert_eq!(clock, before);
}
