use std::time::{Duration, Instant};

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::test::{self, Tally};
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "ci",
    about: "everything that CI checks, in its order",
    help: "
All the verbs that must pass before a change lands, one after the other, with the time each took. A failed step does not stop
the later ones; all that failed are named at the end. `.ci/run` installs what is missing on a fresh machine, then runs this.",
    run,
};

/// The verbs before the tests, each with its arguments.
const STEPS: &[&[&str]] = &[
    &["fmt", "--check"],
    &["lint"],
    &["features"],
    &["targets"],
    &["size", "--check"],
    &["msrv"],
    &["icount", "--check"],
    &["sim", "--seeds", "2000"],
    &["bugs"],
    &["firmware"],
];

fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("ci takes no arguments"));
    }
    let mut done: Vec<(String, Duration, Outcome)> = Vec::new();
    for step in STEPS {
        let name = step.join(" ");
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let outcome = verb(step);
        if let Err(failure) = &outcome {
            eprintln!("error: {failure}");
        }
        done.push((name, start.elapsed(), outcome));
    }
    eprintln!("\n=== test");
    let start = Instant::now();
    let (tally, outcome) = test::count(&["--no-fail-fast".to_owned()]);
    done.push(("test".to_owned(), start.elapsed(), outcome));
    report(&done, tally)
}

/// Runs a verb in a process of its own, as a developer would.
fn verb(step: &[&str]) -> Outcome {
    let this = std::env::current_exe().map_err(Failure::io("finding this program"))?;
    Tool::new(this).args(step).run()
}

fn report(done: &[(String, Duration, Outcome)], tally: Tally) -> Outcome {
    println!();
    for (name, took, outcome) in done {
        let result = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<20} {:>6.1} s  {result}", took.as_secs_f64());
    }
    let failed: Vec<&str> =
        done.iter().filter(|(_, _, o)| o.is_err()).map(|(name, _, _)| name.as_str()).collect();
    let outcome = if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("these failed: {}", failed.join(", "))))
    };
    if let Err(failure) = &outcome {
        println!("{failure}");
    }
    tally.print();
    outcome
}
