//! What a proposal costs, and a request of the quorum store.

pub(crate) mod proposals;
pub(crate) mod quorum;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Verb;
use crate::callgrind::Profile;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, root, target_dir};

use self::proposals::{PAXOS, RAFT};

pub(crate) const VERB: Verb = Verb {
    name: "icount",
    about: "instructions, allocations and messages a proposal or a request costs",
    help: "
Three nodes of Raft, and of Multi-Paxos, in one thread (bench/log), every message and record encoded
and decoded, committed entries read, snapshots taken; callgrind counts the instructions of the whole
cluster, built with the profile `bench` (fat LTO). Counts are the same on every run of the same
binary; they differ between compilers. Long copies count more than they cost: callgrind counts a
`rep movsb`, which the C library uses from 2 KiB on, as one instruction a byte.

Three nodes of the quorum store (bench/quorum) with inline storage, in the same way: N is 3, R and W
are 2, the node that is asked is one of the three, no replica is behind.

    cargo xtask icount            a table beside the targets and the peers' numbers
    cargo xtask icount --plain    a line a row: protocol payload batch instructions allocations
                                  messages, the last three per proposal; then request
                                  instructions allocations messages bytes, per request
    cargo xtask icount --check    also fails when a proposal allocates, takes other than 4 messages
                                  at batch 1, or takes over 3 % more instructions than
                                  bench/log/raft.txt or paxos.txt allows; and likewise a request, by
                                  bench/quorum/ceilings.txt, which has its bytes as well
    cargo xtask icount --bless    writes the counts to those files and into the README
    cargo xtask icount --profile [raft|paxos PAYLOAD BATCH | REQUEST]
                                  where the instructions of a row go (raft 16 1 unless told): by
                                  function, file and line",
    run,
};

/// Percent above the ceiling that are let pass.
const SLACK: u64 = 3;

fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => {
            for protocol in [&RAFT, &PAXOS] {
                proposals::print_table(protocol, &proposals::measure(protocol)?);
                println!();
            }
            quorum::print_table(&quorum::measure()?);
            Ok(())
        }
        ["--plain"] => {
            for protocol in [&RAFT, &PAXOS] {
                proposals::print_plain(protocol, &proposals::measure(protocol)?);
            }
            quorum::print_plain(&quorum::measure()?);
            Ok(())
        }
        ["--check"] => {
            let wrong = [proposals::check(&RAFT)?, proposals::check(&PAXOS)?, quorum::check()?];
            refuse(wrong.concat())
        }
        ["--bless"] => {
            proposals::bless(&RAFT)?;
            proposals::bless(&PAXOS)?;
            quorum::bless()
        }
        ["--profile"] => proposals::profile(&RAFT, "16", "1"),
        ["--profile", request] if quorum::has(request) => quorum::profile(request),
        ["--profile", "raft", payload, batch] => proposals::profile(&RAFT, payload, batch),
        ["--profile", "paxos", payload, batch] => proposals::profile(&PAXOS, payload, batch),
        _ => Err(Failure::usage("icount does not know these arguments; see `icount --help`")),
    }
}

/// Fails if there is anything that costs too much.
fn refuse(wrong: Vec<String>) -> Outcome {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{}\nIf that is meant, `cargo xtask icount --bless` writes the new counts; say why in the commit.",
        wrong.join("\n")
    )))
}

/// Builds the program of a package; with line tables for a profile, which change nothing in the code.
fn build(package: &str, target: &Path, lines: bool) -> Outcome<PathBuf> {
    let tool = Tool::cargo().args(["build", "--quiet", "--profile", "bench", "-p", package]);
    let dir = if lines { target.join("profile") } else { target.to_path_buf() };
    if lines {
        tool.args(["--config", "profile.bench.debug=\"line-tables-only\""])
            .env("CARGO_TARGET_DIR", &dir)
            .run()?;
    } else {
        tool.run()?;
    }
    Ok(dir.join("release").join(package))
}

/// The instructions of one of so many.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn each(total: u64, count: f64) -> u64 {
    (total as f64 / count).round() as u64
}

/// Prints where the instructions of a program go, for each of `count` of what it does.
fn profile(package: &str, args: &[String], what: &str, count: u64) -> Outcome {
    let target = target_dir()?;
    let program = build(package, &target, true)?;
    let profile = Profile::take(&program, args, &target.join("callgrind.out"))?;
    let share = |cost: u64| -> String {
        let tenths = cost * 1000 / profile.total.max(1);
        format!("{:>7} {:>3}.{}%", cost / count, tenths / 10, tenths % 10)
    };
    println!("instructions a {what}: {}\n\nby function, its own:", profile.total / count);
    for (function, cost) in profile.functions.iter().take(25) {
        println!("{}  {function}", share(*cost));
    }
    println!("\nby file:");
    for (file, cost) in profile.files.iter().take(20) {
        println!("{}  {}", share(*cost), shorten(file));
    }
    println!("\nby line:");
    let mut sources = HashMap::new();
    for ((file, line), cost) in profile.lines.iter().take(60) {
        let text = source_line(&mut sources, file, *line);
        println!("{}  {}:{line}  {text}", share(*cost), shorten(file));
    }
    Ok(())
}

fn source_line(sources: &mut HashMap<String, String>, file: &str, line: u32) -> String {
    let text = sources
        .entry(file.to_owned())
        .or_insert_with(|| fs::read_to_string(root().join(file)).unwrap_or_default());
    let at = (line as usize).saturating_sub(1);
    text.lines().nth(at).unwrap_or_default().trim().to_owned()
}

/// The path without what leads to this repository or to the standard library.
fn shorten(file: &str) -> &str {
    let file = file.split_once("/library/").map_or(file, |(_, rest)| rest);
    let root = root();
    match Path::new(file).strip_prefix(&root) {
        Ok(rest) => rest.to_str().unwrap_or(file),
        Err(_) => file,
    }
}

/// A number without zeros at the end.
pub(crate) fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_abbreviated() {
        assert_eq!(short(4.0), "4");
        assert_eq!(short(0.0), "0");
        assert_eq!(short(0.0625), "0.0625");
        assert_eq!(short(31.5), "31.5");
    }
}
