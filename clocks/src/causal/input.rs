//! What comes in: records at boot, messages, time.

use quorate_core::{Corrupt, Fatal, Instant, List, NodeId, Rejected, Ticket};

use super::message::{Message, Record};
use super::peer::{Peer, Unconfirmed};
use super::store::{Origin, StoredMessage, has_room, is_next};
use super::{Causal, START_BITS};
use crate::{Dot, Storage, VersionVector, Versions};

/// Statuses come up to 2^4 times as seldom while nothing changes.
const MAX_BACKOFF: u32 = 4;

impl<A: Storage, M: Storage, B: Storage> Causal<A, M, B> {
    pub(super) fn replay(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        match record {
            Record::Boot { boot } if boot <= self.boot => Err(Corrupt::Regression),
            Record::Boot { boot } => {
                self.boot = boot;
                Ok(())
            }
            Record::Sent { counter, causes, payload } => {
                if counter <= self.sent {
                    return Err(Corrupt::Regression);
                }
                if self.sent.checked_add(1) != Some(counter) {
                    return Err(Corrupt::Gap);
                }
                let dot = Dot::new(self.actor, counter).ok_or(Corrupt::Malformed)?;
                self.check_own_dots(causes).map_err(|_| Corrupt::Malformed)?; // it would never be delivered
                let origin = Origin::Own(Ticket::default());
                let stored =
                    StoredMessage::new(dot, causes, payload, origin).map_err(|_| Corrupt::Full)?;
                self.store.push(stored).map_err(|_| Corrupt::Full)?;
                self.sent = counter;
                Ok(())
            }
            Record::Stable { counter } => {
                let dot = Dot::new(self.actor, counter).ok_or(Corrupt::Malformed)?;
                self.floor.observe(dot).map_err(|_| Corrupt::Full)?;
                self.sent = self.sent.max(counter);
                while self.store.first().is_some_and(|stored| stored.dot.counter() <= counter) {
                    self.remove_stored(0); // all that was replayed is own, in order
                }
                Ok(())
            }
        }
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        let now = self.now.max(now);
        self.now = now;
        self.peers.iter_mut().for_each(|peer| peer.progressed_at = peer.progressed_at.min(now));
    }

    pub(super) fn handle_tick(&mut self) {
        if !self.started {
            self.started = true;
            // others take the start with the greatest number for the last one, whatever an erased
            // disk forgot
            let before = self.actor.incarnation() << START_BITS;
            self.boot = self.boot.max(before).saturating_add(1);
            let now = self.now;
            self.peers.iter_mut().for_each(|peer| peer.progressed_at = now); // they get their chance
            self.status_at = now;
        }
        if self.now < self.status_at || !self.needs_status_exchange() {
            return;
        }
        let backoff = self.idle_statuses.min(MAX_BACKOFF);
        self.status_at = self.now.after(self.config.interval_us.saturating_mul(1 << backoff));
        self.idle_statuses = self.idle_statuses.saturating_add(1);
        self.prune_due = true; // somebody may have been silent for too long
        self.update_gap();
        self.peers.iter_mut().for_each(|peer| peer.request_due = true);
    }

    /// Tracks since when something has been missing.
    fn update_gap(&mut self) {
        let gap = self.gap();
        let same = match (gap, self.gap) {
            (Some(now), Some((then, _))) => {
                now.actor() == then.actor() && now.first() == then.first()
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.gap = gap.map(|run| (run, self.now));
            self.gap_reported = false;
        }
        if self.is_gap_overdue() && !self.gap_reported {
            self.gap_reported = true;
            self.gap_event_due = true;
        }
    }

    /// Whether the origin had [`Config::gap_us`](super::Config::gap_us) to respond.
    pub(super) fn is_gap_overdue(&self) -> bool {
        self.gap.is_some_and(|(_, since)| self.now.since(since) >= self.config.gap_us)
    }

    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        if self.fatal.is_some() {
            return Err(Rejected::Stopped);
        }
        let at =
            self.peers.iter().position(|peer| peer.id == from).ok_or(Rejected::UnknownSender)?;
        let now = self.now.max(now);
        let mut changed = false;
        match message {
            Message::Data { dot, causes, payload } => {
                changed = self.handle_data(at, dot, causes, payload)?;
            }
            Message::Status { boot, request, relay, delivered } => {
                changed = self.handle_status(now, at, boot, (request, relay), delivered)?;
                if request {
                    self.reply(now, at, boot, relay);
                }
            }
            Message::Behind { floor } => {
                self.check_own_dots(floor)?;
                let lacking = !self.delivered.includes_all(floor);
                if let Some(peer) = self.peers.get_mut(at) {
                    peer.ahead |= lacking;
                }
            }
        }
        self.set_now(now); // what is refused does not even let time pass
        if changed {
            self.reset_backoff();
        }
        Ok(())
    }

    /// Refuses dots of this actor that were never made here.
    fn check_own_dots(&self, versions: Versions<'_>) -> Result<(), Rejected> {
        let is_unknown = |dot: Dot| dot.actor() == self.actor && dot.counter() > self.sent;
        if versions.iter().any(is_unknown) { Err(Rejected::Impossible) } else { Ok(()) }
    }

    /// True if it is new.
    fn handle_data(
        &mut self,
        at: usize,
        dot: Dot,
        causes: Versions<'_>,
        payload: &[u8],
    ) -> Result<bool, Rejected> {
        let origin = dot.actor();
        if origin.node() != self.actor.node() && !self.peers.iter().any(|p| p.id == origin.node()) {
            return Err(Rejected::UnknownSender);
        }
        if causes.iter().any(|cause| cause.actor() == origin) {
            return Err(Rejected::Malformed);
        }
        self.check_own_dots(Versions::plain(&[dot]))?;
        self.check_own_dots(causes)?;
        let Some(peer) = self.peers.get_mut(at) else { return Ok(false) };
        if self.delivered.contains(dot) {
            peer.status_due = true; // the sender does not know yet
            return Ok(false);
        }
        let is_from_origin = peer.id == origin.node();
        let kept = self.store.iter().position(|stored| stored.dot == dot);
        // of the own ones, the state that covers what was dropped is to come
        if origin == self.actor || (kept.is_some() && !is_from_origin) {
            return Ok(false);
        }
        if !has_room(&self.delivered, dot) {
            return Err(Rejected::Full);
        }
        let stored =
            StoredMessage::new(dot, causes, payload, Origin::Remote).map_err(|_| Rejected::Full)?;
        if let Some(kept) = kept.and_then(|at| self.store.get_mut(at)) {
            // the origin knows best: another's copy must not keep its message from being delivered
            *kept = stored;
            return Ok(false);
        }
        if self.store.len() >= self.store.limit() {
            self.evict(is_next(dot, causes, &self.delivered))?;
        }
        self.store.push(stored).map_err(|_| Rejected::Full)?;
        Ok(true)
    }

    /// Makes room for a message, if it can be delivered at once: others can always be had again.
    fn evict(&mut self, is_next: bool) -> Result<(), Rejected> {
        if !is_next {
            return Err(Rejected::Full);
        }
        let ready = |stored: &StoredMessage<A, B>| {
            stored.is_next(&self.delivered) && has_room(&self.delivered, stored.dot)
        };
        let waits =
            |stored: &StoredMessage<A, B>| !stored.is_own() && !stored.delivered && !ready(stored);
        let helps = |stored: &StoredMessage<A, B>| !stored.is_own() && stored.delivered;
        let victim = self.store.iter().rposition(waits);
        let victim = victim.or_else(|| self.store.iter().position(helps)).ok_or(Rejected::Full)?;
        self.remove_stored(victim);
        Ok(())
    }

    /// Takes in what a peer delivered; true if that changed.
    ///
    /// Another boot than that of its last status, and own broadcasts that were never made
    /// here, must be [confirmed](Unconfirmed); until then nothing of such a status counts. An
    /// earlier start is out of date, unless the later one was not heard for as long as members are
    /// waited for: then a message made that one up, or the peer's disk forgot it.
    fn handle_status(
        &mut self,
        now: Instant,
        at: usize,
        boot: u32,
        (request, relay): (bool, bool),
        delivered: Versions<'_>,
    ) -> Result<bool, Rejected> {
        if boot == 0 {
            return Err(Rejected::Malformed);
        }
        let is_claim = self.check_own_dots(delivered).is_err();
        let Some(peer) = self.peers.get_mut(at) else { return Ok(false) };
        if boot < peer.boot && !peer.is_timed_out(now, self.config.member_timeout_us) {
            return Ok(false);
        }
        let before = peer.unconfirmed;
        if is_claim || boot != peer.boot {
            let same = before
                .filter(|unconfirmed| (unconfirmed.boot, unconfirmed.is_claim) == (boot, is_claim));
            if !same.is_some_and(|unconfirmed| unconfirmed.is_reply(request, relay)) {
                let mut unconfirmed = same.unwrap_or(Unconfirmed {
                    boot,
                    is_claim,
                    request,
                    relay,
                    is_requested: false,
                });
                unconfirmed.request |= request;
                peer.unconfirmed = Some(unconfirmed);
                return Ok(same.is_none());
            }
            if is_claim {
                self.fatal = Some(Fatal::LostState);
                return Ok(false);
            }
        }
        let had_all = peer.known.includes(&self.delivered);
        let mut grew = false;
        if boot == peer.boot {
            grew = !peer.known.includes_all(delivered);
            peer.known.observe_all(delivered).map_err(|_| Rejected::Full)?;
        } else {
            // it may have less than before
            let mut known = VersionVector::new();
            known.observe_all(delivered).map_err(|_| Rejected::Full)?;
            if boot < peer.boot {
                known.meet(&peer.known); // old messages must not acknowledge what was forgotten
            }
            (peer.known, peer.boot) = (known, boot);
        }
        if before.is_some_and(|unconfirmed| {
            unconfirmed.boot == boot || unconfirmed.is_reply(request, relay)
        }) {
            peer.unconfirmed = None;
        }
        if had_all || grew {
            peer.progressed_at = now;
        }
        Ok(grew || peer.unconfirmed != before)
    }

    /// Marks what is due to a member that requests a status: what it lacks, too. Replies get no
    /// reply. Requests are timed, but for those of a member that restarts all the time: what it
    /// lacks is sent again once in half an interval, so that a short request does not cause a
    /// whole store of messages each time. A request from before it restarted is answered with a
    /// status only; it may be of a member that forgot how often it started, and is to find that out.
    fn reply(&mut self, now: Instant, at: usize, boot: u32, relay: bool) {
        let own_floor = Dot::new(self.actor, self.floor.get(self.actor));
        let Some(peer) = self.peers.get_mut(at) else { return };
        (peer.status_due, peer.relay_requested) = (true, relay);
        if boot < peer.boot || now < peer.resend_at {
            return;
        }
        peer.resend_at = now.after(self.config.interval_us / 2);
        peer.cursor = 0;
        let lacks_own = own_floor.is_some_and(|dot| !peer.known.contains(dot));
        peer.behind_due = lacks_own || (relay && !peer.known.includes(&self.floor));
    }

    /// Drops a message from the store; if it was delivered, it can no longer be given to others.
    pub(super) fn remove_stored(&mut self, at: usize) {
        let Some(stored) = self.store.remove(at) else { return };
        if stored.delivered {
            // no new actor: all that is delivered fits
            let _ = self.floor.observe(stored.dot);
        }
        let shift = |peer: &mut Peer<A>| {
            if peer.cursor > at {
                peer.cursor = peer.cursor.saturating_sub(1);
            }
        };
        self.peers.iter_mut().for_each(shift);
    }
}
