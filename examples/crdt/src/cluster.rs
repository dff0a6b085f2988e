use std::error::Error;

use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_raft::{Config, EntryKind, Event, Heap, Message, Raft};

/// Raft nodes that count the commands they have applied, in one process, over links that can be cut: what an agreed counter is, beside one that
/// converges.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Raft<Heap>>,
    counts: Vec<u64>,
    now: Instant,
    /// Nodes from this one on hear only each other.
    cut: Option<usize>,
}

/// From whom, to whom, and what.
type Frame = (usize, usize, Vec<u8>);

impl Cluster {
    /// So many nodes, of which the first leads.
    ///
    /// # Errors
    ///
    /// A configuration that does not fit, a message that does not decode.
    pub fn new(count: u64) -> Result<Self, Box<dyn Error>> {
        let ids: Vec<NodeId> = (1..=count).map(NodeId::new).collect();
        let nodes = ids.iter().map(|&id| Raft::new(id, &ids, Config::lan(), id.get()));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let counts = vec![0; nodes.len()];
        let mut cluster = Self { nodes, counts, now: Instant::ZERO, cut: None };
        if let Some(first) = cluster.nodes.first_mut() {
            first.campaign(Instant::ZERO);
        }
        cluster.run(1_000)?;
        Ok(cluster)
    }

    /// Parts the nodes before this one from the others; `None` heals.
    pub fn cut(&mut self, at: Option<usize>) {
        self.cut = at;
    }

    /// Counts one more, asked of a node: whether it is agreed. A node that reaches no leader refuses.
    ///
    /// # Errors
    ///
    /// A message that does not decode.
    pub fn increment(&mut self, node: usize) -> Result<bool, Box<dyn Error>> {
        let before = self.count(node);
        let leader = self.nodes.get(node).and_then(|raft| raft.status().leader);
        let leader = leader.and_then(|id| usize::try_from(id.get()).ok()?.checked_sub(1));
        let Some(leader) = leader.filter(|&leader| self.reaches(node, leader)) else {
            return Ok(false);
        };
        if self.nodes.get_mut(leader).is_none_or(|raft| raft.propose(b"+1").is_err()) {
            return Ok(false);
        }
        for _ in 0..20 {
            self.run(10)?;
            if self.count(node) > before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What a node has applied.
    #[must_use]
    pub fn count(&self, node: usize) -> u64 {
        self.counts.get(node).copied().unwrap_or(0)
    }

    /// Lets time pass, in which messages travel.
    ///
    /// # Errors
    ///
    /// A message that does not decode.
    pub fn run(&mut self, ms: u64) -> Result<(), Box<dyn Error>> {
        for _ in 0..ms.div_ceil(10) {
            self.now = self.now.after(10_000);
            let mut frames = Vec::new();
            for node in 0..self.nodes.len() {
                if let Some(raft) = self.nodes.get_mut(node) {
                    raft.tick(self.now);
                }
                self.speak(node, &mut frames)?;
            }
            while !frames.is_empty() {
                for (from, to, frame) in core::mem::take(&mut frames) {
                    if self.reaches(from, to)
                        && let Some(raft) = self.nodes.get_mut(to)
                    {
                        let sender = NodeId::new(from as u64 + 1);
                        // what it refuses it counts
                        let _ = raft.receive(self.now, sender, Message::from_slice(&frame)?);
                        self.speak(to, &mut frames)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn speak(&mut self, node: usize, frames: &mut Vec<Frame>) -> Result<(), Box<dyn Error>> {
        let (Some(raft), Some(count)) = (self.nodes.get_mut(node), self.counts.get_mut(node))
        else {
            return Ok(());
        };
        loop {
            let mut durable = None;
            while let Some(output) = raft.poll() {
                match output {
                    Output::Persist(ticket, _) => durable = Some(ticket), // a disk that is done at once
                    Output::Send(to, message) => {
                        let mut frame = vec![0; message.encoded_len()];
                        message.to_slice(&mut frame)?;
                        frames.push((node, usize::try_from(to.get())?.saturating_sub(1), frame));
                    }
                    Output::Event(Event::Committed(entries)) => {
                        let commands = entries.iter().filter(|e| e.kind == EntryKind::Command);
                        *count += commands.count() as u64;
                    }
                    Output::Event(_) => {}
                }
            }
            let Some(ticket) = durable else { return Ok(()) };
            raft.persisted(ticket);
        }
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.cut.is_none_or(|cut| (from < cut) == (to < cut))
    }
}
