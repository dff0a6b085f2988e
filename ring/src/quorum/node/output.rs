//! What a node puts out.

use quorate_core::{Embedded, NodeId, Output, Ticket};

use super::Node;
use crate::quorum::frontier::Report;
use crate::quorum::holdings::{Answer, AnswerKind, RecordDue};
use crate::quorum::in_flight::{Action, InFlight};
use crate::quorum::message::{Body, RecordBody};
use crate::quorum::runs::Run;
use crate::quorum::sweep::Step;
use crate::quorum::{Event, Layout, Message, Record, Storage, Value};
use crate::topology::Version;

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    pub(super) fn plan(&mut self) -> Option<Plan> {
        if let Some((ticket, due)) = self.holdings.next_record() {
            return Some(Plan::Persist(ticket, due));
        }
        if let Some(from) = self.learned_from.take() {
            return Some(Plan::LayoutChanged(from));
        }
        if core::mem::take(&mut self.newer_layout_due) {
            return Some(Plan::LayoutOutdated);
        }
        if let Some(with) = self.swept.take() {
            return Some(Plan::Swept(with));
        }
        loop {
            if let Some(answer) = self.holdings.next_answer() {
                if answer.to == self.id {
                    self.answer_here(answer);
                    continue;
                }
                return Some(Plan::Answer(answer));
            }
            self.repair();
            let Some((place, action)) = self.requests.next_action() else {
                if let Some(step) = self.sweep.take_due() {
                    return Some(Plan::Sweep(step));
                }
                if core::mem::take(&mut self.collector.due) {
                    return Some(Plan::Seal);
                }
                if let Some((to, number)) = self.catch_up.take_due() {
                    return Some(Plan::CatchUp(to, number));
                }
                if !self.handoff.is_due(self.now) || !self.hand_over() {
                    return None;
                }
                continue;
            };
            if let Action::HandedOver(failure) = action {
                if let Some(handing) = self.requests.get(place).and_then(InFlight::handing) {
                    self.handed_over(handing, failure);
                }
                if let Some((ticket, due)) = self.holdings.next_record() {
                    return Some(Plan::Persist(ticket, due));
                }
                continue;
            }
            let to = match action {
                Action::Read { to, .. } | Action::Write { to, .. } | Action::Topology { to } => {
                    Some(to)
                }
                Action::Done(_) | Action::HandedOver(_) => None,
            };
            if to != Some(self.id) {
                return Some(Plan::Request(place, action));
            }
            self.act_here(place, action);
            if let Some((ticket, due)) = self.holdings.next_record() {
                return Some(Plan::Persist(ticket, due));
            }
        }
    }

    pub(super) fn make(&self, plan: Plan) -> Option<Output<'_, Self>> {
        Some(match plan {
            Plan::Persist(ticket, due) => {
                let body = match due {
                    RecordDue::Founded => RecordBody::Member(self.holdings.is_founded()),
                    RecordDue::Standing => self.standing_record()?,
                    RecordDue::Floor => RecordBody::Floor(self.holdings.frontier().floor()),
                    RecordDue::Sealed => RecordBody::Sealed(self.holdings.frontier().sealed()),
                    RecordDue::Key(place) if self.holdings.keys().is_done(place) => {
                        RecordBody::Purged { key: &self.holdings.keys().get(place)?.key }
                    }
                    RecordDue::Key(place) => {
                        let entry = self.holdings.keys().get(place)?;
                        RecordBody::Put { key: &entry.key, value: Embedded::Local(&entry.value) }
                    }
                    RecordDue::Hint(place) => {
                        let entry = self.holdings.hints().get(place)?;
                        let (owner, key) = (entry.owner, &*entry.key);
                        let value = Embedded::Local(&entry.value);
                        if entry.done {
                            RecordBody::HintDone { owner, key }
                        } else {
                            RecordBody::Hint { owner, key, value }
                        }
                    }
                };
                Output::Persist(ticket, Record(body))
            }
            Plan::LayoutChanged(from) => Output::Event(Event::LayoutChanged { from }),
            Plan::LayoutOutdated => {
                let (by, version) = self.newer_layout?;
                Output::Event(Event::LayoutOutdated { by, version })
            }
            Plan::Swept(with) => Output::Event(Event::Swept { with }),
            Plan::Sweep(step) => {
                let pass = self.sweep.pass()?;
                let (first, last) = (pass.run.first.get(), pass.run.last.get());
                let salt = pass.salt;
                let body = match step {
                    Step::Compare => {
                        let Run { keys, fingerprint, .. } = pass.run;
                        Body::Summary { salt, first, last, keys, fingerprint }
                    }
                    Step::Offer => Body::Offer { salt, first, last, digests: &pass.offered },
                    Step::Choose | Step::Repair { .. } => return None, // nothing of these is due
                    Step::End => {
                        let (incarnation, number) = pass.asked;
                        let floor = self.holdings.known_floor();
                        let sealed = self.holdings.frontier().sealed().max(floor);
                        Body::Swept { incarnation, number, floor, sealed }
                    }
                };
                self.send(pass.peer, self.requests.incarnation(), pass.number, body)
            }
            Plan::Seal => {
                let (to, number) = self.collector.message()?;
                let floor = self.holdings.known_floor();
                let (known, sealed) =
                    (self.holdings.is_founded(), self.collector.target().max(floor));
                let body = Body::Seal { known, floor, sealed };
                self.send(to, self.requests.incarnation(), number, body)
            }
            Plan::CatchUp(to, number) => {
                self.send(to, self.requests.incarnation(), number, Body::CatchUp)
            }
            Plan::Answer(answer) => {
                let body = match answer.kind {
                    AnswerKind::Written { superseded } => Body::Written { superseded },
                    AnswerKind::Nothing => {
                        Body::Found { value: None, floor: self.holdings.floor_of_answers() }
                    }
                    AnswerKind::Key(_) | AnswerKind::Hint(_) => {
                        let entry = self.holdings.entry(answer.kind)?;
                        let floor = self.holdings.floor_of_answers();
                        Body::Found { value: Some(Embedded::Local(&entry.value)), floor }
                    }
                    AnswerKind::Refused(reason) => Body::Refused { reason },
                    AnswerKind::Topology => Body::Topology { topology: self.layout.topology() },
                    AnswerKind::Compared { same: true } => Body::Same,
                    AnswerKind::Compared { same: false } => Body::Differs,
                    AnswerKind::Want(keys) => Body::Want { keys },
                    AnswerKind::SweptSeen => Body::SweptSeen,
                    AnswerKind::Sealed => {
                        let Report { floor, sealed, done, changes, wanted } = self.report();
                        Body::Sealed { floor, sealed, done, changes, wanted }
                    }
                };
                self.send(answer.to, answer.incarnation, answer.number, body)
            }
            Plan::Request(place, Action::Done(failure) | Action::HandedOver(failure)) => {
                Output::Event(self.requests.get(place)?.event(failure)?)
            }
            Plan::Request(place, action) => {
                let (to, message) = self.requests.message(place, action, &self.layout)?;
                Output::Send(to, message)
            }
        })
    }

    pub(super) fn send<'a>(
        &self,
        to: NodeId,
        incarnation: u64,
        number: u64,
        body: Body<'a, V>,
    ) -> Output<'a, Self> {
        let Version { epoch, digest } = self.layout.version();
        Output::Send(to, Message { incarnation, number, epoch, digest, body })
    }
}

/// What is to be put out; decided first, as that changes the machine, and made then, as that borrows from it.
pub(super) enum Plan {
    Persist(Ticket, RecordDue),
    LayoutChanged(NodeId),
    LayoutOutdated,
    Swept(NodeId),
    Sweep(Step),
    Seal,
    CatchUp(NodeId, u64),
    Answer(Answer),
    Request(u32, Action),
}
