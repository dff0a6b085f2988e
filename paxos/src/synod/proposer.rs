//! The proposer: it prepares a ballot, and proposes a value in it (Lamport, "Paxos Made Simple", 2001, section 2.2).

use quorate_core::{
    Corrupt, Instant, List, Machine, NodeId, Output, Phase as Quorum, Quorums, Rejected,
    Rejections, Rng, Ticket,
};

use super::base::Base;
use super::learner::LearnerState;
use super::{Config, Event, Message, Phase, Record, Status, Vote, limits};
use crate::member::Group;
use crate::{Ballot, ConfigError, Member, ProposeError, Roles, Storage};

/// The longest back-off is 2^6 times the shortest.
const MAX_DOUBLINGS: u8 = 6;

/// How many rounds a record sets aside.
const ROUNDS_AHEAD: u64 = 16;

/// A proposer by itself, as a [`Machine`], which also learns what was chosen.
///
/// One record sets 16 rounds aside before the first of them is used, so that no ballot is used twice, whatever crashes. A proposer that has such a
/// record asks what was chosen when it starts, and after four questions without an outcome finishes what was begun, as a [`Synod`](super::Synod) does,
/// unless [`Learning::Proposer`](super::Learning::Proposer) says otherwise.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
/// use quorate_paxos::synod::{Acceptor, Config, Event, Proposer};
/// use quorate_paxos::{Inline, Member, Roles};
///
/// let (id, acceptor) = (NodeId::new(9), NodeId::new(1));
/// let members =
///     [Member::new(acceptor).with_roles(Roles::ACCEPTOR), Member::new(id).with_roles(Roles::PROPOSER)];
/// let quorums = Quorums::majority(1);
/// let mut proposer = Proposer::<Inline<2, 16>>::new(id, &members, quorums, Config::lan(), 1)?;
/// let mut voter = Acceptor::<Inline<2, 16>>::new(acceptor, &members, quorums, Config::lan())?;
/// proposer.found();
/// voter.found();
/// proposer.propose(Instant::ZERO, b"x")?;
/// let mut chosen = None;
/// for _ in 0..8 {
///     while let Some(output) = proposer.poll() {
///         match output {
///             Output::Persist(ticket, _record) => proposer.persisted(ticket), // once it is on disk
///             Output::Send(_, message) => voter.receive(Instant::ZERO, id, message)?,
///             Output::Event(Event::Decided { value }) => chosen = Some(value.to_vec()),
///             Output::Event(_) => {}
///         }
///     }
///     while let Some(output) = voter.poll() {
///         match output {
///             Output::Persist(ticket, _record) => voter.persisted(ticket),
///             Output::Send(_, message) => proposer.receive(Instant::ZERO, acceptor, message)?,
///             Output::Event(_) => {}
///         }
///     }
/// }
/// assert_eq!(chosen.as_deref(), Some(&b"x"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proposer<S: Storage> {
    base: Base<S>,
    state: ProposerState<S>,
    learner: LearnerState<S>,
    /// Rounds up to this one are set aside, by the record of this ticket.
    through: u64,
    through_due: bool,
    through_ticket: Ticket,
}

impl<S: Storage> Proposer<S> {
    /// A node without a past; replay the records on disk through [`restore`](Machine::restore), then [`tick`](Machine::tick).
    /// `members` are all nodes, this one included; `quorums` are of the acceptors among them, in the
    /// order of their ids. The seed is of the random
    /// back-off: another for each node.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_paxos::{ConfigError, Inline, Member, synod::{Config, Proposer}};
    /// let members = [Member::new(NodeId::new(1))];
    /// let new = |id| Proposer::<Inline<1, 8>>::new(NodeId::new(id), &members, Quorums::majority(1), Config::lan(), 1);
    /// assert_eq!(new(2), Err(ConfigError::NotAMember));
    /// assert_eq!(new(1), Err(ConfigError::Roles)); // it has all of them, and is to be a `Synod`
    /// ```
    pub fn new(
        id: NodeId,
        members: &[Member],
        quorums: Quorums,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let base = Base::new(id, members.iter().copied(), quorums, config, Roles::PROPOSER)?;
        let state = ProposerState::new(&base.group, &base.config, seed);
        let learner = LearnerState::new(&base.group, &base.config);
        let (through_due, through_ticket) = (false, Ticket::default());
        Ok(Self { base, state, learner, through: 0, through_due, through_ticket })
    }

    /// This node is one of a new instance, and has used no ballot yet. To be called once in the life of a node, by whoever sets it up; a
    /// node that has no record of it does not propose, because its disk may have been erased.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId, Quorums};
    /// # use quorate_paxos::{Inline, Member, ProposeError, Roles, synod::{Config, Proposer}};
    /// # let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER)]
    /// #     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// # let mut proposer =
    /// #     Proposer::<Inline<2, 8>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan(), 1)?;
    /// assert_eq!(proposer.propose(Instant::ZERO, b"x"), Err(ProposeError::NotFounded));
    /// proposer.found();
    /// assert_eq!(proposer.propose(Instant::ZERO, b"x"), Ok(()));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self) {
        self.base.found();
    }

    /// Proposes a value. What is chosen, [`Event::Decided`] tells: this value, or another.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, NodeId, Quorums};
    /// # use quorate_paxos::{Inline, Member, ProposeError, Roles, synod::{Config, Phase, Proposer}};
    /// # use quorate_core::Machine;
    /// # let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER)]
    /// #     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// # let mut proposer =
    /// #     Proposer::<Inline<2, 4>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan(), 1)?;
    /// # proposer.found();
    /// assert_eq!(proposer.propose(Instant::ZERO, b"too long"), Err(ProposeError::TooLong));
    /// proposer.propose(Instant::ZERO, b"fits")?;
    /// assert_eq!(proposer.status().phase, Phase::Preparing);
    /// assert_eq!(proposer.propose(Instant::ZERO, b"more"), Err(ProposeError::Busy));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn propose(&mut self, now: Instant, value: &[u8]) -> Result<(), ProposeError> {
        if !self.base.founded {
            return Err(ProposeError::NotFounded);
        }
        self.state.want(value)?;
        self.base.advance_to(now);
        let Base { group, config, now, .. } = &self.base;
        self.state.begin_if_idle(*now, group, config);
        self.reserve();
        Ok(())
    }

    /// Asks the acceptors and the other proposers what was chosen, now and every [`learn_us`](Config::learn_us), less and less often, until it knows;
    /// and finishes what was begun, if that does not tell and the node was founded.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Inline, Member, Roles, synod::{Config, Message, Proposer}};
    /// # let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER)]
    /// #     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// # let mut proposer =
    /// #     Proposer::<Inline<2, 4>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan(), 1)?;
    /// proposer.learn(Instant::ZERO);
    /// assert!(matches!(proposer.poll(), Some(Output::Send(_, Message::Learn))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn learn(&mut self, now: Instant) {
        self.base.advance_to(now);
        self.learner.ask(self.base.now);
        self.tick(now);
    }

    /// The value that was chosen, as far as this node knows.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// # use quorate_paxos::{Inline, Member, Roles, synod::{Config, Message, Proposer}};
    /// # let members = [(1, Roles::ACCEPTOR), (2, Roles::PROPOSER)]
    /// #     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// # let mut proposer =
    /// #     Proposer::<Inline<2, 4>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan(), 1)?;
    /// proposer.receive(Instant::ZERO, NodeId::new(1), Message::Decided { value: b"x" })?;
    /// assert_eq!(proposer.decided(), Some(&b"x"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decided(&self) -> Option<&[u8]> {
        self.learner.decided()
    }

    /// Sets rounds aside where the present one is not.
    fn reserve(&mut self) {
        if self.state.ballot.round > self.through {
            self.through = self.state.ballot.round.saturating_add(ROUNDS_AHEAD.saturating_sub(1));
            self.through = self.through.min(Ballot::MAX_ROUND);
            self.through_due = true;
        }
    }

    /// What was decided ends the proposal; the distinguished learner tells it.
    fn advance(&mut self) {
        self.state.conclude(&self.base, &mut self.learner);
        self.reserve();
    }
}

impl<S: Storage> Machine for Proposer<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.base.restore(&record)?;
        match record {
            Record::Founded => {}
            Record::Rounds { through } if through == 0 || through > Ballot::MAX_ROUND => {
                return Err(Corrupt::Malformed);
            }
            Record::Rounds { through } if through < self.through => {
                return Err(Corrupt::Regression);
            }
            Record::Rounds { through } => {
                self.through = through;
                self.state.restore(through);
                self.learner.ask_later(&self.base); // something was begun
            }
            _ => return Err(Corrupt::Malformed),
        }
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = match message {
            Message::Promise { .. } | Message::Preempted { .. } => {
                self.state.handle(&self.base, from, &message)
            }
            Message::Accepted { vote } => self
                .learner
                .handle(&self.base, from, &message)
                .map(|()| self.state.on_accepted(&self.base, from, vote.ballot)),
            Message::Decided { .. } => self.learner.handle(&self.base, from, &message),
            Message::Learn => {
                self.base.sender(from, Roles::default()).map(|index| self.learner.tell(index))
            }
            _ => self.base.sender(from, Roles::default()).and(Err(Rejected::Impossible)),
        };
        self.advance();
        result.map_err(|reason| self.base.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.base.advance_to(now);
        let Base { group, config, now, .. } = &self.base;
        self.state.tick(*now, group, config);
        let in_vain = self.learner.tick(*now, group, config);
        if in_vain && self.base.founded && self.learner.decided().is_none() {
            // it finishes what it began in an earlier life, or others have
            self.state.begin_if_idle(*now, group, config);
        }
        self.reserve();
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.base.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let Self { base, state, learner, .. } = self;
        if core::mem::take(&mut base.founding_due) {
            return Some(Output::Persist(base.tickets.issue(), Record::Founded));
        }
        if core::mem::take(&mut self.through_due) {
            self.through_ticket = base.tickets.issue();
            let record = Record::Rounds { through: self.through };
            return Some(Output::Persist(self.through_ticket, record));
        }
        if learner.take_event() {
            return Some(Output::Event(Event::Decided { value: learner.decided()? }));
        }
        let may_send = self.through_ticket <= base.durable;
        for index in 0..base.group.len() {
            let to = base.group.id(index);
            if may_send && state.take_due(index) {
                return Some(Output::Send(to, state.message()));
            }
            if learner.take_tell(index) {
                return Some(Output::Send(to, Message::Decided { value: learner.decided()? }));
            }
            if learner.take_ask(index) {
                return Some(Output::Send(to, Message::Learn));
            }
        }
        None
    }

    fn deadline(&self) -> Option<Instant> {
        self.state.deadline().into_iter().chain(self.learner.deadline()).min()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let rounds = (self.through > 0).then_some(Record::Rounds { through: self.through });
        self.base.checkpoint().chain(rounds)
    }

    fn status(&self) -> Status {
        Status {
            phase: self.state.phase,
            ballot: self.state.ballot,
            decided: self.learner.decided().is_some(),
            ..self.base.status()
        }
    }

    fn rejections(&self) -> Rejections {
        self.base.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(limits::max_message_len::<S>(&self.base.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(limits::max_record_len::<S>(&self.base.config))
    }
}

/// A proposer's ballot, what it proposes in it, and who has answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ProposerState<S: Storage> {
    phase: Phase,
    ballot: Ballot,
    /// The highest round of any node.
    seen: u64,
    /// What the application wants, if anything.
    value: S::Value,
    wants: bool,
    /// The vote in the highest ballot that a promise told of.
    adopted: Ballot,
    adopted_value: S::Value,
    acceptors: S::Members<Progress>,
    /// When to repeat what was not answered, or when the back-off ends.
    at: Instant,
    /// How often it was preempted.
    preempted: u8,
    rng: Rng,
}

/// What an acceptor has said to the present ballot in the present phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Progress {
    agreed: bool,
    refused: bool,
    due: bool,
    asked: bool,
}

impl<S: Storage> ProposerState<S> {
    pub(crate) fn new(group: &Group<S>, config: &Config, seed: u64) -> Self {
        let mut acceptors = S::Members::with_limit(group.len());
        for _ in 0..group.len() {
            let _ = acceptors.push(Progress::default()); // as many as there are members
        }
        let value = || S::Value::with_limit(limits::max_value::<S>(config));
        Self {
            phase: Phase::Idle,
            ballot: Ballot::ZERO,
            seen: 0,
            value: value(),
            wants: false,
            adopted: Ballot::ZERO,
            adopted_value: value(),
            acceptors,
            at: Instant::MAX,
            preempted: 0,
            rng: Rng::new(seed),
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) const fn ballot(&self) -> Ballot {
        self.ballot
    }

    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Another node is in this round, or says so: no message takes it further than [`Ballot::MAX_AHEAD`].
    pub(crate) fn see(&mut self, round: u64) {
        self.seen = self.seen.max(round.min(self.seen.saturating_add(Ballot::MAX_AHEAD)));
    }

    /// It is in this round, by its own records.
    pub(crate) fn restore(&mut self, round: u64) {
        self.seen = self.seen.max(round);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!matches!(self.phase, Phase::Idle | Phase::Decided)).then_some(self.at)
    }

    /// The value of the present ballot, in phase 2.
    pub(crate) fn proposal(&self) -> Vote<'_> {
        let is_adopted = !self.adopted.is_zero();
        let value: &[u8] = if is_adopted { &self.adopted_value } else { &self.value };
        Vote { ballot: self.ballot, value }
    }

    pub(crate) fn has_answered(&self, index: usize) -> bool {
        self.acceptors.get(index).is_none_or(|one| one.agreed || one.refused)
    }

    /// The application wants this value.
    pub(crate) fn want(&mut self, value: &[u8]) -> Result<(), ProposeError> {
        if self.phase == Phase::Decided {
            return Err(ProposeError::Decided);
        }
        if self.phase == Phase::Idle && self.seen >= Ballot::MAX_ROUND {
            return Err(ProposeError::Exhausted);
        }
        if self.wants {
            return Err(ProposeError::Busy);
        }
        if value.len() > self.value.limit() {
            return Err(ProposeError::TooLong);
        }
        self.value.clear();
        let _ = self.value.extend_from_slice(value); // it fits
        self.wants = true;
        Ok(())
    }

    /// A ballot begins. One without a value of its own that is under way goes on, and proposes what is wanted now.
    pub(crate) fn begin_if_idle(&mut self, now: Instant, group: &Group<S>, config: &Config) {
        if self.phase == Phase::Idle {
            self.begin(now, group, config);
        }
    }

    /// The fast ballot, which needs no phase 1. False if it is not the first one, or rounds above it were seen.
    pub(crate) fn begin_fast(&mut self, now: Instant, group: &Group<S>, config: &Config) -> bool {
        let is_first = self.phase == Phase::Idle && self.seen <= Ballot::FAST.round;
        if is_first {
            self.see(Ballot::FAST.round);
            self.enter(Phase::Fast, now, group, config);
        }
        is_first
    }

    /// The fast ballot has failed, or will not come to an end soon: a classic one follows after a random time, as others may think so, too.
    pub(crate) fn recover(&mut self, now: Instant, config: &Config) {
        if self.phase == Phase::Fast {
            let wait_us = self.rng.below(config.backoff_us);
            (self.phase, self.at) = (Phase::BackingOff, now.after(wait_us));
        }
    }

    /// The value that the application wants.
    pub(crate) fn wanted(&self) -> Option<&[u8]> {
        self.wants.then_some(&*self.value)
    }

    /// Phase 1a, section 2.2: a ballot above all that were seen, in the same or an earlier life of this node.
    /// Rounds of classic ballots begin above that of the fast one, where there is one.
    pub(crate) fn begin(&mut self, now: Instant, group: &Group<S>, config: &Config) {
        if self.seen >= Ballot::MAX_ROUND {
            self.phase = Phase::Idle;
            return;
        }
        self.seen = self.seen.saturating_add(1);
        self.ballot = Ballot::new(self.seen, group.my_id());
        self.adopted = Ballot::ZERO;
        self.enter(Phase::Preparing, now, group, config);
    }

    fn enter(&mut self, phase: Phase, now: Instant, group: &Group<S>, config: &Config) {
        self.phase = phase;
        self.at = now.after(config.retry_us);
        for (index, one) in self.acceptors.iter_mut().enumerate() {
            *one = Progress { due: group.has_role(index, Roles::ACCEPTOR), ..Progress::default() };
        }
    }

    /// Phase 2a, section 2.2: "If the proposer receives a response to its prepare requests from a majority of acceptors, then it sends an
    /// accept request [...] where v is the value of the highest-numbered proposal among the responses, or is any value if the responses
    /// reported no proposals." A quorum of phase 1 may be other than one of phase 2 (Howard, Malkhi and Spiegelman, "Flexible Paxos", 2016).
    pub(crate) fn on_promise(
        &mut self,
        now: Instant,
        index: usize,
        (ballot, vote): (Ballot, Option<Vote<'_>>),
        (group, config): (&Group<S>, &Config),
    ) -> Result<(), Rejected> {
        if self.phase != Phase::Preparing || ballot != self.ballot {
            return Ok(());
        }
        if let Some(vote) = vote {
            if vote.ballot >= ballot
                || (vote.ballot == self.adopted && *vote.value != *self.adopted_value)
            {
                return Err(Rejected::Impossible);
            }
            if vote.value.len() > self.adopted_value.limit() {
                return Err(Rejected::Full);
            }
            if vote.ballot > self.adopted {
                self.adopt(vote);
            }
        }
        if self.count_promise(index, group) {
            self.begin_phase_two(now, group, config);
        }
        Ok(())
    }

    /// What it proposes in this ballot, in place of what the application wants. It fits.
    pub(crate) fn adopt(&mut self, vote: Vote<'_>) {
        self.adopted = vote.ballot;
        self.adopted_value.clear();
        let _ = self.adopted_value.extend_from_slice(vote.value);
    }

    /// An acceptor has promised the present ballot. True when a quorum has.
    pub(crate) fn count_promise(&mut self, index: usize, group: &Group<S>) -> bool {
        self.agree(index);
        group.is_quorum(Quorum::One, |index| self.has_agreed(index))
    }

    pub(crate) fn begin_phase_two(&mut self, now: Instant, group: &Group<S>, config: &Config) {
        if self.adopted.is_zero() && !self.wants {
            // nothing was chosen, and there is nothing to propose
            self.phase = Phase::Idle;
        } else {
            self.enter(Phase::Accepting, now, group, config);
        }
    }

    /// An acceptor has voted: it needs no further accept of the present ballot.
    pub(crate) fn on_accepted(&mut self, base: &Base<S>, from: NodeId, ballot: Ballot) {
        self.see(ballot.round);
        let is_open = self.phase == Phase::Accepting && ballot == self.ballot;
        if is_open && let Some(index) = base.group.index_of(from) {
            self.agree(index);
        }
    }

    /// An acceptor has promised a higher ballot, and will never agree to this one. When those that have not refused are no quorum, the ballot
    /// is given up, and the next one waits for a random time (section 2.4: two proposers can preempt each other for ever).
    pub(crate) fn on_preempted(
        &mut self,
        now: Instant,
        index: usize,
        (ballot, promised): (Ballot, Ballot),
        (group, config): (&Group<S>, &Config),
    ) {
        self.see(promised.round);
        let quorum = match self.phase {
            Phase::Preparing => Quorum::One,
            Phase::Accepting => Quorum::Two,
            _ => return,
        };
        if ballot != self.ballot || self.has_agreed(index) {
            return;
        }
        if let Some(one) = self.acceptors.get_mut(index) {
            *one = Progress { refused: true, asked: true, ..Progress::default() };
        }
        if !group.is_quorum(quorum, |index| !self.has_refused(index)) {
            self.back_off(now, config);
        }
    }

    fn back_off(&mut self, now: Instant, config: &Config) {
        let longest = config.backoff_us.saturating_mul(2_u64.wrapping_shl(self.preempted.into()));
        let wait_us = self.rng.range(config.backoff_us, longest);
        self.preempted = self.preempted.saturating_add(1).min(MAX_DOUBLINGS.saturating_sub(1));
        (self.phase, self.at) = (Phase::BackingOff, now.after(wait_us));
    }

    /// Takes a message to a proposer, other than a vote.
    pub(crate) fn handle(
        &mut self,
        base: &Base<S>,
        from: NodeId,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        let index = base.sender(from, Roles::ACCEPTOR)?;
        let Base { group, config, now, .. } = base;
        match *message {
            Message::Promise { ballot, vote } => {
                self.check(base, index, ballot)?;
                if vote.is_some_and(|vote| vote.ballot.is_zero()) {
                    return Err(Rejected::Malformed);
                }
                self.on_promise(*now, index, (ballot, vote), (group, config))
            }
            Message::Preempted { ballot, promised } => {
                self.check(base, index, ballot)?;
                if promised <= ballot {
                    return Err(Rejected::Impossible);
                }
                if promised.round > Ballot::MAX_ROUND {
                    return Err(Rejected::OutOfRange);
                }
                self.on_preempted(*now, index, (ballot, promised), (group, config));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An answer names a ballot in which this node has asked that acceptor, in this life or an earlier one. Promises that were not asked for
    /// could begin phase 2 before this node's own promise is on disk, and after a crash it would use the ballot again.
    pub(crate) fn check(
        &self,
        base: &Base<S>,
        index: usize,
        ballot: Ballot,
    ) -> Result<(), Rejected> {
        if ballot.is_zero() {
            return Err(Rejected::Malformed);
        }
        if ballot.node != base.group.my_id() {
            return Err(Rejected::Impossible);
        }
        if !ballot.is_in_range(self.seen) {
            return Err(Rejected::OutOfRange);
        }
        // where none was used in this life, those of earlier ones are on record; a node that was erased does not know them
        let last = if self.ballot.is_zero() { self.seen } else { self.ballot.round };
        let is_asked = ballot != self.ballot
            || self.phase != Phase::Preparing
            || self.acceptors.get(index).is_some_and(|one| one.asked);
        if !is_asked || base.founded && ballot.round > last {
            return Err(Rejected::Impossible);
        }
        Ok(())
    }

    /// When a value was chosen nothing more is proposed. The proposer whose ballot it was tells the learners, if it is the distinguished
    /// one.
    pub(crate) fn conclude(&mut self, base: &Base<S>, learner: &mut LearnerState<S>) {
        // acceptors that have voted for others since count here, and not at the learner, which keeps last votes
        let is_chosen = self.phase == Phase::Accepting
            && base.group.is_quorum(Quorum::Two, |index| self.has_agreed(index));
        if is_chosen && learner.decided().is_none() {
            learner.decide(self.proposal());
        }
        if self.phase == Phase::Decided || learner.decided().is_none() {
            return;
        }
        let chosen = learner.chosen();
        let is_own = !chosen.is_zero() && chosen.node == base.group.my_id();
        if is_own && base.config.learning == super::Learning::Distinguished {
            learner.announce(&base.group);
        }
        (self.phase, self.at) = (Phase::Decided, Instant::MAX);
    }

    /// What is sent to acceptors in the present phase.
    pub(crate) fn message(&self) -> Message<'_> {
        match self.phase {
            Phase::Preparing => Message::Prepare { ballot: self.ballot },
            Phase::Fast => Message::Propose { value: &self.value },
            _ => Message::Accept { vote: self.proposal() },
        }
    }

    pub(crate) fn tick(&mut self, now: Instant, group: &Group<S>, config: &Config) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        if matches!(self.phase, Phase::BackingOff | Phase::Fast) {
            return self.begin(now, group, config);
        }
        if self.acceptors.iter().any(|one| one.refused) {
            // those that have not refused may be down
            return self.back_off(now, config);
        }
        self.at = now.after(config.retry_us);
        for (index, one) in self.acceptors.iter_mut().enumerate() {
            one.due |= !one.agreed && group.has_role(index, Roles::ACCEPTOR);
        }
    }

    /// Whether a prepare or an accept is due to a member.
    pub(crate) fn take_due(&mut self, index: usize) -> bool {
        let is_open = matches!(self.phase, Phase::Fast | Phase::Preparing | Phase::Accepting);
        let one = self.acceptors.get_mut(index).filter(|one| is_open && one.due);
        one.map(|one| (one.due, one.asked) = (false, true)).is_some()
    }

    fn agree(&mut self, index: usize) {
        if let Some(one) = self.acceptors.get_mut(index) {
            *one = Progress { agreed: true, asked: true, ..Progress::default() };
        }
    }

    pub(crate) fn has_agreed(&self, index: usize) -> bool {
        self.acceptors.get(index).is_some_and(|one| one.agreed)
    }

    fn has_refused(&self, index: usize) -> bool {
        self.acceptors.get(index).is_some_and(|one| one.refused)
    }
}
