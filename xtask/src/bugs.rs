use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::mutant::{self, Mutant};
use crate::scratch::Scratch;
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "bugs",
    about: "plants known bugs, one at a time; the simulator must find each",
    help: "
Each patch in sim/bugs breaks one safety rule. It is applied to a copy of the repository in the target folder, the simulator is
built there and run until it finds a violation. A bug that survives means that the rule is not tested. First of all the
simulator runs without any bug, and must find nothing.

    cargo xtask bugs                 all of them
    cargo xtask bugs vote            those with `vote` in their name
    cargo xtask bugs --seeds 500     another budget of seeds for each (2000 unless told)
    cargo xtask bugs --list          names and the rules they break, without running anything

When a patch does not apply any more, because the code around it changed:

    cargo xtask bugs --open NAME     makes the copy anew and applies what still fits
    cargo xtask bugs --save NAME     writes the patch from what is different in the copy

A new one begins with a file sim/bugs/NAME.patch that holds the lines `Rule: …` and `Source: …`, and the same two commands.",
    run,
};

/// Seeds that each bug has to show itself.
const SEEDS: u64 = 2000;
/// Seeds without a bug: `cargo xtask sim` runs more.
const CONTROL_SEEDS: u64 = 200;
/// The name of the run without a bug.
const CONTROL: &str = "(no bug)";
/// A run that takes longer hangs: found, but not by the simulator.
const TIMEOUT: Duration = Duration::from_secs(180);
/// Characters of what was violated that are shown; the log has the rest.
const SHOWN: usize = 90;

/// What became of a bug.
struct Verdict {
    name: String,
    /// Who found it: the violated invariant, a panic, a time-out.
    killed_by: Option<String>,
    seed: Option<u64>,
    took: Duration,
    log: PathBuf,
}

fn run(args: &[String]) -> Outcome {
    let mut seeds = SEEDS;
    let mut filter = String::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--list" => return list(),
            "--open" => return open(rest.next()),
            "--save" => return save(rest.next()),
            "--seeds" => {
                let number = rest.next().and_then(|n| n.parse().ok());
                seeds = number.ok_or_else(|| Failure::usage("--seeds needs a number"))?;
            }
            flag if flag.starts_with('-') => {
                return Err(Failure::usage(format!(
                    "bugs does not know {flag}; see `bugs --help`"
                )));
            }
            name => name.clone_into(&mut filter),
        }
    }
    hunt(&Mutant::load(&filter)?, seeds)
}

fn list() -> Outcome {
    for mutant in Mutant::load("")? {
        println!("{:<32} {}", mutant.name, mutant.rule);
    }
    Ok(())
}

fn open(name: Option<&String>) -> Outcome {
    let mutant = named(name)?;
    let scratch = Scratch::new("bugs")?;
    scratch.reset()?;
    let (applied, _, text) =
        scratch.git().args(["apply", "-p1", "--reject"]).arg(&mutant.path).try_read()?;
    if !applied {
        println!("{}", text.trim_end());
    }
    println!("the copy is in {}", scratch.tree.display());
    Ok(())
}

fn save(name: Option<&String>) -> Outcome {
    let mutant = named(name)?;
    mutant.save(&Scratch::new("bugs")?)?;
    println!("wrote {}", mutant.path.display());
    Ok(())
}

fn named(name: Option<&String>) -> Outcome<Mutant> {
    let name = name.ok_or_else(|| Failure::usage("which bug? see `cargo xtask bugs --list`"))?;
    let found = Mutant::load(name)?.into_iter().find(|m| m.name == *name);
    found.ok_or_else(|| {
        Failure::usage(format!("there is no {}", mutant::folder().join(name).display()))
    })
}

/// A simulator that runs in the background.
type Running = JoinHandle<Outcome<Verdict>>;

/// Builds and runs one after the other; while one runs, the next is built.
fn hunt(mutants: &[Mutant], seeds: u64) -> Outcome {
    let scratch = Scratch::new("bugs")?;
    scratch.reset()?;
    let mut errors = Vec::new();
    let mut verdicts = Vec::new();
    let mut running = Some(start(&scratch, CONTROL, CONTROL_SEEDS.min(seeds))?);
    for mutant in mutants {
        let next = plant(&scratch, mutant, seeds);
        verdicts.extend(running.take().map(finish).transpose()?);
        match next {
            Ok(next) => running = Some(next),
            Err(failure) => errors.push(failure.to_string()),
        }
    }
    verdicts.extend(running.map(finish).transpose()?);
    report(&verdicts, errors)
}

fn plant(scratch: &Scratch, mutant: &Mutant, seeds: u64) -> Outcome<Running> {
    scratch.reset()?;
    mutant.plant(scratch)?;
    start(scratch, &mutant.name, seeds)
        .map_err(|e| Failure::failed(format!("{}: {e}", mutant.name)))
}

fn finish(running: Running) -> Outcome<Verdict> {
    let verdict = running.join().map_err(|_| Failure::failed("a thread of xtask panicked"))??;
    println!("{verdict}");
    Ok(verdict)
}

/// Builds what is in the copy, and lets it run in the background.
fn start(scratch: &Scratch, name: &str, seeds: u64) -> Outcome<Running> {
    let build = Tool::cargo()
        .args(["build", "--quiet", "--release", "-p", "quorate-sim", "--bin", "sim"])
        .args(["--config", "profile.release.debug=false"])
        .args(["--config", "profile.release.incremental=true"])
        .env("CARGO_TARGET_DIR", &scratch.target)
        .env("RUSTFLAGS", "-Awarnings") // a bug may leave something unused
        .dir(&scratch.tree);
    let build = if name == CONTROL { build.announce() } else { build };
    build.read()?;
    let folder = scratch.target.join("bugs");
    fs::create_dir_all(&folder).map_err(Failure::io(folder.display()))?;
    let program = folder.join(name);
    let built = scratch.target.join("release/sim");
    fs::copy(&built, &program).map_err(Failure::io(built.display()))?;
    let (name, log) = (name.to_owned(), folder.join(format!("{name}.log")));
    Ok(thread::spawn(move || execute(&program, name, seeds, log)))
}

fn execute(program: &Path, name: String, seeds: u64, log: PathBuf) -> Outcome<Verdict> {
    let output = fs::File::create(&log).map_err(Failure::io(log.display()))?;
    let errors = output.try_clone().map_err(Failure::io(log.display()))?;
    let start = Instant::now();
    let mut child = Command::new(program)
        // what a bug keeps from happening is not what is looked for
        .args(["--no-marks", "--seeds", &seeds.to_string()])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(Failure::io(program.display()))?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(Failure::io("waiting for the simulator"))? {
            break Some(status);
        }
        if start.elapsed() > TIMEOUT {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text = fs::read_to_string(&log).unwrap_or_default();
    let (seed, killed_by) = match status {
        Some(status) if status.success() => (None, None),
        Some(_) => {
            let (seed, what) = violation(&text);
            (seed, Some(what))
        }
        None => (None, Some(format!("hangs for {} s", TIMEOUT.as_secs()))),
    };
    Ok(Verdict { name, killed_by, seed, took: start.elapsed(), log })
}

/// The seed and the rule, from the simulator's line `seed 7: two leaders in term 3`.
fn violation(log: &str) -> (Option<u64>, String) {
    let lines = log.lines().rev();
    let mut named = lines.filter_map(|line| line.strip_prefix("seed ")?.split_once(": "));
    match named.find_map(|(seed, what)| Some((seed.parse().ok()?, what))) {
        Some((seed, what)) => (Some(seed), what.to_owned()),
        None => (None, "it failed without saying why".to_owned()),
    }
}

fn report(verdicts: &[Verdict], mut wrong: Vec<String>) -> Outcome {
    for verdict in verdicts {
        let log = verdict.log.display();
        match (&verdict.killed_by, verdict.name == CONTROL) {
            (Some(by), true) => wrong.push(format!("without any bug: {by}; see {log}")),
            (None, false) => wrong.push(format!("{} survives; see {log}", verdict.name)),
            _ => {}
        }
    }
    let bugs = verdicts.iter().filter(|v| v.name != CONTROL);
    let killed = bugs.filter(|v| v.killed_by.is_some()).count();
    println!("{killed} bugs found");
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.killed_by.as_deref();
        let by = by.unwrap_or(if self.name == CONTROL { "clean" } else { "SURVIVES" });
        let by: String = by.chars().take(SHOWN).collect();
        let seed = self.seed.map_or(String::from("-"), |seed| seed.to_string());
        write!(f, "{:<32} {seed:>6} {:>7.1} s  {by}", self.name, self.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_violation_is_found_in_the_log() {
        let log = " 12 ms  1 <- 2  Vote\n\nseed 19: no leader within 8 timeouts: healed\n\nreplay it with: x";
        assert_eq!(violation(log), (Some(19), "no leader within 8 timeouts: healed".to_owned()));
        assert_eq!(violation("seed of doubt").0, None);
    }
}
