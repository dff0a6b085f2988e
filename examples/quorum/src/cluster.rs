use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quorate_core::NodeId;
use quorate_ring::quorum::{Failure, Layout as _, ReadOptions, WriteOptions};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::app::{Ask, Done, View};
use crate::command::{Condition, Get, Put};
use crate::members::{Layout, MAX_NODES, Members};
use crate::node::{Birth, Running};
use crate::value::Stored;

/// Requests that come at a bad moment (the layout changes, the clock was behind) are made again for so long.
const AGAIN: Duration = Duration::from_secs(10);
/// A request that is not answered by then never is: far longer than the machine takes to give it up.
const LOST: Duration = Duration::from_secs(120);

/// Why something cannot be done, in a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem(pub String);

impl Problem {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is written. A later value was there already if it is superseded.
    Written {
        /// The node that was asked.
        at: u64,
        /// It had no effect.
        superseded: bool,
    },
    /// What the key has; `None` if it is not there.
    Found(Option<Vec<u8>>),
}

/// The nodes, their disks, and what their operator knows of them.
pub struct Cluster<V: Stored> {
    runtime: Runtime,
    dir: TempDir,
    id: u64,
    members: Members,
    layout: Layout,
    nodes: BTreeMap<u64, Place<V>>,
    /// Keys that were written through this program.
    keys: BTreeSet<String>,
    /// Nodes that will not come back.
    lost: BTreeSet<u64>,
}

/// The nodes of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    /// Its replicas; the first is its owner.
    pub replicas: Vec<u64>,
    /// Those that take writes for replicas that are down.
    pub stand_ins: Vec<u64>,
    /// While nodes join or leave: the replicas that it will have.
    pub next: Option<Vec<u64>>,
}

impl Places {
    /// Whether it moves to a node that is no replica of it, and which replicas it will have.
    #[must_use]
    pub fn moves_to(&self) -> Option<&[u64]> {
        let next = self.next.as_ref()?;
        next.iter().any(|id| !self.replicas.contains(id)).then_some(next)
    }
}

/// A node that is running or not.
struct Place<V: Stored> {
    running: Option<Running<V>>,
    starts: u32,
}

impl<V: Stored> Cluster<V> {
    /// Starts nodes 1 to `count`, with `replicas` replicas of each key. Their disks are in a temporary directory, which goes with this.
    ///
    /// # Errors
    ///
    /// What does not fit, or what the system refuses.
    pub fn start(count: u64, replicas: usize) -> Result<Self, Problem> {
        let runtime = Builder::new_current_thread().build().map_err(Problem::new)?;
        let dir = tempfile::Builder::new().prefix("quorate-quorum-").tempdir();
        let dir = dir.map_err(|e| Problem(format!("there is no place for the disks: {e}")))?;
        let members = Members::new(count, replicas).map_err(Problem::new)?;
        let layout = members.layout().map_err(Problem::new)?;
        let id = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::new)?.as_nanos();
        let id = u64::try_from(id).unwrap_or(1);
        let (nodes, keys, lost) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut cluster = Self { runtime, dir, id, members, layout, nodes, keys, lost };
        for id in 1..=count {
            cluster.bring_up(id, true)?;
        }
        Ok(cluster)
    }

    /// Ends a node: what it had in memory is gone, its disk stays.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn kill(&mut self, id: u64) -> Result<(), Problem> {
        let running = self.nodes.get_mut(&id).and_then(|place| place.running.take());
        let running = running.ok_or_else(|| Problem(format!("node {id} does not run")))?;
        self.runtime
            .block_on(running.stop())
            .map_err(|error| Problem(format!("node {id} had stopped before: {error}")))
    }

    /// Starts a node with what is on its disk.
    ///
    /// # Errors
    ///
    /// It runs, or there was never such a node, or it cannot start.
    pub fn revive(&mut self, id: u64) -> Result<(), Problem> {
        match self.nodes.get(&id) {
            None => Err(Problem(format!("there is no node {id} yet: join {id} makes one"))),
            Some(place) if place.running.is_some() => {
                Err(Problem(format!("node {id} runs already")))
            }
            Some(_) => {
                self.lost.remove(&id);
                self.tell_all(|| Ask::GiveUp(NodeId::new(id), false));
                self.bring_up(id, false)
            }
        }
    }

    /// A node that does not run will not come back: nothing waits for it, so that it can leave.
    ///
    /// # Errors
    ///
    /// It runs, or there was never such a node.
    pub fn give_up(&mut self, id: u64) -> Result<(), Problem> {
        match self.nodes.get(&id) {
            None => return Err(Problem(format!("there is no node {id}"))),
            Some(place) if place.running.is_some() => {
                return Err(Problem(format!("node {id} runs: kill {id} ends it")));
            }
            Some(_) => {}
        }
        self.lost.insert(id);
        self.tell_all(|| Ask::GiveUp(NodeId::new(id), true));
        Ok(())
    }

    fn tell_all(&self, what: impl Fn() -> Ask<V>) {
        for node in self.nodes.values().filter_map(|place| place.running.as_ref()) {
            node.ask(what());
        }
    }

    /// Ends a node, and erases its disk.
    ///
    /// # Errors
    ///
    /// There was never such a node, or the system refuses.
    pub fn erase(&mut self, id: u64) -> Result<(), Problem> {
        let place = self.nodes.get(&id);
        let place = place.ok_or_else(|| Problem(format!("there is no node {id}")))?;
        if place.running.is_some() {
            self.kill(id)?;
        }
        let dir = self.disk(id);
        std::fs::remove_dir_all(&dir)
            .map_err(|error| Problem(format!("{}: {error}", dir.display())))
    }

    /// A node is to hold keys; it is started if it does not run. [`tick`](Self::tick) completes that.
    ///
    /// # Errors
    ///
    /// It is a member, or another change is under way.
    pub fn join(&mut self, id: u64) -> Result<(), Problem> {
        self.check_still()?;
        if !(1..=MAX_NODES).contains(&id) {
            return Err(Problem(format!("a node is 1 to {MAX_NODES}")));
        }
        self.members.join(NodeId::new(id)).map_err(Problem::new)?;
        self.publish()?;
        if self.nodes.get(&id).is_none_or(|place| place.running.is_none()) {
            self.bring_up(id, false)?;
        }
        Ok(())
    }

    /// A node is to hold keys no longer; it goes on running. [`tick`](Self::tick) completes that.
    ///
    /// # Errors
    ///
    /// It is no member, or too few would be left, or another change is under way.
    pub fn leave(&mut self, id: u64) -> Result<(), Problem> {
        self.check_still()?;
        let (count, replicas) = (self.members.count(), self.members.replicas());
        if self.members.state(NodeId::new(id)) != "member" {
            return Err(Problem(format!("node {id} is not a member")));
        }
        if count <= replicas {
            return Err(Problem(format!(
                "node {id} cannot leave: {count} members are left, and each key is on {replicas}"
            )));
        }
        self.members.leave(NodeId::new(id)).map_err(Problem::new)?;
        self.publish()
    }

    /// Takes the second step of a change of the members, once every node has what it is to hold. True if it did.
    ///
    /// # Errors
    ///
    /// The members do not fit together.
    pub fn tick(&mut self) -> Result<bool, Problem> {
        if !self.members.is_moving() || self.unsynchronized().is_some() {
            return Ok(false);
        }
        self.members.complete().map_err(Problem::new)?;
        self.publish()?;
        Ok(true)
    }

    /// Writes a key, or deletes it.
    ///
    /// # Errors
    ///
    /// Why it is not known to be written.
    pub fn put(&mut self, put: &Put) -> Result<Answer, Problem> {
        self.keys.insert(put.key.clone());
        let options = WriteOptions {
            level: put.level,
            primaries: put.primaries,
            sloppy: put.sloppy,
            order: V::ORDER,
        };
        let data = put.value.as_ref().map(|value| value.clone().into_bytes());
        let ask = |reply| Ask::Write(put.key.clone().into_bytes(), data.clone(), options, reply);
        self.request(put.at, ask)
    }

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn get(&mut self, get: &Get) -> Result<Answer, Problem> {
        let options = ReadOptions {
            level: get.level,
            primaries: get.primaries,
            sloppy: get.sloppy,
            repair: get.repair.unwrap_or(V::REPAIR),
        };
        self.request(get.at, |reply| Ask::Read(get.key.clone().into_bytes(), options, reply))
    }

    /// Whether something is so.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn check(&self, condition: &Condition) -> Result<(), Problem> {
        match condition {
            Condition::Noticed => self.check_noticed(),
            Condition::Handed => self.check_all(|id, view| match view.status.hints {
                0 => Ok(()),
                hints => Err(format!("node {id} keeps {hints} for others")),
            }),
            Condition::Moved if self.members.is_moving() => {
                Err(Problem(self.unsynchronized().unwrap_or_else(|| "it is about to end".into())))
            }
            Condition::Moved => Ok(()),
            Condition::Rebuilt => self.check_all(|id, view| {
                let is_member = self.members.state(NodeId::new(id)) == "member";
                if view.status.founded || !is_member {
                    Ok(())
                } else {
                    Err(format!("node {id} does not know yet what it held"))
                }
            }),
            Condition::Copies(key) => self.check_copies(key),
        }
    }

    /// The nodes there ever were.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    /// What is to be seen of a node; `None` if it does not run.
    #[must_use]
    pub fn view(&self, id: u64, keys: &[String]) -> Option<View<V>> {
        let keys = keys.iter().map(|key| key.clone().into_bytes()).collect();
        self.nodes.get(&id)?.running.as_ref()?.look(keys)
    }

    /// Whether it is a member, in a word.
    #[must_use]
    pub fn membership(&self, id: u64) -> &'static str {
        self.members.state(NodeId::new(id))
    }

    /// Keys that were written.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.keys.iter().cloned().collect()
    }

    /// Where a key lives.
    #[must_use]
    pub fn places(&self, key: &str) -> Places {
        let token = self.layout.token(key.as_bytes());
        let list = self.layout.replicas(token);
        let next = self.layout.next_replicas(token).map(|next| numbers(next.replicas()));
        let replicas = numbers(list.replicas());
        Places { replicas, stand_ins: numbers(list.fallbacks()), next }
    }

    fn bring_up(&mut self, id: u64, founds: bool) -> Result<(), Problem> {
        let running = |(id, place): (&u64, &Place<V>)| {
            Some((NodeId::new(*id), place.running.as_ref()?.address().to_owned()))
        };
        let peers = self.nodes.iter().filter(|(peer, _)| **peer != id).filter_map(running);
        let starts = self.nodes.get(&id).map_or(0, |place| place.starts) + 1;
        let birth = Birth {
            id: NodeId::new(id),
            cluster: self.id,
            starts,
            founds,
            layout: self.layout.clone(),
            peers: peers.collect(),
            others: self
                .nodes
                .keys()
                .filter(|peer| **peer != id)
                .map(|id| NodeId::new(*id))
                .collect(),
            dir: &self.disk(id),
        };
        let node = Running::start(birth);
        let node = node.map_err(|error| Problem(format!("node {id} cannot start: {error}")))?;
        self.tell_all(|| Ask::Reach(NodeId::new(id), node.address().to_owned()));
        for lost in &self.lost {
            node.ask(Ask::GiveUp(NodeId::new(*lost), true));
        }
        self.nodes.insert(id, Place { running: Some(node), starts });
        Ok(())
    }

    fn disk(&self, id: u64) -> std::path::PathBuf {
        self.dir.path().join(format!("node-{id}"))
    }

    fn check_still(&self) -> Result<(), Problem> {
        if self.members.is_moving() {
            return Err(Problem("another node is joining or leaving: wait for that".into()));
        }
        Ok(())
    }

    /// All nodes go by the members as they are now; one that is down learns of them when it starts.
    fn publish(&mut self) -> Result<(), Problem> {
        self.layout = self.members.layout().map_err(Problem::new)?;
        self.tell_all(|| Ask::Follow(Box::new(self.layout.clone())));
        Ok(())
    }

    /// What the second step of a change still waits for.
    fn unsynchronized(&self) -> Option<String> {
        for id in self.members.involved().into_iter().filter(|id| !self.lost.contains(&id.get())) {
            let Some(view) = self.view(id.get(), &[]) else {
                return Some(format!(
                    "node {id} is down, and has to take part: start {id}, or lost {id} if it will not come back"
                ));
            };
            if view.status.version != self.layout.version() || !view.status.synchronized {
                return Some(format!("node {id} still moves keys"));
            }
        }
        None
    }

    /// Asks a node, again if the moment was a bad one.
    fn request(
        &self,
        at: Option<u64>,
        ask: impl Fn(std::sync::mpsc::Sender<Done<V>>) -> Ask<V>,
    ) -> Result<Answer, Problem> {
        let began = Instant::now();
        loop {
            let (at, reply) = self.begin(at, &ask)?;
            let done = reply.recv_timeout(LOST);
            let done =
                done.map_err(|_| Problem(format!("node {at} stopped before it answered")))?;
            match done {
                Done::Written { superseded } => return Ok(Answer::Written { at, superseded }),
                Done::Found(value) => {
                    let data = value.as_ref().and_then(V::data);
                    return Ok(Answer::Found(data.map(<[u8]>::to_vec)));
                }
                Done::Failed(
                    Failure::Stale { .. } | Failure::Purged { .. } | Failure::Behind { .. },
                ) if began.elapsed() < AGAIN => {
                    sleep(Duration::from_millis(20));
                }
                Done::Failed(failure) => return Err(Problem::new(failure)),
                Done::NotBegun(error) => return Err(Problem::new(error)),
                Done::NoTime(why) => return Err(Problem(why)),
            }
        }
    }

    fn begin(
        &self,
        at: Option<u64>,
        ask: impl Fn(std::sync::mpsc::Sender<Done<V>>) -> Ask<V>,
    ) -> Result<(u64, Receiver<Done<V>>), Problem> {
        let up = |id: &u64| self.nodes.get(id)?.running.as_ref().map(|node| (*id, node));
        let (at, node) = match at {
            Some(at) => up(&at).ok_or_else(|| Problem(format!("node {at} does not run")))?,
            None => {
                let first = self.nodes.keys().find_map(up);
                first.ok_or_else(|| Problem("no node runs".into()))?
            }
        };
        let (reply, done) = channel();
        if node.ask(ask(reply)) {
            Ok((at, done))
        } else {
            Err(Problem(format!("node {at} has stopped, or is too busy")))
        }
    }

    fn check_all(
        &self,
        is_fine: impl Fn(u64, &View<V>) -> Result<(), String>,
    ) -> Result<(), Problem> {
        for id in self.ids() {
            if let Some(view) = self.view(id, &[]) {
                is_fine(id, &view).map_err(Problem)?;
            }
        }
        Ok(())
    }

    fn check_noticed(&self) -> Result<(), Problem> {
        let is_up = |id: u64| self.nodes.get(&id).is_some_and(|place| place.running.is_some());
        self.check_all(|id, view| {
            for other in self.ids().into_iter().filter(|other| *other != id) {
                let suspects = view.suspected.contains(&NodeId::new(other));
                let of_interest = !is_up(other) && self.membership(other) == "-";
                if suspects == is_up(other) && !of_interest {
                    let takes = if suspects { "is down" } else { "is up" };
                    return Err(format!("node {id} thinks that node {other} {takes}"));
                }
            }
            Ok(())
        })
    }

    fn check_copies(&self, key: &str) -> Result<(), Problem> {
        let Places { replicas, next, .. } = self.places(key);
        if next.is_some() {
            return Err(Problem("nodes are joining or leaving".into()));
        }
        let mut copy = None;
        for id in self.ids() {
            let held =
                self.view(id, &[key.to_owned()]).and_then(|view| view.held.into_iter().next());
            let held = held.flatten();
            if !replicas.contains(&id) {
                if held.is_some() {
                    return Err(Problem(format!("node {id} has {key}, and is no replica of it")));
                }
                continue;
            }
            let held = held.ok_or_else(|| Problem(format!("node {id} does not have {key}")))?;
            if *copy.get_or_insert_with(|| held.clone()) != held {
                return Err(Problem(format!("node {id} has another {key} than others")));
            }
        }
        Ok(())
    }
}

fn numbers(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.get()).collect()
}

impl<V: Stored> Drop for Cluster<V> {
    /// All nodes end before their disks go.
    fn drop(&mut self) {
        for place in self.nodes.values_mut() {
            if let Some(running) = place.running.take() {
                let _ = self.runtime.block_on(running.stop()); // it ends either way
            }
        }
    }
}
