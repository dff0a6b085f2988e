//! A cluster is founded when all founders are there, and once: a node whose disk was erased takes no part under its id.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::common::client::{Client, Value};
use crate::common::{Cluster, Consensus, connect, free_ports, output, until};

on_each_protocol!(
    erased_voter_is_refused_and_nothing_is_lost,
    two_erased_voters_are_refused_by_the_third,
    founders_wait_for_each_other_and_can_be_stopped,
    excluding_a_founder_makes_another_cluster,
    founders_of_a_cluster_cannot_be_excluded
);

/// A node's disk is lost.
fn erase(cluster: &mut Cluster, index: usize) {
    cluster.kill(index);
    fs::remove_dir_all(cluster.data(index)).unwrap();
    // what is looked for there is of afterwards
    fs::remove_file(cluster.log(index)).unwrap();
}

fn wait_for_log(cluster: &Cluster, index: usize, text: &str) {
    until(&format!("node {} to log {text:?}", index + 1), || {
        fs::read_to_string(cluster.log(index)).unwrap().contains(text).then_some(())
    });
}

fn founding_id(cluster: &Cluster, index: usize) -> String {
    until("a founding id", || cluster.info(index, "founding_id"))
}

/// A node with its usual command line ends with code 1, and says how to replace it.
fn assert_refused(command: Command, id: usize) {
    let (code, said) = output(command);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("`quorate-kv ctl remove {id}`")), "{said}");
    assert!(said.contains("is of the cluster founded as"), "{said}");
}

/// Two nodes that follow.
fn followers(cluster: &Cluster) -> (usize, [usize; 2]) {
    let leader = cluster.wait_for_leader();
    let others: Vec<usize> = (0..3).filter(|&index| index != leader).collect();
    (leader, [others[0], others[1]])
}

fn erased_voter_is_refused_and_nothing_is_lost(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "erased-voter", 3, &["--timeout-ms", "2000"]);
    let (leader, [erased, behind]) = followers(&cluster);
    cluster.kill(behind);
    cluster.client(leader).call_ok(&["SET", "precious", "1"]);
    erase(&mut cluster, erased);
    cluster.kill(leader);
    // it waits for all others, and is refused by the first that has a log
    cluster.start_node(erased);
    wait_for_log(&cluster, erased, "waiting for the other founders");
    cluster.start_node(behind);
    assert!(!cluster.wait(erased).success());
    assert_refused(cluster.command(erased), erased + 1);
    // nobody leads what lacks the write
    let answer = cluster.client(behind).call(&["GET", "precious"]).unwrap();
    assert!(!matches!(answer, Value::Null), "{answer:?}");
    assert_eq!(cluster.leader(), None);
    cluster.start_node(leader);
    cluster.wait_for_leader();
    for index in [leader, behind] {
        assert_eq!(cluster.client(index).call_ok(&["GET", "precious"]).text(), "1");
    }
    assert_refused(cluster.command(erased), erased + 1);
}

fn two_erased_voters_are_refused_by_the_third(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "two-erased", 3, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "precious", "1"]);
    cluster.wait_until_converged();
    let founded = founding_id(&cluster, 2);
    cluster.kill(2);
    for index in [0, 1] {
        erase(&mut cluster, index);
    }
    for index in [0, 1] {
        cluster.start_node(index);
    }
    for index in [0, 1] {
        wait_for_log(&cluster, index, &format!("node 3 at {}", cluster.peer_address(2)));
        assert!(cluster.is_running(index));
        assert!(!cluster.data(index).join("wal").exists());
    }
    cluster.start_node(2);
    for index in [0, 1] {
        assert!(!cluster.wait(index).success());
        wait_for_log(&cluster, index, &format!("ctl remove {}", index + 1));
        assert!(!cluster.data(index).join("wal").exists());
    }
    assert_eq!(founding_id(&cluster, 2), founded);
    assert!(cluster.number(2, "log_last") > 0, "its log is lost");
}

fn founders_wait_for_each_other_and_can_be_stopped(consensus: Consensus) {
    let mut cluster = Cluster::stopped_on(consensus, "founders", 3, &[]);
    let metrics = free_ports(1)[0];
    for index in [0, 1] {
        let mut command = cluster.command(index);
        if index == 0 {
            command.args(["--metrics", &format!("127.0.0.1:{metrics}")]);
        }
        cluster.start_command(index, command);
        wait_for_log(&cluster, index, &format!("node 3 at {}", cluster.peer_address(2)));
    }
    // clients are told
    let told = Client::connect(cluster.ports[0]).unwrap().call(&["GET", "a"]).unwrap().text();
    assert!(told.starts_with("CLUSTERDOWN the cluster is not founded yet"), "{told}");
    let (code, said, _) = cluster.ctl(&["status"]);
    assert!(code == Some(1) && said.contains("the cluster is not founded yet"), "{said}");
    // so is Prometheus
    let mut scrape = connect(metrics);
    scrape.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut page = String::new();
    scrape.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 503 "), "{page}");
    // also those that send more than is looked at
    let long = "x".repeat(100_000);
    let told =
        Client::connect(cluster.ports[0]).unwrap().call(&["SET", "a", &long]).unwrap().text();
    assert!(told.contains("the command was not executed"), "{told}");
    // a second process on one directory is turned away, also before there is a log, and whatever ports it has
    let (code, said) = output(cluster.command_elsewhere(0));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another process") && said.contains("node-1"), "{said}");
    assert!(cluster.stop(0).success());
    assert!(!cluster.data(0).join("wal").exists());
    cluster.start_node(0);
    cluster.start_node(2);
    cluster.wait_for_leader();
    let ids = [0, 1, 2].map(|index| founding_id(&cluster, index));
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    let (_, said, _) = cluster.ctl(&["status"]);
    assert!(said.contains(&format!("cluster founded as {}", ids[0])), "{said}");
    cluster.client(1).call_ok(&["SET", "a", "1"]);
    // another one with the same command line is another cluster
    let other = Cluster::start_on(consensus, "founders-too", 3, &[]);
    other.wait_for_leader();
    assert_ne!(founding_id(&other, 0), ids[0]);
    // and it stays what it is
    cluster.kill_all();
    for index in 0..3 {
        cluster.start_node(index);
    }
    cluster.wait_for_leader();
    assert_eq!(founding_id(&cluster, 2), ids[0]);
    assert_eq!(cluster.client(0).call_ok(&["GET", "a"]).text(), "1");
}

fn excluding_a_founder_makes_another_cluster(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "without", 3, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "precious", "1"]);
    cluster.wait_until_converged();
    let first = founding_id(&cluster, 2);
    cluster.kill(2);
    for index in [0, 1] {
        erase(&mut cluster, index);
    }
    cluster.set_options(&["--found-without", "3"]);
    for index in [0, 1] {
        cluster.start_node(index);
    }
    cluster.wait_for_leader();
    wait_for_log(&cluster, 0, "FOUNDING WITHOUT THIS NODE");
    let second = founding_id(&cluster, 0);
    assert_ne!(first, second);
    cluster.client(1).call_ok(&["SET", "other", "1"]);
    // the founders are on disk: the option is not needed again
    cluster.set_options(&[]);
    for index in [0, 1] {
        cluster.kill(index);
        cluster.start_node(index);
    }
    cluster.wait_for_leader();
    // the survivor is not let in, by name, and keeps what it has
    cluster.start_node(2);
    wait_for_log(
        &cluster,
        2,
        &format!("node 3 is of the cluster founded as {first}, this node of {second}"),
    );
    let (_, said, _) = cluster.ctl(&["status"]);
    assert!(said.contains("NOT ONE CLUSTER: node 3"), "{said}");
    assert_eq!(founding_id(&cluster, 2), first);
    assert!(cluster.number(2, "log_last") > 0, "its log is lost");
    // nor is an empty one under its id
    erase(&mut cluster, 2);
    assert_refused(cluster.command(2), 3);
}

fn founders_of_a_cluster_cannot_be_excluded(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "left-out", 3, &[]);
    cluster.wait_for_leader();
    cluster.client(0).call_ok(&["SET", "precious", "1"]);
    cluster.wait_until_converged();
    let founded = founding_id(&cluster, 2);
    for index in [0, 1] {
        erase(&mut cluster, index);
    }
    cluster.set_options(&["--found-without", "3"]);
    for index in [0, 1] {
        let (code, said) = output(cluster.command(index));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("leaves node 3 out, which answers at"), "{said}");
        assert!(said.contains(&format!("is of the cluster founded as {founded}")), "{said}");
        assert!(!cluster.data(index).join("wal").exists());
    }
}

#[test]
fn joining_two_clusters_is_refused() {
    let clusters = ["one", "other"].map(|name| Cluster::start(name, 1, &[]));
    clusters.iter().for_each(|cluster| assert_eq!(cluster.wait_for_leader(), 0));
    let nodes = clusters.each_ref().map(|cluster| format!("127.0.0.1:{}", cluster.ports[0]));
    let mut third = Cluster::stopped("joins-two", 9, &[]);
    let join = || ["--join".to_owned(), nodes.join(",")];
    let (code, said) = output(third.command_with(8, join()));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--join names nodes of two clusters"), "{said}");
    assert!(!third.data(8).join("joined").exists());
    // told to stop while it asks one that says nothing, it stops
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    third.start_command(8, third.command_with(8, ["--join".to_owned(), address]));
    let _asked = silent.accept().unwrap();
    assert!(third.stop(8).success());
}

#[test]
fn directories_without_founding_id_keep_working() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/before-founding");
    let mut cluster = Cluster::stopped("before-founding", 3, &[]);
    for index in 0..3 {
        let (from, to) = (fixture.join(format!("node-{}", index + 1)), cluster.data(index));
        let snapshot = "snapshots/snapshot-00000000000000000020";
        fs::create_dir_all(to.join("snapshots")).unwrap();
        for file in ["wal", "incarnation", snapshot] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        let log = fs::File::options().write(true).open(to.join("wal")).unwrap();
        log.set_len(4_194_384).unwrap();
    }
    // they are Raft's, without saying so
    cluster.consensus = Consensus::Paxos;
    let (code, said) = output(cluster.command(0));
    cluster.consensus = Consensus::Raft;
    assert!(code == Some(1) && said.contains("start it with --consensus raft"), "{said}");
    for round in 0..2 {
        for index in 0..3 {
            cluster.start_node(index);
        }
        cluster.wait_for_leader();
        for index in 0..3 {
            let mut client = cluster.client(index);
            for key in 0..=30 {
                assert_eq!(client.call_ok(&["GET", &format!("k{key}")]).text(), format!("v{key}"));
            }
            // the number that was made of the founders is their founding id
            assert_eq!(cluster.number(index, "cluster"), 15_656_274_926_770_938_956);
        }
        cluster.client(0).call_ok(&["SET", "round", &round.to_string()]);
        cluster.kill_all();
    }
    // the founders are on disk now, and an erased node is refused by those that have them
    for index in [1, 2] {
        cluster.start_node(index);
    }
    cluster.wait_for_leader();
    erase(&mut cluster, 0);
    assert_refused(cluster.command(0), 1);
}

#[test]
fn missing_founding_file_is_explained() {
    let mut cluster = Cluster::start("no-founding", 3, &[]);
    cluster.wait_for_leader();
    let id = founding_id(&cluster, 0);
    cluster.stop(0);
    let file = cluster.data(0).join("founding");
    let before = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    let line = format!("founded {id} founders 1,2,3 peers 1,2,3");
    assert!(said.contains(&format!("{} is missing", file.display())), "{said}");
    assert!(said.contains(&format!("`{line}`")), "{said}");
    assert_eq!(before, line + "\n");
    fs::write(&file, before).unwrap();
    cluster.start_node(0);
    cluster.wait_for_info(0, "founding_id", &id);
}
