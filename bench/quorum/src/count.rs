use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// The system's allocator, counting.
pub static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What some requests took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Requests that are done.
    pub requests: usize,
    /// Messages delivered.
    pub messages: usize,
    /// Their bytes, encoded.
    pub message_bytes: usize,
    /// Records made durable, on all nodes together.
    pub records: usize,
    /// Their bytes, encoded.
    pub record_bytes: usize,
    /// Calls of the allocator for memory: fresh and grown.
    pub allocations: usize,
    /// Calls of the allocator of all kinds, those that give memory back included.
    pub calls: usize,
}

impl Count {
    /// What came between an earlier count and this one.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            messages: self.messages - earlier.messages,
            message_bytes: self.message_bytes - earlier.message_bytes,
            records: self.records - earlier.records,
            record_bytes: self.record_bytes - earlier.record_bytes,
            allocations: self.allocations - earlier.allocations,
            calls: self.calls - earlier.calls,
        }
    }

    /// The same with the calls of the allocator so far.
    pub(crate) fn with_allocator_calls(self) -> Self {
        let stats = ALLOCATOR.stats();
        let allocations = stats.allocations + stats.reallocations;
        Self { allocations, calls: allocations + stats.deallocations, ..self }
    }
}
