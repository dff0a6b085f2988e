//! Clients that do not read their replies take a bounded part of a node's memory, and hold up nobody for long.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::thread;

use common::{Cluster, connect, until};

/// Three of them are the longest replies that are sent together.
const LONG: usize = (4 << 20) - 100;
const ASKS: &[u8] = b"GET long\r\nGET long\r\nGET long\r\n";
const CLIENTS: usize = 200;
/// As many take twice what may wait at a time.
const READERS: usize = 40;

fn cluster(name: &str) -> (Cluster, [usize; 2]) {
    let mut cluster = Cluster::start(name, 3, &["--timeout-ms", "60000"]);
    let leader = cluster.wait_for_agreement();
    cluster.client(leader).must(&["SET", "long", &"x".repeat(LONG)]);
    cluster.client(leader).must(&["SET", "short", "1"]);
    cluster.wait_until_even();
    (cluster, [leader, (leader + 1) % 3])
}

/// The most memory that a node's process had, in bytes.
fn peak(cluster: &Cluster, index: usize) -> u64 {
    let id = cluster.info(index, "process_id").unwrap();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn replies_that_nobody_reads_take_bounded_memory() {
    let (cluster, nodes) = cluster("unread");
    for node in nodes {
        let idle: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut socket = connect(cluster.ports[node]);
                socket.write_all(ASKS).unwrap();
                socket
            })
            .collect();
        until("clients that read nothing to be closed", || {
            (cluster.number(node, "slow_clients_closed") > 0).then_some(())
        });
        assert_eq!(cluster.client(node).must(&["GET", "short"]).text(), "1");
        let peak = peak(&cluster, node);
        println!("at most {} MiB", peak >> 20);
        // 2,400 MiB were asked for; 256 wait, or 512 of what another node sent already, and the allocator keeps some
        assert!(peak < 1_100 << 20, "{} MiB", peak >> 20);
        drop(idle);
        until("what waited to be given back", || {
            (cluster.number(node, "unread_reply_bytes") == 0).then_some(())
        });
    }
}

#[test]
fn who_reads_is_served_however_many_they_are() {
    let (cluster, nodes) = cluster("readers");
    for node in nodes {
        thread::scope(|scope| {
            for _ in 0..READERS {
                let mut socket = connect(cluster.ports[node]);
                scope.spawn(move || {
                    socket.write_all(ASKS).unwrap();
                    // no more than it must: a client that has something else to do is slow
                    let reply = format!("${LONG}\r\n").len() + LONG + 2;
                    let (mut missing, mut part) = (3 * reply, vec![0; 256 << 10]);
                    while missing > 0 {
                        let read = socket.read(&mut part).unwrap();
                        assert!(read > 0, "closed, and {missing} bytes missing");
                        missing -= read;
                    }
                    assert!(part.contains(&b'x'));
                });
            }
        });
        println!("at most {} MiB", peak(&cluster, node) >> 20);
        assert_eq!(cluster.number(node, "slow_clients_closed"), 0);
    }
}
