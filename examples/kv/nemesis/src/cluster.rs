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
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of a node's disk while it is not full.
const DISK: u64 = 2 << 30;

/// The nodes' ids and ports for clients, which clients share.
pub type Endpoints = Arc<Mutex<Vec<(u64, u16)>>>;

/// Nodes, each in a place that has a directory and, where this machine lets it, a file system of its own.
#[derive(Debug)]
pub struct Cluster {
    /// One for each place.
    pub nodes: Vec<Node>,
    /// One for each place; none if there are no small disks.
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
        for place in 0..size {
            let data = cluster.program.scratch.join(format!("disk-{}", place + 1));
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
            node.set_how("--peers", peers.join(","));
            node.start()?;
        }
        cluster.tell_clients();
        Ok(cluster)
    }

    /// Whether the node in a place is told of any other that is still there. One that joined is told of those that there are now.
    pub fn finds_others(&mut self, place: usize) -> bool {
        if !self.nodes[place].is_founder() {
            let list = self.clients(Some(place));
            self.nodes[place].set_how("--join", list);
            return true;
        }
        let mut others = self.nodes.iter().enumerate().filter(|(other, _)| *other != place);
        others.any(|(_, node)| node.is_founder())
    }

    /// A new node in a place, with the next id, which is to join the others.
    ///
    /// # Errors
    ///
    /// When this machine lacks what it takes.
    pub fn replace(&mut self, place: usize) -> Outcome {
        let mut node = self.make(&self.nodes[place].data.clone())?;
        node.set_how("--join", self.clients(Some(place)));
        self.nodes[place] = node;
        self.tell_clients();
        Ok(())
    }

    fn make(&mut self, data: &Path) -> Outcome<Node> {
        let mut node = Node::new(self.next_id, data, &self.program)?;
        self.next_id += 1;
        let proxy = self.network.front(node.id, node.peer_port());
        node.proxy = proxy.map_err(Failure::io("listening"))?;
        Ok(node)
    }

    fn tell_clients(&self) {
        let ports = self.nodes.iter().map(|node| (node.id, node.client_port())).collect();
        *self.endpoints.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }

    /// Where clients reach the nodes, but for one place.
    #[must_use]
    pub fn clients(&self, without: Option<usize>) -> String {
        let nodes = self.nodes.iter().enumerate().filter(|(place, _)| Some(*place) != without);
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
    pub fn ctl(&mut self, without: usize, words: &[&str], done: &str) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = Command::new(&self.program.path)
                .args(["ctl", "--nodes", &self.clients(Some(without))])
                .args(words)
                .output()
                .map_err(Failure::io("quorate-kv ctl"))?;
            let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            if output.status.success() || (!done.is_empty() && complaint.contains(done)) {
                return Ok(());
            }
            self.check()?;
            if Instant::now() > deadline {
                let words = words.join(" ");
                return Err(Failure::server(format!(
                    "`ctl {words}` does not work within {PATIENCE:?}: {complaint}"
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
    /// When it does not within [`PATIENCE`], or a node ended by itself.
    pub fn until<T>(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&mut Self) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = condition(self) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return Err(Failure::server(format!(
                    "waited {PATIENCE:?} for {what}{}",
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

    /// The place of the leader, as far as it is known.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let infos = self.infos();
        let leads = infos.iter().enumerate().filter_map(|(place, info)| {
            let info = info.as_ref().filter(|info| info.text("role") == "leader")?;
            Some((info.number("term"), place))
        });
        leads.max().map(|(_, place)| place)
    }

    /// A line for each node, for whoever looks into a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (node, info) in self.nodes.iter().zip(self.infos()) {
            let fields =
                ["role", "term", "leader", "commit", "applied", "standing", "disk", "cluster"];
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
    pub fn keep(&mut self) -> Vec<PathBuf> {
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
