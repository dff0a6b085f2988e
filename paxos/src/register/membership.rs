//! Which nodes there are, which of them are acceptors, and how that changes (Rystsov, "CASPaxos", 2018, section 2.3).

use core::fmt;

use quorate_core::{Corrupt, List, NodeId, Phase, Quorums, Rng, Tally, Ticket, Votes};

use super::storage::Storage;
use super::{Record, Sizes, Stage, Status};
use crate::{Ballot, ConfigError, Member, Roles};

/// A step of a change of the membership, which every node takes, one node after the other.
///
/// | step | a node that has taken it | before the next one |
/// |---|---|---|
/// | [`Accept`](Self::Accept) | sends accepts to both sets, and needs a quorum of each; prepares with the present set | every node has taken it, and then every key was read |
/// | [`Prepare`](Self::Prepare) | prepares with the next set | every node has taken it |
/// | [`Finish`](Self::Finish) | has the next set alone | |
///
/// [`Plan`] keeps that order. It is that of the paper's section 2.3.1 for a set that grows from an odd number: there a quorum of
/// the next set, F+2 of 2F+2, has a quorum of the present one in it. The same three steps take any set to any other: where quorums of the two
/// need not meet, the floor of the third step puts all ballots of the next set above those that were prepared with the present one alone. A member that only proposed, or a
/// node that was an acceptor before, has nothing of what it had when it becomes an acceptor: nobody counted its votes meanwhile. The paper's
/// shorter way from an even number to an odd one, without reading the keys, loses values where the even set came from an odd one: it is
/// not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step<'a> {
    /// The first.
    Accept {
        /// The version of the membership: one above the present one.
        version: u64,
        /// The next acceptors.
        acceptors: &'a [NodeId],
        /// Their quorums.
        sizes: Sizes,
    },
    /// The second.
    Prepare {
        /// The version: one above that of the first step.
        version: u64,
        /// A round that nobody has used: nodes that enter begin above it.
        floor: u64,
    },
    /// The third.
    Finish {
        /// The version: one above that of the second step.
        version: u64,
        /// A round that nobody used before all had taken the second step: ballots of the next set alone are above it.
        floor: u64,
    },
}

impl Step<'_> {
    /// The version of the membership that it leads to.
    ///
    /// ```
    /// use quorate_paxos::register::Step;
    /// assert_eq!(Step::Finish { version: 3, floor: 40 }.version(), 3);
    /// ```
    #[must_use]
    pub const fn version(&self) -> u64 {
        match self {
            Self::Accept { version, .. }
            | Self::Prepare { version, .. }
            | Self::Finish { version, .. } => *version,
        }
    }
}

/// Why a step was not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StepError {
    /// The node has no record that it was set up.
    NotFounded,
    /// It is not the next step of this node.
    OutOfOrder {
        /// The version that the node has.
        version: u64,
    },
    /// A node is listed twice.
    Duplicate(NodeId),
    /// More nodes than there is room for.
    TooManyMembers,
    /// The sizes are none for so many acceptors: two quorums need not meet.
    Quorums,
    /// The node has taken a step to this version that leads elsewhere: another change is under way. One operator at a time changes the
    /// acceptors, and makes a plan that was lost with the same acceptors and sizes again.
    Different {
        /// The version that the node has.
        version: u64,
    },
    /// The floor is beyond all rounds that there are.
    Floor,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFounded => f.write_str("this node was not founded"),
            Self::OutOfOrder { version } => {
                write!(f, "not the next step: the membership has version {version}")
            }
            Self::Duplicate(id) => write!(f, "node {id} is listed twice"),
            Self::TooManyMembers => f.write_str("more nodes than there is room for"),
            Self::Quorums => f.write_str("the quorums are none for so many acceptors"),
            Self::Different { version } => {
                write!(f, "the membership has version {version}, of another change")
            }
            Self::Floor => f.write_str("the floor is beyond all rounds"),
        }
    }
}

impl core::error::Error for StepError {}

/// A change of the acceptors, as the operator drives it: which step is next, and whether all have taken it.
///
/// It is not durable: an operator that loses it makes the same plan again, with the version, acceptors and sizes that it began with, and shows it
/// the nodes. One operator at a time changes the acceptors: a node refuses a step of another plan.
///
/// ```
/// use quorate_core::{NodeId, Quorums};
/// use quorate_paxos::Member;
/// use quorate_paxos::register::{Config, Inline, NoChanges, Plan, Register, Sizes, Step};
/// # use quorate_core::{Machine, Output};
/// # fn sync(node: &mut Register<Inline<4, 8, 2, 8, 16>>) {
/// #     let mut last = None;
/// #     while let Some(output) = node.poll() { if let Output::Persist(ticket, _) = output { last = Some(ticket); } }
/// #     last.into_iter().for_each(|ticket| node.persisted(ticket));
/// # }
/// let ids = [1, 2, 3, 4].map(NodeId::new);
/// let members: Vec<Member> = ids[..3].iter().map(|id| Member::new(*id)).collect();
/// let mut nodes = ids.map(|id| {
///     let quorums = Quorums::majority(3);
///     Register::<Inline<4, 8, 2, 8, 16>>::new(id, &members, quorums, Config::lan(), NoChanges, id.get()).unwrap()
/// });
/// for node in &mut nodes {
///     node.found(0);
///     sync(node); // its records are on disk
/// }
/// let mut plan = Plan::new(0, &ids, &ids, Sizes::majority(4));
/// while let Some(step) = plan.step() {
///     for node in &mut nodes {
///         node.take(step)?;
///         sync(node);
///         plan.observe(&node.status());
///     }
///     if matches!(step, Step::Accept { .. }) {
///         assert_eq!(plan.step(), None, "the keys come first");
///         // every key that an acceptor knows is read now, at any node: there is none here
///         assert!(nodes.iter().all(|node| node.keys().count() == 0));
///         assert!(plan.confirm_keys_read());
///     }
/// }
/// assert!(plan.is_done());
/// # Ok::<(), quorate_paxos::register::StepError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    nodes: &'a [NodeId],
    acceptors: &'a [NodeId],
    sizes: Sizes,
    /// Of the next step.
    version: u64,
    taken: [u64; 3],
    is_scanned: bool,
    floor: u64,
}

impl<'a> Plan<'a> {
    /// A change from the membership with this version. `nodes` are all that there are: those that propose, those that enter and those that
    /// leave, 64 at most. A node that is gone for good may be left out, if it leaves and the nodes that leave are no quorum of
    /// either phase: those that have taken the first step ignore what it asks for.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::register::{Plan, Sizes, Step};
    /// let ids = [1, 2, 3].map(NodeId::new);
    /// let plan = Plan::new(6, &ids, &ids[..2], Sizes::majority(2));
    /// assert_eq!(plan.step().map(|step| step.version()), Some(7));
    /// ```
    #[must_use]
    pub const fn new(
        version: u64,
        nodes: &'a [NodeId],
        acceptors: &'a [NodeId],
        sizes: Sizes,
    ) -> Self {
        let (taken, is_scanned) = ([0; 3], false);
        Self { nodes, acceptors, sizes, version, taken, is_scanned, floor: 0 }
    }

    /// The step that every node is to take now; `None` while the keys are to be read, and when all is done.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::register::{Plan, Sizes, Step};
    /// let ids = [1, 2].map(NodeId::new);
    /// let plan = Plan::new(0, &ids, &ids, Sizes::majority(2));
    /// assert!(matches!(plan.step(), Some(Step::Accept { version: 1, .. })));
    /// ```
    #[must_use]
    pub fn step(&self) -> Option<Step<'a>> {
        let version = |above| self.version.saturating_add(above);
        if !self.has_all(0) {
            let (acceptors, sizes) = (self.acceptors, self.sizes);
            return Some(Step::Accept { version: version(1), acceptors, sizes });
        }
        if !self.is_scanned {
            return None;
        }
        if !self.has_all(1) {
            return Some(Step::Prepare { version: version(2), floor: self.floor });
        }
        (!self.has_all(2)).then_some(Step::Finish { version: version(3), floor: self.floor })
    }

    /// Takes note of what a node has on disk.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums, Machine};
    /// # use quorate_paxos::{Member, register::{Config, Inline, NoChanges, Plan, Register, Sizes, Step}};
    /// # let ids = [NodeId::new(1)];
    /// # let members = [Member::new(ids[0])];
    /// # let node = Register::<Inline<1, 8, 2, 8, 16>>::new(ids[0], &members, Quorums::majority(1), Config::lan(), NoChanges, 1)?;
    /// let mut plan = Plan::new(0, &ids, &ids, Sizes::majority(1));
    /// plan.observe(&node.status()); // it has not taken the step
    /// assert_eq!(plan.step().unwrap().version(), 1);
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn observe(&mut self, status: &Status) {
        let Some(at) = self.nodes.iter().position(|id| *id == status.id) else { return };
        let bit = bit(at);
        let last = self.version.saturating_add(3);
        // a step of another plan is none of this
        let is_other = (self.version.saturating_add(1)..=last).contains(&status.version)
            && status.acceptors != digest(self.acceptors.iter().copied(), Some(self.sizes));
        if is_other {
            return;
        }
        for (above, taken) in (1..).zip(&mut self.taken) {
            if status.version >= self.version.saturating_add(above) {
                *taken |= bit;
            }
        }
        self.floor = self.floor.max(status.round);
    }

    /// To be called when every key that any acceptor of a quorum of phase 1 [knows](super::Register::keys) was read by a node since all have
    /// taken the first step: keys that were not are lost. False, and nothing is noted, if they have not taken it.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::register::{Plan, Sizes};
    /// let ids = [1, 2].map(NodeId::new);
    /// assert!(!Plan::new(0, &ids, &ids, Sizes::majority(2)).confirm_keys_read());
    /// ```
    pub fn confirm_keys_read(&mut self) -> bool {
        self.is_scanned |= self.has_all(0);
        self.is_scanned
    }

    /// Whether every node has taken all steps.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_paxos::register::{Plan, Sizes};
    /// let ids = [1, 2].map(NodeId::new);
    /// assert!(!Plan::new(0, &ids, &ids, Sizes::majority(2)).is_done());
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.has_all(2)
    }

    fn has_all(&self, step: usize) -> bool {
        let all = (0..self.nodes.len()).fold(0, |all, at| all | bit(at));
        self.taken.get(step).is_some_and(|taken| *taken == all)
    }
}

/// A set of nodes, by their places: bit n is that of place n. There are 64 at most.
pub(super) type Set = u64;

pub(super) const MAX_SEATS: usize = 64;

pub(super) fn bit(place: usize) -> Set {
    u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0)
}

/// A node, and what it is owed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Seat {
    pub(super) id: NodeId,
    /// Its votes in the two sets.
    pub(super) present: u8,
    pub(super) next: u8,
    /// This node itself, which no membership that it knows has in it.
    pub(super) is_waiting: bool,
    /// The age below which its messages are refused, as the acceptor knows it.
    pub(super) age: u64,
    pub(super) age_due: bool,
    pub(super) age_ticket: Ticket,
    pub(super) owe_fenced: bool,
    /// The age of this node that it has on record, and whether it is to be told.
    pub(super) fenced: u64,
    pub(super) fence_due: bool,
    /// The tombstone that it visits this node for, from which age on it is answered, and whether it waits for that.
    pub(super) visit: Ballot,
    pub(super) visit_age: u64,
    pub(super) visit_due: bool,
    /// The tombstone that it wants to be erased, whether it is, from which ticket on it is answered, and whether it waits.
    pub(super) erase: Ballot,
    pub(super) is_erased: bool,
    pub(super) erase_ticket: Ticket,
    pub(super) erase_due: bool,
}

impl Seat {
    fn new(id: NodeId, present: u8, next: u8) -> Self {
        Self {
            id,
            present,
            next,
            is_waiting: false,
            age: 0,
            age_due: false,
            age_ticket: Ticket::default(),
            owe_fenced: false,
            fenced: 0,
            fence_due: false,
            visit: Ballot::ZERO,
            visit_age: 0,
            visit_due: false,
            erase: Ballot::ZERO,
            is_erased: false,
            erase_ticket: Ticket::default(),
            erase_due: false,
        }
    }
}

/// The nodes, and their quorums.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Membership<S: Storage> {
    pub(super) seats: S::Members<Seat>,
    me: usize,
    founding: Quorums,
    pub(super) version: u64,
    pub(super) stage: Stage,
    present: Option<Sizes>,
    next: Option<Sizes>,
    pub(super) floor: u64,
    /// Seats that were restored, and whose record `Configured` was not yet.
    restored: S::Members<Seat>,
    /// It is other than what the machine was started with.
    is_recorded: bool,
}

impl<S: Storage> Membership<S> {
    pub(super) fn new(
        id: NodeId,
        members: &[Member],
        founding: Quorums,
        limit: usize,
    ) -> Result<Self, ConfigError> {
        let limit = limit.min(MAX_SEATS);
        let mut seats: S::Members<Seat> = S::Members::with_limit(limit);
        for member in members {
            if seats.iter().any(|seat| seat.id == member.id) {
                return Err(ConfigError::DuplicateMember(member.id));
            }
            let is_acceptor = member.roles.contains(Roles::ACCEPTOR);
            if !is_acceptor && !member.roles.contains(Roles::PROPOSER) {
                return Err(ConfigError::Roles);
            }
            let votes = if is_acceptor { count(member.votes) } else { Some(0) };
            let votes = votes.ok_or(ConfigError::Quorums)?;
            let at = seats.iter().take_while(|seat| seat.id < member.id).count();
            insert(&mut seats, at, Seat::new(member.id, votes, 0))
                .map_err(|()| ConfigError::TooManyMembers)?;
        }
        if seats.len() > MAX_SEATS {
            return Err(ConfigError::TooManyMembers);
        }
        let me = seats.iter().position(|seat| seat.id == id);
        let me = if let Some(me) = me {
            me
        } else {
            let seat = Seat { is_waiting: true, ..Seat::new(id, 0, 0) };
            seats.push(seat).map_err(|_| ConfigError::TooManyMembers)?;
            seats.len().saturating_sub(1)
        };
        let membership = Self {
            seats,
            me,
            founding,
            version: 0,
            stage: Stage::Stable,
            present: None,
            next: None,
            floor: 0,
            restored: S::Members::with_limit(limit),
            is_recorded: false,
        };
        let acceptors = membership.seats.iter().filter(|seat| seat.present > 0);
        let is_ever_met = membership.is_quorum(Phase::One, Set::MAX);
        if !is_ever_met || !founding.is_for(acceptors.map(|seat| Votes::new(seat.present))) {
            return Err(ConfigError::Quorums);
        }
        Ok(membership)
    }

    pub(super) const fn me(&self) -> usize {
        self.me
    }

    pub(super) fn my_id(&self) -> NodeId {
        self.id(self.me)
    }

    pub(super) fn id(&self, at: usize) -> NodeId {
        self.seats.get(at).map_or(NodeId::new(0), |seat| seat.id)
    }

    pub(super) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.id == id)
    }

    /// Whether a node may propose: not before it has entered, and not once it leaves.
    pub(super) fn may_propose(&self, at: usize) -> bool {
        self.seats.get(at).is_some_and(|seat| {
            let enters = seat.present == 0 && seat.next > 0;
            !seat.is_waiting && !enters && !self.leaves(seat)
        })
    }

    fn leaves(&self, seat: &Seat) -> bool {
        self.stage != Stage::Stable && seat.present > 0 && seat.next == 0
    }

    /// The acceptors that a proposer asks in a phase.
    pub(super) fn acceptors(&self, phase: Phase) -> Set {
        let (present, next) = self.sets(phase);
        let has = |seat: &Seat| present && seat.present > 0 || next && seat.next > 0;
        let seats = self.seats.iter().enumerate().filter(|(_, seat)| has(seat));
        seats.fold(0, |set, (at, _)| set | bit(at))
    }

    /// Which of the two sets must have a quorum.
    const fn sets(&self, phase: Phase) -> (bool, bool) {
        match (self.stage, phase) {
            (Stage::Stable, _) | (Stage::Accepting, Phase::One) => (true, false),
            (Stage::Preparing, Phase::One) => (false, true),
            (Stage::Accepting | Stage::Preparing, Phase::Two) => (true, true),
        }
    }

    /// Whether the nodes of a set are a quorum: any quorum of phase 1 of any node meets any quorum of phase 2 in which a value that was
    /// not read since could have been accepted.
    pub(super) fn is_quorum(&self, phase: Phase, set: Set) -> bool {
        let (present, next) = self.sets(phase);
        (!present || self.has_quorum(phase, set, self.present, |seat| seat.present))
            && (!next || self.has_quorum(phase, set, self.next, |seat| seat.next))
    }

    fn has_quorum(
        &self,
        phase: Phase,
        set: Set,
        sizes: Option<Sizes>,
        votes: impl Fn(&Seat) -> u8,
    ) -> bool {
        let (mut tally, mut acceptors) = (Tally::default(), 0_u8);
        for (at, seat) in self.seats.iter().enumerate() {
            let votes = votes(seat);
            if votes > 0 {
                acceptors = acceptors.saturating_add(1);
                tally.count(Votes::new(votes), set & bit(at) != 0);
            }
        }
        let quorums = sizes.map(|Sizes { one, two }| Quorums::flexible(acceptors, one, two));
        quorums.unwrap_or(Ok(self.founding)).is_ok_and(|quorums| quorums.is_met_by(phase, &tally))
    }

    /// Takes a step. True if it is a new one.
    pub(super) fn take(&mut self, step: Step<'_>) -> Result<bool, StepError> {
        let version = self.version;
        if step.version() == version && version > 0 {
            return if self.has_taken(step) {
                Ok(false)
            } else {
                Err(StepError::Different { version })
            };
        }
        if let Step::Prepare { floor, .. } | Step::Finish { floor, .. } = step
            && floor > Ballot::MAX_ROUND
        {
            return Err(StepError::Floor);
        }
        let next = version.checked_add(1) == Some(step.version());
        match step {
            Step::Accept { acceptors, sizes, .. } if next && self.stage == Stage::Stable => {
                self.check_acceptors(acceptors, sizes)?;
                for id in acceptors {
                    if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == *id) {
                        (seat.next, seat.is_waiting) = (1, false);
                    } else {
                        let _ = self.seats.push(Seat::new(*id, 0, 1)); // it fits
                    }
                }
                (self.next, self.stage) = (Some(sizes), Stage::Accepting);
            }
            Step::Prepare { floor, .. } if next && self.stage == Stage::Accepting => {
                (self.floor, self.stage) = (self.floor.max(floor), Stage::Preparing);
            }
            Step::Finish { floor, .. } if next && self.stage == Stage::Preparing => {
                self.floor = self.floor.max(floor);
                self.finish();
            }
            _ => return Err(StepError::OutOfOrder { version }),
        }
        (self.version, self.is_recorded) = (step.version(), true);
        Ok(true)
    }

    /// Whether it is this step that led to the present version.
    fn has_taken(&self, step: Step<'_>) -> bool {
        match step {
            Step::Accept { acceptors, sizes, .. } => {
                let own = digest(acceptors.iter().copied(), Some(sizes));
                self.stage == Stage::Accepting && self.target() == own
            }
            Step::Prepare { .. } => self.stage == Stage::Preparing,
            Step::Finish { .. } => self.stage == Stage::Stable,
        }
    }

    /// A number for the acceptors that there are, or that there will be, and their quorums.
    pub(super) fn target(&self) -> u64 {
        let is_stable = self.stage == Stage::Stable;
        let votes = |seat: &&Seat| if is_stable { seat.present > 0 } else { seat.next > 0 };
        let acceptors = self.seats.iter().filter(votes).map(|seat| seat.id);
        digest(acceptors, if is_stable { self.present } else { self.next })
    }

    /// Whether this node becomes an acceptor by the step that it has taken last.
    pub(super) fn enters(&self) -> bool {
        let enters = |seat: &Seat| seat.present == 0 && seat.next > 0;
        self.stage == Stage::Accepting && self.seats.get(self.me).is_some_and(enters)
    }

    fn check_acceptors(&self, acceptors: &[NodeId], sizes: Sizes) -> Result<(), StepError> {
        for (at, id) in acceptors.iter().enumerate() {
            if acceptors.iter().skip(at.saturating_add(1)).any(|other| other == id) {
                return Err(StepError::Duplicate(*id));
            }
        }
        let count = u8::try_from(acceptors.len()).map_err(|_| StepError::TooManyMembers)?;
        Quorums::flexible(count, sizes.one, sizes.two).map_err(|_| StepError::Quorums)?;
        let new = acceptors.iter().filter(|id| self.index_of(**id).is_none()).count();
        let limit = self.seats.limit().min(MAX_SEATS);
        if self.seats.len().saturating_add(new) > limit {
            return Err(StepError::TooManyMembers);
        }
        Ok(())
    }

    /// The next set is the present one. A node that has left is forgotten, but for this one.
    fn finish(&mut self) {
        let id = self.my_id();
        let mut at = 0;
        while let Some(seat) = self.seats.get(at) {
            if seat.present > 0 && seat.next == 0 && seat.id != id {
                self.seats.remove(at);
            } else {
                at = at.saturating_add(1);
            }
        }
        for seat in self.seats.iter_mut() {
            seat.is_waiting = seat.next == 0 && (seat.is_waiting || seat.present > 0);
            (seat.present, seat.next) = (seat.next, 0);
        }
        self.me = self.index_of(id).unwrap_or(0);
        (self.present, self.next, self.stage) = (self.next, None, Stage::Stable);
    }

    /// The record of a place: the seats, then what is said of all of them.
    pub(super) fn record(&self, at: usize) -> Option<Record<'_>> {
        if let Some(seat) = self.seats.get(at) {
            // a node that has left is not in what it knows of the others
            let present = if seat.is_waiting { u8::MAX } else { seat.present };
            return Some(Record::Seat { node: seat.id, present, next: seat.next });
        }
        (at == self.seats.len()).then_some(Record::Configured {
            version: self.version,
            stage: match self.stage {
                Stage::Stable => 0,
                Stage::Accepting => 1,
                Stage::Preparing => 2,
            },
            present: self.present,
            next: self.next,
            floor: self.floor,
        })
    }

    pub(super) fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        let records = if self.is_recorded { self.seats.len().saturating_add(1) } else { 0 };
        (0..records).filter_map(|at| self.record(at))
    }

    pub(super) fn restore_seat(&mut self, node: NodeId, votes: (u8, u8)) -> Result<(), Corrupt> {
        let (present, next) = votes;
        if self.restored.iter().any(|seat| seat.id == node) {
            // those before were of a membership that was not written as a whole
            self.restored.clear();
        }
        let is_waiting = present == u8::MAX;
        let seat =
            Seat { is_waiting, ..Seat::new(node, if is_waiting { 0 } else { present }, next) };
        self.restored.push(seat).map_err(|_| Corrupt::Full)
    }

    pub(super) fn restore_all(
        &mut self,
        (version, stage): (u64, u8),
        (present, next): (Option<Sizes>, Option<Sizes>),
        floor: u64,
    ) -> Result<(), Corrupt> {
        let stage = match (stage, next) {
            (0, None) => Stage::Stable,
            (1, Some(_)) => Stage::Accepting,
            (2, Some(_)) => Stage::Preparing,
            _ => return Err(Corrupt::Malformed),
        };
        if version < self.version || floor < self.floor || floor > Ballot::MAX_ROUND {
            return Err(Corrupt::Regression);
        }
        let id = self.my_id();
        let me = self.restored.iter().position(|seat| seat.id == id).ok_or(Corrupt::Malformed)?;
        for seat in self.restored.iter_mut() {
            let known = self.seats.iter().find(|known| known.id == seat.id);
            seat.age = known.map_or(0, |known| known.age);
        }
        core::mem::swap(&mut self.seats, &mut self.restored);
        self.restored.clear();
        self.me = me;
        (self.version, self.stage, self.floor) = (version, stage, floor);
        (self.present, self.next, self.is_recorded) = (present, next, true);
        Ok(())
    }
}

/// A number for some acceptors, in any order, and their quorums.
fn digest(acceptors: impl Iterator<Item = NodeId>, sizes: Option<Sizes>) -> u64 {
    let nodes = acceptors.fold(0, |sum: u64, id| sum.wrapping_add(Rng::mix(id.get())));
    let sizes = sizes.map_or(0, |sizes| u64::from(sizes.one) << 8 | u64::from(sizes.two));
    Rng::mix(nodes ^ Rng::mix(sizes))
}

/// Puts an element in its place, after all that are there.
fn insert<T>(list: &mut impl List<T>, at: usize, value: T) -> Result<(), ()> {
    list.push(value).map_err(|_| ())?;
    if let Some(tail) = list.get_mut(at..) {
        tail.rotate_right(1);
    }
    Ok(())
}

fn count(votes: Votes) -> Option<u8> {
    (1..u8::MAX).find(|&count| Votes::new(count) == votes)
}

impl<S: Storage> Membership<S> {
    /// The nodes of a set.
    pub(super) fn places(&self) -> core::ops::Range<usize> {
        0..self.seats.len()
    }
}
