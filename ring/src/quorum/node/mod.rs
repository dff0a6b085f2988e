mod catch_up;
mod floor;
mod hints;
mod output;
mod requests;
mod sweeps;

use quorate_core::{
    Corrupt, Embedded, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket,
};

use crate::quorum::catch_up::CatchUp;
use crate::quorum::change::check;
use crate::quorum::frontier::Collector;
use crate::quorum::handoff::Handoff;
use crate::quorum::holdings::{Asked, Holdings};
use crate::quorum::message::{Body, RecordBody};
use crate::quorum::requests::Requests;
use crate::quorum::sweep::{Reads, Sweep};
use crate::quorum::{
    Config, ConfigError, Event, Layout, LayoutError, Membership, Message, ReadOptions, Record,
    Request, RequestError, Status, Storage, Value, WriteOptions,
};
use crate::topology::{Freshness, Version};

/// A node of the quorum store: a replica of the keys that the layout gives it, and the coordinator of
/// the requests that its application makes.
///
/// | role | a node that only plays it |
/// |---|---|
/// | replica | makes no requests |
/// | coordinator | is in no preference list: a client that makes requests |
///
/// # Reads and writes
///
/// [`write`](Self::write) sends a value to all replicas of the key, and is done when W of them have
/// it durably; [`read`](Self::read) asks all of them, and is done when R have answered. With
/// R + W > N, and neither of them sloppy, a read meets each write that was acknowledged before it
/// began. What comes of a request is an [`Event`].
///
/// **A request that failed is not undone.** A write that timed out may be on some replicas, and may appear in reads later.
///
/// # Durability
///
/// A replica answers when the record of the value is durable, and sends no value that is not.
/// Nothing that was acknowledged by W replicas is lost as long as one of them keeps its disk. A disk
/// that is put back from a copy has not kept what came after: start such a node with an erased one.
///
/// A node with an erased disk must not pass for one that holds nothing. Without records a member
/// answers no reads, and takes no values but those that it asks the others for, until the operator
/// of a new cluster calls [`found`](Self::found), or all other nodes have gone through their keys
/// with it ([`Status::founded`]).
///
/// The layout is in no record: the application keeps on its disk what it is made of, and its
/// version. A node that starts with an older layout is refused by the others, and refuses them,
/// until it [learns](Layout::learn) the newer one or is [given](Self::set_layout) it. Nodes that
/// all start with an older one find nothing wrong with each other, and do not ask the replicas that
/// came later.
///
/// # Repair
///
/// | what | when |
/// |---|---|
/// | [read repair](super::ReadRepair) | when a read finds replicas that are behind |
/// | hinted handoff | every [`handoff_us`](Config::handoff_us), until the node for which the value was kept has it; after [`hint_life_us`](Config::hint_life_us) it goes to the other replicas in its place |
/// | sweeps | all the time: each node compares what it holds with each other replica, run by run, and sends what the other lacks |
/// | catching up | after a change of the layout, an erased disk or a floor that rose without it: a node asks each other one for a sweep, without pauses between them |
///
/// # Deletes
///
/// A delete is a write of a tombstone ([`Value::is_tombstone`]). One that is older than
/// [`purge_us`](Config::purge_us) is forgotten once every replica has it and nothing older can come
/// back: the nodes agree on a floor ([`Status::floor`]), a [clock](Value::clock) up to which no
/// change is taken any more, from hints, late messages and clients alike.
/// [`limit_floor`](Self::limit_floor) keeps it from rising too far where clocks are those of a wall.
/// A write below it fails
/// with [`Failure::Purged`](super::Failure::Purged) and has to be formed with a higher clock. With
/// [`Order::AfterRead`](super::Order::AfterRead) a [`Tagged`](super::Tagged) gets one by itself; a
/// stamp of [`Lww`](super::Lww), and the dot of a sibling, only its writer can give, and a write
/// with one that is too low fails with [`Failure::Behind`](super::Failure::Behind). While a node is
/// down the floor stays where it is, and tombstones are kept.
///
/// # Changing the replicas
///
/// In two steps, each a [layout](Self::set_layout) with its own version, adopted by all nodes. In
/// the first, requests need a quorum of the present replicas and one of those that are to follow
/// ([`Layout::next_replicas`]), and each node asks all members for what it lacks. When
/// [`Status::synchronized`] is true of every node, with that layout's version in
/// [`Status::version`], all that was acknowledged is where it is to be, and the second layout has
/// the new replicas alone. A node that holds a key no longer drops it then. A value that was read,
/// but not acknowledged to its writer, may have been on a node that left, and be gone.
///
/// How long the first step takes depends on the data that moves and on the round trips; there are
/// no pauses in it. Every member has to be up: one that will not come back is said to be
/// [lost](Self::set_lost).
///
/// A node that joins takes part once the node with the lowest id has told it the floor: while that
/// one is down, it waits. It may have a disk from a time when it was a member: what the others may
/// have purged since goes, and what it lacks it gets. But give such a node the layout in which it
/// joins: if the first one that it hears of is a later one, of which it is a member, it cannot tell
/// that it was none for a while.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output};
/// use quorate_ring::quorum::{Config, Event, Inline, Lww, Node, ReadOptions, Replicated, WriteOptions};
/// use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
/// use quorate_clocks::{Actor, Stamp, Timestamp};
///
/// let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
/// ring.add(Member::new(NodeId::new(1)))?;
/// let layout = Replicated::new(Version::default(), ring, 1);
/// let mut node = Node::<Lww<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
/// node.found();
/// let stamp = Stamp { time: Timestamp::from_micros(1), actor: Actor::from(NodeId::new(1)) };
/// node.write(Instant::ZERO, b"key", Lww::new(stamp, 7), WriteOptions::default())?;
/// node.read(Instant::ZERO, b"key", ReadOptions::default())?;
/// let mut seen = None;
/// loop {
///     let mut last = None;
///     while let Some(output) = node.poll() {
///         match output {
///             Output::Persist(ticket, _) => last = Some(ticket),
///             Output::Event(Event::Found { value, .. }) => seen = value.and_then(|value| value.get().copied()),
///             _ => {}
///         }
///     }
///     let Some(ticket) = last else { break };
///     node.persisted(ticket);
/// }
/// assert_eq!(seen, Some(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Node<V: Value, L, S: Storage> {
    id: NodeId,
    layout: L,
    /// What this node is in it: the layout may go through all of itself to tell.
    membership: Membership,
    config: Config,
    requests: Requests<V, S>,
    holdings: Holdings<V, S>,
    handoff: Handoff,
    sweep: Sweep,
    collector: Collector,
    catch_up: CatchUp,
    /// The node of the last sweep; the event is due.
    swept: Option<NodeId>,
    now: Instant,
    /// The newest layout of another node that is newer than this one's, and whose that is; whether the event is due.
    newer_layout: Option<(NodeId, Version)>,
    newer_layout_due: bool,
    /// Whose topology was taken over; the event is due.
    learned_from: Option<NodeId>,
    started: bool,
    /// What was restored has an age.
    dated: bool,
    rejections: Rejections,
}

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    /// A node without records.
    ///
    /// `incarnation` is a number that this node has not used before, and will not again: it tells
    /// the answers to its requests from those to requests of an earlier life, and its writes from
    /// those of an earlier life ([`WriteId`](super::WriteId)). Take a random number, or the time of
    /// a clock that does not go back. A counter of its starts will do as long as it is not on the
    /// disk with the records: on an erased disk it begins anew, and two writes may get one
    /// `WriteId`.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, ConfigError, Inline, Node, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// type Store<L> = Node<Tagged<u32>, L, Inline<8, 16>>; // 8 keys of 16 bytes
    /// let node = Store::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// assert_eq!((node.status().keys, node.status().founded), (0, false));
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
        config.check()?;
        let requests = Requests::new(id, incarnation, &config);
        let most_repairs = requests.most_repairs(&config);
        // who joins waits for it
        let collect_us = if layout.is_moving() { 0 } else { config.purge_us };
        Ok(Self {
            id,
            membership: layout.membership(id),
            layout,
            requests,
            holdings: Holdings::new(id, incarnation, &config),
            config,
            handoff: Handoff::new(most_repairs),
            sweep: Sweep::new(most_repairs, Instant::ZERO.after(config.sweep_us)),
            catch_up: CatchUp::new(),
            collector: Collector::new(Instant::ZERO.after(collect_us)),
            swept: None,
            now: Instant::ZERO,
            newer_layout: None,
            newer_layout_due: false,
            learned_from: None,
            started: false,
            dated: false,
            rejections: Rejections::default(),
        })
    }

    /// This node is one of a new cluster, which holds nothing yet. To be called once, by the operator: a node that was erased answers no reads until it has been rebuilt.
    ///
    /// Two nodes that were erased at once wait for each other: the operator calls it on one of
    /// them, and with that gives up what only they held. That one takes part at once, and gets what
    /// the others have. On a node that holds no keys, or is to join, it does nothing: the latter is
    /// told.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// type Store<L> = Node<Tagged<u32>, L, Inline<8, 16>>;
    /// let mut node = Store::new(NodeId::new(1), 1, layout.clone(), Config::lan())?;
    /// node.found();
    /// let Some(Output::Persist(_, record)) = node.poll() else { panic!() };
    /// let mut restarted = Store::new(NodeId::new(1), 2, layout.clone(), Config::lan())?;
    /// restarted.restore(record)?; // so it is not called again
    /// let erased = Store::new(NodeId::new(1), 3, layout, Config::lan())?;
    /// assert_eq!((restarted.status().founded, erased.status().founded), (true, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn found(&mut self) {
        self.start();
        if !self.membership.is_member() || self.holdings.is_founded() {
            return;
        }
        if self.holdings.frontier().sealed() > 0 || self.holdings.known_floor() > 0 {
            self.holdings.fall_behind(); // the others have purged what it would not know of
            self.holdings.set_founded(true);
        } else {
            self.holdings.set_founded(true);
            self.holdings.catch_up(self.layout.version());
        }
    }

    /// Writes a value.
    ///
    /// A value that [a replica forms](Value::FORMED_BY_REPLICAS) is formed from what [`local`](Self::local) returns; from then on `local` returns it, whatever becomes of the request.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Level, LevelError, Node, RequestError, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// # node.found();
    /// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// let mut sent = Vec::new();
    /// while let Some(output) = node.poll() {
    ///     match output {
    ///         Output::Persist(ticket, _record) => node.persisted(ticket),
    ///         Output::Send(to, _message) => sent.push(to),
    ///         _ => {} // no event yet: of three replicas one more must answer
    ///     }
    /// }
    /// assert_eq!(sent, [2, 3].map(NodeId::new));
    ///
    /// let of_four = WriteOptions { level: Level::Count(4), ..WriteOptions::default() };
    /// let refused = node.write(Instant::ZERO, b"key", Tagged::nth(2, 8), of_four);
    /// assert_eq!(refused, Err(RequestError::Level(LevelError::Above { replicas: 3 })));
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
        let request = self.requests.write(self.now, &self.layout, key, value, options)?;
        // the next value of the key is formed from what is here
        if V::FORMED_BY_REPLICAS
            && let Some((place, action)) = self.requests.take_own_action(request)
        {
            self.act_here(place, action);
        }
        Ok(request)
    }

    /// Reads the value of a key.
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
    /// // this node is the only replica
    /// let request = node.read(Instant::ZERO, b"key", ReadOptions::default())?;
    /// let mut found = None;
    /// while let Some(output) = node.poll() {
    ///     if let Output::Event(Event::Found { request, value }) = output {
    ///         found = Some((request, value.cloned()));
    ///     }
    /// }
    /// assert_eq!(found, Some((request, None))); // nobody has written the key
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

    /// Reads the value of a key that includes what was seen of it: it waits for more replicas than the level asks for, if those that answered first have less.
    ///
    /// With the context of what a client has read and written last ([`Value::context`]) its reads do not go back, and include its own writes, whatever the levels.
    /// What was deleted and purged meanwhile is not waited for: the client goes on with the context of what it reads then.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Event, Inline, Node, ReadOptions, Tagged, Value, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 1);
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// # node.found();
    /// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// for seen in [Tagged::nth(1, 7_u32), Tagged::nth(2, 8)] {
    ///     node.read_at_least(Instant::ZERO, b"key", ReadOptions::default(), seen.context())?;
    /// }
    /// let mut found = 0;
    /// while let Some(output) = node.poll() {
    ///     match output {
    ///         Output::Persist(ticket, _record) => node.persisted(ticket),
    ///         Output::Event(Event::Found { .. }) => found += 1,
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!((found, node.status().requests), (1, 1)); // who has seen the second write waits for it
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

    /// What this node itself holds for a key, durable or about to be, a tombstone too; `None` if it
    /// has nothing. What it holds for others as a fallback does not count.
    ///
    /// A node that is no replica of the key any more may return it for a while yet, until it has
    /// gone over its keys and dropped it.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Tagged, WriteOptions};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// # node.found();
    /// node.write(Instant::ZERO, b"key", Tagged::nth(1, 7), WriteOptions::default())?;
    /// while let Some(output) = node.poll() {
    ///     if let Output::Persist(ticket, _record) = output {
    ///         node.persisted(ticket);
    ///     }
    /// }
    /// assert_eq!(node.local(b"key").and_then(Tagged::get), Some(&7)); // though no other replica has answered
    /// assert_eq!(node.local(b"another"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn local(&self, key: &[u8]) -> Option<&V> {
        self.holdings.value(self.layout.token(key), key)
    }

    /// A node is down, or up again, as a failure detector has it.
    ///
    /// A request that cannot be met without nodes that are down is
    /// [not begun](RequestError::Unavailable). Others do not ask them at first, and a sloppy one
    /// asks fallbacks in their place at once; after [`retry_us`](Config::retry_us) they are asked
    /// as well. Writes that are kept for a node that is down wait until it is up, or
    /// [too old](Config::hint_life_us).
    ///
    /// 32 nodes at most are down in this sense; answers of others are waited for.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, ReadOptions, RequestError, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// # node.found();
    /// node.set_down(NodeId::new(2), true);
    /// assert!(node.read(Instant::ZERO, b"key", ReadOptions::default()).is_ok());
    /// node.set_down(NodeId::new(3), true);
    /// let refused = node.read(Instant::ZERO, b"key", ReadOptions::default());
    /// assert_eq!(refused, Err(RequestError::Unavailable { required: 2, alive: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_down(&mut self, node: NodeId, down: bool) {
        self.requests.set_down(node, down);
        if !down {
            self.wake_handoff(self.now);
        }
    }

    /// A node will not come back, or not with its disk: nothing waits for what it has. To be called on every node, after each start, until the node is none of the
    /// layout's, or is being rebuilt.
    ///
    /// | of a node that is lost | |
    /// |---|---|
    /// | a change of the replicas | gets ready without it ([`Status::synchronized`]), so that it can be taken out |
    /// | others that lost their disks | are rebuilt without it |
    /// | writes that are kept for it | go to the other replicas of the key at once |
    /// | requests | count it as [down](Self::set_down): say that, too |
    /// | the floor | stays where it is until the node is taken out |
    ///
    /// What only that node had is gone: of writes that were acknowledged, those whose W replicas are all lost. 32 nodes at most are lost in this sense.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 2);
    /// // its disk was erased, and the only other node is not to come back
    /// let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// assert!(!node.status().founded);
    /// node.set_lost(NodeId::new(2), true);
    /// node.tick(Instant::from_micros(Config::lan().retry_us));
    /// assert!(node.status().founded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_lost(&mut self, node: NodeId, lost: bool) {
        self.catch_up.set_lost(node, lost);
        self.catch_up.restart(self.now); // it may be what was waited for
        if self.layout.is_moving() {
            self.collector.layout_changed(self.now); // it may be this node now that tells the floor
        }
        self.wake_handoff(self.now);
    }

    /// How many writes this node keeps for another: what an operator wants to be 0 before a node that is gone for good is taken out of the layout.
    #[must_use]
    pub fn hints_for(&self, node: NodeId) -> usize {
        self.holdings.hints().iter().filter(|hint| hint.owner == node && !hint.done).count()
    }

    /// The floor does not rise above this [clock](Value::clock), as far as this node has a say: without a limit a single tombstone with the clock of a day far ahead takes
    /// the floor there once it is old enough, and every new value is refused until that day.
    ///
    /// Where clocks tell a time, as those of [`Lww`](super::Lww) do, an application sets it when the node starts, and again from time to time, to that of its own clock
    /// some time ago: of [`purge_us`](Config::purge_us), for instance. It does so on every node: the one with the lowest id goes no further than its own limit, and where another one has a higher id, its limit
    /// keeps the floor and the tombstones, but not the others from refusing new values. It is not on the disk.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Hlc, Timestamp};
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::quorum::{Config, Inline, Lww, Node, Replicated, Value};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<1, 16>>::new(KeyHash::default(), 16);
    /// # ring.add(Member::new(NodeId::new(1)))?;
    /// # let layout = Replicated::new(Version::default(), ring, 1);
    /// let config = Config::lan();
    /// let mut node = Node::<Lww<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, config)?;
    /// let now_us = 1_800_000_000_000_000;
    /// node.limit_floor(Timestamp::from_micros(now_us - config.purge_us).to_bits());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn limit_floor(&mut self, clock: u64) {
        self.holdings.limit_floor(clock);
    }

    /// What this node goes by.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Layout, Node, Tagged};
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let mut ring = HashRing::<quorate_ring::Inline<3, 48>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2, 3].map(|id| Member::new(NodeId::new(id))))?;
    /// # let layout = quorate_ring::quorum::Replicated::new(Version { epoch: 1, digest: 0 }, ring, 3);
    /// # let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, layout, Config::lan())?;
    /// # node.found();
    /// let layout = node.layout();
    /// let holders = layout.replicas(layout.token(b"key"));
    /// assert_eq!((holders.replicas().len(), layout.version().epoch), (3, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn layout(&self) -> &L {
        &self.layout
    }

    /// The node goes by another layout from now on. Requests in flight begin anew with it.
    ///
    /// A layout of another set of replicas is reached in two steps: one in which requests ask both sets ([`Layout::next_replicas`]), and, once the new replicas have
    /// everything, one with the new set alone.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Layout, Node, Replicated, Tagged};
    /// # use quorate_core::{Machine, NodeId};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    ///
    /// let version = |epoch| Version { epoch, digest: 0 };
    /// let mut ring = HashRing::<quorate_ring::Inline<2, 32>>::new(KeyHash::default(), 16);
    /// ring.add(Member::new(NodeId::new(1)))?;
    /// let old = Replicated::new(version(1), ring.clone(), 2);
    /// let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, old.clone(), Config::lan())?;
    ///
    /// ring.add(Member::new(NodeId::new(2)))?; // another node joins
    /// node.set_layout(old.moving_to(ring.clone())?.in_version(version(2)))?;
    /// assert!(node.layout().is_moving());
    /// // once every node has this layout, and is `synchronized` in it
    /// node.set_layout(Replicated::new(version(3), ring, 2))?;
    /// assert_eq!(node.status().version, version(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The two layouts are compared range by range: for a [`HashRing`](crate::HashRing) with 100,000 points that takes some tens of milliseconds.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] of an older layout, and of one whose replicas are neither the present ones nor those that were to follow; nothing was changed.
    pub fn set_layout(&mut self, layout: L) -> Result<(), LayoutError> {
        check(&self.layout, &layout)?;
        // not by force_layout: another copy of a layout takes kilobytes of a board's stack
        self.layout = layout;
        self.layout_changed();
        Ok(())
    }

    /// The same, whatever the layout says.
    ///
    /// **Keys are lost** that none of the new replicas has. It is for an operator who knows better: where a node is gone for good, for instance, and the others have
    /// what it had.
    ///
    /// ```
    /// use quorate_ring::quorum::{Config, Inline, Node, Replicated, Tagged};
    /// # use quorate_core::{Machine, NodeId};
    /// # use quorate_ring::{HashRing, KeyHash, Member, topology::Version};
    /// # let version = |epoch| Version { epoch, digest: 0 };
    /// # let mut ring = HashRing::<quorate_ring::Inline<2, 32>>::new(KeyHash::default(), 16);
    /// # ring.add_all(&[1, 2].map(|id| Member::new(NodeId::new(id))))?;
    /// let old = Replicated::new(version(1), ring.clone(), 2);
    /// let mut node = Node::<Tagged<u32>, _, Inline<8, 16>>::new(NodeId::new(1), 1, old, Config::lan())?;
    /// ring.remove(NodeId::new(2))?; // it burned down
    /// node.force_layout(Replicated::new(version(2), ring, 2));
    /// assert_eq!(node.status().version, version(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn force_layout(&mut self, layout: L) {
        self.layout = layout;
        self.layout_changed();
    }

    fn layout_changed(&mut self) {
        self.sweep.cancel(self.now, &self.config);
        self.cancel_repairs();
        self.membership = self.layout.membership(self.id);
        (self.newer_layout, self.newer_layout_due) = (None, false);
        self.enter_layout();
        self.collector.layout_changed(self.now);
        self.holdings.begin_scrub();
        self.holdings.set_rotation(self.sweep.rotation());
        self.requests.restart(&self.layout);
        self.wake_handoff(self.now);
    }

    /// Another node goes by this version.
    fn compare_layouts(&mut self, from: NodeId, version: Version) {
        let newer = |than: Version| version.compare(than) == Freshness::Newer;
        let own = self.layout.version();
        if version == own {
            return;
        }
        let is_newer = newer(own) || version.compare(own) == Freshness::Conflict;
        let is_news = self.newer_layout.is_none_or(|(_, told)| newer(told));
        if is_newer && is_news && self.layout.topology().is_empty() {
            (self.newer_layout, self.newer_layout_due) = (Some((from, version)), true);
        }
    }

    const fn asked(by: NodeId, incarnation: u64, number: u64) -> Asked {
        Asked { by, incarnation, number }
    }
}
impl<V: Value + 'static, L: Layout, S: Storage> Machine for Node<V, L, S> {
    type Message<'a> = Message<'a, V>;
    type Record<'a> = Record<'a, V>;
    type Event<'a> = Event<'a, V>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, V>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        match record.0 {
            RecordBody::Put { key, value } => {
                let value = value.read().map_err(|_| Corrupt::Malformed)?;
                self.holdings.restore_key(self.layout.token(key), key, value)
            }
            RecordBody::Hint { owner, key, value } => {
                let value = value.read().map_err(|_| Corrupt::Malformed)?;
                self.handoff.wake(Instant::ZERO.after(self.config.handoff_us));
                self.holdings.restore_hint(owner, self.layout.token(key), key, value)
            }
            RecordBody::HintDone { owner, key } => {
                self.holdings.restore_hint_done(owner, self.layout.token(key), key);
                Ok(())
            }
            RecordBody::Member(is_member) => {
                self.holdings.restore_standing().restore_founded(is_member);
                Ok(())
            }
            RecordBody::Behind => {
                self.holdings.restore_standing().restore_behind();
                Ok(())
            }
            RecordBody::CaughtUp { epoch, digest } => {
                let version = Version { epoch, digest };
                self.holdings.restore_standing().restore_caught_up(version);
                Ok(())
            }
            RecordBody::Purged { key } => {
                self.holdings.restore_purged(self.layout.token(key), key);
                Ok(())
            }
            RecordBody::Floor(floor) => {
                self.holdings.restore_floor(floor);
                self.requests.raise_floor(floor);
                Ok(())
            }
            RecordBody::Sealed(sealed) => {
                self.holdings.restore_sealed(sealed);
                self.requests.raise_floor(sealed);
                Ok(())
            }
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, V>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = match &message.body {
            _ if from == self.id => Err(Rejected::Impossible),
            Body::Write { .. } | Body::Hint { .. } | Body::Read { .. } => {
                let asked = Self::asked(from, message.incarnation, message.number);
                self.handle_request(asked, message.version(), &message.body)
            }
            Body::Seal { known, floor, sealed } => {
                let asked = Self::asked(from, message.incarnation, message.number);
                self.handle_seal(asked, message.version(), *known, (*floor, *sealed))
            }
            Body::Summary { .. } | Body::Offer { .. } | Body::Swept { .. } | Body::CatchUp => {
                let asked = Self::asked(from, message.incarnation, message.number);
                self.handle_sweep(asked, message.version(), &message.body)
            }
            _ => self.handle_answer(from, &message),
        };
        if result.is_ok() {
            self.compare_layouts(from, message.version());
        }
        result.map_err(|rejected| self.rejections.count(rejected))
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.start();
        if !self.dated {
            self.dated = true;
            self.holdings.date(self.now);
        }
        self.requests.tick(self.now);
        if self.handoff.is_due(self.now) {
            self.hand_over();
        }
        let Self { holdings, layout, config, now, sweep, id, .. } = self;
        let reads = Reads { now: *now, node: *id, keys: holdings.keys(), layout, config };
        sweep.tick(&reads);
        self.holdings.set_rotation(self.sweep.rotation());
        self.holdings.scrub(self.now, &self.config, &self.layout);
        self.tick_collector();
        self.tick_catch_up();
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.holdings.persisted(ticket);
        self.sweep.on_persisted(self.now);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan()?;
        self.make(plan)
    }

    fn deadline(&self) -> Option<Instant> {
        let always = [self.sweep.deadline(), self.holdings.scrub_at(), self.collector.deadline()];
        let sometimes = [self.requests.deadline(), self.handoff.deadline()];
        let catch_up = self.catch_up.deadline();
        let catch_up = (catch_up < Instant::MAX && self.has_to_ask()).then_some(catch_up);
        let sometimes = sometimes.into_iter().chain([catch_up]).flatten();
        always.into_iter().chain(sometimes).min()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, V>> {
        let founded = self.holdings.is_founded().then_some(Record(RecordBody::Member(true)));
        let standing = self.standing_record().map(Record);
        let frontier = self.holdings.frontier();
        let floor = (frontier.floor() > 0).then(|| Record(RecordBody::Floor(frontier.floor())));
        let sealed = (frontier.sealed() > frontier.floor())
            .then(|| Record(RecordBody::Sealed(frontier.sealed())));
        let keys = self.holdings.keys().iter().filter(|entry| !entry.done).map(|entry| {
            Record(RecordBody::Put { key: &entry.key, value: Embedded::Local(&entry.value) })
        });
        let hints = self.holdings.hints().iter().filter(|hint| !hint.done).map(|hint| {
            let (owner, value) = (hint.owner, Embedded::Local(&hint.value));
            Record(RecordBody::Hint { owner, key: &hint.key, value })
        });
        founded.into_iter().chain(standing).chain(floor).chain(sealed).chain(keys).chain(hints)
    }

    fn status(&self) -> Status {
        Status {
            id: self.id,
            version: self.layout.version(),
            founded: self.holdings.is_founded(),
            synchronized: self.is_synchronized(),
            floor: self.holdings.frontier().floor(),
            sealed: self.holdings.frontier().sealed(),
            keys: self.holdings.keys().len(),
            hints: self.holdings.hints().len(),
            requests: self.requests.len(),
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }
}
