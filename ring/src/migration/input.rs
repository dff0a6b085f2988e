//! What comes from other nodes and from the disk.

use quorate_core::{Corrupt, Instant, List, NodeId, Rejected};

use super::incoming::{Incoming, Verdict};
use super::message::{Body, Message, Record, Refusal};
use super::outgoing::Outgoing;
use super::peer::Peer;
use super::{MAX_NUMBER, Migration, Range, Storage};
use crate::topology::Version;

/// How far a number of another node may be ahead of this one's.
const MAX_AHEAD: u64 = 1 << 32;

impl<R: Range, S: Storage> Migration<R, S> {
    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, R>,
    ) -> Result<(), Rejected> {
        let peer = self.peer_index(from).ok_or(Rejected::UnknownSender)?;
        check_numbers(&message)?;
        match message {
            Message::Begin { handover, session, range, version } => {
                self.handle_begin(now, peer, (handover, session), (range, version))
            }
            Message::Item { handover, session, item, body } => {
                self.handle_item(now, peer, (handover, session), (item, body))
            }
            Message::Released { handover, session, items } => {
                let context = (&self.config, self.durable);
                let result = self
                    .incoming
                    .iter_mut()
                    .find(|one| (one.from, one.handover) == (from, handover))
                    .map_or(Ok(Verdict::Lost), |one| {
                        one.handle_released(now, (session, items), context)
                    });
                self.conclude(peer, (handover, session), result)
            }
            Message::Closed { handover } => {
                self.incoming_mut(from, handover).map_or(Ok(()), Incoming::handle_closed)
            }
            Message::Gone { handover } => {
                self.incoming_mut(from, handover).map(Incoming::handle_gone);
                Ok(())
            }
            Message::Position { handover, session, item, cursor, complete } => {
                match self.outgoing_mut(from, handover)? {
                    Some(one) => one.handle_position(now, (session, item), cursor, complete),
                    None => self.with_peer(peer, |peer| peer.gone = Some(handover)),
                }
            }
            Message::Refused { handover, session, reason } => {
                if let Some(one) = self.outgoing_mut(from, handover)? {
                    one.handle_refused(now, session, reason);
                }
                Ok(())
            }
            Message::Lost { handover, session, seen } => {
                if seen > self.last.saturating_add(MAX_AHEAD) {
                    return Err(Rejected::OutOfRange);
                }
                let Some(one) = self.outgoing_mut(from, handover)? else { return Ok(()) };
                if one.session == session {
                    one.handle_lost(now, session);
                    self.last = self.last.max(seen);
                }
                Ok(())
            }
            Message::Arrived { handover } => match self.outgoing_mut(from, handover)? {
                Some(one) => one.handle_arrived(now),
                None => self.with_peer(peer, |peer| peer.closed = Some(handover)),
            },
        }
    }

    fn handle_begin(
        &mut self,
        now: Instant,
        peer: usize,
        (handover, session): (u64, u64),
        (range, version): (R, Version),
    ) -> Result<(), Rejected> {
        let Some(&Peer { id: from, seen, .. }) = self.peers.get(peer) else { return Ok(()) };
        let config = self.config;
        if let Some(one) = self.incoming_mut(from, handover) {
            one.handle_begin(now, session, (range, version), &config)?;
            if one.record().is_some() {
                let session = one.session;
                return self.with_peer(peer, |peer| peer.seen = peer.seen.max(session));
            }
            return Ok(());
        }
        if session <= seen {
            return self.with_peer(peer, |peer| peer.lost = Some((handover, session)));
        }
        let mut is_replaced = false;
        for one in self.incoming.iter_mut() {
            // the source ended that hand-over, as its ranges do not overlap
            if one.from == from && one.range.overlaps(range) && one.session < session {
                is_replaced |= one.handle_gone();
            }
        }
        if is_replaced {
            return Ok(()); // it says so again
        }
        let refuse = |peer: &mut Peer, reason| peer.refused = Some((handover, session, reason));
        if self.is_taken(range) {
            return self.with_peer(peer, |peer| refuse(peer, Refusal::Overlap));
        }
        let new = Incoming::new(from, (handover, session), range, version, &config, now);
        if self.incoming.push(new).is_err() {
            return self.with_peer(peer, |peer| refuse(peer, Refusal::Full));
        }
        Ok(())
    }

    fn handle_item(
        &mut self,
        now: Instant,
        peer: usize,
        (handover, session): (u64, u64),
        (item, body): (u64, Body<'_>),
    ) -> Result<(), Rejected> {
        let Some(from) = self.peers.get(peer).map(|peer| peer.id) else { return Ok(()) };
        let context = (&self.config, self.durable);
        let result = self
            .incoming
            .iter_mut()
            .find(|one| (one.from, one.handover) == (from, handover))
            .map_or(Ok(Verdict::Lost), |one| one.handle_item(now, (session, item), body, context));
        self.conclude(peer, (handover, session), result)
    }

    /// What was forgotten is dropped, and the source starts over.
    fn conclude(
        &mut self,
        peer: usize,
        (handover, session): (u64, u64),
        result: Result<Verdict, Rejected>,
    ) -> Result<(), Rejected> {
        if result? == Verdict::Fine {
            return Ok(());
        }
        let Some(from) = self.peers.get(peer).map(|peer| peer.id) else { return Ok(()) };
        if let Some(one) = self.incoming_mut(from, handover) {
            one.drop(true);
        }
        self.with_peer(peer, |peer| {
            // nothing of what was said before is begun any more
            peer.seen = peer.seen.max(session);
            peer.lost = Some((handover, session));
        })
    }

    fn with_peer(&mut self, at: usize, change: impl FnOnce(&mut Peer)) -> Result<(), Rejected> {
        if let Some(peer) = self.peers.get_mut(at) {
            change(peer);
        }
        Ok(())
    }

    fn incoming_mut(&mut self, from: NodeId, handover: u64) -> Option<&mut Incoming<R, S>> {
        self.incoming.iter_mut().find(|one| (one.from, one.handover) == (from, handover))
    }

    /// The hand-over of this number, if there is one that is not over.
    fn outgoing_mut(
        &mut self,
        to: NodeId,
        handover: u64,
    ) -> Result<Option<&mut Outgoing<R, S>>, Rejected> {
        let found = self.outgoing.iter_mut().find(|one| one.handover == handover);
        match found {
            Some(one) if one.to != to => Err(Rejected::Impossible),
            found => Ok(found.filter(|one| !one.is_ended())),
        }
    }

    // Records

    pub(super) fn replay(&mut self, record: Record<'_, R>) -> Result<(), Corrupt> {
        match record {
            Record::Numbers { last } => self.last = self.last.max(last),
            Record::Seen { from, session } => self.see(from, session)?,
            Record::Outgoing { handover, session, range, to, version, items, stage } => {
                if handover == 0 || session < handover || session > MAX_NUMBER {
                    return Err(Corrupt::Malformed);
                }
                let place = self.outgoing.iter().position(|one| one.range == range);
                if place
                    .and_then(|place| self.outgoing.get(place))
                    .is_some_and(|old| old.session > session)
                {
                    return Err(Corrupt::Regression);
                }
                self.peer(to)?;
                self.last = self.last.max(session);
                let (numbers, outcome) = ((handover, session), (items, stage));
                let new = Outgoing::restored(numbers, range, (to, version), outcome, &self.config);
                if place.is_none() && self.is_taken(range) {
                    return Err(Corrupt::Malformed);
                }
                match place.and_then(|place| self.outgoing.get_mut(place)) {
                    Some(old) => *old = new,
                    None => self.outgoing.push(new).map_err(|_| Corrupt::Full)?,
                }
            }
            Record::Ended { handover } => {
                if let Some(at) = self.outgoing.iter().position(|one| one.handover == handover) {
                    self.outgoing.remove(at);
                }
            }
            Record::Incoming {
                from,
                handover,
                session,
                range,
                version,
                item,
                cursor,
                complete,
                arrived,
            } => {
                if handover == 0 || session < handover || session > MAX_NUMBER {
                    return Err(Corrupt::Malformed);
                }
                self.see(from, session)?;
                let (numbers, config) = ((handover, session), self.config);
                let mut new = Incoming::new(from, numbers, range, version, &config, Instant::ZERO);
                if !new.restore(item, cursor, complete, arrived) {
                    return Err(Corrupt::Full);
                }
                let is_taken = self.is_taken(range);
                match self.incoming_mut(from, handover) {
                    Some(old) if old.session > session => return Err(Corrupt::Regression),
                    Some(old) => *old = new,
                    None if is_taken => return Err(Corrupt::Malformed),
                    None => self.incoming.push(new).map_err(|_| Corrupt::Full)?,
                }
            }
            Record::Dropped { from, handover } => {
                let is_it = |one: &Incoming<R, S>| (one.from, one.handover) == (from, handover);
                if let Some(at) = self.incoming.iter().position(is_it) {
                    self.incoming.remove(at);
                }
            }
        }
        Ok(())
    }

    fn see(&mut self, from: NodeId, session: u64) -> Result<(), Corrupt> {
        let peer = self.peer(from)?;
        peer.seen = peer.seen.max(session);
        Ok(())
    }

    /// A member, or a node that was one when the record was made.
    fn peer(&mut self, id: NodeId) -> Result<&mut Peer, Corrupt> {
        if id == self.id {
            return Err(Corrupt::Malformed);
        }
        if self.peer_index(id).is_none() {
            self.peers.push(Peer::new(id)).map_err(|_| Corrupt::Full)?;
        }
        self.peers.iter_mut().find(|peer| peer.id == id).ok_or(Corrupt::Full)
    }
}

/// Numbers grow from 1 and are below 2^62; a session is not before its hand-over.
fn check_numbers<R: Range>(message: &Message<'_, R>) -> Result<(), Rejected> {
    let (handover, session, other) = match *message {
        Message::Begin { handover, session, .. } | Message::Refused { handover, session, .. } => {
            (handover, session, 0)
        }
        Message::Item { handover, session, item, .. }
        | Message::Position { handover, session, item, .. } => (handover, session, item),
        Message::Released { handover, session, items } => (handover, session, items),
        Message::Lost { handover, session, seen } => (handover, session, seen),
        Message::Closed { handover }
        | Message::Gone { handover }
        | Message::Arrived { handover } => (handover, handover, 0),
    };
    if handover.max(session).max(other) > MAX_NUMBER {
        return Err(Rejected::OutOfRange);
    }
    if handover == 0 || session < handover {
        return Err(Rejected::Malformed);
    }
    Ok(())
}
