use core::fmt;

use quorate_core::{DecodeError, Reader, Writer};

use crate::raft::succ;
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
    /// The members of the cluster from here on: [`Members::decode`](crate::Members::decode) reads the data.
    Config,
    /// A command of which a witness is told only that there is one (Raft thesis, 11.7.2).
    MetadataOnly,
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
    /// Reads the header at the front of `bytes`; also how many bytes the whole entry takes, which may be more than there are.
    #[inline(always)]
    pub(crate) fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        // low terms and short entries, almost all there is, have a byte for either
        if let &[term @ 1..0x80, tag @ 0..0x80, ..] = bytes {
            let len = usize::from(tag >> 2);
            let header = Self { term: u64::from(term), kind: EntryKind::of(tag & 3)?, len };
            return Ok((header, len.saturating_add(2)));
        }
        Self::scan_long(bytes)
    }

    fn scan_long(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let term = input.u64()?;
        let tag = input.u64()?;
        let kind = EntryKind::of((tag & 3) as u8)?;
        let len = usize::try_from(tag >> 2).map_err(|_| DecodeError::Truncated)?;
        let header_len = bytes.len().saturating_sub(input.rest().len());
        Ok((Self { term, kind, len }, len.saturating_add(header_len)))
    }

    /// The bytes of the header, and how many of them there are.
    #[inline]
    pub(crate) fn encode(self) -> ([u8; MAX_HEADER], usize) {
        let mut buffer = [0; MAX_HEADER];
        let mut out = Writer::new(&mut buffer);
        out.u64(self.term);
        out.u64((self.len as u64) << 2 | self.kind as u64);
        let len = out.needed();
        (buffer, len)
    }
}

impl EntryKind {
    #[inline(always)]
    const fn of(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Command),
            1 => Ok(Self::Blank),
            2 => Ok(Self::Config),
            3 => Ok(Self::MetadataOnly),
            _ => Err(DecodeError::Invalid),
        }
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
        Iter { next: self.first, rest: self.bytes }
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
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let (header, size) = Header::scan(self.rest).ok()?;
        let (entry, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        let index = self.next;
        self.next = succ(index);
        let data = entry.get(size.wrapping_sub(header.len)..)?;
        Some(Entry { index, term: header.term, kind: header.kind, data })
    }
}

/// The entries of a run as they are encoded, each with its term.
pub(crate) struct Whole<'a>(&'a [u8]);

impl<'a> Whole<'a> {
    pub(crate) const fn new(run: &'a [u8]) -> Self {
        Self(run)
    }

    /// What was not gone through yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Whole<'a> {
    type Item = (Term, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(Term, &'a [u8])> {
        let (header, size) = Header::scan(self.0).ok()?;
        let (entry, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some((header.term, entry))
    }
}

/// What a checked run of entries amounts to.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) count: u64,
    pub(crate) last_term: Term,
    /// Some of them are configurations.
    pub(crate) config: bool,
}

impl Run {
    /// Checks that `bytes` are whole entries whose terms do not go back, starting at `term` or later.
    #[inline]
    pub(crate) fn check(bytes: &[u8], mut term: Term) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let mut count = 0_u64;
        let mut config = false;
        while !rest.is_empty() {
            let (header, size) = Header::scan(rest)?;
            rest = rest.get(size..).ok_or(DecodeError::Truncated)?;
            if header.term < term || header.term == 0 {
                return Err(DecodeError::Invalid);
            }
            term = header.term;
            config |= header.kind == EntryKind::Config;
            count = succ(count);
        }
        Ok(Self { count, last_term: term, config })
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
