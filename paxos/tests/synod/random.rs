//! Random faults: one value at most, and one in the end.

use quorate_core::Rng;
use quorate_paxos::synod::{Config, Learning};

use super::{net, node};
use crate::common::chaos;

#[test]
fn one_value_is_chosen_whatever_happens() {
    let mut chosen = 0;
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let n = 1 + rng.below(5);
        let learning =
            [Learning::Proposer, Learning::Distinguished, Learning::Direct][rng.below(3) as usize];
        let config = Config { learning, ..Config::lan() };
        let mut net = net(n, config);
        chaos(
            &mut net,
            &mut rng,
            600,
            |id| node(id.get(), n, config),
            |node, now, rng| match rng.below(4) {
                0 => node.learn(now),
                _ => {
                    let _ = node.propose(now, &rng.next_u64().to_le_bytes());
                }
            },
        );
        chosen += usize::from(net.decided().is_some());
        for id in net.ids() {
            if net.nodes[&id].machine.is_none() {
                net.restart(node(id.get(), n, config));
            }
            let now = net.now;
            net.node(id.get()).learn(now);
        }
        let now = net.now;
        let _ = net.node(1).propose(now, b"last");
        for _ in 0..200 {
            net.settle();
            if net.nodes.values().all(|host| host.machine.as_ref().unwrap().decided().is_some()) {
                break;
            }
            net.wait();
        }
        assert!(net.decided().is_some(), "seed {seed}: nothing was chosen");
        for id in net.ids() {
            assert!(net.node(id.get()).decided().is_some(), "seed {seed}: node {id} does not know");
        }
    }
    assert!(chosen > 100, "the faults leave nothing to choose: {chosen} of 300");
}
