use core::time::Duration;
use std::time::Instant;

use crate::wait::wait;
use crate::{Failure, Reply, Status, TestBench};

/// Boards that gossip, as the bench sees them.
#[derive(Debug)]
pub(super) struct Group<'a> {
    bench: &'a mut TestBench,
    /// What they agree on: a key of their status.
    key: &'static str,
}

/// A board answers this at once: it asks nobody.
const ANSWER: Duration = Duration::from_secs(5);

impl<'a> Group<'a> {
    /// Starts every board, and waits until they answer.
    pub(super) fn start(bench: &'a mut TestBench, key: &'static str) -> Result<Self, Failure> {
        let mut boards = Self { bench, key };
        for id in boards.bench.ids() {
            boards.start_board(id)?;
        }
        Ok(boards)
    }

    /// Starts a board, and waits until it answers.
    pub(super) fn start_board(&mut self, id: u64) -> Result<(), Failure> {
        self.bench.start(id)?;
        self.wait("the board answers", |boards| Ok(boards.value(id)?.map(|_| ())))
    }

    pub(super) const fn bench(&mut self) -> &mut TestBench {
        self.bench
    }

    /// Has a board make an update; it must, whoever it hears.
    pub(super) fn update(&self, id: u64, line: &str) -> Result<(), Failure> {
        match self.bench.console(id)?.request(line, ANSWER) {
            Ok(Reply::Ok(_)) => Ok(()),
            Ok(reply) => Err(Failure::Unexpected(format!("node {id}, asked to `{line}`: {reply}"))),
            Err(silence) => {
                Err(Failure::Unexpected(format!("node {id}, asked to `{line}`: {silence}")))
            }
        }
    }

    /// Waits until every board that has power holds `expected`; returns how long that took.
    pub(super) fn converge(&mut self, expected: &str) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.wait(&format!("all hold {expected:?}"), |boards| {
            for id in boards.bench.alive() {
                if boards.value(id)?.as_deref() != Some(expected) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })?;
        Ok(begin.elapsed())
    }

    /// The value of a board; `None` if it does not answer.
    pub(super) fn value(&self, id: u64) -> Result<Option<String>, Failure> {
        Ok(self.status(id)?.and_then(|status| status.get(self.key).map(str::to_owned)))
    }

    fn status(&self, id: u64) -> Result<Option<Status>, Failure> {
        Ok(match self.bench.console(id)?.request("status", ANSWER) {
            Ok(Reply::Ok(text)) => Some(Status::parse(&text)),
            _ => None,
        })
    }

    /// The sum over all boards of something they count.
    pub(super) fn sum(&self, key: &str) -> Result<i64, Failure> {
        self.bench.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status =
                status.ok_or_else(|| Failure::Unexpected(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }

    /// Cuts every wire, or heals them.
    pub(super) fn cut_all(&mut self, cut: bool) -> Result<(), Failure> {
        for (a, b) in [(1, 2), (1, 3), (2, 3)] {
            self.bench.cut(a, b, cut)?;
        }
        Ok(())
    }

    fn wait<T>(
        &mut self,
        what: &str,
        mut poll: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |boards| boards.bench.interrupted(), what, &mut poll)
    }
}
