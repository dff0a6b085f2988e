use quorate_core::Ticket;

use crate::topology::Version;

/// What a node knows of what it has, as far as records tell it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Standing {
    /// It takes part: it knows up to where changes are taken no more.
    founded: bool,
    founded_ticket: Ticket,
    pub(crate) founding_due: bool,
    /// It may lack what the others have up to the floor, and have what they have purged.
    behind: bool,
    /// With which version of the topology it had everything that the members of that version had.
    caught_up_with: Option<Version>,
    /// The record of the last change of these two.
    ticket: Ticket,
    pub(crate) due: bool,
    /// The highest floor of another node. This one's rises to it when it has caught up.
    told: u64,
}

impl Standing {
    pub(crate) const fn is_founded(&self) -> bool {
        self.founded
    }

    pub(crate) const fn is_behind(&self) -> bool {
        self.behind
    }

    pub(crate) const fn told(&self) -> u64 {
        self.told
    }

    pub(crate) fn has_caught_up_with(&self, version: Version) -> bool {
        !self.behind && self.caught_up_with == Some(version)
    }

    /// The version with which it has caught up.
    pub(crate) const fn caught_up_with(&self) -> Option<Version> {
        self.caught_up_with
    }

    /// Whether what it says of that is durable.
    pub(crate) fn is_durable(&self, durable: Ticket) -> bool {
        self.ticket <= durable && self.founded_ticket <= durable
    }

    /// It takes part from now on, or no longer.
    pub(crate) fn set_founded(&mut self, founded: bool, issue: impl FnOnce() -> Ticket) {
        if self.founded != founded {
            self.founded = founded;
            if !self.founding_due {
                self.founded_ticket = issue();
            }
            self.founding_due = true;
        }
    }

    /// It may lack what the others have. To be recorded before the seal of the others: with that alone it would pass for one that has it.
    pub(crate) fn fall_behind(&mut self, issue: impl FnOnce() -> Ticket) {
        if !self.behind {
            (self.behind, self.caught_up_with) = (true, None);
            (self.ticket, self.due) = (issue(), true);
        }
    }

    /// It has everything that the members of this version have.
    pub(crate) fn catch_up(&mut self, version: Version, issue: impl FnOnce() -> Ticket) {
        if !self.has_caught_up_with(version) {
            (self.behind, self.caught_up_with) = (false, Some(version));
            // not with the ticket of an earlier record: what came since is to be durable before this is
            (self.ticket, self.due) = (issue(), true);
        }
    }

    /// Another node has this floor.
    pub(crate) fn tell(&mut self, floor: u64) {
        self.told = self.told.max(floor);
    }

    /// The records that are due, with their tickets: that of whether it takes part, and that of whether it has caught up.
    pub(crate) fn records_due(&self) -> (Option<Ticket>, Option<Ticket>) {
        (self.founding_due.then_some(self.founded_ticket), self.due.then_some(self.ticket))
    }

    pub(crate) const fn restore_founded(&mut self, founded: bool) {
        self.founded = founded;
    }

    pub(crate) const fn restore_behind(&mut self) {
        (self.behind, self.caught_up_with) = (true, None);
    }

    pub(crate) const fn restore_caught_up(&mut self, version: Version) {
        (self.behind, self.caught_up_with) = (false, Some(version));
    }
}
