//! A node that is removed while it is away learns of it when it is back, and leaves the others in peace.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Consensus, until};

on_each_protocol!(node_removed_while_down_learns_of_its_removal);

fn node_removed_while_down_learns_of_its_removal(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "removed-away", 3, &[]);
    let leader = cluster.wait_for_leader();
    cluster.wait_until_converged();
    let away = (0..3).find(|&index| index != leader).unwrap();
    cluster.kill(away);
    let id = (away + 1).to_string();
    until("the node to be out", || {
        let (code, said, complaint) = cluster.ctl(&["remove", &id]);
        println!("$ ctl remove {id}\n{said}{complaint}");
        (code == Some(0) || complaint.contains("no node")).then_some(())
    });
    let left: Vec<usize> = (0..3).filter(|&index| index != away).collect();
    // longer than any leader tells it
    until("the ways to be closed", || {
        left.iter().all(|&i| cluster.info(i, "links").as_deref() == Some("1")).then_some(())
    });
    // one that starts after the removal has never had a way to it
    let fresh = left.iter().copied().find(|&index| index != leader).unwrap();
    assert!(cluster.stop(fresh).success());
    cluster.start_node(fresh);
    cluster.wait_for_leader();
    until("the other way to be open", || (cluster.info(fresh, "links")? == "1").then_some(()));
    cluster.start_node(away);
    until("the node to know", || {
        let removed = cluster.number(away, "removed") > 0;
        (removed || cluster.info(away, "standing")? == "no member").then_some(())
    });
    let mut client = cluster.client(away);
    until("the node to serve nobody", || {
        client.call(&["GET", "a"]).unwrap().text().starts_with("NOTMEMBER ").then_some(())
    });
    // with Multi-Paxos it is told as one that was not away
    let shown = match consensus {
        Consensus::Raft => "was removed while it was cut off",
        Consensus::Paxos => "no member",
    };
    until("the status to show it", || {
        let (_, said, _) = cluster.ctl(&["status"]);
        said.contains(shown).then_some(())
    });
    until("it to try no more", || (cluster.info(away, "links")? == "0").then_some(()));
    assert_eq!(cluster.info(away, "role").as_deref(), Some("follower"));
    let log = std::fs::read_to_string(cluster.log(away)).unwrap();
    let logged = log.contains("was removed from the cluster while it was cut off");
    assert_eq!(logged, consensus == Consensus::Raft, "{log}");
    until("the ways to it to be closed", || {
        left.iter().all(|&i| cluster.info(i, "links").as_deref() == Some("1")).then_some(())
    });
    for &index in &left {
        assert_eq!(cluster.info(index, "peers").as_deref(), Some("2"));
    }
}
