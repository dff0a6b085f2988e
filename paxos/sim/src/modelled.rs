//! The machines in the model checker, checked against the abstract algorithm.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};

use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Quorums, Rejected, Rejections, Ticket, Wire,
};
use quorate_paxos::synod::{
    Acceptor, Config, Event, Learning, Message, Proposer, Record, Status, Synod, Vote,
};
use quorate_paxos::{Ballot, Inline, Member, Roles};
use quorate_sim::model::{self, Modelled};

use crate::abstract_paxos::{Rules, Said, State};

type Memory = Inline<5, 1>;

/// Nodes of one decision, each of whose steps must be none or one of the abstract algorithm for each role that took one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelledSynod {
    /// The nodes.
    pub roles: Layout,
    /// The size of a quorum of phase 1.
    pub one: u8,
    /// The size of a quorum of phase 2.
    pub two: u8,
    /// How many of the proposers propose: each a value of its own, once, and again after a restart.
    pub proposing: usize,
}

/// Which node does what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// So many nodes with all roles.
    Together(usize),
    /// So many acceptors; and two proposers, which learn.
    Apart(usize),
}

impl ModelledSynod {
    const fn acceptors(&self) -> usize {
        match self.roles {
            Layout::Together(n) | Layout::Apart(n) => n,
        }
    }

    fn rules(&self) -> Rules {
        Rules {
            acceptors: self.acceptors(),
            one: self.one.into(),
            two: self.two.into(),
            hears_of_votes: false,
        }
    }

    fn members(&self) -> Vec<Member> {
        let member = |at: usize| Member::new(NodeId::new(at as u64 + 1));
        match self.roles {
            Layout::Together(n) => (0..n).map(member).collect(),
            Layout::Apart(n) => {
                let roles = |at| if at < n { Roles::ACCEPTOR } else { Roles::PROPOSER };
                (0..n + 2).map(|at| member(at).with_roles(roles(at))).collect()
            }
        }
    }

    fn machine(&self, node: usize) -> Result<One, String> {
        let (id, members) = (NodeId::new(node as u64 + 1), self.members());
        let n = self.acceptors() as u8;
        let quorums = Quorums::flexible(n, self.one, self.two).map_err(|e| e.to_string())?;
        let config = Config { learning: Learning::Proposer, ..Config::lan() };
        Ok(match self.roles {
            Layout::Together(_) => {
                One::Synod(Synod::new(id, &members, quorums, config, 1).map_err(|e| e.to_string())?)
            }
            Layout::Apart(n) if node < n => One::Acceptor(
                Acceptor::new(id, &members, quorums, config).map_err(|e| e.to_string())?,
            ),
            Layout::Apart(_) => One::Proposer(
                Proposer::new(id, &members, quorums, config, 1).map_err(|e| e.to_string())?,
            ),
        })
    }
}

/// A machine of any role.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, PartialEq, Hash, Debug)]
enum One {
    /// All roles.
    Synod(Synod<Memory>),
    /// An acceptor.
    Acceptor(Acceptor<Memory>),
    /// A proposer.
    Proposer(Proposer<Memory>),
}

macro_rules! each {
    ($self:expr, $one:ident => $what:expr) => {
        match $self {
            One::Synod($one) => $what,
            One::Acceptor($one) => $what,
            One::Proposer($one) => $what,
        }
    };
}

/// A message that left a node.
type Sent = Said<Ballot, u8>;

/// A node, and what it has said since it was looked at.
#[derive(Clone, PartialEq, Hash, Debug)]
#[allow(unnameable_types)] // of the model
pub struct Watched {
    at: usize,
    machine: One,
    sent: BTreeSet<Sent>,
    has_proposed: bool,
}

impl Machine for Watched {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        each!(&mut self.machine, one => one.restore(record))
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        each!(&mut self.machine, one => one.receive(now, from, message))
    }

    fn tick(&mut self, now: Instant) {
        each!(&mut self.machine, one => one.tick(now));
    }

    fn persisted(&mut self, ticket: Ticket) {
        each!(&mut self.machine, one => one.persisted(ticket));
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let Self { at, machine, sent, .. } = self;
        let mut of = |output| {
            if let Output::<'_, Synod<Memory>>::Send(_, message) = &output {
                sent.extend(said(*at, message));
            }
            match output {
                Output::Persist(ticket, record) => Output::<'_, Self>::Persist(ticket, record),
                Output::Send(to, message) => Output::Send(to, message),
                Output::Event(event) => Output::Event(event),
            }
        };
        match machine {
            One::Synod(one) => one.poll().map(&mut of),
            One::Acceptor(one) => one.poll().map(same).map(&mut of),
            One::Proposer(one) => one.poll().map(same).map(&mut of),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        each!(&self.machine, one => one.deadline())
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let all: Vec<Record<'_>> = each!(&self.machine, one => one.checkpoint().collect());
        all.into_iter()
    }

    fn status(&self) -> Status {
        each!(&self.machine, one => one.status())
    }

    fn rejections(&self) -> Rejections {
        each!(&self.machine, one => one.rejections())
    }
}

/// The same output, of a machine of another role.
fn same<'a, M>(output: Output<'a, M>) -> Output<'a, Synod<Memory>>
where
    M: Machine<Message<'a> = Message<'a>, Record<'a> = Record<'a>, Event<'a> = Event<'a>>,
{
    match output {
        Output::Persist(ticket, record) => Output::Persist(ticket, record),
        Output::Send(to, message) => Output::Send(to, message),
        Output::Event(event) => Output::Event(event),
    }
}

fn value(vote: &Vote<'_>) -> (Ballot, u8) {
    (vote.ballot, vote.value.first().copied().unwrap_or(0))
}

/// What a message says in the abstract algorithm; the others say nothing there.
fn said(at: usize, message: &Message<'_>) -> Option<Sent> {
    Some(match message {
        Message::Prepare { ballot } => Said::OneA(*ballot),
        Message::Promise { ballot, vote } => Said::OneB(at, *ballot, vote.as_ref().map(value)),
        Message::Accept { vote } => {
            let (ballot, value) = value(vote);
            Said::TwoA(ballot, value)
        }
        Message::Accepted { vote } => {
            let (ballot, value) = value(vote);
            Said::TwoB(at, ballot, value)
        }
        _ => return None,
    })
}

/// The abstract state, and how much of each disk it has.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
#[allow(unnameable_types)] // of the model
pub struct Mapped {
    state: Option<State<Ballot, u8>>,
    disks: Vec<usize>,
}

impl Modelled for ModelledSynod {
    type Machine = Watched;
    type Command = ();
    type Memory = Mapped;

    fn nodes(&self) -> usize {
        self.members().len()
    }

    fn boot(&self, node: usize) -> Result<Watched, String> {
        let machine = self.machine(node)?;
        Ok(Watched { at: node, machine, sent: BTreeSet::new(), has_proposed: false })
    }

    /// They were founded before.
    fn initial_disk(&self, _node: usize) -> Vec<Vec<u8>> {
        let mut bytes = [0; 8];
        Record::Founded.to_slice(&mut bytes).map(<[u8]>::to_vec).into_iter().collect()
    }

    fn commands(&self, node: usize, machine: &Watched) -> Vec<()> {
        let first = match self.roles {
            Layout::Together(_) => 0,
            Layout::Apart(n) => n,
        };
        let may = (first..first + self.proposing).contains(&node) && !machine.has_proposed;
        may.then_some(()).into_iter().collect()
    }

    fn command(&self, machine: &mut Watched, now: Instant, (): &()) {
        machine.has_proposed = true;
        let value = [machine.at as u8];
        let _ = match &mut machine.machine {
            One::Synod(one) => one.propose(now, &value),
            One::Proposer(one) => one.propose(now, &value),
            _ => Ok(()),
        };
    }

    fn hash_state<H: Hasher>(&self, machine: &Watched, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn check(&self, memory: &mut Mapped, nodes: &[model::Node<Self>]) -> Result<(), String> {
        let rules = self.rules();
        memory.disks.resize(nodes.len(), 1);
        let mut sent = Vec::new();
        // what was prepared, what was proposed, and the records of each node
        let mut lists = vec![VecDeque::new(); 2 + nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            let state = memory.state.as_ref();
            let mut last = state.filter(|_| at < rules.acceptors).and_then(|state| state.vote(at));
            for record in node.disk.iter().skip(memory.disks[at]) {
                match Record::from_slice(record).map_err(|e| e.to_string())? {
                    Record::Promised { ballot } => {
                        if ballot.node.get() == at as u64 + 1 {
                            lists[0].push_back(Said::OneA(ballot)); // on disk before it is sent
                        }
                        lists[2 + at].push_back(Said::OneB(at, ballot, last));
                    }
                    Record::Accepted { vote } => {
                        let (ballot, value) = value(&vote);
                        last = Some((ballot, value));
                        lists[2 + at].push_back(Said::TwoB(at, ballot, value));
                    }
                    _ => {}
                }
            }
            memory.disks[at] = node.disk.len();
            let Some(machine) = &node.machine else { continue };
            for what in &machine.sent {
                let is_known = memory.state.as_ref().is_some_and(|state| state.has_said(*what));
                match what {
                    Said::OneA(_) if !is_known => lists[0].push_back(*what),
                    Said::TwoA(..) if !is_known => lists[1].push_back(*what),
                    Said::OneA(_) | Said::TwoA(..) => {}
                    _ => sent.push(*what),
                }
            }
        }
        let state = memory.state.get_or_insert_with(|| State::new(&rules));
        state.take(lists, &rules)?;
        match sent.into_iter().find(|what| !state.has_said(*what)) {
            Some(what) => Err(format!("{what:?} was sent, and is on no disk")),
            None => Ok(()),
        }
    }
}
