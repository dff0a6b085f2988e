//! Sweeps: what another node lacks of the keys that both hold goes to it.

use quorate_core::{NodeId, Rejected, Ticket};

use super::Node;
use crate::Token;
use crate::quorum::handoff::Handing;
use crate::quorum::holdings::{AnswerKind, Asked};
use crate::quorum::message::{Body, Reason};
use crate::quorum::runs::Shared;
use crate::quorum::sweep::{Reads, wanted};
use crate::quorum::{Layout, Membership, Message, Storage, Value};
use crate::topology::Version;

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    /// Sends the next value that a sweep found wanting.
    pub(super) fn repair(&mut self) {
        if self.sweep.take_given_up() {
            self.requests.cancel(|handing| matches!(handing, Handing::Repair { .. }));
        }
        let Self { requests, holdings, layout, config, now, sweep, id, .. } = self;
        let reads = Reads { now: *now, node: *id, keys: holdings.keys(), layout, config };
        let Some((peer, entry)) = sweep.next_wanted(&reads) else { return };
        if !holdings.is_durable(entry.ticket) {
            // a crash would take it back, and the message would still bring it to others
            let (token, key) = (entry.token, entry.key.clone());
            sweep.wait_for_disk(*now, config);
            return self.holdings.await_key(token, &key);
        }
        let asked = sweep.pass().map_or((0, 0), |pass| pass.asked);
        let (value, to) = (entry.value.clone(), (Some(peer), Handing::Repair { asked }));
        match requests.hand_over(*now, layout, &entry.key, value, to) {
            Ok(()) => sweep.set_under_way(),
            Err(_) => sweep.find_no_room(*now, config),
        }
    }

    /// Takes a message of another node's sweep.
    pub(super) fn handle_sweep(
        &mut self,
        asked: Asked,
        version: Version,
        body: &Body<'_, V>,
    ) -> Result<(), Rejected> {
        if !self.holdings.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        if self.layout.version() != version {
            self.holdings.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
            return Ok(());
        }
        self.catch_up.hear(asked.by);
        let Self { holdings, layout, id, .. } = &*self;
        let shared = Shared { keys: holdings.keys(), layout, node: *id, peer: asked.by };
        let kind = match *body {
            Body::Summary { salt, first, last, keys, fingerprint } => {
                let run = shared.run_between(Token::new(first), Token::new(last), salt);
                AnswerKind::Compared { same: (run.keys, run.fingerprint) == (keys, fingerprint) }
            }
            Body::Offer { salt, first, last, digests } => {
                let run = (Token::new(first), Token::new(last));
                AnswerKind::Want(wanted(&shared, run, salt, digests))
            }
            Body::Swept { incarnation, number, floor, sealed } => {
                if self.has_asked(asked.by, incarnation, number) {
                    self.on_swept((floor, sealed));
                }
                AnswerKind::SweptSeen
            }
            // it would take the turn of others, and while it does no round of sweeps counts
            _ if self.layout.membership(asked.by) == Membership::None => {
                return Err(Rejected::Impossible);
            }
            // one that does not know what it holds has nothing to give
            _ if !self.holdings.is_founded() || self.holdings.is_dropping() => {
                AnswerKind::Refused(Reason::Blank)
            }
            _ => {
                self.sweep.ask(asked.by, asked.incarnation, asked.number, self.now);
                return Ok(());
            }
        };
        // what is the same here counts as being here: for the floor, and for the one that is rebuilt
        let compares = matches!(kind, AnswerKind::Compared { .. } | AnswerKind::Want(_));
        let ticket = if compares { self.holdings.last_ticket() } else { Ticket::default() };
        self.holdings.owe(asked, kind, ticket);
        Ok(())
    }

    pub(super) fn handle_answer_to_sweep(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Rejected> {
        if message.incarnation != self.requests.incarnation() {
            return Ok(());
        }
        let Self { holdings, layout, config, now, sweep, id, .. } = self;
        let (number, now) = (message.number, *now);
        let reads = Reads { now, node: *id, keys: holdings.keys(), layout, config };
        match message.body {
            Body::Same => sweep.on_compared(from, number, true, &reads),
            Body::Differs => sweep.on_compared(from, number, false, &reads),
            Body::Want { keys } => sweep.on_wanted(from, number, keys, now, config),
            Body::SweptSeen => {
                if sweep.on_ended(from, number, now, config) {
                    self.swept = Some(from);
                }
            }
            Body::Refused { .. } => sweep.on_refused(from, number, now, config),
            _ => return Err(Rejected::Impossible),
        }
        let rotation = self.sweep.rotation();
        self.holdings.set_rotation(rotation);
        Ok(())
    }
}
