use core::time::Duration;
use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use crate::{Failure, Reply, Rig, Status};

/// A group on a bench.
///
/// Every status that is read is checked: an epoch has one leader, and no node goes back to an earlier epoch, not even by a restart.
#[derive(Debug)]
pub struct Group<'a> {
    rig: &'a mut Rig,
    /// Who led in each epoch.
    leaders: BTreeMap<i64, i64>,
    /// The last epoch each node was seen in.
    epochs: BTreeMap<u64, i64>,
}

/// Whatever must come about has this long: emulators share a machine with others.
const PATIENCE: Duration = Duration::from_secs(40);
/// A node answers this at once.
const STATUS: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(15);

impl<'a> Group<'a> {
    /// Starts every node, and waits until all follow the highest.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a node cannot be started, or they do not.
    pub fn start(rig: &'a mut Rig) -> Result<Self, Failure> {
        let mut group = Self { rig, leaders: BTreeMap::new(), epochs: BTreeMap::new() };
        for id in group.rig.ids() {
            group.rig.start(id)?;
        }
        group.settle()?;
        Ok(group)
    }

    /// The bench.
    pub const fn rig(&mut self) -> &mut Rig {
        self.rig
    }

    /// What a node says of itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when it is silent or stopped, and when what it says must not be.
    pub fn status(&mut self, id: u64) -> Result<Status, Failure> {
        let status = match self.rig.console(id)?.ask("status", STATUS) {
            Ok(Reply::Ok(text)) => Status::read(&text),
            Ok(reply) => return Err(Failure::Wrong(format!("node {id}: {reply}"))),
            Err(silence) => return Err(Failure::Wrong(format!("node {id}: {silence}"))),
        };
        self.check(id, &status)?;
        Ok(status)
    }

    /// Waits until all that have power follow the highest of them; returns which, and how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`], or what [`status`](Self::status) finds wrong.
    pub fn settle(&mut self) -> Result<(u64, Duration), Failure> {
        let alive = self.rig.alive();
        self.settle_among(&alive)
    }

    /// As [`settle`](Self::settle), of nodes that reach each other and nobody else.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    pub fn settle_among(&mut self, among: &[u64]) -> Result<(u64, Duration), Failure> {
        let highest = among.iter().copied().max().unwrap_or(0);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.rig.interrupted() {
                return Err(Failure::Interrupted);
            }
            if self.agree(among, highest)? {
                return Ok((highest, begin.elapsed()));
            }
            thread::sleep(LOOK);
        }
        Err(Failure::Wrong(format!("{among:?} do not all follow {highest} after {PATIENCE:?}")))
    }

    fn agree(&mut self, among: &[u64], leader: u64) -> Result<bool, Failure> {
        let mut epochs = Vec::new();
        for &id in among {
            // a board that was just started has no console yet
            let Ok(Reply::Ok(text)) = self.rig.console(id)?.ask("status", STATUS) else {
                return Ok(false);
            };
            let status = Status::read(&text);
            self.check(id, &status)?;
            if status.number("leader")? != i64::try_from(leader).unwrap_or(0) {
                return Ok(false);
            }
            epochs.push(status.number("epoch")?);
        }
        Ok(epochs.windows(2).all(|pair| pair[0] == pair[1]))
    }

    fn check(&mut self, id: u64, status: &Status) -> Result<(), Failure> {
        let (leader, epoch) = (status.number("leader")?, status.number("epoch")?);
        let before = self.epochs.insert(id, epoch).unwrap_or(0);
        if epoch < before {
            return Err(Failure::Wrong(format!(
                "node {id} went back from epoch {before} to {epoch}"
            )));
        }
        if leader != 0 {
            let known = *self.leaders.entry(epoch).or_insert(leader);
            if known != leader {
                return Err(Failure::Wrong(format!(
                    "epoch {epoch} has two leaders: {known}, {leader}"
                )));
            }
        }
        Ok(())
    }
}
