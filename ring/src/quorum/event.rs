use super::{Failure, Request};
use crate::topology::Version;
use quorate_core::NodeId;

/// What the application learns.
///
/// ```
/// use quorate_ring::quorum::{Config, Event, Inline, Node, ReadOptions, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// # node.found();
/// node.write(Instant::ZERO, b"key", Tagged::nth(2, 8), WriteOptions::default())?;
/// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// let mut told = Vec::new();
/// while let Some(output) = node.poll() {
///     match output {
///         Output::Persist(ticket, _record) => node.persisted(ticket),
///         Output::Event(Event::Written { value, superseded, .. }) => told.push((value.get().copied(), superseded)),
///         _ => {}
///     }
/// }
/// assert_eq!(told, [(Some(8), false), (Some(7), true)]); // the later one stays
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
        /// Of a read, what it has found so far. Of a write that is [behind](Failure::Behind), what
        /// is there: it must be later than that. `None` of other writes.
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
    /// Another node goes by a newer layout, or one of the same epoch that contradicts this node's,
    /// and [does not send it](super::Layout::topology). The two refuse each other's requests until
    /// this node is [given](super::Node::set_layout) that layout. Told once for each newer version.
    LayoutOutdated {
        /// Whose.
        by: NodeId,
        /// The version of its layout.
        version: Version,
    },
    /// Another node's topology was taken over.
    LayoutChanged {
        /// Whose.
        from: NodeId,
    },
}
