//! The bully algorithm (Garcia-Molina, "Elections in a distributed computing system", IEEE Transactions on Computers C-31(1),
//! 1982, section III).

mod election;
mod message;
mod output;

use core::hash::{Hash, Hasher};

use quorate_core::{
    Corrupt, Drift, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket,
};

pub use message::Message;

use crate::leadership::Leadership;
use crate::lease::{Grant, Lease};
use crate::members::{MemberSet, Members};
use crate::storage::Storage;
use crate::{Config, ConfigError, Counts, Epoch, Event, Mode, Record, Role, Status};

/// A node of a bully election, as a [`Machine`].
///
/// A node that misses the leader asks all nodes with a higher id (ELECTION). If one answers (ANSWER), it leaves the matter to
/// them; if none does, it leads and tells all (COORDINATOR). So the highest live node leads.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output};
/// use quorate_election::{Bully, Config, Event, Inline};
///
/// let ids = [1, 2].map(NodeId::new);
/// let mut low = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
/// let mut high = Bully::<Inline<2>>::new(ids[1], &ids, Config::lan())?;
/// let now = Instant::ZERO;
/// low.tick(now); // the first tick starts a node
/// high.tick(now);
/// let mut leaders = Vec::new();
/// for _ in 0..4 {
///     // a driver writes records, sends messages and tells the application; here the network is a function call
///     while let Some(output) = high.poll() {
///         match output {
///             Output::Persist(ticket, _record) => high.persisted(ticket),
///             Output::Send(_, message) => low.receive(now, ids[1], message)?,
///             Output::Event(event) => leaders.push(event),
///         }
///     }
///     while let Some(output) = low.poll() {
///         match output {
///             Output::Persist(ticket, _record) => low.persisted(ticket),
///             Output::Send(_, message) => high.receive(now, ids[0], message)?,
///             Output::Event(event) => leaders.push(event),
///         }
///     }
/// }
/// let epoch = high.status().epoch;
/// assert_eq!(leaders, [Event::Leading { epoch }, Event::Following { leader: ids[1], epoch }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it promises
///
/// * **At most one leader an epoch**, always, whatever fails: an [`Epoch`] names its owner, and is on the owner's
///   disk before it leads in it. Epochs grow, so they are fencing tokens.
/// * **One leader at a time** only as far as the [`Mode`] says. The algorithm takes for granted that whoever does not answer in
///   time is dead; where a network or a pause breaks that, [`Mode::Classic`] has two leaders, and
///   [`Mode::Quorum`] at most one that a majority hears.
/// * **The highest live node leads, and all know**, once faults stop and messages arrive in time, within
///   [`Config::settle_us`]. With [`Takeover::Keep`](crate::Takeover::Keep): one live node leads, and all know.
/// * Late, lost and repeated messages, simultaneous starts, and nodes that come back change none of that.
/// * With [`Takeover::Keep`](crate::Takeover::Keep), **a leader that a majority hears stays** (Raft thesis, section 4.2.3, leader
///   stickiness). Who hears it accepts no other. Nodes that were cut off come back as followers. In quorum and lease mode a candidate
///   asks all nodes, and claims only when a majority, itself included, misses the leader, too (pre-vote, section 9.6): so those that
///   were cut off, alone or together, have claimed nothing and left no trace. In classic mode they may have led by themselves, in a
///   later epoch, and the leader goes on in an epoch after that. Of two leaders in classic mode the one goes on that a majority
///   follows, or half of all with the highest; if neither is, the one of the later epoch does.
/// * **A node whose disk was erased** knows no epoch, and might lead in one that was led in before. It has no record, and so is
///   [recovering](crate::Role::Recovering) when it starts, as every new node is: it asks the others which epochs there have been, and
///   neither leads nor accepts a leader until it knows. In quorum and lease mode that takes answers of `n - majority + 1` others (all
///   `n - 1` of three, 3 of 5), one of which knows what it has forgotten, if no other node forgot at the same time. In classic mode those
///   that do not answer `attempts` times count as dead. Where it has to wait for them it says so once ([`Event::Leaderless`]), and asks
///   less and less often: up to 16 times as seldom, but at least once in `leader_timeout_us`.
///
/// # When a disk is erased
///
/// What nobody remembers cannot be noticed: when all are erased, or all that knew; when a second node is erased before the first has
/// recovered; in classic mode also when those that know are cut off, or slower than `answer_timeout_us`. Nor is an older copy of a
/// disk told from a node that was down for a while. The resource's memory helps against all of these: give the highest token it
/// has seen, as a [`Record`], to [`restore`](Self::restore) of one node. The messages of a node's life before must not arrive after
/// its disk was erased.
///
/// **A group that is new has no leader until enough nodes are up at once**: in quorum and lease mode that is all of three, three of four,
/// four of five. A majority is not enough then, and is enough ever after. A node that certainly is new takes part without asking if it
/// is given `Record { epoch: Epoch::ZERO }` at its first start.
///
/// A node that has forgotten cannot tell which epochs are far: while it recovers it believes every one below 2^62, where others refuse
/// those that are more than 2^38 beyond their own. **One that lies to it** can so take it further than the others follow: they refuse
/// what it says, and go on without it, until its disk is erased once more, or it is given a record, without the liar. Nor does the liar
/// need more than one message in a group that is new, as all nodes of that recover; and a resource that such a node has used its token
/// on refuses all others' tokens.
///
/// # How it misses a leader
///
/// By `leader_timeout_us` alone, or sooner by a [failure detector](crate::detector): feed it with every message that arrives,
/// and hand its verdict to [`suspect`](Self::suspect); [`Monitor`](crate::detector::Monitor) does
/// both for all peers.
///
/// # Messages
///
/// With `n` nodes of which the highest has crashed, and `attempts` 1, until all live nodes know the new leader (tests count
/// them exactly):
///
/// | | ELECTION | ANSWER | COORDINATOR |
/// |---|---|---|---|
/// | best: the second highest misses it | 1 | 0 | n - 1 |
/// | worst: the lowest misses it | n(n-1)/2 | (n-1)(n-2)/2 | n - 1 |
///
/// | kept by a majority (quorum or lease mode), and all miss it | (n-1)² | (n-1)(n-2) | n - 1 |
///
/// COORDINATOR also goes to the dead: it may not be. Every further attempt asks those that were silent again. While a majority misses the
/// leader, and nobody has won yet, those that miss it ask; whoever hears its leader answers a higher node by STALE, which supports no
/// claim.
///
/// Of `n` members, a node sends another:
///
/// * in a burst, within [`Config::answer_timeout_us`]: at most `2 n + 6` messages. All may hold an election at once: for each a node sends
///   ELECTION on, or ANSWER and COORDINATOR back. Six more are one of each kind.
/// * on average over a second: at most such a burst in each `outcome_timeout_us`, before which nobody holds another election, and 3
///   messages in each `answer_timeout_us`: heartbeats, what is asked again, and answers to a peer that restarts.
///
/// That is so even if a peer refuses everything, or loses its disk with each message and is up again after the answer timeout. A peer
/// that restarts faster asks with each start: for each message of such a peer a node sends each other one up to 2 more. Answers are not
/// delayed, because a node that is not answered in time counts as dead.
///
/// # Upgrades
///
/// Nodes of before this rule answer no higher node that asks whether they miss the leader. With
/// [`Takeover::Keep`](crate::Takeover::Keep) in quorum and lease mode, **upgrade the node with the lowest id first**, and so on upwards:
/// then whoever is the highest that lives is supported by lower nodes that know the rule, or does not ask for it. In another order a
/// new leader may have to wait until enough lower nodes ask the higher one, as they do when they miss the leader, too; in
/// simulations of three and five nodes they always did. Nodes of before the rule may still interrupt a leader as they did.
///
/// RAM with `Inline<N>`: 304 bytes and 8 a member. Before it answers elections, a new node asks each other one, which answers: `2 (n - 1)`
/// messages a node, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bully<S: Storage> {
    members: Members<S>,
    config: Config,
    now: Instant,
    started: bool,
    leadership: Leadership,
    role: Role,
    /// When the role's time is up.
    deadline: Instant,
    /// Which attempt of asking or claiming this is, from 1.
    attempt: u8,
    /// Who accepted the claim, or this round. Of a candidate: who need not be asked any more; if it asks all, who misses the leader.
    /// Of a node that recovers: who told what it knows.
    accepted: MemberSet,
    /// A later epoch than this leader's, or zero. With a quorum the leader claims the next epoch at its next heartbeat; in classic
    /// mode it asks whether a majority still follows it.
    rival: Epoch,
    /// In classic mode: this leader has asked who follows it since its last heartbeat.
    asked: bool,
    /// A message with a later epoch deposed this node, and it claimed again at once: not a second time until its next timeout.
    reclaimed: bool,
    round: u64,
    /// When this round began.
    round_at: Instant,
    /// When the last round began that a majority answered.
    confirmed_at: Instant,
    /// The leader's round that was heard last.
    leader_round: u64,

    // Lease mode
    lease: Lease,
    grant: Grant,
    /// Whom the promise was given to; empty before the first.
    granted_to: MemberSet,

    due: DueMessages,
    rejections: Rejections,
    counts: Counts,
}

/// What is to be said to whom: a set of members for each kind of message.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct DueMessages {
    election: MemberSet,
    answer: MemberSet,
    coordinator: MemberSet,
    alive: MemberSet,
    accept: MemberSet,
    stale: MemberSet,
}

impl<S: Storage> Bully<S> {
    /// A node without a past; replay the records on disk through [`restore`](Self::restore), then [`tick`](Self::tick).
    /// `members` are all nodes, this one included, in any order; all nodes must be given the same.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_election::{Bully, Config, ConfigError, Inline};
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// assert!(Bully::<Inline<3>>::new(ids[0], &ids, Config::lan()).is_ok());
    /// let small = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan());
    /// assert_eq!(small, Err(ConfigError::TooManyMembers));
    /// ```
    pub fn new(id: NodeId, members: &[NodeId], config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let (lease_us, drift) = match config.mode {
            Mode::Lease { lease_us, drift } => (lease_us, drift),
            _ => (0, Drift::NONE),
        };
        Ok(Self {
            members: Members::new(id, members, true)?,
            now: Instant::ZERO,
            started: false,
            leadership: Leadership::default(),
            role: Role::Follower,
            deadline: Instant::ZERO,
            attempt: 0,
            accepted: 0,
            rival: Epoch::ZERO,
            asked: false,
            reclaimed: false,
            round: 0,
            round_at: Instant::ZERO,
            confirmed_at: Instant::ZERO,
            leader_round: 0,
            lease: Lease::new(lease_us, drift),
            grant: Grant::new(lease_us, drift),
            granted_to: 0,
            due: DueMessages::default(),
            rejections: Rejections::default(),
            counts: Counts::default(),
            config,
        })
    }

    /// A failure detector takes this node for dead. If it is the leader, an election begins.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_election::{Bully, Config, Epoch, Inline, Role, Takeover, bully::Message};
    /// let ids = [1, 2].map(NodeId::new);
    /// let config = Config { takeover: Takeover::Keep, ..Config::lan() };
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, config)?;
    /// let now = Instant::ZERO;
    /// let alive = Message::Alive { epoch: Epoch::from_token(33), round: 0 };
    /// node.receive(now, ids[1], alive)?;
    /// assert_eq!(node.status().leader, Some(ids[1]));
    /// node.suspect(now, ids[1]);
    /// assert_eq!(node.status().role, Role::Candidate);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn suspect(&mut self, now: Instant, node: NodeId) {
        self.advance(now);
        let suspected = self.members.index_of(node);
        if suspected.is_some() && self.leadership.leader() == suspected && self.role != Role::Leader
        {
            self.start_election();
        }
    }

    /// Starts an election now, whatever is known of the leader (which stays if leaders are kept and it answers; where a majority is
    /// needed, if it is heard by one). A leader does nothing, nor does a node that recovers.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_election::{Bully, Config, Epoch, Inline, Record, Role, Takeover};
    /// let ids = [1, 2].map(NodeId::new);
    /// let config = Config { takeover: Takeover::Keep, ..Config::lan() };
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, config)?;
    /// node.restore(Record { epoch: Epoch::ZERO })?;
    /// node.tick(Instant::ZERO);
    /// assert_eq!(node.status().role, Role::Follower);
    /// node.campaign(Instant::ZERO);
    /// assert_eq!(node.status().role, Role::Candidate);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn campaign(&mut self, now: Instant) {
        self.advance(now);
        if !matches!(self.role, Role::Leader | Role::Recovering) {
            self.start_election();
        }
    }

    /// A resource refused this node's token, because it has seen the token of `later`. A leader takes an epoch after that, or
    /// steps down if somebody better has it; if leaders are kept, it steps down if it is not
    /// followed any more, and one that needs a quorum takes the later epoch in place of its next
    /// heartbeat. Without a quorum this is needed: the leader of a part that was cut off, and that
    /// nobody else ever heard, may have left a higher token behind.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Ticket};
    /// use quorate_election::{Bully, Config, Epoch, Inline};
    /// let me = NodeId::new(1);
    /// let mut node = Bully::<Inline<1>>::new(me, &[me], Config::lan())?;
    /// node.tick(Instant::ZERO); // alone, it leads
    /// let later = Epoch::from_token(320);
    /// node.fenced(Instant::ZERO, later);
    /// assert!(node.status().epoch > later);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    pub fn fenced(&mut self, now: Instant, later: Epoch) {
        if later.owner() < self.members.len() && self.leadership.reference_epoch().admits(later) {
            self.advance(now);
            if self.role != Role::Recovering {
                self.reclaimed = false; // the application's resource is no peer that lies
                self.on_stale(later);
            }
        }
    }

    /// Whether this node leads and holds the lease at `now` ([`Mode::Lease`]); no other node does then, as long as clocks keep
    /// to the drift. Read the clock right before asking.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::{Bully, Config, Inline};
    /// let ids = [1, 2].map(NodeId::new);
    /// let node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// assert!(!node.holds_lease(Instant::ZERO));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub fn holds_lease(&self, now: Instant) -> bool {
        self.role == Role::Leader
            && self.leadership.is_durable()
            && self.lease.holds(now.max(self.now))
    }

    /// How many messages this node has sent, by kind.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_election::{Bully, Config, Counts, Inline};
    /// let ids = [1, 2].map(NodeId::new);
    /// let node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!(node.counts(), Counts::default());
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

/// Times count from the machine's present, and statistics do not count at all: machines that will do the same hash the same.
/// That is what a model checker needs to see that it has been somewhere before.
impl<S: Storage> Hash for Bully<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { members, leadership, role, attempt, accepted, rival, round, .. } = self;
        (members, leadership, role, attempt, accepted, rival, round).hash(state);
        (self.started, self.asked, self.reclaimed, self.leader_round, self.granted_to, &self.due)
            .hash(state);
        self.deadline.since(self.now).hash(state);
        if self.role == Role::Leader {
            self.now.since(self.round_at).hash(state);
            self.now.since(self.confirmed_at).hash(state);
            self.lease.until().since(self.now).hash(state);
        }
        self.grant.until().since(self.now).hash(state);
    }
}

impl<S: Storage> Machine for Bully<S> {
    type Message<'a> = Message;
    type Record<'a> = Record;
    type Event<'a> = Event;
    type Status = Status;

    /// Replays one record at boot.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when the record cannot follow those before it; nothing was changed.
    ///
    /// ```
    /// use quorate_core::{Corrupt, Drift, Machine, NodeId};
    /// use quorate_election::{Bully, Config, Epoch, Inline, Record};
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// node.restore(Record { epoch: Epoch::from_token(33) })?;
    /// assert_eq!(node.restore(Record { epoch: Epoch::from_token(1) }), Err(Corrupt::Regression));
    /// assert_eq!(node.status().epoch, Epoch::from_token(33));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Rejected};
    /// use quorate_election::{Bully, Config, Epoch, Inline, bully::Message};
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// // node 2 claims an epoch of node 1's
    /// let lie = Message::Coordinator { epoch: Epoch::from_token(32) };
    /// assert_eq!(node.receive(Instant::ZERO, ids[1], lie), Err(Rejected::Impossible));
    /// assert_eq!(node.rejections().impossible, 1);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
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

    /// Lets time pass; the first tick starts the node. However late it comes, at most one timeout counts as expired.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_election::{Bully, Config, Inline, Role};
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// assert_eq!(node.status().role, Role::Recovering); // it has no record
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    fn tick(&mut self, now: Instant) {
        self.advance(now);
        if self.now >= self.deadline {
            self.on_timeout();
        }
    }

    /// Tells that the record with this ticket is durable.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Output};
    /// use quorate_election::{Bully, Config, Inline, Role};
    /// let me = NodeId::new(1);
    /// let mut node = Bully::<Inline<1>>::new(me, &[me], Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// let Some(Output::Persist(ticket, _record)) = node.poll() else { panic!("no record") };
    /// assert!(node.poll().is_none()); // nothing leaves before
    /// node.persisted(ticket);
    /// assert!(matches!(node.poll(), Some(Output::Event(_))));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    fn persisted(&mut self, ticket: Ticket) {
        self.leadership.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        self.next_output()
    }

    /// When a tick is wanted.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_election::{Bully, Config, Inline};
    /// let ids = [1, 2].map(NodeId::new);
    /// let mut node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// node.tick(Instant::ZERO);
    /// assert_eq!(node.deadline(), Some(Instant::from_millis(50))); // for an answer
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record> {
        self.leadership.checkpoint().into_iter()
    }

    /// What the node does, and whom it follows.
    ///
    /// ```
    /// use quorate_core::{Machine, NodeId};
    /// use quorate_election::{Bully, Config, Inline, Role};
    /// let ids = [1, 2].map(NodeId::new);
    /// let node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!((node.status().role, node.status().leader), (Role::Follower, None));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    fn status(&self) -> Status {
        // a leader whose epoch is not durable is none yet: nobody was told, and a restart would forget it
        let leads = self.role == Role::Leader;
        let early = leads && !self.leadership.is_durable();
        Status {
            id: self.members.id(self.members.me()),
            role: if early { Role::Claiming } else { self.role },
            leader: self.leadership.leader().filter(|_| !early).map(|index| self.members.id(index)),
            epoch: self.leadership.epoch,
        }
    }

    /// How often messages were refused.
    ///
    /// ```
    /// use quorate_core::{Machine, NodeId};
    /// use quorate_election::{Bully, Config, Inline};
    /// let ids = [1, 2].map(NodeId::new);
    /// let node = Bully::<Inline<2>>::new(ids[0], &ids, Config::lan())?;
    /// assert_eq!(node.rejections().total(), 0);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
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
