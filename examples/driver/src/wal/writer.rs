use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Clock};

use quorate_core::Ticket;

use super::disk::Disk;
use super::log::{Wal, WriteError};
use super::record::Batch;
use crate::metrics::Metrics;
use crate::{Error, StorageHealth, WalOptions};

const MAX_RETRY: Duration = Duration::from_secs(1);

/// The log on a thread of its own: takes what accumulated while the last batch was being written, and tells when it is durable.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread has to tell.
#[derive(Debug)]
pub(crate) struct Report {
    /// Every record up to this ticket is durable.
    pub(crate) durable: Ticket,
    pub(crate) health: StorageHealth,
    /// Why the log failed, once.
    pub(crate) error: Option<Error>,
    /// Bytes that wait or are being written.
    pub(crate) pending: usize,
    /// The log's size in bytes.
    pub(crate) size: u64,
    /// A checkpoint is under way.
    pub(crate) checkpointing: bool,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// Records that wait, and the ticket of the last of them.
    batch: Batch,
    last: Ticket,
    /// A checkpoint to begin: what waited when it was made, whose records it covers, and the records to begin the new log with.
    checkpoint: Option<(Batch, Ticket, Batch)>,
    /// The side thread of a checkpoint ended.
    written: bool,
    stop: bool,

    durable: Ticket,
    health: StorageHealth,
    error: Option<Error>,
    writing: usize,
    size: u64,
    checkpointing: bool,
}

impl Writer {
    /// Starts the thread; `wake` is called when there is something new to [`report`](Self::report).
    pub(crate) fn start<D: Disk>(
        wal: Wal<D>,
        options: &WalOptions,
        metrics: Arc<Metrics>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let state = State { size: wal.size(), ..State::default() };
        metrics.wal.bytes.set(wal.size());
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            wake: Box::new(wake),
        });
        let mut disk_loop = DiskLoop {
            wal,
            shared: shared.clone(),
            metrics,
            seal_after: Duration::from_millis(options.seal_after_ms),
            retry: Duration::from_millis(options.full_retry_ms.max(1)),
            max_since: options.max_pending_bytes,
            side: None,
        };
        let thread =
            thread::Builder::new().name("quorate-disk".into()).spawn(move || disk_loop.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands records over, the last of which has this ticket, and empties the batch.
    pub(crate) fn submit(&self, batch: &mut Batch, last: Ticket) {
        let mut state = self.shared.lock();
        state.batch.take(batch);
        state.last = last;
        drop(state);
        self.shared.work.notify_one();
    }

    /// Rewrites the log as `live`, the records that restore the same as all that were submitted.
    pub(crate) fn checkpoint(&self, live: Batch) {
        let mut state = self.shared.lock();
        let covered = core::mem::take(&mut state.batch);
        state.checkpoint = Some((covered, state.last, live));
        state.checkpointing = true;
        drop(state);
        self.shared.work.notify_one();
    }

    /// What is new.
    pub(crate) fn report(&self) -> Report {
        let mut state = self.shared.lock();
        let covered = state.checkpoint.as_ref().map_or(0, |(covered, ..)| covered.len());
        Report {
            durable: state.durable,
            health: state.health,
            error: state.error.take(),
            pending: state.batch.len() + covered + state.writing,
            size: state.size,
            checkpointing: state.checkpointing,
        }
    }

    /// Writes what waits, unless the disk is full, seals and closes the log.
    pub(crate) fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // a panic there was reported by its drop guard
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // every change of the state is a single assignment or move: it is whole after a panic too
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct DiskLoop<D: Disk> {
    wal: Wal<D>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    seal_after: Duration,
    retry: Duration,
    max_since: usize,
    side: Option<Side<D>>,
}

/// A checkpoint being written.
type Side<D> = JoinHandle<Result<super::Written<D>, WriteError>>;

/// What the thread does next.
enum Work {
    Batch(Batch, Ticket),
    Checkpoint(Batch, Ticket, Batch),
    Written,
    Seal,
    Stop,
}

impl<D: Disk> DiskLoop<D> {
    fn run(&mut self) {
        let mut guard = PanicGuard { shared: self.shared.clone(), armed: true };
        let ended = self.work();
        guard.armed = false;
        if let Err(error) = ended {
            tracing::error!(%error, "the write-ahead log failed; the node stops");
            let mut state = self.shared.lock();
            state.health = StorageHealth::Failed;
            state.error = Some(error);
        }
        if let Some(side) = self.side.take() {
            let _ = side.join();
        }
        (self.shared.wake)();
    }

    fn work(&mut self) -> Result<(), Error> {
        loop {
            match self.next() {
                Work::Batch(batch, last) => {
                    if !self.write(batch, last)? {
                        return Ok(());
                    }
                }
                Work::Checkpoint(covered, last, live) => {
                    if !self.write(covered, last)? {
                        return Ok(());
                    }
                    self.begin(live)?;
                }
                Work::Written => self.finish()?,
                Work::Seal => self.wal.seal(),
                Work::Stop => {
                    self.wal.seal();
                    return Ok(());
                }
            }
        }
    }

    /// Waits for something to do.
    fn next(&mut self) -> Work {
        let mut state = self.shared.lock();
        let mut sealed = false;
        loop {
            if let Some((covered, last, live)) = state.checkpoint.take() {
                state.writing = covered.len();
                return Work::Checkpoint(covered, last, live);
            }
            let full_side = self.side.is_some() && self.wal.since_checkpoint() > self.max_since;
            if state.written || (full_side && !state.batch.is_empty()) {
                state.written = false;
                return Work::Written;
            }
            if !state.batch.is_empty() {
                let batch = core::mem::take(&mut state.batch);
                state.writing = batch.len();
                return Work::Batch(batch, state.last);
            }
            if state.stop {
                return Work::Stop;
            }
            if sealed {
                state = self.shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, waited) = self
                .shared
                .work
                .wait_timeout(state, self.seal_after)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() && state.batch.is_empty() && !state.stop {
                if self.wal.wants_seal() {
                    return Work::Seal;
                }
                sealed = true;
            }
        }
    }

    /// Makes a batch durable, however long the disk is full. False when the node stops meanwhile: then nothing may follow, since
    /// the log would have a gap.
    fn write(&mut self, mut batch: Batch, last: Ticket) -> Result<bool, Error> {
        let mut retry = self.retry;
        loop {
            let started = Clock::now();
            match self.wal.append(&mut batch) {
                Ok(()) => {
                    self.wrote(&mut batch, last, started.elapsed());
                    return Ok(true);
                }
                Err(WriteError::Failed(error)) => return Err(error),
                Err(WriteError::Full) => {
                    if !self.wait_for_space(retry) {
                        tracing::warn!("stopping with the disk full: what waited is not on disk");
                        return Ok(false);
                    }
                    retry = (retry * 2).min(MAX_RETRY);
                }
            }
        }
    }

    fn wrote(&self, batch: &mut Batch, last: Ticket, took: Duration) {
        let counters = &self.metrics.wal;
        if !batch.is_empty() {
            counters.syncs.add(1);
            counters.records.add(u64::from(batch.records()));
            counters.sync_us.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            counters.bytes.set(self.wal.size());
        }
        batch.clear();
        let mut state = self.shared.lock();
        let recovered = state.health == StorageHealth::Full;
        state.health = StorageHealth::Good;
        state.durable = state.durable.max(last);
        state.writing = 0;
        state.size = self.wal.size();
        if state.batch.is_empty() {
            // so that the memory is used again
            state.batch.take(batch);
        }
        drop(state);
        if recovered {
            tracing::info!("the disk has space again");
        }
        (self.shared.wake)();
    }

    /// Tells that the disk is full, and waits. False when the node stops.
    fn wait_for_space(&self, retry: Duration) -> bool {
        let mut state = self.shared.lock();
        if state.health != StorageHealth::Full {
            state.health = StorageHealth::Full;
            self.metrics.wal.full.add(1);
            tracing::error!("the disk is full: nothing is acknowledged until there is space again");
            (self.shared.wake)();
        }
        let until = Clock::now() + retry;
        loop {
            if state.stop {
                return false;
            }
            let left = until.saturating_duration_since(Clock::now());
            if left.is_zero() {
                return true;
            }
            // others wake this thread too; that is no reason to hurry
            let (woken, _) =
                self.shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = woken;
        }
    }

    fn begin(&mut self, live: Batch) -> Result<(), Error> {
        let checkpoint = self.wal.begin_checkpoint(live);
        let shared = self.shared.clone();
        let side = thread::Builder::new().name("quorate-checkpoint".into()).spawn(move || {
            let written = checkpoint.write();
            shared.lock().written = true;
            shared.work.notify_one();
            written
        });
        match side {
            Ok(side) => {
                self.side = Some(side);
                Ok(())
            }
            Err(source) => Err(Error::io("start a thread for", "the checkpoint", source)),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(side) = self.side.take() else {
            return Ok(());
        };
        let written = side.join().map_err(|_| Error::Panicked)?;
        match self.wal.finish_checkpoint(written) {
            Ok(old) => {
                self.metrics.wal.checkpoints.add(1);
                self.metrics.wal.bytes.set(self.wal.size());
                tracing::debug!(
                    bytes = self.wal.size(),
                    generation = self.wal.generation(),
                    "the write-ahead log was rewritten"
                );
                // giving back a large file's space takes a while, and nobody has to wait
                drop(thread::Builder::new().spawn(move || drop(old)));
            }
            Err(WriteError::Full) => {
                self.metrics.wal.checkpoints_failed.add(1);
                tracing::warn!("no space to rewrite the write-ahead log; trying again later");
            }
            Err(WriteError::Failed(error)) => return Err(error),
        }
        let mut state = self.shared.lock();
        state.size = self.wal.size();
        state.checkpointing = false;
        // the thread may have told twice: once by the flag, once by having been waited for
        state.written = false;
        drop(state);
        (self.shared.wake)();
        Ok(())
    }
}

/// Reports a panic of the disk thread as a failure, so that the node does not wait for ever.
struct PanicGuard {
    shared: Arc<Shared>,
    armed: bool,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let mut state = self.shared.lock();
        state.health = StorageHealth::Failed;
        state.error = Some(Error::Panicked);
        drop(state);
        (self.shared.wake)();
    }
}
