mod jobs;
mod load;
mod results;
mod running;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use jobs::Job;
use load::LoadGenerator;
use results::Results;
use running::Running;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::target_dir;

pub(crate) const VERB: Verb = Verb {
    name: "stress",
    about: "the tests with processes, sockets and files, again and again on a busy machine",
    help: "
A test that waits for a time instead of a condition passes on an idle machine and fails on a busy
one. This verb builds the tests that run processes or use sockets and files (quorate-kv,
quorate-tokio, quorate-nemesis, quorate-boards, the examples of elections and of the quorum store),
then runs them again and again, the tests of several files at once, while busy loops take all cores.
It shows the first failure of each test, and at the end a table: how often each test ran and failed.

    cargo xtask stress                       20 rounds, at most 120 minutes
    cargo xtask stress --rounds 3            fewer
    cargo xtask stress --minutes 30          begins nothing more after half an hour
    cargo xtask stress --load 8              so many busy loops (two for each core unless told)
    cargo xtask stress --jobs 1              so many test files at once (two a core unless told)
    cargo xtask stress leader_killed wal     test files with one of these in their name

Output of all runs is in target/stress. Exit code 0 if no test failed, 1 if one did.",
    run,
};

/// What the command line asks for.
struct Plan {
    rounds: u32,
    minutes: u64,
    load: usize,
    jobs: usize,
    names: Vec<String>,
}

fn run(args: &[String]) -> Outcome {
    let plan = Plan::parse(args)?;
    let folder = target_dir()?.join("stress");
    fs::create_dir_all(&folder).map_err(Failure::io(folder.display()))?;
    let jobs = jobs::build(&plan.names)?;
    let names: Vec<&str> = jobs.iter().map(|job| &job.name[..]).collect();
    println!("{} test files: {}", jobs.len(), names.join(", "));
    println!(
        "up to {} rounds in {} minutes, {} test files at once beside {} busy loops",
        plan.rounds, plan.minutes, plan.jobs, plan.load
    );
    let busy = LoadGenerator::start(plan.load)?;
    let mut results = Results::default();
    let whole = rounds(&plan, &jobs, &folder, &mut results)?;
    drop(busy);
    results.print();
    println!("{whole} whole rounds of {}; output is in {}", plan.rounds, folder.display());
    match results.failed() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!("tests failed {failed} times"))),
    }
}

/// Runs all jobs round after round, and counts the whole rounds.
fn rounds(plan: &Plan, jobs: &[Job], folder: &Path, results: &mut Results) -> Outcome<u32> {
    let begin = Instant::now();
    let minutes = || begin.elapsed().as_secs() / 60;
    let mut waiting = (1..=plan.rounds).flat_map(|round| jobs.iter().map(move |job| (round, job)));
    let mut running: Vec<Running<'_>> = Vec::new();
    let mut whole = 0;
    loop {
        while running.len() < plan.jobs && minutes() < plan.minutes {
            let Some((round, job)) = waiting.next() else { break };
            running.push(Running::start(job, round, folder)?);
        }
        let mut still = Vec::new();
        let mut ended = 0;
        for mut program in running {
            if program.has_ended()? {
                program.judge(results)?;
                ended += 1;
            } else {
                still.push(program);
            }
        }
        running = still;
        // the oldest that runs, or the next to begin, is of the first round that is not whole
        let first = running.iter().map(|program| program.round).min();
        let next = || waiting.clone().next().map_or(plan.rounds + 1, |(round, _)| round);
        let now_whole = first.unwrap_or_else(next).min(next()) - 1;
        if now_whole > whole {
            whole = now_whole;
            let (rounds, failed) = (plan.rounds, results.failed());
            println!("round {whole} of {rounds}: {failed} failed so far, {} min", minutes());
        }
        match (ended, running.is_empty()) {
            (0, false) => sleep(Duration::from_millis(20)),
            (_, true) if minutes() >= plan.minutes || whole == plan.rounds => return Ok(whole),
            _ => {}
        }
    }
}

impl Plan {
    fn parse(args: &[String]) -> Outcome<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (load, jobs) = (2 * cores, 2 * cores);
        let mut plan = Self { rounds: 20, minutes: 120, load, jobs, names: Vec::new() };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut number = || {
                let number = rest.next().and_then(|text| text.parse::<u32>().ok());
                number.ok_or_else(|| Failure::usage(format!("{arg} needs a number")))
            };
            match arg.as_str() {
                "--rounds" => plan.rounds = number()?,
                "--minutes" => plan.minutes = u64::from(number()?),
                "--load" => plan.load = number()? as usize,
                "--jobs" => plan.jobs = number()?.max(1) as usize,
                flag if flag.starts_with('-') => {
                    return Err(Failure::usage(format!(
                        "stress does not know {flag}; see `stress --help`"
                    )));
                }
                name => plan.names.push(name.to_owned()),
            }
        }
        Ok(plan)
    }
}
