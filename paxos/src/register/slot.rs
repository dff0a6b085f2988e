//! A request of the application at its proposer.

use quorate_core::{Instant, List, Rejected};

use super::membership::{Set, bit};
use super::storage::Storage;
use super::{Attempt, Change, Changes, Effect, Outcome, Request, State};
use crate::Ballot;

/// What the proposer does for a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Phase {
    /// There is none.
    #[default]
    Free,
    /// Another one of the same key is served.
    Queued,
    Preparing,
    Accepting,
    /// After a conflict.
    BackingOff,
    /// It is answered, and the application is to be told.
    Done(Outcome),
}

/// A request, the ballot that serves it, and who has answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Slot<S: Storage> {
    pub(super) phase: Phase,
    pub(super) request: Request,
    pub(super) key: S::Key,
    number: u16,
    expected: Ballot,
    argument: S::Value,
    /// It collects the key: all acceptors must accept, and nothing is promised with that.
    pub(super) collects: bool,
    /// The client asks for an attempt of an earlier request.
    is_retry: bool,
    pub(super) ballot: Ballot,
    pub(super) next: Ballot,
    pub(super) agreed: Set,
    pub(super) acked: Set,
    pub(super) refused: Set,
    pub(super) due: Set,
    /// The state in the highest ballot that a promise told of; in phase 2 what is to be accepted.
    best: Ballot,
    pub(super) origin: Ballot,
    pub(super) has_value: bool,
    pub(super) value: S::Value,
    /// What is answered when the present ballot is through.
    verdict: Outcome,
    /// The attempts to apply the change.
    first: Ballot,
    pub(super) last: Ballot,
    pub(super) attempt_due: bool,
    /// Acceptors may have erased what they knew of an attempt.
    is_lost: bool,
    /// When to repeat what was not answered, or when the back-off ends.
    pub(super) at: Instant,
    /// How often there was a conflict.
    pub(super) conflicts: u8,
}

/// What follows from the promises of a quorum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nobody can tell whether the change was applied.
    Unknown,
    /// Nothing was ever accepted, and nothing is to be.
    Nothing(Outcome),
    /// This is to be accepted; true if it is what the change made.
    Accept(bool),
}

impl<S: Storage> Slot<S> {
    pub(super) fn new(key: usize, value: usize) -> Self {
        Self {
            phase: Phase::Free,
            request: Request(0),
            key: S::Key::with_limit(key),
            number: 0,
            expected: Ballot::ZERO,
            argument: S::Value::with_limit(value),
            collects: false,
            is_retry: false,
            ballot: Ballot::ZERO,
            next: Ballot::ZERO,
            agreed: 0,
            acked: 0,
            refused: 0,
            due: 0,
            best: Ballot::ZERO,
            origin: Ballot::ZERO,
            has_value: false,
            value: S::Value::with_limit(value),
            verdict: Outcome::Applied,
            first: Ballot::ZERO,
            last: Ballot::ZERO,
            attempt_due: false,
            is_lost: false,
            at: Instant::MAX,
            conflicts: 0,
        }
    }

    /// A request. It fits.
    pub(super) fn fill(
        &mut self,
        request: Request,
        key: &[u8],
        change: Change<'_>,
        attempt: Option<Attempt>,
    ) {
        self.free();
        (self.phase, self.request) = (Phase::Queued, request);
        let _ = self.key.extend_from_slice(key);
        let _ = self.argument.extend_from_slice(change.argument());
        self.number = change.number();
        if let Change::CompareAndSet { version, .. } = change {
            self.expected = version;
        }
        if let Some(Attempt { first, last }) = attempt {
            (self.first, self.last, self.is_retry) = (first, last, true);
        }
    }

    pub(super) fn free(&mut self) {
        self.key.clear();
        self.argument.clear();
        self.value.clear();
        (self.phase, self.collects, self.is_retry) = (Phase::Free, false, false);
        (self.expected, self.first, self.last) = (Ballot::ZERO, Ballot::ZERO, Ballot::ZERO);
        (self.ballot, self.next) = (Ballot::ZERO, Ballot::ZERO);
        (self.attempt_due, self.is_lost) = (false, false);
        (self.at, self.conflicts) = (Instant::MAX, 0);
    }

    /// Whether it is served, or waits for that.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Free | Phase::Done(_))
    }

    pub(super) const fn is_served(&self) -> bool {
        self.is_open() && !matches!(self.phase, Phase::Queued)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.is_served().then_some(self.at)
    }

    pub(super) fn attempt(&self) -> Option<Attempt> {
        let Self { first, last, .. } = *self;
        (!first.is_zero()).then_some(Attempt { first, last })
    }

    pub(super) fn state(&self) -> State<'_> {
        let value = self.has_value.then_some(&*self.value);
        State { ballot: self.ballot, origin: self.origin, value }
    }

    /// Its version, as the application knows it: that of a value.
    pub(super) const fn version(&self) -> Ballot {
        if self.has_value { self.origin } else { Ballot::ZERO }
    }

    pub(super) fn enter(&mut self, phase: Phase, ask: Set, at: Instant) {
        (self.phase, self.at) = (phase, at);
        (self.agreed, self.acked, self.refused, self.due) = (0, 0, 0, ask);
    }

    pub(super) fn begin_promises(&mut self) {
        (self.best, self.origin, self.has_value) = (Ballot::ZERO, Ballot::ZERO, false);
        self.value.clear();
    }

    /// An acceptor has promised, and tells what it has accepted. Section 2.2: "picks the value of the tuple with the highest ballot number".
    pub(super) fn on_promise(
        &mut self,
        at: usize,
        state: Option<State<'_>>,
    ) -> Result<(), Rejected> {
        if let Some(state) = state {
            if state.ballot >= self.ballot
                || (state.ballot == self.best
                    && (State { ballot: self.ballot, ..state }) != self.state())
            {
                return Err(Rejected::Impossible);
            }
            if state.ballot > self.best {
                self.know(state);
            }
        }
        self.agree(at);
        Ok(())
    }

    /// This is the state that it begins with. It fits.
    pub(super) fn know(&mut self, state: State<'_>) {
        (self.best, self.origin) = (state.ballot, state.origin);
        self.has_value = state.value.is_some();
        self.value.clear();
        let _ = self.value.extend_from_slice(state.value.unwrap_or_default());
    }

    pub(super) fn agree(&mut self, at: usize) {
        self.agreed |= bit(at);
        self.refused &= !bit(at);
        self.due &= !bit(at);
    }

    /// What becomes of the request, once a quorum has told what it knows. Up to `floor`, acceptors may have forgotten what was deleted.
    pub(super) fn judge(
        &mut self,
        changes: &impl Changes,
        scratch: &mut S::Value,
        floor: Ballot,
    ) -> Verdict {
        if !self.first.is_zero() {
            if !self.best.is_zero() && (self.origin == self.first || self.origin == self.last) {
                // the present value is what an attempt made: it was applied when this is through
                let retried = Outcome::AlreadyApplied;
                self.verdict = if self.is_retry { retried } else { Outcome::Applied };
                return Verdict::Accept(false);
            }
            // No acceptor of the quorum has accepted anything since the first attempt, and all have promised a ballot above the last one:
            // none of them was chosen, nor will be, and what is known has nothing of them in it.
            let is_forgotten = self.best.is_zero() && self.first <= floor;
            let is_over = self.best < self.first && self.last < self.ballot;
            if self.is_lost || is_forgotten || !is_over {
                return Verdict::Unknown;
            }
        }
        let is_made = self.apply(changes, scratch);
        // Nothing was chosen in a lower ballot, and nothing will be. But what an attempt left with an acceptor may be taken up by another
        // proposer, in a higher ballot: after an attempt, what is known is accepted again, and stands above that.
        if !is_made && self.best.is_zero() && !self.collects && self.first.is_zero() {
            return Verdict::Nothing(self.verdict);
        }
        Verdict::Accept(is_made)
    }

    /// Applies the change. True if it has made a value or a tombstone; otherwise the state is kept, and accepted again.
    fn apply(&mut self, changes: &impl Changes, scratch: &mut S::Value) -> bool {
        self.verdict = Outcome::Applied;
        let effect = match self.number {
            0 => return false,
            2 if self.expected != self.version() => Effect::Refuse,
            1 | 2 => {
                scratch.clear();
                scratch.extend_from_slice(&self.argument).map_or(Effect::Refuse, |()| Effect::Set)
            }
            3 => Effect::Delete,
            number => {
                scratch.clear();
                let present = self.has_value.then_some(&*self.value);
                changes.apply(number, &self.argument, present, scratch)
            }
        };
        match effect {
            Effect::Set => {
                core::mem::swap(&mut self.value, scratch);
                self.has_value = true;
                true
            }
            // a tombstone has no version: it stays as it is
            Effect::Delete if !self.has_value => false,
            Effect::Delete => {
                self.value.clear();
                self.has_value = false;
                true
            }
            Effect::Refuse => {
                self.verdict = Outcome::Refused;
                false
            }
        }
    }

    /// The change was applied: it is sent from now on.
    pub(super) fn attempted(&mut self) {
        self.origin = self.ballot;
        self.last = self.ballot;
        if self.first.is_zero() {
            self.first = self.ballot;
        }
        self.attempt_due = true;
    }

    pub(super) fn done(&mut self, outcome: Option<Outcome>) {
        self.phase = Phase::Done(outcome.unwrap_or(self.verdict));
        self.due = 0;
    }

    /// The key was collected up to this ballot: what it knew is forgotten, and so may be what acceptors knew of its attempts.
    pub(super) fn forget(&mut self) {
        self.is_lost |= !self.first.is_zero();
    }
}
