//! Causal delivery: [`Causal`] and what it sends, records and tells.

use quorate_core::{
    Corrupt, Fatal, Instant, List, Machine, NodeId, Output, Rejected, Rejections, Ticket, Tickets,
};

use crate::{Actor, Dot, Run, Storage, VersionVector};

mod config;
mod error;
mod event;
mod input;
mod limits;
mod message;
mod output;
#[allow(unnameable_types)] // in the storage's lists
mod peer;
mod status;
#[allow(unnameable_types)] // in the storage's lists
mod store;

pub use config::Config;
pub use error::{BroadcastError, ConfigError, ResumeError};
pub use event::Event;
pub use message::{Message, Record};
use peer::{JUST_NOW, Peer};
pub use status::Status;
use store::{Origin, StoredMessage, has_room};

/// Causal broadcast in a group, as a [`Machine`]: every member delivers every message once, and after everything its sender had
/// delivered before sending it (Birman, Schiper, Stephenson, "Lightweight Causal and Atomic Group Multicast", 1991).
///
/// A message carries its dot and the causes that are new since its sender's last one; a member holds it until those were delivered.
/// Members tell each other what they have; what one lacks its origin sends again, and after a while everybody does. When all
/// have a message it is **stable**: nothing concurrent with it can still come, and it is dropped.
///
/// Memory is bounded: the store holds what is not stable, at most half of it own broadcasts (then
/// [`broadcast`](Self::broadcast) says [`Busy`](BroadcastError::Busy)). When it is full, a message
/// that can be delivered evicts one that cannot, or one of another origin that was kept to relay
/// it; the rest is refused and comes again.
///
/// A member is waited for as long as it acknowledges something new now and then. One that lacks
/// something and did not acknowledge more for `member_timeout_us` is not: it is down, or cut off,
/// or it has stopped itself or refuses everything, however much it says otherwise. What it lacks is
/// dropped once a majority has it. When it is back and what it lacks is gone, it learns from
/// [`Event::Behind`] to merge the state of another into its own, and [resumes](Self::resume) from
/// there. For that the application's state must be mergeable (a CRDT); where it is not, set
/// `member_timeout_us` to `u64::MAX`: nothing is dropped before all have it, and a member that is
/// gone for ever, or stopped, ends in [`Busy`](BroadcastError::Busy). Time in which there is
/// nothing to acknowledge does not count.
///
/// In each `interval_us` a member sends another at most one question, and twice what it stores and
/// [`Message::Behind`], even if that one refuses everything, or forgets everything with each message;
/// and one status for each message that it gets, so that a peer which restarts all the time causes no
/// more messages than it sends.
///
/// What the driver and the application owe, beside the contract of [`Machine`]:
///
/// * After a restart, [`resume`](Self::resume) with the vector of the deliveries that the application's state still covers, before
///   the first tick; nothing if it covers none. What is delivered is acknowledged at once: an application that must survive
///   the loss of power in all nodes makes its state durable as it takes each delivery.
///
/// | parameter | unit | at most | when it is full | RAM for each, inline |
/// |---|---|---|---|---|
/// | `A` | actors | what memory allows | [`new`](Self::new) refuses; messages of an actor without a place are refused ([`Rejected::Full`]) and delivered nowhere | 24 `A` + 136 bytes |
/// | `M` | messages that are stored, at least 4 | what memory allows | [`Busy`](BroadcastError::Busy) from half of it on for own broadcasts; others' evict or come again | 24 `A` + `B` + 72 bytes |
/// | `B` | bytes of a payload | what a frame carries | longer broadcasts are refused, longer messages too ([`Rejected::Full`]) | a byte for each message |
///
/// and 360 bytes in all. With [`Heap`](crate::Heap) each of the three is 1024, and cannot be chosen: for
/// other limits, and for shorter frames ([`max_message_len`](Self::max_message_len)), take
/// [`Inline`](crate::Inline), also on a machine with a heap. An actor is a member or a former incarnation of one that broadcast: **a member
/// that loses its disk needs one place more**, in the storage of all members. [`new`](Self::new)
/// refuses a later incarnation without it.
///
/// ```
/// use quorate_clocks::causal::{Config, Event};
/// use quorate_clocks::{Actor, Causal, Inline};
/// use quorate_core::{Instant, Machine, NodeId, Output};
///
/// type Member = Causal<Inline<2>, Inline<8>, Inline<32>>;
/// let ids = [1, 2].map(NodeId::new);
/// let mut members = Vec::new();
/// for id in ids {
///     members.push(Member::new(Actor::from(id), &ids, Config::lan())?);
/// }
/// let mut deliveries = Vec::new();
/// for round in 0..4 {
///     for at in 0..2 {
///         members[at].tick(Instant::from_millis(100 * round));
///         if (round, at) == (0, 0) {
///             members[at].broadcast(b"hello")?;
///         }
///         let (mut messages, mut durable) = (Vec::new(), None);
///         loop {
///             while let Some(output) = members[at].poll() {
///                 match output {
///                     Output::Persist(ticket, _record) => durable = Some(ticket),
///                     Output::Send(to, message) => messages.push((to, encoded(&message))),
///                     Output::Event(Event::Deliver { payload, .. }) => deliveries.push((at, payload.to_vec())),
///                     Output::Event(_) => {}
///                 }
///             }
///             let Some(ticket) = durable.take() else { break };
///             members[at].persisted(ticket); // after the sync
///         }
///         for (to, bytes) in messages {
///             let message = quorate_core::Wire::from_slice(&bytes)?;
///             members[to.get() as usize - 1].receive(Instant::from_millis(100 * round), ids[at], message)?;
///         }
///     }
/// }
/// assert_eq!(deliveries, [(0, b"hello".to_vec()), (1, b"hello".to_vec())]);
/// assert_eq!(members[0].stable().len(), 1);
/// # fn encoded<'a>(m: &impl quorate_core::Wire<'a>) -> Vec<u8> { let mut v = vec![0; m.encoded_len()]; let _ = m.to_slice(&mut v); v }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # A node that forgets
///
/// A member whose disk was erased, or is an older copy, must come back as its next
/// [incarnation](Actor::next_incarnation). Its starts count as later than all before, so that what
/// it acknowledged and forgot no longer counts; [`Event::Behind`] says whose state to merge, and
/// from there on it takes part as before. Broadcasts of the former incarnation that only its disk
/// had are lost: what depends on them is never delivered, and stored until it is evicted.
///
/// As the same actor it would make dots again that others have, and they would drop what it
/// broadcasts. Whoever has such dots says so in its status, and is asked again; if it repeats that
/// in its answer, the member stops itself: [`Event::Fatal`] with [`Fatal::LostState`] comes once,
/// [`fatal`](Machine::fatal) says so from then on, [`broadcast`](Self::broadcast) gives
/// [`Stopped`](BroadcastError::Stopped), messages are refused, and nothing is sent, so that the
/// others do not wait for it for longer than `member_timeout_us`. It takes up to `interval_us` and
/// the way there and back twice; broadcasts made meanwhile may be lost, so a member that may have
/// forgotten waits for that long. A state with own broadcasts that the records do not have is a
/// proof by itself, [`ResumeError::LostState`].
///
/// A member that never broadcast and comes back as the same actor contradicts nobody and does not
/// stop. Others take it to have what it acknowledged, so it may get no further than to
/// [`Event::Gap`]; they do not wait for it for longer than `member_timeout_us`.
///
/// # What is believed
///
/// A peer is taken at its word in what it has delivered. A status of another start than the one it
/// was last heard in, and one that claims broadcasts which this member did not make, are believed
/// when they are confirmed: the peer must say the same in an answer, not in a question, to a
/// question that was sent after the first such status. So one forged, damaged, old or repeated
/// message changes nothing for good: until the answer comes nothing of it counts, and messages are
/// kept. A start before the one that is believed is out of date; its messages are no sign of life.
/// It is asked about, as a later one is, once the later one was not heard for `member_timeout_us`.
///
/// That is no protection from forgers: a peer, or somebody on the path who hears the questions, can
/// stop a member, or make it drop what others lack. Where that may be, authenticate the frames.
///
/// Members of versions that believed later starts at once, and claims in questions, work together
/// with these: the messages are the same, and they answer as is needed. They do not stop when they
/// find that they forgot: they refuse to broadcast, and the others wait for them until the
/// member timeout.
///
/// **Not** there: changes of membership, atomic (all or none) delivery, a total order. Records replay own broadcasts only; the
/// application's state is its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Causal<A: Storage, M: Storage, B: Storage> {
    actor: Actor,
    config: Config,
    now: Instant,
    started: bool,
    rejections: Rejections,

    // On disk
    boot: u32,
    /// Own broadcasts so far.
    sent: u64,

    // Disk
    tickets: Tickets,
    durable: Ticket,
    /// The ticket of the record that tells of this start; 0 before it was issued.
    boot_ticket: Ticket,
    /// More own broadcasts became stable: the record that says so is due.
    stable_record_due: bool,

    delivered: VersionVector<A>,
    /// What was delivered and dropped, or may have been.
    floor: VersionVector<A>,
    /// What was delivered at the last own broadcast: causes that are not sent again.
    causes_sent: VersionVector<A>,
    store: M::List<StoredMessage<A, B>>,
    peers: A::List<Peer<A>>,

    status_at: Instant,
    /// Statuses since something changed.
    idle_statuses: u32,
    /// What has been missing, and since when.
    gap: Option<(Run, Instant)>,
    /// The gap was reported.
    gap_reported: bool,
    gap_event_due: bool,
    stable_event_due: bool,
    prune_due: bool,
    fatal: Option<Fatal>,
    /// The application was notified.
    stop_reported: bool,
}

/// The low bits of a start's number count the starts of one incarnation; the high ones are the
/// incarnation.
const START_BITS: u32 = 22;

impl<A: Storage, M: Storage, B: Storage> Causal<A, M, B> {
    /// A member without a past. `members` are all nodes of the group, the actor's included.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what does not fit together.
    ///
    /// ```
    /// # use quorate_clocks::causal::{Config, ConfigError};
    /// # use quorate_clocks::{Actor, Causal, Inline};
    /// # use quorate_core::NodeId;
    /// let [a, b] = [1, 2].map(NodeId::new);
    /// type Member = Causal<Inline<2>, Inline<8>, Inline<32>>;
    /// assert!(Member::new(a.into(), &[a, b], Config::lan()).is_ok());
    /// let alone = Member::new(a.into(), &[b], Config::lan());
    /// assert_eq!(alone.err(), Some(ConfigError::NotAMember));
    /// ```
    pub fn new(actor: Actor, members: &[NodeId], config: Config) -> Result<Self, ConfigError> {
        if config.interval_us == 0 || config.gap_us == 0 || config.member_timeout_us == 0 {
            return Err(ConfigError::Interval);
        }
        if M::LIMIT < 4 {
            return Err(ConfigError::StoreTooSmall);
        }
        if !members.contains(&actor.node()) {
            return Err(ConfigError::NotAMember);
        }
        if actor.incarnation() >> (u32::BITS - START_BITS) != 0 {
            return Err(ConfigError::Incarnation);
        }
        if members.len() > A::LIMIT {
            return Err(ConfigError::TooManyMembers);
        }
        let (needed, limit) = (members.len().saturating_add(1), A::LIMIT);
        if actor.incarnation() > 0 && needed > limit {
            return Err(ConfigError::TooFewActors { needed, limit });
        }
        let mut peers = A::List::<Peer<A>>::with_limit(A::LIMIT);
        for (at, &id) in members.iter().enumerate() {
            if members.iter().skip(at.saturating_add(1)).any(|&other| other == id) {
                return Err(ConfigError::DuplicateMember(id));
            }
            if id != actor.node() {
                peers.push(Peer::new(id)).map_err(|_| ConfigError::TooManyMembers)?;
            }
        }
        Ok(Self {
            actor,
            config,
            now: Instant::ZERO,
            started: false,
            rejections: Rejections::default(),
            boot: 0,
            sent: 0,
            tickets: Tickets::default(),
            durable: Ticket::default(),
            boot_ticket: Ticket::default(),
            stable_record_due: false,
            delivered: VersionVector::new(),
            floor: VersionVector::new(),
            causes_sent: VersionVector::new(),
            store: M::List::with_limit(M::LIMIT),
            peers,
            status_at: Instant::ZERO,
            idle_statuses: 0,
            gap: None,
            gap_reported: false,
            gap_event_due: false,
            stable_event_due: false,
            prune_due: false,
            fatal: None,
            stop_reported: false,
        })
    }

    /// Broadcasts to the group, this member included. The payload is delivered here once it is durable.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`] says why not; nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::causal::{BroadcastError, Config};
    /// # use quorate_clocks::{Actor, Causal, Inline};
    /// # use quorate_core::{Instant, Machine, NodeId};
    /// let me = NodeId::new(1);
    /// let mut member = Causal::<Inline<1>, Inline<8>, Inline<4>>::new(me.into(), &[me], Config::lan())?;
    /// assert_eq!(member.broadcast(b"hi"), Err(BroadcastError::NotStarted));
    /// member.tick(Instant::ZERO);
    /// assert_eq!(member.broadcast(b"hi")?.counter(), 1);
    /// assert_eq!(member.broadcast(b"hello"), Err(BroadcastError::TooLarge));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn broadcast(&mut self, payload: &[u8]) -> Result<Dot, BroadcastError> {
        if !self.started {
            return Err(BroadcastError::NotStarted);
        }
        if self.fatal.is_some() {
            return Err(BroadcastError::Stopped);
        }
        let own = self.store.iter().filter(|stored| stored.is_own()).count();
        if own >= self.store.limit() / 2 || self.store.len() >= self.store.limit() {
            return Err(BroadcastError::Busy);
        }
        let counter = self.sent.checked_add(1).ok_or(BroadcastError::Exhausted)?;
        let dot = Dot::new(self.actor, counter).ok_or(BroadcastError::Exhausted)?;
        if !has_room(&self.delivered, dot) {
            return Err(BroadcastError::Full);
        }
        let mut causes = VersionVector::<A>::new();
        let new = |cause: &&Dot| cause.actor() != self.actor && !self.causes_sent.contains(**cause);
        for cause in self.delivered.entries().iter().filter(new) {
            causes.observe(*cause).map_err(|_| BroadcastError::Busy)?; // never: they fit where they come from
        }
        let stored = StoredMessage::new(dot, causes.versions(), payload, Origin::OwnUnissued)
            .map_err(|_| BroadcastError::TooLarge)?;
        self.store.push(stored).map_err(|_| BroadcastError::Busy)?;
        self.causes_sent = self.delivered.clone();
        self.sent = counter;
        self.reset_backoff();
        Ok(dot)
    }

    /// The application's state now is one that covers exactly these deliveries: what it had at a restart, or after it merged
    /// another member's. What is kept beyond them is delivered again. The others are told at once.
    ///
    /// # Errors
    ///
    /// [`ResumeError::Older`] if the state lacks what was delivered here and is no longer kept;
    /// [`ResumeError::LostState`] if it has own broadcasts that were never made here;
    /// [`ResumeError::Full`] if there are too many actors, this one included if it has broadcast.
    /// Nothing is changed.
    ///
    /// ```
    /// # use quorate_clocks::causal::Config;
    /// # use quorate_clocks::{Causal, Inline, VersionVector};
    /// # use quorate_core::NodeId;
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut member = Causal::<Inline<2>, Inline<8>, Inline<4>>::new(ids[0].into(), &ids, Config::lan())?;
    /// let mut state = VersionVector::<Inline<2>>::new();
    /// state.increment(ids[1].into())?;
    /// member.resume(&state)?;
    /// assert_eq!(member.delivered(), &state);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume<T: Storage>(&mut self, state: &VersionVector<T>) -> Result<(), ResumeError> {
        if let Some(dot) = self.floor.entries().iter().find(|dot| !state.contains(**dot)) {
            return Err(ResumeError::Older(*dot));
        }
        if let Some(dot) =
            Dot::new(self.actor, state.get(self.actor)).filter(|dot| dot.counter() > self.sent)
        {
            return Err(ResumeError::LostState(dot));
        }
        let mut delivered = VersionVector::new();
        delivered.merge(state).map_err(|_| ResumeError::Full)?;
        // others can no longer have these from here, but for own ones: those are dropped only when they are stable
        let mut floor = self.floor.clone();
        for dot in state.entries().iter().filter(|dot| dot.actor() != self.actor) {
            floor.observe(*dot).map_err(|_| ResumeError::Full)?;
        }
        let undelivered = Dot::new(self.actor, self.sent);
        if undelivered.is_some_and(|dot| !has_room(&delivered, dot)) {
            return Err(ResumeError::Full); // they never would be
        }
        self.reset_member_timers();
        (self.delivered, self.floor) = (delivered, floor);
        for stored in self.store.iter_mut() {
            stored.delivered = self.delivered.contains(stored.dot);
        }
        // at once: all may have been silent, and what they take for stable changes
        let has_started = self.started;
        self.peers.iter_mut().for_each(|peer| (peer.ahead, peer.status_due) = (false, has_started));
        self.reset_backoff();
        Ok(())
    }

    /// Everything that was delivered.
    ///
    /// ```
    /// # use quorate_clocks::causal::Config;
    /// # use quorate_clocks::{Causal, Inline};
    /// # use quorate_core::NodeId;
    /// let me = NodeId::new(1);
    /// let member = Causal::<Inline<1>, Inline<8>, Inline<4>>::new(me.into(), &[me], Config::lan())?;
    /// assert!(member.delivered().is_empty());
    /// # Ok::<(), quorate_clocks::causal::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn delivered(&self) -> &VersionVector<A> {
        &self.delivered
    }

    /// Everything that all members have delivered, those aside that have been silent for too long:
    /// nothing that is concurrent with it will come any more from the others.
    ///
    /// It goes back when a member forgets deliveries: when this or another one restarts with a state
    /// that does not cover them, until that has [resumed](Self::resume) or has them again; and when
    /// a member is heard again that was silent. What was dropped stays dropped.
    ///
    /// ```
    /// # use quorate_clocks::causal::Config;
    /// # use quorate_clocks::{Causal, Inline};
    /// # use quorate_core::NodeId;
    /// let ids = [1, 2].map(NodeId::new);
    /// let member = Causal::<Inline<2>, Inline<8>, Inline<4>>::new(ids[0].into(), &ids, Config::lan())?;
    /// assert!(member.stable().is_empty());
    /// # Ok::<(), quorate_clocks::causal::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stable(&self) -> VersionVector<A> {
        let mut stable = self.delivered.clone();
        self.active_peers().for_each(|peer| stable.meet(&peer.known));
        stable
    }

    /// What is known to be missing first, if anything is.
    ///
    /// ```
    /// # use quorate_clocks::causal::Config;
    /// # use quorate_clocks::{Causal, Inline};
    /// # use quorate_core::NodeId;
    /// let me = NodeId::new(1);
    /// let member = Causal::<Inline<1>, Inline<8>, Inline<4>>::new(me.into(), &[me], Config::lan())?;
    /// assert_eq!(member.gap(), None);
    /// # Ok::<(), quorate_clocks::causal::ConfigError>(())
    /// ```
    #[must_use]
    pub fn gap(&self) -> Option<Run> {
        let of_stored = |stored: &StoredMessage<A, B>| {
            self.gap_among(&stored.causes).or_else(|| self.gap_among(&[stored.dot]))
        };
        let of_peers = self.peers.iter().find_map(|peer| self.gap_among(peer.known.entries()));
        of_peers.or_else(|| self.store.iter().find_map(of_stored))
    }

    /// How many messages are kept, delivered or not.
    ///
    /// ```
    /// # use quorate_clocks::causal::Config;
    /// # use quorate_clocks::{Causal, Inline};
    /// # use quorate_core::NodeId;
    /// let me = NodeId::new(1);
    /// let member = Causal::<Inline<1>, Inline<8>, Inline<4>>::new(me.into(), &[me], Config::lan())?;
    /// assert_eq!(member.stored(), 0);
    /// # Ok::<(), quorate_clocks::causal::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stored(&self) -> usize {
        self.store.len()
    }

    /// The members that stability waits for.
    fn active_peers(&self) -> impl Iterator<Item = &Peer<A>> + '_ {
        let (now, member_timeout_us) = (self.now, self.config.member_timeout_us);
        self.peers.iter().filter(move |peer| !peer.is_timed_out(now, member_timeout_us))
    }

    fn gap_among(&self, dots: &[Dot]) -> Option<Run> {
        dots.iter().find_map(|dot| self.gap_before(*dot))
    }

    /// What is missing of the dot's actor, up to the dot, before what is held of it.
    fn gap_before(&self, dot: Dot) -> Option<Run> {
        let actor = dot.actor();
        let first = self.delivered.next(actor).ok()?;
        let waiting =
            self.store.iter().filter(|stored| stored.dot.actor() == actor && !stored.delivered);
        let next = waiting.map(|stored| stored.dot.counter()).min().unwrap_or(u64::MAX);
        Run::new(actor, first.counter(), dot.counter().min(next.saturating_sub(1)))
    }

    /// Whether statuses must be exchanged: some member may lack something.
    fn needs_status_exchange(&self) -> bool {
        !self.store.is_empty()
            || !self.delivered.includes(&self.floor)
            || self.peers.iter().any(|peer| {
                peer.boot == 0
                    || peer.unconfirmed.is_some()
                    || !self.delivered.includes(&peer.known)
            })
            || self.active_peers().any(|peer| !peer.known.includes(&self.delivered))
    }

    /// More is about to be delivered here: members that have everything so far have not been
    /// silent, as there was nothing that they could have said.
    fn reset_member_timers(&mut self) {
        let delivered = &self.delivered;
        let has_all = |peer: &&mut Peer<A>| peer.known.includes(delivered);
        self.peers.iter_mut().filter(has_all).for_each(|peer| peer.progressed_at = JUST_NOW);
    }

    /// Something changed: statuses come at their shortest interval again.
    fn reset_backoff(&mut self) {
        self.idle_statuses = 0;
        self.prune_due = true;
        self.status_at = self.status_at.min(self.now.after(self.config.interval_us));
    }
}

impl<A: Storage, M: Storage, B: Storage> Machine for Causal<A, M, B> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        self.replay(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.handle_message(now, from, message).map_err(|reason| self.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.set_now(now);
        self.handle_tick();
    }

    fn persisted(&mut self, ticket: Ticket) {
        if ticket <= self.tickets.last() {
            self.durable = self.durable.max(ticket);
        }
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan()?;
        self.make(plan)
    }

    fn deadline(&self) -> Option<Instant> {
        let is_due = !self.started || self.needs_status_exchange();
        (self.fatal.is_none() && is_due).then_some(self.status_at)
    }

    fn status(&self) -> Status {
        Status {
            id: self.actor.node(),
            actor: self.actor,
            sent: self.sent,
            stored: self.store.len(),
            gap: self.gap(),
            fatal: self.fatal,
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn fatal(&self) -> Option<Fatal> {
        self.fatal
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.records()
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(Self::max_message_len())
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(Self::max_record_len())
    }
}
