//! The machine that executes a [`Plan`](crate::Plan): [`Migration`], and what it sends, records and tells.
//!
//! Memory is bounded: in the value with [`Inline`], whose parameters are the limits, and on the heap with `quorate_ring::Heap`, whose
//! limits are those of [`Config`].
//!
//! # Chunks and cursors
//!
//! A range that is longer than a chunk is read in several. With each comes a cursor: bytes of the application's own that say where it
//! ended, such as its last key. The target keeps the cursor on record, so a source that restarts is asked for what comes
//! [after](Event::Read) it. Here a chunk takes three keys with their values, and the cursor is a key:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use quorate_core::{Instant, Machine, NodeId, Output, Wire};
//! use quorate_ring::migration::{Config, Event, Inline, Item, Message, Migration, Ownership};
//! use quorate_ring::topology::Version;
//!
//! type Node = Migration<u64, Inline<2, 1, 6, 1>>; // chunks of 6 bytes, cursors of 1
//! type Data = BTreeMap<u8, u8>;
//!
//! /// The keys after the cursor that fit, and the cursor of the next chunk, if there is one.
//! fn read(data: &Data, after: &[u8], max_bytes: usize) -> (Vec<u8>, Option<u8>) {
//!     let is_left = |(key, _): &(&u8, &u8)| after.first().is_none_or(|after| *key > after);
//!     let mut rest = data.iter().filter(is_left).peekable();
//!     let taken: Vec<_> = rest.by_ref().take(max_bytes / 2).collect();
//!     let last = taken.last().map(|(key, _)| **key);
//!     let chunk = taken.iter().flat_map(|(key, value)| [**key, **value]).collect();
//!     (chunk, last.filter(|_| rest.peek().is_some()))
//! }
//!
//! enum Task {
//!     Accept,
//!     Read { after: Vec<u8>, max_bytes: usize },
//!     Apply(Vec<u8>),
//!     Release,
//! }
//!
//! let (ids, range) = ([1, 2].map(NodeId::new), 7);
//! let mut nodes = [Node::new(ids[0], &ids, Config::lan())?, Node::new(ids[1], &ids, Config::lan())?];
//! let mut data = [(0..8).map(|key| (key, 10 * key)).collect(), Data::new()];
//! let (mut now, mut cursors) = (Instant::ZERO, Vec::new());
//! nodes.iter_mut().for_each(|node| node.tick(now));
//! nodes[0].begin(range, ids[1], Version::default())?;
//! while nodes[1].ownership(range) != Ownership::Arrived(ids[0]) {
//!     now = now.after(1_000);
//!     for at in 0..2 {
//!         nodes[at].tick(now);
//!         let (mut frames, mut task, mut ticket) = (Vec::new(), None, None);
//!         while let Some(output) = nodes[at].poll() {
//!             match output {
//!                 Output::Persist(last, _record) => ticket = Some(last),
//!                 Output::Send(_, message) => {
//!                     let mut frame = vec![0; message.encoded_len()];
//!                     message.to_slice(&mut frame)?;
//!                     frames.push(frame);
//!                 }
//!                 Output::Event(Event::Offered { .. }) => task = Some(Task::Accept),
//!                 Output::Event(Event::Read { after, max_bytes, .. }) => {
//!                     cursors.push(after.to_vec());
//!                     task = Some(Task::Read { after: after.to_vec(), max_bytes });
//!                 }
//!                 Output::Event(Event::Apply { item: Item::Chunk(chunk), .. }) => task = Some(Task::Apply(chunk.to_vec())),
//!                 Output::Event(Event::Copied { .. }) => task = Some(Task::Release),
//!                 Output::Event(_) => {}
//!             }
//!         }
//!         match task {
//!             Some(Task::Accept) => nodes[at].accept(range)?,
//!             Some(Task::Read { after, max_bytes }) => {
//!                 let (chunk, cursor) = read(&data[at], &after, max_bytes);
//!                 nodes[at].provide(range, &chunk, cursor.as_ref().map(std::slice::from_ref))?;
//!             }
//!             Some(Task::Apply(chunk)) => {
//!                 data[at].extend(chunk.chunks(2).map(|pair| (pair[0], pair[1])));
//!                 nodes[at].applied(range)?; // once that is durable
//!             }
//!             Some(Task::Release) => nodes[at].release(range)?,
//!             None => {}
//!         }
//!         if let Some(ticket) = ticket {
//!             nodes[at].persisted(ticket); // after the sync
//!         }
//!         for frame in frames {
//!             nodes[1 - at].receive(now, ids[at], Message::from_slice(&frame)?)?;
//!         }
//!     }
//! }
//! assert_eq!(cursors, [vec![], vec![2], vec![5]]); // three chunks: of 3, 3 and 2 keys
//! assert_eq!(data[0], data[1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod error;
mod event;
mod incoming;
mod input;
mod limits;
mod message;
mod outgoing;
mod output;
mod peer;
mod range;
mod storage;

use quorate_core::{
    Corrupt, Instant, List, Machine, NodeId, Output, Rejected, Rejections, Ticket, Tickets,
};

use crate::topology::Version;
pub use config::Config;
pub use error::{BeginError, ConfigError, ForwardError, HandoverError, ProvideError};
pub use event::{Event, Handover, Item, Ownership, Progress, Status, Writes};
use incoming::Incoming;
pub use message::{Body, Message, Record, Refusal, Stage, WritesIter};
use outgoing::Outgoing;
use peer::Peer;
pub use range::Range;
pub use storage::{Inline, Storage};

/// Numbers of hand-overs, sessions and items are below 2^62.
const MAX_NUMBER: u64 = (1 << 62) - 1;

/// Hands ranges over from node to node, as a [`Machine`]: each range has one owner, whatever crashes, and no write is lost.
///
/// Every node has one. It is the source of the ranges that leave its node, and the target of those that come. The application owns the
/// data; the machine says which chunk to read, what to apply, and who the owner is.
///
/// # A hand-over
///
/// | step | source | target |
/// |---|---|---|
/// | 1 | [`begin`](Self::begin) | [`Event::Offered`]: empty the range, then [`accept`](Self::accept) it |
/// | 2 | [`Event::Read`]: [`provide`](Self::provide) a chunk | [`Event::Apply`]: make it durable, then [`applied`](Self::applied) |
/// | | again and again, until the last chunk | |
/// | 3 | [`Event::Copied`]: [`release`](Self::release) the range | |
/// | 4 | **one record** decides: the range is released | |
/// | 5 | [`Event::Released`]: send clients to the target | [`Event::Arrived`]: serve the range |
/// | 6 | [`Event::Closed`]: delete the data, then [`retire`](Self::retire) | [`retire`](Self::retire) |
///
/// Until step 4 the source is the owner: it serves reads, and all it has to do to end the hand-over is [`cancel`](Self::cancel) it. The
/// record of step 4 makes the target the owner: the range leaves the source and appears at the target at once. The source tells it so
/// until the target has that on record, and keeps the data until then. Between the source's record and the target's nobody serves the
/// range: a round trip and a write to the disk, or longer if a message is lost or one of them is down. At no time do two.
///
/// [`ownership`](Self::ownership) tells who serves a key. It knows the hand-overs alone: what is in none belongs to whom the placement
/// says. So a hand-over stays, on record too, until it is retired: do that when the new placement is durable at this node. There must be
/// room for all hand-overs of one plan that leave this node, and for all that come.
///
/// Commands name a range as it was begun or offered, whole. Only `ownership` takes a place in it, such as that of a key.
///
/// # Writes
///
/// While the source is the owner, a write to the range goes to both: [`forward`](Self::forward) it, and when [`Event::Forwarded`]
/// names it the target has it. Only then apply it at the source, and then tell the client. In this order a crash loses nothing that a
/// client or a reader has seen: a write that a crash interrupts may be there after the release, or not, as with every write without an
/// answer. Before the first chunk is read nothing is at the target, and writes are told as forwarded at once.
///
/// Chunks and writes are one sequence, in which the target applies them, one item at a time; writes that wait travel together. So a
/// chunk never brings back what a later write replaced, and data needs no versions. The application keeps to that if, at
/// [`Event::Read`], it has applied what [`Event::Forwarded`] named before, and nothing else. After a crash an item may be applied once
/// more: forward what a write results in, not what it does (the sum, not the addend).
///
/// # What a plan asks of it
///
/// A [`Move::Copy`](crate::Move::Copy) from a node that drops the range later is a change of ownership: one hand-over. Where the
/// source keeps its copy, or keeps being the owner, as when a replica is added, the move is a copy only: begin the hand-over, and when
/// it is [`Copied`](Event::Copied) go on forwarding writes until the new placement is in force, and then [`cancel`](Self::cancel)
/// it: the target is told [`Event::Canceled`], and keeps the data as a replica's if the placement in force says so. Hand-overs that
/// do not overlap go in any order; [`Plan::moves`](crate::Plan::moves) continues where [`begin`](Self::begin) said
/// [`Busy`](BeginError::Busy).
///
/// # Crashes
///
/// Neither node starts over. The target has on record how far it is, and the application's cursor with it: a source that restarts
/// begins another session, asks for that, and reads on from there. What was said in an earlier session counts for nothing.
///
/// [`Event::Released`], [`Event::Closed`] and [`Event::Arrived`] are told again after a restart, as long as the hand-over stands so and is not
/// retired: the application may do twice what it does then. [`Event::Canceled`] is told once, and not at all if the node crashes after it has
/// that on record and before it tells. So an application that starts deletes what it has of ranges that are in no hand-over and that its
/// placement gives to others.
///
/// # Throttle
///
/// A source has [`max_open`](Config::max_open) hand-overs open at once, one item of each under way, and reads
/// [`bytes_per_second`](Config::bytes_per_second). A target takes as many as it has room for, and its application may refuse or delay.
/// Of each hand-over a node sends its peer one message in [`retry_us`](Config::retry_us) unasked, and one for each message that it gets.
///
/// # A node that forgets
///
/// * A target that forgot a range before its release says so when it hears of it, and the hand-over starts over ([`Event::Restarted`]).
///   One whose disk is an older copy is found out when the source goes on from what it acknowledged, as far as the source has not
///   restarted meanwhile; then it goes on from the older state, which is right, too: the source's data is the truth.
/// * A target that forgot a range after its release, before the source knew that it arrived, makes [`Event::TargetLost`]. What it wrote
///   as the owner is lost. [`reclaim`](Self::reclaim) gives the range back to the source, as it was at the release.
/// * A target that forgets a range after [`Event::Closed`] has lost data as any owner that loses its disk; nobody finds out here. Keep
///   replicas.
/// * A source that forgot its hand-overs owns what the placement says. Its targets ask, and drop what they have of ranges that did
///   not arrive. If it had released one of them, and the target did not know, the source takes itself for the owner again, which is
///   right; if the target did know, **there are two owners**. So a blank node serves nothing until it is told to.
///
/// # Bringing a node back whose disk was erased
///
/// A source keeps no data of a range that it released, so the executor of the plan asks the targets, not the blank node:
///
/// 1. Start the node as one that serves nothing: not in the placement that it goes by, whatever its machine's
///    [`ownership`](Self::ownership) says, which is [`Settled`](Ownership::Settled) for all.
/// 2. Ask every other node for [`incoming`](Self::incoming). A range from the blank node that is [`Arrived`](Progress::Arrived) there, or further, has its owner
///    there. All others that the placement gave to the blank node are lost with its disk, unless there are replicas: their owners are chosen anew.
/// 3. Make a topology of that, in which the blank node joins anew, and a plan from there. A target retires what arrived when that is durable
///    there: it was [`Closed`](Progress::Closed) once, or it is answered [`Closed`](Message::Closed) by the blank node, which does not know it.
/// 4. What others hand over to the blank node needs no care before the release: it starts over ([`Event::Restarted`]). After the release
///    it is a [`Event::TargetLost`], and [`reclaim`](Self::reclaim) gives it back.
///
/// Messages to and from a node from before its disk was erased must not arrive after that: numbers begin at 1 again.
///
/// Members are trusted: one that lies about what it has can make a source release a range that it does not have.
///
/// | parameter | what it is |
/// |---|---|
/// | `R` | what is handed over: [`Range`] |
/// | `S` | where the hand-overs live, and how many there are: [`Storage`] |
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Wire};
/// use quorate_ring::migration::{Config, Event, Inline, Item, Message, Migration, Ownership};
/// use quorate_ring::topology::Version;
/// use quorate_ring::{Token, TokenRange};
///
/// type Node = Migration<TokenRange, Inline<2, 1, 64, 8>>;
/// let ids = [1, 2].map(NodeId::new);
/// let mut nodes = [Node::new(ids[0], &ids, Config::lan())?, Node::new(ids[1], &ids, Config::lan())?];
/// let range = TokenRange::new(Token::new(0), Token::new(99));
/// let mut data = [b"all that there is".to_vec(), Vec::new()];
/// let mut now = Instant::ZERO;
/// nodes.iter_mut().for_each(|node| node.tick(now));
/// nodes[0].begin(range, ids[1], Version::default())?;
/// for _ in 0..20 {
///     now = now.after(1_000);
///     for at in 0..2 {
///         nodes[at].tick(now);
///         let (mut frames, mut read, mut take, mut copied, mut ticket) = (vec![], false, None, false, None);
///         while let Some(output) = nodes[at].poll() {
///             match output {
///                 Output::Persist(last, _record) => ticket = Some(last),
///                 Output::Send(_, message) => {
///                     let mut frame = vec![0; message.encoded_len()];
///                     message.to_slice(&mut frame)?;
///                     frames.push(frame);
///                 }
///                 Output::Event(Event::Offered { .. }) => take = Some(None),
///                 Output::Event(Event::Read { .. }) => read = true,
///                 Output::Event(Event::Apply { item: Item::Chunk(chunk), .. }) => take = Some(Some(chunk.to_vec())),
///                 Output::Event(Event::Copied { .. }) => copied = true,
///                 Output::Event(_) => {}
///             }
///         }
///         match take {
///             Some(None) => nodes[at].accept(range)?,
///             Some(Some(chunk)) => {
///                 data[at] = chunk;
///                 nodes[at].applied(range)?;
///             }
///             None => {}
///         }
///         if read {
///             let chunk = data[at].clone();
///             nodes[at].provide(range, &chunk, None)?; // the only one
///         }
///         if copied {
///             nodes[at].release(range)?;
///         }
///         if let Some(ticket) = ticket {
///             nodes[at].persisted(ticket); // after the sync
///         }
///         for frame in frames {
///             nodes[1 - at].receive(now, ids[at], Message::from_slice(&frame)?)?;
///         }
///     }
/// }
/// let place = TokenRange::new(Token::new(7), Token::new(7));
/// assert_eq!(nodes[0].ownership(place), Ownership::Released(ids[1]));
/// assert_eq!(nodes[1].ownership(place), Ownership::Arrived(ids[0]));
/// assert_eq!(data[1], b"all that there is");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Das, Nishimura, Agrawal, El Abbadi, "Albatross: Lightweight Elasticity in Shared Storage Databases for the Cloud using Live
/// Data Migration", PVLDB 4(8), 2011, copies while the source serves, and then hands over in one step. Here writes go to both nodes, in
/// place of its repeated passes over what changed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Migration<R: Range, S: Storage> {
    id: NodeId,
    config: Config,
    now: Instant,
    started: bool,
    /// The highest number of a hand-over or session of this node.
    last: u64,
    tickets: Tickets,
    durable: Ticket,
    peers: S::Members<Peer>,
    outgoing: S::Handovers<Outgoing<R, S>>,
    incoming: S::Handovers<Incoming<R, S>>,
    /// When the next chunk may be read.
    chunk_at: Instant,
    rejections: Rejections,
}

impl<R: Range, S: Storage> Migration<R, S> {
    /// A node without a past; replay the records on disk through [`restore`](Machine::restore), then [`tick`](Machine::tick).
    /// `members` are the nodes of the old placement and the new, this one included.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_ring::migration::{Config, ConfigError, Inline, Migration};
    /// type Node = Migration<u64, Inline<2, 4, 256, 8>>;
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// assert!(Node::new(ids[0], &ids[..2], Config::lan()).is_ok());
    /// assert_eq!(Node::new(ids[0], &ids, Config::lan()), Err(ConfigError::TooManyMembers));
    /// assert_eq!(Node::new(ids[0], &ids[1..], Config::lan()), Err(ConfigError::NotAMember));
    /// ```
    pub fn new(id: NodeId, members: &[NodeId], config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        if !members.contains(&id) {
            return Err(ConfigError::NotAMember);
        }
        let mut new = Self {
            id,
            config,
            now: Instant::ZERO,
            started: false,
            last: 0,
            tickets: Tickets::default(),
            durable: Ticket::default(),
            peers: S::Members::with_limit(config.max_members),
            outgoing: S::Handovers::with_limit(config.max_handovers),
            incoming: S::Handovers::with_limit(config.max_handovers),
            chunk_at: Instant::ZERO,
            rejections: Rejections::default(),
        };
        let is_own = |member: &&NodeId| **member == id;
        if members.iter().filter(is_own).count() > 1 {
            return Err(ConfigError::DuplicateMember(id));
        }
        for member in members.iter().filter(|member| !is_own(member)) {
            new.add_member(*member)?;
        }
        Ok(new)
    }

    /// Takes another member. Tell all nodes before its first hand-over; after a restart name it to [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: it is a member already, or there is no room; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::migration::{Config, ConfigError, Inline, Migration};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// let mut node = Migration::<u64, Inline<3, 1, 64, 8>>::new(ids[0], &ids[..2], Config::lan())?;
    /// node.add_member(ids[2])?;
    /// assert_eq!(node.add_member(ids[2]), Err(ConfigError::DuplicateMember(ids[2])));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn add_member(&mut self, member: NodeId) -> Result<(), ConfigError> {
        if member == self.id || self.peer_index(member).is_some() {
            return Err(ConfigError::DuplicateMember(member));
        }
        // this node has a place, too
        if self.peers.len().saturating_add(1) >= self.peers.limit() {
            return Err(ConfigError::TooManyMembers);
        }
        self.peers.push(Peer::new(member)).map_err(|_| ConfigError::TooManyMembers)
    }

    // At the source

    /// Begins to hand over a range that this node owns. `version` is that of the topology it goes by, for the target to compare.
    ///
    /// # Errors
    ///
    /// [`BeginError`] says why not; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_ring::migration::{BeginError, Config, Inline, Migration, Ownership};
    /// use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// assert_eq!(node.ownership(7), Ownership::HandingOver(ids[1]));
    /// assert_eq!(node.begin(7, ids[1], Version::default()), Err(BeginError::Overlap));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin(&mut self, range: R, to: NodeId, version: Version) -> Result<(), BeginError> {
        if !self.started {
            return Err(BeginError::NotStarted);
        }
        if self.peer_index(to).is_none() {
            return Err(BeginError::UnknownTarget(to));
        }
        if self.is_taken(range) {
            return Err(BeginError::Overlap);
        }
        let open = self.outgoing.iter().filter(|one| one.phase == outgoing::Phase::Copying).count();
        if open >= self.config.max_open {
            return Err(BeginError::Busy);
        }
        let number = self.last.saturating_add(1);
        if number > MAX_NUMBER {
            return Err(BeginError::Exhausted);
        }
        let new = Outgoing::new(number, range, to, version, &self.config, self.now);
        self.outgoing.push(new).map_err(|_| BeginError::Full)?;
        self.last = number;
        Ok(())
    }

    /// Answers [`Event::Read`]: the next chunk, and where it ends, to be asked for what comes after it; `None` if nothing does. A chunk may
    /// be empty.
    ///
    /// # Errors
    ///
    /// [`ProvideError`] says why not; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_ring::migration::{Config, Inline, Migration, ProvideError};
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!(node.provide(7, b"a=1 b=2", Some(b"b")), Err(ProvideError::NotRequested));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn provide(
        &mut self,
        range: R,
        chunk: &[u8],
        cursor: Option<&[u8]>,
    ) -> Result<(), ProvideError> {
        let (now, config) = (self.now, self.config);
        let one = self.outgoing_of(range).ok_or(ProvideError::NotRequested)?;
        one.provide(chunk, cursor)?;
        one.send(now, &config);
        self.chunk_at = self.chunk_at.max(now).after(config.pause_us(chunk.len()));
        Ok(())
    }

    /// Forwards a write to the target of this range, before it is applied here. Gives its number: [`Event::Forwarded`] names it, or a
    /// later one, when the target has it. Numbers count the writes of the range since the hand-over began or this node started.
    ///
    /// The range is the whole of it, as [`begin`](Self::begin) was given it, and not the place of the key that is written. For a placement of
    /// tokens it is found by `node.outgoing().find(|one| one.range.contains(token))`.
    ///
    /// # Errors
    ///
    /// [`ForwardError`] says why not; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// use quorate_ring::migration::{Config, Event, ForwardError, Inline, Migration};
    /// use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// assert_eq!(node.forward(7, b"a=1"), Err(ForwardError::Unknown));
    /// node.begin(7, ids[1], Version::default())?;
    /// assert_eq!(node.forward(7, b"a=1"), Ok(1));
    /// let Some(Output::Persist(ticket, _)) = node.poll() else { unreachable!() };
    /// node.persisted(ticket);
    /// // nothing is at the target yet, so nothing need go there
    /// assert!(matches!(node.poll(), Some(Output::Event(Event::Forwarded { range: 7, write: 1 }))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward(&mut self, range: R, write: &[u8]) -> Result<u64, ForwardError> {
        let (now, config, chunk_at) = (self.now, self.config, self.chunk_at);
        let one = self.outgoing_of(range).ok_or(ForwardError::Unknown)?;
        let number = one.forward(write)?;
        one.advance(now, &config, chunk_at);
        Ok(number)
    }

    /// Releases a range that is [`Copied`](Event::Copied), as soon as the target has all writes that were forwarded. From now on none is
    /// taken. [`Event::Released`] tells when this node is no longer the owner.
    ///
    /// # Errors
    ///
    /// [`HandoverError`] says why not; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_ring::migration::{Config, HandoverError, Inline, Migration};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// # node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// assert_eq!(node.release(7), Err(HandoverError::NotCopied));
    /// assert_eq!(node.release(8), Err(HandoverError::Unknown));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&mut self, range: R) -> Result<(), HandoverError> {
        let (now, config, chunk_at) = (self.now, self.config, self.chunk_at);
        let one = self.outgoing_of(range).ok_or(HandoverError::Unknown)?;
        one.release()?;
        one.advance(now, &config, chunk_at);
        Ok(())
    }

    /// Ends a hand-over before its release. [`Event::Canceled`] tells when it is over; writes that wait for the target are told as
    /// forwarded before.
    ///
    /// # Errors
    ///
    /// [`HandoverError`]: there is none, or ownership has passed; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::migration::{Config, Event, Inline, Migration, Ownership};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// # node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// node.cancel(7)?;
    /// let Some(Output::Persist(ticket, _)) = node.poll() else { unreachable!() };
    /// node.persisted(ticket);
    /// assert!(matches!(node.poll(), Some(Output::Event(Event::Canceled { range: 7, .. }))));
    /// assert_eq!(node.ownership(7), Ownership::Settled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&mut self, range: R) -> Result<(), HandoverError> {
        self.outgoing_of(range).ok_or(HandoverError::Unknown)?.cancel()
    }

    /// Makes this node the owner again of a range that it released, and that the target forgot ([`Event::TargetLost`]). What the target
    /// wrote as the owner is lost. [`Event::Canceled`] tells when this node may serve.
    ///
    /// # Errors
    ///
    /// [`HandoverError`]: the target did not say that it forgot the range; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_ring::migration::{Config, HandoverError, Inline, Migration};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// # node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// assert_eq!(node.reclaim(7), Err(HandoverError::Open));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reclaim(&mut self, range: R) -> Result<(), HandoverError> {
        self.outgoing_of(range).ok_or(HandoverError::Unknown)?.reclaim()
    }

    // At the target

    /// Takes a range that was [offered](Event::Offered). The application has emptied it first: what is there of an earlier
    /// hand-over, or from before, would come back to life.
    ///
    /// # Errors
    ///
    /// [`HandoverError::NotRequested`]: it was not offered; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// use quorate_ring::migration::{Config, Event, Inline, Message, Migration, Ownership};
    /// use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[1], &ids, Config::lan())?;
    /// let version = Version { epoch: 3, digest: 9 };
    /// let begin = Message::Begin { handover: 1, session: 1, range: 7, version };
    /// node.receive(Instant::ZERO, ids[0], begin)?;
    /// assert!(matches!(node.poll(), Some(Output::Event(Event::Offered { range: 7, .. }))));
    /// node.accept(7)?;
    /// assert_eq!(node.ownership(7), Ownership::Arriving(ids[0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accept(&mut self, range: R) -> Result<(), HandoverError> {
        let (now, config) = (self.now, self.config);
        let one = self.incoming_of(range).ok_or(HandoverError::NotRequested)?;
        one.accept(now, &config)?;
        let (from, session) = (one.from, one.session);
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == from) {
            peer.seen = peer.seen.max(session);
        }
        Ok(())
    }

    /// Refuses a range that was [offered](Event::Offered). The source offers it again from time to time.
    ///
    /// # Errors
    ///
    /// [`HandoverError::NotRequested`]: it was not offered; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output};
    /// # use quorate_ring::migration::{Config, Inline, Message, Migration, Ownership, Refusal};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[1], &ids, Config::lan())?;
    /// # let begin = Message::Begin { handover: 1, session: 1, range: 7, version: Version::default() };
    /// # node.receive(Instant::ZERO, ids[0], begin)?;
    /// # assert!(node.poll().is_some());
    /// node.refuse(7, Refusal::Version)?;
    /// let refused = Message::Refused { handover: 1, session: 1, reason: Refusal::Version };
    /// assert!(matches!(node.poll(), Some(Output::Send(_, message)) if message == refused));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refuse(&mut self, range: R, reason: Refusal) -> Result<(), HandoverError> {
        let at = self.incoming.iter().position(|one| one.range == range && one.is_offered());
        let one = at.and_then(|at| self.incoming.remove(at)).ok_or(HandoverError::NotRequested)?;
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == one.from) {
            peer.refused = Some((one.handover, one.session, reason));
        }
        Ok(())
    }

    /// The item of the last [`Event::Apply`] of this range is durable.
    ///
    /// # Errors
    ///
    /// [`HandoverError::NotRequested`]: there is none; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::migration::{Config, HandoverError, Inline, Migration};
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[1], &ids, Config::lan())?;
    /// assert_eq!(node.applied(7), Err(HandoverError::NotRequested));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn applied(&mut self, range: R) -> Result<(), HandoverError> {
        self.incoming_of(range).ok_or(HandoverError::NotRequested)?.applied()
    }

    // At both

    /// Forgets a hand-over of which the outcome is on record at both nodes. The new placement is durable here: from now on it says who owns
    /// the range.
    ///
    /// # Errors
    ///
    /// [`HandoverError::Open`] before that: at the source, before [`Event::Closed`]; at the target, before the source has answered;
    /// [`HandoverError::Unknown`] if there is none. Nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// # use quorate_ring::migration::{Config, HandoverError, Inline, Migration};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// # node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// assert_eq!(node.retire(7), Err(HandoverError::Open));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retire(&mut self, range: R) -> Result<(), HandoverError> {
        let durable = self.durable;
        if let Some(one) = self.outgoing_of(range) {
            return one.retire(durable);
        }
        self.incoming_of(range).ok_or(HandoverError::Unknown)?.retire()
    }

    /// Who serves a place, as far as the hand-overs of this node tell: for a placement of tokens a range of one token.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// use quorate_ring::migration::{Config, Inline, Migration, Ownership};
    /// # let ids = [1, 2].map(NodeId::new);
    /// let node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!(node.ownership(7), Ownership::Settled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ownership(&self, place: R) -> Ownership {
        let durable = self.durable;
        let mut outgoing = self.outgoing.iter().filter(|one| one.range.overlaps(place));
        if let Some(one) = outgoing.next() {
            return one.ownership(durable);
        }
        let mut incoming = self.incoming.iter().filter(|one| one.range.overlaps(place));
        incoming.next().map_or(Ownership::Settled, |one| one.ownership(durable))
    }

    /// The ranges that leave this node, or have left and are not retired.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_ring::migration::{Config, Inline, Migration, Progress};
    /// # use quorate_ring::topology::Version;
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// # node.tick(Instant::ZERO);
    /// node.begin(7, ids[1], Version::default())?;
    /// let leaving: Vec<_> = node.outgoing().map(|one| (one.range, one.progress)).collect();
    /// assert_eq!(leaving, [(7, Progress::Copying)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outgoing(&self) -> impl Iterator<Item = Handover<R>> + '_ {
        let kept = self.outgoing.iter().filter(|one| !one.is_retired());
        kept.map(|one| one.view(self.durable))
    }

    /// The ranges that come to this node, or have come and are not retired.
    ///
    /// ```
    /// # use quorate_core::NodeId;
    /// # use quorate_ring::migration::{Config, Inline, Migration};
    /// # let ids = [1, 2].map(NodeId::new);
    /// let node = Migration::<u64, Inline<2, 1, 64, 8>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!(node.incoming().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn incoming(&self) -> impl Iterator<Item = Handover<R>> + '_ {
        self.incoming.iter().filter(|one| !one.is_retired()).map(Incoming::view)
    }

    fn peer_index(&self, id: NodeId) -> Option<usize> {
        self.peers.iter().position(|peer| peer.id == id)
    }

    /// Whether some hand-over has a part of the range.
    fn is_taken(&self, range: R) -> bool {
        self.outgoing.iter().any(|one| one.range.overlaps(range))
            || self.incoming.iter().any(|one| one.range.overlaps(range))
    }

    fn outgoing_of(&mut self, range: R) -> Option<&mut Outgoing<R, S>> {
        self.outgoing.iter_mut().find(|one| one.range == range)
    }

    fn incoming_of(&mut self, range: R) -> Option<&mut Incoming<R, S>> {
        self.incoming.iter_mut().find(|one| one.range == range)
    }

    fn start(&mut self) {
        self.started = true;
        for one in self.outgoing.iter_mut() {
            self.last = self.last.saturating_add(1);
            one.start(self.last, self.now, &self.config);
        }
        for one in self.incoming.iter_mut() {
            one.start(self.now, &self.config);
        }
    }

    fn advance(&mut self) {
        for one in self.outgoing.iter_mut() {
            one.advance(self.now, &self.config, self.chunk_at);
        }
    }
}

impl<R: Range, S: Storage> Machine for Migration<R, S> {
    type Message<'a> = Message<'a, R>;
    type Record<'a> = Record<'a, R>;
    type Event<'a> = Event<'a, R>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, R>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        self.replay(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, R>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = self.handle(self.now, from, message);
        self.advance();
        result.map_err(|reason| self.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.started {
            self.start();
        }
        let (now, config, last) = (self.now, self.config, &mut self.last);
        for one in self.outgoing.iter_mut() {
            one.tick(now, &config, || {
                *last = last.saturating_add(1);
                *last
            });
        }
        for one in self.incoming.iter_mut() {
            one.tick(now, &config);
        }
        self.advance();
    }

    fn persisted(&mut self, ticket: Ticket) {
        if ticket <= self.tickets.last() {
            self.durable = self.durable.max(ticket);
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.next_output()
    }

    fn deadline(&self) -> Option<Instant> {
        let outgoing =
            self.outgoing.iter().filter_map(|one| one.deadline(&self.config, self.chunk_at));
        outgoing.chain(self.incoming.iter().filter_map(Incoming::deadline)).min()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, R>> {
        let numbers = (self.last > 0).then_some(Record::Numbers { last: self.last });
        let seen = self.peers.iter().filter(|peer| peer.seen > 0);
        let seen = seen.map(|peer| Record::Seen { from: peer.id, session: peer.seen });
        let outgoing = self.outgoing.iter().filter_map(Outgoing::record);
        let incoming = self.incoming.iter().filter_map(Incoming::record);
        numbers.into_iter().chain(seen).chain(outgoing).chain(incoming)
    }

    fn status(&self) -> Status {
        let outgoing =
            |is: fn(&Progress) -> bool| self.outgoing().filter(|one| is(&one.progress)).count();
        let incoming =
            |is: fn(&Progress) -> bool| self.incoming().filter(|one| is(&one.progress)).count();
        Status {
            id: self.id,
            leaving: outgoing(|progress| *progress < Progress::Released),
            released: outgoing(|progress| *progress >= Progress::Released),
            arriving: incoming(|progress| *progress < Progress::Released),
            arrived: incoming(|progress| *progress >= Progress::Released),
            stalled: self.outgoing.iter().any(|one| one.stalled),
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(Self::max_message_len(&self.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(Self::max_record_len(&self.config))
    }
}
