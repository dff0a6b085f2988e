//! Effects of membership changes: notifications, peers, and which nodes may lead.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, id};
use quorate_core::{Instant, Machine, Output};
use quorate_raft::{Change, Config, EntryKind, Inline, Message, Raft, Role};

fn led_by_1(nodes: u64) -> Cluster {
    let mut cluster = Cluster::new(nodes);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(100);
    cluster
}

fn change(cluster: &mut Cluster, change: Change) {
    cluster.raft(1).change(&[change]).unwrap();
    cluster.drain(1);
    cluster.run(200);
}

/// A configuration entry of term 1 with these voters.
fn voters(members: &[u64]) -> Vec<u8> {
    // 1: member, 2: voter
    let list: Vec<u8> =
        members.iter().flat_map(|member| [&[3][..], &member.to_le_bytes()].concat()).collect();
    let tag = u8::try_from(list.len() << 2).unwrap() | EntryKind::Config as u8;
    [&[1, tag][..], &list].concat()
}

#[test]
fn every_node_reports_each_change_once() {
    let mut cluster = led_by_1(3);
    let reports = |cluster: &mut Cluster, node| cluster.host(node).members.len();
    for (at, what) in [Change::Demote(id(3)), Change::Promote(id(3)), Change::Remove(id(3))]
        .into_iter()
        .enumerate()
    {
        change(&mut cluster, what);
        let index = cluster.raft(1).status().config;
        let list = cluster.raft(1).members().bytes().to_vec();
        for node in 1..=3 {
            assert_eq!(reports(&mut cluster, node), at + 1, "{what:?} at {node}");
            assert_eq!(cluster.host(node).members[at], (index, list.clone()));
        }
    }
    assert!(!cluster.raft(3).status().membership.is_member());
}

#[test]
fn unchanged_members_in_a_snapshot_are_not_reported() {
    let mut cluster = led_by_1(3);
    let pass = |e: &crate::common::Envelope| e.from != 3 && e.to != 3;
    for _ in 0..3 {
        cluster.propose(1, "x");
        cluster.settle_if(pass);
    }
    let taken = cluster.raft(1).status().applied;
    cluster.raft(1).snapshot_taken(taken, taken).unwrap();
    cluster.drain(1);
    for _ in 0..30 {
        cluster.run(20);
        if let Some((to, index, offset)) = cluster.host(1).chunk_requests.pop() {
            cluster.raft(1).send_snapshot(id(to), index, offset, b"state", true).unwrap();
            cluster.drain(1);
        }
        if let Some((index, .., true)) = cluster.host(3).chunks.pop() {
            cluster.host(3).applied.clear();
            cluster.raft(3).snapshot_installed(index).unwrap();
            cluster.drain(3);
        }
    }
    assert_eq!(cluster.raft(3).status().snapshot, taken);
    assert!(cluster.host(3).members.is_empty());
}

#[test]
fn demoted_node_may_campaign_until_the_change_commits() {
    let mut cluster = led_by_1(3);
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    cluster.drain(1);
    // node 3 has the entry and does not know that it is committed
    let append = cluster.net.iter().position(|e| e.to == 3).unwrap();
    let append = cluster.net.remove(append).unwrap();
    cluster.deliver(&append);
    assert!(!cluster.raft(3).status().membership.is_voter());
    let campaigns = |raft: &Node, now: Instant| {
        let mut raft = raft.clone();
        raft.forget_leader();
        raft.campaign(now);
        raft.status().role != Role::Follower
    };
    let now = cluster.now;
    assert!(campaigns(cluster.raft(3), now));
    cluster.run(200);
    let now = cluster.now;
    assert!(!campaigns(cluster.raft(3), now));
    // a learner that never was a voter may not campaign
    assert!(campaigns(cluster.raft(2), now));
    cluster.raft(1).change(&[Change::Add(id(9))]).unwrap();
    cluster.drain(1);
    let append = cluster.net.iter().position(|e| e.to == 3).unwrap();
    let append = cluster.net.remove(append).unwrap();
    cluster.deliver(&append);
    assert!(!campaigns(cluster.raft(3), now));
}

#[test]
fn non_member_leader_keeps_its_peer_slot_unless_a_member_needs_it() {
    type Small = Raft<Inline<3, 1024, 32, 64>>;
    for (list, kept) in [(&[1, 2, 3], true), (&[2, 3, 4], false)] {
        let mut raft = Small::new(id(1), &[1, 2].map(id), Config::default(), 1).unwrap();
        let now = Instant::from_millis(1);
        raft.tick(now);
        let entries = voters(list);
        let append = Message::Append {
            term: 1,
            prev_index: 0,
            prev_term: 0,
            commit: 0,
            round: 1,
            entries: &entries,
        };
        raft.receive(now, id(9), append).unwrap();
        let mut members: Vec<u64> = raft.peers().map(|peer| peer.id.get()).collect();
        members.sort_unstable();
        let others: Vec<u64> = list.iter().copied().filter(|&member| member != 1).collect();
        assert_eq!(members, others);
        let mut answered = false;
        for _ in 0..10 {
            let ticket = match raft.poll() {
                Some(Output::Persist(ticket, _)) => Some(ticket),
                Some(Output::Send(to, _)) => {
                    answered |= to == id(9);
                    None
                }
                _ => None,
            };
            if let Some(ticket) = ticket {
                raft.persisted(ticket);
            }
        }
        assert_eq!(answered, kept);
    }
}

#[test]
fn non_member_is_not_sent_a_removal() {
    let mut cluster = led_by_1(3);
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let request = Message::RequestVote { pre: true, term, last_index: 0, last_term: 0 };
    cluster.raft(1).receive(now, id(4), request).unwrap();
    cluster.drain(1);
    cluster.net.retain(|e| e.to != 4);
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    cluster.drain(1);
    cluster.join(4);
    cluster.host(4).up = false;
    let mut messages = 0;
    cluster.run_if(200, |e| {
        messages += u32::from(e.to == 4);
        true
    });
    assert_eq!(messages, 0);
}

#[test]
fn leader_that_removes_itself_leads_until_the_change_commits() {
    let mut cluster = led_by_1(3);
    cluster.raft(1).change(&[Change::Remove(id(1))]).unwrap();
    cluster.drain(1);
    let index = cluster.raft(1).status().config;
    // its own vote does not count, so both others are needed
    cluster.settle_if(|e| e.to != 3 && e.from != 3);
    assert!(cluster.raft(1).status().commit < index);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
    cluster.run(100);
    assert!(cluster.raft(1).status().commit >= index);
    assert_ne!(cluster.raft(1).status().role, Role::Leader);
    let leader = cluster.leader().unwrap();
    assert_ne!(leader, 1, "leadership was transferred without a timeout");
    cluster.propose(leader, "x");
    cluster.run(100);
    assert_eq!(cluster.commands(5 - leader).last().map(String::as_str), Some("x"));
}

#[test]
fn replaced_configuration_entry_restores_the_previous_members() {
    let mut raft = Node::new(id(1), &[1, 2, 3].map(id), Config::default(), 1).unwrap();
    let now = Instant::from_millis(1);
    raft.tick(now);
    let append = |term, prev, entries| {
        let (prev_index, prev_term) = prev;
        Message::Append { term, prev_index, prev_term, commit: 0, round: 1, entries }
    };
    let before = raft.members().bytes().to_vec();
    let list = [&[1, 1][..], &voters(&[1, 2, 4])].concat();
    raft.receive(now, id(2), append(1, (0, 0), &list)).unwrap();
    assert!(raft.members().membership(id(4)).is_voter() && raft.status().config == 2);
    // a normal entry replaces the configuration entry
    raft.receive(now, id(3), append(2, (1, 1), &[2, 1])).unwrap();
    assert_eq!(raft.members().bytes(), before);
    assert!(raft.peers().any(|peer| peer.id == id(3)) && raft.peers().count() == 2);
    assert_eq!(raft.status().config, 0);
}

#[test]
fn vote_request_of_a_non_member_takes_no_members_slot() {
    let mut cluster = led_by_1(3);
    let (now, term) = (cluster.now, cluster.raft(2).status().term);
    let peer_ids = |cluster: &mut Cluster| {
        let mut peers: Vec<u64> = cluster.raft(2).peers().map(|peer| peer.id.get()).collect();
        peers.sort_unstable();
        peers
    };
    assert_eq!(peer_ids(&mut cluster), [1, 3]);
    for non_member in [8, 9] {
        let request = Message::RequestVote { pre: true, term, last_index: 0, last_term: 0 };
        assert_eq!(cluster.raft(2).receive(now, id(non_member), request), Ok(()));
        assert_eq!(peer_ids(&mut cluster), [1, 3]);
    }
}

#[test]
fn joint_consensus_is_not_left_during_a_leadership_transfer() {
    let mut cluster = led_by_1(5);
    cluster.raft(1).change(&[Change::Demote(id(4)), Change::Demote(id(5))]).unwrap();
    cluster.drain(1);
    let last = cluster.raft(1).status().last;
    // node 2 acknowledges the entry after the transfer to it has begun; its TimeoutNow is lost
    let pass = |e: &crate::common::Envelope| !matches!(e.message(), Message::TimeoutNow { .. });
    cluster.raft(1).transfer(id(2)).unwrap();
    cluster.drain(1);
    cluster.run_if(100, pass);
    let status = cluster.raft(1).status();
    assert!(status.commit >= last && status.transfer.is_some() && status.joint);
    assert_eq!(status.last, last, "no entry is appended");
    cluster.raft(1).abort_transfer();
    cluster.run_if(200, pass);
    assert!(!cluster.raft(1).status().joint);
}

#[test]
fn membership_change_keeps_the_progress_of_remaining_members() {
    let mut cluster = led_by_1(3);
    cluster.propose(1, "a");
    cluster.run(100);
    let matched = |cluster: &mut Cluster| -> Vec<(u64, u64)> {
        cluster.raft(1).peers().map(|peer| (peer.id.get(), peer.match_index)).collect()
    };
    let before = matched(&mut cluster);
    assert!(before.iter().all(|peer| peer.1 > 0));
    cluster.raft(1).change(&[Change::Demote(id(3))]).unwrap();
    assert_eq!(matched(&mut cluster), before);
}
