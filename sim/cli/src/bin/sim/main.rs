//! Runs seeds of the simulator: `sim --seeds 2000`.

mod protocol;

use std::process::ExitCode;

use protocol::{PROTOCOLS, Protocol};
use quorate_sim::{
    COMMIT_TIMEOUTS, Campaign, LEADER_TIMEOUTS, Outcome, SLOW_ELECTION_TIMEOUTS, Summary,
};

const HELP: &str = "\
Runs clusters in the deterministic simulator: virtual time, a bad network, bad disks, crashes.
Even seeds use the heap storage, odd ones the inline storage with small limits; elections take turns, and so do the subjects of ring.

Usage: sim [--protocol P] [--seeds N] [--from S] [--nodes N] [--threads N] [--marks | --no-marks] [--trace | --shrink]

  --protocol P raft (the default), election, clocks, crdt, ring, paxos,
               register or multi
  --seeds N    how many seeds to run (default 100)
  --from S     the first seed (default 1)
  --nodes N    nodes in the cluster (default: drawn from the seed, mostly 3 and 5)
  --threads N  threads (default: one for each core)
  --trace      print everything that happens; for one seed
  --shrink     print a short interaction test that fails as the first seed does; of Raft
  --marks      fail when something that should have happened never did; implied by 500 seeds and more
  --no-marks   do not fail then

Exit codes: 0 nothing was violated, 1 something was, 2 wrong usage.
A violation prints the end of the trace and the command that replays the seed.";

/// With so many seeds, everything that is rare must have happened.
const MARKS_FROM: u64 = 500;

struct Options {
    protocol: &'static Protocol,
    seeds: u64,
    from: u64,
    nodes: Option<usize>,
    threads: usize,
    trace: bool,
    shrink: bool,
    marks: Option<bool>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("sim: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    std::panic::set_hook(Box::new(|_| {})); // a panic of a machine is reported as a violation
    match (options.shrink, options.trace) {
        (true, _) => shrink(&options),
        (_, true) => trace(&options),
        _ => campaign(&options),
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        protocol: PROTOCOLS.first().ok_or("there is no protocol")?,
        seeds: 100,
        from: 1,
        nodes: None,
        threads: cores,
        trace: false,
        shrink: false,
        marks: None,
    };
    while let Some(arg) = args.next() {
        if arg == "--protocol" {
            let name = args.next().unwrap_or_default();
            let found = PROTOCOLS.iter().find(|protocol| protocol.name == name);
            let names: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
            options.protocol =
                found.ok_or(format!("--protocol is one of {}, not {name:?}", names.join(", ")))?;
            continue;
        }
        let mut number = || -> Result<u64, String> {
            let value = args.next().ok_or(format!("{arg} wants a number"))?;
            value.parse().map_err(|_| format!("{arg} wants a number, not {value:?}"))
        };
        match arg.as_str() {
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--nodes" => match number()? {
                nodes @ 1..=7 => options.nodes = Some(nodes as usize),
                nodes => return Err(format!("--nodes is 1 to 7, not {nodes}")),
            },
            "--threads" => options.threads = number()?.clamp(1, 1024) as usize,
            "--trace" => options.trace = true,
            "--shrink" => options.shrink = true,
            "--marks" => options.marks = Some(true),
            "--no-marks" => options.marks = Some(false),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{arg:?} is not an option")),
        }
    }
    Ok(Some(options))
}

fn shrink(options: &Options) -> ExitCode {
    let (seed, nodes) = (options.from, options.nodes);
    let Some(shrink) = options.protocol.shrink else {
        eprintln!("sim: {} has no interaction tests: use --trace", options.protocol.name);
        return ExitCode::from(2);
    };
    match shrink(seed, nodes) {
        Ok(scenario) => {
            println!("{scenario}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn trace(options: &Options) -> ExitCode {
    for seed in options.from..options.from.saturating_add(options.seeds) {
        match (options.protocol.run)(seed, options.nodes, true) {
            Ok(report) => println!("seed {seed}: nothing violated; {} messages", report.delivered),
            Err(violation) => {
                println!("{violation}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn campaign(options: &Options) -> ExitCode {
    let plan = Campaign {
        from: options.from,
        seeds: options.seeds,
        nodes: options.nodes,
        threads: options.threads,
        rerun_every: 50,
    };
    let step = (options.seeds / 10).max(1);
    let protocol = options.protocol;
    let run = |seed, nodes| (protocol.run)(seed, nodes, false);
    let outcome = plan.run_with(run, |done| {
        if done.is_multiple_of(step) && done < options.seeds {
            eprintln!("{done} of {} seeds", options.seeds);
        }
    });
    report(&outcome);
    if let Some(violation) = &outcome.violation {
        println!("\n{violation}");
        let nodes = options.nodes.map_or(String::new(), |n| format!(" --nodes {n}"));
        let seed = violation.seed;
        let name = if protocol.name == "raft" {
            String::new()
        } else {
            format!(" --protocol {}", protocol.name)
        };
        println!("replay it with: cargo xtask sim{name} --from {seed} --seeds 1{nodes} --trace");
        if protocol.shrink.is_some() {
            println!("shorten it with: cargo xtask sim{name} --from {seed}{nodes} --shrink");
        }
        return ExitCode::FAILURE;
    }
    let missed = outcome.summary.missing_marks(protocol.required_marks);
    let marks = options.marks.unwrap_or(options.seeds >= MARKS_FROM);
    if marks && !missed.is_empty() {
        println!("\nnever happened, so it was not tested: {missed:?}");
        return ExitCode::FAILURE;
    }
    let (slow, elections) = outcome.summary.slow_elections();
    if protocol.times_elections && options.seeds >= 500 && slow * 1_000 > elections {
        println!(
            "\n{slow} of {elections} elections took more than {SLOW_ELECTION_TIMEOUTS} election timeouts: 1 in 1,000 may"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn report(outcome: &Outcome) {
    let summary: &Summary = &outcome.summary;
    println!("{:<40} {:>12}", "what happened", "times");
    for (mark, count) in summary.marks.iter() {
        println!("{mark:<40} {count:>12}");
    }
    println!();
    let limits = [LEADER_TIMEOUTS, COMMIT_TIMEOUTS, LEADER_TIMEOUTS];
    let names = [
        "from healing to a leader",
        "from healing to a commit",
        "from a partial partition to a leader",
    ];
    let times = [&summary.leader_after, &summary.commit_after, &summary.partial_after];
    for ((name, times), limit) in names.iter().zip(times).zip(limits) {
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).copied().unwrap_or(0) as f64 / 1_000.0
        };
        println!(
            "{name}: median {:.2}, p99 {:.2}, most {:.2} of {limit} election timeouts",
            at(50),
            at(99),
            at(100)
        );
    }
    println!(
        "at most {} messages in a second, {} outputs in a step of a node",
        summary.max_messages_per_second, summary.max_outputs_per_step
    );
    println!(
        "{} seeds, {} of them twice, {} messages delivered, {} crashes, {} operations acknowledged, {} violations",
        summary.seeds,
        summary.rerun,
        summary.delivered,
        summary.crashes,
        summary.completed,
        u32::from(outcome.violation.is_some())
    );
}
