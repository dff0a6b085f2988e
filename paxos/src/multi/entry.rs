use core::fmt;

use quorate_core::{DecodeError, Reader, Rejected, Writer};
use quorate_log::MAX_HEADER_LEN;

use super::{Configuration, Slot, succ};

/// One entry of the log.
///
/// Encoded once, when it is first proposed: the varint of its epoch, the varint of `length * 4 + kind`, and the data. The log in memory, the
/// record on disk, the message and the applied command are these same bytes. The ballots of the votes are not among them: a later leader
/// proposes the same entry in a ballot of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// Its place in the log, from 1.
    pub slot: Slot,
    /// The epoch of the leader that proposed it first: see [`epoch_of`](super::MultiPaxos::epoch_of). With the slot it tells which proposal
    /// this is, whichever node has proposed it again since.
    pub epoch: u64,
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
    /// Fills a slot that nobody can have decided on (van Renesse and Altinbuken, "Paxos Made Moderately Complex", 2015, section 2.1).
    NoOp,
    /// Ends a configuration, and says what the next one is: its data are a [`Configuration`] (Lamport, Malkhi and Zhou, "Reconfiguring a State Machine", 2010, section 2.2;
    /// a stop-sign of Ng, Haridi and Carbone, "Omni-Paxos", 2023, section 6).
    StopSign,
    /// There is no vote: a place in memory and on disk alone, between slots for which there is one.
    Hole,
}

/// The bytes before an entry's data: the varint of its epoch, then that of `length * 4 + kind`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    pub(super) epoch: u64,
    pub(super) kind: EntryKind,
    pub(super) len: usize,
}

impl Header {
    pub(super) const HOLE: Self = Self { epoch: 0, kind: EntryKind::Hole, len: 0 };

    pub(super) const fn no_op(epoch: u64) -> Self {
        Self { epoch, kind: EntryKind::NoOp, len: 0 }
    }

    fn scan_long(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        let epoch = input.u64()?;
        let tag = input.u64()?;
        let len = usize::try_from(tag >> 2).map_err(|_| DecodeError::Truncated)?;
        let header_len = bytes.len().saturating_sub(input.rest().len());
        let kind = EntryKind::of((tag & 3) as u8);
        Ok((Self { epoch, kind, len }, len.saturating_add(header_len)))
    }
}

impl EntryKind {
    #[inline(always)]
    const fn of(low_bits: u8) -> Self {
        match low_bits & 3 {
            0 => Self::Command,
            1 => Self::NoOp,
            2 => Self::StopSign,
            _ => Self::Hole,
        }
    }
}

impl quorate_log::Header for Header {
    type Tag = ();
    type Entry<'a> = Entry<'a>;
    const MAX_LEN: usize = MAX_HEADER_LEN;

    #[inline(always)]
    fn scan(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        // low epochs and short entries, almost all there is, have a byte or two for the one, and a byte for the other
        if let &[epoch @ 0..0x80, tag @ 0..0x80, ..] = bytes {
            let len = usize::from(tag >> 2);
            let header = Self { epoch: u64::from(epoch), kind: EntryKind::of(tag), len };
            return Ok((header, len.saturating_add(2)));
        }
        if let &[low @ 0x80..=0xff, high @ 1..0x80, tag @ 0..0x80, ..] = bytes {
            let len = usize::from(tag >> 2);
            let epoch = u64::from(low & 0x7f) | u64::from(high) << 7;
            return Ok((Self { epoch, kind: EntryKind::of(tag), len }, len.saturating_add(3)));
        }
        Self::scan_long(bytes)
    }

    #[inline]
    fn encode(self) -> ([u8; MAX_HEADER_LEN], usize) {
        let mut buffer = [0; MAX_HEADER_LEN];
        let mut out = Writer::new(&mut buffer);
        out.u64(self.epoch);
        out.u64((self.len as u64) << 2 | self.kind as u64);
        let len = out.needed();
        (buffer, len)
    }

    #[inline(always)]
    fn tag(self) {}

    #[inline(always)]
    fn data_len(self) -> usize {
        self.len
    }

    #[inline(always)]
    fn is_command(self) -> bool {
        self.kind == EntryKind::Command
    }

    #[inline(always)]
    fn entry(self, slot: Slot, data: &[u8]) -> Entry<'_> {
        Entry { slot, epoch: self.epoch, kind: self.kind, data }
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} {:?} ({} bytes)", self.slot, self.epoch, self.kind, self.data.len())
    }
}

/// A run of consecutive entries, in their encoded form.
///
/// ```
/// # use quorate_paxos::multi::Entries;
/// fn apply(entries: Entries<'_>) {
///     for entry in entries.commands() {
///         println!("{} of epoch {}: {:?}", entry.slot, entry.epoch, entry.data);
///     }
/// }
/// ```
pub type Entries<'a> = quorate_log::Entries<'a, Header>;

/// The entries of a run, in order.
pub type Iter<'a> = quorate_log::Iter<'a, Header>;

/// What a run of entries consists of.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) count: u64,
    /// The most members that a stop-sign among them lists; none without stop-signs.
    pub(super) members: Option<usize>,
}

/// Checks that `bytes` are whole entries that may be voted for, with at most so many bytes of data each.
#[inline(always)]
pub(super) fn check(bytes: &[u8], max_len: usize, changes: bool) -> Result<Run, Rejected> {
    let (mut longest, mut members) = (0, None);
    let count = check_kinds(bytes, |header, entry| {
        longest = longest.max(header.len);
        match header.kind {
            EntryKind::Hole => false,
            EntryKind::StopSign => count_members(entry, changes, &mut members),
            _ => true,
        }
    });
    let count = count.map_err(|_| Rejected::Malformed)?;
    if longest > max_len { Err(Rejected::Full) } else { Ok(Run { count, members }) }
}

/// Checks that `bytes` are whole entries, which may be holes.
#[inline(always)]
pub(super) fn check_restored(bytes: &[u8], changes: bool) -> Result<Run, DecodeError> {
    let mut members = None;
    let count = check_kinds(bytes, |header, entry| {
        header.kind != EntryKind::StopSign || count_members(entry, changes, &mut members)
    })?;
    Ok(Run { count, members })
}

/// Whether a stop-sign says what could be a configuration.
/// Where members never change, the compiler knows, and what a stop-sign says is not looked at: it is refused.
#[inline(always)]
fn count_members(entry: &[u8], changes: bool, most: &mut Option<usize>) -> bool {
    if !changes {
        *most = Some(usize::MAX); // more than there is room for
        return true;
    }
    count_listed(entry, most)
}

#[cold]
fn count_listed(entry: &[u8], most: &mut Option<usize>) -> bool {
    let data =
        quorate_log::Entries::<Header>::new(0, 1, entry).iter().next().map(|entry| entry.data);
    let configuration = Configuration::check(data.unwrap_or_default());
    *most = (*most).max(configuration.ok().map(|next| next.members.len()));
    configuration.is_ok()
}

#[inline(always)]
fn check_kinds(
    bytes: &[u8],
    mut is_good: impl FnMut(Header, &[u8]) -> bool,
) -> Result<u64, DecodeError> {
    let mut rest = bytes;
    let mut count = 0_u64;
    while !rest.is_empty() {
        let (header, size) = <Header as quorate_log::Header>::scan(rest)?;
        let (entry, after) = rest.split_at_checked(size).ok_or(DecodeError::Truncated)?;
        rest = after;
        if !is_good(header, entry) || header.epoch > super::LIMIT {
            return Err(DecodeError::Invalid);
        }
        count = succ(count);
    }
    Ok(count)
}

/// The front of a run that was checked, up to a stop-sign, with the number of its entries; and what follows.
pub(super) fn through_stop_sign(bytes: &[u8]) -> (u64, &[u8], &[u8]) {
    let (mut count, mut rest) = (0_u64, bytes);
    while let Ok((header, size)) = <Header as quorate_log::Header>::scan(rest)
        && let Some(after) = rest.get(size..)
    {
        (count, rest) = (succ(count), after);
        if header.kind == EntryKind::StopSign || rest.is_empty() {
            break;
        }
    }
    let len = bytes.len().saturating_sub(rest.len());
    let (part, after) = bytes.split_at_checked(len).unwrap_or_default();
    (count, part, after)
}

/// The entry at the front of a run that was checked, and what follows.
#[inline]
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, size) = <Header as quorate_log::Header>::scan(bytes).ok()?;
    bytes.split_at_checked(size).filter(|(entry, _)| !entry.is_empty())
}
