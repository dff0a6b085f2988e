//! A hand-over at its source.

use core::mem;

use quorate_core::{Instant, List, NodeId, Rejected, Ticket, bytes_len};

use super::message::{Body, Message, Record, Refusal, Stage};
use super::storage::Kinds;
use super::{
    Config, ForwardError, Handover, HandoverError, Ownership, Progress, ProvideError, Range,
};
use crate::topology::Version;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Outgoing<R, S: Kinds> {
    pub(super) handover: u64,
    pub(super) session: u64,
    pub(super) range: R,
    pub(super) to: NodeId,
    version: Version,
    pub(super) phase: Phase,

    // Disk
    dirty: bool,
    ticket: Ticket,

    // Copying
    /// The target told what it has, in this session.
    streaming: bool,
    /// What the target acknowledged.
    items: u64,
    cursor: S::Cursor,
    /// It has the last chunk.
    complete: bool,
    /// The application wants to release the range.
    releasing: bool,
    slot: Slot,
    /// The item that is not acknowledged.
    buffer: S::Buffer,
    /// Where the chunk in it ends.
    next_cursor: S::Cursor,
    /// The next item is a chunk, also if writes wait.
    is_chunk_next: bool,
    /// The target forgot it: it starts over when its time has come.
    lost: bool,

    // Writes
    /// Something may be at the target already, so writes must go there.
    forwards: bool,
    /// Frames that wait for the slot.
    writes: S::Buffer,
    last_write: u64,
    sent_write: u64,
    forwarded_write: u64,

    // Outputs
    send_due: bool,
    closed_due: bool,
    forwarded_due: bool,
    events: Events,
    refusal: Option<Refusal>,

    // Time
    resend_at: Instant,
    heard_at: Instant,
    pub(super) stalled: bool,
}

/// Events of which each is told once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is due by itself
struct Events {
    read: bool,
    copied: bool,
    released: bool,
    closed: bool,
    refused: bool,
    stalled: bool,
    restarted: bool,
    target_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    Copying,
    Released,
    /// And the target has it on record.
    Closed,
    /// Canceled, or reclaimed after the release: it is over when its record is durable.
    Ending {
        reclaimed: bool,
    },
    /// Retired: it is over when its record was made.
    Retired,
}

/// What is under way to the target, one item at a time: so the order of chunks and writes is the source's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Slot {
    Empty,
    /// The application reads a chunk.
    Reading,
    Chunk {
        last: bool,
    },
    Writes,
}

/// What the application is to learn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    Forwarded,
    Read,
    Copied,
    Released,
    Closed,
    Refused(Refusal),
    Stalled,
    Restarted,
    TargetLost,
    Canceled,
}

/// What the target is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Letter {
    Begin,
    Item,
    Released,
    Closed,
}

impl<R: Range, S: Kinds> Outgoing<R, S> {
    pub(super) fn new(
        number: u64,
        range: R,
        to: NodeId,
        version: Version,
        config: &Config,
        now: Instant,
    ) -> Self {
        Self {
            handover: number,
            session: number,
            range,
            to,
            version,
            phase: Phase::Copying,
            dirty: true,
            ticket: Ticket::default(),
            streaming: false,
            items: 0,
            cursor: S::Cursor::with_limit(config.max_cursor_bytes),
            complete: false,
            releasing: false,
            slot: Slot::Empty,
            buffer: S::Buffer::with_limit(config.max_chunk_bytes),
            next_cursor: S::Cursor::with_limit(config.max_cursor_bytes),
            is_chunk_next: true,
            lost: false,
            forwards: false,
            writes: S::Buffer::with_limit(config.max_chunk_bytes),
            last_write: 0,
            sent_write: 0,
            forwarded_write: 0,
            send_due: true,
            closed_due: false,
            forwarded_due: false,
            events: Events::default(),
            refusal: None,
            resend_at: now.after(config.retry_us),
            heard_at: now,
            stalled: false,
        }
    }

    /// What a record says; it is on disk.
    pub(super) fn restored(
        (handover, session): (u64, u64),
        range: R,
        (to, version): (NodeId, Version),
        (items, stage): (u64, Stage),
        config: &Config,
    ) -> Self {
        let phase = match stage {
            Stage::Copying => Phase::Copying,
            Stage::Released => Phase::Released,
            Stage::Closed => Phase::Closed,
        };
        let mut new = Self::new(handover, range, to, version, config, Instant::ZERO);
        (new.session, new.phase, new.items, new.dirty) = (session, phase, items, false);
        new.events.closed = phase == Phase::Closed;
        new.events.released = phase == Phase::Released;
        new
    }

    /// The node starts. What was under way is not known any more: the target tells in another session what it has.
    pub(super) fn start(&mut self, session: u64, now: Instant, config: &Config) {
        self.await_target(now, config);
        if self.phase == Phase::Copying {
            (self.session, self.dirty, self.forwards) = (session, true, true);
        }
    }

    /// The target forgot everything: from the beginning, under another number.
    fn start_over(&mut self, number: u64) {
        (self.handover, self.session, self.dirty) = (number, number, true);
        self.clear_stream();
        self.lost = false;
        self.events.restarted = true;
        self.events.copied = false;
        self.refusal = None;
    }

    /// Whatever the target has does not count any more. Writes need not go there, once that is on record.
    fn clear_stream(&mut self) {
        (self.streaming, self.items, self.complete, self.releasing) = (false, 0, false, false);
        (self.slot, self.forwards, self.is_chunk_next) = (Slot::Empty, false, true);
        self.buffer.clear();
        self.writes.clear();
        self.cursor.clear();
        self.next_cursor.clear();
        self.events.read = false;
        self.set_forwarded(self.last_write);
    }

    fn set_forwarded(&mut self, write: u64) {
        self.forwarded_due |= write > self.forwarded_write;
        self.forwarded_write = self.forwarded_write.max(write);
        self.sent_write = self.sent_write.max(write);
    }

    // Commands

    pub(super) fn provide(
        &mut self,
        chunk: &[u8],
        cursor: Option<&[u8]>,
    ) -> Result<(), ProvideError> {
        if self.phase != Phase::Copying || self.slot != Slot::Reading || self.events.read {
            return Err(ProvideError::NotRequested);
        }
        let ends = cursor.unwrap_or_default();
        if chunk.len() > self.buffer.limit() || ends.len() > self.next_cursor.limit() {
            return Err(ProvideError::TooLong);
        }
        self.buffer.clear();
        self.next_cursor.clear();
        let fits = self.buffer.extend_from_slice(chunk).is_ok()
            && self.next_cursor.extend_from_slice(ends).is_ok();
        if !fits {
            return Err(ProvideError::TooLong);
        }
        self.slot = Slot::Chunk { last: cursor.is_none() };
        Ok(())
    }

    pub(super) fn forward(&mut self, write: &[u8]) -> Result<u64, ForwardError> {
        match self.phase {
            Phase::Copying if self.releasing => return Err(ForwardError::Releasing),
            Phase::Copying | Phase::Ending { reclaimed: false } => {}
            Phase::Released | Phase::Closed | Phase::Ending { .. } => {
                return Err(ForwardError::Releasing);
            }
            Phase::Retired => return Err(ForwardError::Unknown),
        }
        let (mut prefix, len) = ([0; 10], bytes_len(write.len()));
        if len > self.writes.limit() {
            return Err(ForwardError::TooLong);
        }
        if self.forwards && self.phase == Phase::Copying {
            if len > self.writes.limit().saturating_sub(self.writes.len()) {
                return Err(ForwardError::Busy);
            }
            let prefix = quorate_core::Wire::to_slice(&(write.len() as u64), &mut prefix)
                .unwrap_or_default();
            // both fit
            let _ = self.writes.extend_from_slice(prefix);
            let _ = self.writes.extend_from_slice(write);
            self.last_write = self.last_write.saturating_add(1);
        } else {
            self.last_write = self.last_write.saturating_add(1);
            self.set_forwarded(self.last_write);
        }
        Ok(self.last_write)
    }

    pub(super) fn release(&mut self) -> Result<(), HandoverError> {
        match self.phase {
            Phase::Copying if self.complete => self.releasing = true,
            Phase::Copying | Phase::Ending { .. } => return Err(HandoverError::NotCopied),
            Phase::Released | Phase::Closed => return Err(HandoverError::Released),
            Phase::Retired => return Err(HandoverError::Unknown),
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self) -> Result<(), HandoverError> {
        match self.phase {
            Phase::Copying => self.end(false),
            Phase::Ending { .. } => {}
            Phase::Released | Phase::Closed => return Err(HandoverError::Released),
            Phase::Retired => return Err(HandoverError::Unknown),
        }
        Ok(())
    }

    pub(super) fn reclaim(&mut self) -> Result<(), HandoverError> {
        match self.phase {
            Phase::Released if self.lost => self.end(true),
            Phase::Ending { .. } => {}
            Phase::Retired => return Err(HandoverError::Unknown),
            _ => return Err(HandoverError::Open),
        }
        Ok(())
    }

    fn end(&mut self, reclaimed: bool) {
        self.clear_stream();
        (self.phase, self.dirty, self.send_due) = (Phase::Ending { reclaimed }, true, false);
        (self.events, self.stalled) = (Events::default(), false);
    }

    pub(super) fn retire(&mut self, durable: Ticket) -> Result<(), HandoverError> {
        match self.phase {
            Phase::Closed if self.is_durable(durable) => {
                (self.phase, self.dirty) = (Phase::Retired, true);
            }
            Phase::Retired => return Err(HandoverError::Unknown),
            _ => return Err(HandoverError::Open),
        }
        Ok(())
    }

    // Messages of the target

    pub(super) fn handle_position(
        &mut self,
        now: Instant,
        (session, item): (u64, u64),
        cursor: &[u8],
        complete: bool,
    ) -> Result<(), Rejected> {
        if session > self.session {
            return Err(Rejected::Impossible);
        }
        if self.phase != Phase::Copying || session < self.session {
            return Ok(());
        }
        if !self.streaming {
            if cursor.len() > self.cursor.limit() {
                return Err(Rejected::Malformed);
            }
            self.cursor.clear();
            let _ = self.cursor.extend_from_slice(cursor); // which fits
            (self.streaming, self.items, self.complete) = (true, item, complete);
            self.events.copied = complete;
            self.forwards |= item > 0;
            self.refusal = None;
            self.hear(now);
            return Ok(());
        }
        let outstanding = match self.slot {
            Slot::Chunk { .. } | Slot::Writes => self.items.saturating_add(1),
            Slot::Empty | Slot::Reading => self.items,
        };
        if item > outstanding {
            return Err(Rejected::Impossible);
        }
        self.hear(now);
        if item > self.items {
            self.acknowledged();
        }
        Ok(())
    }

    /// The target has the item on record.
    fn acknowledged(&mut self) {
        self.items = self.items.saturating_add(1);
        match self.slot {
            Slot::Chunk { last } => {
                mem::swap(&mut self.cursor, &mut self.next_cursor);
                self.is_chunk_next = false;
                (self.complete, self.events.copied) = (last, last);
            }
            Slot::Writes => {
                self.is_chunk_next = true;
                self.set_forwarded(self.sent_write);
            }
            Slot::Empty | Slot::Reading => {}
        }
        self.slot = Slot::Empty;
        self.buffer.clear();
        self.send_due = false;
    }

    pub(super) fn handle_refused(&mut self, now: Instant, session: u64, reason: Refusal) {
        if self.phase != Phase::Copying || self.streaming || session != self.session {
            return;
        }
        self.hear(now);
        self.events.refused |= self.refusal != Some(reason);
        self.refusal = Some(reason);
    }

    pub(super) fn handle_lost(&mut self, now: Instant, session: u64) {
        if session != self.session {
            return;
        }
        match self.phase {
            Phase::Copying => self.lost = true,
            Phase::Released => {
                self.events.target_lost |= !self.lost;
                self.lost = true;
            }
            _ => return,
        }
        self.hear(now);
    }

    pub(super) fn handle_arrived(&mut self, now: Instant) -> Result<(), Rejected> {
        match self.phase {
            Phase::Copying => return Err(Rejected::Impossible),
            Phase::Released => {
                (self.phase, self.dirty) = (Phase::Closed, true);
                (self.lost, self.events.target_lost) = (false, false);
                (self.events.stalled, self.stalled) = (false, false);
                (self.events.closed, self.send_due) = (true, false);
            }
            _ => {}
        }
        self.closed_due = true;
        self.hear(now);
        Ok(())
    }

    fn hear(&mut self, now: Instant) {
        (self.heard_at, self.stalled, self.events.stalled) = (now, false, false);
    }

    // Time

    /// Whether something is to come from the target.
    fn waits(&self) -> bool {
        match self.phase {
            Phase::Copying => {
                !self.streaming || matches!(self.slot, Slot::Chunk { .. } | Slot::Writes)
            }
            Phase::Released => true,
            _ => false,
        }
    }

    fn await_target(&mut self, now: Instant, config: &Config) {
        (self.send_due, self.resend_at, self.heard_at) = (true, now.after(config.retry_us), now);
    }

    /// Lets time pass. `next` makes numbers.
    pub(super) fn tick(&mut self, now: Instant, config: &Config, next: impl FnOnce() -> u64) {
        let is_due = now >= self.resend_at;
        if self.phase == Phase::Copying && self.lost && is_due {
            self.start_over(next());
            self.await_target(now, config);
        }
        if !self.waits() {
            return;
        }
        if is_due {
            (self.send_due, self.resend_at) = (true, now.after(config.retry_us));
        }
        if !self.stalled && now.since(self.heard_at) >= config.stall_us {
            (self.stalled, self.events.stalled) = (true, true);
        }
    }

    pub(super) fn deadline(&self, config: &Config, chunk_at: Instant) -> Option<Instant> {
        if self.phase == Phase::Copying && self.lost {
            return Some(self.resend_at);
        }
        if self.waits() {
            let stall = self.heard_at.after(config.stall_us);
            let stall = if self.stalled { Instant::MAX } else { stall };
            return Some(self.resend_at.min(stall));
        }
        self.wants_chunk().then_some(chunk_at)
    }

    fn wants_chunk(&self) -> bool {
        self.phase == Phase::Copying && self.streaming && !self.complete && self.slot == Slot::Empty
    }

    /// Goes on if it can: one item at a time.
    pub(super) fn advance(&mut self, now: Instant, config: &Config, chunk_at: Instant) {
        if self.phase != Phase::Copying || !self.streaming || self.slot != Slot::Empty || self.lost
        {
            return;
        }
        let may_read = !self.complete && now >= chunk_at;
        if may_read && (self.is_chunk_next || self.writes.is_empty()) {
            (self.slot, self.events.read, self.forwards) = (Slot::Reading, true, true);
        } else if !self.writes.is_empty() {
            mem::swap(&mut self.writes, &mut self.buffer);
            self.writes.clear();
            (self.slot, self.sent_write) = (Slot::Writes, self.last_write);
            self.await_target(now, config);
        } else if self.complete && self.releasing {
            (self.phase, self.dirty) = (Phase::Released, true);
            (self.events.released, self.events.copied) = (true, false);
            self.await_target(now, config);
        }
    }

    /// A chunk is in the slot.
    pub(super) fn send(&mut self, now: Instant, config: &Config) {
        self.await_target(now, config);
    }

    // Outputs

    pub(super) fn is_durable(&self, durable: Ticket) -> bool {
        !self.dirty && self.ticket <= durable
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(super) const fn record_made(&mut self, ticket: Ticket) {
        (self.dirty, self.ticket) = (false, ticket);
    }

    pub(super) const fn is_retired(&self) -> bool {
        matches!(self.phase, Phase::Retired)
    }

    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::Retired)
    }

    /// What its record says; `None` if it is over.
    pub(super) fn record(&self) -> Option<Record<'_, R>> {
        let (items, stage) = match self.phase {
            Phase::Copying => (0, Stage::Copying),
            Phase::Released => (self.items, Stage::Released),
            Phase::Closed => (self.items, Stage::Closed),
            Phase::Ending { .. } | Phase::Retired => return None,
        };
        let &Self { handover, session, range, to, version, .. } = self;
        Some(Record::Outgoing { handover, session, range, to, version, items, stage })
    }

    pub(super) const fn forwarded_write(&self) -> u64 {
        self.forwarded_write
    }

    pub(super) fn cursor(&self) -> &[u8] {
        &self.cursor
    }

    pub(super) fn max_chunk_bytes(&self) -> usize {
        self.buffer.limit()
    }

    /// What the application is to learn next.
    pub(super) fn take_notice(&mut self, durable: Ticket) -> Option<Notice> {
        let is_durable = self.is_durable(durable);
        let events = &mut self.events;
        let take = |due: &mut bool, notice| mem::take(due).then_some(notice);
        if is_durable && mem::take(&mut self.forwarded_due) {
            return Some(Notice::Forwarded);
        }
        if let Phase::Ending { .. } = self.phase {
            return is_durable.then_some(Notice::Canceled);
        }
        let refused = self.refusal.filter(|_| mem::take(&mut events.refused)).map(Notice::Refused);
        let notice = refused
            .or_else(|| take(&mut events.restarted, Notice::Restarted))
            .or_else(|| take(&mut events.copied, Notice::Copied))
            .or_else(|| take(&mut events.stalled, Notice::Stalled))
            .or_else(|| take(&mut events.target_lost, Notice::TargetLost));
        if notice.is_some() {
            return notice;
        }
        if !is_durable {
            return None;
        }
        take(&mut events.read, Notice::Read)
            .or_else(|| take(&mut events.released, Notice::Released))
            .or_else(|| take(&mut events.closed, Notice::Closed))
    }

    /// What the target is to be sent next.
    pub(super) fn take_letter(&mut self, durable: Ticket) -> Option<Letter> {
        if !self.is_durable(durable) {
            return None;
        }
        if self.phase == Phase::Closed && mem::take(&mut self.closed_due) {
            return Some(Letter::Closed);
        }
        if !mem::take(&mut self.send_due) {
            return None;
        }
        match (self.phase, self.streaming, self.slot) {
            (Phase::Released, ..) => Some(Letter::Released),
            (Phase::Copying, false, _) => Some(Letter::Begin),
            (Phase::Copying, true, Slot::Chunk { .. } | Slot::Writes) => Some(Letter::Item),
            _ => None,
        }
    }

    pub(super) fn message(&self, letter: Letter) -> Message<'_, R> {
        let &Self { handover, session, range, version, .. } = self;
        match letter {
            Letter::Begin => Message::Begin { handover, session, range, version },
            Letter::Item => {
                let body = match self.slot {
                    Slot::Chunk { last } => {
                        Body::Chunk { bytes: &self.buffer, cursor: &self.next_cursor, last }
                    }
                    _ => Body::Writes { frames: &self.buffer },
                };
                Message::Item { handover, session, item: self.items.saturating_add(1), body }
            }
            Letter::Released => Message::Released { handover, session, items: self.items },
            Letter::Closed => Message::Closed { handover },
        }
    }

    pub(super) fn ownership(&self, durable: Ticket) -> Ownership {
        match self.phase {
            Phase::Copying if self.releasing => Ownership::Releasing(self.to),
            Phase::Copying | Phase::Ending { reclaimed: false } => Ownership::HandingOver(self.to),
            // until the record is durable it may be that it was never made
            Phase::Released if !self.is_durable(durable) => Ownership::Releasing(self.to),
            Phase::Released | Phase::Closed | Phase::Ending { reclaimed: true } => {
                Ownership::Released(self.to)
            }
            Phase::Retired => Ownership::Settled,
        }
    }

    pub(super) fn view(&self, durable: Ticket) -> Handover<R> {
        let progress = match self.phase {
            Phase::Copying | Phase::Ending { reclaimed: false } if self.complete => {
                Progress::Copied
            }
            Phase::Copying | Phase::Ending { reclaimed: false } => Progress::Copying,
            Phase::Closed if self.is_durable(durable) => Progress::Closed,
            Phase::Released | Phase::Closed | Phase::Ending { .. } => Progress::Released,
            Phase::Retired => Progress::Closed,
        };
        let &Self { handover: number, range, to: peer, version, .. } = self;
        Handover { number, range, peer, version, progress }
    }
}
