use core::fmt;

use quorate_core::{DecodeError, Reader, Writer};

use crate::{Index, Term};

/// One entry of the log.
///
/// Encoded once, when it is proposed: the varint of its term, the varint of `length * 4 + kind`, and the data. The log in
/// memory, the record on disk, the message and the applied command are these same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// Its place in the log, from 1.
    pub index: Index,
    /// The term of the leader that proposed it.
    pub term: Term,
    /// What it is for.
    pub kind: EntryKind,
    /// The command, or whatever its kind holds.
    pub data: &'a [u8],
}

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EntryKind {
    /// A command for the application.
    Command,
    /// Starts a leader's term, so that something of that term can be committed (Raft thesis, 3.6.2 and 6.4).
    Blank,
    /// Reserved for a cluster configuration.
    Config,
}

/// The longest header: two varints of 64 bits.
pub(crate) const MAX_HEADER: usize = 20;

/// The bytes before an entry's data.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) term: Term,
    pub(crate) kind: EntryKind,
    pub(crate) len: usize,
}

impl Header {
    #[inline]
    pub(crate) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let term = input.u64()?;
        let tagged = input.u64()?;
        let kind = match tagged & 3 {
            0 => EntryKind::Command,
            1 => EntryKind::Blank,
            2 => EntryKind::Config,
            _ => return Err(DecodeError::Invalid),
        };
        let len = usize::try_from(tagged >> 2).map_err(|_| DecodeError::Truncated)?;
        Ok(Self { term, kind, len })
    }

    /// Writes the header, and returns how many bytes that took.
    #[inline]
    pub(crate) fn write(self, buffer: &mut [u8; MAX_HEADER]) -> usize {
        let kind = match self.kind {
            EntryKind::Command => 0,
            EntryKind::Blank => 1,
            EntryKind::Config => 2,
        };
        let mut out = Writer::new(buffer);
        out.u64(self.term);
        out.u64((self.len as u64) << 2 | kind);
        out.needed()
    }
}

/// A run of consecutive entries, in their encoded form.
///
/// ```
/// # use quorate_raft::Entries;
/// fn apply(entries: Entries<'_>) {
///     for entry in entries {
///         println!("{} of term {}: {:?}", entry.index, entry.term, entry.data);
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entries<'a> {
    first: Index,
    count: u64,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(crate) const fn new(first: Index, count: u64, bytes: &'a [u8]) -> Self {
        Self { first, count, bytes }
    }

    /// The index of the first entry.
    #[must_use]
    pub const fn first(&self) -> Index {
        self.first
    }

    /// The index of the last entry; one before the first if there is none.
    #[must_use]
    pub const fn last(&self) -> Index {
        self.first.saturating_add(self.count).saturating_sub(1)
    }

    /// How many entries.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // each takes at least two bytes of memory
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded entries.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Goes through the entries in order.
    #[must_use]
    pub const fn iter(&self) -> Iter<'a> {
        Iter { next: self.first, rest: Reader::new(self.bytes) }
    }
}

impl<'a> IntoIterator for Entries<'a> {
    type Item = Entry<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Entries<'a> {
    type Item = Entry<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The entries of a run, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    next: Index,
    rest: Reader<'a>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let header = Header::read(&mut self.rest).ok()?;
        let data = self.rest.raw(header.len).ok()?;
        let index = self.next;
        self.next = index.saturating_add(1);
        Some(Entry { index, term: header.term, kind: header.kind, data })
    }
}

/// The entries of a run as they are encoded, each with its term.
pub(crate) struct Whole<'a>(Reader<'a>);

impl<'a> Whole<'a> {
    pub(crate) const fn new(run: &'a [u8]) -> Self {
        Self(Reader::new(run))
    }
}

impl<'a> Iterator for Whole<'a> {
    type Item = (Term, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(Term, &'a [u8])> {
        let from = self.0.rest();
        let header = Header::read(&mut self.0).ok()?;
        self.0.raw(header.len).ok()?;
        let len = from.len().saturating_sub(self.0.rest().len());
        from.get(..len).map(|entry| (header.term, entry))
    }
}

/// What a checked run of entries amounts to.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) count: u64,
    pub(crate) last_term: Term,
}

impl Run {
    /// Checks that `bytes` are whole entries whose terms do not go back, starting at `term` or later.
    #[inline]
    pub(crate) fn check(bytes: &[u8], mut term: Term) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let mut count = 0_u64;
        while !input.rest().is_empty() {
            let header = Header::read(&mut input)?;
            input.raw(header.len)?;
            if header.term < term || header.term == 0 {
                return Err(DecodeError::Invalid);
            }
            term = header.term;
            count = count.saturating_add(1);
        }
        Ok(Self { count, last_term: term })
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} {:?} ", self.index, self.term, self.kind)?;
        match core::str::from_utf8(self.data) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "{:x?}", self.data),
        }
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
