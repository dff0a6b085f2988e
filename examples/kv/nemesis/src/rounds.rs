//! What the nemesis does when: one fault of each kind first, then faults at random, up to three at a time.

use core::sync::atomic::Ordering::SeqCst;
use core::time::Duration;
use std::time::Instant;

use quorate_core::Rng;

use crate::check;
use crate::cluster::Cluster;
use crate::erase;
use crate::failure::{Failure, Outcome};
use crate::faults::{ALL, Fault, Faults, pick};
use crate::timeline::Timeline;
use crate::workload::Workload;

/// How often the history is checked while a run goes on.
const CHECK_INTERVAL: Duration = Duration::from_secs(20);

/// A run.
#[derive(Debug)]
pub struct Rounds<'a> {
    /// The nodes.
    pub cluster: &'a mut Cluster,
    /// The clients.
    pub workload: &'a Workload,
    /// The clock.
    pub timeline: Timeline,
    /// Draws the faults.
    pub rng: Rng,
    /// The faults.
    pub faults: &'a mut Faults,
    /// The longest time from the end of a round's faults to the next acknowledged writes, small and of 1 MiB.
    pub slowest: Duration,
    /// What the operator left out.
    pub without: Vec<Fault>,
}

impl Rounds<'_> {
    /// One fault of each kind, then random ones until the time is over.
    ///
    /// # Errors
    ///
    /// What the server did wrong.
    pub fn run(&mut self, time: Duration) -> Outcome {
        let begin = Instant::now();
        self.recover("the cluster to begin")?;
        for fault in ALL {
            self.round(&[fault])?;
        }
        self.workload.shared.check(None)?;
        let (mut checked, mut erased) = (Instant::now(), Instant::now());
        while begin.elapsed() < time {
            let mut faults: Vec<Fault> =
                (0..self.rng.range(1, 4)).map(|_| self.random_fault()).collect();
            if erased.elapsed() > erase::MIN_INTERVAL && self.rng.chance(1, 6) {
                faults = vec![Fault::Erase];
                erased = Instant::now();
            }
            self.round(&faults)?;
            if checked.elapsed() > CHECK_INTERVAL {
                self.workload.shared.check(None)?;
                checked = Instant::now();
            }
        }
        Ok(())
    }

    fn random_fault(&mut self) -> Fault {
        let faults: Vec<Fault> = ALL.into_iter().filter(|&fault| fault != Fault::Erase).collect();
        pick(&faults, &mut self.rng)
    }

    /// Some faults at a time, their end, and the recovery.
    fn round(&mut self, faults: &[Fault]) -> Outcome {
        for &fault in faults {
            if self.without.contains(&fault) {
                continue;
            }
            if fault == Fault::Erase {
                let slot = self.rng.below(self.cluster.nodes.len() as u64);
                let slot = usize::try_from(slot).unwrap_or(0);
                erase::replace_erased(self.cluster, slot, self.timeline)?;
                self.faults.count(fault);
            } else {
                self.faults.inject(self.cluster, fault, &mut self.rng)?;
                self.wait(0, 400)?;
            }
        }
        self.faults.await_full_disks(self.cluster)?;
        self.wait(200, 2_500)?;
        self.faults.undo(self.cluster, &mut self.rng)?;
        self.recover("writes to go on after all faults ended")
    }

    fn wait(&mut self, low_ms: u64, high_ms: u64) -> Outcome {
        self.cluster.wait(Duration::from_millis(self.rng.range(low_ms, high_ms)))
    }

    /// Waits until writes of both sizes that were sent from now on are acknowledged, and all nodes say which cluster they are in.
    fn recover(&mut self, what: &str) -> Outcome {
        let (begin, now) = (Instant::now(), self.timeline.now());
        let newest = &self.workload.shared.counts.newest;
        self.cluster
            .until(what, |_| newest.iter().all(|at| at.load(SeqCst) > now).then_some(()))?;
        self.slowest = self.slowest.max(begin.elapsed());
        check_one_cluster(self.cluster)
    }
}

/// Every node says that it belongs to the same cluster.
///
/// # Errors
///
/// When one does not, or does not answer for long.
pub fn check_one_cluster(cluster: &mut Cluster) -> Outcome {
    let infos = cluster.until("every node to answer", |cluster| {
        cluster.infos().into_iter().collect::<Option<Vec<_>>>()
    })?;
    let nodes = cluster.nodes.iter().map(|node| node.id);
    let identities = infos.iter().map(|info| info.text("cluster").to_owned());
    let identities: Vec<(u64, String)> = nodes.zip(identities).collect();
    check::check_one_cluster(&identities)
        .map_err(|violation| Failure::server(format!("{violation}{}", cluster.describe())))
}
