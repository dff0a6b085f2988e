use super::{Failure, Request};
use quorate_core::NodeId;

/// What the application learns.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event<'a, V> {
    /// A write is durable on as many replicas as it asked for.
    Written {
        /// Which.
        request: Request,
        /// What was written, with the order that it was given: what a later read of the same client is to
        /// [include](super::Value::includes).
        value: &'a V,
        /// A replica has a later value, which stays: this write had no effect there.
        superseded: bool,
    },
    /// A read is done.
    Found {
        /// Which.
        request: Request,
        /// The value, a tombstone too; `None` if no replica that answered has the key.
        value: Option<&'a V>,
    },
    /// A request was not carried out.
    Failed {
        /// Which.
        request: Request,
        /// Why.
        failure: Failure,
        /// Of a read, what it has found so far. Of a write that is [behind](Failure::Behind), what is there: it must be later than that. `None` of other writes.
        seen: Option<&'a V>,
        /// The value of a write may have gone out to replicas, and appear in reads later. False of a read, and of a write that came no further than
        /// to [ask](super::Order::AfterRead) what is there: that one had no effect.
        sent: bool,
    },
    /// A sweep with a node is over: it has what this node had of the keys that both hold when the sweep began, or later values.
    Swept {
        /// Which.
        with: NodeId,
    },
    /// Another node's topology was taken over.
    LayoutChanged {
        /// Whose.
        from: NodeId,
    },
}
