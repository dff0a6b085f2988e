//! The abstract algorithm by itself, and the machines against it, in every order of everything that may happen to a few nodes.
//! `cargo xtask model paxos` looks further.
#![allow(clippy::panic)]

use quorate_paxos_sim::abstract_paxos::{Rules, explore as explore_abstract};
use quorate_paxos_sim::multi::ModelledMulti;
use quorate_paxos_sim::{Layout, ModelledSynod};
use quorate_sim::model::{Bounds, explore};

const fn rules(acceptors: usize, one: usize, two: usize) -> Rules {
    Rules { acceptors, one, two, hears_of_votes: false }
}

fn states(acceptors: usize, one: usize, two: usize, values: &[u8]) -> usize {
    let (states, disagree) = explore_abstract(&rules(acceptors, one, two), &[0, 1], values);
    assert!(!disagree, "two values were chosen with quorums of {one} and {two} of {acceptors}");
    states
}

#[test]
fn abstract_algorithm_has_so_many_states() {
    assert_eq!(states(1, 1, 1, &[1]), 25);
    assert_eq!(states(3, 2, 2, &[1, 2]), 3_921);
    assert_eq!(states(3, 3, 1, &[1, 2]), 513);
    assert_eq!(states(3, 1, 3, &[1, 2]), 12_513);
    assert_eq!(states(4, 2, 3, &[1, 2]), 97_793);
    assert_eq!(states(4, 3, 2, &[1, 2]), 20_609);
}

/// Quorums of the two phases that need not share an acceptor (Howard, Malkhi and Spiegelman, "Flexible Paxos", 2016, section 4).
#[test]
fn quorums_that_do_not_meet_choose_two_values() {
    for (one, two) in [(1, 1), (2, 1), (1, 2)] {
        assert!(explore_abstract(&rules(3, one, two), &[0, 1], &[1, 2]).1, "{one} and {two} of 3");
    }
}

/// What candidates of a log are told may be told on, without harm.
#[test]
fn promises_that_tell_of_the_votes_of_others_are_as_safe() {
    const TWO: &[u8] = &[0, 1];
    const THREE: &[u8] = &[0, 1, 2];
    let cases = [
        (3, 2, 2, TWO, 6_369),
        (3, 3, 1, TWO, 789),
        (3, 1, 3, TWO, 19_149),
        (2, 2, 1, THREE, 2_269),
        (2, 1, 2, THREE, 24893),
    ];
    for (acceptors, one, two, ballots, states) in cases {
        let rules = Rules { hears_of_votes: true, ..rules(acceptors, one, two) };
        let (found, disagree) = explore_abstract(&rules, ballots, &[1, 2]);
        let case = format!("quorums of {one} and {two} of {acceptors}, {} ballots", ballots.len());
        assert!(!disagree, "two values were chosen: {case}");
        assert_eq!(found, states, "{case}");
    }
}

const FEW: Bounds = Bounds {
    timeouts: 0,
    crashes: 0,
    erasures: 0,
    losses: 0,
    duplicates: 0,
    commands: 2,
    in_flight: 2,
    slow_disks: true,
};

fn refines(subject: ModelledSynod, bounds: Bounds) {
    let found = explore(subject, bounds, 2);
    eprintln!("{subject:?}, {bounds:?}: {found:?}");
    if let Some(violation) = &found.violation {
        panic!("{violation}");
    }
    assert!(found.states > 500, "hardly anything was explored: {found:?}");
}

const fn synod(roles: Layout, one: u8, two: u8) -> ModelledSynod {
    ModelledSynod { roles, one, two, proposing: 2 }
}

#[test]
fn nodes_with_all_roles_refine_the_algorithm() {
    refines(synod(Layout::Together(3), 2, 2), FEW);
}

#[test]
fn nodes_that_crash_refine_the_algorithm() {
    let bounds = Bounds { crashes: 1, commands: 1, ..FEW };
    refines(synod(Layout::Together(3), 2, 2), bounds);
}

#[test]
fn nodes_with_flexible_quorums_refine_the_algorithm() {
    refines(synod(Layout::Together(3), 3, 1), FEW);
    refines(synod(Layout::Together(3), 1, 3), FEW);
}

#[test]
fn roles_apart_refine_the_algorithm() {
    refines(synod(Layout::Apart(3), 2, 2), FEW);
}

/// Two candidates, of which each proposes a command if it leads. What the verb looks at has ten to a hundred times the states.
#[test]
fn each_slot_of_a_log_refines_the_algorithm() {
    let log = Bounds { timeouts: 2, commands: 2, in_flight: 3, ..FEW };
    for (one, two) in [(2, 2), (3, 1), (1, 3)] {
        let subject = ModelledMulti { nodes: 3, one, two, proposals: 1 };
        let found = explore(subject, log, 2);
        eprintln!("{subject:?}, {log:?}: {found:?}");
        if let Some(violation) = &found.violation {
            panic!("{violation}");
        }
        assert!(found.states >= 1_000, "hardly anything was explored: {found:?}");
    }
}
