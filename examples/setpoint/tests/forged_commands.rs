//! Commands forged in another node's name, or with numbers after which none comes, block no node's
//! commands; those that the log refuses are told why.
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, Machine, NodeId, Output, Wire as _};
use quorate_raft::{Heap, Raft, Role};
use quorate_setpoint::{Change, Command, Program, Request, SavedState, config};

const ME: NodeId = NodeId::new(1);
const OTHER: NodeId = NodeId::new(2);

/// The only node of its cluster.
struct Node {
    raft: Raft<Heap>,
    program: Program,
    now: Instant,
}

impl Node {
    fn leader() -> Self {
        let mut raft = Raft::<Heap>::new(ME, &[ME], config(), 7).unwrap();
        let program = Program::resume(SavedState::default(), &mut raft).unwrap();
        let mut node = Self { raft, program, now: Instant::ZERO };
        node.drive();
        while node.raft.status().role != Role::Leader {
            node.now = node.raft.deadline().unwrap();
            node.raft.tick(node.now);
            node.drive();
        }
        node
    }

    fn drive(&mut self) {
        loop {
            let (mut ticket, mut quiet) = (None, true);
            while let Some(output) = self.raft.poll() {
                quiet = false;
                match output {
                    Output::Persist(next, _) => ticket = Some(next),
                    Output::Event(event) => self.program.event(event),
                    Output::Send(..) => {}
                }
            }
            if let Some(ticket) = ticket {
                self.raft.persisted(ticket);
            }
            self.program.settle(&mut self.raft, |_| Ok::<(), ()>(())).unwrap();
            if quiet {
                return;
            }
        }
    }

    fn add(&mut self) -> String {
        assert!(self.program.request(&mut self.raft, self.now, Request::Add(1)).is_none());
        self.drive();
        let answer = self.program.answer(&mut self.raft, self.now);
        answer.map(|text| String::from_utf8(text.as_bytes().to_vec()).unwrap()).unwrap_or_default()
    }

    fn receive(&mut self, from: NodeId, command: Command) {
        self.program.receive_forwarded(&mut self.raft, from, command);
        self.drive();
    }
}

fn command(node: NodeId, boot: u64, serial: u64) -> Command {
    Command { node, boot, serial, change: Change::Add(100) }
}

#[test]
fn forged_commands_are_dropped() {
    let mut node = Node::leader();
    assert!(node.add().starts_with("ok "));
    for (from, forged) in [
        (OTHER, command(ME, 1, 9)),
        (OTHER, command(ME, u64::MAX, u64::MAX)),
        (OTHER, command(NodeId::new(0), 1, 1)),
        (OTHER, command(OTHER, u64::MAX, 1)),
        (OTHER, command(OTHER, 1 << 62, 1)),
        (OTHER, command(OTHER, 1, u64::MAX)),
        (OTHER, command(OTHER, 0, 1)),
        (OTHER, command(OTHER, 1, 0)),
    ] {
        node.receive(from, forged);
        assert_eq!(node.program.values().counter, 1, "{forged:?}");
    }
    node.receive(OTHER, command(OTHER, 3, 1));
    assert_eq!(node.program.values().counter, 101);
    assert!(node.add().starts_with("ok "));
    assert_eq!(node.program.values().counter, 102);
}

#[test]
fn forged_log_entry_does_not_block_later_commands() {
    for (boot, serial) in [(1, 9), (1, u64::MAX), (1 << 62, 1), (1 << 62, u64::MAX)] {
        let mut node = Node::leader();
        assert!(node.add().starts_with("ok "));
        let mut buffer = [0; 64];
        let forged = command(ME, boot, serial);
        node.raft.propose(forged.to_slice(&mut buffer).unwrap()).unwrap();
        node.drive();
        assert!(node.add().starts_with("ok "), "{boot} {serial}");
        assert_eq!(node.program.values().counter, 102);
        assert!(node.program.saved_state().boots > boot, "and after a restart");
        // another node whose numbers are that large is heard
        node.raft.propose(command(OTHER, boot, serial).to_slice(&mut buffer).unwrap()).unwrap();
        node.drive();
        node.receive(OTHER, command(OTHER, boot + 1, 1));
        assert_eq!(node.program.values().counter, 302);
    }
}

#[test]
fn every_change_that_the_log_refuses_is_told_why() {
    let mut node = Node::leader();
    let mut line = |line: &[u8]| {
        let answer = node.program.line(&mut node.raft, node.now, line).unwrap();
        String::from_utf8(answer.as_bytes().to_vec()).unwrap()
    };
    assert!(line(b"log fill").starts_with("error log full"));
    for _ in 0..2 {
        assert!(line(b"add 1").starts_with("error log full"));
    }
}
