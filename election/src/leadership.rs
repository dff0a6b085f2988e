use core::hash::{Hash, Hasher};

use quorate_core::{Corrupt, Ticket, Tickets};

use crate::epoch::EPOCH_LIMIT;
use crate::members::Members;
use crate::storage::Storage;
use crate::{Epoch, Event, Record};

/// The leader's epoch, as far as this node knows, and how much of that is durable and reported.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Leadership {
    /// The highest epoch that was seen or claimed.
    pub(crate) epoch: Epoch,
    /// Whether the owner of that epoch is known to lead.
    pub(crate) has_leader: bool,
    /// What was reported to the application: the leader's epoch, if there was a leader.
    reported: Option<Epoch>,
    /// The epoch is not written yet.
    dirty: bool,
    /// This node knows which epochs there have been: it has a record, or has recovered them from
    /// others.
    recovered: bool,
    tickets: Tickets,
    persisted_ticket: Ticket,
}

impl Leadership {
    /// Goes to a later epoch, whose owner is not known to lead. An epoch that is not later does nothing.
    pub(crate) fn raise_epoch(&mut self, epoch: Epoch) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.has_leader = false;
            self.dirty = true;
        }
    }

    /// The owner of the present epoch leads.
    pub(crate) const fn confirm_leader(&mut self) {
        self.has_leader = true;
        self.recovered = true;
    }

    /// Observes a later epoch that is not to be on disk yet.
    pub(crate) fn observe_epoch(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.max(epoch);
    }

    /// What was learnt is all there is to learn, and is to be on disk, even if it is nothing.
    pub(crate) const fn finish_recovery(&mut self) {
        self.dirty = true;
        self.recovered = true;
    }

    pub(crate) const fn is_recovered(&self) -> bool {
        self.recovered
    }

    /// What epochs of others are measured against: a node that has forgotten its own cannot tell what is far.
    pub(crate) fn reference_epoch(&self) -> Epoch {
        if self.recovered { self.epoch } else { Epoch::UNKNOWN }
    }

    /// The index of the leader.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.has_leader.then_some(self.epoch.owner())
    }

    /// Nothing is sent while the epoch is not durable: after a restart, what was sent in it could
    /// be sent again.
    pub(crate) fn is_durable(&self) -> bool {
        !self.dirty && self.persisted_ticket >= self.tickets.last()
    }

    pub(crate) const fn take_record(&mut self) -> Option<Ticket> {
        if !self.dirty {
            return None;
        }
        self.dirty = false;
        Some(self.tickets.issue())
    }

    pub(crate) const fn record(&self) -> Record {
        Record { epoch: self.epoch }
    }

    /// What restores the present state: nothing, if the epoch is not to be on disk.
    pub(crate) fn checkpoint(&self) -> Option<Record> {
        let written = self.recovered || self.dirty || self.tickets.last() > Ticket::default();
        written.then(|| self.record())
    }

    /// A ticket that was not issued counts for nothing.
    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        if ticket <= self.tickets.last() {
            self.persisted_ticket = self.persisted_ticket.max(ticket);
        }
    }

    pub(crate) fn restore(&mut self, record: Record, members: usize) -> Result<(), Corrupt> {
        if record.epoch.token() >= EPOCH_LIMIT || record.epoch.owner() >= members {
            return Err(Corrupt::Malformed);
        }
        if record.epoch < self.epoch {
            return Err(Corrupt::Regression);
        }
        self.epoch = record.epoch;
        self.recovered = true;
        Ok(())
    }

    /// Reports once that there is no leader, although no leader was reported before.
    pub(crate) fn report_leaderless(&mut self) {
        self.reported = self.reported.or(Some(Epoch::UNKNOWN)); // which is nobody's
    }

    /// What is not reported yet. A leader is reported when its epoch is durable, that there is none
    /// at once.
    pub(crate) fn take_event<S: Storage>(&mut self, members: &Members<S>) -> Option<Event> {
        let present = self.has_leader.then_some(self.epoch);
        if present == self.reported || (self.has_leader && !self.is_durable()) {
            return None;
        }
        self.reported = present;
        Some(match present {
            None => Event::Leaderless,
            Some(epoch) if epoch.owner() == members.me() => Event::Leading { epoch },
            Some(epoch) => Event::Following { leader: members.id(epoch.owner()), epoch },
        })
    }
}

/// How many records there have been tells nothing of what is to come.
impl Hash for Leadership {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.epoch, self.has_leader, self.reported, self.dirty, self.recovered).hash(state);
        self.tickets.last().get().saturating_sub(self.persisted_ticket.get()).hash(state);
    }
}
