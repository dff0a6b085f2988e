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

/// A log: encoded entries after the compacted index.
///
/// The compacted index is the one that the log begins after: 0 at first, later that of the last
/// compaction. Of the entry there the log keeps the [tag](Header::Tag). The tags of other entries
/// are not stored beside them: each entry's header holds its own, one read away.
///
/// Its methods are for the protocol that owns the log. None of them panics: what is asked for
/// outside the log is empty or changes nothing.
pub trait Log: Clone + PartialEq + Eq + Hash + Debug {
    /// How the entries begin.
    type Header: Header;

    /// An empty log for at most `bytes` bytes of entries; one in a fixed array takes what the array has
    /// room for, whatever `bytes` is.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 7, 8>::with_limit(7);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// assert!(log.push(Head { term: 1, len: 2 }, b"ho").is_err());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn with_limit(bytes: usize) -> Self;

    /// The index just before the first entry: the last that was dropped.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.compacted(), 0);
    /// log.compact(1);
    /// assert_eq!(log.compacted(), 1);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn compacted(&self) -> Index;

    /// The index of the last entry; the compacted index if there is none.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.last(), 2);
    /// log.reset(9, 3);
    /// assert_eq!(log.last(), 9);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn last(&self) -> Index;

    /// The tag of the last entry, or of the compacted one.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.last_tag(), 2);
    /// log.compact(2);
    /// assert_eq!(log.last_tag(), 2);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn last_tag(&self) -> Tag<Self>;

    /// The tag at `index`: of the compacted entry or of one in the log.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// log.compact(1);
    /// assert_eq!([1, 2, 3].map(|index| log.tag(index)), [Some(1), Some(2), None]);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn tag(&self, index: Index) -> Option<Tag<Self>>;

    /// A contiguous run from `from` to at most `to`, of at most `max_bytes` unless one entry alone
    /// is larger. Empty only where there are no such entries.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.span(1, Index::MAX, 64).count(), 2);
    /// assert_eq!(log.span(1, Index::MAX, 1).count(), 1);
    /// assert!(log.span(3, Index::MAX, 64).is_empty());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn span(&self, from: Index, to: Index, max_bytes: usize) -> Span;

    /// The entries of a span of this log, which has not changed since.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// let span = log.span(2, 2, 64);
    /// assert_eq!(log.slice(span).bytes(), b"\x02\x05there");
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn slice(&self, span: Span) -> Entries<'_, Self::Header>;

    /// [`span`](Self::span) and [`slice`](Self::slice) in one.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.entries(1, 2, 64).bytes(), b"\x01\x02hi\x02\x05there");
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn entries(&self, from: Index, to: Index, max_bytes: usize) -> Entries<'_, Self::Header> {
        self.slice(self.span(from, to, max_bytes))
    }

    /// Bytes of the entries after `after`, up to and including `through`.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!((log.bytes_between(0, 2), log.bytes_between(1, 2)), (11, 7));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn bytes_between(&self, after: Index, through: Index) -> u64;

    /// Half of the log's capacity: entries and bytes.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// assert_eq!(log.half(), (4, 32));
    /// ```
    fn half(&self) -> (u64, u64);

    /// Whether an entry with `len` bytes of data fits, and `spare` entries without data after it,
    /// all with headers of the greatest length.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let log = InlineLog::<Head, 10, 8>::with_limit(10);
    /// assert!(log.fits(8, 0) && !log.fits(9, 0));
    /// assert!(log.fits(6, 1) && !log.fits(7, 1));
    /// ```
    fn fits(&self, len: usize, spare: usize) -> bool;

    /// Adds one entry, whose header must state the length of `data`.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 8, 8>::with_limit(8);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// let full = log.push(Head { term: 2, len: 5 }, b"there");
    /// assert!(full.is_err() && log.last() == 1);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn push(&mut self, header: Self::Header, data: &[u8]) -> Result<(), Full>;

    /// Adds the entries of a run as far as they fit, and returns how many those are. The run must
    /// be valid, as [`Encoded::rest`](crate::Encoded::rest) shows how to check.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 8, 8>::with_limit(8);
    /// assert_eq!(log.append(b"\x01\x02hi\x02\x05there"), 1);
    /// assert_eq!(log.append(b"\x01\x02ho"), 1);
    /// ```
    fn append(&mut self, run: &[u8]) -> u64;

    /// Puts an entry, as it is encoded, in the place of the one at `index`; all others stay. For protocols that may replace what
    /// is not committed yet, and keep what comes after it: Multi-Paxos. Changes nothing if `index` is not in the log.
    ///
    /// Work: the bytes after it may move.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 16, 8>::with_limit(16);
    /// log.append(b"\x01\x02hi\x02\x05there");
    /// log.replace(1, b"\x03\x03new")?;
    /// assert_eq!(log.entries(1, 2, 64).bytes(), b"\x03\x03new\x02\x05there");
    /// assert!(log.replace(1, b"\x03\x0btoo long now").is_err());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn replace(&mut self, index: Index, entry: &[u8]) -> Result<(), Full>;

    /// Drops the entries after `last`. Changes nothing if `last` is not in the log.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// log.truncate(1);
    /// assert_eq!((log.last(), log.last_tag()), (1, 1));
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn truncate(&mut self, last: Index);

    /// Drops the entries up to and including `compacted`. Changes nothing if that is not in the
    /// log.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// log.compact(1);
    /// assert_eq!((log.compacted(), log.last()), (1, 2));
    /// assert!(log.entries(1, 2, 64).is_empty());
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn compact(&mut self, compacted: Index);

    /// Drops everything; the log then begins after `compacted`, whose entry has `tag`.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log};
    /// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// log.push(Head { term: 1, len: 2 }, b"hi")?;
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// log.reset(9, 3);
    /// assert_eq!((log.compacted(), log.last(), log.last_tag()), (9, 9, 3));
    /// log.push(Head { term: 2, len: 5 }, b"there")?;
    /// assert_eq!(log.last(), 10);
    /// # Ok::<(), quorate_core::Full>(())
    /// ```
    fn reset(&mut self, compacted: Index, tag: Tag<Self>);
}

/// What a log still knows of an entry after it dropped it.
pub type Tag<L> = <<L as Log>::Header as Header>::Tag;

/// Where a run of entries lies in a log, until the log changes. It borrows nothing.
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
    ///
    /// ```
    /// use quorate_log::Span;
    /// assert!(Span::empty(7).is_empty());
    /// ```
    #[must_use]
    pub const fn empty(first: Index) -> Self {
        Self { first, count: 0, chunk: 0, start: 0, end: 0 }
    }

    /// `count` entries from `first` on that lie elsewhere: [`Log::slice`] returns none of them.
    ///
    /// ```
    #[doc = example_header!()]
    /// use quorate_log::{InlineLog, Log, Span};
    /// let log = InlineLog::<Head, 64, 8>::with_limit(64);
    /// let span = Span::elsewhere(7, 2);
    /// assert_eq!(span.count(), 2);
    /// assert!(log.slice(span).bytes().is_empty());
    /// ```
    #[must_use]
    pub const fn elsewhere(first: Index, count: u64) -> Self {
        Self { first, count, chunk: usize::MAX, start: 1, end: 0 }
    }

    /// The index of the first entry, or where it would be.
    ///
    /// ```
    /// use quorate_log::Span;
    /// assert_eq!(Span::empty(7).first(), 7);
    /// ```
    #[must_use]
    pub const fn first(&self) -> Index {
        self.first
    }

    /// How many entries.
    ///
    /// ```
    /// use quorate_log::Span;
    /// assert_eq!(Span::elsewhere(7, 2).count(), 2);
    /// ```
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    ///
    /// ```
    /// use quorate_log::Span;
    /// assert!(Span::empty(7).is_empty() && !Span::elsewhere(7, 2).is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The index of the last entry; one before the first if there is none.
    ///
    /// ```
    /// use quorate_log::Span;
    /// assert_eq!((Span::elsewhere(7, 2).last(), Span::empty(7).last()), (8, 6));
    /// ```
    #[must_use]
    pub const fn last(&self) -> Index {
        self.first.wrapping_add(self.count).saturating_sub(1)
    }
}

/// Moves the items from `from` on to the end by `by`, of which so many were added there. `copy_within` can panic.
fn move_to_back<T: Copy>(items: &mut [T], from: usize, by: usize) {
    let cells = Cell::from_mut(items).as_slice_of_cells();
    let cells = cells.get(from..).unwrap_or_default();
    let moved = cells.len().saturating_sub(by);
    let targets = cells.iter().rev();
    for (to, from) in targets.zip(cells.iter().take(moved).rev()) {
        to.set(from.get());
    }
}

/// Moves the items from `by` on to the front, over those before them; what is at the end stays
/// there as well. `copy_within` can panic.
fn move_to_front<T: Copy>(items: &mut [T], by: usize) {
    let cells = Cell::from_mut(items).as_slice_of_cells();
    for (to, from) in cells.iter().zip(cells.iter().skip(by)) {
        to.set(from.get());
    }
}
