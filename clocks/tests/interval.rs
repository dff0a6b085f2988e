//! Intervals of physical time, against all the times in them.

use proptest::prelude::*;
use quorate_clocks::TimeInterval;

fn intervals() -> impl Strategy<Value = TimeInterval> {
    (0u64..40, 0u64..40).prop_map(|(a, b)| {
        TimeInterval::new(a.min(b), a.max(b)).unwrap_or(TimeInterval::around(0, 0))
    })
}

proptest! {
    #[test]
    fn interval_matches_model(now in intervals(), other in intervals(), time in 0u64..50) {
        let (earliest, latest) = (now.earliest_us(), now.latest_us());
        let all = |now: TimeInterval| (0u64..50).filter(move |t| (now.earliest_us()..=now.latest_us()).contains(t));
        prop_assert!(earliest <= latest);
        prop_assert_eq!(now.is_after(time), all(now).all(|t| t > time));
        prop_assert_eq!(now.is_before(time), all(now).all(|t| t < time));
        // the middle is the guess that is off least
        let worst = |guess: u64| all(now).map(|t| t.abs_diff(guess)).max();
        prop_assert_eq!(worst(now.middle_us()), Some(now.error_us()));
        prop_assert!((0..50).all(|guess| worst(guess) >= Some(now.error_us())));
        // waiting that long, and no less, makes sure
        let wait = now.commit_wait_us(time);
        let later = |by: u64| TimeInterval::new(earliest + by, latest + by);
        prop_assert!(later(wait).is_some_and(|now| now.is_after(time)));
        prop_assert!(wait == 0 || later(wait - 1).is_some_and(|now| !now.is_after(time)));
        let both: Vec<u64> = all(now).filter(|t| all(other).any(|o| o == *t)).collect();
        match now.intersect(other) {
            Some(common) => prop_assert!(all(common).eq(both)),
            None => prop_assert!(both.is_empty()),
        }
        prop_assert_eq!(now.intersect(other), other.intersect(now));
    }
}

#[test]
fn interval_ends_saturate() {
    assert!(TimeInterval::new(6, 5).is_none());
    assert_eq!(TimeInterval::new(5, 5), Some(TimeInterval::around(5, 0)));
    let all = TimeInterval::around(9, u64::MAX);
    assert_eq!((all.earliest_us(), all.latest_us()), (0, u64::MAX));
    assert_eq!((all.middle_us(), all.error_us()), (u64::MAX / 2, u64::MAX / 2 + 1));
    assert_eq!(TimeInterval::around(0, 0).commit_wait_us(u64::MAX), u64::MAX);
}
