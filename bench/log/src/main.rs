//! Runs the rows of the table, or one of them, and prints a line for each:
//! payload, batch, proposals, messages, allocations, live bytes an entry, proposals a second.
//!
//! `quorate-bench-log raft|paxos [PAYLOAD BATCH PROPOSALS]`; `cargo xtask icount` runs it under callgrind.

use std::process::ExitCode;
use std::time::Instant;

use quorate_bench_log::{ALLOCATOR, Case, Cluster, Failure, Replica};
use quorate_paxos::multi::MultiPaxos;
use quorate_raft::Raft;

#[global_allocator]
static GLOBAL: &stats_alloc::StatsAlloc<std::alloc::System> = ALLOCATOR;

/// Proposals before anything is counted: the log reaches its steady size.
const WARM_UP: usize = 20_000;
/// Entries in the log when the memory they take is measured.
const LIVE_ENTRIES: usize = 20_000;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let protocol = words.next().unwrap_or_default();
    let numbers: Result<Vec<usize>, _> = words.map(|word| word.parse()).collect();
    let run = match protocol.as_str() {
        "raft" => run::<Raft<quorate_raft::Heap>>,
        "paxos" => run::<MultiPaxos<quorate_paxos::Heap>>,
        _ => return usage(),
    };
    let done = match numbers.as_deref() {
        Ok([]) => Case::ALL.iter().try_for_each(|&case| run(case, 400_000)),
        Ok([payload, batch @ 1..=4096, proposals]) => {
            run(Case { payload: *payload, batch: *batch }, *proposals)
        }
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: quorate-bench-log raft|paxos [PAYLOAD BATCH PROPOSALS], all numbers, BATCH from 1 to 4096"
    );
    ExitCode::from(2)
}

#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
fn run<R: Replica>(case: Case, proposals: usize) -> Result<(), Failure> {
    let live = Cluster::<R>::live_bytes_per_entry(case, LIVE_ENTRIES)?;
    let mut cluster = Cluster::<R>::new()?;
    cluster.warm_up(case, case.rounds(WARM_UP))?;
    let start = Instant::now();
    let count = cluster.measure(case, case.rounds(proposals))?;
    let speed = count.proposals as f64 / start.elapsed().as_secs_f64();
    println!(
        "{} {} {} {} {} {live:.1} {speed:.0}",
        case.payload, case.batch, count.proposals, count.messages, count.allocations,
    );
    Ok(())
}
