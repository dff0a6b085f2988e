//! What goes out: records, deliveries, messages.

use quorate_core::{Output, Ticket, majority};

use super::message::{Message, Record};
use super::peer::Peer;
use super::store::{Held, Origin, has_room};
use super::{Causal, Event};
use crate::{Storage, Versions};

/// What to put out, before it borrows.
pub(super) enum Work {
    Boot(Ticket),
    /// The message at this place of the store is to be made durable.
    Sent(Ticket, usize),
    Stable(Ticket),
    /// The message at this place of the store was delivered.
    Deliver(usize),
    News,
    Stopped,
    Gap,
    Behind(usize),
    SendBehind(usize),
    SendStatus(usize, bool),
    /// To this peer, the message at this place.
    SendData(usize, usize),
}

impl<A: Storage, M: Storage, P: Storage> Causal<A, M, P> {
    pub(super) fn plan(&mut self) -> Option<Work> {
        if !self.started {
            return None;
        }
        if self.fatal.is_some() {
            return (!core::mem::replace(&mut self.stop_told, true)).then_some(Work::Stopped);
        }
        self.prune();
        self.plan_record()
            .or_else(|| self.plan_delivery())
            .or_else(|| self.plan_event())
            .or_else(|| self.plan_message())
    }

    pub(super) fn make(&self, work: Work) -> Option<Output<'_, Self>> {
        Some(match work {
            Work::Boot(ticket) => Output::Persist(ticket, Record::Boot { boot: self.boot }),
            Work::Sent(ticket, at) => {
                let held = self.store.get(at)?;
                let (causes, payload) = (Versions::plain(&held.causes), &*held.payload);
                Output::Persist(
                    ticket,
                    Record::Sent { counter: held.dot.counter(), causes, payload },
                )
            }
            Work::Stable(ticket) => {
                Output::Persist(ticket, Record::Stable { counter: self.floor.get(self.actor) })
            }
            Work::Deliver(at) => {
                let held = self.store.get(at)?;
                Output::Event(Event::Deliver { dot: held.dot, payload: &held.payload })
            }
            Work::News => Output::Event(Event::Stable),
            Work::Stopped => Output::Event(Event::Stopped(self.fatal?)),
            Work::Gap => Output::Event(Event::Gap { missing: self.gap?.0 }),
            Work::Behind(at) => Output::Event(Event::Behind { peer: self.peers.get(at)?.id }),
            Work::SendBehind(to) => Output::Send(
                self.peers.get(to)?.id,
                Message::Behind { floor: self.floor.versions() },
            ),
            Work::SendStatus(to, ask) => {
                let (peer, boot) = (self.peers.get(to)?, self.boot);
                let help = if ask { peer.asks_help(self.is_gap_old()) } else { peer.helped };
                let delivered = self.delivered.versions();
                Output::Send(peer.id, Message::Status { boot, ask, help, delivered })
            }
            Work::SendData(to, at) => {
                let held = self.store.get(at)?;
                let (causes, payload) = (Versions::plain(&held.causes), &*held.payload);
                Output::Send(
                    self.peers.get(to)?.id,
                    Message::Data { dot: held.dot, causes, payload },
                )
            }
        })
    }

    /// Drops what is stable. A member that was silent for too long is not waited for, as long as a majority has it: with it at
    /// one place only, the loss of that place would be the loss of it. What a member acknowledged
    /// that may have started anew does not count until that is known.
    fn prune(&mut self) {
        if !core::mem::take(&mut self.prune_due) || self.awaited().any(Peer::is_starting) {
            return;
        }
        let (before, own) = (self.store.len(), self.floor.get(self.actor));
        let stable = self.stable();
        let quorum = majority(self.peers.len().saturating_add(1));
        let mut at = 0;
        while let Some(held) = self.store.get(at) {
            let has = |peer: &&Peer<A>| !peer.is_starting() && peer.known.contains(held.dot);
            let others = self.peers.iter().filter(has).count();
            if held.delivered && stable.contains(held.dot) && others.saturating_add(1) >= quorum {
                self.drop_held(at);
            } else {
                at = at.saturating_add(1);
            }
        }
        self.news_owed |= self.store.len() < before;
        self.stable_owed |= self.floor.get(self.actor) > own;
    }

    fn plan_record(&mut self) -> Option<Work> {
        if self.boot_ticket == Ticket::default() {
            self.boot_ticket = self.issue();
            return Some(Work::Boot(self.boot_ticket));
        }
        // first what makes room: the records between two of these must fit the store when they are replayed
        if core::mem::take(&mut self.stable_owed) {
            return Some(Work::Stable(self.issue()));
        }
        let at = self.store.iter().position(|held| held.origin == Origin::Fresh)?;
        let ticket = self.issue();
        if let Some(held) = self.store.get_mut(at) {
            held.origin = Origin::Own(ticket);
        }
        Some(Work::Sent(ticket, at))
    }

    fn issue(&mut self) -> Ticket {
        self.issued = self.issued.next();
        self.issued
    }

    fn plan_delivery(&mut self) -> Option<Work> {
        let (delivered, durable) = (&self.delivered, self.durable);
        let ready = |held: &Held<A, P>| {
            !held.delivered
                && has_room(delivered, held.dot)
                && held.is_durable(durable)
                && held.is_next(delivered)
        };
        let at = self.store.iter().position(ready)?;
        self.renew_patience();
        let held = self.store.get_mut(at)?;
        self.delivered.observe(held.dot).ok()?;
        held.delivered = true;
        self.progress();
        Some(Work::Deliver(at))
    }

    fn plan_event(&mut self) -> Option<Work> {
        if core::mem::take(&mut self.news_owed) {
            return Some(Work::News);
        }
        if core::mem::take(&mut self.gap_owed) && self.gap.is_some() {
            return Some(Work::Gap);
        }
        let at = self.peers.iter().position(|peer| peer.ahead)?;
        self.peers.get_mut(at)?.ahead = false;
        Some(Work::Behind(at))
    }

    /// Nothing is said before this start is on disk: others take what an earlier start said for out of date.
    fn plan_message(&mut self) -> Option<Work> {
        if self.durable < self.boot_ticket {
            return None;
        }
        for to in 0..self.peers.len() {
            let peer = self.peers.get_mut(to)?;
            if core::mem::take(&mut peer.behind) {
                return Some(Work::SendBehind(to));
            }
            if core::mem::take(&mut peer.status) {
                return Some(Work::SendStatus(to, false));
            }
            if core::mem::take(&mut peer.ask) {
                peer.unconfirmed.iter_mut().for_each(|said| said.is_asked = true);
                return Some(Work::SendStatus(to, true));
            }
            if let Some(at) = self.next_for(to) {
                return Some(Work::SendData(to, at));
            }
        }
        None
    }

    /// The next message in the store that a peer lacks and should have from here.
    fn next_for(&mut self, to: usize) -> Option<usize> {
        let peer = self.peers.get_mut(to)?;
        while let Some(held) = self.store.get(peer.cursor) {
            if held.is_own() && !held.is_durable(self.durable) {
                return None; // nor are later ones
            }
            let at = peer.cursor;
            peer.cursor = peer.cursor.saturating_add(1);
            let from_here = held.is_own() || peer.helped;
            if from_here && !peer.known.contains(held.dot) {
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
        let sent = self.store.iter().filter_map(|held| match held.origin {
            Origin::Own(_) => Some(Record::Sent {
                counter: held.dot.counter(),
                causes: Versions::plain(&held.causes),
                payload: &held.payload,
            }),
            Origin::Foreign | Origin::Fresh => None,
        });
        boot.into_iter().chain(stable).chain(sent)
    }
}
