//! Scenarios, one after another, each on a fresh bench.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::host::Host;
use crate::launch::Launch;
use crate::{Failure, Journal, Program, Rig, Scenario};

/// What scenarios are run with.
#[derive(Clone)]
pub struct Kit {
    /// The boards.
    pub board: Arc<dyn Launch>,
    /// Node 3 of the scenarios with a server.
    pub server: Option<Arc<dyn Launch>>,
    /// Where the benches are set up, a folder each; short, for sockets are there.
    pub dir: PathBuf,
    /// For everything random on the bench. The emulators run with the clock, so a run is not the same again, but its noise is.
    pub seed: u64,
    /// Leave the folders of scenarios that went well, too.
    pub keep: bool,
    /// Somebody asks to stop.
    pub interrupted: Arc<AtomicBool>,
}

/// How the scenarios went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Those that went well.
    pub passed: Vec<&'static str>,
    /// Those that did not, and why.
    pub failed: Vec<(&'static str, String)>,
    /// Those that could not be run, for want of a server.
    pub skipped: Vec<&'static str>,
}

/// A machine that stood still so long took a good part of an election timeout from the boards. What a scenario shows then says nothing of
/// them, and it is run again.
const STALL: Duration = Duration::from_millis(100);
/// How often a scenario is run, at most.
const ATTEMPTS: usize = 4;

/// Lines of each node that a failure shows.
const SHOWN: usize = 25;

/// Every node on the bench.
const NODES: core::ops::RangeInclusive<u64> = 1..=3;

impl Kit {
    /// A bench for a scenario, wired, with nothing started.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it cannot be set up, or there is no server where one is needed.
    pub fn rig(&self, name: &str, program: &Program, server: bool) -> Result<Rig, Failure> {
        let mut nodes: Vec<(u64, Arc<dyn Launch>)> =
            NODES.map(|id| (id, Arc::clone(&self.board))).collect();
        if server && let Some(last) = nodes.last_mut() {
            let launch = self.server.as_ref().ok_or_else(|| {
                Failure::Missing("this needs a server program, and none was named".to_owned())
            })?;
            last.1 = Arc::clone(launch);
        }
        let interrupted = Arc::clone(&self.interrupted);
        Rig::new(&self.dir.join(name), &nodes, self.seed, program.stranger, interrupted)
    }

    /// Runs the scenarios of a program whose names are in `names`, or all when it is empty, and prints a line for each.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] for a name that is none, [`Failure::Interrupted`]. A scenario that fails is in the tally.
    pub fn run(&self, program: &Program, names: &[String]) -> Result<Tally, Failure> {
        let chosen = choose(program, names)?;
        println!("{}: {}\n", program.name, program.about);
        let mut tally = Tally::default();
        for scenario in chosen {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            if scenario.server && self.server.is_none() {
                println!("  {:<10} left out: no server program was named", scenario.name);
                tally.skipped.push(scenario.name);
                continue;
            }
            let mut attempt = 1;
            while !self.one(program, scenario, attempt < ATTEMPTS, &mut tally)? {
                attempt += 1;
            }
        }
        Ok(tally)
    }

    /// Runs a scenario. False if it failed on a machine that stood still, and may be run `again`.
    fn one(
        &self,
        program: &Program,
        scenario: &Scenario,
        again: bool,
        tally: &mut Tally,
    ) -> Result<bool, Failure> {
        let host = Host::watch();
        let begin = Instant::now();
        let mut rig = self.rig(scenario.name, program, scenario.server)?;
        let outcome = (scenario.run)(&mut rig).and_then(|measured| all_well(&mut rig, measured));
        let took = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(measured) => {
                println!("  {:<10} ok {took:6.1} s  {}", scenario.name, scenario.about);
                println!("  {:<10}             {measured}", "");
                tally.passed.push(scenario.name);
                let dir = rig.dir().to_owned();
                drop(rig);
                if !self.keep {
                    let _ = std::fs::remove_dir_all(dir);
                }
            }
            Err(_) if rig.interrupted() => return Err(Failure::Interrupted),
            Err(failure) => {
                println!("  {:<10} FAILED {took:.1} s  {failure}", scenario.name);
                show(&rig);
                let stalled = host.stalled();
                if again && stalled >= STALL && !matches!(failure, Failure::Broken(_)) {
                    println!(
                        "    the machine stood still for {} ms: run again",
                        stalled.as_millis()
                    );
                    return Ok(false);
                }
                tally.failed.push((scenario.name, failure.to_string()));
            }
        }
        Ok(true)
    }
}

fn choose<'a>(program: &'a Program, names: &[String]) -> Result<Vec<&'a Scenario>, Failure> {
    let find = |name: &String| {
        program.scenarios.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
            let all: Vec<&str> = program.scenarios.iter().map(|scenario| scenario.name).collect();
            Failure::Wrong(format!("no scenario `{name}`; there are: {}", all.join(", ")))
        })
    };
    if names.is_empty() {
        return Ok(program.scenarios.iter().collect());
    }
    names.iter().map(find).collect()
}

/// Nobody may have died unasked.
fn all_well(rig: &mut Rig, measured: String) -> Result<String, Failure> {
    match rig.casualties().into_iter().next() {
        Some((id, how)) => Err(Failure::Wrong(format!("node {id} ended by itself: {how}"))),
        None => Ok(measured),
    }
}

/// What the nodes said last.
fn show(rig: &Rig) {
    for id in core::iter::once(Journal::BENCH).chain(rig.ids()) {
        for line in rig.journal().tail(id, SHOWN) {
            println!("    {line}");
        }
    }
    for wire in rig.wires() {
        let (a, b) = wire.ends();
        for (from, to) in [(a, b), (b, a)] {
            println!("    {from}->{to}: {:?}", wire.from(from).counts());
        }
    }
    println!("    everything is in {}", Journal::path(rig.dir()).display());
}
