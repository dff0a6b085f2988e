//! How often a node asks for what a layout may have to go through all of itself for.

use core::cell::Cell;
use std::rc::Rc;

use quorate_clocks::{Actor, Stamp, Timestamp};
use quorate_core::{Instant, Machine as _, NodeId, Output};
use quorate_ring::quorum::{
    Config, Inline, Layout, Lww, Membership, Node, ReadOptions, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{PreferenceList, Token};

use super::net::Same;

/// Counts those questions.
struct Counted {
    layout: Same,
    walks: Rc<Cell<usize>>,
}

impl Counted {
    fn walk(&self) -> &Same {
        self.walks.set(self.walks.get() + 1);
        &self.layout
    }
}

impl Layout for Counted {
    fn version(&self) -> Version {
        self.layout.version()
    }

    fn token(&self, key: &[u8]) -> Token {
        self.layout.token(key)
    }

    fn replicas(&self, at: Token) -> PreferenceList {
        self.layout.replicas(at)
    }

    fn end_of_range(&self, at: Token) -> Token {
        self.layout.end_of_range(at)
    }

    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        self.walk().node_after(after)
    }

    fn membership(&self, node: NodeId) -> Membership {
        self.walk().membership(node)
    }
}

/// Polls a node dry; its disk is fast, and its messages are lost.
fn poll(node: &mut Node<Lww<u32>, Counted, Inline<8, 16>>) {
    let mut last = None;
    while let Some(output) = node.poll() {
        if let Output::Persist(ticket, _) = output {
            last = Some(ticket);
        }
    }
    last.into_iter().for_each(|ticket| node.persisted(ticket));
}

#[test]
fn requests_and_ticks_before_a_deadline_do_not_go_through_the_layout() {
    let walks = Rc::new(Cell::new(0));
    let layout = Counted { layout: Same::new(&[1, 2, 3]), walks: Rc::clone(&walks) };
    let mut node = Node::new(NodeId::new(2), 1, layout, Config::lan()).unwrap();
    node.found();
    poll(&mut node);
    node.tick(Instant::from_micros(1));
    let before = walks.get();
    let stamp = Stamp { time: Timestamp::from_micros(1), actor: Actor::from(NodeId::new(2)) };
    for micros in 2..100 {
        let now = Instant::from_micros(micros);
        let _ = node.write(now, b"key", Lww::new(stamp, 7), WriteOptions::default());
        let _ = node.read(now, b"key", ReadOptions::default());
        node.tick(now);
        poll(&mut node);
    }
    assert_eq!(walks.get(), before);
}
