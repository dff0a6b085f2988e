use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};

use super::{Config, ConfigError, Event, Layout, Message, Node, Record, Status, Storage, Value};

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
    /// `incarnation` is a number that this node has not used before, and will not again: it tells the answers to what it hands over and repairs from those to an earlier life.
    /// Where it comes from is said at [`Node::new`].
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
    pub fn found(&mut self) {
        self.0.found();
    }

    /// What this node itself holds for a key, as [`Node::local`] has it.
    #[must_use]
    pub fn local(&self, key: &[u8]) -> Option<&V> {
        self.0.local(key)
    }

    /// A node is down, or up again, as a failure detector has it: what is kept for it is handed over once it is up.
    pub fn set_down(&mut self, node: NodeId, down: bool) {
        self.0.set_down(node, down);
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
    #[must_use]
    pub const fn layout(&self) -> &L {
        self.0.layout()
    }

    /// The node goes by another layout from now on, as [`Node::set_layout`] has it.
    pub fn set_layout(&mut self, layout: L) {
        self.0.set_layout(layout);
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
