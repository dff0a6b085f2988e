//! Bully, in every order of everything that may happen to a few nodes.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_election::{Config, Mode, Takeover};
use quorate_sim::election::ModelledBully;
use quorate_sim::model::{Bounds, Found, explore};

fn bully(nodes: usize, config: Config, bounds: Bounds) -> Found {
    let found = explore(ModelledBully { nodes, config }, bounds, 2);
    eprintln!("{nodes} nodes, {:?}, {bounds:?}: {found:?}", config.mode);
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    found
}

/// A few messages in flight at a time: more are lost.
const FEW: Bounds = Bounds {
    timeouts: 1,
    crashes: 1,
    losses: 0,
    duplicates: 0,
    commands: 0,
    in_flight: 3,
    slow_disks: false,
};

fn config() -> Config {
    Config { attempts: 1, ..Config::lan() }
}

#[test]
fn three_bullies() {
    let found = bully(3, config(), FEW);
    assert!(found.states > 10_000, "hardly anything was explored: {found:?}");
}

#[test]
fn three_that_keep_their_leader() {
    let bounds = Bounds { in_flight: 0, losses: 1, ..FEW };
    bully(3, Config { takeover: Takeover::Keep, ..config() }, bounds);
}

#[test]
fn three_that_need_a_quorum() {
    let config = Config { mode: Mode::Quorum, takeover: Takeover::Keep, ..config() };
    bully(3, config, Bounds { in_flight: 4, ..FEW });
}

#[test]
fn five_bullies() {
    bully(5, config(), Bounds { in_flight: 2, ..FEW });
}
