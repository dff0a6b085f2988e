use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Marks, Report, Subject, Violation, run};

/// Many seeds, on several threads.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// How many nodes; drawn from each seed if `None`.
    pub nodes: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// Every so many seeds is run twice and compared.
    pub rerun_every: u64,
}

/// What a campaign amounts to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds run.
    pub seeds: u64,
    /// Seeds run twice.
    pub rerun: u64,
    /// Messages that reached a machine.
    pub delivered: u64,
    /// Crashes of single nodes.
    pub crashes: u64,
    /// What the subjects count as completed.
    pub completed: u64,
    /// How often each rare thing happened.
    pub marks: Marks,
    /// Messages sent in the busiest second of all runs.
    pub max_messages_per_second: u64,
    /// Outputs of one node in the busiest step of all runs.
    pub max_outputs_per_step: u64,
    /// Times from healing to a leader, in 1/1000 of the longest election timeout, sorted.
    pub leader_after: Vec<u64>,
    /// Times from healing to a commit, in 1/1000 of the longest election timeout, sorted.
    pub commit_after: Vec<u64>,
    /// Times from a partial partition to a leader, in 1/1000 of the longest election timeout, sorted.
    pub partial_after: Vec<u64>,
}

/// How a campaign ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run.
    pub summary: Summary,
    /// The violation that ended it, of the lowest seed among those found.
    pub violation: Option<Violation>,
}

impl Campaign {
    /// Runs the seeds until they are done or one is violated. `progress` is called after each, with how many are done.
    pub fn run<S: Subject>(&self, progress: impl Fn(u64) + Sync) -> Outcome {
        self.run_alternating::<S, S>(progress)
    }

    /// Runs the seeds, the even ones with one subject and the odd ones with another.
    pub fn run_alternating<E: Subject, O: Subject>(
        &self,
        progress: impl Fn(u64) + Sync,
    ) -> Outcome {
        let run = |seed: u64, nodes| {
            if seed.is_multiple_of(2) {
                run::<E>(seed, nodes, false)
            } else {
                run::<O>(seed, nodes, false)
            }
        };
        self.run_with(run, progress)
    }

    /// Runs the seeds with a function that runs one, with so many nodes.
    pub fn run_with(
        &self,
        run: impl Fn(u64, Option<usize>) -> Result<Report, Violation> + Sync,
        progress: impl Fn(u64) + Sync,
    ) -> Outcome {
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let done = AtomicU64::new(0);
        let results = Mutex::new(Outcome { summary: Summary::default(), violation: None });
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= self.seeds {
                            return;
                        }
                        let seed = self.from.wrapping_add(at);
                        let result = self.run_seed(&run, seed, at);
                        if result.is_err() {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let mut outcome = results.lock().unwrap_or_else(PoisonError::into_inner);
                        outcome.add(result, at.is_multiple_of(self.rerun_every.max(1)));
                        drop(outcome);
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                });
            }
        });
        let mut outcome = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.summary.leader_after.sort_unstable();
        outcome.summary.commit_after.sort_unstable();
        outcome.summary.partial_after.sort_unstable();
        outcome
    }

    fn run_seed(
        &self,
        run: &impl Fn(u64, Option<usize>) -> Result<Report, Violation>,
        seed: u64,
        at: u64,
    ) -> Result<Report, Violation> {
        let report = run(seed, self.nodes)?;
        if at.is_multiple_of(self.rerun_every.max(1)) && run(seed, self.nodes)? != report {
            let what = "two runs of this seed differ: not deterministic".into();
            return Err(Violation { seed, what, trace: String::new() });
        }
        Ok(report)
    }
}

impl Summary {
    /// What should have happened and never did, so that the campaign says nothing about it.
    #[must_use]
    pub fn missing_marks(&self, must_happen: &[&'static str]) -> Vec<&'static str> {
        must_happen.iter().copied().filter(|mark| self.marks.get(mark) == 0).collect()
    }

    /// How many elections took longer than
    /// [`SLOW_ELECTION_TIMEOUTS`](crate::SLOW_ELECTION_TIMEOUTS), and how many there were.
    #[must_use]
    pub fn slow_elections(&self) -> (usize, usize) {
        let all = || self.leader_after.iter().chain(&self.partial_after);
        (
            all().filter(|&&after| after > crate::SLOW_ELECTION_TIMEOUTS * 1_000).count(),
            all().count(),
        )
    }
}

impl Outcome {
    fn add(&mut self, result: Result<Report, Violation>, twice: bool) {
        let summary = &mut self.summary;
        summary.seeds += 1;
        match result {
            Ok(report) => {
                summary.rerun += u64::from(twice);
                summary.delivered += report.delivered;
                summary.crashes += report.crashes;
                summary.completed += report.completed;
                summary.max_messages_per_second =
                    summary.max_messages_per_second.max(report.max_messages_per_second);
                summary.max_outputs_per_step =
                    summary.max_outputs_per_step.max(report.max_outputs_per_step);
                summary.marks.merge(&report.marks);
                summary.leader_after.push(report.leader_after);
                summary.commit_after.push(report.commit_after);
                summary.partial_after.extend(report.partial_after);
            }
            Err(violation) => {
                if self.violation.as_ref().is_none_or(|v| v.seed > violation.seed) {
                    self.violation = Some(violation);
                }
            }
        }
    }
}
