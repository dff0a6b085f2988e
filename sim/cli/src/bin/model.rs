//! Explores elections, Raft, Paxos, Multi-Paxos, registers of the quorum store and hand-overs of a range exhaustively within bounds: all cases, those of a model, or those whose
//! name has all the words given.

use std::process::ExitCode;

use quorate_core::{Drift, NodeId};
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Inline, Mode, Ring, Takeover};
use quorate_election_sim::{ElectionMachine, ModelledElection};
use quorate_paxos_sim::multi::ModelledMulti;
use quorate_paxos_sim::{Layout, ModelledSynod};
use quorate_raft::Change;
use quorate_raft_sim::{ModelledRaft, Request};
use quorate_ring::quorum::ReadRepair;
use quorate_ring_sim::Operation::{self, Read, Write, WriteNth};
use quorate_ring_sim::{ModelledMigration, ModelledRegister};
use quorate_sim::model::{Bounds, Exploration, Modelled as _, explore};

type BullyNode = Bully<Inline<5>>;
type RingNode<A> = Ring<A, Inline<8>>;
type Explore = fn(usize, Config, Bounds) -> Exploration;

const HIGHEST: Config = Config { attempts: 1, ..Config::lan() };
const KEEP: Config = Config { takeover: Takeover::Keep, ..HIGHEST };
const QUORUM: Config = Config { mode: Mode::Quorum, ..KEEP };
const LEASE: Config =
    Config { mode: Mode::Lease { lease_us: 250_000, drift: Drift::NONE }, ..KEEP };

/// The disk of one node is erased.
const ERASED: Bounds = Bounds { timeouts: 2, crashes: 0, erasures: 1, ..FEW };

/// An early timeout and a crash; no more than three messages in flight.
const FEW: Bounds = Bounds {
    timeouts: 1,
    crashes: 1,
    erasures: 0,
    losses: 0,
    duplicates: 0,
    commands: 0,
    in_flight: 3,
    slow_disks: false,
};
const TWO: Bounds = Bounds { in_flight: 2, ..FEW };

/// The models: each name of a case begins with one.
const MODELS: &[&str] = &["bully", "ring", "raft", "paxos", "multi", "quorum", "migration"];

/// What is explored: a name, the nodes, how they behave, and what may happen.
const CASES: &[(&str, usize, Explore, Config, Bounds)] = &[
    ("bully", 3, run::<BullyNode>, HIGHEST, FEW),
    ("bully", 3, run::<BullyNode>, HIGHEST, Bounds { timeouts: 2, ..FEW }),
    ("bully", 4, run::<BullyNode>, HIGHEST, FEW),
    ("bully", 5, run::<BullyNode>, HIGHEST, TWO),
    (
        "bully keep",
        3,
        run::<BullyNode>,
        KEEP,
        Bounds { in_flight: 0, losses: 1, duplicates: 1, ..FEW },
    ),
    ("bully keep", 5, run::<BullyNode>, KEEP, FEW),
    ("bully quorum", 3, run::<BullyNode>, QUORUM, FEW),
    ("bully quorum slow disks", 3, run::<BullyNode>, QUORUM, Bounds { slow_disks: true, ..FEW }),
    ("bully quorum", 4, run::<BullyNode>, QUORUM, FEW),
    ("bully quorum", 5, run::<BullyNode>, QUORUM, FEW),
    ("bully lease", 3, run::<BullyNode>, LEASE, Bounds { timeouts: 3, ..FEW }),
    ("bully quorum erased", 3, run::<BullyNode>, QUORUM, ERASED),
    ("bully lease erased", 3, run::<BullyNode>, LEASE, ERASED),
    ("ring collecting", 3, run::<RingNode<Collecting>>, KEEP, Bounds { timeouts: 2, ..FEW }),
    ("ring collecting", 4, run::<RingNode<Collecting>>, KEEP, Bounds { timeouts: 2, ..TWO }),
    ("ring chang-roberts", 3, run::<RingNode<ChangRoberts>>, KEEP, Bounds { timeouts: 2, ..FEW }),
    ("ring chang-roberts", 3, run::<RingNode<ChangRoberts>>, HIGHEST, TWO),
    ("ring chang-roberts", 5, run::<RingNode<ChangRoberts>>, KEEP, TWO),
    ("ring hirschberg-sinclair", 3, run::<RingNode<HirschbergSinclair>>, KEEP, FEW),
    ("ring hirschberg-sinclair", 4, run::<RingNode<HirschbergSinclair>>, KEEP, TWO),
];

/// Raft with three nodes. Commands are proposals, or changes of the members.
const RAFT: &[(&str, Bounds)] = &[
    ("raft elections", Bounds { timeouts: 2, crashes: 0, in_flight: 0, ..FEW }),
    ("raft elections", Bounds { timeouts: 2, ..FEW }),
    ("raft elections pre-vote", Bounds { timeouts: 3, ..TWO }),
    ("raft elections slow disks", Bounds { timeouts: 2, slow_disks: true, ..TWO }),
    ("raft entry", Bounds { timeouts: 2, crashes: 0, commands: 1, ..FEW }),
    ("raft entry", Bounds { timeouts: 2, commands: 1, ..TWO }),
    ("raft entry", Bounds { commands: 1, in_flight: 0, losses: 1, duplicates: 1, ..FEW }),
    ("raft entry slow disks", Bounds { commands: 1, in_flight: 0, slow_disks: true, ..FEW }),
    ("raft members", Bounds { commands: 1, crashes: 1, ..FEW }),
    ("raft members", Bounds { timeouts: 2, commands: 2, crashes: 0, ..TWO }),
    ("raft members joint", Bounds { commands: 1, crashes: 1, ..FEW }),
    ("raft members joint", Bounds { timeouts: 2, commands: 1, crashes: 0, ..TWO }),
];

/// One decision: which nodes there are, the sizes of quorums, and what may happen. Each step must be one of the abstract algorithm.
const PAXOS: &[(&str, Layout, (u8, u8), Bounds)] = &[
    ("paxos", Layout::Together(3), (2, 2), DUEL),
    ("paxos timeout", Layout::Together(3), (2, 2), Bounds { timeouts: 1, ..DUEL }),
    ("paxos crash", Layout::Together(3), (2, 2), Bounds { crashes: 1, ..DUEL }),
    ("paxos losses", Layout::Together(3), (2, 2), Bounds { losses: 1, duplicates: 1, ..DUEL }),
    ("paxos one and three", Layout::Together(3), (1, 3), Bounds { in_flight: 3, ..DUEL }),
    ("paxos three and one", Layout::Together(3), (3, 1), Bounds { in_flight: 3, ..DUEL }),
    ("paxos apart", Layout::Apart(3), (2, 2), Bounds { in_flight: 3, ..DUEL }),
    ("paxos apart crash", Layout::Apart(3), (2, 2), Bounds { crashes: 1, ..DUEL }),
];

/// Two nodes propose at any time; disks are slow.
const DUEL: Bounds =
    Bounds { timeouts: 0, crashes: 0, commands: 2, in_flight: 2, slow_disks: true, ..FEW };

/// A log: nodes, the sizes of quorums, the commands of each leader, and what may happen. Each slot must be one decision of the abstract
/// algorithm.
const MULTI: &[(&str, ModelledMulti, Bounds)] = &[
    ("multi", LOG_OF_3, Bounds { in_flight: 4, ..LOG }),
    ("multi three candidates", LOG_OF_3, Bounds { timeouts: 3, ..LOG }),
    ("multi losses", LOG_OF_3, Bounds { losses: 1, duplicates: 1, commands: 1, ..LOG }),
    ("multi crash", LOG_OF_3, Bounds { crashes: 1, ..LOG }),
    (
        "multi three and one",
        ModelledMulti { one: 3, two: 1, ..LOG_OF_3 },
        Bounds { in_flight: 3, ..LOG },
    ),
    (
        "multi one and three",
        ModelledMulti { one: 1, two: 3, ..LOG_OF_3 },
        Bounds { in_flight: 3, ..LOG },
    ),
];
const LOG_OF_3: ModelledMulti = ModelledMulti { nodes: 3, one: 2, two: 2, proposals: 1 };

/// Two nodes may become candidates, and propose if they lead; disks are slow.
const LOG: Bounds =
    Bounds { timeouts: 2, crashes: 0, commands: 2, in_flight: 2, slow_disks: true, ..FEW };

/// Every message arrives some time, or later than anybody looks. Clients give as many commands as they have.
const QUIET: Bounds = Bounds { timeouts: 0, crashes: 0, commands: u8::MAX, in_flight: 0, ..FEW };

const ONE_WRITER: &[&[Operation]] = &[&[WriteNth(1)], &[Read, Read]];
const TWO_READERS: &[&[Operation]] = &[&[WriteNth(1)], &[Read], &[Read]];
const TWO_WRITERS: &[&[Operation]] = &[&[Write(1)], &[Write(2), Read]];

/// Registers of three replicas; of those whose name says `inverted` an inversion of two reads must be found.
const REGISTERS: &[(&str, &[&[Operation]], ReadRepair, Bounds)] = &[
    ("quorum", ONE_WRITER, ReadRepair::Blocking, QUIET),
    ("quorum always", ONE_WRITER, ReadRepair::Always, QUIET),
    ("quorum two readers", TWO_READERS, ReadRepair::Blocking, QUIET),
    ("quorum two writers", &[&[Write(1)], &[Write(2)]], ReadRepair::Blocking, QUIET),
    (
        "quorum two writers read",
        TWO_WRITERS,
        ReadRepair::Blocking,
        Bounds { in_flight: 5, ..QUIET },
    ),
    (
        "quorum crash slow disks",
        ONE_WRITER,
        ReadRepair::Blocking,
        Bounds { crashes: 1, in_flight: 3, slow_disks: true, ..QUIET },
    ),
    ("quorum sent again", ONE_WRITER, ReadRepair::Blocking, Bounds { timeouts: 1, ..TWO_SENT }),
    ("quorum duplicates", ONE_WRITER, ReadRepair::Blocking, Bounds { duplicates: 1, ..TWO_SENT }),
    ("quorum apart", ONE_WRITER, ReadRepair::Blocking, Bounds { in_flight: 4, ..QUIET }),
    ("quorum apart inverted", ONE_WRITER, ReadRepair::Off, QUIET),
    ("quorum inverted", ONE_WRITER, ReadRepair::Background, QUIET),
];
const TWO_SENT: Bounds = Bounds { in_flight: 4, ..QUIET };

/// Hand-overs of a range between so many nodes.
const MIGRATIONS: &[(&str, usize, Bounds)] = &[
    ("migration crashes", 2, Bounds { crashes: 2, commands: 2, slow_disks: true, ..FEW }),
    (
        "migration messages",
        2,
        Bounds { losses: 1, duplicates: 1, commands: 2, slow_disks: true, ..FEW },
    ),
    ("migration write", 2, Bounds { commands: 3, ..FEW }),
    ("migration again", 3, Bounds { commands: 3, ..FEW }),
];

const FIRST: NodeId = NodeId::new(1);
const SECOND: NodeId = NodeId::new(2);
const THIRD: NodeId = NodeId::new(3);

/// One voter less at a time, whichever leads.
const ONE_BY_ONE: &[Request] =
    &[Request::Change(&[Change::Remove(FIRST)]), Request::Change(&[Change::Demote(THIRD)])];

/// Two voters less at once, which goes through both configurations.
const JOINTLY: &[Request] = &[
    Request::Change(&[Change::Demote(FIRST), Change::Remove(SECOND)]),
    Request::Change(&[Change::Remove(SECOND), Change::Remove(THIRD)]),
];

/// The requests to leaders in the cases of a name.
fn requests(name: &str) -> &'static [Request] {
    match name {
        "raft members" => ONE_BY_ONE,
        "raft members joint" => JOINTLY,
        _ => &[Request::Propose(b"x")],
    }
}

fn run_raft(name: &str, bounds: Bounds) -> Exploration {
    let pre_vote = name.contains("pre-vote");
    let config = quorate_raft::Config {
        pre_vote,
        check_quorum: pre_vote,
        max_entry_bytes: 8,
        max_uncommitted_bytes: 64,
        max_log_bytes: 192,
        max_snapshot_chunk_bytes: 16,
        ..quorate_raft::Config::default()
    };
    explore(
        ModelledRaft { nodes: 3, config, requests: requests(name), max_healing_us: 0 },
        bounds,
        2,
    )
}

/// Whether the register is what its name says.
fn run_register(
    name: &str,
    (clients, repair, bounds): (&'static [&'static [Operation]], ReadRepair, Bounds),
) -> bool {
    let subject = ModelledRegister { clients, apart: name.contains("apart"), repair };
    let nodes = subject.nodes();
    let mut found = explore(subject, bounds, 2);
    if !name.contains("inverted") {
        return report(name, nodes, &bounds, &found);
    }
    let is_found = found.violation.take().is_some_and(|what| what.starts_with("not linearizable"));
    if !is_found {
        found.violation = Some("reads are not inverted: what is explored is not enough".into());
    }
    report(name, nodes, &bounds, &found)
}

fn run<M: ElectionMachine>(nodes: usize, config: Config, bounds: Bounds) -> Exploration {
    explore(ModelledElection::<M>::new(nodes, config), bounds, 2)
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut part = Some((1, 1));
    if let Some(at) = args.iter().position(|arg| arg == "--part") {
        part = args.get(at + 1).and_then(|arg| parse_part(arg));
        args.drain(at..args.len().min(at + 2));
    }
    let Some((part, parts)) = part else {
        eprintln!("model: --part is K/N with K from 1 to N, such as 1/2");
        return ExitCode::from(2);
    };
    if args.iter().any(|arg| arg.starts_with('-')) {
        println!(
            "model [MODEL] [WORD]... [--part K/N]: explores the cases of a model ({}) whose name \
            has all the words, or of these every N-th from the K-th on",
            MODELS.join(", ")
        );
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<26} {:>5} {:>8} {:>7} {:>6} {:>10} {:>9} {:>9} {:>10} {:>5}",
        "",
        "nodes",
        "timeouts",
        "crashes",
        "losses",
        "duplicates",
        "in flight",
        "states",
        "generated",
        "depth"
    );
    // a name begins with its model
    let is_model = |arg: &String| MODELS.contains(&arg.as_str());
    let (models, words) = args.split_at(usize::from(args.first().is_some_and(is_model)));
    let named = |name: &str| {
        models.iter().all(|model| name.split(' ').next() == Some(model))
            && words.iter().all(|word| name.contains(word.as_str()))
    };
    let mut at = 0;
    let mut chosen = |name: &str| {
        let chosen = named(name) && at % parts == part - 1;
        at += usize::from(named(name));
        chosen
    };
    let mut passed = true;
    for (name, nodes, explore, config, bounds) in CASES.iter().filter(|case| chosen(case.0)) {
        passed &= report(name, *nodes, bounds, &explore(*nodes, *config, *bounds));
    }
    for (name, bounds) in RAFT.iter().filter(|case| chosen(case.0)) {
        passed &= report(name, 3, bounds, &run_raft(name, *bounds));
    }
    for (name, roles, (one, two), bounds) in PAXOS.iter().filter(|case| chosen(case.0)) {
        let subject = ModelledSynod { roles: *roles, one: *one, two: *two, proposing: 2 };
        passed &= report(name, subject.nodes(), bounds, &explore(subject, *bounds, 2));
    }
    for (name, subject, bounds) in MULTI.iter().filter(|case| chosen(case.0)) {
        passed &= report(name, subject.nodes(), bounds, &explore(*subject, *bounds, 2));
    }
    for (name, clients, repair, bounds) in REGISTERS.iter().filter(|case| chosen(case.0)) {
        passed &= run_register(name, (clients, *repair, *bounds));
    }
    for (name, nodes, bounds) in MIGRATIONS.iter().filter(|case| chosen(case.0)) {
        let found = explore(ModelledMigration { nodes: *nodes }, *bounds, 2);
        passed &= report(name, *nodes, bounds, &found);
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads `1/2`.
fn parse_part(arg: &str) -> Option<(usize, usize)> {
    let (part, parts) = arg.split_once('/')?;
    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
    (1..=parts).contains(&part).then_some((part, parts))
}

/// Prints what was found; false if something is violated.
fn report(name: &str, nodes: usize, bounds: &Bounds, found: &Exploration) -> bool {
    let Bounds { timeouts, crashes, losses, duplicates, in_flight, .. } = bounds;
    println!(
        "{name:<26} {nodes:>5} {timeouts:>8} {crashes:>7} {losses:>6} {duplicates:>10} {in_flight:>9} {:>9} {:>10} {:>5}",
        found.states, found.generated, found.depth
    );
    if let Some(violation) = &found.violation {
        println!("{violation}");
    }
    found.violation.is_none()
}
