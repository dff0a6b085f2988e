use std::error::Error;

use quorate_core::NodeId;
use quorate_ring::quorum::Replicated;
use quorate_ring::topology::{MemberState, Topology, TopologyError};
use quorate_ring::{HashRing, Heap, KeyHash, Member, MemberError};

/// The ids are 1 to this.
pub const MAX_NODES: u64 = 9;

/// Virtual nodes of each member.
const POINTS: u16 = 128;
/// Nodes that stand in for the replicas of a key.
const FALLBACKS: usize = 2;

pub(crate) type Ring = HashRing<Heap>;
pub(crate) type Layout = Replicated<Ring>;

/// Who the members are, as their operator keeps it, and the layout that follows from it.
pub(crate) struct Members {
    topology: Topology<Heap>,
    replicas: usize,
}

impl Members {
    /// Members 1 to `count`, of which each key is on `replicas`.
    pub(crate) fn new(count: u64, replicas: usize) -> Result<Self, TopologyError> {
        let mut topology = Topology::new();
        for id in 1..=count {
            topology.join(Member::new(NodeId::new(id)))?;
        }
        topology.complete_moves()?;
        Ok(Self { topology, replicas })
    }

    pub(crate) const fn replicas(&self) -> usize {
        self.replicas
    }

    /// What the nodes go by. While members join or leave, requests ask those that hold a key and those that will.
    pub(crate) fn layout(&self) -> Result<Layout, Box<dyn Error>> {
        let present = ring(self.topology.holders())?;
        let epoch = self.topology.version().epoch;
        let layout = Layout::of(epoch, present, self.replicas).with_fallbacks(FALLBACKS);
        if self.is_moving() {
            Ok(layout.moving_to(ring(self.topology.next_holders())?)?)
        } else {
            Ok(layout)
        }
    }

    /// The first step: the node is to hold keys.
    pub(crate) fn join(&mut self, id: NodeId) -> Result<(), TopologyError> {
        self.topology.join(Member::new(id)).map(drop)
    }

    /// The first step: the node is to hold keys no longer.
    pub(crate) fn leave(&mut self, id: NodeId) -> Result<(), TopologyError> {
        self.topology.set_state(id, MemberState::Leaving).map(drop)
    }

    /// The second step: those that were to hold keys are those that hold them.
    pub(crate) fn complete(&mut self) -> Result<(), TopologyError> {
        self.topology.complete_moves().map(drop)
    }

    pub(crate) fn is_moving(&self) -> bool {
        let mut states = self.topology.entries().iter().map(|entry| entry.state());
        states.any(|state| matches!(state, MemberState::Joining | MemberState::Leaving))
    }

    /// How many members there will be.
    pub(crate) fn count(&self) -> usize {
        self.topology.next_holders().count()
    }

    /// All that hold keys or will.
    pub(crate) fn involved(&self) -> Vec<NodeId> {
        let holders = self.topology.holders().chain(self.topology.next_holders());
        let mut ids: Vec<NodeId> = holders.map(|member| member.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// In a word, for people.
    pub(crate) fn state(&self, id: NodeId) -> &'static str {
        match self.topology.get(id).map(|entry| entry.state()) {
            Some(MemberState::Joining) => "joining",
            Some(MemberState::Leaving) => "leaving",
            Some(MemberState::Up | MemberState::Down) => "member",
            _ => "-",
        }
    }
}

fn ring(members: impl Iterator<Item = Member>) -> Result<Ring, MemberError> {
    let members: Vec<Member> = members.collect();
    let mut ring = Ring::new(KeyHash::default(), POINTS);
    ring.add_all(&members)?;
    Ok(ring)
}
