//! Clocks, CRDTs, failure detectors and placements side by side with what others have made.

mod row;
mod table;

use std::path::{Path, PathBuf};

use crate::Verb;
use crate::callgrind;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, target_dir};
use row::Row;

pub(crate) const VERB: Verb = Verb {
    name: "bench",
    about: "clocks, CRDTs, failure detectors and placements side by side with what others have made",
    help: "
Builds bench/clocks, a workspace of its own that has the peers as dependencies, and runs
each operation as each library does it: in turns, in one process, so that what disturbs one disturbs
the others; the least of 60 runs counts. Callgrind then counts instructions, which do not depend on
the machine's mood. Ratios are to ours: 3.0 takes three times as long. Failure detectors and
placements are measured by programs of their own, bench/election and bench/ring, which print their
tables, without callgrind.

    cargo xtask bench                    every group
    cargo xtask bench clocks             one group, or several: clocks, crdt, election, ring
    cargo xtask bench clocks --quick     times only, without callgrind
    cargo xtask bench clocks --markdown  as tables for a README
    cargo xtask bench ring --quick       times of lookups only",
    run,
};

const GROUPS: &[&str] = &["clocks", "crdt", "election", "ring"];
/// Those that have a program of their own.
const PROGRAMS: [&str; 2] = ["election", "ring"];
/// Rounds that callgrind counts.
const ROUNDS: u64 = 1_000;

fn run(args: &[String]) -> Outcome {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    if let Some(flag) = flags.iter().find(|flag| !matches!(**flag, "--quick" | "--markdown")) {
        return Err(Failure::usage(format!("bench does not know {flag}; see `bench --help`")));
    }
    if let Some(name) = names.iter().find(|name| !GROUPS.contains(name)) {
        return Err(Failure::usage(format!("there is no group `{name}`, but {GROUPS:?}")));
    }
    let mut groups = if names.is_empty() { GROUPS.to_vec() } else { names };
    for alone in PROGRAMS {
        if groups.contains(&alone) {
            run_alone(alone, &flags)?;
            groups.retain(|group| *group != alone);
        }
    }
    if groups.is_empty() {
        return Ok(());
    }
    let target = target_dir()?.join("bench-clocks");
    let program = build(&target)?;
    for group in groups {
        let mut rows = time(&program, group)?;
        if rows.is_empty() {
            println!("nothing is measured in the group {group} yet");
            continue;
        }
        if !flags.contains(&"--quick") {
            rows.iter_mut().try_for_each(|row| count(&program, &target, row))?;
        }
        let text = if flags.contains(&"--markdown") { table::markdown } else { table::plain };
        println!("{}", text(&rows));
    }
    Ok(())
}

/// Runs a program that prints its table.
fn run_alone(group: &str, flags: &[&str]) -> Outcome {
    // the failure detectors' has no choices
    let flags = if group == "ring" { flags } else { &[] };
    let manifest = format!("bench/{group}/Cargo.toml");
    let target = target_dir()?.join(format!("bench-{group}"));
    Tool::cargo()
        .args(["run", "--quiet", "--release", "--manifest-path", &manifest, "--"])
        .args(flags)
        .env("CARGO_TARGET_DIR", target)
        .run()
}

fn build(target: &Path) -> Outcome<PathBuf> {
    Tool::cargo()
        .args(["build", "--quiet", "--release"])
        .args(["--manifest-path", "bench/clocks/Cargo.toml"])
        .env("CARGO_TARGET_DIR", target)
        .run()?;
    Ok(target.join("release/quorate-bench-clocks"))
}

fn time(program: &Path, group: &str) -> Outcome<Vec<Row>> {
    let printed = Tool::new(program).args(["time", group]).announce().read()?;
    let rows: Option<Vec<Row>> = printed.lines().map(Row::parse).collect();
    match rows {
        Some(rows) => Ok(rows),
        None => Err(Failure::failed(format!(
            "quorate-bench-clocks printed what cannot be read for `{group}`: {printed}"
        ))),
    }
}

fn count(program: &Path, target: &Path, row: &mut Row) -> Outcome {
    let args = ["count".to_owned(), row.case.to_string(), ROUNDS.to_string()];
    let total = callgrind::count(program, &args, &target.join("callgrind.out"))?;
    row.instructions = Some(total / ROUNDS);
    Ok(())
}
