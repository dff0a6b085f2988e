//! `quorate-kv ctl`: the lead goes from node to node while clients write and read.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::client::Client;
use common::load::Load;
use common::{Cluster, until};

#[test]
fn nothing_is_lost_on_the_way() {
    let cluster = Cluster::start("handed", 3, &[]);
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 4, 3);
    for round in 0..6 {
        let to = cluster.wait_for_leader() + 1 + round % 2;
        let to = (to % 3 + 1).to_string();
        let before = load.acknowledged.load(SeqCst);
        // it is given up when the node lacks too much, or its disk is slow: then it is asked for again
        until("the lead to be handed over", || {
            let (code, said, complaint) = cluster.ctl(&["transfer", &to]);
            println!("{said}{complaint}");
            (code == Some(0)).then_some(())
        });
        until("writes to go on", || (load.acknowledged.load(SeqCst) > before + 50).then_some(()));
    }
    load.stop();
    cluster.wait_until_even();
    for index in 0..3 {
        load.verify(&mut cluster.client(index));
    }
    // nobody was killed: what was refused meanwhile was handed over again
    assert_eq!(load.unknown(), 0, "outcomes unknown");
}

#[test]
fn what_cannot_be_is_said() {
    let mut cluster = Cluster::start("ctl", 3, &[]);
    let leader = cluster.wait_for_leader();
    let (code, said, _) = cluster.ctl(&["status"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("leader").count(), 1, "{said}");
    assert_eq!(said.matches("follower").count(), 2, "{said}");
    let (code, said, _) = cluster.ctl(&["transfer", &(leader + 1).to_string()]);
    assert_eq!(code, Some(0));
    assert!(said.contains("leads already"), "{said}");
    let (code, _, complaint) = cluster.ctl(&["transfer", "9"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("no such node"), "{complaint}");
    assert_eq!(cluster.ctl(&["transfer", "0"]).0, Some(2));
    assert_eq!(cluster.ctl(&["promote"]).0, Some(2));
    let follower = (leader + 1) % 3;
    let refusal = cluster.client(follower).ask(&["QUORATE", "TRANSFER", "1"]).unwrap().text();
    assert!(refusal.starts_with("NOTLEADER node "), "{refusal}");
    for bad in [&["QUORATE", "TRANSFER"][..], &["QUORATE", "TRANSFER", "x"], &["QUORATE", "HOP"]] {
        assert!(cluster.client(follower).ask(bad).unwrap().text().starts_with("ERR "), "{bad:?}");
    }
    // the heir is dead: the leader leads on
    cluster.kill(follower);
    let dead = (follower + 1).to_string();
    let (code, _, complaint) = cluster.ctl(&["transfer", &dead]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("does not lead"), "{complaint}");
    let mut client = Client::connect_within(cluster.ports[leader], common::PATIENCE);
    until("the leader to take writes again", || {
        (client.ask(&["SET", "a", "1"]).ok()?.text() == "OK").then_some(())
    });
    let (code, said, _) = cluster.ctl(&["status"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("does not answer"), "{said}");
    cluster.kill_all();
    let (code, said, complaint) = cluster.ctl(&["status"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(complaint.contains("no node answers"), "{complaint}");
}
