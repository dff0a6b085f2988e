//! Replies while the output budget is full.

use super::*;
use quorate_log::{Leadership, ReplicatedLog};

/// More than a slice of the time of a turn to read.
const LONG: usize = 2 << 20;

fn write(node: &mut Node, get: bool) -> Receiver<BatchReply> {
    write_to(node, b"long", LONG, get)
}

fn write_to(node: &mut Node, key: &[u8], bytes: usize, get: bool) -> Receiver<BatchReply> {
    let mut ops = Vec::new();
    put::set(&mut ops, key, &vec![b'x'; bytes], SetCondition::Always, get);
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    let (answer, answered) = oneshot::channel();
    node.replica.execute(&mut node.raft, node.now, batch, false, answer);
    node.drive();
    answered
}

fn read(node: &mut Node) -> Receiver<BatchReply> {
    read_all(node, &[b"long", b"long"])
}

fn read_all(node: &mut Node, keys: &[&[u8]]) -> Receiver<BatchReply> {
    let mut ops = Vec::new();
    keys.iter().for_each(|key| put::get(&mut ops, key));
    let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
    let (answer, answered) = oneshot::channel();
    node.replica.execute(&mut node.raft, node.now, batch, true, answer);
    answered
}

fn turn(node: &mut Node, us: u64) {
    node.now = node.now.after(us);
    node.replica.meter.begin();
    node.replica.serve_reads(&node.raft, node.now);
}

#[test]
fn started_reads_finish_while_others_wait() {
    let mut node = Node::new();
    write(&mut node, false);
    let [mut first, mut second, mut third] = [(); 3].map(|()| read(&mut node));
    // each in its turn, until this one is over
    turn(&mut node, 1);
    let budget = node.replica.output_budget.clone();
    assert_eq!(budget.bytes(), 2 * limits::REPLY_BYTES);
    let others = budget.share(limits::OUTPUT_SOFT_LIMIT_BYTES);
    for us in [1, 1, 1] {
        turn(&mut node, us);
    }
    for answered in [&mut first, &mut second] {
        assert_eq!(text(answered).len() >> 20, 4);
    }
    assert_eq!(text(&mut third), "no answer");
    // they took their replies
    assert_eq!(budget.bytes(), limits::OUTPUT_SOFT_LIMIT_BYTES);
    turn(&mut node, 500_000);
    let mut fourth = read(&mut node);
    turn(&mut node, 499_000);
    assert_eq!(text(&mut third), "no answer");
    turn(&mut node, 21_000);
    let told = text(&mut third);
    assert_eq!(told.matches("-TRYAGAIN the replies that clients").count(), 2, "{told}");
    assert_eq!(text(&mut fourth), "no answer");
    drop(others);
    turn(&mut node, 1);
    assert_eq!(text(&mut fourth).len() >> 20, 4);
    assert_eq!(budget.bytes(), 0);
}

#[test]
fn long_replies_beyond_the_hard_limit_are_dropped() {
    let mut node = Node::new();
    write(&mut node, false);
    let others = node.replica.output_budget.share(limits::OUTPUT_HARD_LIMIT_BYTES);
    let told = text(&mut write(&mut node, true));
    assert!(told.starts_with("-ERR the command was executed, but its reply was dropped"), "{told}");
    assert_eq!(text(&mut write(&mut node, false)), "+OK\r\n", "it is short");
    // what other nodes answer
    let answered = |node: &Node, write: bool, bytes: usize| {
        let (answer, mut answered) = oneshot::channel();
        let waiting = PendingBatch::new(set(b"k"), answer, node.now);
        node.replica.answer(waiting, write, &vec![b'x'; bytes], 1);
        text(&mut answered)
    };
    let long = limits::LARGE_BYTES + 1;
    assert!(answered(&node, true, long).starts_with("-ERR the command was executed, but"));
    assert!(answered(&node, false, long).starts_with("-TRYAGAIN "));
    assert_eq!(answered(&node, true, long - 1).len(), long - 1);
    drop(others);
    assert_eq!(answered(&node, true, long).len(), long);
    assert_eq!(text(&mut write(&mut node, true)).len() >> 20, 2);
}

#[test]
fn reads_are_forwarded_one_at_a_time_at_the_soft_limit() {
    let mut node = Node::new();
    let others = node.replica.output_budget.share(limits::OUTPUT_SOFT_LIMIT_BYTES);
    let leadership = Leadership { leader: Some(HONEST), ..node.raft.leadership() };
    let mut ops = Vec::new();
    put::get(&mut ops, b"long");
    let (mut request_ids, mut answers) = (Vec::new(), Vec::new());
    node.replica.outgoing.clear();
    for _ in 0..4 {
        let (answer, answered) = oneshot::channel();
        let batch = Batch::parse(&ops, Protocol::Resp2).unwrap();
        let number =
            node.replica.reads.insert(PendingBatch::new(batch, answer, Instant::MAX)).unwrap();
        let request_id = node.replica.request_id(number, false);
        node.replica.route(&mut node.raft, node.now, leadership, request_id);
        request_ids.push(request_id);
        answers.push(answered);
    }
    let attempt = |node: &mut Node| {
        node.replica.route_deferred_reads(&mut node.raft, node.now, leadership);
        core::mem::take(&mut node.replica.outgoing).len()
    };
    assert_eq!(attempt(&mut node), 1);
    // it may be lost, so it is sent again, while the others wait for its answer
    node.replica.route(&mut node.raft, node.now, leadership, request_ids[0]);
    assert_eq!(attempt(&mut node), 1);
    assert_eq!(attempt(&mut node), 0);
    let answer = Frame::Response { request_id: request_ids[0], index: 1, replies: b"$-1\r\n" };
    node.replica.frame(&mut node.raft, node.now, HONEST, &answer.to_vec());
    assert_eq!(text(&mut answers[0]), "$-1\r\n");
    assert_eq!(attempt(&mut node), 1);
    assert_eq!(attempt(&mut node), 0);
    // all others when there is room
    drop(others);
    assert_eq!(attempt(&mut node), 2);
    assert!(node.replica.deferred_reads.is_empty());
}

#[test]
fn short_replies_are_never_withheld() {
    let mut node = Node::new();
    write(&mut node, false);
    assert_eq!(node.set_and_wait(b"short"), "+OK\r\n");
    write_to(&mut node, b"not so long", limits::LARGE_BYTES, false);
    let others = node.replica.output_budget.share(limits::OUTPUT_SOFT_LIMIT_BYTES);
    let mut long = read(&mut node);
    let mut longer_than_short = read_all(&mut node, &[b"not so long"]);
    let mut short = read_all(&mut node, &[b"short"]);
    turn(&mut node, 1);
    assert_eq!(text(&mut longer_than_short), "no answer");
    assert_eq!(text(&mut short), "$1\r\nv\r\n");
    assert_eq!(text(&mut long), "no answer");
    assert_eq!(node.replica.output_budget.bytes(), limits::OUTPUT_SOFT_LIMIT_BYTES);
    // it was tried once
    let reads = node.replica.meter.most_reads;
    for _ in 0..3 {
        turn(&mut node, 1);
    }
    assert_eq!(node.replica.meter.most_reads, reads);
    drop(others);
    turn(&mut node, 1);
    assert_eq!(text(&mut long).len() >> 20, 4);
}

#[test]
fn concurrent_long_reads_are_limited() {
    let mut node = Node::new();
    write(&mut node, false);
    assert_eq!(node.set_and_wait(b"short"), "+OK\r\n");
    let mut long: Vec<_> = (0..3 * limits::LONG_READS).map(|_| read(&mut node)).collect();
    let mut short = read_all(&mut node, &[b"short"]);
    let (mut most, mut turns, mut short_at) = (0, 0, 0);
    while !long.is_empty() {
        turn(&mut node, 1);
        turns += 1;
        assert!(turns < 1_000);
        // a client that has its reply takes it
        long.retain_mut(|answered| text(answered) == "no answer");
        if text(&mut short) == "$1\r\nv\r\n" {
            short_at = turns;
        }
        most = most.max(node.replica.output_budget.bytes());
    }
    assert_eq!(most, limits::LONG_READS * limits::REPLY_BYTES);
    assert!((1..turns / 2).contains(&short_at), "in turn {short_at} of {turns}");
    assert_eq!(node.replica.output_budget.bytes(), 0);
}

#[test]
fn forwarded_reads_expire() {
    let mut node = Node::new();
    write(&mut node, false);
    let others = node.replica.output_budget.share(limits::OUTPUT_SOFT_LIMIT_BYTES);
    let mut ops = Vec::new();
    [b"long", b"long"].iter().for_each(|key| put::get(&mut ops, *key));
    let request_id = RequestId { incarnation: 5, number: 1, write: false };
    node.frame(FORGER, &request(request_id, 0, &ops));
    assert_eq!(node.replica.read_queue.peer_bytes, ops.len());
    // the round that confirms it
    node.replica
        .confirmed
        .extend(node.replica.unconfirmed.drain(..).map(|requester| (0, requester)));
    node.replica.enqueue_confirmed(node.now);
    turn(&mut node, 1);
    node.replica.outgoing.clear();
    turn(&mut node, 900_000);
    assert!(node.replica.outgoing.is_empty());
    turn(&mut node, 200_000);
    let refusal = Frame::Refusal { request_id, reason: Refusal::Busy }.to_vec();
    let told: Vec<_> = node.replica.outgoing.iter().map(|(to, frame, _)| (*to, frame)).collect();
    assert_eq!(told, [(FORGER, &refusal)]);
    assert_eq!(
        (node.replica.read_queue.peer_bytes, node.replica.read_queue.from_peers.len()),
        (0, 0)
    );
    drop(others);
}

#[test]
fn waiting_reads_take_bounded_memory() {
    let mut node = Node::new();
    write(&mut node, false);
    let others = node.replica.output_budget.share(limits::OUTPUT_SOFT_LIMIT_BYTES);
    let mut keys = vec![b"long".to_vec(), b"long".to_vec()];
    keys.extend((0..16).map(|key| vec![key; 60_000]));
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut waiting = Vec::new();
    let refused = loop {
        let mut answered = read_all(&mut node, &keys);
        match text(&mut answered) {
            told if told == "no answer" => waiting.push(answered),
            told => break told,
        }
        assert!(node.replica.read_queue.bytes() <= limits::INFLIGHT_BYTES);
    };
    assert!(refused.starts_with("-TRYAGAIN too many commands wait"), "{refused}");
    // each is tried once, and given up when it is late
    turn(&mut node, 3_000_000);
    for _ in 0..waiting.len() {
        turn(&mut node, 1);
    }
    assert_eq!(node.replica.read_queue.bytes(), 0);
    drop(others);
    let mut served = read(&mut node);
    (0..4).for_each(|_| turn(&mut node, 1));
    assert!(text(&mut served).len() > LONG);
    assert_eq!(node.replica.read_queue.bytes(), 0);
}

/// Reads are given up when their time is over also while others go on.
#[test]
fn waiting_reads_expire_in_time() {
    let mut node = Node::new();
    write(&mut node, false);
    let mut all: Vec<_> = (0..3 * limits::LONG_READS).map(|_| read(&mut node)).collect();
    turn(&mut node, 1);
    // a turn takes long; some are begun, and end
    let (mut served, mut refused) = (0, 0);
    for _ in 0..100 {
        turn(&mut node, 500_000);
        all.retain_mut(|answered| match text(answered) {
            told if told == "no answer" => true,
            told if told.starts_with("-TRYAGAIN too many reads with long replies") => {
                refused += 1;
                false
            }
            told => {
                assert!(told.len() > LONG);
                served += 1;
                false
            }
        });
    }
    assert!(all.is_empty());
    assert!(served >= limits::LONG_READS && refused > 0, "{served} and {refused}");
    assert_eq!((node.replica.read_queue.bytes(), node.replica.output_budget.bytes()), (0, 0));
}

/// What is read in one go is not put behind all that take many turns.
#[test]
fn short_reply_does_not_wait_for_long_ones() {
    let mut node = Node::new();
    write(&mut node, false);
    write_to(&mut node, b"middling", limits::LARGE_BYTES + 1, false);
    let mut long: Vec<_> = (0..3 * limits::LONG_READS).map(|_| read(&mut node)).collect();
    turn(&mut node, 1);
    let mut middling = read_all(&mut node, &[b"middling"]);
    let mut ended = 0;
    while text(&mut middling) == "no answer" {
        turn(&mut node, 1);
        ended += long
            .iter_mut()
            .filter_map(|answered| (text(answered) != "no answer").then_some(()))
            .count();
    }
    assert!(ended <= limits::LONG_READS, "{ended} long ones came first");
}

#[test]
fn forwarded_reads_count_as_in_flight() {
    let mut node = Node::new();
    assert_eq!(node.set_and_wait(b"key"), "+OK\r\n");
    let request_id = RequestId { incarnation: 5, number: 1, write: false };
    node.replica.read_queue.register(FORGER, request_id, limits::INFLIGHT_BYTES).unwrap();
    let mut refused = read_all(&mut node, &[b"key"]);
    assert!(text(&mut refused).starts_with("-TRYAGAIN too many commands wait"));
    node.replica.read_queue.unregister(FORGER, request_id);
    let mut served = read_all(&mut node, &[b"key"]);
    turn(&mut node, 1);
    assert_eq!(text(&mut served), "$1\r\nv\r\n");
}

/// `WAIT` after it must not count followers of an earlier write.
#[test]
fn dropped_write_reply_carries_its_index() {
    let mut node = Node::new();
    write(&mut node, false);
    let before = node.replica.state.applied;
    let others = node.replica.output_budget.share(limits::OUTPUT_HARD_LIMIT_BYTES);
    let answer = write(&mut node, true).try_recv().unwrap();
    assert!(
        answer.replies.starts_with(b"-ERR the command was executed, but its reply was dropped")
    );
    assert!(answer.index > before);
    drop(others);
}
