//! Runs the rows of the table, or one of them, and prints a line for each:
//! name, requests, messages, their bytes, records, their bytes, allocations, requests a second.
//!
//! `quorate-bench-quorum [ROW REQUESTS]`; `cargo xtask icount` runs it under callgrind.

use std::process::ExitCode;
use std::time::Instant;

use quorate_bench_quorum::{ALLOCATOR, Case, Failure, measure};

#[global_allocator]
static GLOBAL: &stats_alloc::StatsAlloc<std::alloc::System> = ALLOCATOR;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Case::ALL.iter().try_for_each(|&case| print_row(case, 400_000)),
        [name, requests] => match (Case::named(name), requests.parse()) {
            (Some(case), Ok(requests)) => print_row(case, requests),
            _ => return usage(),
        },
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
    let rows = Case::ALL.map(Case::name).join(", ");
    eprintln!("usage: quorate-bench-quorum [ROW REQUESTS]; rows are {rows}");
    ExitCode::from(2)
}

#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
fn print_row(case: Case, requests: usize) -> Result<(), Failure> {
    let start = Instant::now();
    let count = measure(case, requests)?;
    let speed = count.requests as f64 / start.elapsed().as_secs_f64();
    println!(
        "{case} {} {} {} {} {} {} {speed:.0}",
        count.requests,
        count.messages,
        count.message_bytes,
        count.records,
        count.record_bytes,
        count.allocations,
    );
    Ok(())
}
