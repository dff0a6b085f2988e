use quorate_core::Ticket;

/// What was written down, and what of it is durable: nothing else is sent or acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Disk {
    durable_mode: bool,
    started: bool,
    /// Numbers this replica's updates; never used twice.
    life: u64,
    life_issued: bool,
    /// The ticket of the record of the present life.
    life_ticket: Ticket,
    /// Nothing is sent or acknowledged in a life that is not durable.
    life_durable: bool,
    /// The next record is the whole state.
    whole: bool,
    issued: u64,
    durable: u64,
    ticket: Ticket,
    /// The records of this ticket make everything up to this number durable.
    mark: (Ticket, u64),
}

impl Disk {
    pub(crate) fn new(durable_mode: bool, first_life: u64) -> Self {
        Self {
            durable_mode,
            started: false,
            life: first_life,
            life_issued: false,
            life_ticket: Ticket::default(),
            life_durable: false,
            whole: false,
            issued: 0,
            durable: 0,
            ticket: Ticket::default(),
            mark: (Ticket::default(), 0),
        }
    }

    /// A life that was written down.
    pub(crate) fn restore(&mut self, life: u64) {
        self.life = self.life.max(life);
    }

    /// Begins the next life; what was restored is its first update.
    pub(crate) fn start(&mut self, last: u64) {
        if self.started {
            return;
        }
        self.started = true;
        self.issued = last;
        self.enter(self.life.saturating_add(1));
        if !self.durable_mode {
            self.durable = last;
        }
    }

    /// Begins another life, later than `seen`, which somebody says to have been one of this
    /// replica's. False if the incarnation has no more lives.
    ///
    /// A number that is far off does not use them up: at most `JUMP` are skipped at a time. Some more are
    /// skipped as `chance` has it, so that who does not hear this replica cannot answer to the life.
    pub(crate) fn begin_life(&mut self, seen: u64, chance: u64) -> bool {
        const JUMP: u64 = 1 << 16;
        let last = self.life | u64::from(u32::MAX);
        let skipped = seen.clamp(self.life, self.life.saturating_add(JUMP));
        let next = skipped.saturating_add(1).saturating_add(chance % (JUMP >> 4));
        if next <= last {
            self.enter(next);
        }
        next <= last
    }

    fn enter(&mut self, life: u64) {
        self.life = life;
        self.life_issued = !self.durable_mode;
        self.life_durable = !self.durable_mode;
    }

    pub(crate) const fn started(&self) -> bool {
        self.started
    }

    pub(crate) const fn life(&self) -> u64 {
        self.life
    }

    pub(crate) const fn issued(&self) -> u64 {
        self.issued
    }

    /// Everything up to this number is durable; 0 as long as the life is not.
    pub(crate) const fn durable(&self) -> u64 {
        if self.life_durable { self.durable } else { 0 }
    }

    /// Whether everything is, up to the last update.
    pub(crate) const fn is_settled(&self, last: u64) -> bool {
        self.durable() == last
    }

    /// Deltas do not tell what is to be written.
    pub(crate) const fn barrier(&mut self) {
        self.whole = self.durable_mode;
    }

    pub(crate) const fn changed(&mut self, last: u64) {
        if !self.durable_mode {
            (self.issued, self.durable) = (last, last);
        }
    }

    /// What is to be written next, up to the last update.
    pub(crate) const fn next(&mut self, last: u64) -> Option<(Ticket, Due)> {
        let due = if !self.durable_mode || !self.started {
            return None;
        } else if !self.life_issued {
            self.life_issued = true;
            self.life_ticket = self.ticket.next();
            Due::Life(self.life)
        } else if self.whole {
            self.whole = false;
            self.issued = last;
            Due::State
        } else if self.issued < last {
            let from = self.issued.saturating_add(1);
            self.issued = last;
            Due::Deltas(from, last)
        } else {
            return None;
        };
        let idle = self.mark.0.get() == self.ticket.get() && self.mark.1 == self.durable;
        self.ticket = self.ticket.next();
        if idle {
            self.mark = (self.ticket, self.issued);
        }
        Some((self.ticket, due))
    }

    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        self.life_durable |= self.life_issued && ticket >= self.life_ticket;
        if ticket >= self.ticket {
            self.durable = self.durable.max(self.issued);
            self.mark = (self.ticket, self.durable);
        } else if ticket >= self.mark.0 {
            self.durable = self.durable.max(self.mark.1);
            self.mark = (self.ticket, self.issued);
        }
    }
}

/// A record to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Life(u64),
    Deltas(u64, u64),
    State,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_issued_is_known_and_durable_when_it_is_said() {
        let mut disk = Disk::new(true, 0);
        assert_eq!(disk.next(1), None, "not before it starts");
        disk.start(1);
        assert_eq!((disk.life(), disk.issued(), disk.durable()), (1, 1, 0));
        // before the life was even issued, nothing makes it durable
        disk.persisted(Ticket::default());
        assert_eq!(disk.durable(), 0);
        disk.changed(3);
        let due = [disk.next(3), disk.next(3), disk.next(3)].map(|due| due.map(|(_, due)| due));
        assert_eq!(due, [Some(Due::Life(1)), Some(Due::Deltas(2, 3)), None]);
        assert_eq!((disk.issued(), disk.durable()), (3, 0));
        disk.persisted(Ticket::default().next());
        assert!(!disk.is_settled(3));
        disk.persisted(Ticket::default().next().next());
        assert_eq!((disk.durable(), disk.is_settled(3), disk.is_settled(4)), (3, true, false));
    }

    #[test]
    fn without_records_nothing_is_written() {
        let mut disk = Disk::new(false, 7 << 32);
        disk.start(1);
        disk.barrier();
        disk.changed(5);
        assert_eq!(disk.next(5), None);
        assert_eq!((disk.issued(), disk.durable(), disk.life()), (5, 5, (7 << 32) + 1));
    }

    #[test]
    fn lives_are_skipped_a_little_at_a_time_and_end_with_the_incarnation() {
        for (seen, chance, least, most) in [
            (0, 0, 2, 2),
            (0, u64::MAX, 3, 2 + 4_096),
            (100, 0, 101, 101),
            (u64::MAX, 0, (1 << 16) + 2, (1 << 16) + 2),
            (u64::MAX, 4_097, (1 << 16) + 3, (1 << 16) + 3),
        ] {
            let mut disk = Disk::new(false, 0);
            disk.start(1);
            assert!(disk.begin_life(seen, chance));
            assert!((least..=most).contains(&disk.life()), "{seen} {chance}: {}", disk.life());
        }
        let last = (3u64 << 32) - 1;
        let mut disk = Disk::new(false, last - 3);
        disk.start(1);
        assert!(disk.begin_life(0, 0) && disk.begin_life(0, 0));
        assert_eq!(disk.life(), last);
        assert!(!disk.begin_life(0, 0), "the next is of another incarnation");
        assert_eq!(disk.life(), last);
    }
}
