//! `kill -9` of all nodes at a random moment under load, again and again: every acknowledged write is there.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::load::Load;
use crate::common::{Cluster, Consensus, until};

on_each_protocol!(acknowledged_writes_survive_killing_all_nodes);

fn acknowledged_writes_survive_killing_all_nodes(consensus: Consensus) {
    let rounds =
        std::env::var("QUORATE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let seed = std::env::var("QUORATE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("{rounds} rounds; the moments are those of QUORATE_SEED={seed}");
    let mut moments = quorate_core::Rng::new(seed);
    // small limits, so that the moments fall into snapshots and compactions as well
    let mut cluster = Cluster::start_on(
        consensus,
        "all-killed",
        3,
        &["--snapshot-entries", "300", "--keep-entries", "50"],
    );
    cluster.wait_for_leader();
    let mut load = Load::start(&cluster.ports, 6, 2);
    for round in 1..=rounds {
        let before = load.acknowledged.load(SeqCst);
        until("some writes", || (load.acknowledged.load(SeqCst) > before + 10).then_some(()));
        sleep(Duration::from_millis(moments.range(0, 1_100)));
        cluster.kill_all();
        load.stop();
        let acknowledged = load.acknowledged.load(SeqCst);
        let begin = Instant::now();
        for index in 0..cluster.len() {
            cluster.start_node(index);
        }
        cluster.wait_for_leader();
        for index in 0..cluster.len() {
            load.verify(&mut cluster.client(index));
        }
        println!(
            "round {round}: {acknowledged} writes acknowledged so far, all there; served again after {:?}",
            begin.elapsed()
        );
        load.resume(&cluster.ports, 2);
    }
    load.stop();
    assert!(load.acknowledged.load(SeqCst) > 100, "hardly anything was written");
}
