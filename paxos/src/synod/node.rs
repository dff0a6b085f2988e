//! All roles in one node.

use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Quorums, Rejected, Rejections, Ticket,
};

use super::all_roles::AllRoles;
use super::base::Base;
use super::{Config, Event, Message, Phase, Record, Status, limits};
use crate::{Ballot, ConfigError, Member, ProposeError, Roles, Storage};

/// A node with all three roles, as a [`Machine`]: a few of them choose one value.
///
/// The node's own promise of a ballot is on disk before it asks anybody else for theirs, so no ballot is used twice, and that costs no
/// record of its own. Its own vote is written while the others' are on their way.
///
/// A node that has promised a ballot or heard of a vote, and does not hear what was chosen, asks every [`learn_us`](Config::learn_us),
/// unless [`Learning::Proposer`](super::Learning::Proposer) says that only the proposer is to know. After four questions without an outcome
/// it finishes what was begun, in a ballot of its own, and asks half as often: a proposer that crashed in the middle leaves nothing undecided
/// that a quorum can decide.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
/// use quorate_paxos::synod::{Config, Event, Synod};
/// use quorate_paxos::{Inline, Member};
///
/// type Node = Synod<Inline<3, 16>>; // three members, values of 16 bytes
/// let ids = [1, 2, 3].map(NodeId::new);
/// let members = ids.map(Member::new);
/// let mut nodes = Vec::new();
/// for id in ids {
///     let mut node = Node::new(id, &members, Quorums::majority(3), Config::lan(), id.get())?;
///     node.found(); // at its first start
///     nodes.push(node);
/// }
/// let now = Instant::ZERO;
/// nodes[0].propose(now, b"blue")?;
/// let mut decided = Vec::new();
/// for _ in 0..8 {
///     for at in 0..3 {
///         let mut sent = Vec::new();
///         let mut last = None;
///         while let Some(output) = nodes[at].poll() {
///             match output {
///                 Output::Persist(ticket, _record) => last = Some(ticket),
///                 Output::Send(to, message) => {
///                     use quorate_core::Wire;
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
///             use quorate_core::Wire;
///             let message = quorate_paxos::synod::Message::from_slice(&bytes)?;
///             nodes[(to.get() - 1) as usize].receive(now, ids[at], message)?;
///         }
///     }
/// }
/// assert_eq!(decided, [b"blue"; 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Synod<S: Storage> {
    roles: AllRoles<S>,
}

impl<S: Storage> Synod<S> {
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
    /// use quorate_paxos::{ConfigError, Inline, Member, synod::{Config, Synod}};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let new = |quorums| Synod::<Inline<3, 8>>::new(NodeId::new(1), &members, quorums, Config::lan(), 1);
    /// assert!(new(Quorums::flexible(3, 3, 1)?).is_ok());
    /// assert_eq!(new(Quorums::majority(4)), Err(ConfigError::Quorums));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        id: NodeId,
        members: &[Member],
        quorums: Quorums,
        config: Config,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let members = members.iter().copied();
        Ok(Self { roles: AllRoles::new(id, members, quorums, config, seed)? })
    }

    /// This node is one of a new instance: it has promised nothing, and used no ballot yet. To be called once in the life of a node, by
    /// whoever sets it up; a node that has no record of it neither proposes nor votes, because its disk may have been erased. It learns.
    ///
    /// ```
    /// # use quorate_core::{Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Inline, Member, synod::{Config, Record, Synod}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Synod::<Inline<3, 8>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), 1)?;
    /// assert!(!node.status().founded);
    /// node.found();
    /// assert!(matches!(node.poll(), Some(Output::Persist(_, Record::Founded))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self) {
        self.roles.base.found();
    }

    /// Proposes a value. What is chosen, [`Event::Decided`] tells: this value, or another.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// # use quorate_paxos::{Inline, Member, ProposeError, synod::{Config, Phase, Synod}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Synod::<Inline<3, 8>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), 1)?;
    /// assert_eq!(node.propose(Instant::ZERO, b"x"), Err(ProposeError::NotFounded));
    /// node.found();
    /// node.propose(Instant::ZERO, b"x")?;
    /// assert_eq!(node.status().phase, Phase::Preparing);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn propose(&mut self, now: Instant, value: &[u8]) -> Result<(), ProposeError> {
        self.roles.want(now, value)?;
        self.roles.begin_if_idle();
        self.advance();
        Ok(())
    }

    /// Asks what was chosen, now and every [`learn_us`](Config::learn_us) until it knows, less and less often; and finishes what others
    /// have begun, if that does not tell. If nothing was proposed, there is nothing to learn, and it goes on: the interval doubles with
    /// every four questions, up to 64 times, and after each four of them every node writes a promise.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Inline, Member, synod::{Config, Message, Synod}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Synod::<Inline<3, 8>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), 1)?;
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
    /// # use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// # use quorate_paxos::{Inline, Member, synod::{Config, Message, Synod}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Synod::<Inline<3, 8>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), 1)?;
    /// node.receive(Instant::ZERO, NodeId::new(2), Message::Decided { value: b"x" })?;
    /// assert_eq!(node.decided(), Some(&b"x"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decided(&self) -> Option<&[u8]> {
        self.roles.learner.decided()
    }

    /// What the roles of this node say to each other, which takes no messages.
    fn advance(&mut self) {
        let AllRoles { base, acceptor, proposer, .. } = &mut self.roles;
        let me = base.group.me();
        proposer.see(acceptor.promised().round);
        let is_open = base.founded && !proposer.has_answered(me);
        if is_open && proposer.phase() == Phase::Preparing {
            acceptor.prepare(proposer.ballot());
        }
        if is_open && proposer.phase() == Phase::Accepting {
            // its own value fits, and it has one for each ballot
            if acceptor.accept(proposer.proposal()) == Ok(true) {
                acceptor.owe_learners(base, me);
            }
        }
        if acceptor.is_durable(base.durable) {
            self.answer_self();
        }
        let AllRoles { base, acceptor, proposer, learner } = &mut self.roles;
        proposer.conclude(base, learner);
        if !acceptor.promised().is_zero() {
            learner.ask_later(base); // something was begun
        }
    }

    /// This node's acceptor answers its proposer, and tells its learner.
    fn answer_self(&mut self) {
        let AllRoles { base, acceptor, proposer, learner } = &mut self.roles;
        let (me, id) = (base.group.me(), base.group.my_id());
        let Base { group, config, now, .. } = &*base;
        let ballot = proposer.ballot();
        let promised = acceptor.promised();
        // an acceptor of its own says what other acceptors say, and that is not refused; its vote first, as it may have promised more since
        if let Some(vote) = acceptor.vote() {
            let _ = learner.on_accepted(me, vote, group);
            proposer.on_accepted(base, id, vote.ballot);
        }
        if !proposer.has_answered(me) && promised > ballot {
            proposer.on_preempted(*now, me, (ballot, promised), (group, config));
        } else if proposer.phase() == Phase::Preparing && promised == ballot {
            let promise = (ballot, acceptor.vote());
            if !proposer.has_answered(me) {
                let _ = proposer.on_promise(*now, me, promise, (group, config));
            }
            // a quorum of one: phase 2 begins at once
            if proposer.phase() == Phase::Accepting {
                let _ =
                    acceptor.accept(proposer.proposal()).map(|_| acceptor.owe_learners(base, me));
            }
        }
    }
}

impl<S: Storage> Machine for Synod<S> {
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
        let AllRoles { base, acceptor, proposer, learner } = &mut self.roles;
        let seen = proposer.seen(); // of its acceptor as well
        let result = match message {
            Message::Prepare { .. } | Message::Accept { .. } | Message::Learn => {
                acceptor.handle(base, from, (&message, seen))
            }
            Message::Promise { .. } | Message::Preempted { .. } => {
                proposer.handle(base, from, &message)
            }
            Message::Accepted { vote } => learner
                .handle(base, from, &message)
                .map(|()| proposer.on_accepted(base, from, vote.ballot)),
            Message::Decided { .. } => learner.handle(base, from, &message),
            Message::Propose { .. } => {
                base.sender(from, Roles::default()).and(Err(Rejected::Impossible))
            }
        };
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

    // what was proposed and decided cannot contradict itself here: there is nothing to stop for
}

const _: () = assert!(Ballot::MAX_AHEAD < Ballot::MAX_ROUND);
