use quorate_core::{Fatal, NodeId};

/// An event for the application.
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
    /// This peer claims updates that this replica's actor never made here, or a generation that
    /// this replica never began: another replica works as the same actor, or this one lost its
    /// records. The replica challenges the peer; if the peer repeats the claim, the replica stops
    /// itself. Reported once per challenge.
    UnknownUpdates(NodeId),
    /// The machine stopped itself.
    Fatal(Fatal),
}
