//! Elections on a ring: each node sends only to the next live one, but for the leader's heartbeat.

mod algorithm;
mod election;
mod hop;
mod hops;
mod message;
mod output;

use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use quorate_core::{Corrupt, Instant, List, Machine, NodeId, Output, Rejected, Rejections, Ticket};

pub(crate) use algorithm::Kind;
pub use algorithm::{Algorithm, ChangRoberts, Collecting, HirschbergSinclair};
pub(crate) use hop::{OutstandingHop, SeenAttempt};
pub use message::{Direction, Message};

use crate::leadership::Leadership;
use crate::members::{MemberSet, Members, bit};
use crate::storage::Storage;
use crate::{Config, ConfigError, Counts, Epoch, Event, Mode, Record, Role, Status};

/// A node of a ring election, as a [`Machine`]: [`Collecting`], [`ChangRoberts`] or [`HirschbergSinclair`].
///
/// The members are a ring in the order in which they are listed. The algorithms of the papers take reliable links and live
/// nodes for granted; here each hop is acknowledged, sent again, and goes to the next node when one is silent for
/// `attempts * answer_timeout_us` (or is [suspected](Self::suspect)). A message that comes by a second time is dropped: a token
/// whose owner has died goes round once.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output};
/// use quorate_election::ring::{ChangRoberts, Ring};
/// use quorate_election::{Config, Inline};
///
/// let ids = [7, 3, 5].map(NodeId::new);
/// let mut nodes = ids.map(|id| Ring::<ChangRoberts, Inline<8>>::new(id, &ids, Config::lan()));
/// let now = Instant::ZERO;
/// let mut post = std::collections::VecDeque::new();
/// for at in [0, 1, 2] {
///     nodes[at].as_mut().map_err(|e| *e)?.tick(now);
/// }
/// loop {
///     for at in [0, 1, 2] {
///         let node = nodes[at].as_mut().map_err(|e| *e)?;
///         while let Some(output) = node.poll() {
///             match output {
///                 Output::Persist(ticket, _) => node.persisted(ticket),
///                 Output::Send(to, message) => post.push_back((ids[at], to, message)),
///                 Output::Event(_) => {}
///             }
///         }
///     }
///     let Some((from, to, message)) = post.pop_front() else { break };
///     let at = ids.iter().position(|&id| id == to).ok_or("a message to nobody")?;
///     nodes[at].as_mut().map_err(|e| *e)?.receive(now, from, message)?;
/// }
/// for node in nodes {
///     assert_eq!(node?.status().leader, Some(NodeId::new(7)));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it promises
///
/// As [`Bully`](crate::Bully) in classic mode, and nothing in other modes, which it refuses (the crate's page tells what they would
/// cost): at most one leader an epoch, always;
/// once faults stop, one leader, the highest live node (or any, with [`Takeover::Keep`](crate::Takeover::Keep)), known to all.
/// The leader's epoch is above every epoch that a node on its token's way knew. An attempt takes `2n` hops of half an
/// `answer_timeout_us` each at most, and with [`HirschbergSinclair`] as many more as its probes make: up to `6n` in all. A ring of many
/// waits for its outcome as long as that takes, if `outcome_timeout_us` is less. [`settle_us`](Self::settle_us) tells what comes of it.
///
/// With [`Takeover::Keep`](crate::Takeover::Keep), a leader that a majority hears stays: who hears it takes no part in the attempts of
/// others, and sends their tokens to it; the leader takes them off the ring, and goes on in a later epoch, in which those that missed
/// it follow. A node that led by itself while it was cut off is followed by nobody else, and yields to the other leader. To a candidate no leader
/// yields, however few are alive to follow it.
///
/// A node whose disk was erased learns what the others know as its token goes round, before it leads: its epochs are above all that
/// any live node of the ring has seen. A message that makes it leader, of an attempt that it did not see, is of before, and does not. What
/// nobody that is alive remembers cannot be noticed, as with [`Bully`](crate::Bully). Until it knows a leader it believes epochs however
/// late they are, and lies about them.
///
/// Of `n` members, a node sends another:
///
/// * in a burst, within [`Config::answer_timeout_us`]: at most `5 n + 3` messages. All may start an attempt at once, and each attempt
///   passes each node once as a token and once as COORDINATOR; either is acknowledged, to the same node where but two are left; and the
///   leader that it makes is heard. Three more are a heartbeat, a leader's question and the answer to one. With [`HirschbergSinclair`]
///   it is `8 p + 3 n + 3`, with `p` phases, `⌈log2 n⌉ + 1`: in each, probes of two candidates at most come by, their replies, and
///   as many acknowledgements.
/// * on average over a second: at most such a burst in each `outcome_timeout_us`, before which nobody attempts it again, and 2 messages
///   in each `heartbeat_us`. A hop that is not acknowledged is sent again after `answer_timeout_us`, `attempts` times in all.
///
/// That is so even if a peer refuses everything, or loses its disk with each message and is up again after the answer timeout. For each
/// message of a peer that restarts faster there are up to 2 more; for each call of [`suspect`](Self::suspect),
/// [`campaign`](Self::campaign) or [`fenced`](Self::fenced) one attempt more.
///
/// RAM with `Inline<MEMBERS>`: 256 bytes and 64 a member. `MEMBERS` is also how many messages may be under way through one node; where there
/// is no room the node does not acknowledge. [`HirschbergSinclair`] has up to four for each member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ring<A: Algorithm, S: Storage> {
    members: Members<S>,
    config: Config,
    now: Instant,
    started: bool,
    leadership: Leadership,
    role: Role,
    /// When the role's time is up.
    deadline: Instant,
    /// The own attempt.
    token: Epoch,
    /// Hirschberg and Sinclair: the phase of the own attempt, and who answered in it.
    phase: u8,
    replied: [bool; 2],
    /// Who does not answer.
    suspected: MemberSet,
    /// A later epoch than that of this leader, which asks who still follows it; or zero.
    rival: Epoch,
    /// The latest of them that is, or was, another leader's, and not only a candidate's; or zero.
    rival_leader: Epoch,
    /// This leader has asked who follows it since its last heartbeat.
    asked: bool,
    followers: MemberSet,
    /// How often it has asked.
    attempt: u8,
    /// The latest epoch in any message that went round.
    told: Epoch,
    seen_attempts: S::SeenAttempts,
    outstanding: S::OutstandingHops,
    alive_due: MemberSet,
    /// The leader has asked whether it is followed.
    follow_due: bool,
    rejections: Rejections,
    counts: Counts,
    algorithm: PhantomData<A>,
}

impl<A: Algorithm, S: Storage> Ring<A, S> {
    /// A node without a past; replay the records on disk through [`restore`](Self::restore), then [`tick`](Self::tick).
    /// `ring` are all nodes, this one included, in the order in which messages go round; all nodes must be given the same.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_election::ring::{Collecting, Ring};
    /// use quorate_election::{Config, ConfigError, Inline};
    /// let ids = [1, 1].map(NodeId::new);
    /// let node = Ring::<Collecting, Inline<4>>::new(ids[0], &ids, Config::lan());
    /// assert_eq!(node, Err(ConfigError::DuplicateMember(ids[0])));
    /// ```
    pub fn new(id: NodeId, ring: &[NodeId], config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        if config.mode != Mode::Classic {
            return Err(ConfigError::Mode);
        }
        let members = Members::new(id, ring, false)?;
        let mut seen_attempts = S::SeenAttempts::with_limit(members.len());
        for _ in ring {
            seen_attempts.push(SeenAttempt::default()).map_err(|_| ConfigError::TooManyMembers)?;
        }
        Ok(Self {
            outstanding: S::OutstandingHops::with_limit(members.len().saturating_mul(4)),
            seen_attempts,
            members,
            config,
            now: Instant::ZERO,
            started: false,
            leadership: Leadership::default(),
            role: Role::Follower,
            deadline: Instant::ZERO,
            token: Epoch::ZERO,
            phase: 0,
            replied: [false; 2],
            suspected: 0,
            told: Epoch::ZERO,
            rival: Epoch::ZERO,
            rival_leader: Epoch::ZERO,
            asked: false,
            followers: 0,
            attempt: 0,
            alive_due: 0,
            follow_due: false,
            rejections: Rejections::default(),
            counts: Counts::default(),
            algorithm: PhantomData,
        })
    }

    /// A failure detector takes this node for dead: messages go past it, and if it is the leader, an election begins. It counts
    /// as alive again when something is heard from it.
    pub fn suspect(&mut self, now: Instant, node: NodeId) {
        self.advance(now);
        let Some(index) = self.members.index_of(node).filter(|&index| index != self.members.me())
        else {
            return;
        };
        self.suspected |= bit(index);
        self.retransmit(bit(index));
        if self.leadership.leader() == Some(index) {
            self.start_election();
        }
    }

    /// Starts an election now, whatever is known of the leader. A leader does nothing.
    pub fn campaign(&mut self, now: Instant) {
        self.advance(now);
        if self.role != Role::Leader {
            self.start_election();
        }
    }

    /// A resource refused this node's token, because it has seen the token of `later`. A leader takes an epoch after that, or
    /// steps down if somebody better has it. Without a quorum this is needed: the leader of a part
    /// that was cut off, and that nobody else ever heard, may have left a higher token behind.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Ticket};
    /// use quorate_election::{Config, Epoch, Inline, Ring, ring::Collecting};
    /// let me = NodeId::new(1);
    /// let mut node = Ring::<Collecting, Inline<1>>::new(me, &[me], Config::lan())?;
    /// node.tick(Instant::ZERO); // alone, it leads
    /// let later = Epoch::from_token(320);
    /// node.fenced(Instant::ZERO, later);
    /// assert!(node.status().epoch > later);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    pub fn fenced(&mut self, now: Instant, later: Epoch) {
        if later.owner() < self.members.len() && self.leadership.reference_epoch().admits(later) {
            self.advance(now);
            self.on_fenced(later);
        }
    }

    /// How many messages this node has sent, by kind.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How long it takes at most, once faults stop, until the right node leads and all know, in µs; provided that a message and
    /// its acknowledgement take no longer than `answer_timeout_us`.
    #[must_use]
    pub fn settle_us(&self) -> u64 {
        // each hop may lead past the dead
        let hop = self.config.answer_timeout_us.saturating_mul(self.config.attempts.into());
        let hops = hop.saturating_mul(self.hops());
        let attempt = self.config.leader_timeout_us.saturating_add(self.outcome_timeout_us());
        let heartbeats = self.config.heartbeat_us.saturating_mul(3);
        attempt.saturating_add(hops).saturating_mul(2).saturating_add(heartbeats)
    }

    /// How long to wait for the outcome of an attempt: as the configuration says, but not less than its messages take.
    fn outcome_timeout_us(&self) -> u64 {
        // a hop takes half an answer's time at most
        let takes = self.config.answer_timeout_us.saturating_mul(self.hops()).div_ceil(2);
        self.config.outcome_timeout_us.max(takes)
    }

    /// How many hops follow on each other in an attempt that ends in a leader whom all know.
    fn hops(&self) -> u64 {
        let members = self.members.len() as u64;
        let probes = match A::KIND {
            // 1, 2, 4 ... hops out and back, until a probe comes all the way round
            Kind::HirschbergSinclair => {
                members.next_power_of_two().saturating_sub(1).saturating_mul(2)
            }
            Kind::Collecting | Kind::ChangRoberts => 0,
        };
        members.saturating_mul(2).saturating_add(probes)
    }
}

/// Times count from the machine's present, and statistics do not count at all: machines that will do the same hash the same.
impl<A: Algorithm, S: Storage> Hash for Ring<A, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            members, leadership, role, token, phase, replied, suspected, seen_attempts, ..
        } = self;
        (members, leadership, role, token, phase, replied, suspected, seen_attempts).hash(state);
        (self.started, self.asked, self.alive_due, self.follow_due, self.rival, self.told)
            .hash(state);
        if self.rival > Epoch::ZERO {
            (self.followers, self.attempt, self.rival_leader).hash(state);
        }
        self.deadline.since(self.now).hash(state);
        self.outstanding.iter().for_each(|hop| hop.hash(self.now, state));
    }
}

impl<A: Algorithm, S: Storage> Machine for Ring<A, S> {
    type Message<'a> = Message;
    type Record<'a> = Record;
    type Event<'a> = Event;
    type Status = Status;

    /// Replays one record at boot.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when the record cannot follow those before it; nothing was changed.
    fn restore(&mut self, record: Record) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        self.leadership.restore(record, self.members.len())
    }

    /// Takes a message from a peer.
    ///
    /// # Errors
    ///
    /// [`Rejected`] when the message is refused: it was counted and changed nothing else.
    fn receive(&mut self, now: Instant, from: NodeId, message: Message) -> Result<(), Rejected> {
        match self.check(from, message) {
            Err(reason) => Err(self.rejections.count(reason)),
            Ok(from) => {
                self.advance(now);
                self.handle_message(from, message);
                Ok(())
            }
        }
    }

    /// Lets time pass; the first tick starts the node. However late it comes, each timeout counts as expired once.
    fn tick(&mut self, now: Instant) {
        self.advance(now);
        self.retransmit(0);
        if self.now >= self.deadline {
            self.on_timeout();
        }
    }

    /// Tells that the record with this ticket is durable.
    fn persisted(&mut self, ticket: Ticket) {
        self.leadership.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.next_output()
    }

    /// When a tick is wanted.
    fn deadline(&self) -> Option<Instant> {
        Some(self.next_retransmission().map_or(self.deadline, |at| at.min(self.deadline)))
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record> {
        self.leadership.checkpoint().into_iter()
    }

    /// What the node does, and whom it follows.
    fn status(&self) -> Status {
        let early = self.role == Role::Leader && !self.leadership.is_durable();
        Status {
            id: self.members.id(self.members.me()),
            role: if early { Role::Claiming } else { self.role },
            leader: self.leadership.leader().filter(|_| !early).map(|index| self.members.id(index)),
            epoch: self.leadership.epoch,
        }
    }

    /// How often messages were refused.
    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(Self::max_message_len())
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(Self::max_record_len())
    }
}
