use quorate_core::{
    InlineList, Instant, List as _, Machine as _, NodeId, Output, Quorums, Rng, Ticket, Wire,
};
use quorate_paxos::Member;
use quorate_paxos::synod::{Config, Event, Message, Record};

use crate::{MESSAGE, Node, Outcome, Problem, RECORD};

const NODES: usize = 3;
/// Messages on their way, at most.
const FLIGHTS: usize = 32;
/// Records of a node, at most; a disk that is full is written anew.
const RECORDS: usize = 16;
/// A duel is over by then, in µs.
const END_US: u64 = 60_000_000;
/// Nodes lose power so often, at most.
const RESTARTS: u32 = 4;

/// Three nodes, their disks, and what is between them.
pub(crate) struct World {
    seed: u64,
    rng: Rng,
    now: Instant,
    members: [Member; NODES],
    nodes: [Node; NODES],
    disks: [InlineList<Bytes<RECORD>, RECORDS>; NODES],
    flights: InlineList<Flight, FLIGHTS>,
    chosen: Option<u8>,
    /// Nodes that still know what they proposed.
    proposing: [bool; NODES],
    told: Outcome,
}

/// What was encoded.
type Bytes<const N: usize> = InlineList<u8, N>;

/// A message on its way.
#[derive(Clone, Default)]
struct Flight {
    at: Instant,
    from: usize,
    to: usize,
    bytes: Bytes<MESSAGE>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Result<Self, Problem> {
        let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
        let new = |at| node(&members, at, seed);
        let mut world = Self {
            seed,
            rng: Rng::new(seed),
            now: Instant::ZERO,
            members,
            nodes: [new(0)?, new(1)?, new(2)?],
            disks: Default::default(),
            flights: InlineList::default(),
            chosen: None,
            proposing: [true; NODES],
            told: Outcome {
                value: 0,
                round: 0,
                messages: 0,
                records: 0,
                restarts: 0,
                time_us: 0,
                digest: 0x811c_9dc5,
            },
        };
        for (value, node) in (0..).zip(&mut world.nodes) {
            node.found();
            node.propose(Instant::ZERO, &[value]).map_err(|_| Problem::Setup)?;
        }
        Ok(world)
    }

    pub(crate) fn run(mut self) -> Result<Outcome, Problem> {
        (0..NODES).try_for_each(|at| self.settle(at))?;
        while self.nodes.iter().any(|node| node.decided().is_none()) {
            let arrivals = self.flights.iter().map(|flight| flight.at);
            let deadlines = self.nodes.iter().filter_map(Node::deadline);
            let next = arrivals.chain(deadlines).min().ok_or(Problem::Unfinished)?;
            self.now = self.now.max(next);
            if self.now > Instant::ZERO.after(END_US) {
                return Err(Problem::Unfinished);
            }
            self.deliver()?;
            for at in 0..NODES {
                if let Some(node) = self.nodes.get_mut(at) {
                    node.tick(self.now);
                }
                self.settle(at)?;
            }
        }
        let rounds = self.nodes.iter().map(|node| node.status().promised.round);
        let value = self.chosen.ok_or(Problem::Unfinished)?;
        let time_us = self.now.as_micros();
        Ok(Outcome { value, round: rounds.max().unwrap_or(0), time_us, ..self.told })
    }

    /// What is due arrives, if its receiver can be reached.
    fn deliver(&mut self) -> Result<(), Problem> {
        while let Some(at) = self.flights.iter().position(|flight| flight.at <= self.now) {
            let Some(flight) = self.flights.remove(at) else { break };
            let message = Message::from_slice(&flight.bytes).map_err(|_| Problem::Refused)?;
            let Some(node) = self.nodes.get_mut(flight.to) else { continue };
            let from = self.members.get(flight.from).ok_or(Problem::Setup)?.id;
            node.receive(self.now, from, message).map_err(|_| Problem::Refused)?;
            self.settle(flight.to)?;
        }
        Ok(())
    }

    /// A node says and writes what it has to, and may lose power before that is acknowledged.
    fn settle(&mut self, at: usize) -> Result<(), Problem> {
        loop {
            let kept = self.disks.get(at).map_or(0, |disk| disk.len());
            let Some(ticket) = self.poll(at)? else { return Ok(()) };
            if self.told.restarts < RESTARTS && self.rng.chance(1, 12) {
                let is_lost = self.rng.chance(1, 2);
                if let Some(disk) = self.disks.get_mut(at).filter(|_| is_lost) {
                    disk.truncate(kept); // what was not acknowledged
                }
                self.restart(at)?;
                continue;
            }
            if let Some(node) = self.nodes.get_mut(at) {
                node.persisted(ticket);
            }
            self.compact(at)?;
        }
    }

    /// Writes a disk that fills up anew.
    fn compact(&mut self, at: usize) -> Result<(), Problem> {
        let (Some(node), Some(disk)) = (self.nodes.get(at), self.disks.get_mut(at)) else {
            return Ok(());
        };
        if disk.len() > RECORDS / 2 {
            disk.clear();
            for record in node.checkpoint() {
                let bytes = encode(&record, &mut self.told.digest)?;
                disk.push(bytes).map_err(|_| Problem::Room)?;
            }
        }
        Ok(())
    }

    /// Polls a node until it is quiet; returns the ticket of its last record.
    fn poll(&mut self, at: usize) -> Result<Option<Ticket>, Problem> {
        let Self { rng, now, members, nodes, disks, flights, chosen, told, .. } = self;
        let (Some(node), Some(disk)) = (nodes.get_mut(at), disks.get_mut(at)) else {
            return Ok(None);
        };
        let mut last = None;
        while let Some(output) = node.poll() {
            match output {
                Output::Persist(ticket, record) => {
                    last = Some(ticket);
                    told.records = told.records.saturating_add(1);
                    let bytes = encode(&record, &mut told.digest)?;
                    disk.push(bytes).map_err(|_| Problem::Room)?;
                }
                Output::Send(to, message) => {
                    told.messages = told.messages.saturating_add(1);
                    let bytes = encode(&message, &mut told.digest)?;
                    let to = members.iter().position(|member| member.id == to);
                    let to = to.ok_or(Problem::Setup)?;
                    let flight =
                        Flight { at: now.after(rng.range(1_000, 20_000)), from: at, to, bytes };
                    if !rng.chance(1, 8) {
                        flights.push(flight).map_err(|_| Problem::Room)?;
                    }
                }
                Output::Event(Event::Decided { value }) => {
                    let value = value.first().copied();
                    if chosen.is_some() && *chosen != value {
                        return Err(Problem::TwoValues);
                    }
                    *chosen = value;
                }
                Output::Event(_) => {}
            }
        }
        Ok(last)
    }

    /// A node loses power, and starts from its records. What it proposed is forgotten; it asks what was chosen.
    fn restart(&mut self, at: usize) -> Result<(), Problem> {
        self.told.restarts = self.told.restarts.saturating_add(1);
        let life = self.seed.wrapping_add(u64::from(self.told.restarts));
        let mut node = node(&self.members, at, life)?;
        for record in self.disks.get(at).into_iter().flat_map(|disk| disk.iter()) {
            let record = Record::from_slice(record).map_err(|_| Problem::Records)?;
            node.restore(record).map_err(|_| Problem::Records)?;
        }
        if !node.status().founded {
            node.found(); // setting it up is not over before that is on its disk
        }
        node.learn(self.now);
        if let Some(proposes) = self.proposing.get_mut(at) {
            *proposes = false;
        }
        if self.proposing == [false; NODES] {
            // all have forgotten, and perhaps nobody has voted: the last one proposes again
            let value = u8::try_from(at).map_err(|_| Problem::Setup)?;
            node.propose(self.now, &[value]).map_err(|_| Problem::Setup)?;
        }
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
        Ok(())
    }
}

fn node(members: &[Member; NODES], at: usize, seed: u64) -> Result<Node, Problem> {
    let id = members.get(at).ok_or(Problem::Setup)?.id;
    // each node has random numbers of its own
    let seed = seed.wrapping_mul(3).wrapping_add(id.get());
    Node::new(id, members, Quorums::majority(3), Config::lan(), seed).map_err(|_| Problem::Setup)
}

/// The bytes of a message or record, which the digest takes in (FNV-1a).
fn encode<'a, const N: usize>(
    value: &impl Wire<'a>,
    digest: &mut u32,
) -> Result<Bytes<N>, Problem> {
    let mut room = [0; N];
    let bytes = value.to_slice(&mut room).map_err(|_| Problem::Room)?;
    *digest =
        bytes.iter().fold(*digest, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut list = Bytes::default();
    list.extend_from_slice(bytes).map_err(|_| Problem::Room)?;
    Ok(list)
}
