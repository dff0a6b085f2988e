use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// The system's allocator, counting.
pub static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What some rounds took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Commands committed.
    pub proposals: usize,
    /// Messages delivered.
    pub messages: usize,
    /// Calls of the allocator for memory: fresh and grown.
    pub allocations: usize,
    /// Calls of the allocator of all kinds, those that give memory back included.
    pub calls: usize,
}

impl Count {
    /// Messages a proposal.
    #[must_use]
    pub fn messages_per_proposal(self) -> f64 {
        self.per_proposal(self.messages)
    }

    /// Allocations a proposal.
    #[must_use]
    pub fn allocations_per_proposal(self) -> f64 {
        self.per_proposal(self.allocations)
    }

    #[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
    fn per_proposal(self, number: usize) -> f64 {
        number as f64 / self.proposals.max(1) as f64
    }
}

/// Calls of the allocator so far, for memory and of all kinds.
pub(crate) fn allocator_calls() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    let taken = stats.allocations + stats.reallocations;
    (taken, taken + stats.deallocations)
}

/// Bytes on the heap now.
pub(crate) fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}
