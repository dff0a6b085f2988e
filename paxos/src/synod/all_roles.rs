//! The three roles in one node: what [`Synod`](super::Synod) and [`FastPaxos`](crate::fast::FastPaxos) have in common.

use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Quorums};

use super::acceptor::{AcceptorState, Answer};
use super::base::Base;
use super::learner::LearnerState;
use super::proposer::ProposerState;
use super::{Config, Event, Message, Phase, Record, Status};
use crate::{ConfigError, Member, ProposeError, Roles, Storage};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AllRoles<S: Storage> {
    pub(crate) base: Base<S>,
    pub(crate) acceptor: AcceptorState<S>,
    pub(crate) proposer: ProposerState<S>,
    pub(crate) learner: LearnerState<S>,
}

/// The next message, before it borrows.
enum Plan {
    Proposal,
    Decided,
    Learn,
    Answer(Answer),
}

impl<S: Storage> AllRoles<S> {
    pub(crate) fn new(
        id: NodeId,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let base = Base::new(id, members, quorums, config, Roles::ALL)?;
        let acceptor = AcceptorState::new(&base.group, &base.config);
        let proposer = ProposerState::new(&base.group, &base.config, seed);
        let learner = LearnerState::new(&base.group, &base.config);
        Ok(Self { base, acceptor, proposer, learner })
    }

    pub(crate) fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        let Self { base, acceptor, proposer, learner } = self;
        base.restore(&record)?;
        acceptor.restore(&record)?;
        proposer.restore(acceptor.promised().round);
        if !acceptor.promised().is_zero() {
            learner.ask_later(base); // something was begun, and a driver asks for the deadline
        }
        Ok(())
    }

    /// The application wants a value.
    pub(crate) fn want(&mut self, now: Instant, value: &[u8]) -> Result<(), ProposeError> {
        if !self.base.founded {
            return Err(ProposeError::NotFounded);
        }
        self.proposer.want(value)?;
        self.base.advance_to(now);
        Ok(())
    }

    pub(crate) fn begin_if_idle(&mut self) {
        let Base { group, config, now, .. } = &self.base;
        self.proposer.begin_if_idle(*now, group, config);
    }

    pub(crate) fn learn(&mut self, now: Instant) {
        self.base.advance_to(now);
        self.learner.ask(self.base.now);
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        self.base.advance_to(now);
        let Self { base, proposer, learner, .. } = self;
        let Base { group, config, now, .. } = &*base;
        proposer.tick(*now, group, config);
        let in_vain = learner.tick(*now, group, config);
        if in_vain && base.founded && learner.decided().is_none() {
            // it finishes what others have begun
            proposer.begin_if_idle(*now, group, config);
        }
    }

    pub(crate) fn poll<M>(&mut self) -> Option<Output<'_, M>>
    where
        M: for<'a> Machine<
                Message<'a> = Message<'a>,
                Record<'a> = Record<'a>,
                Event<'a> = Event<'a>,
            >,
    {
        let Self { base, acceptor, learner, .. } = self;
        if core::mem::take(&mut base.founding_due) {
            return Some(Output::Persist(base.tickets.issue(), Record::Founded));
        }
        if let Some((ticket, is_vote)) = acceptor.take_record(&mut base.tickets) {
            return Some(Output::Persist(ticket, self.acceptor.record(is_vote)?));
        }
        if learner.take_event() {
            return Some(Output::Event(Event::Decided { value: self.learner.decided()? }));
        }
        let (index, plan) = self.plan_send()?;
        let message = match plan {
            Plan::Proposal => self.proposer.message(),
            Plan::Decided => Message::Decided { value: self.learner.decided()? },
            Plan::Learn => Message::Learn,
            Plan::Answer(answer) => self.acceptor.message(answer)?,
        };
        Some(Output::Send(self.base.group.id(index), message))
    }

    fn plan_send(&mut self) -> Option<(usize, Plan)> {
        let Self { base, acceptor, proposer, learner } = self;
        let is_durable = acceptor.is_durable(base.durable);
        // no ballot is used twice: this node's promise is on disk before it asks for others'
        let may_prepare = is_durable && acceptor.promised() >= proposer.ballot();
        let may_propose = may_prepare || proposer.phase() != Phase::Preparing;
        for index in (0..base.group.len()).filter(|index| *index != base.group.me()) {
            if may_propose && proposer.take_due(index) {
                return Some((index, Plan::Proposal));
            }
            if learner.take_tell(index) {
                return Some((index, Plan::Decided));
            }
            if learner.take_ask(index) {
                return Some((index, Plan::Learn));
            }
            if learner.decided().is_some() {
                if acceptor.take_question(index) {
                    return Some((index, Plan::Decided));
                }
            } else if is_durable && let Some(answer) = acceptor.take_answer(index) {
                return Some((index, Plan::Answer(answer)));
            }
        }
        None
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.proposer.deadline().into_iter().chain(self.learner.deadline()).min()
    }

    pub(crate) fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.base.checkpoint().chain(self.acceptor.checkpoint())
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            phase: self.proposer.phase(),
            ballot: self.proposer.ballot(),
            promised: self.acceptor.promised(),
            accepted: self.acceptor.accepted(),
            decided: self.learner.decided().is_some(),
            ..self.base.status()
        }
    }
}
