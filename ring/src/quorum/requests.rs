use quorate_core::{Embedded, InlineList, Instant, List, NodeId, Rejected};

use super::handoff::Handing;
use super::in_flight::{Action, InFlight, Kind, Outcome, Phase};
use super::message::{Body, Message, Reason};
use super::slab::{Queue, Slab};
use super::storage::Kinds;
use super::targets::{Need, Targets, first, places};
use super::{
    Config, Failure, Layout, Level, MergeRefused, Order, ReadOptions, Request, RequestError,
    Storage, Value, WriteId, WriteOptions,
};
use crate::topology::{Freshness, Version};
use crate::{MAX_PREFERENCE, Token};

/// The bits of a request's number that are its place.
const PLACE_BITS: u32 = 16;

/// The requests of a coordinator.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Requests<V: Value, S: Storage> {
    in_flight: Slab<InFlight<V, S>, S::Requests<InFlight<V, S>>>,
    node: NodeId,
    incarnation: u64,
    /// The number of the next request, without its place: none has the number 0.
    sequence: u64,
    retry_us: u64,
    attempts: u8,
    max_key_len: usize,
    /// No new value up to this clock is taken.
    floor: u64,
    /// Nodes that the application says are down.
    down: InlineList<NodeId, MAX_PREFERENCE>,
}

impl<V: Value, S: Storage> Requests<V, S> {
    pub(crate) fn new(node: NodeId, incarnation: u64, config: &Config) -> Self {
        let most = 1_usize << PLACE_BITS;
        Self {
            in_flight: Slab::with_limit(config.max_requests.min(most)),
            node,
            incarnation,
            sequence: 1,
            retry_us: config.retry_us,
            attempts: config.attempts,
            max_key_len: config.max_key_len,
            floor: 0,
            down: InlineList::with_limit(MAX_PREFERENCE),
        }
    }

    pub(crate) const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) const fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// New values must have a clock above this.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    /// A node is up or down, as far as the application knows.
    pub(crate) fn set_down(&mut self, node: NodeId, down: bool) {
        let place = self.down.iter().position(|other| *other == node);
        match (place, down) {
            (None, true) => {
                let _ = self.down.push(node); // of one too many the answers are waited for
            }
            (Some(place), false) => {
                self.down.remove(place);
            }
            _ => {}
        }
    }

    pub(crate) fn write<L: Layout>(
        &mut self,
        now: Instant,
        layout: &L,
        key: &[u8],
        value: V,
        options: WriteOptions,
    ) -> Result<Request, RequestError> {
        let token = layout.token(key);
        let targets = Targets::new(layout, token)?;
        let need = targets.need(options.level, options.primaries)?;
        if V::FORMED_BY_REPLICAS && targets.bit_of(self.node) & targets.holders() == 0 {
            return Err(RequestError::NotReplica);
        }
        self.check_alive(&targets, need, options.sloppy)?;
        let (phase, value, proposed) = match options.order {
            Order::Formed => (Phase::Store, Some(value), None),
            Order::AfterRead => (Phase::Query, None, Some(value)),
        };
        let kind = Kind::Write(options);
        self.begin(
            now,
            key,
            token,
            kind,
            phase,
            (value, proposed, None),
            targets,
            need,
            options.sloppy,
        )
    }

    pub(crate) fn read<L: Layout>(
        &mut self,
        now: Instant,
        layout: &L,
        key: &[u8],
        options: ReadOptions,
        seen: Option<V::Context>,
    ) -> Result<Request, RequestError> {
        let token = layout.token(key);
        let targets = Targets::new(layout, token)?;
        let need = targets.need(options.level, options.primaries)?;
        self.check_alive(&targets, need, options.sloppy)?;
        let kind = Kind::Read(options);
        let values = (None, None, seen);
        self.begin(now, key, token, kind, Phase::Collect, values, targets, need, options.sloppy)
    }

    /// How many repairs may be under way at once, and how many hints: a quarter of all requests together, and the rest is the application's.
    pub(crate) fn most_repairs(&self, config: &Config) -> u8 {
        let share = self.in_flight.limit() / 8;
        config.max_repairs.min(u8::try_from(share).unwrap_or(u8::MAX)).max(1)
    }

    /// Hands a value over to a node; to the replicas of the key if that is `None`.
    pub(crate) fn hand_over<L: Layout>(
        &mut self,
        now: Instant,
        layout: &L,
        key: &[u8],
        value: V,
        (to, handing): (Option<NodeId>, Handing),
    ) -> Result<(), RequestError> {
        let token = layout.token(key);
        let targets = match to {
            Some(node) => Targets::only(node),
            None => Targets::new(layout, token)?,
        };
        let need = targets.need(Level::Quorum, 0)?;
        let (kind, values) = (Kind::Handoff(handing), (Some(value), None, None));
        self.begin(now, key, token, kind, Phase::Store, values, targets, need, false)?;
        Ok(())
    }

    /// Cancels what is handed over for such a reason.
    pub(crate) fn cancel(&mut self, mut which: impl FnMut(Handing) -> bool) {
        let mut place = 0;
        while (place as usize) < self.in_flight.places() {
            let under_way = self.in_flight.get(place).filter(|it| it.outcome != Outcome::Told);
            if under_way.and_then(InFlight::handing).is_some_and(&mut which) {
                self.in_flight.remove(place);
            }
            place = place.saturating_add(1);
        }
    }

    pub(crate) fn is_down(&self, node: NodeId) -> bool {
        self.down.contains(&node)
    }

    fn check_alive(&self, targets: &Targets, need: Need, sloppy: bool) -> Result<(), RequestError> {
        let up = |node| node == self.node || !self.down.contains(&node);
        let mut targets = targets.clone();
        let alive = targets.filter(targets.holders(), up);
        let mut usable = alive;
        if sloppy {
            for owner in places(targets.holders() & !alive) {
                usable |= targets.stand_in_for(owner, up);
            }
        }
        if targets.is_met(usable, need) {
            return Ok(());
        }
        let (alive, required) = targets.progress(usable, need);
        Err(RequestError::Unavailable { required, alive })
    }

    #[allow(clippy::too_many_arguments)] // of the one place where a request is made
    fn begin(
        &mut self,
        now: Instant,
        key: &[u8],
        token: Token,
        kind: Kind,
        phase: Phase,
        (value, proposed, seen): (Option<V>, Option<V>, Option<V::Context>),
        targets: Targets,
        need: Need,
        sloppy: bool,
    ) -> Result<Request, RequestError> {
        let mut bytes = <S as Kinds>::Key::with_limit(self.max_key_len);
        bytes.extend_from_slice(key).map_err(|_| RequestError::KeyTooLong)?;
        self.make_room();
        let request = InFlight {
            request: Request(0),
            number: 0,
            key: bytes,
            token,
            kind,
            phase,
            value,
            proposed,
            seen,
            targets,
            need,
            sloppy,
            due: 0,
            topology_due: 0,
            answered: 0,
            current: 0,
            purged: 0,
            refused: 0,
            refusal: None,
            superseded: false,
            outcome: Outcome::Open,
            attempt: 1,
            retry_at: now.after(self.retry_us),
        };
        let place = self.in_flight.insert(request).map_err(|_| RequestError::Busy)?;
        let number = self.next_number(place);
        if let Some(request) = self.in_flight.get_mut(place) {
            (request.request, request.number) = (Request(number), number);
        }
        self.ask(place);
        self.in_flight.enqueue(place, Queue::Waiting);
        Ok(Request(number))
    }

    const fn next_number(&mut self, place: u32) -> u64 {
        let number = (self.sequence << PLACE_BITS) | place as u64;
        self.sequence = self.sequence.saturating_add(1);
        number
    }

    /// Where there is no room, a request that is done and goes on for the sake of others makes it.
    fn make_room(&mut self) {
        if !self.in_flight.is_full() {
            return;
        }
        let told = self.in_flight.iter().find(|(_, request)| request.outcome == Outcome::Told);
        if let Some((place, _)) = told {
            self.in_flight.remove(place);
        }
    }

    /// Messages of this phase are due to all that have not answered.
    fn ask(&mut self, place: u32) {
        let (node, down) = (self.node, &self.down);
        let Some(request) = self.in_flight.get_mut(place) else { return };
        let up = |other| other == node || !down.contains(&other);
        if request.writes_here_first(node) {
            request.due = request.targets.bit_of(node);
        } else {
            let retried = request.attempt > 1;
            let missing = request.targets.holders() & !request.answered;
            let silent =
                if retried { missing } else { missing & !request.targets.filter(missing, up) };
            if request.sloppy
                && matches!(request.phase, Phase::Query | Phase::Collect | Phase::Store)
            {
                for owner in places(silent) {
                    request.targets.stand_in_for(owner, up);
                }
            }
            let asked = request.targets.asked() & !request.answered;
            // one that is said to be down is tried again with the others, and not before
            request.due = if retried { asked } else { request.targets.filter(asked, up) };
        }
        self.in_flight.enqueue(place, Queue::Due);
    }

    /// The earliest time at which a request wants a tick.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        Some(self.in_flight.get(self.in_flight.first(Queue::Waiting)?)?.retry_at)
    }

    /// Time has passed: what is overdue is sent again, or fails.
    pub(crate) fn tick(&mut self, now: Instant) {
        // each once: at the end of time the next attempt is due at once
        for _ in 0..self.in_flight.len() {
            let Some(place) = self.in_flight.first(Queue::Waiting) else { return };
            let Some(request) = self.in_flight.get_mut(place) else { return };
            if request.retry_at > now {
                return;
            }
            request.retry_at = now.after(self.retry_us);
            self.in_flight.unqueue(place, Queue::Waiting);
            self.in_flight.enqueue(place, Queue::Waiting);
            self.retry(place);
        }
    }

    fn retry(&mut self, place: u32) {
        let Some(request) = self.in_flight.get_mut(place) else { return };
        if request.attempt >= self.attempts {
            match request.outcome {
                Outcome::Open => request.fail(None),
                Outcome::Due(_) => {}
                Outcome::Told => {
                    self.in_flight.remove(place);
                    return;
                }
            }
            self.in_flight.enqueue(place, Queue::Due);
            return;
        }
        request.attempt = request.attempt.saturating_add(1);
        request.refused = 0;
        match request.phase {
            // who has answered until now is all that is repaired
            Phase::Gather => request.spread(),
            // what was read is not what the reader has seen: the others may have it by now
            Phase::Collect if request.targets.is_met(request.answered, request.need) => {
                request.answered = 0;
            }
            _ => {}
        }
        self.ask_or_finish(place);
    }

    fn ask_or_finish(&mut self, place: u32) {
        if self.in_flight.get(place).is_some_and(InFlight::is_finished) {
            self.in_flight.remove(place);
        } else {
            self.ask(place);
        }
    }

    /// The layout has changed: answers that came until now count for nothing, as they may be of nodes that hold the key no longer.
    pub(crate) fn restart<L: Layout>(&mut self, layout: &L) {
        let mut place = 0;
        while (place as usize) < self.in_flight.places() {
            self.restart_at(place, layout);
            place = place.saturating_add(1);
        }
    }

    fn restart_at<L: Layout>(&mut self, place: u32, layout: &L) {
        let number = self.next_number(place);
        let Some(request) = self.in_flight.get_mut(place) else { return };
        match request.outcome {
            Outcome::Open => {}
            // its nodes are those of the layout before: what is not repaired is left to sweeps
            Outcome::Due(_) => return request.stop(),
            Outcome::Told => {
                self.in_flight.remove(place);
                return;
            }
        }
        let (level, primaries) = match request.kind {
            Kind::Write(options) => (options.level, options.primaries),
            Kind::Read(options) => (options.level, options.primaries),
            Kind::Handoff(_) => return, // it was canceled
        };
        let targets = Targets::new(layout, request.token);
        let need = targets.as_ref().ok().and_then(|targets| targets.need(level, primaries).ok());
        let (Ok(targets), Some(need)) = (targets, need) else {
            request.fail(Some(Failure::Stale { version: layout.version() }));
            self.in_flight.enqueue(place, Queue::Due);
            return;
        };
        request.targets = targets;
        request.need = need;
        request.number = number;
        (request.answered, request.current, request.refused) = (0, 0, 0);
        if V::FORMED_BY_REPLICAS
            && request.is_write()
            && request.targets.bit_of(self.node) & request.targets.holders() == 0
        {
            request.fail(Some(Failure::Stale { version: layout.version() }));
            self.in_flight.enqueue(place, Queue::Due);
            return;
        }
        if request.phase == Phase::Store && !request.is_write() {
            request.phase = Phase::Collect;
        }
        self.ask(place);
    }

    /// The place of a request, and the bit of a node that answers it; `None` for an answer that counts for nothing.
    fn answered_by(&self, from: NodeId, incarnation: u64, number: u64) -> Option<(u32, u32)> {
        let place = u32::try_from(number & 0xffff).ok()?;
        let request = self.in_flight.get(place)?;
        let bit = request.targets.bit_of(from);
        let counts = incarnation == self.incarnation && request.number == number && bit != 0;
        counts.then_some((place, bit))
    }

    /// A node has the value durably.
    pub(crate) fn on_written(
        &mut self,
        from: NodeId,
        incarnation: u64,
        number: u64,
        superseded: bool,
    ) {
        let Some((place, bit)) = self.answered_by(from, incarnation, number) else { return };
        let own = self.node;
        let Some(request) = self.in_flight.get_mut(place) else { return };
        if !matches!(request.phase, Phase::Store | Phase::Spread) {
            return;
        }
        let waits = request.writes_here_first(own);
        request.answered |= bit;
        request.due &= !bit;
        request.superseded |= superseded && request.phase == Phase::Store;
        if waits && !request.writes_here_first(own) {
            self.ask(place); // it is durable here: now the others
        }
        self.advance(place);
    }

    /// A node has this value, or none, and has purged what is up to the floor and not in it.
    pub(crate) fn on_found(
        &mut self,
        from: NodeId,
        incarnation: u64,
        number: u64,
        value: Option<V>,
        floor: u64,
    ) {
        let Some((place, bit)) = self.answered_by(from, incarnation, number) else { return };
        let Some(request) = self.in_flight.get_mut(place) else { return };
        if !matches!(request.phase, Phase::Query | Phase::Collect | Phase::Gather) {
            return;
        }
        if let Err(refused) = request.take(bit, value, floor) {
            request.refused |= bit;
            request.refusal = Some(match refused {
                MergeRefused::Full => Failure::Full,
                MergeRefused::Conflict => Failure::Conflict,
            });
        } else {
            request.answered |= bit;
        }
        request.due &= !bit;
        if bit & request.targets.owners() != 0 {
            self.raise_floor(floor);
        }
        self.advance(place);
    }

    /// Takes the answer of another node.
    pub(crate) fn on_answer(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
        own: Version,
    ) -> Result<(), Rejected> {
        let (incarnation, number) = (message.incarnation, message.number);
        let versions = (own, message.version());
        match &message.body {
            // of a node that has another layout by now, the answer counts for nothing
            Body::Written { .. } | Body::Found { .. } if versions.0 != versions.1 => {}
            Body::Written { superseded } => {
                self.on_written(from, incarnation, number, *superseded);
            }
            Body::Found { value, floor } => {
                let value = value.as_ref().map(Embedded::read).transpose();
                let value = value.map_err(|_| Rejected::Malformed)?;
                self.on_found(from, incarnation, number, value, *floor);
            }
            Body::Refused { reason } => {
                self.on_refused(from, incarnation, number, *reason, versions);
            }
            // this node makes nothing of that topology
            Body::Topology { .. } => {
                self.on_refused(from, incarnation, number, Reason::Stale, versions);
            }
            _ => return Err(Rejected::Impossible),
        }
        Ok(())
    }

    /// A node does not carry the request out.
    pub(crate) fn on_refused(
        &mut self,
        from: NodeId,
        incarnation: u64,
        number: u64,
        reason: Reason,
        (own, theirs): (Version, Version),
    ) {
        let Some((place, bit)) = self.answered_by(from, incarnation, number) else { return };
        if let Reason::Purged { floor } = reason {
            self.raise_floor(floor);
        }
        let Some(request) = self.in_flight.get_mut(place) else { return };
        if matches!(reason, Reason::Purged { .. }) && request.is_written_back() {
            return self.collect_anew(place);
        }
        if matches!(reason, Reason::Purged { .. }) && !request.is_new() {
            // what is repaired is known everywhere, and may be forgotten by now
            return self.on_written(from, incarnation, number, false);
        }
        let failure = match reason {
            Reason::Stale => Failure::Stale { version: theirs },
            Reason::Full => Failure::Full,
            Reason::Purged { floor } => Failure::Purged { floor },
            Reason::Conflict => Failure::Conflict,
            Reason::Blank => Failure::Blank,
        };
        request.refusal = Some(failure);
        request.due &= !bit;
        if reason == Reason::Stale && theirs.compare(own) == Freshness::Older {
            request.topology_due |= bit; // and it is asked again with the next attempt
            self.in_flight.enqueue(place, Queue::Due);
            return;
        }
        request.refused |= bit;
        self.advance(place);
    }

    /// What a read collected was deleted, and the tombstone purged, before a replica answered: all replicas had the value's clock behind them when the floor rose
    /// (see [`frontier`](super::frontier)), and this one has neither it nor a later one. The read begins anew without it, with the next attempt.
    fn collect_anew(&mut self, place: u32) {
        let number = self.next_number(place);
        let Some(request) = self.in_flight.get_mut(place) else { return };
        request.number = number;
        (request.phase, request.value) = (Phase::Collect, None);
        (request.answered, request.current, request.refused, request.due) = (0, 0, 0, 0);
    }

    /// Looks whether the phase is over.
    fn advance(&mut self, place: u32) {
        let write = self.in_flight.get(place).map(|request| WriteId {
            node: self.node,
            incarnation: self.incarnation,
            number: request.request.get(),
        });
        let (Some(request), Some(write)) = (self.in_flight.get_mut(place), write) else { return };
        let need = request.need_of_phase();
        match request.phase {
            Phase::Query if request.targets.is_met(request.answered, need) => {
                request.follow(self.floor, write);
                self.ask(place);
            }
            Phase::Collect if request.has_all_seen(need) => {
                if request.collected() {
                    self.ask(place);
                } else {
                    self.in_flight.enqueue(place, Queue::Due);
                }
            }
            Phase::Store if request.targets.is_met(request.answered, need) => {
                request.outcome = Outcome::Due(None);
                request.phase = Phase::Spread;
                self.in_flight.enqueue(place, Queue::Due);
            }
            Phase::Query | Phase::Collect | Phase::Store => {
                let possible = request.targets.asked() & !request.refused;
                let fallbacks_left = request.sloppy && request.attempt == 1;
                let is_possible = request.targets.is_met(possible | request.answered, need);
                // the others get what this node has formed and holds, or nothing
                let refused_here = request.writes_here_first(self.node)
                    && request.refused & request.targets.bit_of(self.node) != 0;
                if refused_here || !(fallbacks_left || is_possible) {
                    request.fail(request.refusal);
                    self.in_flight.enqueue(place, Queue::Due);
                }
            }
            Phase::Gather => {
                let all = request.targets.holders();
                if all & !(request.answered | request.refused) == 0 {
                    request.spread();
                    if request.outcome == Outcome::Told {
                        self.ask_or_finish(place);
                    } else {
                        self.in_flight.enqueue(place, Queue::Due);
                    }
                }
            }
            Phase::Spread => {
                if request.is_finished() {
                    self.in_flight.remove(place);
                }
            }
        }
    }

    /// What a request that was just made asks of this node itself, to be done at once.
    pub(crate) fn take_own_action(&mut self, request: Request) -> Option<(u32, Action)> {
        let place = u32::try_from(request.0 & 0xffff).ok()?;
        let node = self.node;
        let request = self.in_flight.get_mut(place)?;
        let own = request.targets.bit_of(node);
        if request.phase != Phase::Store || request.due & own == 0 {
            return None;
        }
        request.due &= !own;
        let owner = request.targets.owner_of(first(own)?);
        Some((place, Action::Write { to: node, owner }))
    }

    /// The next action, and the place of its request.
    pub(crate) fn next_action(&mut self) -> Option<(u32, Action)> {
        loop {
            let place = self.in_flight.first(Queue::Due)?;
            let request = self.in_flight.get_mut(place)?;
            if let Some(action) = request.next_action() {
                return Some((place, action));
            }
            self.in_flight.unqueue(place, Queue::Due);
            if self.in_flight.get(place).is_some_and(InFlight::is_finished) {
                self.in_flight.remove(place);
            }
        }
    }

    /// What an action sends, and to whom; `None` of one that is told to the application.
    pub(crate) fn message<'a, L: Layout>(
        &'a self,
        place: u32,
        action: Action,
        layout: &'a L,
    ) -> Option<(NodeId, Message<'a, V>)> {
        let request = self.in_flight.get(place)?;
        let key = &*request.key;
        let (to, body) = match action {
            Action::Topology { to } => (to, Body::Topology { topology: layout.topology() }),
            Action::Read { to, owner } => (to, Body::Read { owner, key }),
            Action::Write { to, owner } => {
                let value = Embedded::Local(request.value.as_ref()?);
                let body = match owner {
                    Some(owner) => Body::Hint { owner, key, value },
                    None => Body::Write { cause: request.cause(), key, value },
                };
                (to, body)
            }
            Action::Done(_) | Action::HandedOver(_) => return None,
        };
        let Version { epoch, digest } = layout.version();
        let (incarnation, number) = match action {
            Action::Topology { .. } => (0, 0), // it answers nothing that the receiver asked for
            _ => (self.incarnation, request.number),
        };
        Some((to, Message { incarnation, number, epoch, digest, body }))
    }

    pub(crate) fn get(&self, place: u32) -> Option<&InFlight<V, S>> {
        self.in_flight.get(place)
    }
}
