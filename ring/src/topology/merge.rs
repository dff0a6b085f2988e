//! Lists as a join-semilattice.
//!
//! Of each node a list has at most one entry, and it knows all incarnations up to some epoch: up to that of the entry, and up to the
//! epoch `forgotten`, whichever is later. An incarnation that it knows, and has no entry of, has ended. That is a map of dots with a
//! causal context (Almeida, Shoker, Baquero, "Delta State Replicated Data Types", 2018, section 7), whose dots are a node with an
//! incarnation, and so is the join: an entry stays if both lists have its incarnation, and then the greater one, or if the other list
//! does not know it. So it does not matter which lists are joined first. This holds of any lists, also where something was forgotten too early.

use core::cmp::Ordering;

use quorate_core::List as _;

use super::{Entry, Topology, TopologyError};
use crate::Storage;

impl<S: Storage> Topology<S> {
    /// Takes over everything another list has, or a delta. True if that changed this one.
    ///
    /// The result is the same in whatever order lists are merged, and how often. See [above](Self#merging) for which of two changes holds.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Full`] if the result does not fit; nothing was changed. Give all nodes the same limit.
    pub fn merge(&mut self, other: &Self) -> Result<bool, TopologyError> {
        let changed = other.has_more(self);
        if changed {
            let mut merged = self.like();
            merged.epoch = self.epoch.max(other.epoch);
            merged.forgotten = self.forgotten.max(other.forgotten);
            for (_, joined) in self.joined(other) {
                let Some(entry) = joined else { continue };
                if merged.entries.len() >= self.limit() {
                    return Err(TopologyError::Full);
                }
                merged.entries.push(entry)?;
            }
            merged.revision = self.revision;
            *self = merged;
        }
        self.revision.advance();
        Ok(changed)
    }

    /// Whether one has something that the other has not, and the other way round.
    pub(super) fn excess(&self, other: &Self) -> (bool, bool) {
        (self.has_more(other), other.has_more(self))
    }

    /// Whether merging this one would change the other.
    fn has_more(&self, other: &Self) -> bool {
        self.epoch > other.epoch
            || self.forgotten > other.forgotten
            || other.joined(self).any(|(own, joined)| own != joined)
    }

    /// Of each node that one of the lists has, the own entry, and what becomes of it.
    fn joined(&self, other: &Self) -> impl Iterator<Item = (Option<Entry>, Option<Entry>)> {
        let (mut own, mut theirs) =
            (self.entries.iter().peekable(), other.entries.iter().peekable());
        core::iter::from_fn(move || {
            let order = match (own.peek(), theirs.peek()) {
                (Some(own), Some(theirs)) => own.member().id.cmp(&theirs.member().id),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let own = if order.is_le() { own.next().copied() } else { None };
            let theirs = if order.is_ge() { theirs.next().copied() } else { None };
            Some((own, self.outcome(own, other, theirs)))
        })
    }

    /// What becomes of a node's entries.
    fn outcome(&self, own: Option<Entry>, other: &Self, theirs: Option<Entry>) -> Option<Entry> {
        let incarnation = |entry: Option<Entry>| entry.map_or(0, |entry| entry.incarnation());
        let (entry, forgotten) = match incarnation(own).cmp(&incarnation(theirs)) {
            Ordering::Equal => return own.max(theirs),
            Ordering::Greater => (own, other.forgotten),
            Ordering::Less => (theirs, self.forgotten),
        };
        entry.filter(|entry| entry.incarnation() > forgotten)
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
