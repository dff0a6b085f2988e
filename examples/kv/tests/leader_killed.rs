//! `kill -9` of the leader while clients write and read through every node.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::load::Load;
use crate::common::{Cluster, Consensus, until};

on_each_protocol!(
    killed_leaders_lose_no_acknowledged_write,
    node_catches_up_by_snapshot_after_compaction,
    paused_leader_serves_no_stale_reads
);

/// Kills the leader; how long it took until another led and writes were acknowledged again.
fn kill_leader(cluster: &mut Cluster, load: &Load) -> usize {
    let old = cluster.wait_for_leader();
    let epoch = cluster.number(old, "epoch");
    load.measure_gap();
    let killed = Instant::now();
    cluster.kill(old);
    let new = until("a new leader", || {
        cluster.leader().filter(|&new| new != old && cluster.number(new, "epoch") > epoch)
    });
    let elected = killed.elapsed();
    let writes = load.acknowledged.load(SeqCst);
    until("writes to go on", || (load.acknowledged.load(SeqCst) > writes + 100).then_some(()));
    let gap = load.gap();
    println!(
        "node {} killed: node {} led after {elected:?}; longest pause between acknowledged writes {gap:?}",
        old + 1,
        new + 1
    );
    // measured, not judged: the machine may have other work to do
    old
}

fn killed_leaders_lose_no_acknowledged_write(consensus: Consensus) {
    let mut cluster = Cluster::start_on(consensus, "leader", 3, &[]);
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 4, 3);
    for _ in 0..3 {
        sleep(Duration::from_millis(500));
        let old = kill_leader(&mut cluster, &load);
        sleep(Duration::from_millis(300));
        cluster.start_node(old);
        until("the node to follow", || (cluster.info(old, "leader")? != "0").then_some(()));
    }
    load.stop();
    cluster.wait_until_converged();
    for index in 0..3 {
        load.verify(&mut cluster.client(index));
        let mut client = cluster.client(index);
        client.call_ok(&["READONLY"]);
        load.verify(&mut client);
        assert_eq!(cluster.number(index, "snapshots_installed"), 0, "it caught up by the log");
    }
    println!(
        "{} acknowledged writes, {} reads, {} outcomes unknown",
        load.acknowledged.load(SeqCst),
        load.reads.load(SeqCst),
        load.unknown()
    );
}

fn node_catches_up_by_snapshot_after_compaction(consensus: Consensus) {
    let mut cluster = Cluster::start_on(
        consensus,
        "snapshot",
        3,
        &["--snapshot-entries", "200", "--keep-entries", "20"],
    );
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 4, 2);
    let away = kill_leader(&mut cluster, &load);
    let others = [(away + 1) % 3, (away + 2) % 3];
    let missed = cluster.number(others[0], "applied");
    until("the log to begin after what the node has", || {
        others.iter().all(|&index| cluster.number(index, "log_first") > missed + 50).then_some(())
    });
    cluster.start_node(away);
    until("a snapshot to be installed", || {
        (cluster.number(away, "snapshots_installed") > 0).then_some(())
    });
    load.stop();
    cluster.wait_until_converged();
    // what it has, and has again after a restart, is the same
    for _ in 0..2 {
        let mut client = cluster.client(away);
        client.call_ok(&["READONLY"]);
        load.verify(&mut client);
        load.verify(&mut cluster.client(away));
        cluster.kill(away);
        cluster.start_node(away);
        cluster.wait_for_leader();
        cluster.wait_until_converged();
    }
}

fn paused_leader_serves_no_stale_reads(consensus: Consensus) {
    let cluster = Cluster::start_on(consensus, "paused", 3, &[]);
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 4, 3);
    for _ in 0..3 {
        sleep(Duration::from_millis(300));
        let old = cluster.wait_for_leader();
        let epoch = cluster.number(old, "epoch");
        cluster.signal(old, "-STOP");
        // others elect and write; its clients wait, and their requests are there when it wakes up
        let others = [(old + 1) % 3, (old + 2) % 3];
        until("another leader", || {
            let leads = |&other: &usize| cluster.info(other, "role").as_deref() == Some("leader");
            others.iter().any(leads).then_some(())
        });
        let before = load.acknowledged.load(SeqCst);
        until("writes to go on", || (load.acknowledged.load(SeqCst) > before + 10).then_some(()));
        cluster.signal(old, "-CONT");
        until("a newer epoch everywhere", || {
            (0..3).all(|i| cluster.number(i, "epoch") > epoch).then_some(())
        });
    }
    load.stop();
    cluster.wait_until_converged();
    for index in 0..3 {
        load.verify(&mut cluster.client(index));
    }
    println!("{} outcomes unknown", load.unknown());
}
