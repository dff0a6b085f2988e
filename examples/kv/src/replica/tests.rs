//! A replica alone with its machine: what peers send and what the log holds, however it came there.

mod output_budget;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use quorate_core::{Machine, Output, Rejected};
use quorate_log::Leadership;
use quorate_raft::{Change, Config, Event, Heap, Raft, ReplicatedLog as _};
use quorate_tokio::app::App;
use tokio::sync::oneshot;
use tokio::sync::oneshot::Receiver;

use super::*;
use crate::apply::Entry;
use crate::directory::Address;
use crate::incarnation;
use crate::limits;
use crate::op::{SetCondition, put};
use crate::pending::BatchReply;
use crate::reply::Protocol;

/// The only voter of its cluster; nodes 2 and 3 are learners.
struct Node {
    raft: Raft<Heap>,
    replica: Replica<Raft<Heap>>,
    now: Instant,
    dir: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

const ME: NodeId = NodeId::new(1);
const FORGER: NodeId = NodeId::new(2);
const HONEST: NodeId = NodeId::new(3);

impl Node {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "quorate-kv-replica-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let config = Config { max_entry_bytes: limits::ENTRY_BYTES, ..Config::default() };
        let raft = Raft::<Heap>::new(ME, &[ME], config, 7).unwrap();
        let policy = Policy {
            timeout_us: 1_000_000,
            snapshot_bytes: 1 << 30,
            snapshot_entries: 1 << 30,
            keep_entries: 1,
        };
        let own = Address { peer: "a:1".into(), client: "a:2".into() };
        let addresses = Addresses { own, configured: HashMap::new() };
        let replica = Replica::new(
            ME,
            Incarnation::begin(&dir, 0).unwrap(),
            policy,
            State::new(),
            SnapshotStore::new(&dir, 5, 1 << 30).unwrap(),
            addresses,
        );
        let mut node = Self { raft, replica, now: Instant::ZERO, dir };
        node.drive();
        while node.replica.role.0 != Role::Leader {
            node.now = node.raft.deadline().unwrap();
            node.raft.tick(node.now);
            node.drive();
        }
        for id in [FORGER, HONEST] {
            node.raft.change(&[Change::Add(id)]).unwrap();
            node.drive();
        }
        node
    }

    /// Polls the machine until it is quiet; tells whether it said anything.
    fn poll(&mut self) -> bool {
        let mut any = false;
        loop {
            let mut ticket = None;
            while let Some(output) = self.raft.poll() {
                any = true;
                match output {
                    Output::Persist(next, _) => ticket = Some(next),
                    Output::Event(event) => self.replica.event(event),
                    Output::Send(..) => {}
                }
            }
            let Some(ticket) = ticket else { return any };
            self.raft.persisted(ticket);
        }
    }

    fn drive(&mut self) {
        loop {
            let mut quiet = !self.poll();
            self.replica.meter.begin();
            self.replica.apply_committed(&self.raft);
            quiet &= !self.replica.is_applying();
            let sent = self.replica.reads.numbers(|_, _| true);
            self.replica.route_due(&mut self.raft, self.now);
            quiet &= !self.replica.more_due && sent == self.replica.reads.numbers(|_, _| true);
            // what was proposed
            quiet &= !self.poll();
            if quiet {
                return;
            }
        }
    }

    /// A client of this node sets a key.
    fn set(&mut self, key: &[u8]) -> Receiver<BatchReply> {
        let (answer, answered) = oneshot::channel();
        self.replica.execute(&mut self.raft, self.now, set(key), false, answer);
        answered
    }

    /// What a client is told that sets a key and waits.
    fn set_and_wait(&mut self, key: &[u8]) -> String {
        let mut answered = self.set(key);
        self.drive();
        text(&mut answered)
    }

    fn frame(&mut self, from: NodeId, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.replica.outgoing.clear();
        self.replica.frame(&mut self.raft, self.now, from, bytes);
        self.drive();
        self.replica.outgoing.iter().map(|(_, frame, _)| frame.clone()).collect()
    }

    /// Whether a batch of another node is answered.
    fn answers_batch_of(&mut self, from: NodeId, incarnation: u64, number: u64) -> bool {
        let request_id = RequestId { incarnation, number, write: true };
        let frames = self.frame(from, &request(request_id, number - 1, &set(b"theirs").ops));
        let answer =
            Frame::Response { request_id, index: self.replica.state.applied, replies: b"+OK\r\n" };
        frames == [answer.to_vec()]
    }

    /// Brings an entry into the log as it is.
    fn commit(&mut self, origin: NodeId, incarnation: u64, number: u64, floor: u64, batch: &Batch) {
        let mut entry = Vec::new();
        Entry::encode(&mut entry, BatchId { origin, incarnation, number }, floor, batch);
        self.raft.propose(&entry).unwrap();
        self.drive();
    }

    fn has(&self, key: &[u8]) -> bool {
        self.replica.state.store.get(key).is_some()
    }
}

fn set(key: &[u8]) -> Batch {
    let mut ops = Vec::new();
    put::set(&mut ops, key, b"v", SetCondition::Always, false);
    Batch::parse(&ops, Protocol::Resp2).unwrap()
}

fn request(request_id: RequestId, floor: u64, ops: &[u8]) -> Vec<u8> {
    Frame::Request { request_id, floor, protocol: Protocol::Resp2, ops }.to_vec()
}

fn text(answered: &mut Receiver<BatchReply>) -> String {
    match answered.try_recv() {
        Ok(answer) => String::from_utf8(answer.replies.to_vec()).unwrap(),
        Err(_) => "no answer".into(),
    }
}

#[test]
fn forged_batch_numbers_are_refused_before_proposal() {
    let mut node = Node::new();
    let now = incarnation::now();
    assert!(node.answers_batch_of(FORGER, now, 1));
    let last = node.raft.status().last;
    let forged = [
        (now, u64::MAX, u64::MAX),
        (now, u64::MAX, 1),
        (now, 2, u64::MAX),
        (now, 1 << 62, (1 << 62) - 1),
        (1 << 62, 1, 0),
        (u64::MAX, 1, 0),
        (now, 0, 0),
        (now, 2 + limits::SESSION_WINDOW, 1),
    ];
    for (incarnation, number, floor) in forged {
        let request_id = RequestId { incarnation, number, write: true };
        let frames = node.frame(FORGER, &request(request_id, floor, &set(b"forged").ops));
        let refusal = Frame::Refusal { request_id, reason: Refusal::Invalid };
        assert_eq!(frames, [refusal.to_vec()], "{incarnation} {number} {floor}");
    }
    assert_eq!(node.replica.counters.invalid_requests, forged.len() as u64);
    assert_eq!(node.raft.status().last, last, "nothing was proposed");
    assert!(!node.has(b"forged"));
    assert!(node.answers_batch_of(FORGER, now, 2));
    // who is no member has nothing to hand in
    let request_id = RequestId { incarnation: now, number: 1, write: true };
    let frames = node.frame(NodeId::new(9), &request(request_id, 0, &set(b"forged").ops));
    assert_eq!(frames, [Frame::Refusal { request_id, reason: Refusal::NotLeader }.to_vec()]);
    assert_eq!(node.set_and_wait(b"k"), "+OK\r\n");
}

#[test]
fn forged_log_entry_does_not_block_later_writes() {
    for (incarnation, number, floor) in [
        (0, u64::MAX, u64::MAX),
        (0, 1 << 61, (1 << 61) - 1),
        (0, 9, 0),
        (1 << 62, 1, 0),
        (1 << 62, u64::MAX, u64::MAX),
    ] {
        let mut node = Node::new();
        assert_eq!(node.set_and_wait(b"a"), "+OK\r\n");
        let own = node.replica.incarnation.get();
        let incarnation = if incarnation == 0 { own } else { incarnation };
        // this one is on its way when the forged one comes
        let mut in_flight = node.set(b"b");
        node.commit(ME, incarnation, number, floor, &set(b"forged"));
        assert_eq!(text(&mut in_flight), "+OK\r\n");
        assert_eq!(node.replica.counters.incarnation_changes, 1, "{incarnation} {number} {floor}");
        assert!(node.replica.incarnation.get() > incarnation);
        assert_eq!(node.set_and_wait(b"c"), "+OK\r\n", "{incarnation} {number} {floor}");
        // and after a restart
        let known = node.replica.state.sessions.incarnation(ME);
        assert!(Incarnation::begin(&node.dir, known).unwrap().get() > known);
        // the leader takes what such a node sends
        assert!(node.answers_batch_of(HONEST, 5, 1));
        node.commit(HONEST, incarnation, number, floor, &set(b"forged"));
        assert!(node.answers_batch_of(
            HONEST,
            node.replica.state.sessions.incarnation(HONEST) + 1,
            1
        ));
    }
}

#[test]
fn exhausted_batch_numbers_are_reported() {
    let mut node = Node::new();
    let mut in_flight = node.set(b"b");
    node.commit(ME, u64::MAX, u64::MAX, u64::MAX, &set(b"forged"));
    assert_eq!(text(&mut in_flight), "+OK\r\n");
    for _ in 0..2 {
        let reply = node.set_and_wait(b"c");
        assert!(reply.starts_with("-ERR this node's numbers for batches are used up"), "{reply}");
    }
    assert!(!node.has(b"c"));
    assert!(node.answers_batch_of(HONEST, 5, 1));
}

/// A batch of this node's client that was sent to the leader before this one.
fn sent_to_former_leader(node: &mut Node, key: &[u8]) -> Receiver<BatchReply> {
    let (answer, answered) = oneshot::channel();
    let waiting = PendingBatch::new(set(key), answer, Instant::MAX);
    let number = node.replica.writes.insert(waiting).unwrap();
    let former = Leadership { leader: Some(HONEST), epoch: node.raft.leadership().epoch - 1 };
    assert_eq!(node.replica.writes.due(node.now, former), Some((number, false)));
    node.replica.writes.sent(node.now, former, number, false);
    assert_eq!(node.replica.writes.due(node.now, former), None);
    answered
}

#[test]
fn full_disk_refuses_no_batch_that_may_be_in_the_log() {
    let mut node = Node::new();
    node.replica.no_snapshot_space = true;
    let mut sent = sent_to_former_leader(&mut node, b"sent");
    assert!(node.set_and_wait(b"new").starts_with("-MISCONF"));
    assert_eq!(text(&mut sent), "+OK\r\n", "it is not told that it was not executed");
    assert!(node.has(b"sent") && !node.has(b"new"));
}

#[test]
fn forged_numbers_leave_unknown_what_was_sent_under_the_old_ones() {
    let mut node = Node::new();
    let mut sent = sent_to_former_leader(&mut node, b"sent");
    let own = node.replica.incarnation.get();
    node.commit(ME, own, 9, 0, &set(b"forged"));
    assert!(text(&mut sent).starts_with("-ERR outcome unknown"), "it may be in the log twice");
    assert_eq!(node.set_and_wait(b"c"), "+OK\r\n");
}

#[test]
fn log_entry_decides_over_the_pending_batch() {
    let mut node = Node::new();
    // an own number is used by somebody else: the client is not told that its command was executed, nor is it
    let (own, number) = (node.replica.incarnation.get(), node.replica.writes.last() + 1);
    let mut entry = Vec::new();
    let id = BatchId { origin: ME, incarnation: own, number };
    Entry::encode(&mut entry, id, number - 1, &set(b"theirs"));
    node.raft.propose(&entry).unwrap();
    let mut answered = node.set(b"mine");
    node.drive();
    assert!(text(&mut answered).starts_with("-ERR the command was not executed"));
    assert!(node.has(b"theirs") && !node.has(b"mine"));
    // two leaders got different batches under one number: the first in the log counts
    let id = BatchId { origin: HONEST, incarnation: 5, number: 1 };
    entry.clear();
    Entry::encode(&mut entry, id, 0, &set(b"first"));
    node.raft.propose(&entry).unwrap();
    let request_id = RequestId { incarnation: 5, number: 1, write: true };
    let frames = node.frame(HONEST, &request(request_id, 0, &set(b"second").ops));
    assert_eq!(frames, Vec::<Vec<u8>>::new());
    assert!(node.has(b"first") && !node.has(b"second"));
}

#[test]
fn resent_read_is_executed_once() {
    let mut node = Node::new();
    let mut ops = Vec::new();
    put::get(&mut ops, b"k");
    let request_id = RequestId { incarnation: 5, number: 1, write: false };
    for _ in 0..3 {
        node.frame(HONEST, &request(request_id, 0, &ops));
    }
    assert_eq!(node.replica.unconfirmed.len(), 1);
}

#[test]
fn read_of_a_dropped_round_is_asked_for_again() {
    let mut node = Node::new();
    let mut ops = Vec::new();
    put::get(&mut ops, b"k");
    let (answer, mut answered) = oneshot::channel();
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    node.replica.execute(&mut node.raft, node.now, batch, false, answer);
    node.replica.route_due(&mut node.raft, node.now);
    node.replica.start_read_round(&mut node.raft);
    assert_eq!(node.replica.rounds.len(), 1);
    // the turn before had no time for this event, so the read was asked for in the term that it tells of
    let term = node.raft.status().term;
    node.replica.event(Event::Leading { term });
    assert!(node.replica.rounds.is_empty());
    node.drive();
    node.replica.start_read_round(&mut node.raft);
    node.drive();
    node.replica.enqueue_confirmed(node.now);
    node.replica.serve_reads(&node.raft, node.now);
    assert_eq!(text(&mut answered), "$-1\r\n");
}

#[test]
fn backlog_is_applied_in_parts_and_reads_wait() {
    let mut node = Node::new();
    let keys: Vec<Vec<u8>> =
        (0..limits::KEYS / 8).map(|key| key.to_string().into_bytes()).collect();
    let mut ops = Vec::new();
    put::del(&mut ops, keys.iter().map(|key| &key[..]));
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    let (last, mut entry) = (set(b"last"), Vec::new());
    let before = node.replica.state.applied;
    // several in one run of the log
    for number in 1..=400 {
        entry.clear();
        let id = BatchId { origin: HONEST, incarnation: 5, number };
        Entry::encode(&mut entry, id, number - 1, if number == 400 { &last } else { &batch });
        node.raft.propose(&entry).unwrap();
    }
    // all of it is committed at once, and a round confirms a read
    node.poll();
    let mut ops = Vec::new();
    put::get(&mut ops, b"last");
    let request_id = RequestId { incarnation: 5, number: 401, write: false };
    node.replica.frame(&mut node.raft, node.now, HONEST, &request(request_id, 0, &ops));
    node.replica.start_read_round(&mut node.raft);
    node.poll();
    assert_eq!(node.replica.confirmed.len(), 1);
    let mut turns = 0_u64;
    while node.replica.is_applying() {
        assert!(App::has_more(&node.replica) && node.replica.outgoing.is_empty());
        node.replica.meter.begin();
        node.replica.apply_committed(&node.raft);
        node.replica.enqueue_confirmed(node.now);
        node.replica.serve_reads(&node.raft, node.now);
        turns += 1;
    }
    let most = node.replica.meter.most_writes;
    assert!(most < crate::work::TURN + batch.work + 64, "{most} steps in one turn");
    assert!(turns * most >= 399 * batch.work && turns > 20, "{turns} turns");
    assert_eq!(node.replica.state.applied, before + 400);
    let answer = Frame::Response { request_id, index: before + 400, replies: b"$1\r\nv\r\n" };
    assert_eq!(node.replica.outgoing.len(), 1);
    assert_eq!(node.replica.outgoing[0].1, answer.to_vec());
}

#[test]
fn full_backlog_stops_intake() {
    let mut node = Node::new();
    let mut ops = Vec::new();
    put::set(&mut ops, b"k", &vec![b'v'; 4 << 20], SetCondition::Always, false);
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    assert!(!App::is_backlogged(&node.replica));
    for number in 1..=5 {
        let mut entry = Vec::new();
        let id = BatchId { origin: HONEST, incarnation: 5, number };
        Entry::encode(&mut entry, id, number - 1, &batch);
        node.raft.propose(&entry).unwrap();
        node.poll();
    }
    assert!(App::is_backlogged(&node.replica));
    // nor is an id judged by what is known so far
    let added = node.replica.add_node(&mut node.raft, NodeId::new(9), "a:9");
    assert!(added.is_err_and(|why| why.starts_with("TRYAGAIN")));
    node.drive();
    assert!(!App::is_backlogged(&node.replica));
    assert_eq!(node.replica.backlog_bytes, 0);
    node.replica.add_node(&mut node.raft, NodeId::new(9), "a:9").unwrap();
}

#[test]
fn leader_limits_in_flight_work() {
    let mut node = Node::new();
    let keys: Vec<Vec<u8>> = (0..limits::KEYS).map(|key| key.to_string().into_bytes()).collect();
    let mut ops = Vec::new();
    put::del(&mut ops, keys.iter().map(|key| &key[..]));
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    assert!(batch.work > crate::work::IN_FLIGHT / 2);
    let mut answers = Vec::new();
    for number in 1..=20 {
        let (answer, answered) = oneshot::channel();
        node.replica.execute(&mut node.raft, node.now, batch.clone(), false, answer);
        answers.push(answered);
        let request_id = RequestId { incarnation: 5, number, write: true };
        // twice: it is held once
        for _ in 0..2 {
            node.replica.frame(&mut node.raft, node.now, HONEST, &request(request_id, 0, &ops));
        }
    }
    let most = crate::work::IN_FLIGHT.max(batch.work);
    assert!(node.replica.outgoing.is_empty() && node.replica.queued_writes.len() >= 38);
    let mut rounds = 0;
    while !node.replica.queued_writes.is_empty() {
        assert!(node.replica.in_flight_work <= most);
        let applied = node.replica.state.applied;
        node.drive();
        assert_eq!(node.replica.in_flight_work, 0);
        assert!((node.replica.state.applied - applied) * batch.work <= most);
        node.replica.propose_queued(&mut node.raft, node.now);
        rounds += 1;
        assert!(rounds <= 40);
    }
    node.drive();
    for answered in &mut answers {
        assert_eq!(text(answered), ":0\r\n");
    }
    assert_eq!(node.replica.outgoing.len(), 20, "each is answered");
    // as one batch it would not be cut: a node of before may forward such a one
    let request_id = RequestId { incarnation: 6, number: 1, write: true };
    let frames = node.frame(HONEST, &request(request_id, 0, &ops.repeat(9)));
    assert_eq!(frames, [Frame::Refusal { request_id, reason: Refusal::TooLarge }.to_vec()]);
}

#[test]
fn responses_of_other_nodes_are_ignored() {
    let mut node = Node::new();
    // proposed here, and not committed yet
    let mut answered = node.set(b"k");
    let own = |node: &Node, number, write| RequestId {
        incarnation: node.replica.incarnation.get(),
        number,
        write,
    };
    let request_id = own(&node, node.replica.writes.last(), true);
    let forged = Frame::Response { request_id, index: 1 << 40, replies: b"+forged\r\n" };
    node.frame(FORGER, &forged.to_vec());
    assert_eq!(text(&mut answered), "+OK\r\n");
    assert!(node.has(b"k"));
    assert_eq!(node.replica.counters.invalid_requests, 1);
    // a read that was sent to no node yet
    let mut ops = Vec::new();
    put::get(&mut ops, b"k");
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    let (answer, mut answered) = oneshot::channel();
    node.replica.execute(&mut node.raft, node.now, batch, false, answer);
    let request_id = own(&node, node.replica.reads.last(), false);
    for reason in [Refusal::Disk, Refusal::TooLarge, Refusal::Invalid] {
        let refusal = Frame::Refusal { request_id, reason };
        node.replica.frame(&mut node.raft, node.now, FORGER, &refusal.to_vec());
        assert_eq!(text(&mut answered), "no answer", "{reason:?}");
    }
    assert_eq!((node.replica.reads.len(), node.replica.counters.invalid_requests), (1, 4));
    // what comes after it was answered is nobody's fault
    let request_id = own(&node, node.replica.writes.last(), true);
    let late = Frame::Response { request_id, index: 1, replies: b"+OK\r\n" };
    node.frame(HONEST, &late.to_vec());
    assert_eq!(node.replica.counters.invalid_requests, 4);
}

#[test]
fn member_sets_only_its_own_address() {
    let mut node = Node::new();
    let meet = |node: NodeId, peer: &str| {
        let mut ops = Vec::new();
        put::set_address(&mut ops, node.get(), peer, "");
        ops
    };
    let request_id = |number| RequestId { incarnation: 5, number, write: true };
    for (number, of) in [(1, HONEST), (2, ME)] {
        let frames = node.frame(FORGER, &request(request_id(number), number - 1, &meet(of, "x:1")));
        let refusal = Frame::Refusal { request_id: request_id(number), reason: Refusal::Invalid };
        assert_eq!(frames, [refusal.to_vec()]);
        assert_eq!(node.replica.state.directory.get(of), None);
    }
    node.frame(FORGER, &request(request_id(3), 2, &meet(FORGER, "b:1")));
    let known = node.replica.state.directory.get(FORGER).map(|address| &address.peer[..]);
    assert_eq!(known, Some("b:1"));
}

#[test]
fn address_of_another_member_is_refused() {
    let mut node = Node::new();
    let request_id = RequestId { incarnation: 5, number: 1, write: true };
    let mut ops = Vec::new();
    put::set_address(&mut ops, FORGER.get(), "b:1", "");
    node.frame(FORGER, &request(request_id, 0, &ops));
    for (address, there) in [("a:1", ME), ("b:1", FORGER)] {
        let refused = node.replica.check_move(&node.raft, HONEST, address).unwrap_err();
        assert!(refused.contains(&format!("node {there} is at {address}")), "{refused}");
        let refused = node.replica.add_node(&mut node.raft, NodeId::new(9), address).unwrap_err();
        assert!(refused.contains(&format!("node {there} is at {address}")), "{refused}");
    }
    assert_eq!(node.replica.check_move(&node.raft, FORGER, "b:1"), Ok(()), "where it is");
    assert_eq!(node.replica.check_move(&node.raft, HONEST, "c:1"), Ok(()));
}

#[test]
fn log_lines_caused_by_a_member_are_limited() {
    let mut node = Node::new();
    for _ in 0..LOG_LINES_PER_MINUTE {
        node.replica.event(Event::Refusing { peer: FORGER, reason: Rejected::Malformed });
        node.replica.event(Event::PeerLostEntries { peer: FORGER, acknowledged: 1 });
        node.replica.event(Event::Removed { index: 1 });
        let last = node.raft.status().last;
        node.raft.propose(b"\xff").unwrap();
        node.drive();
        assert!(node.replica.state.applied > last);
    }
    // what is allowed in a minute was logged
    for kind in ["refusing a peer", "peer lost entries", "removed", "unknown form"] {
        assert_eq!(node.replica.log_limit.pass(kind), None, "{kind}");
    }
}

#[derive(Clone, Debug)]
enum Hostile {
    Raw(Vec<u8>),
    Request { numbers: (u64, u64, u64), write: bool, ops: Vec<u8> },
    BatchReply { numbers: (u64, u64, u64), write: bool },
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..9, u64::MAX - 3..=u64::MAX, Just(1 << 62), Just(1 << 48), any::<u64>()]
}

fn ops() -> impl Strategy<Value = Vec<u8>> {
    let valid = Just(set(b"x").ops);
    prop_oneof![valid, prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..40)]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let numbers = || (number(), number(), number());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Hostile::Raw),
        (numbers(), any::<bool>(), ops()).prop_map(|(numbers, write, ops)| Hostile::Request {
            numbers,
            write,
            ops
        }),
        (numbers(), any::<bool>())
            .prop_map(|(numbers, write)| Hostile::BatchReply { numbers, write }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hostile_frames_do_not_affect_other_nodes(frames in prop::collection::vec(hostile(), 0..20)) {
        let mut node = Node::new();
        prop_assert!(node.answers_batch_of(HONEST, 5, 1));
        for frame in frames {
            let bytes = match frame {
                Hostile::Raw(bytes) => bytes,
                Hostile::Request { numbers: (incarnation, number, floor), write, ops } => {
                    request(RequestId { incarnation, number, write }, floor, &ops)
                }
                Hostile::BatchReply { numbers: (incarnation, number, index), write } => {
                    Frame::Response { request_id: RequestId { incarnation, number, write }, index, replies: b"" }.to_vec()
                }
            };
            node.frame(FORGER, &bytes);
        }
        prop_assert!(node.answers_batch_of(HONEST, 5, 2));
        prop_assert_eq!(node.set_and_wait(b"k"), "+OK\r\n");
        prop_assert_eq!(node.replica.counters.incarnation_changes, 0);
    }

    #[test]
    fn hostile_log_entries_do_not_block_local_clients(
        entries in prop::collection::vec((1u64..4, number(), number(), number(), ops()), 0..12),
    ) {
        let mut node = Node::new();
        for (origin, incarnation, number, floor, ops) in entries {
            let batch = Batch { ops, ..Batch::default() };
            node.commit(NodeId::new(origin), incarnation, number, floor, &batch);
        }
        let reply = node.set_and_wait(b"k");
        prop_assert!(reply == "+OK\r\n" || reply.contains("numbers for batches are used up"), "{}", reply);
        prop_assert_eq!(node.has(b"k"), reply == "+OK\r\n");
    }
}

/// What is read among writes is done when they are applied, and all that is in the log may be applied
/// in one turn: forty pipelines of `MGET` and `SET` deposed leader after leader.
#[test]
fn reads_in_write_batches_count_as_in_flight() {
    let mut node = Node::new();
    let mut ops = Vec::new();
    put::set(&mut ops, b"long", &vec![b'x'; 4 << 20], SetCondition::Always, false);
    let execute = |node: &mut Node, ops: &[u8]| {
        let batch = Batch::parse(ops, Protocol::Resp2).unwrap();
        let (answer, answered) = oneshot::channel();
        node.replica.execute(&mut node.raft, node.now, batch, false, answer);
        answered
    };
    let mut first = execute(&mut node, &ops);
    node.drive();
    assert_eq!(text(&mut first), "+OK\r\n");
    let mut ops = Vec::new();
    put::get(&mut ops, b"long");
    put::set(&mut ops, b"k", b"v", SetCondition::Always, false);
    let mut all: Vec<_> = (0..40).map(|_| execute(&mut node, &ops)).collect();
    assert_eq!(node.replica.in_flight.len(), 1, "the others wait until it is applied");
    // and so do those of other nodes
    let request_id = RequestId { incarnation: 5, number: 1, write: true };
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    node.replica.handle_request(&mut node.raft, FORGER, request_id, 0, batch).unwrap();
    // a write that asks for the value before it is no different
    let mut ops = Vec::new();
    put::set(&mut ops, b"long", b"short", SetCondition::Always, true);
    all.push(execute(&mut node, &ops));
    assert_eq!((node.replica.in_flight.len(), node.replica.queued_writes.len()), (1, 41));
    while node.replica.in_flight_work > 0 {
        assert_eq!(node.replica.in_flight.len(), 1);
        node.drive();
        node.replica.propose_queued(&mut node.raft, node.now);
    }
    assert!(all.iter_mut().all(|answered| text(answered).len() > 4 << 20));
}
