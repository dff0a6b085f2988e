//! The elections keep the contract of `Machine`, in all modes.
#![allow(clippy::unwrap_used)]

use core::marker::PhantomData;

use quorate_core::{Drift, Instant, Machine, NodeId, Output, Rejected, Rng, Wire};
use quorate_election::ring::{self, ChangRoberts, Collecting, Direction, HirschbergSinclair};
use quorate_election::{Bully, Config, Epoch, Inline, Mode, Record, Ring, Status, Takeover, bully};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

use crate::common::{Node, bytes};
use crate::message_bursts::{bully_burst, ring_burst};

/// An election with a configuration.
#[derive(Clone)]
struct Election<E, C> {
    node: usize,
    kind: PhantomData<(E, C)>,
}

trait Configured: Clone {
    const NAME: &'static str;
    fn config() -> Config;
}

macro_rules! configured {
    ($($name:ident $text:literal $takeover:ident $mode:expr;)+) => {$(
        #[derive(Clone)]
        struct $name;

        impl Configured for $name {
            const NAME: &'static str = $text;

            fn config() -> Config {
                Config { takeover: Takeover::$takeover, mode: $mode, ..Config::lan() }
            }
        }
    )+};
}

const LEASE: Mode = Mode::Lease { lease_us: 300_000, drift: Drift::NONE };

configured! {
    Classic "election, classic mode" Highest Mode::Classic;
    ClassicKeep "election, classic mode that keeps leaders" Keep Mode::Classic;
    Quorum "election, quorum mode" Highest Mode::Quorum;
    QuorumKeep "election, quorum mode that keeps leaders" Keep Mode::Quorum;
    Lease "election, lease mode" Highest LEASE;
    LeaseKeep "election, lease mode that keeps leaders" Keep LEASE;
}

/// What all configurations have in common.
const CONFIG: Config = Config::lan();

const fn in_a_second(us: u64) -> u64 {
    1_000_000_u64.div_ceil(us)
}

/// The messages of an election, and what they take.
trait Elects: Node + Clone {
    const NODES: usize;
    const MEMORY: usize;
    /// The most messages to one other node within an `answer_timeout_us`, and on average within a second.
    const BURST: u64;
    const MESSAGES_PER_SECOND: u64;
    /// A message of this epoch of node 3 that makes node 1 send its longest message.
    fn lengthen(epoch: Epoch) -> Vec<u8>;
    fn refuse(message: &Self::Message<'_>) -> Vec<Vec<u8>>;
}

/// An epoch after this one, of the last of `nodes`: the one that refuses everything.
fn later(epoch: Epoch, nodes: usize) -> Epoch {
    Epoch::from_token(((epoch.token() >> 5) + 1) << 5 | (nodes as u64 - 1))
}

impl<const N: usize> Elects for Bully<Inline<N>> {
    const NODES: usize = N;
    const MEMORY: usize = 304 + 8 * N;
    const BURST: u64 = bully_burst(N as u64);
    const MESSAGES_PER_SECOND: u64 = Self::BURST * in_a_second(CONFIG.outcome_timeout_us)
        + 3 * in_a_second(CONFIG.answer_timeout_us);

    fn lengthen(epoch: Epoch) -> Vec<u8> {
        bytes(&bully::Message::Alive { epoch, round: u64::MAX }) // which it accepts
    }

    fn refuse(message: &bully::Message) -> Vec<Vec<u8>> {
        use bully::Message;
        match *message {
            Message::Election { epoch }
            | Message::Coordinator { epoch }
            | Message::Alive { epoch, .. } => {
                // of the highest member, which is waited for, and of the lowest, which is not
                [N, 1].map(|owner| bytes(&Message::Stale { epoch: later(epoch, owner) })).to_vec()
            }
            _ => Vec::new(),
        }
    }
}

impl<A: Probes, const N: usize> Elects for Ring<A, Inline<N>> {
    const NODES: usize = N;
    const MEMORY: usize = 256 + 64 * N;
    const BURST: u64 = ring_burst(N as u64, A::PROBES);
    const MESSAGES_PER_SECOND: u64 =
        Self::BURST * in_a_second(CONFIG.outcome_timeout_us) + 2 * in_a_second(CONFIG.heartbeat_us);

    /// The token of a better candidate, which it sends on.
    fn lengthen(token: Epoch) -> Vec<u8> {
        let (highest, direction) = (token, Direction::Forward);
        bytes(&if A::PROBES {
            ring::Message::Probe { token, highest, phase: 5, hops: 32, direction }
        } else {
            ring::Message::Elect { token, highest, passed: 1 << 2 }
        })
    }

    fn refuse(message: &ring::Message) -> Vec<Vec<u8>> {
        use ring::Message;
        match *message {
            Message::Alive { epoch } | Message::ConfirmLeadership { epoch } => {
                vec![bytes(&Message::Alive { epoch: later(epoch, N) })]
            }
            _ => Vec::new(),
        }
    }
}

/// Whether an algorithm sends probes, or else tokens that go all the way round.
trait Probes: ring::Algorithm {
    const PROBES: bool = false;
}

impl Probes for Collecting {}
impl Probes for ChangRoberts {}

impl Probes for HirschbergSinclair {
    const PROBES: bool = true;
}

/// An epoch near the limit of 2^62, of the member at this place; `n` after the first such.
fn last_epoch(n: u64, owner: u64) -> Epoch {
    Epoch::from_token((1 << 62) - 1024 + 32 * n + owner)
}

impl<E: Elects, C: Configured> Election<E, C> {
    /// What node 1 says and writes when it is near the last epoch.
    fn last_outputs() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let ids: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        let mut machine = E::make(ids[0], &ids, C::config());
        let record = bytes(&Record { epoch: last_epoch(0, 0) });
        machine.restore(E::Record::from_slice(&record).unwrap()).unwrap();
        machine.tick(Instant::ZERO);
        let now = Instant::from_millis(10_000); // no promise of before the start holds
        machine.tick(now);
        let message = E::lengthen(last_epoch(9, 2));
        machine.receive(now, ids[2], E::Message::from_slice(&message).unwrap()).unwrap();
        let (mut messages, mut records) = (Vec::new(), Vec::new());
        loop {
            let mut issued = None;
            while let Some(output) = machine.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        issued = Some(ticket);
                        records.push(bytes(&record));
                    }
                    Output::Send(_, message) => messages.push(bytes(&message)),
                    Output::Event(_) => {}
                }
            }
            match issued {
                Some(ticket) => machine.persisted(ticket),
                None => return (messages, records),
            }
        }
    }
}

impl<E, C> Specimen for Election<E, C>
where
    E: Elects + for<'a> Machine<Status = Status>,
    C: Configured,
{
    type Machine = E;

    const NAME: &'static str = C::NAME;
    const NODES: usize = E::NODES;
    // what the machines promise
    const MESSAGES_PER_SECOND: u64 = E::MESSAGES_PER_SECOND;
    const BURST: Option<(u64, u64)> = Some((CONFIG.answer_timeout_us, E::BURST));
    const ANSWERS_PER_MESSAGE: u64 = 2;
    const REJECTED: &'static [Rejected] =
        &[Rejected::UnknownSender, Rejected::Malformed, Rejected::OutOfRange, Rejected::Impossible];
    const ACT_US: u64 = 300_000;

    fn new(node: usize) -> Self {
        Self { node, kind: PhantomData }
    }

    fn boot(&self, _seed: u64) -> E {
        let ids: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        E::make(ids[self.node], &ids, C::config())
    }

    fn durable(machine: &E) -> String {
        format!("{:?}", machine.status().epoch)
    }

    fn act(&mut self, machine: &mut E, now: Instant, rng: &mut Rng) {
        match rng.below(4) {
            0 => machine.fenced(now, later(machine.status().epoch, Self::NODES)),
            _ => machine.suspect(now, NodeId::new(1 + rng.below(Self::NODES as u64))),
        }
    }

    fn refusals(message: &E::Message<'_>) -> Vec<Vec<u8>> {
        E::refuse(message)
    }

    fn memory(_machine: &E) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", size_of::<E>(), E::MEMORY)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Self::last_outputs().0.into_iter().max_by_key(Vec::len)
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        Self::last_outputs().1.into_iter().max_by_key(Vec::len)
    }
}

type OfBully<C, const N: usize = 3> = Election<Bully<Inline<N>>, C>;
type OfRing<A, C, const N: usize = 3> = Election<Ring<A, Inline<N>>, C>;

conformance_tests! {
    bully_classic: OfBully<Classic>, seeds 0..8;
    bully_classic_keep: OfBully<ClassicKeep>, seeds 0..8;
    bully_quorum: OfBully<Quorum>, seeds 0..8;
    bully_quorum_keep: OfBully<QuorumKeep>, seeds 0..8;
    bully_lease: OfBully<Lease>, seeds 0..8;
    bully_lease_keep: OfBully<LeaseKeep>, seeds 0..8;
    ring_collecting: OfRing<Collecting, Classic>, seeds 0..8;
    ring_chang_roberts: OfRing<ChangRoberts, ClassicKeep>, seeds 0..8;
    ring_hirschberg_sinclair: OfRing<HirschbergSinclair, Classic>, seeds 0..8;
    bully_classic_of_7: OfBully<Classic, 7>, seeds 0..4;
    bully_quorum_keep_of_7: OfBully<QuorumKeep, 7>, seeds 0..4;
    ring_collecting_of_7: OfRing<Collecting, Classic, 7>, seeds 0..4;
    ring_chang_roberts_of_7: OfRing<ChangRoberts, ClassicKeep, 7>, seeds 0..4;
    ring_hirschberg_sinclair_of_7: OfRing<HirschbergSinclair, Classic, 7>, seeds 0..4;
}
