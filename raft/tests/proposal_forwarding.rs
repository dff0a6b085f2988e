//! Proposal forwarding: followers send commands to the leader.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Envelope, Node, encode, id};
use quorate_core::{Instant, Machine, Output, Rejected};
use quorate_raft::{
    Change, Config, ConfigError, Fixed, Forwarded, Inline, Message, Proposal, ProposeError, Raft,
    Role,
};
#[cfg(feature = "alloc")]
use quorate_raft::{Event, Heap};

fn config() -> Config {
    Config { forward: true, max_snapshot_chunk_bytes: 64, ..Config::default() }
}

/// Node 1 leads.
fn cluster() -> Cluster {
    elected(config())
}

fn elected(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster
}

fn forward(cluster: &mut Cluster, node: u64, command: &str) -> u64 {
    let id = cluster.raft(node).forward(command.as_bytes()).unwrap().get();
    cluster.drain(node);
    id
}

fn take_forwarded(cluster: &mut Cluster, node: u64) -> Vec<(u64, u64, Forwarded)> {
    std::mem::take(&mut cluster.host(node).forwarded)
}

fn accepted_at(cluster: &mut Cluster, index: u64) -> Forwarded {
    let term = cluster.raft(1).status().term;
    Forwarded::Proposed(Proposal { term, index })
}

fn is_propose(envelope: &Envelope) -> bool {
    matches!(envelope.message(), Message::Propose { .. })
}

fn is_proposed(envelope: &Envelope) -> bool {
    matches!(envelope.message(), Message::Proposed { .. })
}

#[test]
fn forwarded_command_is_reported_with_its_index_and_committed() {
    let mut cluster = cluster();
    let next = cluster.raft(1).status().last + 1;
    assert_eq!(forward(&mut cluster, 3, "a"), 1);
    cluster.settle();
    let taken = accepted_at(&mut cluster, next);
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, taken)]);
    cluster.run(100);
    assert_eq!(cluster.host(3).applied.last(), Some(&(next, b"a".to_vec())));
    assert_eq!(cluster.commands(2), ["a"]);
    assert!(take_forwarded(&mut cluster, 3).is_empty());
}

#[test]
fn commands_forwarded_together_share_a_message_and_get_consecutive_indexes() {
    let mut cluster = cluster();
    let next = cluster.raft(1).status().last + 1;
    for text in ["a", "b", "c"] {
        cluster.raft(2).forward(text.as_bytes()).unwrap();
    }
    cluster.drain(2);
    assert_eq!(cluster.net.iter().filter(|e| is_propose(e)).count(), 1);
    cluster.settle();
    let taken = accepted_at(&mut cluster, next);
    assert_eq!(take_forwarded(&mut cluster, 2), [(1, 3, taken)]);
    assert_eq!(forward(&mut cluster, 2, "d"), 4);
    cluster.run(100);
    assert_eq!(cluster.commands(3), ["a", "b", "c", "d"]);
}

#[test]
fn duplicated_message_is_proposed_once() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    let request = cluster.net.iter().find(|e| is_propose(e)).unwrap().clone();
    cluster.deliver(&request);
    cluster.settle();
    cluster.deliver(&request);
    cluster.settle();
    forward(&mut cluster, 3, "b");
    cluster.settle();
    // a later message was answered in between
    cluster.deliver(&request);
    assert!(!cluster.net.iter().any(is_proposed));
    cluster.run(100);
    assert_eq!(cluster.commands(1), ["a", "b"]);
    assert_eq!(take_forwarded(&mut cluster, 3).len(), 2);
}

#[test]
fn lost_message_is_resent_and_proposed_once() {
    for lose in [(3, 0), (0, 3), (1, 2)] {
        let mut cluster = cluster();
        let (mut requests, mut responses) = lose;
        let next = cluster.raft(1).status().last + 1;
        forward(&mut cluster, 3, "a");
        cluster.run_if(250, |e| {
            let left = match e.message() {
                Message::Propose { .. } => &mut requests,
                Message::Proposed { .. } => &mut responses,
                _ => return true,
            };
            let lost = *left > 0;
            *left -= u32::from(lost);
            !lost
        });
        assert_eq!((requests, responses), (0, 0));
        let taken = accepted_at(&mut cluster, next);
        assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, taken)]);
        assert_eq!(cluster.commands(2), ["a"]);
    }
}

#[test]
fn deadline_covers_the_resend() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    cluster.net.clear();
    let due = cluster.now.after(cluster.config.heartbeat_us);
    assert_eq!(cluster.raft(3).deadline(), Some(due));
    cluster.now = due;
    cluster.raft(3).tick(due);
    cluster.drain(3);
    assert!(cluster.net.iter().any(is_propose));
}

#[test]
fn one_message_is_in_flight_at_a_time() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    assert_eq!(cluster.raft(3).forward(b"b"), Err(ProposeError::Busy));
    cluster.settle();
    assert_eq!(forward(&mut cluster, 3, "b"), 2);
    cluster.run(100);
    assert_eq!(cluster.commands(1), ["a", "b"]);
    assert_eq!(take_forwarded(&mut cluster, 3).len(), 2);
}

#[test]
fn unpolled_result_keeps_forward_busy() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    cluster.settle_if(|e| !is_proposed(e));
    let answer = encode(&Message::Proposed {
        term: cluster.raft(1).status().term,
        id: request_id(&mut cluster),
        index: 9,
        count: 1,
    });
    let now = cluster.now;
    let raft = cluster.raft(3);
    let message = quorate_core::Wire::from_slice(&answer).unwrap();
    raft.receive(now, id(1), message).unwrap();
    assert_eq!(raft.forward(b"b"), Err(ProposeError::Busy));
    cluster.drain(3);
    assert!(cluster.raft(3).forward(b"b").is_ok());
}

/// The id of the message in flight, which node 3 sends again.
fn request_id(cluster: &mut Cluster) -> u64 {
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    cluster.raft(3).tick(now);
    cluster.drain(3);
    let request = cluster.net.iter().find(|e| is_propose(e)).unwrap();
    let Message::Propose { id, .. } = request.message() else { panic!("no request") };
    id
}

#[test]
fn buffer_is_bounded() {
    let mut cluster = cluster();
    // each command has a header of 2 bytes, or 3 from 32 bytes on
    assert_eq!(cluster.raft(2).forward(&[7; 62]), Err(ProposeError::TooLarge));
    assert!(cluster.raft(2).forward(&[7; 61]).is_ok());
    assert!(cluster.raft(3).forward(&[7; 30]).is_ok());
    assert!(cluster.raft(3).forward(&[8; 20]).is_ok());
    // the header needs room as well
    assert_eq!(cluster.raft(3).forward(&[9; 9]), Err(ProposeError::Busy));
    assert!(cluster.raft(3).forward(&[9; 8]).is_ok());
    cluster.drain(3);
    cluster.run(100);
    let applied: Vec<_> = cluster.host(2).applied.iter().map(|e| e.1.len()).collect();
    assert_eq!(applied[applied.len() - 4..], [30, 20, 8, 61]);
    let config = Config { max_entry_bytes: 10, ..config() };
    let mut cluster = elected(config);
    assert_eq!(cluster.raft(3).forward(&[7; 11]), Err(ProposeError::TooLarge));
    assert!(cluster.raft(3).forward(&[7; 10]).is_ok());
}

#[test]
fn leader_accepts_commands_up_to_its_limit_and_refuses_the_rest() {
    let mut cluster = elected(Config { max_uncommitted_bytes: 10, max_entry_bytes: 6, ..config() });
    for text in ["one", "two", "three"] {
        cluster.raft(3).forward(text.as_bytes()).unwrap();
    }
    let next = cluster.raft(1).status().last + 1;
    cluster.drain(3);
    cluster.settle();
    let taken = accepted_at(&mut cluster, next);
    let reported = take_forwarded(&mut cluster, 3);
    let Some(&(first, count, Forwarded::Proposed(_))) = reported.first() else {
        panic!("{reported:?}")
    };
    assert_eq!((reported[0], first), ((1, count, taken), 1));
    assert_eq!(reported[1..], [(1 + count, 3 - count, Forwarded::Refused)]);
    assert!(count < 3);
    cluster.run(100);
    assert_eq!(cluster.commands(2).len() as u64, count);
}

#[test]
fn leader_refuses_forwarded_commands_during_a_leadership_transfer() {
    let mut cluster = cluster();
    cluster.host(2).up = false;
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    forward(&mut cluster, 3, "a");
    cluster.settle();
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, Forwarded::Refused)]);
}

#[test]
fn disabled_forwarding_refuses_commands() {
    let mut cluster = elected(Config { forward: false, ..config() });
    let refused = Err(ProposeError::NotLeader(Some(id(1))));
    assert_eq!(cluster.raft(3).forward(b"a"), refused);
    let term = cluster.raft(1).status().term;
    let before = cluster.raft(1).status().last;
    let commands = [u8::try_from(term).unwrap(), 4, b'a'];
    let message = Message::Propose { term, id: 7, round: 0, commands: &commands };
    let now = cluster.now;
    cluster.raft(1).receive(now, id(3), message).unwrap();
    assert_eq!(cluster.raft(1).status().last, before);
    cluster.drain(1);
    let answer = cluster.net.iter().find(|e| is_proposed(e)).unwrap().clone();
    assert!(matches!(answer.message(), Message::Proposed { id: 7, count: 0, .. }));
}

#[test]
fn forward_is_refused_on_the_leader_and_without_a_known_leader() {
    let mut cluster = cluster();
    assert_eq!(cluster.raft(1).forward(b"a"), Err(ProposeError::IsLeader));
    let voters = [id(1), id(2), id(3)];
    let mut fresh = Node::new(id(1), &voters, config(), 7).unwrap();
    fresh.tick(Instant::from_millis(1));
    assert_eq!(fresh.forward(b"a"), Err(ProposeError::NotLeader(None)));
}

#[test]
fn sent_command_is_unknown_after_a_leader_change() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    // the message arrives, and its answer is lost
    cluster.settle_if(|e| !is_proposed(e));
    cluster.elect(2);
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, Forwarded::Unknown)]);
    cluster.run(100);
    assert_eq!(cluster.commands(3), ["a"]);
    // the answer of the earlier leader is ignored
    assert_eq!(forward(&mut cluster, 3, "b"), 2);
    cluster.run(100);
    assert_eq!(take_forwarded(&mut cluster, 3).len(), 1);
    assert_eq!(cluster.commands(3), ["a", "b"]);
}

#[test]
fn unsent_command_is_refused_after_a_leader_change() {
    let mut cluster = cluster();
    cluster.raft(3).forward(b"a").unwrap();
    // a candidate of the next term requests a vote before the message is polled
    let (now, term) = (cluster.now.after(300_000), cluster.raft(3).status().term);
    let raft = cluster.raft(3);
    let request =
        Message::RequestVoteForTransfer { term: term + 1, last_index: 99, last_term: term };
    raft.receive(now, id(2), request).unwrap();
    cluster.drain(3);
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, Forwarded::Refused)]);
    assert!(!cluster.net.iter().any(is_propose));
}

#[test]
fn unanswered_command_becomes_unknown_after_an_election_timeout() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    let since = cluster.now;
    while take_forwarded(&mut cluster, 3).is_empty() {
        cluster.run_if(10, |e| !is_propose(e));
        assert!(cluster.now.since(since) <= cluster.config.election_max_us + 10_000);
        assert_eq!(cluster.raft(3).status().role, Role::Follower);
    }
    assert!(cluster.now.since(since) >= cluster.config.election_max_us);
    // the next command goes into a new message
    forward(&mut cluster, 3, "b");
    cluster.run(100);
    assert_eq!(cluster.commands(1), ["b"]);
    assert!(matches!(take_forwarded(&mut cluster, 3)[..], [(2, 1, Forwarded::Proposed(_))]));
}

#[test]
fn accepted_command_that_is_replaced_is_reported_dropped() {
    let mut cluster = cluster();
    // the leader's appends are lost
    forward(&mut cluster, 3, "a");
    cluster.settle_if(|e| !matches!(e.message(), Message::Append { .. }));
    assert!(matches!(take_forwarded(&mut cluster, 3)[..], [(1, 1, Forwarded::Proposed(_))]));
    let term = cluster.raft(1).status().term;
    cluster.host(1).up = false;
    cluster.elect(2);
    cluster.run(200);
    assert!(cluster.commands(3).is_empty());
    let lost = &cluster.host(3).dropped;
    assert!(lost.len() == 1 && lost[0].0 > term, "{lost:?}");
}

#[test]
fn snapshot_chunk_takes_over_the_buffer() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    cluster.net.clear();
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let part = Message::Snapshot {
        term: status.term,
        round: 9_999,
        index: 50,
        index_term: status.term,
        offset: 0,
        done: false,
        data: b"abc",
    };
    cluster.raft(3).receive(now, id(1), part).unwrap();
    cluster.drain(3);
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, Forwarded::Unknown)]);
    assert_eq!(cluster.host(3).chunks.len(), 1);
}

#[test]
fn empty_or_out_of_order_chunk_leaves_the_buffer_alone() {
    // an empty chunk that asks for the offset, and a chunk out of order
    for (offset, data) in [(0, &b""[..]), (7, b"abc")] {
        let mut cluster = cluster();
        forward(&mut cluster, 3, "a");
        let (now, status) = (cluster.now, cluster.raft(1).status());
        let part = Message::Snapshot {
            term: status.term,
            round: 9_999,
            index: 50,
            index_term: status.term,
            offset,
            done: false,
            data,
        };
        cluster.raft(3).receive(now, id(1), part).unwrap();
        cluster.drain(3);
        assert!(take_forwarded(&mut cluster, 3).is_empty());
        cluster.settle();
        assert_eq!(take_forwarded(&mut cluster, 3).len(), 1);
    }
}

#[test]
fn forward_is_busy_while_a_chunk_is_in_the_buffer() {
    let mut cluster = cluster();
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let part = Message::Snapshot {
        term: status.term,
        round: 9_999,
        index: 50,
        index_term: status.term,
        offset: 0,
        done: false,
        data: b"abc",
    };
    cluster.raft(3).receive(now, id(1), part).unwrap();
    assert_eq!(cluster.raft(3).forward(b"a"), Err(ProposeError::Busy));
    cluster.drain(3);
    assert_eq!(cluster.host(3).chunks[0].2, b"abc");
    assert!(cluster.raft(3).forward(b"a").is_ok());
}

#[test]
fn node_with_a_forwarded_command_does_not_quiesce() {
    let mut cluster = elected(Config { quiesce_us: 100_000, ..config() });
    cluster.run(1000);
    assert!(cluster.raft(3).status().quiescent);
    // the follower and the leader unquiesce
    forward(&mut cluster, 3, "a");
    cluster.run(50);
    assert_eq!(cluster.commands(3), ["a"]);
    cluster.run(1000);
    assert!(cluster.raft(3).status().quiescent);
    forward(&mut cluster, 3, "b");
    let status = cluster.raft(3).status();
    assert!(!status.quiescent && cluster.raft(3).deadline().is_some());
    // only the forwarded command to the quiescent leader is lost
    cluster.run_if(100, |e| !is_propose(e));
    let now = cluster.now;
    cluster.raft(1).unquiesce(now);
    cluster.drain(1);
    cluster.run_if(180, |e| !is_propose(e));
    assert!(!cluster.raft(3).status().quiescent && !cluster.raft(1).status().quiescent);
    cluster.run_if(1000, |e| !is_propose(e));
    assert!(cluster.raft(3).status().quiescent);
    assert!(matches!(
        take_forwarded(&mut cluster, 3)[..],
        [(1, 1, Forwarded::Proposed(_)), (2, 1, Forwarded::Unknown)]
    ));
}

#[test]
fn command_of_a_removed_member_is_refused() {
    let mut cluster = cluster();
    cluster.raft(3).forward(b"a").unwrap();
    cluster.drain(3);
    cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle_if(|e| is_propose(e) || is_proposed(e));
    // node 3 does not know of its removal yet
    assert!(cluster.raft(3).status().membership.is_voter());
    assert_eq!(take_forwarded(&mut cluster, 3), [(1, 1, Forwarded::Refused)]);
    while cluster.raft(3).status().membership.is_member() {
        cluster.run(10);
    }
    // node 3 still knows the leader
    assert_eq!(cluster.raft(3).forward(b"a"), Err(ProposeError::NotLeader(Some(id(1)))));
    assert!(!cluster.commands(1).contains(&"a".to_owned()));
}

/// The leader is the only voter; learners are added and removed.
#[test]
fn accepted_messages_are_remembered_for_all_peers() {
    let config = Config { max_members: 3, ..config() };
    let mut raft = Raft::<Inline<3, 8192, 256, 64>>::new(id(1), &[id(1)], config, 7).unwrap();
    let mut now = Instant::from_millis(1);
    let mut step = |raft: &mut Raft<_>| {
        now = now.after(1_000_000);
        raft.tick(now);
        loop {
            let mut last = None;
            while let Some(output) = raft.poll() {
                if let Output::Persist(ticket, _) = output {
                    last = Some(ticket);
                }
            }
            let Some(ticket) = last else { return now };
            raft.persisted(ticket);
        }
    };
    let propose_from = |raft: &mut Raft<_>, now, from: u64| {
        let (term, before) = (raft.status().term, raft.status().last);
        let commands = [u8::try_from(term).unwrap(), 4, b'a'];
        // ids of different nodes are independent
        let message = Message::Propose { term, id: from << 33 | 1, round: 0, commands: &commands };
        raft.receive(now, id(from), message).unwrap();
        raft.status().last - before
    };
    while raft.status().commit == 0 {
        step(&mut raft);
    }
    raft.change(&[Change::Add(id(2))]).unwrap();
    let now = step(&mut raft);
    assert_eq!((propose_from(&mut raft, now, 2), propose_from(&mut raft, now, 2)), (1, 0));
    for newcomer in 3..8 {
        raft.change(&[Change::Add(id(newcomer))]).unwrap();
        let now = step(&mut raft);
        assert_eq!(
            (propose_from(&mut raft, now, newcomer), propose_from(&mut raft, now, newcomer)),
            (1, 0)
        );
        assert_eq!(propose_from(&mut raft, now, 2), 0, "after {newcomer}");
        raft.change(&[Change::Remove(id(newcomer))]).unwrap();
        step(&mut raft);
        step(&mut raft);
    }
}

#[test]
fn invalid_messages_are_rejected() {
    let mut cluster = cluster();
    [2, 1].into_iter().for_each(|node| cluster.elect(node)); // so that there was an earlier term
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let term = status.term;
    let t = u8::try_from(term).unwrap();
    let mut propose = |term, id_, commands: &[u8]| {
        let message = Message::Propose { term, id: id_, round: 0, commands };
        cluster.raft(1).receive(now, id(3), message)
    };
    assert_eq!(propose(term, 1, &[]), Err(Rejected::Malformed));
    assert_eq!(propose(term, 0, &[t, 4, 1]), Err(Rejected::Malformed));
    assert_eq!(propose(term, 1, &[t, 8, 1]), Err(Rejected::Malformed));
    assert_eq!(propose(term, 1, &[t, 5, 1]), Err(Rejected::Malformed), "a blank entry");
    assert_eq!(propose(term, 1, &[t, 4, 1, t + 1, 4, 1]), Err(Rejected::Malformed));
    assert_eq!(propose(term, 1 << 62, &[t, 4, 1]), Err(Rejected::OutOfRange));
    // late messages of an earlier term are ignored
    assert_eq!(propose(term - 1, 1, &[t - 1, 4, 1]), Ok(()));
    assert_eq!(cluster.raft(1).status().last, status.last);

    forward(&mut cluster, 3, "a");
    let Some(request) = cluster.net.iter().find(|e| is_propose(e)).cloned() else { panic!() };
    let Message::Propose { id: known, .. } = request.message() else { panic!() };
    let mut answer = |from, term, id_, index, count| {
        let message = Message::Proposed { term, id: id_, index, count };
        cluster.raft(3).receive(now, id(from), message)
    };
    assert_eq!(answer(1, 0, known, 5, 1), Err(Rejected::Malformed));
    assert_eq!(answer(1, term, 0, 5, 1), Err(Rejected::Malformed));
    assert_eq!(answer(1, term, known, 0, 1), Err(Rejected::Malformed));
    assert_eq!(answer(1, term, known, 1 << 62, 1), Err(Rejected::OutOfRange));
    assert_eq!(answer(1, term, known, 5, 1 << 62), Err(Rejected::OutOfRange));
    assert_eq!(answer(1, term, known, 5, 2), Err(Rejected::Impossible));
    // these answers are ignored
    assert_eq!(answer(1, term, known + 1, 5, 1), Ok(()));
    assert_eq!(answer(2, term, known, 5, 1), Ok(()));
    assert_eq!(answer(1, term - 1, known, 5, 1), Ok(()));
    cluster.drain(3);
    assert!(take_forwarded(&mut cluster, 3).is_empty());
    cluster.deliver(&request);
    cluster.settle();
    assert_eq!(take_forwarded(&mut cluster, 3).len(), 1);
}

#[test]
fn message_of_a_restarted_follower_is_not_treated_as_late() {
    let mut cluster = cluster();
    for _ in 0..3 {
        forward(&mut cluster, 3, "a");
        cluster.settle();
    }
    cluster.restart(3);
    cluster.run(100);
    assert_eq!(forward(&mut cluster, 3, "b"), 1);
    cluster.run(100);
    assert_eq!(cluster.commands(2), ["a", "a", "a", "b"]);
}

#[test]
fn message_from_before_a_restart_is_not_proposed_again() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    let earlier = cluster.net.iter().find(|e| is_propose(e)).unwrap().clone();
    cluster.settle();
    cluster.restart(3);
    cluster.run(100);
    forward(&mut cluster, 3, "b");
    let later = cluster.net.iter().find(|e| is_propose(e)).unwrap().clone();
    cluster.settle();
    for _ in 0..2 {
        cluster.deliver(&earlier);
        cluster.settle();
        cluster.deliver(&later);
        cluster.settle();
    }
    cluster.run(100);
    assert_eq!(cluster.commands(2), ["a", "b"]);
}

#[test]
fn late_message_of_an_earlier_incarnation_causes_no_duplicate() {
    let mut cluster = cluster();
    forward(&mut cluster, 3, "a");
    cluster.settle();
    // the next message is delayed for long
    cluster.run(200);
    forward(&mut cluster, 3, "late");
    let late = cluster.net.iter().position(is_propose).unwrap();
    let late = cluster.net.remove(late).unwrap();
    cluster.restart(3);
    cluster.run(100);
    forward(&mut cluster, 3, "b");
    let later = cluster.net.iter().find(|e| is_propose(e)).unwrap().clone();
    // the answer is lost
    cluster.settle_if(|e| !is_proposed(e));
    cluster.deliver(&late);
    cluster.deliver(&later);
    cluster.run(600);
    let applied = cluster.commands(2);
    assert_eq!(applied.iter().filter(|text| **text == "b").count(), 1, "{applied:?}");
    assert!(matches!(take_forwarded(&mut cluster, 3)[..], [.., (1, 1, _)]));
}

#[test]
fn fixed_storage_does_not_forward() {
    type Bare = Raft<Fixed<3, 1024, 16, 64>>;
    let voters = [id(1), id(2)];
    let error = Bare::new(id(1), &voters, config(), 7).unwrap_err();
    assert_eq!(error, ConfigError::Fixed);
    let mut raft = Bare::new(id(1), &voters, Config { forward: false, ..config() }, 7).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    assert_eq!(raft.forward(b"a"), Err(ProposeError::NotLeader(None)));
    let request = Message::Propose { term: 1, id: 1, round: 0, commands: &[1, 4, 1] };
    assert_eq!(raft.receive(now, id(2), request), Ok(()));
    let answer = Message::Proposed { term: 1, id: 1, index: 1, count: 1 };
    assert_eq!(raft.receive(now, id(2), answer), Ok(()));
}

#[cfg(feature = "alloc")]
#[test]
fn heap_storage_forwards_commands() {
    let voters = [id(1), id(2)];
    let config = Config { forward: true, ..Config::default() };
    let make = |node| Raft::<Heap>::new(id(node), &voters, config.clone(), node).unwrap();
    let mut nodes = [make(1), make(2)];
    let mut now = Instant::from_millis(1);
    let (mut sent, mut results) = (false, Vec::new());
    for _ in 0..200 {
        now = now.after(10_000);
        for at in 0..2 {
            nodes[at].tick(now);
            let mut last = None;
            let mut messages = Vec::new();
            while let Some(output) = nodes[at].poll() {
                match output {
                    Output::Persist(ticket, _) => last = Some(ticket),
                    Output::Send(_, message) => messages.push(encode(&message)),
                    Output::Event(Event::Forwarded { count, end, .. }) => {
                        results.push((count, end))
                    }
                    Output::Event(_) => {}
                }
            }
            if let Some(ticket) = last {
                nodes[at].persisted(ticket);
            }
            for bytes in messages {
                let message = quorate_core::Wire::from_slice(&bytes).unwrap();
                let from = nodes[at].status().id;
                let _ = nodes[1 - at].receive(now, from, message);
            }
            let follows = nodes[at].status();
            if !sent && follows.role == Role::Follower && follows.leader.is_some() {
                sent = (0..5).all(|n| nodes[at].forward(&[n; 1000]).is_ok());
            }
        }
    }
    assert!(sent && matches!(results[..], [(5, Forwarded::Proposed(_))]), "{results:?}");
}

#[test]
fn forwarded_command_without_room_asks_the_leader_for_a_snapshot() {
    let mut cluster = cluster();
    while cluster.raft(1).propose(&[0; 300]) != Err(ProposeError::LogFull) {
        cluster.drain(1);
        cluster.settle();
    }
    cluster.drain(1);
    cluster.settle();
    assert_eq!(std::mem::take(&mut cluster.host(1).full_logs), 1);
    let command = "x".repeat(50);
    for round in 1.. {
        forward(&mut cluster, 2, &command);
        cluster.settle();
        cluster.run(100);
        let ends = take_forwarded(&mut cluster, 2);
        if ends == [(round, 1, Forwarded::Refused)] {
            break;
        }
        assert!(round < 20, "{ends:?}");
    }
    assert_eq!((cluster.host(1).full_logs, cluster.host(2).full_logs), (1, 0));
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied).unwrap();
    forward(&mut cluster, 2, &command);
    cluster.settle();
    assert!(matches!(take_forwarded(&mut cluster, 2)[..], [(_, 1, Forwarded::Proposed(_))]));
}
