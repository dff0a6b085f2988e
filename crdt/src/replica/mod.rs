//! The machine that keeps replicas equal.

mod amnesia;
mod digest;
mod disk;
mod error;
mod event;
mod limits;
mod log;
mod message;
mod output;
mod peer;
mod status;
#[cfg(test)]
mod tests;

use quorate_clocks::{Actor, Storage};
use quorate_core::{
    Corrupt, Embedded, Fatal, Instant, List, Machine, NodeId, Output, Reader, Rejected, Rejections,
    Ticket,
};

use crate::{ApplyError, Crdt, MergeError};
use amnesia::{Challenge, EarlierGeneration, FormerGeneration};
use digest::digest;
use disk::Disk;
pub use error::{ConfigError, MembersError};
pub use event::Event;
use log::{Log, frames};
use message::{Body, RecordBody};
pub use message::{Message, Record};
use peer::{Flag, Peer, StateRequest};
pub use status::Status;

/// How a [`Replica`] behaves.
///
/// | field | [`lan`](Self::lan) | [`wan`](Self::wan) | [`radio`](Self::radio) | why |
/// |---|---|---|---|---|
/// | `gossip_us` | 500 ms | 2 s | 1 min | what is lost comes so much later; each interval costs a digest a peer |
/// | `max_delta_bytes` | 1024 | 1024 | 128 | fits a datagram of any network; a radio packet of 255 bytes, with its header |
/// | `durable` | true | true | true | a restart keeps its incarnation |
/// | `max_log_bytes` | 4 KiB | 64 KiB | 4 KiB | what is written in some intervals; a site that is cut off for longer gets deltas all the same |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// The interval of anti-entropy, which repeats lost messages and compares digests, in µs; not 0. Default 500 ms. On a LAN some hundred
    /// milliseconds, on a radio minutes. What was lost is sent again so late.
    pub gossip_us: u64,
    /// Deltas in one message, in bytes; a single larger one travels alone. Default 1024.
    pub max_delta_bytes: usize,
    /// Whether records are written, and everything waits for them. Default true.
    ///
    /// Without, a node that restarts must take the next incarnation, and each incarnation takes a
    /// place for an actor in the state for good: of a state with `n` places, `m` members may restart
    /// `n - m` times in all. [`Replica::new`] refuses an incarnation for which there is no place, as
    /// far as this node alone can tell: where several members restart, count for all of them. With
    /// records, too, keep a place for each disk that may be lost.
    pub durable: bool,
    /// Bytes of encoded deltas that are kept for peers that lag, where the storage does not say; one that lags more gets the
    /// whole state. Default 4096.
    pub max_log_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self::lan()
    }
}

impl Config {
    /// For a local network: anti-entropy twice a second. The default.
    ///
    /// ```
    /// use quorate_crdt::Config;
    /// assert_eq!(Config::lan(), Config::default());
    /// assert_eq!((Config::lan().gossip_us, Config::lan().max_delta_bytes), (500_000, 1024));
    /// ```
    #[must_use]
    pub const fn lan() -> Self {
        Self { gossip_us: 500_000, max_delta_bytes: 1024, durable: true, max_log_bytes: 4096 }
    }

    /// For links between sites: anti-entropy every two seconds, and more deltas are kept for peers that lag.
    ///
    /// ```
    /// use quorate_crdt::Config;
    /// assert_eq!((Config::wan().gossip_us, Config::wan().max_log_bytes), (2_000_000, 65_536));
    /// ```
    #[must_use]
    pub const fn wan() -> Self {
        Self { gossip_us: 2_000_000, max_log_bytes: 65_536, ..Self::lan() }
    }

    /// For slow radio: anti-entropy every minute, in short messages.
    ///
    /// ```
    /// use quorate_crdt::Config;
    /// assert_eq!((Config::radio().gossip_us, Config::radio().max_delta_bytes), (60_000_000, 128));
    /// ```
    #[must_use]
    pub const fn radio() -> Self {
        Self { gossip_us: 60_000_000, max_delta_bytes: 128, ..Self::lan() }
    }
}

/// Multi-leader replication: every replica takes writes, tells the others what changed, and all converge (Almeida, Shoker, Baquero,
/// "Delta State Replicated Data Types", 2018, algorithm 2: causal delta intervals).
///
/// Updates are numbered and their deltas kept, encoded once, until every member acknowledged them or there is no room. A peer takes
/// deltas only without a gap; one that lags behind what is kept, or was away, compares digests and gets the whole state if
/// they differ. Deltas of others are passed on, so members need not all hear each other. Only what is durable is sent and
/// acknowledged.
///
/// From one gossip to the next, which is `gossip_us`, a replica sends a peer at most, even if that one
/// refuses everything:
///
/// * a digest, a second one if the peer needs deltas that are no longer kept, the state once, and one
///   request for the peer's state;
/// * what is kept of deltas once, in messages of `max_delta_bytes`;
/// * each update once, its own or another's;
/// * one answer to each message that it gets: an acknowledgement, or a digest to the first message from
///   that peer after either of them started.
///
/// So these are, in all, at most the updates of all members, the messages received from that peer,
/// 2 ⌈`L` / `max_delta_bytes`⌉ (half of that where deltas are short) and 4. In ordinary groups about half
/// are acknowledgements. A generation that begins counts as a gossip. A peer that forgets everything with
/// each message causes one message for each that it sends.
///
/// # A replica that forgets
///
/// A replica whose records are lost must come back as the next incarnation of its node: under its old
/// name it would number its updates as it did before, and others would take the new ones for the old.
/// Peers give that away: they tell of updates of this actor that it never made, or acknowledge what
/// it never sent. One message is not believed. The replica takes nothing from it, tells
/// [`Event::UnknownUpdates`], and begins another *generation*, which is a number in every message
/// that answers carry back, and which peers answer with what they had of the generation before. If
/// one still insists in an answer to that generation, it is no message that was late, damaged or
/// forged by somebody who cannot hear the replica, and the replica stops itself with
/// [`Fatal::LostState`].
///
/// What cannot be found out, as nobody has anything that contradicts it:
///
/// * a replica forgot updates which no member has either;
/// * before it hears of a peer, a replica that forgot makes as many updates as it forgot, or more, and
///   what they say differs from the forgotten ones nowhere that is still part of the state: the totals
///   of a counter, elements that were removed.
///
/// So start a replica that may have forgotten as the next incarnation, not under its old name. And where
/// the state has no versions of actors ([`Crdt::actor_version`]), there is nothing to be mixed up.
///
/// A member is believed what it passes on: an update under this actor's name that was damaged or forged
/// on its way to *another* member stops this replica, as that member then insists. Frames need a checksum
/// on any network, and authentication where others can write to it.
///
/// `T` is the data.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `P` | peers: the members but this one | what memory allows | [`ConfigError::TooManyMembers`] | 64 bytes |
/// | `L` | bytes of encoded deltas that are kept for peers that lag | as many as `max_log_bytes`, on the heap | a peer that lags more gets the whole state | 1 byte |
///
/// and 240 bytes in all besides `T`; a received state is decoded beside the present one. Frames must
/// take a state: [`max_message_len`](Self::max_message_len) is the formula.
///
/// ```
/// use quorate_clocks::{Actor, Inline};
/// use quorate_core::{Instant, Machine, NodeId, Output, Wire};
/// use quorate_crdt::{Config, PnCounter, Replica};
///
/// type Node = Replica<PnCounter<Inline<4>>, Inline<3>, Inline<256>>;
/// let ids = [1, 2].map(NodeId::new);
/// let config = Config { durable: false, ..Config::default() };
/// let node = |id| Node::new(Actor::from(id), &ids, PnCounter::new(), config);
/// let mut nodes = [node(ids[0])?, node(ids[1])?];
/// for node in &mut nodes {
///     node.update(|counter, me| counter.increment(me, 5))?;
/// }
/// for round in 0..4 {
///     for from in 0..2 {
///         nodes[from].tick(Instant::from_millis(round * 500));
///         let mut frames = Vec::new();
///         while let Some(output) = nodes[from].poll() {
///             if let Output::Send(_, message) = output {
///                 let mut frame = vec![0; message.encoded_len()];
///                 message.to_slice(&mut frame)?;
///                 frames.push(frame);
///             }
///         }
///         for frame in frames {
///             let message = quorate_crdt::Message::from_slice(&frame)?;
///             nodes[1 - from].receive(Instant::from_millis(round * 500), ids[from], message)?;
///         }
///     }
/// }
/// assert!(nodes.iter().all(|node| node.state().value() == 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica<T: Crdt, P: Storage, L: Storage> {
    actor: Actor,
    gossip_us: u64,
    max_delta_bytes: usize,
    state: T,
    log: Log<L>,
    disk: Disk,
    peers: P::List<Peer>,
    epoch: u64,
    now: Instant,
    gossip_at: Instant,
    /// Whose turn it is to get a digest.
    digest_turn: usize,
    changed: bool,
    /// What every member acknowledged in earlier generations.
    previously_stable: u64,
    challenge: Challenge,
    former: FormerGeneration,
    earlier: EarlierGeneration,
    stop_reported: bool,
    fatal: Option<Fatal>,
    rejections: Rejections,
}

impl<T: Crdt, P: Storage, L: Storage> Replica<T, P, L> {
    /// A replica without a past. `members` are all nodes, the actor's included; `state` is empty, with
    /// the limits it is to have.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what does not fit together: the actor is no member, there is no room for so
    /// many, or the state has too few places for the actors. How often other members came back as
    /// another incarnation is not known here; where there is no place for theirs, [`Event::Full`] tells.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, ConfigError, GCounter, Replica};
    /// type Node = Replica<GCounter<Inline<3>>, Inline<2>, Inline<64>>;
    /// let ids = [1, 2, 3, 4].map(NodeId::new);
    /// let me = Actor::from(ids[0]);
    /// let replica = Node::new(me, &ids[..3], GCounter::new(), Config::default())?;
    /// assert_eq!(replica.peers().count(), 2);
    /// let four = Node::new(me, &ids, GCounter::new(), Config::default());
    /// assert_eq!(four, Err(ConfigError::TooManyMembers));
    /// // without records, the second start of one of three members needs a fourth place
    /// let config = Config { durable: false, ..Config::default() };
    /// let again = Node::new(Actor::new(ids[0], 1), &ids[..3], GCounter::new(), config);
    /// assert_eq!(again, Err(ConfigError::TooFewActors { needed: 4, limit: 3 }));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn new(
        actor: Actor,
        members: &[NodeId],
        state: T,
        config: Config,
    ) -> Result<Self, ConfigError> {
        let mut peers = P::List::with_limit(P::LIMIT);
        if config.gossip_us == 0 {
            return Err(ConfigError::Interval);
        }
        if !members.contains(&actor.node()) {
            return Err(ConfigError::NotAMember);
        }
        for id in other_members(members, actor) {
            peers.push(Peer::new(id)).map_err(|_| ConfigError::TooManyMembers)?;
        }
        let earlier = if config.durable { actor.incarnation().min(1) } else { actor.incarnation() };
        let needed = required_actors(earlier, peers.len());
        if let Some(limit) = too_few_actors(needed, &state) {
            return Err(ConfigError::TooFewActors { needed, limit });
        }
        // generations grow within an incarnation and with it
        let first_generation = u64::from(actor.incarnation()) << 32;
        Ok(Self {
            actor,
            gossip_us: config.gossip_us,
            max_delta_bytes: config.max_delta_bytes,
            state,
            log: Log::new(config.max_log_bytes, 1),
            disk: Disk::new(config.durable, first_generation),
            peers,
            epoch: 0,
            now: Instant::ZERO,
            gossip_at: Instant::ZERO,
            digest_turn: 0,
            changed: false,
            previously_stable: 0,
            challenge: Challenge::NONE,
            former: FormerGeneration::none(),
            earlier: EarlierGeneration::none(),
            stop_reported: false,
            fatal: None,
            rejections: Rejections::default(),
        })
    }

    /// Updates the data. `update` makes one update as the given actor, and returns its delta. If it
    /// makes several, or one and then an error, nothing is lost, but the whole state is written down
    /// and sent instead of a delta. It must not put another value in the place of the state: to bring
    /// back a backup, merge it.
    ///
    /// A replica that [stopped itself](Machine::fatal) still takes updates, into its own state only:
    /// they reach nobody.
    ///
    /// # Errors
    ///
    /// What `update` says.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::from(ids[0]), &ids, GCounter::<Inline<3>>::new(), Config::default())?;
    /// replica.update(|counter, me| counter.increment(me, 2))?;
    /// assert_eq!(replica.state().value(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What cannot fail, as a removal, returns its delta without a `Result`: wrap it in `Ok`.
    ///
    /// ```
    /// use core::convert::Infallible;
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, OrSet, Replica};
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut replica = Replica::<_, Inline<2>, Inline<256>>::new(
    /// #     Actor::from(ids[0]), &ids, OrSet::<u32, Inline<8>, Inline<3>>::new(), Config::default())?;
    /// replica.update(|set, me| set.add(me, 7))?;
    /// replica.update(|set, _| Ok::<_, Infallible>(set.remove(&7)))?;
    /// assert!(replica.state().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update<E>(
        &mut self,
        update: impl FnOnce(&mut T, Actor) -> Result<T::Delta, E>,
    ) -> Result<(), E> {
        self.start();
        let before = self.state.revision();
        let updated = update(&mut self.state, self.actor);
        // whether what peers have fits now is told anew
        self.peers
            .iter_mut()
            .filter(|peer| peer.full == Some(true))
            .for_each(|peer| peer.full = None);
        match (updated, self.state.revision().wrapping_sub(before)) {
            (Ok(delta), 0 | 1) => {
                self.log_delta(&delta);
                Ok(())
            }
            (Err(error), 0) => Err(error),
            (updated, _) => {
                self.log_state_change();
                updated.map(|_| ())
            }
        }
    }

    /// Takes other members from a later epoch on, as agreed elsewhere. Nothing is kept for those that left, so one that never
    /// comes back does not hold up what waits for all.
    ///
    /// # Errors
    ///
    /// [`MembersError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, MembersError, Replica};
    /// # let ids = [1, 2, 3].map(NodeId::new);
    /// # let mut replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::from(ids[0]), &ids, GCounter::<Inline<3>>::new(), Config::default())?;
    /// replica.set_members(1, &ids[..2])?;
    /// assert_eq!(replica.peers().count(), 1);
    /// assert_eq!(replica.set_members(1, &ids), Err(MembersError::Stale));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_members(&mut self, epoch: u64, members: &[NodeId]) -> Result<(), MembersError> {
        if epoch <= self.epoch {
            return Err(MembersError::Stale);
        }
        let mut peers = P::List::with_limit(P::LIMIT);
        for id in other_members(members, self.actor) {
            let known = self.peers.iter().find(|peer| peer.id == id).cloned();
            let peer = known.unwrap_or_else(|| Peer::new(id));
            peers.push(peer).map_err(|_| MembersError::Full)?;
        }
        let needed = required_actors(0, peers.len());
        if let Some(limit) = too_few_actors(needed, &self.state) {
            return Err(MembersError::TooFewActors { needed, limit });
        }
        (self.peers, self.epoch) = (peers, epoch);
        (self.former, self.earlier) = (FormerGeneration::none(), EarlierGeneration::none()); // of others' places
        self.trim();
        Ok(())
    }

    /// The data.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::default(), &[NodeId::default()], GCounter::<Inline<3>>::new(), Config::default())?;
    /// assert_eq!(replica.state().value(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn state(&self) -> &T {
        &self.state
    }

    /// As whom it writes.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::default(), &[NodeId::default()], GCounter::<Inline<3>>::new(), Config::default())?;
    /// assert_eq!(replica.actor(), Actor::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The other members.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::default(), &[NodeId::default()], GCounter::<Inline<3>>::new(), Config::default())?;
    /// assert_eq!(replica.peers().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.peers.iter().map(|peer| peer.id)
    }

    /// The number of the last change of the state in this generation.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let mut replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::default(), &[NodeId::default()], GCounter::<Inline<3>>::new(), Config::default())?;
    /// let before = replica.last();
    /// replica.update(|counter, me| counter.increment(me, 2))?;
    /// assert_eq!(replica.last(), before + 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.log.last()
    }

    /// The number of the last change that every member acknowledged: all before it is stable, and no member will ever do anything
    /// without having seen it.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline};
    /// # use quorate_core::NodeId;
    /// # use quorate_crdt::{Config, GCounter, Replica};
    /// # let ids = [1, 2].map(NodeId::new);
    /// # let mut replica = Replica::<_, Inline<2>, Inline<64>>::new(
    /// #     Actor::from(ids[0]), &ids, GCounter::<Inline<3>>::new(), Config::default())?;
    /// replica.update(|counter, me| counter.increment(me, 2))?;
    /// assert!(replica.stable() < replica.last());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stable(&self) -> u64 {
        let least = self.peers.iter().map(|peer| peer.acked).min();
        least.unwrap_or(self.log.last()).min(self.disk.durable()).max(self.previously_stable)
    }

    fn start(&mut self) {
        self.disk.start(self.log.last());
    }

    /// Appends a delta that changed the state to the log.
    fn log_delta(&mut self, delta: &T::Delta) {
        if !self.log.append::<T>(delta, self.disk.issued().saturating_add(1)) {
            self.disk.require_state();
        }
        self.disk.record_change(self.log.last());
    }

    /// The state changed, and no delta describes how.
    fn log_state_change(&mut self) {
        self.log.skip_delta();
        self.disk.require_state();
        self.disk.record_change(self.log.last());
    }

    /// Drops deltas that everybody has.
    fn trim(&mut self) {
        self.log.trim(self.stable().saturating_add(1));
    }

    fn reject(&mut self, reason: Rejected) -> Result<(), Rejected> {
        Err(self.rejections.count(reason))
    }

    fn handle_message(&mut self, at: usize, message: &Message<'_, T>) -> Result<(), Rejected> {
        let Some(peer) = self.peers.get(at) else { return Ok(()) };
        let acknowledges = message.acks_generation == self.disk.generation();
        if message.generation < peer.generation
            && !self.earlier.is_current(at, message.generation, acknowledges)
        {
            // late, from another generation; or the peer forgot the later one, which an answer
            // tells it
            self.earlier.record(at, message.generation);
            if let Some(peer) = self.peers.get_mut(at) {
                peer.set(Flag::AckDue, true);
            }
            return Ok(());
        }
        // what is refused must change nothing: everything is looked at before anything is done
        let taken = match message.body {
            Body::State { last, ref state } => self.handle_state(at, message, last, state),
            Body::Deltas { first, batch } => self.handle_deltas(at, message, first, batch),
            _ if self.claims_unknown_updates(message) => self.challenge(at, message),
            Body::Digest { first, last, digest } => {
                self.handle_header(at, message);
                self.handle_digest(at, first, last, digest);
                Ok(())
            }
            Body::Ack | Body::FormerGeneration { .. } => {
                self.handle_header(at, message);
                Ok(())
            }
        };
        if taken.is_ok() {
            self.update_durable();
        }
        taken
    }

    /// Takes the deltas of a run that follow on what is here, as far as they fit.
    #[inline(never)]
    fn handle_deltas(
        &mut self,
        at: usize,
        message: &Message<'_, T>,
        first: u64,
        batch: &[u8],
    ) -> Result<(), Rejected> {
        let sound = first > 0 && frames(batch, &self.state).all(|delta| delta.is_ok());
        if !sound {
            return self.reject(Rejected::Malformed);
        }
        let contradicted = self.conflicting_actor(batch);
        if contradicted.is_some_and(|actor| actor != self.actor) {
            return self.reject(Rejected::Impossible);
        }
        let lacks = |delta| self.state.lacks(&delta, self.actor);
        let lacking = || frames(batch, &self.state).filter_map(Result::ok).any(lacks);
        if contradicted.is_some() || self.claims_unknown_updates(message) || lacking() {
            return self.challenge(at, message);
        }
        self.handle_header(at, message);
        self.apply_deltas(at, first, batch);
        Ok(())
    }

    /// Takes a peer's whole state: merged with all that is here into theirs, as a refusal must leave ours
    /// alone.
    #[inline(never)]
    fn handle_state(
        &mut self,
        at: usize,
        message: &Message<'_, T>,
        last: u64,
        state: &Embedded<'_, T>,
    ) -> Result<(), Rejected> {
        let mut theirs = match state {
            Embedded::Local(state) => (*state).clone(),
            Embedded::Encoded(bytes) => {
                let mut input = Reader::new(bytes);
                match self.state.read_state(&mut input) {
                    Ok(state) if input.rest().is_empty() => state,
                    _ => return self.reject(Rejected::Malformed),
                }
            }
        };
        let (own, reported) =
            (self.state.actor_version(self.actor), theirs.actor_version(self.actor));
        let fits = match theirs.merge(&self.state) {
            Ok(_) => true,
            Err(MergeError::Full) => false,
            Err(MergeError::Conflict) if self.state.conflicts_with(&theirs, self.actor) => {
                // under names that this replica gave, they have other things
                return self.challenge(at, message);
            }
            Err(MergeError::Conflict) => return self.reject(Rejected::Impossible),
        };
        if reported.max(theirs.actor_version(self.actor)) > own
            || self.claims_unknown_updates(message)
        {
            return self.challenge(at, message);
        }
        self.handle_header(at, message);
        if !fits {
            self.defer(at, true);
            return Ok(());
        }
        if theirs != self.state {
            core::mem::swap(&mut self.state, &mut theirs);
            self.changed = true;
            self.log_state_change();
        }
        let own = self.log.last();
        if let Some(peer) = self.peers.get_mut(at) {
            peer.record_received(last, own);
            (peer.state_request, peer.full) = (StateRequest::Idle, None);
            peer.set(Flag::AckDue, true);
        }
        Ok(())
    }

    /// Who made the first thing in a run of deltas that is a different one here, or in the same run.
    #[inline(never)]
    fn conflicting_actor(&self, batch: &[u8]) -> Option<Actor> {
        let mut deltas = frames(batch, &self.state).filter_map(Result::ok);
        let (first, second) = (deltas.next()?, deltas.next());
        if second.is_none() {
            return self.state.conflicting_actor(&first);
        }
        let mut state = self.state.clone();
        for delta in frames(batch, &self.state).filter_map(Result::ok) {
            match state.apply(&delta) {
                Ok(_) => {}
                Err(ApplyError::Conflict) => return state.conflicting_actor(&delta),
                Err(ApplyError::Full | ApplyError::Missing) => break,
            }
        }
        None
    }

    /// Whether a message claims updates that this replica never made: it forgot them, or
    /// somebody else works under its name, or the message is not what it seems to be.
    fn claims_unknown_updates(&self, message: &Message<'_, T>) -> bool {
        let generation = self.disk.generation();
        let confirms = match message.body {
            Body::FormerGeneration { generation: former, last } => {
                let claimed = self.challenge.is_confirmed_by(former, last)
                    || (former > generation && last > 0);
                // where actors leave no trace, there is nothing to be mixed up; where this one has
                // not left any yet, what it forgot is told by states
                claimed
                    && message.acks_generation == generation
                    && self.state.actor_version(self.actor) > 0
            }
            _ => false,
        };
        confirms
            || message.acks_generation > generation
            || (message.acks_generation == generation && message.acks > self.log.last())
    }

    /// Challenges a peer that claims unknown updates, by another generation; stops if it repeats
    /// the claim in that one.
    fn challenge(&mut self, at: usize, message: &Message<'_, T>) -> Result<(), Rejected> {
        let (generation, last) = (self.disk.generation(), self.log.last());
        let Some(peer) = self.peers.get(at) else { return Ok(()) };
        let challenged = peer.is(Flag::Challenged);
        // what a peer had of a former generation is told to who began another one, whomever that
        // asked
        let (claimed, confirms) = match message.body {
            Body::FormerGeneration { generation, last } => {
                (generation, self.challenge.is_confirmed_by(generation, last))
            }
            _ => (message.acks_generation, challenged),
        };
        if confirms && message.acks_generation == generation {
            self.fatal = Some(Fatal::LostState);
            return Ok(());
        }
        if challenged || self.challenge.is_new() || !self.begin_generation(claimed) {
            return self.reject(Rejected::Impossible);
        }
        self.challenge = Challenge::new(claimed, generation, last);
        if let Some(peer) = self.peers.get_mut(at) {
            peer.set(Flag::Challenged, true);
            peer.set(Flag::ClaimEventDue, true);
        }
        Ok(())
    }

    /// Begins another generation, later than `seen`: all that peers say from now on shows whether
    /// they know of it. False if there is none.
    fn begin_generation(&mut self, seen: u64) -> bool {
        let stable = self.stable();
        let random = digest(&(&self.state, self.now, self.log.last()));
        let begun = self.disk.begin_generation(seen, random);
        if begun {
            self.previously_stable = stable;
            self.peers.iter_mut().for_each(Peer::reset_acks);
        }
        begun
    }

    /// Handles what every message has besides its body.
    fn handle_header(&mut self, at: usize, message: &Message<'_, T>) {
        let generation = self.disk.generation();
        let Some(peer) = self.peers.get_mut(at) else { return };
        if message.generation != peer.generation {
            if peer.generation > 0 {
                self.former.record(at, peer.generation, peer.received);
            }
            peer.start_generation(message.generation);
        }
        self.earlier.clear(at);
        if message.acks_generation == generation {
            peer.record_ack(message.acks);
            if message.requests_state {
                peer.set(Flag::StateDue, true);
            }
            if matches!(message.body, Body::State { .. }) {
                peer.set(Flag::Challenged, false); // it was asked, and this is all it has
            }
        }
        self.trim();
    }

    fn handle_digest(&mut self, at: usize, first: u64, last: u64, theirs: u64) {
        let (same, own) = (digest(&self.state) == theirs, self.log.last());
        let Some(peer) = self.peers.get_mut(at) else { return };
        peer.set(Flag::AckDue, true);
        if same {
            peer.record_received(last, own);
            (peer.state_request, peer.full) = (StateRequest::Idle, None);
            peer.set(Flag::Challenged, false); // it has nothing that is not here
        } else if peer.received < last {
            if peer.received.saturating_add(1) < first {
                peer.request_state(true);
            }
        } else if peer.received == last && peer.acked == own {
            // each has all the other ever did, and yet they differ: only whole states can tell
            peer.request_state(true);
            peer.set(Flag::StateDue, true);
        }
    }

    fn apply_deltas(&mut self, at: usize, first: u64, batch: &[u8]) {
        let Some(peer) = self.peers.get_mut(at) else { return };
        peer.set(Flag::AckDue, true);
        let received = peer.received;
        if first > received.saturating_add(1) {
            return; // something before it was lost, and comes again
        }
        let like = self.state.empty();
        let mut seq = first;
        for delta in frames(batch, &like).filter_map(Result::ok) {
            if seq > received {
                match self.state.apply(&delta) {
                    Ok(true) => {
                        self.changed = true;
                        self.log_delta(&delta);
                    }
                    Ok(false) => {}
                    Err(error) => return self.defer(at, error == ApplyError::Full),
                }
                let last = self.log.last();
                self.peers
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|peer| peer.record_received(seq, last));
            }
            seq = seq.saturating_add(1);
        }
    }

    /// The peer's deltas do not fit, or follow on something that did not: its whole state may, later.
    fn defer(&mut self, at: usize, full: bool) {
        if let Some(peer) = self.peers.get_mut(at) {
            // what does not fit would not fit at once either
            peer.request_state(!full);
            peer.set(Flag::AckDue, !full);
            if full {
                peer.full = peer.full.or(Some(false));
            }
        }
    }

    /// Updates which of the peers' updates are durable here.
    fn update_durable(&mut self) {
        let durable = self.disk.durable();
        for peer in self.peers.iter_mut().filter(|peer| peer.received_as_of <= durable) {
            if peer.received_durable < peer.received {
                peer.set(Flag::AckDue, true);
            }
            peer.received_durable = peer.received;
        }
    }

    fn gossip(&mut self) {
        if self.challenge.age_by_gossip() {
            self.peers.iter_mut().for_each(|peer| peer.set(Flag::Challenged, false));
        }
        self.former.age_by_gossip();
        let waits = self.peers.iter().any(|peer| peer.is(Flag::Challenged));
        if !waits && self.earlier.age_by_gossip() {
            self.begin_generation(self.disk.generation());
        }
        let count = self.peers.len();
        self.digest_turn = if self.digest_turn.saturating_add(1) < count {
            self.digest_turn.saturating_add(1)
        } else {
            0
        };
        for (at, peer) in self.peers.iter_mut().enumerate() {
            // whatever was not acknowledged by now is taken for lost
            peer.set_sent(0);
            peer.set(Flag::Lagging, false);
            peer.set(Flag::StateSent, false);
            if at == self.digest_turn {
                peer.set(Flag::DigestDue, true);
            }
            if peer.state_request != StateRequest::Idle {
                peer.state_request = StateRequest::Due;
                peer.set(Flag::AckDue, true);
            }
        }
    }
}

impl<T: Crdt + 'static, P: Storage, L: Storage> Machine for Replica<T, P, L> {
    type Message<'a> = Message<'a, T>;
    type Record<'a> = Record<'a, T>;
    type Event<'a> = Event;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, T>) -> Result<(), Corrupt> {
        if self.disk.started() {
            return Err(Corrupt::Started);
        }
        match record.0 {
            RecordBody::Generation(generation) => {
                self.disk.restore(generation);
                Ok(())
            }
            RecordBody::Deltas(batch) => {
                let like = self.state.empty();
                if !frames(batch, &like).all(|delta| delta.is_ok()) {
                    return Err(Corrupt::Malformed);
                }
                let mut state = self.state.clone();
                for delta in frames(batch, &like).filter_map(Result::ok) {
                    state.apply(&delta).map_err(corrupt)?;
                }
                self.state = state;
                Ok(())
            }
            RecordBody::State(Embedded::Local(state)) => {
                self.state.merge(state).map(|_| ()).map_err(|e| corrupt(e.into()))
            }
            RecordBody::State(Embedded::Encoded(bytes)) => {
                let mut input = Reader::new(bytes);
                let state = self.state.read_state(&mut input).map_err(|_| Corrupt::Malformed)?;
                input.finish().map_err(|_| Corrupt::Malformed)?;
                self.state.merge(&state).map(|_| ()).map_err(|e| corrupt(e.into()))
            }
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, T>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        if self.fatal.is_some() {
            return self.reject(Rejected::Stopped);
        }
        let Some(at) = self.peers.iter().position(|peer| peer.id == from) else {
            return self.reject(Rejected::UnknownSender);
        };
        self.handle_message(at, &message)
    }

    fn tick(&mut self, now: Instant) {
        self.start();
        self.now = self.now.max(now);
        if self.now >= self.gossip_at && self.fatal.is_none() {
            self.gossip_at = self.now.after(self.gossip_us);
            self.gossip();
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.disk.persisted(ticket);
        self.update_durable();
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.output()
    }

    fn deadline(&self) -> Option<Instant> {
        (self.fatal.is_none() && !self.peers.is_empty()).then_some(self.gossip_at)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, T>> {
        let generation = Record(RecordBody::Generation(self.disk.generation()));
        [generation, Record(RecordBody::State(Embedded::Local(&self.state)))].into_iter()
    }

    fn status(&self) -> Status {
        Status {
            id: self.actor.node(),
            actor: self.actor,
            last: self.log.last(),
            durable: self.disk.durable(),
            stable: self.stable(),
            fatal: self.fatal,
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn fatal(&self) -> Option<Fatal> {
        self.fatal
    }
}

/// How many places for actors are taken, at least, when every member has made an update.
fn required_actors(earlier_incarnations: u32, other_members: usize) -> u64 {
    u64::from(earlier_incarnations).saturating_add(1).saturating_add(other_members as u64)
}

/// How many places for actors the state has, if that is less.
fn too_few_actors<T: Crdt>(needed: u64, state: &T) -> Option<u64> {
    state.actor_limit().map(|limit| limit as u64).filter(|limit| needed > *limit)
}

/// The members but this node, each once: a second entry would wait for acknowledgements for ever.
fn other_members(members: &[NodeId], actor: Actor) -> impl Iterator<Item = NodeId> + '_ {
    let first =
        |(at, id): &(usize, &NodeId)| members.iter().position(|other| other == *id) == Some(*at);
    members
        .iter()
        .enumerate()
        .filter(first)
        .map(|(_, id)| *id)
        .filter(move |id| *id != actor.node())
}

const fn corrupt(error: ApplyError) -> Corrupt {
    match error {
        ApplyError::Full => Corrupt::Full,
        ApplyError::Missing => Corrupt::Gap,
        ApplyError::Conflict => Corrupt::Malformed,
    }
}
