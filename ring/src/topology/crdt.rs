use quorate_clocks::{Actor, Causality};
use quorate_core::{DecodeError, Reader, Wire as _, Writer};
use quorate_crdt::{ApplyError, Crdt, DeltaState, MergeError};

use super::{Topology, TopologyError};
use crate::Storage;

/// A list is gossiped by a [`Replica`](quorate_crdt::Replica), whose updates are changes of the list. It has no actors: what holds is
/// decided by epochs, so any node may change any member.
///
/// ```
/// use quorate_clocks::{Actor, Inline as Room};
/// use quorate_core::{Instant, Machine, NodeId, Output, Wire};
/// use quorate_crdt::{Config, Message, Replica};
/// use quorate_ring::topology::{MemberState, Topology};
/// use quorate_ring::{Inline, Member};
///
/// // a list of up to 8 members, 3 peers, and 256 bytes of changes for peers that lag
/// type Node = Replica<Topology<Inline<8>>, Room<3>, Room<256>>;
/// let ids = [1, 2].map(NodeId::new);
/// let config = Config { durable: false, ..Config::default() };
/// let node = |id| Node::new(Actor::from(id), &ids, Topology::new(), config);
/// let mut nodes = [node(ids[0])?, node(ids[1])?];
/// for (node, id) in nodes.iter_mut().zip(ids) {
///     node.update(|topology, _| topology.join(Member::new(id)))?;
///     node.update(|topology, _| topology.set_state(id, MemberState::Up))?;
/// }
/// for round in 0..4 {
///     let now = Instant::from_millis(round * 500);
///     for from in 0..2 {
///         nodes[from].tick(now);
///         let mut frames = Vec::new();
///         while let Some(output) = nodes[from].poll() {
///             if let Output::Send(_, message) = output {
///                 let mut frame = vec![0; message.encoded_len()];
///                 message.to_slice(&mut frame)?;
///                 frames.push(frame);
///             }
///         }
///         for frame in frames {
///             nodes[1 - from].receive(now, ids[from], Message::from_slice(&frame)?)?;
///         }
///     }
/// }
/// assert_eq!(nodes[0].state(), nodes[1].state());
/// assert_eq!(nodes[0].state().holders().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "crdt")))]
impl<S: Storage> Crdt for Topology<S> {
    type Delta = Self;

    fn merge(&mut self, other: &Self) -> Result<bool, MergeError> {
        Self::merge(self, other).map_err(full)
    }

    fn apply(&mut self, delta: &Self) -> Result<bool, ApplyError> {
        Ok(Self::merge(self, delta).map_err(full)?)
    }

    fn compare(&self, other: &Self) -> Causality {
        Causality::from(self.partial_cmp(other))
    }

    fn actor_version(&self, _actor: Actor) -> u64 {
        0
    }

    fn lacks(&self, _delta: &Self, _actor: Actor) -> bool {
        false
    }

    fn conflicting_actor(&self, _delta: &Self) -> Option<Actor> {
        None
    }

    fn conflicts_with(&self, _other: &Self, _actor: Actor) -> bool {
        false
    }

    fn revision(&self) -> u64 {
        self.revision.get()
    }

    fn actor_limit(&self) -> Option<usize> {
        None
    }

    fn empty(&self) -> Self {
        self.like()
    }

    fn read_state(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        self.read(input)
    }

    fn read_delta(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        self.read(input)
    }

    fn write_delta(delta: &Self, out: &mut Writer<'_>) {
        delta.encode(out);
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "crdt")))]
impl<S: Storage> DeltaState for Topology<S> {
    fn delta_state(&self, delta: &Self) -> Result<Self, MergeError> {
        let mut state = self.like();
        Self::merge(&mut state, delta).map_err(full)?;
        Ok(state)
    }
}

/// All that a merge can fail with.
fn full(_: TopologyError) -> MergeError {
    MergeError::Full
}
