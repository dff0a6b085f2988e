//! Multi-Paxos in the model checker, checked slot by slot against the abstract algorithm.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use quorate_core::{
    Corrupt, Fatal, Instant, Machine, NodeId, Output, Quorums, Rejected, Rejections, Ticket, Wire,
};
use quorate_paxos::Member;
use quorate_paxos::multi::{Config, Event, Inline, Message, MultiPaxos, Record, Role, Status};
use quorate_sim::model::{self, Modelled};

use super::parse::{self, Ballot, NONE, Run, Said, Slot, Written};
use crate::abstract_paxos::{Rules, Said as Step, State};

type Node = MultiPaxos<Inline<5, 512, 8, 32>>;

/// Slots that are looked at. A machine that uses more is a violation, as it would not be checked.
const SLOTS: usize = 4;

/// A log, each of whose slots must be one decision of the abstract algorithm: every step of a machine is none or one step for each slot.
///
/// A prepare or a promise is for all slots at once, and an accept for those that it has entries for. Exploration begins when all nodes have heard
/// each other, and each is about to become a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelledMulti {
    /// Nodes, which all vote.
    pub nodes: u8,
    /// The size of a quorum of phase 1.
    pub one: u8,
    /// The size of a quorum of phase 2.
    pub two: u8,
    /// Commands that each leader proposes at most.
    pub proposals: u8,
}

impl ModelledMulti {
    /// With this one, the next deadline of each node makes it a candidate.
    const SEED: u64 = 2;
    const CONFIG: Config = Config {
        heartbeat_us: 75_000,
        max_accept_bytes: 64,
        max_inflight_entries: 4,
        max_inflight_bytes: 64,
        max_entry_bytes: 8,
        max_uncommitted_bytes: 32,
        max_chunk_bytes: 32,
        max_log_bytes: 256,
        ..Config::lan()
    };

    fn rules(&self) -> Rules {
        Rules {
            acceptors: self.nodes.into(),
            one: self.one.into(),
            two: self.two.into(),
            hears_of_votes: true,
        }
    }
}

/// A node, and what it has said since its last input.
#[derive(Clone, PartialEq, Debug)]
#[allow(unnameable_types)] // of the model
pub struct Watched {
    at: usize,
    machine: Node,
    said: Vec<Said>,
    unreadable: Option<String>,
    proposed: u8,
}

impl Machine for Watched {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.machine.restore(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.said.clear();
        self.machine.receive(now, from, message)
    }

    fn tick(&mut self, now: Instant) {
        self.said.clear();
        self.machine.tick(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.machine.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        Some(match self.machine.poll()? {
            Output::Persist(ticket, record) => Output::Persist(ticket, record),
            Output::Send(to, message) => {
                match encode(&message).and_then(|bytes| parse::message(&bytes)) {
                    Ok(said) if !self.said.contains(&said) => self.said.push(said),
                    Ok(_) => {}
                    Err(why) => self.unreadable = Some(why),
                }
                Output::Send(to, message)
            }
            Output::Event(event) => Output::Event(event),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.machine.checkpoint()
    }

    fn status(&self) -> Status {
        self.machine.status()
    }

    fn rejections(&self) -> Rejections {
        self.machine.rejections()
    }

    fn fatal(&self) -> Option<Fatal> {
        self.machine.fatal()
    }
}

fn encode<'a, T: Wire<'a>>(what: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; what.encoded_len()];
    what.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// The decisions of all slots, and what of the machines is reflected in them.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
#[allow(unnameable_types)] // of the model
pub struct Mapped {
    slots: Vec<State<Ballot, u64>>,
    acceptors: Vec<Acceptor>,
    /// What applications were given in this step.
    committed: Vec<(Slot, u64)>,
}

/// What is on the disk of a node.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
struct Acceptor {
    /// Records that were read.
    records: usize,
    promised: Ballot,
    /// Of each slot the vote that a candidate would be told of: the node's own, or another one's of which it has heard.
    tells: Vec<Option<(Ballot, u64)>>,
}

/// Steps of one slot, in lists of which each keeps its order: those that prepare, those that propose, and those of each acceptor.
type Steps = Vec<VecDeque<Step<Ballot, u64>>>;

impl Mapped {
    /// Reads what is new on a disk.
    fn read(&mut self, at: usize, disk: &[Vec<u8>], steps: &mut [Steps]) -> Result<(), String> {
        let acceptor = self.acceptors.get_mut(at).ok_or("no such node")?;
        for record in disk.iter().skip(acceptor.records) {
            match parse::record(record)? {
                Written::Promised(ballot) => {
                    acceptor.promised = acceptor.promised.max(ballot);
                    for (slot, (steps, vote)) in steps.iter_mut().zip(&acceptor.tells).enumerate() {
                        if ballot.1 == at as u64 + 1 {
                            steps[0].push_back(Step::OneA(ballot)); // on disk before it is sent
                        }
                        let has_voted = self.slots[slot].vote(at).is_some_and(|v| v.0 == ballot);
                        if !has_voted {
                            steps[2 + at].push_back(Step::OneB(at, ballot, *vote));
                        }
                    }
                }
                Written::Accepted { votes, .. } => {
                    for (slot, ballot, entry) in votes {
                        let place = place(slot)?;
                        if ballot == NONE {
                            continue; // a hole, or chosen
                        }
                        acceptor.tells[place] = Some((ballot, entry.digest));
                        if ballot < acceptor.promised {
                            continue; // what another has voted for
                        }
                        acceptor.promised = ballot;
                        if ballot.1 == at as u64 + 1 {
                            steps[place][1].push_back(Step::TwoA(ballot, entry.digest));
                        }
                        steps[place][2 + at].push_back(Step::TwoB(at, ballot, entry.digest));
                    }
                }
                Written::Founded => {}
                other => return Err(format!("not modelled: {other:?}")),
            }
        }
        acceptor.records = disk.len();
        Ok(())
    }

    /// What a message claims must be so.
    fn check(&self, at: usize, said: &Said, rules: &Rules) -> Result<(), String> {
        let is = |is: bool, what: &str| {
            if is { Ok(()) } else { Err(format!("node {} says {said:?}: {what}", at + 1)) }
        };
        let voted = |slot: Slot, ballot: Ballot| {
            let state = place(slot).ok().map(|place| &self.slots[place]);
            state.is_some_and(|state| state.vote(at).is_some_and(|vote| vote.0 == ballot))
        };
        let is_chosen = |slot: Slot| self.chosen(slot, rules).is_some();
        match said {
            Said::Heartbeat(says) => {
                let promised = self.acceptors[at].promised;
                is(says.promised <= promised, "it has not promised that")?;
                is((1..=says.commit).all(is_chosen), "not all of that is chosen")?;
                let votes = says.commit + 1..=says.through;
                let mut open = votes.filter(|slot| !is_chosen(*slot));
                is(open.all(|slot| voted(slot, says.promised)), "it has not voted for all of that")
            }
            Said::Prepare { ballot, .. } => {
                is(self.slots[0].has_said(Step::OneA(*ballot)), "it is on no disk")
            }
            Said::Promise { ballot, from, accepted, commit, run, .. } => {
                let told = |slot: Slot, vote: Option<(Ballot, u64)>| {
                    let state = place(slot).ok().map(|place| &self.slots[place]);
                    let promised = Step::OneB(at, *ballot, vote);
                    voted(slot, *ballot) || state.is_some_and(|state| state.has_said(promised))
                };
                for slot in (*from).max(commit + 1)..run.first {
                    is(told(slot, None), "it does not tell of a vote")?;
                }
                for (slot, entry) in run.iter() {
                    let is_so = match *accepted {
                        NONE => self.chosen(slot, rules) == Some(entry.digest),
                        accepted => told(slot, Some((accepted, entry.digest))),
                    };
                    is(is_so, "that is not its vote")?;
                }
                Ok(())
            }
            Said::Accepted { ballot, through } => {
                let mut open = (1..=*through).filter(|slot| !is_chosen(*slot));
                is(open.all(|slot| voted(slot, *ballot)), "it has not voted for all of that")
            }
            Said::Chosen { commit, run } => {
                is((1..=*commit).all(is_chosen), "not all of that is chosen")?;
                let mut entries = run.iter();
                let is_it = |(slot, entry): (Slot, parse::Entry)| {
                    self.chosen(slot, rules) == Some(entry.digest)
                };
                is(entries.all(is_it), "something else is chosen")
            }
            _ => Ok(()),
        }
    }

    fn chosen(&self, slot: Slot, rules: &Rules) -> Option<u64> {
        self.slots.get(place(slot).ok()?)?.chosen(rules).into_iter().next()
    }
}

/// Where a slot is in the list of them.
fn place(slot: Slot) -> Result<usize, String> {
    let place = usize::try_from(slot).unwrap_or(0).wrapping_sub(1);
    if place < SLOTS { Ok(place) } else { Err(format!("slot {slot} is not looked at")) }
}

impl Modelled for ModelledMulti {
    type Machine = Watched;
    type Command = ();
    type Memory = Mapped;

    fn nodes(&self) -> usize {
        self.nodes.into()
    }

    fn boot(&self, node: usize) -> Result<Watched, String> {
        let id = |at: usize| NodeId::new(at as u64 + 1);
        let members = (0..self.nodes()).map(|at| Member::new(id(at)));
        let quorums = Quorums::flexible(self.nodes, self.one, self.two);
        let quorums = quorums.map_err(|e| e.to_string())?;
        let machine = Node::new(id(node), members, quorums, Self::CONFIG, Self::SEED);
        let machine = machine.map_err(|e| e.to_string())?;
        Ok(Watched { at: node, machine, said: Vec::new(), unreadable: None, proposed: 0 })
    }

    /// They were founded before.
    fn initial_disk(&self, node: usize) -> Vec<Vec<u8>> {
        let mut machine = match self.boot(node) {
            Ok(watched) => watched.machine,
            Err(_) => return Vec::new(), // which is said when it boots
        };
        machine.found();
        let records: Vec<_> = machine.checkpoint().map(|record| encode(&record)).collect();
        records.into_iter().flatten().collect()
    }

    /// Two heartbeats, from which all know that links are good in both directions.
    fn warm_up_us(&self) -> u64 {
        Self::CONFIG.heartbeat_us
    }

    fn commands(&self, _node: usize, watched: &Watched) -> Vec<()> {
        let leads = watched.machine.status().role == Role::Leader;
        (leads && watched.proposed < self.proposals).then_some(()).into_iter().collect()
    }

    fn command(&self, watched: &mut Watched, _now: Instant, (): &()) {
        watched.said.clear();
        watched.proposed += 1;
        let _ = watched.machine.propose(&[watched.at as u8, watched.proposed]);
    }

    fn hash_state<H: Hasher>(&self, watched: &Watched, _now: Instant, state: &mut H) {
        // what it has said was checked by now
        (&watched.machine, watched.proposed).hash(state);
    }

    fn handle_event(
        &self,
        memory: &mut Mapped,
        node: usize,
        event: Event<'_>,
    ) -> Result<(), String> {
        match event {
            Event::Committed(entries) => {
                let first = entries.iter().next().map_or(0, |entry| entry.slot);
                let run = Run::read(first, entries.bytes())?;
                memory.committed.extend(run.iter().map(|(slot, entry)| (slot, entry.digest)));
                Ok(())
            }
            Event::Fatal(why) => Err(format!("node {} stops itself: {why}", node + 1)),
            _ => Ok(()),
        }
    }

    fn check(&self, memory: &mut Mapped, nodes: &[model::Node<Self>]) -> Result<(), String> {
        let rules = self.rules();
        memory.slots.resize_with(SLOTS, || State::new(&rules));
        let nothing = Acceptor { tells: vec![None; SLOTS], ..Acceptor::default() };
        memory.acceptors.resize(nodes.len(), nothing);
        let mut steps: Vec<Steps> = vec![vec![VecDeque::new(); 2 + nodes.len()]; SLOTS];
        for (at, node) in nodes.iter().enumerate() {
            memory.read(at, &node.disk, &mut steps)?;
            let Some(watched) = &node.machine else { continue };
            if let Some(why) = &watched.unreadable {
                return Err(why.clone());
            }
            for said in &watched.said {
                let Said::Accept { ballot, run, .. } = said else { continue };
                for (slot, entry) in run.iter() {
                    steps[place(slot)?][1].push_back(Step::TwoA(*ballot, entry.digest));
                }
            }
        }
        for (place, (state, lists)) in memory.slots.iter_mut().zip(steps).enumerate() {
            state.take(lists, &rules).map_err(|why| format!("slot {}: {why}", place + 1))?;
        }
        for (slot, digest) in std::mem::take(&mut memory.committed) {
            if memory.chosen(slot, &rules) != Some(digest) {
                return Err(format!("an application is given what is not chosen for slot {slot}"));
            }
        }
        for (at, watched) in nodes.iter().enumerate() {
            let Some(watched) = &watched.machine else { continue };
            let commit = watched.machine.status().commit;
            if let Some(open) = (1..=commit).find(|slot| memory.chosen(*slot, &rules).is_none()) {
                return Err(format!("node {} takes {open} for chosen, and it is not", at + 1));
            }
            for said in &watched.said {
                memory.check(at, said, &rules)?;
            }
        }
        Ok(())
    }
}
