use quorate_core::NodeId;

use crate::Epoch;

/// What the application learns from an election. Only the present state is told: what came and went between two polls is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// This node leads. Hand the epoch's [token](Epoch::token) to every resource that is used in its name.
    Leading {
        /// The epoch.
        epoch: Epoch,
    },
    /// Another node leads.
    Following {
        /// Which one.
        leader: NodeId,
        /// Since this epoch.
        epoch: Epoch,
    },
    /// Nobody is known to lead; an election is under way, or this node cannot reach enough others. A node that led stops
    /// acting as leader. A node that [recovers](Role::Recovering) is told so once, when too few others answer.
    Leaderless,
}

/// What a node does at present.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Role {
    /// It follows a leader, or waits for one to be heard.
    Follower,
    /// It asks the others whether somebody better is alive, or hears a leader.
    Candidate,
    /// It knows that somebody better is alive, or that its own token goes round, and waits for the outcome; or it waits before it claims
    /// again.
    Waiting,
    /// It has won, and waits until a majority accepts it ([`Mode::Quorum`](crate::Mode::Quorum)).
    Claiming,
    /// It leads.
    Leader,
    /// It has no record: it is new, or its disk was erased. It asks the others which epochs there have been, and takes no part until
    /// it knows: in quorum and lease mode until more of them answer than a majority needs ([`Bully`](crate::Bully) tells how many).
    Recovering,
}

/// What an election looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// What it does.
    pub role: Role,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The highest epoch it knows.
    pub epoch: Epoch,
}
