use quorate_clocks::Causality;
use quorate_core::{Instant, NodeId};

use super::handoff::Handing;
use super::message::Cause;
use super::targets::{Need, Targets, bit, first};
use super::{
    Event, Failure, FollowRefused, MergeRefused, ReadOptions, ReadRepair, Request, Storage, Value,
    WriteId, WriteOptions,
};
use crate::Token;

/// A request, from when it is made until nothing of it is left to do.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct InFlight<V: Value, S: Storage> {
    /// How the application knows it.
    pub(crate) request: Request,
    /// How nodes know it: another number once the layout has changed, so that answers from before count for nothing.
    pub(crate) number: u64,
    pub(crate) key: S::Key,
    pub(super) token: Token,
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    /// What is written, or what was read until now.
    pub(crate) value: Option<V>,
    /// What will be written once others were asked what is there.
    pub(super) proposed: Option<V>,
    /// What a read must include.
    pub(super) seen: Option<V::Context>,
    pub(super) targets: Targets,
    /// How many must answer, in the words of the options.
    pub(super) need: Need,
    pub(super) sloppy: bool,
    /// To whom a message is due.
    pub(super) due: u32,
    /// To whom the topology is due.
    pub(super) topology_due: u32,
    /// Who answered in this phase.
    pub(super) answered: u32,
    /// Who has the value that was read until now.
    pub(super) current: u32,
    /// What was up to this clock and is not in the value, is purged.
    pub(super) purged: u64,
    /// Who refused.
    pub(super) refused: u32,
    /// Why, of the last one that did.
    pub(super) refusal: Option<Failure>,
    pub(crate) superseded: bool,
    pub(super) outcome: Outcome,
    pub(super) attempt: u8,
    pub(super) retry_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Write(WriteOptions),
    Read(ReadOptions),
    /// A write that is none of a client.
    Handoff(Handing),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// A write asks what is there.
    Query,
    /// A read asks for values.
    Collect,
    /// A write, or the write-back of a read.
    Store,
    /// The read is done; the other replicas may still answer.
    Gather,
    /// The request is done; the value goes to replicas that do not have it.
    Spread,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Outcome {
    Open,
    /// The event is due.
    Due(Option<Failure>),
    /// The application knows.
    Told,
}

/// What a request has to put out next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Ask the node for the value.
    Read { to: NodeId, owner: Option<NodeId> },
    /// Send the node the value.
    Write { to: NodeId, owner: Option<NodeId> },
    /// Send the node the topology.
    Topology { to: NodeId },
    /// Tell the application.
    Done(Option<Failure>),
    /// A hand-over is done, or failed.
    HandedOver(Option<Failure>),
}

impl<V: Value, S: Storage> InFlight<V, S> {
    /// What the application is told.
    pub(crate) fn event(&self, failure: Option<Failure>) -> Option<Event<'_, V>> {
        let (request, value) = (self.request, self.value.as_ref());
        let sent = self.is_write() && self.proposed.is_none();
        Some(match (failure, self.kind) {
            (Some(failure), Kind::Write(_)) if !matches!(failure, Failure::Behind { .. }) => {
                Event::Failed { request, failure, seen: None, sent }
            }
            (Some(failure), _) => Event::Failed { request, failure, seen: value, sent },
            (None, Kind::Write(_) | Kind::Handoff(_)) => {
                Event::Written { request, value: value?, superseded: self.superseded }
            }
            (None, Kind::Read(_)) => Event::Found { request, value },
        })
    }

    /// Whether it sends a new value, and not one that a replica has had.
    pub(crate) const fn is_new(&self) -> bool {
        self.is_write()
    }

    /// Where the value comes from that it sends.
    pub(crate) const fn cause(&self) -> Cause {
        match self.kind {
            Kind::Write(_) => Cause::New,
            Kind::Handoff(Handing::Repair { asked: (incarnation, number @ 1..) }) => {
                Cause::Asked { incarnation, number }
            }
            Kind::Read(_) | Kind::Handoff(_) => Cause::Repair,
        }
    }

    /// Why its value is handed over, if it is.
    pub(crate) const fn handing(&self) -> Option<Handing> {
        match self.kind {
            Kind::Handoff(handing) => Some(handing),
            Kind::Write(_) | Kind::Read(_) => None,
        }
    }

    /// Whether it is a read that writes a value back before it returns it. To return a tombstone is to return nothing.
    pub(super) fn is_written_back(&self) -> bool {
        matches!(self.kind, Kind::Read(_))
            && self.phase == Phase::Store
            && self.value.as_ref().is_some_and(|value| !value.is_tombstone())
    }

    pub(super) const fn is_write(&self) -> bool {
        matches!(self.kind, Kind::Write(_))
    }

    /// Whether the others have to wait until the value is durable on this node, which formed it.
    pub(super) fn writes_here_first(&self, own: NodeId) -> bool {
        let here = self.targets.bit_of(own);
        V::FORMED_BY_REPLICAS
            && self.is_write()
            && matches!(self.phase, Phase::Store)
            && self.answered & here == 0
    }

    pub(super) fn need_of_phase(&self) -> Need {
        match (self.phase, self.kind) {
            (Phase::Query, _) | (Phase::Store, Kind::Read(_)) => {
                self.targets.need_to_meet(self.need)
            }
            _ => self.need,
        }
    }

    /// Whether enough have answered, and what they have includes what the reader has seen, unless one of these owners has purged that: of the floor of others
    /// an answer from before it, or that of a fallback, says nothing.
    pub(super) fn has_all_seen(&self, need: Need) -> bool {
        let includes = |seen: &V::Context| {
            V::clock_of_seen(seen) <= self.purged
                || self.value.as_ref().is_some_and(|value| value.includes(seen))
        };
        self.targets.is_met(self.answered, need) && self.seen.as_ref().is_none_or(includes)
    }

    /// Takes over the value of a node.
    ///
    /// What is up to the floor of an owner and not in its value was deleted, and the tombstone purged: an answer that was long on its way brings it back, or that of a
    /// replica that was, so it counts for nothing. Of a node that is no owner yet, or a fallback, what it does not have says nothing.
    pub(super) fn take(
        &mut self,
        bit: u32,
        value: Option<V>,
        floor: u64,
    ) -> Result<(), MergeRefused> {
        let includes = |value: &Option<V>, other: &V| {
            let includes =
                |value: &V| matches!(value.compare(other), Causality::Equal | Causality::After);
            value.as_ref().is_some_and(includes)
        };
        // with the floor at 0 nothing was purged, not even what has a clock of 0
        if let Some(found) = &value
            && self.purged > 0
            && found.clock() <= self.purged
            && !includes(&self.value, found)
        {
            return Ok(());
        }
        if bit & self.targets.owners() != 0 {
            self.purged = self.purged.max(floor);
            // also where the floor is no news: of two owners with it, one has brought back what the other has purged
            if let Some(own) = &self.value
                && floor > 0
                && own.clock() <= floor
                && !includes(&value, own)
            {
                (self.value, self.current) = (None, 0);
            }
        }
        let Some(found) = value else {
            if self.value.is_none() {
                self.current |= bit;
            }
            return Ok(());
        };
        let Some(own) = &mut self.value else {
            self.value = Some(found);
            self.current = bit;
            return Ok(());
        };
        let changed = own.merge(&found)?;
        if changed {
            self.current = 0;
        }
        if *own == found {
            self.current |= bit;
        }
        Ok(())
    }

    /// The write has asked what is there: it comes after that.
    pub(super) fn follow(&mut self, floor: u64, write: WriteId) {
        let Some(mut proposed) = self.proposed.take() else { return };
        let seen = self.value.take();
        match proposed.follow(seen.as_ref(), floor, write) {
            Ok(()) => {
                self.value = Some(proposed);
                self.phase = Phase::Store;
                (self.answered, self.refused, self.current) = (0, 0, 0);
            }
            Err(refused) => {
                (self.value, self.proposed) = (seen, Some(proposed));
                self.fail(Some(match refused {
                    FollowRefused::Behind => Failure::Behind { floor },
                    FollowRefused::Full => Failure::Full,
                    FollowRefused::Conflict => Failure::Conflict,
                }));
            }
        }
    }

    /// The read has its values. True if it writes them back before it returns.
    pub(super) fn collected(&mut self) -> bool {
        let Kind::Read(options) = self.kind else { return false };
        let meet = self.targets.need_to_meet(self.need);
        let is_everywhere = self.targets.is_met(self.current, meet);
        let writes_back = self.value.is_some()
            && match options.repair {
                ReadRepair::Off | ReadRepair::Background => false,
                ReadRepair::Blocking => !is_everywhere,
                ReadRepair::Always => true,
            };
        if writes_back {
            self.phase = Phase::Store;
            self.answered = if options.repair == ReadRepair::Always { 0 } else { self.current };
            self.refused = 0;
            return true;
        }
        self.outcome = Outcome::Due(None);
        self.phase = if options.repair == ReadRepair::Off { Phase::Spread } else { Phase::Gather };
        if options.repair == ReadRepair::Off {
            self.answered = self.targets.holders(); // nothing is left to do
        }
        self.due = 0;
        if self.phase == Phase::Gather && self.targets.holders() & !self.answered == 0 {
            self.spread();
        }
        false
    }

    /// The value goes to those that answered and have less.
    pub(super) fn spread(&mut self) {
        self.phase = Phase::Spread;
        let behind = match self.value {
            Some(_) => self.answered & self.targets.holders() & !self.current,
            None => 0,
        };
        // the others are left to anti-entropy
        self.answered = self.targets.asked() & !behind;
        self.due = behind;
    }

    pub(super) fn fail(&mut self, failure: Option<Failure>) {
        let (acked, required) = self.targets.progress(self.answered, self.need_of_phase());
        let timeout = Failure::Timeout { acked, required };
        let lacks_seen = self.phase == Phase::Collect
            && self.seen.is_some()
            && self.targets.is_met(self.answered, self.need);
        let of_time = if lacks_seen { Failure::Missing } else { timeout };
        let failure = failure.or(self.refusal).unwrap_or(of_time);
        self.outcome = Outcome::Due(Some(failure));
        self.stop();
    }

    /// Nothing more is sent.
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Spread;
        self.answered = self.targets.asked();
        (self.due, self.topology_due) = (0, 0);
    }

    /// Whether nothing is left to do but to tell the application.
    pub(super) fn is_finished(&self) -> bool {
        self.phase == Phase::Spread
            && self.outcome == Outcome::Told
            && self.targets.asked() & !self.answered == 0
            && self.due == 0
    }

    pub(super) fn next_action(&mut self) -> Option<Action> {
        if let Outcome::Due(failure) = self.outcome {
            self.outcome = Outcome::Told;
            if self.handing().is_some() {
                self.answered = self.targets.asked(); // the rest is left to anti-entropy
                self.due = 0;
                return Some(Action::HandedOver(failure));
            }
            return Some(Action::Done(failure));
        }
        if let Some(place) = first(self.topology_due) {
            self.topology_due &= !bit(place);
            let to = self.targets.node(place)?;
            return Some(Action::Topology { to });
        }
        let place = first(self.due)?;
        self.due &= !bit(place);
        let to = self.targets.node(place)?;
        let owner = self.targets.owner_of(place);
        Some(match self.phase {
            Phase::Query | Phase::Collect | Phase::Gather => Action::Read { to, owner },
            Phase::Store | Phase::Spread => Action::Write { to, owner },
        })
    }
}
