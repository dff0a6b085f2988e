//! What changes do, and how proposers get along.

use quorate_core::Quorums;
use quorate_paxos::Ballot;
use quorate_paxos::register::{Change, Outcome, SubmitError};

use super::net::Net;

#[test]
fn every_node_reads_what_any_node_wrote() {
    let mut net = Net::new(3);
    for (id, value) in [(1, b"a"), (2, b"b"), (3, b"c"), (1, b"d")] {
        net.set(id, value);
        for reader in 1..=3 {
            assert_eq!(net.read(reader).as_deref(), Some(&value[..]));
        }
    }
}

#[test]
fn version_is_that_of_the_last_change() {
    let mut net = Net::new(3);
    let version = net.set(1, b"a");
    for reader in [2, 3, 1] {
        assert_eq!(net.change(reader, b"k", Change::Read).1, version);
    }
    let swap = |version, value| Change::CompareAndSet { version, value };
    let (outcome, second, value) = net.change(2, b"k", swap(version, b"b"));
    assert_eq!((outcome, value.as_deref()), (Outcome::Applied, Some(&b"b"[..])));
    assert!(second > version);
    // refused with what is there now
    let answer = net.change(3, b"k", swap(version, b"c"));
    assert_eq!(answer, (Outcome::Refused, second, Some(b"b".to_vec())));
    assert_eq!(net.change(3, b"k", swap(Ballot::ZERO, b"c")).0, Outcome::Refused);
    net.delete(3);
    assert_eq!(net.change(1, b"k", swap(Ballot::ZERO, b"d")).0, Outcome::Applied);
}

/// A swap that is refused tells a state that is chosen: otherwise a later read could tell an older one.
#[test]
fn refused_swap_completes_what_it_saw() {
    let mut net = Net::new(3);
    let old = net.set(1, b"a");
    net.settle();
    // node 1 has accepted b, and nobody else
    net.submit(1, b"k", Change::Set { value: b"b" });
    net.sync_all();
    net.take(|sent| sent.is("Accept"));
    net.cut = vec![3];
    let answer = net.change(2, b"k", Change::CompareAndSet { version: old, value: b"c" });
    assert_eq!((answer.0, answer.2.as_deref()), (Outcome::Refused, Some(&b"b"[..])));
    net.cut = vec![1];
    assert_eq!(net.read(3).as_deref(), Some(&b"b"[..]));
}

#[test]
fn requests_of_a_key_are_served_one_after_the_other() {
    let mut net = Net::new(3);
    let changes = [b"a", b"b", b"c"].map(|value| net.submit(1, b"k", Change::Set { value }));
    let other = net.submit(1, b"other", Change::Read);
    let now = net.now;
    assert_eq!(net.node(1).submit(now, b"k", Change::Read), Err(SubmitError::Busy));
    net.run();
    let versions = changes.map(|request| net.hosts[&1].answers[&request].1);
    assert!(versions.is_sorted());
    assert!(net.hosts[&1].answers.contains_key(&other));
    assert_eq!(net.read(2).as_deref(), Some(&b"c"[..]));
}

/// A proposer whose next ballot was promised finds another's in its place: conflict, a higher round, both phases.
#[test]
fn conflict_fast_forwards_the_counter() {
    let mut net = Net::new(3);
    net.cut = vec![2];
    for _ in 0..20 {
        net.set(1, b"a");
    }
    net.settle();
    net.cut.clear();
    net.forget();
    let version = net.set(2, b"b");
    assert!(version.round > 20, "{version}");
    // two conflicts, one back-off, and then both phases: not a round for each of the twenty
    assert_eq!((net.sent["Conflict"], net.sent["Prepare"]), (2, 4));
    let before = version;
    assert!(net.set(1, b"c") > before);
}

/// Accepting erases the promise: what is accepted in the promised ballot promises no more than its sender's next.
#[test]
fn accept_replaces_the_promise_by_the_next_ballot() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    let (ballot, value, promised) = net.accepted(2).unwrap();
    assert_eq!(value.as_deref(), Some(&b"a"[..]));
    assert!(promised > ballot && promised.node == ballot.node);
}

/// A value that one acceptor has accepted, and that was never chosen, is found by a later read or not; once it is read it stays.
#[test]
fn value_that_was_read_stays() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    net.submit(1, b"k", Change::Set { value: b"b" });
    net.sync_all();
    net.take(|sent| sent.is("Accept"));
    net.crash(1);
    // without node 1 it is not there
    assert_eq!(net.read(2).as_deref(), Some(&b"a"[..]));
    net.restart(1);
    net.cut = vec![3];
    // and with it neither: the read of node 2 accepted a in a higher ballot
    assert_eq!(net.read(2).as_deref(), Some(&b"a"[..]));
    assert_eq!(net.read(1).as_deref(), Some(&b"a"[..]));
}

/// Proposers that get in each other's way back off, and all are answered. One whose accept was sent before another's may not know what became of it.
#[test]
fn proposers_at_the_same_time_are_all_answered() {
    let mut net = Net::new(5);
    let requests: Vec<_> =
        (1..=5).map(|id| (id, net.submit(id, b"k", Change::Set { value: &[id as u8] }))).collect();
    net.run();
    let answers = requests.iter().map(|(id, request)| net.hosts[id].answers[request].clone());
    let (known, unknown): (Vec<_>, Vec<_>) =
        answers.partition(|answer| answer.0 == Outcome::Applied);
    assert!(known.len() >= 3, "{known:?}");
    assert!(unknown.iter().all(|answer| *answer == (Outcome::Unknown, Ballot::ZERO, None)));
    let mut versions: Vec<Ballot> = known.iter().map(|answer| answer.1).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), known.len());
    let last = known.iter().max_by_key(|answer| answer.1).unwrap().2.clone();
    assert_eq!(net.read(1), last);
}

#[test]
fn flexible_quorums_and_grids_keep_what_was_written() {
    for (n, quorums) in [
        (5, Quorums::flexible(5, 4, 2).unwrap()),
        (5, Quorums::flexible(5, 2, 4).unwrap()),
        (6, Quorums::grid(2, 3).unwrap()),
    ] {
        let mut net = Net::with(n, quorums);
        for id in 1..=n {
            let value = [id as u8];
            net.set(id, &value);
            assert_eq!(net.read(id % n + 1), Some(value.to_vec()));
        }
    }
}

#[test]
fn minority_answers_nothing() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    net.cut = vec![1];
    let request = net.submit(1, b"k", Change::Read);
    for _ in 0..20 {
        net.settle();
        net.tick(100_000);
    }
    assert!(!net.hosts[&1].answers.contains_key(&request));
    net.cut.clear();
    assert_eq!(net.answer(1, request).2.as_deref(), Some(&b"a"[..]));
}

/// An erased disk has no record that its node was set up: it answers nobody, and takes no requests.
#[test]
fn erased_node_takes_no_part() {
    let mut net = Net::new(3);
    net.set(1, b"a");
    net.settle();
    net.crash(2);
    net.hosts.get_mut(&2).unwrap().disk.clear();
    net.restart(2);
    let now = net.now;
    assert_eq!(net.node(2).submit(now, b"k", Change::Read), Err(SubmitError::NotFounded));
    net.forget();
    net.set(1, b"b");
    assert_eq!(net.read(3).as_deref(), Some(&b"b"[..]));
    net.cut = vec![3];
    let request = net.submit(1, b"k", Change::Read);
    net.tick(1_000_000);
    net.settle();
    assert!(!net.hosts[&1].answers.contains_key(&request));
}

#[test]
fn ballots_are_unique_across_restarts() {
    let mut net = Net::new(3);
    let mut versions = Vec::new();
    for _ in 0..5 {
        for _ in 0..3 {
            versions.push(net.set(1, b"a"));
        }
        net.crash(1);
        net.restart(1);
    }
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
    // 16 rounds are given away in each life at most
    assert!(versions.last().unwrap().round <= 5 * 20);
}
