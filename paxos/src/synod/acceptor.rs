//! The acceptor: it promises and votes (Lamport, "Paxos Made Simple", 2001, section 2.2).

use quorate_core::{
    Corrupt, Instant, List, Machine, NodeId, Output, Quorums, Rejected, Rejections, Ticket, Tickets,
};

use super::base::Base;
use super::{Config, Event, Learning, Message, Record, Status, Vote, limits};
use crate::member::Group;
use crate::{Ballot, ConfigError, Member, Roles, Storage};

/// An acceptor by itself, as a [`Machine`].
///
/// It promises and votes, and answers who asks. It never begins anything, so it has no deadline.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
/// use quorate_paxos::synod::{Acceptor, Config, Message, Record};
/// use quorate_paxos::{Ballot, Inline, Member, Roles};
///
/// let proposer = NodeId::new(9);
/// let members = [
///     Member::new(NodeId::new(1)).with_roles(Roles::ACCEPTOR),
///     Member::new(proposer).with_roles(Roles::PROPOSER),
/// ];
/// let quorums = Quorums::majority(1);
/// let mut acceptor = Acceptor::<Inline<2, 16>>::new(NodeId::new(1), &members, quorums, Config::lan())?;
/// acceptor.found(); // at its first start
/// let ballot = Ballot::new(1, proposer);
/// acceptor.receive(Instant::ZERO, proposer, Message::Prepare { ballot })?;
/// let mut last = None;
/// while let Some(output) = acceptor.poll() {
///     let Output::Persist(ticket, _) = output else { panic!("a promise that is on no disk") };
///     last = Some(ticket);
/// }
/// acceptor.persisted(last.unwrap());
/// let Some(Output::Send(to, message)) = acceptor.poll() else { panic!() };
/// assert_eq!((to, message), (proposer, Message::Promise { ballot, vote: None }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Acceptor<S: Storage> {
    base: Base<S>,
    state: AcceptorState<S>,
}

impl<S: Storage> Acceptor<S> {
    /// A node without a past; replay the records on disk through [`restore`](Machine::restore), then [`tick`](Machine::tick).
    /// `members` are all nodes, this one included; `quorums` are of the acceptors among them, in the
    /// order of their ids.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_paxos::{ConfigError, Inline, Member, Roles, synod::{Acceptor, Config}};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)).with_roles(Roles::ACCEPTOR));
    /// let new = |quorums| Acceptor::<Inline<3, 8>>::new(NodeId::new(1), &members, quorums, Config::lan());
    /// assert!(new(Quorums::majority(3)).is_ok());
    /// assert_eq!(new(Quorums::majority(5)), Err(ConfigError::Quorums));
    /// ```
    pub fn new(
        id: NodeId,
        members: &[Member],
        quorums: Quorums,
        config: Config,
    ) -> Result<Self, ConfigError> {
        let base = Base::new(id, members.iter().copied(), quorums, config, Roles::ACCEPTOR)?;
        let state = AcceptorState::new(&base.group, &base.config);
        Ok(Self { base, state })
    }

    /// This node is one of a new instance, and has promised nothing yet. To be called once in the life of a node, by whoever sets it
    /// up; a node that has no record of it promises nothing and votes for nothing, because its disk may have been erased.
    ///
    /// ```
    /// use quorate_core::{Machine, NodeId, Output, Quorums};
    /// use quorate_paxos::{Inline, Member, Roles, synod::{Acceptor, Config, Record}};
    /// let members = [Member::new(NodeId::new(1)).with_roles(Roles::ACCEPTOR)];
    /// let mut acceptor =
    ///     Acceptor::<Inline<1, 8>>::new(NodeId::new(1), &members, Quorums::majority(1), Config::lan())?;
    /// acceptor.found();
    /// assert!(matches!(acceptor.poll(), Some(Output::Persist(_, Record::Founded))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self) {
        self.base.found();
    }
}

impl<S: Storage> Machine for Acceptor<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.base.restore(&record)?;
        self.state.restore(&record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let seen = self.state.promised.round;
        let result = match message {
            Message::Prepare { .. } | Message::Accept { .. } | Message::Learn => {
                self.state.handle(&self.base, from, (&message, seen))
            }
            _ => self.base.sender(from, Roles::default()).and(Err(Rejected::Impossible)),
        };
        result.map_err(|reason| self.base.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.base.advance_to(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.base.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let Self { base, state } = self;
        if core::mem::take(&mut base.founding_due) {
            return Some(Output::Persist(base.tickets.issue(), Record::Founded));
        }
        if let Some((ticket, is_vote)) = state.take_record(&mut base.tickets) {
            return Some(Output::Persist(ticket, state.record(is_vote)?));
        }
        if !state.is_durable(base.durable) {
            return None;
        }
        let mut members = 0..base.group.len();
        let (index, answer) =
            members.find_map(|index| state.take_answer(index).map(|answer| (index, answer)))?;
        Some(Output::Send(base.group.id(index), state.message(answer)?))
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.base.checkpoint().chain(self.state.checkpoint())
    }

    fn status(&self) -> Status {
        Status {
            promised: self.state.promised,
            accepted: self.state.accepted,
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

/// What an acceptor has promised and voted for, and whom it owes an answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AcceptorState<S: Storage> {
    promised: Ballot,
    accepted: Ballot,
    value: S::Value,
    promise_due: bool,
    vote_due: bool,
    /// Of the last record.
    ticket: Ticket,
    owed: S::Members<Owed>,
}

/// What a member has asked, and was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Owed {
    prepare: Ballot,
    accept: Ballot,
    learn: bool,
}

/// An answer to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Promise,
    Accepted,
    Preempted(Ballot),
}

impl<S: Storage> AcceptorState<S> {
    pub(crate) fn new(group: &Group<S>, config: &Config) -> Self {
        let mut owed = S::Members::with_limit(group.len());
        for _ in 0..group.len() {
            let _ = owed.push(Owed::default()); // as many as there are members
        }
        Self {
            promised: Ballot::ZERO,
            accepted: Ballot::ZERO,
            value: S::Value::with_limit(limits::max_value::<S>(config)),
            promise_due: false,
            vote_due: false,
            ticket: Ticket::default(),
            owed,
        }
    }

    pub(crate) const fn promised(&self) -> Ballot {
        self.promised
    }

    pub(crate) const fn accepted(&self) -> Ballot {
        self.accepted
    }

    pub(crate) fn vote(&self) -> Option<Vote<'_>> {
        (!self.accepted.is_zero()).then_some(Vote { ballot: self.accepted, value: &self.value })
    }

    /// Whether all that it has promised and voted for is on disk: nothing of it may be told before.
    pub(crate) fn is_durable(&self, durable: Ticket) -> bool {
        !self.promise_due && !self.vote_due && self.ticket <= durable
    }

    /// Phase 1b, section 2.2: "If an acceptor receives a prepare request with number n greater than that of any prepare request to which it
    /// has already responded, then it responds to the request with a promise not to accept any more proposals numbered less than n".
    pub(crate) fn prepare(&mut self, ballot: Ballot) {
        if ballot > self.promised {
            self.promised = ballot;
            self.promise_due = true;
        }
    }

    /// Phase 2b, section 2.2: "it accepts the proposal unless it has already responded to a prepare request having a number greater than
    /// n". A vote promises its ballot, too.
    ///
    /// True if it voted just now.
    pub(crate) fn accept(&mut self, vote: Vote<'_>) -> Result<bool, Rejected> {
        if vote.ballot == self.accepted && *vote.value != *self.value {
            return Err(Rejected::Impossible); // one value for each ballot
        }
        if vote.value.len() > self.value.limit() {
            return Err(Rejected::Full);
        }
        if vote.ballot < self.promised || vote.ballot == self.accepted {
            return Ok(false);
        }
        self.value.clear();
        let _ = self.value.extend_from_slice(vote.value); // it fits
        (self.promised, self.accepted) = (vote.ballot, vote.ballot);
        // the record of the vote is one of the promise as well
        (self.promise_due, self.vote_due) = (false, true);
        Ok(true)
    }

    /// Takes a message to an acceptor. A node that was not founded may have forgotten what it promised: it says nothing.
    pub(crate) fn handle(
        &mut self,
        base: &Base<S>,
        from: NodeId,
        (message, seen): (&Message<'_>, u64),
    ) -> Result<(), Rejected> {
        match *message {
            Message::Prepare { ballot } => {
                let index = base.sender(from, Roles::PROPOSER)?;
                check_sender(ballot, from, seen)?;
                if base.founded {
                    self.prepare(ballot);
                    self.owe(index, |owed| owed.prepare = owed.prepare.max(ballot));
                }
            }
            Message::Accept { vote } => {
                let index = base.sender(from, Roles::PROPOSER)?;
                check_sender(vote.ballot, from, seen)?;
                if base.founded {
                    if self.accept(vote)? {
                        self.owe_learners(base, index);
                    }
                    self.owe(index, |owed| owed.accept = owed.accept.max(vote.ballot));
                }
            }
            _ => {
                let index = base.sender(from, Roles::default())?;
                self.owe(index, |owed| owed.learn = base.founded);
            }
        }
        Ok(())
    }

    /// Takes a proposal in the fast ballot.
    pub(crate) fn handle_proposal(
        &mut self,
        base: &Base<S>,
        from: NodeId,
        value: &[u8],
    ) -> Result<(), Rejected> {
        let index = base.sender(from, Roles::PROPOSER)?;
        if base.founded {
            if self.accept_fast(value)? {
                self.owe_learners(base, index);
            }
            self.owe(index, |owed| owed.accept = owed.accept.max(Ballot::FAST));
        }
        Ok(())
    }

    /// The first value that arrives in the fast ballot, if nothing above that was promised (Lamport, "Fast Paxos", 2006, section 3.2: any
    /// value may be voted for that a proposer has proposed).
    pub(crate) fn accept_fast(&mut self, value: &[u8]) -> Result<bool, Rejected> {
        if value.len() > self.value.limit() {
            return Err(Rejected::Full);
        }
        if self.promised >= Ballot::FAST {
            return Ok(false);
        }
        self.accept(Vote { ballot: Ballot::FAST, value })
    }

    /// It has voted: where learners learn from the acceptors, it tells all of them. Its answer tells the one that has asked.
    pub(crate) fn owe_learners(&mut self, base: &Base<S>, asked_by: usize) {
        if base.config.learning != Learning::Direct {
            return;
        }
        for index in 0..base.group.len() {
            let is_told = index == base.group.me() || index == asked_by;
            if !is_told && base.group.has_role(index, Roles::LEARNER) {
                self.owe(index, |owed| owed.learn = true);
            }
        }
    }

    fn owe(&mut self, index: usize, change: impl FnOnce(&mut Owed)) {
        if let Some(owed) = self.owed.get_mut(index) {
            change(owed);
        }
    }

    pub(crate) fn message(&self, answer: Answer) -> Option<Message<'_>> {
        Some(match answer {
            Answer::Promise => Message::Promise { ballot: self.promised, vote: self.vote() },
            Answer::Accepted => Message::Accepted { vote: self.vote()? },
            Answer::Preempted(ballot) => Message::Preempted { ballot, promised: self.promised },
        })
    }

    /// The next answer to a member. Only while [`is_durable`](Self::is_durable).
    pub(crate) fn take_answer(&mut self, index: usize) -> Option<Answer> {
        let (promised, accepted) = (self.promised, self.accepted);
        let owed = self.owed.get_mut(index)?;
        let accept = core::mem::take(&mut owed.accept);
        if !accept.is_zero() {
            // it has voted, though it may have promised a higher ballot meanwhile
            if accept == accepted {
                owed.learn = false;
                return Some(Answer::Accepted);
            }
            return Some(Answer::Preempted(accept));
        }
        let prepare = core::mem::take(&mut owed.prepare);
        if !prepare.is_zero() {
            return Some(if prepare == accepted {
                // a late prepare: a promise would have to tell the vote below this ballot, which is gone
                Answer::Accepted
            } else if prepare == promised {
                Answer::Promise
            } else {
                Answer::Preempted(prepare)
            });
        }
        (core::mem::take(&mut owed.learn) && !accepted.is_zero()).then_some(Answer::Accepted)
    }

    /// Whether the member has asked anything; it is forgotten. For a node that knows what was chosen.
    pub(crate) fn take_question(&mut self, index: usize) -> bool {
        let owed = self.owed.get_mut(index).map(core::mem::take);
        owed.is_some_and(|owed| owed != Owed::default())
    }

    /// Whether a record is to be made, and which: the vote first, as the promise may be of a higher ballot.
    pub(crate) fn take_record(&mut self, tickets: &mut Tickets) -> Option<(Ticket, bool)> {
        let is_vote = core::mem::take(&mut self.vote_due);
        if is_vote || core::mem::take(&mut self.promise_due) {
            self.ticket = tickets.issue();
            return Some((self.ticket, is_vote));
        }
        None
    }

    /// The record of its vote, or of its promise.
    pub(crate) fn record(&self, is_vote: bool) -> Option<Record<'_>> {
        if is_vote {
            return self.vote().map(|vote| Record::Accepted { vote });
        }
        (!self.promised.is_zero()).then_some(Record::Promised { ballot: self.promised })
    }

    pub(crate) fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let promise = self.record(false).filter(|_| self.promised > self.accepted);
        self.record(true).into_iter().chain(promise)
    }

    pub(crate) fn restore(&mut self, record: &Record<'_>) -> Result<(), Corrupt> {
        match *record {
            Record::Founded => Ok(()),
            Record::Rounds { .. } => Err(Corrupt::Malformed),
            Record::Promised { ballot } => self.restore_promise(ballot),
            Record::Accepted { vote } => self.restore_vote(vote),
        }
    }

    fn restore_promise(&mut self, ballot: Ballot) -> Result<(), Corrupt> {
        check(ballot)?;
        if ballot < self.promised {
            return Err(Corrupt::Regression);
        }
        self.promised = ballot;
        Ok(())
    }

    fn restore_vote(&mut self, vote: Vote<'_>) -> Result<(), Corrupt> {
        check(vote.ballot)?;
        if vote.ballot == self.accepted && *vote.value == *self.value {
            return Ok(()); // a checkpoint was written before this record was
        }
        if vote.ballot == self.accepted {
            return Err(Corrupt::Regression);
        }
        self.restore_promise(vote.ballot)?;
        if vote.value.len() > self.value.limit() {
            return Err(Corrupt::Full);
        }
        self.value.clear();
        let _ = self.value.extend_from_slice(vote.value); // it fits
        self.accepted = vote.ballot;
        Ok(())
    }
}

/// A ballot is its node's, and within range.
fn check_sender(ballot: Ballot, from: NodeId, seen: u64) -> Result<(), Rejected> {
    if ballot.is_zero() {
        return Err(Rejected::Malformed);
    }
    if ballot.node != from {
        return Err(Rejected::Impossible);
    }
    if !ballot.is_in_range(seen) {
        return Err(Rejected::OutOfRange);
    }
    Ok(())
}

const fn check(ballot: Ballot) -> Result<(), Corrupt> {
    if ballot.is_zero() || ballot.round > Ballot::MAX_ROUND {
        return Err(Corrupt::Malformed);
    }
    Ok(())
}
