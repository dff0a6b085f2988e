//! Compatibility with older versions: logs on disk, and rolling upgrades.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::common::{Node, id};
use quorate_core::{Instant, Machine, Output, Wire};
use quorate_raft::{Config, Event, Message, Record, Role};

const BEFORE_MEMBERS: &str = include_str!("older/before_members.txt");
/// The greatest message number of that version.
const LAST_THEN: u8 = 8;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The lines whose start matches: the text before the bytes, and the bytes.
fn lines(text: &str, begins: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let selected = text.lines().filter(|line| !line.starts_with('#') && begins(line));
    selected
        .map(|line| {
            let (head, bytes) = line.rsplit_once(' ').unwrap();
            (head.to_owned(), unhex(bytes))
        })
        .collect()
}

fn node(number: u64) -> Node {
    let voters = [1, 2, 3].map(id);
    let config = Config { max_snapshot_chunk_bytes: 64, ..Config::default() };
    Node::new(id(number), &voters, config, number).unwrap()
}

/// The output of a node.
#[derive(Default)]
struct Collected {
    commands: Vec<String>,
    snapshot: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Collected {
    fn drain(&mut self, node: &mut Node) {
        loop {
            let (mut last, mut installed) = (None, None);
            while let Some(output) = node.poll() {
                match output {
                    Output::Persist(ticket, _) => last = Some(ticket),
                    Output::Send(_, message) => self.messages.push(crate::common::encode(&message)),
                    Output::Event(Event::Committed(entries)) => {
                        let commands = entries.iter().filter(|entry| !entry.data.is_empty());
                        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
                        self.commands.extend(commands.map(|entry| text(entry.data)));
                    }
                    Output::Event(Event::SnapshotChunk { index, offset, data, done, .. }) => {
                        assert_eq!(offset, self.snapshot.len() as u64);
                        self.snapshot.extend_from_slice(data);
                        installed = done.then_some(index);
                    }
                    Output::Event(Event::Fatal(reason)) => panic!("stopped: {reason}"),
                    Output::Event(_) => {}
                }
            }
            if let Some(ticket) = last {
                node.persisted(ticket);
            }
            if let Some(index) = installed {
                node.snapshot_installed(index).unwrap();
            }
            if last.is_none() && installed.is_none() {
                return;
            }
        }
    }
}

#[test]
fn logs_from_before_membership_changes_are_restored() {
    for (number, snapshot, commands) in
        [(1, 5, &["five", "six"][..]), (2, 4, &["four", "five", "six"]), (3, 5, &["five", "six"])]
    {
        let mut node = node(number);
        let records = lines(BEFORE_MEMBERS, |line| line.starts_with(&format!("record {number}")));
        assert!(records.len() > 8);
        for (_, bytes) in records {
            node.restore(Record::from_slice(&bytes).unwrap()).unwrap();
        }
        let status = node.status();
        assert_eq!((status.term, status.vote, status.last), (2, Some(id(3)), 8));
        assert_eq!((status.snapshot, node.members().len()), (snapshot, 3));
        crate::common::resume_from_snapshot(&mut node);
        node.tick(Instant::from_millis(1));
        let mut collected = Collected::default();
        collected.drain(&mut node);
        assert_eq!(collected.commands, commands, "node {number}");
    }
}

#[test]
fn current_node_follows_and_leads_nodes_from_before_membership_changes() {
    let (mut node, mut collected) = (node(3), Collected::default());
    let mut now = Instant::from_millis(1);
    node.tick(now);
    for (head, bytes) in lines(BEFORE_MEMBERS, |line| line.contains("->3 ")) {
        let from = head.split_once("->").unwrap().0.parse().unwrap();
        let message = Message::from_slice(&bytes).unwrap();
        // the older node had begun a round here that the current node does not need
        while let Message::AppendAccepted { .. } = message
            && node.clone().receive(now, id(from), message).is_err()
            && now < Instant::from_millis(200)
        {
            now = node.deadline().unwrap();
            node.tick(now);
            collected.drain(&mut node);
        }
        assert_eq!(node.receive(now, id(from), message), Ok(()), "{message:?}");
        collected.drain(&mut node);
    }
    assert_eq!(collected.commands, ["one", "two", "five", "six"]);
    assert_eq!(collected.snapshot, (0..100).collect::<Vec<u8>>());
    let status = node.status();
    assert_eq!((status.role, status.term, status.last, status.commit), (Role::Leader, 2, 8, 8));
    // nodes of the older version understand all messages sent
    assert!(collected.messages.iter().all(|bytes| bytes[0] <= LAST_THEN));
}

/// Every message and record of that version round-trips.
#[test]
fn messages_from_before_membership_changes_round_trip() {
    let mut kinds = [0; 9];
    for (_, bytes) in lines(BEFORE_MEMBERS, |line| line.contains("->")) {
        let message = Message::from_slice(&bytes).unwrap();
        assert_eq!(crate::common::encode(&message), bytes);
        kinds[usize::from(bytes[0])] += 1;
    }
    assert!(kinds.iter().all(|&count| count > 0), "{kinds:?}");
    for (_, bytes) in lines(BEFORE_MEMBERS, |line| line.starts_with("record")) {
        assert_eq!(crate::common::encode(&Record::from_slice(&bytes).unwrap()), bytes);
    }
}
