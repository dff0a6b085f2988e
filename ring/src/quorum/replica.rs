use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};

use super::{
    Config, ConfigError, Event, Layout, LayoutError, Message, Node, Record, Status, Storage, Value,
};

/// A replica of the quorum store: it holds keys, and makes no requests for an application of its own.
///
/// It is a [`Node`] without reads and writes, for a program that only keeps what the [`Coordinator`](super::Coordinator)s of others ask it to. It hands over
/// the writes that it keeps for others, sweeps, and agrees on the floor as every node does; what is said there of durability, repair, deletes and changes of the
/// replicas holds here.
///
/// It puts out [`Event::LayoutChanged`] and [`Event::Swept`] alone.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output};
/// use quorate_ring::quorum::{Config, Coordinator, Inline, Replica, Replicated, Tagged, WriteOptions};
/// use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
///
/// let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// ring.add(Member::new(NodeId::new(1)))?;
/// let layout = Replicated::new(Version::default(), ring, 1);
/// let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
/// replica.found();
///
/// let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
/// client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// let Some(Output::Send(_, message)) = client.poll() else { panic!() };
/// replica.receive(Instant::ZERO, NodeId::new(9), message)?;
/// while let Some(output) = replica.poll() {
///     if let Output::Persist(ticket, _) = output {
///         replica.persisted(ticket);
///     }
/// }
/// assert_eq!(replica.local(b"key").and_then(Tagged::get), Some(&7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica<V: Value, L, S: Storage>(Node<V, L, S>);

impl<V: Value + 'static, L: Layout, S: Storage> Replica<V, L, S> {
    /// A replica without records.
    ///
    /// `incarnation` is a number that this node has not used before, and will not again: it tells
    /// the answers to what it hands over and repairs from those to an earlier life. Where it comes
    /// from is said at [`Node::new`].
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, ConfigError, Inline, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// type Store<L> = Replica<Tagged<u32>, L, Inline<8, 16>>; // 8 keys of 16 bytes
    /// let replica = Store::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// assert_eq!(replica.status().keys, 0);
    /// let never = Config { attempts: 0, ..Config::lan() };
    /// assert_eq!(Store::new(NodeId::new(1), 1, layout, never).err(), Some(ConfigError::Attempts));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] of a configuration that cannot be used.
    pub fn new(
        id: NodeId,
        incarnation: u64,
        layout: L,
        config: Config,
    ) -> Result<Self, ConfigError> {
        Node::new(id, incarnation, layout, config).map(Self)
    }

    /// This node is one of a new cluster, as [`Node::found`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// assert!(!replica.status().founded); // it may have been erased: it answers no reads
    /// replica.found();
    /// assert!(replica.status().founded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn found(&mut self) {
        self.0.found();
    }

    /// What this node itself holds for a key, as [`Node::local`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Record, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Wire};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
    /// # use quorate_ring::quorum::{Node, WriteOptions};
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// # node.found();
    /// # node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// # let mut disk = Vec::new();
    /// # while let Some(output) = node.poll() {
    /// #     if let Output::Persist(ticket, record) = output {
    /// #         disk.push(record.to_slice(&mut [0; 64])?.to_vec());
    /// #         node.persisted(ticket);
    /// #     }
    /// # }
    /// let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 2, layout, Config::lan())?;
    /// for bytes in &disk {
    ///     replica.restore(Record::from_slice(bytes)?)?;
    /// }
    /// assert_eq!(replica.local(b"key").and_then(Tagged::get), Some(&7));
    /// assert_eq!(replica.local(b"another"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn local(&self, key: &[u8]) -> Option<&V> {
        self.0.local(key)
    }

    /// A node is down, or up again, as a failure detector has it: what is kept for it is handed over once it is up.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, Layout, Replica, Replicated, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<2, 32>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = Replicated::new(Version::default(), ring, 1).with_fallbacks(1);
    /// # let list = layout.replicas(layout.token(b"key"));
    /// # let (owner, fallback) = (list.replicas()[0], list.fallbacks()[0]);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout.clone(), Config::lan())?;
    /// # client.set_down(owner, true);
    /// let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16, 4, 8, 2>>::new(fallback, 1, layout, Config::lan())?;
    /// replica.found();
    /// let sloppy = WriteOptions { sloppy: true, ..WriteOptions::default() };
    /// client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), sloppy)?;
    /// let Some(Output::Send(to, message)) = client.poll() else { panic!() };
    /// assert_eq!(to, fallback); // the owner of the key is down
    /// replica.set_down(owner, true);
    /// replica.receive(Instant::ZERO, NodeId::new(9), message)?;
    /// while let Some(output) = replica.poll() {
    ///     match output {
    ///         Output::Persist(ticket, _record) => replica.persisted(ticket),
    ///         Output::Send(to, _answer) => assert_eq!(to, NodeId::new(9)),
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(replica.status().hints, 1);
    /// replica.set_down(owner, false);
    /// assert!(matches!(replica.poll(), Some(Output::Send(to, _)) if to == owner)); // handed over
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_down(&mut self, node: NodeId, down: bool) {
        self.0.set_down(node, down);
    }

    /// A node will not come back, or not with its disk, as [`Node::set_lost`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2);
    /// let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// replica.set_lost(NodeId::new(2), true); // the only one that could rebuild this one
    /// replica.tick(Instant::ZERO);
    /// assert!(replica.status().founded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_lost(&mut self, node: NodeId, lost: bool) {
        self.0.set_lost(node, lost);
    }

    /// How many writes this node keeps for another, as [`Node::hints_for`] has it.
    #[must_use]
    pub fn hints_for(&self, node: NodeId) -> usize {
        self.0.hints_for(node)
    }

    /// The floor does not rise above this clock, as [`Node::limit_floor`] has it.
    pub const fn limit_floor(&mut self, clock: u64) {
        self.0.limit_floor(clock);
    }

    /// What this node goes by.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Layout, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// let layout = replica.layout();
    /// assert_eq!(layout.replicas(layout.token(b"key")).replicas().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(&self) -> &L {
        self.0.layout()
    }

    /// The node goes by another layout from now on, as [`Node::set_layout`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Replica, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// let next = replica.layout().clone().in_version(Version { epoch: 2, digest: 0 });
    /// replica.set_layout(next)?;
    /// assert_eq!(replica.status().version.epoch, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LayoutError`]; nothing was changed.
    pub fn set_layout(&mut self, layout: L) -> Result<(), LayoutError> {
        self.0.set_layout(layout)
    }

    /// The same, whatever the layout says: **keys may be lost**, as [`Node::force_layout`] has it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Replica, Replicated, Tagged};
    /// # use quorate_core::{Machine, NodeId};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let version = |epoch| Version { epoch, digest: 0 };
    /// # let mut ring = HashRing::<quorate_ring::Inline<2, 32>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id))))?;
    /// let old = Replicated::new(version(1), ring.clone(), 2);
    /// let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, old, Config::lan())?;
    /// ring.remove(NodeId::new(2))?; // it burned down
    /// replica.force_layout(Replicated::new(version(2), ring, 2));
    /// assert_eq!(replica.status().version, version(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn force_layout(&mut self, layout: L) {
        self.0.force_layout(layout);
    }
}

impl<V: Value + 'static, L: Layout, S: Storage> Machine for Replica<V, L, S> {
    type Message<'a> = Message<'a, V>;
    type Record<'a> = Record<'a, V>;
    type Event<'a> = Event<'a, V>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, V>) -> Result<(), Corrupt> {
        self.0.restore(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, V>,
    ) -> Result<(), Rejected> {
        self.0.receive(now, from, message)
    }

    fn tick(&mut self, now: Instant) {
        self.0.tick(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.0.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        Some(match self.0.poll()? {
            Output::Persist(ticket, record) => Output::Persist(ticket, record),
            Output::Send(to, message) => Output::Send(to, message),
            Output::Event(event) => Output::Event(event),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, V>> {
        self.0.checkpoint()
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn rejections(&self) -> Rejections {
        self.0.rejections()
    }
}
