use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::wait::wait;
use crate::{Failure, Reply, Rig, Status};

/// Boards that elect, as the bench sees them. Every status that is read is checked: no two lead in one epoch.
#[derive(Debug)]
pub struct Group<'a> {
    rig: &'a mut Rig,
    offices: Offices,
}

/// Who led when.
#[derive(Debug, Default)]
struct Offices {
    /// Who led in each epoch.
    leaders: BTreeMap<i64, u64>,
    /// Whom all followed last, and in which epoch.
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
    pub fn start(rig: &'a mut Rig) -> Result<Self, Failure> {
        let mut group = Self { rig, offices: Offices::default() };
        let ids = group.rig.ids();
        for id in &ids {
            group.rig.start(*id)?;
        }
        group.settle(&ids)?;
        Ok(group)
    }

    /// The bench.
    pub const fn rig(&mut self) -> &mut Rig {
        self.rig
    }

    /// What a board says of itself; nothing if it is silent.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when that must not be.
    pub fn status(&mut self, id: u64) -> Result<Option<Status>, Failure> {
        let Ok(Reply::Ok(text)) = self.rig.console(id)?.ask("status", STATUS) else {
            return Ok(None);
        };
        let status = Status::read(&text);
        self.offices.see(id, &status)?;
        Ok(Some(status))
    }

    /// Waits until all of `among` follow the highest of them in one epoch; returns that, and how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`]; [`Failure::Wrong`] when a new leader's epoch is not a later one.
    pub fn settle(&mut self, among: &[u64]) -> Result<(i64, Duration), Failure> {
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
        self.offices.follow(epoch, highest)?;
        Ok((epoch, begin.elapsed()))
    }

    /// Looks again and again until `look` finds something.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`], [`Failure::Interrupted`], and what `look` says.
    pub fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |group| group.rig.interrupted(), what, &mut look)
    }

    /// The sum over all boards that have power of something they count.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when one is silent.
    pub fn sum(&mut self, key: &str) -> Result<i64, Failure> {
        self.rig.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status = status.ok_or_else(|| Failure::Wrong(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }
}

impl Offices {
    fn see(&mut self, id: u64, status: &Status) -> Result<(), Failure> {
        if status.get("role") != Some("leader") {
            return Ok(());
        }
        let epoch = status.number("epoch")?;
        let known = *self.leaders.entry(epoch).or_insert(id);
        if known == id {
            return Ok(());
        }
        Err(Failure::Broken(format!("{known} and {id} both lead in epoch {epoch}")))
    }

    /// A resource that is fenced by the epoch must take the new leader for the later one.
    fn follow(&mut self, epoch: i64, leader: u64) -> Result<(), Failure> {
        let before = self.last.replace((epoch, leader));
        match before {
            Some((earlier, _)) if epoch < earlier => Err(Failure::Broken(format!(
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
    fn two_leaders_in_one_epoch_are_noticed() {
        let mut offices = Offices::default();
        let leads = |epoch| Status::read(&format!("role=leader epoch={epoch}"));
        assert!(offices.see(3, &leads(34)).is_ok());
        assert!(offices.see(3, &leads(34)).is_ok());
        assert!(offices.see(2, &leads(65)).is_ok());
        assert!(offices.see(2, &Status::read("role=follower epoch=34")).is_ok());
        assert!(offices.see(2, &leads(34)).is_err());
    }

    #[test]
    fn epochs_that_go_back_are_noticed() {
        let mut offices = Offices::default();
        assert!(offices.follow(34, 3).is_ok());
        assert!(offices.follow(65, 2).is_ok());
        assert!(offices.follow(65, 2).is_ok());
        assert!(offices.follow(34, 3).is_err());
    }
}
