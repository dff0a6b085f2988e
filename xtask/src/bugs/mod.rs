mod bug;
mod check;
mod result;
mod sample;

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::scratch::Scratch;
use crate::tool::Tool;
use crate::trial::{Ended, Trial};
use crate::{Verb, commit};

use bug::Bug;
pub(crate) use bug::crates;
use result::Results;
pub(crate) use result::check;
use sample::Sample;

pub(crate) const VERB: Verb = Verb {
    name: "bugs",
    about: "plants known bugs, one at a time; the simulator must find each",
    help: "
Each patch in CRATE/bugs breaks one safety rule. It is applied to a copy of the repository in the
target folder, the simulator is built there and run with the crate's protocol until it finds a
violation, and the seed that found it must be clean without the bug. A bug that survives means
that the rule is not tested. First of all the simulator runs without any bug, and must find
nothing.

    cargo xtask bugs                 all of them
    cargo xtask bugs vote lease      those with `vote` or `lease` in their name
    cargo xtask bugs election        those of a crate
    cargo xtask bugs --seeds 500     another budget of seeds for each (40000 unless told)
    cargo xtask bugs --list          names and the rules they break, without running anything
    cargo xtask bugs --check         only whether each patch applies and compiles; CI runs this for
                                     all of them, as a sample would come across a stale one by luck.
                                     Patches that fit into one copy are compiled together
    cargo xtask bugs --sample        as many of each crate as 60 seconds allow, in an order that
                                     the commit determines; CI runs this
    cargo xtask bugs --budget 300    the same with so many seconds
    cargo xtask bugs --sample --order 7   in the order of another number: the one that a run printed

A sample begins no bug after its budget, except that the first 8 are planted on any machine; one
that was begun is always judged. When all are found, a run without --sample writes what found each
into CRATE/bugs/RESULT.md, which is committed: all rows, or with a word those of the bugs that were
planted. `cargo xtask lint` refuses a patch without a row.

When a patch does not apply any more, because the code around it changed:

    cargo xtask bugs --open NAME     makes the copy anew and applies what still fits
    cargo xtask bugs --save NAME     writes the patch from what is different in the copy

A new one begins with a file CRATE/bugs/NAME.patch that holds the lines `Rule: …` and `Source: …`
(and `Protocol: …` if the simulator knows the protocol by another name than the crate's), and the
same two commands.",
    run,
};

/// Seeds that each bug has to show itself.
const SEEDS: u64 = 40_000;
/// Seeds without a bug: `cargo xtask sim` runs more.
const CONTROL_SEEDS: u64 = 200;
/// The first seed.
const FROM: u64 = 1;
/// The name of the run without a bug.
const CONTROL: &str = "(no bug)";
/// Characters of what was violated that are shown; the log has the rest.
const SHOWN: usize = 90;
/// How long a sample plants bugs of a crate: its share of CI.
pub(crate) const BUGS_SECONDS: u64 = 60;

/// What became of a bug.
struct Verdict {
    name: String,
    trial: Trial,
    /// The seed that found it fails without the bug as well.
    fails_without_bug: bool,
}

fn run(args: &[String]) -> Outcome {
    let mut seeds = SEEDS;
    let mut filter = String::new();
    let (mut budget, mut order) = (None, None);
    let (mut check_only, mut plants) = (false, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if matches!(arg.as_str(), "--seeds" | "--sample" | "--budget" | "--order") {
            plants = Some(arg);
        }
        match arg.as_str() {
            "--list" => return list(),
            "--check" => check_only = true,
            "--open" => return open(rest.next()),
            "--save" => return save(rest.next()),
            "--seeds" => seeds = number(arg, rest.next())?,
            "--sample" => budget = budget.or(Some(Duration::from_secs(BUGS_SECONDS))),
            "--budget" => budget = Some(Duration::from_secs(number(arg, rest.next())?)),
            "--order" => order = Some(number(arg, rest.next())?),
            flag if flag.starts_with('-') => {
                return Err(Failure::usage(format!(
                    "bugs does not know {flag}; see `bugs --help`"
                )));
            }
            word => filter = format!("{filter} {word}").trim_start().to_owned(),
        }
    }
    if order.is_some() && budget.is_none() {
        return Err(Failure::usage("--order is for --sample or --budget SECONDS"));
    }
    if let (true, Some(flag)) = (check_only, plants) {
        return Err(Failure::usage(format!("--check runs no simulator: leave {flag} out")));
    }
    let bugs = Bug::load(&filter)?;
    if check_only {
        return check::run(&bugs);
    }
    let order = order.unwrap_or_else(commit::number);
    let mut wrong = Vec::new();
    for krate in crates() {
        let mut bugs: Vec<&Bug> = bugs.iter().filter(|bug| bug.krate == krate).collect();
        if bugs.is_empty() {
            continue;
        }
        // the time of each crate begins when it is its turn
        let sample = budget.map(|budget| Sample::new(order, budget, &filter));
        if let Some(sample) = &sample {
            sample.sort(&mut bugs);
            println!("{}", sample.command());
        }
        if let Err(failure) = run_all(krate, &bugs, seeds, sample.as_ref()) {
            wrong.push(failure.to_string());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

fn number(flag: &str, value: Option<&String>) -> Outcome<u64> {
    let number = value.and_then(|n| n.parse().ok());
    number.ok_or_else(|| Failure::usage(format!("{flag} needs a number")))
}

fn list() -> Outcome {
    for bug in Bug::load("")? {
        println!("{:<32} {}", bug.name, bug.rule);
    }
    Ok(())
}

fn open(name: Option<&String>) -> Outcome {
    let bug = named(name)?;
    let scratch = Scratch::new("bugs")?;
    scratch.reset()?;
    let (applied, _, text) =
        scratch.git().args(["apply", "-p1", "-C1", "--reject"]).arg(&bug.path).try_read()?;
    if !applied {
        println!("{}", text.trim_end());
    }
    println!("the copy is in {}", scratch.tree.display());
    Ok(())
}

fn save(name: Option<&String>) -> Outcome {
    let bug = named(name)?;
    bug.save(&Scratch::new("bugs")?)?;
    println!("wrote {}", bug.path.display());
    Ok(())
}

fn named(name: Option<&String>) -> Outcome<Bug> {
    let name = name.ok_or_else(|| Failure::usage("which bug? see `cargo xtask bugs --list`"))?;
    let found = Bug::load(name)?.into_iter().find(|m| m.name == *name);
    found.ok_or_else(|| {
        Failure::usage(format!("there is no planted bug {name}: see `cargo xtask bugs --list`"))
    })
}

/// Copies of the repository in which bugs are planted side by side: much of a build is the work of one core.
const COPIES: usize = 2;

/// Plants one bug of a crate after the other, in as many copies as there are, and runs each.
fn run_all(krate: &'static str, bugs: &[&Bug], seeds: u64, sample: Option<&Sample>) -> Outcome {
    let commit = Results::commit();
    let first = Scratch::new("bugs")?;
    first.reset()?;
    let control = build(&first, CONTROL)?;
    let mut protocols: Vec<&str> = bugs.iter().map(|bug| bug.protocol.as_str()).collect();
    protocols.sort_unstable();
    protocols.dedup();
    let mut controls = Vec::new();
    for protocol in protocols {
        let verdict = run_one(protocol, &control, &control, CONTROL_SEEDS.min(seeds))?;
        println!("{verdict}");
        controls.push(verdict);
    }
    let unplanted = controls.len();
    let found = Mutex::new((controls, Vec::new()));
    let next = AtomicUsize::new(0);
    let work = |scratch: Scratch| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(bug) = bugs.get(at) else { break };
            if sample.is_some_and(|sample| !sample.may_start(at)) {
                break;
            }
            let verdict =
                plant(&scratch, bug).and_then(|p| run_one(&bug.protocol, &p, &control, seeds));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match verdict {
                Ok(verdict) => {
                    println!("{verdict}");
                    found.0.push(verdict);
                }
                Err(failure) => found.1.push(failure.to_string()),
            }
        }
    };
    thread::scope(|scope| {
        for copy in 1..COPIES.min(bugs.len()) {
            let scratch = Scratch::new(&format!("bugs-{copy}"))?;
            scope.spawn(|| work(scratch));
        }
        work(first);
        Ok::<_, Failure>(())
    })?;
    let (verdicts, errors) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(sample) = sample {
        let planted = verdicts.len().saturating_sub(unplanted) + errors.len();
        println!("planted {planted} of {}; again: {}", bugs.len(), sample.command());
    }
    report(&verdicts, errors)?;
    if sample.is_none() { save_results(krate, &verdicts, &commit) } else { Ok(()) }
}

/// Writes the rows of what was found of a crate, among those that the repository holds already. The first to write them is a full run.
fn save_results(krate: &'static str, verdicts: &[Verdict], commit: &str) -> Outcome {
    let bugs = Bug::load_of(krate)?;
    let is_planted = |verdict: &&Verdict| bugs.iter().any(|bug| bug.name == verdict.name);
    let verdicts: Vec<&Verdict> = verdicts.iter().filter(is_planted).collect();
    let full = verdicts.len() == bugs.len();
    let Some(mut results) = Results::load(krate)?.or_else(|| full.then(Results::default)) else {
        println!("no result is written before a run of all bugs was");
        return Ok(());
    };
    for verdict in verdicts {
        if let Ended::Violated { seed, what } = &verdict.trial.ended {
            let what: String = what.chars().take(SHOWN).collect();
            let seeds = seed.saturating_sub(FROM).saturating_add(1);
            results.found(&verdict.name, commit, *seed, seeds, &what);
        }
    }
    results.save(krate, &bugs)
}

fn plant(scratch: &Scratch, bug: &Bug) -> Outcome<PathBuf> {
    scratch.reset()?;
    bug.plant(scratch)?;
    build(scratch, &bug.name).map_err(|e| Failure::failed(format!("{}: {e}", bug.name)))
}

/// Builds the simulator from what is in the copy, and returns where it is.
fn build(scratch: &Scratch, name: &str) -> Outcome<PathBuf> {
    let cargo = cargo("build", scratch).args(["--release"]);
    let cargo = if name == CONTROL { cargo.announce() } else { cargo };
    cargo.read()?;
    let folder = scratch.target.join("bugs");
    fs::create_dir_all(&folder).map_err(Failure::io(folder.display()))?;
    let (built, program) = (scratch.target.join("release/sim"), folder.join(name));
    fs::copy(&built, &program).map_err(Failure::io(built.display()))?;
    Ok(program)
}

/// Cargo on the simulator in a copy.
fn cargo(command: &str, scratch: &Scratch) -> Tool {
    Tool::cargo()
        .args([command, "--quiet", "-p", "quorate-sim-cli", "--bin", "sim"])
        .args(["--config", "profile.release.debug=false"])
        .args(["--config", "profile.release.incremental=true"])
        .env("CARGO_TARGET_DIR", &scratch.target)
        .env("RUSTFLAGS", "-Awarnings") // a bug may leave something unused
        .dir(&scratch.tree)
}

/// Runs a simulator with a bug, and the seed that finds it without.
fn run_one(protocol: &str, program: &Path, control: &Path, seeds: u64) -> Outcome<Verdict> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let trial = Trial::run(program, protocol, FROM, seeds, program.with_extension("log"))?;
    let fails_without_bug = match trial.ended {
        Ended::Violated { seed, .. } if name != CONTROL => {
            let log = program.with_extension("without.log");
            Trial::run(control, protocol, seed, 1, log)?.ended != Ended::Clean
        }
        _ => false,
    };
    Ok(Verdict { name, trial, fails_without_bug })
}

fn report(verdicts: &[Verdict], mut wrong: Vec<String>) -> Outcome {
    let mut found = 0;
    for verdict in verdicts {
        let (name, log) = (&verdict.name, verdict.trial.log.display());
        match (&verdict.trial.ended, name == CONTROL) {
            (Ended::Broken, _) => wrong.push(format!("{name}: the simulator failed; see {log}")),
            (Ended::Clean, true) => {}
            (_, true) => wrong.push(format!("there is a violation without any bug; see {log}")),
            (Ended::Clean, false) => wrong.push(format!("{name} survives; see {log}")),
            (Ended::Hung, false) => wrong.push(format!("{name}: the simulator hangs; see {log}")),
            _ if verdict.fails_without_bug => {
                wrong.push(format!("{name}: its seed fails without it as well"))
            }
            _ => found += 1,
        }
    }
    println!("{found} bugs found");
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, what) = match &self.trial.ended {
            Ended::Clean if self.name == CONTROL => (None, "clean"),
            Ended::Clean => (None, "SURVIVES"),
            Ended::Violated { seed, .. } if self.fails_without_bug => {
                (Some(seed), "FAILS WITHOUT IT TOO")
            }
            Ended::Violated { seed, what } => (Some(seed), what.as_str()),
            Ended::Broken => (None, "THE SIMULATOR FAILED"),
            Ended::Hung => (None, "HANGS"),
        };
        let what: String = what.chars().take(SHOWN).collect();
        let seed = seed.map_or(String::from("-"), |seed| seed.to_string());
        write!(f, "{:<34} {seed:>6} {:>7.1} s  {what}", self.name, self.trial.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        run(&args).err().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        assert_eq!(refusal(&["--order", "7"]), "--order is for --sample or --budget SECONDS");
        for flags in [&["--sample", "--check"][..], &["--check", "--seeds", "5"]] {
            assert!(refusal(flags).starts_with("--check runs no simulator"), "{flags:?}");
        }
    }
}
