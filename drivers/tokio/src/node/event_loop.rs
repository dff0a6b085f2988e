use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::{Instant, Machine, NodeId, Rejected, Sink, Ticket, Wire};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant as Clock;

use crate::metrics::Metrics;
use crate::priority::Priority;
use crate::tcp::{Inbox, Outbox};
use crate::wal::{self, Batch, Writer};
use crate::{App, Error, StorageHealth, WalOptions};

/// Commands taken in one turn, at most.
const MAX_COMMANDS: usize = 1024;
/// Rounds of polling and settling in one turn, at most: an application that always has more must let the others in.
const MAX_ROUNDS: usize = 64;
/// How often, in µs, a log on a full disk is looked at: whether it can be rewritten.
const FULL_DISK_RETRY_US: u64 = 200_000;
/// How often, in µs, a log of an older version is tried to be rewritten.
const UPGRADE_RETRY_US: u64 = 10_000_000;
/// On a full disk, a log is rewritten when this part of `checkpoint_bytes` is dead.
const MIN_DEAD_FRACTION: u64 = 64;
/// Bytes received from one connection in one turn, at most, unless a single frame has more.
const INBOX_BYTES_PER_TURN: usize = 1 << 20;
/// A turn that has lasted this long takes no more bulk and no more commands: what is urgent comes first again.
const SOFT_TURN_LIMIT: Duration = Duration::from_millis(5);
/// A turn that has lasted this long leaves what the machine has to say for the next.
const HARD_TURN_LIMIT: Duration = Duration::from_millis(10);

/// The loop of a node: hands the machine what happened, and does what it says.
pub(crate) struct EventLoop<A: App> {
    pub(crate) machine: A::Machine,
    pub(crate) app: A,
    pub(crate) commands: mpsc::Receiver<A::Command>,
    pub(crate) outbox: Outbox,
    pub(crate) writer: Writer,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) options: WalOptions,
    pub(crate) started: Clock,
    pub(crate) state: State<A>,
}

/// Where the outputs of the machine go.
struct Outputs<'l, A> {
    app: &'l mut A,
    outbox: &'l mut Outbox,
    batch: &'l mut Batch,
    polled: &'l mut Ticket,
    began: Clock,
    /// Whether there were any.
    any: bool,
}

/// The rest waits for the next turn.
struct TurnIsOver;

impl<A: App> Sink<A::Machine> for Outputs<'_, A> {
    type Error = TurnIsOver;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <A::Machine as Machine>::Record<'_>,
    ) -> Result<(), TurnIsOver> {
        self.batch.push(&record);
        *self.polled = ticket;
        self.taken()
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <A::Machine as Machine>::Message<'_>,
    ) -> Result<(), TurnIsOver> {
        self.outbox.message(to, &message, A::priority(&message));
        self.taken()
    }

    fn event(&mut self, event: <A::Machine as Machine>::Event<'_>) -> Result<(), TurnIsOver> {
        self.app.event(event);
        self.taken()
    }
}

impl<A> Outputs<'_, A> {
    /// An output was taken: is there time for another?
    fn taken(&mut self) -> Result<(), TurnIsOver> {
        self.any = true;
        if self.began.elapsed() >= HARD_TURN_LIMIT { Err(TurnIsOver) } else { Ok(()) }
    }
}

/// What the loop keeps between turns.
pub(crate) struct State<A: App> {
    received: Vec<A::Command>,
    /// Commands that wait for the machine.
    commands: VecDeque<A::Command>,
    inbox: Inbox,
    /// Records polled and not submitted to the disk yet, and the last ticket polled.
    batch: Batch,
    polled: Ticket,
    durable: Ticket,
    health: StorageHealth,
    /// Bytes on their way to the disk.
    pending: usize,
    /// Bytes of records in the log, of room for a checkpoint, and whether one is under way.
    size: u64,
    reserved: u64,
    checkpointing: bool,
    /// The log is of an older version.
    outdated: bool,
    /// The size at which the log is next looked at for a checkpoint; and on a full disk, the time.
    next_check_size: u64,
    next_check: Instant,
    /// There is more to take in, or to be said, than one turn takes.
    more: bool,
    /// The machine has more to say.
    unpolled: bool,
    /// When the connections last had their turn, and whether the tick waits for that.
    began: Clock,
    tick_deferred: bool,
}

impl<A: App> State<A> {
    pub(crate) fn new(options: &WalOptions) -> Self {
        Self {
            received: Vec::with_capacity(MAX_COMMANDS),
            commands: VecDeque::with_capacity(MAX_COMMANDS),
            inbox: Inbox::default(),
            batch: Batch::default(),
            polled: Ticket::default(),
            durable: Ticket::default(),
            health: StorageHealth::default(),
            pending: 0,
            size: 0,
            reserved: 0,
            checkpointing: false,
            outdated: false,
            next_check_size: options.checkpoint_bytes,
            next_check: Instant::ZERO,
            more: false,
            unpolled: false,
            began: Clock::now(),
            tick_deferred: false,
        }
    }
}

impl<A: App> EventLoop<A> {
    /// Runs until it is told to stop, or must.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let ended = self.turns().await;
        self.app.stopping();
        self.outbox.flush();
        let mut writer = self.writer;
        writer.stop();
        match (ended, writer.report().error) {
            (Ok(()), Some(error)) => Err(error),
            (ended, _) => ended,
        }
    }

    async fn turns(&mut self) -> Result<(), Error> {
        let sleep = tokio::time::sleep_until(self.started);
        tokio::pin!(sleep);
        loop {
            if *self.stop.borrow_and_update() {
                return Ok(());
            }
            self.turn()?;
            if self.state.more {
                tokio::task::yield_now().await;
                continue;
            }
            let (throttled, stopped) = (self.throttled(), self.saturated());
            let deadline = if stopped { None } else { self.machine.deadline() };
            if let Some(deadline) = deadline {
                let at = self.clock_at(deadline);
                if sleep.deadline() != at {
                    sleep.as_mut().reset(at);
                }
            }
            let mut waited = false;
            let received = &mut self.state.received;
            let room = MAX_COMMANDS.saturating_sub(self.state.commands.len());
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                () = sleep.as_mut(), if deadline.is_some() => {}
                n = self.commands.recv_many(received, room), if !throttled && room > 0 => {
                    if n == 0 {
                        // nobody can hand commands in any more, not even to stop
                        return Ok(());
                    }
                    self.state.commands.extend(received.drain(..));
                }
                changed = self.stop.changed() => {
                    if changed.is_err() {
                        return Ok(()); // the node was dropped
                    }
                }
                () = note_pending(&mut waited) => {}
            }
            if !waited {
                // there is more at once: let the connections go on first, so that what was queued leaves, and what came is there
                tokio::task::yield_now().await;
            }
        }
    }

    fn turn(&mut self) -> Result<(), Error> {
        self.state.began = Clock::now();
        self.state.more = false;
        self.state.unpolled = false;
        self.metrics.turns.add(1);
        self.poll_disk()?;
        if self.saturated() {
            return Ok(());
        }
        self.receive(Priority::Urgent);
        if !self.throttled() {
            self.receive(Priority::Bulk);
            self.command();
        }
        self.tick();
        self.settle();
        self.submit();
        self.outbox.flush();
        if let Some(reason) = self.machine.fatal() {
            tracing::error!(%reason, "the machine stopped itself; the node stops");
            return Err(Error::Fatal(reason));
        }
        self.checkpoint(self.now());
        Ok(())
    }

    /// Learns what the disk did.
    fn poll_disk(&mut self) -> Result<(), Error> {
        let report = self.writer.report();
        if report.health != self.state.health {
            self.state.health = report.health;
            self.app.storage(report.health);
        }
        if let Some(error) = report.error {
            return Err(error);
        }
        self.state.pending = report.pending;
        self.state.size = report.size;
        self.state.reserved = report.reserved;
        self.state.outdated = report.outdated;
        if self.state.checkpointing && !report.checkpointing {
            // after one that there was no space for, the next is not at once
            let step = self.options.checkpoint_bytes / 4;
            self.state.next_check_size = self.options.checkpoint_bytes.max(report.size + step);
        }
        self.state.checkpointing = report.checkpointing;
        if report.durable > self.state.durable {
            self.state.durable = report.durable;
            self.machine.persisted(report.durable);
        }
        Ok(())
    }

    /// Hands over what peers sent: of bulk, no more than fits into a turn, each link in its turn first.
    fn receive(&mut self, priority: Priority) {
        let links = self.outbox.refresh().clone();
        let first = usize::try_from(self.metrics.turns.get()).unwrap_or(0) % links.len().max(1);
        for link in links[first..].iter().chain(&links[..first]) {
            if priority == Priority::Bulk && self.has_lasted(SOFT_TURN_LIMIT) {
                self.state.more = true;
                return;
            }
            let more = link.take_inbox(priority, &mut self.state.inbox, INBOX_BYTES_PER_TURN);
            self.state.more |= more;
            if self.state.inbox.is_empty() {
                continue;
            }
            // the clock is read when they are there: the process may have stood still since the turn began, and leases count on it
            let now = self.now();
            for (application, payload) in self.state.inbox.frames() {
                if application {
                    self.app.frame(&mut self.machine, now, link.id, payload);
                } else {
                    message(&mut self.machine, &self.metrics, now, link.id, payload);
                }
            }
        }
    }

    /// Hands over what [`Handle`](crate::Handle)s sent.
    fn command(&mut self) {
        while self.state.commands.len() < MAX_COMMANDS {
            match self.commands.try_recv() {
                Ok(command) => self.state.commands.push_back(command),
                Err(_) => break,
            }
        }
        let now = self.now();
        while let Some(command) = self.state.commands.pop_front() {
            self.metrics.commands.add(1);
            self.app.command(&mut self.machine, now, command);
            if self.has_lasted(SOFT_TURN_LIMIT) {
                self.state.more |= !self.state.commands.is_empty();
                return;
            }
        }
    }

    /// Tells the machine the time, if it wants to know. After a long turn the connections have theirs first: what came meanwhile may
    /// be what the machine would miss.
    fn tick(&mut self) {
        let now = self.now();
        if self.machine.deadline().is_none_or(|deadline| deadline > now) {
            self.state.tick_deferred = false;
        } else if self.has_lasted(SOFT_TURN_LIMIT) && !self.state.tick_deferred {
            self.state.tick_deferred = true;
            self.state.more = true;
        } else {
            self.state.tick_deferred = false;
            self.machine.tick(now);
        }
    }

    /// Polls until the machine is quiet, and lets the application act on it, until it does not.
    fn settle(&mut self) {
        self.poll();
        for _ in 0..MAX_ROUNDS {
            let now = self.now();
            self.app.settle(&mut self.machine, now, &mut self.outbox);
            if !self.poll() || self.state.unpolled {
                self.state.more |= self.app.has_more();
                return;
            }
        }
        self.state.unpolled = true;
        self.state.more = true;
    }

    /// Does all that the machine says, as far as it fits into a turn; tells whether it said anything.
    fn poll(&mut self) -> bool {
        let mut outputs = Outputs {
            app: &mut self.app,
            outbox: &mut self.outbox,
            batch: &mut self.state.batch,
            polled: &mut self.state.polled,
            began: self.state.began,
            any: false,
        };
        let drained = self.machine.drain(&mut outputs);
        let any = outputs.any;
        if let Err(TurnIsOver) = drained {
            self.state.unpolled = true;
        }
        self.state.more |= self.state.unpolled;
        any
    }

    fn submit(&mut self) {
        if !self.state.batch.is_empty() {
            self.state.pending += self.state.batch.len();
            self.writer.submit(&mut self.state.batch, self.state.polled);
        }
    }

    /// Has the log rewritten when much of it is dead.
    fn checkpoint(&mut self, now: Instant) {
        // what was not polled yet is in the checkpoint, and would be in the log again after it
        if self.state.checkpointing || self.state.unpolled {
            return;
        }
        if self.state.health == StorageHealth::Full {
            return self.checkpoint_when_full(now);
        }
        let size = self.state.size;
        let outdated = self.state.outdated && now >= self.state.next_check;
        if size < self.state.next_check_size && !outdated {
            return;
        }
        let live = self.live();
        let enough = live.saturating_mul(self.options.checkpoint_ratio);
        if outdated {
            self.state.next_check = now.after(UPGRADE_RETRY_US);
        } else if size < enough {
            self.writer.set_live_bytes(live);
            // what is alive may shrink before the log has grown to that: look again in between
            let step = self.options.checkpoint_bytes.max(size / 8);
            self.state.next_check_size = enough.min(size + step);
            return;
        }
        self.rewrite(live);
    }

    /// On a full disk, the log is rewritten in the room reserved for that, if what is alive fits into it and is less than what there is:
    /// the new log has what waits, and the rest of the space is free again.
    #[cold]
    fn checkpoint_when_full(&mut self, now: Instant) {
        if now < self.state.next_check {
            return;
        }
        self.state.next_check = now.after(FULL_DISK_RETRY_US);
        let live = self.live();
        self.writer.set_live_bytes(live);
        let all = self.state.size + self.state.pending as u64;
        let fits = self.state.reserved == 0 || wal::room_for(live) <= self.state.reserved;
        if fits && live + self.options.checkpoint_bytes / MIN_DEAD_FRACTION <= all {
            self.rewrite(live);
        }
    }

    /// Bytes of the records that a checkpoint has to write.
    fn live(&self) -> u64 {
        self.machine.checkpoint().map(|record| Batch::size_of(&record)).sum()
    }

    fn rewrite(&mut self, live: u64) {
        let mut batch = Batch::with_capacity(live);
        for record in self.machine.checkpoint() {
            batch.push(&record);
        }
        tracing::debug!(log = self.state.size, live, "rewriting the write-ahead log");
        self.writer.checkpoint(batch);
        self.state.checkpointing = true;
    }

    /// Much waits for the disk, or the application: only what is urgent is taken in until some of that is done.
    fn throttled(&self) -> bool {
        self.state.pending > self.options.max_pending_bytes || self.app.is_backlogged()
    }

    /// Too much does: nothing at all is taken in.
    fn saturated(&self) -> bool {
        self.state.pending > self.options.max_pending_bytes.saturating_mul(2)
    }

    /// Whether the turn has lasted for so long.
    fn has_lasted(&self, time: Duration) -> bool {
        self.state.began.elapsed() >= time
    }

    fn now(&self) -> Instant {
        let elapsed = self.started.elapsed().as_micros();
        Instant::from_micros(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn clock_at(&self, instant: Instant) -> Clock {
        // a deadline beyond what the clock can say never comes; a year is as good
        let us = instant.as_micros().min(365 * 24 * 3_600 * 1_000_000);
        self.started + Duration::from_micros(us)
    }
}

/// Tells, as the last branch of a biased `select!`, that none before it was ready at once. Never ready itself.
async fn note_pending(waited: &mut bool) {
    *waited = true;
    core::future::pending().await
}

/// Hands a message to the machine.
fn message<M: Machine>(
    machine: &mut M,
    metrics: &Metrics,
    now: Instant,
    from: NodeId,
    payload: &[u8],
) {
    let counters = &metrics.rejected;
    let message = match M::Message::from_slice(payload) {
        Ok(message) => message,
        Err(error) => {
            counters.undecodable.add(1);
            tracing::debug!(%from, %error, "dropped a message that does not decode");
            return;
        }
    };
    let Err(reason) = machine.receive(now, from, message) else {
        return;
    };
    tracing::debug!(%from, %reason, "the machine refused a message");
    match reason {
        Rejected::UnknownSender => &counters.unknown_sender,
        Rejected::Malformed => &counters.malformed,
        Rejected::OutOfRange => &counters.out_of_range,
        Rejected::Full => &counters.full,
        Rejected::Stopped => &counters.stopped,
        // and whatever reason is added: they are of this kind
        _ => &counters.impossible,
    }
    .add(1);
}
