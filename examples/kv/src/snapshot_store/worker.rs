use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Instant;

use super::{ABANDONED, RETAINED, Written};
use crate::apply::State;
use crate::reserve::Reserve;
use crate::snapshot;

/// A thread for the files of snapshots, which does one thing after the other: to write, remove or set
/// aside hundreds of megabytes takes up to a second, in which the node's loop would miss heartbeats.
#[derive(Debug)]
pub(super) struct SnapshotWorker {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
}

/// What it is to do.
pub(super) enum Job {
    /// Write a state into the space reserved, then remove what is older than the newest two.
    Write(Box<State>),
    /// Remove what is older than the newest two, and what was being received and was given up.
    Prune,
    /// Set space aside for a snapshot of so many bytes.
    Reserve {
        bytes: u64,
        /// Now, and not only soon: all snapshots but the newest are removed for it.
        now: bool,
    },
    #[cfg(test)]
    Wait(Receiver<()>),
}

/// What came of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    /// And how much of what was reserved is left: all if it was not written.
    Written(io::Result<Written>, u64),
    /// What could not be removed; nothing is told if all could.
    NotRemoved(io::Error),
    /// So many bytes are reserved, all or what the disk has.
    Reserved(io::Result<u64>),
}

impl SnapshotWorker {
    /// Ends when this is dropped, after what it was told to do.
    pub(super) fn start(dir: &Path, cluster: u64, reserve: Reserve) -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let (done, outcomes) = channel();
        let mut state = WorkerState { dir: dir.into(), cluster, reserve };
        thread::Builder::new().name("snapshots".into()).spawn(move || {
            for job in waiting {
                state.run(job, |outcome| drop(done.send(outcome)));
            }
        })?;
        Ok(Self { jobs, outcomes })
    }

    /// False if the thread is no more.
    pub(super) fn submit(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// What came of a job meanwhile; an error if the thread is no more.
    pub(super) fn outcome(&self) -> Result<Option<Outcome>, TryRecvError> {
        match self.outcomes.try_recv() {
            Ok(outcome) => Ok(Some(outcome)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

struct WorkerState {
    dir: PathBuf,
    cluster: u64,
    reserve: Reserve,
}

impl WorkerState {
    fn run(&mut self, job: Job, report: impl Fn(Outcome)) {
        match job {
            Job::Write(state) => {
                let (start, index) = (Instant::now(), state.applied);
                let had = self.reserve.len();
                let reserve = self.reserve.take();
                let result = snapshot::write(&self.dir, &state, self.cluster, reserve.as_deref());
                // the state goes first: from then on writes to the living one copy nothing
                drop(state);
                let duration = start.elapsed();
                if result.is_err() {
                    self.reserve.reclaim(had);
                }
                let written = result.map(|bytes| Written { index, bytes, duration });
                report(Outcome::Written(written, self.reserve.len()));
                self.prune(report);
            }
            Job::Prune => self.prune(report),
            Job::Reserve { bytes, now } => {
                let make_space = || now.then(|| prune(&self.dir, 1)).map_or((), drop);
                report(Outcome::Reserved(self.reserve.ensure(bytes, make_space)));
            }
            #[cfg(test)]
            Job::Wait(until) => drop(until.recv()),
        }
    }

    fn prune(&self, report: impl Fn(Outcome)) {
        if let Err(error) =
            prune(&self.dir, RETAINED).and_then(|()| remove(&self.dir.join(ABANDONED)))
        {
            report(Outcome::NotRemoved(error));
        }
    }
}

/// Removes all snapshots but the newest.
fn prune(dir: &Path, kept: usize) -> io::Result<()> {
    for index in snapshot::list(dir)?.into_iter().skip(kept) {
        remove(&snapshot::path(dir, index))?;
    }
    Ok(())
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
