use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::DecodeError;

use crate::Index;

/// Bytes of the longest header that a protocol may have: two varints of 64 bits.
pub const MAX_HEADER_LEN: usize = 20;

/// The bytes of an entry before its data, as a protocol chooses them.
///
/// An entry is encoded once, when it is proposed: its header, then its data. The log in memory, the
/// record on disk, the message and the applied command are these same bytes.
///
/// ```
/// use quorate_core::DecodeError;
/// use quorate_log::{Header, Index, InlineLog, Log, MAX_HEADER_LEN};
///
/// /// A term and the length of the data, a byte each. An entry without data is the protocol's own.
/// #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
/// struct Head {
///     term: u8,
///     len: u8,
/// }
///
/// impl Header for Head {
///     type Tag = u8;
///     type Entry<'a> = (Index, &'a [u8]);
///     const MAX_LEN: usize = 2;
///
///     fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
///         let &[term, len, ..] = bytes else { return Err(DecodeError::Truncated) };
///         Ok((Self { term, len }, 2 + usize::from(len)))
///     }
///
///     fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
///         let mut bytes = [0; MAX_HEADER_LEN];
///         bytes[..2].copy_from_slice(&[self.term, self.len]);
///         (bytes, 2)
///     }
///
///     fn tag(self) -> u8 {
///         self.term
///     }
///
///     fn data_len(self) -> usize {
///         self.len.into()
///     }
///
///     fn is_command(self) -> bool {
///         self.len > 0
///     }
///
///     fn entry(self, index: Index, data: &[u8]) -> (Index, &[u8]) {
///         (index, data)
///     }
/// }
///
/// // a log of at most 64 bytes and 8 entries
/// let mut log = InlineLog::<Head, 64, 8>::with_limit(64);
/// log.push(Head { term: 1, len: 2 }, b"hi")?;
/// log.push(Head { term: 2, len: 5 }, b"there")?;
/// let run = log.entries(1, Index::MAX, 64);
/// assert_eq!(run.bytes(), b"\x01\x02hi\x02\x05there");
/// assert_eq!(run.iter().last(), Some((2, &b"there"[..])));
/// # Ok::<(), quorate_core::Full>(())
/// ```
///
/// The other examples of this crate use this `Head`, too.
pub trait Header: Copy + Eq + Hash + Debug {
    /// What a log still knows of an entry after it dropped it by compaction: Raft's term. `()`
    /// where the protocol needs nothing.
    type Tag: Copy + Eq + Hash + Debug + Default;

    /// An entry as the application sees it.
    type Entry<'a>: Copy + Eq + Hash + Debug;

    /// Bytes of the longest header, at most [`MAX_HEADER_LEN`].
    const MAX_LEN: usize;

    /// Reads the header at the front of `bytes`. Returns it and how many bytes the whole entry
    /// takes, which may be more than there are.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes begin with no header.
    ///
    /// ```
    #[doc = example_header!()]
    /// // a header of which the data is missing
    /// assert_eq!(Head::scan(&[1, 5]), Ok((Head { term: 1, len: 5 }, 7)));
    /// assert_eq!(Head::scan(&[1]), Err(DecodeError::Truncated));
    /// ```
    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError>;

    /// The bytes of the header, and how many of them count.
    ///
    /// ```
    #[doc = example_header!()]
    /// let (bytes, len) = Head { term: 1, len: 5 }.encode();
    /// assert_eq!(bytes[..len], [1, 5]);
    /// ```
    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize);

    /// What the log keeps of the entry.
    ///
    /// ```
    #[doc = example_header!()]
    /// assert_eq!(Head { term: 1, len: 5 }.tag(), 1);
    /// ```
    fn tag(self) -> Self::Tag;

    /// How many bytes of data follow the header.
    ///
    /// ```
    #[doc = example_header!()]
    /// assert_eq!(Head { term: 1, len: 5 }.data_len(), 5);
    /// ```
    fn data_len(self) -> usize;

    /// Whether the data is a command of the application; if not, the entry is the protocol's own.
    ///
    /// ```
    #[doc = example_header!()]
    /// assert!(Head { term: 1, len: 5 }.is_command());
    /// assert!(!Head { term: 1, len: 0 }.is_command());
    /// ```
    fn is_command(self) -> bool;

    /// The entry with this header at `index`.
    ///
    /// ```
    #[doc = example_header!()]
    /// assert_eq!(Head { term: 1, len: 2 }.entry(9, b"hi"), (9, &b"hi"[..]));
    /// ```
    fn entry(self, index: Index, data: &[u8]) -> Self::Entry<'_>;
}
