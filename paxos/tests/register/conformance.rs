//! The machine keeps the contract of `Machine`.

use quorate_core::{Instant, Machine, NodeId, Quorums, Rejected, Rng, Shown, Wire as _};
use quorate_paxos::register::{
    Change, Config, Event, Inline, Message, NoChanges, Outcome, Record, Register, Sizes, State,
    Status, Step,
};
use quorate_paxos::{Ballot, Member};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

const MEMBERS: usize = 5;
const KEYS: usize = 4;
const REQUESTS: usize = 2;
const KEY: usize = 4;
const VALUE: usize = 8;

type Node = Register<Inline<MEMBERS, KEYS, REQUESTS, KEY, VALUE>>;

const CONFIG: Config = Config::lan();

const fn times(every_us: u64) -> u64 {
    1_000_000 / every_us + 1
}

/// What a node sends another unasked in a second: for each request two messages of each ballot and what is repeated; and what a collection
/// repeats.
const UNASKED: u64 = REQUESTS as u64 * (2 * times(CONFIG.backoff_us) + times(CONFIG.retry_us))
    + 3 * times(CONFIG.retry_us);

/// The application of a node: it changes and collects some keys; the operator takes steps where `CHANGES` says so.
#[derive(Clone)]
struct Application<const CHANGES: bool> {
    id: NodeId,
    answered: u64,
}

impl<const CHANGES: bool> Specimen for Application<CHANGES> {
    type Machine = Node;

    const NAME: &'static str = "registers";
    const MESSAGES_PER_SECOND: u64 = 2 * UNASKED;
    const ANSWERS_PER_MESSAGE: u64 = 1;
    const REJECTED: &'static [Rejected] = &[Rejected::UnknownSender, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self { id: NodeId::new(node as u64 + 1), answered: 0 }
    }

    fn boot(&self, seed: u64) -> Node {
        let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
        Node::new(self.id, &members, Quorums::majority(3), CONFIG, NoChanges, seed).unwrap()
    }

    fn durable(machine: &Node) -> String {
        let Status { founded, version, stage, age, .. } = machine.status();
        let keys: Vec<String> = machine
            .keys()
            .filter_map(|key| {
                let (state, promised) = machine.accepted(key)?;
                // a place for a key that nothing was promised for yet
                (!promised.is_zero()).then(|| format!("{key:?} {state:?} {promised}"))
            })
            .collect();
        format!("{founded} {version} {stage:?} {age} {keys:?}")
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Answered { outcome: Outcome::Applied, .. } = event {
            self.answered += 1;
        }
    }

    fn act(&mut self, machine: &mut Node, now: Instant, rng: &mut Rng) {
        if !machine.status().founded {
            machine.found(0);
        }
        let key = [b'a' + rng.below(3) as u8];
        let key = &key[..];
        let value = self.answered.to_le_bytes();
        let change = match rng.below(5) {
            0 => Change::Read,
            1 => Change::Delete,
            2 => Change::CompareAndSet { version: Ballot::ZERO, value: &value },
            _ => Change::Set { value: &value },
        };
        let _ = machine.submit(now, key, change);
        if rng.chance(1, 8) {
            let _ = machine.collect(now, key);
        }
        let acceptors = [1, 2, 3].map(NodeId::new);
        let version = machine.status().version + 1;
        if CHANGES && rng.chance(1, 8) {
            let sizes = Sizes::majority(3);
            let _ = machine.take(Step::Accept { version, acceptors: &acceptors, sizes });
            let _ = machine.take(Step::Prepare { version, floor: version });
            let _ = machine.take(Step::Finish { version, floor: 0 });
        }
    }

    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        let refuse = |key, ballot: Ballot| {
            let promised = Ballot::new(ballot.round + 1, NodeId::new(3));
            vec![Message::Conflict { key, promised }.to_vec()]
        };
        match *message {
            Message::Prepare { key, ballot, .. } => refuse(key, ballot),
            Message::Accept { key, state, .. } => refuse(key, state.ballot),
            Message::Erase { tombstone, .. } => {
                vec![Message::Erased { tombstone, erased: false }.to_vec()]
            }
            _ => Vec::new(),
        }
    }

    fn memory(_machine: &Node) -> Vec<(&'static str, usize, usize)> {
        let bound = 700
            + MEMBERS * 160 * 2
            + KEYS * (180 + KEY + VALUE)
            + REQUESTS * (230 + KEY + 2 * VALUE)
            + 2 * VALUE;
        vec![("bytes", size_of::<Node>(), bound)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(longest_accept())
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Some(Record::Accepted { key: &[0; KEY], state: LONGEST, promised: LAST }.to_vec())
    }

    fn message_text(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }
}

const LAST: Ballot = Ballot::new(Ballot::MAX_ROUND, NodeId::new(u64::MAX));
const LONGEST: State<'_> = State { ballot: LAST, origin: LAST, value: Some(&[0; VALUE]) };

fn longest_accept() -> Vec<u8> {
    Message::Accept { key: &[0; KEY], state: LONGEST, next: LAST, age: u64::MAX }.to_vec()
}

conformance_tests! {
    registers: Application<false>, seeds 0..4;
    changing: Application<true>, seeds 0..4;
}
