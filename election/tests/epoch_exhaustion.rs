//! Epochs end at 2^62. No honest node gets there; a node that is there nevertheless leads no more, and goes on living.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, Machine, NodeId, Output};
use quorate_election::bully::Message as B;
use quorate_election::ring::{ChangRoberts, Collecting, HirschbergSinclair, Message as R};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Record, Ring, Role, Takeover};

const KEEP: Config = Config { takeover: Takeover::Keep, ..Config::lan() };
/// The last epoch of the first member; the second and the third have one more.
const LAST: u64 = (1 << 62) - 32;

fn e(token: u64) -> Epoch {
    Epoch::from_token(token)
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

macro_rules! drain {
    ($node:ident) => {{
        let (mut said, mut told) = (Vec::new(), Vec::new());
        while let Some(output) = $node.poll() {
            match output {
                Output::Persist(ticket, _) => $node.persisted(ticket),
                Output::Send(to, message) => said.push((to.get(), message)),
                Output::Event(event) => told.push(event),
            }
        }
        (said, told)
    }};
}

fn bully(me: u64, config: Config, epoch: u64) -> Bully<Inline<3>> {
    let ids = [1, 2, 3].map(NodeId::new);
    let mut node = Bully::new(NodeId::new(me), &ids, config).unwrap();
    node.restore(Record { epoch: e(epoch) }).unwrap();
    node
}

#[test]
fn last_epoch_has_no_successor() {
    assert_eq!(e(LAST - 32).next_for(0), Some(e(LAST)));
    assert_eq!(e(LAST).next_for(0), None);
    assert_eq!(e(LAST).next_for(31), Some(e((1 << 62) - 1)));
    assert_eq!(e((1 << 62) - 1).next_for(31), None);
    assert_eq!(e(1 << 62).next_for(5), None);
}

#[test]
fn bully_out_of_epochs_follows() {
    for mode in [Mode::Classic, Mode::Quorum] {
        let mut node = bully(1, Config { mode, ..Config::lan() }, LAST);
        for at in (0..).step_by(50).take(60) {
            node.tick(ms(at));
            let (said, told) = drain!(node);
            assert!(said.iter().all(|(_, m)| matches!(m, B::Election { .. })), "{said:?}");
            assert_eq!(told, []);
            assert!(node.deadline() > Some(ms(at)), "time goes on");
        }
        // another one leads in what is left
        let epoch = e(LAST + 1);
        node.receive(ms(4_000), NodeId::new(2), B::Alive { epoch, round: 1 }).unwrap();
        drain!(node);
        assert_eq!(node.status().leader, Some(NodeId::new(2)));
    }
}

#[test]
fn bully_leader_out_of_epochs_steps_down() {
    for mode in [Mode::Classic, Mode::Quorum] {
        // the second of three, as the first has no majority without a better one
        let last = e(LAST + 1);
        let mut node = bully(2, Config { mode, attempts: 1, ..KEEP }, LAST - 31);
        node.campaign(ms(0));
        node.receive(ms(0), NodeId::new(1), B::Answer { epoch: Epoch::ZERO }).unwrap();
        node.tick(ms(50));
        drain!(node);
        node.receive(ms(50), NodeId::new(1), B::Accept { epoch: last, round: 0 }).ok();
        drain!(node);
        assert_eq!((node.status().role, node.status().epoch), (Role::Leader, last));
        node.receive(ms(60), NodeId::new(3), B::Stale { epoch: e(LAST + 2) }).unwrap();
        node.receive(ms(60), NodeId::new(3), B::Accept { epoch: last, round: 1 }).unwrap();
        if mode == Mode::Quorum {
            let heartbeat = node.deadline().unwrap();
            node.tick(heartbeat); // it would claim the next one then
        }
        assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
        assert_eq!(drain!(node).1, [Event::Leaderless]);
    }
}

macro_rules! ring {
    ($algorithm:ty, $epoch:expr) => {{
        let ids = [1, 2, 3].map(NodeId::new);
        let mut node = Ring::<$algorithm, Inline<12>>::new(ids[0], &ids, KEEP).unwrap();
        node.restore(Record { epoch: e($epoch) }).unwrap();
        node.tick(ms(0));
        node
    }};
}

#[test]
fn ring_node_out_of_epochs_waits() {
    macro_rules! check {
        ($algorithm:ty) => {{
            let mut node = ring!($algorithm, LAST);
            for at in (0..).step_by(50).take(60) {
                node.tick(ms(at));
                assert!(drain!(node).0.is_empty());
                assert!(node.deadline() > Some(ms(at)), "time goes on");
            }
            assert_eq!(node.status().role, Role::Waiting);
            // nor does it win with the last one: that was its token
            let mut node = ring!($algorithm, LAST - 32);
            node.campaign(ms(0));
            assert_eq!(node.status().epoch, e(LAST));
            [2, 3].into_iter().for_each(|n| node.suspect(ms(1), NodeId::new(n)));
            drain!(node);
            assert_eq!((node.status().role, node.status().leader), (Role::Waiting, None));
        }};
    }
    check!(Collecting);
    check!(ChangRoberts);
    check!(HirschbergSinclair);
}

#[test]
fn ring_node_out_of_epochs_gives_its_dead_leader_up() {
    let mut node = ring!(Collecting, LAST - 32);
    node.receive(ms(1), NodeId::new(3), R::Alive { epoch: e(LAST + 2) }).unwrap();
    assert_eq!(node.status().leader, Some(NodeId::new(3)));
    node.tick(ms(351));
    assert_eq!((node.status().role, node.status().leader), (Role::Waiting, None));
}

#[test]
fn ring_leader_out_of_epochs_steps_down() {
    let mut node = ring!(Collecting, LAST - 64);
    node.campaign(ms(0));
    [2, 3].into_iter().for_each(|n| node.suspect(ms(1), NodeId::new(n)));
    drain!(node);
    assert_eq!((node.status().role, node.status().epoch), (Role::Leader, e(LAST)));
    node.receive(ms(2), NodeId::new(2), R::Alive { epoch: e(LAST + 1) }).unwrap();
    assert_eq!(node.status().role, Role::Leader, "it waits to be told who follows it");
    node.receive(ms(3), NodeId::new(3), R::Alive { epoch: e(LAST) }).unwrap();
    node.fenced(ms(3), e(LAST + 1));
    for at in 1..=4 {
        node.tick(ms(at * 101));
    }
    assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
}

/// Nobody can be elected in an epoch that there is not.
#[test]
fn returning_token_out_of_epochs_elects_nobody() {
    let ids = [3, 2, 1].map(NodeId::new);
    let mut node = Ring::<Collecting, Inline<12>>::new(ids[1], &ids, KEEP).unwrap();
    node.restore(Record { epoch: e(LAST - 31) }).unwrap();
    node.tick(ms(0));
    node.campaign(ms(0));
    let token = node.status().epoch;
    assert_eq!(token, e(LAST + 1));
    drain!(node);
    // the best is the first, whose last epoch has passed
    let back = R::Elect { token, highest: token, passed: 0b111 };
    node.receive(ms(1), ids[0], back).unwrap();
    assert_eq!((node.status().role, node.status().leader), (Role::Waiting, None));
}
