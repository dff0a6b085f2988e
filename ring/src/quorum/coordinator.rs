use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};

use super::in_flight::Action;
use super::message::Body;
use super::requests::Requests;
use super::{
    Config, ConfigError, Event, Layout, Message, ReadOptions, Record, Request, RequestError,
    Storage, Value, WriteOptions,
};
use crate::topology::Version;

/// A client of the quorum store: it makes requests of the replicas, and holds no keys.
///
/// It speaks to each replica itself, so that a request takes one round trip, and keeps nothing on a disk. Of the limits of a
/// [storage](super::Inline) it uses those of requests and of a key's bytes. A replica makes requests with its [`Node`](super::Node).
///
/// Its id must differ from every replica's. Values that a replica has to form, as [siblings](quorate_clocks::Siblings), are written at a [`Node`](super::Node).
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output};
/// use quorate_ring::quorum::{Config, Coordinator, Event, Inline, Node, Replicated, Tagged, WriteOptions};
/// use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
///
/// let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// ring.add(Member::new(NodeId::new(1)))?;
/// let layout = Replicated::new(Version::default(), ring, 1);
/// let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
/// node.found();
///
/// let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
/// let request = client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
/// let Some(Output::Send(to, message)) = client.poll() else { panic!() };
/// assert_eq!(to, NodeId::new(1));
/// node.receive(Instant::ZERO, NodeId::new(9), message)?;
/// let mut done = false;
/// while !done {
///     match node.poll() {
///         Some(Output::Persist(ticket, _)) => node.persisted(ticket),
///         Some(Output::Send(_, answer)) => {
///             client.receive(Instant::ZERO, NodeId::new(1), answer)?;
///             done = matches!(client.poll(), Some(Output::Event(Event::Written { request: it, .. })) if it == request);
///         }
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Coordinator<V: Value, L, S: Storage> {
    id: NodeId,
    layout: L,
    requests: Requests<V, S>,
    now: Instant,
    /// Whose topology was taken over; the event is due.
    learned_from: Option<NodeId>,
    rejections: Rejections,
}

impl<V: Value + 'static, L: Layout, S: Storage> Coordinator<V, L, S> {
    /// A client without requests.
    ///
    /// `incarnation` is a number that this client has not used before, and will not again: it tells
    /// the answers to its requests from those to requests of an earlier life, and its writes from
    /// those of an earlier life ([`WriteId`](super::WriteId)). Take a random number, or the time of
    /// a clock that does not go back.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, ConfigError, Coordinator, Inline, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// type Client<L> = Coordinator<Tagged<u32>, L, Inline<0, 16>>; // keys of 16 bytes, none of them here
    /// let client = Client::new(NodeId::new(9), 1, layout.clone(), Config::lan())?;
    /// assert_eq!(client.status().requests, 0);
    /// let never = Config { attempts: 0, ..Config::lan() };
    /// assert_eq!(Client::new(NodeId::new(9), 1, layout, never).err(), Some(ConfigError::Attempts));
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
        config.check()?;
        Ok(Self {
            id,
            layout,
            requests: Requests::new(id, incarnation, &config),
            now: Instant::ZERO,
            learned_from: None,
            rejections: Rejections::default(),
        })
    }

    /// Writes a value, as [`Node::write`](super::Node::write) does.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, RequestError, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// let mut sent = Vec::new();
    /// while let Some(Output::Send(to, _message)) = client.poll() {
    ///     sent.push(to);
    /// }
    /// assert_eq!(sent.len(), 3); // one for each replica
    /// let refused = client.write(Instant::ZERO, &[0; 17], Tagged::nth(1, 7), WriteOptions::default());
    /// assert_eq!(refused, Err(RequestError::KeyTooLong));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`]; nothing was sent or changed.
    pub fn write(
        &mut self,
        now: Instant,
        key: &[u8],
        value: V,
        options: WriteOptions,
    ) -> Result<Request, RequestError> {
        self.tick(now);
        self.requests.write(self.now, &self.layout, key, value, options)
    }

    /// Reads the value of a key, as [`Node::read`](super::Node::read) does.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, ReadOptions, RequestError, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// for _ in 0..4 {
    ///     client.read(Instant::ZERO, b"key", ReadOptions::default())?;
    /// }
    /// // `Inline` has room for four requests, unless it is told to have more
    /// let refused = client.read(Instant::ZERO, b"key", ReadOptions::default());
    /// assert_eq!((refused, client.status().requests), (Err(RequestError::Busy), 4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`]; nothing was sent or changed.
    pub fn read(
        &mut self,
        now: Instant,
        key: &[u8],
        options: ReadOptions,
    ) -> Result<Request, RequestError> {
        self.tick(now);
        self.requests.read(self.now, &self.layout, key, options, None)
    }

    /// Reads a value that includes what was seen of it, as [`Node::read_at_least`](super::Node::read_at_least) does.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Event, Failure, Inline, ReadOptions, Replica, Tagged, Value};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
    /// # let mut replica = Replica::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// # replica.found();
    /// # let config = Config { attempts: 1, ..Config::lan() };
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, config)?;
    /// let seen = Tagged::nth(2, 8_u32).context(); // of a read or write before
    /// client.read_at_least(Instant::ZERO, b"key", ReadOptions::default(), seen)?;
    /// let Some(Output::Send(to, message)) = client.poll() else { panic!() };
    /// replica.receive(Instant::ZERO, NodeId::new(9), message)?;
    /// while let Some(output) = replica.poll() {
    ///     if let Output::Send(_, answer) = output {
    ///         client.receive(Instant::ZERO, to, answer)?; // it holds nothing
    ///     }
    /// }
    /// assert!(client.poll().is_none()); // an older value than the client has seen is not returned
    /// client.tick(Instant::from_micros(config.retry_us));
    /// let told = client.poll();
    /// assert!(matches!(told, Some(Output::Event(Event::Failed { failure: Failure::Missing, .. }))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`]; nothing was sent or changed.
    pub fn read_at_least(
        &mut self,
        now: Instant,
        key: &[u8],
        options: ReadOptions,
        seen: V::Context,
    ) -> Result<Request, RequestError> {
        self.tick(now);
        self.requests.read(self.now, &self.layout, key, options, Some(seen))
    }

    /// A node is down, or up again, as a failure detector has it: what that means for requests is
    /// said at [`Node::set_down`](super::Node::set_down).
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, RequestError, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// client.set_down(NodeId::new(1), true);
    /// client.set_down(NodeId::new(2), true);
    /// let refused = client.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default());
    /// assert_eq!(refused, Err(RequestError::Unavailable { required: 2, alive: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_down(&mut self, node: NodeId, down: bool) {
        self.requests.set_down(node, down);
    }

    /// What this client goes by.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, Layout, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// let layout = client.layout();
    /// assert_eq!(layout.replicas(layout.token(b"key")).replicas().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(&self) -> &L {
        &self.layout
    }

    /// The client goes by another layout from now on. Requests in flight begin anew with it.
    ///
    /// It is refused by replicas that go by another one, and takes over theirs where the layout can [learn](Layout::learn) it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Coordinator, Inline, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
    /// let next = client.layout().clone().in_version(Version { epoch: 2, digest: 0 });
    /// client.set_layout(next);
    /// assert_eq!(client.status().version.epoch, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_layout(&mut self, layout: L) {
        self.layout = layout;
        self.requests.restart(&self.layout);
    }
}

/// A [`Coordinator`] as it is seen from outside.
///
/// ```
/// use quorate_ring::quorum::{Config, Coordinator, Inline, ReadOptions, Tagged};
/// # use quorate_core::{Instant, Machine, NodeId, Output};
/// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
/// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
/// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
/// # let mut client = Coordinator::<Tagged<u32>, _, Inline<0, 16>>::new(NodeId::new(9), 1, layout, Config::lan())?;
/// client.read(Instant::ZERO, b"key", ReadOptions::default())?;
/// let status = client.status();
/// assert_eq!((status.id, status.version.epoch, status.requests), (NodeId::new(9), 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct CoordinatorStatus {
    /// This client.
    pub id: NodeId,
    /// The layout that it goes by.
    pub version: Version,
    /// Its requests in flight.
    pub requests: usize,
}

impl<V: Value + 'static, L: Layout, S: Storage> Machine for Coordinator<V, L, S> {
    type Message<'a> = Message<'a, V>;
    type Record<'a> = Record<'a, V>;
    type Event<'a> = Event<'a, V>;
    type Status = CoordinatorStatus;

    /// It writes no records: one that is given to it is not its own.
    fn restore(&mut self, _record: Record<'_, V>) -> Result<(), Corrupt> {
        Err(Corrupt::Malformed)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, V>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = match message.body {
            _ if from == self.id => Err(Rejected::Impossible),
            Body::Topology { topology } if self.layout.learn(topology) => {
                self.learned_from = Some(from);
                self.requests.restart(&self.layout);
                Ok(())
            }
            _ => self.requests.on_answer(from, &message, self.layout.version()),
        };
        result.map_err(|rejected| self.rejections.count(rejected))
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.requests.tick(self.now);
    }

    fn persisted(&mut self, _ticket: Ticket) {}

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        if let Some(from) = self.learned_from.take() {
            return Some(Output::Event(Event::LayoutChanged { from }));
        }
        let (place, action) = self.requests.next_action()?;
        if let Action::Done(failure) | Action::HandedOver(failure) = action {
            return Some(Output::Event(self.requests.get(place)?.event(failure)?));
        }
        let (to, message) = self.requests.message(place, action, &self.layout)?;
        Some(Output::Send(to, message))
    }

    fn deadline(&self) -> Option<Instant> {
        self.requests.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, V>> {
        core::iter::empty()
    }

    fn status(&self) -> CoordinatorStatus {
        let (id, version) = (self.id, self.layout.version());
        CoordinatorStatus { id, version, requests: self.requests.len() }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }
}
