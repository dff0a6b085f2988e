//! The machines keep the contract of `Machine`: all roles in a node, Fast Paxos, and roles apart.

use core::marker::PhantomData;

use quorate_core::{
    Corrupt, Instant, Machine, NodeId, Output, Quorums, Rejected, Rejections, Rng, Shown, Ticket,
    Wire as _,
};
use quorate_paxos::fast::{FastPaxos, FastQuorums};
use quorate_paxos::synod::{
    Acceptor, Config, Event, Learner, Learning, Message, Proposer, Record, Status, Synod, Vote,
};
use quorate_paxos::{Ballot, Inline, Member, Roles};
use quorate_sim::conformance::{self, Check, Specimen};
use quorate_sim::conformance_tests;

use crate::common::Node;

const VALUE: usize = 8;
type Memory<const N: usize> = Inline<N, VALUE>;

const CONFIG: Config = Config { learning: Learning::Direct, ..Config::lan() };

const fn times(every_us: u64) -> u64 {
    1_000_000 / every_us + 1
}

/// One acceptor of four is never there. So nothing is chosen where all must vote; three votes are enough where it is.
const fn of_four(two: u8) -> Quorums {
    match Quorums::flexible(4, 2, two) {
        Ok(quorums) => quorums,
        Err(_) => Quorums::majority(4),
    }
}

/// What a node sends another unasked in a second: two messages for each ballot, what is repeated, and questions.
const UNASKED: u64 = 2 * times(CONFIG.backoff_us) + times(CONFIG.retry_us) + times(CONFIG.learn_us);

/// A node with all roles, by what it is.
trait Whole: Node + Clone {
    const NAME: &'static str;
    const MEMORY: usize;
    /// Where nothing is decided there are ballots after ballots.
    fn create(id: NodeId, seed: u64, decides: bool) -> Self;
    fn set_founded(&mut self);
    fn offer(&mut self, now: Instant, value: &[u8]);
    fn ask(&mut self, now: Instant);
}

impl Whole for Synod<Memory<4>> {
    const NAME: &'static str = "a node of one decision";
    const MEMORY: usize = 640 + 120 * 4 + 4 * VALUE;

    fn create(id: NodeId, seed: u64, decides: bool) -> Self {
        let members = [1, 2, 3, 4].map(|id| Member::new(NodeId::new(id)));
        Self::new(id, &members, of_four(if decides { 3 } else { 4 }), CONFIG, seed).unwrap()
    }

    fn set_founded(&mut self) {
        self.found();
    }

    fn offer(&mut self, now: Instant, value: &[u8]) {
        let _ = self.propose(now, value);
    }

    fn ask(&mut self, now: Instant) {
        self.learn(now);
    }
}

impl Whole for FastPaxos<Memory<4>> {
    const NAME: &'static str = "a node of Fast Paxos";
    const MEMORY: usize = 640 + (160 + VALUE) * 4 + 4 * VALUE;

    fn create(id: NodeId, seed: u64, decides: bool) -> Self {
        let ids = [1, 2, 3, 4].map(NodeId::new);
        let quorums = FastQuorums::new(4, if decides { 3 } else { 4 }, 4);
        Self::new(id, &ids, quorums.unwrap(), CONFIG, seed).unwrap()
    }

    fn set_founded(&mut self) {
        self.found();
    }

    fn offer(&mut self, now: Instant, value: &[u8]) {
        let _ = self.propose(now, value);
    }

    fn ask(&mut self, now: Instant) {
        self.learn(now);
    }
}

/// The application of a node: from time to time it has something to propose.
#[derive(Clone)]
struct Application<M, const DECIDES: bool> {
    id: NodeId,
    machine: PhantomData<M>,
}

impl<M: Whole, const DECIDES: bool> Specimen for Application<M, DECIDES> {
    type Machine = M;

    const NAME: &'static str = M::NAME;
    const MESSAGES_PER_SECOND: u64 = 2 * UNASKED;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const ACT_US: u64 = 60_000;
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self { id: NodeId::new(node as u64 + 1), machine: PhantomData }
    }

    fn boot(&self, seed: u64) -> M {
        M::create(self.id, seed, DECIDES)
    }

    fn durable(machine: &M) -> String {
        let status = machine.status();
        format!("{} {} {}", status.founded, status.promised, status.accepted)
    }

    fn act(&mut self, machine: &mut M, now: Instant, rng: &mut Rng) {
        if !machine.status().founded {
            machine.set_founded(); // a crash may have come before that was on disk
        }
        if rng.chance(1, 2) {
            machine.offer(now, &self.id.get().to_le_bytes());
        } else {
            machine.ask(now);
        }
    }

    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        refusals(message)
    }

    fn memory(_machine: &M) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", size_of::<M>(), M::MEMORY)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(longest_promise())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some(longest_vote())
    }

    fn message_text(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }
}

const LAST: Ballot = Ballot::new(Ballot::MAX_ROUND, NodeId::new(u64::MAX));
const LONGEST: Vote<'_> = Vote { ballot: LAST, value: &[0; VALUE] };

fn longest_promise() -> Vec<u8> {
    Message::Promise { ballot: LAST, vote: Some(LONGEST) }.to_vec()
}

fn longest_vote() -> Vec<u8> {
    Record::Accepted { vote: LONGEST }.to_vec()
}

/// How a peer that refuses everything answers.
fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
    let refuse = |ballot: Ballot| {
        let promised = Ballot::new(ballot.round + 1, NodeId::new(3));
        vec![Message::Preempted { ballot, promised }.to_vec()]
    };
    match message {
        Message::Prepare { ballot } => refuse(*ballot),
        Message::Accept { vote } => refuse(vote.ballot),
        Message::Propose { .. } => refuse(Ballot::FAST),
        _ => Vec::new(),
    }
}

/// A machine of one role; the last node, which misbehaves, is an acceptor.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant)]
enum Apart {
    Proposer(Proposer<Memory<7>>),
    Learner(Learner<Memory<7>>),
    Acceptor(Acceptor<Memory<7>>),
}

macro_rules! each {
    ($self:expr, $one:ident => $what:expr) => {
        match $self {
            Apart::Proposer($one) => $what,
            Apart::Learner($one) => $what,
            Apart::Acceptor($one) => $what,
        }
    };
}

fn members() -> Vec<Member> {
    let roles = |id| match id {
        1 | 2 => Roles::PROPOSER.and(Roles::LEARNER),
        3 => Roles::LEARNER,
        _ => Roles::ACCEPTOR,
    };
    (1..=7).map(|id| Member::new(NodeId::new(id)).with_roles(roles(id))).collect()
}

impl Machine for Apart {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        each!(self, one => one.restore(record))
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        each!(self, one => one.receive(now, from, message))
    }

    fn tick(&mut self, now: Instant) {
        each!(self, one => one.tick(now));
    }

    fn persisted(&mut self, ticket: Ticket) {
        each!(self, one => one.persisted(ticket));
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        fn of<'a, M>(output: Output<'a, M>) -> Output<'a, Apart>
        where
            M: Machine<Message<'a> = Message<'a>, Record<'a> = Record<'a>, Event<'a> = Event<'a>>,
        {
            match output {
                Output::Persist(ticket, record) => Output::Persist(ticket, record),
                Output::Send(to, message) => Output::Send(to, message),
                Output::Event(event) => Output::Event(event),
            }
        }
        match self {
            Self::Proposer(one) => one.poll().map(of),
            Self::Learner(one) => one.poll().map(of),
            Self::Acceptor(one) => one.poll().map(of),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        each!(self, one => one.deadline())
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let all: Vec<Record<'_>> = each!(self, one => one.checkpoint().collect());
        all.into_iter()
    }

    fn status(&self) -> Status {
        each!(self, one => one.status())
    }

    fn rejections(&self) -> Rejections {
        each!(self, one => one.rejections())
    }

    fn max_message_len(&self) -> Option<usize> {
        each!(self, one => one.max_message_len())
    }

    fn max_record_len(&self) -> Option<usize> {
        each!(self, one => one.max_record_len())
    }
}

/// The application of a node with one role.
#[derive(Clone)]
struct ApartApplication {
    id: NodeId,
}

impl Specimen for ApartApplication {
    type Machine = Apart;

    const NAME: &'static str = "roles apart";
    const NODES: usize = 6;
    const MESSAGES_PER_SECOND: u64 = 2 * UNASKED;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const ACT_US: u64 = 60_000;
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self { id: NodeId::new(node as u64 + 1) }
    }

    fn boot(&self, seed: u64) -> Apart {
        let (id, members, quorums) = (self.id, members(), of_four(4));
        match id.get() {
            1 | 2 => Apart::Proposer(Proposer::new(id, &members, quorums, CONFIG, seed).unwrap()),
            3 => Apart::Learner(Learner::new(id, &members, quorums, CONFIG).unwrap()),
            _ => Apart::Acceptor(Acceptor::new(id, &members, quorums, CONFIG).unwrap()),
        }
    }

    fn durable(machine: &Apart) -> String {
        let status = machine.status();
        let rounds: Vec<String> = machine
            .checkpoint()
            .filter(|record| matches!(record, Record::Rounds { .. }))
            .map(|record| Shown(&record).to_string())
            .collect();
        format!("{} {} {} {rounds:?}", status.founded, status.promised, status.accepted)
    }

    fn act(&mut self, machine: &mut Apart, now: Instant, _rng: &mut Rng) {
        let is_first = !machine.status().founded;
        match machine {
            Apart::Proposer(one) => {
                if is_first {
                    one.found();
                }
                let _ = one.propose(now, &self.id.get().to_le_bytes());
            }
            Apart::Acceptor(one) if is_first => one.found(),
            Apart::Acceptor(_) => {}
            Apart::Learner(one) => one.learn(now),
        }
    }

    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        refusals(message)
    }

    fn memory(_machine: &Apart) -> Vec<(&'static str, usize, usize)> {
        vec![
            ("bytes of a proposer", size_of::<Proposer<Memory<7>>>(), 512 + 88 * 7 + 3 * VALUE),
            ("bytes of a learner", size_of::<Learner<Memory<7>>>(), 384 + 64 * 7 + VALUE),
            ("bytes of an acceptor", size_of::<Acceptor<Memory<7>>>(), 256 + 80 * 7 + VALUE),
        ]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(longest_promise())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some(longest_vote())
    }

    fn message_text(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }
}

conformance_tests! {
    synod: Application<Synod<Memory<4>>, false>, seeds 0..8;
    fast: Application<FastPaxos<Memory<4>>, false>, seeds 0..8;
    apart: ApartApplication, seeds 0..8;
}

/// When a value was chosen too little happens for the other checks.
#[test]
fn nodes_that_decide_conform() {
    for check in [
        Check::Deadlines,
        Check::Determinism,
        Check::SpuriousInputs,
        Check::Replay,
        Check::MessageRate,
    ] {
        assert_eq!(check_one::<Application<Synod<Memory<4>>, true>>(check), Ok(()));
        assert_eq!(check_one::<Application<FastPaxos<Memory<4>>, true>>(check), Ok(()));
    }
}

fn check_one<S: Specimen>(check: Check) -> Result<(), String> {
    conformance::check::<S>(check, 0..8).map_err(|failure| failure.to_string())
}
