//! Lamport's three rules on random histories.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use quorate_clocks::{Lamport, LamportError};

proptest! {
    #[test]
    fn lamport_times_respect_causality(steps in prop::collection::vec((0usize..3, 0usize..3, any::<bool>()), 0..80)) {
        let mut clocks = [Lamport::new(); 3];
        let mut sent = [None; 3];
        for (at, from, is_receive) in steps {
            let before = clocks[at].time();
            let time = match sent[from] {
                Some(message) if is_receive => {
                    let time = clocks[at].receive(message).unwrap();
                    prop_assert_eq!(time, before.max(message) + 1);
                    time
                }
                _ => clocks[at].tick().unwrap(),
            };
            prop_assert!(time > before);
            prop_assert_eq!(clocks[at].time(), time);
            sent[at] = Some(time);
        }
    }
}

#[test]
fn excessive_jump_is_rejected() {
    let mut clock = Lamport::from_time(5);
    assert_eq!(clock.receive(5 + (1 << 32)), Err(LamportError::TooFarAhead));
    assert_eq!(clock.time(), 5);
    assert_eq!(clock.receive(4 + (1 << 32)), Ok(5 + (1 << 32)));
    let mut last = Lamport::from_time(u64::MAX);
    assert_eq!(last.receive(1), Err(LamportError::Exhausted));
    assert_eq!(last, Lamport::from_time(u64::MAX));
}
