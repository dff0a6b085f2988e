//! A cluster of three: whatever node a client talks to, it is the same store.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::process::Command;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::common::{
    Cluster, Consensus, PATIENCE, connect, free_ports, has_program, output, shown, until,
};

on_each_protocol!(
    write_on_one_node_is_read_on_all,
    without_a_majority_writes_fail_with_an_error,
    clean_stop_exits_zero_and_restart_keeps_data
);

fn write_on_one_node_is_read_on_all(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "all", 3, &[]);
    cluster.wait_for_leader();
    for (index, value) in ["one", "two", "three"].iter().enumerate() {
        cluster.client(index).call_ok(&["SET", "a", value]);
        for reader in 0..3 {
            assert_eq!(
                cluster.client(reader).call_ok(&["GET", "a"]).text(),
                *value,
                "at node {}",
                reader + 1
            );
        }
    }
    // a client that waited knows that two more have it on disk
    let mut client = cluster.client(0);
    client.call_ok(&["SET", "b", "1"]);
    until("the others to have it on disk", || {
        (client.call_ok(&["WAIT", "2", "10000"]).number() == 2).then_some(())
    });
    // local reads come to the same in a while
    let leader = cluster.wait_for_agreement();
    for index in 0..3 {
        let mut client = cluster.client(index);
        client.call_ok(&["READONLY"]);
        until("a local read to see it", || {
            (client.call_ok(&["GET", "b"]).text() == "1").then_some(())
        });
    }
    // every command, through a node that must forward it
    let mut client = cluster.client((leader + 1) % 3);
    client.call_ok(&["FLUSHALL"]);
    assert_eq!(client.call_ok(&["MSET", "x", "1", "y", "2"]).text(), "OK");
    assert_eq!(client.call_ok(&["MGET", "x", "y", "z"]).text(), "1 2 ");
    assert_eq!(client.call_ok(&["INCRBY", "x", "9"]).number(), 10);
    assert_eq!(client.call_ok(&["APPEND", "x", "0"]).number(), 3);
    assert_eq!(client.call_ok(&["SET", "x", "new", "GET"]).text(), "100");
    assert_eq!(client.call_ok(&["STRLEN", "x"]).number(), 3);
    assert_eq!(client.call_ok(&["DEL", "x", "nothing"]).number(), 1);
    assert_eq!(client.call_ok(&["EXISTS", "x", "y"]).number(), 1);
    assert_eq!(client.call_ok(&["DBSIZE"]).number(), 1);
    assert_eq!(client.call_ok(&["SCAN", "0"]).text(), "0 y");
    let big = "x".repeat(3 << 20);
    client.call_ok(&["SET", "big", &big]);
    for index in 0..3 {
        let read = cluster.client(index).call_ok(&["GET", "big"]).text();
        assert!(read == big, "node {} returned {}", index + 1, shown(&read));
    }
}

fn without_a_majority_writes_fail_with_an_error(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "minority", 3, &["--timeout-ms", "500"]);
    let leader = cluster.wait_for_leader();
    cluster.client(leader).call_ok(&["SET", "a", "1"]);
    let (one, two) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.kill(one);
    cluster.kill(two);
    let mut client = cluster.client(leader);
    let write = client.call(&["SET", "a", "2"]).unwrap().text();
    assert!(write.contains("outcome unknown") || write.starts_with("CLUSTERDOWN"), "{write}");
    let read = client.call_until(&["GET", "a"], "CLUSTERDOWN");
    assert!(read.contains("was not executed"), "{read}");
    until("the leader to see that it does not lead", || cluster.leader().is_none().then_some(()));
    client.call_until(&["INCR", "n"], "CLUSTERDOWN no leader");
    // a local read is what it is for
    client.call_ok(&["READONLY"]);
    assert_eq!(client.call_ok(&["GET", "a"]).text(), "1");
    cluster.start_node(one);
    until("a majority to serve", || {
        let mut client = cluster.client(leader);
        // an earlier one may have been executed
        client.call(&["INCR", "m"]).ok()?.text().parse::<u64>().ok()
    });
    assert_eq!(cluster.client(one).call_ok(&["GET", "n"]).number(), 0);
}

fn clean_stop_exits_zero_and_restart_keeps_data(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "restart", 1, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "a", "1"]);
    assert!(cluster.stop(0).success());
    cluster.start_node(0);
    cluster.wait_for_leader();
    assert_eq!(cluster.client(0).call_ok(&["GET", "a"]).text(), "1");
    // the second process on one directory is turned away, whatever ports it has
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1));
    assert!(said.contains("listen"), "{said}");
    let (code, said) = output(cluster.command_elsewhere(0));
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another process") && said.contains("node-1"), "{said}");
    assert_eq!(cluster.client(0).call_ok(&["GET", "a"]).text(), "1");
}

#[test]
fn invalid_command_line_is_explained() {
    let program = env!("CARGO_BIN_EXE_quorate-kv");
    let node = ["node", "--peer-listen", "127.0.0.1:0", "--data", "/nonexistent"];
    for (more, told) in [
        (&["--id", "1", "--peers", "2=127.0.0.1:1"][..], "does not have this node, 1"),
        (&["--id", "1", "--peers", "1=127.0.0.1:1,1=127.0.0.1:2"], "has node 1 twice"),
        (&["--id", "1", "--peers", "1"], "a peer is ID=HOST:PORT"),
        (&["--id", "0", "--peers", "1=h:1"], "--id"),
        (&["--peers", "1=h:1"], "--id"),
    ] {
        let mut command = Command::new(program);
        command.args(node).args(more);
        let (code, said) = output(command);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn metrics_are_served() {
    let port = free_ports(1)[0];
    let cluster = Cluster::start("metrics", 1, &["--metrics", &format!("127.0.0.1:{port}")]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "a", "1"]);
    cluster.wait_for_info(0, "role", "leader");
    let page = |request: &[u8]| {
        let mut socket = connect(port);
        socket.write_all(request).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    let text = page(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\nquorate_leader 1\n") && text.contains("\nquorate_keys 1\n"), "{text}");
    assert!(page(b"GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(page(&[b'x'; 10_000]).starts_with("HTTP/1.1 400"));
}

#[test]
fn redis_cli_and_redis_benchmark_work() {
    if !has_program("redis-cli") || !has_program("redis-benchmark") {
        return;
    }
    let cluster = Cluster::start("tools", 3, &[]);
    cluster.wait_for_leader();
    let cli = |port: u16, words: &[&str]| {
        let output =
            Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(cli(cluster.ports[0], &["set", "a", "1"]), "OK");
    for &port in &cluster.ports {
        assert_eq!(cli(port, &["get", "a"]), "1");
        assert_eq!(cli(port, &["-3", "get", "a"]), "1");
    }
    let mut input = Command::new("redis-cli");
    input.args(["-p", &cluster.ports[0].to_string(), "--scan"]);
    assert_eq!(String::from_utf8(input.output().unwrap().stdout).unwrap(), "a\n");
    for &port in &cluster.ports[..2] {
        let begin = Instant::now();
        let mut child = Command::new("redis-benchmark");
        child.args(["-p", &port.to_string(), "-t", "set,get", "-n", "100000", "-P", "16", "-q"]);
        let output = spawn(move || child.output().unwrap());
        while !output.is_finished() {
            assert!(begin.elapsed() < 5 * PATIENCE, "redis-benchmark does not end");
            sleep(Duration::from_millis(20));
        }
        let output = output.join().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("rror"), "{text} {said}");
        for line in text.lines().filter(|line| line.contains("requests per second")) {
            println!("{line}");
        }
    }
}
