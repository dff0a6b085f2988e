use quorate_core::{Ticket, Tickets};

use super::Slot;

/// Writes of entries on their way to the disk at once; when all are out, further entries wait and go in one record.
const WRITES: usize = 8;

/// What is on the disk, what is on its way there, and what must still be sent there.
///
/// A promise is durable when its record's ticket came back; a vote is durable when the ticket of the record that holds it came back *and*
/// nothing took its place since.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Disk {
    tickets: Tickets,
    returned: Ticket,
    is_founding: bool,
    is_promising: bool,
    /// That of the last promise, and of the founding.
    gate: Ticket,
    is_snapshotting: bool,
    /// The configuration as of a snapshot that was received is to be written.
    is_arriving: bool,
    /// Entries up to here were issued.
    issued: Slot,
    /// Entries up to here are durable.
    durable: Slot,
    writes: [Write; WRITES],
    out: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Write {
    ticket: Ticket,
    through: Slot,
}

impl Disk {
    #[inline]
    pub(super) const fn durable(&self) -> Slot {
        self.durable
    }

    #[inline]
    pub(super) const fn issued(&self) -> Slot {
        self.issued
    }

    /// Nothing is said before what was promised is durable.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.is_promising && !self.is_founding && !self.is_arriving && self.returned >= self.gate
    }

    #[inline]
    pub(super) const fn may_write(&self) -> bool {
        (self.out as usize) < WRITES
    }

    pub(super) const fn found(&mut self) {
        self.is_founding = true;
    }

    pub(super) const fn promise(&mut self) {
        self.is_promising = true;
    }

    pub(super) const fn snapshot(&mut self) {
        self.is_snapshotting = true;
    }

    /// The members as of a snapshot that was received are not on the disk yet: the snapshot must not be there before.
    pub(super) const fn arrive(&mut self) {
        self.is_arriving = true;
    }

    /// After the record of the snapshot before, which goes with what arrived before.
    pub(super) fn take_arriving(&mut self) -> Option<Ticket> {
        let is_due = !self.is_snapshotting && core::mem::take(&mut self.is_arriving);
        is_due.then(|| self.issue_gate())
    }

    pub(super) fn take_founding(&mut self) -> Option<Ticket> {
        let is_due = core::mem::take(&mut self.is_founding);
        is_due.then(|| self.issue_gate())
    }

    pub(super) fn take_promise(&mut self) -> Option<Ticket> {
        let is_due = core::mem::take(&mut self.is_promising);
        is_due.then(|| self.issue_gate())
    }

    /// The record of the snapshot that covers everything up to `slot`.
    pub(super) fn take_snapshot(&mut self, slot: Slot) -> Option<Ticket> {
        let is_due = self.may_write() && core::mem::take(&mut self.is_snapshotting);
        is_due.then(|| self.issue_through(slot))
    }

    const fn issue_gate(&mut self) -> Ticket {
        self.gate = self.tickets.issue();
        self.gate
    }

    /// Issues a record after which everything up to `through` is on the disk.
    #[inline]
    pub(super) fn issue_through(&mut self, through: Slot) -> Ticket {
        let ticket = self.tickets.issue();
        self.issued = self.issued.max(through);
        if let Some(write) = self.writes.get_mut(usize::from(self.out)) {
            *write = Write { ticket, through };
            self.out = self.out.saturating_add(1);
        }
        ticket
    }

    /// Takes a ticket back. True if anything became durable by it; one that was not issued counts for nothing.
    #[inline]
    pub(super) fn returned(&mut self, ticket: Ticket) -> bool {
        if ticket > self.tickets.last() || ticket <= self.returned {
            return false;
        }
        self.returned = ticket;
        let out = usize::from(self.out);
        let mut kept = 0_usize;
        for at in 0..out {
            let Some(&write) = self.writes.get(at) else { break };
            if write.ticket <= ticket {
                self.durable = self.durable.max(write.through);
            } else if let Some(place) = self.writes.get_mut(kept) {
                *place = write;
                kept = kept.saturating_add(1);
            }
        }
        self.out = u8::try_from(kept).unwrap_or(0);
        true
    }

    /// Entries from `first` on were replaced: writes on their way no longer make those slots durable.
    #[inline]
    pub(super) fn changed(&mut self, first: Slot) {
        let before = first.saturating_sub(1);
        if before >= self.issued {
            return;
        }
        self.issued = before;
        self.durable = self.durable.min(before);
        for write in &mut self.writes {
            write.through = write.through.min(before);
        }
    }

    /// At boot: everything replayed is durable.
    pub(super) const fn restored(&mut self, last: Slot) {
        self.issued = last;
        self.durable = last;
    }
}
