use quorate_core::{
    Corrupt, Instant, List, Machine, NodeId, Output, Quorums, Rejected, Rejections, Rng, Ticket,
    Tickets,
};

use super::cell::{Answer, Cells, Due, check, index};
use super::collect::{Collection, CollectionPlan, Progress};
use super::membership::Membership;
use super::slot::{Phase, Slot};
use super::storage::Storage;
use super::{
    Attempt, Change, Changes, CollectError, Config, Event, FIRST_OTHER, Message, NoChanges, Record,
    Request, Stage, State, Status, Step, StepError, SubmitError, limits,
};
use crate::{Ballot, ConfigError, Member};

/// Registers that every node may change, as a [`Machine`]: proposer and acceptor in one.
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Quorums, Wire};
/// use quorate_paxos::register::{Change, Config, Event, Inline, Message, NoChanges, Outcome, Register};
/// use quorate_paxos::Member;
///
/// let ids = [1, 2, 3].map(NodeId::new);
/// let members = ids.map(Member::new);
/// let mut nodes = ids.map(|id| {
///     let quorums = Quorums::majority(3);
///     Register::<Inline<3, 8, 2, 8, 16>>::new(id, &members, quorums, Config::lan(), NoChanges, id.get()).unwrap()
/// });
/// nodes.iter_mut().for_each(|node| node.found(0)); // at their first start
///
/// let now = Instant::ZERO;
/// let request = nodes[0].submit(now, b"color", Change::Set { value: b"blue" })?;
/// let mut answers = Vec::new();
/// for _ in 0..10 {
///     for at in 0..3 {
///         let (mut last, mut sent) = (None, Vec::new());
///         while let Some(output) = nodes[at].poll() {
///             match output {
///                 Output::Persist(ticket, _record) => last = Some(ticket), // to the disk
///                 Output::Send(to, message) => {
///                     let mut bytes = vec![0; message.encoded_len()];
///                     message.to_slice(&mut bytes)?;
///                     sent.push((to, bytes));
///                 }
///                 Output::Event(Event::Answered { request, outcome, value, .. }) => {
///                     answers.push((request, outcome, value.map(<[u8]>::to_vec)));
///                 }
///                 Output::Event(_) => {}
///             }
///         }
///         if let Some(ticket) = last {
///             nodes[at].persisted(ticket); // after one sync for all of them
///         }
///         for (to, bytes) in sent {
///             nodes[(to.get() - 1) as usize].receive(now, ids[at], Message::from_slice(&bytes)?)?;
///         }
///     }
/// }
/// assert_eq!(answers, [(request, Outcome::Applied, Some(b"blue".to_vec()))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Register<S: Storage, C: Changes = NoChanges> {
    pub(super) membership: Membership<S>,
    pub(super) config: Config,
    pub(super) changes: C,
    pub(super) now: Instant,
    started: bool,
    tickets: Tickets,
    pub(super) durable: Ticket,
    /// The version of the membership that it was set up with is due to be written, with that it was.
    founding_due: bool,
    founding_ticket: Ticket,
    founding_version: u64,
    pub(super) founded: bool,
    rejections: Rejections,
    outdated: u64,
    pub(super) rng: Rng,
    /// The next record of the membership, and the ticket of the last one.
    config_due: Option<usize>,
    config_ticket: Ticket,
    /// The membership that is on disk.
    told: (u64, Stage),
    /// The highest round of any node.
    pub(super) seen: u64,
    /// This node's own rounds: up to here by a record, of which this ticket is returned, and up to there on disk.
    pub(super) through: u64,
    pub(super) through_due: bool,
    through_ticket: Ticket,
    safe: u64,
    pub(super) age: u64,
    pub(super) aged_due: bool,
    pub(super) aged_ticket: Ticket,
    /// The highest tombstone that acceptors may have erased: what they do not know of a lower ballot means nothing.
    pub(super) floor: Ballot,
    pub(super) fence_at: Instant,
    pub(super) cells: Cells<S>,
    pub(super) slots: S::Requests<Slot<S>>,
    last_request: u64,
    pub(super) collection: Collection<S>,
    /// What a change writes to.
    pub(super) scratch: S::Value,
}

/// How far the attempt that a client names may take this node's rounds at once.
const MAX_ATTEMPT_AHEAD: u64 = 1 << 20;

/// What became of a request that is given up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Cancelled {
    /// Its change was not sent to anybody, and will not be applied.
    NotSent,
    /// Its change was sent, and may be applied, once at most. [`Register::retry`] tells, with these attempts.
    Sent(Attempt),
}

impl<S: Storage, C: Changes> Register<S, C> {
    /// A node without a past; replay the records on disk through [`restore`](Machine::restore), then [`tick`](Machine::tick).
    ///
    /// `members` are the nodes of the membership that it is started with, and `quorums` are of the acceptors among them, in the order of
    /// their ids: pass the same on every start, whatever the membership has become. Members that only propose have
    /// [`Roles::PROPOSER`](crate::Roles::PROPOSER). A node that is to enter is not among them, and does nothing before it has. The seed is
    /// of the random back-off: another for each node.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_paxos::register::{Config, Inline, NoChanges, Register};
    /// use quorate_paxos::{ConfigError, Member};
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let new = |quorums| {
    ///     Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, quorums, Config::lan(), NoChanges, 1)
    /// };
    /// assert!(new(Quorums::flexible(3, 3, 1)?).is_ok());
    /// assert_eq!(new(Quorums::majority(4)).err(), Some(ConfigError::Quorums));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        id: NodeId,
        members: &[Member],
        quorums: Quorums,
        config: Config,
        changes: C,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let (key, value) = (limits::max_key::<S>(&config), limits::max_value::<S>(&config));
        let mut slots = S::Requests::with_limit(config.max_requests);
        for _ in 0..slots.limit() {
            let _ = slots.push(Slot::new(key, value)); // as many as there is room for
        }
        Ok(Self {
            membership: Membership::new(id, members, quorums, config.max_members)?,
            config,
            changes,
            now: Instant::ZERO,
            started: false,
            tickets: Tickets::default(),
            durable: Ticket::default(),
            founding_due: false,
            founding_ticket: Ticket::default(),
            founding_version: 0,
            founded: false,
            rejections: Rejections::default(),
            outdated: 0,
            rng: Rng::new(seed),
            config_due: None,
            config_ticket: Ticket::default(),
            told: (0, Stage::Stable),
            seen: 0,
            through: 0,
            through_due: false,
            through_ticket: Ticket::default(),
            safe: 0,
            age: 0,
            aged_due: false,
            aged_ticket: Ticket::default(),
            floor: Ballot::ZERO,
            fence_at: Instant::MAX,
            cells: Cells::new(config.max_keys, key, value),
            slots,
            last_request: 0,
            collection: Collection::new(key),
            scratch: S::Value::with_limit(value),
        })
    }

    /// This node is new: it has promised nothing, and used no ballot yet. To be called once in the life of a node, by the operator that sets it
    /// up; a node that has no record of it takes no part, because its disk may have been erased. `version` is that of the membership
    /// that it is started with: 0 for the nodes of a new instance, and what [`Status::version`] of the others says for one that
    /// is to enter.
    ///
    /// ```
    /// # use quorate_core::{Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{Config, Inline, NoChanges, Record, Register}};
    /// # let members = [Member::new(NodeId::new(1))];
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(1), Config::lan(), NoChanges, 1)?;
    /// assert!(!node.status().founded);
    /// node.found(0);
    /// assert!(matches!(node.poll(), Some(Output::Persist(_, Record::Founded { version: 0 }))));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn found(&mut self, version: u64) {
        if !self.founded {
            (self.founding_due, self.founded) = (true, true);
            self.set_founding_version(version);
        }
    }

    /// Changes a register, or reads it. [`Event::Answered`] tells what became of that, with the value that the register has then. It is tried
    /// until a quorum of each phase has answered, or it is [cancelled](Self::cancel).
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{Change, Config, Inline, NoChanges, Register, SubmitError}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// assert_eq!(node.submit(Instant::ZERO, b"x", Change::Read), Err(SubmitError::NotFounded));
    /// node.found(0);
    /// node.submit(Instant::ZERO, b"x", Change::Set { value: b"1" })?;
    /// node.submit(Instant::ZERO, b"x", Change::Read)?; // after the first one
    /// assert_eq!(node.submit(Instant::ZERO, b"y", Change::Read), Err(SubmitError::Busy));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit(
        &mut self,
        now: Instant,
        key: &[u8],
        change: Change<'_>,
    ) -> Result<Request, SubmitError> {
        self.request(now, key, change, None)
    }

    /// Asks for the same change again whose outcome is not known: since its node has crashed, or it was [cancelled](Self::cancel). The
    /// answer is [`AlreadyApplied`](super::Outcome::AlreadyApplied) if the attempt made the present value; it is as that of
    /// [`submit`](Self::submit) if the attempt has not been, and cannot be applied any more; otherwise
    /// [`Unknown`](super::Outcome::Unknown). Any node may be asked, and no answer says that an attempt has failed that was applied.
    ///
    /// The paper has no such rule. It is this: a quorum that has promised a ballot above the last attempt, and of which nobody has
    /// accepted anything since the first one, has neither chosen an attempt nor will it, and knows no value that was made of one.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Ballot, Member, register::{Attempt, Change, Config, Event, Inline, NoChanges, Outcome, Register}};
    /// # let id = NodeId::new(1);
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(id, &[Member::new(id)], Quorums::majority(1), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// # fn outcome(node: &mut Register<Inline<3, 8, 2, 8, 16>>) -> Outcome {
    /// #     loop {
    /// #         let mut last = None;
    /// #         while let Some(output) = node.poll() {
    /// #             match output {
    /// #                 Output::Persist(ticket, _) => last = Some(ticket),
    /// #                 Output::Event(Event::Answered { outcome, .. }) => return outcome,
    /// #                 _ => {}
    /// #             }
    /// #         }
    /// #         node.persisted(last.unwrap());
    /// #     }
    /// # }
    /// let change = Change::Set { value: b"1" };
    /// node.submit(Instant::ZERO, b"x", change)?;
    /// assert_eq!(outcome(&mut node), Outcome::Applied);
    /// // the client has kept the attempt that `Event::Attempted` told, and not heard the answer
    /// let ballot = Ballot::new(1, id);
    /// node.retry(Instant::ZERO, b"x", change, Attempt { first: ballot, last: ballot })?;
    /// assert_eq!(outcome(&mut node), Outcome::AlreadyApplied);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry(
        &mut self,
        now: Instant,
        key: &[u8],
        change: Change<'_>,
        attempt: Attempt,
    ) -> Result<Request, SubmitError> {
        let Attempt { first, last } = attempt;
        if first > last || first.is_zero() != last.is_zero() {
            return Err(SubmitError::Attempt);
        }
        self.request(now, key, change, Some(attempt))
    }

    /// Gives a request up. There is no answer. `None` if it is answered already, or unknown.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{Cancelled, Change, Config, Inline, NoChanges, Register}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// let request = node.submit(Instant::ZERO, b"x", Change::Delete)?;
    /// assert_eq!(node.cancel(request), Some(Cancelled::NotSent));
    /// assert_eq!(node.cancel(request), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&mut self, request: Request) -> Option<Cancelled> {
        let is_it =
            |slot: &&mut Slot<S>| slot.is_open() && !slot.collects && slot.request == request;
        let slot = self.slots.iter_mut().find(is_it)?;
        let attempt = slot.attempt();
        slot.free();
        self.advance();
        Some(attempt.map_or(Cancelled::NotSent, Cancelled::Sent))
    }

    /// Forgets a key that has no value, at all nodes, so that it takes no room any more. [`Event::Collected`] tells when that is done, or that
    /// it was not. Every node must be up for it; it may be asked for at any time again, and after a crash from the start.
    ///
    /// # Errors
    ///
    /// [`CollectError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{CollectError, Config, Inline, NoChanges, Register}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// node.collect(Instant::ZERO, b"x")?;
    /// assert!(node.status().collecting);
    /// assert_eq!(node.collect(Instant::ZERO, b"y"), Err(CollectError::Busy));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect(&mut self, now: Instant, key: &[u8]) -> Result<(), CollectError> {
        self.begin_collection(key)?;
        self.advance_to(now);
        self.advance();
        Ok(())
    }

    /// Takes a step of a change of the membership, as a [`Plan`](super::Plan) says. Once more is not an error. What is under way begins again, and a
    /// collection ends. The step counts when [`Status::version`] says so.
    ///
    /// # Errors
    ///
    /// [`StepError`]; nothing was changed.
    ///
    /// ```
    /// # use quorate_core::{Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{Config, Inline, NoChanges, Register, Sizes, Step, StepError}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// let two = [1, 2].map(NodeId::new);
    /// let accept = Step::Accept { version: 1, acceptors: &two, sizes: Sizes::majority(2) };
    /// assert_eq!(node.take(accept), Ok(()));
    /// assert_eq!(node.take(Step::Finish { version: 2, floor: 0 }), Err(StepError::OutOfOrder { version: 1 }));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn take(&mut self, step: Step<'_>) -> Result<(), StepError> {
        if !self.founded {
            return Err(StepError::NotFounded);
        }
        if self.membership.take(step)? {
            self.config_due = Some(0);
            if self.membership.enters() {
                self.forget_cells();
            }
            self.raise_floor();
            self.abandon_collection();
            self.restart_rounds();
            self.advance();
        }
        Ok(())
    }

    /// The keys that this node's acceptor has something of, in their order: a key that any acceptor of a quorum of phase 1 knows is one that there
    /// may be.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Member, register::{Change, Config, Inline, NoChanges, Register}};
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(NodeId::new(1), &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// node.submit(Instant::ZERO, b"x", Change::Read)?;
    /// assert_eq!(node.keys().collect::<Vec<_>>(), [b"x"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.iter().map(|cell| &*cell.key)
    }

    /// What this node's acceptor has accepted for a key, and what it has promised: not what was chosen.
    ///
    /// ```
    /// # use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// # use quorate_paxos::{Ballot, Member, register::{Change, Config, Inline, NoChanges, Register}};
    /// # let id = NodeId::new(1);
    /// # let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// # let mut node = Register::<Inline<3, 8, 2, 8, 16>>::new(id, &members, Quorums::majority(3), Config::lan(), NoChanges, 1)?;
    /// # node.found(0);
    /// node.submit(Instant::ZERO, b"x", Change::Read)?;
    /// assert_eq!(node.accepted(b"x"), Some((None, Ballot::new(1, id))));
    /// assert_eq!(node.accepted(b"y"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn accepted(&self, key: &[u8]) -> Option<(Option<State<'_>>, Ballot)> {
        let cell = self.cells.get(self.cells.find(key)?)?;
        let state = Some(cell.state()).filter(|state| !state.ballot.is_zero());
        Some((state, cell.promised))
    }

    fn request(
        &mut self,
        now: Instant,
        key: &[u8],
        change: Change<'_>,
        attempt: Option<Attempt>,
    ) -> Result<Request, SubmitError> {
        let collecting = self.slots.iter().position(|slot| slot.collects && *slot.key == *key);
        let at = match collecting {
            // the key is in use again: its place is free
            Some(at) => self.check_change(key, &change).map(|()| at)?,
            None => self.check(key, &change)?,
        };
        if self.collection.is_active() && *self.collection.key == *key {
            self.abandon_collection();
        }
        self.advance_to(now);
        self.last_request = self.last_request.saturating_add(1);
        let request = Request(self.last_request);
        let attempt = attempt.filter(|attempt| !attempt.first.is_zero());
        if let Some(Attempt { last, .. }) = attempt {
            // the next ballot is to be above the attempt; of one that is far ahead nothing is known
            let round = last.round.min(Ballot::MAX_ROUND);
            if round.saturating_sub(self.seen) <= MAX_ATTEMPT_AHEAD {
                self.see(round);
            }
        }
        if let Some(slot) = self.slots.get_mut(at) {
            slot.fill(request, key, change, attempt);
        }
        let _ = self.cells.entry(key); // there is room
        self.advance();
        Ok(request)
    }

    /// Where a request goes.
    pub(super) fn check(&self, key: &[u8], change: &Change<'_>) -> Result<usize, SubmitError> {
        self.check_change(key, change)?;
        let free = self.slots.iter().position(|slot| slot.phase == Phase::Free);
        free.ok_or(SubmitError::Busy)
    }

    fn check_change(&self, key: &[u8], change: &Change<'_>) -> Result<(), SubmitError> {
        if !self.founded {
            return Err(SubmitError::NotFounded);
        }
        if !self.membership.may_propose(self.membership.me()) {
            return Err(SubmitError::NotAMember);
        }
        if matches!(change, Change::Other { number, .. } if *number < FIRST_OTHER) {
            return Err(SubmitError::Reserved);
        }
        let argument = change.argument().len();
        if key.len() > self.cells.max_key() || argument > self.cells.max_value() {
            return Err(SubmitError::TooLong);
        }
        if !self.cells.has_room(key) {
            return Err(SubmitError::NoRoom);
        }
        if self.seen >= Ballot::MAX_ROUND {
            return Err(SubmitError::Exhausted);
        }
        Ok(())
    }

    fn set_founding_version(&mut self, version: u64) {
        (self.founding_version, self.told.0) = (version, version);
        self.membership.version = version;
    }

    /// What this node accepted while it was no acceptor, or before it was one again, nobody has counted: keys may have been collected since. The
    /// record of the step makes that so on disk: it comes before those of new cells.
    fn forget_cells(&mut self) {
        self.cells.clear();
        for slot in self.slots.iter().filter(|slot| slot.phase != Phase::Free) {
            let _ = self.cells.entry(&slot.key); // there was one
        }
    }

    /// Nodes that enter have no tombstone below this.
    fn raise_floor(&mut self) {
        let round = self.membership.floor;
        if round > 0 {
            self.seen = self.seen.max(round.min(Ballot::MAX_ROUND));
            self.floor = self.floor.max(Ballot::new(round, NodeId::new(u64::MAX)));
        }
    }

    fn advance_to(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.started = true;
    }

    fn advance(&mut self) {
        self.free_erased();
        self.serve();
        self.advance_rounds();
        // one that has ended makes way for the next one of its key
        while self.serve() {
            self.advance_rounds();
        }
        self.end_failed_claims();
        self.advance_collection();
    }

    /// Whether the membership is on disk.
    pub(super) fn is_configured(&self) -> bool {
        self.config_due.is_none() && self.config_ticket <= self.durable
    }

    /// The last of this node's own rounds that may be used.
    pub(super) const fn safe_round(&self) -> u64 {
        self.safe
    }

    /// A ballot is the sender's, and within range.
    pub(super) fn check_of(&self, ballot: Ballot, from: usize) -> Result<(), Rejected> {
        if ballot.is_zero() {
            return Err(Rejected::Malformed);
        }
        if ballot.node != self.membership.id(from) {
            return Err(Rejected::Impossible);
        }
        if !ballot.is_in_range(self.seen) {
            return Err(Rejected::OutOfRange);
        }
        Ok(())
    }

    /// An answer names a ballot of this node, of this life or an earlier one.
    pub(super) fn check_own(&self, ballot: Ballot) -> Result<(), Rejected> {
        self.check_of(ballot, self.membership.me())
    }

    pub(super) fn check_state(&self, state: State<'_>) -> Result<(), Rejected> {
        let is_made = !state.origin.is_zero();
        if state.ballot.is_zero() || (state.value.is_some() && !is_made) {
            return Err(Rejected::Malformed);
        }
        if state.origin > state.ballot {
            return Err(Rejected::Impossible);
        }
        if state.value.is_some_and(|value| value.len() > self.cells.max_value()) {
            return Err(Rejected::Full);
        }
        Ok(())
    }

    /// Takes a request of a proposer. A node that was not founded may have forgotten what it promised: it says nothing.
    fn handle_request(&mut self, from: usize, message: &Message<'_>) -> Result<(), Rejected> {
        let (key, ballot, age) = match *message {
            Message::Prepare { key, ballot, age } => (key, ballot, age),
            Message::Accept { key, state, next, age } => {
                self.check_of(state.ballot, from)?;
                self.check_of(next, from)?;
                self.check_state(state)?;
                if next < state.ballot {
                    return Err(Rejected::Impossible);
                }
                (key, state.ballot, age)
            }
            _ => return Ok(()),
        };
        self.check_of(ballot, from)?;
        if key.len() > self.cells.max_key() {
            return Err(Rejected::Full);
        }
        // "acceptors reject messages from proposers if their age is younger than the corresponding age" (section 3.1)
        let is_outdated = self.membership.seats.get(from).is_none_or(|seat| age < seat.age);
        if !self.founded || is_outdated || !self.membership.may_propose(from) {
            self.outdated = self.outdated.saturating_add(u64::from(self.founded));
            return Ok(());
        }
        if !self.cells.has_room(key) {
            return Err(Rejected::Full);
        }
        let Some(place) = self.cells.entry(key) else { return Err(Rejected::Full) };
        let Some(cell) = self.cells.get_mut(place) else { return Ok(()) };
        if cell.is_erasing() {
            return Ok(()); // it asks again
        }
        match *message {
            Message::Accept { state, next, .. } => cell.handle_accept(from, state, next)?,
            _ => cell.handle_prepare(from, ballot),
        }
        self.cells.queue(place);
        let last =
            if let Message::Accept { next, .. } = message { next.round } else { ballot.round };
        self.see(last);
        Ok(())
    }

    fn take_record(&mut self) -> Option<(Ticket, Written)> {
        if core::mem::take(&mut self.founding_due) {
            self.founding_ticket = self.tickets.issue();
            return Some((self.founding_ticket, Written::Founded));
        }
        if let Some(at) = self.config_due {
            self.config_ticket = self.tickets.issue();
            let is_last = at >= self.membership.seats.len();
            self.config_due = (!is_last).then_some(at.saturating_add(1));
            return Some((self.config_ticket, Written::Membership(at)));
        }
        if core::mem::take(&mut self.through_due) {
            self.through_ticket = self.tickets.issue();
            return Some((self.through_ticket, Written::Rounds));
        }
        if core::mem::take(&mut self.aged_due) {
            self.aged_ticket = self.tickets.issue();
            return Some((self.aged_ticket, Written::Aged));
        }
        for (at, seat) in self.membership.seats.iter_mut().enumerate() {
            if core::mem::take(&mut seat.age_due) {
                seat.age_ticket = self.tickets.issue();
                return Some((seat.age_ticket, Written::Fenced(at)));
            }
        }
        let mut at = 0;
        while let Some(&place) = self.cells.work.get(at) {
            let cell = self.cells.get_mut(index(place))?;
            let due = cell.due;
            if cell.is_used && !matches!(due, Due::Nothing | Due::Erasing) {
                cell.due = if due == Due::Erase { Due::Erasing } else { Due::Nothing };
                cell.ticket = self.tickets.issue();
                return Some((cell.ticket, Written::Cell(index(place), due)));
            }
            at = at.saturating_add(1);
        }
        None
    }

    fn record(&self, written: Written) -> Option<Record<'_>> {
        Some(match written {
            Written::Founded => Record::Founded { version: self.founding_version },
            Written::Membership(at) => self.membership.record(at)?,
            Written::Rounds => Record::Rounds { through: self.through },
            Written::Aged => Record::Aged { age: self.age, floor: self.floor },
            Written::Fenced(at) => {
                let seat = self.membership.seats.get(at)?;
                Record::Fenced { node: seat.id, age: seat.age }
            }
            Written::Cell(place, due) => {
                let cell = self.cells.get(place)?;
                let key = &*cell.key;
                match due {
                    Due::Accept => {
                        Record::Accepted { key, state: cell.state(), promised: cell.promised }
                    }
                    Due::Erase => Record::Erased { key },
                    _ => Record::Promised { key, ballot: cell.promised },
                }
            }
        })
    }

    fn take_answered(&self) -> Option<usize> {
        let is_answered = |slot: &Slot<S>| !slot.collects && matches!(slot.phase, Phase::Done(_));
        self.slots.iter().position(is_answered)
    }

    fn plan_send(&mut self) -> Option<(usize, Plan)> {
        if self.founding_due || self.founding_ticket > self.durable {
            return None; // it has not been set up before that is on disk
        }
        let me = self.membership.me();
        let is_open = self.is_configured() && !self.aged_due && self.aged_ticket <= self.durable;
        for to in self.membership.places().filter(|to| *to != me) {
            if is_open && let Some(at) = self.take_due(to) {
                return Some((to, Plan::Round(at)));
            }
            if let Some(plan) = self.take_collection(to) {
                return Some((to, Plan::Collection(plan)));
            }
        }
        self.plan_answer()
    }

    fn plan_answer(&mut self) -> Option<(usize, Plan)> {
        let Self { cells, membership, durable, .. } = self;
        let mut at = 0;
        while let Some(place) = cells.work.get(at).map(|place| index(*place)) {
            let cell = cells.get_mut(place)?;
            let is_quiet = !cell.is_used || cell.due == Due::Nothing && !cell.is_asked();
            if is_quiet {
                cell.is_queued = false;
                cells.work.remove(at);
                continue;
            }
            if cell.is_durable(*durable) {
                let mut seats = membership.seats.iter().enumerate();
                let answer =
                    seats.find_map(|(to, seat)| cell.take_answer(to, seat.id).map(|a| (to, a)));
                if let Some((to, answer)) = answer {
                    return Some((to, Plan::Answer(place, answer)));
                }
                cell.forget_asked();
                continue;
            }
            at = at.saturating_add(1);
        }
        None
    }

    fn message(&self, plan: Plan) -> Option<Message<'_>> {
        Some(match plan {
            Plan::Round(at) => {
                let slot = self.slots.get(at)?;
                let (key, age) = (&*slot.key, self.age);
                match slot.phase {
                    Phase::Preparing => Message::Prepare { key, ballot: slot.ballot, age },
                    _ => Message::Accept { key, state: slot.state(), next: slot.next, age },
                }
            }
            Plan::Collection(plan) => self.collection_message(plan),
            Plan::Answer(place, answer) => {
                let cell = self.cells.get(place)?;
                let (key, promised, state) = (&*cell.key, cell.promised, cell.state());
                match answer {
                    Answer::Promise => {
                        let state = Some(state).filter(|state| !state.ballot.is_zero());
                        Message::Promise { key, ballot: promised, state }
                    }
                    Answer::Accepted => Message::Accepted { key, ballot: state.ballot, promised },
                    Answer::Conflict => Message::Conflict { key, promised },
                }
            }
        })
    }
}

/// The next record, before it borrows.
#[derive(Clone, Copy)]
enum Written {
    Founded,
    Membership(usize),
    Rounds,
    Aged,
    Fenced(usize),
    Cell(usize, Due),
}

/// The next message, before it borrows.
#[derive(Clone, Copy)]
enum Plan {
    Round(usize),
    Collection(CollectionPlan),
    Answer(usize, Answer),
}

impl<S: Storage, C: Changes> Machine for Register<S, C> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        match record {
            Record::Founded { version } => {
                self.founded = true;
                if self.membership.version < version {
                    self.set_founding_version(version);
                }
            }
            Record::Rounds { through } => {
                if through == 0 || through > Ballot::MAX_ROUND {
                    return Err(Corrupt::Malformed);
                }
                if through < self.through {
                    return Err(Corrupt::Regression);
                }
                (self.through, self.safe) = (through, through);
                self.seen = self.seen.max(through);
            }
            Record::Promised { key, ballot } => {
                let place = self.cells.entry(key).ok_or(Corrupt::Full)?;
                self.cells.get_mut(place).ok_or(Corrupt::Full)?.restore_promise(ballot)?;
                self.seen = self.seen.max(ballot.round);
            }
            Record::Accepted { key, state, promised } => {
                let place = self.cells.entry(key).ok_or(Corrupt::Full)?;
                let cell = self.cells.get_mut(place).ok_or(Corrupt::Full)?;
                cell.restore_state(state, promised)?;
                self.seen = self.seen.max(promised.round);
            }
            Record::Erased { key } => self.cells.remove(key),
            Record::Aged { age, floor } => {
                check(floor)?;
                if age < self.age || floor < self.floor && age > self.age {
                    return Err(Corrupt::Regression);
                }
                (self.age, self.floor) = (age, self.floor.max(floor));
                self.seen = self.seen.max(floor.round);
            }
            Record::Fenced { node, age } => {
                let seat = self.membership.seats.iter_mut().find(|seat| seat.id == node);
                if let Some(seat) = seat {
                    if age < seat.age {
                        return Err(Corrupt::Regression);
                    }
                    seat.age = age;
                }
            }
            Record::Seat { node, present, next } => {
                self.membership.restore_seat(node, (present, next))?;
            }
            Record::Configured { version, stage, present, next, floor } => {
                self.membership.restore_all((version, stage), (present, next), floor)?;
                if self.membership.enters() {
                    self.cells.clear();
                }
                self.told = (self.membership.version, self.membership.stage);
                self.raise_floor();
            }
        }
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = match self.membership.index_of(from) {
            None => Err(Rejected::UnknownSender),
            Some(at) if at == self.membership.me() => Err(Rejected::Impossible),
            Some(at) => match message {
                Message::Prepare { .. } | Message::Accept { .. } => {
                    self.handle_request(at, &message)
                }
                Message::Promise { key, ballot, state } => {
                    self.handle_promise(at, key, (ballot, state))
                }
                Message::Accepted { key, ballot, promised } => {
                    self.handle_accepted(at, key, (ballot, promised))
                }
                Message::Conflict { key, promised } => self.handle_conflict(at, key, promised),
                _ => self.handle_collection(at, &message),
            },
        };
        self.advance();
        result.map_err(|reason| self.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.advance_to(now);
        self.tick_rounds();
        self.tick_collection();
        self.advance();
    }

    fn persisted(&mut self, ticket: Ticket) {
        if ticket <= self.tickets.last() {
            self.durable = self.durable.max(ticket);
        }
        if !self.through_due && self.through_ticket <= self.durable {
            self.safe = self.through;
        }
        if self.is_configured() {
            self.told = (self.membership.version, self.membership.stage);
        }
        self.advance();
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        // first: this node's own acceptor may have it on disk before anybody else hears of it
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.attempt_due) {
            slot.attempt_due = false;
            let (request, attempt) = (slot.request, slot.attempt()?);
            return Some(Output::Event(Event::Attempted { request, attempt }));
        }
        if let Some((ticket, written)) = self.take_record() {
            return Some(Output::Persist(ticket, self.record(written)?));
        }
        if let Some(at) = self.take_answered() {
            let slot = self.slots.get_mut(at)?;
            let request = slot.request;
            let Phase::Done(outcome) = slot.phase else { return None };
            slot.phase = Phase::Free;
            let is_known = outcome != super::Outcome::Unknown;
            let version = if is_known { slot.version() } else { Ballot::ZERO };
            let value = (is_known && slot.has_value).then_some(&*slot.value);
            return Some(Output::Event(Event::Answered { request, outcome, version, value }));
        }
        if let Progress::Done(erased) = self.collection.progress {
            self.collection.progress = Progress::Idle;
            let key = &*self.collection.key;
            return Some(Output::Event(Event::Collected { key, erased }));
        }
        let (to, plan) = self.plan_send()?;
        Some(Output::Send(self.membership.id(to), self.message(plan)?))
    }

    fn deadline(&self) -> Option<Instant> {
        let slots = self.slots.iter().filter_map(Slot::deadline);
        slots.chain(self.collection.deadline()).chain(self.fence_deadline()).min()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let founded = self.founded.then_some(Record::Founded { version: self.founding_version });
        let rounds = (self.through > 0).then_some(Record::Rounds { through: self.through });
        let is_aged = self.age > 0;
        let aged = is_aged.then_some(Record::Aged { age: self.age, floor: self.floor });
        let fenced = self.membership.seats.iter().filter(|seat| seat.age > 0);
        let fenced = fenced.map(|seat| Record::Fenced { node: seat.id, age: seat.age });
        let cells = self.cells.iter().filter_map(|cell| {
            let (key, state, promised) = (&*cell.key, cell.state(), cell.promised);
            if cell.due == Due::Erasing {
                None // the record that it is gone was made
            } else if !state.ballot.is_zero() {
                Some(Record::Accepted { key, state, promised })
            } else {
                (!promised.is_zero()).then_some(Record::Promised { key, ballot: promised })
            }
        });
        let config = self.membership.checkpoint();
        founded.into_iter().chain(rounds).chain(config).chain(aged).chain(fenced).chain(cells)
    }

    fn status(&self) -> Status {
        Status {
            id: self.membership.my_id(),
            founded: self.founded,
            version: self.told.0,
            stage: self.told.1,
            acceptors: self.membership.target(),
            round: self.seen,
            age: self.age,
            keys: self.cells.len(),
            requests: self.slots.iter().filter(|slot| slot.is_open() && !slot.collects).count(),
            collecting: self.collection.is_active(),
            outdated: self.outdated,
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(limits::max_message_len::<S>(&self.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(limits::max_record_len::<S>(&self.config))
    }
}

const _: () = assert!(super::membership::MAX_SEATS == 64 && bit_is_total());

const fn bit_is_total() -> bool {
    u64::BITS as usize == super::membership::MAX_SEATS
}
