//! The learner: it finds out what a quorum has voted for (Lamport, "Paxos Made Simple", 2001, section 2.3).

use quorate_core::{
    Corrupt, Instant, List, Machine, NodeId, Output, Phase, Quorums, Rejected, Rejections, Ticket,
};

use super::base::Base;
use super::{Config, Event, Learning, Message, Record, Status, Vote, limits};
use crate::member::Group;
use crate::{Ballot, ConfigError, Member, Roles, Storage};

/// A learner by itself, as a [`Machine`]: it hears votes, or another learner, and tells the application what was chosen.
///
/// It asks if it has heard a vote and not what was chosen. It keeps no records, and needs none: after a restart, and where it may have missed
/// everything, the application has it [ask](Self::learn).
///
/// ```
/// use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
/// use quorate_paxos::synod::{Config, Event, Learner, Message, Vote};
/// use quorate_paxos::{Ballot, Inline, Member, Roles};
///
/// let acceptors = [1, 2, 3].map(NodeId::new);
/// let mut members = Vec::from(acceptors.map(|id| Member::new(id).with_roles(Roles::ACCEPTOR)));
/// members.push(Member::new(NodeId::new(4)).with_roles(Roles::LEARNER));
/// members.push(Member::new(NodeId::new(5)).with_roles(Roles::PROPOSER));
/// let mut learner =
///     Learner::<Inline<5, 16>>::new(NodeId::new(4), &members, Quorums::majority(3), Config::lan())?;
/// let vote = Vote { ballot: Ballot::new(1, NodeId::new(5)), value: b"x" };
/// for from in [acceptors[0], acceptors[0], acceptors[2]] {
///     assert!(learner.poll().is_none());
///     learner.receive(Instant::ZERO, from, Message::Accepted { vote })?;
/// }
/// assert!(matches!(learner.poll(), Some(Output::Event(Event::Decided { value: b"x" }))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Learner<S: Storage> {
    base: Base<S>,
    state: LearnerState<S>,
}

impl<S: Storage> Learner<S> {
    /// A node; `members` are all nodes, this one included; `quorums` are of the acceptors among them, in the
    /// order of their ids.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what does not fit.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_paxos::{ConfigError, Inline, Member, synod::{Config, Learner}};
    /// let members = [Member::new(NodeId::new(1))];
    /// let learner = Learner::<Inline<1, 8>>::new(NodeId::new(1), &members, Quorums::majority(1), Config::lan());
    /// assert_eq!(learner, Err(ConfigError::Roles)); // it has all of them, and is to be a `Synod`
    /// ```
    pub fn new(
        id: NodeId,
        members: &[Member],
        quorums: Quorums,
        config: Config,
    ) -> Result<Self, ConfigError> {
        let base = Base::new(id, members.iter().copied(), quorums, config, Roles::LEARNER)?;
        let state = LearnerState::new(&base.group, &base.config);
        Ok(Self { base, state })
    }

    /// Asks the acceptors and proposers, now and every [`learn_us`](Config::learn_us), less and less often, until it knows what was chosen.
    ///
    /// Votes tell of their last ballots only: when a value was chosen in an earlier one, and no proposer is there that knows, they do
    /// not tell that it was. A proposer that proposes something, whatever that is, finds it out (section 2.3).
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Output, Quorums};
    /// use quorate_paxos::synod::{Config, Learner, Message};
    /// use quorate_paxos::{Inline, Member, Roles};
    /// let members = [(1, Roles::ACCEPTOR), (2, Roles::LEARNER)]
    ///     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// let mut learner =
    ///     Learner::<Inline<2, 8>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan())?;
    /// learner.learn(Instant::ZERO);
    /// assert!(matches!(learner.poll(), Some(Output::Send(to, Message::Learn)) if to == NodeId::new(1)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn learn(&mut self, now: Instant) {
        self.base.advance_to(now);
        self.state.ask(self.base.now);
        self.tick(now);
    }

    /// The value that was chosen, as far as this node knows.
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId, Quorums};
    /// use quorate_paxos::synod::{Config, Learner, Message};
    /// use quorate_paxos::{Inline, Member, Roles};
    /// let members = [(1, Roles::ALL), (2, Roles::LEARNER)]
    ///     .map(|(id, roles)| Member::new(NodeId::new(id)).with_roles(roles));
    /// let mut learner =
    ///     Learner::<Inline<2, 8>>::new(NodeId::new(2), &members, Quorums::majority(1), Config::lan())?;
    /// assert_eq!(learner.decided(), None);
    /// learner.receive(Instant::ZERO, NodeId::new(1), Message::Decided { value: b"x" })?;
    /// assert_eq!(learner.decided(), Some(&b"x"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decided(&self) -> Option<&[u8]> {
        self.state.decided()
    }
}

impl<S: Storage> Machine for Learner<S> {
    type Message<'a> = Message<'a>;
    type Record<'a> = Record<'a>;
    type Event<'a> = Event<'a>;
    type Status = Status;

    fn restore(&mut self, _record: Record<'_>) -> Result<(), Corrupt> {
        Err(if self.base.started { Corrupt::Started } else { Corrupt::Malformed })
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Rejected> {
        self.tick(now);
        let result = match message {
            Message::Accepted { .. } | Message::Decided { .. } => {
                self.state.handle(&self.base, from, &message)
            }
            _ => self.base.sender(from, Roles::default()).and(Err(Rejected::Impossible)),
        };
        result.map_err(|reason| self.base.rejections.count(reason))
    }

    fn tick(&mut self, now: Instant) {
        self.base.advance_to(now);
        let _ = self.state.tick(self.base.now, &self.base.group, &self.base.config);
    }

    fn persisted(&mut self, _ticket: Ticket) {}

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let Self { base, state } = self;
        if state.take_event() {
            return Some(Output::Event(Event::Decided { value: state.decided()? }));
        }
        let index = (0..base.group.len()).find(|index| state.take_ask(*index))?;
        Some(Output::Send(base.group.id(index), Message::Learn))
    }

    fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        core::iter::empty()
    }

    fn status(&self) -> Status {
        Status { founded: true, decided: self.state.decided, ..self.base.status() }
    }

    fn rejections(&self) -> Rejections {
        self.base.rejections
    }

    fn max_message_len(&self) -> Option<usize> {
        Some(limits::max_message_len::<S>(&self.base.config))
    }

    fn max_record_len(&self) -> Option<usize> {
        Some(limits::max_record_len::<S>(&self.base.config))
    }
}

/// After so many questions without an outcome a node asks half as often, and finishes what others have begun, if it can.
const QUESTIONS: u8 = 4;

/// It asks at least every 2^6 times [`learn_us`](Config::learn_us).
const MAX_DOUBLINGS: u8 = 6;

/// The last vote of each acceptor, as far as it was heard, and what was chosen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LearnerState<S: Storage> {
    heard: S::Members<Heard>,
    /// The highest ballot of a vote, and its value; or the value that was chosen.
    ballot: Ballot,
    value: S::Value,
    decided: bool,
    /// The ballot in which a quorum voted for it; zero if another learner told.
    chosen: Ballot,
    told: bool,
    /// It asks, and when again.
    asking: bool,
    at: Instant,
    /// It does not ask before, whoever wants it to.
    rested_at: Instant,
    /// How often it has asked since it asks so often.
    asked: u8,
    /// It asks less often, by this power of two.
    patience: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Heard {
    /// The ballot of the acceptor's last vote.
    ballot: Ballot,
    ask: bool,
    tell: bool,
}

impl<S: Storage> LearnerState<S> {
    pub(crate) fn new(group: &Group<S>, config: &Config) -> Self {
        let mut heard = S::Members::with_limit(group.len());
        for _ in 0..group.len() {
            let _ = heard.push(Heard::default()); // as many as there are members
        }
        Self {
            heard,
            ballot: Ballot::ZERO,
            value: S::Value::with_limit(limits::max_value::<S>(config)),
            decided: false,
            chosen: Ballot::ZERO,
            told: false,
            asking: false,
            at: Instant::ZERO,
            rested_at: Instant::ZERO,
            asked: 0,
            patience: 0,
        }
    }

    pub(crate) fn decided(&self) -> Option<&[u8]> {
        self.decided.then_some(&*self.value)
    }

    /// The ballot in which it has seen a quorum vote for what was chosen; zero if it was told, or does not know.
    pub(crate) const fn chosen(&self) -> Ballot {
        self.chosen
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        (self.asking && !self.decided).then_some(self.at)
    }

    /// Takes a message to a learner.
    pub(crate) fn handle(
        &mut self,
        base: &Base<S>,
        from: NodeId,
        message: &Message<'_>,
    ) -> Result<(), Rejected> {
        match *message {
            Message::Accepted { vote } => {
                let index = base.sender(from, Roles::ACCEPTOR)?;
                if vote.ballot.is_zero() {
                    return Err(Rejected::Malformed);
                }
                if vote.ballot.round > Ballot::MAX_ROUND {
                    return Err(Rejected::OutOfRange);
                }
                self.on_accepted(index, vote, &base.group)?;
                self.ask_later(base);
                Ok(())
            }
            Message::Decided { value } => {
                base.sender(from, Roles::default())?;
                self.on_decided(value)
            }
            _ => Ok(()),
        }
    }

    /// An acceptor has voted. The value is chosen when a quorum of acceptors has voted in one ballot; votes are kept by acceptor, so that
    /// a vote that arrives twice counts once.
    ///
    /// Section 2.3: "To learn that a value has been chosen, a learner must find out that a proposal has been accepted by a majority of
    /// acceptors."
    pub(crate) fn on_accepted(
        &mut self,
        index: usize,
        vote: Vote<'_>,
        group: &Group<S>,
    ) -> Result<(), Rejected> {
        if self.decided {
            return Ok(());
        }
        if vote.ballot == self.ballot && *vote.value != *self.value {
            return Err(Rejected::Impossible); // one value for each ballot
        }
        if vote.value.len() > self.value.limit() {
            return Err(Rejected::Full);
        }
        if self.heard.get(index).is_none_or(|heard| heard.ballot >= vote.ballot) {
            return Ok(());
        }
        let voted = |other| {
            other == index
                || self.heard.get(other).is_some_and(|heard: &Heard| vote.ballot == heard.ballot)
        };
        let is_chosen = group.is_quorum(Phase::Two, voted);
        if let Some(heard) = self.heard.get_mut(index) {
            heard.ballot = vote.ballot;
        }
        if vote.ballot > self.ballot {
            self.ballot = vote.ballot;
            self.set(vote.value);
        }
        if is_chosen {
            // a quorum says more than one acceptor that claims another value in a higher ballot
            self.decide(vote);
        }
        Ok(())
    }

    /// A quorum has voted for this. It fits.
    pub(crate) fn decide(&mut self, vote: Vote<'_>) {
        self.set(vote.value);
        (self.decided, self.chosen) = (true, vote.ballot);
    }

    /// Another learner knows.
    pub(crate) fn on_decided(&mut self, value: &[u8]) -> Result<(), Rejected> {
        if value.len() > self.value.limit() {
            return Err(Rejected::Full);
        }
        if self.decided {
            return if *value == *self.value { Ok(()) } else { Err(Rejected::Impossible) };
        }
        self.set(value);
        self.decided = true;
        Ok(())
    }

    fn set(&mut self, value: &[u8]) {
        self.value.clear();
        let _ = self.value.extend_from_slice(value); // it fits
    }

    /// The application asks: now, or `learn_us` after the last question.
    pub(crate) fn ask(&mut self, now: Instant) {
        let soon = self.rested_at.max(now);
        self.at = if self.asking { self.at.min(soon) } else { soon };
        (self.asking, self.patience) = (true, 0);
    }

    /// Something was begun: it asks what became of it, if it does not hear that. Not where only the proposer is to know.
    pub(crate) fn ask_later(&mut self, base: &Base<S>) {
        if !self.asking && !self.decided && base.config.learning != Learning::Proposer {
            (self.asking, self.at) = (true, base.now.after(base.config.learn_us));
        }
    }

    /// Asks, if it is time. True if that was in vain for some times; then it asks half as often.
    pub(crate) fn tick(&mut self, now: Instant, group: &Group<S>, config: &Config) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        self.rested_at = now.after(config.learn_us);
        self.at =
            now.after(config.learn_us.saturating_mul(1_u64.wrapping_shl(self.patience.into())));
        self.asked = self.asked.saturating_add(1);
        for (index, heard) in self.heard.iter_mut().enumerate() {
            let may_know =
                [Roles::ACCEPTOR, Roles::PROPOSER].map(|role| group.has_role(index, role));
            heard.ask = index != group.me() && may_know.contains(&true);
        }
        let in_vain = self.asked >= QUESTIONS;
        if in_vain {
            self.asked = 0;
            self.patience = self.patience.saturating_add(1).min(MAX_DOUBLINGS);
        }
        in_vain
    }

    /// The distinguished learner tells all others.
    pub(crate) fn announce(&mut self, group: &Group<S>) {
        for (index, heard) in self.heard.iter_mut().enumerate() {
            heard.tell = index != group.me() && group.has_role(index, Roles::LEARNER);
        }
    }

    /// A member has asked: it is told, if this node knows.
    pub(crate) fn tell(&mut self, index: usize) {
        if let Some(heard) = self.heard.get_mut(index).filter(|_| self.decided) {
            heard.tell = true;
        }
    }

    /// Whether to ask a member.
    pub(crate) fn take_ask(&mut self, index: usize) -> bool {
        let ask = self.heard.get_mut(index).is_some_and(|heard| core::mem::take(&mut heard.ask));
        ask && !self.decided
    }

    /// Whether to tell a member what was chosen.
    pub(crate) fn take_tell(&mut self, index: usize) -> bool {
        self.heard.get_mut(index).is_some_and(|heard| core::mem::take(&mut heard.tell))
    }

    /// Whether to tell the application.
    pub(crate) fn take_event(&mut self) -> bool {
        let is_news = self.decided && !self.told;
        self.told |= is_news;
        is_news
    }
}
