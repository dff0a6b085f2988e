use quorate_clocks::Storage;
use quorate_core::{Embedded, Output, Ticket};

use super::digest::digest;
use super::disk::PendingRecord;
use super::message::{Body, RecordBody};
use super::peer::Flag;
use super::{Event, Message, Record, Replica};
use crate::Crdt;

/// What is to be put out; decided first, as that changes the machine, and made then, as that borrows from it.
enum Plan {
    Persist(Ticket, PendingRecord),
    Event(Event),
    /// And whether it requests the peer's whole state.
    Send(usize, BodyKind, bool),
}

enum BodyKind {
    Ack,
    FormerGeneration,
    Digest,
    Deltas { first: u64, last: u64 },
    State,
}

impl<T: Crdt + 'static, P: Storage, L: Storage> Replica<T, P, L> {
    pub(super) fn output(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan()?;
        self.make(plan)
    }

    fn plan(&mut self) -> Option<Plan> {
        if let Some(fatal) = self.fatal {
            return (!core::mem::replace(&mut self.stop_reported, true))
                .then_some(Plan::Event(Event::Fatal(fatal)));
        }
        if let Some((ticket, pending)) = self.disk.next_record(self.log.last()) {
            return Some(Plan::Persist(ticket, pending));
        }
        if core::mem::take(&mut self.changed) {
            return Some(Plan::Event(Event::Changed));
        }
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.is(Flag::ClaimEventDue)) {
            peer.set(Flag::ClaimEventDue, false);
            return Some(Plan::Event(Event::UnknownUpdates(peer.id)));
        }
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.full == Some(false)) {
            peer.full = Some(true);
            return Some(Plan::Event(Event::Full(peer.id)));
        }
        if self.disk.durable() == 0 {
            return None; // not even which generation this is
        }
        (0..self.peers.len()).find_map(|at| {
            let kind = self.plan_message(at)?;
            let requests_state =
                self.peers.get_mut(at).is_some_and(|peer| peer.state_request.take_due());
            Some(Plan::Send(at, kind, requests_state))
        })
    }

    fn plan_message(&mut self, at: usize) -> Option<BodyKind> {
        let (durable, all_durable, first) =
            (self.disk.durable(), self.disk.is_all_durable(self.log.last()), self.log.first());
        let max_bytes = self.max_delta_bytes;
        let peer = self.peers.get_mut(at)?;
        if self.former.take_due(at) {
            return Some(BodyKind::FormerGeneration);
        }
        if peer.is(Flag::StateDue) && !peer.is(Flag::StateSent) && all_durable {
            peer.set(Flag::StateDue, false);
            peer.set(Flag::StateSent, true);
            peer.set(Flag::DigestDue, false);
            peer.set(Flag::AckDue, false);
            peer.set_sent(durable);
            return Some(BodyKind::State);
        }
        let next = peer.sent().saturating_add(1);
        if next <= durable && next < first && !peer.is(Flag::Lagging) {
            // no deltas for it: whether it needs the state, the digest tells
            peer.set(Flag::Lagging, true);
            peer.set(Flag::DigestDue, true);
        }
        if peer.is(Flag::DigestDue) && all_durable {
            peer.set(Flag::DigestDue, false);
            peer.set(Flag::AckDue, false);
            return Some(BodyKind::Digest);
        }
        if next <= durable
            && let Some((_, last)) = self.log.batch(next, durable, max_bytes)
        {
            peer.set_sent(last);
            peer.set(Flag::AckDue, false);
            return Some(BodyKind::Deltas { first: next, last });
        }
        peer.take(Flag::AckDue).then_some(BodyKind::Ack)
    }

    fn make(&self, plan: Plan) -> Option<Output<'_, Self>> {
        match plan {
            Plan::Event(event) => Some(Output::Event(event)),
            Plan::Persist(ticket, pending) => {
                let entry = match pending {
                    PendingRecord::Generation(generation) => RecordBody::Generation(generation),
                    PendingRecord::Deltas(from, to) => {
                        RecordBody::Deltas(self.log.batch(from, to, usize::MAX)?.0)
                    }
                    PendingRecord::State => RecordBody::State(Embedded::Local(&self.state)),
                };
                Some(Output::Persist(ticket, Record(entry)))
            }
            Plan::Send(at, kind, requests_state) => {
                let peer = self.peers.get(at)?;
                let body = self.body(kind)?;
                let challenged = self.earlier.challenged_generation(at);
                let (acks_generation, acks) = challenged
                    .map_or((peer.generation, peer.received_durable), |generation| (generation, 0));
                let message = Message {
                    generation: self.disk.generation(),
                    acks_generation,
                    acks,
                    requests_state,
                    body,
                };
                Some(Output::Send(peer.id, message))
            }
        }
    }

    fn body(&self, kind: BodyKind) -> Option<Body<'_, T>> {
        Some(match kind {
            BodyKind::Ack => Body::Ack,
            BodyKind::FormerGeneration => Body::FormerGeneration {
                generation: self.former.generation,
                last: self.former.last,
            },
            BodyKind::Digest => Body::Digest {
                first: self.log.first(),
                last: self.log.last(),
                digest: digest(&self.state),
            },
            BodyKind::Deltas { first, last } => {
                Body::Deltas { first, batch: self.log.batch(first, last, usize::MAX)?.0 }
            }
            BodyKind::State => {
                Body::State { last: self.log.last(), state: Embedded::Local(&self.state) }
            }
        })
    }
}
