//! Clocks read over a network, against the truth.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::{ClockSync, Exchange, ExchangeError};
use quorate_core::{Drift, Instant};

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
    fn true_time_is_within_the_interval(rounds in rounds(), ppm in -90i64..90, epoch in 0u64..2_000_000_000_000_000) {
        let mut clock = ClockSync::new(Drift::from_ppm(PPM).unwrap_or_default());
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
fn slow_replies_and_asymmetry_stay_within_error() {
    let mut clock = ClockSync::new(Drift::NONE);
    clock.exchange(exchange(0, 1_000, 1_000, 10)).unwrap();
    let good = clock.read(Instant::from_micros(10)).unwrap();
    assert_eq!((good.earliest_us(), good.latest_us()), (999, 1_011));
    clock.exchange(exchange(100, 9_000, 9_000, 20_000)).unwrap(); // a long way, slow both there and back
    assert_eq!(clock.read(Instant::from_micros(10)), Some(good));
    // two slow replies, each slow in one direction, are as good as one that is fast
    let mut pair = ClockSync::new(Drift::NONE);
    pair.exchange(exchange(0, 1_000, 1_000, 5_000)).unwrap(); // fast there
    pair.exchange(exchange(10_000, 15_990, 15_990, 15_000)).unwrap(); // fast back
    assert!(pair.read(Instant::from_micros(15_000)).unwrap().error_us() <= 12);
}

#[test]
fn impossible_exchanges_are_rejected() {
    let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default());
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

#[test]
fn bounds_are_exact() {
    let mut clock = ClockSync::new(Drift::from_ppm(PPM).unwrap_or_default());
    assert_eq!(clock.read(Instant::ZERO), None);
    assert_eq!(clock.reading(Instant::from_micros(9)).wall_us, None);
    clock.exchange(exchange(0, 1_000, 1_000, 100)).unwrap();
    let read = |clock: &ClockSync, us: u64| {
        let read = clock.read(Instant::from_micros(us)).unwrap();
        (read.earliest_us(), read.latest_us())
    };
    // a microsecond for reading clocks and one, rounded up, for what they drift on the way
    assert_eq!(read(&clock, 100), (998, 1_102));
    assert_eq!(clock.reading(Instant::from_micros(100)).wall_us, Some(1_050));
    assert_eq!(read(&clock, 10_100), (10_997, 11_103));
    assert_eq!(read(&clock, 10_101), (10_997, 11_105));
    // before the reply came nothing has drifted yet
    assert_eq!(read(&clock, 50), (948, 1_052));
    // what the server is off widens both sides
    let mut sloppy = ClockSync::new(Drift::from_ppm(PPM).unwrap_or_default());
    let exchange = Exchange { server_error_us: 5, ..exchange(0, 1_000, 1_000, 100) };
    sloppy.exchange(exchange).unwrap();
    assert_eq!(read(&sloppy, 100), (993, 1_107));
}

#[test]
fn disjoint_replies_count_as_a_step() {
    let offset = |clock: &ClockSync| {
        let read = clock.read(Instant::from_micros(1_000)).unwrap();
        (read.earliest_us() - 1_000, read.latest_us() - 1_000)
    };
    let mut clock = ClockSync::new(Drift::NONE);
    clock.exchange(exchange(0, 1_000, 1_000, 10)).unwrap();
    assert_eq!(offset(&clock), (989, 1_001));
    clock.exchange(exchange(20, 1_032, 1_032, 30)).unwrap(); // 1,001 to 1,013
    assert_eq!((offset(&clock), clock.steps()), ((1_001, 1_001), 0));
    clock.exchange(exchange(40, 1_053, 1_053, 50)).unwrap(); // 1,002 to 1,014: the clock was stepped
    assert_eq!((offset(&clock), clock.steps()), ((1_002, 1_014), 1));
    clock.exchange(exchange(60, 500, 500, 70)).unwrap(); // and back
    assert_eq!((offset(&clock), clock.steps()), ((429, 441), 2));
}

#[test]
fn bound_widens_with_drift() {
    let mut clock = ClockSync::new(Drift::from_ppm(PPM).unwrap_or_default());
    clock.exchange(exchange(0, 1_000, 1_000, 10)).unwrap(); // 988 to 1,002
    // 100 s later both may be off by 10 ms more: a slow reply within that says less, and what is
    // known goes on from there
    let sent = 100_000_000;
    clock.exchange(exchange(sent, sent + 6_000, sent + 6_000, sent + 20_000)).unwrap();
    let read = clock.read(Instant::from_micros(sent + 20_000)).unwrap();
    let offsets = [read.earliest_us(), read.latest_us()].map(|us| us as i64 - sent as i64 - 20_000);
    // 988 - 10,002 at 10 ms a 100 s from then on, and 6,000 - 20,000 - 3 by the reply
    assert_eq!(offsets, [988 - 10_002, 6_000 + 3]);
    assert_eq!(clock.steps(), 0);
}

#[test]
fn out_of_range_times_are_rejected() {
    let beyond = 1 << 63;
    let good = exchange(5, 1_000, 1_001, 10);
    let far = Instant::from_micros(beyond);
    let cases = [
        Exchange { sent: far, received: far, ..good },
        Exchange { received: far, ..good },
        Exchange { arrived_us: beyond, left_us: beyond, ..good },
        Exchange { left_us: beyond, ..good },
        Exchange { server_error_us: beyond, ..good },
    ];
    for case in cases {
        let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default());
        assert_eq!(clock.exchange(case), Err(ExchangeError::OutOfRange), "{case:?}");
        assert_eq!(clock.read(Instant::ZERO), None);
    }
    let mut clock = ClockSync::new(Drift::from_ppm(50).unwrap_or_default());
    let last = Exchange { server_error_us: beyond - 1, ..good };
    clock.exchange(last).unwrap();
    assert_eq!(clock.read(Instant::ZERO).map(|read| read.earliest_us()), Some(0));
    // a server that took exactly as long as the exchange, and one that took longer
    let mut clock = ClockSync::new(Drift::NONE);
    assert_eq!(clock.exchange(exchange(0, 500, 513, 10)), Err(ExchangeError::Impossible));
    clock.exchange(exchange(0, 500, 512, 10)).unwrap();
    // the same instant twice is no time
    clock.exchange(exchange(0, 501, 501, 0)).unwrap();
}

/// A reply that says less than what is known ages it no faster.
#[test]
fn drift_counts_once_whatever_comes_between() {
    let exchange = |at_ms: u64, way_ms: u64| Exchange {
        sent: Instant::from_millis(at_ms),
        arrived_us: (at_ms + way_ms) * 1_000,
        left_us: (at_ms + way_ms) * 1_000,
        received: Instant::from_millis(at_ms + 2 * way_ms),
        server_error_us: 0,
    };
    let error_after = |between: &[Exchange]| {
        let mut clock = ClockSync::new(Drift::from_ppm(PPM).unwrap());
        clock.exchange(exchange(0, 0)).unwrap();
        between.iter().for_each(|&it| clock.exchange(it).unwrap());
        clock.read(Instant::from_millis(4_000_000)).unwrap().error_us()
    };
    let wide = [exchange(1_000_000, 5_000), exchange(2_000_000, 5_000)];
    assert!((400_000..400_010).contains(&error_after(&[])), "100 ppm of 4,000 s");
    assert!(error_after(&wide).abs_diff(error_after(&[])) < 10);
}
