use quorate_core::{Instant, NodeId};

/// The lead is on its way to another node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Handover {
    pub(super) to: NodeId,
    /// If this node still leads then, it leads on.
    pub(super) until: Instant,
}
