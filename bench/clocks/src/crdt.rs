//! Replicated data types: ours, and those of others.

use std::hint::black_box;

use crdts::{CmRDT, CvRDT};
use quorate_clocks::{Actor, Heap};
use quorate_core::NodeId;
use quorate_crdt::{Crdt, GCounter, OrSet, PnCounter};

use crate::case::Case;

const GROUP: &str = "crdt";

/// All cases, those of one operation and size next to each other.
pub(crate) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for size in [3, 16, 128] {
        counters(&mut all, size);
        both_ways(&mut all, size);
    }
    for size in [100, 1000] {
        sets(&mut all, size);
    }
    all
}

fn actor(n: u64) -> Actor {
    Actor::from(NodeId::new(n * 7))
}

fn ours(size: usize, salt: u64) -> GCounter<Heap> {
    let mut counter = GCounter::with_limit(size);
    for n in 0..size as u64 {
        let _ = counter.increment(actor(n), 1 + (n * 31 + salt) % 17);
    }
    counter
}

fn crdts_counter(size: usize, salt: u64) -> crdts::GCounter<u64> {
    let mut counter = crdts::GCounter::new();
    for n in 0..size as u64 {
        for _ in 0..1 + (n * 31 + salt) % 17 {
            counter.apply(counter.inc(n * 7));
        }
    }
    counter
}

fn kit_counter(size: usize, salt: u64) -> crdt_kit::GCounter {
    let mut counter = crdt_kit::GCounter::new(0);
    for n in 0..size as u64 {
        let mut one = crdt_kit::GCounter::new(n * 7);
        one.increment_by(1 + (n * 31 + salt) % 17);
        crdt_kit::Crdt::merge(&mut counter, &one);
    }
    counter
}

fn counters(all: &mut Vec<Case>, size: usize) {
    let middle = size as u64 / 2;
    all.push(Case::new(GROUP, "GCounter increment", size, "quorate", move || {
        let mut counter = ours(size, 1);
        move || _ = black_box(counter.increment(black_box(actor(middle)), 1))
    }));
    all.push(Case::new(GROUP, "GCounter increment", size, "crdts", move || {
        let mut counter = crdts_counter(size, 1);
        move || counter.apply(black_box(counter.inc(black_box(middle * 7))))
    }));
    all.push(Case::new(GROUP, "GCounter increment", size, "crdt-kit", move || {
        let mut counter = kit_counter(size, 1);
        move || black_box(&mut counter).increment()
    }));
    all.push(Case::new(GROUP, "GCounter merge", size, "quorate", move || {
        let (mut counter, other) = (ours(size, 1), ours(size, 5));
        move || _ = black_box(counter.merge(black_box(&other)))
    }));
    all.push(Case::new(GROUP, "GCounter merge", size, "crdts (clones)", move || {
        let (mut counter, other) = (crdts_counter(size, 1), crdts_counter(size, 5));
        move || counter.merge(black_box(&other).clone())
    }));
    all.push(Case::new(GROUP, "GCounter merge", size, "crdt-kit", move || {
        let (mut counter, other) = (kit_counter(size, 1), kit_counter(size, 5));
        move || crdt_kit::Crdt::merge(&mut counter, black_box(&other))
    }));
    all.push(Case::new(GROUP, "GCounter value", size, "quorate", move || {
        let counter = ours(size, 1);
        move || _ = black_box(black_box(&counter).value())
    }));
    all.push(Case::new(GROUP, "GCounter value", size, "crdts", move || {
        let counter = crdts_counter(size, 1);
        move || _ = black_box(black_box(&counter).read())
    }));
    all.push(Case::new(GROUP, "GCounter value", size, "crdt-kit", move || {
        let counter = kit_counter(size, 1);
        move || _ = black_box(black_box(&counter).value())
    }));
}

fn both_ways(all: &mut Vec<Case>, size: usize) {
    let make = move |salt: u64| {
        let mut counter = PnCounter::<Heap>::with_limit(size);
        for n in 0..size as u64 {
            let _ = counter.increment(actor(n), 1 + (n * 31 + salt) % 17);
            let _ = counter.decrement(actor(n), 1 + (n * 13 + salt) % 17);
        }
        counter
    };
    let make_crdts = move |salt: u64| {
        let mut counter = crdts::PNCounter::<u64>::new();
        for n in 0..size as u64 {
            (0..1 + (n * 31 + salt) % 17).for_each(|_| counter.apply(counter.inc(n * 7)));
            (0..1 + (n * 13 + salt) % 17).for_each(|_| counter.apply(counter.dec(n * 7)));
        }
        counter
    };
    all.push(Case::new(GROUP, "PnCounter merge", size, "quorate", move || {
        let (mut counter, other) = (make(1), make(5));
        move || _ = black_box(counter.merge(black_box(&other)))
    }));
    all.push(Case::new(GROUP, "PnCounter merge", size, "crdts (clones)", move || {
        let (mut counter, other) = (make_crdts(1), make_crdts(5));
        move || counter.merge(black_box(&other).clone())
    }));
}

/// Elements that three actors added in turns; `skip` leaves some out, `extra` adds others.
fn our_set(size: usize, skip: u64, extra: u64) -> OrSet<u64, Heap> {
    let mut set = OrSet::with_limits(2 * size, 8);
    for n in 0..size as u64 {
        let _ = set.add(actor(n % 3), n * 11);
    }
    (0..skip).for_each(|n| _ = set.remove(&(n * 40 * 11)));
    (0..extra).for_each(|n| _ = set.add(actor(4), n * 40 * 11 + 1));
    set
}

fn crdts_set(size: usize, skip: u64, extra: u64) -> crdts::Orswot<u64, u64> {
    let mut set = crdts::Orswot::new();
    let add = |set: &mut crdts::Orswot<u64, u64>, element, who| {
        let context = set.read_ctx().derive_add_ctx(who);
        let op = set.add(element, context);
        set.apply(op);
    };
    (0..size as u64).for_each(|n| add(&mut set, n * 11, n % 3 * 7));
    for n in 0..skip {
        let element = n * 40 * 11;
        let context = set.contains(&element).derive_rm_ctx();
        let op = set.rm(element, context);
        set.apply(op);
    }
    (0..extra).for_each(|n| add(&mut set, n * 40 * 11 + 1, 28));
    set
}

fn kit_set(size: usize, skip: u64, extra: u64) -> crdt_kit::ORSet<u64> {
    let mut set = crdt_kit::ORSet::new(7);
    (0..size as u64).for_each(|n| set.insert(n * 11));
    let mut other = crdt_kit::ORSet::new(14);
    crdt_kit::Crdt::merge(&mut other, &set);
    (0..skip).for_each(|n| _ = other.remove(&(n * 40 * 11)));
    (0..extra).for_each(|n| other.insert(n * 40 * 11 + 1));
    other
}

fn sets(all: &mut Vec<Case>, size: usize) {
    let few = size as u64 / 40; // removed here, as many added: five in a hundred differ
    all.push(Case::new(GROUP, "OR-set add", size, "quorate", move || {
        let mut set = our_set(size, 0, 0);
        move || _ = black_box(set.add(actor(1), black_box(55)))
    }));
    all.push(Case::new(GROUP, "OR-set add", size, "crdts", move || {
        let mut set = crdts_set(size, 0, 0);
        move || {
            let context = set.read_ctx().derive_add_ctx(7);
            let op = set.add(black_box(55), context);
            set.apply(op);
        }
    }));
    all.push(Case::new(GROUP, "OR-set contains", size, "quorate", move || {
        let set = our_set(size, 0, 0);
        move || _ = black_box(black_box(&set).contains(black_box(&550)))
    }));
    all.push(Case::new(GROUP, "OR-set contains", size, "crdts", move || {
        let set = crdts_set(size, 0, 0);
        move || _ = black_box(black_box(&set).contains(black_box(&550)))
    }));
    all.push(Case::new(GROUP, "OR-set contains", size, "crdt-kit", move || {
        let set = kit_set(size, 0, 0);
        move || _ = black_box(black_box(&set).contains(black_box(&550)))
    }));
    all.push(Case::new(GROUP, "OR-set merge, 5 % differ (clones)", size, "quorate", move || {
        let (set, other) = (our_set(size, 0, 0), our_set(size, few, few));
        move || _ = black_box(set.clone().merge(black_box(&other)))
    }));
    all.push(Case::new(GROUP, "OR-set merge, 5 % differ (clones)", size, "crdts", move || {
        let (set, other) = (crdts_set(size, 0, 0), crdts_set(size, few, few));
        move || {
            let mut set = set.clone();
            set.merge(black_box(&other).clone());
            black_box(set);
        }
    }));
    all.push(Case::new(GROUP, "OR-set merge, 5 % differ (clones)", size, "crdt-kit", move || {
        let (set, other) = (kit_set(size, 0, 0), kit_set(size, few, few));
        move || {
            let mut set = set.clone();
            crdt_kit::Crdt::merge(&mut set, black_box(&other));
            black_box(set);
        }
    }));
}
