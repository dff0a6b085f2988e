use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use quorate_core::{Instant, Machine, NodeId, Rejected, Wire, majority};
use quorate_raft::{Change, Config, Index, Inline, Members as FoundedBy, Raft, Record, Role, Term};
use quorate_sim::model::{Modelled, Node};

use super::configs::{Config as Members, Configs};
use super::shadow::{Shadow, hashes};

/// Raft nodes for the model checker, on a small inline storage.
///
/// Clocks and timeouts are part of a node's state, as it was made: two nodes that differ in these alone count as different. That
/// explores some states twice, and none too few.
#[derive(Clone, Debug)]
pub struct ModelledRaft {
    /// How many.
    pub nodes: usize,
    /// How they behave.
    pub config: Config,
    /// The requests that a leader may get, each any number of times.
    pub requests: &'static [Request],
    /// How long the nodes may take to find a leader and be level once faults have stopped, in µs; 0
    /// skips that check.
    pub max_healing_us: u64,
}

/// A request to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// A command for the log.
    Propose(&'static [u8]),
    /// A change of the members.
    Change(&'static [Change]),
}

/// The machine that is checked.
pub type SmallRaft = Raft<Inline<3, 256, 8, 16>>;

/// Who led which term, and what is committed: by index from 1, the term and a hash.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Observed {
    leaders: BTreeMap<Term, usize>,
    committed: Vec<(Term, u64)>,
}

impl ModelledRaft {
    fn id(node: usize) -> NodeId {
        NodeId::new(node as u64 + 1)
    }

    fn changes(&self) -> bool {
        self.requests.iter().any(|request| matches!(request, Request::Change(_)))
    }
}

impl Modelled for ModelledRaft {
    type Machine = SmallRaft;
    type Command = Request;
    type Memory = Observed;

    fn nodes(&self) -> usize {
        self.nodes
    }

    fn boot(&self, node: usize) -> Result<SmallRaft, String> {
        let voters: Vec<NodeId> = (0..self.nodes).map(Self::id).collect();
        let mut raft = Raft::new(Self::id(node), &voters, self.config.clone(), node as u64)
            .map_err(|e| e.to_string())?;
        // not its first start: the order in which the founders get to the disks is no concern of the states that are searched
        let list: Vec<u8> = raft.members().bytes().to_vec();
        let voters = FoundedBy::decode(&list).map_err(|e| e.to_string())?;
        raft.restore(Record::Founders { voters }).map_err(|e| e.to_string())?;
        Ok(raft)
    }

    fn commands(&self, _node: usize, machine: &SmallRaft) -> Vec<Request> {
        let leads = machine.status().role == Role::Leader;
        self.requests.iter().filter(|_| leads).copied().collect()
    }

    fn command(&self, machine: &mut SmallRaft, _now: Instant, request: &Request) {
        let _ = match request {
            Request::Propose(command) => machine.propose(command).is_ok(),
            Request::Change(changes) => machine.change(changes).is_ok(),
        };
    }

    fn may_reject(&self, reason: Rejected) -> bool {
        // an answer to a node that was removed meanwhile, or of one
        reason == Rejected::UnknownSender && self.changes()
    }

    fn hash_state<H: Hasher>(&self, machine: &SmallRaft, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn check(&self, observed: &mut Observed, nodes: &[Node<Self>]) -> Result<(), String> {
        let mut disks = None;
        for (at, node) in nodes.iter().enumerate() {
            let Some(machine) = &node.machine else { continue };
            let status = machine.status();
            if let Some(reason) = status.fatal {
                return Err(format!("node {} stopped: {reason}", at + 1));
            }
            if status.role == Role::Leader {
                let first = *observed.leaders.entry(status.term).or_insert(at);
                if first != at {
                    let (a, b, term) = (first + 1, at + 1, status.term);
                    return Err(format!("election safety: {a} and {b} both lead term {term}"));
                }
            }
            for (index, term, hash) in hashes(machine.entries(status.first)) {
                if index <= status.commit {
                    observed.commit(at, index, (term, hash), nodes, &mut disks)?;
                }
            }
        }
        Ok(())
    }

    fn healed(&self, nodes: &[Node<Self>]) -> Result<(), String> {
        let live: Vec<_> =
            nodes.iter().filter_map(|n| Some(n.machine.as_ref()?.status())).collect();
        if live.len() < majority(nodes.len()) {
            return Ok(());
        }
        let leader = live.iter().filter(|s| s.role == Role::Leader).max_by_key(|s| s.term);
        let Some(leader) = leader else { return Err(format!("nobody leads: {live:?}")) };
        let level = |s: &quorate_raft::Status| s.applied == leader.last && s.term == leader.term;
        if live.iter().all(level) { Ok(()) } else { Err(format!("not level: {live:?}")) }
    }

    fn max_healing_us(&self) -> u64 {
        self.max_healing_us
    }
}

impl Observed {
    /// A node has committed an entry: everybody has the same there, and it is on a majority of disks the first time.
    fn commit(
        &mut self,
        at: usize,
        index: Index,
        entry: (Term, u64),
        nodes: &[Node<ModelledRaft>],
        disks: &mut Option<Vec<Shadow>>,
    ) -> Result<(), String> {
        match self.committed.get(index as usize - 1) {
            Some(known) if *known == entry => return Ok(()),
            Some(known) => {
                let node = at + 1;
                return Err(format!(
                    "node {node} commits {entry:?} at {index} where {known:?} was committed"
                ));
            }
            None => {}
        }
        let disks =
            disks.get_or_insert_with(|| nodes.iter().map(|node| read(&node.disk)).collect());
        let durable = disks.iter().filter(|disk| disk.has(index, entry)).count();
        if !members(&nodes[at], nodes.len()).has_quorum(|node| disks[node].has(index, entry)) {
            return Err(format!("node {} commits {index}, which is on {durable} disks", at + 1));
        }
        self.committed.push(entry);
        Ok(())
    }
}

/// The members that decide, as the log of a node has it: the last configuration, committed or not.
fn members(node: &Node<ModelledRaft>, founders: usize) -> Members {
    let mut configs = Configs::default();
    if let Some(machine) = &node.machine {
        let run = machine.entries(1);
        configs.append(1, run.bytes());
    }
    configs
        .last(Index::MAX)
        .map_or_else(|| Members::of_founders(founders), |(_, last)| last.clone())
}

/// What a disk holds, read without the machine's help.
fn read(disk: &[Vec<u8>]) -> Shadow {
    let mut shadow = Shadow::default();
    for record in disk {
        if let Ok(record) = Record::from_slice(record) {
            shadow.apply(record);
        }
    }
    shadow
}
