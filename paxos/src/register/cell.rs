//! The acceptor: what it has promised and accepted for a key (Rystsov, "CASPaxos", 2018, section 2.2).

use quorate_core::{Corrupt, List, NodeId, Rejected, Ticket};

use super::State;
use super::membership::{Set, bit};
use super::storage::Storage;
use crate::Ballot;

/// A register at an acceptor, and whom it owes an answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Cell<S: Storage> {
    /// Whether there is one in this place.
    pub(super) is_used: bool,
    pub(super) key: S::Key,
    pub(super) promised: Ballot,
    pub(super) accepted: Ballot,
    origin: Ballot,
    has_value: bool,
    value: S::Value,
    pub(super) due: Due,
    /// Of the last record.
    pub(super) ticket: Ticket,
    owe_prepare: Set,
    owe_accept: Set,
    owe_conflict: Set,
    /// It is in the list of what is to be done.
    pub(super) is_queued: bool,
    /// This node's next ballot for the key, which these acceptors have promised with the state that is accepted here; zero if none.
    pub(super) cached: Ballot,
    pub(super) acked: Set,
}

/// The record that is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Due {
    #[default]
    Nothing,
    Promise,
    Accept,
    Erase,
    /// It is erased when that is on disk.
    Erasing,
}

/// An answer to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Promise,
    Accepted,
    Conflict,
}

impl<S: Storage> Cell<S> {
    pub(super) fn new(key: usize, value: usize) -> Self {
        Self {
            is_used: false,
            key: S::Key::with_limit(key),
            promised: Ballot::ZERO,
            accepted: Ballot::ZERO,
            origin: Ballot::ZERO,
            has_value: false,
            value: S::Value::with_limit(value),
            due: Due::Nothing,
            ticket: Ticket::default(),
            owe_prepare: 0,
            owe_accept: 0,
            owe_conflict: 0,
            is_queued: false,
            cached: Ballot::ZERO,
            acked: 0,
        }
    }

    /// It is empty again, for another key.
    pub(super) fn reset(&mut self) {
        self.is_used = false;
        self.key.clear();
        self.value.clear();
        (self.promised, self.accepted, self.origin) = (Ballot::ZERO, Ballot::ZERO, Ballot::ZERO);
        (self.has_value, self.due, self.ticket) = (false, Due::Nothing, Ticket::default());
        self.forget_asked();
        self.drop_cache();
    }

    pub(super) fn drop_cache(&mut self) {
        (self.cached, self.acked) = (Ballot::ZERO, 0);
    }

    /// Nobody is owed an answer: they ask again.
    pub(super) fn forget_asked(&mut self) {
        (self.owe_prepare, self.owe_accept, self.owe_conflict) = (0, 0, 0);
    }

    pub(super) fn state(&self) -> State<'_> {
        let value = self.has_value.then_some(&*self.value);
        State { ballot: self.accepted, origin: self.origin, value }
    }

    /// Whether all that it has promised and accepted is on disk: nothing of it may be told before.
    pub(super) fn is_durable(&self, durable: Ticket) -> bool {
        self.due == Due::Nothing && self.ticket <= durable
    }

    pub(super) const fn is_erasing(&self) -> bool {
        matches!(self.due, Due::Erase | Due::Erasing)
    }

    /// Phase 1b, section 2.2: "Returns a conflict if it already saw a greater ballot number. Persists the ballot number as a promise and
    /// returns a confirmation either with an empty value or with a tuple of an accepted value and its ballot number."
    pub(super) fn prepare(&mut self, ballot: Ballot) {
        if ballot > self.promised {
            self.promised = ballot;
            if self.due == Due::Nothing {
                self.due = Due::Promise;
            }
        }
    }

    pub(super) fn handle_prepare(&mut self, at: usize, ballot: Ballot) {
        self.prepare(ballot);
        if ballot == self.promised {
            self.owe_prepare |= bit(at);
        } else {
            self.owe_conflict |= bit(at);
        }
    }

    /// Phase 2b, section 2.2: "Returns a conflict if it already saw a greater ballot number. Erases the promise, marks the received tuple
    /// as the accepted value". The promise that takes its place is the sender's next ballot (section 2.2.1, "One-round trip
    /// optimization": "a proposer piggybacks the next 'prepare' message on the current 'accept' message").
    pub(super) fn accept(&mut self, state: State<'_>, next: Ballot) -> bool {
        if state.ballot < self.promised {
            return false;
        }
        self.value.clear();
        let _ = self.value.extend_from_slice(state.value.unwrap_or_default()); // it fits
        self.has_value = state.value.is_some();
        (self.accepted, self.origin) = (state.ballot, state.origin);
        // accepting erases the promise
        self.promised = next;
        self.due = Due::Accept;
        self.drop_cache();
        true
    }

    pub(super) fn handle_accept(
        &mut self,
        at: usize,
        state: State<'_>,
        next: Ballot,
    ) -> Result<(), Rejected> {
        if state.ballot == self.accepted && state != self.state() {
            return Err(Rejected::Impossible); // one state for each ballot
        }
        if state.ballot == self.accepted || self.accept(state, next) {
            self.owe_accept |= bit(at);
        } else {
            self.owe_conflict |= bit(at);
        }
        Ok(())
    }

    /// This node waits until it is erased. While it is, nobody waits for anything else.
    pub(super) fn owe_erased(&mut self, at: usize) {
        self.owe_accept |= bit(at);
    }

    pub(super) const fn asked_erased(&self) -> Set {
        self.owe_accept
    }

    /// Whether somebody waits for an answer.
    pub(super) const fn is_asked(&self) -> bool {
        self.owe_prepare | self.owe_accept | self.owe_conflict != 0
    }

    /// The next answer to a node, if it waits for one. Only while [`is_durable`](Self::is_durable).
    pub(super) fn take_answer(&mut self, at: usize, id: NodeId) -> Option<Answer> {
        let bit = bit(at);
        if self.owe_accept & bit != 0 {
            self.owe_accept &= !bit;
            let is_last = self.accepted.node == id;
            return Some(if is_last { Answer::Accepted } else { Answer::Conflict });
        }
        if self.owe_prepare & bit != 0 {
            self.owe_prepare &= !bit;
            // a promise tells what was accepted below its ballot
            let is_last = self.promised.node == id && self.promised > self.accepted;
            return Some(if is_last { Answer::Promise } else { Answer::Conflict });
        }
        let is_refused = self.owe_conflict & bit != 0;
        self.owe_conflict &= !bit;
        is_refused.then_some(Answer::Conflict)
    }

    pub(super) fn restore_promise(&mut self, ballot: Ballot) -> Result<(), Corrupt> {
        check(ballot)?;
        if ballot < self.promised {
            return Err(Corrupt::Regression);
        }
        self.promised = ballot;
        Ok(())
    }

    pub(super) fn restore_state(
        &mut self,
        state: State<'_>,
        promised: Ballot,
    ) -> Result<(), Corrupt> {
        check(state.ballot)?;
        check(promised)?;
        if promised < state.ballot || state.origin > state.ballot {
            return Err(Corrupt::Malformed);
        }
        let is_same = state.ballot == self.accepted && state == self.state();
        if is_same {
            return self.restore_promise(promised); // a checkpoint was written before this record was
        }
        if state.ballot < self.promised || state.ballot == self.accepted {
            return Err(Corrupt::Regression);
        }
        if state.value.is_some_and(|value| value.len() > self.value.limit()) {
            return Err(Corrupt::Full);
        }
        self.accept(state, promised);
        self.due = Due::Nothing;
        Ok(())
    }
}

pub(super) const fn check(ballot: Ballot) -> Result<(), Corrupt> {
    if ballot.is_zero() || ballot.round > Ballot::MAX_ROUND {
        return Err(Corrupt::Malformed);
    }
    Ok(())
}

/// The cells of an acceptor, in places that do not change, and the places in the order of their keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Cells<S: Storage> {
    cells: S::Cells<Cell<S>>,
    order: S::Cells<u32>,
    /// The places where there is something to do.
    pub(super) work: S::Cells<u32>,
    key: usize,
    value: usize,
}

impl<S: Storage> Cells<S> {
    pub(super) fn new(keys: usize, key: usize, value: usize) -> Self {
        Self {
            cells: S::Cells::with_limit(keys),
            order: S::Cells::with_limit(keys),
            work: S::Cells::with_limit(keys),
            key,
            value,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) const fn max_value(&self) -> usize {
        self.value
    }

    pub(super) const fn max_key(&self) -> usize {
        self.key
    }

    pub(super) fn get(&self, at: usize) -> Option<&Cell<S>> {
        self.cells.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Cell<S>> {
        self.cells.get_mut(at)
    }

    /// All of them, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Cell<S>> {
        self.order.iter().filter_map(|at| self.cells.get(index(*at)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell<S>> {
        self.cells.iter_mut().filter(|cell| cell.is_used)
    }

    fn place(&self, key: &[u8]) -> Result<usize, usize> {
        let key_of = |at: &u32| self.cells.get(index(*at)).map_or(&[][..], |cell| &*cell.key);
        self.order.binary_search_by(|at| key_of(at).cmp(key))
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        let place = self.place(key).ok()?;
        self.order.get(place).map(|at| index(*at))
    }

    pub(super) fn find_mut(&mut self, key: &[u8]) -> Option<&mut Cell<S>> {
        let at = self.find(key)?;
        self.cells.get_mut(at)
    }

    /// Whether there is a cell for this key, or room for one.
    pub(super) fn has_room(&self, key: &[u8]) -> bool {
        let is_new = self.find(key).is_none();
        key.len() <= self.key && !(is_new && self.len() >= self.order.limit())
    }

    /// The place of the cell for this key, which is made if there is none; `None` if there is no room.
    pub(super) fn entry(&mut self, key: &[u8]) -> Option<usize> {
        let place = match self.place(key) {
            Ok(place) => return self.order.get(place).map(|at| index(*at)),
            Err(place) => place,
        };
        if !self.has_room(key) {
            return None;
        }
        // while no cell was given back, none is looked for
        let at = if self.len() < self.cells.len() {
            self.cells.iter().position(|cell| !cell.is_used)?
        } else {
            self.cells.push(Cell::new(self.key, self.value)).ok()?;
            self.cells.len().saturating_sub(1)
        };
        let cell = self.cells.get_mut(at)?;
        cell.is_used = true;
        cell.key.extend_from_slice(key).ok()?;
        self.order.push(u32::try_from(at).ok()?).ok()?;
        self.order.get_mut(place..)?.rotate_right(1);
        Some(at)
    }

    /// There is something to do at this place.
    pub(super) fn queue(&mut self, at: usize) {
        if let Some(cell) = self.cells.get_mut(at)
            && !core::mem::replace(&mut cell.is_queued, true)
        {
            let _ = self.work.push(u32::try_from(at).unwrap_or(0)); // once each
        }
    }

    /// All keys are gone.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        for cell in self.cells.iter_mut() {
            cell.reset();
        }
    }

    /// A key is gone.
    pub(super) fn remove(&mut self, key: &[u8]) {
        let Ok(place) = self.place(key) else { return };
        let at = self.order.remove(place).map(index);
        if let Some(cell) = at.and_then(|at| self.cells.get_mut(at)) {
            cell.reset();
        }
    }
}

pub(super) fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
