use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::wait::wait;
use crate::{Failure, Reply, Status, TestBench};

/// Boards that elect, as the bench sees them. Every status that is read is checked: no two lead in one epoch.
#[derive(Debug)]
pub struct Group<'a> {
    bench: &'a mut TestBench,
    history: LeaderHistory,
}

/// The leaders so far.
#[derive(Debug, Default)]
struct LeaderHistory {
    /// The leader of each epoch.
    leaders: BTreeMap<i64, u64>,
    /// The last epoch that all agreed on, and its leader.
    last: Option<(i64, u64)>,
}

/// A node answers this at once.
const STATUS: Duration = Duration::from_secs(5);

impl<'a> Group<'a> {
    /// Starts every board, and waits until the highest leads.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a board cannot be started, or they do not agree.
    pub fn start(bench: &'a mut TestBench) -> Result<Self, Failure> {
        let mut group = Self { bench, history: LeaderHistory::default() };
        let ids = group.bench.ids();
        for id in &ids {
            group.bench.start(*id)?;
        }
        group.wait_for_leader(&ids)?;
        Ok(group)
    }

    /// The bench.
    pub const fn bench(&mut self) -> &mut TestBench {
        self.bench
    }

    /// The status of a board; `None` if it does not answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when that must not be.
    pub fn status(&mut self, id: u64) -> Result<Option<Status>, Failure> {
        let Ok(Reply::Ok(text)) = self.bench.console(id)?.request("status", STATUS) else {
            return Ok(None);
        };
        let status = Status::parse(&text);
        self.history.observe_status(id, &status)?;
        Ok(Some(status))
    }

    /// Waits until all of `among` follow the highest of them in one epoch; returns that, and how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`]; [`Failure::Unexpected`] when a new leader's epoch is not a later one.
    pub fn wait_for_leader(&mut self, among: &[u64]) -> Result<(i64, Duration), Failure> {
        let begin = Instant::now();
        let highest = among.iter().copied().max().unwrap_or(0);
        let epoch = self.wait("all follow the highest", |group| {
            let mut epochs = Vec::new();
            for &id in among {
                let Some(status) = group.status(id)? else { return Ok(None) };
                let role = if id == highest { "leader" } else { "follower" };
                let agrees = u64::try_from(status.number("leader")?) == Ok(highest);
                if !agrees || status.get("role") != Some(role) {
                    return Ok(None);
                }
                epochs.push(status.number("epoch")?);
            }
            let first = epochs.first().copied();
            Ok(first.filter(|first| epochs.iter().all(|epoch| epoch == first)))
        })?;
        self.history.observe_agreement(epoch, highest)?;
        Ok((epoch, begin.elapsed()))
    }

    /// Polls until `poll` returns something.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::Interrupted`], and the error of `poll`.
    pub fn wait<T>(
        &mut self,
        what: &str,
        mut poll: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |group| group.bench.interrupted(), what, &mut poll)
    }

    /// The sum over all boards that have power of something they count.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when one is silent.
    pub fn sum(&mut self, key: &str) -> Result<i64, Failure> {
        self.bench.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status =
                status.ok_or_else(|| Failure::Unexpected(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }
}

impl LeaderHistory {
    fn observe_status(&mut self, id: u64, status: &Status) -> Result<(), Failure> {
        if status.get("role") != Some("leader") {
            return Ok(());
        }
        let epoch = status.number("epoch")?;
        let known = *self.leaders.entry(epoch).or_insert(id);
        if known == id {
            return Ok(());
        }
        Err(Failure::Violation(format!("{known} and {id} both lead in epoch {epoch}")))
    }

    /// A resource that is fenced by the epoch must take the new leader for the later one.
    fn observe_agreement(&mut self, epoch: i64, leader: u64) -> Result<(), Failure> {
        let before = self.last.replace((epoch, leader));
        match before {
            Some((earlier, _)) if epoch < earlier => Err(Failure::Violation(format!(
                "all follow {leader} in epoch {epoch}, after epoch {earlier}"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_in_one_epoch_are_a_violation() {
        let mut history = LeaderHistory::default();
        let leads = |epoch| Status::parse(&format!("role=leader epoch={epoch}"));
        assert!(history.observe_status(3, &leads(34)).is_ok());
        assert!(history.observe_status(3, &leads(34)).is_ok());
        assert!(history.observe_status(2, &leads(65)).is_ok());
        assert!(history.observe_status(2, &Status::parse("role=follower epoch=34")).is_ok());
        assert!(history.observe_status(2, &leads(34)).is_err());
    }

    #[test]
    fn epochs_that_go_back_are_a_violation() {
        let mut history = LeaderHistory::default();
        assert!(history.observe_agreement(34, 3).is_ok());
        assert!(history.observe_agreement(65, 2).is_ok());
        assert!(history.observe_agreement(65, 2).is_ok());
        assert!(history.observe_agreement(34, 3).is_err());
    }
}
