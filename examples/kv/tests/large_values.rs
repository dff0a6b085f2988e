//! Values as large as they may be, many at once: the leader keeps its term, and nobody gets an error.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::thread;

use crate::common::{self, Cluster, connect, until};

/// The largest value there may be.
const LARGEST: usize = 4 << 20;

/// A node whose loop waits for a core for more than this part of its time, in percent, may miss heartbeats, whatever it does.
const STARVED: u64 = 50;
const ATTEMPTS: usize = 5;

#[test]
fn large_values_cause_no_election() {
    let cluster = Cluster::start("large", 3, &["--timeout-ms", "600000"]);
    cluster.wait_for_leader();
    for _ in 0..ATTEMPTS {
        cluster.wait_until_converged();
        let (fault, waits) = with_waits(&cluster, || write_large_values(&cluster));
        let Some(fault) = fault else {
            let length = cluster.client(1).call_ok(&["STRLEN", "large8"]).number();
            assert_eq!(length, LARGEST as u64);
            return;
        };
        // on a machine that gives threads no core, elections are right: it is tried again
        assert!(
            waits > STARVED,
            "{fault}, and no node's loop waited for a core for more than {waits} % of its time"
        );
        println!("{fault}, while a node's loop waited for a core for {waits} % of its time");
    }
    println!("not judged: in {ATTEMPTS} attempts this machine had no time for its threads");
}

/// Nine clients write three values each; tells what went wrong.
fn write_large_values(cluster: &Cluster) -> Option<String> {
    let terms = || -> Vec<u64> { (0..3).map(|index| cluster.number(index, "term")).collect() };
    let before = terms();
    let replies: Vec<String> = thread::scope(|scope| {
        let clients = (0..9).map(|client| {
            scope.spawn(move || {
                let value = char::from(b'a' + client).to_string().repeat(LARGEST);
                let mut connection = cluster.client(usize::from(client) % 3);
                let set = |_| connection.call(&["SET", &format!("large{client}"), &value]);
                let replies: Result<Vec<_>, _> = (0..3).map(set).collect();
                replies.unwrap().into_iter().map(|reply| reply.text())
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    if let Some(error) = replies.iter().find(|reply| *reply != "OK") {
        return Some(error.clone());
    }
    let after = terms();
    (before != after).then(|| format!("terms went from {before:?} to {after:?}"))
}

/// Of the time in which a node's loop could have run, the part in which it waited for a core: of the node that waited most, in
/// percent. (`schedstat` has the time that a thread ran, and that it waited.)
fn with_waits<R>(cluster: &Cluster, work: impl FnOnce() -> R) -> (R, u64) {
    let loops =
        || -> Vec<(u64, u64)> { (0..3).map(|index| run_and_waited(cluster, index)).collect() };
    let before = loops();
    let result = work();
    let waits = before.iter().zip(loops()).map(|((ran, waited), (ran_then, waited_then))| {
        let (ran, waited) = (ran_then - ran, waited_then - waited);
        100 * waited / (ran + waited).max(1)
    });
    (result, waits.max().unwrap_or(0))
}

fn run_and_waited(cluster: &Cluster, index: usize) -> (u64, u64) {
    let tasks = format!("/proc/{}/task", cluster.number(index, "process_id"));
    let name = format!("quorate-{}\n", index + 1);
    let mut tasks = fs::read_dir(tasks).unwrap().map(|task| task.unwrap().path());
    let task = tasks.find(|task| fs::read_to_string(task.join("comm")).unwrap() == name).unwrap();
    let stat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let mut numbers = stat.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[test]
fn announced_values_take_bounded_memory() {
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
    assert_eq!(cluster.client(0).call_ok(&["SET", "small", "1"]).text(), "OK");
    assert!(granted() <= 9 << 20, "{} bytes", granted());
    // when those leave that kept the place, large ones are taken
    drop(idle);
    let value = "x".repeat(LARGEST);
    assert_eq!(cluster.client(0).call_ok(&["SET", "large", &value]).text(), "OK");
}
