//! What the examples share: replicas in one process, and links that can be cut.

mod cluster;

pub use cluster::Cluster;

use std::error::Error;

use quorate_clocks::{Actor, Heap};
use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_crdt::{Config, ConfigError, Crdt, Message, Replica};

/// Replicas that gossip, one after the other, whenever time passes.
#[derive(Debug)]
pub struct Group<T: Crdt> {
    nodes: Vec<Replica<T, Heap, Heap>>,
    now_ms: u64,
    /// Nodes from this one on hear only each other.
    cut: Option<usize>,
}

/// To whom, and what.
type Frame = (usize, Vec<u8>);

impl<T: Crdt + 'static> Group<T> {
    /// So many replicas of an empty state.
    ///
    /// # Errors
    ///
    /// The state has no room for so many actors.
    pub fn new(count: u64, empty: &T) -> Result<Self, ConfigError> {
        let ids: Vec<NodeId> = (1..=count).map(NodeId::new).collect();
        let config = Config { durable: false, ..Config::default() };
        let node = |&id: &NodeId| Replica::new(Actor::from(id), &ids, empty.clone(), config);
        Ok(Self { nodes: ids.iter().map(node).collect::<Result<_, _>>()?, now_ms: 0, cut: None })
    }

    /// Parts the nodes before this one from the others; `None` heals.
    pub fn cut(&mut self, at: Option<usize>) {
        self.cut = at;
    }

    /// Updates one replica.
    ///
    /// # Errors
    ///
    /// What the update says.
    pub fn update<E>(
        &mut self,
        node: usize,
        update: impl FnOnce(&mut T, Actor) -> Result<T::Delta, E>,
    ) -> Result<(), E> {
        self.nodes.get_mut(node).map_or(Ok(()), |node| node.update(update))
    }

    /// What a replica has.
    #[must_use]
    pub fn state(&self, node: usize) -> Option<&T> {
        self.nodes.get(node).map(Replica::state)
    }

    /// Lets seconds pass, in which messages travel.
    ///
    /// # Errors
    ///
    /// A message that does not decode.
    pub fn seconds(&mut self, seconds: u64) -> Result<(), Box<dyn Error>> {
        for _ in 0..seconds * 4 {
            self.now_ms += 250;
            for from in 0..self.nodes.len() {
                for (to, frame) in self.speak(from)? {
                    self.hear(from, to, &frame)?;
                }
            }
        }
        Ok(())
    }

    fn speak(&mut self, from: usize) -> Result<Vec<Frame>, Box<dyn Error>> {
        let mut frames = Vec::new();
        let Some(node) = self.nodes.get_mut(from) else { return Ok(frames) };
        node.tick(Instant::from_millis(self.now_ms));
        while let Some(output) = node.poll() {
            if let Output::Send(to, message) = output {
                let mut frame = vec![0; message.encoded_len()];
                message.to_slice(&mut frame)?;
                frames.push((usize::try_from(to.get())?.saturating_sub(1), frame));
            }
        }
        Ok(frames)
    }

    fn hear(&mut self, from: usize, to: usize, frame: &[u8]) -> Result<(), Box<dyn Error>> {
        if self.cut.is_some_and(|cut| (from < cut) != (to < cut)) {
            return Ok(());
        }
        let Some(node) = self.nodes.get_mut(to) else { return Ok(()) };
        let message = Message::from_slice(frame)?;
        node.receive(Instant::from_millis(self.now_ms), NodeId::new(from as u64 + 1), message)?;
        Ok(())
    }
}
