use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};
use quorate_paxos::fast::FastPaxos;
use quorate_paxos::synod::{
    Acceptor, Event, Learner, Message, Phase, Proposer, Record, Status, Synod,
};
use quorate_paxos::{Ballot, ConfigError, ProposeError, Roles, Storage};

use crate::Setup;

/// The machine of a node, whatever its roles are.
#[derive(Clone, PartialEq, Debug)]
pub struct Node<S: Storage> {
    /// The machine.
    pub role: Role<S>,
    /// It neither hears nor says anything, as if it was down: while only a quorum is healed.
    pub is_muted: bool,
    /// The last time that the machine was told: a ticket comes without one.
    pub(crate) told_at: Instant,
    /// From whom it heard votes in its last ballot, while it asked for them.
    pub(crate) voters: Vec<(Ballot, NodeId)>,
    /// It has proposed, or heard a vote, in this life; or its disk says that its proposer has used rounds.
    took_part: bool,
    /// Its driver ticks it at its deadline alone, and not at its start.
    pub(crate) is_lazy: bool,
}

/// The machine.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, clippy::large_enum_variant)]
pub enum Role<S: Storage> {
    Synod(Synod<S>),
    Proposer(Proposer<S>),
    Acceptor(Acceptor<S>),
    Learner(Learner<S>),
    Fast(FastPaxos<S>),
}

macro_rules! each {
    ($role:expr, $machine:ident => $result:expr) => {
        match $role {
            Role::Synod($machine) => $result,
            Role::Proposer($machine) => $result,
            Role::Acceptor($machine) => $result,
            Role::Learner($machine) => $result,
            Role::Fast($machine) => $result,
        }
    };
}

impl<S: Storage> Node<S> {
    /// A node, from 0, without a past.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn new(setup: &Setup, node: usize, seed: u64) -> Result<Self, ConfigError> {
        let id = NodeId::new(node as u64 + 1);
        let Setup { members, quorums, config, .. } = setup;
        let roles = members.get(node).map_or(Roles::ALL, |member| member.roles);
        let role = if let Some(quorums) = setup.fast {
            let ids: Vec<NodeId> = members.iter().map(|member| member.id).collect();
            Role::Fast(FastPaxos::new(id, &ids, quorums, *config, seed)?)
        } else if roles == Roles::ALL {
            Role::Synod(Synod::new(id, members, *quorums, *config, seed)?)
        } else if roles == Roles::ACCEPTOR {
            Role::Acceptor(Acceptor::new(id, members, *quorums, *config)?)
        } else if roles == Roles::LEARNER {
            Role::Learner(Learner::new(id, members, *quorums, *config)?)
        } else {
            Role::Proposer(Proposer::new(id, members, *quorums, *config, seed)?)
        };
        Ok(Self {
            role,
            is_muted: false,
            told_at: Instant::ZERO,
            voters: Vec::new(),
            took_part: false,
            is_lazy: false,
        })
    }

    /// It is set up.
    pub fn found(&mut self) {
        match &mut self.role {
            Role::Synod(machine) => machine.found(),
            Role::Proposer(machine) => machine.found(),
            Role::Acceptor(machine) => machine.found(),
            Role::Learner(_) => {}
            Role::Fast(machine) => machine.found(),
        }
    }

    /// Proposes a value, if it has a proposer.
    pub fn propose(&mut self, now: Instant, value: &[u8]) -> Option<Result<(), ProposeError>> {
        let result = match &mut self.role {
            Role::Synod(machine) => machine.propose(now, value),
            Role::Proposer(machine) => machine.propose(now, value),
            Role::Fast(machine) => machine.propose(now, value),
            Role::Acceptor(_) | Role::Learner(_) => return None,
        };
        if result.is_ok() {
            self.took_part = true;
            self.told_at = self.told_at.max(now);
        }
        Some(result)
    }

    /// Asks what was chosen, if it has a learner that asks.
    pub fn learn(&mut self, now: Instant) {
        self.told_at = self.told_at.max(now);
        match &mut self.role {
            Role::Synod(machine) => machine.learn(now),
            Role::Learner(machine) => machine.learn(now),
            Role::Fast(machine) => machine.learn(now),
            Role::Proposer(_) | Role::Acceptor(_) => {}
        }
    }

    /// Whether it has promised, voted, proposed or heard a vote: then it must come to know what was chosen, if that is possible.
    #[must_use]
    pub fn took_part(&self) -> bool {
        self.took_part || !self.status().promised.is_zero()
    }

    /// Whether it ends what was begun by itself: it proposes, and has used a ballot or voted or promised.
    pub(crate) fn may_finish(&self) -> bool {
        let has_proposer = !matches!(self.role, Role::Acceptor(_) | Role::Learner(_));
        has_proposer && self.status().founded && self.took_part()
    }

    /// What it knows.
    pub fn decided(&self) -> Option<&[u8]> {
        match &self.role {
            Role::Synod(machine) => machine.decided(),
            Role::Proposer(machine) => machine.decided(),
            Role::Acceptor(_) => None,
            Role::Learner(machine) => machine.decided(),
            Role::Fast(machine) => machine.decided(),
        }
    }
}

fn convert<'a, F, T>(output: Output<'a, F>) -> Output<'a, T>
where
    F: Machine<Message<'a> = Message<'a>, Record<'a> = Record<'a>, Event<'a> = Event<'a>>,
    T: Machine<Message<'a> = Message<'a>, Record<'a> = Record<'a>, Event<'a> = Event<'a>>,
{
    match output {
        Output::Persist(ticket, record) => Output::Persist(ticket, record),
        Output::Send(to, message) => Output::Send(to, message),
        Output::Event(event) => Output::Event(event),
    }
}

impl<S: Storage> Machine for Node<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.took_part |= matches!(record, Record::Rounds { .. });
        each!(&mut self.role, machine => machine.restore(record))
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        if self.is_muted {
            return Ok(());
        }
        self.told_at = self.told_at.max(now);
        let result = each!(&mut self.role, machine => machine.receive(now, from, message));
        let status = self.status();
        self.took_part |= result.is_ok() && matches!(message, Message::Accepted { .. });
        self.voters.retain(|(ballot, _)| *ballot == status.ballot);
        if let (Ok(()), Message::Accepted { vote }) = (result, message)
            && vote.ballot == status.ballot
            && status.phase == Phase::Accepting
        {
            self.voters.push((vote.ballot, from));
        }
        result
    }

    fn tick(&mut self, now: Instant) {
        let is_due = !self.is_lazy || self.deadline().is_some_and(|at| at <= now);
        if is_due && !self.is_muted {
            self.told_at = self.told_at.max(now);
            each!(&mut self.role, machine => machine.tick(now));
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        each!(&mut self.role, machine => machine.persisted(ticket));
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if self.is_muted {
            return None;
        }
        each!(&mut self.role, machine => machine.poll().map(convert))
    }

    fn deadline(&self) -> Option<Instant> {
        each!(&self.role, machine => machine.deadline()).filter(|_| !self.is_muted)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let records: Vec<Record<'_>> = each!(&self.role, machine => machine.checkpoint().collect());
        records.into_iter()
    }

    fn status(&self) -> Status {
        each!(&self.role, machine => machine.status())
    }

    fn rejections(&self) -> Rejections {
        each!(&self.role, machine => machine.rejections())
    }

    fn max_message_len(&self) -> Option<usize> {
        each!(&self.role, machine => machine.max_message_len())
    }

    fn max_record_len(&self) -> Option<usize> {
        each!(&self.role, machine => machine.max_record_len())
    }
}
