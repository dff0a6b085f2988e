use core::time::Duration;
use std::time::Instant;

use crate::wait::wait;
use crate::{Failure, Reply, Rig, Status};

/// Boards that gossip, as the bench sees them.
#[derive(Debug)]
pub(super) struct Boards<'a> {
    rig: &'a mut Rig,
    /// What they agree on: a key of their status.
    key: &'static str,
}

/// A board answers this at once: it asks nobody.
const ANSWER: Duration = Duration::from_secs(5);

impl<'a> Boards<'a> {
    /// Starts every board, and waits until they answer.
    pub(super) fn start(rig: &'a mut Rig, key: &'static str) -> Result<Self, Failure> {
        let mut boards = Self { rig, key };
        for id in boards.rig.ids() {
            boards.begin(id)?;
        }
        Ok(boards)
    }

    /// Starts a board, and waits until it answers.
    pub(super) fn begin(&mut self, id: u64) -> Result<(), Failure> {
        self.rig.start(id)?;
        self.wait("the board answers", |boards| Ok(boards.value(id)?.map(|_| ())))
    }

    pub(super) const fn rig(&mut self) -> &mut Rig {
        self.rig
    }

    /// Has a board make an update; it must, whoever it hears.
    pub(super) fn update(&self, id: u64, line: &str) -> Result<(), Failure> {
        match self.rig.console(id)?.ask(line, ANSWER) {
            Ok(Reply::Ok(_)) => Ok(()),
            Ok(reply) => Err(Failure::Wrong(format!("node {id}, asked to `{line}`: {reply}"))),
            Err(silence) => Err(Failure::Wrong(format!("node {id}, asked to `{line}`: {silence}"))),
        }
    }

    /// Waits until every board that has power holds `expected`; returns how long that took.
    pub(super) fn converge(&mut self, expected: &str) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.wait(&format!("all hold {expected:?}"), |boards| {
            for id in boards.rig.alive() {
                if boards.value(id)?.as_deref() != Some(expected) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })?;
        Ok(begin.elapsed())
    }

    /// What a board holds; nothing if it is silent.
    pub(super) fn value(&self, id: u64) -> Result<Option<String>, Failure> {
        Ok(self.status(id)?.and_then(|status| status.get(self.key).map(str::to_owned)))
    }

    fn status(&self, id: u64) -> Result<Option<Status>, Failure> {
        Ok(match self.rig.console(id)?.ask("status", ANSWER) {
            Ok(Reply::Ok(text)) => Some(Status::read(&text)),
            _ => None,
        })
    }

    /// The sum over all boards of something they count.
    pub(super) fn sum(&self, key: &str) -> Result<i64, Failure> {
        self.rig.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status = status.ok_or_else(|| Failure::Wrong(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }

    /// Cuts every wire, or heals them.
    pub(super) fn cut_all(&mut self, cut: bool) -> Result<(), Failure> {
        for (a, b) in [(1, 2), (1, 3), (2, 3)] {
            self.rig.cut(a, b, cut)?;
        }
        Ok(())
    }

    fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |boards| boards.rig.interrupted(), what, &mut look)
    }
}
