//! What the nemesis does to a cluster, and how it is undone.

use core::time::Duration;
use std::collections::BTreeMap;
use std::thread::sleep;

use quorate_core::Rng;

use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::timeline::Timeline;

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// `kill -9` of a process, and its restart.
    Kill,
    /// A process that gets no time for a while.
    Pause,
    /// What one node sends to another does not arrive.
    OneWayCut,
    /// Two nodes do not hear each other.
    Cut,
    /// A node neither hears the others nor is heard.
    Isolate,
    /// A slow link.
    Delay,
    /// Connections that break.
    Reset,
    /// No room on a disk.
    FullDisk,
    /// Leadership is transferred by the operator.
    Transfer,
    /// A disk that is erased: the node is refused under its old id, removed, and added under a new one.
    Erase,
}

/// Every fault, in the order in which a run begins with one of each.
pub const ALL: [Fault; 10] = [
    Fault::Kill,
    Fault::OneWayCut,
    Fault::Pause,
    Fault::Erase,
    Fault::Isolate,
    Fault::FullDisk,
    Fault::Cut,
    Fault::Delay,
    Fault::Reset,
    Fault::Transfer,
];

impl Fault {
    /// Its name in tables and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::OneWayCut => "one-way-cut",
            Self::Cut => "two-way-cut",
            Self::Isolate => "isolation",
            Self::Delay => "delay",
            Self::Reset => "reset",
            Self::FullDisk => "full-disk",
            Self::Transfer => "leadership-transfer",
            Self::Erase => "erased-disk",
        }
    }
}

/// How a fault ends.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Undo {
    Start(usize),
    Resume(usize),
    Heal(Vec<(u64, u64)>),
    Free(usize),
}

/// The faults there are at the moment, and how often each occurred.
#[derive(Debug)]
pub struct Faults {
    /// How often each kind occurred.
    pub counts: BTreeMap<Fault, u64>,
    timeline: Timeline,
    undo: Vec<Undo>,
    /// Slots whose process or disk has a fault already.
    faulty_slots: Vec<usize>,
}

impl Faults {
    /// None yet.
    #[must_use]
    pub fn new(timeline: Timeline) -> Self {
        Self { counts: BTreeMap::new(), timeline, undo: Vec::new(), faulty_slots: Vec::new() }
    }

    /// Injects a fault, but for [`Fault::Erase`], which needs a cluster without others.
    ///
    /// # Errors
    ///
    /// When this machine does not let it, or a node ended by itself.
    pub fn inject(&mut self, cluster: &mut Cluster, fault: Fault, rng: &mut Rng) -> Outcome {
        let leader = cluster.leader();
        let Some(mut slot) = self.victim(cluster, leader, rng) else { return Ok(()) };
        if fault == Fault::Transfer && leader == Some(slot) {
            // it does not take over from itself
            slot = (slot + 1) % cluster.nodes.len();
        }
        let id = cluster.nodes[slot].id;
        let role = if leader == Some(slot) { ", the leader" } else { "" };
        let log = |what: &str| self.timeline.log(&format!("{what} node {id}{role}"));
        match fault {
            Fault::Kill => {
                log("kill");
                cluster.nodes[slot].kill()?;
                self.faulty_slots.push(slot);
                self.undo.push(Undo::Start(slot));
            }
            Fault::Pause => {
                let time = Duration::from_millis(rng.range(100, 6_000));
                log(&format!("for {time:?}, pause"));
                cluster.nodes[slot].pause(time)?;
                self.faulty_slots.push(slot);
                self.undo.push(Undo::Resume(slot));
            }
            Fault::FullDisk => {
                let Some(disk) = cluster.disks.get(slot) else { return Ok(()) };
                log("fill the disk of");
                disk.fill().map_err(Failure::io("filling a disk"))?;
                self.faulty_slots.push(slot);
                self.undo.push(Undo::Free(slot));
                // counted when the node has noticed
                return Ok(());
            }
            Fault::Transfer => {
                log("transfer leadership to");
                let answer = leader.map(|leader| cluster.transfer(leader, id));
                if !answer.unwrap_or_default() {
                    self.timeline.log("the transfer was refused");
                    return Ok(());
                }
            }
            _ => self.disturb_links(cluster, fault, slot, rng),
        }
        self.count(fault);
        Ok(())
    }

    /// Disturbs links of a node.
    fn disturb_links(&mut self, cluster: &Cluster, fault: Fault, slot: usize, rng: &mut Rng) {
        let id = cluster.nodes[slot].id;
        let others: Vec<u64> = cluster.nodes.iter().map(|n| n.id).filter(|&o| o != id).collect();
        let other = pick(&others, rng);
        let both = |other| [(id, other), (other, id)];
        let (network, timeline) = (&cluster.network, self.timeline);
        let directions: Vec<(u64, u64)> = match fault {
            Fault::OneWayCut => vec![both(other)[usize::from(rng.chance(1, 2))]],
            Fault::Isolate => others.iter().copied().flat_map(both).collect(),
            _ => both(other).to_vec(),
        };
        match fault {
            Fault::Reset => {
                timeline.log(&format!("reset the connections of node {id}"));
                others.iter().for_each(|&other| network.reset(id, other));
                return;
            }
            Fault::Delay => {
                let delay = Duration::from_millis(rng.range(5, 150));
                timeline.log(&format!("delay {id} <-> {other} by {delay:?}"));
                directions.iter().for_each(|&(from, to)| network.delay(from, to, delay));
            }
            _ => {
                match fault {
                    Fault::OneWayCut => {
                        timeline.log(&format!("cut {} -> {}", directions[0].0, directions[0].1))
                    }
                    Fault::Cut => timeline.log(&format!("cut {id} <-> {other}")),
                    _ => timeline.log(&format!("isolate node {id}")),
                }
                directions.iter().for_each(|&(from, to)| network.cut(from, to, true));
            }
        }
        self.undo.push(Undo::Heal(directions));
    }

    /// Ends all faults, in an order that is drawn.
    ///
    /// # Errors
    ///
    /// When this machine does not let it, or a node ended by itself.
    pub fn undo(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Outcome {
        while !self.undo.is_empty() {
            let at = usize::try_from(rng.below(self.undo.len() as u64)).unwrap_or(0);
            match self.undo.swap_remove(at) {
                Undo::Start(slot) => {
                    self.timeline.log(&format!("start node {}", cluster.nodes[slot].id));
                    cluster.nodes[slot].start()?;
                }
                Undo::Resume(slot) => {
                    cluster.nodes[slot].wait_for_resume()?;
                    self.timeline.log(&format!("node {} goes on", cluster.nodes[slot].id));
                }
                Undo::Heal(directions) => {
                    self.timeline.log("heal the links");
                    for (from, to) in directions {
                        cluster.network.cut(from, to, false);
                        cluster.network.delay(from, to, Duration::ZERO);
                    }
                }
                Undo::Free(slot) => {
                    self.timeline.log(&format!("free the disk of node {}", cluster.nodes[slot].id));
                    let freed = cluster.disks.get(slot).map_or(Ok(()), |disk| disk.free());
                    freed.map_err(Failure::io("freeing a disk"))?;
                }
            }
            sleep(Duration::from_millis(rng.range(0, 200)));
        }
        self.faulty_slots.clear();
        cluster.check()
    }

    /// Waits a while until nodes whose disks are full say so: before that the fault has not occurred.
    ///
    /// # Errors
    ///
    /// When a node ended by itself.
    pub fn await_full_disks(&mut self, cluster: &mut Cluster) -> Outcome {
        /// It takes writes until what the log has reserved is used up.
        const POLLS: u32 = 300;
        let slots: Vec<usize> = self.undo.iter().filter_map(free).collect();
        for slot in slots {
            for _ in 0..POLLS {
                let full =
                    cluster.nodes[slot].info().is_some_and(|info| info.text("disk") == "full");
                if full {
                    self.timeline.log(&format!("node {} says: disk full", cluster.nodes[slot].id));
                    self.count(Fault::FullDisk);
                    break;
                }
                cluster.wait(Duration::from_millis(50))?;
            }
        }
        Ok(())
    }

    /// Counts a fault that occurred.
    pub fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }

    /// A slot without a fault: the leader's every other time.
    fn victim(&self, cluster: &Cluster, leader: Option<usize>, rng: &mut Rng) -> Option<usize> {
        let free = |slot: &usize| !self.faulty_slots.contains(slot);
        match leader.filter(free) {
            Some(leader) if rng.chance(1, 2) => Some(leader),
            _ => {
                let slots: Vec<usize> = (0..cluster.nodes.len()).filter(free).collect();
                (!slots.is_empty()).then(|| pick(&slots, rng))
            }
        }
    }
}

fn free(undo: &Undo) -> Option<usize> {
    match undo {
        Undo::Free(slot) => Some(*slot),
        _ => None,
    }
}

/// One of some things.
pub fn pick<T: Copy>(things: &[T], rng: &mut Rng) -> T {
    things[usize::try_from(rng.below(things.len() as u64)).unwrap_or(0)]
}
