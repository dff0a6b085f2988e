//! Edge cases of proposal forwarding: restarts, membership changes, later terms, stale clocks.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Cluster, Node, id};
use quorate_core::{Fatal, Instant, Machine, Output, Rejected};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{
    Change, Config, Event, Forwarded, Inline, Message, ProposeError, Raft, Record, Role,
};

const LIMIT: u64 = 1 << 62;

fn config() -> Config {
    Config { forward: true, max_snapshot_chunk_bytes: 64, ..Config::default() }
}

fn elected(config: Config) -> Cluster {
    let mut cluster = Cluster::with(3, config);
    cluster.run(200);
    cluster.elect(1);
    cluster.run(200);
    cluster
}

fn forward(cluster: &mut Cluster, node: u64, command: &str) {
    cluster.raft(node).forward(command.as_bytes()).unwrap();
    cluster.drain(node);
}

fn take_forwarded(cluster: &mut Cluster, node: u64) -> Vec<(u64, u64, Forwarded)> {
    std::mem::take(&mut cluster.host(node).forwarded)
}

/// The id and the round of the forwarded message in flight.
fn propose_message(cluster: &Cluster) -> (u64, u64) {
    let numbers = cluster.net.iter().find_map(|e| match e.message() {
        Message::Propose { id, round, .. } => Some((id, round)),
        _ => None,
    });
    numbers.unwrap()
}

/// Node 3 forwards commands under this id. Returns the leader's answer, if any: first index and count.
fn send_propose(
    cluster: &mut Cluster,
    id: u64,
    round: u64,
    commands: &[&[u8]],
) -> Option<(u64, u64)> {
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let byte = |number: u64| u8::try_from(number).unwrap();
    let entry =
        |command: &&[u8]| [&[byte(term), byte(command.len() as u64 * 4)][..], command].concat();
    let commands: Vec<u8> = commands.iter().flat_map(entry).collect();
    let message = Message::Propose { term, id, round, commands: &commands };
    cluster.raft(1).receive(now, crate::common::id(3), message).unwrap();
    cluster.drain(1);
    let answer = cluster.net.iter().find_map(|e| match e.message() {
        Message::Proposed { index, count, .. } => Some((index, count)),
        _ => None,
    });
    cluster.net.clear();
    answer
}

#[test]
fn incarnations_with_the_same_seed_differ_by_start_time() {
    let mut cluster = elected(config());
    let mut numbers = Vec::new();
    for command in ["a", "b"] {
        cluster.restart(3);
        cluster.run(100);
        cluster.raft(3).read().unwrap();
        cluster.drain(3);
        let read = cluster.net.iter().find_map(|e| match e.message() {
            Message::ReadIndex { id, .. } => Some(id),
            _ => None,
        });
        forward(&mut cluster, 3, command);
        numbers.push((read.unwrap(), propose_message(&cluster).0));
        cluster.run(600);
        assert!(matches!(take_forwarded(&mut cluster, 3)[..], [(1, 1, Forwarded::Proposed(_))]));
    }
    assert_eq!(cluster.commands(1), ["a", "b"]);
    assert_ne!(numbers[0].0, numbers[1].0);
    assert_ne!(numbers[0].1, numbers[1].1);
}

#[test]
fn stale_clock_does_not_shorten_the_answer_timeout() {
    let mut cluster = elected(Config { quiesce_us: 100_000, ..config() });
    cluster.run(1000);
    assert_eq!(cluster.raft(3).deadline(), None, "node 3 is quiescent");
    // it is not ticked until it has work
    cluster.now = cluster.now.after(60_000_000);
    forward(&mut cluster, 3, "a");
    let now = cluster.now;
    cluster.raft(3).tick(now);
    cluster.drain(3);
    assert!(take_forwarded(&mut cluster, 3).is_empty());
    cluster.run(200);
    assert!(matches!(take_forwarded(&mut cluster, 3)[..], [(1, 1, Forwarded::Proposed(_))]));
}

#[test]
fn command_of_a_readded_member_is_not_proposed_twice() {
    type Small = Raft<Inline<3, 8192, 256, 64>>;
    let config = Config { max_members: 3, ..config() };
    let mut raft = Small::new(id(1), &[id(1)], config, 7).unwrap();
    let mut now = Instant::from_millis(1);
    let mut step = |raft: &mut Small| {
        now = now.after(1_000_000);
        raft.tick(now);
        for _ in 0..100 {
            let ticket = match raft.poll() {
                Some(Output::Persist(ticket, _)) => ticket,
                _ => continue,
            };
            raft.persisted(ticket);
        }
        now
    };
    // how many commands of a forwarded message are appended
    let send_propose = |raft: &mut Small, now, from: u64| {
        let before = raft.status();
        let commands = [u8::try_from(before.term).unwrap(), 4, b'a'];
        let (number, round) = (from << 33 | 1, from - 1);
        let message =
            Message::Propose { term: before.term, id: number, round, commands: &commands };
        raft.receive(now, id(from), message).unwrap();
        raft.status().last - before.last
    };
    while raft.status().commit == 0 {
        step(&mut raft);
    }
    // add and remove nodes until the first one is no longer in the peer table
    for newcomer in [2, 3, 4, 5] {
        raft.change(&[Change::Add(id(newcomer))]).unwrap();
        let now = step(&mut raft);
        assert_eq!(send_propose(&mut raft, now, newcomer), 1);
        assert_eq!(send_propose(&mut raft, now, newcomer), 0);
        raft.change(&[Change::Remove(id(newcomer))]).unwrap();
        step(&mut raft);
        step(&mut raft);
    }
    raft.change(&[Change::Add(id(2))]).unwrap();
    let now = step(&mut raft);
    assert_eq!(send_propose(&mut raft, now, 2), 0);
}

#[test]
fn leader_accepts_a_prefix_of_the_commands() {
    let mut cluster = elected(Config { max_entry_bytes: 4, ..config() });
    let next = cluster.raft(1).status().last + 1;
    // the second command is too long for this leader; the indexes after it would be wrong
    let answer = send_propose(&mut cluster, 7 << 32 | 1, 1, &[b"one", b"three", b"two"]);
    assert_eq!(answer, Some((next, 1)));
    assert_eq!(cluster.raft(1).status().last, next);
}

#[test]
fn second_incarnation_in_a_round_is_ignored() {
    let mut cluster = elected(config());
    let next = cluster.raft(1).status().last + 1;
    let first = (7 << 32 | 1, 1);
    assert_eq!(send_propose(&mut cluster, first.0, first.1, &[b"a"]), Some((next, 1)));
    assert_eq!(
        send_propose(&mut cluster, 8 << 32 | 1, 1, &[b"b"]),
        None,
        "it may be from the earlier incarnation"
    );
    assert_eq!(send_propose(&mut cluster, 8 << 32 | 1, 2, &[b"b"]), Some((next + 1, 1)));
    assert_eq!(send_propose(&mut cluster, first.0, first.1, &[b"a"]), None);
    assert_eq!(send_propose(&mut cluster, 8 << 32 | 1, 2, &[b"b"]), Some((next + 1, 1)));
    assert_eq!(cluster.raft(1).status().last, next + 1);
}

#[test]
fn message_keeps_the_round_of_its_first_sending() {
    let mut cluster = elected(config());
    forward(&mut cluster, 3, "a");
    let first = propose_message(&cluster);
    cluster.net.clear();
    let mut again = None;
    cluster.run_if(200, |e| match e.message() {
        Message::Propose { id, round, .. } => {
            again = Some((id, round));
            false
        }
        _ => true,
    });
    assert_eq!(again, Some(first));
}

#[test]
fn message_with_a_future_round_is_rejected() {
    let mut cluster = elected(config());
    let (now, term) = (cluster.now, cluster.raft(1).status().term);
    let commands = [u8::try_from(term).unwrap(), 4, b'a'];
    let before = cluster.raft(1).status().last;
    for (round, reason) in [
        (1 << 40, Rejected::Impossible),
        (LIMIT - 1, Rejected::Impossible),
        (LIMIT, Rejected::OutOfRange),
    ] {
        let message = Message::Propose { term, id: 7 << 32 | 1, round, commands: &commands };
        assert_eq!(cluster.raft(1).receive(now, id(3), message), Err(reason));
    }
    assert_eq!(cluster.raft(1).status().last, before);
}

#[test]
fn forward_on_a_stopped_node_is_refused() {
    let mut raft = Node::new(id(1), &[1, 2].map(id), config(), 1).unwrap();
    raft.restore(Record::Vote { term: 3, vote: None }).unwrap();
    let covers = Record::Snapshot { index: 9, index_term: 3, compacted: 0, compacted_term: 0 };
    raft.restore(covers).unwrap();
    raft.tick(Instant::ZERO);
    assert_eq!(raft.fatal(), Some(Fatal::LostState));
    assert_eq!(raft.forward(b"a"), Err(ProposeError::Stopped));
    assert_eq!(raft.status().role, Role::Follower);
}

/// A follower, the dropped proposals reported to it, and its applied index.
struct Follower {
    raft: Node,
    now: Instant,
    lost: Vec<u64>,
    applied: u64,
}

impl Follower {
    fn poll(&mut self) -> u64 {
        let mut propose_message = 0;
        for _ in 0..100 {
            let ticket = match self.raft.poll() {
                Some(Output::Persist(ticket, _)) => ticket,
                Some(Output::Send(_, Message::Propose { id, .. })) => {
                    propose_message = id;
                    continue;
                }
                Some(Output::Event(Event::ProposalsDropped { before, .. })) => {
                    self.lost.push(before);
                    continue;
                }
                Some(Output::Event(Event::Committed(run))) => {
                    self.applied = run.last();
                    continue;
                }
                _ => continue,
            };
            self.raft.persisted(ticket);
        }
        propose_message
    }

    fn append_from(&mut self, from: u64, term: u64, prev: (u64, u64), commit: u64, entries: &[u8]) {
        let (prev_index, prev_term) = prev;
        let append = Message::Append { term, prev_index, prev_term, commit, round: 1, entries };
        self.raft.receive(self.now, id(from), append).unwrap();
        self.poll();
    }

    /// Forwards a command, which the leader accepts at `index`.
    fn send_propose(&mut self, to: u64, term: u64, index: u64) {
        self.raft.forward(b"a").unwrap();
        let number = self.poll();
        let answer = Message::Proposed { term, id: number, index, count: 1 };
        self.raft.receive(self.now, id(to), answer).unwrap();
        self.poll();
    }
}

#[test]
fn accepted_command_of_an_intermediate_term_is_reported_dropped() {
    let raft = Node::new(id(3), &[1, 2, 3].map(id), config(), 7).unwrap();
    let mut node = Follower { raft, now: Instant::from_millis(1), lost: Vec::new(), applied: 0 };
    node.raft.tick(node.now);
    node.poll();
    // node 1 leads in terms 2 and 4, and replicates nothing; node 2 leads in terms 3 and 5
    node.append_from(1, 2, (0, 0), 0, &[2, 1]);
    node.send_propose(1, 2, 2);
    node.append_from(1, 4, (3, 4), 0, &[]);
    node.send_propose(1, 4, 4);
    node.append_from(2, 5, (2, 3), 2, &[]);
    node.send_propose(2, 5, 4);
    node.append_from(2, 5, (1, 2), 2, &[3, 1, 5, 1]);
    assert_eq!(node.lost, [3], "the command of term 2");
    node.append_from(2, 5, (3, 5), 4, &[5, 4, b'a']);
    assert_eq!(node.applied, 4);
    assert_eq!(node.lost, [3, 5], "the command of term 4");
}
