use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits;

/// The memory for replies of a node that their clients have not read yet.
///
/// Beyond [`limits::OUTPUT_SOFT_LIMIT_BYTES`] no further reads are answered, until there is room,
/// and clients that take too little are closed. Beyond [`limits::OUTPUT_HARD_LIMIT_BYTES`] long
/// replies are dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputBudget(Arc<Totals>);

#[derive(Debug, Default)]
struct Totals {
    bytes: AtomicUsize,
    closed: AtomicU64,
}

/// The part of the budget that one reply, or one client, uses until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    of: OutputBudget,
    bytes: usize,
}

impl OutputBudget {
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// No more reads are to be answered.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= limits::OUTPUT_SOFT_LIMIT_BYTES
    }

    /// Whether there is no room for a reply of so many bytes, come what may. Short ones are no danger.
    pub(crate) fn must_drop(&self, bytes: usize) -> bool {
        bytes > limits::LARGE_BYTES && self.bytes() >= limits::OUTPUT_HARD_LIMIT_BYTES
    }

    pub(crate) fn share(&self, bytes: usize) -> Share {
        let mut share = Share { of: self.clone(), bytes: 0 };
        share.set(bytes);
        share
    }

    /// A client was closed because it took too little.
    pub(crate) fn count_closed(&self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) -> u64 {
        self.0.closed.load(Ordering::Relaxed)
    }
}

impl Share {
    pub(crate) fn set(&mut self, bytes: usize) {
        self.of.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.of.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_share_is_released() {
        let budget = OutputBudget::default();
        let mut share = budget.share(10);
        share.set(2 * limits::OUTPUT_SOFT_LIMIT_BYTES);
        share.set(limits::OUTPUT_SOFT_LIMIT_BYTES);
        assert!(budget.is_full() && !budget.must_drop(limits::REPLY_BYTES));
        let more = budget.share(limits::OUTPUT_HARD_LIMIT_BYTES - limits::OUTPUT_SOFT_LIMIT_BYTES);
        assert!(budget.must_drop(limits::REPLY_BYTES) && !budget.must_drop(100));
        drop(more);
        assert_eq!(budget.bytes(), limits::OUTPUT_SOFT_LIMIT_BYTES);
        drop(share);
        assert_eq!(budget.bytes(), 0);
    }
}
