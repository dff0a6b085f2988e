//! Replication, commit and durability (Raft thesis, 3.5, 3.6 and 10.2.1).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Instant, Machine, Output, Rejected, Wire};
use quorate_raft::{Config, Message, ProposeError, Record, Replication, Role};
#[cfg(feature = "alloc")]
use quorate_raft::{Heap, Raft};

#[test]
fn command_takes_four_messages_and_reaches_all_nodes() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "warm up");
    cluster.settle();
    cluster.propose(1, "x");
    let mut messages = 0;
    cluster.settle_if(|_| {
        messages += 1;
        true
    });
    assert_eq!(messages, 4);
    assert_eq!(cluster.commands(1), ["warm up", "x"]);
    // followers learn the commit with the next message
    assert_eq!(cluster.commands(2), ["warm up"]);
    cluster.run(60);
    assert_eq!(cluster.commands(3), ["warm up", "x"]);
}

#[test]
fn entry_of_an_older_term_is_not_committed_by_counting() {
    // figure 3.7 (figure 8 of the paper): (a) S1 replicates index 2 to S2 only
    let mut cluster = Cluster::new(5);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "old");
    cluster.settle_if(|e| e.to == 2 && e.from == 1);
    // (b) S5 is elected by S3, S4 and writes at the same index
    cluster.host(1).up = false;
    cluster.host(2).up = false;
    cluster.elect_without_replies(5, &[3, 4]);
    // (c) S1 comes back, leads, and replicates the old entry, but nothing of its own term
    cluster.host(5).up = false;
    cluster.host(1).up = true;
    cluster.host(2).up = true;
    cluster.restart(1);
    cluster.restart(2);
    // appends are cut before the blank entry of the new term
    let old = cluster.raft(1).status().last;
    let commit_before = cluster.raft(1).status().commit;
    for _ in 0..3 {
        cluster.now = cluster.now.after(10_000_000);
        let now = cluster.now;
        cluster.raft(1).campaign(now);
        cluster.drain(1);
        for _ in 0..200 {
            let Some(envelope) = cluster.net.pop_front() else { break };
            cluster.deliver(&cut_append(&envelope, old));
        }
    }
    let status = cluster.raft(1).status();
    assert_eq!(status.role, Role::Leader);
    let stored = cluster.raft(1).peers().filter(|p| p.match_index >= old).count();
    assert!(stored >= 2, "a majority has the old entry");
    assert_eq!(status.commit, commit_before, "but it is not committed");
}

/// The same append without entries beyond `last`.
fn cut_append(envelope: &Envelope, last: u64) -> Envelope {
    let Message::Append { term, prev_index, prev_term, commit, round, entries } =
        envelope.message()
    else {
        return envelope.clone();
    };
    let mut kept = 0;
    let mut at = prev_index;
    while at < last && kept < entries.len() {
        let tag = entries[kept + 1];
        assert!(entries[kept] < 0x80 && tag < 0x80, "small entries only");
        kept += 2 + usize::from(tag >> 2);
        at += 1;
    }
    let entries = &entries[..kept];
    let message = Message::Append { term, prev_index, prev_term, commit, round, entries };
    Envelope { bytes: encode(&message), ..envelope.clone() }
}

impl Cluster {
    /// Elects a node with the votes of some nodes, and drops its appends.
    fn elect_without_replies(&mut self, node: u64, voters: &[u64]) {
        self.now = self.now.after(10_000_000);
        let now = self.now;
        self.raft(node).campaign(now);
        self.drain(node);
        let voters = voters.to_vec();
        self.settle_if(|e| {
            !matches!(e.message(), Message::Append { .. })
                && (voters.contains(&e.to) || voters.contains(&e.from))
        });
        assert_eq!(self.raft(node).status().role, Role::Leader);
    }
}

#[test]
fn leader_counts_its_own_entry_once_it_is_durable() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "x");
    // one follower answers: with the leader that would be a majority
    cluster.settle_if(|e| e.from != 3 && e.to != 3);
    assert!(cluster.raft(1).status().commit < index);
    cluster.sync(1);
    assert_eq!(cluster.raft(1).status().commit, index);
}

#[test]
fn majority_of_followers_commits_before_the_leaders_disk() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.host(1).fast_disk = false;
    let index = cluster.propose(1, "x");
    cluster.settle();
    assert_eq!(cluster.raft(1).status().commit, index);
    // entries that are not durable locally are not applied
    assert!(cluster.raft(1).status().applied < index);
    cluster.sync(1);
    assert_eq!(cluster.raft(1).status().applied, index);
}

#[test]
fn follower_acknowledges_only_durable_entries() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    for node in [2, 3] {
        cluster.host(node).fast_disk = false;
    }
    let index = cluster.propose(1, "x");
    cluster.settle();
    assert!(cluster.raft(1).status().commit < index);
    // heartbeats are still answered, or a slow disk would look like a dead node
    cluster.run(1000);
    assert_eq!(cluster.leader(), Some(1));
    assert!(cluster.raft(1).status().commit < index);
    cluster.sync(2);
    cluster.settle();
    assert_eq!(cluster.raft(1).status().commit, index);
}

#[test]
fn ticket_of_a_replaced_entry_does_not_make_the_new_entry_durable() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let last = cluster.raft(2).status().last;
    cluster.host(2).fast_disk = false;
    let term = cluster.raft(2).status().term;
    // node 2 accepts an entry of the old leader, not yet durable, then one of a new leader at the same index
    let old = entry(term, b"old");
    let new = entry(term + 1, b"new");
    for (from, term, entries) in [(1, term, &old), (3, term + 1, &new)] {
        let message = Message::Append {
            term,
            prev_index: last,
            prev_term: cluster.raft(2).term(last).unwrap(),
            commit: 0,
            round: 0,
            entries,
        };
        cluster.deliver(&Envelope { from, to: 2, bytes: encode(&message) });
    }
    let old_ticket = cluster.host(2).pending[0].0;
    cluster.raft(2).persisted(old_ticket);
    assert_eq!(cluster.raft(2).status().last, last + 1);
    assert_eq!(
        cluster.raft(2).status().durable,
        last,
        "the write of the old entry does not make the new one durable"
    );
}

fn entry(term: u64, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![term as u8, (data.len() << 2) as u8];
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn late_shorter_append_does_not_truncate_the_log() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "a");
    let late: Vec<Envelope> = cluster.net.iter().cloned().collect();
    cluster.settle();
    cluster.propose(1, "b");
    cluster.settle();
    let last = cluster.raft(2).status().last;
    for envelope in late {
        cluster.deliver(&envelope);
        cluster.deliver(&envelope);
    }
    cluster.settle();
    assert_eq!(cluster.raft(2).status().last, last);
}

#[test]
fn divergent_follower_converges_in_few_round_trips() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    // node 1 appends a long tail that is not replicated
    for n in 0..50 {
        cluster.propose(1, &format!("lost {n}"));
    }
    cluster.net.clear();
    cluster.host(1).up = false;
    cluster.elect(2);
    cluster.propose(2, "kept");
    cluster.settle();
    cluster.host(1).up = true;
    let mut rejects = 0;
    cluster.run_if(200, |e| {
        rejects += u32::from(matches!(e.message(), Message::AppendRejected { .. }));
        true
    });
    assert!(rejects <= 2, "{rejects} rejections for a tail of 50 entries of one term");
    assert_eq!(cluster.raft(1).status().last, cluster.raft(2).status().last);
    assert_eq!(cluster.commands(1).last().unwrap(), "kept");
}

#[test]
fn commit_is_limited_to_verified_entries() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let status = cluster.raft(2).status();
    // a tail that the new leader has not verified
    let tail = entry(status.term, b"tail");
    let append = |prev_index, prev_term, term, commit, entries: &[u8]| {
        encode(&Message::Append { term, prev_index, prev_term, commit, round: 0, entries })
    };
    let bytes = append(status.last, status.term, status.term, 0, &tail);
    cluster.deliver(&Envelope { from: 1, to: 2, bytes });
    let bytes = append(status.last, status.term, status.term + 1, status.last + 9, &[]);
    cluster.deliver(&Envelope { from: 3, to: 2, bytes });
    assert_eq!(cluster.raft(2).status().commit, status.last);
}

#[test]
fn lost_appends_are_resent_after_a_heartbeat() {
    let config = Config { max_inflight_entries: 4, ..Config::default() };
    let mut cluster = Cluster::with(3, config);
    cluster.elect(1);
    cluster.run(60);
    for n in 0..20 {
        cluster.propose(1, &format!("{n}"));
    }
    // the whole window is lost
    cluster.net.clear();
    cluster.run(300);
    assert_eq!(cluster.commands(3).len(), 20);
}

#[test]
fn stale_rejection_does_not_reset_the_match_index() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "a");
    cluster.settle();
    let status = cluster.raft(1).status();
    let reject = Message::AppendRejected {
        term: status.term,
        round: 0,
        prev_index: status.last,
        hint_index: 0,
        hint_term: 0,
    };
    cluster.deliver(&Envelope { from: 2, to: 1, bytes: encode(&reject) });
    let progress = cluster.raft(1).peers().next().unwrap();
    assert_eq!(progress.replication, Replication::Replicate);
    assert_eq!(progress.next_index, status.last + 1);
}

#[test]
fn acknowledgement_from_before_the_probe_does_not_end_it() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let before = cluster.raft(1).status();
    cluster.propose(1, "lost");
    cluster.net.clear();
    cluster.propose(1, "refused");
    let progress = |cluster: &mut Cluster| {
        cluster.raft(1).peers().find(|peer| peer.id == id(2)).unwrap().replication
    };
    cluster.settle_if(|e| {
        e.to == 2 || matches!(e.message(), Message::AppendRejected { .. }) && e.from == 2
    });
    assert_eq!(progress(&mut cluster), Replication::Probe);
    let late =
        |round| Message::AppendAccepted { term: before.term, round, match_index: before.last };
    let now = cluster.now;
    cluster.raft(1).receive(now, id(2), late(0)).unwrap();
    assert_eq!(progress(&mut cluster), Replication::Probe);
    cluster.run(100);
    assert_eq!(progress(&mut cluster), Replication::Replicate);
    assert_eq!(cluster.commands(2), ["lost", "refused"]);
}

#[test]
fn rejection_that_is_late_or_below_the_match_index_is_ignored() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    let matched = cluster.raft(1).status();
    cluster.propose(1, "a");
    cluster.net.clear();
    cluster.propose(1, "b");
    let round = cluster.net.iter().find_map(|e| match e.message() {
        Message::Append { round, .. } => Some(round),
        _ => None,
    });
    let round = round.unwrap();
    let (term, now) = (matched.term, cluster.now);
    for (prev_index, round, probes) in
        [(matched.last + 1, 0, false), (matched.last, 0, false), (matched.last + 1, round, true)]
    {
        let mut copy = cluster.raft(1).clone();
        let hint_index = prev_index - 1;
        let reject =
            Message::AppendRejected { term, round, prev_index, hint_index, hint_term: term };
        copy.receive(now, id(2), reject).unwrap();
        let peer = copy.peers().find(|peer| peer.id == id(2)).unwrap();
        assert_eq!(peer.replication == Replication::Probe, probes, "{prev_index} {round}");
    }
}

#[test]
fn probe_begins_at_the_last_entry_that_may_agree() {
    let terms = [1, 1, 2, 2, 4, 4];
    let entries: Vec<u8> = terms.iter().flat_map(|&term| [term, 1]).collect();
    let mut raft = Node::new(id(1), &[1, 2].map(id), Config::default(), 1).unwrap();
    raft.restore(Record::Vote { term: 4, vote: None }).unwrap();
    raft.restore(Record::Append { first: 1, commit: 0, entries: &entries }).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    raft.campaign(now);
    for pre in [true, false] {
        loop {
            let ticket = match raft.poll() {
                Some(Output::Persist(ticket, _)) => ticket,
                Some(_) => continue,
                None => break,
            };
            raft.persisted(ticket);
        }
        raft.receive(now, id(2), Message::Vote { pre, term: 5, granted: true }).unwrap();
    }
    assert_eq!(raft.status().role, Role::Leader);
    for hint_index in 0..6_u64 {
        for hint_term in 0..=5 {
            let may = |index: &u64| {
                index.checked_sub(1).is_none_or(|at| u64::from(terms[at as usize]) <= hint_term)
            };
            let expected = (0..=hint_index).rev().find(may).unwrap() + 1;
            let mut copy = raft.clone();
            let reject =
                Message::AppendRejected { term: 5, round: 0, prev_index: 6, hint_index, hint_term };
            copy.receive(now, id(2), reject).unwrap();
            let peer = copy.peers().next().unwrap();
            assert_eq!(peer.next_index, expected, "{hint_index} of {hint_term}");
        }
    }
}

#[test]
fn rejection_hint_is_not_a_match() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.run(60);
    cluster.propose(1, "a");
    cluster.net.clear();
    let status = cluster.raft(1).status();
    for from in [2, 3] {
        let reject = Message::AppendRejected {
            term: status.term,
            round: 1,
            prev_index: status.last,
            hint_index: status.last - 1,
            hint_term: status.term,
        };
        cluster.deliver(&Envelope { from, to: 1, bytes: encode(&reject) });
    }
    assert_eq!(cluster.raft(1).status().commit, status.commit);
}

#[test]
fn command_larger_than_half_the_log_is_too_large() {
    // more than half the log, and less than the log
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    assert_eq!(cluster.raft(1).propose(&[0; 4097]), Err(ProposeError::TooLarge));
}

#[cfg(feature = "alloc")]
#[test]
fn command_that_leaves_no_room_for_leaders_is_too_large() {
    // less than half the log, but too large with the room reserved for leaders
    let config = Config {
        max_log_bytes: 110,
        max_entry_bytes: 50,
        max_uncommitted_bytes: 50,
        ..Config::default()
    };
    let mut raft = Raft::<Heap>::new(id(1), &[id(1)], config, 1).unwrap();
    raft.tick(Instant::ZERO);
    raft.campaign(Instant::ZERO);
    for _ in 0..20 {
        let written = match raft.poll() {
            Some(Output::Persist(ticket, _)) => Some(ticket),
            _ => None,
        };
        if let Some(ticket) = written {
            raft.persisted(ticket);
        }
    }
    assert_eq!(raft.status().commit, 1);
    assert_eq!(raft.propose(&[0; 11]), Err(ProposeError::TooLarge));
    assert_ne!(raft.propose(&[0; 10]), Err(ProposeError::TooLarge));
}

#[test]
fn slow_disk_gets_at_most_eight_records_and_the_rest_is_batched() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster.host(1).fast_disk = false;
    for n in 0..8 {
        cluster.propose(1, &format!("{n}"));
        assert_eq!(cluster.host(1).pending.len(), n + 1);
    }
    for _ in 0..3 {
        cluster.propose(1, "more");
    }
    assert_eq!(cluster.host(1).pending.len(), 8);
    let (ticket, written) = cluster.host(1).pending.remove(0);
    cluster.host(1).disk.push(written);
    cluster.raft(1).persisted(ticket);
    cluster.drain(1);
    let pending = &cluster.host(1).pending;
    assert_eq!(pending.len(), 8);
    let Record::Append { entries, .. } = Record::from_slice(&pending[7].1).unwrap() else {
        panic!("entries")
    };
    assert_eq!(entries.len(), 3 * (2 + 4));
    // snapshot records wait in the same way
    cluster.settle();
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, 0).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.host(1).pending.len(), 8);
    let (ticket, written) = cluster.host(1).pending.remove(0);
    cluster.host(1).disk.push(written);
    cluster.raft(1).persisted(ticket);
    cluster.drain(1);
    let record = Record::from_slice(&cluster.host(1).pending[7].1).unwrap();
    assert!(matches!(record, Record::Snapshot { .. }), "{record:?}");
}

#[test]
fn exactly_half_the_log_may_be_uncommitted() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    // the header has 3 bytes
    cluster.raft(1).propose(&[0; 2000]).unwrap();
    assert_eq!(cluster.raft(1).propose(&[0; 4096 - 2003 + 1]), Err(ProposeError::Busy));
    assert!(cluster.raft(1).propose(&[0; 4096 - 2003]).is_ok());
}

#[test]
fn each_proposal_limit_has_its_own_error() {
    let config = Config { max_uncommitted_bytes: 600, max_entry_bytes: 300, ..Config::default() };
    let mut cluster = Cluster::with(3, config);
    assert_eq!(cluster.raft(1).propose(b"x"), Err(ProposeError::NotLeader(None)));
    cluster.elect(1);
    cluster.run(60);
    assert_eq!(cluster.raft(2).propose(b"x"), Err(ProposeError::NotLeader(Some(id(1)))));
    assert_eq!(cluster.raft(1).propose(&[0; 301]), Err(ProposeError::TooLarge));
    assert!(cluster.raft(1).clone().propose(&[0; 300]).is_ok());
    // the header of 3 bytes counts
    let mut copy = cluster.raft(1).clone();
    copy.propose(&[0; 297]).unwrap();
    assert!(copy.clone().propose(&[0; 300]).is_ok());
    copy = cluster.raft(1).clone();
    copy.propose(&[0; 298]).unwrap();
    assert_eq!(copy.propose(&[0; 300]), Err(ProposeError::Busy));
    cluster.raft(1).propose(&[0; 290]).unwrap();
    cluster.raft(1).propose(&[0; 290]).unwrap();
    let before = cluster.raft(1).clone();
    assert_eq!(cluster.raft(1).propose(&[0; 290]), Err(ProposeError::Busy));
    assert!(*cluster.raft(1) == before, "an error changes nothing");
    cluster.drain(1);
    cluster.settle();
    cluster.raft(1).propose(&[0; 290]).unwrap();
    // the log is full
    for _ in 0..100 {
        cluster.drain(1);
        cluster.settle();
        if cluster.raft(1).propose(&[0; 290]) == Err(ProposeError::LogFull) {
            let applied = cluster.raft(1).status().applied;
            cluster.raft(1).snapshot_taken(applied, applied).unwrap();
            cluster.raft(1).propose(&[0; 290]).unwrap();
            return;
        }
    }
    panic!("the log never filled up");
}

#[test]
fn full_log_has_room_for_the_next_leaders_blank_entry() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    while cluster.raft(1).propose(&[1; 20]).is_ok() {}
    cluster.drain(1);
    cluster.settle();
    cluster.elect(2);
    cluster.run(100);
    let status = cluster.raft(2).status();
    assert_eq!(status.commit, status.last);
}

#[test]
fn invalid_messages_are_rejected_and_counted_without_effect() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.run(60);
    let now = Instant::from_millis(3);
    let (term, last) = {
        let status = cluster.raft(1).status();
        (status.term, status.last)
    };
    let append = |term, prev: (u64, u64), entries| Message::Append {
        term,
        prev_index: prev.0,
        prev_term: prev.1,
        commit: 0,
        round: 0,
        entries,
    };
    let bad_run: &[u8] = &[1, 0xff];
    let backwards: &[u8] = &[2, 0, 1, 0];
    let cases: &[(u64, Message<'_>, Rejected)] = &[
        (2, append(0, (0, 0), &[]), Rejected::Malformed),
        (2, append(u64::MAX, (0, 0), &[]), Rejected::OutOfRange),
        (2, append(term, (u64::MAX, term), &[]), Rejected::OutOfRange),
        (2, append(term + 1, (0, 0), bad_run), Rejected::Malformed),
        (2, append(term + 1, (0, 0), backwards), Rejected::Malformed),
        (2, append(term, (0, 0), &[]), Rejected::Impossible),
        (2, append(term + 1, (1, term + 1), &[]), Rejected::Impossible),
        (9, append(term, (0, 0), &[]), Rejected::Impossible),
        (9, Message::AppendAccepted { term, round: 1, match_index: 1 }, Rejected::UnknownSender),
        (
            2,
            Message::AppendAccepted { term, round: 1, match_index: last + 1 },
            Rejected::Impossible,
        ),
        (2, Message::AppendAccepted { term, round: 1 << 40, match_index: 1 }, Rejected::Impossible),
        (
            2,
            Message::AppendAccepted { term: u64::MAX, round: 0, match_index: 1 },
            Rejected::OutOfRange,
        ),
        (2, Message::Vote { pre: false, term: 0, granted: true }, Rejected::Malformed),
        (
            2,
            Message::RequestVote { pre: false, term: u64::MAX - 1, last_index: 1, last_term: 1 },
            Rejected::OutOfRange,
        ),
        (
            2,
            Message::RequestVote { pre: false, term: term + 1, last_index: 1, last_term: term + 1 },
            Rejected::Malformed,
        ),
    ];
    for (from, message, reason) in cases {
        let before = format!("{:?}", cluster.raft(1));
        let total = cluster.raft(1).rejections().total();
        assert_eq!(cluster.raft(1).receive(now, id(*from), *message), Err(*reason), "{message:?}");
        assert_eq!(cluster.raft(1).rejections().total(), total + 1);
        let rejections = cluster.raft(1).rejections();
        let after = format!("{:?}", cluster.raft(1));
        let counts = format!("{rejections:?}");
        let start = before.find("rejections: ").unwrap();
        let end = before[start..].find('}').unwrap() + start + 1;
        let patched = format!("{}rejections: {counts}{}", &before[..start], &before[end..]);
        assert_eq!(after, patched, "{message:?}");
    }
    // a conflict with a committed entry at a follower
    let wrong = entry(term + 1, b"z");
    let message = append(term + 1, (0, 0), &wrong);
    assert_eq!(cluster.raft(2).receive(now, id(3), message), Err(Rejected::Impossible));
    assert_eq!(cluster.raft(2).status().term, term);
}

#[test]
fn sent_messages_round_trip_and_truncated_ones_are_refused() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    for envelope in &cluster.net {
        assert_eq!(encode(&envelope.message()), envelope.bytes);
        for cut in 0..envelope.bytes.len() {
            assert!(Message::from_slice(&envelope.bytes[..cut]).is_err());
        }
    }
}
