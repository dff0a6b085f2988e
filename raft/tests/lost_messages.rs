//! Lost and overtaken messages: what the leader resends, when, and how much.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_raft::{Config, Event, Heap, Inline, Message, Raft, Role, Storage};

/// An encoded message in flight.
#[derive(Clone)]
struct Envelope {
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

/// Nodes with fast disks. The test moves the messages.
struct Net<S: Storage> {
    nodes: Vec<Raft<S>>,
    now: Instant,
    sent: Vec<Envelope>,
    applied: Vec<usize>,
}

impl Envelope {
    fn message(&self) -> Message<'_> {
        Message::from_slice(&self.bytes).unwrap()
    }

    /// Bytes of entries in the message.
    fn entries(&self) -> usize {
        match self.message() {
            Message::Append { entries, .. } => entries.len(),
            _ => 0,
        }
    }
}

impl<S: Storage> Net<S> {
    /// Node 0 leads.
    fn elected(nodes: u64, config: &Config) -> Self {
        let ids: Vec<NodeId> = (0..nodes).map(NodeId::new).collect();
        let node = |&id| Raft::new(id, &ids, config.clone(), id.get() + 1).unwrap();
        let nodes: Vec<Raft<S>> = ids.iter().map(node).collect();
        let applied = vec![0; nodes.len()];
        let mut net = Self { nodes, now: Instant::from_millis(1), sent: Vec::new(), applied };
        net.nodes.iter_mut().for_each(|node| node.tick(Instant::from_millis(1)));
        net.nodes[0].campaign(Instant::from_millis(1));
        net.drain(0);
        net.settle();
        assert_eq!(net.nodes[0].status().role, Role::Leader);
        net.heartbeat();
        net.settle();
        net
    }

    fn drain(&mut self, node: usize) {
        loop {
            let mut ticket = None;
            while let Some(output) = self.nodes[node].poll() {
                match output {
                    Output::Persist(next, _) => ticket = Some(next),
                    Output::Send(to, message) => {
                        let mut bytes = vec![0; message.encoded_len()];
                        message.to_slice(&mut bytes).unwrap();
                        self.sent.push(Envelope { from: node, to: to.get() as usize, bytes });
                    }
                    Output::Event(Event::Committed(entries)) => {
                        let commands = entries.iter().filter(|entry| !entry.data.is_empty());
                        self.applied[node] += commands.count();
                    }
                    Output::Event(_) => {}
                }
            }
            match ticket {
                Some(ticket) => self.nodes[node].persisted(ticket),
                None => return,
            }
        }
    }

    fn deliver(&mut self, envelope: &Envelope) {
        let (now, from) = (self.now, NodeId::new(envelope.from as u64));
        let _ = self.nodes[envelope.to].receive(now, from, envelope.message());
        self.drain(envelope.to);
    }

    fn settle_if(&mut self, mut passes: impl FnMut(&Envelope) -> bool) {
        for _ in 0..10_000 {
            if self.sent.is_empty() {
                return;
            }
            let envelope = self.sent.remove(0);
            if passes(&envelope) {
                self.deliver(&envelope);
            }
        }
        panic!("the messages never end");
    }

    fn settle(&mut self) {
        self.settle_if(|_| true);
    }

    /// Advances time to the leader's next heartbeat.
    fn heartbeat(&mut self) {
        self.now = self.nodes[0].deadline().unwrap();
        let now = self.now;
        self.nodes[0].tick(now);
        self.drain(0);
    }

    fn propose(&mut self, len: usize) {
        self.nodes[0].propose(&vec![7; len]).unwrap();
        self.drain(0);
    }

    /// Removes the messages with entries from the network.
    fn take_entries(&mut self) -> Vec<Envelope> {
        let (appends, rest) = self.sent.drain(..).partition(|envelope| envelope.entries() > 0);
        self.sent = rest;
        appends
    }

    /// Delivers all messages without entries, and returns the bytes of entries sent meanwhile.
    fn deliver_without_entries(&mut self) -> usize {
        let mut resent = 0;
        self.settle_if(|envelope| {
            resent += envelope.entries();
            envelope.entries() == 0
        });
        resent
    }
}

#[test]
fn heartbeat_that_overtakes_entries_causes_no_resend() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    net.propose(900 << 10);
    let appends = net.take_entries();
    assert_eq!(appends.len(), 1);
    // the entries arrive after four heartbeats
    for _ in 0..4 {
        net.heartbeat();
        assert!(net.sent.iter().any(|envelope| envelope.to == 1), "a heartbeat");
        assert_eq!(net.deliver_without_entries(), 0);
    }
    net.deliver(&appends[0]);
    net.settle();
    assert_eq!(net.applied, [1, 0]);
    net.heartbeat();
    net.settle();
    assert_eq!(net.applied, [1, 1]);
}

#[test]
fn entries_that_every_heartbeat_overtakes_are_sent_once() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    let (mut proposed, mut sent) = (0, 0);
    for _ in 0..50 {
        // every heartbeat overtakes entries in flight
        net.propose(1000);
        proposed += 1_usize;
        let appends = net.take_entries();
        sent += appends.iter().map(Envelope::entries).sum::<usize>();
        net.heartbeat();
        sent += net.deliver_without_entries();
        appends.iter().for_each(|envelope| net.deliver(envelope));
        net.settle();
    }
    net.heartbeat();
    net.settle();
    assert_eq!(net.applied, [proposed; 2]);
    // the first overtake may be a loss, so the entries in flight are sent again once
    assert!(sent <= 51 * 1003, "{sent} bytes for {proposed} KB");
}

#[test]
fn heartbeat_does_not_request_compacted_entries() {
    let mut net = Net::<Heap>::elected(3, &Config::default());
    // the append to node 2 is delayed
    net.propose(900 << 10);
    let (late, rest) = net.sent.drain(..).partition(|envelope| envelope.to == 2);
    let late: Vec<Envelope> = late;
    net.sent = rest;
    net.settle();
    let applied = net.nodes[0].status().applied;
    net.nodes[0].snapshot_taken(applied, applied).unwrap();
    net.heartbeat();
    for envelope in core::mem::take(&mut net.sent) {
        let (now, from) = (net.now, NodeId::new(0));
        assert_eq!(net.nodes[envelope.to].receive(now, from, envelope.message()), Ok(()));
    }
    late.iter().for_each(|envelope| net.deliver(envelope));
    net.drain(1);
    net.settle();
    net.heartbeat();
    net.settle();
    assert_eq!(net.applied, [1, 1, 1]);
}

#[test]
fn lost_append_is_resent_after_the_next_heartbeat() {
    for len in [1, 1000, 60 << 10] {
        let mut net = Net::<Heap>::elected(2, &Config::default());
        net.propose(len);
        net.take_entries();
        net.heartbeat();
        net.settle();
        assert_eq!(net.applied[0], 1, "{len} bytes");
    }
}

#[test]
fn lost_append_is_resent_within_two_heartbeats_if_heartbeats_overtake_entries() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    net.propose(1000);
    let appends = net.take_entries();
    net.heartbeat();
    net.deliver_without_entries();
    net.deliver(&appends[0]);
    net.settle();
    net.heartbeat();
    net.settle();
    net.propose(1000);
    net.take_entries();
    for _ in 0..2 {
        net.heartbeat();
        net.settle();
    }
    assert_eq!(net.applied[0], 2);
}

#[test]
fn lost_window_is_resent_after_the_next_append_or_heartbeat() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    (0..9).for_each(|_| net.propose(100 << 10));
    net.take_entries();
    net.propose(1);
    net.settle();
    assert_eq!(net.applied[0], 10);
    // a partition loses the entries in flight
    (0..9).for_each(|_| net.propose(100 << 10));
    net.take_entries();
    for _ in 0..4 {
        net.heartbeat();
        net.sent.clear();
    }
    net.heartbeat();
    net.settle();
    assert_eq!(net.applied[0], 19);
}

#[test]
fn slow_disk_causes_no_resend() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    net.propose(1000);
    let append = net.take_entries().remove(0);
    // the follower accepts the entries, and its disk does not finish
    let (now, from) = (net.now, NodeId::new(0));
    net.nodes[1].receive(now, from, append.message()).unwrap();
    let mut ticket = None;
    for _ in 0..10 {
        while let Some(output) = net.nodes[1].poll() {
            match output {
                Output::Persist(next, _) => ticket = Some(next),
                Output::Send(to, message) => {
                    let mut bytes = vec![0; message.encoded_len()];
                    message.to_slice(&mut bytes).unwrap();
                    net.sent.push(Envelope { from: 1, to: to.get() as usize, bytes });
                }
                Output::Event(_) => {}
            }
        }
        let answers: Vec<_> = net.sent.drain(..).filter(|envelope| envelope.to == 0).collect();
        answers.iter().for_each(|envelope| net.deliver(envelope));
        net.heartbeat();
        assert!(net.take_entries().is_empty());
        let heartbeat = net.sent.remove(0);
        let now = net.now;
        net.nodes[1].receive(now, from, heartbeat.message()).unwrap();
    }
    net.nodes[1].persisted(ticket.unwrap());
    net.drain(1);
    net.settle();
    assert_eq!(net.applied[0], 1);
}

/// Runs for some heartbeats and drops messages longer than a frame.
fn run_framed<S: Storage>(net: &mut Net<S>, heartbeats: usize, frame: usize) {
    for _ in 0..heartbeats {
        net.heartbeat();
        net.settle_if(|envelope| envelope.bytes.len() <= frame);
    }
}

#[test]
fn follower_behind_a_link_with_short_frames_catches_up() {
    let mut net = Net::<Inline<3, 4096, 64, 256>>::elected(3, &Config::default());
    for _ in 0..30 {
        net.propose(64);
        net.settle_if(|envelope| envelope.from != 2 && envelope.to != 2);
    }
    // node 2 is partitioned for a second
    for _ in 0..20 {
        net.heartbeat();
        net.settle_if(|envelope| envelope.from != 2 && envelope.to != 2);
    }
    assert_eq!(net.applied, [30, 30, 0]);
    run_framed(&mut net, 8, 480);
    assert_eq!(net.applied, [30, 30, 30]);
}

#[test]
fn append_limit_grows_back_after_losses_stop() {
    let mut net = Net::<Heap>::elected(2, &Config::default());
    let longest = |net: &mut Net<Heap>| {
        for _ in 0..400 {
            net.nodes[0].propose(&[7; 100]).unwrap();
        }
        net.drain(0);
        let mut longest = 0;
        net.settle_if(|envelope| {
            longest = longest.max(envelope.entries());
            envelope.bytes.len() <= 4000
        });
        for _ in 0..16 {
            net.heartbeat();
            net.settle_if(|envelope| envelope.bytes.len() <= 4000);
        }
        longest
    };
    assert!(longest(&mut net) > 40_000);
    assert_eq!(net.applied[0], 400);
    assert!(longest(&mut net) <= 4000, "the limit was reduced");
    assert_eq!(net.applied[0], 800);
    for _ in 0..400 {
        net.heartbeat();
        net.settle();
    }
    assert!(longest(&mut net) > 40_000, "the limit grew back");
}
