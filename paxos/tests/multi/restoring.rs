use quorate_core::{Corrupt, Fatal, Instant, Machine, Output, Quorums, Rejected, Votes, Wire};
use quorate_paxos::multi::{Ballots, Config, Event, Message, ProposeError, Record};
use quorate_paxos::{Ballot, Member};

use super::net::{BEAT_US, Net, Node, ballot, id};

fn fresh(quorums: Quorums) -> Node {
    let members = (0..3).map(|index| Member::new(id(index)));
    Node::new(id(0), members, quorums, Config::lan(), 1).unwrap()
}

fn node() -> Node {
    fresh(Quorums::majority(3))
}

const ENTRY: &[u8] = b"\x42\x08hi";

fn accepted(first: u64, ballot: Ballot, commit: u64) -> Record<'static> {
    Record::Accepted { first, ballot, then: Ballots::default(), commit, entries: ENTRY }
}

#[test]
fn every_prefix_of_a_disk_restores() {
    let mut net = Net::new(3);
    for round in 0..6 {
        let leader = net.elect();
        for _ in 0..3 {
            net.propose(leader, &[round; 9]);
        }
        net.run(2 * BEAT_US);
        let applied = net.node(leader).status().applied;
        if round == 3 {
            net.node(leader).snapshot_taken(applied, applied - 2).unwrap();
            net.snapshots[leader] = applied;
            net.settle();
        }
        net.nodes[leader] = None;
        net.run(20 * BEAT_US);
        net.restart(leader);
        net.run(10 * BEAT_US);
    }
    for index in 0..3 {
        let disk = net.disks[index].clone();
        assert!(disk.len() > 10);
        for len in 0..=disk.len() {
            let mut node = net.make(index);
            let mut promised = Ballot::ZERO;
            for record in &disk[..len] {
                node.restore(Record::from_slice(record).unwrap()).unwrap();
                assert!(node.status().promised >= promised);
                promised = node.status().promised;
            }
            // and its checkpoint restores the same
            let checkpoint: Vec<Vec<u8>> =
                node.checkpoint().map(|record| record.to_vec()).collect();
            let mut again = net.make(index);
            for record in &checkpoint {
                again.restore(Record::from_slice(record).unwrap()).unwrap();
            }
            let repeated: Vec<Vec<u8>> = again.checkpoint().map(|record| record.to_vec()).collect();
            assert_eq!(repeated, checkpoint);
            assert_eq!(again.status(), node.status());
            for slot in 0..=node.status().last {
                assert_eq!(again.accepted(slot), node.accepted(slot));
            }
        }
    }
}

#[test]
fn records_that_do_not_fit_are_corrupt() {
    let b1 = ballot(1, 1);
    for (records, expected) in [
        (&[accepted(0, b1, 0)][..], Corrupt::Malformed),
        (&[accepted(1, b1, 2)], Corrupt::Malformed),
        (&[accepted(1, Ballot::ZERO, 0)], Corrupt::Malformed),
        (&[accepted(1000, b1, 0)], Corrupt::Gap),
        (&[accepted(3, b1, 3)], Corrupt::Gap),
        (
            &[Record::Accepted {
                first: 1,
                ballot: b1,
                then: Ballots::default(),
                commit: 0,
                entries: b"",
            }],
            Corrupt::Malformed,
        ),
        (
            &[Record::Accepted {
                first: 1,
                ballot: b1,
                then: Ballots::default(),
                commit: 0,
                entries: b"\x42\x08h",
            }],
            Corrupt::Malformed,
        ),
        (
            &[Record::Accepted {
                first: 1,
                ballot: b1,
                then: Ballots::default(),
                commit: 0,
                entries: b"\x00\x03",
            }],
            Corrupt::Malformed,
        ),
        (&[Record::Promised { ballot: Ballot::ZERO }], Corrupt::Malformed),
        (
            &[Record::Promised { ballot: ballot(3, 1) }, Record::Promised { ballot: ballot(2, 1) }],
            Corrupt::Regression,
        ),
        (&[Record::Snapshot { slot: 3, compacted: 4 }], Corrupt::Malformed),
        (
            &[
                Record::Snapshot { slot: 3, compacted: 3 },
                Record::Snapshot { slot: 2, compacted: 2 },
            ],
            Corrupt::Regression,
        ),
        (&[Record::Founded { members: 7 }], Corrupt::Founders),
    ] {
        let mut node = node();
        let results: Vec<_> = records.iter().map(|&record| node.restore(record)).collect();
        assert_eq!(results.last(), Some(&Err(expected)), "{records:?}");
    }
    // another entry in a slot that is chosen
    let mut node = node();
    node.restore(accepted(1, b1, 1)).unwrap();
    let other = Record::Accepted {
        first: 1,
        ballot: b1,
        then: Ballots::default(),
        commit: 1,
        entries: b"\x42\x08ho",
    };
    assert_eq!(node.restore(other), Err(Corrupt::Regression));
    node.tick(Instant::ZERO);
    assert_eq!(node.restore(accepted(2, b1, 1)), Err(Corrupt::Started));
    assert_eq!(node.resume(0), Err(Corrupt::Started));
}

#[test]
fn other_members_or_quorums_are_refused() {
    let mut node = node();
    node.found();
    node.tick(Instant::ZERO);
    let Some(Output::Persist(_, record)) = node.poll() else { panic!("nothing is written") };
    let record = record.to_vec();
    let record = Record::from_slice(&record).unwrap();
    assert_eq!(fresh(Quorums::majority(3)).restore(record), Ok(()));
    let flexible = Quorums::flexible(3, 3, 1).unwrap();
    assert_eq!(fresh(flexible).restore(record), Err(Corrupt::Founders));
    let members = (0..4).map(|index| Member::new(id(index)));
    let mut other = Node::new(id(0), members, Quorums::majority(4), Config::lan(), 1).unwrap();
    assert_eq!(other.restore(record), Err(Corrupt::Founders));
}

#[test]
fn ballot_is_not_used_twice() {
    let mut net = Net::new(3);
    let mut ballots = Vec::new();
    for _ in 0..6 {
        let leader = net.elect();
        let ballot = net.node(leader).status().promised;
        assert!(!ballots.contains(&ballot));
        ballots.push(ballot);
        net.restart(leader);
    }
}

#[test]
fn snapshot_of_the_application_may_be_newer_than_the_records_say() {
    let mut node = node();
    let b1 = ballot(1, 1);
    for slot in 1..=4 {
        node.restore(accepted(slot, b1, slot.min(2))).unwrap();
    }
    node.resume(3).unwrap();
    let status = node.status();
    // its entries up to there may not have been chosen
    assert_eq!((status.applied, status.commit, status.compacted, status.last), (3, 3, 3, 4));
    assert_eq!(node.accepted(4), b1);
    let mut node = self::node();
    node.restore(accepted(1, b1, 0)).unwrap();
    node.resume(9).unwrap();
    let status = node.status();
    assert_eq!((status.applied, status.commit, status.compacted, status.last), (9, 9, 9, 9));
}

#[test]
fn votes_and_sizes_of_quorums_are_part_of_the_founding() {
    let digest = |votes: [u8; 5], quorums: Quorums| {
        let member = |(index, votes)| Member::new(id(index)).with_votes(Votes::new(votes));
        let members = (0..5).zip(votes).map(member);
        let mut node = Node::new(id(0), members, quorums, Config::lan(), 1).unwrap();
        node.found();
        node.tick(Instant::ZERO);
        match node.poll() {
            Some(Output::Persist(_, Record::Founded { members })) => members,
            other => panic!("{other:?}"),
        }
    };
    // any three of five are a quorum, and any four votes of seven: the first and the last have four, and the other three have three
    let equal = Quorums::weighted(&[1, 1, 1, 1, 1], 3, 3).unwrap();
    let strong = Quorums::weighted(&[2, 1, 1, 1, 2], 4, 4).unwrap();
    let digests = [
        digest([1; 5], equal),
        digest([2, 1, 1, 1, 2], strong),
        digest([1; 5], Quorums::flexible(5, 4, 2).unwrap()),
    ];
    assert!(digests[0] != digests[1] && digests[0] != digests[2] && digests[1] != digests[2]);
}

#[test]
fn node_without_the_snapshot_that_its_records_name_stops() {
    let mut node = node();
    node.restore(Record::Snapshot { slot: 7, compacted: 7 }).unwrap();
    node.tick(Instant::ZERO);
    assert_eq!(node.fatal(), Some(Fatal::LostState));
    assert!(matches!(node.poll(), Some(Output::Event(Event::Fatal(Fatal::LostState)))));
    assert!(node.poll().is_none());
    assert_eq!(node.deadline(), None);
    assert_eq!(node.propose(b"x"), Err(ProposeError::Stopped));
    let query = Message::Query { configuration: 0, number: 1 };
    assert_eq!(node.receive(Instant::ZERO, id(1), query), Err(Rejected::Stopped));
    // one that says so goes on
    let mut node = self::node();
    node.restore(Record::Snapshot { slot: 7, compacted: 7 }).unwrap();
    assert_eq!(node.resume(u64::MAX), Err(Corrupt::Malformed));
    node.resume(7).unwrap();
    node.tick(Instant::ZERO);
    assert_eq!(node.fatal(), None);
}

#[test]
fn nothing_is_said_before_a_promise_is_on_disk() {
    let mut net = Net::new(3);
    net.run(1);
    net.slow_disks = vec![1];
    let ballot = ballot(7, 0);
    let now = net.instant();
    let prepare = Message::Prepare { configuration: 0, ballot, from: 1 };
    net.node(1).receive(now, id(0), prepare).unwrap();
    net.sent.clear();
    net.drive(1);
    for beat in 1..4 {
        net.node(1).tick(Instant::from_micros(beat * BEAT_US));
        net.drive(1);
    }
    assert_eq!(net.node(1).status().promised, ballot);
    assert!(net.sent.is_empty(), "{:?}", net.sent);
}
