//! `quorate-kv cluster`: starts, watches, restarts and stops its nodes.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use crate::common::client::Client;
use crate::common::{Consensus, Dir, output, until, wait_for};
use quorate_nemesis::ports::Port;

on_each_protocol!(killed_node_is_restarted_and_stop_ends_all);

struct Running {
    child: Child,
    base: u16,
    _ports: Vec<Port>,
    dir: Dir,
}

fn start(name: &str, consensus: Consensus) -> Running {
    let dir = Dir::new(name);
    let (base, ports) = three_ports();
    let mut child = Command::new(env!("CARGO_BIN_EXE_quorate-kv"))
        .args(["cluster", "--base-port", &base.to_string(), "--data"])
        .arg(dir.path())
        .args(["--consensus", consensus.name()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            println!("  {line}");
        }
    });
    Running { child, base, _ports: ports, dir }
}

/// Three in a row for clients, and for the nodes those ten thousand above. They are reserved: see [`Port`].
fn three_ports() -> (u16, Vec<Port>) {
    let mut bases = (20_000..30_000).step_by(3);
    until("three free ports in a row", || {
        let base = bases.next()?;
        let wanted = (base..base + 3).flat_map(|port| [port, port + 10_000]);
        let reserved = wanted.map(Port::at).collect::<Result<Vec<_>, _>>().ok()?;
        Some((base, reserved))
    })
}

fn process_id(port: u16) -> Option<u32> {
    let info = Client::connect(port).ok()?.call(&["INFO", "server"]).ok()?.text();
    info.lines().find_map(|line| line.strip_prefix("process_id:"))?.parse().ok()
}

fn is_running(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}/stat")).exists()
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

impl Running {
    fn client(&self) -> Client {
        Client::wait_for(self.base)
    }

    fn processes(&self) -> Vec<u32> {
        (0..3).map(|index| until("a node", || process_id(self.base + index))).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn killed_node_is_restarted_and_stop_ends_all(consensus: Consensus) {
    let mut cluster = start("verb", consensus);
    let processes = cluster.processes();
    until("a leader", || {
        (cluster.client().call(&["SET", "a", "1"]).ok()?.text() == "OK").then_some(())
    });
    signal(processes[1], "-KILL");
    let again = until("the node to come back", || {
        process_id(cluster.base + 1).filter(|&process| process != processes[1])
    });
    assert_eq!(Client::wait_for(cluster.base + 1).call_ok(&["GET", "a"]).text(), "1");
    let mut second = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
    second.args(["cluster", "--base-port", &cluster.base.to_string()]).stdout(Stdio::null());
    // one of its ports at least is listened at for as long as the cluster runs
    let (code, said) = output(second);
    assert!(code == Some(1) && said.contains("--base-port"), "{said}");
    signal(cluster.child.id(), "-INT");
    assert!(wait_for(&mut cluster.child).success());
    for process in [processes[0], again, processes[2]] {
        assert!(!is_running(process), "node process {process} is left");
    }
    // the other protocol is refused before a node starts
    let (name, other) = match consensus {
        Consensus::Raft => ("raft", "paxos"),
        Consensus::Paxos => ("paxos", "raft"),
    };
    let mut third = Command::new(env!("CARGO_BIN_EXE_quorate-kv"));
    third.args(["cluster", "--base-port", &cluster.base.to_string(), "--consensus", other]);
    third.arg("--data").arg(cluster.dir.path()).stdout(Stdio::null());
    let (code, said) = output(third);
    let way_out = format!("start it with --consensus {name}");
    assert!(code == Some(1) && said.contains(&way_out), "{said}");
}

#[test]
fn nodes_end_with_their_parent() {
    let mut cluster = start("orphans", Consensus::Raft);
    let processes = cluster.processes();
    sleep(Duration::from_millis(200));
    cluster.child.kill().unwrap();
    cluster.child.wait().unwrap();
    until("the nodes to end", || {
        processes.iter().all(|&process| !is_running(process)).then_some(())
    });
}
