//! Fast Paxos, for one decision: a value that nobody contends with is chosen two message delays after it was proposed, where
//! [`synod`](crate::synod) takes four (Lamport, "Fast Paxos", Distributed Computing 19(2), 2006).
//!
//! In the fast ballot, the first one, a proposer sends its value straight to the acceptors, and each votes for the first value that it
//! gets. It takes larger quorums for that: [`FastQuorums`]. If they vote for different values, or too few of them are there, a classic
//! ballot follows, which finds out what may have been chosen.
//!
//! Messages and records are those of [`synod`](crate::synod), and so is the [`Config`] (learning is always direct).

mod quorums;
mod votes;

use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Quorums, Rejected, Rejections, Ticket,
};

use crate::synod::all_roles::AllRoles;
use crate::synod::base::Base;
use crate::synod::{Event, Learning, Message, Phase, Record, Status, Vote, limits};
use crate::{Ballot, ConfigError, Member, ProposeError, Roles, Storage};

pub use crate::synod::Config;
pub use quorums::FastQuorums;
use votes::Votes;

/// A node of Fast Paxos with all roles, as a [`Machine`].
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Wire};
/// use quorate_paxos::fast::{Config, FastPaxos, FastQuorums};
/// use quorate_paxos::synod::{Event, Message};
/// use quorate_paxos::Inline;
///
/// type Node = FastPaxos<Inline<3, 16>>; // three members, values of 16 bytes
/// let ids = [1, 2, 3].map(NodeId::new);
/// let mut nodes = Vec::new();
/// for id in ids {
///     let mut node = Node::new(id, &ids, FastQuorums::minimal(3), Config::lan(), id.get())?;
///     node.found(); // at its first start
///     nodes.push(node);
/// }
/// nodes[2].propose(Instant::ZERO, b"blue")?;
/// let mut decided = Vec::new();
/// for _ in 0..4 {
///     for at in 0..3 {
///         let (mut sent, mut last) = (Vec::new(), None);
///         while let Some(output) = nodes[at].poll() {
///             match output {
///                 Output::Persist(ticket, _record) => last = Some(ticket),
///                 Output::Send(to, message) => {
///                     let mut bytes = vec![0; message.encoded_len()];
///                     message.to_slice(&mut bytes)?;
///                     sent.push((to, bytes));
///                 }
///                 Output::Event(Event::Decided { value }) => decided.push(value.to_vec()),
///                 Output::Event(_) => {}
///             }
///         }
///         if let Some(ticket) = last {
///             nodes[at].persisted(ticket); // after one sync for all of them
///         }
///         for (to, bytes) in sent {
///             nodes[(to.get() - 1) as usize].receive(Instant::ZERO, ids[at], Message::from_slice(&bytes)?)?;
///         }
///     }
/// }
/// assert_eq!(decided, [b"blue"; 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it promises
///
/// One value is chosen at most, as in [`synod`](crate::synod), and one in the end if a classic quorum stays up. A fast quorum is needed for the
/// short way alone.
///
/// After a collision each proposer waits a random part of [`backoff_us`](Config::backoff_us), and then proposes in a classic ballot; after
/// [`retry_us`](Config::retry_us) without an outcome, too. There is no distinguished coordinator. A node that has voted and does not hear what was
/// chosen asks, and in the end finishes what was begun, as a [`Synod`](crate::synod::Synod) does; so does [`learn`](Self::learn).
///
/// A node whose disk was erased takes no part, see [`synod`](crate::synod#when-a-disk-is-erased).
///
/// RAM: that of a `Synod`, and for each member a value and 32 bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FastPaxos<S: Storage> {
    roles: AllRoles<S>,
    quorums: FastQuorums,
    votes: Votes<S>,
}

impl<S: Storage> FastPaxos<S> {
    /// A node without a past; replay the records on disk through [`restore`](Machine::restore), then [`tick`](Machine::tick).
    /// `members` are all nodes, this one included. The seed is of the random back-off: another for each node.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::{ConfigError, Inline, fast::{Config, FastPaxos, FastQuorums}};
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// let new = |quorums| FastPaxos::<Inline<3, 8>>::new(ids[0], &ids, quorums, Config::lan(), 1);
    /// assert!(new(FastQuorums::minimal(3)).is_ok());
    /// assert_eq!(new(FastQuorums::minimal(4)), Err(ConfigError::FastQuorums));
    /// ```
    pub fn new(
        id: NodeId,
        members: &[NodeId],
        quorums: FastQuorums,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let (n, classic) = (quorums.members(), quorums.classic());
        if usize::from(n) != members.len() {
            return Err(ConfigError::FastQuorums);
        }
        let sizes = Quorums::flexible(n, classic, classic).map_err(|_| ConfigError::FastQuorums)?;
        let config = Config { learning: Learning::Direct, ..config };
        let members = members.iter().map(|id| Member::new(*id));
        let mut roles = AllRoles::new(id, members, sizes, config, seed)?;
        roles.proposer.see(Ballot::FAST.round);
        let Base { group, config, .. } = &roles.base;
        let votes = Votes::new(group.len(), limits::max_value::<S>(config));
        Ok(Self { roles, quorums, votes })
    }

    /// This node is one of a new instance: it has promised nothing, and voted for nothing yet. To be called once in the life of a node, by
    /// whoever sets it up; a node that has no record of it neither proposes nor votes, because its disk may have been erased. It learns.
    ///
    /// ```
    /// # use quorate_core::{Machine, NodeId};
    /// # use quorate_paxos::{Inline, fast::{Config, FastPaxos, FastQuorums}};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// # let mut node = FastPaxos::<Inline<3, 8>>::new(ids[0], &ids, FastQuorums::minimal(3), Config::lan(), 1)?;
    /// assert!(!node.status().founded);
    /// node.found();
    /// assert!(node.status().founded);
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self) {
        self.roles.base.found();
    }

    /// Proposes a value: in the fast ballot, unless this node has seen a later one. What is chosen, [`Event::Decided`] tells: this value,
    /// or another.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_paxos::{Inline, ProposeError, fast::{Config, FastPaxos, FastQuorums}, synod::Phase};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// # let mut node = FastPaxos::<Inline<3, 8>>::new(ids[0], &ids, FastQuorums::minimal(3), Config::lan(), 1)?;
    /// assert_eq!(node.propose(Instant::ZERO, b"x"), Err(ProposeError::NotFounded));
    /// node.found();
    /// node.propose(Instant::ZERO, b"x")?;
    /// assert_eq!(node.status().phase, Phase::Fast);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn propose(&mut self, now: Instant, value: &[u8]) -> Result<(), ProposeError> {
        self.roles.want(now, value)?;
        let AllRoles { base, acceptor, proposer, .. } = &mut self.roles;
        let Base { group, config, now, .. } = &*base;
        // where this node has voted for another value, its own would only collide
        let is_first = acceptor.promised().is_zero();
        if !(is_first && proposer.begin_fast(*now, group, config)) {
            self.roles.begin_if_idle();
        }
        self.advance();
        Ok(())
    }

    /// Asks what was chosen, now and every [`learn_us`](Config::learn_us) until it knows, less and less often; and finishes what others
    /// have begun, if that does not tell. If nothing was proposed, there is nothing to learn, and it goes on: the interval doubles with
    /// every four questions, up to 64 times, and after each four of them every node writes a promise.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_paxos::{Inline, fast::{Config, FastPaxos, FastQuorums}, synod::Message};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// # let mut node = FastPaxos::<Inline<3, 8>>::new(ids[0], &ids, FastQuorums::minimal(3), Config::lan(), 1)?;
    /// node.learn(Instant::ZERO);
    /// assert!(matches!(node.poll(), Some(Output::Send(_, Message::Learn))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn learn(&mut self, now: Instant) {
        self.roles.learn(now);
        self.tick(now);
    }

    /// The value that was chosen, as far as this node knows.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_paxos::{Inline, fast::{Config, FastPaxos, FastQuorums}, synod::Message};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// # let mut node = FastPaxos::<Inline<3, 8>>::new(ids[0], &ids, FastQuorums::minimal(3), Config::lan(), 1)?;
    /// node.receive(Instant::ZERO, ids[1], Message::Decided { value: b"x" })?;
    /// assert_eq!(node.decided(), Some(&b"x"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decided(&self) -> Option<&[u8]> {
        self.roles.learner.decided()
    }

    /// A vote was heard of: in an answer to this node or to all, or in a promise.
    fn handle_vote(&mut self, index: usize, vote: Vote<'_>) -> Result<(), Rejected> {
        if vote.ballot.is_zero() {
            return Err(Rejected::Malformed);
        }
        if vote.ballot.round > Ballot::MAX_ROUND {
            return Err(Rejected::OutOfRange);
        }
        self.votes.record(index, vote)
    }

    fn handle(&mut self, from: NodeId, message: Message<'_>) -> Result<(), Rejected> {
        let seen = self.roles.proposer.seen(); // of its acceptor as well
        if let Message::Prepare { ballot } | Message::Accept { vote: Vote { ballot, .. } } = message
            && ballot.round <= Ballot::FAST.round
        {
            // classic ballots have higher rounds
            return self.roles.base.sender(from, Roles::PROPOSER).and(Err(Rejected::Malformed));
        }
        match message {
            Message::Prepare { .. } | Message::Accept { .. } | Message::Learn => {
                self.roles.acceptor.handle(&self.roles.base, from, (&message, seen))
            }
            Message::Propose { value } => {
                self.roles.acceptor.handle_proposal(&self.roles.base, from, value)
            }
            Message::Accepted { vote } => {
                let index = self.roles.base.sender(from, Roles::ACCEPTOR)?;
                self.handle_vote(index, vote)?;
                self.roles.proposer.on_accepted(&self.roles.base, from, vote.ballot);
                Ok(())
            }
            Message::Promise { ballot, vote } => {
                let index = self.roles.base.sender(from, Roles::ACCEPTOR)?;
                self.roles.proposer.check(&self.roles.base, index, ballot)?;
                if vote.is_some_and(|vote| vote.ballot >= ballot) {
                    return Err(Rejected::Impossible);
                }
                if let Some(vote) = vote {
                    self.handle_vote(index, vote)?;
                }
                self.handle_promise(index, ballot);
                Ok(())
            }
            Message::Preempted { ballot: Ballot::FAST, promised } => {
                self.roles.base.sender(from, Roles::ACCEPTOR)?;
                if promised <= Ballot::FAST {
                    return Err(Rejected::Impossible);
                }
                if promised.round > Ballot::MAX_ROUND {
                    return Err(Rejected::OutOfRange);
                }
                self.roles.proposer.see(promised.round);
                self.roles.proposer.recover(self.roles.base.now, &self.roles.base.config);
                Ok(())
            }
            Message::Preempted { .. } => {
                self.roles.proposer.handle(&self.roles.base, from, &message)
            }
            Message::Decided { .. } => self.roles.learner.handle(&self.roles.base, from, &message),
        }
    }

    /// An acceptor has promised, and its vote is known. When a quorum has, their votes say what may be proposed.
    fn handle_promise(&mut self, index: usize, ballot: Ballot) {
        let Self { roles: AllRoles { base, proposer, .. }, quorums, votes } = self;
        let Base { group, config, now, .. } = &*base;
        let is_open = proposer.phase() == Phase::Preparing && ballot == proposer.ballot();
        if !is_open || !proposer.count_promise(index, group) {
            return;
        }
        let has_own = proposer.wanted().is_some();
        if let Some(vote) = votes.choose(|index| proposer.has_agreed(index), quorums, has_own) {
            proposer.adopt(vote);
        }
        proposer.begin_phase_two(*now, group, config);
    }

    /// What the roles of this node say to each other, which takes no messages.
    fn advance(&mut self) {
        let AllRoles { base, acceptor, proposer, .. } = &mut self.roles;
        let me = base.group.me();
        proposer.see(acceptor.promised().round);
        if base.founded && !proposer.has_answered(me) {
            // its own value fits, and it has one for each ballot
            let has_voted = match proposer.phase() {
                Phase::Fast => acceptor.accept_fast(proposer.wanted().unwrap_or_default()),
                Phase::Accepting => acceptor.accept(proposer.proposal()),
                _ => Ok(false),
            };
            if proposer.phase() == Phase::Preparing {
                acceptor.prepare(proposer.ballot());
            }
            if has_voted == Ok(true) {
                acceptor.owe_learners(base, me);
            }
        }
        if acceptor.is_durable(base.durable) {
            self.answer_self();
        }
        self.conclude();
    }

    /// This node's acceptor answers its proposer, and tells its learner.
    fn answer_self(&mut self) {
        let Self { roles: AllRoles { base, acceptor, proposer, .. }, votes, .. } = self;
        let (me, id) = (base.group.me(), base.group.my_id());
        // an acceptor of its own says what other acceptors say, and that is not refused
        if let Some(vote) = acceptor.vote() {
            let _ = votes.record(me, vote);
            proposer.on_accepted(base, id, vote.ballot);
        }
        let (promised, ballot) = (acceptor.promised(), proposer.ballot());
        let Base { group, config, now, .. } = &*base;
        match proposer.phase() {
            Phase::Fast if promised > Ballot::FAST => proposer.recover(*now, config),
            Phase::Preparing if promised == ballot && !proposer.has_answered(me) => {
                self.handle_promise(me, ballot);
                if self.roles.proposer.phase() == Phase::Accepting {
                    self.vote_for_own();
                }
            }
            Phase::Preparing | Phase::Accepting
                if promised > ballot && !proposer.has_answered(me) =>
            {
                proposer.on_preempted(*now, me, (ballot, promised), (group, config));
            }
            _ => {}
        }
    }

    /// Phase 2 has begun with the last promise, this node's own.
    fn vote_for_own(&mut self) {
        let AllRoles { base, acceptor, proposer, .. } = &mut self.roles;
        if acceptor.accept(proposer.proposal()) == Ok(true) {
            acceptor.owe_learners(base, base.group.me());
        }
    }

    fn conclude(&mut self) {
        let Self { roles: AllRoles { base, acceptor, proposer, learner }, quorums, votes } = self;
        if learner.decided().is_none()
            && let Some(value) = votes.chosen(quorums)
        {
            let _ = learner.on_decided(value); // it fits, and is the first
        }
        proposer.conclude(base, learner);
        if votes.has_collided(quorums) {
            proposer.recover(base.now, &base.config);
        }
        if !acceptor.promised().is_zero() || !votes.is_empty() {
            learner.ask_later(base); // something was begun
        }
    }
}

impl<S: Storage> Machine for FastPaxos<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.roles.restore(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = self.handle(from, message);
        self.advance();
        result.map_err(|reason| self.roles.base.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.roles.tick(now);
        self.advance();
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.roles.base.persisted(ticket);
        self.advance();
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.roles.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.roles.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.roles.checkpoint()
    }

    fn status(&self) -> Status {
        self.roles.status()
    }

    fn rejections(&self) -> Rejections {
        self.roles.base.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(limits::max_message_len::<S>(&self.roles.base.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(limits::max_record_len::<S>(&self.roles.base.config))
    }
}
