use quorate_clocks_sim as clocks;
use quorate_crdt_sim as crdt;
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Inline, Ring};
use quorate_election_sim::ElectionSubject;
use quorate_paxos_sim as paxos;
use quorate_raft_sim as raft;
use quorate_raft_sim::{RaftProtocol, SmallLog};
use quorate_ring_sim as ring;
use quorate_sim::{Report, Violation, run, shrink};

/// A protocol that the simulator runs: the name of its crate, and how one of its seeds is run.
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// Finds a short interaction test, where there is a harness.
    pub(crate) shrink: Option<Shrink>,
    /// What must happen in a campaign of some length.
    pub(crate) required_marks: &'static [&'static str],
    /// Whether slow elections are counted.
    pub(crate) times_elections: bool,
}

/// Runs a seed, in a cluster of some size or of one drawn from the seed, and prints its trace or not.
pub(crate) type Run = fn(u64, Option<usize>, bool) -> Result<Report, Violation>;
/// Shortens a seed that fails.
pub(crate) type Shrink = fn(u64, Option<usize>) -> Result<String, String>;

/// All of them. The first is the one that is run unless told.
pub(crate) const PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "raft",
        run: run_raft,
        shrink: Some(shrink_raft),
        required_marks: raft::REQUIRED_MARKS,
        times_elections: true,
    },
    Protocol {
        name: "election",
        run: run_election,
        shrink: None,
        required_marks: &["elected", "suspected by phi", "write of an old leader refused", "pause"],
        times_elections: false,
    },
    Protocol {
        name: "clocks",
        run: run_clocks,
        shrink: None,
        required_marks: &["state merged", "gap told", "store full", "power loss"],
        times_elections: false,
    },
    Protocol {
        name: "crdt",
        run: run_crdt,
        shrink: None,
        required_marks: &["full", "removed for good", "power loss", "amnesiac: stopped"],
        times_elections: false,
    },
    Protocol {
        name: "ring",
        run: run_ring,
        shrink: None,
        required_marks: ring::REQUIRED_MARKS,
        times_elections: false,
    },
    Protocol {
        name: "paxos",
        run: run_paxos,
        shrink: None,
        required_marks: paxos::REQUIRED_MARKS,
        times_elections: false,
    },
    Protocol {
        name: "register",
        run: run_register,
        shrink: None,
        required_marks: paxos::REGISTER_MARKS,
        times_elections: false,
    },
    Protocol {
        name: "multi",
        run: run_multi,
        shrink: None,
        required_marks: paxos::multi::REQUIRED_MARKS,
        times_elections: true,
    },
];

/// Even seeds use the heap storage, odd ones the inline storage with small limits.
fn run_raft(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<raft::OnHeap>(seed, nodes, trace)
    } else {
        run::<raft::OnInline>(seed, nodes, trace)
    }
}

fn shrink_raft(seed: u64, nodes: Option<usize>) -> Result<String, String> {
    if seed.is_multiple_of(2) {
        shrink::<raft::OnHeap, RaftProtocol>(seed, nodes)
    } else {
        shrink::<raft::OnInline, RaftProtocol<SmallLog>>(seed, nodes)
    }
}

/// The four algorithms take turns.
fn run_election(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    match seed % 4 {
        0 => run::<ElectionSubject<Bully<Inline<7>>>>(seed, nodes, trace),
        1 => run::<ElectionSubject<Ring<Collecting, Inline<7>>>>(seed, nodes, trace),
        2 => run::<ElectionSubject<Ring<ChangRoberts, Inline<7>>>>(seed, nodes, trace),
        _ => run::<ElectionSubject<Ring<HirschbergSinclair, Inline<28>>>>(seed, nodes, trace),
    }
}

fn run_clocks(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<clocks::OnHeap>(seed, nodes, trace)
    } else {
        run::<clocks::OnInline>(seed, nodes, trace)
    }
}

fn run_crdt(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<crdt::OnHeap>(seed, nodes, trace)
    } else {
        run::<crdt::OnInline>(seed, nodes, trace)
    }
}

/// Registers, values that the last write replaces, siblings and migrations take turns, each on either storage.
fn run_ring(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    match seed % 8 {
        0 => name("registers", run::<ring::OnHeap>(seed, nodes, trace)),
        1 => name("registers", run::<ring::OnInline>(seed, nodes, trace)),
        2 => name("last write", run::<ring::LwwOnHeap>(seed, nodes, trace)),
        3 => name("last write", run::<ring::LwwOnInline>(seed, nodes, trace)),
        4 => name("siblings", run::<ring::SiblingsOnHeap>(seed, nodes, trace)),
        5 => name("siblings", run::<ring::SiblingsOnInline>(seed, nodes, trace)),
        6 => name("migration", run::<ring::MigrationOnHeap>(seed, nodes, trace)),
        _ => name("migration", run::<ring::MigrationOnInline>(seed, nodes, trace)),
    }
}

/// Even seeds use the heap storage, odd ones the inline storage.
fn run_paxos(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<paxos::OnHeap>(seed, nodes, trace)
    } else {
        run::<paxos::OnInline>(seed, nodes, trace)
    }
}

/// Even seeds use the heap storage, odd ones the inline storage with small limits.
fn run_register(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<paxos::RegisterOnHeap>(seed, nodes, trace)
    } else {
        run::<paxos::RegisterOnInline>(seed, nodes, trace)
    }
}

/// Even seeds use the heap storage, odd ones the inline storage with small limits.
fn run_multi(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    if seed.is_multiple_of(2) {
        run::<paxos::multi::OnHeap>(seed, nodes, trace)
    } else {
        run::<paxos::multi::OnInline>(seed, nodes, trace)
    }
}

/// Says which subject it was whose seed is violated.
fn name(subject: &str, result: Result<Report, Violation>) -> Result<Report, Violation> {
    result.map_err(|violation| {
        let what = format!("{subject}: {}", violation.what);
        Violation { what, ..violation }
    })
}
