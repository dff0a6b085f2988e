//! One node of registers against anything: what the fuzz target runs, and the tests replay.
//!
//! No input, however hostile, may panic a node, make it tell what its disk does not hold, take back a promise, use a ballot again, or take its
//! rounds far on; what it refuses changes nothing. And with honest peers that know its rounds it answers a request afterwards.

use std::collections::BTreeMap;

use quorate_core::{
    Declared, Hint, Instant, Machine, NodeId, Output, Quorums, Shown, Ticket, Wire,
};
use quorate_paxos::register::{
    Change, Config, Event, Inline, Message, Record, Register, Sizes, State, Step,
};
use quorate_paxos::{Ballot, Member};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

use super::disk::{self, Disk, owned, pair};
use super::{Update, settle_us};

const KEY: usize = 2;
const VALUE: usize = 8;

type Node = Register<Inline<5, 6, 3, KEY, VALUE>, Update>;

/// Decodes bytes as a message and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip::<Message<'_>>(data)?;
    check_round_trip::<Record<'_>>(data)
}

/// Gives a node of a group of three a list of inputs, then honest peers.
///
/// # Errors
///
/// What was violated.
pub fn inputs(data: &[u8]) -> Result<(), String> {
    outcomes(data).map(drop)
}

/// The same; what became of the messages.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<Outcomes, String> {
    let Some((&which, rest)) = data.split_first() else { return Ok(Outcomes::default()) };
    let mut node = NodeUnderTest::new(2)?;
    if which % 8 != 0 {
        node.node.found(0);
    }
    node.run(rest)
}

const CONFIG: Config = Config::lan();

fn fresh(id: u64, seed: u64) -> Result<Node, String> {
    let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    Node::new(NodeId::new(id), &members, Quorums::majority(3), CONFIG, Update, seed)
        .map_err(|e| e.to_string())
}

/// The node, its disk, and what it did.
struct NodeUnderTest {
    id: u64,
    node: Node,
    now: Instant,
    records: Vec<Vec<u8>>,
    disk: Disk,
    waiting: Option<(Ticket, Vec<Vec<u8>>)>,
    life: u64,
    /// The life in which each ballot was used for a key, and what was proposed in it.
    used: BTreeMap<(Vec<u8>, disk::Ballot), u64>,
    proposed: BTreeMap<(Vec<u8>, disk::Ballot), disk::Accepted>,
    answered: u64,
    sent: Vec<(NodeId, Vec<u8>)>,
    echo: Echo,
    outcomes: Outcomes,
}

/// More outputs than this at once are a storm.
const MAX_OUTPUTS: usize = 200;

/// One input may not take rounds further than this.
const MAX_JUMP: u64 = Ballot::MAX_AHEAD + 64;

/// What may be seen of a node.
type View = (String, Option<Instant>, Vec<Vec<u8>>);

impl NodeUnderTest {
    fn new(id: u64) -> Result<Self, String> {
        Ok(Self {
            id,
            node: fresh(id, id)?,
            now: Instant::ZERO,
            records: Vec::new(),
            disk: Disk::of(id),
            waiting: None,
            life: 0,
            used: BTreeMap::new(),
            proposed: BTreeMap::new(),
            answered: 0,
            sent: Vec::new(),
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        })
    }

    fn run(mut self, data: &[u8]) -> Result<Outcomes, String> {
        let mut input = Input::new(data);
        while let Some(what) = input.byte() {
            let before = self.node.status().round;
            self.step(what, &mut input)?;
            self.drain()?;
            self.sent.clear();
            let after = self.node.status().round;
            if after.saturating_sub(before) > MAX_JUMP {
                return Err(format!("its round went from {before} to {after}"));
            }
        }
        let outcomes = core::mem::take(&mut self.outcomes);
        self.check_answers()?;
        Ok(outcomes)
    }

    fn step(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        if what % 16 < 9 {
            return self.receive(what, input);
        }
        let argument = input.byte().unwrap_or(0);
        let key = &[b'k', argument % 3][..usize::from(argument % 4).min(2)];
        match what % 16 {
            9 | 10 => {
                self.now = self.now.after(u64::from(argument) * 2_000);
                self.node.tick(self.now);
            }
            11 => {
                let value = [argument; 9];
                let value = value.get(..usize::from(argument % 10)).unwrap_or_default();
                let change = match argument % 7 {
                    0 => Change::Read,
                    1 | 2 => Change::Set { value },
                    3 => Change::CompareAndSet { version: Ballot::ZERO, value },
                    4 => Change::Delete,
                    5 => Change::Other { number: 16, argument: value },
                    _ => Change::Other { number: argument.into(), argument: value },
                };
                let _ = self.node.submit(self.now, key, change);
            }
            12 => {
                let _ = self.node.collect(self.now, key);
            }
            13 => self.sync()?,
            14 => return self.restart(argument.is_multiple_of(2)),
            _ => self.take(argument),
        }
        Ok(())
    }

    /// A step of a change of the acceptors, seldom in order.
    fn take(&mut self, argument: u8) {
        let acceptors = [1, 2, 3].map(NodeId::new);
        let version = self.node.status().version + u64::from(argument % 3);
        let sizes = Sizes::majority(3);
        let _ = self.node.take(match argument / 3 % 3 {
            0 => Step::Accept { version, acceptors: &acceptors, sizes },
            1 => Step::Prepare { version, floor: argument.into() },
            _ => Step::Finish { version, floor: argument.into() },
        });
    }

    /// A message of any kind, with ballots near those that the node knows.
    fn receive(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        let senders = [1, 3, 1, 3, 1, 3, 0, 2, 4];
        let from: u64 = senders.get(usize::from(what % 16)).copied().unwrap_or(1);
        let status = self.node.status();
        let rounds = [status.round, self.echo.last("round"), 1];
        let (nodes, ages) = ([from, self.id, 0], [status.age, self.echo.last("age")]);
        let values: [&[u8]; 4] = [b"a", b"k", b"k\0", b"012345678"];
        let hints = [
            Hint::near("round", &rounds),
            Hint::near("node", &nodes),
            Hint::near("age", &ages),
            Hint::near("version", &[0]),
            Hint::bytes("key", &values),
            Hint::bytes("value", &values),
        ];
        let Some(message) = input.message::<Message<'_>>(&hints) else { return Ok(()) };
        // most messages name the nodes that they must
        let message = if what & 0x30 == 0 { message } else { self.aimed(message, from) };
        let (name, text) = (message.name(), Shown(&message).to_string());
        self.node.tick(self.now);
        let before = self.view()?;
        let result = self.node.receive(self.now, NodeId::new(from), message);
        self.outcomes.record(name, result);
        if result.is_err() && self.view()? != before {
            return Err(format!("{text} of {from} was refused, and changed something"));
        }
        Ok(())
    }

    /// The same message with the ballots of those that may use them.
    fn aimed<'a>(&self, message: Message<'a>, from: u64) -> Message<'a> {
        let of = |ballot: Ballot, node: u64| Ballot::new(ballot.round, NodeId::new(node));
        let own = self.id;
        match message {
            Message::Prepare { key, ballot, age } => {
                Message::Prepare { key, ballot: of(ballot, from), age }
            }
            Message::Accept { key, state, next, age } => {
                let ballot = of(state.ballot, from);
                let origin = state.origin.min(ballot);
                let next = of(next, from).max(ballot);
                Message::Accept { key, state: State { ballot, origin, ..state }, next, age }
            }
            Message::Promise { key, ballot, state } => {
                Message::Promise { key, ballot: of(ballot, own), state }
            }
            Message::Accepted { key, ballot, promised } => {
                let ballot = of(ballot, own);
                Message::Accepted { key, ballot, promised: promised.max(ballot) }
            }
            Message::Collect { key, tombstone, version } => {
                Message::Collect { key, tombstone: of(tombstone, from), version }
            }
            Message::Collected { tombstone } => {
                Message::Collected { tombstone: of(tombstone, own) }
            }
            Message::Erase { key, tombstone } => {
                Message::Erase { key, tombstone: of(tombstone, from) }
            }
            Message::Erased { tombstone, erased } => {
                Message::Erased { tombstone: of(tombstone, own), erased }
            }
            _ => message,
        }
    }

    fn view(&self) -> Result<View, String> {
        let records: Result<Vec<_>, String> = self.node.checkpoint().map(|r| bytes(&r)).collect();
        Ok((format!("{:?}", self.node.status()), self.node.deadline(), records?))
    }

    fn sync(&mut self) -> Result<(), String> {
        if let Some((ticket, records)) = self.waiting.take() {
            self.write(records)?;
            self.node.persisted(ticket);
        }
        Ok(())
    }

    fn write(&mut self, records: Vec<Vec<u8>>) -> Result<(), String> {
        for record in records {
            self.disk.apply(&Record::from_slice(&record).map_err(|e| e.to_string())?)?;
            self.records.push(record);
        }
        Ok(())
    }

    fn restart(&mut self, written: bool) -> Result<(), String> {
        let (_, records) = self.waiting.take().unwrap_or_default();
        self.write(if written { records } else { Vec::new() })?;
        self.node = fresh(self.id, self.life)?;
        for record in &self.records {
            let record = Record::from_slice(record).map_err(|e| e.to_string())?;
            self.node.restore(record).map_err(|e| format!("its own record: {e}"))?;
        }
        self.life += 1;
        self.node.tick(self.now);
        Ok(())
    }

    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..MAX_OUTPUTS {
            match self.node.poll() {
                None => return Ok(()),
                Some(Output::Persist(ticket, record)) => {
                    let record = bytes(&record)?;
                    let waiting = self.waiting.get_or_insert_default();
                    waiting.0 = ticket;
                    waiting.1.push(record);
                }
                Some(Output::Send(to, message)) => {
                    self.echo.sent(&message);
                    let bytes = bytes(&message)?;
                    self.check_sent(to, &bytes)?;
                    self.sent.push((to, bytes));
                }
                Some(Output::Event(Event::Answered { .. })) => self.answered += 1,
                Some(Output::Event(_)) => {}
            }
        }
        Err(format!("more than {MAX_OUTPUTS} outputs at once"))
    }

    fn check_sent(&mut self, to: NodeId, bytes: &[u8]) -> Result<(), String> {
        let message = Message::from_slice(bytes).map_err(|e| e.to_string())?;
        let disk = &self.disk;
        if !disk.keeps(to.get(), &message) {
            return Err(format!("it says {message:?}, and its disk holds {disk:?}"));
        }
        let (key, ballot) = match message {
            Message::Prepare { key, ballot, .. } => (key.to_vec(), pair(ballot)),
            Message::Accept { key, state, .. } => {
                let (at, state) = ((key.to_vec(), pair(state.ballot)), owned(state));
                let proposed = self.proposed.entry(at.clone()).or_insert_with(|| state.clone());
                if *proposed != state {
                    return Err(format!("it proposes {proposed:?} and {state:?}"));
                }
                at
            }
            _ => return Ok(()),
        };
        let life = *self.used.entry((key, ballot)).or_insert(self.life);
        if life != self.life || ballot.1 != self.id {
            return Err(format!("it uses {ballot:?}, which is not its, or used"));
        }
        Ok(())
    }

    /// Honest peers come, who know the rounds: a request of the node is answered.
    fn check_answers(mut self) -> Result<(), String> {
        self.sync()?;
        self.drain()?;
        self.restart(true)?;
        self.drain()?;
        self.sync()?;
        if !self.node.status().founded || self.disk.cells.len() > 5 {
            return Ok(()); // it takes no part, or has no room
        }
        // the age that acceptors know of peers of which it was told lies
        let (round, start) = (self.node.status().round, self.now);
        if round > Ballot::MAX_ROUND - 1_000 {
            return Ok(());
        }
        let mut nodes = vec![Self::new(1)?, Self::new(3)?];
        for peer in &mut nodes {
            let mut records = vec![bytes(&Record::Founded { version: 0 })?];
            if round > 0 {
                records.push(bytes(&Record::Rounds { through: round })?);
            }
            peer.write(records)?;
            peer.restart(false)?;
            peer.now = start;
            peer.node.tick(start);
        }
        nodes.insert(1, self);
        let end = start.after(4 * settle_us(&CONFIG));
        let Some(node) = nodes.get_mut(1) else { return Ok(()) };
        let before = node.answered;
        node.node.submit(start, b"q", Change::Set { value: b"1" }).map_err(|e| e.to_string())?;
        loop {
            deliver(&mut nodes)?;
            if nodes.get(1).is_some_and(|node| node.answered > before) {
                return Ok(());
            }
            let next = nodes.iter().filter_map(|node| node.node.deadline()).min();
            let next = next.unwrap_or(end).max(start).min(end);
            for node in &mut nodes {
                node.now = node.now.max(next);
                node.node.tick(node.now);
            }
            if next >= end {
                return Err("its request is not answered".into());
            }
        }
    }
}

/// Everything that is said arrives at once, and everything is written at once.
fn deliver(nodes: &mut [NodeUnderTest]) -> Result<(), String> {
    for _ in 0..1_000 {
        let mut quiet = true;
        for at in 0..nodes.len() {
            let Some(node) = nodes.get_mut(at) else { continue };
            node.drain()?;
            node.sync()?;
            node.drain()?;
            let from = NodeId::new(at as u64 + 1);
            for (to, message) in core::mem::take(&mut node.sent) {
                quiet = false;
                let to = usize::try_from(to.get()).unwrap_or(0).wrapping_sub(1);
                let Some(to) = nodes.get_mut(to) else { continue };
                let message = Message::from_slice(&message).map_err(|e| e.to_string())?;
                let _ = to.node.receive(to.now, from, message);
            }
        }
        if quiet {
            return Ok(());
        }
    }
    Err("messages beget messages without end".into())
}

fn bytes<'a>(value: &impl Wire<'a>) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}
