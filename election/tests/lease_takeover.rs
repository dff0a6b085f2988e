//! With leases, too, the highest live node takes over, at whatever time it comes.
#![allow(clippy::indexing_slicing)]

use crate::common::{Cluster, Node, ids};
use quorate_core::{Drift, Machine, NodeId};
use quorate_election::{Bully, Config, Epoch, Inline, Mode, Record};

/// Node 3 of five leads with a lease, and node 5 is down; node 4 starts after 2 s and so many ms.
fn takeover(attempts: u8, offset_ms: u64) -> Option<NodeId> {
    let mode = Mode::Lease { lease_us: 300_000, drift: Drift::NONE };
    let config = Config { attempts, mode, ..Config::lan() };
    let ids = ids(&[1, 2, 3, 4, 5]);
    let mut cluster = Cluster::new(&ids, |id| Bully::<Inline<5>>::make(id, &ids, config));
    let record = Record { epoch: Epoch::ZERO };
    for node in cluster.nodes.iter_mut().flatten() {
        node.restore(record).ok();
    }
    (cluster.nodes[3], cluster.nodes[4]) = (None, None);
    cluster.run(2_000_000 + offset_ms * 1_000);
    assert_eq!(cluster.node(0).status().leader, Some(ids[2]));
    cluster.boot(3, Bully::make(ids[3], &ids, config));
    cluster.node(3).restore(record).ok();
    cluster.run(4 * config.settle_us());
    cluster.node(0).status().leader
}

#[test]
fn highest_live_node_takes_over_at_any_phase() {
    for attempts in 1..=3 {
        for offset_ms in 0..100 {
            let leader = takeover(attempts, offset_ms);
            assert_eq!(leader, Some(NodeId::new(4)), "{attempts} attempts, {offset_ms} ms");
        }
    }
}
