//! The tests of a crate: how long each takes, and which mutants it reaches.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{Child, Ended};
use super::switch;
use crate::failure::{Failure, Outcome};
use crate::programs::Program;

/// A test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Test {
    /// Its program's place.
    pub(super) program: usize,
    pub(super) name: String,
    pub(super) took: Duration,
}

/// All tests of a crate.
pub(super) struct Suite {
    pub(super) programs: Vec<Program>,
    /// The quickest first.
    pub(super) tests: Vec<Test>,
    /// The tests that reach each mutant, by its number.
    reached: Vec<Vec<usize>>,
}

/// A test without a mutant that takes longer hangs.
const HANG_TIMEOUT: Duration = Duration::from_secs(600);

impl Suite {
    /// Runs each test once, without a mutant.
    ///
    /// # Errors
    ///
    /// If one fails.
    pub(super) fn record(
        programs: Vec<Program>,
        mutants: usize,
        folder: &Path,
        jobs: usize,
    ) -> Outcome<Self> {
        let mut names = Vec::new();
        for (program, it) in programs.iter().enumerate() {
            names.extend(list(it)?.into_iter().map(|name| (program, name)));
        }
        let next = AtomicUsize::new(0);
        let found = Mutex::new((Vec::new(), Vec::new()));
        let work = |job: usize| {
            let file = folder.join(format!("reached-{job}"));
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((program, name)) = names.get(at) else { break };
                let recorded = record(&programs, *program, name, &file);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match recorded {
                    Ok(recorded) => found.0.push(recorded),
                    Err(failure) => found.1.push(failure.to_string()),
                }
            }
        };
        thread::scope(|scope| {
            for job in 1..jobs {
                scope.spawn(move || work(job));
            }
            work(0);
        });
        let (recorded, failed) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !failed.is_empty() {
            return Err(Failure::failed(failed.join("\n")));
        }
        Ok(Self::new(programs, recorded, mutants))
    }

    fn new(
        programs: Vec<Program>,
        mut recorded: Vec<(Test, BTreeSet<u32>)>,
        mutants: usize,
    ) -> Self {
        recorded.sort_by(|(a, _), (b, _)| (a.took, &a.name).cmp(&(b.took, &b.name)));
        let mut reached = vec![Vec::new(); mutants + 1];
        for (at, (_, numbers)) in recorded.iter().enumerate() {
            for number in numbers {
                if let Some(tests) = reached.get_mut(*number as usize) {
                    tests.push(at);
                }
            }
        }
        let tests = recorded.into_iter().map(|(test, _)| test).collect();
        Self { programs, tests, reached }
    }

    /// The tests that reach a mutant, the quickest first.
    pub(super) fn reaching(&self, number: u32) -> &[usize] {
        self.reached.get(number as usize).map_or(&[], Vec::as_slice)
    }

    /// The same tests in programs that were built elsewhere; `None` if they are others.
    pub(super) fn with_programs(&self, programs: Vec<Program>) -> Option<Self> {
        let key = |program: &Program| {
            (program.name.clone(), program.dir.file_name().map(OsStr::to_owned))
        };
        let mut moved = Vec::new();
        for here in &self.programs {
            moved.push(programs.iter().find(|there| key(there) == key(here))?.clone());
        }
        Some(Self { programs: moved, tests: self.tests.clone(), reached: Vec::new() })
    }

    /// How long all tests take, one after the other.
    pub(super) fn total_time(&self) -> Duration {
        self.tests.iter().map(|test| test.took).sum()
    }
}

fn record(
    programs: &[Program],
    program: usize,
    name: &str,
    file: &Path,
) -> Outcome<(Test, BTreeSet<u32>)> {
    let it = programs.get(program).ok_or_else(|| Failure::failed("no such program"))?;
    let _ = fs::remove_file(file);
    let begin = Instant::now();
    let args = ["--exact", "--test-threads=1", name];
    let ended = Child::start(it, &args, (switch::REACHED, file.as_os_str()))?.wait(HANG_TIMEOUT)?;
    let took = begin.elapsed();
    if ended != Ended::Passed {
        let (path, dir) = (it.path.display(), it.dir.display());
        return Err(Failure::failed(format!(
            "{} {name} fails without a mutant; see `cd {dir} && {path} --exact {name}`",
            it.name
        )));
    }
    let bytes = fs::read(file).unwrap_or_default();
    let numbers =
        bytes.chunks_exact(4).filter_map(|chunk| Some(u32::from_le_bytes(chunk.try_into().ok()?)));
    Ok((Test { program, name: name.to_owned(), took }, numbers.collect()))
}

/// The names of the tests in a program, but for those that are ignored.
fn list(program: &Program) -> Outcome<Vec<String>> {
    let ask = |more: &[&str]| {
        let none = (switch::ON, OsStr::new("0"));
        let text = Child::read(program, &[&["--list", "--format=terse"][..], more].concat(), none)?;
        Ok(names(&text))
    };
    let ignored = ask(&["--ignored"])?;
    let mut all = ask(&[])?;
    all.retain(|name| !ignored.contains(name));
    Ok(all)
}

fn names(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_tests_come_first() {
        let test = |name: &str, ms| Test {
            program: 0,
            name: name.into(),
            took: Duration::from_millis(ms),
        };
        let recorded = vec![
            (test("slow", 90), BTreeSet::from([1, 2])),
            (test("quick", 3), BTreeSet::from([2])),
        ];
        let suite = Suite::new(Vec::new(), recorded, 3);
        let names = |number| {
            let tests = suite.reaching(number).iter().filter_map(|at| suite.tests.get(*at));
            tests.map(|test| test.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(names(1), ["slow"]);
        assert_eq!(names(2), ["quick", "slow"]);
        assert_eq!(names(3), [""; 0]);
        assert_eq!(suite.total_time(), Duration::from_millis(93));
    }

    #[test]
    fn test_names_parse() {
        assert_eq!(names("a::b: test\nc: benchmark\nd: test\n\n2 tests"), ["a::b", "d"]);
    }
}
