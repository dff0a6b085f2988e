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
