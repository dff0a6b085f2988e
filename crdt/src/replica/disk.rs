use quorate_core::{Ticket, Tickets};

/// What was written down, and what of it is durable: nothing else is sent or acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Disk {
    durable_mode: bool,
    started: bool,
    /// Numbers this replica's updates; never used twice.
    generation: u64,
    generation_issued: bool,
    /// The ticket of the record of the present generation.
    generation_ticket: Ticket,
    /// Nothing is sent or acknowledged in a generation that is not durable.
    generation_durable: bool,
    /// The next record is the whole state.
    state_due: bool,
    issued: u64,
    durable: u64,
    tickets: Tickets,
    /// The records of this ticket make everything up to this number durable.
    durable_through: (Ticket, u64),
}

impl Disk {
    pub(crate) fn new(durable_mode: bool, first_generation: u64) -> Self {
        Self {
            durable_mode,
            started: false,
            generation: first_generation,
            generation_issued: false,
            generation_ticket: Ticket::default(),
            generation_durable: false,
            state_due: false,
            issued: 0,
            durable: 0,
            tickets: Tickets::default(),
            durable_through: (Ticket::default(), 0),
        }
    }

    /// A generation that was written down.
    pub(crate) fn restore(&mut self, generation: u64) {
        self.generation = self.generation.max(generation);
    }

    /// Begins the next generation; what was restored is its first update.
    pub(crate) fn start(&mut self, last: u64) {
        if self.started {
            return;
        }
        self.started = true;
        self.issued = last;
        self.set_generation(self.generation.saturating_add(1));
        if !self.durable_mode {
            self.durable = last;
        }
    }

    /// Begins another generation, later than `seen`, which a peer claims to have been one of this
    /// replica's. False if the incarnation has no more generations.
    ///
    /// A number that is far off does not use them up: at most `MAX_JUMP` are skipped at a time. Some more are
    /// skipped as `random` has it, so that one that does not receive from this replica cannot
    /// answer to the generation.
    pub(crate) fn begin_generation(&mut self, seen: u64, random: u64) -> bool {
        const MAX_JUMP: u64 = 1 << 16;
        let last = self.generation | u64::from(u32::MAX);
        let skipped = seen.clamp(self.generation, self.generation.saturating_add(MAX_JUMP));
        let next = skipped.saturating_add(1).saturating_add(random % (MAX_JUMP >> 4));
        if next <= last {
            self.set_generation(next);
        }
        next <= last
    }

    fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
        self.generation_issued = !self.durable_mode;
        self.generation_durable = !self.durable_mode;
    }

    pub(crate) const fn started(&self) -> bool {
        self.started
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn issued(&self) -> u64 {
        self.issued
    }

    /// Everything up to this number is durable; 0 as long as the generation is not.
    pub(crate) const fn durable(&self) -> u64 {
        if self.generation_durable { self.durable } else { 0 }
    }

    /// Whether everything is, up to the last update.
    pub(crate) const fn is_all_durable(&self, last: u64) -> bool {
        self.durable() == last
    }

    /// The next record is the whole state: no delta describes the change.
    pub(crate) const fn require_state(&mut self) {
        self.state_due = self.durable_mode;
    }

    pub(crate) const fn record_change(&mut self, last: u64) {
        if !self.durable_mode {
            (self.issued, self.durable) = (last, last);
        }
    }

    /// What is to be written next, up to the last update.
    pub(crate) const fn next_record(&mut self, last: u64) -> Option<(Ticket, PendingRecord)> {
        let pending = if !self.durable_mode || !self.started {
            return None;
        } else if !self.generation_issued {
            self.generation_issued = true;
            PendingRecord::Generation(self.generation)
        } else if self.state_due {
            self.state_due = false;
            self.issued = last;
            PendingRecord::State
        } else if self.issued < last {
            let from = self.issued.saturating_add(1);
            self.issued = last;
            PendingRecord::Deltas(from, last)
        } else {
            return None;
        };
        let idle = self.durable_through.0.get() == self.tickets.last().get()
            && self.durable_through.1 == self.durable;
        let ticket = self.tickets.issue();
        if let PendingRecord::Generation(_) = pending {
            self.generation_ticket = ticket;
        }
        if idle {
            self.durable_through = (ticket, self.issued);
        }
        Some((ticket, pending))
    }

    /// A ticket that was not issued counts for nothing.
    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        if ticket > self.tickets.last() {
            return;
        }
        self.generation_durable |= self.generation_issued && ticket >= self.generation_ticket;
        if ticket == self.tickets.last() {
            self.durable = self.durable.max(self.issued);
            self.durable_through = (self.tickets.last(), self.durable);
        } else if ticket >= self.durable_through.0 {
            self.durable = self.durable.max(self.durable_through.1);
            self.durable_through = (self.tickets.last(), self.issued);
        }
    }
}

/// A record to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PendingRecord {
    Generation(u64),
    Deltas(u64, u64),
    State,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn issued_becomes_durable_when_persisted() {
        let mut disk = Disk::new(true, 0);
        assert_eq!(disk.next_record(1), None, "not before it starts");
        disk.start(1);
        assert_eq!((disk.generation(), disk.issued(), disk.durable()), (1, 1, 0));
        // before the generation was even issued, nothing makes it durable
        disk.persisted(Ticket::default());
        assert_eq!(disk.durable(), 0);
        disk.record_change(3);
        let (first, generation) = disk.next_record(3).unwrap();
        let (second, deltas) = disk.next_record(3).unwrap();
        assert_eq!((generation, deltas), {
            (PendingRecord::Generation(1), PendingRecord::Deltas(2, 3))
        });
        assert_eq!(disk.next_record(3), None);
        assert_eq!((disk.issued(), disk.durable()), (3, 0));
        disk.persisted(first);
        assert!(!disk.is_all_durable(3));
        disk.persisted(second);
        assert_eq!(
            (disk.durable(), disk.is_all_durable(3), disk.is_all_durable(4)),
            (3, true, false)
        );
    }

    #[test]
    fn ticket_of_an_earlier_record_does_not_make_a_generation_durable() {
        let mut disk = Disk::new(true, 0);
        disk.start(1);
        let (_, first) = (disk.next_record(1), disk.next_record(2).unwrap().0);
        assert!(disk.begin_generation(7, 0));
        let (generation, record) = disk.next_record(2).unwrap();
        assert_eq!(record, PendingRecord::Generation(disk.generation()));
        disk.persisted(first);
        assert_eq!(disk.durable(), 0, "updates are sent under the new generation");
        disk.persisted(generation);
        assert_eq!(disk.durable(), 2);
    }

    #[test]
    fn ticket_that_was_not_issued_makes_nothing_durable() {
        let (mut disk, mut other) = (Disk::new(true, 0), Tickets::default());
        disk.start(1);
        let (generation, _) = disk.next_record(3).unwrap();
        let (deltas, _) = disk.next_record(3).unwrap();
        while other.issue() <= deltas {}
        disk.persisted(other.last());
        assert_eq!(disk.durable(), 0);
        disk.persisted(generation);
        disk.persisted(other.last());
        assert_eq!(disk.durable(), 1);
        disk.persisted(deltas);
        assert_eq!(disk.durable(), 3);
    }

    #[test]
    fn volatile_mode_writes_nothing() {
        let mut disk = Disk::new(false, 7 << 32);
        disk.start(1);
        disk.require_state();
        disk.record_change(5);
        assert_eq!(disk.next_record(5), None);
        assert_eq!((disk.issued(), disk.durable(), disk.generation()), (5, 5, (7 << 32) + 1));
    }

    #[test]
    fn generations_skip_within_bounds() {
        for (seen, random, least, most) in [
            (0, 0, 2, 2),
            (0, u64::MAX, 3, 2 + 4_096),
            (100, 0, 101, 101),
            (u64::MAX, 0, (1 << 16) + 2, (1 << 16) + 2),
            (u64::MAX, 4_097, (1 << 16) + 3, (1 << 16) + 3),
        ] {
            let mut disk = Disk::new(false, 0);
            disk.start(1);
            assert!(disk.begin_generation(seen, random));
            assert!(
                (least..=most).contains(&disk.generation()),
                "{seen} {random}: {}",
                disk.generation()
            );
        }
        let last = (3u64 << 32) - 1;
        let mut disk = Disk::new(false, last - 3);
        disk.start(1);
        assert!(disk.begin_generation(0, 0) && disk.begin_generation(0, 0));
        assert_eq!(disk.generation(), last);
        assert!(!disk.begin_generation(0, 0), "the next is of another incarnation");
        assert_eq!(disk.generation(), last);
    }
}
