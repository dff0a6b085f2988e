use quorate_core::{Fatal, NodeId};

/// What the application learns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// Others' updates changed the state.
    Changed,
    /// What this peer has does not fit here. If it is entries that do not fit, remove some; if it is
    /// actors, nothing helps but a state with more places for them. Told once, and again if it still
    /// does not fit after an update.
    Full(NodeId),
    /// This peer tells of updates that this replica's actor never made here, or of one of its lives
    /// that was not lived here: another replica works as the same actor, or this one lost its
    /// memory. The replica asks the peer again; if it insists, the replica stops itself. Told once
    /// for each time it asks.
    UnknownUpdates(NodeId),
    /// The machine stopped itself.
    Stopped(Fatal),
}
