//! Membership changes: what is refused, and what survives a restart. Their effects are in `scenarios/members_*.txt`.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{DecodeError, Instant, Machine, NodeId, Output, Rejected, Ticket, Wire};
use quorate_raft::{
    Change, ChangeError, Config, EntryKind, Fixed, Inline, Members, Message, Raft, Record, Role,
    Storage, TransferError,
};

type Node = Raft<Inline<4, 4096, 64, 64>>;

fn id(node: u64) -> NodeId {
    NodeId::new(node)
}

/// Polls until there is no more output, and keeps the records.
fn drain<S: Storage>(raft: &mut Raft<S>, disk: &mut Vec<Vec<u8>>) -> Option<Ticket> {
    let mut last = None;
    while let Some(output) = raft.poll() {
        if let Output::Persist(ticket, record) = output {
            let mut bytes = vec![0; record.encoded_len()];
            record.to_slice(&mut bytes).unwrap();
            disk.push(bytes);
            last = Some(ticket);
        }
    }
    last
}

/// Polls a node whose writes are durable at once.
fn settle<S: Storage>(raft: &mut Raft<S>, disk: &mut Vec<Vec<u8>>) {
    while let Some(ticket) = drain(raft, disk) {
        raft.persisted(ticket);
    }
}

/// The leader of a single-node cluster.
fn single_node<S: Storage>(disk: &mut Vec<Vec<u8>>) -> Raft<S> {
    let mut raft = Raft::new(id(1), &[id(1)], Config::default(), 7).unwrap();
    raft.campaign(Instant::ZERO);
    settle(&mut raft, disk);
    assert_eq!(raft.status().role, Role::Leader);
    raft
}

fn restored(disk: &[Vec<u8>]) -> Node {
    let mut raft = Node::new(id(1), &[id(1)], Config::default(), 7).unwrap();
    for record in disk {
        raft.restore(Record::from_slice(record).unwrap()).unwrap();
    }
    raft
}

#[test]
fn invalid_changes_are_refused_without_effect() {
    let mut disk = Vec::new();
    let mut raft: Node = single_node(&mut disk);
    let before = raft.clone();
    for (changes, error) in [
        (vec![Change::Promote(id(2))], ChangeError::NoSuchNode(id(2))),
        (vec![Change::Remove(id(2))], ChangeError::NoSuchNode(id(2))),
        (vec![Change::Add(id(1))], ChangeError::Already(id(1))),
        (vec![Change::Promote(id(1))], ChangeError::Already(id(1))),
        (vec![Change::Add(id(2)), Change::Promote(id(2))], ChangeError::Already(id(2))),
        (vec![Change::Remove(id(1))], ChangeError::NoVoter),
        (vec![Change::Demote(id(1))], ChangeError::NoVoter),
        ((2..=5).map(|node| Change::Add(id(node))).collect(), ChangeError::TooMany),
    ] {
        assert_eq!(raft.change(&changes), Err(error), "{changes:?}");
        assert_eq!(raft.change_jointly(&changes), Err(error), "{changes:?}");
        assert!(raft == before);
    }
    assert_eq!(raft.leave_joint(), Err(ChangeError::NotJoint));
    raft.change(&[Change::Add(id(2))]).unwrap();
    assert_eq!(raft.change(&[Change::Add(id(3))]), Err(ChangeError::InProgress));
    settle(&mut raft, &mut disk);
    assert_eq!(raft.change(&[Change::Promote(id(2))]), Err(ChangeError::Behind(id(2))));
    assert_eq!(raft.transfer(id(2)), Err(TransferError::CannotLead));
    raft.change(&[Change::Remove(id(2))]).unwrap();
    settle(&mut raft, &mut disk);
    assert_eq!(raft.members().len(), 1);
}

#[test]
fn change_is_refused_before_an_entry_of_the_term_is_committed() {
    let mut raft = Node::new(id(1), &[id(1)], Config::default(), 7).unwrap();
    let mut disk = Vec::new();
    raft.campaign(Instant::ZERO);
    let vote = drain(&mut raft, &mut disk).unwrap();
    assert_eq!(raft.change(&[Change::Add(id(2))]), Err(ChangeError::NotLeader(None)));
    raft.persisted(vote);
    let blank = drain(&mut raft, &mut disk).unwrap();
    assert_eq!(raft.status().role, Role::Leader);
    assert_eq!(raft.change(&[Change::Add(id(2))]), Err(ChangeError::TermNotCommitted));
    raft.persisted(blank);
    raft.change(&[Change::Add(id(2))]).unwrap();
}

#[test]
fn members_survive_a_restart() {
    let mut disk = Vec::new();
    let mut raft: Node = single_node(&mut disk);
    raft.change(&[Change::Add(id(2)), Change::AddWitness(id(3))]).unwrap();
    settle(&mut raft, &mut disk);
    assert_eq!(raft.members().len(), 3);
    let joint = raft.status();
    let list = |raft: &Node| raft.members().bytes().to_vec();
    assert_eq!(list(&restored(&disk)), list(&raft));
    // the entry that listed the members is compacted
    raft.snapshot_taken(joint.applied, joint.applied).unwrap();
    settle(&mut raft, &mut disk);
    assert_eq!(raft.entries(1).len(), 0);
    assert_eq!(list(&restored(&disk)), list(&raft));
    let checkpoint = raft.checkpoint().map(|record| {
        let mut bytes = vec![0; record.encoded_len()];
        record.to_slice(&mut bytes).unwrap();
        bytes
    });
    let checkpoint: Vec<_> = checkpoint.collect();
    let again = restored(&checkpoint);
    assert_eq!(list(&again), list(&raft));
    assert!(again.members().membership(id(3)).is_witness());
    assert!(again.members().membership(id(2)).is_learner());
}

#[test]
fn joint_consensus_survives_a_restart() {
    let mut disk = Vec::new();
    let mut raft: Node = single_node(&mut disk);
    raft.change_jointly(&[Change::Add(id(2))]).unwrap();
    settle(&mut raft, &mut disk);
    assert!(raft.status().joint && raft.members().is_joint());
    let mut again = restored(&disk);
    assert!(again.status().joint);
    again.campaign(Instant::from_millis(1));
    settle(&mut again, &mut disk);
    assert_eq!(again.status().role, Role::Leader);
    // joint consensus is kept until it is left explicitly
    again.tick(Instant::from_millis(60));
    settle(&mut again, &mut disk);
    assert!(again.status().joint);
    again.leave_joint().unwrap();
    settle(&mut again, &mut disk);
    assert!(!again.status().joint);
    assert_eq!(again.status().commit, again.status().last);
}

#[test]
fn fixed_storage_refuses_changes() {
    type Board = Raft<Fixed<3, 4096, 64, 64>>;
    let mut raft: Board = single_node(&mut Vec::new());
    assert_eq!(raft.change(&[Change::Add(id(2))]), Err(ChangeError::Fixed));
    let voters = [id(1), id(2)];
    let mut raft = Board::new(id(1), &voters, Config::default(), 7).unwrap();
    let mut entry = vec![1, 9 << 2 | EntryKind::Config as u8];
    entry.extend([3, 2, 0, 0, 0, 0, 0, 0, 0]);
    let append = Message::Append {
        term: 1,
        prev_index: 0,
        prev_term: 0,
        commit: 0,
        round: 0,
        entries: &entry,
    };
    assert_eq!(raft.receive(Instant::ZERO, id(2), append), Err(Rejected::Full));
    assert_eq!(raft.receive(Instant::ZERO, id(3), append), Err(Rejected::UnknownSender));
    assert_eq!(raft.status().last, 0);
}

#[test]
fn impossible_member_list_is_refused() {
    let member = |membership: u8, node: u8| [membership, node, 0, 0, 0, 0, 0, 0, 0];
    let bad = Err(DecodeError::Invalid);
    assert_eq!(Members::decode(&[]), bad);
    assert_eq!(Members::decode(&member(1, 1)), bad); // no voter
    assert_eq!(Members::decode(&member(2, 1)), bad); // a voter that is no member
    assert_eq!(Members::decode(&member(35, 1)), bad); // not a membership
    assert_eq!(Members::decode(&member(3, 1)[..8]), bad);
    let twice = [member(3, 1), member(1, 1)].concat();
    assert_eq!(Members::decode(&twice), bad);
    let many: Vec<u8> = (1..=62).flat_map(|node| member(3, node)).collect();
    assert_eq!(Members::decode(&many), bad);
    assert_eq!(Members::decode(&many[..61 * 9]).unwrap().len(), 61);
}
