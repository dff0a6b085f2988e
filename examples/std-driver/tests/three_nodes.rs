//! Three processes of the program: what one is told, all print; what was printed is printed again
//! after a restart; a log that a crash cut short is repaired, and one that is damaged is refused.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use quorate_nemesis::ports::Port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_std-driver");
/// Far more than it takes on a busy machine.
const LONG: Duration = Duration::from_secs(300);
/// A line of whose end nothing is heard is typed again: it may have been lost with a leader.
const AGAIN: Duration = Duration::from_secs(1);

struct Node {
    child: Child,
    printed: Receiver<String>,
    lines: Vec<String>,
}

struct Cluster {
    dir: tempfile::TempDir,
    ports: [Port; 3],
}

impl Cluster {
    fn new() -> Self {
        let ports = [0; 3].map(|_| Port::reserve().unwrap());
        Self { dir: tempfile::tempdir().unwrap(), ports }
    }

    fn log(&self, id: usize) -> PathBuf {
        self.dir.path().join(format!("node-{id}.log"))
    }

    fn command(&self, id: usize) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg(id.to_string()).arg(self.dir.path());
        command.args(self.ports.iter().map(|port| format!("127.0.0.1:{}", port.number())));
        command
    }

    fn start(&self, id: usize) -> Node {
        let mut command = self.command(id);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, printed) = channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Node { child, printed, lines: Vec::new() }
    }
}

impl Node {
    fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until a line ends so; false if none did in time.
    fn prints(&mut self, end: &str, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.lines.iter().any(|line| line.ends_with(end)) {
            let left = until.saturating_duration_since(Instant::now());
            match self.printed.recv_timeout(left) {
                Ok(line) => self.lines.push(line),
                Err(_) => return false,
            }
        }
        true
    }

    /// The committed commands so far, with their indexes.
    fn committed(&self) -> Vec<&String> {
        self.lines.iter().filter(|line| !line.starts_with("--")).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Types a line into the first of these nodes until all of them have printed it.
fn agree(nodes: &mut [&mut Node], line: &str) {
    let until = Instant::now() + LONG;
    let end = format!(": {line}");
    loop {
        nodes[0].type_line(line);
        if nodes[0].prints(&end, AGAIN) {
            break;
        }
        assert!(Instant::now() < until, "{line}: {:#?}", nodes[0].lines);
    }
    for node in nodes {
        assert!(node.prints(&end, LONG), "{line}: {:#?}", node.lines);
    }
}

#[test]
fn restarted_node_prints_all_lines_again() {
    let cluster = Cluster::new();
    let [mut one, mut two, mut three] = [1, 2, 3].map(|id| cluster.start(id));
    agree(&mut [&mut one, &mut two, &mut three], "hello");
    agree(&mut [&mut two, &mut three, &mut one], "again");
    agree(&mut [&mut three, &mut one, &mut two], "once more");
    drop(three);
    agree(&mut [&mut one, &mut two], "two are a majority");
    drop(one);
    let mut three = cluster.start(3);
    agree(&mut [&mut two, &mut three], "and so are these");
    let mut one = cluster.start(1);
    for end in ["hello", "again", "once more", "two are a majority", "and so are these"] {
        for node in [&mut one, &mut two, &mut three] {
            assert!(node.prints(&format!(": {end}"), LONG), "{end}: {:#?}", node.lines);
        }
    }
    let printed = one.committed();
    for node in [&two, &three] {
        let shared = node.committed().len().min(printed.len());
        assert_eq!(node.committed()[..shared], printed[..shared]);
    }
}

/// Stops a node once it has read its log: then the file is as long as it keeps it.
fn length_after_start(cluster: &Cluster, id: usize, expected: u64) -> bool {
    let _node = cluster.start(id);
    let until = Instant::now() + LONG;
    while fs::metadata(cluster.log(id)).unwrap().len() != expected {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Where the frames of a log begin.
fn frames(log: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(header) = log[starts[starts.len() - 1]..].first_chunk::<8>() {
        starts.push(starts[starts.len() - 1] + 24 + u64::from_le_bytes(*header) as usize);
    }
    assert_eq!(starts.pop(), Some(log.len()));
    starts
}

fn refusal(cluster: &Cluster, id: usize) -> String {
    let output = cluster.command(id).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn write(path: &Path, parts: &[&[u8]]) {
    fs::write(path, parts.concat()).unwrap();
}

#[test]
fn torn_tail_is_cut_off_and_damage_is_refused() {
    let cluster = Cluster::new();
    let mut nodes = [1, 2, 3].map(|id| cluster.start(id));
    let [one, two, three] = &mut nodes;
    agree(&mut [one, two, three], "hello");
    agree(&mut [two, three, one], "again");
    drop(nodes);
    let path = cluster.log(2);
    let log = fs::read(&path).unwrap();
    let starts = frames(&log);
    assert!(starts.len() > 2, "{starts:?}");

    // a write that a crash cut short, in its header or in its body
    for cut in [1, 23, 24, starts[1] - 1] {
        write(&path, &[&log, &log[..cut]]);
        assert!(length_after_start(&cluster, 2, log.len() as u64), "after {cut} bytes");
        assert_eq!(fs::read(&path).unwrap(), log);
    }

    // a flipped bit anywhere in a frame, the last one as well: the file stays as it is
    for &start in &[starts[0], starts[1], starts[starts.len() - 1]] {
        for at in [start, start + 7, start + 8, start + 16, start + 24] {
            let mut damaged = log.clone();
            damaged[at] ^= 0x20;
            write(&path, &[&damaged]);
            let told = refusal(&cluster, 2);
            assert!(told.contains(&format!("node-2.log: damaged at byte {start}:")), "{told}");
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
    }
}

#[test]
fn second_process_of_a_node_and_wrong_use_are_refused() {
    let cluster = Cluster::new();
    let mut node = cluster.start(1);
    assert!(node.prints("}", LONG), "it runs once it prints an event");
    assert!(refusal(&cluster, 1).contains("in use"));
    assert!(refusal(&cluster, 4).contains("voter"));
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("127.0.0.1:7101"));
    assert_eq!(Command::new(PROGRAM).output().unwrap().status.code(), Some(1));
}

#[test]
fn program_is_as_short_as_its_readme_says() {
    assert!(include_str!("../src/main.rs").lines().count() <= 150);
}
