//! Instants of a driver's clock.

use core::hint::black_box;
use core::time::Duration;

use quorate_core::Instant;

#[test]
fn durations_beyond_the_clock_end_at_its_last_instant() {
    let from = |duration| Instant::from_duration(black_box(duration));
    assert_eq!(from(Duration::from_nanos(1_999)), Instant::from_micros(1));
    let last = Duration::from_micros(u64::MAX);
    assert_eq!(from(last), Instant::MAX);
    assert_eq!(from(last - Duration::from_micros(1)), Instant::from_micros(u64::MAX - 1));
    assert_eq!(from(last + Duration::from_micros(1)), Instant::MAX);
    assert_eq!(from(last + Duration::from_secs(5)), Instant::MAX);
}
