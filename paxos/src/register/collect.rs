//! How a key that was deleted is forgotten, and does not come back (Rystsov, "CASPaxos", 2018, section 3.1).

use quorate_core::{Instant, List, Phase as Quorum, Rejected};

use super::cell::Due;
use super::membership::{Set, bit};
use super::node::Register;
use super::slot::Phase;
use super::storage::Storage;
use super::{Change, Changes, CollectError, Message, Request, Stage};
use crate::Ballot;

/// What a node does, of the collection of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Progress {
    #[default]
    Idle,
    /// All acceptors are to accept the tombstone: section 3.1, step 2a, "executes an identity transformation with max quorum size (2F + 1)".
    Claiming,
    /// Every proposer is to forget the key, to use ballots above the tombstone's, and to have the acceptors refuse what it has sent: steps 2b and 2c.
    Visiting,
    /// Acceptors are to erase it, if it is still that tombstone: step 2d.
    Erasing,
    /// The application is to be told.
    Done(bool),
}

/// The collection of a key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Collection<S: Storage> {
    pub(super) progress: Progress,
    pub(super) key: S::Key,
    pub(super) tombstone: Ballot,
    pub(super) agreed: Set,
    pub(super) due: Set,
    pub(super) at: Instant,
}

impl<S: Storage> Collection<S> {
    pub(super) fn new(key: usize) -> Self {
        Self {
            progress: Progress::Idle,
            key: S::Key::with_limit(key),
            tombstone: Ballot::ZERO,
            agreed: 0,
            due: 0,
            at: Instant::MAX,
        }
    }

    pub(super) const fn is_active(&self) -> bool {
        !matches!(self.progress, Progress::Idle | Progress::Done(_))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        matches!(self.progress, Progress::Visiting | Progress::Erasing).then_some(self.at)
    }

    fn enter(&mut self, progress: Progress, (all, me): (Set, usize), at: Instant) {
        (self.progress, self.at) = (progress, at);
        (self.agreed, self.due) = (0, all & !bit(me));
    }

    fn agree(&mut self, at: usize) {
        self.agreed |= bit(at);
        self.due &= !bit(at);
    }
}

impl<S: Storage, C: Changes> Register<S, C> {
    pub(super) fn begin_collection(&mut self, key: &[u8]) -> Result<(), CollectError> {
        let is_used = self.slots.iter().any(|slot| slot.is_open() && *slot.key == *key);
        if self.collection.progress != Progress::Idle || is_used {
            return Err(CollectError::Busy);
        }
        if self.membership.stage != Stage::Stable || !self.is_configured() {
            return Err(CollectError::Reconfiguring);
        }
        let at = self.check(key, &Change::Read).map_err(CollectError::Submit)?;
        if let Some(slot) = self.slots.get_mut(at) {
            slot.fill(Request(0), key, Change::Read, None);
            slot.collects = true;
        }
        self.collection.key.clear();
        let _ = self.collection.key.extend_from_slice(key); // it fits
        self.collection.progress = Progress::Claiming;
        Ok(())
    }

    /// The key is in use again, or the nodes are others: what acceptors have of it stays.
    pub(super) fn abandon_collection(&mut self) {
        if self.collection.is_active() {
            self.collection.progress = Progress::Done(false);
            self.collection.due = 0;
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.collects) {
            slot.free();
        }
    }

    /// All acceptors have accepted what a collecting request has found.
    pub(super) fn claimed(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let (tombstone, is_deleted) = (slot.ballot, !slot.has_value);
        slot.free();
        if !is_deleted {
            return self.abandon_collection();
        }
        let all = self.membership.places().fold(0, |all, at| all | bit(at));
        let me = self.membership.me();
        self.collection.tombstone = tombstone;
        let until = self.now.after(self.config.retry_us);
        self.collection.enter(Progress::Visiting, (all, me), until);
        let key = self.collection.key.clone();
        self.visited(me, &key, tombstone);
    }

    /// A proposer is visited: it drops what it knows of the key, uses higher ballots, and becomes older.
    fn visited(&mut self, by: usize, key: &[u8], tombstone: Ballot) {
        let is_again = self.membership.seats.get(by).is_some_and(|seat| seat.visit == tombstone);
        if !is_again {
            self.see(tombstone.round);
            self.floor = self.floor.max(tombstone);
            self.age = self.age.saturating_add(1);
            self.aged_due = true;
            if let Some(cell) = self.cells.find_mut(key) {
                cell.drop_cache();
            }
            for at in 0..self.slots.len() {
                let Some(slot) = self.slots.get_mut(at) else { break };
                if slot.is_open() && *slot.key == *key {
                    slot.forget();
                    if slot.is_served() && slot.ballot <= tombstone {
                        self.begin(at);
                    }
                }
            }
            self.fence();
        }
        let age = self.age;
        if let Some(seat) = self.membership.seats.get_mut(by) {
            seat.visit_due = true;
            if !is_again {
                (seat.visit, seat.visit_age) = (tombstone, age);
            }
        }
    }

    /// The acceptors are to refuse what it has sent with a lower age.
    fn fence(&mut self) {
        let (acceptors, me) = (self.membership.acceptors(Quorum::Two), self.membership.me());
        self.fence_at = self.now.after(self.config.retry_us);
        for (at, seat) in self.membership.seats.iter_mut().enumerate() {
            if at == me {
                // nothing that it has sent itself is under way
                seat.fenced = self.age;
            } else {
                seat.fence_due |= acceptors & bit(at) != 0 && seat.fenced < self.age;
            }
        }
    }

    /// The age that all acceptors have on record.
    fn fenced_age(&self) -> u64 {
        let acceptors = self.membership.acceptors(Quorum::Two);
        let seats = self.membership.seats.iter().enumerate();
        let fenced = seats.filter(|(at, _)| acceptors & bit(*at) != 0).map(|(_, seat)| seat.fenced);
        fenced.min().unwrap_or(0)
    }

    pub(super) fn advance_collection(&mut self) {
        let me = self.membership.me();
        let is_fenced =
            self.membership.seats.get(me).is_some_and(|seat| seat.visit_age <= self.fenced_age());
        let all = self.membership.places().fold(0, |all, at| all | bit(at));
        let acceptors = self.membership.acceptors(Quorum::Two);
        let until = self.now.after(self.config.retry_us);
        if self.collection.progress == Progress::Visiting {
            if is_fenced && self.aged_ticket <= self.durable && !self.aged_due {
                self.collection.agree(me);
            }
            if self.collection.agreed & all == all {
                self.collection.enter(Progress::Erasing, (acceptors, me), until);
            }
        }
        if self.collection.progress == Progress::Erasing {
            if self.collection.agreed & bit(me) == 0 {
                let (key, tombstone) = (self.collection.key.clone(), self.collection.tombstone);
                match self.erase(me, &key, tombstone) {
                    Some(true) => self.collection.agree(me),
                    Some(false) => self.abandon_collection(),
                    None => {}
                }
            }
            if self.collection.agreed & acceptors == acceptors {
                self.collection.progress = Progress::Done(true);
            }
        }
    }

    /// Erases a key if it is still this tombstone, and nothing was promised since. `None` if that is not on disk yet.
    fn erase(&mut self, by: usize, key: &[u8], tombstone: Ballot) -> Option<bool> {
        let Some(place) = self.cells.find(key) else { return Some(true) };
        let durable = self.durable;
        let cell = self.cells.get_mut(place)?;
        if cell.accepted.is_zero() && cell.promised.is_zero() {
            return Some(true); // there is a place for it, and nothing in it
        }
        let is_tombstone = cell.accepted == tombstone && cell.state().value.is_none();
        if !is_tombstone || cell.promised > tombstone {
            return Some(false);
        }
        if cell.is_durable(durable) {
            cell.forget_asked();
            cell.drop_cache();
            cell.due = Due::Erase;
            self.cells.queue(place);
        }
        if let Some(cell) = self.cells.get_mut(place).filter(|cell| cell.is_erasing()) {
            cell.owe_erased(by);
        }
        None
    }

    /// Cells whose erasure is on disk are given back, and those that wait for it are told.
    pub(super) fn free_erased(&mut self) {
        let mut at = 0;
        while let Some(&place) = self.cells.work.get(at) {
            at = at.saturating_add(1);
            let place = super::cell::index(place);
            let Some(cell) = self.cells.get(place) else { continue };
            if cell.due != Due::Erasing || cell.ticket > self.durable {
                continue;
            }
            let (asked, tombstone, key) = (cell.asked_erased(), cell.accepted, cell.key.clone());
            self.cells.remove(&key);
            for (place, seat) in self.membership.seats.iter_mut().enumerate() {
                if asked & bit(place) != 0 {
                    (seat.erase, seat.is_erased, seat.erase_due) = (tombstone, true, true);
                }
            }
        }
    }

    /// Takes a message about a collection.
    pub(super) fn handle_collection(
        &mut self,
        from: usize,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        match *message {
            Message::Collect { key, tombstone, version } => {
                self.check_of(tombstone, from)?;
                // Proposers with another membership may ask acceptors that the sender does not know of.
                let is_same = version == self.membership.version
                    && self.membership.stage == Stage::Stable
                    && self.is_configured();
                if self.founded && is_same {
                    self.visited(from, key, tombstone);
                }
            }
            Message::Collected { tombstone } => {
                self.check_own(tombstone)?;
                let is_open = self.collection.progress == Progress::Visiting;
                if is_open && tombstone == self.collection.tombstone {
                    self.collection.agree(from);
                }
            }
            Message::Fence { age } => {
                let founded = self.founded;
                if let Some(seat) = self.membership.seats.get_mut(from).filter(|_| founded) {
                    seat.age_due |= age > seat.age;
                    seat.age = seat.age.max(age);
                    seat.owe_fenced = true;
                }
            }
            Message::Fenced { age } => {
                // a node whose disk was erased does not know its age
                if age > self.age && self.founded {
                    return Err(Rejected::Impossible);
                }
                if let Some(seat) = self.membership.seats.get_mut(from) {
                    seat.fenced = seat.fenced.max(age);
                    seat.fence_due &= seat.fenced < self.age;
                }
            }
            Message::Erase { key, tombstone } => {
                self.check_of(tombstone, from)?;
                if self.founded
                    && let Some(is_erased) = self.erase(from, key, tombstone)
                    && let Some(seat) = self.membership.seats.get_mut(from)
                {
                    (seat.erase, seat.is_erased, seat.erase_due) = (tombstone, is_erased, true);
                }
            }
            Message::Erased { tombstone, erased } => {
                self.check_own(tombstone)?;
                let is_open = self.collection.progress == Progress::Erasing;
                if is_open && tombstone == self.collection.tombstone {
                    if erased {
                        self.collection.agree(from);
                    } else {
                        self.abandon_collection();
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn tick_collection(&mut self) {
        let until = self.now.after(self.config.retry_us);
        let Self { collection, membership, .. } = self;
        if collection.deadline().is_some_and(|at| at <= self.now) {
            collection.at = until;
            let all = match collection.progress {
                Progress::Visiting => membership.places().fold(0, |all, at| all | bit(at)),
                _ => membership.acceptors(Quorum::Two),
            };
            collection.due = all & !collection.agreed & !bit(membership.me());
        }
        if self.fence_deadline().is_some_and(|at| at <= self.now) {
            self.fence();
        }
    }

    /// When acceptors that have not answered are told the age again: while somebody waits for that.
    pub(super) fn fence_deadline(&self) -> Option<Instant> {
        let is_waited_for = self.membership.seats.iter().any(|seat| seat.visit_age > 0)
            && self.fenced_age() < self.age;
        is_waited_for.then_some(self.fence_at)
    }

    /// The next message about a collection to a node. Only while its age and what it has on record of others' is on disk.
    pub(super) fn take_collection(&mut self, to: usize) -> Option<CollectionPlan> {
        let fenced = self.fenced_age();
        let is_aged = !self.aged_due && self.aged_ticket <= self.durable;
        if is_aged && self.collection.due & bit(to) != 0 {
            self.collection.due &= !bit(to);
            return match self.collection.progress {
                Progress::Visiting => Some(CollectionPlan::Collect),
                Progress::Erasing => Some(CollectionPlan::Erase),
                _ => None,
            };
        }
        let durable = self.durable;
        let seat = self.membership.seats.get_mut(to)?;
        if is_aged && core::mem::take(&mut seat.fence_due) {
            return Some(CollectionPlan::Fence);
        }
        if is_aged && seat.visit_due && seat.visit_age <= fenced {
            seat.visit_due = false;
            return Some(CollectionPlan::Collected(seat.visit));
        }
        let is_recorded = !seat.age_due && seat.age_ticket <= durable;
        if is_recorded && core::mem::take(&mut seat.owe_fenced) {
            return Some(CollectionPlan::Fenced(seat.age));
        }
        core::mem::take(&mut seat.erase_due)
            .then_some(CollectionPlan::Erased(seat.erase, seat.is_erased))
    }

    pub(super) fn collection_message(&self, plan: CollectionPlan) -> Message<'_> {
        let Self { collection, .. } = self;
        let (key, tombstone) = (&*collection.key, collection.tombstone);
        match plan {
            CollectionPlan::Collect => {
                Message::Collect { key, tombstone, version: self.membership.version }
            }
            CollectionPlan::Erase => Message::Erase { key, tombstone },
            CollectionPlan::Fence => Message::Fence { age: self.age },
            CollectionPlan::Fenced(age) => Message::Fenced { age },
            CollectionPlan::Collected(tombstone) => Message::Collected { tombstone },
            CollectionPlan::Erased(tombstone, erased) => Message::Erased { tombstone, erased },
        }
    }

    /// A collecting request has come to an end of its own.
    pub(super) fn end_failed_claims(&mut self) {
        let is_over =
            |slot: &super::slot::Slot<S>| slot.collects && matches!(slot.phase, Phase::Done(_));
        if self.slots.iter().any(is_over) {
            self.abandon_collection();
        }
    }
}

/// The next message about a collection, before it borrows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CollectionPlan {
    Collect,
    Collected(Ballot),
    Fence,
    Fenced(u64),
    Erase,
    Erased(Ballot, bool),
}
