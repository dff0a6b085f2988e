//! The nodes, their disks, and where clients reach them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Client, Info, Reply};
use crate::disk::Disk;
use crate::failure::{Failure, Outcome};
use crate::network::Network;
use crate::node::{Node, Program};

/// Whatever must come about has this long. A machine may be slow; nothing waits so long when all is well.
pub const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of a node's disk while it is not full.
const DISK: u64 = 2 << 30;

/// The nodes' ids and ports for clients, which clients share.
pub type Endpoints = Arc<Mutex<Vec<(u64, u16)>>>;

/// Nodes, each in a slot that has a directory and, where this machine lets it, a file system of its
/// own.
#[derive(Debug)]
pub struct Cluster {
    /// One for each slot.
    pub nodes: Vec<Node>,
    /// One for each slot; none if there are no small disks.
    pub disks: Vec<Disk>,
    /// The links.
    pub network: Network,
    /// Where clients reach the nodes.
    pub endpoints: Endpoints,
    program: Program,
    next_id: u64,
}

impl Cluster {
    /// Starts nodes that found a cluster.
    ///
    /// # Errors
    ///
    /// When this machine lacks what it takes.
    pub fn found(size: usize, program: Program, small_disks: bool) -> Outcome<Self> {
        let mut cluster = Self {
            nodes: Vec::new(),
            disks: Vec::new(),
            network: Network::default(),
            endpoints: Arc::default(),
            program,
            next_id: 1,
        };
        for slot in 0..size {
            let data = cluster.program.scratch.join(format!("disk-{}", slot + 1));
            fs::create_dir_all(&data).map_err(Failure::io(data.display()))?;
            if small_disks {
                let disk = Disk::mount(&data, DISK).map_err(Failure::io(
                    "a full disk takes a small file system, which this user may not mount; run as \
                     root, or do without that fault: --without full-disk",
                ))?;
                cluster.disks.push(disk);
            }
            let node = cluster.make(&data)?;
            cluster.nodes.push(node);
        }
        let peers: Vec<String> = cluster
            .nodes
            .iter()
            .map(|node| format!("{}=127.0.0.1:{}", node.id, node.proxy))
            .collect();
        for node in &mut cluster.nodes {
            node.set_bootstrap("--peers", peers.join(","));
            node.start()?;
        }
        cluster.publish_endpoints();
        Ok(cluster)
    }

    /// Whether the node in a slot is told of any other that is still there. One that joined is told
    /// of those that there are now.
    pub fn is_told_of_others(&mut self, slot: usize) -> bool {
        if !self.nodes[slot].is_founder() {
            let list = self.clients(Some(slot));
            self.nodes[slot].set_bootstrap("--join", list);
            return true;
        }
        let mut others = self.nodes.iter().enumerate().filter(|(other, _)| *other != slot);
        others.any(|(_, node)| node.is_founder())
    }

    /// A new node in a slot, with the next id, which is to join the others.
    ///
    /// # Errors
    ///
    /// When this machine lacks what it takes.
    pub fn replace(&mut self, slot: usize) -> Outcome {
        let mut node = self.make(&self.nodes[slot].data.clone())?;
        node.set_bootstrap("--join", self.clients(Some(slot)));
        self.nodes[slot] = node;
        self.publish_endpoints();
        Ok(())
    }

    fn make(&mut self, data: &Path) -> Outcome<Node> {
        let mut node = Node::new(self.next_id, data, &self.program)?;
        self.next_id += 1;
        let proxy = self.network.add_proxy(node.id, node.peer_port());
        node.proxy = proxy.map_err(Failure::io("listening"))?;
        Ok(node)
    }

    fn publish_endpoints(&self) {
        let ports = self.nodes.iter().map(|node| (node.id, node.client_port())).collect();
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }

    /// Where clients reach the nodes, but for one slot.
    #[must_use]
    pub fn clients(&self, without: Option<usize>) -> String {
        let nodes = self.nodes.iter().enumerate().filter(|(slot, _)| Some(*slot) != without);
        let ports: Vec<String> =
            nodes.map(|(_, node)| format!("127.0.0.1:{}", node.client_port())).collect();
        ports.join(",")
    }

    /// Asks the leader once to transfer its leadership; false if it refuses.
    #[must_use]
    pub fn transfer(&self, leader: usize, to: u64) -> bool {
        let port = self.nodes[leader].client_port();
        let to = to.to_string();
        let answer = Client::connect(port)
            .and_then(|mut client| client.call(&[b"QUORATE", b"TRANSFER", to.as_bytes()]));
        matches!(answer, Ok(Reply::Simple(_)))
    }

    /// `quorate-kv ctl …` until it has worked, or says what counts as done.
    ///
    /// # Errors
    ///
    /// When it does not work for long.
    pub fn ctl(&mut self, without: usize, words: &[&str], accepted_error: &str) -> Outcome {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let output = Command::new(&self.program.path)
                .args(["ctl", "--nodes", &self.clients(Some(without))])
                .args(words)
                .output()
                .map_err(Failure::io("quorate-kv ctl"))?;
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if output.status.success()
                || (!accepted_error.is_empty() && stderr.contains(accepted_error))
            {
                return Ok(());
            }
            self.check()?;
            if Instant::now() > deadline {
                let words = words.join(" ");
                return Err(Failure::server(format!(
                    "`ctl {words}` does not work within {TIMEOUT:?}: {stderr}"
                )));
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// No node ended by itself.
    ///
    /// # Errors
    ///
    /// When one did.
    pub fn check(&mut self) -> Outcome {
        self.nodes.iter_mut().try_for_each(Node::check)
    }

    /// Lets time pass, and watches the nodes.
    ///
    /// # Errors
    ///
    /// When one ended by itself.
    pub fn wait(&mut self, time: Duration) -> Outcome {
        let deadline = Instant::now() + time;
        loop {
            self.check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Waits until a condition gives something.
    ///
    /// # Errors
    ///
    /// When it does not within [`TIMEOUT`], or a node ended by itself.
    pub fn until<T>(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&mut Self) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(value) = condition(self) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return Err(Failure::server(format!(
                    "waited {TIMEOUT:?} for {what}{}",
                    self.describe()
                )));
            }
            self.wait(Duration::from_millis(50))?;
        }
    }

    /// What each node says of itself; `None` for one that does not answer.
    #[must_use]
    pub fn infos(&self) -> Vec<Option<Info>> {
        self.nodes.iter().map(|node| node.is_up().then(|| node.info()).flatten()).collect()
    }

    /// The slot of the leader, as far as it is known.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let infos = self.infos();
        let leads = infos.iter().enumerate().filter_map(|(slot, info)| {
            let info = info.as_ref().filter(|info| info.text("role") == "leader")?;
            Some((info.number("epoch"), slot))
        });
        leads.max().map(|(_, slot)| slot)
    }

    /// A line for each node, for whoever looks into a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (node, info) in self.nodes.iter().zip(self.infos()) {
            let fields =
                ["role", "epoch", "leader", "commit", "applied", "standing", "disk", "cluster"];
            let line = match info {
                Some(info) => fields.map(|name| format!("{name} {}", info.text(name))).join(", "),
                None => "does not answer".to_owned(),
            };
            text.push_str(&format!("\n  node {}: {line}", node.id));
        }
        text
    }

    /// Keeps what the disks hold beyond their end, for whoever looks into a failure.
    #[must_use]
    pub fn preserve_data(&mut self) -> Vec<PathBuf> {
        let mut kept = Vec::new();
        for node in &mut self.nodes {
            let _ = node.kill();
            let copy = self.program.scratch.join(format!("data-of-node-{}", node.id));
            let copied = Command::new("cp").arg("-r").arg(&node.data).arg(&copy).output();
            if copied.is_ok_and(|output| output.status.success()) {
                kept.push(copy);
            }
        }
        kept
    }
}
