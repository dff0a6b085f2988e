//! Nodes as processes, a small client, and a load that checks what it is told.
#![allow(unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod client;
pub mod load;

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use client::Client;
use quorate_nemesis::ports::Port;

/// Long enough for a slow machine with much else to do; nothing waits so long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How long nodes try before they give a command up, unless a test is about that.
const TIMEOUT_MS: &str = "30000";

/// A directory that goes when it is dropped; it stays where a test failed.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("quorate-kv-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the nodes left is in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Ports for nodes to listen at, reserved until this process ends: a node that is down keeps its own.
pub fn free_ports(count: u16) -> Vec<u16> {
    static HELD: Mutex<Vec<Port>> = Mutex::new(Vec::new());
    let mut held = HELD.lock().unwrap();
    let reserved = (0..count).map(|_| Port::reserve().unwrap());
    let first = held.len();
    held.extend(reserved);
    held[first..].iter().map(Port::number).collect()
}

/// What keeps the log of a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consensus {
    Raft,
    Paxos,
}

impl Consensus {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raft => "raft",
            Self::Paxos => "paxos",
        }
    }
}

/// Tests of functions that take the protocol: each is run on Raft and on Multi-Paxos.
macro_rules! on_each_protocol {
    ($($test:ident),+ $(,)?) => {
        mod raft {
            $(#[test] fn $test() { super::$test($crate::common::Consensus::Raft); })+
        }
        mod paxos {
            $(#[test] fn $test() { super::$test($crate::common::Consensus::Paxos); })+
        }
    };
}

/// Nodes on this machine, each a process with a directory of its own. Dropped, they are killed.
pub struct Cluster {
    pub dir: Dir,
    pub ports: Vec<u16>,
    peer_ports: Vec<u16>,
    pub consensus: Consensus,
    options: Vec<String>,
    children: Vec<Option<Child>>,
    /// As many founded it; the others join.
    founders: usize,
}

impl Cluster {
    /// Starts nodes, with more options for each, and waits until they have founded their cluster.
    pub fn start(name: &str, nodes: u16, options: &[&str]) -> Self {
        Self::start_on(Consensus::Raft, name, nodes, options)
    }

    /// As [`start`](Self::start), with this protocol.
    pub fn start_on(consensus: Consensus, name: &str, nodes: u16, options: &[&str]) -> Self {
        let mut cluster = Self::stopped_on(consensus, name, nodes, options);
        for index in 0..usize::from(nodes) {
            cluster.start_node(index);
        }
        for index in 0..usize::from(nodes) {
            drop(cluster.client(index));
        }
        cluster
    }

    pub fn stopped(name: &str, nodes: u16, options: &[&str]) -> Self {
        Self::stopped_on(Consensus::Raft, name, nodes, options)
    }

    pub fn stopped_on(consensus: Consensus, name: &str, nodes: u16, options: &[&str]) -> Self {
        Self {
            consensus,
            dir: Dir::new(name),
            ports: free_ports(nodes),
            peer_ports: free_ports(nodes),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            children: (0..nodes).map(|_| None).collect(),
            founders: usize::from(nodes),
        }
    }

    /// A place for one more node, which joins when it is started.
    pub fn add_node(&mut self) -> usize {
        self.ports.extend(free_ports(1));
        self.peer_ports.extend(free_ports(1));
        self.children.push(None);
        self.len() - 1
    }

    pub fn len(&self) -> usize {
        self.ports.len()
    }

    pub fn data(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("node-{}", index + 1))
    }

    /// The command that runs a node.
    pub fn command(&self, index: usize) -> Command {
        let founders = self.peer_ports[..self.founders].iter().enumerate();
        let peers: Vec<String> =
            founders.map(|(index, port)| format!("{}=127.0.0.1:{port}", index + 1)).collect();
        let how = match index < self.founders {
            true => ["--peers".to_owned(), peers.join(",")],
            false => ["--join".to_owned(), self.clients().join(",")],
        };
        self.command_with(index, how)
    }

    /// The command that runs a node which founds a cluster, or joins one, in another way.
    pub fn command_with(&self, index: usize, how: [String; 2]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
        command
            .args(["node", "--stop-with-stdin", "--id", &(index + 1).to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", self.ports[index])])
            .args(["--peer-listen", &format!("127.0.0.1:{}", self.peer_ports[index])])
            .args(how)
            .arg("--data")
            .arg(self.data(index))
            .args(["--consensus", self.consensus.name()])
            .args(&self.options);
        if !self.options.iter().any(|option| option == "--timeout-ms") {
            command.args(["--timeout-ms", TIMEOUT_MS]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    /// The command that runs a second process on a node's directory, at ports of its own.
    pub fn command_elsewhere(&self, index: usize) -> Command {
        let ports = free_ports(2);
        let id = index + 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
        command
            .args(["node", "--id", &id.to_string(), "--data"])
            .arg(self.data(index))
            .args(["--consensus", self.consensus.name()])
            .args(["--listen", &format!("127.0.0.1:{}", ports[0])])
            .args(["--peer-listen", &format!("127.0.0.1:{}", ports[1])])
            .args(["--peers", &format!("{id}=127.0.0.1:{}", ports[1])]);
        command
    }

    /// Where clients reach the nodes.
    fn clients(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Where other nodes reach one.
    pub fn peer_address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.peer_ports[index])
    }

    /// `quorate-kv ctl …`: its exit code, what it said, and what it complained of.
    pub fn ctl(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_quorate-kv"))
            .args(["ctl", "--nodes", &self.clients().join(",")])
            .args(words)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    pub fn log(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("node-{}.log", index + 1))
    }

    pub fn peer_port(&self, index: usize) -> u16 {
        self.peer_ports[index]
    }

    /// A node that is started from now on is reached by the others at another port.
    pub fn change_peer_port(&mut self, index: usize) {
        self.peer_ports[index] = free_ports(1)[0];
    }

    pub fn start_node(&mut self, index: usize) {
        self.start_command(index, self.command(index));
    }

    /// Starts a node by another command than its own.
    pub fn start_command(&mut self, index: usize, mut command: Command) {
        let log = fs::File::options().create(true).append(true).open(self.log(index)).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        self.children[index] = Some(child);
    }

    /// `kill -9`.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal by its name, such as `-STOP`.
    pub fn signal(&self, index: usize, name: &str) {
        let id = self.children[index].as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Sends the kill to all before waiting for any.
    pub fn kill_all(&mut self) {
        for child in self.children.iter_mut().flatten() {
            child.kill().unwrap();
        }
        for index in 0..self.len() {
            self.kill(index);
        }
    }

    /// Asks a node to stop, by the end of its input.
    pub fn stop(&mut self, index: usize) -> ExitStatus {
        let mut child = self.children[index].take().unwrap();
        drop(child.stdin.take());
        wait_for(&mut child)
    }

    /// Waits for a node to end by itself.
    pub fn wait(&mut self, index: usize) -> ExitStatus {
        wait_for(&mut self.children[index].take().unwrap())
    }

    /// Nodes that are started from now on get these options.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
    }

    pub fn is_running(&mut self, index: usize) -> bool {
        self.children[index].as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// A client of a node, as soon as that serves clients.
    pub fn client(&self, index: usize) -> Client {
        Client::wait_for(self.ports[index])
    }

    /// A field of a node's `INFO`; `None` while it does not answer.
    pub fn info(&self, index: usize, field: &str) -> Option<String> {
        let mut client = Client::connect(self.ports[index]).ok()?;
        let info = client.call(&["INFO"]).ok()?.text();
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.map(str::to_owned)
    }

    pub fn number(&self, index: usize, field: &str) -> u64 {
        self.info(index, field).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The node that leads the highest epoch.
    pub fn leader(&self) -> Option<usize> {
        (0..self.len())
            .filter(|&index| self.info(index, "role").as_deref() == Some("leader"))
            .max_by_key(|&index| self.number(index, "epoch"))
    }

    pub fn wait_for_leader(&self) -> usize {
        until("a leader", || self.leader())
    }

    /// Waits until all nodes that run know the same leader, and it knows that it leads.
    pub fn wait_for_agreement(&mut self) -> usize {
        let running: Vec<usize> = (0..self.len()).filter(|&index| self.is_running(index)).collect();
        until("all nodes to know the leader", || {
            let leader = self.leader()?;
            let id = (leader + 1).to_string();
            let agreed = |&index: &usize| self.info(index, "leader").as_ref() == Some(&id);
            running.iter().all(agreed).then_some(leader)
        })
    }

    /// `quorate-kv ctl …` again and again until its exit code, what it said and what it complained of are as they should be:
    /// another leader may be elected at any time.
    pub fn ctl_until(&self, words: &[&str], so: impl Fn(Option<i32>, &str, &str) -> bool) {
        let mut last = String::new();
        until_or(&format!("`ctl {}`", words.join(" ")), || {
            let (code, said, complaint) = self.ctl(words);
            let done = so(code, &said, &complaint);
            last = format!("exit code {code:?}\n{said}{complaint}");
            if done { Ok(()) } else { Err(last.clone()) }
        });
    }

    /// Waits until a field of a node's `INFO` is as it should be.
    pub fn wait_for_info(&self, index: usize, field: &str, value: &str) {
        until_or(&format!("{field} of node {} to be {value}", index + 1), || {
            let now = self.info(index, field);
            if now.as_deref() == Some(value) { Ok(()) } else { Err(format!("it is {now:?}")) }
        });
    }

    /// Waits until every node has applied what is committed.
    pub fn wait_until_converged(&self) {
        until("every node to catch up", || {
            let applied: Vec<u64> =
                (0..self.len()).map(|index| self.number(index, "applied")).collect();
            let last = (0..self.len()).map(|index| self.number(index, "log_last")).max();
            (applied.iter().all(|&index| index > 0 && Some(index) == last)).then_some(())
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until a condition gives something.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    until_or(what, || condition().ok_or_else(String::new))
}

/// Waits until a condition gives something; if it never does, its last reason is shown.
pub fn until_or<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition() {
            Ok(value) => return value,
            Err(why) => {
                assert!(
                    Instant::now() < deadline,
                    "waited {PATIENCE:?} for {what}: {}",
                    shown(&why)
                );
            }
        }
        sleep(Duration::from_millis(10));
    }
}

/// A text as it is shown to people: of a long one its beginning and its length.
pub fn shown(text: &str) -> String {
    const SHOWN: usize = 2_000;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

pub fn wait_for(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("a process did not end within {PATIENCE:?}");
        }
        sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end; its exit code and what it said.
pub fn output(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let said = spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            None if Instant::now() < deadline => sleep(Duration::from_millis(10)),
            status => break status,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    let said = said.join().unwrap();
    let status =
        status.unwrap_or_else(|| panic!("{command:?} did not end, and said {}", shown(&said)));
    (status.code(), said)
}

/// Runs a command again and again until it ends with an exit code and has said something.
pub fn output_until(command: impl Fn() -> Command, code: i32, wanted: &str) -> String {
    until_or(&format!("exit code {code} and \"{wanted}\""), || {
        let (ended, said) = output(command());
        if ended == Some(code) && said.contains(wanted) { Ok(said) } else { Err(said) }
    })
}

/// Whether a program is installed; a note if not.
pub fn has_program(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("SKIPPED: {name} is not installed (Debian package redis-tools)");
    }
    found
}

pub fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}
