//! Scenarios, one after another, each on a fresh bench.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::launch::Launch;
use crate::stall::StallDetector;
use crate::{Failure, Journal, Program, Scenario, TestBench};

/// Runs scenarios, each on a fresh bench.
#[derive(Clone)]
pub struct Runner {
    /// The boards.
    pub board: Arc<dyn Launch>,
    /// Node 3 of the scenarios with a server.
    pub server: Option<Arc<dyn Launch>>,
    /// Where the benches are set up, a folder each; short, for sockets are there.
    pub dir: PathBuf,
    /// For everything random on the bench. The emulators run with the clock, so a run is not the same again, but its noise is.
    pub seed: u64,
    /// Keep the folders of scenarios that passed, too.
    pub keep: bool,
    /// Set to stop.
    pub interrupted: Arc<AtomicBool>,
}

/// The outcomes of the scenarios.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Those that passed.
    pub passed: Vec<&'static str>,
    /// Those that failed, and why.
    pub failed: Vec<(&'static str, String)>,
    /// Those that could not be run, for want of a server.
    pub skipped: Vec<&'static str>,
}

/// A host that stalls so long takes a good part of an election timeout from the boards. A failure
/// proves nothing then, and the scenario is run again.
const STALL: Duration = Duration::from_millis(100);
/// How often a scenario is run, at most.
const ATTEMPTS: usize = 4;

/// Lines of each node that a failure shows.
const SHOWN_LINES: usize = 25;

/// Every node on the bench.
const NODES: core::ops::RangeInclusive<u64> = 1..=3;

impl Runner {
    /// A bench for a scenario, wired, with nothing started and nothing in any storage.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it cannot be set up, or there is no server where one is needed.
    pub fn bench(&self, name: &str, program: &Program, server: bool) -> Result<TestBench, Failure> {
        let mut nodes: Vec<(u64, Arc<dyn Launch>)> =
            NODES.map(|id| (id, Arc::clone(&self.board))).collect();
        if server && let Some(last) = nodes.last_mut() {
            let launch = self.server.as_ref().ok_or_else(|| {
                Failure::Missing("this needs a server program, and none was named".to_owned())
            })?;
            last.1 = Arc::clone(launch);
        }
        let (dir, interrupted) = (self.dir.join(name), Arc::clone(&self.interrupted));
        // a scenario that is run again must not find what its nodes kept
        let _ = std::fs::remove_dir_all(&dir);
        TestBench::new(&dir, &nodes, self.seed, program.foreign_frame, interrupted)
    }

    /// Runs the scenarios of a program whose names are in `names`, or all when it is empty, and prints a line for each.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] for a name that is none, [`Failure::Interrupted`]. A scenario that
    /// fails is in the summary.
    pub fn run(&self, program: &Program, names: &[String]) -> Result<Summary, Failure> {
        let chosen = choose(program, names)?;
        println!("{}: {}\n", program.name, program.about);
        let mut summary = Summary::default();
        for scenario in chosen {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            if scenario.server && self.server.is_none() {
                println!("  {:<10} skipped: no server program was given", scenario.name);
                summary.skipped.push(scenario.name);
                continue;
            }
            let mut attempt = 1;
            while !self.run_scenario(program, scenario, attempt < ATTEMPTS, &mut summary)? {
                attempt += 1;
            }
        }
        Ok(summary)
    }

    /// Runs a scenario. False if it failed on a machine that stood still, and may be run `again`.
    fn run_scenario(
        &self,
        program: &Program,
        scenario: &Scenario,
        again: bool,
        summary: &mut Summary,
    ) -> Result<bool, Failure> {
        let stalls = StallDetector::start();
        let begin = Instant::now();
        let mut bench = self.bench(scenario.name, program, scenario.server)?;
        let outcome =
            (scenario.run)(&mut bench).and_then(|measured| check_exits(&mut bench, measured));
        let took = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(measured) => {
                println!("  {:<10} ok {took:6.1} s  {}", scenario.name, scenario.about);
                println!("  {:<10}             {measured}", "");
                summary.passed.push(scenario.name);
                let dir = bench.dir().to_owned();
                drop(bench);
                if !self.keep {
                    let _ = std::fs::remove_dir_all(dir);
                }
            }
            Err(_) if bench.interrupted() => return Err(Failure::Interrupted),
            Err(failure) => {
                println!("  {:<10} FAILED {took:.1} s  {failure}", scenario.name);
                print_journal(&bench);
                let stalled = stalls.longest();
                if again && stalled >= STALL && !matches!(failure, Failure::Violation(_)) {
                    println!("    the host stalled for {} ms: run again", stalled.as_millis());
                    return Ok(false);
                }
                summary.failed.push((scenario.name, failure.to_string()));
            }
        }
        Ok(true)
    }
}

fn choose<'a>(program: &'a Program, names: &[String]) -> Result<Vec<&'a Scenario>, Failure> {
    let find = |name: &String| {
        program.scenarios.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
            let all: Vec<&str> = program.scenarios.iter().map(|scenario| scenario.name).collect();
            Failure::Unexpected(format!("no scenario `{name}`; there are: {}", all.join(", ")))
        })
    };
    if names.is_empty() {
        return Ok(program.scenarios.iter().collect());
    }
    names.iter().map(find).collect()
}

/// No node may have ended by itself.
fn check_exits(bench: &mut TestBench, measured: String) -> Result<String, Failure> {
    match bench.unexpected_exits().into_iter().next() {
        Some((id, how)) => Err(Failure::Unexpected(format!("node {id} ended by itself: {how}"))),
        None => Ok(measured),
    }
}

/// Prints the last log lines of all nodes.
fn print_journal(bench: &TestBench) {
    for id in core::iter::once(Journal::BENCH).chain(bench.ids()) {
        for line in bench.journal().tail(id, SHOWN_LINES) {
            println!("    {line}");
        }
    }
    for wire in bench.wires() {
        let (a, b) = wire.ends();
        for (from, to) in [(a, b), (b, a)] {
            println!("    {from}->{to}: {:?}", wire.from(from).counts());
        }
    }
    println!("    everything is in {}", Journal::path(bench.dir()).display());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::PROGRAMS;
    use crate::launch::{NodeSetup, Running};

    /// Starts nothing.
    struct Nothing;

    impl Launch for Nothing {
        fn launch(&self, _: &NodeSetup, _: &Journal) -> Result<Box<dyn Running>, Failure> {
            Err(Failure::unexpected("this starts nothing"))
        }

        fn kind(&self) -> &'static str {
            "nothing"
        }
    }

    #[test]
    fn bench_of_a_scenario_that_is_run_again_is_empty() {
        let runner = Runner {
            board: Arc::new(Nothing),
            server: None,
            dir: std::env::temp_dir().join(format!("qr-{}", std::process::id())),
            seed: 1,
            keep: false,
            interrupted: Arc::default(),
        };
        let bench = || runner.bench("again", PROGRAMS.first().unwrap(), false).unwrap();
        let storage = {
            let bench = bench();
            let storage = bench.dir().join("storage1");
            std::fs::write(&storage, "kept").unwrap();
            storage
        };
        let again = bench();
        assert_eq!(again.dir().join("storage1"), storage);
        assert!(!storage.exists());
        drop(again);
        std::fs::remove_dir_all(&runner.dir).unwrap();
    }
}
