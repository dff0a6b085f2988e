use std::collections::BTreeMap;

use crate::failure::{Failure, Outcome};
use crate::programs::Program;
use crate::tool::Tool;

/// Packages whose tests run processes, or use sockets, files and time.
const PACKAGES: [&str; 7] = [
    "quorate-kv",
    "quorate-tokio",
    "quorate-nemesis",
    "quorate-boards",
    "quorate-election-demo",
    "quorate-quorum-demo",
    "quorate-std-driver",
];

/// The test program that has all test files of a package.
const ALL: &str = "all";

/// What runs as one process: a test program, or the tests of one of its files.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) program: Program,
    /// The names of the tests; none for all that the program has.
    pub(super) tests: Vec<String>,
}

/// Builds the test programs, and returns the jobs that have one of `names` in their name, or all.
pub(super) fn build(names: &[String]) -> Outcome<Vec<Job>> {
    let tool = || {
        let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
        Tool::cargo().args(["test", "--no-run"]).args(packages)
    };
    tool().run()?;
    let mut jobs = Vec::new();
    for program in Program::all(&tool().args(["--message-format", "json"]).read()?) {
        if program.name == ALL {
            let list = Tool::new(&program.path).args(["--list", "--format=terse"]).read()?;
            jobs.extend(split(&program, &list));
        } else {
            jobs.push(Job { name: program.name.clone(), program, tests: Vec::new() });
        }
    }
    if !names.is_empty() {
        jobs.retain(|job| names.iter().any(|name| job.name.contains(name)));
    }
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    if jobs.is_empty() {
        return Err(Failure::usage("no test program and no test file has such a name"));
    }
    Ok(jobs)
}

/// A job for each test file in a program of many.
fn split(program: &Program, list: &str) -> Vec<Job> {
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for test in list.lines().filter_map(|line| line.strip_suffix(": test")) {
        let file = test.split("::").next().unwrap_or(test);
        files.entry(file).or_default().push(test.to_owned());
    }
    let package = program.dir.file_name().unwrap_or_default().to_string_lossy();
    let job = |(file, tests)| {
        let name = format!("{package}::{file}");
        Job { name, program: program.clone(), tests }
    };
    files.into_iter().map(job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_of_a_program_are_parted() {
        let program = Program { name: ALL.into(), path: "/all-1".into(), dir: "/w/kv".into() };
        let list = "b::one: test\na::two: test\nb::c::three: test\nb::four: benchmark\n";
        let jobs = split(&program, list);
        let found: Vec<(&str, Vec<&str>)> = jobs
            .iter()
            .map(|job| (&job.name[..], job.tests.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(found, [("kv::a", vec!["a::two"]), ("kv::b", vec!["b::one", "b::c::three"])]);
    }
}
