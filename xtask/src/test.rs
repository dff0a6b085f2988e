use std::time::{SystemTime, UNIX_EPOCH};

use crate::Verb;
use crate::failure::Outcome;
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "test",
    about: "all tests, and how many there were",
    help: "
Runs `cargo test --workspace`, the README's command, and adds up the results of all its test
programs. Arguments go on to cargo: `cargo xtask test -p quorate-raft`, `cargo xtask test
--no-fail-fast`, `cargo xtask test -- snapshot`.

Property tests rank the same cases each time, from the seed in .cargo/config.toml. `cargo xtask test
--fresh` draws a new seed for them, and prints the command that uses it again.",
    run,
};

/// How many tests there were.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    passed: usize,
    failed: usize,
    ignored: usize,
}

fn run(args: &[String]) -> Outcome {
    let (totals, _, outcome) = count(args);
    totals.print();
    outcome
}

/// Runs the tests, adds up what the test programs say, and keeps what those that failed said.
pub(crate) fn count(args: &[String]) -> (Totals, Vec<String>, Outcome) {
    let mut totals = Totals::default();
    let narrowed = args.iter().take_while(|a| *a != "--").any(|a| a == "-p" || a == "--package");
    let scope = if narrowed { None } else { Some("--workspace") };
    let mut said = FailureOutput::default();
    let (fresh, args): (Vec<_>, Vec<_>) = args.iter().partition(|arg| *arg == "--fresh");
    let mut tool = Tool::cargo().arg("test").args(scope).args(args);
    if !fresh.is_empty() {
        tool = tool.env("PROPTEST_RNG_SEED", fresh_seed());
    }
    let outcome = tool.watch(|line| {
        totals.add_line(line);
        said.add_line(line);
    });
    (totals, said.lines, outcome)
}

/// Different in each run.
fn fresh_seed() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.subsec_nanos().to_string()
}

/// What tests said that failed.
#[derive(Default)]
struct FailureOutput {
    lines: Vec<String>,
    /// How many lines of the present one are still kept.
    rest: usize,
}

impl FailureOutput {
    /// Lines kept of a test that failed.
    const EACH: usize = 20;
    /// Lines kept of all.
    const ALL: usize = 100;

    fn add_line(&mut self, line: &str) {
        if line.starts_with("---- ") {
            self.rest = Self::EACH;
        }
        if self.rest > 0 && self.lines.len() < Self::ALL {
            self.rest -= 1;
            self.lines.push(line.to_owned());
        }
    }
}

impl Totals {
    /// The plain line: what a person or a program looks for at the end.
    pub(crate) fn print(self) {
        println!("tests: {} passed, {} failed, {} skipped", self.passed, self.failed, self.ignored);
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add_line(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split_whitespace().collect();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let number: usize = number.parse().unwrap_or(0);
            match what.trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::manifest;
    use crate::tool::root;

    /// Where a manifest says that cargo is not to look for tests, a file without its `mod` would never be compiled.
    #[test]
    fn each_test_file_is_in_a_program() {
        let manifest = |folder: &str| fs::read_to_string(root().join(folder).join("Cargo.toml"));
        for folder in manifest::list(&manifest("").unwrap(), "members") {
            let manifest = manifest(&folder).unwrap();
            if !manifest.lines().any(|line| line == "autotests = false") {
                continue;
            }
            let tests = root().join(&folder).join("tests");
            let programs = manifest.split("[[test]]").skip(1);
            let programs: Vec<&str> = programs.filter_map(|it| it.split('"').nth(1)).collect();
            let of_program = |name: &&str| fs::read_to_string(tests.join(format!("{name}.rs")));
            let text: String = programs.iter().map(|name| of_program(name).unwrap()).collect();
            for entry in fs::read_dir(&tests).unwrap() {
                let path = entry.unwrap().path();
                let is_rust = path.extension().is_some_and(|it| it == "rs");
                if !is_rust && !path.join("mod.rs").exists() && !path.join("main.rs").exists() {
                    continue;
                }
                let name = path.file_stem().unwrap().to_str().unwrap();
                let declaration = format!("mod {name};");
                assert!(
                    programs.contains(&name) || text.lines().any(|line| line == declaration),
                    "{}: no program has it: add `{declaration}` to {folder}/tests/all.rs",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn results_are_summed() {
        let mut totals = Totals::default();
        totals.add_line("running 3 tests");
        totals.add_line(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; finished in 0.01s",
        );
        totals.add_line("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (5, 4, 1));
    }
}
