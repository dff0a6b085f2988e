use quorate_core::{NodeId, Quorums};
use quorate_log::{Index, Notice, ReplicatedLog};
use quorate_paxos::Member;
use quorate_paxos::multi::{self, MultiPaxos};
use quorate_raft::Raft;

use crate::Failure;

/// A protocol that is measured: all that differs is how a node is made, and how it hears of a snapshot.
pub trait Replica: ReplicatedLog {
    /// One of three nodes, with everything on the heap and the usual limits.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is none.
    fn create(id: u64) -> Result<Self, Failure>
    where
        Self: Sized;

    /// The application has a snapshot.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is refused.
    fn take_snapshot(&mut self, index: Index, compacted: Index) -> Result<(), Failure>;

    /// Whether an event asks for a part of a snapshot, or brings one.
    fn is_snapshot(event: &Self::Event<'_>) -> bool;

    /// The machine stopped itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Fatal`] if it did.
    fn check(event: &Self::Event<'_>) -> Result<(), Failure> {
        match Self::notice(event) {
            Some(Notice::Fatal(reason)) => Err(reason.into()),
            _ if Self::is_snapshot(event) => Err(Failure::UnexpectedSnapshot),
            _ => Ok(()),
        }
    }
}

const NODES: [NodeId; 3] = [NodeId::new(1), NodeId::new(2), NodeId::new(3)];

impl Replica for Raft<quorate_raft::Heap> {
    fn create(id: u64) -> Result<Self, Failure> {
        Ok(Self::new(NodeId::new(id), &NODES, quorate_raft::Config::default(), id)?)
    }

    fn take_snapshot(&mut self, index: Index, compacted: Index) -> Result<(), Failure> {
        Ok(self.snapshot_taken(index, compacted)?)
    }

    fn is_snapshot(event: &Self::Event<'_>) -> bool {
        use quorate_raft::Event;
        matches!(event, Event::SnapshotWanted { .. } | Event::SnapshotChunk { .. })
    }
}

impl Replica for MultiPaxos<quorate_paxos::Heap> {
    fn create(id: u64) -> Result<Self, Failure> {
        let members = NODES.map(Member::new);
        let config = multi::Config::default();
        let mut node = Self::new(NodeId::new(id), members, Quorums::majority(3), config, id)?;
        node.found();
        Ok(node)
    }

    fn take_snapshot(&mut self, index: Index, compacted: Index) -> Result<(), Failure> {
        Ok(self.snapshot_taken(index, compacted)?)
    }

    fn is_snapshot(event: &Self::Event<'_>) -> bool {
        use multi::Event;
        matches!(event, Event::SnapshotWanted { .. } | Event::SnapshotChunk { .. })
    }
}
