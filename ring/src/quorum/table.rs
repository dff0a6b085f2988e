use core::marker::PhantomData;

use quorate_core::{Full, Instant, List, NodeId, Ticket};

use super::order::Order;
use super::slab::{Cell, Queue, Slab};
use super::storage::Kinds;
use super::{Storage, Value};
use crate::Token;

/// The keys that a replica holds.
pub(crate) type Keys<V, S> = Table<V, S, <S as Kinds>::Entries<Entry<V, S>>, <S as Kinds>::Order>;

/// The writes that a node keeps for others.
pub(crate) type Hints<V, S> =
    Table<V, S, <S as Kinds>::Hints<Entry<V, S>>, <S as Kinds>::HintOrder>;

/// Values of keys, in the order of the keys' tokens.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Table<V: Value, S: Storage, L, O> {
    entries: Slab<Entry<V, S>, L>,
    order: O,
    max_key_len: usize,
    of: PhantomData<S>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(unnameable_types)] // of the sealed storage
pub(crate) struct Entry<V: Value, S: Storage> {
    pub(crate) token: Token,
    /// Whose: this node's own, or that of the node that a hint is for.
    pub(crate) owner: NodeId,
    pub(crate) key: S::Key,
    pub(crate) value: V,
    /// The record with this value: once it is durable, so is the value.
    pub(crate) ticket: Ticket,
    /// When it came, or the node started.
    pub(crate) since: Instant,
    /// It goes, once that is recorded.
    pub(crate) done: bool,
    /// An answer with it has waited for a second record: it stays as it is until that answer is sent.
    pub(crate) awaited: bool,
    /// A sweep waits for its record: it stays as it is until that is durable.
    pub(crate) swept: bool,
}

impl<V: Value, S: Storage, L: List<Cell<Entry<V, S>>>, O: Order> Table<V, S, L, O> {
    pub(crate) fn with_limits(keys: usize, max_key_len: usize) -> Self {
        Self {
            entries: Slab::with_limit(keys),
            order: O::with_limit(keys),
            max_key_len,
            of: PhantomData,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Everything that is there came now, as far as anybody knows.
    pub(crate) fn date(&mut self, now: Instant) {
        for place in 0..u32::try_from(self.entries.places()).unwrap_or(u32::MAX) {
            if let Some(entry) = self.entries.get_mut(place) {
                entry.since = now;
            }
        }
    }

    /// The place of a key; `None` if it is not there.
    pub(crate) fn find(&self, owner: NodeId, token: Token, key: &[u8]) -> Option<u32> {
        let mut from = (token.get(), 0);
        loop {
            let (found, place) = self.order.at_or_after(from)?;
            if found != token.get() {
                return None;
            }
            let entry = self.entries.get(place)?;
            if entry.owner == owner && *entry.key == *key {
                return Some(place);
            }
            from = (found, place.checked_add(1)?);
        }
    }

    pub(crate) fn get(&self, place: u32) -> Option<&Entry<V, S>> {
        self.entries.get(place)
    }

    /// All places there were entries at until now are below this.
    pub(crate) fn places(&self) -> usize {
        self.entries.places()
    }

    pub(crate) fn is_done(&self, place: u32) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.done)
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut Entry<V, S>> {
        self.entries.get_mut(place)
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        owner: NodeId,
        token: Token,
        key: &[u8],
        value: V,
    ) -> Result<u32, Full> {
        if self.entries.is_full() {
            return Err(Full);
        }
        let mut bytes = <S as Kinds>::Key::with_limit(self.max_key_len);
        bytes.extend_from_slice(key)?;
        let (ticket, since) = (Ticket::default(), now);
        let (done, awaited, swept) = (false, false, false);
        let entry = Entry { token, owner, key: bytes, value, ticket, since, done, awaited, swept };
        let place = self.entries.insert(entry)?;
        self.order.insert((token.get(), place)).inspect_err(|_| {
            self.entries.remove(place);
        })?;
        Ok(place)
    }

    pub(crate) fn remove(&mut self, place: u32) {
        if let Some(entry) = self.entries.remove(place) {
            self.order.remove((entry.token.get(), place));
        }
    }

    /// The entries from a token on, in the order of their tokens.
    pub(crate) fn from(&self, first: Token) -> impl Iterator<Item = &Entry<V, S>> {
        let mut next = Some((first.get(), 0));
        core::iter::from_fn(move || {
            let (token, place) = self.order.at_or_after(next?)?;
            next = place.checked_add(1).map(|place| (token, place));
            self.entries.get(place)
        })
    }

    /// What is at this place has to be recorded, with this ticket, unless it is to be already.
    pub(crate) fn set_due(&mut self, place: u32, issue: impl FnOnce() -> Ticket) -> Ticket {
        let is_due = self.entries.is_queued(place, Queue::Due);
        let Some(entry) = self.entries.get_mut(place) else { return Ticket::default() };
        if !is_due {
            entry.ticket = issue();
        }
        let ticket = entry.ticket;
        self.entries.enqueue(place, Queue::Due);
        ticket
    }

    /// Whether anything has to be recorded.
    pub(crate) const fn any_due(&self) -> bool {
        self.entries.first(Queue::Due).is_some()
    }

    /// The first place that has to be recorded, with its ticket.
    pub(crate) fn first_due(&self) -> Option<(Ticket, u32)> {
        let place = self.entries.first(Queue::Due)?;
        Some((self.entries.get(place)?.ticket, place))
    }

    /// It is being recorded.
    pub(crate) fn clear_due(&mut self, place: u32) {
        self.entries.unqueue(place, Queue::Due);
    }

    /// Puts what is at this place at the end of those that wait.
    pub(crate) fn set_waiting(&mut self, place: u32) {
        self.entries.unqueue(place, Queue::Waiting);
        self.entries.enqueue(place, Queue::Waiting);
    }

    /// What is at this place waits no longer.
    pub(crate) fn clear_waiting(&mut self, place: u32) {
        self.entries.unqueue(place, Queue::Waiting);
    }

    /// The first place that waits.
    pub(crate) const fn first_waiting(&self) -> Option<u32> {
        self.entries.first(Queue::Waiting)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<V, S>> {
        self.entries.iter().map(|(_, entry)| entry)
    }
}
