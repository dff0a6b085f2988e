use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Clock};

use quorate_core::Ticket;

use super::disk::Disk;
use super::log::Wal;
use super::record::Batch;
use super::write::WriteError;
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
    /// Bytes of records in the log.
    pub(crate) size: u64,
    /// Bytes of room for a checkpoint.
    pub(crate) reserved: u64,
    /// A checkpoint is under way.
    pub(crate) checkpointing: bool,
    /// The log's file is of an older version, which a checkpoint ends.
    pub(crate) outdated: bool,
}

struct Shared {
    state: Mutex<State>,
    task_ready: Condvar,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// Records that wait, and the ticket of the last of them.
    batch: Batch,
    last: Ticket,
    /// A checkpoint to begin: what waited when it was made, whose records it covers, and the records to begin the new log with.
    checkpoint: Option<Rewrite>,
    /// How many bytes are alive, newly measured.
    measured: Option<u64>,
    /// The side thread of a checkpoint ended.
    written: bool,
    /// The space of a former log was given back.
    file_removed: bool,
    stop: bool,

    durable: Ticket,
    health: StorageHealth,
    error: Option<Error>,
    writing: usize,
    size: u64,
    reserved: u64,
    checkpointing: bool,
    outdated: bool,
}

/// A checkpoint to be made.
struct Rewrite {
    /// What waited when it was asked for, and the ticket of the last record that it covers.
    covered: Batch,
    last: Ticket,
    live: Batch,
}

impl Writer {
    /// Starts the thread; `wake` is called when there is something new to [`report`](Self::report).
    pub(crate) fn start<D: Disk>(
        wal: Wal<D>,
        options: &WalOptions,
        metrics: Arc<Metrics>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let state = State {
            size: wal.record_bytes(),
            reserved: wal.reserved(),
            outdated: wal.is_outdated(),
            ..State::default()
        };
        metrics.wal.bytes.set(wal.size());
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            task_ready: Condvar::new(),
            wake: Box::new(wake),
        });
        let mut disk_loop = DiskLoop {
            wal,
            shared: shared.clone(),
            metrics,
            seal_after: Duration::from_millis(options.seal_after_ms),
            retry: Duration::from_millis(options.full_retry_ms.max(1)),
            // what is reserved for a checkpoint has room for this
            max_since: match options.reserve_bytes {
                0 => options.max_pending_bytes,
                bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
            },
            checkpoint_thread: None,
            file_removal: None,
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
        self.shared.task_ready.notify_one();
    }

    /// Rewrites the log as `live`, the records that restore the same as all that were submitted.
    pub(crate) fn checkpoint(&self, live: Batch) {
        let mut state = self.shared.lock();
        let covered = core::mem::take(&mut state.batch);
        state.checkpoint = Some(Rewrite { covered, last: state.last, live });
        state.checkpointing = true;
        drop(state);
        self.shared.task_ready.notify_one();
    }

    /// Tells how many bytes of records a checkpoint would write now: so much room is reserved for one.
    pub(crate) fn set_live_bytes(&self, live: u64) {
        self.shared.lock().measured = Some(live);
    }

    /// What is new.
    pub(crate) fn report(&self) -> Report {
        let mut state = self.shared.lock();
        let covered = state.checkpoint.as_ref().map_or(0, |rewrite| rewrite.covered.len());
        Report {
            durable: state.durable,
            health: state.health,
            error: state.error.take(),
            pending: state.batch.len() + covered + state.writing,
            size: state.size,
            reserved: state.reserved,
            checkpointing: state.checkpointing,
            outdated: state.outdated,
        }
    }

    /// Writes what waits, unless the disk is full, seals and closes the log.
    pub(crate) fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.task_ready.notify_one();
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
    checkpoint_thread: Option<CheckpointThread<D>>,
    /// Gives the space of a former log back.
    file_removal: Option<JoinHandle<()>>,
}

/// A checkpoint being written.
type CheckpointThread<D> = JoinHandle<Result<super::Written<D>, WriteError>>;

/// What the thread does next.
enum Task {
    Batch(Batch, Ticket),
    Checkpoint(Rewrite),
    Written,
    FileRemoved,
    Seal,
    Stop,
}

/// Why a wait for space ended.
enum Waited {
    Retry,
    Checkpoint(Rewrite),
    Stop,
}

impl<D: Disk> DiskLoop<D> {
    fn run(&mut self) {
        let mut guard = PanicGuard { shared: self.shared.clone(), armed: true };
        let ended = self.run_tasks();
        guard.armed = false;
        if let Err(error) = ended {
            tracing::error!(%error, "the write-ahead log failed; the node stops");
            let mut state = self.shared.lock();
            state.health = StorageHealth::Failed;
            state.error = Some(error);
        }
        if let Some(checkpoint_thread) = self.checkpoint_thread.take() {
            let _ = checkpoint_thread.join();
        }
        self.wait_for_file_removal();
        (self.shared.wake)();
    }

    fn run_tasks(&mut self) -> Result<(), Error> {
        loop {
            match self.next() {
                Task::Batch(batch, last) => {
                    if !self.write(batch, last)? {
                        return Ok(());
                    }
                }
                Task::Checkpoint(rewrite) => {
                    if !self.checkpoint(rewrite)? {
                        return Ok(());
                    }
                }
                Task::Written => self.finish()?,
                Task::FileRemoved => self.wait_for_file_removal(),
                Task::Seal => self.seal()?,
                Task::Stop => return self.seal(),
            }
        }
    }

    fn seal(&mut self) -> Result<(), Error> {
        match self.wal.seal() {
            Err(WriteError::Failed(error)) => Err(error),
            // it can be done without; what was not sealed is durable all the same
            Ok(()) | Err(WriteError::Full) => Ok(()),
        }
    }

    /// Waits for something to do.
    fn next(&mut self) -> Task {
        let mut state = self.shared.lock();
        let mut sealed = false;
        loop {
            if let Some(live) = state.measured.take() {
                self.wal.set_live_bytes(live);
            }
            if let Some(rewrite) = state.checkpoint.take() {
                state.writing = rewrite.covered.len();
                return Task::Checkpoint(rewrite);
            }
            let checkpoint_full = self.checkpoint_thread.is_some()
                && (self.wal.since_checkpoint() > self.max_since
                    || !self.wal.checkpoint_has_room(state.batch.len()));
            if state.written || (checkpoint_full && !state.batch.is_empty()) {
                state.written = false;
                return Task::Written;
            }
            if core::mem::take(&mut state.file_removed) {
                return Task::FileRemoved;
            }
            if !state.batch.is_empty() {
                let batch = core::mem::take(&mut state.batch);
                state.writing = batch.len();
                return Task::Batch(batch, state.last);
            }
            if state.stop {
                return Task::Stop;
            }
            if sealed {
                state = self.shared.task_ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, waited) = self
                .shared
                .task_ready
                .wait_timeout(state, self.seal_after)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if waited.timed_out() && state.batch.is_empty() && !state.stop {
                if self.wal.needs_seal() {
                    return Task::Seal;
                }
                sealed = true;
            }
        }
    }

    /// Makes a batch durable, however long the disk is full. False when the node stops meanwhile: then nothing may follow, since
    /// the log would have a gap.
    fn write(&mut self, mut batch: Batch, mut last: Ticket) -> Result<bool, Error> {
        let mut retry = self.retry;
        loop {
            if self.append(&mut batch, last)? {
                return Ok(true);
            }
            match self.wait_for_space(retry) {
                Waited::Retry => retry = (retry * 2).min(MAX_RETRY),
                Waited::Checkpoint(mut rewrite) => {
                    batch.take(&mut rewrite.covered);
                    last = rewrite.last;
                    if self.rewrite(rewrite.live)? {
                        self.wrote(&mut batch, last, Duration::ZERO);
                        return Ok(true);
                    }
                }
                Waited::Stop => {
                    tracing::warn!("stopping with the disk full: what waited is not on disk");
                    self.seal()?;
                    return Ok(false);
                }
            }
        }
    }

    /// Begins a checkpoint. Where the disk is too full for what waits, the checkpoint has it.
    fn checkpoint(&mut self, rewrite: Rewrite) -> Result<bool, Error> {
        let Rewrite { mut covered, last, live } = rewrite;
        if self.append(&mut covered, last)? {
            self.begin(live)?;
            return Ok(true);
        }
        if self.rewrite(live)? {
            self.wrote(&mut covered, last, Duration::ZERO);
            return Ok(true);
        }
        self.write(covered, last)
    }

    /// Makes a batch durable. False if the disk is full, and nothing is under way that gives space back.
    fn append(&mut self, batch: &mut Batch, last: Ticket) -> Result<bool, Error> {
        if self.checkpoint_thread.is_none() && self.wal.reserved() == 0 {
            // what is reserved for the next checkpoint comes from what the last one gives back
            self.wait_for_file_removal();
        }
        loop {
            let started = Clock::now();
            match self.wal.append(batch) {
                Ok(()) => {
                    self.wrote(batch, last, started.elapsed());
                    return Ok(true);
                }
                Err(WriteError::Failed(error)) => return Err(error),
                Err(WriteError::Full) if self.checkpoint_thread.is_some() => self.finish()?,
                Err(WriteError::Full) if self.file_removal.is_some() => {
                    self.wait_for_file_removal()
                }
                Err(WriteError::Full) => return Ok(false),
            }
        }
    }

    fn wait_for_file_removal(&mut self) {
        if let Some(file_removal) = self.file_removal.take() {
            // it only drops a file
            let _ = file_removal.join();
            self.wal.reserve_space();
            self.shared.lock().reserved = self.wal.reserved();
        }
    }

    /// Replaces the log by one with these records, which has all that waits. False if there is no room for that either.
    fn rewrite(&mut self, live: Batch) -> Result<bool, Error> {
        let written = self.wal.begin_checkpoint(live).write();
        self.swap(written)
    }

    fn wrote(&self, batch: &mut Batch, last: Ticket, took: Duration) {
        let counters = &self.metrics.wal;
        if !batch.is_empty() {
            counters.syncs.add(1);
            counters.records.add(u64::from(batch.records()));
            counters.sync_us.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            counters.bytes.set(self.wal.size());
            counters.reserved.set(self.wal.reserved());
        }
        batch.clear();
        let mut state = self.shared.lock();
        let recovered = state.health == StorageHealth::Full;
        state.health = StorageHealth::Good;
        state.durable = state.durable.max(last);
        state.writing = 0;
        state.size = self.wal.record_bytes();
        state.reserved = self.wal.reserved();
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

    /// Tells that the disk is full, and waits.
    fn wait_for_space(&mut self, retry: Duration) -> Waited {
        let mut state = self.shared.lock();
        state.reserved = self.wal.reserved();
        if state.health != StorageHealth::Full {
            state.health = StorageHealth::Full;
            self.metrics.wal.full.add(1);
            tracing::error!("the disk is full: nothing is acknowledged until there is space again");
            (self.shared.wake)();
        }
        let until = Clock::now() + retry;
        loop {
            if let Some(rewrite) = state.checkpoint.take() {
                return Waited::Checkpoint(rewrite);
            }
            if let Some(live) = state.measured.take() {
                self.wal.set_live_bytes(live);
            }
            if state.stop {
                return Waited::Stop;
            }
            let left = until.saturating_duration_since(Clock::now());
            if left.is_zero() {
                return Waited::Retry;
            }
            // others wake this thread too; that is no reason to hurry
            let (woken, _) = self
                .shared
                .task_ready
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
        }
    }

    fn begin(&mut self, live: Batch) -> Result<(), Error> {
        let checkpoint = self.wal.begin_checkpoint(live);
        let shared = self.shared.clone();
        let checkpoint_thread =
            thread::Builder::new().name("quorate-checkpoint".into()).spawn(move || {
                let written = checkpoint.write();
                shared.lock().written = true;
                shared.task_ready.notify_one();
                written
            });
        match checkpoint_thread {
            Ok(checkpoint_thread) => {
                self.checkpoint_thread = Some(checkpoint_thread);
                Ok(())
            }
            Err(source) => Err(Error::io("start a thread for", "the checkpoint", source)),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(checkpoint_thread) = self.checkpoint_thread.take() else {
            return Ok(());
        };
        let written = checkpoint_thread.join().map_err(|_| Error::Panicked)?;
        self.swap(written).map(drop)
    }

    /// Ends a checkpoint; tells whether it is the log now.
    fn swap(&mut self, written: Result<super::Written<D>, WriteError>) -> Result<bool, Error> {
        let done = match self.wal.finish_checkpoint(written) {
            Ok(old) => {
                self.metrics.wal.checkpoints.add(1);
                self.metrics.wal.bytes.set(self.wal.size());
                tracing::debug!(
                    bytes = self.wal.size(),
                    generation = self.wal.generation(),
                    "the write-ahead log was rewritten"
                );
                // giving back a large file's space takes a while, and nobody has to wait
                let shared = self.shared.clone();
                let free = move || {
                    drop(old);
                    shared.lock().file_removed = true;
                    shared.task_ready.notify_one();
                };
                self.file_removal = thread::Builder::new().spawn(free).ok();
                true
            }
            Err(WriteError::Full) => {
                self.metrics.wal.checkpoints_failed.add(1);
                tracing::warn!("no space to rewrite the write-ahead log; trying again later");
                false
            }
            Err(WriteError::Failed(error)) => return Err(error),
        };
        let mut state = self.shared.lock();
        state.size = self.wal.record_bytes();
        state.reserved = self.wal.reserved();
        state.outdated = self.wal.is_outdated();
        state.checkpointing = false;
        // the thread may have told twice: once by the flag, once by having been waited for
        state.written = false;
        // what was measured before does not count any more
        state.measured = None;
        drop(state);
        (self.shared.wake)();
        Ok(done)
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
