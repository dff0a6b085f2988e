//! How many replicas stale reads are computed for.

use quorate_ring::pbs::{PbsError, stale_read};

#[test]
fn fractions_of_131_replicas_fit() {
    for w in 1..=131 {
        for r in 1..=w {
            assert!(stale_read(131, r, w).is_ok(), "{r} {w}");
        }
    }
    assert_eq!(stale_read(132, 66, 66), Err(PbsError::TooLarge));
    // the result fits, and a product on the way to it does not
    assert_eq!(stale_read(156, 51, 103), Err(PbsError::TooLarge));
}
