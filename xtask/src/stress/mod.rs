mod binaries;
mod busy;
mod results;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use binaries::Binary;
use busy::Busy;
use results::{Results, tests};

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::target_dir;

pub(crate) const VERB: Verb = Verb {
    name: "stress",
    about: "the tests with processes, sockets and files, again and again on a busy machine",
    help: "
A test that waits for a time instead of a condition passes on an idle machine and fails on a busy one. This verb builds the tests
that run processes or use sockets and files (quorate-kv, quorate-driver, quorate-nemesis, quorate-boards, the example of
elections), then runs them again and again while busy loops take all cores. It shows the first failure of each test, and at the end a
table: how often each test ran and failed.

    cargo xtask stress                       20 rounds, at most 120 minutes
    cargo xtask stress --rounds 3            fewer
    cargo xtask stress --minutes 30          begins nothing more after half an hour
    cargo xtask stress --load 2              so many busy loops (four for each core unless told)
    cargo xtask stress leader_killed wal     test programs with one of these in their name

Output of all runs is in target/stress. Exit code 0 if no test failed, 1 if one did.",
    run,
};

/// A test program that takes longer hangs.
const HANGS: Duration = Duration::from_secs(30 * 60);
/// Lines of a failure that are shown.
const SHOWN: usize = 60;

/// What the command line asks for.
struct Plan {
    rounds: u32,
    minutes: u64,
    load: usize,
    names: Vec<String>,
}

fn run(args: &[String]) -> Outcome {
    let plan = Plan::parse(args)?;
    let folder = target_dir()?.join("stress");
    fs::create_dir_all(&folder).map_err(Failure::io(folder.display()))?;
    let binaries = binaries::build(&plan.names)?;
    let names: Vec<&str> = binaries.iter().map(|binary| &binary.name[..]).collect();
    println!("{} test programs: {}", binaries.len(), names.join(", "));
    println!(
        "up to {} rounds in {} minutes, with {} busy loops",
        plan.rounds, plan.minutes, plan.load
    );
    let busy = Busy::start(plan.load)?;
    let begin = Instant::now();
    let over = || begin.elapsed() >= Duration::from_secs(plan.minutes * 60);
    let mut results = Results::default();
    let mut whole = 0;
    'rounds: for round in 1..=plan.rounds {
        for binary in &binaries {
            if over() {
                break 'rounds;
            }
            once(binary, round, &folder, &mut results)?;
        }
        whole = round;
        let minutes = begin.elapsed().as_secs() / 60;
        println!(
            "round {round} of {}: {} failed so far, {minutes} min",
            plan.rounds,
            results.failed()
        );
    }
    drop(busy);
    results.print();
    println!("{whole} whole rounds of {}; output is in {}", plan.rounds, folder.display());
    match results.failed() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!("tests failed {failed} times"))),
    }
}

/// Runs a test program, and adds up what it says.
fn once(binary: &Binary, round: u32, folder: &Path, results: &mut Results) -> Outcome {
    let file = |kind: &str| folder.join(format!("{}-{round}.{kind}", binary.name));
    let (out, err) = (file("out"), file("err"));
    let create = |path: &PathBuf| File::create(path).map_err(Failure::io(path.display()));
    let mut child = Command::new(&binary.path)
        .current_dir(&binary.dir)
        .env("CARGO_MANIFEST_DIR", &binary.dir)
        // what a test does many times by itself it does less often here
        .env("QUORATE_ROUNDS", "3")
        .stdin(Stdio::null())
        .stdout(create(&out)?)
        .stderr(create(&err)?)
        .spawn()
        .map_err(Failure::io(binary.path.display()))?;
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().map_err(Failure::io(&binary.name))? {
            None if begin.elapsed() < HANGS => sleep(Duration::from_millis(20)),
            status => break status,
        }
    };
    if status.is_none() {
        // its servers stop with it: they watch their standard input
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = fs::read(&out).map_err(Failure::io(out.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut any = false;
    for test in tests(&text) {
        any |= !test.passed;
        let first = results.add(&binary.name, test.name, test.passed);
        if first && !test.passed {
            println!("\n--- {} {} failed in round {round}:", binary.name, test.name);
            results::said(&text, test.name).take(SHOWN).for_each(|line| println!("{line}"));
        }
    }
    let seconds = begin.elapsed().as_secs();
    let ended = match status {
        Some(status) if status.success() || any => return Ok(()),
        Some(status) => format!("(ended with {status})"),
        None => format!("(did not end within {seconds} s)"),
    };
    println!(
        "\n--- {} {ended} in round {round}: see {} and {}",
        binary.name,
        out.display(),
        err.display()
    );
    results.add(&binary.name, &ended, false);
    Ok(())
}

impl Plan {
    fn parse(args: &[String]) -> Outcome<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut plan = Self { rounds: 20, minutes: 120, load: 4 * cores, names: Vec::new() };
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
