//! Error messages state the cause and the remedy.

use quorate_core::NodeId;
use quorate_raft::{
    ChangeError, ConfigError, ProposeError, ReadError, SnapshotError, TransferError,
};

const TWO: NodeId = NodeId::new(2);

fn assert_mentions(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text:?} lacks one of {words:?}");
}

#[test]
fn config_errors_state_the_cause() {
    assert_mentions(&ConfigError::NotAVoter, &["not among the voters"]);
    assert_mentions(&ConfigError::DuplicateVoter(TWO), &["node 2", "twice"]);
    assert_mentions(&ConfigError::TooManyMembers, &["members", "room"]);
    assert_mentions(&ConfigError::ElectionTimeout, &["election timeout", "twice the heartbeat"]);
    assert_mentions(&ConfigError::ElectionSpread, &["upper election timeout", "above the lower"]);
    assert_mentions(&ConfigError::Limits, &["limit", "0", "entry", "priority", "15"]);
    assert_mentions(&ConfigError::Fixed, &["fixed storage"]);
    assert_mentions(&ConfigError::Lease, &["check_quorum", "250,000 ppm"]);
}

#[test]
fn propose_errors_state_the_cause_and_the_remedy() {
    assert_mentions(&ProposeError::NotLeader(Some(TWO)), &["not the leader", "ask node 2"]);
    assert_mentions(&ProposeError::NotLeader(None), &["not the leader", "none is known"]);
    assert_mentions(&ProposeError::TooLarge, &["larger", "limit"]);
    assert_mentions(&ProposeError::Busy, &["try again"]);
    assert_mentions(&ProposeError::LogFull, &["full", "take a snapshot"]);
    assert_mentions(&ProposeError::Transferring(TWO), &["transferred to node 2", "in a moment"]);
    assert_mentions(&ProposeError::IsLeader, &["leads", "propose"]);
    assert_mentions(&ProposeError::Stopped, &["stopped"]);
}

#[test]
fn transfer_errors_state_the_cause() {
    assert_mentions(&TransferError::NotLeader(Some(TWO)), &["ask node 2"]);
    assert_mentions(&TransferError::NotLeader(None), &["none is known"]);
    assert_mentions(&TransferError::NoSuchNode, &["no such node"]);
    assert_mentions(&TransferError::CannotLead, &["cannot lead"]);
    assert_mentions(&TransferError::AlreadyLeader, &["leads already"]);
    assert_mentions(&TransferError::InProgress(TWO), &["node 2", "already"]);
    assert_mentions(&TransferError::Stopped, &["stopped"]);
}

#[test]
fn change_errors_state_the_cause_and_the_remedy() {
    assert_mentions(&ChangeError::NotLeader(Some(TWO)), &["ask node 2"]);
    assert_mentions(&ChangeError::NotLeader(None), &["none is known"]);
    assert_mentions(&ChangeError::Transferring(TWO), &["node 2", "in a moment"]);
    assert_mentions(&ChangeError::TermNotCommitted, &["no committed entry", "try again"]);
    assert_mentions(&ChangeError::InProgress, &["under way"]);
    assert_mentions(&ChangeError::NotJoint, &["joint"]);
    assert_mentions(&ChangeError::NoSuchNode(TWO), &["no node 2"]);
    assert_mentions(&ChangeError::Already(TWO), &["node 2", "already", "twice"]);
    assert_mentions(&ChangeError::Behind(TWO), &["node 2", "caught up"]);
    assert_mentions(&ChangeError::NoVoter, &["nobody", "lead"]);
    assert_mentions(&ChangeError::TooMany, &["more members", "room"]);
    assert_mentions(&ChangeError::Fixed, &["never change"]);
    assert_mentions(&ChangeError::LogFull, &["full", "snapshot"]);
    assert_mentions(&ChangeError::Stopped, &["stopped"]);
}

#[test]
fn read_and_snapshot_errors_state_the_cause() {
    assert_mentions(&ReadError::NotLeader(Some(TWO)), &["ask node 2"]);
    assert_mentions(&ReadError::NotLeader(None), &["none is known"]);
    assert_mentions(&ReadError::Witness, &["no state", "another"]);
    assert_mentions(&ReadError::Stopped, &["stopped"]);
    assert_mentions(&SnapshotError::Index, &["beyond what was applied"]);
    assert_mentions(&SnapshotError::Chunk, &["not the one that was asked for"]);
    assert_mentions(&SnapshotError::NotWanted, &["nobody waits"]);
    assert_mentions(&SnapshotError::NotFollower, &["follower"]);
    assert_mentions(&SnapshotError::Stopped, &["stopped"]);
}
