//! Clocks: ours, and those of others.

use std::hint::black_box;

use crdts::{CmRDT, CvRDT};
use quorate_clocks::{
    Actor, Dot, Heap, Hlc, HlcConfig, Inline, Lamport, Reading, Storage, Timestamp, VersionVector,
};
use quorate_core::{Instant, NodeId};

use crate::case::Case;

const GROUP: &str = "clocks";

/// All cases, those of one operation and size next to each other.
pub(crate) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for size in [3, 16, 128] {
        increments(&mut all, size);
        merges(&mut all, size);
        growing_merges(&mut all, size);
        comparisons(&mut all, size);
    }
    stamps(&mut all);
    all
}

fn actor(n: u64) -> Actor {
    Actor::from(NodeId::new(n * 7))
}

/// Vectors with `size` actors from `first` on, each with a counter that differs by `salt`.
fn ours<S: Storage>(first: u64, size: usize, salt: u64) -> VersionVector<S> {
    let mut vector = VersionVector::with_limit(4 * size);
    for n in first..first + size as u64 {
        if let Some(dot) = Dot::new(actor(n), 1 + (n * 31 + salt) % 17) {
            let _ = vector.observe(dot);
        }
    }
    vector
}

fn crdts(first: u64, size: usize, salt: u64) -> crdts::VClock<u64> {
    (first..first + size as u64).map(|n| crdts::Dot::new(n * 7, 1 + (n * 31 + salt) % 17)).collect()
}

fn vclock(first: u64, size: usize, salt: u64) -> vclock::VClock<u64, u64> {
    (first..first + size as u64)
        .map(|n| (n * 7, 1 + (n * 31 + salt) % 17))
        .collect::<std::collections::HashMap<_, _>>()
        .into()
}

fn increments(all: &mut Vec<Case>, size: usize) {
    let middle = size as u64 / 2;
    all.push(Case::new(GROUP, "increment", size, "quorate", move || {
        let mut clock = ours::<Heap>(0, size, 1);
        move || _ = black_box(clock.increment(black_box(actor(middle))))
    }));
    all.push(Case::new(GROUP, "increment", size, "crdts", move || {
        let mut clock = crdts(0, size, 1);
        move || clock.apply(black_box(clock.inc(black_box(middle * 7))))
    }));
    all.push(Case::new(GROUP, "increment", size, "vclock", move || {
        let mut clock = vclock(0, size, 1);
        move || clock.incr(black_box(&(middle * 7)))
    }));
}

/// Both know the same actors.
fn merges(all: &mut Vec<Case>, size: usize) {
    all.push(Case::new(GROUP, "merge", size, "quorate", move || {
        let (mut clock, other) = (ours::<Heap>(0, size, 1), ours::<Heap>(0, size, 5));
        move || _ = black_box(clock.merge(black_box(&other)))
    }));
    all.push(Case::new(GROUP, "merge", size, "quorate inline", move || {
        let (mut clock, other) = (ours::<Inline<128>>(0, size, 1), ours::<Inline<128>>(0, size, 5));
        move || _ = black_box(clock.merge(black_box(&other)))
    }));
    all.push(Case::new(GROUP, "merge", size, "crdts", move || {
        let (mut clock, other) = (crdts(0, size, 1), crdts(0, size, 5));
        move || clock.merge(black_box(&other).clone()) // it takes the other by value
    }));
    all.push(Case::new(GROUP, "merge", size, "vclock", move || {
        let (mut clock, other) = (vclock(0, size, 1), vclock(0, size, 5));
        move || clock.merge(black_box(&other))
    }));
}

/// Half of the actors are new to a copy made anew each time.
fn growing_merges(all: &mut Vec<Case>, size: usize) {
    let from = size as u64 / 2;
    all.push(Case::new(GROUP, "copy, merge half new", size, "quorate", move || {
        let (clock, other) = (ours::<Heap>(0, size, 1), ours::<Heap>(from, size, 5));
        move || {
            let mut copy = black_box(&clock).clone();
            let _ = copy.merge(black_box(&other));
            black_box(copy);
        }
    }));
    all.push(Case::new(GROUP, "copy, merge half new", size, "crdts", move || {
        let (clock, other) = (crdts(0, size, 1), crdts(from, size, 5));
        move || {
            let mut copy = black_box(&clock).clone();
            copy.merge(black_box(&other).clone());
            black_box(copy);
        }
    }));
    all.push(Case::new(GROUP, "copy, merge half new", size, "vclock", move || {
        let (clock, other) = (vclock(0, size, 1), vclock(from, size, 5));
        move || {
            let mut copy = black_box(&clock).clone();
            copy.merge(black_box(&other));
            black_box(copy);
        }
    }));
}

fn comparisons(all: &mut Vec<Case>, size: usize) {
    for (operation, salt) in [("compare, equal", 1), ("compare, concurrent", 9)] {
        all.push(Case::new(GROUP, operation, size, "quorate", move || {
            let (a, b) = (ours::<Heap>(0, size, 1), ours::<Heap>(0, size, salt));
            move || _ = black_box(black_box(&a).partial_cmp(black_box(&b)))
        }));
        all.push(Case::new(GROUP, operation, size, "crdts", move || {
            let (a, b) = (crdts(0, size, 1), crdts(0, size, salt));
            move || _ = black_box(black_box(&a).partial_cmp(black_box(&b)))
        }));
        all.push(Case::new(GROUP, operation, size, "vclock", move || {
            let (a, b) = (vclock(0, size, 1), vclock(0, size, salt));
            move || _ = black_box(black_box(&a).partial_cmp(black_box(&b)))
        }));
    }
}

const WALL_US: u64 = 1_700_000_000_000_000;

/// All read a clock that stands still, so that what is measured is theirs.
fn stamps(all: &mut Vec<Case>) {
    all.push(Case::new(GROUP, "hybrid stamp", 1, "quorate", || {
        let mut clock = Hlc::new(HlcConfig::lan());
        move || _ = black_box(clock.stamp(black_box(Reading::new(Instant::ZERO, WALL_US))))
    }));
    all.push(Case::new(GROUP, "hybrid stamp", 1, "uhlc", || {
        let clock = uhlc::HLCBuilder::new().with_clock(|| uhlc::NTP64(WALL_US << 12)).build();
        move || _ = black_box(clock.new_timestamp())
    }));
    all.push(Case::new(GROUP, "hybrid stamp", 1, "crdt-kit", || {
        // its counter of 16 bits wraps on a clock that stands still
        let mut clock = crdt_kit::clock::HybridClock::with_time_source(1, || WALL_US / 1_000);
        move || _ = black_box(clock.now())
    }));
    all.push(Case::new(GROUP, "hybrid receive", 1, "quorate", || {
        let mut clock = Hlc::new(HlcConfig::lan());
        let message = Timestamp::from_micros(WALL_US + 5);
        move || {
            let reading = Reading::new(Instant::ZERO, WALL_US);
            _ = black_box(clock.receive(black_box(reading), black_box(message)));
        }
    }));
    all.push(Case::new(GROUP, "hybrid receive", 1, "uhlc", || {
        let clock = uhlc::HLCBuilder::new().with_clock(|| uhlc::NTP64(WALL_US << 12)).build();
        let message = uhlc::HLCBuilder::new()
            .with_clock(|| uhlc::NTP64(WALL_US << 12))
            .build()
            .new_timestamp();
        move || _ = black_box(clock.update_with_timestamp(black_box(&message)))
    }));
    all.push(Case::new(GROUP, "Lamport receive", 1, "quorate", || {
        let mut clock = Lamport::new();
        move || _ = black_box(clock.receive(black_box(17)))
    }));
}
