//! Clocks and CRDTs side by side with what others have made. `cargo xtask bench` runs it and prints a table.
//!
//! ```text
//! quorate-bench-clocks time GROUP          number|group|operation|size|who|ns|allocations, a line a case
//! quorate-bench-clocks count CASE ROUNDS   runs one of those, by its number, for an instruction counter
//! ```
//!
//! The cases of one operation are timed in turns, and the least of many short runs counts: what disturbs one disturbs its
//! neighbours.

mod case;
mod clocks;
mod crdt;

use std::process::ExitCode;
use std::time::Instant;

use case::{Case, Rounds};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// How often each case is timed.
const TURNS: usize = 60;
/// How long one run should take, in ns.
const RUN_NS: u128 = 400_000;

/// All cases, those of one operation and size next to each other.
fn cases() -> Vec<Case> {
    clocks::cases().into_iter().chain(crdt::cases()).collect()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["time", group] => time(group),
        ["count", case, rounds] => match (case.parse(), rounds.parse()) {
            (Ok(case), Ok(rounds)) => return count(case, rounds),
            _ => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: quorate-bench-clocks time GROUP | count CASE ROUNDS");
    ExitCode::from(2)
}

fn count(case: usize, rounds: u64) -> ExitCode {
    let all = cases();
    let Some(case) = all.get(case) else { return usage() };
    let mut body = (case.make)();
    body(10); // what happens once is not counted
    measured_rounds(&mut body, rounds);
    ExitCode::SUCCESS
}

/// Instructions are counted within this function.
#[inline(never)]
fn measured_rounds(body: &mut Rounds, rounds: u64) {
    body(rounds);
}

fn time(group: &str) {
    let all: Vec<(usize, Case)> = cases().into_iter().enumerate().collect();
    let chosen: Vec<&(usize, Case)> = all.iter().filter(|(_, case)| case.group == group).collect();
    for neighbours in chosen.chunk_by(|a, b| key(&a.1) == key(&b.1)) {
        let mut runs: Vec<Run> = neighbours.iter().map(|(_, case)| Run::new(case)).collect();
        for _ in 0..TURNS {
            runs.iter_mut().for_each(Run::turn);
        }
        for ((number, case), run) in neighbours.iter().zip(&mut runs) {
            let Case { group, operation, size, who, .. } = case;
            let (ns, allocations) = (run.best_ns, run.allocations());
            println!("{number}|{group}|{operation}|{size}|{who}|{ns:.2}|{allocations:.2}");
        }
    }
}

fn key(case: &Case) -> (&str, usize) {
    (case.operation, case.size)
}

/// One case while it is timed.
struct Run {
    body: Rounds,
    rounds: u64,
    best_ns: f64,
}

impl Run {
    fn new(case: &Case) -> Self {
        let mut body = (case.make)();
        let mut rounds = 16;
        loop {
            let start = Instant::now();
            body(rounds);
            if start.elapsed().as_nanos() >= RUN_NS {
                return Self { body, rounds, best_ns: f64::MAX };
            }
            rounds *= 2;
        }
    }

    fn turn(&mut self) {
        let start = Instant::now();
        (self.body)(self.rounds);
        let ns = start.elapsed().as_nanos() as f64 / self.rounds as f64;
        self.best_ns = self.best_ns.min(ns);
    }

    /// Calls of the allocator a round.
    fn allocations(&mut self) -> f64 {
        let region = Region::new(ALLOCATOR);
        (self.body)(100);
        let change = region.change();
        (change.allocations + change.reallocations) as f64 / 100.0
    }
}
