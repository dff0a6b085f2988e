use core::fmt;

use quorate_core::{DecodeError, Reader, Writer};
use quorate_log::MAX_HEADER_LEN;

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

/// The bytes before an entry's data: the varint of its term, then that of `length * 4 + kind`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    pub(crate) term: Term,
    pub(crate) kind: EntryKind,
    pub(crate) len: usize,
}

impl quorate_log::Header for Header {
    type Tag = Term;
    type Entry<'a> = Entry<'a>;
    const MAX_LEN: usize = MAX_HEADER_LEN;

    #[inline(always)]
    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        // low terms and short entries, almost all there is, have a byte for either
        if let &[term @ 1..0x80, tag @ 0..0x80, ..] = bytes {
            let len = usize::from(tag >> 2);
            let header = Self { term: u64::from(term), kind: EntryKind::of(tag & 3)?, len };
            return Ok((header, len.saturating_add(2)));
        }
        Self::scan_long(bytes)
    }

    #[inline]
    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
        let mut buffer = [0; MAX_HEADER_LEN];
        let mut out = Writer::new(&mut buffer);
        out.u64(self.term);
        out.u64((self.len as u64) << 2 | self.kind as u64);
        let len = out.needed();
        (buffer, len)
    }

    #[inline(always)]
    fn tag(self) -> Term {
        self.term
    }

    #[inline(always)]
    fn data_len(self) -> usize {
        self.len
    }

    #[inline(always)]
    fn is_command(self) -> bool {
        self.kind == EntryKind::Command
    }

    #[inline(always)]
    fn entry(self, index: Index, data: &[u8]) -> Entry<'_> {
        Entry { index, term: self.term, kind: self.kind, data }
    }
}

impl Header {
    fn scan_long(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let term = input.u64()?;
        let tag = input.u64()?;
        let kind = EntryKind::of((tag & 3) as u8)?;
        let len = usize::try_from(tag >> 2).map_err(|_| DecodeError::Truncated)?;
        let header_len = bytes.len().saturating_sub(input.rest().len());
        Ok((Self { term, kind, len }, len.saturating_add(header_len)))
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
///     for entry in entries.commands() {
///         println!("{} of term {}: {:?}", entry.index, entry.term, entry.data);
///     }
/// }
/// ```
pub type Entries<'a> = quorate_log::Entries<'a, Header>;

/// The entries of a run, in order.
pub type Iter<'a> = quorate_log::Iter<'a, Header>;

/// The entries of a run as they are encoded, each with its term.
pub(crate) type Encoded<'a> = quorate_log::Encoded<'a, Header>;

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
            let (header, size) = <Header as quorate_log::Header>::scan(rest)?;
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
