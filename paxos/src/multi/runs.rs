use quorate_core::{Full, List};

use super::Slot;
use crate::Ballot;

/// The ballots of votes, as runs: slots that follow on each other and were voted for in one ballot are one. A leader streams its accepts in
/// the order of the slots, so there is mostly one run.
///
/// `L` has the runs, in the order of their first slots; two that follow on each other have different ballots. The last one has no end: that
/// of the log is it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Runs<L> {
    runs: L,
    /// So many that votes may make. There is room for more: on disk, what took the place of older votes may be there in part, with the rest
    /// of those behind it.
    soft_limit: usize,
}

/// Slots from one on that were voted for in one ballot; [`Ballot::ZERO`] where there was no vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(unnameable_types)] // the list of a sealed storage
pub struct Run {
    first: Slot,
    ballot: Ballot,
}

impl<L: List<Run>> Runs<L> {
    pub(super) fn with_limit(limit: usize) -> Self {
        let runs = L::with_limit(limit);
        let soft_limit = runs.limit() / 5 * 2;
        Self { runs, soft_limit }
    }

    /// The ballot of a slot's vote, and the last slot of its run; the last run has no end.
    #[inline]
    pub(super) fn at(&self, slot: Slot) -> (Ballot, Slot) {
        let mut end = Slot::MAX;
        for run in self.runs.iter().rev() {
            if run.first <= slot {
                return (run.ballot, end);
            }
            end = run.first.saturating_sub(1);
        }
        (Ballot::ZERO, end)
    }

    /// Whether slots at the end can be voted for in this ballot.
    #[inline]
    pub(super) fn has_room(&self, ballot: Ballot) -> bool {
        let is_last = self.runs.last().is_some_and(|run| run.ballot == ballot);
        is_last || self.runs.len() < self.soft_limit
    }

    /// Whether there is room for a gap at the end, and for what comes after it.
    pub(super) fn has_room_for_two(&self) -> bool {
        self.runs.len().saturating_add(2) <= self.soft_limit
    }

    /// Whether there is room beyond that for votes.
    pub(super) fn has_space(&self) -> bool {
        self.runs.len() < self.runs.limit()
    }

    /// Whether votes for these slots in this ballot would make too many runs; never if they make no more than there are.
    pub(super) fn is_too_much(&self, range: (Slot, Slot), ballot: Ballot, end: Slot) -> bool {
        let (_, _, count) = self.after(range, ballot, end);
        count > self.soft_limit && count > self.runs.len()
    }

    /// Whether the run before joins these slots, whether that after does, and how many runs there would be.
    fn after(&self, (first, last): (Slot, Slot), ballot: Ballot, end: Slot) -> (bool, bool, usize) {
        let (before, _) = self.at(first.saturating_sub(1));
        let has_before = self.runs.first().is_some_and(|run| run.first < first);
        let (after, _) = self.at(last.saturating_add(1));
        let joins_before = has_before && before == ballot;
        let joins_after = last >= end || after == ballot;
        let is_gone = |run: &&Run| (first..=last.saturating_add(1)).contains(&run.first);
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
        let (after, _) = self.at(last.saturating_add(1));
        while let Some(at) =
            self.runs.iter().position(|run| (first..=last.saturating_add(1)).contains(&run.first))
        {
            self.runs.remove(at);
        }
        if !joins_before {
            self.insert(Run { first, ballot });
        }
        if !joins_after {
            self.insert(Run { first: last.saturating_add(1), ballot: after });
        }
        Ok(())
    }

    /// There is room.
    fn insert(&mut self, run: Run) {
        let _ = self.runs.push(run);
        let mut at = self.runs.len().saturating_sub(1);
        while let Some([before, last]) = self.runs.get_mut(at.saturating_sub(1)..=at)
            && before.first > last.first
        {
            core::mem::swap(before, last);
            at = at.saturating_sub(1);
        }
    }

    /// The slots up to this one are chosen: in which ballot they were voted for counts no more, and that of the last one stands for all.
    ///
    /// A vote for what was chosen is one in every later ballot as well, as no other value can be proposed there ("Paxos Made Simple", 2001,
    /// section 2.2, P2).
    pub(super) fn settle(&mut self, chosen: Slot) {
        while self.runs.get(1).is_some_and(|run| run.first <= chosen) {
            self.runs.remove(0);
        }
        if let Some(run) = self.runs.first_mut()
            && run.first <= chosen
        {
            run.first = 0;
        }
    }

    /// Nothing was voted for after this slot.
    pub(super) fn reset(&mut self) {
        self.runs.clear();
    }
}
