use std::fs;
use std::path::Path;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::scratch::Scratch;
use crate::tool::{Tool, has, root};

pub(crate) const VERB: Verb = Verb {
    name: "mutants",
    about: "changes raft's code in every small way; the tests must notice",
    help: "
cargo-mutants changes one thing at a time in raft/src (a comparison, a return value, an operator), in a copy of the repository in
the target folder. First raft's own tests have a look at each mutant (seconds), then, at those they let pass, its unit tests and the
simulator's: scenarios, hostile inputs, seeds. A mutant that no test notices survives. Survivors that are justified are listed in
sim/mutants.txt, one a line: `FILE: WHAT  # WHY`, without line numbers, as those move. Any other survivor, or less than 95 % of
the mutants noticed, is a failure; so is a line that names no survivor any more, if all of raft was run.

    cargo xtask mutants                          all of raft/src: about an hour
    cargo xtask mutants election.rs follower.rs  some files

It needs cargo-mutants: `cargo install cargo-mutants --locked`.",
    run,
};

/// So many of a hundred mutants must be noticed.
const CAUGHT_PERCENT: usize = 95;
/// Survivors that are justified.
const LIST: &str = "sim/mutants.txt";

/// What tests the mutants: the first lets few of them to the second.
const STAGES: [Stage; 3] = [
    Stage {
        package: "quorate-raft",
        target: "--test=at_once",
        features: Some("alloc,serde"),
        timeout_s: 20,
        iterate: false,
    },
    Stage {
        package: "quorate-raft",
        target: "--lib",
        features: Some("alloc,serde"),
        timeout_s: 20,
        iterate: true,
    },
    Stage {
        package: "quorate-sim",
        target: "--test=raft_at_once",
        features: None,
        timeout_s: 60,
        iterate: true,
    },
];

/// One test program over all mutants, or over those that the stages before let pass.
struct Stage {
    package: &'static str,
    target: &'static str,
    features: Option<&'static str>,
    /// A mutant that takes longer hangs, and so was noticed.
    timeout_s: u32,
    iterate: bool,
}

/// What became of the mutants.
#[derive(Default)]
struct Tally {
    caught: usize,
    timed_out: usize,
    /// They did not compile.
    unviable: usize,
    survivors: Vec<String>,
}

fn run(args: &[String]) -> Outcome {
    let mut files = Vec::new();
    for arg in args {
        if arg.starts_with('-') {
            return Err(Failure::usage(format!(
                "mutants does not know {arg}; see `mutants --help`"
            )));
        }
        files.push(format!("--file=raft/src/**/{arg}"));
    }
    if !has("cargo-mutants") {
        let how = "cargo-mutants is missing: `cargo install cargo-mutants --locked`";
        return Err(Failure::failed(how));
    }
    let whole = files.is_empty();
    if whole {
        files.push("--file=raft/src/**/*.rs".into());
    }
    let scratch = Scratch::new("mutants")?;
    scratch.reset()?;
    let found = scratch.target.join("mutants.out");
    if found.exists() {
        fs::remove_dir_all(&found).map_err(Failure::io(found.display()))?;
    }
    let mut tally = Tally::default();
    for stage in &STAGES {
        tally = stage.run(&scratch, &files, tally)?;
    }
    let list = fs::read_to_string(root().join(LIST)).unwrap_or_default();
    judge(&tally, &list, whole)
}

impl Stage {
    fn run(&self, scratch: &Scratch, which: &[String], before: Tally) -> Outcome<Tally> {
        if self.iterate && before.survivors.is_empty() && before.timed_out == 0 {
            return Ok(before);
        }
        let profile = ["profile.dev.debug=false", "profile.dev.package.'*'.opt-level=2"];
        let cargo = Tool::cargo()
            .args(["test", "--quiet", "--package", self.package, self.target])
            .args(self.features.map(|features| format!("--features={features}")))
            .args(profile.map(|config| format!("--config={config}")))
            .env("CARGO_TARGET_DIR", &scratch.target)
            .dir(&scratch.tree);
        // without a mutant, which cargo-mutants would do with another package
        cargo.run()?;
        let tool = Tool::cargo()
            .args(["mutants", "--in-place", "--no-times", "--baseline=skip"])
            .args(["--package", "quorate-raft"])
            .args(which)
            .args(["--test-package", self.package])
            .args(self.features.map(|features| format!("--features={features}")))
            // only that program is built
            .arg(format!("--cargo-arg={}", self.target))
            .args(profile.map(|config| format!("--cargo-arg=--config={config}")))
            .args(["--timeout", &self.timeout_s.to_string(), "--build-timeout", "300"])
            .args(self.iterate.then_some("--iterate"))
            .args(["--output".as_ref(), scratch.target.as_os_str()])
            .env("CARGO_TARGET_DIR", &scratch.target)
            .dir(&scratch.tree);
        let mut ended = false;
        let ran = tool.watch(|line| ended |= line.contains("tested"));
        if !ended {
            return Err(ran
                .err()
                .unwrap_or_else(|| Failure::failed("cargo-mutants tested nothing")));
        }
        // survivors make it fail too: what they are is judged here
        let found = scratch.target.join("mutants.out");
        let survivors = lines(&found.join("missed.txt"))?;
        let count = |name: &str| lines(&found.join(name)).map(|lines| lines.len());
        Ok(Tally {
            caught: before.caught + count("caught.txt")?,
            // the later stages have another look at what hung
            timed_out: count("timeout.txt")?,
            unviable: before.unviable + count("unviable.txt")?,
            survivors,
        })
    }
}

fn lines(path: &Path) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(path).map_err(Failure::io(path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Whether the survivors are those on the list, and few.
fn judge(tally: &Tally, list: &str, whole: bool) -> Outcome {
    let Tally { caught, timed_out, unviable, survivors } = tally;
    let caught = caught + timed_out;
    let justified = list.lines().filter_map(|line| line.split_once("  #"));
    let justified: Vec<&str> = justified.map(|(what, _)| what.trim()).collect();
    let names: Vec<String> = survivors.iter().map(|line| without_place(line)).collect();
    let total = caught + survivors.len();
    println!(
        "{caught} of {total} mutants noticed, {timed_out} of them as they hang; {unviable} more do not compile"
    );
    let mut wrong: Vec<String> = Vec::new();
    for (name, line) in names.iter().zip(survivors.iter()) {
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
        let some = |caught| Tally { caught, survivors: vec![LINE.to_owned()], ..Tally::default() };
        let none = Tally { caught: 99, ..Tally::default() };
        let list = format!("# the list\n{NAME}  # only a statistic\n");
        assert!(judge(&some(99), &list, true).is_ok());
        assert!(judge(&some(99), "", true).is_err());
        assert!(judge(&some(10), &list, true).is_err(), "one of eleven is too many");
        assert!(judge(&none, &list, true).is_err(), "the list is out of date");
        assert!(judge(&none, &list, false).is_ok(), "but not if only a part was run");
    }

    #[test]
    fn what_hangs_was_noticed() {
        let hangs = Tally { timed_out: 99, survivors: vec![LINE.to_owned()], ..Tally::default() };
        assert!(judge(&hangs, &format!("{NAME}  # only a statistic"), true).is_ok());
    }
}
