use std::time::{Duration, Instant};

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::protocol::PROTOCOLS;
use crate::test::{self, Totals};
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "ci",
    about: "everything that CI checks, in its order",
    help: "
All the verbs that must pass before a change lands, one after the other, with the time each took. A
failed step does not stop the later ones; all that failed are named at the end. What would take long
is sampled, by the commit's hash: a step prints the command that runs the same sample again, and the
verb without `--sample` runs everything. `.ci/run` installs what is missing on a fresh machine, then
runs this.",
    run,
};

/// The first verbs, each with its arguments.
const CHECKS: &[&[&str]] = &[
    &["fmt", "--check"],
    &["docs"],
    &["lint"],
    &["api", "--check"],
    &["features"],
    &["packages"],
    &["targets"],
    &["size", "--check"],
    &["msrv"],
    &["icount", "--check"],
    &["sim", "--sample"],
];

/// After the models of all protocols. What each protocol may take is in `protocol.rs`.
const BUGS_AND_PROGRAMS: &[&[&str]] = &[
    &["bugs", "--check"],
    &["bugs", "--sample"],
    &["firmware"],
    &["nemesis", "--seconds", "60"],
    &["nemesis", "--seconds", "60", "--consensus", "paxos"],
];

/// The last step.
const TESTS: &[&str] = &["test", "--no-fail-fast"];

/// Lines of a step that failed that are shown again at the end.
const SHOWN: usize = 70;

/// What became of a step.
struct Step {
    name: String,
    took: Duration,
    /// Its last lines.
    last: Vec<String>,
    outcome: Outcome,
}

fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("ci takes no arguments"));
    }
    let mut done: Vec<Step> = Vec::new();
    for step in before_tests() {
        let name = step.join(" ");
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let (last, outcome) = verb(step);
        if let Err(failure) = &outcome {
            eprintln!("error: {failure}");
        }
        done.push(Step { name, took: start.elapsed(), last, outcome });
    }
    eprintln!("\n=== test");
    let start = Instant::now();
    let arguments: Vec<String> = TESTS.iter().skip(1).map(|&it| it.to_owned()).collect();
    let (totals, last, outcome) = test::count(&arguments);
    done.push(Step { name: "test".to_owned(), took: start.elapsed(), last, outcome });
    report(&done, totals)
}

/// All steps, in their order.
pub(crate) fn steps() -> Vec<&'static [&'static str]> {
    [before_tests(), vec![TESTS]].concat()
}

fn before_tests() -> Vec<&'static [&'static str]> {
    let models: Vec<_> = PROTOCOLS.iter().flat_map(|protocol| protocol.models).copied().collect();
    [CHECKS, &models, BUGS_AND_PROGRAMS].concat()
}

/// Runs a verb in a process of its own, as a developer would.
fn verb(step: &[&str]) -> (Vec<String>, Outcome) {
    match std::env::current_exe() {
        Ok(this) => Tool::new(this).args(step).run_and_keep(SHOWN),
        Err(error) => (Vec::new(), Err(Failure::io("finding this program")(error))),
    }
}

fn report(done: &[Step], totals: Totals) -> Outcome {
    for step in done.iter().filter(|step| step.outcome.is_err()) {
        // once more, for those who see the end only
        println!("\n=== {} FAILED, and said last:", step.name);
        step.last.iter().for_each(|line| println!("{line}"));
    }
    println!();
    for Step { name, took, outcome, .. } in done {
        let result = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<20} {:>6.1} s  {result}", took.as_secs_f64());
    }
    let failed: Vec<&str> =
        done.iter().filter(|s| s.outcome.is_err()).map(|s| s.name.as_str()).collect();
    let outcome = if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("these failed: {}", failed.join(", "))))
    };
    if let Err(failure) = &outcome {
        println!("{failure}");
    }
    totals.print();
    outcome
}
