//! What goes out: records, deliveries, messages.

use quorate_core::{Output, Ticket, majority};

use super::message::{Message, Record};
use super::peer::Peer;
use super::store::{Origin, StoredMessage, has_room};
use super::{Causal, Event};
use crate::{Storage, Versions};

/// What `poll` returns next, decided before the output borrows.
pub(super) enum Plan {
    Boot(Ticket),
    /// The message at this place of the store is to be made durable.
    Sent(Ticket, usize),
    Stable(Ticket),
    /// The message at this place of the store was delivered.
    Deliver(usize),
    StableEvent,
    Stopped,
    Gap,
    Behind(usize),
    SendBehind(usize),
    SendStatus(usize, bool),
    /// To this peer, the message at this place.
    SendData(usize, usize),
}

impl<A: Storage, M: Storage, B: Storage> Causal<A, M, B> {
    pub(super) fn plan(&mut self) -> Option<Plan> {
        if !self.started {
            return None;
        }
        if self.fatal.is_some() {
            return (!core::mem::replace(&mut self.stop_reported, true)).then_some(Plan::Stopped);
        }
        self.prune();
        self.plan_record()
            .or_else(|| self.plan_delivery())
            .or_else(|| self.plan_event())
            .or_else(|| self.plan_message())
    }

    pub(super) fn make(&self, plan: Plan) -> Option<Output<'_, Self>> {
        Some(match plan {
            Plan::Boot(ticket) => Output::Persist(ticket, Record::Boot { boot: self.boot }),
            Plan::Sent(ticket, at) => {
                let stored = self.store.get(at)?;
                let (causes, payload) = (Versions::plain(&stored.causes), &*stored.payload);
                Output::Persist(
                    ticket,
                    Record::Sent { counter: stored.dot.counter(), causes, payload },
                )
            }
            Plan::Stable(ticket) => {
                Output::Persist(ticket, Record::Stable { counter: self.floor.get(self.actor) })
            }
            Plan::Deliver(at) => {
                let stored = self.store.get(at)?;
                Output::Event(Event::Deliver { dot: stored.dot, payload: &stored.payload })
            }
            Plan::StableEvent => Output::Event(Event::Stable),
            Plan::Stopped => Output::Event(Event::Fatal(self.fatal?)),
            Plan::Gap => Output::Event(Event::Gap { missing: self.gap?.0 }),
            Plan::Behind(at) => Output::Event(Event::Behind { peer: self.peers.get(at)?.id }),
            Plan::SendBehind(to) => Output::Send(
                self.peers.get(to)?.id,
                Message::Behind { floor: self.floor.versions() },
            ),
            Plan::SendStatus(to, request) => {
                let (peer, boot) = (self.peers.get(to)?, self.boot);
                let relay = if request {
                    peer.requests_relay(self.is_gap_overdue())
                } else {
                    peer.relay_requested
                };
                let delivered = self.delivered.versions();
                Output::Send(peer.id, Message::Status { boot, request, relay, delivered })
            }
            Plan::SendData(to, at) => {
                let stored = self.store.get(at)?;
                let (causes, payload) = (Versions::plain(&stored.causes), &*stored.payload);
                Output::Send(
                    self.peers.get(to)?.id,
                    Message::Data { dot: stored.dot, causes, payload },
                )
            }
        })
    }

    /// Drops what is stable. A member that was silent for too long is not waited for, as long as a majority has it: with it at
    /// one place only, the loss of that place would be the loss of it. What a member acknowledged
    /// that may have started anew does not count until that is known.
    fn prune(&mut self) {
        if !core::mem::take(&mut self.prune_due)
            || self.active_peers().any(Peer::may_have_restarted)
        {
            return;
        }
        let (before, own) = (self.store.len(), self.floor.get(self.actor));
        let stable = self.stable();
        let quorum = majority(self.peers.len().saturating_add(1));
        let mut at = 0;
        while let Some(stored) = self.store.get(at) {
            let has =
                |peer: &&Peer<A>| !peer.may_have_restarted() && peer.known.contains(stored.dot);
            let others = self.peers.iter().filter(has).count();
            if stored.delivered && stable.contains(stored.dot) && others.saturating_add(1) >= quorum
            {
                self.remove_stored(at);
            } else {
                at = at.saturating_add(1);
            }
        }
        self.stable_event_due |= self.store.len() < before;
        self.stable_record_due |= self.floor.get(self.actor) > own;
    }

    fn plan_record(&mut self) -> Option<Plan> {
        if self.boot_ticket == Ticket::default() {
            self.boot_ticket = self.issue();
            return Some(Plan::Boot(self.boot_ticket));
        }
        // first what makes room: the records between two of these must fit the store when they are replayed
        if core::mem::take(&mut self.stable_record_due) {
            return Some(Plan::Stable(self.issue()));
        }
        let at = self.store.iter().position(|stored| stored.origin == Origin::OwnUnissued)?;
        let ticket = self.issue();
        if let Some(stored) = self.store.get_mut(at) {
            stored.origin = Origin::Own(ticket);
        }
        Some(Plan::Sent(ticket, at))
    }

    fn issue(&mut self) -> Ticket {
        self.tickets.issue()
    }

    fn plan_delivery(&mut self) -> Option<Plan> {
        let (delivered, durable) = (&self.delivered, self.durable);
        let ready = |stored: &StoredMessage<A, B>| {
            !stored.delivered
                && has_room(delivered, stored.dot)
                && stored.is_durable(durable)
                && stored.is_next(delivered)
        };
        let at = self.store.iter().position(ready)?;
        self.reset_member_timers();
        let stored = self.store.get_mut(at)?;
        self.delivered.observe(stored.dot).ok()?;
        stored.delivered = true;
        self.reset_backoff();
        Some(Plan::Deliver(at))
    }

    fn plan_event(&mut self) -> Option<Plan> {
        if core::mem::take(&mut self.stable_event_due) {
            return Some(Plan::StableEvent);
        }
        if core::mem::take(&mut self.gap_event_due) && self.gap.is_some() {
            return Some(Plan::Gap);
        }
        let at = self.peers.iter().position(|peer| peer.ahead)?;
        self.peers.get_mut(at)?.ahead = false;
        Some(Plan::Behind(at))
    }

    /// Nothing is said before this start is on disk: others take what an earlier start said for out of date.
    fn plan_message(&mut self) -> Option<Plan> {
        if self.durable < self.boot_ticket {
            return None;
        }
        for to in 0..self.peers.len() {
            let peer = self.peers.get_mut(to)?;
            if core::mem::take(&mut peer.behind_due) {
                return Some(Plan::SendBehind(to));
            }
            if core::mem::take(&mut peer.status_due) {
                return Some(Plan::SendStatus(to, false));
            }
            if core::mem::take(&mut peer.request_due) {
                peer.unconfirmed.iter_mut().for_each(|unconfirmed| unconfirmed.is_requested = true);
                return Some(Plan::SendStatus(to, true));
            }
            if let Some(at) = self.next_for(to) {
                return Some(Plan::SendData(to, at));
            }
        }
        None
    }

    /// The next message in the store that a peer lacks and should have from here.
    fn next_for(&mut self, to: usize) -> Option<usize> {
        let peer = self.peers.get_mut(to)?;
        while let Some(stored) = self.store.get(peer.cursor) {
            if stored.is_own() && !stored.is_durable(self.durable) {
                return None; // nor are later ones
            }
            let at = peer.cursor;
            peer.cursor = peer.cursor.saturating_add(1);
            let from_here = stored.is_own() || peer.relay_requested;
            if from_here && !peer.known.contains(stored.dot) {
                return Some(at);
            }
        }
        None
    }

    /// The fewest records that restore the present state.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let boot = (self.boot > 0).then_some(Record::Boot { boot: self.boot });
        let counter = self.floor.get(self.actor);
        let stable = (counter > 0).then_some(Record::Stable { counter });
        let sent = self.store.iter().filter_map(|stored| match stored.origin {
            Origin::Own(_) => Some(Record::Sent {
                counter: stored.dot.counter(),
                causes: Versions::plain(&stored.causes),
                payload: &stored.payload,
            }),
            Origin::Remote | Origin::OwnUnissued => None,
        });
        boot.into_iter().chain(stable).chain(sent)
    }
}
