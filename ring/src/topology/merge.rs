//! Lists as a join-semilattice.
//!
//! A list stands for a map from all nodes to their latest entries, of which those up to the epoch `forgotten` are left out. The join
//! of two is the higher epoch, the higher `forgotten`, and of each node the greater entry, again without those up to
//! `forgotten`. What is left out of a part of lists is left out of all of them, since `forgotten` only grows; so it does not matter
//! which lists are joined first. This holds of any lists, also where something was forgotten too early.

use core::cell::Cell;
use core::cmp::Ordering;

use quorate_core::{Full, List};

use super::{Entry, MemberState, Topology, TopologyError};
use crate::Storage;
use crate::members::cells;

impl<S: Storage> Topology<S> {
    /// Takes over everything another list has, or a delta. True if that changed this one.
    ///
    /// The result is the same in whatever order lists are merged, and how often. See [above](Self#merging) for which of two changes holds.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Full`] if the result does not fit; nothing was changed. Give all nodes the same limit.
    pub fn merge(&mut self, other: &Self) -> Result<bool, TopologyError> {
        let forgotten = self.forgotten.max(other.forgotten);
        let kept = |entry: &&Entry| entry.changed() > forgotten;
        let new = |entry: &&Entry| kept(entry) && self.get(entry.member().id).is_none();
        let added = other.entries.iter().filter(new).count();
        let own = self.entries.iter().map(|own| self.joined(own, other));
        let left = own.filter(|entry| kept(&entry)).count();
        if left.saturating_add(added) > self.limit() {
            return Err(TopologyError::Full);
        }
        let mut changed = other.epoch > self.epoch || forgotten > self.forgotten;
        (self.epoch, self.forgotten) = (self.epoch.max(other.epoch), forgotten);
        for theirs in other.entries.iter() {
            let own = self.place_of(theirs.member().id).ok();
            if let Some(own) = own.and_then(|place| self.entries.get_mut(place))
                && *own < *theirs
            {
                (*own, changed) = (*theirs, true);
            }
        }
        changed |= self.drop_forgotten() | (added > 0);
        self.insert_all(other.entries.iter().rev().filter(kept), added)?;
        self.revision.advance();
        Ok(changed)
    }

    /// Whether one has something that the other has not, and the other way round.
    pub(super) fn excess(&self, other: &Self) -> (bool, bool) {
        (self.has_more(other), other.has_more(self))
    }

    /// Whether merging this one would change the other.
    fn has_more(&self, other: &Self) -> bool {
        let newer = |entry: &Entry| match other.get(entry.member().id) {
            Some(known) => known < entry,
            None => entry.changed() > other.forgotten,
        };
        self.epoch > other.epoch
            || self.forgotten > other.forgotten
            || self.entries.iter().any(newer)
    }

    /// What becomes of an own entry.
    fn joined(&self, own: &Entry, other: &Self) -> Entry {
        other.get(own.member().id).map_or(*own, |theirs| *theirs.max(own))
    }

    /// True if there was any.
    fn drop_forgotten(&mut self) -> bool {
        let forgotten = self.forgotten;
        self.retain(|entry| entry.changed() > forgotten)
    }

    /// Takes out all that were removed up to this epoch.
    pub(super) fn drop_removed(&mut self, epoch: u64) {
        self.retain(|entry| entry.state() != MemberState::Removed || entry.changed() > epoch);
    }

    /// True if an entry was taken out.
    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) -> bool {
        let before = self.entries.len();
        let entries = cells(&mut self.entries);
        let mut kept = 0_usize;
        for entry in entries.iter().map(Cell::get).filter(keep) {
            if let Some(to) = entries.get(kept) {
                to.set(entry);
            }
            kept = kept.saturating_add(1);
        }
        self.entries.truncate(kept);
        kept < before
    }

    /// Puts entries in their places, from the last on: `added` of them are new.
    fn insert_all<'a>(
        &mut self,
        theirs: impl Iterator<Item = &'a Entry>,
        added: usize,
    ) -> Result<(), Full>
    where
        S: 'a,
    {
        let mut theirs = theirs.peekable();
        let len = self.entries.len();
        for filler in theirs.peek().copied().into_iter().cycle().take(added) {
            self.entries.push(*filler)?; // there is room, and it is overwritten
        }
        let entries = cells(&mut self.entries);
        let mut own = entries.get(..len).unwrap_or_default().iter().rev().peekable();
        for to in entries.iter().rev() {
            let id = |entry: Entry| entry.member().id;
            let order = match (own.peek(), theirs.peek()) {
                (Some(own), Some(theirs)) => id(own.get()).cmp(&id(**theirs)),
                (Some(_), None) => Ordering::Greater,
                (None, _) => Ordering::Less,
            };
            // of two of one node the own one is the greater, as it was joined before
            let new = if order == Ordering::Greater { None } else { theirs.next() };
            let known = if order == Ordering::Less { None } else { own.next() };
            if let Some(entry) = known.map(Cell::get).or(new.copied()) {
                to.set(entry);
            }
        }
        Ok(())
    }
}

/// The order of states: what one has that the other has not.
///
/// ```
/// # use quorate_core::NodeId;
/// # use quorate_ring::{Inline, Member, topology::{Topology, TopologyError}};
/// let mut topology = Topology::<Inline<4>>::new();
/// let before = topology.clone();
/// topology.join(Member::new(NodeId::new(1)))?;
/// assert!(before < topology);
/// # Ok::<(), TopologyError>(())
/// ```
impl<S: Storage> PartialOrd for Topology<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.excess(other) {
            (false, false) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (true, true) => None,
        }
    }
}
