//! The same histories given to clocks that others made: `crdts`, `vclock`, `uhlc`.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use crdts::{CmRDT, CvRDT};
use proptest::prelude::*;
use quorate_clocks::{Hlc, HlcConfig, HlcError, Inline, Reading, Timestamp, VersionVector};
use quorate_core::{Instant, NodeId};

type Ours = VersionVector<Inline<5>>;

/// An event of an actor at one of three replicas, or a merge from one into another.
fn history() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    prop::collection::vec((0usize..3, 0usize..5, any::<bool>()), 0..60)
}

/// How a wall clock moves between two readings.
fn moves() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 0i64..3, 1 => 0i64..200_000, 1 => -2_000_000i64..0]
}

proptest! {
    #[test]
    fn vectors_agree_with_crdts_and_vclock(history in history()) {
        let mut ours = [(); 3].map(|()| Ours::new());
        let mut crdts = [(); 3].map(|()| crdts::VClock::<u64>::new());
        let mut vclocks = [(); 3].map(|()| vclock::VClock::<u64, u64>::default());
        for (at, other, event) in history {
            if event {
                let actor = other as u64;
                let dot = ours[at].increment(NodeId::new(actor).into()).unwrap();
                let theirs = crdts[at].inc(actor);
                prop_assert_eq!(dot.counter(), theirs.counter);
                crdts[at].apply(theirs);
                // its first value is 0, ours is 1
                if vclocks[at].get(&actor).is_none() {
                    vclocks[at].merge(&vclock::VClock::from(std::collections::HashMap::from([(actor, 0)])));
                }
                vclocks[at].incr(&actor);
            } else {
                let from = other % 3;
                let (a, b, c) = (ours[from].clone(), crdts[from].clone(), vclocks[from].clone());
                ours[at].merge(&a).unwrap();
                crdts[at].merge(b);
                vclocks[at].merge(&c);
            }
            for actor in 0..5 {
                let count = ours[at].get(NodeId::new(actor).into());
                prop_assert_eq!(count, crdts[at].get(&actor));
                prop_assert_eq!(count, vclocks[at].get(&actor).unwrap_or(0));
            }
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                let order = ours[a].compare(&ours[b]).ordering();
                prop_assert_eq!(order, crdts[a].partial_cmp(&crdts[b]));
                prop_assert_eq!(order, vclocks[a].partial_cmp(&vclocks[b]));
            }
            let mut meet = ours[0].clone();
            meet.meet(&ours[1]);
            let mut theirs = crdts[0].clone();
            theirs.glb(&crdts[1]);
            for actor in 0..5 {
                prop_assert_eq!(meet.get(NodeId::new(actor).into()), theirs.get(&actor));
            }
        }
    }

    #[test]
    fn hlc_agrees_with_uhlc(steps in prop::collection::vec((0usize..3, 0usize..3, 0u64..4, any::<bool>()), 0..80)) {
        // both keep the counter in the low bits: with 12 bits below the microsecond they count alike
        let config = HlcConfig { max_offset_us: 1 << 19, max_jump_us: u64::MAX, ..HlcConfig::lan() };
        let mut ours = [Hlc::new(config); 3];
        let theirs = [(); 3].map(|()| {
            uhlc::HLCBuilder::new().with_clock(|| uhlc::NTP64(WALL_US.get() << 12)).build()
        });
        let start = 1_700_000_000_000_000;
        WALL_US.set(start);
        let mut sent = [None; 3];
        for (at, from, wait_us, is_stamp) in steps {
            let wall_us = WALL_US.get() + wait_us;
            WALL_US.set(wall_us);
            let reading = Reading::new(Instant::from_micros(wall_us - start), wall_us);
            if !is_stamp && let Some((message, foreign)) = &sent[from] {
                ours[at].receive(reading, *message).unwrap();
                theirs[at].update_with_timestamp(foreign).unwrap();
            }
            let stamp = ours[at].stamp(reading).unwrap();
            let foreign = theirs[at].new_timestamp();
            let bits = foreign.get_time().as_u64();
            // theirs does not count a receive when its clock stands where it stood: never ahead of ours, and never by much
            prop_assert!(bits <= stamp.to_bits() && stamp.to_bits() - bits <= 80);
            prop_assert_eq!(bits >> 12, stamp.micros());
            sent[at] = Some((stamp, foreign));
        }
    }

    #[test]
    fn local_stamps_agree_with_uhlc(moves in prop::collection::vec(moves(), 1..80)) {
        let mut ours = Hlc::new(HlcConfig::lan());
        let theirs = uhlc::HLCBuilder::new().with_clock(|| uhlc::NTP64(WALL_US.get() << 12)).build();
        WALL_US.set(1_700_000_000_000_000);
        for by_us in moves {
            // set back by up to 2 s too
            WALL_US.set(WALL_US.get().saturating_add_signed(by_us));
            let stamp = ours.stamp(Reading::new(Instant::ZERO, WALL_US.get())).unwrap();
            prop_assert_eq!(stamp.to_bits(), theirs.new_timestamp().get_time().as_u64());
        }
    }

    #[test]
    fn future_timestamps_are_rejected_like_uhlc(ahead_us in 0u64..(1 << 20)) {
        prop_assume!(ahead_us != 1 << 19);
        let start = 1_700_000_000_000_000;
        WALL_US.set(start + ahead_us);
        let message = uhlc::HLCBuilder::new().with_clock(|| uhlc::NTP64(WALL_US.get() << 12)).build().new_timestamp();
        WALL_US.set(start);
        // half a second is 2^31 of their units, 2^19 of our microseconds in them
        let theirs = uhlc::HLCBuilder::new()
            .with_clock(|| uhlc::NTP64(WALL_US.get() << 12))
            .with_max_delta(std::time::Duration::from_millis(500))
            .build();
        let mut ours = Hlc::new(HlcConfig { max_offset_us: 1 << 19, ..HlcConfig::lan() });
        let taken = ours.receive(Reading::new(Instant::ZERO, start), Timestamp::from_micros(start + ahead_us));
        prop_assert_eq!(taken.is_ok(), theirs.update_with_timestamp(&message).is_ok());
        if let Err(why) = taken {
            prop_assert_eq!(why, HlcError::TooFarAhead { by_us: ahead_us - (1 << 19) });
        }
    }
}

thread_local! {
    /// What all clocks here read.
    static WALL_US: Cell<u64> = const { Cell::new(0) };
}
