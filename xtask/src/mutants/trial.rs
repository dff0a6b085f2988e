//! Runs the tests with a mutant.

use std::ffi::OsStr;
use std::time::Duration;

use super::child::{Child, Ended};
use super::suite::{Suite, Test};
use super::switch;
use crate::failure::{Failure, Outcome};

/// What became of a mutant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// A test failed.
    Noticed,
    /// A test did not end.
    Hung,
    /// All tests pass.
    Survives,
    /// No test comes there.
    Unreached,
    /// It does not compile.
    Broken,
    /// It would have needed a build of its own, and that was not wanted.
    Unmeasured,
}

/// How long the tests of the first batch take together; each batch takes so many times as long as
/// the one before.
const FIRST: Duration = Duration::from_millis(100);
const GROWTH: u32 = 4;
/// A batch hangs that takes so much longer than without a mutant, and some time besides: the
/// machine may be busy.
const SLOWER: u32 = 10;
const BESIDES: Duration = Duration::from_secs(5);

/// Runs tests with the mutant of a number, the quick ones first, up to the first that fails.
pub(super) fn run(suite: &Suite, tests: &[usize], number: u32) -> Outcome<Verdict> {
    let number = number.to_string();
    for batch in batches(&suite.tests, tests) {
        for (program, names, takes) in by_program(&suite.tests, &batch) {
            let it =
                suite.programs.get(program).ok_or_else(|| Failure::failed("no such program"))?;
            let args: Vec<&str> =
                ["--exact", "--test-threads=1"].into_iter().chain(names).collect();
            let child = Child::start(it, &args, (switch::ON, OsStr::new(&number)))?;
            match child.wait(takes * SLOWER + BESIDES)? {
                Ended::Passed => {}
                Ended::Failed => return Ok(Verdict::Noticed),
                Ended::Hung => return Ok(Verdict::Hung),
            }
        }
    }
    Ok(Verdict::Survives)
}

/// Parts of the list that take longer and longer: what is cheap is tried first, and a program is
/// not started for each test.
fn batches(all: &[Test], tests: &[usize]) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = vec![Vec::new()];
    let (mut budget, mut spent) = (FIRST, Duration::ZERO);
    for at in tests {
        let took = all.get(*at).map_or(Duration::ZERO, |test| test.took);
        let full = spent + took > budget && batches.last().is_some_and(|batch| !batch.is_empty());
        if full {
            batches.push(Vec::new());
            (budget, spent) = (budget * GROWTH, Duration::ZERO);
        }
        spent += took;
        if let Some(batch) = batches.last_mut() {
            batch.push(*at);
        }
    }
    batches
}

/// The names of a batch's tests for each program, and how long they take there.
fn by_program<'a>(all: &'a [Test], batch: &[usize]) -> Vec<(usize, Vec<&'a str>, Duration)> {
    let mut programs: Vec<(usize, Vec<&str>, Duration)> = Vec::new();
    for test in batch.iter().filter_map(|at| all.get(*at)) {
        match programs.iter_mut().find(|(program, ..)| *program == test.program) {
            Some((_, names, takes)) => {
                names.push(&test.name);
                *takes += test.took;
            }
            None => programs.push((test.program, vec![&test.name], test.took)),
        }
    }
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow() {
        let test =
            |ms, program| Test { program, name: format!("t{ms}"), took: Duration::from_millis(ms) };
        let all =
            [test(40, 0), test(50, 1), test(60, 0), test(300, 1), test(5000, 0), test(6000, 0)];
        let tests = [0, 1, 2, 3, 4, 5];
        assert_eq!(batches(&all, &tests), [vec![0, 1], vec![2, 3], vec![4], vec![5]]);
        assert_eq!(
            by_program(&all, &[0, 1, 2]),
            [
                (0, vec!["t40", "t60"], Duration::from_millis(100)),
                (1, vec!["t50"], Duration::from_millis(50))
            ]
        );
        assert_eq!(batches(&all, &[]), [Vec::<usize>::new()]);
    }
}
