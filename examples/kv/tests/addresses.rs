//! Where members are: nothing moves one by accident.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Consensus, until};

on_each_protocol!(
    member_moves_only_by_explicit_command,
    only_added_nodes_get_an_address,
    moved_members_are_found_after_downtime
);

fn member_moves_only_by_explicit_command(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "moves", 3, &[]);
    cluster.wait_for_leader();
    let new = cluster.add_node();
    cluster.start_node(new);
    let at = cluster.peer_address(new);
    until("the node to be in", || (cluster.ctl(&["add", "4", &at]).0 == Some(0)).then_some(()));
    let ask = |words: &[&str]| {
        until("the leader's answer", || {
            let answer = cluster.client(cluster.leader()?).call(words).ok()?.text();
            (!answer.starts_with("NOTLEADER") && !answer.starts_with("CLUSTERDOWN"))
                .then_some(answer)
        })
    };
    let place = |index: usize| cluster.info(index, "peer4").unwrap_or_default();
    until("all to know where it is", || {
        (0..4).all(|index| place(index).contains(&format!("address={at},client=127"))).then_some(())
    });
    // what was meant for another node moves none
    for (id, other) in [("4", "127.0.0.1:1"), ("1", "127.0.0.1:1")] {
        let answer = ask(&["QUORATE", "ADD", id, other]);
        assert!(
            answer.contains("is a member already, at ") && answer.contains("QUORATE MOVE"),
            "{answer}"
        );
        let (code, _, complaint) = cluster.ctl(&["add", id, other]);
        assert_eq!(code, Some(1));
        assert!(complaint.contains("ctl move"), "{complaint}");
    }
    assert_eq!(ask(&["QUORATE", "ADD", "4", &at]), "OK", "where it is, it may be said again");
    assert!((0..4).all(|index| place(index).contains(&format!("address={at},"))));
    for (words, wanted) in [
        (&["QUORATE", "MOVE", "9", "a:1"][..], "ERR there is no node 9"),
        (&["QUORATE", "MOVE", "4"], "ERR wrong number of arguments"),
        (
            &["QUORATE", "MOVE", "4", "nowhere"],
            "ERR a node is at HOST:PORT, and the port is missing",
        ),
    ] {
        let answer = ask(words);
        assert!(answer.starts_with(wanted), "{answer}");
    }
    let follower = (0..3).find(|&index| Some(index) != cluster.leader()).unwrap();
    let founder = (follower + 1).to_string();
    let answer = ask(&["QUORATE", "MOVE", &founder, "a:1"]);
    assert!(
        answer.contains("by --peers of this node") || answer.contains("is this one"),
        "{answer}"
    );
    // the address that --peers has may be entered, for nodes that joined later
    let answer = ask(&["QUORATE", "MOVE", &founder, &cluster.peer_address(follower)]);
    assert!(answer == "OK" || answer.contains("is this one"), "{answer}");
    // where nobody is, nobody is found, until another move
    let relocate = |to: &str| {
        until("the move", || {
            let (code, said, complaint) = cluster.ctl(&["move", "4", to]);
            println!("{said}{complaint}");
            (code == Some(0)).then_some(())
        });
    };
    relocate("127.0.0.1:1");
    until("the others to know", || {
        (0..3).all(|index| place(index).contains("address=127.0.0.1:1,client=127")).then_some(())
    });
    relocate(&at);
    until("it to be back", || {
        (0..4).all(|index| place(index).contains(&format!("address={at},"))).then_some(())
    });
    let mut client = cluster.client(new);
    until("it to serve", || (client.call(&["SET", "a", "1"]).ok()?.text() == "OK").then_some(()));
}

fn only_added_nodes_get_an_address(consensus: Consensus) {
    let cluster = Cluster::start_on(consensus, "invented", 3, &[]);
    cluster.wait_for_leader();
    until("the founders to be entered", || {
        (cluster.number(cluster.leader()?, "addresses") == 3).then_some(())
    });
    let leader = cluster.wait_for_leader();
    let mut client = cluster.client(leader);
    // there is room for fifteen members: the others change nothing
    let mut added = 0;
    for id in 100..130 {
        let answer = until("an answer", || {
            let (id, address) = (id.to_string(), format!("127.0.0.1:{id}"));
            let answer = client.call(&["QUORATE", "ADD", &id, &address]).ok()?.text();
            (!answer.starts_with("TRYAGAIN")).then_some(answer)
        });
        added += u64::from(answer == "OK");
        assert!(answer == "OK" || answer.starts_with("ERR "), "{answer}");
    }
    assert_eq!(added, 12);
    until("what was added to be entered", || {
        (cluster.number(leader, "addresses") == 3 + added).then_some(())
    });
}

/// Those that did not hear of it are told by the node itself, in its hello.
fn moved_members_are_found_after_downtime(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "moved", 3, &[]);
    cluster.wait_for_leader();
    let joined = cluster.add_node();
    cluster.start_node(joined);
    let at = cluster.peer_address(joined);
    until("the node to be in", || (cluster.ctl(&["add", "4", &at]).0 == Some(0)).then_some(()));
    cluster.wait_until_converged();
    // every founder is needed, and the joined node: it moves without being entered first
    cluster.kill(0);
    assert!(cluster.stop(joined).success());
    cluster.change_peer_port(joined);
    cluster.start_node(joined);
    assert_eq!(cluster.client(joined).call_ok(&["SET", "a", "1"]).text(), "OK");
    let place = |cluster: &Cluster, index: usize, of: usize| {
        cluster.info(index, &format!("peer{}", of + 1)).unwrap_or_default()
    };
    let moved = cluster.peer_address(joined);
    until("it to enter itself", || {
        (1..3).all(|i| place(&cluster, i, joined).contains(&moved)).then_some(())
    });
    cluster.start_node(0);
    cluster.wait_until_converged();
    // a founder moves, with new --peers for all of them, while the joined node is away
    (0..4).for_each(|index| assert!(cluster.stop(index).success()));
    cluster.change_peer_port(1);
    (0..3).for_each(|index| cluster.start_node(index));
    cluster.client(0).call_ok(&["SET", "b", "1"]);
    // nobody else is left to tell it: the one that moved leads
    until("the founder that moved to lead", || {
        (cluster.leader() == Some(1) || cluster.ctl(&["transfer", "2"]).0 == Some(0)).then_some(())
    });
    cluster.start_node(joined);
    assert_eq!(cluster.client(joined).call_ok(&["GET", "b"]).text(), "1");
}
