//! A hand-over at its target.

use core::mem;

use quorate_core::{Instant, List, NodeId, Rejected, Ticket};

use super::message::{Body, Message, Record};
use super::storage::Kinds;
use super::{Config, Handover, HandoverError, Item, Ownership, Progress, Range, Writes};
use crate::topology::Version;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Incoming<R, S: Kinds> {
    pub(super) from: NodeId,
    pub(super) handover: u64,
    pub(super) session: u64,
    pub(super) range: R,
    pub(super) version: Version,
    pub(super) phase: Phase,

    // Disk
    dirty: bool,
    ticket: Ticket,

    /// The last item that is durable.
    item: u64,
    /// Where the last chunk ended.
    cursor: S::Cursor,
    /// That was the last chunk.
    complete: bool,

    /// The item that the application is to apply.
    pending: Pending,
    buffer: S::Buffer,
    next_cursor: S::Cursor,

    // Outputs
    event_due: bool,
    answer_due: bool,

    /// When it speaks again, unless the source does before.
    speak_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// The application is to decide.
    Offered,
    Receiving,
    /// This node owns the range.
    Arrived,
    /// And the source knows that.
    Closed,
    /// It is over when its record was made. If the application has something to delete, it is told when that is durable: after
    /// a crash before, this node would go on from what is deleted.
    Dropped {
        tell: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Pending {
    Nothing,
    Chunk { last: bool },
    Writes,
}

/// What the application is to learn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    Offered,
    Apply,
    Arrived,
    Canceled,
}

/// What came of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Fine,
    /// The source knows of more than this node has: it forgot something.
    Lost,
}

impl<R: Range, S: Kinds> Incoming<R, S> {
    pub(super) fn new(
        from: NodeId,
        (handover, session): (u64, u64),
        range: R,
        version: Version,
        config: &Config,
        now: Instant,
    ) -> Self {
        Self {
            from,
            handover,
            session,
            range,
            version,
            phase: Phase::Offered,
            dirty: false,
            ticket: Ticket::default(),
            item: 0,
            cursor: S::Cursor::with_limit(config.max_cursor_bytes),
            complete: false,
            pending: Pending::Nothing,
            buffer: S::Buffer::with_limit(config.max_chunk_bytes),
            next_cursor: S::Cursor::with_limit(config.max_cursor_bytes),
            event_due: true,
            answer_due: false,
            speak_at: now.after(config.ask_us()),
        }
    }

    /// What a record says, besides what `new` was given. False if the cursor does not fit.
    pub(super) fn restore(
        &mut self,
        item: u64,
        cursor: &[u8],
        complete: bool,
        arrived: bool,
    ) -> bool {
        (self.item, self.complete) = (item, complete);
        self.phase = if arrived { Phase::Arrived } else { Phase::Receiving };
        self.event_due = arrived;
        self.answer_due = arrived;
        self.cursor.clear();
        self.cursor.extend_from_slice(cursor).is_ok()
    }

    pub(super) fn start(&mut self, now: Instant, config: &Config) {
        self.await_source(now, config);
    }

    fn await_source(&mut self, now: Instant, config: &Config) {
        let us = if self.phase == Phase::Arrived { config.retry_us } else { config.ask_us() };
        self.speak_at = now.after(us);
    }

    // Commands

    pub(super) fn accept(&mut self, now: Instant, config: &Config) -> Result<(), HandoverError> {
        if self.phase != Phase::Offered || self.event_due {
            return Err(HandoverError::NotRequested);
        }
        (self.phase, self.dirty, self.answer_due) = (Phase::Receiving, true, true);
        self.await_source(now, config);
        Ok(())
    }

    pub(super) const fn is_offered(&self) -> bool {
        matches!(self.phase, Phase::Offered) && !self.event_due
    }

    pub(super) fn applied(&mut self) -> Result<(), HandoverError> {
        if self.phase != Phase::Receiving || self.event_due || self.pending == Pending::Nothing {
            return Err(HandoverError::NotRequested);
        }
        if let Pending::Chunk { last } = self.pending {
            mem::swap(&mut self.cursor, &mut self.next_cursor);
            self.complete = last;
        }
        self.item = self.item.saturating_add(1);
        self.pending = Pending::Nothing;
        self.buffer.clear();
        (self.dirty, self.answer_due) = (true, true);
        Ok(())
    }

    pub(super) fn retire(&mut self) -> Result<(), HandoverError> {
        match self.phase {
            Phase::Closed => self.drop(false),
            Phase::Dropped { .. } => return Err(HandoverError::Unknown),
            _ => return Err(HandoverError::Open),
        }
        Ok(())
    }

    /// It is over here.
    pub(super) fn drop(&mut self, tell: bool) {
        (self.phase, self.dirty) = (Phase::Dropped { tell }, true);
    }

    // Messages of the source

    pub(super) fn handle_begin(
        &mut self,
        now: Instant,
        session: u64,
        (range, version): (R, Version),
        config: &Config,
    ) -> Result<(), Rejected> {
        if (range, version) != (self.range, self.version) {
            return Err(Rejected::Impossible);
        }
        if session < self.session {
            return Ok(());
        }
        match self.phase {
            Phase::Offered => self.session = session,
            Phase::Receiving => {
                self.dirty |= session > self.session;
                (self.session, self.answer_due) = (session, true);
                self.await_source(now, config);
            }
            // a source that released the range begins no session
            Phase::Arrived | Phase::Closed if session > self.session => {
                return Err(Rejected::Impossible);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn handle_item(
        &mut self,
        now: Instant,
        (session, item): (u64, u64),
        body: Body<'_>,
        (config, durable): (&Config, Ticket),
    ) -> Result<Verdict, Rejected> {
        if session < self.session || matches!(self.phase, Phase::Dropped { .. }) {
            return Ok(Verdict::Fine);
        }
        if session > self.session {
            // it sends items of a session only once this node has that on record
            let forgot = matches!(self.phase, Phase::Offered | Phase::Receiving);
            return if forgot { Ok(Verdict::Lost) } else { Err(Rejected::Impossible) };
        }
        if item == 0 {
            return Err(Rejected::Malformed);
        }
        let next = self.item.saturating_add(1);
        match self.phase {
            Phase::Offered => return Ok(Verdict::Lost),
            Phase::Arrived | Phase::Closed if item >= next => return Err(Rejected::Impossible),
            Phase::Receiving => {}
            _ => return Ok(Verdict::Fine),
        }
        if item > next {
            return Ok(Verdict::Lost);
        }
        if item == next && self.pending == Pending::Nothing {
            self.take(body)?;
            self.event_due = true;
        }
        self.answer_due |= item < next && self.is_durable(durable);
        self.await_source(now, config);
        Ok(Verdict::Fine)
    }

    fn take(&mut self, body: Body<'_>) -> Result<(), Rejected> {
        let (bytes, cursor, pending) = match body {
            Body::Chunk { bytes, cursor, last } => (bytes, cursor, Pending::Chunk { last }),
            Body::Writes { frames } => (frames, &[][..], Pending::Writes),
        };
        if pending != Pending::Writes && self.complete {
            return Err(Rejected::Impossible);
        }
        if pending == Pending::Writes && Writes::parse(bytes).is_none() {
            return Err(Rejected::Malformed);
        }
        if bytes.len() > self.buffer.limit() || cursor.len() > self.next_cursor.limit() {
            return Err(Rejected::Full);
        }
        self.buffer.clear();
        self.next_cursor.clear();
        // which fit
        let _ = self.buffer.extend_from_slice(bytes);
        let _ = self.next_cursor.extend_from_slice(cursor);
        self.pending = pending;
        Ok(())
    }

    pub(super) fn handle_released(
        &mut self,
        now: Instant,
        (session, items): (u64, u64),
        (config, durable): (&Config, Ticket),
    ) -> Result<Verdict, Rejected> {
        match self.phase {
            Phase::Arrived if (session, items) == (self.session, self.item) => {
                self.answer_due = true;
            }
            Phase::Receiving if session < self.session => return Err(Rejected::Impossible),
            Phase::Receiving => {
                let has_all = (session, items) == (self.session, self.item) && self.complete;
                if !has_all || self.pending != Pending::Nothing || !self.is_durable(durable) {
                    return Ok(Verdict::Lost);
                }
                (self.phase, self.dirty) = (Phase::Arrived, true);
                (self.event_due, self.answer_due) = (true, true);
                self.await_source(now, config);
            }
            Phase::Offered => return Ok(Verdict::Lost),
            Phase::Arrived => return Err(Rejected::Impossible),
            Phase::Closed | Phase::Dropped { .. } => {}
        }
        Ok(Verdict::Fine)
    }

    pub(super) fn handle_closed(&mut self) -> Result<(), Rejected> {
        match self.phase {
            Phase::Arrived => (self.phase, self.answer_due) = (Phase::Closed, false),
            Phase::Offered | Phase::Receiving => return Err(Rejected::Impossible),
            Phase::Closed | Phase::Dropped { .. } => {}
        }
        Ok(())
    }

    /// The source does not know the hand-over any more. A source that retired it answers so to a position that comes late: then this
    /// node owns the range. True if it is over here.
    pub(super) fn handle_gone(&mut self) -> bool {
        if matches!(self.phase, Phase::Offered | Phase::Receiving) {
            self.drop(true);
        }
        matches!(self.phase, Phase::Dropped { .. })
    }

    // Time

    pub(super) fn tick(&mut self, now: Instant, config: &Config) {
        if self.deadline().is_some_and(|at| now >= at) {
            self.answer_due = true;
            self.await_source(now, config);
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Receiving | Phase::Arrived => Some(self.speak_at),
            _ => None,
        }
    }

    // Outputs

    pub(super) const fn is_retired(&self) -> bool {
        matches!(self.phase, Phase::Dropped { tell: false })
    }

    pub(super) fn is_durable(&self, durable: Ticket) -> bool {
        !self.dirty && self.ticket <= durable
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    pub(super) const fn record_made(&mut self, ticket: Ticket) {
        (self.dirty, self.ticket) = (false, ticket);
    }

    /// What its record says; `None` if there is none.
    pub(super) fn record(&self) -> Option<Record<'_, R>> {
        let arrived = match self.phase {
            Phase::Offered | Phase::Dropped { .. } => return None,
            Phase::Receiving => false,
            Phase::Arrived | Phase::Closed => true,
        };
        let &Self { from, handover, session, range, version, item, complete, .. } = self;
        let cursor = &self.cursor;
        Some(Record::Incoming {
            from,
            handover,
            session,
            range,
            version,
            item,
            cursor,
            complete,
            arrived,
        })
    }

    pub(super) fn take_notice(&mut self, durable: Ticket) -> Option<Notice> {
        let notice = match self.phase {
            Phase::Offered => Notice::Offered,
            Phase::Receiving if self.pending != Pending::Nothing => Notice::Apply,
            Phase::Arrived | Phase::Closed if self.is_durable(durable) => Notice::Arrived,
            Phase::Dropped { tell: true } if self.is_durable(durable) => {
                return Some(Notice::Canceled);
            }
            _ => return None,
        };
        mem::take(&mut self.event_due).then_some(notice)
    }

    pub(super) fn pending(&self) -> Item<'_> {
        match self.pending {
            Pending::Writes => Item::Writes(Writes { frames: &self.buffer }),
            _ => Item::Chunk(&self.buffer),
        }
    }

    /// Whether an answer is due; what is not durable is not told, nor what the application may still change.
    pub(super) fn take_answer(&mut self, durable: Ticket) -> bool {
        let may = match self.phase {
            Phase::Receiving => self.pending == Pending::Nothing,
            Phase::Arrived => true,
            _ => false,
        };
        may && self.is_durable(durable) && mem::take(&mut self.answer_due)
    }

    pub(super) fn answer(&self) -> Message<'_, R> {
        let &Self { handover, session, item, complete, .. } = self;
        match self.phase {
            Phase::Arrived | Phase::Closed => Message::Arrived { handover },
            _ => Message::Position { handover, session, item, cursor: &self.cursor, complete },
        }
    }

    pub(super) fn ownership(&self, durable: Ticket) -> Ownership {
        match self.phase {
            Phase::Arrived | Phase::Closed if self.is_durable(durable) => {
                Ownership::Arrived(self.from)
            }
            Phase::Dropped { .. } => Ownership::Settled,
            _ => Ownership::Arriving(self.from),
        }
    }

    pub(super) fn view(&self) -> Handover<R> {
        let progress = match self.phase {
            Phase::Offered => Progress::Offered,
            Phase::Receiving if self.complete => Progress::Copied,
            Phase::Receiving | Phase::Dropped { .. } => Progress::Copying,
            Phase::Arrived => Progress::Arrived,
            Phase::Closed => Progress::Closed,
        };
        let &Self { handover: number, range, from: peer, version, .. } = self;
        Handover { number, range, peer, version, progress }
    }
}
