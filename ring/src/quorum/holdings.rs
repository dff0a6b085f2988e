use quorate_clocks::Causality;
use quorate_core::{Corrupt, Instant, NodeId, Rejected, Ticket, Tickets};

use super::frontier::{Frontier, Report};
use super::message::Reason;
use super::scrub::Scrub;
use super::slab::{Queue, Slab};
use super::standing::Standing;
use super::table::{Entry, Hints, Keys};
use super::{Config, Layout, MergeRefused, Storage, Value};
use crate::Token;
use crate::topology::Version;

/// What a node holds for itself and keeps for others, and the answers that it owes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Holdings<V: Value, S: Storage> {
    node: NodeId,
    keys: Keys<V, S>,
    hints: Hints<V, S>,
    /// In the queue `Due` those that can be sent, in the queue `Waiting` those that wait for the disk.
    answers: Slab<Answer, S::Answers<Answer>>,
    tickets: Tickets,
    durable: Ticket,
    frontier: Frontier,
    scrub: Scrub,
    /// The round of sweeps that this node is in.
    rotation: u64,
    standing: Standing,
    /// What was recorded last to be done: it goes, if it still is.
    recorded: Option<RecordDue>,
}

/// Where a value comes from that this node is to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A client writes it.
    Client,
    /// A replica has had it.
    Replica,
    /// As well, and this node has asked for that: it knows that the value is not one that was purged.
    Asked,
}

/// How many hints are looked at, at once, for one that can be handed over.
const HINTS_LOOKED_AT: usize = 256;

/// An answer that is owed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(unnameable_types)] // of the sealed storage
#[allow(unreachable_pub)]
pub struct Answer {
    pub(crate) to: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
    pub(crate) kind: AnswerKind,
    /// It waits for this record.
    ticket: Ticket,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(unnameable_types)]
pub(crate) enum AnswerKind {
    Written {
        superseded: bool,
    },
    Nothing,
    /// What is at this place of the keys.
    Key(u32),
    /// What is at this place of the hints.
    Hint(u32),
    Refused(Reason),
    Topology,
    Compared {
        same: bool,
    },
    Want(u32),
    SweptSeen,
    Sealed,
}

/// Whose request it is, and which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) by: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) number: u64,
}

/// A record that is due.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum RecordDue {
    Founded,
    Standing,
    Floor,
    Sealed,
    Key(u32),
    Hint(u32),
}

impl<V: Value, S: Storage> Holdings<V, S> {
    pub(crate) fn new(node: NodeId, incarnation: u64, config: &Config) -> Self {
        Self {
            node,
            keys: Keys::with_limits(config.max_keys, config.max_key_len),
            hints: Hints::with_limits(config.max_hints, config.max_key_len),
            answers: Slab::with_limit(config.max_answers),
            tickets: Tickets::default(),
            durable: Ticket::default(),
            frontier: Frontier::new(incarnation),
            scrub: Scrub::default(),
            rotation: 1,
            standing: Standing::default(),
            recorded: None,
        }
    }

    pub(crate) const fn keys(&self) -> &Keys<V, S> {
        &self.keys
    }

    pub(crate) const fn hints(&self) -> &Hints<V, S> {
        &self.hints
    }

    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(crate) const fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(crate) const fn is_founded(&self) -> bool {
        self.standing.is_founded()
    }

    /// Whether it takes and gives values: not while some of those go that it holds, as new ones would be merged with them.
    const fn takes_part(&self) -> bool {
        self.standing.is_founded() && !self.scrub.drops()
    }

    /// The highest floor that this node has heard of, which is its own unless it has to catch up.
    pub(crate) fn known_floor(&self) -> u64 {
        self.frontier.floor().max(self.standing.told())
    }

    /// What this node tells readers: what is up to there and not here was purged. One that has to catch up may lack what is alive.
    pub(crate) const fn floor_of_answers(&self) -> u64 {
        if self.standing.is_behind() { 0 } else { self.frontier.floor() }
    }

    /// Whether what it says of itself is durable.
    pub(crate) fn is_standing_durable(&self) -> bool {
        self.standing.is_durable(self.durable)
    }

    pub(crate) fn is_durable(&self, ticket: Ticket) -> bool {
        ticket <= self.durable
    }

    /// Once this is durable, so is all that is held now.
    pub(crate) fn last_ticket(&self) -> Ticket {
        self.tickets.last()
    }

    pub(crate) fn has_room_for_an_answer(&self) -> bool {
        !self.answers.is_full()
    }

    /// This node knows what it holds, or is no member any more.
    pub(crate) fn set_founded(&mut self, founded: bool) {
        let tickets = &mut self.tickets;
        self.standing.set_founded(founded, || tickets.issue());
    }

    /// It may lack what the others have up to their floor, and have what they have purged.
    pub(crate) fn fall_behind(&mut self) {
        let tickets = &mut self.tickets;
        self.standing.fall_behind(|| tickets.issue());
    }

    /// It has all that the members of this version have.
    pub(crate) fn catch_up(&mut self, version: Version) {
        self.raise_floor(self.standing.told());
        let tickets = &mut self.tickets;
        self.standing.catch_up(version, || tickets.issue());
    }

    /// Another node has this floor, and this one has to catch up before it has it, too. What it holds up to there goes: it may be purged, and what is not, comes back.
    /// True if that is news.
    pub(crate) fn tell_floor(&mut self, floor: u64) -> bool {
        self.seal(floor);
        let is_news = floor > self.known_floor();
        self.standing.tell(floor);
        // one that has no records has nothing yet but what it asked for
        if is_news && self.standing.is_behind() {
            self.scrub.begin_to_drop();
        }
        is_news
    }

    /// What was restored is as old as this life of the node: records do not tell their age.
    pub(crate) fn date(&mut self, now: Instant) {
        self.keys.date(now);
        self.hints.date(now);
    }

    /// The layout is another: what is not held any more goes.
    pub(crate) const fn begin_scrub(&mut self) {
        self.scrub.begin();
    }

    /// Whether all keys have been looked at since then.
    pub(crate) const fn is_scrubbed(&self) -> bool {
        self.scrub.is_over()
    }

    /// Whether what may be purged is going.
    pub(crate) const fn is_dropping(&self) -> bool {
        self.scrub.drops()
    }

    /// The value of a key that is durable here or about to be.
    pub(crate) fn value(&self, token: Token, key: &[u8]) -> Option<&V> {
        Some(&self.keys.get(self.keys.find(self.node, token, key)?)?.value)
    }

    /// Merges a value into that of a key, and owes the answer.
    ///
    /// A new value is refused up to the seal, one that a replica has had up to the floor. Where this node has to catch up before it has what is up to there, it
    /// takes only what it has asked for: another message may have been long on its way.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] while an answer with the present value has been overtaken by another record before: a key that is written more often than the disk finishes
    /// would never be read. The coordinator asks again.
    pub(crate) fn write<L: Layout>(
        &mut self,
        (now, layout): (Instant, &L),
        asked: Asked,
        origin: Origin,
        token: Token,
        key: &[u8],
        value: V,
    ) -> Result<(), Rejected> {
        // the next value that this node forms is formed from this one
        let is_formed_here = V::FORMED_BY_REPLICAS && asked.by == self.node;
        let place = self.keys.find(self.node, token, key);
        let durable = self.durable;
        if let Some(entry) = place.and_then(|place| self.keys.get_mut(place)) {
            entry.swept &= entry.ticket > durable;
        }
        if !is_formed_here && awaits(place.and_then(|place| self.keys.get(place)), &value) {
            return Err(Rejected::Full);
        }
        let (kind, ticket) = match self.store((now, layout), origin, place, (token, key, value)) {
            Ok((superseded, ticket)) => (AnswerKind::Written { superseded }, ticket),
            Err(reason) => (AnswerKind::Refused(reason), Ticket::default()),
        };
        self.owe(asked, kind, ticket);
        Ok(())
    }

    fn store<L: Layout>(
        &mut self,
        (now, layout): (Instant, &L),
        origin: Origin,
        place: Option<u32>,
        (token, key, value): (Token, &[u8], V),
    ) -> Result<(bool, Ticket), Reason> {
        if !self.takes_part() && origin != Origin::Asked {
            return Err(Reason::Blank); // it does not know the floor
        }
        let clock = value.clock();
        let has_to_catch_up =
            || self.standing.is_behind() || !layout.replicas(token).replicas().contains(&self.node);
        let floor = self.known_floor();
        if origin == Origin::Replica && floor > 0 && clock <= floor && has_to_catch_up() {
            return Ok((false, Ticket::default())); // all replicas have had it, and it comes from them
        }
        let tickets = &mut self.tickets;
        let repair = origin != Origin::Client;
        let takes = origin == Origin::Asked || self.frontier.takes(clock, repair);
        let refused = Reason::Purged { floor: self.frontier.sealed() };
        if let Some(place) = place {
            let entry = self.keys.get_mut(place).ok_or(Reason::Full)?;
            // of a new value a later one that is here says nothing: others refuse it, and what is later may never be read
            let is_there = match entry.value.compare(&value) {
                Causality::Equal => true,
                Causality::After => repair,
                _ => false,
            };
            if !takes && !is_there {
                return Err(refused);
            }
            let changed = entry.value.merge(&value)?;
            let is_purged =
                entry.value.is_tombstone() && entry.value.clock() <= self.frontier.floor();
            if !changed && (!entry.done || is_purged) {
                return Ok((entry.value != value, entry.ticket));
            }
            if !changed {
                // it was to go as the layout was, and the record of that must not pass for the record of this value
                let superseded = entry.value != value;
                entry.done = false;
                return Ok((superseded, self.keys.set_due(place, || tickets.issue())));
            }
            (entry.since, entry.done) = (now, false);
            self.frontier.count(clock, self.rotation);
            return Ok((false, self.keys.set_due(place, || tickets.issue())));
        }
        if !takes {
            return Err(refused);
        }
        self.frontier.count(clock, self.rotation);
        let place =
            self.keys.insert(now, self.node, token, key, value).map_err(|_| Reason::Full)?;
        Ok((false, self.keys.set_due(place, || tickets.issue())))
    }

    /// A sweep waits for the value of this key to be durable: until then it does not change.
    pub(crate) fn await_key(&mut self, token: Token, key: &[u8]) {
        let place = self.keys.find(self.node, token, key);
        if let Some(entry) = place.and_then(|place| self.keys.get_mut(place)) {
            entry.swept = true;
        }
    }

    /// Keeps a value for another node, and owes the answer.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub(crate) fn keep(
        &mut self,
        now: Instant,
        asked: Asked,
        owner: NodeId,
        token: Token,
        key: &[u8],
        value: V,
    ) -> Result<(), Rejected> {
        let place = self.hints.find(owner, token, key);
        if awaits(place.and_then(|place| self.hints.get(place)), &value) {
            return Err(Rejected::Full);
        }
        let (kind, ticket) = match self.store_hint(now, place, owner, (token, key, value)) {
            Ok(ticket) => (AnswerKind::Written { superseded: false }, ticket),
            Err(reason) => (AnswerKind::Refused(reason), Ticket::default()),
        };
        self.owe(asked, kind, ticket);
        Ok(())
    }

    fn store_hint(
        &mut self,
        now: Instant,
        place: Option<u32>,
        owner: NodeId,
        (token, key, value): (Token, &[u8], V),
    ) -> Result<Ticket, Reason> {
        if !self.takes_part() {
            // it does not know the floor: below it the owner would not take the value, and nobody would have it
            return Err(Reason::Blank);
        }
        let tickets = &mut self.tickets;
        if !self.frontier.takes(value.clock(), false) {
            return Err(Reason::Purged { floor: self.frontier.sealed() });
        }
        match place {
            Some(place) => match self.hints.get_mut(place) {
                Some(entry) => match entry.value.merge(&value) {
                    // also of one that was handed over, and whose removal is not recorded yet
                    Ok(changed) if changed || entry.done => {
                        entry.done = false;
                        self.hints.set_waiting(place);
                        Ok(self.hints.set_due(place, || tickets.issue()))
                    }
                    Ok(_) => Ok(entry.ticket),
                    Err(refused) => Err(refused.into()),
                },
                None => Err(Reason::Full),
            },
            None => match self.hints.insert(now, owner, token, key, value) {
                Ok(place) => {
                    self.hints.set_waiting(place);
                    Ok(self.hints.set_due(place, || tickets.issue()))
                }
                Err(_) => Err(Reason::Full),
            },
        }
    }

    /// The next hint to be handed over, of which this holds; or how many were looked at, of which it does not.
    pub(crate) fn next_hint(
        &mut self,
        mut may: impl FnMut(&Entry<V, S>) -> bool,
    ) -> Result<u32, usize> {
        let all = HINTS_LOOKED_AT.min(self.hints.len());
        for looked_at in 0..all {
            let place = self.hints.first_waiting().ok_or(looked_at)?;
            self.hints.set_waiting(place);
            // until its record is made, a later value takes the ticket of this one
            let is_durable = |entry: &Entry<V, S>| entry.ticket <= self.durable;
            let may = |entry: &Entry<V, S>| !entry.done && is_durable(entry) && may(entry);
            if self.hints.get(place).is_some_and(may) {
                return Ok(place);
            }
        }
        Err(all)
    }

    /// The hint is being handed over.
    pub(crate) fn set_handing(&mut self, place: u32) {
        self.hints.clear_waiting(place);
    }

    /// The hint was not handed over: it is one of those that wait again.
    pub(crate) fn set_waiting_again(&mut self, place: u32) {
        if self.hints.get(place).is_some_and(|hint| !hint.done) {
            self.hints.set_waiting(place);
        }
    }

    /// A hint was handed over as it was with that record: it goes, unless it has become another.
    pub(crate) fn handed_over(&mut self, place: u32, ticket: Ticket) {
        let tickets = &mut self.tickets;
        if let Some(entry) = self.hints.get_mut(place)
            && entry.ticket == ticket
        {
            entry.done = true;
            self.hints.set_due(place, || tickets.issue());
        }
    }

    /// The record that something is done has been made: it goes, if it is still done.
    fn forget_recorded(&mut self) {
        let (kind, done) = match self.recorded.take() {
            Some(RecordDue::Key(place)) => (AnswerKind::Key(place), self.keys.is_done(place)),
            Some(RecordDue::Hint(place)) => (AnswerKind::Hint(place), self.hints.is_done(place)),
            _ => return,
        };
        if !done {
            return;
        }
        let mut at = 0;
        while (at as usize) < self.answers.places() {
            if let Some(answer) = self.answers.get_mut(at)
                && answer.kind == kind
            {
                answer.kind = AnswerKind::Nothing;
            }
            at = at.saturating_add(1);
        }
        match kind {
            AnswerKind::Key(place) => self.keys.remove(place),
            AnswerKind::Hint(place) => self.hints.remove(place),
            _ => {}
        }
    }

    /// Sweeps are in this round.
    pub(crate) const fn set_rotation(&mut self, rotation: u64) {
        self.rotation = rotation;
    }

    /// The floor does not rise above this clock as far as this node has a say.
    pub(crate) const fn limit_floor(&mut self, limit: u64) {
        self.frontier.set_limit(limit);
    }

    /// Takes no new values up to this clock from now on.
    pub(crate) fn seal(&mut self, sealed: u64) {
        let tickets = &mut self.tickets;
        self.frontier.seal(sealed, self.rotation, || tickets.issue());
    }

    /// Takes no change up to this clock from now on, and forgets tombstones.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        let tickets = &mut self.tickets;
        if self.frontier.raise(floor, || tickets.issue()) {
            self.scrub.begin();
        }
    }

    /// What this node tells of itself.
    pub(crate) fn report(&self, last_clean_rotation: u64) -> Report {
        let (floor, sealed) = (self.known_floor(), self.frontier.sealed());
        // last, as it goes over all hints
        let holds_hints = || self.hints.iter().any(|hint| hint.value.clock() <= sealed);
        Report {
            floor,
            sealed,
            // what it holds no longer is to be gone before the floor rises: if it comes to hold that again, it may be purged by then
            done: self.is_founded()
                && !self.standing.is_behind()
                && self.is_scrubbed()
                && self.frontier.is_swept(last_clean_rotation, self.durable)
                && !(self.hints.len() > 0 && holds_hints()),
            changes: self.frontier.changes(),
            wanted: self.scrub.wanted(),
        }
    }

    /// When it wants a tick to look for tombstones.
    pub(crate) const fn scrub_at(&self) -> Instant {
        self.scrub.at()
    }

    /// Looks at some keys: tombstones up to the floor go, and old ones above it are what the floor is to rise for.
    ///
    /// Keys that this node holds no longer go as well: others have them, or the layout would not have become this one. If it came to hold them again, it
    /// would not know what has become of them meanwhile.
    pub(crate) fn scrub<L: Layout>(&mut self, now: Instant, config: &Config, layout: &L) {
        let Some(places) = self.scrub.next(now, self.keys.places()) else { return };
        let to = places.end;
        let (floor, told, tickets) =
            (self.frontier.floor(), self.standing.told(), &mut self.tickets);
        let drops = self.scrub.drops();
        for place in places {
            let Some(entry) = self.keys.get_mut(place) else { continue };
            if entry.done {
                continue;
            }
            let may_be_purged = drops && entry.value.clock() <= told;
            if may_be_purged || !holds(layout, self.node, entry.token) {
                entry.done = true;
                self.keys.set_due(place, || tickets.issue());
                continue;
            }
            if !entry.value.is_tombstone() {
                continue;
            }
            let clock = entry.value.clock();
            if clock <= floor {
                entry.done = true;
                self.keys.set_due(place, || tickets.issue());
            } else if now.since(entry.since) >= config.purge_us && self.frontier.may_rise_to(clock)
            {
                self.scrub.want(clock);
            }
        }
        self.scrub.advance(now, to, self.keys.places(), config);
    }

    /// Owes the value of a key, or of what is kept for the owner that this node stands in for.
    pub(crate) fn read(&mut self, asked: Asked, owner: Option<NodeId>, token: Token, key: &[u8]) {
        if !self.takes_part() {
            return self.owe(asked, AnswerKind::Refused(Reason::Blank), Ticket::default());
        }
        let hint = owner.and_then(|owner| self.hints.find(owner, token, key));
        let own = || self.keys.find(self.node, token, key);
        let kind = match hint {
            Some(place) => AnswerKind::Hint(place),
            None => own().map_or(AnswerKind::Nothing, AnswerKind::Key),
        };
        let ticket = self.entry(kind).map_or(Ticket::default(), |entry| entry.ticket);
        self.owe(asked, kind, ticket);
    }

    /// Owes an answer: there is room for it, or it is not given, and the request will be made again.
    pub(crate) fn owe(&mut self, asked: Asked, kind: AnswerKind, ticket: Ticket) {
        let Asked { by: to, incarnation, number } = asked;
        let Ok(place) = self.answers.insert(Answer { to, incarnation, number, kind, ticket })
        else {
            return;
        };
        let queue = if ticket <= self.durable { Queue::Due } else { Queue::Waiting };
        self.answers.enqueue(place, queue);
    }

    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        if ticket > self.tickets.last() {
            return; // no machine issued it
        }
        self.durable = self.durable.max(ticket);
        while let Some(place) = self.answers.first(Queue::Waiting) {
            if self.answers.get(place).is_some_and(|answer| answer.ticket > self.durable) {
                return;
            }
            self.answers.unqueue(place, Queue::Waiting);
            self.answers.enqueue(place, Queue::Due);
        }
    }

    /// The next answer that can be sent; it is owed no longer.
    pub(crate) fn next_answer(&mut self) -> Option<Answer> {
        loop {
            let place = self.answers.first(Queue::Due)?;
            let answer = *self.answers.get(place)?;
            let durable = self.durable;
            let entry = match answer.kind {
                AnswerKind::Key(place) => self.keys.get_mut(place),
                AnswerKind::Hint(place) => self.hints.get_mut(place),
                _ => None,
            };
            let Some(entry) = entry else { return self.answers.remove(place) };
            // the value may have changed since, and that is not to be seen before it is durable
            entry.awaited = entry.ticket > durable;
            if !entry.awaited {
                return self.answers.remove(place);
            }
            if let Some(answer) = self.answers.get_mut(place) {
                answer.ticket = entry.ticket;
            }
            self.answers.unqueue(place, Queue::Due);
            self.answers.enqueue(place, Queue::Waiting);
        }
    }

    /// What an answer is about.
    pub(crate) fn entry(&self, kind: AnswerKind) -> Option<&Entry<V, S>> {
        match kind {
            AnswerKind::Key(place) => self.keys.get(place),
            AnswerKind::Hint(place) => self.hints.get(place),
            _ => None,
        }
    }

    /// The record with the lowest ticket of those that are due.
    fn first_due(&self) -> Option<(Ticket, RecordDue)> {
        let key = self.keys.first_due().map(|(ticket, place)| (ticket, RecordDue::Key(place)));
        // most polls find none, and most others a key
        let frontier_due = self.frontier.floor_due || self.frontier.sealed_due;
        let standing_due = self.standing.founding_due || self.standing.due;
        if !standing_due && !frontier_due && !self.hints.any_due() {
            return key;
        }
        let (floor, sealed) = self.frontier.due();
        let floor = floor.map(|ticket| (ticket, RecordDue::Floor));
        let sealed = sealed.map(|ticket| (ticket, RecordDue::Sealed));
        let (founding, standing) = self.standing.records_due();
        let founding = founding.map(|ticket| (ticket, RecordDue::Founded));
        let standing = standing.map(|ticket| (ticket, RecordDue::Standing));
        let hint = self.hints.first_due().map(|(ticket, place)| (ticket, RecordDue::Hint(place)));
        let due = [founding, standing, floor, sealed, key, hint];
        due.into_iter().flatten().min_by_key(|(ticket, _)| *ticket)
    }

    /// The next record, in the order of the tickets.
    pub(crate) fn next_record(&mut self) -> Option<(Ticket, RecordDue)> {
        self.forget_recorded();
        let due = self.first_due()?;
        match due.1 {
            RecordDue::Founded => self.standing.founding_due = false,
            RecordDue::Standing => self.standing.due = false,
            RecordDue::Floor => self.frontier.floor_due = false,
            RecordDue::Sealed => self.frontier.sealed_due = false,
            RecordDue::Key(place) => self.keys.clear_due(place),
            RecordDue::Hint(place) => self.hints.clear_due(place),
        }
        // of a value that is to go only later the removal has a record of its own
        self.recorded = match due.1 {
            RecordDue::Key(place) if self.keys.is_done(place) => Some(due.1),
            RecordDue::Hint(place) if self.hints.is_done(place) => Some(due.1),
            _ => None,
        };
        Some(due)
    }

    pub(crate) fn restore_key(
        &mut self,
        token: Token,
        key: &[u8],
        value: V,
    ) -> Result<(), Corrupt> {
        match self.keys.find(self.node, token, key) {
            Some(place) => {
                let entry = self.keys.get_mut(place).ok_or(Corrupt::Malformed)?;
                entry.value = value;
            }
            None => {
                let now = Instant::ZERO;
                self.keys.insert(now, self.node, token, key, value).map_err(|_| Corrupt::Full)?;
            }
        }
        Ok(())
    }

    pub(crate) fn restore_hint(
        &mut self,
        owner: NodeId,
        token: Token,
        key: &[u8],
        value: V,
    ) -> Result<(), Corrupt> {
        if let Some(place) = self.hints.find(owner, token, key) {
            self.hints.get_mut(place).ok_or(Corrupt::Malformed)?.value = value;
            return Ok(());
        }
        let inserted = self.hints.insert(Instant::ZERO, owner, token, key, value);
        self.hints.set_waiting(inserted.map_err(|_| Corrupt::Full)?);
        Ok(())
    }

    pub(crate) fn restore_hint_done(&mut self, owner: NodeId, token: Token, key: &[u8]) {
        // it is not there if a checkpoint was made just before this record
        if let Some(place) = self.hints.find(owner, token, key) {
            self.hints.remove(place);
        }
    }

    pub(crate) fn restore_purged(&mut self, token: Token, key: &[u8]) {
        // it is not there if a checkpoint was made just before this record
        if let Some(place) = self.keys.find(self.node, token, key) {
            self.keys.remove(place);
        }
    }

    pub(crate) fn restore_floor(&mut self, floor: u64) {
        self.frontier.restore_floor(floor);
    }

    pub(crate) fn restore_sealed(&mut self, sealed: u64) {
        self.frontier.restore_sealed(sealed);
    }

    pub(crate) const fn restore_standing(&mut self) -> &mut Standing {
        &mut self.standing
    }
}

/// Whether an answer with the value of this entry has waited long enough, or a sweep, and another value would make it wait on.
fn awaits<V: Value, S: Storage>(entry: Option<&Entry<V, S>>, value: &V) -> bool {
    let includes = |entry: &Entry<V, S>| {
        matches!(entry.value.compare(value), Causality::Equal | Causality::After)
    };
    entry.is_some_and(|entry| (entry.awaited || entry.swept) && !includes(entry))
}

/// Whether a node holds the keys at a token, or will.
pub(crate) fn holds<L: Layout>(layout: &L, node: NodeId, at: Token) -> bool {
    layout.replicas(at).replicas().contains(&node)
        || layout.next_replicas(at).is_some_and(|next| next.replicas().contains(&node))
}

impl From<MergeRefused> for Reason {
    fn from(refused: MergeRefused) -> Self {
        match refused {
            MergeRefused::Full => Self::Full,
            MergeRefused::Conflict => Self::Conflict,
        }
    }
}
