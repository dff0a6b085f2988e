use std::fs;
use std::path::Path;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, has, root, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "mutants",
    about: "changes raft's code in every small way; the tests must notice",
    help: "
cargo-mutants changes one thing at a time in raft/src (a comparison, a return value, an operator) and runs the tests of raft and
those of the simulator that exercise it. A mutant that no test notices survives. Survivors that are justified are listed in
sim/mutants.txt, one a line: `FILE: WHAT  # WHY`, without line numbers, as those move. Any other survivor, or less than 95 % of
the mutants noticed, is a failure; so is a line that names no survivor any more, if all of raft was run.

    cargo xtask mutants                     all of raft/src: hours
    cargo xtask mutants election.rs         one file
    cargo xtask mutants --shard 0/16        one sixteenth, for several machines

It needs cargo-mutants: `cargo install cargo-mutants`.",
    run,
};

/// So many of a hundred mutants must be noticed.
const CAUGHT_PERCENT: usize = 95;
/// Survivors that are justified.
const LIST: &str = "sim/mutants.txt";

fn run(args: &[String]) -> Outcome {
    let (mut file, mut shard) = (None, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--shard" => {
                shard = Some(rest.next().ok_or_else(|| Failure::usage("--shard wants K/N"))?);
            }
            flag if flag.starts_with('-') => {
                return Err(Failure::usage(format!(
                    "mutants does not know {flag}; see `mutants --help`"
                )));
            }
            name => file = Some(name),
        }
    }
    if !has("cargo-mutants") {
        return Err(Failure::failed("cargo-mutants is missing: `cargo install cargo-mutants`"));
    }
    let output = target_dir()?.join("mutants");
    let files = file.map_or("raft/src/**/*.rs".into(), |file| format!("raft/src/**/{file}"));
    let tool = Tool::cargo()
        .args(["mutants", "--package", "quorate-raft", "--file", &files])
        .args(["--test-package", "quorate-raft", "--test-package", "quorate-sim"])
        .args(["--minimum-test-timeout", "60"])
        .args(["--output".as_ref(), output.as_os_str()])
        .args(shard.map(|shard| format!("--shard={shard}")))
        .args(["--", "--tests"]);
    // survivors make it fail: what they are is judged here
    let ran = tool.run();
    let found = output.join("mutants.out");
    let survivors = lines(&found.join("missed.txt")).or_else(|e| ran.and(Err(e)))?;
    let caught = lines(&found.join("caught.txt"))?.len() + lines(&found.join("timeout.txt"))?.len();
    let list = fs::read_to_string(root().join(LIST)).unwrap_or_default();
    judge(&survivors, caught, &list, file.is_none() && shard.is_none())
}

fn lines(path: &Path) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(path).map_err(Failure::io(path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Whether the survivors are those on the list, and few.
fn judge(survivors: &[String], caught: usize, list: &str, whole: bool) -> Outcome {
    let justified = list.lines().filter_map(|line| line.split_once("  #"));
    let justified: Vec<&str> = justified.map(|(what, _)| what.trim()).collect();
    let names: Vec<String> = survivors.iter().map(|line| without_place(line)).collect();
    let total = caught + survivors.len();
    println!("{caught} of {total} mutants noticed");
    let mut wrong: Vec<String> = Vec::new();
    for (name, line) in names.iter().zip(survivors) {
        if !justified.contains(&name.as_str()) {
            wrong.push(format!("survives: {line}"));
        }
    }
    if whole {
        let gone = justified.iter().filter(|what| !names.iter().any(|name| name == *what));
        wrong.extend(gone.map(|what| format!("{LIST} names what does not survive: {what}")));
    }
    if caught * 100 < total * CAUGHT_PERCENT {
        wrong.push(format!("less than {CAUGHT_PERCENT} % were noticed"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

/// `raft/src/read.rs:41:9: replace …` as `raft/src/read.rs: replace …`.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}: {}", what.trim()),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "raft/src/read.rs:41:9: replace Raft<S>::read -> u64 with 0";
    const NAME: &str = "raft/src/read.rs: replace Raft<S>::read -> u64 with 0";

    #[test]
    fn places_are_taken_off() {
        assert_eq!(without_place(LINE), NAME);
        assert_eq!(without_place("odd"), "odd");
    }

    #[test]
    fn survivors_must_be_justified_and_few() {
        let survivors = [LINE.to_owned()];
        let list = format!("# the list\n{NAME}  # only a statistic\n");
        assert!(judge(&survivors, 99, &list, true).is_ok());
        assert!(judge(&survivors, 99, "", true).is_err());
        assert!(judge(&survivors, 10, &list, true).is_err(), "one of eleven is too many");
        assert!(judge(&[], 99, &list, true).is_err(), "the list is out of date");
        assert!(judge(&[], 99, &list, false).is_ok(), "but not if only a part was run");
    }
}
