//! Values as large as they may be, many at once: the leader keeps its term, and nobody gets an error.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io::{Read, Write};
use std::thread;

use common::{Cluster, connect, until};

/// The largest value there may be.
const LARGEST: usize = 4 << 20;

#[test]
fn large_values_unseat_no_leader() {
    let cluster = Cluster::start("large", 3, &["--timeout-ms", "600000"]);
    cluster.wait_for_leader();
    cluster.wait_until_even();
    let before: Vec<u64> = (0..3).map(|index| cluster.number(index, "term")).collect();
    thread::scope(|scope| {
        for client in 0..9 {
            let cluster = &cluster;
            scope.spawn(move || {
                let value = char::from(b'a' + client).to_string().repeat(LARGEST);
                let mut connection = cluster.client(usize::from(client) % 3);
                for _ in 0..3 {
                    let reply = connection.ask(&["SET", &format!("large{client}"), &value]);
                    assert_eq!(reply.unwrap().text(), "OK");
                }
            });
        }
    });
    let after: Vec<u64> = (0..3).map(|index| cluster.number(index, "term")).collect();
    assert_eq!(before, after, "terms");
    let length = cluster.client(1).must(&["STRLEN", "large8"]).number();
    assert_eq!(length, LARGEST as u64);
}

#[test]
fn large_values_that_never_come_take_bounded_memory() {
    let metrics = common::free_ports(1)[0];
    let address = format!("127.0.0.1:{metrics}");
    let cluster = Cluster::start("announced", 1, &["--metrics", &address]);
    cluster.wait_for_leader();
    let idle: Vec<_> = (0..200)
        .map(|_| {
            let mut socket = connect(cluster.ports[0]);
            let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${LARGEST}\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            // more than a small command has, and far from all
            let _ = socket.write_all(&vec![b'x'; 100 << 10]);
            socket
        })
        .collect();
    let granted = || {
        let mut page = String::new();
        let mut socket = connect(metrics);
        socket.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        socket.read_to_string(&mut page).unwrap();
        let name = "large_input_bytes ";
        let line = page.lines().find(|line| !line.starts_with('#') && line.contains(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    until("as many as there is room for are admitted", || (granted() > 6 << 20).then_some(()));
    assert!(granted() <= 9 << 20, "{} bytes", granted());
    // others go on
    assert_eq!(cluster.client(0).must(&["SET", "small", "1"]).text(), "OK");
    assert!(granted() <= 9 << 20, "{} bytes", granted());
    // when those leave that kept the place, large ones are taken
    drop(idle);
    let value = "x".repeat(LARGEST);
    assert_eq!(cluster.client(0).must(&["SET", "large", &value]).text(), "OK");
}
