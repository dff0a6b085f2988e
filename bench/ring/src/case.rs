//! One placement as one library does it, and how it is measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::key::{Key, token};

/// How long one run of lookups should take, in ns.
const RUN_NS: u128 = 400_000;
/// How many runs a turn has: the first ones bring into the cache what others have driven out.
const RUNS: usize = 4;
/// How long all runs of adding a node may take.
const ADD_TIME: Duration = Duration::from_secs(1);

/// Lookups of so many keys, from this number on: gives the sum of what was found, so that nothing is left out.
type Lookups = Box<dyn FnMut(u64, u64) -> u64>;

/// What is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The owner of a key of 16 bytes.
    Key,
    /// The owner of a key that is hashed.
    Hashed,
    /// Three distinct nodes for a key that is hashed.
    Three,
    /// The same from three zones.
    ThreeZones,
}

impl Operation {
    pub(crate) const ALL: [Self; 4] = [Self::Key, Self::Hashed, Self::Three, Self::ThreeZones];
}

/// Placements of one kind are compared with ours of that kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ring,
    Rendezvous,
    Jump,
    Table,
}

/// A placement of one library.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    /// Whose code it is.
    pub(crate) who: &'static str,
    /// Ours, with which the others of the kind are compared.
    pub(crate) is_ours: bool,
    /// Bytes on the heap.
    pub(crate) bytes: usize,
    lookups: Vec<(Operation, Run)>,
    /// Adds a node, and tells the time.
    add: Option<Box<dyn FnMut() -> Duration>>,
    pub(crate) add_ns: Option<f64>,
}

impl Case {
    pub(crate) fn new(kind: Kind, who: &'static str, bytes: usize) -> Self {
        Self { kind, who, is_ours: false, bytes, lookups: Vec::new(), add: None, add_ns: None }
    }

    /// It is what others of the kind are compared with.
    pub(crate) fn ours(self) -> Self {
        Self { is_ours: true, ..self }
    }

    pub(crate) fn key(mut self, find: impl Fn(Key) -> u64 + 'static) -> Self {
        self.push(Operation::Key, move |number| find(Key::new(number)));
        self
    }

    /// Nodes have the numbers from 0 on.
    pub(crate) fn hashed(mut self, find: impl Fn(u64) -> u64 + 'static) -> Self {
        self.push(Operation::Hashed, move |number| find(token(number)));
        self
    }

    pub(crate) fn three(mut self, find: impl Fn(u64) -> u64 + 'static) -> Self {
        self.push(Operation::Three, move |number| find(token(number)));
        self
    }

    pub(crate) fn three_zones(mut self, find: impl Fn(u64) -> u64 + 'static) -> Self {
        self.push(Operation::ThreeZones, move |number| find(token(number)));
        self
    }

    /// Adds a node at each call; what has to be done before and after is not in the time.
    pub(crate) fn add(mut self, add: impl FnMut() -> Duration + 'static) -> Self {
        self.add = Some(Box::new(add));
        self
    }

    fn push(&mut self, operation: Operation, find: impl Fn(u64) -> u64 + 'static) {
        let lookups: Lookups = Box::new(move |first, rounds| {
            (first..first + rounds).fold(0, |sum, number| sum.wrapping_add(find(number)))
        });
        self.lookups.push((operation, Run::new(lookups)));
    }

    /// Times this once.
    pub(crate) fn turn(&mut self, operation: Operation) {
        self.lookups.iter_mut().filter(|(it, _)| *it == operation).for_each(|(_, run)| run.turn());
    }

    /// The least time, in ns.
    pub(crate) fn ns(&self, operation: Operation) -> Option<f64> {
        self.lookups.iter().find(|(it, _)| *it == operation).map(|(_, run)| run.best_ns)
    }

    /// Calls of the allocator at each.
    pub(crate) fn allocations(&mut self, operation: Operation) -> Option<f64> {
        let (_, run) = self.lookups.iter_mut().find(|(it, _)| *it == operation)?;
        Some(run.allocations())
    }

    /// The least time of some.
    pub(crate) fn time_add(&mut self) {
        let Some(add) = &mut self.add else { return };
        let start = Instant::now();
        let mut best = Duration::MAX;
        for turn in 0..30 {
            if turn >= 2 && start.elapsed() > ADD_TIME {
                break;
            }
            best = best.min(add());
        }
        self.add_ns = Some(best.as_nanos() as f64);
    }

    /// The largest share of so many keys, as a multiple of the mean of the nodes that have any.
    pub(crate) fn largest_share(&mut self, nodes: usize, keys: u64) -> Option<f64> {
        let (_, run) = self.lookups.iter_mut().find(|(it, _)| *it == Operation::Hashed)?;
        let mut shares = vec![0_u64; nodes];
        for number in 0..keys {
            let owner = usize::try_from((run.lookups)(number, 1)).ok()?;
            *shares.get_mut(owner)? += 1;
        }
        let largest = shares.iter().max()?;
        let owners = shares.iter().filter(|share| **share > 0).count();
        Some(*largest as f64 * owners as f64 / keys as f64)
    }
}

/// One operation while it is timed.
struct Run {
    lookups: Lookups,
    rounds: u64,
    next: u64,
    best_ns: f64,
}

impl Run {
    fn new(lookups: Lookups) -> Self {
        Self { lookups, rounds: 0, next: 0, best_ns: f64::MAX }
    }

    /// Other keys each time.
    fn run(&mut self, rounds: u64) -> Duration {
        let start = Instant::now();
        black_box((self.lookups)(black_box(self.next), rounds));
        self.next += rounds;
        start.elapsed()
    }

    fn turn(&mut self) {
        if self.rounds == 0 {
            self.rounds = 4;
            // one run may be long because the machine did something else
            while (0..3).any(|_| self.run(self.rounds).as_nanos() < RUN_NS) {
                self.rounds *= 2;
            }
        }
        for _ in 0..RUNS {
            let ns = self.run(self.rounds).as_nanos() as f64 / self.rounds as f64;
            self.best_ns = self.best_ns.min(ns);
        }
    }

    fn allocations(&mut self) -> f64 {
        let region = Region::new(ALLOCATOR);
        self.run(100);
        let change = region.change();
        (change.allocations + change.reallocations) as f64 / 100.0
    }
}

/// What is made, and how many bytes of the heap it keeps.
pub(crate) fn weighed<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let region = Region::new(ALLOCATOR);
    let made = make();
    let change = region.change();
    (made, change.bytes_allocated - change.bytes_deallocated)
}

/// How long this takes.
pub(crate) fn timed<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(run());
    let time = start.elapsed();
    drop(result);
    time
}
