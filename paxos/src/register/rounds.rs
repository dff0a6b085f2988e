//! The proposer: rounds of the open requests (Rystsov, "CASPaxos", 2018, section 2.2).

use quorate_core::{Phase as Quorum, Rejected};

use super::membership::bit;
use super::node::Register;
use super::slot::{Phase, Verdict};
use super::storage::Storage;
use super::{Changes, Outcome, State};
use crate::Ballot;

/// A node sets so many rounds aside with a record.
pub(super) const BLOCK: u64 = 16;

/// The back-off doubles so many times at most.
const MAX_DOUBLINGS: u8 = 6;

impl<S: Storage, C: Changes> Register<S, C> {
    /// Another node is in this round, or says so: no message takes it further than [`Ballot::MAX_AHEAD`].
    pub(super) fn see(&mut self, round: u64) {
        self.seen = self.seen.max(round.min(self.seen.saturating_add(Ballot::MAX_AHEAD)));
    }

    /// A ballot that this node has never used, in this life or an earlier one; zero if there are no further rounds.
    fn next_ballot(&mut self) -> Ballot {
        if self.seen >= Ballot::MAX_ROUND {
            return Ballot::ZERO;
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen > self.through {
            self.through = self.seen.saturating_add(BLOCK.saturating_sub(1)).min(Ballot::MAX_ROUND);
            self.through_due = true;
        }
        Ballot::new(self.seen, self.membership.my_id())
    }

    /// Serves the requests that wait, one for each key. False if there are none.
    pub(super) fn serve(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.slots.len() {
            let is_next = self.slots.get(at).is_some_and(|slot| {
                slot.phase == Phase::Queued
                    && !self.slots.iter().any(|other| {
                        let is_before = other.is_served() || other.request < slot.request;
                        other.is_open() && is_before && *other.key == *slot.key
                    })
            });
            if is_next {
                self.begin(at);
                any = true;
            }
        }
        any
    }

    /// Phase 1a, or phase 2a at once where a quorum has promised the next ballot with the last accept, and nothing has come in
    /// between (section 2.2.1).
    pub(super) fn begin(&mut self, at: usize) {
        let me = self.membership.me();
        if !self.membership.may_propose(me) {
            return self.wait(at);
        }
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.begin_promises();
        if let Some(cell) = self.cells.find_mut(&slot.key)
            && !cell.cached.is_zero()
        {
            let ballot = core::mem::take(&mut cell.cached);
            let is_promised = self.membership.is_quorum(Quorum::One, cell.acked);
            if is_promised && cell.promised == ballot && slot.last < ballot {
                slot.ballot = ballot;
                slot.know(cell.state());
                return self.conclude_prepare(at);
            }
        }
        self.begin_prepare(at);
    }

    fn begin_prepare(&mut self, at: usize) {
        let ballot = self.next_ballot();
        let ask = self.membership.acceptors(Quorum::One);
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.ballot = ballot;
        if ballot.is_zero() {
            let is_open = slot.attempt().is_some();
            return slot.done(Some(if is_open { Outcome::Unknown } else { Outcome::Refused }));
        }
        let until = self.now.after(self.config.retry_us);
        slot.enter(Phase::Preparing, ask & !bit(self.membership.me()), until);
        if let Some(cell) = self.cells.find_mut(&slot.key) {
            cell.drop_cache();
        }
    }

    /// Nothing can be done now: later.
    fn wait(&mut self, at: usize) {
        let until = self.now.after(self.config.retry_us);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.enter(Phase::BackingOff, 0, until);
        }
    }

    /// What a quorum has promised is known: phase 2a, section 2.2: "applies the change function and sends the new state with the generated
    /// ballot number to the acceptors".
    fn conclude_prepare(&mut self, at: usize) {
        let Self { slots, changes, scratch, floor, .. } = self;
        let Some(slot) = slots.get_mut(at) else { return };
        match slot.judge(changes, scratch, *floor) {
            Verdict::Unknown => slot.done(Some(Outcome::Unknown)),
            Verdict::Nothing(outcome) => slot.done(Some(outcome)),
            Verdict::Accept(is_made) => {
                if is_made {
                    slot.attempted();
                }
                self.begin_accept(at);
            }
        }
    }

    fn begin_accept(&mut self, at: usize) {
        let (me, ask) = (self.membership.me(), self.membership.acceptors(Quorum::Two));
        let collects = self.slots.get(at).is_some_and(|slot| slot.collects);
        let next = if collects { Ballot::ZERO } else { self.next_ballot() };
        let until = self.now.after(self.config.retry_us);
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.next = if next.is_zero() { slot.ballot } else { next };
        slot.enter(Phase::Accepting, ask & !bit(me), until);
    }

    /// This node's acceptor answers its proposer, when what it has promised and accepted is on disk; then the ballots are concluded that
    /// have a quorum.
    pub(super) fn advance_rounds(&mut self) {
        for at in 0..self.slots.len() {
            // a quorum of one: both phases at once
            for _ in 0..2 {
                self.ask_self(at);
                self.answer_self(at);
                self.conclude(at);
            }
            self.ask_self(at);
        }
    }

    /// What it sends to others it asks its own acceptor.
    fn ask_self(&mut self, at: usize) {
        let Self { slots, cells, .. } = self;
        let Some(slot) = slots.get(at) else { return };
        if !matches!(slot.phase, Phase::Preparing | Phase::Accepting) {
            return;
        }
        let Some(place) = cells.entry(&slot.key) else { return };
        let Some(cell) = cells.get_mut(place).filter(|cell| !cell.is_erasing()) else { return };
        if slot.phase == Phase::Preparing {
            cell.prepare(slot.ballot);
        } else if cell.accepted < slot.ballot {
            cell.accept(slot.state(), slot.next);
        }
        cells.queue(place);
    }

    fn answer_self(&mut self, at: usize) {
        let me = self.membership.me();
        let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.is_served()) else { return };
        let Some(cell) = self.cells.find_mut(&slot.key) else { return };
        if !cell.is_durable(self.durable) || (slot.agreed | slot.refused) & bit(me) != 0 {
            return;
        }
        match slot.phase {
            Phase::Preparing if cell.promised == slot.ballot => {
                let state = Some(cell.state()).filter(|state| !state.ballot.is_zero());
                let _ = slot.on_promise(me, state); // what it says of itself is not refused
            }
            Phase::Accepting if cell.accepted == slot.ballot => {
                slot.agree(me);
                if cell.promised == slot.next {
                    slot.acked |= bit(me);
                }
            }
            Phase::Preparing | Phase::Accepting if cell.promised > slot.ballot => {
                self.refuse(at, me);
            }
            _ => {}
        }
    }

    fn conclude(&mut self, at: usize) {
        let Some(slot) = self.slots.get(at) else { return };
        match slot.phase {
            Phase::Preparing if self.membership.is_quorum(Quorum::One, slot.agreed) => {
                self.conclude_prepare(at);
            }
            Phase::Accepting if slot.collects => {
                let all = self.membership.acceptors(Quorum::Two);
                if slot.agreed & all == all {
                    self.claimed(at);
                }
            }
            Phase::Accepting if self.membership.is_quorum(Quorum::Two, slot.agreed) => {
                self.conclude_accept(at);
            }
            _ => {}
        }
    }

    /// The state is chosen. Those that have promised the next ballot with it need not be asked.
    fn conclude_accept(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.done(None);
        if let Some(cell) = self.cells.find_mut(&slot.key)
            && cell.accepted == slot.ballot
            && cell.promised == slot.next
            && slot.next != slot.ballot
        {
            (cell.cached, cell.acked) = (slot.next, slot.acked);
        }
    }

    /// An acceptor will never agree to the present ballot of a request. When those that have not refused are no quorum, it is given up, and
    /// the next one waits for a random time.
    pub(super) fn refuse(&mut self, at: usize, from: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let quorum = match slot.phase {
            Phase::Preparing => Quorum::One,
            Phase::Accepting => Quorum::Two,
            _ => return,
        };
        if slot.agreed & bit(from) != 0 {
            return;
        }
        slot.refused |= bit(from);
        slot.due &= !bit(from);
        let left = !slot.refused;
        if !self.membership.is_quorum(quorum, left) || slot.collects {
            self.back_off(at);
        }
    }

    fn back_off(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let base = self.config.backoff_us;
        let longest = base.saturating_mul(2_u64.wrapping_shl(slot.conflicts.into()));
        let wait_us = self.rng.range(base, longest);
        slot.conflicts = slot.conflicts.saturating_add(1).min(MAX_DOUBLINGS.saturating_sub(1));
        slot.enter(Phase::BackingOff, 0, self.now.after(wait_us));
    }

    /// The open request of a key that is served.
    fn served(&self, key: &[u8]) -> Option<usize> {
        self.slots.iter().position(|slot| slot.is_served() && *slot.key == *key)
    }

    /// Takes a promise.
    pub(super) fn handle_promise(
        &mut self,
        from: usize,
        key: &[u8],
        (ballot, state): (Ballot, Option<State<'_>>),
    ) -> Result<(), Rejected> {
        self.check_own(ballot)?;
        if let Some(state) = state {
            self.check_state(state)?;
            if state.ballot >= ballot {
                return Err(Rejected::Impossible);
            }
        }
        let Some(at) = self.served(key) else { return Ok(()) };
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        if slot.phase != Phase::Preparing || slot.ballot != ballot {
            return Ok(());
        }
        slot.on_promise(from, state)
    }

    /// Takes an acknowledgement.
    pub(super) fn handle_accepted(
        &mut self,
        from: usize,
        key: &[u8],
        (ballot, promised): (Ballot, Ballot),
    ) -> Result<(), Rejected> {
        self.check_own(ballot)?;
        if promised < ballot {
            return Err(Rejected::Impossible);
        }
        if promised.round > Ballot::MAX_ROUND {
            return Err(Rejected::OutOfRange);
        }
        if let Some(at) = self.served(key)
            && let Some(slot) = self.slots.get_mut(at)
            && slot.phase == Phase::Accepting
            && slot.ballot == ballot
        {
            slot.agree(from);
            if promised == slot.next {
                slot.acked |= bit(from);
            }
        } else if let Some(cell) = self.cells.find_mut(key)
            && !cell.cached.is_zero()
            && (cell.accepted, cell.cached) == (ballot, promised)
        {
            cell.acked |= bit(from); // it was chosen without this one
        }
        Ok(())
    }

    /// Takes a conflict, section 2.2.1: "a proposer fast-forwards its counter".
    pub(super) fn handle_conflict(
        &mut self,
        from: usize,
        key: &[u8],
        promised: Ballot,
    ) -> Result<(), Rejected> {
        if promised.is_zero() {
            return Err(Rejected::Malformed);
        }
        if promised.round > Ballot::MAX_ROUND {
            return Err(Rejected::OutOfRange);
        }
        if promised.node == self.membership.my_id() {
            return Ok(()); // a late answer: it has promised this node's own next ballot
        }
        let at = self.served(key);
        let ballot = at.and_then(|at| self.slots.get(at)).map_or(Ballot::ZERO, |slot| slot.ballot);
        self.see(promised.round);
        if let Some(at) = at.filter(|_| promised > ballot) {
            self.refuse(at, from);
        }
        Ok(())
    }

    pub(super) fn tick_rounds(&mut self) {
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(at) else { return };
            if slot.deadline().is_none_or(|deadline| deadline > self.now) {
                continue;
            }
            let phase = slot.phase;
            if phase == Phase::BackingOff {
                self.begin(at);
            } else if slot.refused != 0 {
                // those that have not refused may be down
                self.back_off(at);
            } else {
                let ask = self.membership.acceptors(match phase {
                    Phase::Preparing => Quorum::One,
                    _ => Quorum::Two,
                });
                slot.at = self.now.after(self.config.retry_us);
                slot.due |= ask & !slot.agreed & !bit(self.membership.me());
            }
        }
    }

    /// All that is under way begins again: the nodes have other places, or other quorums.
    pub(super) fn restart_rounds(&mut self) {
        for cell in self.cells.iter_mut() {
            cell.forget_asked();
            cell.drop_cache();
        }
        for at in 0..self.slots.len() {
            if self.slots.get(at).is_some_and(|slot| slot.is_served()) {
                self.begin(at);
            }
        }
    }

    /// Whether a message of a request is due to a node.
    pub(super) fn take_due(&mut self, to: usize) -> Option<usize> {
        let safe = self.safe_round();
        let is_due = |slot: &super::slot::Slot<S>| {
            let is_open = matches!(slot.phase, Phase::Preparing | Phase::Accepting);
            let round = match slot.phase {
                Phase::Accepting => slot.next.round,
                _ => slot.ballot.round,
            };
            is_open && slot.due & bit(to) != 0 && round <= safe
        };
        let at = self.slots.iter().position(is_due)?;
        self.slots.get_mut(at)?.due &= !bit(to);
        Some(at)
    }
}
