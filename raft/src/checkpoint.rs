//! Records at boot, and the fewest records that restore the present state.

use quorate_core::{Corrupt, NodeId};

use crate::entry::Run;
use crate::log::{Log, Span, TermLog};
use crate::raft::{LIMIT, Raft, succ};
use crate::storage::Storage;
use crate::{Index, Member, Members, Record, Term};

impl<S: Storage> Raft<S> {
    /// Replays one record at boot.
    pub(crate) fn restore_record(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        let result = match record {
            Record::Vote { term, vote } => self.restore_vote(term, vote),
            Record::Append { first, commit, entries } => {
                self.restore_entries(first, commit, entries)
            }
            Record::Snapshot { index, index_term, compacted, compacted_term } => {
                self.restore_snapshot((index, index_term), (compacted, compacted_term))
            }
            Record::Members { index, index_term, members } => {
                self.restore_members((index, index_term), members)
            }
            Record::Founders { voters } => self.restore_founders(voters),
        };
        self.disk.restored(self.log.last());
        result
    }

    /// Tells, after the last [`restore`](quorate_core::Machine::restore) and before the first tick, that the application's own durable snapshot
    /// covers everything up to `index`, whose entry is of `index_term`: that is committed then, and is not given again. Both are
    /// 0 for an application that has none.
    ///
    /// Every application must say so once the records name a snapshot, that is, if `status().snapshot` is not 0: the entries
    /// that it covers are not given again, and may be gone. Without it the first input stops the machine with
    /// [`Fatal::LostState`](quorate_core::Fatal::LostState). A crash between a snapshot and its record leaves a snapshot that is
    /// newer than its record, which is fine; one that is older was lost.
    ///
    /// An application that has lost its state, and whose storage is not [`Fixed`](crate::Fixed), may claim the snapshot that the
    /// records name and then [ask the leader for another](Self::request_snapshot), before the first tick.
    ///
    /// # Errors
    ///
    /// [`Corrupt::StaleSnapshot`] when the records name a newer snapshot, [`Corrupt::Malformed`] for numbers that no snapshot
    /// has, [`Corrupt::Gap`] when the records know of no such snapshot (some are lost), [`Corrupt::Regression`] when the records
    /// have that snapshot, or a committed entry there, with another term, [`Corrupt::Started`] after the first tick. Nothing was
    /// changed.
    ///
    /// ```
    /// use quorate_core::{Corrupt, Machine, NodeId};
    /// use quorate_raft::{Config, Inline, Raft, Record};
    /// let me = NodeId::new(1);
    /// let mut raft = Raft::<Inline<3, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
    /// raft.restore(Record::Vote { term: 1, vote: Some(me) })?;
    /// raft.restore(Record::Snapshot { index: 7, index_term: 1, compacted: 7, compacted_term: 1 })?;
    /// assert_eq!(raft.resume(2, 1), Err(Corrupt::StaleSnapshot));
    /// raft.resume(7, 1)?;
    /// assert_eq!(raft.status().applied, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(&mut self, index: Index, index_term: Term) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        if index_term >= LIMIT || index >= LIMIT || (index == 0) != (index_term == 0) {
            return Err(Corrupt::Malformed);
        }
        if index < self.snapshot {
            return Err(Corrupt::StaleSnapshot);
        }
        if index == self.snapshot {
            if index_term != self.snapshot_term {
                return Err(Corrupt::Regression);
            }
            self.applied = index;
            return Ok(());
        }
        let known = self.term_at(index);
        if S::CHANGES && known != index_term && self.arriving_at != (index, index_term) {
            // who the members were then is not known
            return Err(Corrupt::Gap);
        }
        if index <= self.commit && known != 0 && known != index_term {
            return Err(Corrupt::Regression);
        }
        if index_term > self.term {
            // the snapshot came in a later term than was durable when the power failed
            self.enter(index_term, None);
        }
        if known == index_term {
            // the log goes on as far back as it does
            self.found_at(index);
            (self.snapshot, self.snapshot_term) = (index, index_term);
            self.disk.snapshot_dirty = true;
        } else {
            self.adopt_snapshot(index, index_term);
        }
        self.applied = index;
        self.commit = self.commit.max(index);
        self.verified = self.commit;
        Ok(())
    }

    fn restore_vote(&mut self, term: Term, vote: Option<NodeId>) -> Result<(), Corrupt> {
        if term >= LIMIT || (term == 0 && vote.is_some()) {
            return Err(Corrupt::Malformed);
        }
        let takes_back = self.vote.is_some() && vote != self.vote;
        if term < self.term || (term == self.term && takes_back) {
            return Err(Corrupt::Regression);
        }
        (self.term, self.vote) = (term, vote);
        Ok(())
    }

    fn restore_entries(
        &mut self,
        first: Index,
        commit: Index,
        entries: &[u8],
    ) -> Result<(), Corrupt> {
        let before = first.checked_sub(1).ok_or(Corrupt::Malformed)?;
        let prev_term = self.log.term(before).ok_or(Corrupt::Gap)?;
        let run = Run::check(entries, prev_term).map_err(|_| Corrupt::Malformed)?;
        if run.last_term > self.term || run.count == 0 || before.saturating_add(run.count) >= LIMIT
        {
            return Err(Corrupt::Malformed);
        }
        if commit > before.saturating_add(run.count) {
            return Err(Corrupt::Malformed);
        }
        if before < self.commit.min(self.log.last()) {
            // it would replace a committed entry
            return Err(Corrupt::Regression);
        }
        if run.config {
            let fits = self.check_configs(entries).map_err(|_| Corrupt::Malformed)?;
            fits.map_err(|_| Corrupt::Full)?;
        }
        self.log.truncate(before);
        let taken = self.log.append(entries);
        if run.config || before < self.config_at {
            self.reconfigure();
        }
        if taken < run.count {
            return Err(Corrupt::Full);
        }
        self.commit = self.commit.max(commit);
        self.verified = self.commit;
        Ok(())
    }

    fn restore_snapshot(
        &mut self,
        snapshot: (Index, Term),
        compacted: (Index, Term),
    ) -> Result<(), Corrupt> {
        if compacted > snapshot
            || compacted.0 > snapshot.0
            || snapshot.0 >= LIMIT
            || snapshot.0 == 0
        {
            return Err(Corrupt::Malformed);
        }
        let out_of_term = snapshot.1 == 0 || snapshot.1 > self.term;
        if out_of_term || (compacted.0 == 0) != (compacted.1 == 0) {
            return Err(Corrupt::Malformed);
        }
        if snapshot.0 < self.snapshot || compacted.0 < self.log.compacted() {
            return Err(Corrupt::Regression);
        }
        if self.arriving_at == snapshot {
            self.found_on_arrival();
        } else {
            self.found_at(snapshot.0);
        }
        let in_log = |(index, term): (Index, Term)| self.term_at(index) == term;
        if in_log(compacted) && (in_log(snapshot) || self.log.last() == compacted.0) {
            self.log.compact(compacted.0);
        } else {
            self.log.reset(compacted.0, compacted.1);
        }
        (self.snapshot, self.snapshot_term) = snapshot;
        self.reconfigure();
        self.commit = snapshot.0.max(self.commit.min(self.log.last()));
        self.verified = self.commit;
        Ok(())
    }

    fn restore_members(
        &mut self,
        snapshot: (Index, Term),
        members: Members<'_>,
    ) -> Result<(), Corrupt> {
        if !S::CHANGES {
            return Ok(());
        }
        if !members.is_empty() && !members.is_valid() {
            return Err(Corrupt::Malformed);
        }
        if snapshot.0 == 0 || snapshot.1 == 0 || snapshot.0 >= LIMIT || snapshot.1 >= LIMIT {
            return Err(Corrupt::Malformed);
        }
        if !self.holds(members) {
            return Err(Corrupt::Full);
        }
        self.arrive(snapshot, members);
        self.disk.members_dirty = false;
        Ok(())
    }

    /// They were said at the first start, in whatever order, and never change.
    fn restore_founders(&mut self, voters: Members<'_>) -> Result<(), Corrupt> {
        if S::CHANGES && !voters.is_empty() && !voters.is_valid() {
            return Err(Corrupt::Malformed);
        }
        let own = self.founders();
        let listed = |founder: Member| voters.membership(founder.id) == founder.membership;
        if own.len() != voters.len() || !own.iter().all(listed) {
            return Err(Corrupt::Founders);
        }
        self.disk.founded = true;
        Ok(())
    }

    fn founders(&self) -> Members<'_> {
        Members::of(if S::CHANGES { &self.founders } else { &self.base })
    }

    #[inline]
    pub(crate) fn founders_record(&self) -> Record<'_> {
        Record::Founders { voters: self.founders() }
    }

    pub(crate) const fn vote_record(&self) -> Record<'_> {
        Record::Vote { term: self.term, vote: self.vote }
    }

    #[inline]
    pub(crate) fn entries_record(&self, span: Span) -> Record<'_> {
        let entries = self.log.slice(span).bytes();
        Record::Append { first: span.first(), commit: self.commit.min(span.last()), entries }
    }

    #[inline]
    pub(crate) fn snapshot_record(&self) -> Record<'_> {
        let compacted = self.log.compacted();
        Record::Snapshot {
            index: self.snapshot,
            index_term: self.snapshot_term,
            compacted,
            compacted_term: self.term_at(compacted),
        }
    }

    pub(crate) fn arriving_record(&self) -> Record<'_> {
        let (index, index_term) = self.arriving_at;
        Record::Members { index, index_term, members: Members::of(&self.arriving) }
    }

    fn base_record(&self) -> Record<'_> {
        let (index, index_term) = (self.snapshot, self.snapshot_term);
        Record::Members { index, index_term, members: Members::of(&self.base) }
    }

    /// The fewest records that restore the present state.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut step = 0_u8;
        let mut next = succ(self.log.compacted());
        core::iter::from_fn(move || {
            loop {
                step = step.saturating_add(1);
                return Some(match step {
                    1 => self.founders_record(),
                    2 => self.vote_record(),
                    3 if S::CHANGES && self.snapshot > 0 => self.base_record(),
                    4 if self.snapshot > 0 => self.snapshot_record(),
                    // the application may have that snapshot, even if it has not said so: it may do so at the next start
                    5 if S::CHANGES && self.arriving_at.0 > self.snapshot => self.arriving_record(),
                    3..=5 => continue,
                    _ => {
                        // what was not issued yet will be, after the checkpoint
                        let last = self.disk.issued_index();
                        let span = self.log.span(next, last, self.config.max_append_bytes);
                        if span.is_empty() {
                            return None;
                        }
                        next = succ(span.last());
                        self.entries_record(span)
                    }
                });
            }
        })
    }
}
