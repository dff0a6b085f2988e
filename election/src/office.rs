use core::hash::{Hash, Hasher};

use quorate_core::{Corrupt, Ticket};

use crate::epoch::LIMIT;
use crate::members::Members;
use crate::storage::Storage;
use crate::{Epoch, Event, Record};

/// Who holds office, since when, and how much of that is on disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Office {
    /// The highest epoch that was seen or claimed.
    pub(crate) epoch: Epoch,
    /// Whether the owner of that epoch is known to lead.
    pub(crate) filled: bool,
    /// What the application was told: the leader's epoch, if there was a leader.
    told: Option<Epoch>,
    /// The epoch is not written yet.
    dirty: bool,
    /// This node knows which epochs there have been: it has a record, or has learnt from others what there was.
    informed: bool,
    issued: Ticket,
    returned: Ticket,
}

impl Office {
    /// Goes to a later epoch, whose owner is not known to lead. An epoch that is not later does nothing.
    pub(crate) fn raise(&mut self, epoch: Epoch) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.filled = false;
            self.dirty = true;
        }
    }

    /// The owner of the present epoch leads.
    pub(crate) const fn fill(&mut self) {
        self.filled = true;
        self.informed = true;
    }

    /// Takes note of a later epoch that is not to be on disk yet.
    pub(crate) fn learn(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    /// What was learnt is all there is to learn, and is to be on disk, even if it is nothing.
    pub(crate) const fn write(&mut self) {
        self.dirty = true;
        self.informed = true;
    }

    pub(crate) const fn informed(&self) -> bool {
        self.informed
    }

    /// What epochs of others are measured against: a node that has forgotten its own cannot tell what is far.
    pub(crate) fn known(&self) -> Epoch {
        if self.informed { self.epoch } else { Epoch::UNKNOWN }
    }

    /// The place of who leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.filled.then_some(self.epoch.owner())
    }

    /// Nothing is said while the epoch is not durable: what was said in an epoch that is forgotten could be said again.
    pub(crate) fn durable(&self) -> bool {
        !self.dirty && self.returned >= self.issued
    }

    pub(crate) const fn take_record(&mut self) -> Option<Ticket> {
        if !self.dirty {
            return None;
        }
        self.dirty = false;
        self.issued = self.issued.next();
        Some(self.issued)
    }

    pub(crate) const fn record(&self) -> Record {
        Record { epoch: self.epoch }
    }

    /// What restores the present state: nothing, if the epoch is not to be on disk.
    pub(crate) fn checkpoint(&self) -> Option<Record> {
        let written = self.informed || self.dirty || self.issued > Ticket::default();
        written.then(|| self.record())
    }

    /// A ticket that was not issued counts for nothing.
    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        self.returned = self.returned.max(ticket.min(self.issued));
    }

    pub(crate) fn restore(&mut self, record: Record, members: usize) -> Result<(), Corrupt> {
        if record.epoch.token() >= LIMIT || record.epoch.owner() >= members {
            return Err(Corrupt::Malformed);
        }
        if record.epoch < self.epoch {
            return Err(Corrupt::Regression);
        }
        self.epoch = record.epoch;
        self.informed = true;
        Ok(())
    }

    /// Tells the application once, although it was never told that anybody leads.
    pub(crate) fn tell_that_nobody_leads(&mut self) {
        self.told = self.told.or(Some(Epoch::UNKNOWN)); // which is nobody's
    }

    /// What the application was not told yet. That somebody leads is told when it is durable, that nobody does at once.
    pub(crate) fn take_event<S: Storage>(&mut self, members: &Members<S>) -> Option<Event> {
        let present = self.filled.then_some(self.epoch);
        if present == self.told || (self.filled && !self.durable()) {
            return None;
        }
        self.told = present;
        Some(match present {
            None => Event::Leaderless,
            Some(epoch) if epoch.owner() == members.me() => Event::Leading { epoch },
            Some(epoch) => Event::Following { leader: members.id(epoch.owner()), epoch },
        })
    }
}

/// How many records there have been tells nothing of what is to come.
impl Hash for Office {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.epoch, self.filled, self.told, self.dirty, self.informed).hash(state);
        self.issued.get().saturating_sub(self.returned.get()).hash(state);
    }
}
