//! Requests of clients: asked of this node, and answered by others.

use quorate_core::{NodeId, Rejected, Ticket};

use super::Node;
use crate::quorum::catch_up::CATCH_UP;
use crate::quorum::frontier::SEAL;
use crate::quorum::holdings::{Answer, AnswerKind, Asked, Origin};
use crate::quorum::in_flight::Action;
use crate::quorum::message::{Body, Reason};
use crate::quorum::sweep::SWEEP;
use crate::quorum::{Layout, Membership, Message, Storage, Value};
use crate::topology::{Freshness, Version};

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    /// Takes a request of another node, or of this one.
    pub(super) fn handle_request(
        &mut self,
        asked: Asked,
        version: Version,
        body: &Body<'_, V>,
    ) -> Result<(), Rejected> {
        if !self.holdings.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        let (Body::Write { key, .. } | Body::Hint { key, .. } | Body::Read { key, .. }) = body
        else {
            return Err(Rejected::Impossible);
        };
        if key.len() > self.config.max_key_len {
            return Err(Rejected::OutOfRange);
        }
        let value = match body {
            Body::Write { value, .. } | Body::Hint { value, .. } => {
                Some(value.read().map_err(|_| Rejected::Malformed)?)
            }
            _ => None,
        };
        match self.layout.version().compare(version) {
            Freshness::Same => {}
            Freshness::Newer | Freshness::Conflict if !self.layout.topology().is_empty() => {
                self.holdings.owe(asked, AnswerKind::Topology, Ticket::default());
                return Ok(());
            }
            _ => {
                self.holdings.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
                return Ok(());
            }
        }
        let token = self.layout.token(key);
        match (body, value) {
            (Body::Write { cause, .. }, Some(value)) => {
                let origin = self.origin(asked, *cause);
                if origin == Origin::Asked {
                    self.catch_up.hear(asked.by);
                }
                let by = (self.now, &self.layout);
                return self.holdings.write(by, asked, origin, token, key, value);
            }
            (Body::Hint { owner, .. }, Some(value)) if *owner == self.id => {
                let by = (self.now, &self.layout);
                return self.holdings.write(by, asked, Origin::Client, token, key, value);
            }
            // it is to be without hints when it leaves, and they would not be looked for there
            (Body::Hint { .. }, _) if self.membership == Membership::Leaving => {
                self.holdings.owe(asked, AnswerKind::Refused(Reason::Full), Ticket::default());
            }
            (Body::Hint { owner, .. }, Some(value)) => {
                self.holdings.keep(self.now, asked, *owner, token, key, value)?;
                self.wake_handoff(self.now.after(self.config.handoff_us));
            }
            (Body::Read { owner, .. }, _) => self.holdings.read(asked, *owner, token, key),
            _ => {}
        }
        Ok(())
    }

    /// Takes the answer of another node.
    pub(super) fn handle_answer(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Rejected> {
        let number = message.number;
        if number & SEAL == SEAL {
            return self.handle_answer_to_seal(from, message);
        }
        if number & SEAL == CATCH_UP {
            return Ok(()); // refused: it is asked again
        }
        if number & SWEEP != 0 {
            return self.handle_answer_to_sweep(from, message);
        }
        if let Body::Topology { topology } = message.body
            && self.layout.learn(topology)
        {
            self.learned_from = Some(from);
            self.layout_changed();
            return Ok(());
        }
        self.requests.on_answer(from, message, self.layout.version())
    }

    /// Carries out what a request asks of this node itself.
    pub(super) fn act_here(&mut self, place: u32, action: Action) {
        let Self { requests, holdings, layout, membership, id, now, .. } = self;
        let Some(request) = requests.get(place) else { return };
        let asked = Self::asked(*id, requests.incarnation(), request.number);
        let token = layout.token(&request.key);
        match action {
            Action::Read { owner, .. } => holdings.read(asked, owner, token, &request.key),
            Action::Write { owner, .. } => {
                let Some(value) = request.value.clone() else { return };
                match owner {
                    Some(_) if *membership == Membership::Leaving => {
                        holdings.owe(asked, AnswerKind::Refused(Reason::Full), Ticket::default());
                    }
                    Some(owner) => {
                        // what is not taken now is asked again
                        let _ = holdings.keep(*now, asked, owner, token, &request.key, value);
                        self.wake_handoff(self.now.after(self.config.handoff_us));
                    }
                    None => {
                        let origin =
                            if request.is_new() { Origin::Client } else { Origin::Replica };
                        let by = (*now, &*layout);
                        let _ = holdings.write(by, asked, origin, token, &request.key, value);
                    }
                }
            }
            Action::Topology { .. } | Action::Done(_) | Action::HandedOver(_) => {}
        }
    }

    /// An answer of this node to itself.
    pub(super) fn answer_here(&mut self, answer: Answer) {
        let Answer { incarnation, number, kind, .. } = answer;
        let from = self.id;
        match kind {
            AnswerKind::Written { superseded } => {
                self.requests.on_written(from, incarnation, number, superseded);
            }
            AnswerKind::Nothing => {
                let floor = self.holdings.floor_of_answers();
                self.requests.on_found(from, incarnation, number, None, floor);
            }
            AnswerKind::Key(_) | AnswerKind::Hint(_) => {
                let value = self.holdings.entry(kind).map(|entry| entry.value.clone());
                let floor = self.holdings.floor_of_answers();
                self.requests.on_found(from, incarnation, number, value, floor);
            }
            AnswerKind::Refused(reason) => {
                let version = self.layout.version();
                self.requests.on_refused(from, incarnation, number, reason, (version, version));
            }
            // a sweep is with other nodes
            AnswerKind::Topology
            | AnswerKind::Compared { .. }
            | AnswerKind::Want(_)
            | AnswerKind::SweptSeen
            | AnswerKind::Sealed => {}
        }
    }
}
