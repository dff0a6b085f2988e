//! Nodes with equal seeds that start together: the node id is mixed into the seed, or all would campaign at the same times.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Output, Rng, Wire};
use quorate_raft::{Config, Inline, Message, Raft, Role};

type Node = Raft<Inline<7, 8192, 256, 64>>;

/// The latency of a message in µs.
const DELAY_US: u64 = 2_000;

/// The time in µs until a leader is elected; `None` after 60 election timeouts.
fn elected_after(nodes: u64, seed: impl Fn(NodeId) -> u64, config: &Config) -> Option<u64> {
    let ids: Vec<NodeId> = (1..=nodes).map(NodeId::new).collect();
    let mut rafts: Vec<Node> =
        ids.iter().map(|&id| Raft::new(id, &ids, config.clone(), seed(id)).unwrap()).collect();
    // by arrival, then in the order in which they were sent
    let mut net: BTreeMap<(u64, usize), (usize, usize, Vec<u8>)> = BTreeMap::new();
    let (mut now, mut sent) = (0, 0);
    while now < 60 * config.election_max_us {
        for (at, raft) in rafts.iter_mut().enumerate() {
            raft.tick(Instant::from_micros(now));
            while let Some(output) = raft.poll() {
                match output {
                    Output::Persist(ticket, _) => raft.persisted(ticket),
                    Output::Send(to, message) => {
                        let mut bytes = vec![0; message.encoded_len()];
                        message.to_slice(&mut bytes).unwrap();
                        sent += 1;
                        net.insert((now + DELAY_US, sent), (at, to.get() as usize - 1, bytes));
                    }
                    Output::Event(_) => {}
                }
            }
        }
        if rafts.iter().any(|raft| raft.status().role == Role::Leader) {
            return Some(now);
        }
        let deadlines = rafts.iter().filter_map(Raft::deadline).map(|at| at.as_micros());
        let arrivals = net.keys().map(|&(at, _)| at);
        now = deadlines.chain(arrivals).min().unwrap_or(u64::MAX).max(now);
        while let Some(entry) = net.first_entry().filter(|entry| entry.key().0 <= now) {
            let (from, to, bytes) = entry.remove();
            let message = Message::from_slice(&bytes).unwrap();
            let _ = rafts[to].receive(Instant::from_micros(now), ids[from], message);
        }
    }
    None
}

#[test]
fn nodes_with_one_seed_elect_a_leader_soon() {
    for config in [Config::default(), Config::lan(), Config::wan(), Config::radio()] {
        for nodes in [3, 5, 7] {
            for seed in [0, 1, 7, 42, u64::MAX] {
                let after = elected_after(nodes, |_| seed, &config);
                let soon = 3 * config.election_max_us;
                assert!(after.is_some_and(|after| after <= soon), "{nodes} {seed}: {after:?}");
            }
        }
    }
}

#[test]
fn nodes_with_seeds_derived_from_their_ids_elect_a_leader_soon() {
    // ways to derive a different seed for each node
    let ways: [fn(NodeId) -> u64; 4] = [
        |id| id.get(),
        |id| !id.get(),
        |id| Rng::new(id.get()).next_u64(),
        |id| Rng::new(id.get()).fork().next_u64(),
    ];
    for config in [Config::default(), Config::lan(), Config::wan(), Config::radio()] {
        for nodes in [3, 5, 7] {
            for (way, seed) in ways.iter().enumerate() {
                let after = elected_after(nodes, seed, &config);
                let soon = 3 * config.election_max_us;
                assert!(after.is_some_and(|after| after <= soon), "{nodes} {way}: {after:?}");
            }
        }
    }
}
