//! Dropped proposals are reported once their outcome is known.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::Cluster;
use quorate_core::Machine;
use quorate_raft::{Config, Message, Role};

#[test]
fn replaced_proposals_are_reported_dropped_once_the_new_term_commits() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let lost = cluster.raft(1).propose(b"lost").unwrap();
    cluster.drain(1);
    cluster.net.clear();
    // node 2 is elected without node 1
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(|e| e.from != 1 && e.to != 1);
    assert_eq!(cluster.raft(2).status().role, Role::Leader);
    assert!(cluster.host(1).dropped.is_empty());
    cluster.run(200);
    let term = cluster.raft(2).status().term;
    assert!(term > lost.term);
    let [(before, 0, applied)] = cluster.host(1).dropped[..] else { panic!("not reported once") };
    assert_eq!(before, term);
    // node 1 first applies the entries committed in that term
    let commit = cluster.raft(1).status().commit;
    assert_eq!(cluster.host(1).applied[applied - 1].0, commit);
    assert_eq!(cluster.commands(1), Vec::<String>::new());
    cluster.run(200);
    assert_eq!(cluster.host(1).dropped.len(), 1);
}

#[test]
fn surviving_proposals_commit_before_the_rest_is_reported_dropped() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "kept");
    let appends: Vec<_> = cluster.net.drain(..).filter(|e| e.to == 2).collect();
    appends.iter().for_each(|append| cluster.deliver(append));
    cluster.net.clear();
    cluster.propose(1, "lost");
    cluster.net.clear();
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    cluster.settle_if(|e| e.from != 1 && e.to != 1);
    cluster.run(200);
    assert_eq!(cluster.commands(1), ["kept"]);
    let [(_, 0, applied)] = cluster.host(1).dropped[..] else { panic!("not reported once") };
    let kept = cluster.host(1).applied.iter().position(|(_, data)| data == b"kept").unwrap();
    assert!(kept < applied, "committed entries come first");
}

#[test]
fn proposals_of_two_terms_are_dropped_one_term_at_a_time() {
    let mut cluster =
        Cluster::with(3, Config { pre_vote: false, check_quorum: false, ..Config::default() });
    cluster.elect(1);
    cluster.run(60);
    let first = cluster.raft(1).propose(b"first").unwrap();
    cluster.drain(1);
    cluster.net.clear();
    // node 2 leads; node 1 has its entry and does not know that it is committed
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    let before = cluster.raft(1).status().commit;
    let early = |e: &crate::common::Envelope| matches!(e.message(), Message::Append { commit, .. } if commit == before);
    cluster.settle_if(|e| e.from != 1 && (e.to != 1 || early(e)));
    let between = cluster.raft(2).status();
    assert_eq!(cluster.raft(1).status().last, between.last);
    assert!(cluster.host(1).dropped.is_empty());
    // node 1 leads again, and its proposal reaches no other node
    let now = cluster.now;
    cluster.raft(1).campaign(now);
    cluster.drain(1);
    cluster.settle_if(|e| !matches!(e.message(), Message::Append { .. }));
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    let second = cluster.raft(1).propose(b"second").unwrap();
    cluster.drain(1);
    cluster.net.clear();
    // node 3 leads; node 1 learns the commit of the term in between, then the later one
    let now = cluster.now;
    cluster.raft(3).campaign(now);
    cluster.drain(3);
    cluster.settle_if(|e| e.from != 1 && e.to != 1);
    let last = cluster.raft(3).status();
    assert_eq!(last.role, Role::Leader);
    let heartbeat = Message::Append {
        term: last.term,
        prev_index: between.last,
        prev_term: between.term,
        commit: between.last,
        round: 1,
        entries: &[],
    };
    cluster.raft(1).receive(now, crate::common::id(3), heartbeat).unwrap();
    cluster.drain(1);
    assert!(first.term < between.term && between.term < second.term && second.term < last.term);
    let reported: Vec<_> = cluster.host(1).dropped.iter().map(|lost| lost.0).collect();
    assert_eq!(reported, [between.term]);
    cluster.run(200);
    let reported: Vec<_> = cluster.host(1).dropped.iter().map(|lost| lost.0).collect();
    assert_eq!(reported, [between.term, last.term]);
}

#[test]
fn snapshot_over_proposals_reports_up_to_which_index_the_outcome_is_unknown() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "undecided");
    cluster.net.clear();
    cluster.now = cluster.now.after(200_000);
    let now = cluster.now;
    cluster.raft(2).campaign(now);
    cluster.drain(2);
    let others = |e: &crate::common::Envelope| e.from != 1 && e.to != 1;
    cluster.settle_if(others);
    for _ in 0..5 {
        cluster.propose(2, "x");
        cluster.settle_if(others);
    }
    let taken = cluster.raft(2).status().applied;
    cluster.raft(2).snapshot_taken(taken, taken).unwrap();
    for _ in 0..30 {
        cluster.run(60);
        if let Some((to, index, offset)) = cluster.host(2).chunk_requests.pop() {
            let _ =
                cluster.raft(2).send_snapshot(crate::common::id(to), index, offset, b"state", true);
            cluster.drain(2);
        }
        if let Some((index, .., true)) = cluster.host(1).chunks.pop() {
            cluster.host(1).applied.clear();
            cluster.raft(1).snapshot_installed(index).unwrap();
            cluster.drain(1);
        }
    }
    let term = cluster.raft(2).status().term;
    assert!(cluster.raft(1).status().applied >= taken);
    assert_eq!(cluster.host(1).dropped, [(term, taken, 0)]);
}

/// An encoded entry: the term, the length and kind, the data.
fn entry(term: u64, data: &[u8], blank: bool) -> Vec<u8> {
    let mut bytes = vec![term as u8, (data.len() as u8) << 2 | u8::from(blank)];
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn proposals_that_a_snapshot_of_their_term_may_hold_are_not_reported_dropped() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let undecided = cluster.raft(1).propose(b"undecided").unwrap();
    cluster.drain(1);
    cluster.net.clear();
    let (now, term, index) = (cluster.now, undecided.term, undecided.index);
    // the entry of node 2 replaces the proposal in this log, but node 3 has the proposal, and sends it in a snapshot
    let entries = entry(term + 1, b"other", false);
    let append = |term, prev, commit, entries| Message::Append {
        term,
        prev_index: prev,
        prev_term: undecided.term,
        commit,
        round: 1,
        entries,
    };
    let others = append(term + 1, index - 1, 0, &entries);
    cluster.raft(1).receive(now, crate::common::id(2), others).unwrap();
    cluster.drain(1);
    let (index_term, data) = (term, &b"state"[..]);
    let part = Message::Snapshot {
        term: term + 2,
        round: 1,
        index,
        index_term,
        offset: 0,
        done: true,
        data,
    };
    cluster.raft(1).receive(now, crate::common::id(3), part).unwrap();
    cluster.drain(1);
    cluster.raft(1).snapshot_installed(index).unwrap();
    cluster.drain(1);
    assert!(cluster.host(1).dropped.is_empty(), "no entry of a later term is committed yet");
    let entries = entry(term + 2, b"", true);
    cluster
        .raft(1)
        .receive(now, crate::common::id(3), append(term + 2, index, index + 1, &entries))
        .unwrap();
    cluster.host(1).applied.clear();
    cluster.drain(1);
    let [(before, after, _)] = cluster.host(1).dropped[..] else { panic!("not reported once") };
    assert_eq!((before, after), (term + 2, index));
}
