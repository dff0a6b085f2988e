use quorate_core::{Ticket, Tickets};

use core::cell::Cell;

use crate::Index;

/// Writes on their way to the disk at once; when all are out, further entries wait and go in one record.
const WRITES: usize = 8;

/// What is on the disk, what is on its way there, and what must still be sent there.
///
/// The gate of durability (Raft thesis, 3.8): the vote is durable when its record's ticket came back; an entry is durable when
/// the ticket of the record that holds it came back *and* it was not replaced in the meantime.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Disk {
    tickets: Tickets,
    returned: Ticket,
    /// The founders were issued, or restored.
    pub(crate) founded: bool,
    /// The term or vote changed and was not issued yet.
    pub(crate) vote_dirty: bool,
    vote_ticket: Ticket,
    /// The members as of a snapshot that arrived were not issued yet.
    pub(crate) members_dirty: bool,
    members_ticket: Ticket,
    /// The snapshot or compacted changed and was not issued yet.
    pub(crate) snapshot_dirty: bool,
    /// Entries up to here were issued.
    issued_index: Index,
    /// Entries up to here are durable.
    durable: Index,
    writes: [Write; WRITES],
    out: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Write {
    ticket: Ticket,
    through: Index,
}

impl Disk {
    pub(crate) const fn durable(&self) -> Index {
        self.durable
    }

    pub(crate) const fn issued_index(&self) -> Index {
        self.issued_index
    }

    pub(crate) fn vote_durable(&self) -> bool {
        !self.vote_dirty && self.returned >= self.vote_ticket
    }

    pub(crate) fn members_durable(&self) -> bool {
        !self.members_dirty && self.returned >= self.members_ticket
    }

    pub(crate) const fn may_write(&self) -> bool {
        (self.out as usize) < WRITES
    }

    pub(crate) fn issue_vote(&mut self) -> Ticket {
        self.vote_dirty = false;
        self.vote_ticket = self.issue();
        self.vote_ticket
    }

    /// Nothing is said while the founders are not durable: they come before everything, and wait as the vote does.
    pub(crate) fn issue_founders(&mut self) -> Ticket {
        self.founded = true;
        self.vote_ticket = self.issue();
        self.vote_ticket
    }

    pub(crate) fn issue_members(&mut self) -> Ticket {
        self.members_dirty = false;
        self.members_ticket = self.issue();
        self.members_ticket
    }

    /// Issues a record after which everything up to `through` is on the disk.
    pub(crate) fn issue_through(&mut self, through: Index) -> Ticket {
        let ticket = self.issue();
        self.issued_index = self.issued_index.max(through);
        if let Some(write) = self.writes.get_mut(usize::from(self.out)) {
            *write = Write { ticket, through };
            self.out = self.out.saturating_add(1);
        }
        ticket
    }

    /// Takes a ticket back. True if anything became durable by it; one that was not issued counts for nothing.
    pub(crate) fn returned(&mut self, ticket: Ticket) -> bool {
        let ticket = if ticket > self.tickets.last() { self.returned } else { ticket };
        if ticket <= self.returned {
            return false;
        }
        self.returned = ticket;
        let mut done = 0_usize;
        for write in self.writes.iter().take(usize::from(self.out)) {
            if write.ticket > ticket {
                break;
            }
            self.durable = self.durable.max(write.through);
            done = done.saturating_add(1);
        }
        if done > 0 {
            let out = self.writes.get_mut(..usize::from(self.out)).unwrap_or_default();
            move_to_front(out, done);
            self.out = self.out.saturating_sub(u8::try_from(done).unwrap_or(u8::MAX));
        }
        true
    }

    /// Entries after `last` were replaced: writes on their way no longer make those indexes durable.
    pub(crate) fn truncated(&mut self, last: Index) {
        self.issued_index = self.issued_index.min(last);
        self.durable = self.durable.min(last);
        for write in &mut self.writes {
            write.through = write.through.min(last);
        }
    }

    /// At boot: everything replayed is durable.
    pub(crate) const fn restored(&mut self, last: Index) {
        self.issued_index = last;
        self.durable = last;
    }

    const fn issue(&mut self) -> Ticket {
        self.tickets.issue()
    }
}

/// Moves the items from `by` on to the front, over those before them. `copy_within` would do, but for its panics.
fn move_to_front<T: Copy>(items: &mut [T], by: usize) {
    let cells = Cell::from_mut(items).as_slice_of_cells();
    for (to, from) in cells.iter().zip(cells.iter().skip(by)) {
        to.set(from.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_does_not_make_replaced_entries_durable() {
        let mut disk = Disk::default();
        let first = disk.issue_through(10);
        disk.truncated(4);
        let second = disk.issue_through(7);
        assert!(disk.returned(first));
        assert_eq!(disk.durable(), 4);
        assert!(disk.returned(second));
        assert_eq!(disk.durable(), 7);
        assert!(!disk.returned(first));
    }

    #[test]
    fn ticket_that_was_not_issued_makes_nothing_durable() {
        let (mut disk, mut other) = (Disk::default(), Tickets::default());
        let ticket = disk.issue_vote();
        for _ in 0..99 {
            other.issue();
        }
        assert!(!disk.returned(other.last()));
        assert!(!disk.vote_durable());
        assert!(disk.returned(ticket));
        assert!(disk.vote_durable());
        assert!(disk.issue_vote() > ticket);
        assert!(!disk.vote_durable());
    }

    #[test]
    fn pending_writes_are_bounded() {
        let (mut disk, mut third) = (Disk::default(), Ticket::default());
        for index in 1..=WRITES as u64 {
            assert!(disk.may_write());
            let ticket = disk.issue_through(index);
            if index == 3 {
                third = ticket;
            }
        }
        assert!(!disk.may_write());
        disk.returned(third);
        assert!(disk.may_write());
        assert_eq!(disk.durable(), 3);
    }
}
