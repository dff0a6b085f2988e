//! The membership of a node, its encoding, and how changes modify it (docs/wire/raft.md; Raft thesis, 4.1 and 4.3).
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, id};
use quorate_core::{Instant, Machine, Output};
use quorate_log::SubmitError;
use quorate_raft::{
    Change, ChangeError, Config, Event, Inline, Members, Membership, ProposeError, Raft,
    ReplicatedLog, Role,
};

/// The bits of docs/wire/raft.md.
const MEMBER: u8 = 1;
const VOTER: u8 = 2;
const OLD_VOTER: u8 = 4;
const WITNESS: u8 = 8;
const HOLD: u8 = 16;

/// An encoded member list.
fn list(members: &[(u8, u64)]) -> Vec<u8> {
    let encoded = members.iter().flat_map(|&(membership, node)| {
        let mut bytes = vec![membership];
        bytes.extend(node.to_le_bytes());
        bytes
    });
    encoded.collect()
}

/// The membership that a byte encodes, if any.
fn membership(byte: u8) -> Option<Membership> {
    let bytes = list(&[(MEMBER | VOTER, 1), (byte, 2)]);
    let members = Members::decode(&bytes).ok()?;
    assert_eq!((members.len(), members.bytes()), (2, &bytes[..]));
    Some(members.membership(id(2)))
}

#[test]
fn every_byte_decodes_to_its_membership_or_is_refused() {
    for byte in 0..=255 {
        let has = |flag: u8| byte / flag % 2 == 1;
        let known = byte < 32 && (has(MEMBER) || has(OLD_VOTER)) && (has(MEMBER) || !has(VOTER));
        let Some(membership) = membership(byte) else {
            assert!(!known, "{byte} is refused");
            continue;
        };
        assert!(known, "{byte} is {membership}");
        assert_eq!(membership.is_voter(), has(VOTER) || has(OLD_VOTER), "{byte}");
        assert_eq!(
            membership.is_learner(),
            has(MEMBER) && !has(VOTER) && !has(OLD_VOTER),
            "{byte}"
        );
        assert_eq!(membership.is_leaving(), !has(MEMBER), "{byte}");
        assert_eq!(membership.is_witness(), has(WITNESS), "{byte}");
        assert!(membership.is_member(), "{byte}");
    }
    let none = Membership::default();
    assert!(!none.is_member() && !none.is_voter() && !none.is_learner() && !none.is_leaving());
}

#[test]
fn memberships_have_display_names() {
    for (byte, name) in [
        (MEMBER, "learner"),
        (MEMBER | WITNESS, "learner, witness"),
        (MEMBER | VOTER, "voter"),
        (MEMBER | VOTER | HOLD, "voter"),
        (MEMBER | VOTER | WITNESS, "voter, witness"),
        (MEMBER | VOTER | OLD_VOTER, "voter before and after"),
        (MEMBER | OLD_VOTER, "voter until it learns"),
        (OLD_VOTER, "voter until it leaves"),
        (OLD_VOTER | WITNESS, "voter until it leaves, witness"),
    ] {
        let membership = membership(byte).unwrap();
        assert_eq!(membership.to_string(), name);
        assert_eq!(format!("{membership:?}"), name);
    }
    assert_eq!(Membership::default().to_string(), "no member");
    let members = list(&[(MEMBER | VOTER, 1), (MEMBER, 7)]);
    let shown = format!("{:?}", Members::decode(&members).unwrap());
    assert!(shown.contains("voter") && shown.contains('7') && shown.contains("learner"), "{shown}");
}

#[test]
fn impossible_member_lists_are_refused() {
    // a node has at most 60 peers
    let many: Vec<(u8, u64)> = (1..=62).map(|node| (MEMBER | VOTER, node)).collect();
    for (bytes, is) in [
        (list(&[(MEMBER | VOTER, 1)]), true),
        (list(&[(MEMBER | VOTER, 1), (MEMBER | VOTER, 1)]), false),
        (list(&[(MEMBER, 1), (OLD_VOTER, 2)]), false), // no voter in the new configuration
        (list(&[(MEMBER, 1)]), false),
        (list(&[]), false),
        (list(&[(MEMBER | VOTER, 1)])[..8].to_vec(), false),
        (list(&many), false),
        (list(&many[..61]), true),
    ] {
        assert_eq!(Members::decode(&bytes).is_ok(), is, "{bytes:?}");
    }
}

#[test]
fn joint_configurations_are_recognized() {
    for (members, joint) in [
        (vec![(MEMBER | VOTER, 1), (MEMBER, 2)], false),
        (vec![(MEMBER | VOTER | OLD_VOTER, 1)], true),
        (vec![(MEMBER | VOTER, 1), (OLD_VOTER, 2)], true),
        (vec![(MEMBER | VOTER, 1), (MEMBER | OLD_VOTER, 2)], true),
    ] {
        let bytes = list(&members);
        let members = Members::decode(&bytes).unwrap();
        assert_eq!(members.is_joint(), joint, "{members:?}");
        assert!(!members.is_empty());
    }
    assert!(Members::default().is_empty() && !Members::default().is_joint());
}

/// A cluster of three whose leader has committed an entry. Other nodes do not exist.
fn leader() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.settle();
    cluster
}

/// Makes the change and lets it commit. Returns the member list right after the change.
fn change(cluster: &mut Cluster, changes: &[Change], jointly: bool) -> Vec<u8> {
    let raft = cluster.raft(1);
    let put = if jointly { raft.change_jointly(changes) } else { raft.change(changes) };
    put.unwrap_or_else(|error| panic!("{changes:?}: {error}"));
    let listed = cluster.raft(1).members().bytes().to_vec();
    cluster.drain(1);
    settle(cluster);
    listed
}

fn settle(cluster: &mut Cluster) {
    cluster.settle_if(|envelope| envelope.to <= 3);
    cluster.run_if(100, |envelope| envelope.to <= 3);
    assert_eq!(cluster.raft(1).status().role, Role::Leader);
}

#[test]
fn each_change_updates_the_member_list() {
    let mut cluster = leader();
    let two = [(MEMBER | VOTER, 1), (MEMBER | VOTER, 2)];
    let with = |rest: &[(u8, u64)]| list(&[&two[..], rest].concat());
    for (what, rest) in [
        (Change::Add(id(4)), &[(MEMBER | VOTER, 3), (MEMBER, 4)][..]),
        (Change::Remove(id(4)), &[(MEMBER | VOTER, 3)]),
        (Change::AddWitness(id(5)), &[(MEMBER | VOTER, 3), (MEMBER | WITNESS, 5)]),
        (Change::Remove(id(5)), &[(MEMBER | VOTER, 3)]),
        (Change::Demote(id(3)), &[(MEMBER, 3)]),
        (Change::Promote(id(3)), &[(MEMBER | VOTER, 3)]),
        (Change::Remove(id(3)), &[]),
    ] {
        assert_eq!(change(&mut cluster, &[what], false), with(rest), "{what:?}");
        assert_eq!(cluster.raft(1).members().bytes(), with(rest), "{what:?}");
    }
}

#[test]
fn redundant_changes_are_refused() {
    let mut cluster = leader();
    change(&mut cluster, &[Change::Demote(id(3))], false);
    let before = cluster.raft(1).clone();
    for what in [Change::Add(id(3)), Change::AddWitness(id(2)), Change::Demote(id(3))] {
        let node = what.node();
        assert_eq!(cluster.raft(1).change(&[what]), Err(ChangeError::Already(node)), "{what:?}");
    }
    let promote = Change::Promote(id(2));
    assert_eq!(cluster.raft(1).change(&[promote]), Err(ChangeError::Already(id(2))));
    assert!(*cluster.raft(1) == before);
}

#[test]
fn configuration_entry_leaves_room_for_new_leaders() {
    let config = Config { max_log_bytes: 512, max_entry_bytes: 64, ..Config::default() };
    let mut raft = Raft::<Inline<3, 512, 8, 32>>::new(id(1), &[id(1)], config, 1).unwrap();
    let settle = |raft: &mut Raft<_>| {
        loop {
            let mut last = None;
            while let Some(output) = raft.poll() {
                if let Output::Persist(ticket, _) = output {
                    last = Some(ticket);
                }
            }
            match last {
                Some(ticket) => raft.persisted(ticket),
                None => break,
            }
        }
    };
    raft.campaign(Instant::ZERO);
    settle(&mut raft);
    while raft.propose(b"x").is_ok() {
        settle(&mut raft);
    }
    settle(&mut raft);
    let before = raft.clone();
    // each refusal is an event; two before a poll are one
    let refusals: [fn(&mut Raft<_>); 3] = [
        |raft| assert_eq!(raft.propose(b"x"), Err(ProposeError::LogFull)),
        |raft| assert_eq!(raft.submit(b"x"), Err(SubmitError::LogFull)),
        |raft| assert_eq!(raft.change(&[Change::Add(id(2))]), Err(ChangeError::LogFull)),
    ];
    for refused in refusals {
        refused(&mut raft);
        refused(&mut raft);
        assert!(matches!(raft.poll(), Some(Output::Event(Event::LogFull))));
        assert!(raft.poll().is_none());
        assert!(raft == before, "nothing else changed");
    }
    // a snapshot that was asked for makes room, and nothing more is asked
    let applied = raft.status().applied;
    raft.snapshot_taken(applied, applied).unwrap();
    raft.change(&[Change::Add(id(2))]).unwrap();
    while let Some(output) = raft.poll() {
        assert!(!matches!(output, Output::Event(Event::LogFull)));
    }
    assert!(raft.status().last < 9);
}

#[test]
fn change_of_two_voters_uses_joint_consensus() {
    let mut cluster = leader();
    // changes of learners need no joint consensus
    let listed = change(&mut cluster, &[Change::Add(id(4)), Change::Add(id(5))], false);
    let voters = [(MEMBER | VOTER, 1), (MEMBER | VOTER, 2), (MEMBER | VOTER, 3)];
    assert_eq!(listed, list(&[&voters[..], &[(MEMBER, 4), (MEMBER, 5)]].concat()));
    let changes = [Change::Demote(id(2)), Change::Remove(id(3)), Change::Remove(id(5))];
    let listed = change(&mut cluster, &changes, false);
    let joint =
        [(MEMBER | VOTER | OLD_VOTER, 1), (MEMBER | OLD_VOTER, 2), (OLD_VOTER, 3), (MEMBER, 4)];
    assert_eq!(listed, list(&joint));
    // joint consensus is left automatically
    let left = [(MEMBER | VOTER, 1), (MEMBER, 2), (MEMBER, 4)];
    assert_eq!(cluster.raft(1).members().bytes(), list(&left));
}

#[test]
fn explicit_joint_consensus_is_left_on_request() {
    let mut cluster = leader();
    let listed = change(&mut cluster, &[Change::Demote(id(3)), Change::AddWitness(id(4))], true);
    let both = MEMBER | VOTER | OLD_VOTER | HOLD;
    let joint =
        [(both, 1), (both, 2), (MEMBER | OLD_VOTER | HOLD, 3), (MEMBER | WITNESS | HOLD, 4)];
    assert_eq!(listed, list(&joint));
    assert_eq!(
        cluster.raft(1).members().bytes(),
        list(&joint),
        "joint consensus is not left automatically"
    );
    cluster.raft(1).leave_joint().unwrap();
    let left = [(MEMBER | VOTER, 1), (MEMBER | VOTER, 2), (MEMBER, 3), (MEMBER | WITNESS, 4)];
    assert_eq!(cluster.raft(1).members().bytes(), list(&left));
}
