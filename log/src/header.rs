use core::fmt::Debug;
use core::hash::Hash;

use quorate_core::DecodeError;

use crate::Index;

/// Bytes of the longest header that a protocol may have: two varints of 64 bits.
pub const MAX_HEADER_LEN: usize = 20;

/// The bytes of an entry before its data, as a protocol chooses them.
///
/// An entry is encoded once, when it is proposed: its header, then its data. The log in memory, the record on disk, the message
/// and the applied command are these same bytes.
///
/// ```
/// use quorate_core::DecodeError;
/// use quorate_log::{Entries, Header, Index, InlineLog, Log, MAX_HEADER_LEN};
///
/// /// Entries of up to 255 bytes, with one byte for the length and nothing else.
/// #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
/// struct Short(u8);
///
/// impl Header for Short {
///     type Tag = ();
///     type Entry<'a> = (Index, &'a [u8]);
///     const MAX_LEN: usize = 1;
///
///     fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
///         let &len = bytes.first().ok_or(DecodeError::Truncated)?;
///         Ok((Self(len), 1 + usize::from(len)))
///     }
///
///     fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
///         let mut bytes = [0; MAX_HEADER_LEN];
///         bytes[0] = self.0;
///         (bytes, 1)
///     }
///
///     fn tag(self) {}
///
///     fn data_len(self) -> usize {
///         self.0.into()
///     }
///
///     fn is_command(self) -> bool {
///         true
///     }
///
///     fn entry(self, index: Index, data: &[u8]) -> (Index, &[u8]) {
///         (index, data)
///     }
/// }
///
/// let mut log = InlineLog::<Short, 64, 8>::with_limit(64);
/// log.push(Short(2), b"hi")?;
/// log.push(Short(5), b"there")?;
/// let run = log.entries(1, Index::MAX, 64);
/// assert_eq!(run.bytes(), b"\x02hi\x05there");
/// assert_eq!(run.iter().last(), Some((2, &b"there"[..])));
/// # Ok::<(), quorate_core::Full>(())
/// ```
pub trait Header: Copy + Eq + Hash + Debug {
    /// What a log knows of an entry even after it dropped it by compaction: Raft's term. `()` where the protocol needs nothing.
    type Tag: Copy + Eq + Hash + Debug + Default;

    /// An entry as the application sees it.
    type Entry<'a>: Copy + Eq + Hash + Debug;

    /// Bytes of the longest header, at most [`MAX_HEADER_LEN`].
    const MAX_LEN: usize;

    /// Reads the header at the front of `bytes`; also how many bytes the whole entry takes, which may be more than there are.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes begin with no header.
    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError>;

    /// The bytes of the header, and how many of them count.
    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize);

    /// What the log keeps of the entry.
    fn tag(self) -> Self::Tag;

    /// How many bytes of data follow the header.
    fn data_len(self) -> usize;

    /// Whether the data is a command of the application: what is not is the protocol's own.
    fn is_command(self) -> bool;

    /// The entry with this header at `index`.
    fn entry(self, index: Index, data: &[u8]) -> Self::Entry<'_>;
}
