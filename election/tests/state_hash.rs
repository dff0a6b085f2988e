//! Machines that hash the same do the same from here on, for model checkers; what is past and over does not count.
#![allow(clippy::unwrap_used)]

use std::hash::{DefaultHasher, Hash, Hasher};

use quorate_core::{Instant, Machine, NodeId, Output, Rejected};
use quorate_election::bully::Message as B;
use quorate_election::ring::{Collecting, Message as R};
use quorate_election::{Bully, Config, Epoch, Inline, Mode, Record, Ring, Role, Takeover};

const KEEP: Config = Config { takeover: Takeover::Keep, attempts: 2, ..Config::lan() };
const QUORUM: Config = Config { mode: Mode::Quorum, ..KEEP };
const IDS: [NodeId; 5] =
    [NodeId::new(1), NodeId::new(2), NodeId::new(3), NodeId::new(4), NodeId::new(5)];

type Bullies = Bully<Inline<5>>;
type Rings = Ring<Collecting, Inline<20>>;

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn bully(me: usize, config: Config) -> Bullies {
    let mut node = Bully::new(IDS[me], &IDS, config).unwrap();
    node.restore(Record { epoch: Epoch::ZERO }).unwrap();
    node.tick(ms(0));
    node
}

fn ring(me: usize) -> Rings {
    let mut node = Ring::new(IDS[me], &IDS, KEEP).unwrap();
    node.restore(Record { epoch: Epoch::ZERO }).unwrap();
    node.tick(ms(0));
    node
}

/// Polls so many outputs, with a disk that writes at once.
fn poll<M: Machine>(node: &mut M, outputs: usize) {
    for _ in 0..outputs {
        let ticket = match node.poll() {
            Some(Output::Persist(ticket, _)) => ticket,
            Some(_) => continue,
            None => return,
        };
        node.persisted(ticket);
    }
}

const ALL: usize = 1_000;

#[test]
fn hash_ignores_past_and_statistics() {
    // the same times lie ahead, an hour later
    let mut early = bully(0, KEEP);
    let alive = B::Alive { epoch: Epoch::from_token(4), round: 0 };
    early.receive(ms(10), IDS[4], alive).unwrap();
    poll(&mut early, ALL);
    let mut late = early.clone();
    early.receive(ms(50), IDS[4], alive).unwrap();
    late.receive(ms(60), IDS[4], alive).unwrap();
    assert_eq!(hash(&early), hash(&late));
    // statistics are kept for people
    assert_eq!(early.receive(ms(50), NodeId::new(9), alive), Err(Rejected::UnknownSender));
    assert_eq!(hash(&early), hash(&late));
    let mut ring = ring(0);
    let before = hash(&ring);
    let ask = R::ConfirmLeadership { epoch: Epoch::ZERO };
    assert_eq!(ring.receive(ms(0), NodeId::new(9), ask), Err(Rejected::UnknownSender));
    assert_eq!(hash(&ring), before);
}

#[test]
fn hash_covers_deadlines_and_due_messages() {
    let node = bully(0, KEEP);
    let mut waited = node.clone();
    waited.tick(ms(10));
    assert_ne!(hash(&node), hash(&waited), "its time is up sooner");
    let mut candidate = node.clone();
    candidate.campaign(ms(0));
    assert_ne!(hash(&node), hash(&candidate));
    let mut asked = candidate.clone();
    poll(&mut asked, 1);
    assert_ne!(hash(&asked), hash(&candidate), "it owes a question less");
    let node = ring(0);
    let mut waited = node.clone();
    waited.tick(ms(10));
    assert_ne!(hash(&node), hash(&waited));
}

#[test]
fn hash_covers_undurable_records() {
    let mut node = bully(0, KEEP);
    node.receive(ms(1), IDS[4], B::Alive { epoch: Epoch::from_token(4), round: 0 }).unwrap();
    let dirty = node.clone();
    let Some(Output::Persist(ticket, _)) = node.poll() else { unreachable!("nothing to write") };
    assert_ne!(hash(&dirty), hash(&node), "there is nothing to write any more");
    let mut written = node.clone();
    written.persisted(ticket);
    assert_ne!(hash(&node), hash(&written));
    let untold = hash(&written);
    poll(&mut written, ALL);
    assert_ne!(hash(&written), untold, "the application was told");
}

#[test]
fn hash_covers_age_of_leader_round() {
    let led = |answered| {
        let mut node = bully(4, QUORUM);
        node.campaign(ms(0));
        for from in &IDS[..2] {
            node.receive(ms(0), *from, B::Answer { epoch: Epoch::ZERO }).unwrap();
        }
        assert_eq!(node.status().role, Role::Claiming);
        let epoch = Epoch::from_token(4);
        node.receive(ms(0), IDS[0], B::Accept { epoch, round: 0 }).unwrap();
        node.receive(ms(0), IDS[1], B::Accept { epoch, round: 0 }).unwrap();
        poll(&mut node, ALL);
        assert_eq!(node.status().role, Role::Leader);
        if answered {
            node.receive(ms(10), IDS[0], B::Accept { epoch, round: 1 }).unwrap();
        }
        node.receive(ms(20), IDS[0], B::Accept { epoch, round: 1 }).unwrap();
        node
    };
    assert_eq!(hash(&led(false)), hash(&led(true)), "the answer is the same");
    // a later tick moves nothing but the present
    let (mut early, mut late) = (led(true), led(true));
    early.tick(ms(100));
    late.tick(ms(110));
    poll(&mut early, ALL);
    poll(&mut late, ALL);
    assert_eq!((early.status(), early.deadline()), (late.status(), Some(ms(200))));
    assert_eq!(late.deadline(), Some(ms(210)));
    assert_ne!(hash(&early), hash(&late), "its round is older");
}

#[test]
fn hash_covers_unacknowledged_hops() {
    let mut node = ring(0);
    node.campaign(ms(0));
    let Some(Output::Persist(ticket, _)) = node.poll() else { unreachable!("nothing to write") };
    node.persisted(ticket);
    let mut sent = node.clone();
    poll(&mut sent, 1);
    assert_ne!(hash(&node), hash(&sent), "it is to be sent");
    node.tick(ms(10));
    sent.tick(ms(10));
    poll(&mut node, ALL);
    poll(&mut sent, ALL);
    assert_ne!(hash(&node), hash(&sent), "it is overdue sooner");
}

/// Who follows a leader that asks counts while it asks, and then no more.
#[test]
fn hash_covers_followers_of_a_challenged_leader() {
    let mut node = ring(1);
    IDS.into_iter().filter(|&id| id != IDS[1]).for_each(|id| node.suspect(ms(0), id));
    node.campaign(ms(0));
    poll(&mut node, ALL);
    let epoch = node.status().epoch;
    assert_eq!(node.status().role, Role::Leader);
    node.fenced(ms(1), Epoch::from_token(epoch.token() + 64));
    poll(&mut node, ALL);
    let mut followed = node.clone();
    for node in [&mut node, &mut followed] {
        node.receive(ms(2), IDS[0], R::ConfirmLeadership { epoch: Epoch::ZERO })
            .unwrap_or_default();
    }
    followed.receive(ms(2), IDS[2], R::Alive { epoch }).unwrap();
    node.receive(ms(2), IDS[2], R::Ack { token: Epoch::ZERO, slot: 0, phase: 0 }).unwrap();
    assert_eq!((node.status(), node.deadline()), (followed.status(), followed.deadline()));
    assert_ne!(hash(&node), hash(&followed));
    while node.status().role == Role::Leader {
        let due = node.deadline().unwrap();
        node.tick(due);
        followed.tick(due);
        poll(&mut node, ALL);
        poll(&mut followed, ALL);
    }
    assert_eq!(followed.status(), node.status());
    assert_eq!(hash(&node), hash(&followed), "both have yielded");
}

#[test]
fn hash_covers_whether_it_claimed_again() {
    let later = B::Stale { epoch: Epoch::from_token(32) };
    // the later epoch is known before the claim, or after it
    let [claimed_once, claimed_again] = [true, false].map(|known| {
        let mut node = bully(3, Config { attempts: 1, ..Config::lan() });
        if known {
            node.receive(ms(0), IDS[0], later).unwrap();
        }
        node.campaign(ms(0));
        node.tick(ms(50)); // the only higher node is silent
        if !known {
            node.receive(ms(50), IDS[0], later).unwrap();
        }
        poll(&mut node, ALL);
        assert_eq!(node.status().leader, Some(IDS[3]));
        node
    });
    let text = format!("{claimed_again:?}");
    assert_eq!(text.replace("reclaimed: true", "reclaimed: false"), format!("{claimed_once:?}"));
    assert_ne!(hash(&claimed_again), hash(&claimed_once), "it waits if it is deposed once more");
}
