//! What older versions said and wrote is understood: logs on disks, and nodes that are upgraded one by one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Node, id};
use quorate_core::{Instant, Output, Wire};
use quorate_raft::session::{Inline, Limits, Sessions};
use quorate_raft::{Config, Event, Message, Record, Role};

const BEFORE_MEMBERS: &str = include_str!("older/before_members.txt");
/// The number of the last message there was then.
const LAST_THEN: u8 = 8;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The lines that begin so.
fn told(text: &str, begins: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && begins(line));
    lines
        .map(|line| {
            let (head, bytes) = line.rsplit_once(' ').unwrap();
            (head.to_owned(), unhex(bytes))
        })
        .collect()
}

fn node(number: u64) -> Node {
    let voters = [1, 2, 3].map(id);
    let config = Config { snapshot_part_bytes: 64, ..Config::default() };
    Node::new(id(number), &voters, config, number).unwrap()
}

/// What came of polling a node until it is quiet.
#[derive(Default)]
struct Came {
    commands: Vec<String>,
    snapshot: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Came {
    fn drain(&mut self, node: &mut Node) {
        loop {
            let (mut last, mut installed) = (None, None);
            while let Some(output) = node.poll() {
                match output {
                    Output::Persist(ticket, _) => last = Some(ticket),
                    Output::Send(_, message) => self.messages.push(common::encode(&message)),
                    Output::Event(Event::Committed(entries)) => {
                        let commands = entries.iter().filter(|entry| !entry.data.is_empty());
                        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
                        self.commands.extend(commands.map(|entry| text(entry.data)));
                    }
                    Output::Event(Event::SnapshotPart { index, offset, data, done, .. }) => {
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
        let records = told(BEFORE_MEMBERS, |line| line.starts_with(&format!("record {number}")));
        assert!(records.len() > 8);
        for (_, bytes) in records {
            node.restore(Record::from_slice(&bytes).unwrap()).unwrap();
        }
        let status = node.status();
        assert_eq!((status.term, status.vote, status.last), (2, Some(id(3)), 8));
        assert_eq!((status.snapshot, node.members().len()), (snapshot, 3));
        common::has_its_snapshot(&mut node);
        node.tick(Instant::from_millis(1));
        let mut came = Came::default();
        came.drain(&mut node);
        assert_eq!(came.commands, commands, "node {number}");
    }
}

#[test]
fn current_node_follows_and_leads_nodes_from_before_membership_changes() {
    let (mut node, mut came) = (node(3), Came::default());
    let mut now = Instant::from_millis(1);
    node.tick(now);
    for (head, bytes) in told(BEFORE_MEMBERS, |line| line.contains("->3 ")) {
        let from = head.split_once("->").unwrap().0.parse().unwrap();
        let message = Message::from_slice(&bytes).unwrap();
        // the node of then had begun another round by now, where one of today needs none
        while let Message::Accept { .. } = message
            && node.clone().receive(now, id(from), message).is_err()
            && now < Instant::from_millis(200)
        {
            now = node.deadline().unwrap();
            node.tick(now);
            came.drain(&mut node);
        }
        assert_eq!(node.receive(now, id(from), message), Ok(()), "{message:?}");
        came.drain(&mut node);
    }
    assert_eq!(came.commands, ["one", "two", "five", "six"]);
    assert_eq!(came.snapshot, (0..100).collect::<Vec<u8>>());
    let status = node.status();
    assert_eq!((status.role, status.term, status.last, status.commit), (Role::Leader, 2, 8, 8));
    // and the others, which are not upgraded yet, understand what it says
    assert!(came.messages.iter().all(|bytes| bytes[0] <= LAST_THEN));
}

/// Every message and record of that version reads back as it was.
#[test]
fn messages_from_before_membership_changes_round_trip() {
    let mut kinds = [0; 9];
    for (_, bytes) in told(BEFORE_MEMBERS, |line| line.contains("->")) {
        let message = Message::from_slice(&bytes).unwrap();
        assert_eq!(common::encode(&message), bytes);
        kinds[usize::from(bytes[0])] += 1;
    }
    assert!(kinds.iter().all(|&count| count > 0), "{kinds:?}");
    for (_, bytes) in told(BEFORE_MEMBERS, |line| line.starts_with("record")) {
        assert_eq!(common::encode(&Record::from_slice(&bytes).unwrap()), bytes);
    }
}

/// A table of sessions of version 1, with two sessions and two answers.
#[test]
fn sessions_of_version_1_are_restored() {
    let bytes = unhex(concat!(
        "01040308e80701062802", // version, limits, index, time, how many sessions
        "02ac0201062800",       // the first
        "030902051e0200010",    // the second, with an answer
        "26f6b0200"             // and one that was not kept
    ));
    let limits =
        Limits { sessions: 4, window: 3, answer_bytes: 8, idle_us: 1000, ..Limits::default() };
    let mut table = Sessions::<Inline<4, 3, 8>>::new(limits).unwrap();
    table.restore(&mut quorate_core::Reader::new(&bytes)).unwrap();
    assert_eq!((table.live(), table.time_us()), (2, 40));
    assert_eq!(table.answer(quorate_raft::session::SessionId::new(3), 2), Some(&b"ok"[..]));
}
