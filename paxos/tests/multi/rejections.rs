use quorate_core::{Machine, NodeId, Rejected, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::multi::Message;

use super::net::{BEAT_US, Net, ballot, id};

const ENTRY: &[u8] = b"\x42\x08hi";
const FAR: u64 = 1 << 62;

const HEARTBEAT: Message<'_> = Message::Heartbeat {
    configuration: 0,
    promised: Ballot::ZERO,
    leads: false,
    has_leader: false,
    hears_you: true,
    commit: 0,
    through: 0,
    last: 0,
};

fn accept(configuration: u64, ballot: Ballot, first: u64, entries: &[u8]) -> Message<'_> {
    Message::Accept { configuration, ballot, first, commit: 0, entries }
}

#[test]
fn messages_that_no_honest_node_sends_are_counted_and_change_nothing() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.propose(leader, b"x");
    net.run(2 * BEAT_US + 1000);
    let mine = net.node(leader).status().promised;
    let other = (leader + 1) % 3;
    let theirs = ballot(mine.round + 1, other);
    let too_far = Ballot::new(1 << 60, id(other));
    let promise = |ballot, from, first, accepted, last| Message::Promise {
        ballot,
        from,
        first,
        accepted,
        entries: ENTRY,
        commit: 0,
        last,
    };
    let heartbeat = |promised, leads, commit, last| Message::Heartbeat {
        configuration: 0,
        promised,
        leads,
        has_leader: leads,
        hears_you: true,
        commit,
        through: 0,
        last,
    };
    for (message, expected) in [
        (Message::Query { configuration: FAR, number: 3 }, Rejected::OutOfRange),
        (Message::Prepare { configuration: 0, ballot: theirs, from: 0 }, Rejected::Malformed),
        (Message::Prepare { configuration: 0, ballot: mine, from: 1 }, Rejected::Malformed),
        (Message::Prepare { configuration: 0, ballot: theirs, from: FAR }, Rejected::OutOfRange),
        (Message::Prepare { configuration: 0, ballot: too_far, from: 1 }, Rejected::OutOfRange),
        (accept(FAR, theirs, 2, ENTRY), Rejected::OutOfRange),
        (accept(0, mine, 2, ENTRY), Rejected::Malformed),
        (accept(0, theirs, 0, ENTRY), Rejected::Malformed),
        (accept(0, theirs, 2, b""), Rejected::Malformed),
        (accept(0, theirs, 2, b"\x42\x08h"), Rejected::Malformed),
        (accept(0, theirs, 2, b"\x00\x03"), Rejected::Malformed),
        (accept(0, theirs, FAR, ENTRY), Rejected::OutOfRange),
        (accept(0, too_far, 2, ENTRY), Rejected::OutOfRange),
        (promise(theirs, 1, 1, Ballot::ZERO, 1), Rejected::Malformed),
        (promise(theirs, 2, 1, ballot(0, 1), 1), Rejected::Malformed),
        (promise(mine, 1, 1, theirs, 1), Rejected::Malformed),
        (promise(theirs, 1, 1, ballot(1, 0), FAR), Rejected::OutOfRange),
        (promise(theirs, 1, 1, ballot(1, 0), 1), Rejected::Impossible),
        (Message::Accepted { ballot: Ballot::ZERO, through: 1 }, Rejected::Malformed),
        (Message::Accepted { ballot: mine, through: FAR }, Rejected::OutOfRange),
        (Message::Accepted { ballot: theirs, through: 1 }, Rejected::Impossible),
        (Message::Preempted { ballot: theirs, promised: mine }, Rejected::Malformed),
        (Message::Preempted { ballot: mine, promised: too_far }, Rejected::OutOfRange),
        (Message::Preempted { ballot: ballot(1, other), promised: theirs }, Rejected::Impossible),
        (Message::Fetch { from: 0, snapshot: 0, offset: 0 }, Rejected::Malformed),
        (Message::Fetch { from: FAR, snapshot: 0, offset: 0 }, Rejected::OutOfRange),
        (Message::Chosen { first: 0, commit: 1, entries: ENTRY }, Rejected::Malformed),
        (Message::Chosen { first: 2, commit: 1, entries: ENTRY }, Rejected::Malformed),
        (Message::Chosen { first: 2, commit: FAR, entries: ENTRY }, Rejected::OutOfRange),
        (Message::Chosen { first: 1, commit: 1, entries: ENTRY }, Rejected::Impossible),
        (Message::Chunk { snapshot: 0, offset: 0, done: true, data: b"" }, Rejected::Malformed),
        (Message::Chunk { snapshot: 9, offset: 0, done: false, data: b"" }, Rejected::Malformed),
        (Message::Chunk { snapshot: FAR, offset: 0, done: true, data: b"" }, Rejected::OutOfRange),
        (Message::Chunk { snapshot: 9, offset: 0, done: true, data: &[0; 65] }, Rejected::Full),
        (Message::Answer { number: 1, promised: too_far, last: 1 }, Rejected::OutOfRange),
        (Message::Answer { number: 1, promised: mine, last: FAR }, Rejected::OutOfRange),
        (heartbeat(mine, true, 0, 1), Rejected::Malformed),
        (heartbeat(mine, false, 2, 1), Rejected::Malformed),
        (heartbeat(mine, false, 0, FAR), Rejected::OutOfRange),
        (heartbeat(too_far, false, 0, 1), Rejected::OutOfRange),
    ] {
        let now = net.instant();
        let node = net.node(leader);
        let (before, counted) = (node.clone(), node.rejections().total());
        assert_eq!(node.receive(now, id(other), message), Err(expected), "{message:?}");
        assert_eq!(node.rejections().total(), counted + 1);
        assert_eq!(node.status(), before.status(), "{message:?}");
        assert!(
            node.checkpoint()
                .map(|record| record.to_vec())
                .eq(before.checkpoint().map(|record| record.to_vec()))
        );
    }
    let now = net.instant();
    let node = net.node(leader);
    let stranger = NodeId::new(99);
    assert_eq!(node.receive(now, stranger, HEARTBEAT), Err(Rejected::UnknownSender));
    assert_eq!(node.receive(now, id(leader), HEARTBEAT), Err(Rejected::Impossible));
}

#[test]
fn late_messages_are_no_fault() {
    let mut net = Net::new(3);
    let leader = net.elect();
    net.propose(leader, b"x");
    net.run(4 * BEAT_US);
    let other = (leader + 1) % 3;
    let old = ballot(1, leader);
    net.restart(leader);
    let new = net.elect();
    let now = net.instant();
    let round = net.node(new).status().promised.round;
    assert!(round > 1 || new != leader);
    let node = net.node(other);
    let counted = node.rejections().total();
    let messages = [
        Message::Prepare { configuration: 0, ballot: old, from: 1 },
        accept(0, old, 2, ENTRY),
        Message::Answer { number: 5, promised: old, last: 1 },
        Message::Chunk { snapshot: 1, offset: 64, done: true, data: b"late" },
        Message::Fetch { from: 9, snapshot: 0, offset: 0 },
    ];
    for message in messages {
        assert_eq!(node.receive(now, id(leader), message), Ok(()), "{message:?}");
    }
    assert_eq!(node.rejections().total(), counted);
}
