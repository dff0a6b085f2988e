//! Messages that no correct node sends are rejected with their reason and counted, without other effect.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, drain_and_persist, encode, id};
use quorate_core::{Instant, Machine, Rejected, Wire};
use quorate_raft::{Change, Config, Inline, Message, Raft, Record, Role};

const LIMIT: u64 = 1 << 62;
/// Terms further ahead are out of range.
const TERM_JUMP: u64 = 1 << 32;
/// Snapshot indexes this far ahead are out of range.
const INDEX_JUMP: u64 = 1 << 48;

const MALFORMED: Rejected = Rejected::Malformed;
const OUT_OF_RANGE: Rejected = Rejected::OutOfRange;
const IMPOSSIBLE: Rejected = Rejected::Impossible;
const FULL: Rejected = Rejected::Full;

/// Entries of these terms with one byte of data each.
fn run(terms: &[u8]) -> Vec<u8> {
    terms.iter().flat_map(|&term| [term, 1 << 2, b'x']).collect()
}

/// A node in term 3 with entries of terms 1 to 3; two are committed.
fn follower() -> Node {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    let entries = run(&[1, 2, 3]);
    for record in [
        Record::Vote { term: 3, vote: None },
        Record::Append { first: 1, commit: 2, entries: &entries },
    ] {
        raft.restore(record).unwrap();
    }
    raft.tick(Instant::from_millis(1));
    drain_and_persist(&mut raft);
    raft
}

fn assert_rejected(raft: &Node, message: Message<'_>, expected: Rejected) {
    let mut raft = raft.clone();
    while raft.poll().is_some() {}
    let (before, rejected) = (raft.status(), raft.rejections().total());
    assert_eq!(raft.receive(Instant::from_millis(1), id(2), message), Err(expected), "{message:?}");
    assert_eq!(raft.rejections().total(), rejected + 1, "{message:?}");
    assert_eq!(raft.status(), before, "{message:?}");
    assert!(raft.poll().is_none(), "{message:?} is answered");
}

fn receive(raft: &Node, message: Message<'_>) -> Node {
    let mut raft = raft.clone();
    assert_eq!(raft.receive(Instant::from_millis(1), id(2), message), Ok(()), "{message:?}");
    raft
}

#[test]
fn invalid_appends_are_rejected() {
    let (one, four, conflict) = (run(&[3]), run(&[4]), run(&[1]));
    let append = |term, prev: (u64, u64), commit, round, entries| Message::Append {
        term,
        prev_index: prev.0,
        prev_term: prev.1,
        commit,
        round,
        entries,
    };
    let raft = follower();
    for (message, reason) in [
        (append(0, (0, 0), 0, 1, &[][..]), MALFORMED),
        (append(3, (0, 1), 0, 1, &[]), MALFORMED),
        (append(3, (1, 0), 0, 1, &[]), MALFORMED),
        (append(3, (3, 4), 0, 1, &[]), MALFORMED),
        (append(3, (3, 3), 0, 1, &[3]), MALFORMED),
        (append(3, (3, 3), 0, 1, &four), MALFORMED),
        (append(4, (3, 3), 0, 1, &conflict), MALFORMED),
        (append(LIMIT, (3, 3), 0, 1, &[]), OUT_OF_RANGE),
        (append(3, (LIMIT - 1, 3), 0, 1, &one), OUT_OF_RANGE),
        (append(3, (3, 3), LIMIT, 1, &[]), OUT_OF_RANGE),
        (append(3, (3, 3), 0, LIMIT, &[]), OUT_OF_RANGE),
        // the second entry is committed
        (append(3, (2, 1), 0, 1, &[]), IMPOSSIBLE),
        (append(3, (1, 2), 0, 1, &[]), IMPOSSIBLE),
        (append(3, (1, 1), 0, 1, &one), IMPOSSIBLE),
    ] {
        assert_rejected(&raft, message, reason);
    }
    // messages of an earlier term are ignored
    assert_eq!(receive(&raft, append(2, (2, 1), 0, 1, &[])).status().leader, None);
    let led = receive(&raft, append(3, (2, 2), 9, 1, &one));
    let status = led.status();
    assert_eq!((status.leader, status.last, status.commit), (Some(id(2)), 3, 3));
    // the greatest term jump is accepted
    let far = receive(&raft, append(3 + TERM_JUMP, (3, 3), 0, 1, &[]));
    assert_eq!(far.status().term, 3 + TERM_JUMP);
    // a member with a later term causes one step
    let far = receive(&raft, append(3 + TERM_JUMP + 1, (3, 3), 0, 1, &[]));
    assert_eq!((far.status().term, far.status().leader), (3 + TERM_JUMP, None));
    // a leader cannot replace its own entries, nor committed ones
    let led = receive(&raft, append(4, (3, 3), 2, 1, &four));
    assert_rejected(&led, append(4, (3, 3), 2, 1, &one), IMPOSSIBLE);
    assert_rejected(&led, append(4, (4, 3), 2, 1, &[]), IMPOSSIBLE);
    // a second leader of the same term
    let mut raft = led;
    let other = append(4, (3, 3), 2, 1, &[]);
    assert_eq!(raft.receive(Instant::from_millis(1), id(3), other), Err(IMPOSSIBLE));
    assert_eq!(raft.status().leader, Some(id(2)));
}

#[test]
fn leader_may_replace_uncommitted_entries() {
    // the third entry is neither committed nor of the current leader
    let entries = run(&[4, 4]);
    let message = Message::Append {
        term: 4,
        prev_index: 2,
        prev_term: 2,
        commit: 2,
        round: 1,
        entries: &entries,
    };
    let raft = receive(&follower(), message);
    assert_eq!((raft.term(3), raft.status().last, raft.status().durable), (Some(4), 4, 2));
    // committed entries may be sent again
    let entries = run(&[2, 4]);
    let (prev_index, prev_term) = (1, 1);
    let message =
        Message::Append { term: 4, prev_index, prev_term, commit: 2, round: 1, entries: &entries };
    let raft = receive(&follower(), message);
    assert_eq!((raft.term(2), raft.term(3), raft.status().last), (Some(2), Some(4), 3));
}

#[test]
fn compacted_index_agrees_with_one_term_only() {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    for record in [
        Record::Vote { term: 3, vote: None },
        Record::Snapshot { index: 2, index_term: 2, compacted: 2, compacted_term: 2 },
    ] {
        raft.restore(record).unwrap();
    }
    raft.resume(2, 2).unwrap();
    raft.tick(Instant::from_millis(1));
    drain_and_persist(&mut raft);
    let after = |prev_index, prev_term| Message::Append {
        term: 3,
        prev_index,
        prev_term,
        commit: 0,
        round: 1,
        entries: &[],
    };
    assert_rejected(&raft, after(2, 1), IMPOSSIBLE);
    assert_rejected(&raft, after(2, 3), IMPOSSIBLE);
    // entries before the compacted index were committed
    for message in [after(2, 2), after(1, 1), after(1, 2)] {
        assert_eq!(receive(&raft, message).status().leader, Some(id(2)), "{message:?}");
    }
}

#[test]
fn invalid_vote_requests_are_rejected() {
    let raft = follower();
    for (term, last_index, last_term, reason) in [
        (0, 0, 0, MALFORMED),
        (4, 3, 4, MALFORMED),
        (4, 3, 5, MALFORMED),
        (4, 0, 3, MALFORMED),
        (4, 3, 0, MALFORMED),
        (LIMIT, 3, 3, OUT_OF_RANGE),
        (4, LIMIT, 3, OUT_OF_RANGE),
    ] {
        for pre in [false, true] {
            let message = Message::RequestVote { pre, term, last_index, last_term };
            assert_rejected(&raft, message, reason);
        }
        assert_rejected(
            &raft,
            Message::RequestVoteForTransfer { term, last_index, last_term },
            reason,
        );
    }
    let request = Message::RequestVote { pre: false, term: 4, last_index: 3, last_term: 3 };
    assert_eq!(receive(&raft, request).status().vote, Some(id(2)));
    let request = Message::RequestVoteForTransfer { term: 4, last_index: 3, last_term: 3 };
    assert_eq!(receive(&raft, request).status().vote, Some(id(2)));
    let shorter = Message::RequestVoteForTransfer { term: 4, last_index: 2, last_term: 3 };
    assert_eq!(receive(&raft, shorter).status().vote, None);
}

#[test]
fn invalid_votes_are_rejected() {
    let vote = |pre, term, granted| Message::Vote { pre, term, granted };
    let mut pre_candidate = follower();
    pre_candidate.campaign(Instant::from_millis(1));
    while pre_candidate.poll().is_some() {}
    let mut candidate = follower();
    candidate.clone_from(&pre_candidate);
    assert_eq!(pre_candidate.status().role, Role::PreCandidate);
    for (message, reason) in [
        (vote(false, 0, true), MALFORMED),
        (vote(true, 0, false), MALFORMED),
        (vote(false, LIMIT, false), OUT_OF_RANGE),
        (vote(true, LIMIT, true), OUT_OF_RANGE),
        // granted for a later term than requested
        (vote(true, 5, true), IMPOSSIBLE),
        (vote(false, 4, true), IMPOSSIBLE),
    ] {
        assert_rejected(&pre_candidate, message, reason);
    }
    // votes of another election are ignored
    for message in [vote(true, 3, true), vote(false, 3, true), vote(true, 2, false)] {
        let raft = receive(&pre_candidate, message);
        assert_eq!((raft.status().role, raft.status().term), (Role::PreCandidate, 3));
    }
    // a rejection of an earlier term does not count: the later grant does
    let mut raft = receive(&receive(&pre_candidate, vote(true, 2, false)), vote(true, 4, true));
    assert_eq!((raft.status().role, raft.status().term), (Role::Candidate, 4));
    // a rejection of this term counts
    let refusing = receive(&receive(&pre_candidate, vote(true, 3, false)), vote(true, 4, true));
    assert_eq!(refusing.status().role, Role::PreCandidate);
    // the own vote is not durable yet
    raft = receive(&raft, vote(false, 4, true));
    assert_eq!(raft.status().role, Role::Candidate);
}

/// A cluster of three whose leader has one entry.
fn leader() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster
}

#[test]
fn invalid_responses_to_a_leader_are_rejected() {
    let mut cluster = leader();
    let raft = cluster.raft(1).clone();
    let (term, last) = (raft.status().term, raft.status().last);
    let accept = |term, round, match_index| Message::AppendAccepted { term, round, match_index };
    let reject = |prev_index, hint_index, hint_term| Message::AppendRejected {
        term,
        round: 0,
        prev_index,
        hint_index,
        hint_term,
    };
    let part = |index, offset| Message::SnapshotAck { term, round: 0, index, offset };
    for (message, reason) in [
        (accept(0, 0, 0), MALFORMED),
        (accept(LIMIT, 0, 0), OUT_OF_RANGE),
        (accept(term, 0, LIMIT), OUT_OF_RANGE),
        (accept(term, 0, last + 1), IMPOSSIBLE),
        (accept(term, 99, 0), IMPOSSIBLE),
        (reject(LIMIT, 0, 0), OUT_OF_RANGE),
        (reject(last, 0, LIMIT), OUT_OF_RANGE),
        (reject(last, last, 0), MALFORMED),
        (reject(last, last + 1, 0), MALFORMED),
        (reject(last, 0, term + 1), MALFORMED),
        (reject(last + 1, 0, 0), IMPOSSIBLE),
        (part(LIMIT, 0), OUT_OF_RANGE),
        (part(1, LIMIT), OUT_OF_RANGE),
        (Message::TimeoutNow { term: 0 }, MALFORMED),
        (Message::TimeoutNow { term: LIMIT }, OUT_OF_RANGE),
        (Message::ReadIndex { term: 0, id: 1 }, MALFORMED),
        (Message::ReadIndex { term, id: 0 }, MALFORMED),
        (Message::ReadIndex { term: LIMIT, id: 1 }, OUT_OF_RANGE),
        (Message::ReadIndex { term, id: LIMIT }, OUT_OF_RANGE),
        (Message::ReadIndexConfirmed { term: 0, id: 1, index: 1 }, MALFORMED),
        (Message::ReadIndexConfirmed { term, id: 0, index: 1 }, MALFORMED),
        (Message::ReadIndexConfirmed { term: LIMIT, id: 1, index: 1 }, OUT_OF_RANGE),
        (Message::ReadIndexConfirmed { term, id: 1, index: LIMIT }, OUT_OF_RANGE),
    ] {
        assert_rejected(&raft, message, reason);
    }
    // a message of a later term makes the leader step down
    let raft = receive(&raft, accept(term + 1, 99, 0));
    assert_eq!((raft.status().role, raft.status().term), (Role::Follower, term + 1));
}

#[test]
fn invalid_snapshot_chunks_are_rejected() {
    let raft = follower();
    let part = |term, round, covers: (u64, u64), offset, data| Message::Snapshot {
        term,
        round,
        index: covers.0,
        index_term: covers.1,
        offset,
        done: false,
        data,
    };
    let far = 3 + INDEX_JUMP;
    let long = [0; 65];
    for (message, reason) in [
        (part(0, 1, (9, 3), 0, &[][..]), MALFORMED),
        (part(3, 1, (0, 3), 0, &[]), MALFORMED),
        (part(3, 1, (9, 0), 0, &[]), MALFORMED),
        (part(3, 1, (9, 4), 0, &[]), MALFORMED),
        (part(LIMIT, 1, (9, 3), 0, &[]), OUT_OF_RANGE),
        (part(3, LIMIT, (9, 3), 0, &[]), OUT_OF_RANGE),
        (part(3, 1, (LIMIT, 3), 0, &[]), OUT_OF_RANGE),
        (part(3, 1, (far, 3), 0, &[]), OUT_OF_RANGE),
        (part(3, 1, (9, 3), LIMIT, &[]), OUT_OF_RANGE),
        (part(3, 1, (9, 3), 0, &long), FULL),
    ] {
        assert_rejected(&raft, message, reason);
    }
    let most = receive(&raft, part(3, 1, (far - 1, 3), 0, &long[..64]));
    assert_eq!(most.status().leader, Some(id(2)));
}

#[test]
fn invalid_snapshot_members_are_rejected() {
    /// The last chunk of a snapshot with these members.
    fn end(list: &[(u8, u8)]) -> Vec<u8> {
        let mut bytes = vec![9, 3, 1, 9, 3, 0, list.len() as u8 * 9];
        for &(membership, node) in list {
            bytes.extend([membership, node, 0, 0, 0, 0, 0, 0, 0]);
        }
        bytes.push(0);
        bytes
    }
    let raft = follower();
    let many: Vec<(u8, u8)> = (1..10).map(|node| (3, node)).collect();
    for (list, reason) in [
        (&[(1, 1), (1, 2)][..], MALFORMED),
        (&[(3, 1), (3, 1)], MALFORMED),
        (&[(3, 1), (64, 2)], MALFORMED),
        (&many, FULL),
    ] {
        assert_rejected(&raft, Message::from_slice(&end(list)).unwrap(), reason);
    }
    receive(&raft, Message::from_slice(&end(&[])).unwrap());
    receive(&raft, Message::from_slice(&end(&[(3, 1), (1, 9)])).unwrap());
}

#[test]
fn impossible_configurations_are_rejected() {
    /// A configuration entry of term 3 with these members.
    fn entry(list: &[(u8, u8)]) -> Vec<u8> {
        let tag = (list.len() * 9) << 2 | 2;
        let mut bytes = vec![3];
        match tag {
            0..128 => bytes.push(tag as u8),
            _ => bytes.extend([tag as u8 | 128, (tag >> 7) as u8]),
        }
        for &(membership, node) in list {
            bytes.extend([membership, node, 0, 0, 0, 0, 0, 0, 0]);
        }
        bytes
    }
    let raft = follower();
    let many: Vec<(u8, u8)> = (1..10).map(|node| (3, node)).collect();
    for (list, reason) in [
        (&[][..], MALFORMED),
        (&[(1, 1)], MALFORMED),
        (&[(3, 1), (3, 1)], MALFORMED),
        (&[(3, 1), (2, 2)], MALFORMED),
        (&many, FULL),
    ] {
        let entries = entry(list);
        let message = Message::Append {
            term: 3,
            prev_index: 3,
            prev_term: 3,
            commit: 2,
            round: 1,
            entries: &entries,
        };
        assert_rejected(&raft, message, reason);
    }
    // fixed storage accepts no configuration
    let config = Config { max_log_bytes: 512, max_entry_bytes: 64, ..Config::default() };
    let mut fixed =
        Raft::<quorate_raft::Fixed<3, 512, 16, 32>>::new(id(1), &[1, 2, 3].map(id), config, 1)
            .unwrap();
    fixed.tick(Instant::ZERO);
    let entries = entry(&[(3, 1)]);
    let message = Message::Append {
        term: 3,
        prev_index: 0,
        prev_term: 0,
        commit: 0,
        round: 1,
        entries: &entries,
    };
    assert_eq!(fixed.receive(Instant::ZERO, id(2), message), Err(FULL));
    assert_eq!(fixed.receive(Instant::ZERO, id(4), message), Err(Rejected::UnknownSender));
    assert_eq!(fixed.status().term, 0);
}

#[test]
fn messages_of_non_members_are_rejected() {
    let mut raft = follower();
    let before = raft.clone();
    let now = Instant::from_millis(1);
    for message in [
        Message::Vote { pre: false, term: 9, granted: true },
        Message::AppendAccepted { term: 9, round: 0, match_index: 0 },
        Message::AppendRejected { term: 9, round: 0, prev_index: 1, hint_index: 0, hint_term: 0 },
        Message::SnapshotAck { term: 9, round: 0, index: 1, offset: 0 },
        Message::TimeoutNow { term: 3 },
        Message::ReadIndex { term: 3, id: 1 },
        Message::ReadIndexConfirmed { term: 3, id: 1, index: 3 },
        Message::Quiesce { term: 3, round: 1, index: 3 },
        Message::RequestSnapshot { term: 3, index: 3 },
        Message::Propose { term: 3, id: 1, round: 0, commands: &[3, 4, 1] },
        Message::Proposed { term: 3, id: 1, index: 4, count: 1 },
    ] {
        assert_eq!(raft.receive(now, id(9), message), Err(Rejected::UnknownSender), "{message:?}");
    }
    assert_eq!(raft.status().term, before.status().term);
    // a node ignores messages from itself
    let own = Message::RequestVote { pre: false, term: 9, last_index: 9, last_term: 8 };
    assert_eq!(raft.receive(now, id(1), own), Err(Rejected::UnknownSender));
    // a rejected request does not replace the non-member in the peer slot
    let request = |last_term| Message::RequestVote { pre: true, term: 4, last_index: 3, last_term };
    raft.receive(now, id(8), request(3)).unwrap();
    assert_eq!(raft.receive(now, id(9), request(4)), Err(MALFORMED));
    let answer = raft.poll();
    assert!(
        matches!(answer, Some(quorate_core::Output::Send(to, _)) if to == id(8)),
        "the earlier request is answered: {answer:?}"
    );
}

#[test]
fn full_peer_table_has_one_slot_for_non_members() {
    type Full = Inline<3, 512, 16, 32>;
    let mut raft = Raft::<Full>::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    raft.tick(Instant::ZERO);
    drain_and_persist(&mut raft);
    let request = Message::RequestVote { pre: true, term: 4, last_index: 3, last_term: 3 };
    // there is one slot, and the next non-member takes it
    for node in [7, 8] {
        assert_eq!(raft.receive(Instant::ZERO, id(node), request), Ok(()));
    }
    let receivers: Vec<u64> = core::iter::from_fn(|| match raft.poll()? {
        quorate_core::Output::Send(to, _) => Some(to.get()),
        _ => Some(0),
    })
    .collect();
    assert_eq!(receivers, [8]);
}

#[test]
fn hand_written_bytes_match_the_encoder() {
    let mut cluster = leader();
    cluster.raft(1).change(&[Change::Add(id(4))]).unwrap();
    cluster.drain(1);
    let config = cluster.net.iter().find_map(|envelope| match envelope.message() {
        Message::Append { entries, .. } if !entries.is_empty() => Some(entries.to_vec()),
        _ => None,
    });
    let mut expected = vec![1, (36_u8 << 2) | 2 | 128, 1];
    for (membership, node) in [(3, 1), (3, 2), (3, 3), (1, 4)] {
        expected.extend([membership, node, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(config, Some(expected));
    let end = Message::from_slice(&[9, 3, 1, 9, 3, 0, 0, 0]).unwrap();
    assert!(matches!(end, Message::SnapshotEnd { term: 3, index: 9, .. }));
    assert_eq!(encode(&end), [9, 3, 1, 9, 3, 0, 0, 0]);
}
