//! Runs the rows of the table, or one of them, and prints a line for each:
//! payload, batch, proposals, messages, allocations, live bytes an entry, proposals a second.
//!
//! `quorate-bench-raft [PAYLOAD BATCH PROPOSALS]`; `cargo xtask icount` runs it under callgrind.

use std::process::ExitCode;
use std::time::Instant;

use quorate_bench_raft::{ALLOCATOR, Case, Cluster, Failure};

#[global_allocator]
static GLOBAL: &stats_alloc::StatsAlloc<std::alloc::System> = ALLOCATOR;

/// Proposals before anything is counted: the log reaches its steady size.
const WARM_UP: usize = 20_000;
/// Entries in the log when the memory they take is measured.
const LIVE_ENTRIES: usize = 20_000;

fn main() -> ExitCode {
    let numbers: Result<Vec<usize>, _> = std::env::args().skip(1).map(|a| a.parse()).collect();
    let done = match numbers.as_deref() {
        Ok([]) => Case::ALL.iter().try_for_each(|&case| print_row(case, 400_000)),
        Ok([payload, batch @ 1..=4096, proposals]) => {
            print_row(Case { payload: *payload, batch: *batch }, *proposals)
        }
        _ => {
            eprintln!(
                "usage: quorate-bench-raft [PAYLOAD BATCH PROPOSALS], all numbers, BATCH from 1 to 4096"
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
fn print_row(case: Case, proposals: usize) -> Result<(), Failure> {
    let live = Cluster::live_bytes_per_entry(case, LIVE_ENTRIES)?;
    let mut cluster = Cluster::new()?;
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
