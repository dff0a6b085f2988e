//! What errors say: what happened and what to do.

use quorate_core::{DecodeError, NodeId};
use quorate_raft::session::{LimitsError, Refused, RestoreError, SessionId};
use quorate_raft::{
    ChangeError, ConfigError, ProposeError, ReadError, SnapshotError, TransferError,
};

const TWO: NodeId = NodeId::new(2);

fn says(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} lacks one of {words:?}");
}

#[test]
fn config_errors_state_the_cause() {
    says(&ConfigError::NotAVoter, &["not among the voters"]);
    says(&ConfigError::DuplicateVoter(TWO), &["node 2", "twice"]);
    says(&ConfigError::TooManyMembers, &["members", "room"]);
    says(&ConfigError::ElectionTimeout, &["election timeout", "twice the heartbeat"]);
    says(&ConfigError::ElectionSpread, &["upper election timeout", "above the lower"]);
    says(&ConfigError::Limits, &["limit", "0", "entry", "priority", "15"]);
    says(&ConfigError::Fixed, &["fixed storage"]);
    says(&ConfigError::Lease, &["check_quorum", "250,000 ppm"]);
}

#[test]
fn propose_errors_state_the_cause_and_the_remedy() {
    says(&ProposeError::NotLeader(Some(TWO)), &["not the leader", "ask node 2"]);
    says(&ProposeError::NotLeader(None), &["not the leader", "none is known"]);
    says(&ProposeError::TooLarge, &["larger", "limit"]);
    says(&ProposeError::Busy, &["try again"]);
    says(&ProposeError::LogFull, &["full", "take a snapshot"]);
    says(&ProposeError::Transferring(TWO), &["handed to node 2", "in a moment"]);
    says(&ProposeError::Leads, &["leads", "propose"]);
    says(&ProposeError::Stopped, &["stopped"]);
}

#[test]
fn transfer_errors_state_the_cause() {
    says(&TransferError::NotLeader(Some(TWO)), &["ask node 2"]);
    says(&TransferError::NotLeader(None), &["none is known"]);
    says(&TransferError::NoSuchNode, &["no such node"]);
    says(&TransferError::MayNotLead, &["cannot lead"]);
    says(&TransferError::LeadsAlready, &["leads already"]);
    says(&TransferError::UnderWay(TWO), &["node 2", "already"]);
    says(&TransferError::Stopped, &["stopped"]);
}

#[test]
fn change_errors_state_the_cause_and_the_remedy() {
    says(&ChangeError::NotLeader(Some(TWO)), &["ask node 2"]);
    says(&ChangeError::NotLeader(None), &["none is known"]);
    says(&ChangeError::Transferring(TWO), &["node 2", "in a moment"]);
    says(&ChangeError::NotYet, &["no committed entry", "try again"]);
    says(&ChangeError::UnderWay, &["under way"]);
    says(&ChangeError::NotJoint, &["joint"]);
    says(&ChangeError::NoSuchNode(TWO), &["no node 2"]);
    says(&ChangeError::Already(TWO), &["node 2", "already", "twice"]);
    says(&ChangeError::Behind(TWO), &["node 2", "caught up"]);
    says(&ChangeError::NoVoter, &["nobody", "lead"]);
    says(&ChangeError::TooMany, &["more members", "room"]);
    says(&ChangeError::Fixed, &["never change"]);
    says(&ChangeError::LogFull, &["full", "snapshot"]);
    says(&ChangeError::Stopped, &["stopped"]);
}

#[test]
fn read_and_snapshot_errors_state_the_cause() {
    says(&ReadError::NotLeader(Some(TWO)), &["ask node 2"]);
    says(&ReadError::NotLeader(None), &["none is known"]);
    says(&ReadError::Witness, &["no state", "another"]);
    says(&ReadError::Stopped, &["stopped"]);
    says(&SnapshotError::Index, &["beyond what was applied"]);
    says(&SnapshotError::Part, &["not the one that was asked for"]);
    says(&SnapshotError::NotWanted, &["nobody waits"]);
    says(&SnapshotError::NotFollower, &["follower"]);
    says(&SnapshotError::Stopped, &["stopped"]);
}

#[test]
fn session_errors_state_the_cause_and_the_remedy() {
    says(&Refused::Gone, &["no such session", "register again"]);
    says(&Refused::Full, &["too many sessions", "try again later"]);
    says(&Refused::Ahead, &["too many commands", "wait"]);
    says(&Refused::Settled, &["does not wait"]);
    says(&Refused::Past, &["applied already"]);
    says(&Refused::Garbled(DecodeError::Truncated), &[&DecodeError::Truncated.to_string()]);
    says(&LimitsError::NoSession, &["at least one session"]);
    says(&LimitsError::Window, &["1 to 64"]);
    says(&LimitsError::Storage, &["storage", "less"]);
    says(&RestoreError::Version(9), &["version 9"]);
    says(&RestoreError::Limits, &["other limits", "start this node"]);
    says(&RestoreError::Garbled(DecodeError::Invalid), &[&DecodeError::Invalid.to_string()]);
    assert_eq!(SessionId::new(12).to_string(), "12");
}
