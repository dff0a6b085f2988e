use quorate_core::{Fatal, NodeId};

use crate::{Dot, Run};

/// What the application of a member learns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// This comes next: everything it depends on came before. Own broadcasts are delivered too, once they are durable.
    Deliver {
        /// Which event of whom.
        dot: Dot,
        /// What was broadcast.
        payload: &'a [u8],
    },
    /// More has become stable: see [`stable`](super::Causal::stable).
    Stable,
    /// Missing messages whose origin does not respond: they are requested from all members.
    /// Reported once per gap.
    Gap {
        /// The first missing run.
        missing: Run,
    },
    /// The peer has delivered, and may no longer have, what is missing here: merge its application's state into the own, then call
    /// [`resume`](super::Causal::resume) with the vector that both cover. Told again while it is so.
    Behind {
        /// The peer whose state covers what is missing.
        peer: NodeId,
    },
    /// The member stopped itself, as [`Machine::fatal`](quorate_core::Machine::fatal) says from
    /// then on: a peer has broadcasts of this actor that this node did not make, and confirmed it
    /// on request. Start anew as the next [incarnation](crate::Actor::next_incarnation).
    Fatal(Fatal),
}
