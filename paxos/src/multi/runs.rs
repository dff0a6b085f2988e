use core::fmt;

use quorate_core::{DecodeError, Field, Form, Full, List, NodeId, Reader, Source, Wire, Writer};

use super::{Slot, succ};
use crate::Ballot;

/// The ballots of votes, as runs: slots that follow on each other and were voted for in one ballot are one. A leader streams its accepts in
/// the order of the slots, so there is mostly one run.
///
/// `L` has the runs, in the order of their first slots; two that follow on each other have different ballots. The last one has no end: that
/// of the log is it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Runs<L> {
    runs: L,
}

/// Slots from one on that were voted for in one ballot; [`Ballot::ZERO`] where there was no vote.
#[derive(Clone, Copy)]
struct Run {
    first: Slot,
    ballot: Ballot,
}

/// A run as it is on disk: three numbers of eight bytes each, the lowest byte first.
pub(super) type Encoded = [u8; 24];

/// Runs that votes do not use: they are needed while one run takes the place of others.
const SPARE: usize = 2;

impl Run {
    #[inline]
    fn encode(self) -> Encoded {
        let mut bytes = [0; 24];
        let numbers = [self.first, self.ballot.round, self.ballot.node.get()];
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        bytes
    }

    #[inline]
    fn decode(bytes: &Encoded) -> Self {
        let mut numbers = bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut next = || numbers.next().unwrap_or_default();
        let (first, round) = (next(), next());
        Self { first, ballot: Ballot::new(round, NodeId::new(next())) }
    }
}

impl<L: List<Encoded>> Runs<L> {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { runs: L::with_limit(limit) }
    }

    /// The ballot of a slot's vote, and the last slot of its run; the last run has no end.
    #[inline]
    pub(super) fn at(&self, slot: Slot) -> (Ballot, Slot) {
        let mut end = Slot::MAX;
        for run in self.runs.iter().rev().map(Run::decode) {
            if run.first <= slot {
                return (run.ballot, end);
            }
            end = run.first.saturating_sub(1);
        }
        (Ballot::ZERO, end)
    }

    /// The runs that begin after a slot, up to another.
    pub(super) fn between(&self, after: Slot, through: Slot) -> Ballots<'_> {
        let first_of = |run: &Encoded| Run::decode(run).first;
        let start = self.runs.partition_point(|run| first_of(run) <= after);
        let end = self.runs.partition_point(|run| first_of(run) <= through);
        Ballots(self.runs.get(start..end).unwrap_or_default())
    }

    /// Whether slots at the end can be voted for in this ballot.
    #[inline]
    pub(super) fn has_room(&self, ballot: Ballot) -> bool {
        let is_last = self.runs.last().is_some_and(|run| Run::decode(run).ballot == ballot);
        is_last || self.has_room_for(1)
    }

    /// Whether votes may make so many runs more.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        self.runs.len().saturating_add(more) <= self.runs.limit().saturating_sub(SPARE)
    }

    /// Whether votes for these slots in this ballot would make too many runs; never if they make no more than there are.
    pub(super) fn is_too_much(&self, range: (Slot, Slot), ballot: Ballot, end: Slot) -> bool {
        let (_, _, count) = self.after(range, ballot, end);
        count > self.runs.limit().saturating_sub(SPARE) && count > self.runs.len()
    }

    /// Whether the run before joins these slots, whether that after does, and how many runs there would be.
    fn after(&self, (first, last): (Slot, Slot), ballot: Ballot, end: Slot) -> (bool, bool, usize) {
        let (before, _) = self.at(first.saturating_sub(1));
        let (after, _) = self.at(succ(last));
        let joins_before = before == ballot;
        let joins_after = last >= end || after == ballot;
        let is_gone = |run: &&Encoded| (first..=succ(last)).contains(&Run::decode(run).first);
        let kept = self.runs.len().saturating_sub(self.runs.iter().filter(is_gone).count());
        let added = usize::from(!joins_before).saturating_add(usize::from(!joins_after));
        (joins_before, joins_after, kept.saturating_add(added))
    }

    /// The slots from `first` to `last` were voted for in this ballot; `end` is the end of the log, afterwards.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room for the runs; nothing was changed.
    pub(super) fn set(
        &mut self,
        (first, last): (Slot, Slot),
        ballot: Ballot,
        end: Slot,
    ) -> Result<(), Full> {
        if first > last || self.at(first) == (ballot, Slot::MAX) {
            return Ok(());
        }
        let (joins_before, joins_after, count) = self.after((first, last), ballot, end);
        if count > self.runs.limit() {
            return Err(Full);
        }
        let (after, _) = self.at(succ(last));
        let gone = first..=succ(last);
        while let Some(at) = self.runs.iter().position(|run| gone.contains(&Run::decode(run).first))
        {
            self.runs.remove(at);
        }
        if !joins_before {
            self.insert(Run { first, ballot });
        }
        if !joins_after {
            self.insert(Run { first: succ(last), ballot: after });
        }
        Ok(())
    }

    /// There is room.
    fn insert(&mut self, run: Run) {
        let _ = self.runs.push(run.encode());
        let mut at = self.runs.len().saturating_sub(1);
        while let Some([before, last]) = self.runs.get_mut(at.saturating_sub(1)..=at)
            && Run::decode(before).first > Run::decode(last).first
        {
            core::mem::swap(before, last);
            at = at.saturating_sub(1);
        }
    }

    /// The slots up to this one are chosen: in which ballot they were voted for counts no more.
    ///
    /// A vote for what was chosen is one in every later ballot as well, as no other value can be proposed there ("Paxos Made Simple", 2001,
    /// section 2.2, P2).
    #[inline]
    pub(super) fn settle(&mut self, chosen: Slot) {
        let next = succ(chosen);
        while self.runs.get(1).is_some_and(|run| Run::decode(run).first <= next) {
            self.runs.remove(0);
        }
    }

    /// There are no votes after this slot any more.
    pub(super) fn cut(&mut self, last: Slot) {
        let kept = self.runs.partition_point(|run| Run::decode(run).first <= last);
        self.runs.truncate(kept);
    }

    /// Nothing was voted for.
    pub(super) fn reset(&mut self) {
        self.runs.clear();
    }
}

/// The ballots of votes, as runs: each from a slot on, up to the next.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ballots<'a>(&'a [Encoded]);

impl<'a> Ballots<'a> {
    /// The first slot of each run, and its ballot; none for slots without a vote.
    ///
    /// ```
    /// use quorate_paxos::multi::Ballots;
    /// assert_eq!(Ballots::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Slot, Ballot)> + 'a {
        self.0.iter().map(Run::decode).map(|run| (run.first, run.ballot))
    }
}

impl<'a> Wire<'a> for Ballots<'a> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self.0.as_flattened());
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.bytes()?.as_chunks() {
            (runs, []) => Ok(Self(runs)),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl<'a> Field<'a> for Ballots<'a> {
    const FORM: Form = Form::named("runs");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (slot, ballot)) in self.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}{ballot} from {slot}")?;
        }
        f.write_str(if self.0.is_empty() { "none" } else { "" })
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self(source.bytes().as_chunks().0)
    }
}

impl fmt::Debug for Ballots<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
