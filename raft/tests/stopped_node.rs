//! A stopped node refuses every call and does not change.
#![allow(clippy::unwrap_used)]

use crate::common::{Node, id};
use quorate_core::{Drift, Fatal, Instant, Machine, Output, Rejected, Ticket};
use quorate_log::submission::{self, Outcome, Submissions};
use quorate_log::{Notice, SubmitError};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{
    Change, ChangeError, Config, Event, Message, ProposeError, ReadError, Record, SnapshotError,
    TransferError,
};

/// A node that stopped because entries below its snapshot are missing.
fn stopped() -> Node {
    let config = Config { forward: true, lease_drift: Drift::from_ppm(100), ..Config::default() };
    let mut node = Node::new(id(1), &[1, 2, 3].map(id), config, 1).unwrap();
    node.restore(Record::Vote { term: 3, vote: Some(id(2)) }).unwrap();
    let covers = Record::Snapshot { index: 9, index_term: 3, compacted: 0, compacted_term: 0 };
    node.restore(covers).unwrap();
    node.tick(Instant::from_millis(5));
    assert_eq!(node.fatal(), Some(Fatal::LostState));
    node
}

#[test]
fn stopped_node_reports_fatal_once_and_outputs_nothing_else() {
    let mut node = stopped();
    assert!(matches!(node.poll(), Some(Output::Event(Event::Fatal(Fatal::LostState)))));
    for ms in [6, 10_000, u64::MAX / 1_000] {
        node.tick(Instant::from_millis(ms));
        node.persisted(Ticket::default());
        assert!(node.poll().is_none());
        assert_eq!(node.deadline(), None);
    }
}

#[test]
fn commands_of_a_stopped_node_end() {
    let mut node = stopped();
    let now = Instant::from_millis(6);
    let config = submission::Config::exactly_once(5_000_000);
    let mut submissions = Submissions::<&str, submission::Inline<1>>::new(config);
    submissions.submit(now, "set x 1").unwrap();
    while let Some(output) = node.poll() {
        if let Output::Event(event) = output {
            assert_eq!(Node::notice(&event), Some(Notice::Fatal(Fatal::LostState)));
            submissions.event::<Node>(now, &event);
        }
    }
    let refused = Outcome::Refused(SubmitError::Stopped);
    assert_eq!(submissions.outcome(now), Some((1, "set x 1", refused)));
    submissions.submit(now, "set x 2").unwrap();
    assert_eq!(submissions.outcome(now), Some((2, "set x 2", refused)));
}

type Call = fn(&mut Node, Instant);

#[test]
fn calls_to_a_stopped_node_are_refused_without_effect() {
    let mut node = stopped();
    node.poll();
    let before = node.clone();
    let now = Instant::from_millis(9_000);
    let calls: [(&str, Call); 20] = [
        ("propose", |node, _| assert_eq!(node.propose(b"x"), Err(ProposeError::Stopped))),
        ("forward", |node, _| assert_eq!(node.forward(b"x"), Err(ProposeError::Stopped))),
        ("read", |node, _| assert_eq!(node.read(), Err(ReadError::Stopped))),
        ("read_lease", |node, now| assert_eq!(node.read_lease(now), None)),
        ("change", |node, _| {
            assert_eq!(node.change(&[Change::Add(id(4))]), Err(ChangeError::Stopped));
        }),
        ("change_jointly", |node, _| {
            assert_eq!(node.change_jointly(&[Change::Add(id(4))]), Err(ChangeError::Stopped));
        }),
        ("leave_joint", |node, _| assert_eq!(node.leave_joint(), Err(ChangeError::Stopped))),
        ("transfer", |node, _| assert_eq!(node.transfer(id(2)), Err(TransferError::Stopped))),
        ("abort_transfer", |node, _| node.abort_transfer()),
        ("campaign", Node::campaign),
        ("step_down", |node, _| node.step_down()),
        ("forget_leader", |node, _| node.forget_leader()),
        ("wake", Node::unquiesce),
        ("request_snapshot", |node, _| {
            assert_eq!(node.request_snapshot(), Err(SnapshotError::Stopped));
        }),
        ("snapshot_taken", |node, _| {
            assert_eq!(node.snapshot_taken(9, 9), Err(SnapshotError::Stopped));
        }),
        ("send_snapshot", |node, _| {
            let sent = node.send_snapshot(id(2), 9, 0, b"part", true);
            assert_eq!(sent, Err(SnapshotError::Stopped));
        }),
        ("snapshot_installed", |node, _| {
            assert_eq!(node.snapshot_installed(9), Err(SnapshotError::Stopped));
        }),
        ("snapshot_refused", |node, _| node.snapshot_refused()),
        ("tick", Node::tick),
        ("persisted", |node, _| node.persisted(Ticket::default())),
    ];
    for (name, call) in calls {
        call(&mut node, now);
        assert!(node == before, "{name} changed the node");
        assert!(node.poll().is_none(), "{name} caused output");
        assert_eq!(node.deadline(), None, "{name}");
    }
    assert!(node.restore(Record::Vote { term: 4, vote: None }).is_err());
    assert!(node.resume(9, 3).is_err());
    assert!(node == before);
    let messages = [
        Message::RequestVote { pre: true, term: 4, last_index: 99, last_term: 4 },
        Message::RequestVote { pre: false, term: 4, last_index: 99, last_term: 4 },
        Message::ReadIndex { term: 3, id: 1 },
    ];
    for message in messages {
        assert_eq!(node.receive(now, id(2), message), Err(Rejected::Stopped));
        assert!(node.poll().is_none());
    }
    assert_eq!(node.rejections().total(), 3);
    assert_eq!((node.status().term, node.status().vote), (3, Some(id(2))));
    // the records for the next start are unchanged
    assert_eq!(node.checkpoint().count(), before.checkpoint().count());
}
