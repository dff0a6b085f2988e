//! The replicated log in memory, and its two back-ends.

use core::cell::Cell;
use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::Full;

use crate::{Entries, EntryKind, Index, Term};

#[cfg(feature = "alloc")]
mod heap;
mod inline;
#[cfg(test)]
mod tests;

#[cfg(feature = "alloc")]
pub use heap::HeapLog;
#[cfg(feature = "alloc")]
pub(crate) use heap::MAX_CHUNK;
pub use inline::InlineLog;

/// A log: encoded entries from just after the compacted on.
///
/// The compacted is the index (and term) that the log begins after: 0 at first, later wherever it was compacted to. Terms are not
/// kept beside the entries: each entry's header holds its own, one read away.
pub trait Log: Clone + PartialEq + Eq + Hash + Debug {
    /// An empty log for at most `bytes` bytes of entries.
    fn with_limit(bytes: usize) -> Self;

    /// The index just before the first entry.
    fn compacted(&self) -> Index;

    /// The index of the last entry; the compacted if there is none.
    fn last(&self) -> Index;

    /// The term of the last entry, or of the compacted.
    fn last_term(&self) -> Term;

    /// The term at `index`: of the compacted or of an entry.
    fn term(&self, index: Index) -> Option<Term>;

    /// A contiguous run from `from` to at most `to`, of at most `max_bytes` unless one entry alone is larger. Empty only where
    /// there are no such entries.
    fn span(&self, from: Index, to: Index, max_bytes: usize) -> Span;

    /// The entries of a span that was just made of this log.
    fn slice(&self, span: Span) -> Entries<'_>;

    /// [`span`](Self::span) and [`slice`](Self::slice) in one.
    fn entries(&self, from: Index, to: Index, max_bytes: usize) -> Entries<'_> {
        self.slice(self.span(from, to, max_bytes))
    }

    /// Bytes of the entries after `after`, up to and including `through`.
    fn bytes_between(&self, after: Index, through: Index) -> u64;

    /// Half of what it takes: entries and bytes.
    fn half(&self) -> (u64, u64);

    /// Whether an entry with `len` bytes of data fits, and `spare` blank ones after it.
    fn fits(&self, len: usize, spare: usize) -> bool;

    /// Adds one entry.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    fn push(&mut self, term: Term, kind: EntryKind, data: &[u8]) -> Result<(), Full>;

    /// Adds the entries of a checked run that fit, and returns how many those are.
    fn append(&mut self, run: &[u8]) -> u64;

    /// Keeps the entries up to and including `last`.
    fn truncate(&mut self, last: Index);

    /// Drops the entries up to and including `compacted`, which must be in the log.
    fn compact(&mut self, compacted: Index);

    /// Drops everything; the log then begins after `compacted`.
    fn reset(&mut self, compacted: Index, term: Term);
}

/// Where a run of entries lies in a log, until that changes. It borrows nothing.
#[derive(Clone, Copy)]
pub struct Span {
    pub(crate) first: Index,
    pub(crate) count: u64,
    /// Which chunk, of a log in chunks.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    chunk: usize,
    start: usize,
    end: usize,
}

impl Span {
    pub(crate) const fn empty(first: Index) -> Self {
        Self { first, count: 0, chunk: 0, start: 0, end: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The index of the last entry; one before the first if there is none.
    pub(crate) const fn last(&self) -> Index {
        self.first.wrapping_add(self.count).saturating_sub(1)
    }
}

/// Moves the items from `by` on to the front, over those before them; what is at the end stays there as well.
///
/// `copy_within` would do, but for its panics.
pub(crate) fn move_to_front<T: Copy>(items: &mut [T], by: usize) {
    let cells = Cell::from_mut(items).as_slice_of_cells();
    for (to, from) in cells.iter().zip(cells.iter().skip(by)) {
        to.set(from.get());
    }
}
