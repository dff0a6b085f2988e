//! When tombstones may go.
//!
//! A tombstone that some replicas have forgotten and others never had brings its key back: with the old value of such a replica, a hint, or a message that was
//! long on its way. So nothing is forgotten before everybody has it, and nothing older is taken from then on. The floor is a [clock](super::Value::clock):
//! no change up to it is taken by any node. It rises in two steps.
//!
//! 1. The nodes are **sealed** up to a clock: they take no new values up to it. What they have goes on being handed over and repaired.
//! 2. When every node has handed over its hints up to that clock, and a sweep with each other replica has gone through since it took the last change up to it, all
//!    replicas have all of it: the clock is the new **floor**.
//!
//! A read may meet the answer of one replica from before a delete, and that of another from after its purge. So each answer carries the floor of its node: what is
//! up to it, and not in the value of that replica, counts for nothing.
//!
//! One node, that with the lowest id, asks all others for their part, one after the other. Their answers are of different moments. Each counts the changes that it takes, and
//! if all answers are the same two times in a row, all of them held at the moment between the two (the double collect of Afek et al., "Atomic
//! Snapshots of Shared Memory", JACM 1993, section 3). No clock of the wall, no bound on the life of a message is needed, but every node: while one is down the floor stays.

use quorate_core::{Instant, NodeId, Ticket};

use super::{Config, Layout};

/// Up to where a node takes changes no more, and what it has done since.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Frontier {
    floor: u64,
    sealed: u64,
    /// The records of the two: durable once these are.
    floor_ticket: Ticket,
    sealed_ticket: Ticket,
    pub(crate) floor_due: bool,
    pub(crate) sealed_due: bool,
    /// How many changes up to the seal it has taken, counted from a number that no earlier life has counted to.
    changes: u64,
    /// The rotation of sweeps in which it took the last one.
    changed_in: u64,
    /// This node seals up to here at most.
    limit: u64,
}

impl Frontier {
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            floor: 0,
            sealed: 0,
            floor_ticket: Ticket::default(),
            sealed_ticket: Ticket::default(),
            floor_due: false,
            sealed_due: false,
            // of two incarnations in a row, and of two that are random, the counts are far apart: multiples of 2^64 / φ are
            // (Knuth, "The Art of Computer Programming", volume 3, section 6.4)
            changes: incarnation.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            changed_in: 0,
            limit: u64::MAX,
        }
    }

    pub(crate) const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Whether the floor may rise to this clock, as far as this node knows.
    pub(crate) const fn may_rise_to(&self, clock: u64) -> bool {
        clock <= self.limit
    }

    /// No change up to this clock is taken.
    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    /// No new value up to this clock is taken.
    pub(crate) const fn sealed(&self) -> u64 {
        self.sealed
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a value with this clock is taken: a new one, or one that a replica has had.
    pub(crate) const fn takes(&self, clock: u64, repair: bool) -> bool {
        // a clock of 0 is of values that are never deleted
        let limit = if repair { self.floor } else { self.sealed };
        limit == 0 || clock > limit
    }

    /// A change was taken.
    pub(crate) const fn count(&mut self, clock: u64, rotation: u64) {
        if clock <= self.sealed {
            self.changes = self.changes.wrapping_add(1);
            self.changed_in = rotation;
        }
    }

    pub(crate) fn seal(&mut self, sealed: u64, rotation: u64, issue: impl FnOnce() -> Ticket) {
        if sealed > self.sealed {
            self.sealed = sealed;
            self.changed_in = rotation;
            if !self.sealed_due {
                self.sealed_ticket = issue();
            }
            self.sealed_due = true;
        }
    }

    /// The floor has risen. True if that is new.
    pub(crate) fn raise(&mut self, floor: u64, issue: impl FnOnce() -> Ticket) -> bool {
        if floor <= self.floor {
            return false;
        }
        self.floor = floor;
        self.sealed = self.sealed.max(floor);
        if !self.floor_due {
            self.floor_ticket = issue();
        }
        self.floor_due = true;
        true
    }

    /// The records that are due, with their tickets.
    pub(crate) fn due(&self) -> (Option<Ticket>, Option<Ticket>) {
        (self.floor_due.then_some(self.floor_ticket), self.sealed_due.then_some(self.sealed_ticket))
    }

    /// Whether all replicas have what this node has up to the seal, as far as sweeps go.
    pub(crate) fn is_swept(&self, last_clean_rotation: u64, durable: Ticket) -> bool {
        self.sealed_ticket <= durable && last_clean_rotation > self.changed_in
    }

    pub(crate) fn restore_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.sealed = self.sealed.max(floor);
    }

    pub(crate) fn restore_sealed(&mut self, sealed: u64) {
        self.sealed = self.sealed.max(sealed);
    }
}

/// What a node says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) floor: u64,
    pub(crate) sealed: u64,
    pub(crate) done: bool,
    pub(crate) changes: u64,
    pub(crate) wanted: u64,
}

/// The nodes that report: all that hold keys, or will.
pub(crate) struct Nodes<'a, L> {
    pub(crate) layout: &'a L,
    pub(crate) own: NodeId,
    /// Nodes that the application has given up.
    pub(crate) lost: &'a [NodeId],
}

impl<L: Layout> Nodes<'_, L> {
    /// The one that collects the reports.
    pub(crate) fn first(&self) -> Option<NodeId> {
        self.after(None)
    }

    /// While replicas change, those that are lost are passed over, so that who joins is told the floor. It does not rise: sweeps with them do not go through.
    pub(crate) fn after(&self, node: Option<NodeId>) -> Option<NodeId> {
        let mut next = self.layout.node_after(node);
        while next.is_some_and(|next| self.lost.contains(&next)) && self.layout.is_moving() {
            next = self.layout.node_after(next);
        }
        next
    }
}

/// Collects the reports of all nodes, at the node with the lowest id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Collector {
    /// Up to where it seals.
    target: u64,
    /// What somebody wants it to seal up to next.
    wanted: u64,
    /// Who is asked; `None` between two rounds.
    asked: Option<NodeId>,
    /// Of this round: whether all have answered, and that they are done, and the sum of their changes.
    all_answered: bool,
    all_done: bool,
    sum: u64,
    /// The sum of the last round, if all were done.
    last_sum: Option<u64>,
    sequence: u64,
    pub(crate) due: bool,
    attempt: u8,
    at: Instant,
}

/// Numbers of its messages have these bits.
pub(crate) const SEAL: u64 = 3 << 62;

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Nothing,
    /// Ask this node itself.
    AskHere,
    /// All nodes have answered. If they are done, this is the floor.
    RoundOver(Option<u64>),
}

impl Collector {
    pub(crate) fn new(first_at: Instant) -> Self {
        Self {
            target: 0,
            wanted: 0,
            asked: None,
            all_answered: false,
            all_done: false,
            sum: 0,
            last_sum: None,
            sequence: 0,
            due: false,
            attempt: 0,
            at: first_at,
        }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.at
    }

    /// The layout is another: who joins is told the floor at once.
    pub(crate) fn layout_changed(&mut self, now: Instant) {
        self.end_round(now, 0, false);
    }

    /// Whom a message goes to, and its number.
    pub(crate) const fn message(&self) -> Option<(NodeId, u64)> {
        match self.asked {
            Some(node) => Some((node, SEAL | self.sequence)),
            None => None,
        }
    }

    pub(crate) const fn target(&self) -> u64 {
        self.target
    }

    pub(crate) fn tick<L: Layout>(
        &mut self,
        now: Instant,
        floor: u64,
        nodes: &Nodes<'_, L>,
        config: &Config,
    ) -> Next {
        // before the layout is asked, which may go through all of it: there are more ticks than deadlines
        if self.at > now {
            return Next::Nothing;
        }
        if nodes.first() != Some(nodes.own) {
            *self = Self { sequence: self.sequence, ..Self::new(now.after(config.purge_us)) };
            return Next::Nothing;
        }
        if self.asked.is_some() && self.attempt >= config.attempts {
            // the floor stays; who joins after it is told nevertheless
            (self.all_answered, self.all_done) = (false, false);
            let next = nodes.after(self.asked);
            if next.is_some() {
                return self.ask(now, nodes.own, next, config);
            }
            self.end_round(now, config.sweep_pause_us, false);
            return Next::Nothing;
        }
        if self.asked.is_some() {
            self.attempt = self.attempt.saturating_add(1);
            self.at = now.after(config.retry_us);
            self.due = true;
            return Next::Nothing;
        }
        if self.target <= floor {
            self.target = self.wanted.max(floor);
            (self.wanted, self.last_sum) = (0, None);
        }
        (self.all_answered, self.all_done, self.sum) = (true, true, 0);
        self.ask(now, nodes.own, nodes.first(), config)
    }

    fn ask(&mut self, now: Instant, own: NodeId, node: Option<NodeId>, config: &Config) -> Next {
        self.asked = node;
        self.sequence = self.sequence.saturating_add(1);
        self.attempt = 1;
        self.at = now.after(config.retry_us);
        self.due = node.is_some_and(|node| node != own);
        if node == Some(own) { Next::AskHere } else { Next::Nothing }
    }

    /// A node has answered.
    pub(crate) fn on_report<L: Layout>(
        &mut self,
        now: Instant,
        floor: u64,
        (from, number): (NodeId, u64),
        report: Report,
        nodes: &Nodes<'_, L>,
        config: &Config,
    ) -> Next {
        if self.asked != Some(from) || number != SEAL | self.sequence {
            return Next::Nothing;
        }
        self.due = false;
        self.wanted = self.wanted.max(report.wanted);
        self.all_done &= report.done && report.sealed >= self.target;
        self.sum = self.sum.wrapping_add(report.changes);
        let next = nodes.after(Some(from));
        if next.is_some() {
            return self.ask(now, nodes.own, next, config);
        }
        if !self.all_answered {
            self.end_round(now, config.sweep_pause_us, false);
            return Next::Nothing;
        }
        let stable = self.all_done && self.last_sum == Some(self.sum);
        let is_open = self.target > floor;
        // a round that only asks what is wanted comes seldom; so does one after the floor has risen, which tells the others
        let soon = is_open || self.wanted > floor || nodes.layout.is_moving();
        let wait = if soon { config.sweep_pause_us } else { config.purge_us };
        self.end_round(now, wait, self.all_done);
        Next::RoundOver((is_open && stable).then_some(self.target))
    }

    fn end_round(&mut self, now: Instant, wait_us: u64, all_done: bool) {
        self.last_sum = all_done.then_some(self.sum);
        self.asked = None;
        self.due = false;
        self.at = now.after(wait_us);
    }
}
