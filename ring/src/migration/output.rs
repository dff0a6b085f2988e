//! `poll`: what is due, made when polled; nothing is queued.

use quorate_core::{List, NodeId, Output, Ticket};

use super::message::{Message, Record};
use super::{Event, Migration, Range, Storage, incoming, outgoing};

/// The next output, before it borrows.
enum Plan<R: Range> {
    Outgoing(Ticket, usize),
    Incoming(Ticket, usize),
    Ended(Ticket, Record<'static, R>),
    Event(Event<'static, R>),
    Read(usize),
    Apply(usize),
    Send(NodeId, Message<'static, R>),
    Letter(usize, outgoing::Letter),
    Answer(usize),
}

impl<R: Range, S: Storage> Migration<R, S> {
    /// Records, then events, then messages.
    pub(super) fn next_output(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan_record().or_else(|| self.plan_event()).or_else(|| self.plan_send())?;
        self.make(plan)
    }

    fn plan_record(&mut self) -> Option<Plan<R>> {
        if let Some(at) = self.outgoing.iter().position(outgoing::Outgoing::is_dirty) {
            let ticket = self.tickets.issue();
            let one = self.outgoing.get_mut(at)?;
            one.record_made(ticket);
            if !one.is_ended() {
                return Some(Plan::Outgoing(ticket, at));
            }
            let record = Record::Ended { handover: one.handover };
            if one.phase == outgoing::Phase::Retired {
                self.outgoing.remove(at);
            }
            return Some(Plan::Ended(ticket, record));
        }
        let at = self.incoming.iter().position(incoming::Incoming::is_dirty)?;
        let ticket = self.tickets.issue();
        let one = self.incoming.get_mut(at)?;
        one.record_made(ticket);
        if !matches!(one.phase, incoming::Phase::Dropped { .. }) {
            return Some(Plan::Incoming(ticket, at));
        }
        let record = Record::Dropped { from: one.from, handover: one.handover };
        if one.phase == (incoming::Phase::Dropped { tell: false }) {
            self.incoming.remove(at);
        }
        Some(Plan::Ended(ticket, record))
    }

    fn plan_event(&mut self) -> Option<Plan<R>> {
        let durable = self.durable;
        for at in 0..self.outgoing.len() {
            let one = self.outgoing.get_mut(at)?;
            let Some(notice) = one.take_notice(durable) else { continue };
            let (range, to) = (one.range, one.to);
            return Some(match notice {
                outgoing::Notice::Read => Plan::Read(at),
                outgoing::Notice::Forwarded => {
                    Plan::Event(Event::Forwarded { range, write: one.forwarded_write() })
                }
                outgoing::Notice::Copied => Plan::Event(Event::Copied { range, to }),
                outgoing::Notice::Released => Plan::Event(Event::Released { range, to }),
                outgoing::Notice::Closed => Plan::Event(Event::Closed { range, to }),
                outgoing::Notice::Refused(reason) => {
                    Plan::Event(Event::Refused { range, to, reason })
                }
                outgoing::Notice::Stalled => Plan::Event(Event::Stalled { range, to }),
                outgoing::Notice::Restarted => Plan::Event(Event::Restarted { range, to }),
                outgoing::Notice::TargetLost => Plan::Event(Event::TargetLost { range, to }),
                outgoing::Notice::Canceled => {
                    let handover = one.handover;
                    self.outgoing.remove(at);
                    if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == to) {
                        peer.gone = Some(handover);
                    }
                    Plan::Event(Event::Canceled { range, peer: to })
                }
            });
        }
        for at in 0..self.incoming.len() {
            let one = self.incoming.get_mut(at)?;
            let (range, from, version) = (one.range, one.from, one.version);
            let Some(notice) = one.take_notice(durable) else { continue };
            return Some(match notice {
                incoming::Notice::Offered => Plan::Event(Event::Offered { range, from, version }),
                incoming::Notice::Apply => Plan::Apply(at),
                incoming::Notice::Arrived => Plan::Event(Event::Arrived { range, from }),
                incoming::Notice::Canceled => {
                    self.incoming.remove(at);
                    Plan::Event(Event::Canceled { range, peer: from })
                }
            });
        }
        None
    }

    fn plan_send(&mut self) -> Option<Plan<R>> {
        let durable = self.durable;
        for at in 0..self.outgoing.len() {
            if let Some(letter) = self.outgoing.get_mut(at)?.take_letter(durable) {
                return Some(Plan::Letter(at, letter));
            }
        }
        for at in 0..self.incoming.len() {
            if self.incoming.get_mut(at)?.take_answer(durable) {
                return Some(Plan::Answer(at));
            }
        }
        let is_durable = durable >= self.tickets.last();
        self.peers.iter_mut().find_map(|peer| {
            let message = peer.take_answer(is_durable)?;
            Some(Plan::Send(peer.id, message))
        })
    }

    fn make(&self, plan: Plan<R>) -> Option<Output<'_, Self>> {
        Some(match plan {
            Plan::Outgoing(ticket, at) => Output::Persist(ticket, self.outgoing.get(at)?.record()?),
            Plan::Incoming(ticket, at) => Output::Persist(ticket, self.incoming.get(at)?.record()?),
            Plan::Ended(ticket, record) => Output::Persist(ticket, record),
            Plan::Event(event) => Output::Event(event),
            Plan::Read(at) => {
                let one = self.outgoing.get(at)?;
                let (range, max_bytes) = (one.range, one.max_chunk_bytes());
                Output::Event(Event::Read { range, after: one.cursor(), max_bytes })
            }
            Plan::Apply(at) => {
                let one = self.incoming.get(at)?;
                let (range, from) = (one.range, one.from);
                Output::Event(Event::Apply { range, from, item: one.pending() })
            }
            Plan::Send(to, message) => Output::Send(to, message),
            Plan::Letter(at, letter) => {
                let one = self.outgoing.get(at)?;
                Output::Send(one.to, one.message(letter))
            }
            Plan::Answer(at) => {
                let one = self.incoming.get(at)?;
                Output::Send(one.from, one.answer())
            }
        })
    }
}
