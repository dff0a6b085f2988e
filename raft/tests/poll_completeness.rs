//! After an input, polling returns all resulting output. No output waits for the next input.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::encode;
use crate::common::{Cluster, Envelope, id};
use quorate_core::{Instant, Machine, NodeId};
#[cfg(feature = "alloc")]
use quorate_core::{Output, Wire};
#[cfg(feature = "alloc")]
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Change, Config, Inline, Message, Raft, Role};
#[cfg(feature = "alloc")]
use quorate_raft::{Heap, Record};

/// Node 1 leads three nodes, and no message is in flight.
fn elected(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster.net.clear();
    cluster
}

/// The kinds of the messages in flight from one node to another, in order.
fn kinds(cluster: &Cluster, from: u64, to: u64) -> Vec<&'static str> {
    let between = cluster.net.iter().filter(|e| (e.from, e.to) == (from, to));
    between
        .map(|envelope| match envelope.message() {
            Message::Append { .. } => "append",
            Message::AppendAccepted { .. } => "accept",
            Message::RequestVote { .. } => "vote?",
            Message::Vote { .. } => "vote",
            Message::TimeoutNow { .. } => "time out",
            _ => "other",
        })
        .collect()
}

#[test]
fn leader_sends_all_pending_appends() {
    let mut cluster = elected(Config { max_append_bytes: 1, ..Config::default() });
    for text in ["a", "b", "c"] {
        cluster.raft(1).propose(text.as_bytes()).unwrap();
    }
    cluster.drain(1);
    for to in [2, 3] {
        assert_eq!(kinds(&cluster, 1, to), ["append"; 3]);
    }
}

#[test]
fn follower_answers_an_append_and_a_vote_request() {
    let mut cluster = elected(Config { check_quorum: false, ..Config::default() });
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let raft = cluster.raft(3);
    let request = Message::RequestVote {
        pre: true,
        term: status.term + 1,
        last_index: status.last,
        last_term: status.term,
    };
    raft.receive(now, id(1), request).unwrap();
    let append = Message::Append {
        term: status.term,
        prev_index: status.last,
        prev_term: status.term,
        commit: status.commit,
        round: 5000,
        entries: &[],
    };
    raft.receive(now, id(1), append).unwrap();
    cluster.drain(3);
    assert_eq!(kinds(&cluster, 3, 1), ["vote", "accept"]);
}

#[test]
fn leader_answers_a_vote_request_and_sends_its_heartbeat() {
    let mut cluster = elected(Config { check_quorum: false, ..Config::default() });
    let status = cluster.raft(1).status();
    let request = Message::RequestVote {
        pre: true,
        term: status.term + 1,
        last_index: status.last,
        last_term: status.term,
    };
    cluster.now = cluster.now.after(cluster.config.heartbeat_us);
    let now = cluster.now;
    let raft = cluster.raft(1);
    raft.tick(now);
    raft.receive(now, id(3), request).unwrap();
    cluster.drain(1);
    assert_eq!(kinds(&cluster, 1, 3), ["vote", "append"]);
    assert_eq!(kinds(&cluster, 1, 2), ["append"]);

    // and transfers leadership
    cluster.net.clear();
    let raft = cluster.raft(1);
    raft.receive(now, id(3), request).unwrap();
    raft.transfer(id(3)).unwrap();
    cluster.drain(1);
    assert_eq!(kinds(&cluster, 1, 3), ["vote", "time out"]);
}

#[test]
fn pre_candidate_answers_vote_requests() {
    let mut cluster = elected(Config::default());
    cluster.host(1).up = false;
    cluster.now = cluster.now.after(cluster.config.election_max_us * 2);
    let (now, status) = (cluster.now, cluster.raft(3).status());
    let request =
        Message::RequestVote { pre: true, term: status.term + 1, last_index: 0, last_term: 0 };
    let raft = cluster.raft(3);
    raft.tick(now);
    raft.receive(now, id(2), request).unwrap();
    assert_eq!(raft.status().role, Role::PreCandidate);
    cluster.drain(3);
    assert_eq!(kinds(&cluster, 3, 2), ["vote", "vote?"]);
}

#[cfg(feature = "alloc")]
#[test]
fn entries_in_several_chunks_are_all_written() {
    let me = NodeId::new(1);
    let mut raft = Raft::<Heap>::new(me, &[me], Config::default(), 1).unwrap();
    let mut now = Instant::from_millis(1);
    let mut written = 0;
    let mut records = 0;
    for _ in 0..20 {
        now = now.after(1_000_000);
        raft.tick(now);
        let leads = raft.status().role == Role::Leader;
        if leads && raft.status().last < 2 {
            // log chunks have 64 KiB
            for _ in 0..3 {
                raft.propose(&[7; 40_000]).unwrap();
            }
            records = 0;
        }
        let mut last = None;
        while let Some(output) = raft.poll() {
            if let Output::Persist(ticket, record) = output {
                last = Some(ticket);
                if let Record::Append { first, entries, .. } = record {
                    assert_eq!(first, written + 1);
                    let bytes = encode(&Record::Append { first, commit: 0, entries });
                    assert!(Record::from_slice(&bytes).is_ok());
                    written = last_index(first, entries);
                    records += 1;
                }
            }
        }
        assert_eq!(written, raft.status().last);
        if let Some(ticket) = last {
            raft.persisted(ticket);
        }
    }
    assert!(written >= 4 && records == 3, "{records} records");
}

/// The index of the last entry of a run. All entries have 40,000 bytes of data or none.
#[cfg(feature = "alloc")]
fn last_index(first: u64, run: &[u8]) -> u64 {
    let mut rest = run;
    let mut index = first;
    while rest.len() > 3 {
        // one byte of term, three bytes of length
        rest = &rest[4 + 40_000..];
        index += 1;
    }
    if rest.is_empty() { index - 1 } else { index }
}

#[test]
fn duplicated_append_is_answered_twice() {
    let mut cluster = elected(Config::default());
    cluster.propose(1, "a");
    let append = cluster.net.iter().find(|e| e.to == 3).unwrap().clone();
    cluster.net.clear();
    for _ in 0..2 {
        cluster.deliver(&append);
        assert_eq!(kinds(&cluster, 3, 1), ["accept"]);
        cluster.net.clear();
    }
}

#[test]
fn member_replaces_a_non_member_in_the_peer_table() {
    type Small = Raft<Inline<3, 1024, 32, 64>>;
    let me = NodeId::new(1);
    let voters = [me, id(2)];
    let config = Config { max_members: 3, ..Config::default() };
    let mut raft = Small::new(me, &voters, config, 1).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    let mut list = Vec::new();
    for member in 1..=3_u64 {
        // 1: member, 2: voter
        list.push(3);
        list.extend(member.to_le_bytes());
    }
    let mut entries = vec![1, u8::try_from(list.len() * 4 + 2).unwrap()];
    entries.extend(&list);
    for non_member in [8, 9] {
        let request = Message::RequestVote { pre: true, term: 1, last_index: 0, last_term: 0 };
        raft.receive(now, id(non_member), request).unwrap();
        while raft.poll().is_some() {}
    }
    let append = Message::Append {
        term: 1,
        prev_index: 0,
        prev_term: 0,
        commit: 0,
        round: 1,
        entries: &entries,
    };
    raft.receive(now, id(2), append).unwrap();
    let mut members: Vec<u64> =
        raft.peers().filter(|peer| peer.membership.is_member()).map(|peer| peer.id.get()).collect();
    members.sort_unstable();
    assert_eq!(members, [2, 3]);
}

/// Node 1 has proposed a command. Returns the acknowledgements, which are not delivered yet.
fn about_to_commit(cluster: &mut Cluster) -> Vec<Envelope> {
    cluster.raft(1).propose(b"b").unwrap();
    cluster.drain(1);
    let sent: Vec<Envelope> = cluster.net.drain(..).collect();
    sent.iter().for_each(|envelope| cluster.deliver(envelope));
    cluster.net.drain(..).collect()
}

#[test]
fn leader_reports_a_commit_and_asks_for_a_snapshot() {
    let mut cluster = elected(Config::default());
    cluster.raft(1).propose(b"a").unwrap();
    cluster.drain(1);
    cluster.settle_if(|envelope| envelope.to != 3);
    let applied = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(applied, applied).unwrap();
    cluster.drain(1);
    // node 2 accepts the next entry; node 3 lacks compacted entries
    let answers = about_to_commit(&mut cluster);
    let now = cluster.now;
    for answer in &answers {
        cluster.raft(1).receive(now, id(answer.from), answer.message()).unwrap();
    }
    cluster.drain(1);
    assert_eq!(cluster.host(1).applied.last().unwrap(), &(applied + 1, b"b".to_vec()));
    assert_eq!(cluster.host(1).chunk_requests, [(3, applied, 0)]);
}

#[test]
fn leader_reports_a_commit_and_a_due_snapshot() {
    let mut cluster = elected(Config::default());
    let answers = about_to_commit(&mut cluster);
    let (now, status) = (cluster.now, cluster.raft(1).status());
    for answer in answers.iter().filter(|answer| answer.from == 2) {
        cluster.raft(1).receive(now, id(2), answer.message()).unwrap();
    }
    let request = Message::RequestSnapshot { term: status.term, index: status.commit };
    cluster.raft(1).receive(now, id(3), request).unwrap();
    cluster.drain(1);
    assert_eq!(cluster.raft(1).status().applied, status.last);
    assert_eq!(cluster.host(1).snapshots_due, [status.commit]);
}

#[test]
fn follower_reports_a_commit_and_a_snapshot_chunk() {
    let mut cluster = elected(Config::default());
    let _ = about_to_commit(&mut cluster);
    let (now, status) = (cluster.now, cluster.raft(1).status());
    let Config { max_snapshot_chunk_bytes, .. } = cluster.config;
    let (index, term, round) = (status.last + 5, status.term, 1 << 20);
    let commits = Message::Append {
        term,
        prev_index: status.last,
        prev_term: term,
        commit: status.last,
        round,
        entries: &[],
    };
    let data = &[7; 8][..max_snapshot_chunk_bytes.min(8)];
    let part =
        Message::Snapshot { term, round, index, index_term: term, offset: 0, done: false, data };
    cluster.raft(2).receive(now, id(1), commits).unwrap();
    cluster.raft(2).receive(now, id(1), part).unwrap();
    cluster.drain(2);
    assert_eq!(cluster.raft(2).status().applied, status.last);
    assert_eq!(cluster.host(2).chunks, [(index, 0, data.to_vec(), false)]);
}

#[test]
fn single_voter_commits_while_a_learner_is_down() {
    let mut cluster = Cluster::new(1);
    cluster.run(400);
    cluster.raft(1).change(&[Change::Add(id(2))]).unwrap();
    cluster.drain(1);
    cluster.net.clear();
    let proposal = cluster.raft(1).propose(b"x").unwrap();
    cluster.drain(1);
    assert_eq!(cluster.raft(1).status().commit, proposal.index);
}

#[test]
fn removed_member_is_sent_its_removal_once_it_is_durable() {
    let mut cluster = elected(Config::default());
    cluster.raft(1).change(&[Change::Remove(id(2)), Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    // no time passes, so no heartbeat resends the entry
    cluster.settle();
    let config = cluster.raft(1).status().config;
    assert!(!cluster.raft(1).status().joint);
    for removed in [2, 3] {
        assert_eq!(cluster.raft(removed).status().last, config);
    }
}

#[test]
fn leader_sends_no_removal_before_it_is_durable() {
    let mut cluster = elected(Config { max_inflight_entries: 2, ..Config::default() });
    for _ in 0..3 {
        cluster.raft(1).propose(b"x").unwrap();
    }
    cluster.drain(1);
    cluster.host(1).fast_disk = false;
    let removal = cluster.raft(1).change(&[Change::Remove(id(3))]).unwrap();
    cluster.drain(1);
    cluster.settle();
    // the window has room for both entries, and only the command is durable at the leader
    assert_eq!(cluster.raft(3).status().last, removal.index - 1);
    cluster.sync(1);
    cluster.settle();
    assert_eq!(cluster.raft(3).status().last, removal.index);
}

/// A single node reports all commits, then reads. Returns the greatest number of commit events of one loop.
fn commit_events<S: quorate_raft::Storage>(lengths: &[usize]) -> usize {
    let config = Config { max_uncommitted_bytes: 1 << 20, ..Config::default() };
    let mut raft = Raft::<S>::new(id(1), &[id(1)], config, 1).unwrap();
    raft.tick(Instant::from_millis(1));
    crate::common::drain_and_persist(&mut raft);
    raft.campaign(Instant::from_millis(1));
    crate::common::drain_and_persist(&mut raft);
    let mut most = 0;
    for n in 0..20 {
        for &length in lengths {
            raft.propose(&vec![n; length]).unwrap();
        }
        let wanted = raft.read().unwrap();
        let (mut runs, mut read) = (0, None);
        loop {
            let mut durable = None;
            while let Some(output) = raft.poll() {
                match output {
                    quorate_core::Output::Persist(ticket, _) => durable = Some(ticket),
                    quorate_core::Output::Event(quorate_raft::Event::Committed(_)) => runs += 1,
                    quorate_core::Output::Event(quorate_raft::Event::Read { through }) => {
                        read = Some(through);
                    }
                    _ => {}
                }
            }
            let Some(ticket) = durable else { break };
            raft.persisted(ticket);
        }
        let status = raft.status();
        assert_eq!((status.applied, status.commit), (status.last, status.last));
        assert_eq!(read, Some(wanted), "{n}");
        most = most.max(runs);
        raft.snapshot_taken(status.applied, status.applied).unwrap();
    }
    most
}

#[test]
fn one_poll_loop_reports_all_commits_and_then_reads() {
    commit_events::<Inline<1, 256, 16, 64>>(&[20, 30, 10]);
    // heap storage has chunks of 128 KiB
    #[cfg(feature = "alloc")]
    assert!(commit_events::<Heap>(&[60_000; 3]) > 1);
}
