//! `quorate-kv ctl`: leadership moves from node to node while clients write and read.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::Ordering::SeqCst;

use crate::common::load::Load;
use crate::common::{Cluster, Consensus, until};

on_each_protocol!(transfers_lose_nothing_under_load, impossible_transfers_are_refused);

fn transfers_lose_nothing_under_load(consensus: Consensus) {
    let cluster = Cluster::start_on(consensus, "transfer", 3, &[]);
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 4, 3);
    for round in 0..6 {
        let to = cluster.wait_for_leader() + 1 + round % 2;
        let to = (to % 3 + 1).to_string();
        let before = load.acknowledged.load(SeqCst);
        // it is given up when the node lacks too much, or its disk is slow: then it is asked for again
        until("leadership to be transferred", || {
            let (code, said, complaint) = cluster.ctl(&["transfer", &to]);
            println!("{said}{complaint}");
            (code == Some(0)).then_some(())
        });
        until("writes to go on", || (load.acknowledged.load(SeqCst) > before + 50).then_some(()));
    }
    load.stop();
    cluster.wait_until_converged();
    for index in 0..3 {
        load.verify(&mut cluster.client(index));
    }
    // nobody was killed: what was refused meanwhile was sent again
    assert_eq!(load.unknown(), 0, "outcomes unknown");
}

fn impossible_transfers_are_refused(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "ctl", 3, &[]);
    cluster.wait_for_leader();
    cluster.ctl_until(&["status"], |code, said, _| {
        let roles = [said.matches("leader").count(), said.matches("follower").count()];
        code == Some(0) && roles == [1, 2]
    });
    until("a transfer to the leader to be none", || {
        let leader = (cluster.leader()? + 1).to_string();
        let (code, said, _) = cluster.ctl(&["transfer", &leader]);
        (code == Some(0) && said.contains("is the leader already")).then_some(())
    });
    cluster.ctl_until(&["transfer", "9"], |code, _, complaint| {
        code == Some(1) && complaint.contains("no such node")
    });
    assert_eq!(cluster.ctl(&["transfer", "0"]).0, Some(2));
    assert_eq!(cluster.ctl(&["promote"]).0, Some(2));
    // before the verb or after it
    let nodes = format!("127.0.0.1:{}", cluster.ports[0]);
    cluster.ctl_until(&["status", "--nodes", &nodes], |code, _, _| code == Some(0));
    // one that was named and does not answer is something to report
    let more = format!("{nodes},127.0.0.1:1");
    let (code, said, _) = cluster.ctl(&["status", "--nodes", &more]);
    assert_eq!(code, Some(1), "{said}");
    until("a follower to say who leads", || {
        let follower = (cluster.leader()? + 1) % 3;
        let refusal = cluster.client(follower).call(&["QUORATE", "TRANSFER", "1"]).unwrap().text();
        refusal.starts_with("NOTLEADER node ").then_some(())
    });
    let leader = cluster.wait_for_leader();
    let follower = (leader + 1) % 3;
    for bad in [&["QUORATE", "TRANSFER"][..], &["QUORATE", "TRANSFER", "x"], &["QUORATE", "HOP"]] {
        assert!(cluster.client(follower).call(bad).unwrap().text().starts_with("ERR "), "{bad:?}");
    }
    // a node that is dead does not get to lead; the others go on
    cluster.kill(follower);
    let dead = (follower + 1).to_string();
    cluster.ctl_until(&["transfer", &dead], |code, said, complaint| {
        assert_ne!(code, Some(0), "node {dead} is dead: {said}");
        complaint.contains("is not the leader after")
    });
    cluster.client(leader).call_ok(&["SET", "a", "1"]);
    cluster.ctl_until(&["status"], |code, said, _| {
        code == Some(1) && said.contains("does not answer")
    });
    cluster.kill_all();
    cluster.ctl_until(&["status"], |code, _, complaint| {
        code == Some(1) && complaint.contains("no node answers")
    });
}
