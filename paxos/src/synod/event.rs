use quorate_core::NodeId;

use crate::Ballot;

/// What the application learns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// This value was chosen, and no other ever will be. Told once in each life of a node: a node keeps no record of it, and learns it
    /// again after a restart.
    Decided {
        /// The value.
        value: &'a [u8],
    },
}

/// A view of a node, for people and metrics. What belongs to a role that the machine does not have is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// It has a record that it was founded, or needs none.
    pub founded: bool,
    /// What the proposer does.
    pub phase: Phase,
    /// The proposer's last ballot.
    pub ballot: Ballot,
    /// What the acceptor promised.
    pub promised: Ballot,
    /// The ballot of the acceptor's vote.
    pub accepted: Ballot,
    /// It knows which value was chosen.
    pub decided: bool,
}

/// What a proposer does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Phase {
    /// It has nothing to propose.
    #[default]
    Idle,
    /// It waits for votes in the fast ballot: [`FastPaxos`](crate::fast::FastPaxos) alone.
    Fast,
    /// Phase 1: it waits for promises.
    Preparing,
    /// Phase 2: it waits for votes.
    Accepting,
    /// It was preempted, and waits before its next ballot.
    BackingOff,
    /// A value was chosen.
    Decided,
}
