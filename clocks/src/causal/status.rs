use quorate_core::{Fatal, NodeId};

use crate::{Actor, Run};

/// A view of a member, for people and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub id: NodeId,
    /// The actor of its broadcasts.
    pub actor: Actor,
    /// How many broadcasts it made.
    pub sent: u64,
    /// How many messages are stored, delivered or not.
    pub stored: usize,
    /// What is known to be missing first, if anything is.
    pub gap: Option<Run>,
    /// Why the member stopped itself, if it did.
    pub fatal: Option<Fatal>,
}
