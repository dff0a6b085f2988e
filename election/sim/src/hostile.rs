//! One node against anything, and detectors against absurd times: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic a node, make it say more than it may or before its epoch is durable, take its epoch back
//! or far on, make it lead twice in one epoch, or keep it from settling with honest nodes afterwards. Bytes are read as a list of
//! inputs, so that a fuzzer can cut and splice them.

use std::hash::{DefaultHasher, Hasher};

use quorate_core::{Declared, Drift, Hint, Instant, NodeId, Output, Shown, Ticket, Wire};
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Record, Ring, Role, Takeover};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

use super::ElectionMachine;
use super::machine::check_converged;

/// Decodes bytes as messages and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip::<quorate_election::bully::Message>(data)?;
    check_round_trip::<quorate_election::ring::Message>(data)?;
    check_round_trip::<Record>(data)
}

fn bytes<'a>(value: &impl Wire<'a>) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Gives a node of a group of three a list of inputs, then honest peers. The first byte chooses the algorithm.
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
    let drift = Drift::from_ppm(1_000).unwrap_or(Drift::NONE);
    let config = Config {
        takeover: if which & 0x80 == 0 { Takeover::Highest } else { Takeover::Keep },
        attempts: 1 + (which >> 5 & 3),
        ..Config::lan()
    };
    let quorum = Config { mode: Mode::Quorum, ..config };
    let lease = Config { mode: Mode::Lease { lease_us: 300_000, drift }, ..config };
    match which % 8 {
        0 => NodeUnderTest::<Bully<Inline<3>>>::new(config)?.run(rest),
        1 => NodeUnderTest::<Bully<Inline<3>>>::new(quorum)?.run(rest),
        2 => NodeUnderTest::<Bully<Inline<3>>>::new(lease)?.run(rest),
        3 | 4 => NodeUnderTest::<Ring<Collecting, Inline<6>>>::new(config)?.run(rest),
        5 | 6 => NodeUnderTest::<Ring<ChangRoberts, Inline<6>>>::new(config)?.run(rest),
        _ => NodeUnderTest::<Ring<HirschbergSinclair, Inline<12>>>::new(config)?.run(rest),
    }
}

/// The node, its disk, and what it did.
struct NodeUnderTest<M> {
    node: M,
    config: Config,
    now: Instant,
    disk: Vec<Record>,
    waiting: Option<(Ticket, Vec<Record>)>,
    epoch: Epoch,
    /// It knows which epochs there have been, and so what is far: it has a record, or has known a leader.
    informed: bool,
    /// The epochs it led in, each with the incarnation.
    led: Vec<(Epoch, u32)>,
    incarnation: u32,
    /// What it has sent since the last drain.
    sent: Vec<(NodeId, Vec<u8>)>,
    echo: Echo,
    outcomes: Outcomes,
}

const NODE: NodeId = NodeId::new(2);
/// As a ring: neither up nor down.
const ORDER: [NodeId; 3] = [NodeId::new(3), NodeId::new(1), NODE];

/// More outputs than this at once are a storm.
const MAX_OUTPUTS: usize = 100;

/// One input may not take the epoch further than this, once there is one.
const MAX_EPOCH_JUMP: u64 = (1 << 38) + 64;

impl<M: ElectionMachine> NodeUnderTest<M> {
    fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            node: M::create(NODE, &ORDER, config)?,
            config,
            now: Instant::ZERO,
            disk: Vec::new(),
            waiting: None,
            epoch: Epoch::ZERO,
            informed: false,
            led: Vec::new(),
            incarnation: 0,
            sent: Vec::new(),
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        })
    }

    fn run(mut self, data: &[u8]) -> Result<Outcomes, String> {
        let mut input = Input::new(data);
        while let Some(what) = input.byte() {
            self.step(what, &mut input)?;
            self.drain()?;
            self.check()?;
            self.sent.clear();
        }
        let outcomes = core::mem::take(&mut self.outcomes);
        self.check_converges()?;
        Ok(outcomes)
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
            11 => self.node.suspect(self.now, NodeId::new(u64::from(argument % 5))),
            12 => {
                let later = self.epoch.token().wrapping_add(u64::from(argument) << (argument % 64));
                self.node.fenced(self.now, Epoch::from_token(later));
            }
            13 => self.sync(),
            14 => return self.restart(argument.is_multiple_of(2)),
            _ => {
                // clocks that go back, or to their end and back
                let odd = [Instant::ZERO, Instant::MAX, self.now.after(1 << 40)];
                let odd = odd.get(usize::from(argument % 3)).copied().unwrap_or_default();
                if odd < Instant::MAX {
                    self.now = self.now.max(odd);
                }
                let _ = self.node.holds_lease(odd);
                self.node.tick(self.now);
            }
        }
        Ok(())
    }

    /// A message of any kind, with epochs near the present one or those that the node sent.
    fn receive(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        // the owner of an epoch is its remainder
        let owned = |epoch: u64| epoch & !31;
        let present = self.epoch.token();
        let sent = ["token", "epoch", "highest"].map(|field| self.echo.last(field));
        let epochs = [owned(present), owned(present) + 32, sent[0], sent[1], owned(sent[2])];
        let rounds = [self.echo.last("round")];
        let (phases, slots) = ([self.echo.last("phase")], [self.echo.last("slot")]);
        let hints = [
            Hint::near("epoch", &epochs),
            Hint::near("token", &epochs),
            Hint::near("highest", &epochs),
            Hint::near("round", &rounds),
            Hint::near("passed", &[0]),
            Hint::near("phase", &phases),
            Hint::near("slot", &slots),
            Hint::near("hops", &[1]),
        ];
        let Some(message) = input.message::<M::Message<'_>>(&hints) else { return Ok(()) };
        let (name, text) = (message.name(), Shown(&message).to_string());
        let before = self.view();
        let from = NodeId::new(u64::from(what % 5));
        let result = self.node.receive(self.now, from, message);
        self.outcomes.record(name, result);
        if result.is_err() && self.view() != before {
            return Err(format!("{text} of {from} was refused, and changed something"));
        }
        Ok(())
    }

    fn view(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.node.hash(&mut hasher);
        hasher.finish()
    }

    fn sync(&mut self) {
        if let Some((ticket, records)) = self.waiting.take() {
            self.disk.extend(records);
            self.node.persisted(ticket);
        }
    }

    fn restart(&mut self, written: bool) -> Result<(), String> {
        let (_, records) = self.waiting.take().unwrap_or_default();
        self.disk.extend(records.into_iter().filter(|_| written));
        self.node = M::create(NODE, &ORDER, self.config)?;
        for record in &self.disk {
            self.node.restore(*record).map_err(|e| format!("its own record: {e}"))?;
        }
        self.epoch = self.node.status().epoch;
        self.informed = !self.disk.is_empty();
        self.incarnation += 1;
        self.node.tick(self.now);
        Ok(())
    }

    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..MAX_OUTPUTS {
            match self.node.poll() {
                None => return Ok(()),
                Some(Output::Persist(ticket, record)) => {
                    let waiting = self.waiting.get_or_insert_default();
                    waiting.0 = ticket;
                    waiting.1.push(record);
                }
                Some(Output::Send(to, message)) => {
                    self.echo.sent(&message);
                    self.sent.push((to, bytes(&message)?));
                }
                Some(Output::Event(Event::Leading { epoch })) => {
                    let again = self.led.iter().any(|&(led, incarnation)| {
                        led > epoch || (led == epoch && incarnation != self.incarnation)
                    });
                    if again {
                        return Err(format!("it leads in {epoch:?} after {:?}", self.led));
                    }
                    self.led.push((epoch, self.incarnation));
                }
                Some(Output::Event(_)) => {}
            }
        }
        Err(format!("more than {MAX_OUTPUTS} outputs at once"))
    }

    fn check(&mut self) -> Result<(), String> {
        let status = self.node.status();
        let (before, now) = (self.epoch.token(), status.epoch.token());
        if now < before || (self.informed && now - before > MAX_EPOCH_JUMP) {
            return Err(format!("its epoch went from {before} to {now}"));
        }
        self.epoch = status.epoch;
        self.informed |= status.leader.is_some();
        let durable = self.disk.last().map_or(Epoch::ZERO, |record| record.epoch);
        // a node that recovers promises nothing
        let promises = status.role != Role::Recovering;
        if durable < self.epoch && promises && !self.sent.is_empty() {
            return Err("it speaks while its epoch is not durable".into());
        }
        Ok(())
    }

    /// Honest peers come, who know the epoch: they must agree with it on a leader.
    fn check_converges(mut self) -> Result<(), String> {
        self.sync();
        let record = Record { epoch: self.epoch };
        let mut peers = Vec::new();
        for id in [1, 3].map(NodeId::new) {
            let mut node = M::create(id, &ORDER, self.config)?;
            node.restore(record).map_err(|e| format!("a record of its peer: {e}"))?;
            let disk = vec![record];
            peers.push(Self { node, disk, ..Self::new(self.config)? });
        }
        let patience = self.node.settle_us(&self.config).saturating_mul(2);
        peers.insert(1, self);
        let start = peers.iter().map(|peer| peer.now).max().unwrap_or_default();
        let end = start.after(patience);
        loop {
            let mut times: Vec<Instant> = Vec::new();
            for peer in &mut peers {
                peer.now = peer.now.max(start);
                times.extend(peer.node.deadline());
            }
            let next = times.into_iter().min().unwrap_or(end).min(end);
            for peer in &mut peers {
                peer.now = peer.now.max(next);
                peer.node.tick(peer.now);
            }
            deliver(&mut peers)?;
            if next >= end {
                break;
            }
        }
        let config = peers.first().map_or_else(Config::lan, |peer| peer.config);
        check_converged(&config, 3, peers.iter().map(|peer| &peer.node).enumerate())
    }
}

/// Everything that is said arrives at once, and everything is written at once.
fn deliver<M: ElectionMachine>(nodes: &mut [NodeUnderTest<M>]) -> Result<(), String> {
    for _ in 0..1_000 {
        let mut quiet = true;
        for at in 0..nodes.len() {
            let Some(node) = nodes.get_mut(at) else { continue };
            node.drain()?;
            node.sync();
            node.drain()?;
            let from = NodeId::new(at as u64 + 1);
            for (to, message) in core::mem::take(&mut node.sent) {
                quiet = false;
                let to = usize::try_from(to.get()).unwrap_or(0).wrapping_sub(1);
                let Some(to) = nodes.get_mut(to) else { continue };
                let message = M::Message::from_slice(&message).map_err(|e| e.to_string())?;
                let _ = to.node.receive(to.now, from, message);
            }
        }
        if quiet {
            return Ok(());
        }
    }
    Err("messages beget messages without end".into())
}
