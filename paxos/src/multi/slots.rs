use quorate_core::{Corrupt, Full};
use quorate_log::{Header as _, Log, MAX_HEADER_LEN, Span};

use super::entry::{self, EntryKind, Header};
use super::runs::Runs;
use super::storage::MOST_RUNS;
use super::{Ballots, Config, Configuration, Entries, Record, Slot, Storage, succ};
use crate::Ballot;

/// What a node knows of the slots: its votes, what is chosen, and what was applied.
///
/// A vote is an entry of the log and a ballot; the ballots are kept apart, as runs. Slots without a vote that have later ones for which there
/// is a vote are holes: entries of a kind of their own, in no ballot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Slots<S: Storage> {
    log: S::Log,
    /// Bytes of entries that it takes, where the storage does not say; it has room for more when it is restored.
    max_bytes: u64,
    runs: Runs<S::Runs>,
    commit: Slot,
    applied: Slot,
    snapshot: Slot,
    /// There may be a stop-sign after the commit.
    may_stop: bool,
}

/// So many slots without a vote may lie before one: what was lost on the way is sent again.
pub(super) const MAX_HOLES: u64 = 256;

/// What became of entries that were put in their slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Put {
    /// The first slot of which entry or ballot changed, if any did.
    pub(super) changed: Option<Slot>,
    /// Not all of them had room: in the log, or there are votes in too many ballots.
    pub(super) full: bool,
    /// It is the log that has no room.
    pub(super) is_log_full: bool,
    /// The last of the slots whose entries are in place.
    pub(super) through: Slot,
}

/// Entries are at odds with what is known to be chosen.
pub(super) struct Contradiction;

/// A run of votes in one ballot, or of what is chosen.
pub(super) struct Page {
    pub(super) first: Slot,
    pub(super) accepted: Ballot,
    pub(super) span: Span,
}

impl<S: Storage> Slots<S> {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            log: S::Log::with_limit(config.max_log_bytes.saturating_mul(2)),
            max_bytes: config.max_log_bytes as u64,
            runs: Runs::with_limit(MOST_RUNS),
            commit: 0,
            applied: 0,
            snapshot: 0,
            may_stop: false,
        }
    }

    /// Whether there may be a stop-sign among what is not known to be chosen.
    #[inline]
    pub(super) const fn may_stop(&self) -> bool {
        self.may_stop
    }

    /// There is a stop-sign among entries that come in now.
    pub(super) const fn has_stop_sign(&mut self) {
        self.may_stop = true;
    }

    /// The first stop-sign after one slot, up to another, that ends the configuration of this number.
    #[cold]
    pub(super) fn stop_sign(&self, after: Slot, through: Slot, number: u64) -> Option<Slot> {
        let mut next = succ(after);
        while next <= through {
            let entries = self.log.entries(next, through, usize::MAX);
            for entry in entries.iter().filter(|entry| entry.kind == EntryKind::StopSign) {
                let says = Configuration::check(entry.data);
                if says.is_ok_and(|configuration| configuration.number == succ(number)) {
                    return Some(entry.slot);
                }
            }
            next = succ(entries.last());
            if entries.is_empty() {
                break;
            }
        }
        None
    }

    /// What the stop-sign in a slot says.
    pub(super) fn configuration(&self, slot: Slot) -> Option<Configuration<'_>> {
        let entry = self.log.entries(slot, slot, 0).into_iter().next()?;
        Configuration::check(entry.data).ok()
    }

    /// That of the entry in a slot.
    pub(super) fn epoch_at(&self, slot: Slot) -> u64 {
        self.log.entries(slot, slot, 0).into_iter().next().map_or(0, |entry| entry.epoch)
    }

    /// What was voted for after a stop-sign that is chosen counts for nothing: it is dropped, up to what follows in the new configuration.
    pub(super) fn cut(&mut self, last: Slot) {
        self.may_stop = false;
        if last < self.log.last() {
            self.log.truncate(last);
            self.runs.cut(last);
        }
    }

    #[inline]
    pub(super) fn last(&self) -> Slot {
        self.log.last()
    }

    #[inline]
    pub(super) const fn commit(&self) -> Slot {
        self.commit
    }

    pub(super) const fn applied(&self) -> Slot {
        self.applied
    }

    pub(super) const fn snapshot(&self) -> Slot {
        self.snapshot
    }

    pub(super) fn compacted(&self) -> Slot {
        self.log.compacted()
    }

    /// Runs of votes in one ballot after what is chosen.
    pub(super) fn runs(&self) -> usize {
        let last = self.log.last();
        let (mut slot, mut count) = (succ(self.commit), 0_usize);
        while slot <= last {
            let (ballot, end) = self.runs.at(slot);
            count = count.saturating_add(usize::from(!ballot.is_zero()));
            slot = succ(end.min(last));
        }
        count
    }

    /// Whether there is no entry for one of these slots.
    pub(super) fn has_hole(&self, from: Slot, to: Slot) -> bool {
        (from..=to).any(|slot| {
            let entry = self.log.entries(slot, slot, 0);
            entry.iter().next().is_none_or(|entry| entry.kind == EntryKind::Hole)
        })
    }

    /// The ballot of the vote for a slot; none where there is no vote, or where it does not matter any more.
    pub(super) fn ballot_at(&self, slot: Slot) -> Ballot {
        if slot > self.log.last() { Ballot::ZERO } else { self.runs.at(slot).0 }
    }

    /// Whether an entry fits, and how much of the log would not be chosen.
    #[inline]
    pub(super) fn fits(&self, len: usize, spare: usize) -> bool {
        let heads = spare.saturating_add(1).saturating_mul(MAX_HEADER_LEN);
        self.log.fits(len, spare) && self.has_bytes(len.saturating_add(heads))
    }

    /// Whether so many bytes more are not too many where the storage does not say.
    #[inline]
    fn has_bytes(&self, more: usize) -> bool {
        if S::LOG_BYTES != usize::MAX {
            return true;
        }
        let used = self.log.bytes_between(self.log.compacted(), self.log.last());
        used.saturating_add(more as u64) <= self.max_bytes
    }

    pub(super) fn half(&self) -> (u64, u64) {
        let (entries, bytes) = self.log.half();
        (entries, bytes.min(if S::LOG_BYTES == usize::MAX { self.max_bytes / 2 } else { bytes }))
    }

    /// Bytes of the entries after `after`, up to and including `through`.
    pub(super) fn bytes_between(&self, after: Slot, through: Slot) -> u64 {
        self.log.bytes_between(after, through)
    }

    pub(super) fn span(&self, from: Slot, to: Slot, max_bytes: usize) -> Span {
        self.log.span(from, to, max_bytes)
    }

    pub(super) fn slice(&self, span: Span) -> Entries<'_> {
        self.log.slice(span)
    }

    /// All slots after the commit up to here have a vote in this ballot.
    #[inline]
    pub(super) fn voted_through(&self, ballot: Ballot) -> Slot {
        let last = self.log.last();
        let mut through = self.commit;
        while through < last {
            let (voted, end) = self.runs.at(succ(through));
            if voted != ballot || ballot.is_zero() {
                break;
            }
            through = end.min(last);
        }
        through
    }

    /// The leader votes for a new entry.
    #[inline]
    pub(super) fn add(&mut self, header: Header, data: &[u8], ballot: Ballot) -> Result<(), Full> {
        if !self.runs.has_room(ballot) {
            return Err(Full);
        }
        self.log.push(header, data)?;
        let last = self.log.last();
        self.runs.set((last, last), ballot, last)
    }

    /// Puts so many entries in their slots, from `first` on, as votes in this ballot; without a ballot, because they are chosen. What is known
    /// to be chosen stays as it is.
    #[inline]
    pub(super) fn put(
        &mut self,
        first: Slot,
        ballot: Ballot,
        (count, entries): (u64, &[u8]),
    ) -> Result<Put, Contradiction> {
        let end = first.wrapping_add(count).wrapping_sub(1);
        let (mut slot, mut rest) = (first, entries);
        while slot <= self.commit
            && let Some((entry, after)) = entry::split(rest)
        {
            if slot > self.log.compacted() && self.entry(slot) != entry {
                return Err(Contradiction);
            }
            (slot, rest) = (succ(slot), after);
        }
        let through = slot.saturating_sub(1);
        let mut put = Put { changed: None, full: false, is_log_full: false, through };
        if rest.is_empty() {
            return Ok(put);
        }
        let last = self.log.last();
        if slot <= last && self.runs.is_too_much((slot, end), ballot, last) {
            put.full = true;
            return Ok(put);
        }
        if slot > succ(self.log.last()) {
            let first_hole = succ(self.log.last());
            if self.add_holes(slot).is_err() {
                put.full = true;
                return Ok(put);
            }
            put.changed = Some(first_hole);
        }
        while slot <= self.log.last()
            && let Some((entry, after)) = entry::split(rest)
        {
            match self.replace(slot, ballot, entry) {
                Ok(true) => put.changed = put.changed.or(Some(slot)),
                Ok(false) => {}
                Err(Full) => {
                    (put.full, put.is_log_full) = (true, true);
                    return Ok(put);
                }
            }
            put.through = slot;
            (slot, rest) = (succ(slot), after);
        }
        if !rest.is_empty() {
            self.append((slot, end), ballot, rest, &mut put);
        }
        Ok(put)
    }

    #[inline]
    fn append(&mut self, (slot, end): (Slot, Slot), ballot: Ballot, rest: &[u8], put: &mut Put) {
        let has_room = self.runs.has_room(ballot) && self.has_bytes(rest.len());
        let count = if has_room { self.log.append(rest) } else { 0 };
        let last = self.log.last();
        if count > 0 {
            let _ = self.runs.set((slot, last), ballot, last); // there is room
            put.changed = put.changed.or(Some(slot));
            put.through = last;
        }
        if last != end {
            put.full = true;
            put.is_log_full = self.runs.has_room(ballot);
        }
    }

    /// Puts entries back that were in their slots when they were written.
    pub(super) fn put_back(
        &mut self,
        first: Slot,
        (ballot, then): (Ballot, Ballots<'_>),
        entries: &[u8],
    ) -> Result<(), Corrupt> {
        let (mut slot, mut rest) = (first, entries);
        while slot <= self.commit
            && let Some((entry, after)) = entry::split(rest)
        {
            if slot > self.log.compacted() && self.entry(slot) != entry {
                return Err(Corrupt::Regression);
            }
            (slot, rest) = (succ(slot), after);
        }
        if rest.is_empty() {
            return Ok(());
        }
        let last = slot.saturating_add(count_of(rest)).saturating_sub(1);
        let end = self.log.last();
        let is_placed = if slot > succ(end) {
            self.add_holes(slot).is_ok() && self.log.append(rest) > 0
        } else if last >= end {
            // nothing of what was there is left: there is room for it
            self.log.truncate(slot.saturating_sub(1));
            self.log.append(rest) > 0
        } else {
            self.put_back_among_others(slot, rest)
        };
        if !is_placed || self.log.last() != end.max(last) {
            return Err(Corrupt::Full);
        }
        let runs = core::iter::once((first, ballot)).chain(then.iter());
        for (from, ballot) in runs {
            let range = (from.max(slot), last);
            self.runs.set(range, ballot, self.log.last()).map_err(|Full| Corrupt::Full)?;
        }
        Ok(())
    }

    #[cold]
    fn put_back_among_others(&mut self, mut slot: Slot, mut rest: &[u8]) -> bool {
        while let Some((entry, after)) = entry::split(rest) {
            if self.log.replace(slot, entry).is_err() {
                return false;
            }
            (slot, rest) = (succ(slot), after);
        }
        true
    }

    /// Puts an entry in the place of another. False if that changes nothing.
    #[cold]
    fn replace(&mut self, slot: Slot, ballot: Ballot, entry: &[u8]) -> Result<bool, Full> {
        let last = self.log.last();
        let (before, _) = self.runs.at(slot);
        let is_same = self.entry(slot) == entry;
        if is_same && before == ballot {
            return Ok(false);
        }
        self.runs.set((slot, slot), ballot, last)?;
        if !is_same && self.log.replace(slot, entry).is_err() {
            let _ = self.runs.set((slot, slot), before, last); // as it was
            return Err(Full);
        }
        Ok(true)
    }

    #[cold]
    fn add_holes(&mut self, before: Slot) -> Result<(), Full> {
        let last = self.log.last();
        if before.saturating_sub(last) > MAX_HOLES || !self.runs.has_room_for(2) {
            return Err(Full);
        }
        for _ in succ(last)..before {
            if self.log.push(Header::HOLE, &[]).is_err() {
                self.log.truncate(last);
                return Err(Full);
            }
        }
        let holes = (succ(last), before.saturating_sub(1));
        self.runs.set(holes, Ballot::ZERO, self.log.last())
    }

    /// Whether this node has these entries in their slots, as far as they are not known to be chosen.
    pub(super) fn agrees(&self, first: Slot, entries: &[u8]) -> bool {
        let (mut slot, mut rest) = (first, entries);
        while let Some((entry, after)) = entry::split(rest) {
            if slot > self.commit && (slot > self.log.last() || self.entry(slot) != entry) {
                return false;
            }
            (slot, rest) = (succ(slot), after);
        }
        true
    }

    /// A vote of another acceptor, in a ballot below the one that this candidate prepares: it takes the place of a vote in a lower ballot.
    pub(super) fn merge(&mut self, slot: Slot, ballot: Ballot, entry: &[u8]) -> Put {
        if slot <= self.commit || self.ballot_at(slot) >= ballot {
            return Put { changed: None, full: false, is_log_full: false, through: slot };
        }
        // nothing chosen is touched
        let through = slot.saturating_sub(1);
        let nothing = Put { changed: None, full: true, is_log_full: false, through };
        self.put(slot, ballot, (1, entry)).unwrap_or(nothing)
    }

    /// The new leader votes, in its ballot, for what it found, and for no-ops in the slots for which it found nothing.
    ///
    /// # Errors
    ///
    /// [`Full`] if the no-ops have no room; nothing was changed.
    pub(super) fn vote_for_all(&mut self, ballot: Ballot, epoch: u64) -> Result<(), Full> {
        let last = self.log.last();
        if let Err(Full) = self.fill_holes(Header::no_op(epoch)) {
            let _ = self.fill_holes(Header::HOLE); // as it was, which takes no more room
            return Err(Full);
        }
        self.runs.set((succ(self.commit), last), ballot, last)
    }

    /// Holes are where there is no vote, and nowhere else, from a slot on that is not chosen.
    pub(super) fn is_consistent(&self, from: Slot) -> bool {
        (from.max(succ(self.commit))..=self.log.last()).all(|slot| {
            let mut entries = self.log.entries(slot, slot, 0).iter();
            let is_hole = entries.next().is_some_and(|entry| entry.kind == EntryKind::Hole);
            is_hole == self.runs.at(slot).0.is_zero()
        })
    }

    /// Puts this into each slot for which there is no vote, and that is not chosen.
    fn fill_holes(&mut self, header: Header) -> Result<(), Full> {
        let (head, len) = header.encode();
        let entry = head.get(..len).unwrap_or_default();
        let last = self.log.last();
        let mut slot = succ(self.commit);
        while slot <= last {
            let (voted, end) = self.runs.at(slot);
            let end = end.min(last);
            if voted.is_zero() {
                for hole in slot..=end {
                    self.log.replace(hole, entry)?;
                }
            }
            slot = succ(end);
        }
        Ok(())
    }

    /// Everything up to here is chosen, as far as there are entries.
    pub(super) fn commit_to(&mut self, slot: Slot) -> bool {
        let slot = slot.min(self.log.last());
        if slot <= self.commit {
            return false;
        }
        self.commit = slot;
        self.runs.settle(slot);
        true
    }

    /// The next entries to apply, up to `through`.
    pub(super) fn apply(&mut self, through: Slot) -> Option<Span> {
        let through = through.min(self.commit);
        if self.applied >= through {
            return None;
        }
        let span = self.log.span(succ(self.applied), through, usize::MAX);
        self.applied = span.last();
        Some(span)
    }

    /// A page of the votes from a slot on: what is chosen first, then the votes of a run. Empty after the last.
    pub(super) fn page(&self, from: Slot, max_bytes: usize) -> Page {
        let last = self.log.last();
        let mut first = from.max(succ(self.log.compacted()));
        if first <= self.commit {
            let span = self.log.span(first, self.commit, max_bytes);
            return Page { first, accepted: Ballot::ZERO, span };
        }
        while first <= last {
            let (accepted, end) = self.runs.at(first);
            let end = end.min(last);
            if !accepted.is_zero() {
                return Page { first, accepted, span: self.log.span(first, end, max_bytes) };
            }
            first = succ(end);
        }
        Page { first, accepted: Ballot::ZERO, span: Span::empty(first) }
    }

    /// The entries after `issued` that go into one record.
    #[inline]
    pub(super) fn unwritten(&self, issued: Slot) -> Option<Span> {
        let first = succ(issued.max(self.log.compacted()));
        let last = self.log.last();
        (first <= last).then(|| self.log.span(first, last, S::RUN_BYTES))
    }

    /// The record of some entries. In which ballots there were votes for what is chosen is left out.
    #[inline]
    pub(super) fn record(&self, span: Span) -> Record<'_> {
        let open = span.first().max(succ(self.commit));
        Record::Accepted {
            first: span.first(),
            ballot: if open > span.last() { Ballot::ZERO } else { self.runs.at(open).0 },
            then: self.runs.between(open, span.last()),
            commit: self.commit.min(span.last()),
            entries: self.log.slice(span).bytes(),
        }
    }

    /// The application has a snapshot; the log begins after `compacted`.
    pub(super) fn compact(&mut self, snapshot: Slot, compacted: Slot) {
        self.snapshot = snapshot;
        if compacted > self.log.compacted() {
            self.log.compact(compacted);
        }
    }

    /// A record tells of a snapshot. Where it was taken here, the entries up to it are chosen, and came before the record, or follow.
    pub(super) fn restore_snapshot(&mut self, snapshot: Slot, compacted: Slot) {
        if compacted > self.log.last() {
            self.log.reset(compacted, ());
            self.runs.reset();
        } else {
            self.log.compact(compacted);
        }
        (self.snapshot, self.applied) = (snapshot, snapshot);
        if snapshot <= self.log.last() {
            self.commit_to(snapshot);
        }
        self.commit = self.commit.max(compacted);
    }

    /// What the log has is of an earlier configuration than the snapshot that comes.
    pub(super) fn reset(&mut self, compacted: Slot) {
        self.log.reset(compacted, ());
        self.runs.reset();
        self.may_stop = false;
    }

    /// Every record was replayed. True if entries that the snapshot covers are missing: it stands for all of them then.
    pub(super) fn finish_restoring(&mut self) -> bool {
        let is_short = self.commit < self.snapshot;
        if is_short {
            self.install(self.snapshot, false);
        }
        is_short
    }

    /// The application has a snapshot of what was not applied here. Votes after it stay, unless they are of an earlier configuration.
    pub(super) fn install(&mut self, snapshot: Slot, is_another: bool) {
        if snapshot > self.log.last() || is_another {
            self.reset(snapshot);
        } else {
            self.log.compact(snapshot);
        }
        (self.snapshot, self.applied) = (snapshot, snapshot);
        if snapshot > self.commit {
            self.commit = snapshot;
            self.runs.settle(snapshot);
        }
    }

    fn entry(&self, slot: Slot) -> &[u8] {
        self.log.entries(slot, slot, 0).bytes()
    }
}

fn count_of(entries: &[u8]) -> u64 {
    let (mut count, mut rest) = (0_u64, entries);
    while let Some((_, after)) = entry::split(rest) {
        (count, rest) = (succ(count), after);
    }
    count
}
