//! One client that asks for much holds up nobody: work is counted, and no turn of a node's loop has more than it may.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use crate::common::client::{Client, Value};
use crate::common::{Cluster, connect};

/// Steps of one turn, with what one command takes at most.
const READS: u64 = 1 << 20;
const WRITES: u64 = (1 << 19) + (1 << 16);

/// Elections there were since the start: every node knows the newest term.
fn terms(cluster: &Cluster) -> Vec<u64> {
    (0..cluster.len()).map(|index| cluster.number(index, "term")).collect()
}

fn within_bounds(cluster: &Cluster, leader: usize) {
    for index in 0..cluster.len() {
        let reads = cluster.number(index, "turn_read_steps_max");
        assert!(reads <= READS, "node {}: {reads} steps of reads in a turn", index + 1);
    }
    let writes = cluster.number(leader, "turn_write_steps_max");
    assert!(writes <= WRITES, "{writes} steps of writes in a turn");
}

/// Fills the store with long keys.
fn fill(client: &mut Client, keys: usize) {
    let tail = "a".repeat(90);
    let names: Vec<String> = (0..keys).map(|number| format!("{number}:{tail}")).collect();
    for part in names.chunks(1_000) {
        let mut words = vec!["MSET"];
        words.extend(part.iter().flat_map(|name| [name.as_str(), "v"]));
        client.call_ok(&words);
    }
}

/// Runs something until the term is the same after it: a machine with much else to do may hold an election without a reason.
/// What a client is told is counted: with the same term, no error.
fn without_election(cluster: &Cluster, mut run: impl FnMut(usize) -> Vec<JoinHandle<usize>>) {
    for _ in 0..5 {
        let leader = cluster.wait_for_leader();
        let before = terms(cluster);
        let errors: usize = run(leader).into_iter().map(|client| client.join().unwrap()).sum();
        let after = terms(cluster);
        within_bounds(cluster, leader);
        if after == before {
            assert_eq!(errors, 0);
            return;
        }
        println!("terms {before:?}, then {after:?}, {errors} errors");
    }
    panic!("each time the term changed");
}

#[test]
fn pipelined_scans_cause_no_election() {
    let cluster = Cluster::start("scans", 3, &["--timeout-ms", "600000"]);
    fill(&mut cluster.client(cluster.wait_for_leader()), 20_000);
    cluster.wait_until_converged();
    let pattern = format!("*{}b", "a".repeat(60));
    let one = format!("SCAN 0 COUNT 10000 MATCH {pattern}\r\n");
    let count = 153_000 / one.len();
    without_election(&cluster, |leader| {
        // at the leader, and by way of a follower
        let clients = [leader, (leader + 1) % 3].map(|index| {
            let (port, all) = (cluster.ports[index], one.repeat(count));
            thread::spawn(move || {
                let socket = connect(port);
                let mut writer: TcpStream = socket.try_clone().unwrap();
                let sender = thread::spawn(move || writer.write_all(all.as_bytes()));
                let mut client = Client::from_socket(socket);
                let mut errors = 0;
                for _ in 0..count {
                    match client.receive().unwrap() {
                        Value::Array(reply) => assert_ne!(reply[0].text(), "0", "not in one go"),
                        other => errors += usize::from(other.text().starts_with("TRYAGAIN")),
                    }
                }
                sender.join().unwrap().unwrap();
                errors
            })
        });
        // others are served meanwhile
        let mut other = cluster.client((leader + 2) % 3);
        for number in 0..20 {
            other.call_ok(&["SET", "n", &number.to_string()]);
            assert_eq!(other.call_ok(&["GET", "n"]).number(), number);
        }
        clients.into_iter().collect()
    });
}

#[test]
fn pipelined_deletions_cause_no_election() {
    let cluster = Cluster::start("deletions", 3, &["--timeout-ms", "600000"]);
    // more than the leader lets into its log at a time
    without_election(&cluster, |_| {
        let client = |index: usize| {
            let (port, words) = (cluster.ports[index], [vec!["DEL"], vec!["b"; 8_192]].concat());
            thread::spawn(move || {
                let mut client = Client::connect(port).unwrap();
                let mut errors = 0;
                for _ in 0..4 {
                    client.send(&[&words, &["FLUSHALL"], &words]).unwrap();
                    let got: Vec<_> = (0..3).map(|_| client.receive().unwrap()).collect();
                    errors += got.iter().filter(|value| matches!(value, Value::Error(_))).count();
                }
                errors
            })
        };
        (0..3).map(client).collect()
    });
    let mut client = cluster.client(0);
    for name in ["DEL", "EXISTS", "MGET"] {
        let words = [vec![name], vec!["b"; 8_193]].concat();
        let told = client.call(&words).unwrap().text();
        assert_eq!(told, "ERR a command may have 8192 keys: send several");
    }
    let words = [vec!["MSET"], vec!["b"; 2 * 8_192]].concat();
    assert_eq!(client.call_ok(&words).text(), "OK");
}
