//! Elections in the simulator, with a failure detector on top, under every fault.
//!
//! `SEEDS=8000 cargo test --release -p quorate-election-sim --test all seeds -- --nocapture` looks further, and tells how long it took
//! to settle.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair};
use quorate_election::{Bully, Inline, Ring};
use quorate_election_sim::{ElectionMachine, ElectionSubject};
use quorate_sim::{Campaign, Subject, Summary, run, run_comparing_drain};

fn campaign<M: ElectionMachine>(seeds: u64) -> Summary {
    let more = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = more.unwrap_or(seeds);
    let campaign = Campaign { from: 1, seeds, nodes: None, threads: 2, rerun_every: 10 };
    let outcome = campaign.run::<ElectionSubject<M>>(|_| ());
    if let Some(violation) = outcome.violation {
        panic!("{violation}");
    }
    let summary = outcome.summary;
    assert!(summary.completed > 100 * seeds, "hardly anything was written: {}", summary.completed);
    for mark in ["elected", "suspected by phi", "write of an old leader refused", "pause"] {
        assert!(summary.marks.get(mark) > 0, "never happened: {mark}");
    }
    let most = summary.leader_after.last().copied().unwrap_or(0);
    eprintln!(
        "{seeds} seeds, {} messages, {} crashes, {} elections; settled after {} % of the bound at most, median {} %",
        summary.delivered,
        summary.crashes,
        summary.marks.get("elected"),
        most / 80,
        summary.leader_after.get(summary.leader_after.len() / 2).copied().unwrap_or(0) / 80,
    );
    summary
}

#[test]
fn bully() {
    let summary = campaign::<Bully<Inline<7>>>(50);
    assert!(summary.marks.get("lease held") > 0);
}

#[test]
fn collecting_ring() {
    campaign::<Ring<Collecting, Inline<7>>>(25);
}

#[test]
fn chang_roberts_ring() {
    campaign::<Ring<ChangRoberts, Inline<7>>>(25);
}

#[test]
fn hirschberg_sinclair_ring() {
    campaign::<Ring<HirschbergSinclair, Inline<28>>>(25);
}

/// `drain` makes what repeated `poll` makes, before each input and after, and comparing them changes no run.
#[test]
fn drain_matches_poll() {
    fn check<S: Subject<Machine: Clone>>(seed: u64) {
        let compared = run_comparing_drain::<S>(seed, None);
        assert_eq!(compared.unwrap(), run::<S>(seed, None, false).unwrap());
    }
    (1..=3).for_each(check::<ElectionSubject<Bully<Inline<7>>>>);
    (1..=3).for_each(check::<ElectionSubject<Ring<Collecting, Inline<7>>>>);
    (1..=3).for_each(check::<ElectionSubject<Ring<ChangRoberts, Inline<7>>>>);
    (1..=3).for_each(check::<ElectionSubject<Ring<HirschbergSinclair, Inline<28>>>>);
}

/// A leader that has just been elected asks at once whether it is followed: if it waited for its heartbeat, a node with a later
/// epoch would begin another election before it goes on.
#[test]
fn newly_elected_leader_asks_about_a_rival_at_once() {
    run::<ElectionSubject<Ring<Collecting, Inline<7>>>>(9489, None, false).unwrap();
}
