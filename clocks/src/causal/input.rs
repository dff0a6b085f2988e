//! What comes in: records at boot, messages, time.

use quorate_core::{Corrupt, Fatal, Instant, List, NodeId, Rejected, Ticket};

use super::message::{Message, Record};
use super::peer::{Peer, Unconfirmed};
use super::store::{Held, Origin, has_room, is_next};
use super::{Causal, START_BITS};
use crate::{Dot, Storage, VersionVector, Versions};

/// Statuses come up to 2^4 times as seldom while nothing changes.
const MAX_BACKOFF: u32 = 4;

impl<A: Storage, M: Storage, P: Storage> Causal<A, M, P> {
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
                self.check_own(causes).map_err(|_| Corrupt::Malformed)?; // it would never be delivered
                let origin = Origin::Own(Ticket::default());
                let held = Held::new(dot, causes, payload, origin).map_err(|_| Corrupt::Full)?;
                self.store.push(held).map_err(|_| Corrupt::Full)?;
                self.sent = counter;
                Ok(())
            }
            Record::Stable { counter } => {
                let dot = Dot::new(self.actor, counter).ok_or(Corrupt::Malformed)?;
                self.floor.observe(dot).map_err(|_| Corrupt::Full)?;
                self.sent = self.sent.max(counter);
                while self.store.first().is_some_and(|held| held.dot.counter() <= counter) {
                    self.drop_held(0); // all that was replayed is own, in order
                }
                Ok(())
            }
        }
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        let now = self.now.max(now);
        self.now = now;
        self.peers.iter_mut().for_each(|peer| peer.heard_at = peer.heard_at.min(now));
    }

    pub(super) fn pass_time(&mut self) {
        if !self.started {
            self.started = true;
            // others take the start with the greatest number for the last one, whatever an erased
            // disk forgot
            let before = self.actor.incarnation() << START_BITS;
            self.boot = self.boot.max(before).saturating_add(1);
            let now = self.now;
            self.peers.iter_mut().for_each(|peer| peer.heard_at = now); // they get their chance
            self.status_at = now;
        }
        if self.now < self.status_at || !self.is_unsettled() {
            return;
        }
        let backoff = self.idle.min(MAX_BACKOFF);
        self.status_at = self.now.after(self.config.interval_us.saturating_mul(1 << backoff));
        self.idle = self.idle.saturating_add(1);
        self.prune_due = true; // somebody may have been silent for too long
        self.watch_gap();
        self.peers.iter_mut().for_each(|peer| peer.ask = true);
    }

    /// Notes since when something has been missing.
    fn watch_gap(&mut self) {
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
            self.gap_told = false;
        }
        if self.is_gap_old() && !self.gap_told {
            self.gap_told = true;
            self.gap_owed = true;
        }
    }

    /// Whether the origin had its chance.
    pub(super) fn is_gap_old(&self) -> bool {
        self.gap.is_some_and(|(_, since)| self.now.since(since) >= self.config.gap_us)
    }

    pub(super) fn take(
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
                changed = self.take_data(at, dot, causes, payload)?;
            }
            Message::Status { boot, ask, help, delivered } => {
                changed = self.take_status(now, at, boot, (ask, help), delivered)?;
                if ask {
                    self.answer(at, boot, help);
                }
            }
            Message::Behind { floor } => {
                self.check_own(floor)?;
                let lacking = !self.delivered.includes_all(floor);
                if let Some(peer) = self.peers.get_mut(at) {
                    peer.ahead |= lacking;
                }
            }
        }
        self.set_now(now); // what is refused does not even let time pass
        if changed {
            self.progress();
        }
        Ok(())
    }

    /// Refuses what tells of own events that were never made here.
    fn check_own(&self, versions: Versions<'_>) -> Result<(), Rejected> {
        let invented = |dot: Dot| dot.actor() == self.actor && dot.counter() > self.sent;
        if versions.iter().any(invented) { Err(Rejected::Impossible) } else { Ok(()) }
    }

    /// True if it is new.
    fn take_data(
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
        self.check_own(Versions::plain(&[dot]))?;
        self.check_own(causes)?;
        let Some(peer) = self.peers.get_mut(at) else { return Ok(false) };
        if self.delivered.contains(dot) {
            peer.status = true; // the sender does not know yet
            return Ok(false);
        }
        let is_from_origin = peer.id == origin.node();
        let kept = self.store.iter().position(|held| held.dot == dot);
        // of the own ones, the state that covers what was dropped is to come
        if origin == self.actor || (kept.is_some() && !is_from_origin) {
            return Ok(false);
        }
        if !has_room(&self.delivered, dot) {
            return Err(Rejected::Full);
        }
        let held = Held::new(dot, causes, payload, Origin::Foreign).map_err(|_| Rejected::Full)?;
        if let Some(kept) = kept.and_then(|at| self.store.get_mut(at)) {
            // the origin knows best: another's copy must not keep its message from being delivered
            *kept = held;
            return Ok(false);
        }
        if self.store.len() >= self.store.limit() {
            self.displace(is_next(dot, causes, &self.delivered))?;
        }
        self.store.push(held).map_err(|_| Rejected::Full)?;
        Ok(true)
    }

    /// Makes room for a message, if it can be delivered at once: others can always be had again.
    fn displace(&mut self, is_next: bool) -> Result<(), Rejected> {
        if !is_next {
            return Err(Rejected::Full);
        }
        let ready = |held: &Held<A, P>| {
            held.is_next(&self.delivered) && has_room(&self.delivered, held.dot)
        };
        let waits = |held: &Held<A, P>| !held.is_own() && !held.delivered && !ready(held);
        let helps = |held: &Held<A, P>| !held.is_own() && held.delivered;
        let victim = self.store.iter().rposition(waits);
        let victim = victim.or_else(|| self.store.iter().position(helps)).ok_or(Rejected::Full)?;
        self.drop_held(victim);
        Ok(())
    }

    /// Takes in what a peer says that it delivered; true if that changed.
    ///
    /// Another start than the one it was last heard in, and own broadcasts that were never made
    /// here, must be [confirmed](Unconfirmed); until then nothing of such a status counts. An
    /// earlier start is out of date, unless the later one was not heard for as long as members are
    /// waited for: then a message made that one up, or the peer's disk forgot it.
    fn take_status(
        &mut self,
        now: Instant,
        at: usize,
        boot: u32,
        (ask, help): (bool, bool),
        delivered: Versions<'_>,
    ) -> Result<bool, Rejected> {
        if boot == 0 {
            return Err(Rejected::Malformed);
        }
        let is_claim = self.check_own(delivered).is_err();
        let Some(peer) = self.peers.get_mut(at) else { return Ok(false) };
        if boot < peer.boot && !peer.is_silent(now, self.config.patience_us) {
            return Ok(false);
        }
        let before = peer.unconfirmed;
        if is_claim || boot != peer.boot {
            let same = before.filter(|said| (said.boot, said.is_claim) == (boot, is_claim));
            if !same.is_some_and(|said| said.is_answer(ask, help)) {
                let mut said =
                    same.unwrap_or(Unconfirmed { boot, is_claim, ask, help, is_asked: false });
                said.ask |= ask;
                peer.unconfirmed = Some(said);
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
        if before.is_some_and(|said| said.boot == boot || said.is_answer(ask, help)) {
            peer.unconfirmed = None;
        }
        if had_all || grew {
            peer.heard_at = now;
        }
        Ok(grew || peer.unconfirmed != before)
    }

    /// Notes what a member that asks is owed: what it lacks, too. Answers are not answered, and
    /// members ask by the clock, so nothing is sent again faster than that. A question from before
    /// it restarted is answered with a status only; it may be of a member that forgot how often it
    /// started, and is to find that out.
    fn answer(&mut self, at: usize, boot: u32, help: bool) {
        let own_floor = Dot::new(self.actor, self.floor.get(self.actor));
        let Some(peer) = self.peers.get_mut(at) else { return };
        (peer.status, peer.helped) = (true, help);
        if boot < peer.boot {
            return;
        }
        peer.cursor = 0;
        let lacks_own = own_floor.is_some_and(|dot| !peer.known.contains(dot));
        peer.behind = lacks_own || (help && !peer.known.includes(&self.floor));
    }

    /// Drops a message from the store; if it was delivered, it can no longer be given to others.
    pub(super) fn drop_held(&mut self, at: usize) {
        let Some(held) = self.store.remove(at) else { return };
        if held.delivered {
            // no new actor: all that is delivered fits
            let _ = self.floor.observe(held.dot);
        }
        let shift = |peer: &mut Peer<A>| {
            if peer.cursor > at {
                peer.cursor = peer.cursor.saturating_sub(1);
            }
        };
        self.peers.iter_mut().for_each(shift);
    }
}
