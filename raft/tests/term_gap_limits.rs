//! How far ahead a term may be, which senders are believed, what is reported, and which messages of
//! non-members are accepted.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, drain_and_persist, id};
use quorate_core::{Instant, Machine, Output, Rejected};
use quorate_raft::{Change, Config, Event, Message, Record, Role};

const JUMP: u64 = 1 << 32;
const LIMIT: u64 = 1 << 62;
const FAR: Rejected = Rejected::OutOfRange;
const NON_MEMBER: Rejected = Rejected::UnknownSender;

const START: Instant = Instant::from_millis(1);

/// Node 1 of three, in term 3, without a leader.
fn alone() -> Node {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    raft.restore(Record::Vote { term: 3, vote: None }).unwrap();
    raft.tick(START);
    drain_and_persist(&mut raft);
    raft
}

const fn heartbeat(term: u64) -> Message<'static> {
    Message::Append { term, prev_index: 0, prev_term: 0, commit: 0, round: 1, entries: &[] }
}

/// The same node after a heartbeat of the leader of its term.
fn led_by(leader: u64) -> Node {
    let mut raft = alone();
    raft.receive(START, id(leader), heartbeat(3)).unwrap();
    drain_and_persist(&mut raft);
    assert_eq!(raft.status().leader, Some(id(leader)));
    raft
}

const fn accept(term: u64) -> Message<'static> {
    Message::AppendAccepted { term, round: 0, match_index: 0 }
}

/// Node 1 leads, and all nodes have its blank entry.
fn leader(nodes: u64, config: Config) -> Cluster {
    let mut cluster = Cluster::with(nodes, Config { max_snapshot_chunk_bytes: 64, ..config });
    cluster.elect(1);
    cluster.run(200);
    assert_eq!(cluster.leader(), Some(1));
    cluster
}

#[test]
fn follower_leaves_its_leader_for_a_term_gap_of_at_most_64_steps() {
    let term = 3 + 64 * JUMP;
    let mut raft = led_by(2);
    assert_eq!(raft.receive(START, id(3), accept(term + 1)), Err(FAR));
    assert_eq!((raft.status().term, raft.status().leader), (3, Some(id(2))));
    assert_eq!(raft.receive(START, id(3), accept(term)), Ok(()));
    assert_eq!((raft.status().term, raft.status().leader), (3 + JUMP, None));
}

#[test]
fn node_without_a_leader_takes_a_step_for_any_term_gap() {
    let mut raft = alone();
    assert_eq!(raft.receive(START, id(3), accept(LIMIT - 1)), Ok(()));
    assert_eq!(raft.status().term, 3 + JUMP);
}

/// Node 3 answers in this term once per heartbeat, and the leader rejects it.
fn reject_answers(cluster: &mut Cluster, term: u64, heartbeats: u64) {
    for _ in 0..heartbeats {
        let now = cluster.now;
        assert_eq!(cluster.raft(1).receive(now, id(3), accept(term)), Err(FAR));
        cluster.run(50);
    }
}

#[test]
fn leader_reports_a_rejection_repeated_for_three_heartbeats_once() {
    let mut cluster = leader(3, Config::default());
    reject_answers(&mut cluster, LIMIT - 1, 2);
    assert_eq!(cluster.raft(1).status().refusing, None);
    assert!(cluster.host(1).refusing.is_empty());
    reject_answers(&mut cluster, LIMIT - 1, 1);
    assert_eq!(cluster.raft(1).status().refusing, Some((id(3), FAR)));
    assert_eq!(cluster.host(1).refusing, [(3, FAR)]);
    reject_answers(&mut cluster, LIMIT - 1, 300);
    assert_eq!(cluster.raft(1).status().refusing, Some((id(3), FAR)));
    assert_eq!(cluster.host(1).refusing, [(3, FAR)]);
}

#[test]
fn heartbeat_without_a_rejection_resets_the_count() {
    let mut cluster = leader(3, Config::default());
    for _ in 0..4 {
        reject_answers(&mut cluster, LIMIT - 1, 2);
        cluster.run(50);
        assert_eq!(cluster.raft(1).status().refusing, None);
    }
    assert!(cluster.host(1).refusing.is_empty());
    // a report ends when the rejections end
    reject_answers(&mut cluster, LIMIT - 1, 3);
    assert_eq!(cluster.raft(1).status().refusing, Some((id(3), FAR)));
    cluster.run(50);
    assert_eq!(cluster.raft(1).status().refusing, None);
    reject_answers(&mut cluster, LIMIT - 1, 3);
    assert_eq!(cluster.host(1).refusing, [(3, FAR), (3, FAR)]);
}

#[test]
fn leader_does_not_report_an_impossible_term() {
    for term in [LIMIT, LIMIT + 1, u64::MAX] {
        let mut cluster = leader(3, Config::default());
        reject_answers(&mut cluster, term, 10);
        assert_eq!(cluster.raft(1).status().refusing, None, "{term}");
        assert!(cluster.host(1).refusing.is_empty(), "{term}");
    }
}

/// The `Refusing` events of a node that receives the same message every 10 ms for some of the longest
/// election timeouts.
fn reported(
    raft: &mut Node,
    from: u64,
    message: Message<'_>,
    timeouts: u64,
) -> Vec<Event<'static>> {
    let (mut now, mut events) = (START, Vec::new());
    for _ in 0..timeouts * 30 {
        now = now.after(10_000);
        raft.tick(now);
        let _ = raft.receive(now, id(from), message);
        let mut last = None;
        while let Some(output) = raft.poll() {
            match output {
                Output::Persist(ticket, _) => last = Some(ticket),
                Output::Event(Event::Refusing { peer, reason }) => {
                    events.push(Event::Refusing { peer, reason });
                }
                _ => {}
            }
        }
        if let Some(ticket) = last {
            raft.persisted(ticket);
        }
    }
    events
}

#[test]
fn term_gap_that_is_being_closed_is_not_reported() {
    let mut raft = alone();
    assert!(reported(&mut raft, 2, heartbeat(3 + 100 * JUMP), 10).is_empty());
    let status = raft.status();
    assert_eq!(status.refusing, None);
    assert!(status.term > 3 + 5 * JUMP && status.term < 3 + 20 * JUMP, "{status:?}");
}

#[test]
fn follower_reports_a_leader_with_a_conflicting_log_once() {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    raft.restore(Record::Vote { term: 3, vote: None }).unwrap();
    let entries = [3, 1 << 2, b'x'];
    raft.restore(Record::Append { first: 1, commit: 1, entries: &entries }).unwrap();
    // the committed entry has another term there
    let (term, prev_index, prev_term) = (1 << 20, 1, 2);
    let wrong = Message::Append { term, prev_index, prev_term, commit: 1, round: 1, entries: &[] };
    let reason = Rejected::Impossible;
    assert!(reported(&mut raft, 2, wrong, 1).is_empty(), "not yet");
    assert_eq!(reported(&mut raft, 2, wrong, 20), [Event::Refusing { peer: id(2), reason }]);
    assert_eq!(raft.status().refusing, Some((id(2), reason)));
}

#[test]
fn follower_does_not_report_other_invalid_messages() {
    // the index is out of range, not the term
    let index = LIMIT - 1;
    let (term, index_term) = (1 << 20, 1);
    let beyond =
        Message::Snapshot { term, round: 1, index, index_term, offset: 0, done: false, data: &[] };
    let vote = Message::Vote { pre: false, term, granted: true };
    for (message, reason) in [(beyond, FAR), (vote, Rejected::Impossible)] {
        let mut raft = alone();
        assert_eq!(raft.receive(START, id(2), message), Err(reason));
        assert!(reported(&mut raft, 2, message, 10).is_empty(), "{message:?}");
        assert_eq!(raft.status().refusing, None, "{message:?}");
    }
}

/// Messages that only a leader sends.
fn leader_messages(term: u64) -> [Message<'static>; 4] {
    [
        Message::TimeoutNow { term },
        Message::ReadIndexConfirmed { term, id: 1, index: 0 },
        Message::Quiesce { term, round: 1, index: 0 },
        Message::Proposed { term, id: 1, index: 1, count: 0 },
    ]
}

/// The node after a vote request of node 9, a non-member, in an old term: node 9 has a peer slot.
fn with_request_of_a_non_member(mut raft: Node, now: Instant) -> Node {
    let ask = Message::RequestVote { pre: true, term: 1, last_index: 0, last_term: 0 };
    raft.receive(now, id(9), ask).unwrap();
    drain_and_persist(&mut raft);
    raft
}

#[test]
fn leader_messages_of_a_non_member_that_does_not_lead_are_refused() {
    let mut led = leader(3, Config::default());
    let now = led.now;
    for raft in [alone(), led_by(2), led.raft(1).clone()] {
        let raft = with_request_of_a_non_member(raft, now);
        let before = raft.status();
        for message in leader_messages(before.term) {
            let mut raft = raft.clone();
            assert_eq!(raft.receive(now, id(9), message), Err(NON_MEMBER), "{message:?}");
            assert_eq!(raft.status(), before, "{message:?}");
        }
    }
}

#[test]
fn leader_messages_of_a_non_member_that_leads_are_accepted() {
    let raft = led_by(9);
    for message in leader_messages(3) {
        let mut raft = raft.clone();
        assert_eq!(raft.receive(START, id(9), message), Ok(()), "{message:?}");
        let campaigns = matches!(message, Message::TimeoutNow { .. });
        assert_eq!(raft.status().role == Role::Candidate, campaigns, "{message:?}");
    }
}

/// One forwarded command.
fn command(term: u64) -> Vec<u8> {
    vec![u8::try_from(term).unwrap(), 1 << 2, b'x']
}

/// Requests of current or former followers of this leader.
fn follower_requests(term: u64, commands: &[u8]) -> [Message<'_>; 3] {
    [
        Message::ReadIndex { term, id: 1 },
        Message::RequestSnapshot { term, index: 1 },
        Message::Propose { term, id: 1, round: 1, commands },
    ]
}

#[test]
fn leader_refuses_requests_of_a_non_member() {
    let mut cluster = leader(3, Config { forward: true, ..Config::default() });
    let now = cluster.now;
    let raft = with_request_of_a_non_member(cluster.raft(1).clone(), now);
    let before = raft.status();
    let command = command(before.term);
    for message in follower_requests(before.term, &command) {
        let mut raft = raft.clone();
        assert_eq!(raft.receive(now, id(9), message), Err(NON_MEMBER), "{message:?}");
        assert_eq!(raft.status(), before, "{message:?}");
        assert!(raft.poll().is_none(), "{message:?}");
    }
}

/// Node 1 leads and has removed node 4, which does not know yet.
fn with_node_4_removed() -> Cluster {
    let mut cluster = leader(4, Config { forward: true, ..Config::default() });
    cluster.raft(1).change(&[Change::Remove(id(4))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| e.from != 4 && e.to != 4);
    assert_eq!(cluster.raft(1).status().commit, cluster.raft(1).status().config);
    cluster.net.clear();
    cluster
}

fn is_sent_its_removal(cluster: &mut Cluster) -> bool {
    cluster.drain(1);
    let removed = |e: &Envelope| matches!(e.message(), Message::Removed { .. });
    cluster.net.drain(..).any(|e| e.to == 4 && removed(&e))
}

/// Responses of a follower to its leader.
fn responses(term: u64) -> [Message<'static>; 3] {
    [
        Message::AppendAccepted { term, round: 1, match_index: 0 },
        Message::AppendRejected { term, round: 1, prev_index: 1, hint_index: 0, hint_term: 0 },
        Message::SnapshotAck { term, round: 1, index: 1, offset: 0 },
    ]
}

#[test]
fn removed_node_that_answers_in_a_later_term_is_sent_its_removal() {
    let mut cluster = with_node_4_removed();
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    for later in [term + 1, term + 100 * JUMP, LIMIT - 1] {
        for message in responses(later) {
            assert_eq!(cluster.raft(1).receive(now, id(4), message), Ok(()), "{message:?}");
            assert!(is_sent_its_removal(&mut cluster), "{message:?}");
        }
    }
    let status = cluster.raft(1).status();
    assert_eq!((status.term, status.role), (term, Role::Leader));
}

#[test]
fn removed_node_that_answers_in_an_impossible_term_is_refused() {
    let mut cluster = with_node_4_removed();
    let now = cluster.now;
    for none in [LIMIT, LIMIT + 1, u64::MAX] {
        for message in responses(none) {
            assert_eq!(cluster.raft(1).receive(now, id(4), message), Err(FAR), "{message:?}");
            assert!(!is_sent_its_removal(&mut cluster), "{message:?}");
        }
    }
}

#[test]
fn removed_node_that_answers_in_the_leaders_term_is_accepted() {
    let mut cluster = with_node_4_removed();
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    for message in responses(term) {
        assert_eq!(cluster.raft(1).receive(now, id(4), message), Ok(()), "{message:?}");
        assert!(!is_sent_its_removal(&mut cluster), "{message:?}");
    }
}

#[test]
fn removed_node_may_still_send_requests_to_its_leader() {
    let mut cluster = with_node_4_removed();
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let command = command(status.term);
    for message in follower_requests(status.term, &command) {
        assert_eq!(cluster.raft(1).receive(now, id(4), message), Ok(()), "{message:?}");
    }
    // it is no member, so its command is not appended
    assert_eq!(cluster.raft(1).status().last, status.last);
}

#[test]
fn message_that_triggers_a_term_step_is_not_counted_as_rejected() {
    let (mut raft, far) = (alone(), heartbeat(3 + 100 * JUMP));
    assert_eq!(raft.receive(START, id(2), far), Ok(()));
    assert_eq!(raft.rejections().total(), 0);
    // the next step is not taken yet
    assert_eq!(raft.receive(START, id(2), far), Err(FAR));
    assert_eq!(raft.rejections().total(), 1);
}
