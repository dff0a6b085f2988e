//! Raft, in every order of everything that may happen to three nodes within some bounds.
//!
//! The machine is the real one, through its encoded messages and records. Checked after every step: one leader a term, everybody
//! commits the same, and what is committed is on a majority of disks. These are the small cases; `cargo xtask model raft` has
//! the large ones, and prints how many states each has.
//!
//! Planted bugs that they find between them, among others: vote-not-persisted, vote-given-twice, quorum-off-by-one,
//! refusal-counted-as-vote, acknowledged-before-synced, leader-counts-unsynced. Figure 8 needs more elections than the bounds
//! have: that one is the simulator's to find.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::NodeId;
use quorate_raft::{Change, Config};
use quorate_raft_sim::{ModelledRaft, Request};
use quorate_sim::model::{Bounds, Exploration, explore};

fn raft(config: Config, bounds: Bounds, max_healing_us: u64) -> Exploration {
    let found = explore(
        ModelledRaft { nodes: 3, config, requests: &[Request::Propose(b"x")], max_healing_us },
        bounds,
        2,
    );
    eprintln!("{bounds:?}: {} states, {} generated", found.states, found.generated);
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    found
}

/// So many states at least; the table above has the numbers of the day it was written.
fn explore_at_least(bounds: Bounds, states: usize) {
    let found = raft(plain(), bounds, 0);
    assert!(found.states >= states, "hardly anything was explored: {found:?}");
}

/// Elections as in the paper's figure 2.
fn plain() -> Config {
    Config {
        pre_vote: false,
        check_quorum: false,
        max_entry_bytes: 8,
        max_uncommitted_bytes: 64,
        max_log_bytes: 192,
        max_snapshot_chunk_bytes: 16,
        ..Config::default()
    }
}

const NO_FAULTS: Bounds = Bounds {
    timeouts: 0,
    crashes: 0,
    erasures: 0,
    losses: 0,
    duplicates: 0,
    commands: 0,
    in_flight: 0,
    slow_disks: false,
};

#[test]
fn two_timeouts_and_a_crash() {
    explore_at_least(Bounds { timeouts: 2, crashes: 1, in_flight: 2, ..NO_FAULTS }, 10_000);
}

#[test]
fn two_timeouts_and_an_entry() {
    explore_at_least(Bounds { timeouts: 2, commands: 1, in_flight: 2, ..NO_FAULTS }, 5_000);
}

#[test]
fn entry_with_a_crash_heals() {
    let bounds = Bounds { timeouts: 1, crashes: 1, commands: 1, ..NO_FAULTS };
    let found = raft(plain(), bounds, 3_000_000);
    assert!(found.states >= 10_000, "hardly anything was explored: {found:?}");
}

#[test]
fn entry_with_a_loss_and_a_duplicate() {
    let bounds = Bounds { timeouts: 1, commands: 1, losses: 1, duplicates: 1, ..NO_FAULTS };
    explore_at_least(bounds, 20_000);
}

/// The members change, with a crash; how many states there are at least.
fn explore_changes(requests: &'static [Request], states: usize) {
    let bounds = Bounds { timeouts: 1, crashes: 1, commands: 1, in_flight: 2, ..NO_FAULTS };
    let model = ModelledRaft { nodes: 3, config: plain(), requests, max_healing_us: 0 };
    let found = explore(model, bounds, 2);
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    assert!(found.states >= states, "hardly anything was explored: {found:?}");
}

const REMOVE_ONE: &[Change] = &[Change::Remove(NodeId::new(1))];
const REMOVE_TWO: &[Change] = &[Change::Remove(NodeId::new(1)), Change::Demote(NodeId::new(2))];

#[test]
fn voter_removal_with_a_crash() {
    explore_changes(const { &[Request::Change(REMOVE_ONE)] }, 1_000);
}

#[test]
fn joint_removal_of_two_voters_with_a_crash() {
    explore_changes(const { &[Request::Change(REMOVE_TWO)] }, 1_000);
}

#[test]
fn pre_vote_and_check_quorum_heal() {
    let config = Config { pre_vote: true, check_quorum: true, ..plain() };
    let bounds = Bounds { timeouts: 2, in_flight: 2, ..NO_FAULTS };
    let found = raft(config, bounds, 3_000_000);
    assert!(found.states >= 1_000, "hardly anything was explored: {found:?}");
}
