//! The log in memory, and its two back-ends.

use core::cell::Cell;
use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::Full;

use crate::{Entries, Header, Index};

#[cfg(feature = "alloc")]
mod heap;
mod inline;

#[cfg(feature = "alloc")]
pub use heap::{HeapLog, MAX_RUN_LEN};
pub use inline::InlineLog;

/// A log: encoded entries from just after the compacted on.
///
/// The compacted index is the one that the log begins after: 0 at first, later wherever it was compacted to. Of the entry there the
/// log keeps the [tag](Header::Tag). The tags of other entries are not kept beside them: each entry's header holds its own, one
/// read away.
///
/// Its methods are for the protocol that owns the log. None of them panics: what is asked for outside the log is empty or
/// changes nothing.
pub trait Log: Clone + PartialEq + Eq + Hash + Debug {
    /// How the entries begin.
    type Header: Header;

    /// An empty log for at most `bytes` bytes of entries.
    fn with_limit(bytes: usize) -> Self;

    /// The index just before the first entry: the last that was dropped.
    fn compacted(&self) -> Index;

    /// The index of the last entry; the compacted index if there is none.
    fn last(&self) -> Index;

    /// The tag of the last entry, or of the compacted one.
    fn last_tag(&self) -> Tag<Self>;

    /// The tag at `index`: of the compacted entry or of one in the log.
    fn tag(&self, index: Index) -> Option<Tag<Self>>;

    /// A contiguous run from `from` to at most `to`, of at most `max_bytes` unless one entry alone is larger. Empty only where
    /// there are no such entries.
    fn span(&self, from: Index, to: Index, max_bytes: usize) -> Span;

    /// The entries of a span that was just made of this log.
    fn slice(&self, span: Span) -> Entries<'_, Self::Header>;

    /// [`span`](Self::span) and [`slice`](Self::slice) in one.
    fn entries(&self, from: Index, to: Index, max_bytes: usize) -> Entries<'_, Self::Header> {
        self.slice(self.span(from, to, max_bytes))
    }

    /// Bytes of the entries after `after`, up to and including `through`.
    fn bytes_between(&self, after: Index, through: Index) -> u64;

    /// Half of what the log holds at most: entries and bytes.
    fn half(&self) -> (u64, u64);

    /// Whether an entry with `len` bytes of data fits, and `spare` ones without data after it.
    fn fits(&self, len: usize, spare: usize) -> bool;

    /// Adds one entry, whose header must tell the length of `data`.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    fn push(&mut self, header: Self::Header, data: &[u8]) -> Result<(), Full>;

    /// Adds the entries of a checked run that fit, and returns how many those are.
    fn append(&mut self, run: &[u8]) -> u64;

    /// Keeps the entries up to and including `last`.
    fn truncate(&mut self, last: Index);

    /// Drops the entries up to and including `compacted`, which must be in the log.
    fn compact(&mut self, compacted: Index);

    /// Drops everything; the log then begins after `compacted`.
    fn reset(&mut self, compacted: Index, tag: Tag<Self>);
}

/// What a log knows of an entry even after it dropped it.
pub type Tag<L> = <<L as Log>::Header as Header>::Tag;

/// Where a run of entries lies in a log, until that changes. It borrows nothing.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    first: Index,
    count: u64,
    /// Which chunk, of a log in chunks.
    #[cfg_attr(not(feature = "alloc"), allow(dead_code))]
    chunk: usize,
    start: usize,
    end: usize,
}

impl Span {
    /// No entries, at `first`.
    #[must_use]
    pub const fn empty(first: Index) -> Self {
        Self { first, count: 0, chunk: 0, start: 0, end: 0 }
    }

    /// `count` entries from `first` on that lie elsewhere: [`Log::slice`] gives none of them.
    #[must_use]
    pub const fn elsewhere(first: Index, count: u64) -> Self {
        Self { first, count, chunk: usize::MAX, start: 1, end: 0 }
    }

    /// The index of the first entry, or where it would be.
    #[must_use]
    pub const fn first(&self) -> Index {
        self.first
    }

    /// How many entries.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The index of the last entry; one before the first if there is none.
    #[must_use]
    pub const fn last(&self) -> Index {
        self.first.wrapping_add(self.count).saturating_sub(1)
    }
}

/// Moves the items from `by` on to the front, over those before them; what is at the end stays there as well.
///
/// `copy_within` would do, but for its panics.
fn move_to_front<T: Copy>(items: &mut [T], by: usize) {
    let cells = Cell::from_mut(items).as_slice_of_cells();
    for (to, from) in cells.iter().zip(cells.iter().skip(by)) {
        to.set(from.get());
    }
}
