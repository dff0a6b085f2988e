//! Messages that no honest node sends are refused, counted, and change nothing.

use quorate_core::{Corrupt, Machine, NodeId, Rejected};
use quorate_paxos::Ballot;
use quorate_paxos::register::{
    Change, Config, Message, NoChanges, Record, Register, State, SubmitError,
};

use super::net::{Net, Storage};
use crate::common::ballot;

const KEY: &[u8] = b"k";

const fn state(ballot: Ballot, origin: Ballot, value: Option<&[u8]>) -> State<'_> {
    State { ballot, origin, value }
}

#[test]
fn node_refuses_what_cannot_be() {
    let mut net = Net::new(3);
    net.set(2, b"a");
    net.submit(1, KEY, Change::Set { value: b"b" });
    net.sync_all();
    let (accepted, _, promised) = net.accepted(1).unwrap();
    let mine = promised;
    assert_eq!(mine.node.get(), 1);
    let (high, far) = (ballot(50, 2), ballot(1 << 40, 2));
    let (zero, long) = (Ballot::ZERO, [0; 9]);
    let beyond = ballot(Ballot::MAX_ROUND + 1, 3);
    let prepare = |ballot| Message::Prepare { key: KEY, ballot, age: 0 };
    let accept = |state, next| Message::Accept { key: KEY, state, next, age: 0 };
    let promise = |ballot, state| Message::Promise { key: KEY, ballot, state };
    let value = Some(&b"x"[..]);
    let cases = [
        (7, prepare(high), Rejected::UnknownSender),
        (1, prepare(mine), Rejected::Impossible), // of itself
        (2, prepare(zero), Rejected::Malformed),
        (2, prepare(ballot(50, 3)), Rejected::Impossible),
        (2, prepare(far), Rejected::OutOfRange),
        (2, Message::Prepare { key: &long, ballot: high, age: 0 }, Rejected::Full),
        (2, accept(state(zero, zero, None), high), Rejected::Malformed),
        (2, accept(state(high, zero, value), high), Rejected::Malformed),
        (2, accept(state(high, high, value), zero), Rejected::Malformed),
        (2, accept(state(high, high, value), ballot(51, 3)), Rejected::Impossible),
        (2, accept(state(high, high, value), ballot(49, 2)), Rejected::Impossible),
        (2, accept(state(high, high, value), far), Rejected::OutOfRange),
        (2, accept(state(high, ballot(51, 1), value), high), Rejected::Impossible),
        (2, accept(state(high, high, Some(&long)), high), Rejected::Full),
        (2, accept(state(accepted, accepted, Some(b"other")), accepted), Rejected::Impossible),
        (2, promise(zero, None), Rejected::Malformed),
        (2, promise(high, None), Rejected::Impossible),
        (2, promise(ballot(1 << 40, 1), None), Rejected::OutOfRange),
        (2, promise(mine, Some(state(mine, mine, value))), Rejected::Impossible),
        (2, promise(mine, Some(state(accepted, zero, value))), Rejected::Malformed),
        (2, promise(mine, Some(state(accepted, accepted, Some(&long)))), Rejected::Full),
        (2, promise(mine, Some(state(accepted, accepted, Some(b"z")))), Rejected::Impossible),
        (2, Message::Accepted { key: KEY, ballot: high, promised: high }, Rejected::Impossible),
        (2, Message::Accepted { key: KEY, ballot: mine, promised: accepted }, Rejected::Impossible),
        (2, Message::Accepted { key: KEY, ballot: mine, promised: beyond }, Rejected::OutOfRange),
        (2, Message::Conflict { key: KEY, promised: zero }, Rejected::Malformed),
        (2, Message::Conflict { key: KEY, promised: beyond }, Rejected::OutOfRange),
        (2, Message::Collect { key: KEY, tombstone: mine, version: 0 }, Rejected::Impossible),
        (2, Message::Collect { key: KEY, tombstone: far, version: 0 }, Rejected::OutOfRange),
        (2, Message::Collected { tombstone: high }, Rejected::Impossible),
        (2, Message::Fenced { age: 1 }, Rejected::Impossible),
        (2, Message::Erase { key: KEY, tombstone: zero }, Rejected::Malformed),
        (2, Message::Erase { key: KEY, tombstone: mine }, Rejected::Impossible),
        (2, Message::Erased { tombstone: zero, erased: true }, Rejected::Malformed),
    ];
    // the promise of node 1's own acceptor, as of accepted, is known
    let (before, records) = (net.node(1).status(), net.hosts[&1].disk.len());
    let now = net.now;
    for (count, (from, message, reason)) in cases.into_iter().enumerate() {
        let refused = net.node(1).receive(now, NodeId::new(from), message);
        assert_eq!(refused, Err(reason), "{message:?} of {from}");
        assert_eq!(net.node(1).rejections().total() as usize, count + 1);
    }
    net.poll_all();
    net.sync_all();
    assert_eq!((net.node(1).status(), net.hosts[&1].disk.len()), (before, records));
}

/// Nobody has room for a ninth key: the message is refused, and the sender asks again.
#[test]
fn key_without_room_is_refused() {
    let mut net = Net::new(3);
    for name in 0..8 {
        net.change(1, &[name], Change::Set { value: b"a" });
    }
    net.settle();
    let (now, two) = (net.now, NodeId::new(2));
    let prepare = Message::Prepare { key: KEY, ballot: ballot(50, 2), age: 0 };
    assert_eq!(net.node(1).receive(now, two, prepare), Err(Rejected::Full));
    let state = state(ballot(50, 2), ballot(50, 2), None);
    let accept = Message::Accept { key: KEY, state, next: ballot(50, 2), age: 0 };
    assert_eq!(net.node(1).receive(now, two, accept), Err(Rejected::Full));
    assert_eq!(net.node(1).keys().count(), 8);
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let mut net = Net::new(3);
    let node = net.node(1);
    let now = quorate_core::Instant::ZERO;
    let before = node.clone();
    let other = Change::Other { number: 15, argument: b"" };
    for (key, change, why) in [
        (&[0; 9][..], Change::Read, SubmitError::TooLong),
        (KEY, Change::Set { value: &[0; 9] }, SubmitError::TooLong),
        (KEY, other, SubmitError::Reserved),
    ] {
        assert_eq!(node.submit(now, key, change), Err(why));
    }
    assert!(*node == before);
    // a number that the application does not know
    let answer = net.change(1, KEY, Change::Other { number: 16, argument: b"" });
    assert_eq!(answer.0, quorate_paxos::register::Outcome::Refused);
}

/// Rounds have an end: what is at it is refused, and nobody wraps.
#[test]
fn rounds_come_to_an_end() {
    let members = [quorate_paxos::Member::new(NodeId::new(1))];
    let quorums = quorate_core::Quorums::majority(1);
    let new = || {
        let (id, config) = (NodeId::new(1), Config::lan());
        Register::<Storage>::new(id, &members, quorums, config, NoChanges, 1).unwrap()
    };
    let now = quorate_core::Instant::ZERO;
    for left in [0, 1, 2, 20] {
        let mut node = new();
        node.restore(Record::Founded { version: 0 }).unwrap();
        node.restore(Record::Rounds { through: Ballot::MAX_ROUND - left }).unwrap();
        node.tick(now);
        let mut answers = 0;
        while node.submit(now, KEY, Change::Set { value: b"a" }).is_ok() {
            assert!(answers < 30, "it goes on");
            for _ in 0..10 {
                let mut last = None;
                while let Some(output) = node.poll() {
                    match output {
                        quorate_core::Output::Persist(ticket, _) => last = Some(ticket),
                        quorate_core::Output::Event(quorate_paxos::register::Event::Answered {
                            ..
                        }) => answers += 1,
                        _ => {}
                    }
                }
                last.into_iter().for_each(|ticket| node.persisted(ticket));
            }
        }
        assert_eq!(node.submit(now, KEY, Change::Read), Err(SubmitError::Exhausted));
        assert!(left == 0 || answers > 0, "{left} left");
    }
    assert_eq!(
        new().restore(Record::Rounds { through: Ballot::MAX_ROUND + 1 }),
        Err(Corrupt::Malformed)
    );
}
