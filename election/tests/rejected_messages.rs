//! What no honest node can say is refused, counted, and changes nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, Machine, NodeId, Output, Rejected};
use quorate_election::bully::Message as B;
use quorate_election::ring::{
    ChangRoberts, Collecting, Direction, HirschbergSinclair, Message as R,
};
use quorate_election::{Bully, Config, Epoch, Inline, Mode, Record, Ring, Role};

const NOW: Instant = Instant::ZERO;
const LIMIT: u64 = 1 << 62;
const JUMP: u64 = 1 << 38;

fn id(n: u64) -> NodeId {
    NodeId::new(n)
}

fn e(token: u64) -> Epoch {
    Epoch::from_token(token)
}

/// Node 2 of three, at epoch 64.
fn bully(mode: Mode) -> Bully<Inline<3>> {
    let ids = [1, 2, 3].map(NodeId::new);
    let mut node = Bully::new(id(2), &ids, Config { mode, ..Config::lan() }).unwrap();
    node.restore(Record { epoch: e(64) }).unwrap();
    node.tick(NOW);
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        }
    }
    node
}

#[test]
fn bully_rejects_impossible_messages() {
    use Rejected::{Impossible, Malformed, OutOfRange, UnknownSender};
    let node = bully(Mode::Quorum);
    for (from, message, why) in [
        (2, B::Election { epoch: e(64) }, Some(UnknownSender)), // itself
        (4, B::Election { epoch: e(64) }, Some(UnknownSender)),
        (1, B::Election { epoch: e(67) }, Some(Malformed)), // of a fourth member
        (1, B::Answer { epoch: e(95) }, Some(Malformed)),
        (1, B::Stale { epoch: e(64 + JUMP) }, None),
        (1, B::Stale { epoch: e(65 + JUMP) }, Some(OutOfRange)),
        (1, B::Election { epoch: e(LIMIT) }, Some(OutOfRange)),
        (1, B::Election { epoch: e(64) }, None),
        (3, B::Election { epoch: e(0) }, None),
        (1, B::Answer { epoch: e(64) }, None),
        (1, B::Coordinator { epoch: e(96) }, None),
        (1, B::Coordinator { epoch: e(98) }, Some(Impossible)),
        (3, B::Alive { epoch: e(98), round: 1 }, None),
        (3, B::Alive { epoch: e(97), round: 1 }, Some(Impossible)),
        (3, B::Alive { epoch: e(96), round: 1 }, Some(Impossible)),
        // the next epoch of its own is 65
        (1, B::Accept { epoch: e(65), round: 0 }, None),
        (1, B::Accept { epoch: e(65), round: 1 }, Some(Impossible)),
        (1, B::Accept { epoch: e(97), round: 0 }, Some(Impossible)),
        (1, B::Accept { epoch: e(66), round: 0 }, Some(Impossible)),
        // it may have led before it was restarted
        (1, B::Accept { epoch: e(33), round: 7 }, None),
    ] {
        let mut node = node.clone();
        let before = node.clone();
        let refused = node.receive(NOW, id(from), message).err();
        assert_eq!(refused, why, "{message:?} of {from}");
        assert_eq!(node.rejections().total(), u32::from(why.is_some()));
        if why.is_some() {
            assert_eq!(node.status(), before.status());
            assert!(node.poll().is_none(), "{message:?}");
        }
    }
}

#[test]
fn accept_of_a_future_round_is_rejected() {
    let mut node = bully(Mode::Quorum);
    node.tick(Instant::from_millis(50));
    node.tick(Instant::from_millis(100));
    assert_eq!(node.status().role, Role::Claiming);
    node.receive(NOW, id(1), B::Accept { epoch: e(65), round: 0 }).unwrap();
    assert_eq!(node.status().epoch, e(65));
    for (round, refused) in [(1, false), (2, true), (u64::MAX, true), (0, false)] {
        let message = B::Accept { epoch: e(65), round };
        assert_eq!(node.receive(NOW, id(3), message).is_err(), refused, "{round}");
    }
    // in another epoch of its own, whatever the round
    node.receive(NOW, id(1), B::Accept { epoch: e(33), round: 2 }).unwrap();
}

macro_rules! ring {
    ($algorithm:ty) => {{
        let ids = [1, 2, 3].map(NodeId::new);
        let mut node = Ring::<$algorithm, Inline<12>>::new(id(2), &ids, Config::lan()).unwrap();
        node.restore(Record { epoch: e(64) }).unwrap();
        node.tick(NOW); // its token is 65
        while let Some(output) = node.poll() {
            if let Output::Persist(ticket, _) = output {
                node.persisted(ticket);
            }
        }
        node
    }};
}

#[test]
fn rings_reject_impossible_messages() {
    use Rejected::{Impossible, Malformed, OutOfRange, UnknownSender};
    let elect = |token, passed| R::Elect { token: e(token), highest: e(token), passed };
    let probe = |phase, hops| R::Probe {
        token: e(66),
        highest: e(66),
        phase,
        hops,
        direction: Direction::Backward,
    };
    let reply =
        |phase| R::Reply { token: e(65), highest: e(65), phase, direction: Direction::Backward };
    let (mut collecting, mut both) = (0, 0);
    for (from, message, why, why_of_both) in [
        (2, elect(66, 4), Some(UnknownSender), Some(UnknownSender)),
        (9, elect(66, 4), Some(UnknownSender), Some(UnknownSender)),
        (1, elect(67, 4), Some(Malformed), Some(Malformed)),
        (1, R::Coordinator { token: e(66), epoch: e(99) }, Some(Malformed), Some(Malformed)),
        (
            1,
            R::Coordinator { token: e(66), epoch: e(66 + JUMP) },
            Some(OutOfRange),
            Some(OutOfRange),
        ),
        (1, R::Alive { epoch: e(LIMIT) }, Some(OutOfRange), Some(OutOfRange)),
        (1, elect(66, 0b101), None, Some(Malformed)),
        (1, elect(66, 0b1000), Some(Malformed), Some(Malformed)),
        (1, probe(0, 1), Some(Malformed), None),
        (1, probe(0, 0), Some(Malformed), Some(Malformed)),
        (1, probe(0, 2), Some(Malformed), Some(Malformed)),
        (1, probe(3, 8), Some(Malformed), None),
        (1, probe(3, 9), Some(Malformed), Some(Malformed)),
        (1, probe(5, 32), Some(Malformed), None),
        (1, probe(5, 33), Some(Malformed), Some(Malformed)),
        (1, probe(6, 1), Some(Malformed), Some(Malformed)),
        (1, reply(0), Some(Malformed), None),
        (1, reply(5), Some(Malformed), None),
        (1, reply(6), Some(Malformed), Some(Malformed)),
        (1, R::Ack { token: e(65), slot: 3, phase: 7 }, None, None),
        (1, R::Ack { token: e(65), slot: 4, phase: 0 }, Some(Malformed), Some(Malformed)),
        (1, R::Ack { token: e(65), slot: 0, phase: 8 }, Some(Malformed), Some(Malformed)),
        // it made no such token, but an acknowledgement may tell it of one of before it lost its disk
        (1, R::Coordinator { token: e(97), epoch: e(98) }, Some(Impossible), Some(Impossible)),
        (1, R::Ack { token: e(97), slot: 0, phase: 0 }, None, None),
        (1, R::Coordinator { token: e(65), epoch: e(98) }, None, None),
        (1, R::Alive { epoch: e(96) }, None, None),
        (1, R::Alive { epoch: e(98) }, Some(Impossible), Some(Impossible)),
        // followers of its own, in an epoch that it may have led in
        (1, R::Alive { epoch: e(33) }, None, None),
        (1, R::Alive { epoch: e(97) }, Some(Impossible), Some(Impossible)),
    ] {
        let mut node = ring!(Collecting);
        let before = node.clone();
        assert_eq!(node.receive(NOW, id(from), message).err(), why, "{message:?} of {from}");
        assert_eq!(node.rejections().total(), u32::from(why.is_some()));
        assert!(why.is_none() || node.status() == before.status() && node.poll().is_none());
        collecting += u32::from(why.is_some());
        assert_eq!(ring!(ChangRoberts).receive(NOW, id(from), message).err(), why, "{message:?}");
        let mut node = ring!(HirschbergSinclair);
        assert_eq!(
            node.receive(NOW, id(from), message).err(),
            why_of_both,
            "{message:?} of {from}"
        );
        both += u32::from(why_of_both.is_some());
    }
    assert!(collecting > 15 && both > 15);
}

/// Where there is no room for another hop, the message is refused, and comes again.
#[test]
fn full_ring_rejects_tokens() {
    let ids = [1, 2, 3].map(NodeId::new);
    let mut node = Ring::<Collecting, Inline<3>>::new(id(2), &ids, Config::lan()).unwrap();
    node.tick(NOW);
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            node.persisted(ticket);
        }
    }
    let coordinator = |token, epoch| R::Coordinator { token: e(token), epoch: e(epoch) };
    // its own token is under way; two of others are
    let elect = |token: u64| R::Elect { token: e(token), highest: e(token), passed: 0 };
    node.receive(NOW, id(1), elect(32)).unwrap();
    node.receive(NOW, id(1), elect(34)).unwrap();
    assert_eq!(node.receive(NOW, id(1), coordinator(32, 64)), Err(Rejected::Full));
    assert_eq!(node.rejections().full, 1);
    node.receive(NOW, id(1), R::Alive { epoch: e(64) }).unwrap();
    // the first arrives at the next node
    while node.poll().is_some() {}
    node.receive(NOW, id(3), R::Ack { token: e(32), slot: 0, phase: 0 }).unwrap();
    node.receive(NOW, id(1), coordinator(32, 96)).unwrap();
}
