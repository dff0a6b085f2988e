//! A directory, a cluster and those that join it are of one protocol.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use crate::common::{Cluster, Consensus, output, output_until, until};

#[test]
fn directory_of_another_protocol_is_refused() {
    for (made_with, other) in
        [(Consensus::Paxos, Consensus::Raft), (Consensus::Raft, Consensus::Paxos)]
    {
        let mut cluster = Cluster::start_on(made_with, "knows", 1, &[]);
        cluster.client(0).call_ok(&["SET", "a", "1"]);
        assert_eq!(cluster.info(0, "consensus").as_deref(), Some(made_with.name()));
        assert!(cluster.stop(0).success());
        cluster.consensus = other;
        let (code, said) = output(cluster.command(0));
        let way_out = format!("start it with --consensus {}", made_with.name());
        assert!(code == Some(1) && said.contains(&way_out), "{said}");
        fs::write(cluster.data(0).join("consensus"), "zab").unwrap();
        let (code, said) = output(cluster.command(0));
        assert!(code == Some(1) && said.contains("names no protocol"), "{said}");
        fs::write(cluster.data(0).join("consensus"), made_with.name()).unwrap();
        cluster.consensus = made_with;
        cluster.start_node(0);
        assert_eq!(cluster.client(0).call_ok(&["GET", "a"]).text(), "1");
    }
}

#[test]
fn nodes_of_two_protocols_make_no_cluster() {
    let mut cluster = Cluster::stopped("two-protocols", 2, &[]);
    cluster.start_node(0);
    cluster.consensus = Consensus::Paxos;
    cluster.start_node(1);
    until("the nodes to say why they wait", || {
        let log = fs::read_to_string(cluster.log(0)).ok()?;
        log.contains("or another protocol").then_some(())
    });
    cluster.kill_all();
    fs::remove_dir_all(cluster.data(0)).unwrap();
    (0..2).for_each(|index| cluster.start_node(index));
    cluster.wait_for_leader();
    let new = cluster.add_node();
    cluster.consensus = Consensus::Raft;
    output_until(|| cluster.command(new), 1, "start it with --consensus paxos");
    cluster.consensus = Consensus::Paxos;
    assert!(!cluster.data(new).join("joined").exists());
}
