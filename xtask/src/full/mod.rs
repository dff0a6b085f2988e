mod part;
mod results;

use std::time::{Duration, Instant};

use part::Part;
use results::{Results, Row};

use crate::date::today;
use crate::failure::{Failure, Outcome};
use crate::tool::Tool;
use crate::{Verb, commit};

pub(crate) const VERB: Verb = Verb {
    name: "full",
    about: "everything there is, in full, for hours: what CI samples and what it leaves out",
    help: "
Runs every part that checks something, one after the other, without samples: many seeds of each
protocol, all models, the whole catalogue of planted bugs, all mutants, every fuzz target for ten
minutes, all scenarios on boards, twenty minutes of faults in server processes, the tests in another
order of cases and on a busy machine. Half a day on two cores. Run it before a release.

    cargo xtask full                         everything
    cargo xtask full --list                  the parts, what each runs, and about how long it takes
    cargo xtask full --only bugs             one part; again for more: --only bugs --only models
    cargo xtask full --from mutants          this part and those after it, to go on
    cargo xtask full --no-commit             leaves the commit to you, and prints its command

A part that fails does not stop the others. At the end all failures are named, with the last lines
of each; exit code 1 if there was one. After each part its row is written to docs/full.md: when
and at which commit (`+`: with changes) it ran, how many and how long, and what came of it; so the
rows of parts that did not run now stay as they were. At the end that file is committed, with the
results that `bugs` and `mutants` write, and nothing else.

Some parts need programs that others do without: valgrind (instructions), qemu-system-arm (boards),
a nightly compiler and cargo-fuzz (fuzz), the right to mount (nemesis). A part whose program is
missing has failed.",
    run,
};

/// Lines of a part that failed that are shown again at the end.
const SHOWN: usize = 40;

/// A part that was run.
struct Done {
    name: &'static str,
    /// The commands that failed, with their last lines.
    failed: Vec<(String, Vec<String>)>,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    parts: Vec<&'static str>,
    list: bool,
    commit: bool,
}

fn run(args: &[String]) -> Outcome {
    let all = part::all();
    let plan = Plan::parse(args, &all)?;
    let chosen: Vec<&Part> = all.iter().filter(|part| plan.parts.contains(&part.name)).collect();
    if plan.list {
        chosen.iter().for_each(|part| print!("{part}"));
        return Ok(());
    }
    let (start, commit) = (Instant::now(), commit::name(results::FILE));
    let mut done = Vec::new();
    for (at, part) in chosen.iter().enumerate() {
        let (of, minutes) = (chosen.len(), start.elapsed().as_secs() / 60);
        println!(
            "\n=== {}, part {} of {of}, about {} min; {minutes} min so far, {} failed",
            part.name,
            at + 1,
            part.minutes,
            done.iter().filter(|done: &&Done| !done.failed.is_empty()).count(),
        );
        done.push(run_part(part, &commit)?);
    }
    finish(plan.commit)?;
    report(&done)
}

/// Runs the commands of a part, all of them, and writes its row.
fn run_part(part: &Part, commit: &str) -> Outcome<Done> {
    let start = Instant::now();
    let (mut counts, mut failed) = (Vec::new(), Vec::new());
    for command in &part.commands {
        let (last, outcome) = match std::env::current_exe() {
            // in a process of its own, as a developer would
            Ok(this) => Tool::new(this).args(command).run_and_keep(usize::MAX),
            Err(error) => (Vec::new(), Err(Failure::io("finding this program")(error))),
        };
        counts.extend(part.count(&last));
        if let Err(failure) = outcome {
            eprintln!("error: {failure}");
            let skip = last.len().saturating_sub(SHOWN);
            failed.push((command.join(" "), last.into_iter().skip(skip).collect()));
        }
    }
    let row = Row {
        part: part.name.to_owned(),
        date: today(),
        commit: commit.to_owned(),
        ran: part.commands.iter().map(|it| it.join(" ")).collect::<Vec<_>>(),
        counts,
        took: rounded(start.elapsed()),
        failed: failed.iter().map(|(command, _)| command.clone()).collect(),
    };
    let mut results = Results::load()?;
    results.put(&row);
    results.save()?;
    Ok(Done { name: part.name, failed })
}

/// In minutes, or in seconds if it is less than two.
fn rounded(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

/// Commits the results, or says how.
fn finish(commit: bool) -> Outcome {
    let files = results::files();
    let args = ["commit", "--only", "-m", "Results of a full run", "--"];
    if !commit {
        println!("\nthe results are in {}; to commit them:", results::FILE);
        println!("git add {0} && git {1} {0}", files.join(" "), quoted(&args).join(" "));
        return Ok(());
    }
    Tool::new("git").arg("add").args(&files).run()?;
    let (same, ..) =
        Tool::new("git").args(["diff", "--cached", "--quiet", "--"]).args(&files).try_read()?;
    if same { Ok(()) } else { Tool::new("git").args(args).args(&files).run() }
}

fn quoted(args: &[&str]) -> Vec<String> {
    args.iter().map(|it| if it.contains(' ') { format!("'{it}'") } else { (*it).into() }).collect()
}

fn report(done: &[Done]) -> Outcome {
    let mut failed = Vec::new();
    for Done { name, failed: commands } in done {
        for (command, last) in commands {
            println!("\n=== {name}: `{command}` FAILED, and said last:");
            last.iter().for_each(|line| println!("{line}"));
            failed.push(format!("{name} (cargo xtask {command})"));
        }
    }
    let passed = done.iter().filter(|done| done.failed.is_empty()).count();
    println!("\n{passed} of {} parts passed", done.len());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("these failed: {}", failed.join(", "))))
    }
}

impl Plan {
    fn parse(args: &[String], all: &[Part]) -> Outcome<Self> {
        let names: Vec<&'static str> = all.iter().map(|part| part.name).collect();
        let named = |flag: &str, name: Option<&String>| {
            let found = names.iter().position(|it| name.is_some_and(|name| name == it));
            found.ok_or_else(|| Failure::usage(format!("{flag} takes one of {}", names.join(", "))))
        };
        let mut plan = Self { parts: Vec::new(), list: false, commit: true };
        let (mut only, mut from) = (Vec::new(), 0);
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--list" => plan.list = true,
                "--no-commit" => plan.commit = false,
                "--only" => only.push(named(arg, rest.next())?),
                "--from" => from = named(arg, rest.next())?,
                _ => {
                    return Err(Failure::usage(format!(
                        "full does not know {arg}; see `cargo xtask full --help`"
                    )));
                }
            }
        }
        let chosen = |at: usize| at >= from && (only.is_empty() || only.contains(&at));
        plan.parts =
            names.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, name)| *name).collect();
        if plan.parts.is_empty() {
            return Err(Failure::usage("none of the parts after --only comes after --from"));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &str) -> Result<Vec<&'static str>, String> {
        let args: Vec<String> = args.split_whitespace().map(String::from).collect();
        Plan::parse(&args, &part::all()).map(|plan| plan.parts).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_are_chosen_by_name() {
        let all = plan("");
        assert_eq!(all.as_ref().map(Vec::len), Ok(part::all().len()));
        // in the order of all, whatever the order of arguments
        assert_eq!(plan("--only mutants --only models"), Ok(vec!["models", "mutants"]));
        let names: Vec<_> = all.unwrap_or_default();
        let from = names.iter().position(|name| *name == "bugs").unwrap_or_default();
        assert_eq!(plan("--from bugs"), Ok(names.get(from..).unwrap_or_default().to_vec()));
        assert!(plan("--only bug").is_err_and(|error| error.contains("takes one of")));
        assert!(plan("--only models --from bugs").is_err());
        assert!(plan("--sample").is_err_and(|error| error.contains("--help")));
    }

    #[test]
    fn failures_name_their_commands() {
        let done = [
            Done { name: "a", failed: Vec::new() },
            Done { name: "b", failed: vec![("fuzz".into(), vec!["boom".into()])] },
        ];
        let error = report(&done).map_err(|error| error.to_string());
        assert_eq!(error, Err("these failed: b (cargo xtask fuzz)".into()));
        assert!(report(&done[..1]).is_ok());
    }

    #[test]
    fn times_are_rounded() {
        assert_eq!(rounded(Duration::from_millis(1_900)), "1 s");
        assert_eq!(rounded(Duration::from_secs(209)), "3 min");
        assert_eq!(rounded(Duration::from_secs(210)), "4 min");
    }
}
