use core::fmt;

use quorate_core::NodeId;

/// A request of this coordinator, as its methods return it and its events name it.
///
/// ```
/// use quorate_ring::quorum::{Config, Event, Inline, Node, ReadOptions, Tagged};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// # node.found();
/// let requests = [b"a", b"b"].map(|key| node.read(Instant::ZERO, key, ReadOptions::default()));
/// let mut done = Vec::new();
/// while let Some(output) = node.poll() {
///     if let Output::Event(Event::Found { request, .. }) = output {
///         done.push(Ok(request));
///     }
/// }
/// assert_eq!(done, requests);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request(pub(crate) u64);

impl Request {
    /// Its number: of two requests of one incarnation the later one has the higher number.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, ReadOptions, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// let first = client.read(Instant::ZERO, b"a", ReadOptions::default())?;
    /// let second = client.read(Instant::ZERO, b"b", ReadOptions::default())?;
    /// assert!(second.get() > first.get());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one write among all there ever were: the node, which of its lives, and the request.
///
/// ```
/// use quorate_ring::quorum::{Config, Event, Inline, Node, Order, Tagged, WriteOptions};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
/// let after_read = WriteOptions { order: Order::AfterRead, ..WriteOptions::default() };
/// let first_tag = |incarnation| {
///     let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), incarnation, layout.clone(), Config::lan()).unwrap();
///     node.found();
///     node.write(Instant::ZERO, b"key", Tagged::new(7), after_read).unwrap();
///     loop {
///         match node.poll().unwrap() {
///             Output::Persist(ticket, _record) => node.persisted(ticket),
///             Output::Event(Event::Written { value, .. }) => return value.tag(), // it has the `WriteId`
///             _ => {}
///         }
///     }
/// };
/// assert_ne!(first_tag(1), first_tag(2));
/// assert_eq!(first_tag(1), first_tag(1)); // two writes under one name: no incarnation may be used twice
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WriteId {
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
}

impl WriteId {
    pub(crate) const NONE: Self = Self { node: NodeId::new(0), incarnation: 0, number: 0 };
}
