use std::collections::BTreeMap;

use super::parse::{Ballot, Entry, Kind, NONE, Slot, Vote, Written};

/// What the records of a node amount to.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Disk {
    pub(super) is_founded: bool,
    pub(super) promised: Ballot,
    /// All slots up to here are chosen.
    pub(super) commit: Slot,
    pub(super) snapshot: Slot,
    pub(super) compacted: Slot,
    /// The number of the configuration in force, and that as of a snapshot that may come.
    pub(super) configuration: u64,
    arriving: (Slot, u64),
    /// The last vote for each slot after the compacted ones; without a ballot for what was learned to be chosen.
    pub(super) votes: BTreeMap<Slot, (Ballot, Entry)>,
}

impl Disk {
    /// A record is durable, and follows those before it. What it says of votes is for the oracle to judge.
    pub(super) fn apply(&mut self, record: &Written) -> Result<(), String> {
        match record {
            Written::Promised(ballot) if *ballot < self.promised => {
                Err(format!("promises {ballot:?} after {:?}", self.promised))
            }
            Written::Snapshot { slot, .. } if *slot < self.snapshot => {
                Err(format!("has a snapshot of {slot} after one of {}", self.snapshot))
            }
            _ => self.load(record),
        }
    }

    /// The same, of a record of a checkpoint.
    pub(super) fn load(&mut self, record: &Written) -> Result<(), String> {
        match record {
            Written::Founded => self.is_founded = true,
            Written::Promised(ballot) => self.promised = self.promised.max(*ballot),
            Written::Accepted { commit, votes } => {
                self.promised = self.promised.max(record.ballot());
                // a stop-sign before the first entry: what is there after it is void
                let before = votes.first().map_or(0, |(first, ..)| first.saturating_sub(1));
                let chosen = self.commit;
                self.commit = chosen.max(before.min(*commit).min(self.last_entry()));
                self.end_configurations(chosen, &[]);
                let chosen = self.commit;
                self.commit = self.commit.max(*commit);
                let compacted = self.compacted;
                for vote in votes.iter().filter(|(slot, ..)| *slot > compacted) {
                    self.vote(*vote, chosen)?;
                }
                self.end_configurations(chosen, votes);
                if *commit > self.last_entry().max(chosen) {
                    return Err(format!("has {commit} chosen, which it does not have: {record:?}"));
                }
            }
            Written::Snapshot { slot, compacted } => {
                if compacted > slot {
                    return Err(format!("compacts {compacted} with a snapshot of {slot}"));
                }
                let (arriving, number) = self.arriving;
                if arriving == *slot && number > self.configuration {
                    // it is another node's: the log has nothing that counts
                    self.configuration = number;
                    self.votes.clear();
                }
                self.snapshot = *slot;
                let chosen = self.commit;
                self.commit = self.commit.max(*slot);
                if arriving != *slot {
                    self.end_configurations(chosen, &[]);
                }
                self.compacted = self.compacted.max(*compacted);
                self.votes = self.votes.split_off(&(self.compacted + 1));
            }
            Written::Configuration { slot, number } => self.arriving = (*slot, *number),
        }
        Ok(())
    }

    /// Slots after one were learned to be chosen, by a record with these votes: what was voted for after a stop-sign counts for nothing.
    fn end_configurations(&mut self, chosen: Slot, votes: &[Vote]) {
        for slot in chosen + 1..=self.commit {
            let next = self.entry(slot).and_then(|entry| entry.next_configuration());
            if next == Some(self.configuration + 1) {
                self.configuration += 1;
                self.votes.retain(|&voted, _| {
                    voted <= slot || votes.iter().any(|(of_record, ..)| *of_record == voted)
                });
            }
        }
    }

    fn vote(&mut self, (slot, ballot, entry): Vote, chosen: Slot) -> Result<(), String> {
        let before = self.votes.get(&slot);
        if entry.kind == Kind::Hole || (ballot == NONE && slot > self.commit) {
            let is_hole = entry.kind == Kind::Hole && ballot == NONE && slot > self.commit;
            if is_hole && before.is_none() {
                return Ok(());
            }
            return Err(format!("has {entry:?} in {ballot:?} at {slot} in place of {before:?}"));
        }
        // in which ballot what is chosen was voted for counts no more
        if let Some((earlier, other)) = before.filter(|(_, other)| *other != entry)
            && (slot <= chosen || (*earlier == ballot && slot > self.commit))
        {
            return Err(format!("has {entry:?} at {slot} in place of {other:?} in {ballot:?}"));
        }
        self.votes.insert(slot, (ballot, entry));
        Ok(())
    }

    /// The last slot that has an entry.
    fn last_entry(&self) -> Slot {
        self.votes.last_key_value().map_or(0, |(slot, _)| *slot)
    }

    /// The last slot that has a vote, or is chosen.
    pub(super) fn last(&self) -> Slot {
        self.last_entry().max(self.commit)
    }

    /// The entry at a slot.
    pub(super) fn entry(&self, slot: Slot) -> Option<Entry> {
        self.votes.get(&slot).map(|(_, entry)| *entry)
    }

    /// What another has that is lost here. What was chosen may have taken the place of any vote; whether it was is not asked here.
    pub(super) fn misses(&self, other: &Self) -> Option<String> {
        if self.promised < other.promised
            || self.commit < other.commit
            || (!self.is_founded && other.is_founded)
            || self.snapshot < other.snapshot
        {
            return Some(format!("{other:?}"));
        }
        let is_lost = |(slot, (ballot, entry)): &(&Slot, &(Ballot, Entry))| {
            **slot > self.compacted
                && !self.votes.get(*slot).is_some_and(|(now, same)| {
                    **slot <= self.commit || (same == entry && now >= ballot) || now > ballot
                })
        };
        other.votes.iter().find(is_lost).map(|vote| format!("{vote:?}"))
    }
}
