use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket};

use super::frontier::{Lead, Next, Report, SEAL};
use super::handoff::{Handing, Handoff};
use super::message::{Body, Reason, RecordBody, ValueRef};
use super::rebuild::{REBUILD, Rebuild};
use super::replica::{Answer, AnswerKind, Asked, RecordDue, Replica, holds};
use super::requests::{Action, Requests};
use super::runs::{Run, Shared};
use super::sweep::{Reads, SWEEP, Step, Sweep, wanted};
use super::{
    Config, ConfigError, Event, Failure, Layout, Membership, Message, ReadOptions, Record, Request,
    RequestError, Status, Storage, Value, WriteOptions,
};
use crate::Token;
use crate::topology::{Freshness, Version};

/// A node of the quorum store: a replica of the keys that the layout gives it, and the coordinator of
/// the requests that its application makes.
///
/// | role | a node that only plays it |
/// |---|---|
/// | replica | makes no requests |
/// | coordinator | is in no preference list: a client with requests of its own |
///
/// # Reads and writes
///
/// [`write`](Self::write) sends a value to all replicas of the key, and is done when W of them have it durably; [`read`](Self::read) asks all of them, and is
/// done when R have answered. With R + W > N each read meets each acknowledged write. What comes of a request is an [`Event`].
///
/// **A request that failed is not undone.** A write that timed out may be on some replicas, and may appear in reads later.
///
/// # Durability
///
/// A replica answers when the record of the value is durable, and shows no value that is not. Nothing that was acknowledged by W replicas is lost as long as one of
/// them keeps its disk.
///
/// A node with an erased disk must not pass for one that holds nothing. Without records a member answers no reads and takes no new values, until the operator of
/// a new cluster calls [`found`](Self::found), or all other nodes have gone through their keys with it ([`Status::founded`]).
///
/// # Repair
///
/// | what | when |
/// |---|---|
/// | [read repair](super::ReadRepair) | when a read finds replicas that are behind |
/// | hinted handoff | when a node that was down answers again; after [`hint_life_us`](Config::hint_life_us) the value goes to the other replicas in its place |
/// | sweeps | all the time: each node compares what it holds with each other replica, run by run, and sends what the other lacks |
///
/// # Deletes
///
/// A delete is a write of a tombstone ([`Value::is_tombstone`]). One that is older than [`purge_us`](Config::purge_us) is forgotten once every replica has it and nothing older
/// can come back: the nodes agree on a floor ([`Status::floor`]), a [clock](Value::clock) up to which no change is taken any more, from hints, late messages and clients alike.
/// A write below it fails with [`Failure::Purged`] and has to be formed with a higher clock; [`Order::AfterRead`](super::Order::AfterRead) sees to that. While a
/// node is down the floor stays where it is, and tombstones are kept.
///
/// # Changing the replicas
///
/// In two steps, each a [layout](Self::set_layout) with a version of its own that all nodes come to go by. In the first, requests need a quorum of the present replicas and
/// one of those that are to follow ([`Layout::next_replicas`]). When [`Status::synchronized`] is true of every node, what was written before is there too, and the
/// second has the new replicas alone. A node that holds a key no longer drops it then.
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
    config: Config,
    requests: Requests<V, S>,
    replica: Replica<V, S>,
    handoff: Handoff,
    sweep: Sweep,
    lead: Lead,
    rebuild: Rebuild,
    /// The round of sweeps in which the layout became this one.
    layout_rotation: u64,
    /// The node of the last sweep; the event is due.
    swept: Option<NodeId>,
    now: Instant,
    /// Whose topology was taken over; the event is due.
    learned_from: Option<NodeId>,
    started: bool,
    rejections: Rejections,
}

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    /// A node without records.
    ///
    /// `incarnation` is a number that this node has not used before: from a counter of its starts, or random. It tells the answers to its requests from
    /// those to requests of an earlier life.
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
        Ok(Self {
            id,
            layout,
            requests: Requests::new(id, incarnation, &config),
            replica: Replica::new(id, incarnation, &config),
            config,
            handoff: Handoff::default(),
            sweep: Sweep::new(Instant::ZERO.after(config.sweep_us)),
            rebuild: Rebuild::default(),
            lead: Lead::new(Instant::ZERO.after(config.purge_us)),
            layout_rotation: 0,
            swept: None,
            now: Instant::ZERO,
            learned_from: None,
            started: false,
            rejections: Rejections::default(),
        })
    }

    /// This node is one of a new cluster, which holds nothing yet. To be called once, by the operator: a node that was erased answers no reads until it has been rebuilt.
    pub fn found(&mut self) {
        self.started = true;
        self.replica.set_founded(true);
    }

    /// Writes a value.
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
        self.requests.write(self.now, &self.layout, key, value, options)
    }

    /// Reads the value of a key.
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

    /// What this node itself holds for a key, durable or about to be; `None` if it is not a replica or has nothing.
    #[must_use]
    pub fn local(&self, key: &[u8]) -> Option<&V> {
        self.replica.value(self.layout.token(key), key)
    }

    /// A node is down, or up again, as a failure detector has it. Requests do not wait for one that is down.
    pub fn set_down(&mut self, node: NodeId, down: bool) {
        self.requests.set_down(node, down);
        if !down {
            self.wake_handoff(self.now);
        }
    }

    /// What this node goes by.
    #[must_use]
    pub const fn layout(&self) -> &L {
        &self.layout
    }

    /// The node goes by another layout from now on. Requests in flight begin anew with it.
    ///
    /// A layout of another set of replicas is reached in two steps: one in which requests ask both sets ([`Layout::next_replicas`]), and, once the new replicas have
    /// everything, one with the new set alone.
    pub fn set_layout(&mut self, layout: L) {
        self.layout = layout;
        self.layout_changed();
    }

    fn layout_changed(&mut self) {
        if let Some(handing) = self.handoff.cancel() {
            self.requests.cancel(handing.request);
        }
        if let Some(request) = self.sweep.cancel(self.now, &self.config) {
            self.requests.cancel(request);
        }
        if self.layout.membership(self.id) == Membership::None {
            self.replica.set_founded(false);
        }
        self.lead.layout_changed(self.now);
        self.rebuild.restart(self.now);
        self.replica.begin_scrub();
        self.layout_rotation = self.sweep.rotation();
        self.replica.set_rotation(self.layout_rotation);
        self.requests.restart(&self.layout);
        self.wake_handoff(self.now);
    }

    fn wake_handoff(&mut self, at: Instant) {
        if self.replica.hints().len() > 0 {
            self.handoff.wake(at);
        }
    }

    /// Hands the next hint over, if there is one that can be.
    fn hand_over(&mut self) {
        let Self { requests, replica, layout, config, now, .. } = self;
        let is_old = |since: Instant| now.since(since) >= config.hint_life_us;
        let place = replica.next_hint(|hint| is_old(hint.since) || !requests.is_down(hint.owner));
        let begun = place.and_then(|place| {
            let hint = replica.hints().get(place)?;
            // where the node is no replica any more, or does not come back, the others get it
            let to = (!is_old(hint.since) && holds(layout, hint.owner, hint.token))
                .then_some(hint.owner);
            let value = hint.value.clone();
            let request = requests.hand_over(*now, layout, &hint.key, value, to).ok()?;
            Some(Handing { request, place, ticket: hint.ticket })
        });
        match begun {
            Some(handing) => self.handoff.begin(handing),
            None => self.pause_handoff(),
        }
    }

    fn pause_handoff(&mut self) {
        let any = self.replica.hints().len() > 0;
        self.handoff.pause(any.then(|| self.now.after(self.config.handoff_us)));
    }

    fn handed_over(&mut self, request: u64, failure: Option<Failure>) {
        let failed = failure.is_some();
        if self.sweep.on_repaired(request, failed, self.now, &self.config) {
            return;
        }
        let Some(Handing { place, ticket, .. }) = self.handoff.end(request) else { return };
        match failure {
            None => {
                self.replica.handed_over(place, ticket);
                self.wake_handoff(self.now);
            }
            Some(_) => self.pause_handoff(),
        }
    }

    /// Sends the next value that a sweep found wanting.
    fn repair(&mut self) {
        let Self { requests, replica, layout, config, now, sweep, id, .. } = self;
        let reads = Reads { now: *now, node: *id, keys: replica.keys(), layout, config };
        let Some((peer, entry)) = sweep.next_wanted(&reads) else { return };
        if !replica.is_durable(entry.ticket) {
            // a crash would take it back, and the message would still bring it to others
            return sweep.wait(*now, config);
        }
        let value = entry.value.clone();
        match requests.hand_over(*now, layout, &entry.key, value, Some(peer)) {
            Ok(request) => sweep.set_request(request),
            Err(_) => sweep.give_up(*now, config), // too much else is to be done
        }
    }

    /// Takes a message of another node's sweep.
    fn handle_sweep(
        &mut self,
        asked: Asked,
        version: Version,
        body: &Body<'_, V>,
    ) -> Result<(), Rejected> {
        if !self.replica.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        if self.layout.version() != version {
            self.replica.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
            return Ok(());
        }
        let Self { replica, layout, id, .. } = &*self;
        let shared = Shared { keys: replica.keys(), layout, node: *id, peer: asked.by };
        let kind = match *body {
            Body::Summary { salt, first, last, keys, fingerprint } => {
                let run = shared.run_between(Token::new(first), Token::new(last), salt);
                AnswerKind::Compared { same: (run.keys, run.fingerprint) == (keys, fingerprint) }
            }
            Body::Offer { salt, first, last, digests } => {
                let run = (Token::new(first), Token::new(last));
                AnswerKind::Want(wanted(&shared, run, salt, digests))
            }
            Body::Swept { incarnation, number, floor, sealed } => {
                if self.is_rebuilt() && incarnation == self.requests.incarnation() {
                    self.replica.raise_floor(floor);
                    self.seal(sealed.max(floor));
                    if self.rebuild.on_swept(asked.by, number, self.id, &self.layout) {
                        self.replica.set_founded(true);
                    }
                }
                AnswerKind::SweptSeen
            }
            // one that does not know what it holds cannot rebuild another
            _ if !self.replica.is_founded() => AnswerKind::Refused(Reason::Blank),
            _ => {
                self.sweep.ask(asked.by, asked.incarnation, asked.number, self.now);
                return Ok(());
            }
        };
        self.replica.owe(asked, kind, Ticket::default());
        Ok(())
    }

    /// Whether this is a member that does not know what it holds.
    fn is_rebuilt(&self) -> bool {
        !self.replica.is_founded() && self.layout.membership(self.id) == Membership::Member
    }

    const fn asked(by: NodeId, incarnation: u64, number: u64) -> Asked {
        Asked { by, incarnation, number }
    }

    /// Takes a request of another node, or of this one.
    fn handle_request(
        &mut self,
        asked: Asked,
        version: Version,
        body: &Body<'_, V>,
    ) -> Result<(), Rejected> {
        if !self.replica.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        let (Body::Write { key, .. } | Body::Hint { key, .. } | Body::Read { key, .. }) = body
        else {
            return Err(Rejected::Impossible);
        };
        if key.len() > self.config.max_key_len {
            return Err(Rejected::OutOfRange);
        }
        let value = match body {
            Body::Write { value, .. } | Body::Hint { value, .. } => {
                Some(value.read().map_err(|_| Rejected::Malformed)?)
            }
            _ => None,
        };
        match self.layout.version().compare(version) {
            Freshness::Same => {}
            Freshness::Newer | Freshness::Conflict if !self.layout.topology().is_empty() => {
                self.replica.owe(asked, AnswerKind::Topology, Ticket::default());
                return Ok(());
            }
            _ => {
                self.replica.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
                return Ok(());
            }
        }
        let token = self.layout.token(key);
        match (body, value) {
            (Body::Write { repair, .. }, Some(value)) => {
                self.replica.write((self.now, &self.layout), asked, *repair, token, key, value);
            }
            (Body::Hint { owner, .. }, Some(value)) if *owner == self.id => {
                self.replica.write((self.now, &self.layout), asked, false, token, key, value);
            }
            (Body::Hint { owner, .. }, Some(value)) => {
                self.replica.keep(self.now, asked, *owner, token, key, value);
                self.wake_handoff(self.now.after(self.config.handoff_us));
            }
            (Body::Read { owner, .. }, _) => self.replica.read(asked, *owner, token, key),
            _ => {}
        }
        Ok(())
    }

    /// Takes the answer of another node, or of this one.
    fn handle_answer(&mut self, from: NodeId, message: &Message<'_, V>) -> Result<(), Rejected> {
        let (incarnation, number) = (message.incarnation, message.number);
        if number & SEAL == SEAL {
            return self.handle_answer_to_seal(from, message);
        }
        if number & SEAL == REBUILD {
            return Ok(()); // refused: it is asked again
        }
        if number & SWEEP != 0 {
            return self.handle_answer_to_sweep(from, message);
        }
        let versions = (self.layout.version(), message.version());
        match &message.body {
            // of a node that has another layout by now, the answer counts for nothing
            Body::Written { .. } | Body::Found { .. } if versions.0 != versions.1 => {}
            Body::Written { superseded } => {
                self.requests.on_written(from, incarnation, number, *superseded);
            }
            Body::Found { value } => {
                let value = value.as_ref().map(ValueRef::read).transpose();
                let value = value.map_err(|_| Rejected::Malformed)?;
                self.requests.on_found(from, incarnation, number, value);
            }
            Body::Refused { reason } => {
                self.requests.on_refused(from, incarnation, number, *reason, versions);
            }
            Body::Topology { topology } => {
                if self.layout.learn(topology) {
                    self.learned_from = Some(from);
                    self.layout_changed();
                } else {
                    let reason = Reason::Stale;
                    self.requests.on_refused(from, incarnation, number, reason, versions);
                }
            }
            _ => return Err(Rejected::Impossible),
        }
        Ok(())
    }

    fn handle_seal(
        &mut self,
        asked: Asked,
        version: Version,
        known: bool,
        (floor, sealed): (u64, u64),
    ) -> Result<(), Rejected> {
        if !self.replica.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        if sealed < floor {
            return Err(Rejected::Impossible);
        }
        if self.layout.version() != version {
            self.replica.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
            return Ok(());
        }
        self.replica.raise_floor(floor);
        self.seal(sealed);
        if known {
            self.join();
        }
        self.replica.owe(asked, AnswerKind::Sealed, Ticket::default());
        Ok(())
    }

    /// This node knows the floor: if it joins, it takes part from now on.
    fn join(&mut self) {
        if self.layout.membership(self.id) == Membership::Joining {
            self.replica.set_founded(true);
        }
    }

    /// Takes no new values up to this clock.
    fn seal(&mut self, sealed: u64) {
        self.replica.seal(sealed);
        self.requests.raise_floor(self.replica.frontier().sealed());
    }

    fn report(&self) -> Report {
        self.replica.report(self.sweep.last_clean_rotation())
    }

    fn handle_answer_to_seal(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Rejected> {
        if message.incarnation != self.requests.incarnation() {
            return Ok(());
        }
        match message.body {
            Body::Sealed { floor, sealed, done, changes, wanted } => {
                let report = Report { floor, sealed, done, changes, wanted };
                self.take_report(from, message.number, report);
                Ok(())
            }
            Body::Refused { .. } => Ok(()), // it is asked again, or the round is given up
            _ => Err(Rejected::Impossible),
        }
    }

    fn take_report(&mut self, from: NodeId, number: u64, report: Report) {
        self.replica.raise_floor(report.floor);
        let floor = self.replica.frontier().floor();
        let Self { lead, layout, config, now, id, .. } = self;
        let next = lead.on_report(*now, (*id, floor), (from, number), report, layout, config);
        self.go_on(next);
    }

    /// The node with the lowest id has the others seal, and raises the floor.
    fn tick_lead(&mut self) {
        let floor = self.replica.frontier().floor();
        let Self { lead, layout, config, now, id, .. } = self;
        let next = lead.tick(*now, *id, floor, layout, config);
        self.go_on(next);
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Nothing => {}
            // the lowest id is asked first, so this comes once in a round
            Next::AskHere => {
                self.seal(self.lead.target());
                let report = self.report();
                if let Some((_, number)) = self.lead.message() {
                    self.take_report(self.id, number, report);
                }
            }
            Next::RoundOver(floor) => {
                if let Some(floor) = floor {
                    self.replica.raise_floor(floor);
                }
                self.join();
            }
        }
    }

    fn handle_answer_to_sweep(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Rejected> {
        if message.incarnation != self.requests.incarnation() {
            return Ok(());
        }
        let Self { replica, layout, config, now, sweep, id, .. } = self;
        let (number, now) = (message.number, *now);
        let reads = Reads { now, node: *id, keys: replica.keys(), layout, config };
        match message.body {
            Body::Same => sweep.on_compared(from, number, true, &reads),
            Body::Differs => sweep.on_compared(from, number, false, &reads),
            Body::Want { keys } => sweep.on_wanted(from, number, keys, now, config),
            Body::SweptSeen => {
                if sweep.on_ended(from, number, now, config) {
                    self.swept = Some(from);
                }
            }
            Body::Refused { .. } => sweep.on_refused(from, number, now, config),
            _ => return Err(Rejected::Impossible),
        }
        let rotation = self.sweep.rotation();
        self.replica.set_rotation(rotation);
        Ok(())
    }

    /// Carries out what a request asks of this node itself.
    fn act_here(&mut self, place: u32, action: Action) {
        let Self { requests, replica, layout, id, now, .. } = self;
        let Some(request) = requests.get(place) else { return };
        let asked = Self::asked(*id, requests.incarnation(), request.number);
        let token = layout.token(&request.key);
        match action {
            Action::Read { owner, .. } => replica.read(asked, owner, token, &request.key),
            Action::Write { owner, .. } => {
                let Some(value) = request.value.clone() else { return };
                match owner {
                    Some(owner) => {
                        replica.keep(*now, asked, owner, token, &request.key, value);
                        self.wake_handoff(self.now.after(self.config.handoff_us));
                    }
                    None => {
                        let repair = !request.is_new();
                        replica.write((*now, layout), asked, repair, token, &request.key, value);
                    }
                }
            }
            Action::Topology { .. } | Action::Done(_) | Action::HandedOver(_) => {}
        }
    }

    /// An answer of this node to itself.
    fn answer_here(&mut self, answer: Answer) {
        let Answer { incarnation, number, kind, .. } = answer;
        let from = self.id;
        match kind {
            AnswerKind::Written { superseded } => {
                self.requests.on_written(from, incarnation, number, superseded);
            }
            AnswerKind::Nothing => self.requests.on_found(from, incarnation, number, None),
            AnswerKind::Key(_) | AnswerKind::Hint(_) => {
                let value = self.replica.entry(kind).map(|entry| entry.value.clone());
                self.requests.on_found(from, incarnation, number, value);
            }
            AnswerKind::Refused(reason) => {
                let version = self.layout.version();
                self.requests.on_refused(from, incarnation, number, reason, (version, version));
            }
            // a sweep is with other nodes
            AnswerKind::Topology
            | AnswerKind::Compared { .. }
            | AnswerKind::Want(_)
            | AnswerKind::SweptSeen
            | AnswerKind::Sealed => {}
        }
    }

    fn plan(&mut self) -> Option<Plan> {
        if let Some((ticket, due)) = self.replica.next_record() {
            return Some(Plan::Persist(ticket, due));
        }
        if let Some(from) = self.learned_from.take() {
            return Some(Plan::LayoutChanged(from));
        }
        if let Some(with) = self.swept.take() {
            return Some(Plan::Swept(with));
        }
        loop {
            if let Some(answer) = self.replica.next_answer() {
                if answer.to == self.id {
                    self.answer_here(answer);
                    continue;
                }
                return Some(Plan::Answer(answer));
            }
            self.repair();
            let Some((place, action)) = self.requests.next_action() else {
                if let Some(step) = self.sweep.take_due() {
                    return Some(Plan::Sweep(step));
                }
                if core::mem::take(&mut self.lead.due) {
                    return Some(Plan::Seal);
                }
                if let Some((to, number)) = self.rebuild.take_due() {
                    return Some(Plan::Rebuild(to, number));
                }
                if !self.handoff.is_due(self.now) {
                    return None;
                }
                self.hand_over();
                continue;
            };
            if let Action::HandedOver(failure) = action {
                let request = self.requests.get(place).map_or(0, |request| request.request.get());
                self.handed_over(request, failure);
                if let Some((ticket, due)) = self.replica.next_record() {
                    return Some(Plan::Persist(ticket, due));
                }
                continue;
            }
            let to = match action {
                Action::Read { to, .. } | Action::Write { to, .. } | Action::Topology { to } => {
                    Some(to)
                }
                Action::Done(_) | Action::HandedOver(_) => None,
            };
            if to != Some(self.id) {
                return Some(Plan::Request(place, action));
            }
            self.act_here(place, action);
            if let Some((ticket, due)) = self.replica.next_record() {
                return Some(Plan::Persist(ticket, due));
            }
        }
    }

    fn make(&self, plan: Plan) -> Option<Output<'_, Self>> {
        Some(match plan {
            Plan::Persist(ticket, due) => {
                let body = match due {
                    RecordDue::Founded => RecordBody::Member(self.replica.is_founded()),
                    RecordDue::Floor => RecordBody::Floor(self.replica.frontier().floor()),
                    RecordDue::Sealed => RecordBody::Sealed(self.replica.frontier().sealed()),
                    RecordDue::Key(place) if self.replica.keys().is_done(place) => {
                        RecordBody::Purged { key: &self.replica.keys().get(place)?.key }
                    }
                    RecordDue::Key(place) => {
                        let entry = self.replica.keys().get(place)?;
                        RecordBody::Put { key: &entry.key, value: ValueRef::Local(&entry.value) }
                    }
                    RecordDue::Hint(place) => {
                        let entry = self.replica.hints().get(place)?;
                        let (owner, key) = (entry.owner, &*entry.key);
                        let value = ValueRef::Local(&entry.value);
                        if entry.done {
                            RecordBody::HintDone { owner, key }
                        } else {
                            RecordBody::Hint { owner, key, value }
                        }
                    }
                };
                Output::Persist(ticket, Record(body))
            }
            Plan::LayoutChanged(from) => Output::Event(Event::LayoutChanged { from }),
            Plan::Swept(with) => Output::Event(Event::Swept { with }),
            Plan::Sweep(step) => {
                let pass = self.sweep.pass()?;
                let (first, last) = (pass.run.first.get(), pass.run.last.get());
                let salt = pass.salt;
                let body = match step {
                    Step::Compare => {
                        let Run { keys, fingerprint, .. } = pass.run;
                        Body::Summary { salt, first, last, keys, fingerprint }
                    }
                    Step::Offer => Body::Offer { salt, first, last, digests: &pass.offered },
                    _ => {
                        let frontier = self.replica.frontier();
                        let (incarnation, number) = pass.asked;
                        let (floor, sealed) = (frontier.floor(), frontier.sealed());
                        Body::Swept { incarnation, number, floor, sealed }
                    }
                };
                self.send(pass.peer, self.requests.incarnation(), pass.number, body)
            }
            Plan::Seal => {
                let (to, number) = self.lead.message()?;
                let floor = self.replica.frontier().floor();
                let (known, sealed) = (self.replica.is_founded(), self.lead.target().max(floor));
                let body = Body::Seal { known, floor, sealed };
                self.send(to, self.requests.incarnation(), number, body)
            }
            Plan::Rebuild(to, number) => {
                self.send(to, self.requests.incarnation(), number, Body::Rebuild)
            }
            Plan::Answer(answer) => {
                let body = match answer.kind {
                    AnswerKind::Written { superseded } => Body::Written { superseded },
                    AnswerKind::Nothing => Body::Found { value: None },
                    AnswerKind::Key(_) | AnswerKind::Hint(_) => {
                        let entry = self.replica.entry(answer.kind)?;
                        Body::Found { value: Some(ValueRef::Local(&entry.value)) }
                    }
                    AnswerKind::Refused(reason) => Body::Refused { reason },
                    AnswerKind::Topology => Body::Topology { topology: self.layout.topology() },
                    AnswerKind::Compared { same: true } => Body::Same,
                    AnswerKind::Compared { same: false } => Body::Differs,
                    AnswerKind::Want(keys) => Body::Want { keys },
                    AnswerKind::SweptSeen => Body::SweptSeen,
                    AnswerKind::Sealed => {
                        let Report { floor, sealed, done, changes, wanted } = self.report();
                        Body::Sealed { floor, sealed, done, changes, wanted }
                    }
                };
                self.send(answer.to, answer.incarnation, answer.number, body)
            }
            Plan::Request(place, action) => {
                let request = self.requests.get(place)?;
                let (to, body) = match action {
                    Action::Done(failure) | Action::HandedOver(failure) => {
                        return Some(Output::Event(request.event(failure)?));
                    }
                    Action::Topology { to } => {
                        (to, Body::Topology { topology: self.layout.topology() })
                    }
                    Action::Read { to, owner } => (to, Body::Read { owner, key: &request.key }),
                    Action::Write { to, owner } => {
                        let (key, value) =
                            (&*request.key, ValueRef::Local(request.value.as_ref()?));
                        match owner {
                            Some(owner) => (to, Body::Hint { owner, key, value }),
                            None => (to, Body::Write { repair: !request.is_new(), key, value }),
                        }
                    }
                };
                self.send(to, self.requests.incarnation(), request.number, body)
            }
        })
    }

    fn send<'a>(
        &self,
        to: NodeId,
        incarnation: u64,
        number: u64,
        body: Body<'a, V>,
    ) -> Output<'a, Self> {
        let Version { epoch, digest } = self.layout.version();
        Output::Send(to, Message { incarnation, number, epoch, digest, body })
    }
}

/// What is to be put out; decided first, as that changes the machine, and made then, as that borrows from it.
enum Plan {
    Persist(Ticket, RecordDue),
    LayoutChanged(NodeId),
    Swept(NodeId),
    Sweep(Step),
    Seal,
    Rebuild(NodeId, u64),
    Answer(Answer),
    Request(u32, Action),
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
                self.replica.restore_key(self.layout.token(key), key, value)
            }
            RecordBody::Hint { owner, key, value } => {
                let value = value.read().map_err(|_| Corrupt::Malformed)?;
                self.handoff.wake(Instant::ZERO.after(self.config.handoff_us));
                self.replica.restore_hint(owner, self.layout.token(key), key, value)
            }
            RecordBody::HintDone { owner, key } => {
                self.replica.restore_hint_done(owner, self.layout.token(key), key);
                Ok(())
            }
            RecordBody::Member(is_member) => {
                self.replica.restore_founded(is_member);
                Ok(())
            }
            RecordBody::Purged { key } => {
                self.replica.restore_purged(self.layout.token(key), key);
                Ok(())
            }
            RecordBody::Floor(floor) => {
                self.replica.restore_floor(floor);
                self.requests.raise_floor(floor);
                Ok(())
            }
            RecordBody::Sealed(sealed) => {
                self.replica.restore_sealed(sealed);
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
            Body::Summary { .. } | Body::Offer { .. } | Body::Swept { .. } | Body::Rebuild => {
                let asked = Self::asked(from, message.incarnation, message.number);
                self.handle_sweep(asked, message.version(), &message.body)
            }
            _ => self.handle_answer(from, &message),
        };
        result.map_err(|rejected| self.rejections.count(rejected))
    }

    fn tick(&mut self, now: Instant) {
        self.started = true;
        self.now = self.now.max(now);
        self.requests.tick(self.now);
        if self.handoff.is_due(self.now) {
            self.hand_over();
        }
        let Self { replica, layout, config, now, sweep, id, .. } = self;
        let reads = Reads { now: *now, node: *id, keys: replica.keys(), layout, config };
        sweep.tick(&reads);
        self.replica.set_rotation(self.sweep.rotation());
        self.replica.scrub(self.now, &self.config, &self.layout);
        self.tick_lead();
        if self.is_rebuilt() {
            let Self { rebuild, layout, config, now, id, .. } = self;
            if rebuild.tick(*now, *id, layout, config) {
                self.replica.set_founded(true);
            }
        }
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.replica.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        let plan = self.plan()?;
        self.make(plan)
    }

    fn deadline(&self) -> Option<Instant> {
        let always = [self.sweep.deadline(), self.replica.scrub_at(), self.lead.deadline()];
        let sometimes = [self.requests.deadline(), self.handoff.deadline()];
        let rebuild = self.is_rebuilt().then(|| self.rebuild.deadline());
        let sometimes = sometimes.into_iter().chain([rebuild]).flatten();
        always.into_iter().chain(sometimes).min()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, V>> {
        let founded = self.replica.is_founded().then_some(Record(RecordBody::Member(true)));
        let frontier = self.replica.frontier();
        let floor = (frontier.floor() > 0).then(|| Record(RecordBody::Floor(frontier.floor())));
        let sealed = (frontier.sealed() > frontier.floor())
            .then(|| Record(RecordBody::Sealed(frontier.sealed())));
        let keys = self.replica.keys().iter().filter(|entry| !entry.done).map(|entry| {
            Record(RecordBody::Put { key: &entry.key, value: ValueRef::Local(&entry.value) })
        });
        let hints = self.replica.hints().iter().filter(|hint| !hint.done).map(|hint| {
            let (owner, value) = (hint.owner, ValueRef::Local(&hint.value));
            Record(RecordBody::Hint { owner, key: &hint.key, value })
        });
        founded.into_iter().chain(floor).chain(sealed).chain(keys).chain(hints)
    }

    fn status(&self) -> Status {
        Status {
            id: self.id,
            version: self.layout.version(),
            founded: self.replica.is_founded(),
            synchronized: (self.replica.is_founded()
                || self.layout.membership(self.id) == Membership::None)
                && self.replica.hints().len() == 0
                && self.replica.is_scrubbed()
                && self.sweep.last_clean_rotation() > self.layout_rotation,
            floor: self.replica.frontier().floor(),
            keys: self.replica.keys().len(),
            hints: self.replica.hints().len(),
            requests: self.requests.len(),
        }
    }

    fn rejections(&self) -> Rejections {
        self.rejections
    }
}
