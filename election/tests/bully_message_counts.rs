//! Bully sends exactly as many messages as theory says.
#![allow(clippy::unwrap_used)]

use crate::common::{Cluster, ids};
use quorate_core::Machine;
use quorate_election::{Bully, Config, Counts, Inline, Mode, Role, Takeover};

type Node = Bully<Inline<32>>;

fn total(cluster: &Cluster<Node>) -> Counts {
    let mut total = Counts::default();
    for node in cluster.nodes.iter().flatten() {
        total.election += node.counts().election;
        total.answer += node.counts().answer;
        total.coordinator += node.counts().coordinator;
    }
    total
}

/// `n` nodes that follow the highest, which then crashes.
fn without_leader(n: u64, config: Config) -> Cluster<Node> {
    let ids = ids(&(1..=n).collect::<Vec<_>>());
    // heartbeats and the own timeout stay out of the count
    let config = Config { leader_timeout_us: 60_000_000, ..config };
    let config = Config { heartbeat_us: 30_000_000, outcome_timeout_us: 20_000_000, ..config };
    let mut cluster = Cluster::new(&ids, |id| Bully::new(id, &ids, config).unwrap());
    cluster.tick();
    let (now, last) = (cluster.now, ids.len() - 1);
    cluster.node(last).campaign(now); // if leaders are kept, nobody does at once
    cluster.deliver_all();
    cluster.run(1_000_000);
    for node in cluster.nodes.iter().flatten() {
        assert_eq!(node.status().leader, ids.last().copied());
    }
    *cluster.nodes.last_mut().unwrap() = None;
    cluster
}

#[test]
fn election_by_any_initiator() {
    for n in 2..=9_u32 {
        for first in 1..n {
            for attempts in [1, 3] {
                let config = Config { attempts: attempts as u8, ..Config::lan() };
                let mut cluster = without_leader(n.into(), config);
                let before = total(&cluster);
                let (now, dead) = (cluster.now, cluster.ids[n as usize - 1]);
                cluster.node(first as usize - 1).suspect(now, dead);
                cluster.deliver_all();
                cluster.run(1_000_000);
                let after = total(&cluster);
                // nodes first to n - 1 each ask all higher ones, and are answered by those that live
                let m = n - first;
                // and the second highest alone goes on asking, the one that is dead
                let again = attempts - 1;
                assert_eq!(after.election - before.election, m * (m + 1) / 2 + again);
                assert_eq!(after.answer - before.answer, m * (m - 1) / 2);
                assert_eq!(after.coordinator - before.coordinator, n - 1);
                for node in cluster.nodes.iter().flatten() {
                    assert_eq!(node.status().leader.map(|id| id.get()), Some(u64::from(n) - 1));
                }
            }
        }
    }
}

/// Where a majority keeps its leader, all are asked whether they miss it, too.
#[test]
fn election_by_all_with_sticky_quorum() {
    for n in 3..=9_u32 {
        for attempts in [1, 3] {
            let (mode, takeover) = (Mode::Quorum, Takeover::Keep);
            let config = Config { attempts: attempts as u8, mode, takeover, ..Config::lan() };
            let mut cluster = without_leader(n.into(), config);
            let before = total(&cluster);
            let (now, dead) = (cluster.now, cluster.ids[n as usize - 1]);
            (1..n as usize).for_each(|at| cluster.node(at - 1).suspect(now, dead));
            cluster.deliver_all();
            cluster.run(1_000_000);
            let after = total(&cluster);
            // and the second highest alone goes on asking, the one that is dead
            let m = n - 1;
            assert_eq!(after.election - before.election, m * m + attempts - 1);
            assert_eq!(after.answer - before.answer, m * (m - 1));
            assert_eq!(after.coordinator - before.coordinator, m);
            for node in cluster.nodes.iter().flatten() {
                assert_eq!(node.status().leader.map(|id| id.get()), Some(u64::from(n) - 1));
            }
        }
    }
}

#[test]
fn highest_takes_over_with_one_coordinator_each() {
    let mut cluster = without_leader(5, Config { attempts: 1, ..Config::lan() });
    let (now, dead) = (cluster.now, cluster.ids[4]);
    cluster.node(0).suspect(now, dead);
    cluster.deliver_all();
    cluster.run(1_000_000);
    let before = total(&cluster);
    let ids = cluster.ids.clone();
    cluster.nodes[4] = Some(Bully::new(ids[4], &ids, Config::lan()).unwrap());
    let record = quorate_election::Record { epoch: cluster.node(3).status().epoch };
    cluster.node(4).restore(record).unwrap();
    cluster.tick();
    let after = total(&cluster);
    assert_eq!(cluster.node(4).status().role, Role::Leader);
    assert_eq!(after.coordinator - before.coordinator, 4);
    assert_eq!((after.election, after.answer), (before.election, before.answer));
}
