//! Flexible quorums: all sizes of up to five acceptors, weights and a grid, against every way in which messages can be lost.

use quorate_core::{Instant, NodeId, Phase, QuorumError, Quorums, Rng, Votes};
use quorate_paxos::synod::{Config, Synod};
use quorate_paxos::{ConfigError, Inline, Member};

use crate::common::{Net, chaos};

type Node = Synod<Inline<9, 8>>;

fn nodes(members: &[Member], quorums: Quorums, seed: u64) -> Vec<Node> {
    let new = |member: &Member| {
        let mut node =
            Node::new(member.id, members, quorums, Config::lan(), seed + member.id.get()).unwrap();
        node.found();
        node
    };
    members.iter().map(new).collect()
}

fn run(members: &[Member], quorums: Quorums, seed: u64) {
    let mut net = Net::new(nodes(members, quorums, seed));
    net.sync_all();
    let mut rng = Rng::new(seed);
    let boot = |id| Node::new(id, members, quorums, Config::lan(), seed + 100).unwrap();
    chaos(&mut net, &mut rng, 400, boot, |node, now, rng| {
        let _ = node.propose(now, &[rng.below(200) as u8]);
    });
    // all come back, nothing is lost any more, and one proposes
    for member in members {
        if net.nodes[&member.id].machine.is_none() {
            net.restart(boot(member.id));
        }
    }
    let now = net.now;
    let _ = net.node(1).propose(now, b"last");
    for _ in 0..100 {
        net.settle();
        if net.nodes.values().all(|host| !host.decided.is_empty()) {
            break;
        }
        net.wait();
    }
    assert!(net.decided().is_some(), "seed {seed}, {quorums:?}");
}

#[test]
fn any_sizes_that_meet_agree() {
    for n in 1..=5_u8 {
        let members = super::members(n.into());
        for one in 1..=n {
            for two in (n - one + 1)..=n {
                let quorums = Quorums::flexible(n, one, two).unwrap();
                (0..6).for_each(|seed| run(&members, quorums, seed));
            }
        }
    }
}

/// P7, property: every quorum of phase 1 shares an acceptor with each of phase 2, and two of phase 2 need not.
#[test]
fn phases_share_an_acceptor() {
    for n in 1..=8_u8 {
        for (one, two) in (0..=n).flat_map(|one| (0..=n).map(move |two| (one, two))) {
            let Ok(quorums) = Quorums::flexible(n, one, two) else {
                assert!(one == 0 || two == 0 || one + two <= n);
                continue;
            };
            let met = |phase, set: u32| {
                quorums.is_met(phase, (0..n).map(|at| (Votes::ONE, set >> at & 1 == 1)))
            };
            for set in 0..1_u32 << n {
                let rest = !set & ((1 << n) - 1);
                assert!(!(met(Phase::One, set) && met(Phase::Two, rest)), "{n}: {one}, {two}");
            }
        }
    }
    assert!(!Quorums::flexible(4, 3, 2).unwrap().meets_itself(Phase::Two));
}

#[test]
fn weights_and_grids_agree() {
    let weighted: Vec<Member> = (1..=4)
        .map(|id| Member::new(NodeId::new(id)).with_votes(Votes::new(if id == 1 { 3 } else { 1 })))
        .collect();
    let quorums = Quorums::weighted(&[3, 1, 1, 1], 4, 3).unwrap();
    let grid = Quorums::grid(2, 3).unwrap();
    for seed in 0..30 {
        run(&weighted, quorums, seed);
        run(&super::members(6), grid, seed);
    }
}

/// Two of four in phase 2: node 1 and one other are enough to choose.
#[test]
fn small_quorum_of_phase_two_is_enough() {
    let quorums = Quorums::flexible(4, 3, 2).unwrap();
    let mut net = Net::new(nodes(&super::members(4), quorums, 1));
    net.sync_all();
    net.node(1).propose(Instant::ZERO, b"x").unwrap();
    net.poll_all();
    net.sync_all();
    net.deliver_if(|_| true);
    net.sync_all();
    net.deliver_if(|_| true);
    net.crash(3);
    net.crash(4);
    net.settle();
    assert_eq!(net.host(1).decided, [b"x"]);
}

#[test]
fn wrong_quorums_are_refused() {
    let members = super::members(3);
    let new = |quorums| Node::new(NodeId::new(1), &members, quorums, Config::lan(), 1).err();
    for quorums in [
        Quorums::majority(2),
        Quorums::majority(4),
        Quorums::flexible(4, 3, 2).unwrap(),
        Quorums::grid(2, 2).unwrap(),
        Quorums::weighted(&[2, 1, 1], 3, 2).unwrap(),
        Quorums::joint_majority(3, 3),
    ] {
        assert_eq!(new(quorums), Some(ConfigError::Quorums), "{quorums:?}");
    }
    assert_eq!(Quorums::flexible(3, 2, 1), Err(QuorumError::Disjoint { at_least: 4 }));
}
