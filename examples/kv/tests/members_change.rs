//! A cluster grows and shrinks while clients write and read through it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::Ordering::SeqCst;

use crate::common::client::Client;
use crate::common::load::Load;
use crate::common::{Cluster, Consensus, output_until, until, until_or};

on_each_protocol!(
    cluster_grows_and_shrinks_under_load,
    late_joiner_gets_a_snapshot,
    absent_learner_blocks_nothing,
    impossible_changes_are_refused
);

/// `ctl` until it has worked: the leader may be killed while it waits.
fn ctl(cluster: &Cluster, words: &[&str]) {
    until(&format!("ctl {}", words.join(" ")), || {
        let (code, said, complaint) = cluster.ctl(words);
        println!("$ ctl {}\n{said}{complaint}", words.join(" "));
        (code == Some(0)).then_some(())
    });
}

/// Starts one more node, and brings it in.
fn add(cluster: &mut Cluster) -> usize {
    let index = cluster.add_node();
    cluster.start_node(index);
    ctl(cluster, &["add", &(index + 1).to_string(), &cluster.peer_address(index)]);
    index
}

fn remove(cluster: &Cluster, index: usize) {
    let id = (index + 1).to_string();
    until("the node to be out", || {
        let (code, said, complaint) = cluster.ctl(&["remove", &id]);
        println!("$ ctl remove {id}\n{said}{complaint}");
        // it was, if an earlier attempt did not hear of its end
        (code == Some(0) || complaint.contains("no node")).then_some(())
    });
}

/// Waits for some writes more.
fn writes(load: &Load, count: u64) {
    let before = load.acknowledged.load(SeqCst);
    until("writes to go on", || (load.acknowledged.load(SeqCst) > before + count).then_some(()));
}

/// What is asked at a node that is in no cluster.
fn assert_non_member(cluster: &Cluster, index: usize) {
    let mut client = cluster.client(index);
    until("the node to be outside", || {
        let answer = |client: &mut Client, words: &[&str]| client.call(words).unwrap().text();
        let answers = [answer(&mut client, &["GET", "a"]), answer(&mut client, &["SET", "a", "1"])];
        answers.iter().all(|text| text.starts_with("NOTMEMBER ")).then_some(())
    });
    cluster.wait_for_info(index, "standing", "no member");
}

fn cluster_grows_and_shrinks_under_load(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "grows", 3, &[]);
    cluster.wait_for_leader();
    let ports = cluster.ports.clone();
    let mut load = Load::start(&ports, 4, 3);
    writes(&load, 200);
    for _ in 0..2 {
        add(&mut cluster);
        writes(&load, 200);
    }
    let killed = cluster.wait_for_leader();
    cluster.kill(killed);
    writes(&load, 200);
    cluster.start_node(killed);
    until("the node to follow", || (cluster.info(killed, "leader")? != "0").then_some(()));
    // all of five count: with two away the others go on
    (0..5).for_each(|index| cluster.wait_for_info(index, "standing", "voter"));
    let others: Vec<usize> = (0..5).filter(|&i| Some(i) != cluster.leader()).take(2).collect();
    others.iter().for_each(|&index| cluster.kill(index));
    writes(&load, 200);
    others.iter().for_each(|&index| cluster.start_node(index));
    // the leader itself, then another of the founders
    let first = cluster.wait_for_leader();
    remove(&cluster, first);
    writes(&load, 200);
    assert_non_member(&cluster, first);
    let second = (0..3).find(|&index| index != first).unwrap();
    remove(&cluster, second);
    writes(&load, 200);
    assert_non_member(&cluster, second);
    load.stop();
    let left: Vec<usize> = (0..5).filter(|&index| index != first && index != second).collect();
    // nobody tries to reach who is out, nor does he try to reach them
    for (nodes, links) in [(&left[..], "2"), (&[first, second], "0")] {
        until("the ways to be closed", || {
            nodes.iter().all(|&i| cluster.info(i, "links").as_deref() == Some(links)).then_some(())
        });
    }
    // they are as many as they say: one of the three may be lost, and all of them killed
    cluster.kill_all();
    for round in 0..3 {
        for &index in &left {
            cluster.start_node(index);
        }
        let away = left[round];
        cluster.kill(away);
        for &index in left.iter().filter(|&&index| index != away) {
            load.verify(&mut cluster.client(index));
            assert_eq!(cluster.info(index, "peers").as_deref(), Some("3"));
        }
        cluster.kill_all();
    }
    println!(
        "{} acknowledged writes, {} reads, {} outcomes unknown",
        load.acknowledged.load(SeqCst),
        load.reads.load(SeqCst),
        load.unknown()
    );
}

fn late_joiner_gets_a_snapshot(consensus: Consensus) {
    let mut cluster = Cluster::start_on(
        consensus,
        "late",
        3,
        &["--snapshot-entries", "200", "--keep-entries", "20"],
    );
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports.clone(), 4, 2);
    until("the log to begin later", || {
        cluster.leader().filter(|&leader| cluster.number(leader, "log_first") > 400)
    });
    let new = add(&mut cluster);
    assert!(cluster.number(new, "snapshots_installed") > 0);
    load.stop();
    cluster.wait_until_converged();
    // what it has, and has again after a restart, is the same; and so is where the others are
    for _ in 0..2 {
        let mut client = cluster.client(new);
        client.call_ok(&["READONLY"]);
        load.verify(&mut client);
        load.verify(&mut cluster.client(new));
        for index in 0..4 {
            let (peer, client) = (cluster.peer_address(index), cluster.ports[index]);
            let wanted = format!("address={peer},client=127.0.0.1:{client},");
            let field = format!("peer{}", index + 1);
            until("it to know where all are", || {
                cluster.info(new, &field)?.starts_with(&wanted).then_some(())
            });
        }
        let known = cluster.number(new, "log_last");
        until("a snapshot that has it, too", || {
            cluster.client(0).call_ok(&["SET", "more", "1"]);
            (cluster.number(new, "log_first") > known).then_some(())
        });
        cluster.kill_all();
        (0..4).for_each(|index| cluster.start_node(index));
        cluster.wait_for_leader();
        cluster.wait_until_converged();
    }
}

fn absent_learner_blocks_nothing(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "absent", 3, &[]);
    cluster.wait_for_leader();
    let absent = cluster.add_node();
    let address = cluster.peer_address(absent);
    cluster.ctl_until(&["add", "4", &address, "--patience-s", "1"], |code, said, complaint| {
        assert_ne!(code, Some(0), "{said}");
        complaint.contains("left as a learner")
    });
    cluster.client(0).call_ok(&["SET", "a", "1"]);
    cluster.ctl_until(&["status"], |code, said, _| {
        let absent = |line: &str| line.contains("learner") && line.contains("does not answer");
        code == Some(1) && said.lines().any(absent)
    });
    // with the learner there are four, and a majority is still two of the three that vote
    let away = (cluster.wait_for_leader() + 1) % 3;
    cluster.kill(away);
    cluster.client((away + 1) % 3).call_ok(&["SET", "a", "2"]);
    cluster.start_node(away);
    // it comes after all, at another place
    let other = cluster.add_node();
    cluster.kill(other);
    cluster.start_node(absent);
    ctl(&cluster, &["promote", "4"]);
    assert_eq!(cluster.client(absent).call_ok(&["GET", "a"]).text(), "2");
    ctl(&cluster, &["demote", "4"]);
    let mut client = cluster.client(absent);
    assert_eq!(client.call_ok(&["GET", "a"]).text(), "2", "a learner serves reads");
    client.call_ok(&["SET", "a", "3"]);
    cluster.wait_for_info(absent, "standing", "learner");
    remove(&cluster, absent);
    assert_non_member(&cluster, absent);
    // an id is used once
    cluster.ctl_until(&["add", "4", &cluster.peer_address(absent)], |code, said, complaint| {
        assert_ne!(code, Some(0), "{said}");
        complaint.contains("an id is used once")
    });
}

fn impossible_changes_are_refused(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "cannot", 3, &[]);
    for words in [&["QUORATE", "ADD", "4", "a:1"][..], &["QUORATE", "REMOVE", "1"]] {
        until_or("a follower to say who leads", || {
            let leader = cluster.leader().ok_or("there is no leader")?;
            let answer = cluster.client((leader + 1) % 3).call(words).unwrap().text();
            let wanted = format!("NOTLEADER node {} leads: ask there", leader + 1);
            if answer == wanted { Ok(()) } else { Err(answer) }
        });
    }
    for (words, wanted) in [
        (&["QUORATE", "ADD", "4"][..], "ERR wrong number of arguments"),
        (
            &["QUORATE", "ADD", "4", "nowhere"],
            "ERR a node is at HOST:PORT, and the port is missing",
        ),
        (&["QUORATE", "ADD", "0", "a:1"], "ERR a node is a number from 1 on"),
        (&["QUORATE", "REMOVE", "9"], "ERR there is no node 9"),
        (&["QUORATE", "PROMOTE", "1"], "ERR node 1 is that already"),
        (&["QUORATE", "DEMOTE", "9"], "ERR there is no node 9"),
        (&["QUORATE", "HOP"], "ERR unknown subcommand 'HOP'"),
    ] {
        until_or(&format!("{words:?} to be answered with {wanted}"), || {
            let leader = cluster.leader().ok_or("there is no leader")?;
            let answer = cluster.client(leader).call(words).unwrap().text();
            if answer.starts_with(wanted) { Ok(()) } else { Err(answer) }
        });
    }
    until_or("the leader's status", || {
        let leader = cluster.leader().ok_or("there is no leader")?;
        let status = cluster.client(leader).call_ok(&["QUORATE", "STATUS"]).text();
        let good = status.contains("role:leader") && status.contains("members_settled:1");
        if good { Ok(()) } else { Err(status) }
    });

    // a new node serves nobody until it is brought in
    let new = cluster.add_node();
    cluster.start_node(new);
    assert_non_member(&cluster, new);
    ctl(&cluster, &["add", "4", &cluster.peer_address(new), "--learner"]);
    ctl(&cluster, &["add", "4", &cluster.peer_address(new)]);
    cluster.wait_for_info(new, "standing", "voter");
    // its disk is gone, and with it what it promised
    cluster.kill(new);
    std::fs::remove_dir_all(cluster.data(new)).unwrap();
    output_until(|| cluster.command(new), 1, "node 4 is a voter of that cluster already");
    ctl(&cluster, &["demote", "4"]);
    output_until(|| cluster.command(new), 1, "node 4 was in that cluster with another disk");
    let known = |wanted: &str| {
        until("every node to know the fourth as that", || {
            let known = |index| cluster.client(index).call_ok(&["QUORATE", "NODE", "4"]).text();
            (0..3).all(|index| known(index).contains(wanted)).then_some(())
        });
    };
    known(&format!("standing:learner\r\naddress:{}", cluster.peer_address(new)));
    remove(&cluster, new);
    known(&format!("standing:no member\r\naddress:{}", cluster.peer_address(new)));
    output_until(|| cluster.command(new), 1, "node 4 was removed from that cluster");
    // who founded a cluster does not join one, and the founders stay who they were
    for (how, wanted) in [
        (["--join", "127.0.0.1:1"], "did not join its cluster, but founded it"),
        (
            ["--peers", "1=127.0.0.1:1,2=127.0.0.1:2"],
            "--peers is the list of those who founded the cluster",
        ),
    ] {
        cluster.kill(0);
        output_until(|| cluster.command_with(0, how.map(str::to_owned)), 1, wanted);
    }
}
