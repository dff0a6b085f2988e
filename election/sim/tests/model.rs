//! Elections, in every order of everything that may happen to a few nodes. `cargo xtask model` looks further.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Config, Inline, Mode, Ring, Takeover};
use quorate_election_sim::{ElectionMachine, ModelledElection};
use quorate_sim::model::{Bounds, explore};

type BullyNode = Bully<Inline<5>>;

fn check<M: ElectionMachine>(nodes: usize, config: Config, bounds: Bounds) {
    let config = Config { attempts: 1, ..config };
    let found = explore(ModelledElection::<M>::new(nodes, config), bounds, 2);
    eprintln!("{nodes} nodes, {:?}, {bounds:?}: {found:?}", config.mode);
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    assert!(found.states > 500, "hardly anything was explored: {found:?}");
}

/// A few messages in flight at a time: more are lost.
const FEW: Bounds = Bounds {
    timeouts: 1,
    crashes: 1,
    erasures: 0,
    losses: 0,
    duplicates: 0,
    commands: 0,
    in_flight: 3,
    slow_disks: false,
};

const KEEP: Config = Config { takeover: Takeover::Keep, ..Config::lan() };

#[test]
fn three_bully_nodes() {
    check::<BullyNode>(3, Config::lan(), Bounds { in_flight: 2, ..FEW });
}

#[test]
fn three_bully_nodes_that_keep_their_leader() {
    check::<BullyNode>(3, KEEP, Bounds { in_flight: 0, losses: 1, ..FEW });
}

#[test]
fn three_bully_nodes_that_need_a_quorum() {
    check::<BullyNode>(3, Config { mode: Mode::Quorum, ..KEEP }, FEW);
}

#[test]
fn three_bully_nodes_with_an_erased_disk() {
    let bounds = Bounds { crashes: 0, erasures: 1, in_flight: 2, ..FEW };
    check::<BullyNode>(3, Config { mode: Mode::Quorum, ..KEEP }, bounds);
}

#[test]
fn five_bully_nodes() {
    check::<BullyNode>(5, Config::lan(), Bounds { in_flight: 2, ..FEW });
}

#[test]
fn rings_of_three() {
    let bounds = Bounds { timeouts: 2, in_flight: 2, ..FEW };
    check::<Ring<Collecting, Inline<8>>>(3, KEEP, bounds);
    check::<Ring<ChangRoberts, Inline<8>>>(3, KEEP, bounds);
    check::<Ring<HirschbergSinclair, Inline<8>>>(3, KEEP, Bounds { timeouts: 1, ..bounds });
}
