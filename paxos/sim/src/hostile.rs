//! One node against anything: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic a node, make it tell what its disk does not hold, take back a promise, use a ballot again, take its
//! rounds far on, or keep it from learning what honest nodes choose afterwards. Bytes are read as a list of inputs, so that a fuzzer can cut and
//! splice them.

use std::collections::BTreeMap;

use quorate_core::{
    Declared, Hint, Instant, Machine, NodeId, Output, Quorums, Shown, Ticket, Wire,
};
use quorate_paxos::fast::FastQuorums;
use quorate_paxos::synod::{Config, Learning, Message, Phase, Record, Vote};
use quorate_paxos::{Ballot, Inline, Member, Roles};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

use crate::disk::Disk;
use crate::parse::{self, Said};
use crate::setup::MAX_VALUE;
use crate::{Kind, Node, Role, Setup, settle_us};

/// Decodes bytes as a message and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip::<Message<'_>>(data)?;
    check_round_trip::<Record<'_>>(data)
}

/// Gives a node of a group of three a list of inputs, then honest peers. The first byte chooses its roles.
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
    let learning = [Learning::Proposer, Learning::Distinguished, Learning::Direct];
    let learning = learning.get(usize::from(which >> 4 & 3)).copied().unwrap_or_default();
    let (roles, is_fast) = match which % 8 {
        0..=2 => (Roles::ALL, false),
        3 | 4 => (Roles::ALL, true),
        5 => (Roles::ACCEPTOR, false),
        6 => (Roles::PROPOSER.and(Roles::LEARNER), false),
        _ => (Roles::LEARNER, false),
    };
    let setup = setup(roles, is_fast, learning);
    let mut node = NodeUnderTest::new(&setup, 1)?;
    if which & 0x80 == 0 {
        node.node.found();
    }
    node.run(rest)
}

fn setup(roles: Roles, is_fast: bool, learning: Learning) -> Setup {
    let ids = [1, 2, 3].map(NodeId::new);
    let mut members = ids.map(Member::new).to_vec();
    if let Some(member) = members.get_mut(NODE) {
        member.roles = roles;
    }
    let voters = if roles.contains(Roles::ACCEPTOR) { 3 } else { 2 };
    Setup {
        members,
        quorums: Quorums::majority(voters),
        fast: is_fast.then(|| FastQuorums::minimal(voters)),
        config: Config { learning, max_members: 3, max_value_bytes: MAX_VALUE, ..Config::lan() },
        kind: Kind::Votes([2, 2]),
    }
}

type Storage = Inline<3, MAX_VALUE>;

/// The node, its disk, and what it did.
struct NodeUnderTest {
    node: Node<Storage>,
    setup: Setup,
    at: usize,
    now: Instant,
    records: Vec<Vec<u8>>,
    disk: Disk,
    waiting: Option<(Ticket, Vec<Vec<u8>>)>,
    life: u64,
    /// The life in which each ballot was prepared, and what was proposed in it.
    prepared: BTreeMap<parse::Ballot, u64>,
    proposed: BTreeMap<parse::Ballot, Vec<u8>>,
    /// What the application was told in this life.
    told: Option<Vec<u8>>,
    /// What it has sent since the last drain.
    sent: Vec<(NodeId, Vec<u8>)>,
    echo: Echo,
    outcomes: Outcomes,
}

/// The place of the node under test.
const NODE: usize = 1;

/// More outputs than this at once are a storm.
const MAX_OUTPUTS: usize = 100;

/// One input may not take rounds further than this.
const MAX_JUMP: u64 = Ballot::MAX_AHEAD + 64;

/// What may be seen of a node.
type View = (String, Option<Instant>, Option<Vec<u8>>, Vec<Vec<u8>>);

impl NodeUnderTest {
    fn new(setup: &Setup, at: usize) -> Result<Self, String> {
        Ok(Self {
            node: Node::new(setup, at, at as u64).map_err(|e| e.to_string())?,
            setup: setup.clone(),
            at,
            now: Instant::ZERO,
            records: Vec::new(),
            disk: Disk::default(),
            waiting: None,
            life: 0,
            prepared: BTreeMap::new(),
            proposed: BTreeMap::new(),
            told: None,
            sent: Vec::new(),
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        })
    }

    fn run(mut self, data: &[u8]) -> Result<Outcomes, String> {
        let mut input = Input::new(data);
        while let Some(what) = input.byte() {
            let before = self.round();
            self.step(what, &mut input)?;
            self.drain()?;
            self.sent.clear();
            let after = self.round();
            if after.saturating_sub(before) > MAX_JUMP {
                return Err(format!("its round went from {before} to {after}"));
            }
        }
        let outcomes = core::mem::take(&mut self.outcomes);
        self.check_settles()?;
        Ok(outcomes)
    }

    /// The last round that it knows.
    fn round(&self) -> u64 {
        let status = self.node.status();
        status.promised.round.max(status.ballot.round)
    }

    fn step(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        if what % 16 < 9 {
            return self.receive(what, input);
        }
        let argument = input.byte().unwrap_or(0);
        match what % 16 {
            9 | 10 => {
                self.now = self.now.after(u64::from(argument) * 2_000);
                self.node.tick(self.now);
            }
            11 => {
                let value = [b'a', argument, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                let len = usize::from(argument % 14);
                let _ = self.node.propose(self.now, value.get(..len).unwrap_or_default());
            }
            12 => self.node.learn(self.now),
            13 => self.sync()?,
            14 => return self.restart(argument.is_multiple_of(2)),
            _ => {
                // clocks that go back, or far on
                if argument % 2 == 1 {
                    self.now = self.now.after(1 << 40);
                }
                self.node.tick(if argument % 2 == 1 { self.now } else { Instant::ZERO });
            }
        }
        Ok(())
    }

    /// A message of any kind, with ballots near those that the node knows.
    fn receive(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        let senders = [1, 3, 1, 3, 1, 3, 0, 2, 4];
        let from: u64 = senders.get(usize::from(what % 16)).copied().unwrap_or(1);
        let status = self.node.status();
        let sent = self.echo.last("round");
        let rounds = [status.promised.round, status.ballot.round, status.accepted.round, sent, 1];
        let nodes = [from, NODE as u64 + 1, status.promised.node.get(), 0];
        let own: Vec<u8> = self.proposed.values().next_back().cloned().unwrap_or_default();
        let values: [&[u8]; 4] = [b"a", b"b", &own, b"0123456789abc"];
        let hints = [
            Hint::near("round", &rounds),
            Hint::near("node", &nodes),
            Hint::bytes("value", &values),
        ];
        let Some(message) = input.message::<Message<'_>>(&hints) else { return Ok(()) };
        // most messages name the nodes that they must
        let message = if what & 0x30 == 0 { message } else { aimed(message, from) };
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

    fn view(&self) -> Result<View, String> {
        let records: Result<Vec<_>, String> = self.node.checkpoint().map(|r| bytes(&r)).collect();
        let decided = self.node.decided().map(<[u8]>::to_vec);
        Ok((format!("{:?}", self.node.status()), self.node.deadline(), decided, records?))
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
            self.disk.apply(&parse::record(&record)?)?;
            self.records.push(record);
        }
        Ok(())
    }

    fn restart(&mut self, written: bool) -> Result<(), String> {
        let (_, records) = self.waiting.take().unwrap_or_default();
        self.write(if written { records } else { Vec::new() })?;
        self.node = Node::new(&self.setup, self.at, self.life).map_err(|e| e.to_string())?;
        for record in &self.records {
            let record = Record::from_slice(record).map_err(|e| e.to_string())?;
            self.node.restore(record).map_err(|e| format!("its own record: {e}"))?;
        }
        self.life += 1;
        self.told = None;
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
                    self.check_sent(parse::message(&bytes)?)?;
                    self.sent.push((to, bytes));
                }
                Some(Output::Event(event)) => {
                    let event = format!("{event:?}").into_bytes();
                    if self.told.replace(event).is_some() {
                        return Err("it tells twice what was chosen".into());
                    }
                }
            }
        }
        Err(format!("more than {MAX_OUTPUTS} outputs at once"))
    }

    fn check_sent(&mut self, said: Said) -> Result<(), String> {
        let disk = &self.disk;
        if !disk.keeps(&said) {
            return Err(format!("it says {said:?}, and its disk holds {disk:?}"));
        }
        match said {
            Said::Prepare(ballot) => {
                let life = *self.prepared.entry(ballot).or_insert(self.life);
                if life != self.life || ballot.1 != self.at as u64 + 1 {
                    return Err(format!("it prepares {ballot:?}, which is not its, or used"));
                }
            }
            Said::Accept((ballot, value)) => {
                let proposed = self.proposed.entry(ballot).or_insert(value.clone());
                if *proposed != value {
                    return Err(format!("it proposes {proposed:?} and {value:?} in {ballot:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Honest peers come, who know the rounds: they choose a value, and it learns.
    fn check_settles(mut self) -> Result<(), String> {
        self.sync()?;
        self.drain()?;
        // what it was told may be a lie, and it would tell the peers
        let is_clean = self.node.decided().is_some();
        if is_clean {
            self.restart(true)?;
        }
        let round = self.round();
        let config = self.setup.config;
        let patience = 2 * settle_us(&config) + 12 * config.learn_us;
        let start = self.now;
        let mut nodes = vec![Self::new(&self.setup, 0)?, Self::new(&self.setup, 2)?];
        for peer in &mut nodes {
            let mut records = vec![bytes(&Record::Founded)?];
            if round > 0 {
                let ballot = Ballot::new(round, NodeId::new(3));
                records.push(bytes(&Record::Promised { ballot })?);
            }
            peer.write(records)?;
            peer.restart(false)?;
            (peer.life, peer.now) = (0, start);
            peer.node.tick(start);
        }
        nodes.insert(NODE, self);
        for node in &mut nodes {
            node.node.learn(node.now);
        }
        if let Some(first) = nodes.first_mut() {
            let _ = first.node.propose(start, b"honest");
        }
        let end = start.after(patience);
        loop {
            deliver(&mut nodes)?;
            let next = nodes.iter().filter_map(|node| node.node.deadline()).min();
            let next = next.unwrap_or(end).max(start).min(end);
            for node in &mut nodes {
                node.now = node.now.max(next);
                node.node.tick(node.now);
            }
            if next >= end {
                break;
            }
        }
        deliver(&mut nodes)?;
        let learns = |node: &Node<Storage>| {
            let is_learner = !matches!(node.role, Role::Acceptor(_) | Role::Proposer(_));
            is_learner && node.status().phase != Phase::Decided
        };
        let decided: Vec<Option<&[u8]>> = nodes.iter().map(|node| node.node.decided()).collect();
        if nodes.iter().zip(&decided).any(|(node, has)| learns(&node.node) && has.is_none()) {
            return Err(format!("after {patience} us the nodes have decided {decided:?}"));
        }
        let mut known: Vec<&[u8]> = decided.into_iter().flatten().collect();
        known.dedup();
        if is_clean && known.len() > 1 {
            return Err(format!("the nodes have decided {known:?}"));
        }
        Ok(())
    }
}

/// The same message with the ballots of those that may use them: the sender asks in its own, and answers in those of the node.
fn aimed(message: Message<'_>, from: u64) -> Message<'_> {
    let of = |ballot: Ballot, node: u64| Ballot::new(ballot.round, NodeId::new(node));
    let own = NODE as u64 + 1;
    match message {
        Message::Prepare { ballot } => Message::Prepare { ballot: of(ballot, from) },
        Message::Accept { vote } => {
            Message::Accept { vote: Vote { ballot: of(vote.ballot, from), ..vote } }
        }
        Message::Promise { ballot, vote } => Message::Promise { ballot: of(ballot, own), vote },
        Message::Preempted { ballot, promised } => {
            Message::Preempted { ballot: of(ballot, own), promised }
        }
        _ => message,
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
