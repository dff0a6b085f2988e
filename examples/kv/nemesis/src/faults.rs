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
    /// Places whose process or disk has a fault already.
    taken: Vec<usize>,
}

impl Faults {
    /// None yet.
    #[must_use]
    pub fn new(timeline: Timeline) -> Self {
        Self { counts: BTreeMap::new(), timeline, undo: Vec::new(), taken: Vec::new() }
    }

    /// Injects a fault, but for [`Fault::Erase`], which needs a cluster without others.
    ///
    /// # Errors
    ///
    /// When this machine does not let it, or a node ended by itself.
    pub fn inject(&mut self, cluster: &mut Cluster, fault: Fault, rng: &mut Rng) -> Outcome {
        let leader = cluster.leader();
        let Some(mut place) = self.victim(cluster, leader, rng) else { return Ok(()) };
        if fault == Fault::Transfer && leader == Some(place) {
            // it does not take over from itself
            place = (place + 1) % cluster.nodes.len();
        }
        let id = cluster.nodes[place].id;
        let role = if leader == Some(place) { ", the leader" } else { "" };
        let say = |what: &str| self.timeline.say(&format!("{what} node {id}{role}"));
        match fault {
            Fault::Kill => {
                say("kill");
                cluster.nodes[place].kill()?;
                self.taken.push(place);
                self.undo.push(Undo::Start(place));
            }
            Fault::Pause => {
                let time = Duration::from_millis(rng.range(100, 6_000));
                say(&format!("for {time:?}, pause"));
                cluster.nodes[place].pause(time)?;
                self.taken.push(place);
                self.undo.push(Undo::Resume(place));
            }
            Fault::FullDisk => {
                let Some(disk) = cluster.disks.get(place) else { return Ok(()) };
                say("fill the disk of");
                disk.fill().map_err(Failure::io("filling a disk"))?;
                self.taken.push(place);
                self.undo.push(Undo::Free(place));
                // counted when the node has noticed
                return Ok(());
            }
            Fault::Transfer => {
                say("transfer leadership to");
                let answer = leader.map(|leader| cluster.transfer(leader, id));
                if !answer.unwrap_or_default() {
                    self.timeline.say("the transfer was refused");
                    return Ok(());
                }
            }
            _ => self.disturb(cluster, fault, place, rng),
        }
        self.count(fault);
        Ok(())
    }

    /// Disturbs links of a node.
    fn disturb(&mut self, cluster: &Cluster, fault: Fault, place: usize, rng: &mut Rng) {
        let id = cluster.nodes[place].id;
        let others: Vec<u64> = cluster.nodes.iter().map(|n| n.id).filter(|&o| o != id).collect();
        let other = pick(&others, rng);
        let both = |other| [(id, other), (other, id)];
        let (network, timeline) = (&cluster.network, self.timeline);
        let ways: Vec<(u64, u64)> = match fault {
            Fault::OneWayCut => vec![both(other)[usize::from(rng.chance(1, 2))]],
            Fault::Isolate => others.iter().copied().flat_map(both).collect(),
            _ => both(other).to_vec(),
        };
        match fault {
            Fault::Reset => {
                timeline.say(&format!("reset the connections of node {id}"));
                others.iter().for_each(|&other| network.reset(id, other));
                return;
            }
            Fault::Delay => {
                let delay = Duration::from_millis(rng.range(5, 150));
                timeline.say(&format!("delay {id} <-> {other} by {delay:?}"));
                ways.iter().for_each(|&(from, to)| network.delay(from, to, delay));
            }
            _ => {
                match fault {
                    Fault::OneWayCut => {
                        timeline.say(&format!("cut {} -> {}", ways[0].0, ways[0].1))
                    }
                    Fault::Cut => timeline.say(&format!("cut {id} <-> {other}")),
                    _ => timeline.say(&format!("isolate node {id}")),
                }
                ways.iter().for_each(|&(from, to)| network.cut(from, to, true));
            }
        }
        self.undo.push(Undo::Heal(ways));
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
                Undo::Start(place) => {
                    self.timeline.say(&format!("start node {}", cluster.nodes[place].id));
                    cluster.nodes[place].start()?;
                }
                Undo::Resume(place) => {
                    cluster.nodes[place].resumed()?;
                    self.timeline.say(&format!("node {} goes on", cluster.nodes[place].id));
                }
                Undo::Heal(ways) => {
                    self.timeline.say("heal the links");
                    for (from, to) in ways {
                        cluster.network.cut(from, to, false);
                        cluster.network.delay(from, to, Duration::ZERO);
                    }
                }
                Undo::Free(place) => {
                    self.timeline
                        .say(&format!("free the disk of node {}", cluster.nodes[place].id));
                    let freed = cluster.disks.get(place).map_or(Ok(()), |disk| disk.free());
                    freed.map_err(Failure::io("freeing a disk"))?;
                }
            }
            sleep(Duration::from_millis(rng.range(0, 200)));
        }
        self.taken.clear();
        cluster.check()
    }

    /// Waits a while until nodes whose disks are full say so: before that the fault has not occurred.
    ///
    /// # Errors
    ///
    /// When a node ended by itself.
    pub fn await_full_disks(&mut self, cluster: &mut Cluster) -> Outcome {
        /// It takes writes until what the log has set aside is used up.
        const LOOKS: u32 = 300;
        let places: Vec<usize> = self.undo.iter().filter_map(free).collect();
        for place in places {
            for _ in 0..LOOKS {
                let full =
                    cluster.nodes[place].info().is_some_and(|info| info.text("disk") == "full");
                if full {
                    self.timeline.say(&format!("node {} says: disk full", cluster.nodes[place].id));
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

    /// A place without a fault: the leader's every other time.
    fn victim(&self, cluster: &Cluster, leader: Option<usize>, rng: &mut Rng) -> Option<usize> {
        let free = |place: &usize| !self.taken.contains(place);
        match leader.filter(free) {
            Some(leader) if rng.chance(1, 2) => Some(leader),
            _ => {
                let places: Vec<usize> = (0..cluster.nodes.len()).filter(free).collect();
                (!places.is_empty()).then(|| pick(&places, rng))
            }
        }
    }
}

fn free(undo: &Undo) -> Option<usize> {
    match undo {
        Undo::Free(place) => Some(*place),
        _ => None,
    }
}

/// One of some things.
pub fn pick<T: Copy>(things: &[T], rng: &mut Rng) -> T {
    things[usize::try_from(rng.below(things.len() as u64)).unwrap_or(0)]
}
