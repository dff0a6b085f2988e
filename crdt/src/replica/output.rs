use quorate_clocks::Storage;
use quorate_core::{Output, Ticket};

use super::digest::digest;
use super::disk::Due;
use super::message::{Body, Entry, Whole};
use super::peer::Flag;
use super::{Event, Message, Record, Replica};
use crate::Crdt;

/// What is to be put out; decided first, as that changes the machine, and made then, as that borrows from it.
enum Plan {
    Persist(Ticket, Due),
    Event(Event),
    /// And whether it asks for the peer's whole state.
    Send(usize, Sends, bool),
}

enum Sends {
    Ack,
    Former,
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
            return (!core::mem::replace(&mut self.told_stop, true))
                .then_some(Plan::Event(Event::Stopped(fatal)));
        }
        if let Some((ticket, due)) = self.disk.next(self.log.last()) {
            return Some(Plan::Persist(ticket, due));
        }
        if core::mem::take(&mut self.changed) {
            return Some(Plan::Event(Event::Changed));
        }
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.is(Flag::Claims)) {
            peer.set(Flag::Claims, false);
            return Some(Plan::Event(Event::UnknownUpdates(peer.id)));
        }
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.full == Some(false)) {
            peer.full = Some(true);
            return Some(Plan::Event(Event::Full(peer.id)));
        }
        if self.disk.durable() == 0 {
            return None; // not even which life this is
        }
        (0..self.peers.len()).find_map(|at| {
            let sends = self.plan_message(at)?;
            let asks = self.peers.get_mut(at).is_some_and(|peer| peer.wants.ask());
            Some(Plan::Send(at, sends, asks))
        })
    }

    fn plan_message(&mut self, at: usize) -> Option<Sends> {
        let (durable, settled, first) =
            (self.disk.durable(), self.disk.is_settled(self.log.last()), self.log.first());
        let most = self.most_bytes;
        let peer = self.peers.get_mut(at)?;
        if self.former.tell(at) {
            return Some(Sends::Former);
        }
        if peer.is(Flag::OwesState) && settled {
            peer.set(Flag::OwesState, false);
            peer.set(Flag::OwesDigest, false);
            peer.set(Flag::OwesAck, false);
            peer.set_sent(durable);
            return Some(Sends::State);
        }
        let next = peer.sent().saturating_add(1);
        if next <= durable && next < first && !peer.is(Flag::Lags) {
            // no deltas for it: whether it needs the state, the digest tells
            peer.set(Flag::Lags, true);
            peer.set(Flag::OwesDigest, true);
        }
        if peer.is(Flag::OwesDigest) && settled {
            peer.set(Flag::OwesDigest, false);
            peer.set(Flag::OwesAck, false);
            return Some(Sends::Digest);
        }
        if next <= durable
            && let Some((_, last)) = self.log.run(next, durable, most)
        {
            peer.set_sent(last);
            peer.set(Flag::OwesAck, false);
            return Some(Sends::Deltas { first: next, last });
        }
        peer.take(Flag::OwesAck).then_some(Sends::Ack)
    }

    fn make(&self, plan: Plan) -> Option<Output<'_, Self>> {
        match plan {
            Plan::Event(event) => Some(Output::Event(event)),
            Plan::Persist(ticket, due) => {
                let entry = match due {
                    Due::Life(life) => Entry::Life(life),
                    Due::Deltas(from, to) => Entry::Deltas(self.log.run(from, to, usize::MAX)?.0),
                    Due::State => Entry::State(Whole::Here(&self.state)),
                };
                Some(Output::Persist(ticket, Record(entry)))
            }
            Plan::Send(at, sends, wants) => {
                let peer = self.peers.get(at)?;
                let body = self.body(sends)?;
                let asked = self.earlier.acknowledged(at);
                let (acks_life, acks) = asked.map_or((peer.life, peer.told), |life| (life, 0));
                let message = Message { life: self.disk.life(), acks_life, acks, wants, body };
                Some(Output::Send(peer.id, message))
            }
        }
    }

    fn body(&self, sends: Sends) -> Option<Body<'_, T>> {
        Some(match sends {
            Sends::Ack => Body::Ack,
            Sends::Former => Body::Former { life: self.former.life, last: self.former.last },
            Sends::Digest => Body::Digest {
                first: self.log.first(),
                last: self.log.last(),
                digest: digest(&self.state),
            },
            Sends::Deltas { first, last } => {
                Body::Deltas { first, run: self.log.run(first, last, usize::MAX)?.0 }
            }
            Sends::State => Body::State { last: self.log.last(), state: Whole::Here(&self.state) },
        })
    }
}
