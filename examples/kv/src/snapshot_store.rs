mod reserved_space;
mod worker;

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Instant;

use quorate_core::NodeId;
use quorate_log::Index;
use reserved_space::ReservedSpace;
pub(crate) use reserved_space::is_full;
use tracing::warn;
use worker::{Job, Outcome, SnapshotWorker, remove};

use crate::apply::State;
use crate::reserve::{self, Reserve};
use crate::snapshot::{self, Fault};

/// The snapshots of a node: written, removed and loaded by threads of their own, served to peers,
/// taken from the leader.
#[derive(Debug)]
pub(crate) struct SnapshotStore {
    dir: PathBuf,
    /// The founding id, in each of them.
    cluster: u64,
    newest: Option<Index>,
    worker: SnapshotWorker,
    /// The worker has a state to write.
    writing: bool,
    /// It has written it, which was not taken yet.
    written: Option<io::Result<Written>>,
    reserved: ReservedSpace,
    loading: Option<Receiver<Result<Box<State>, Fault>>>,
    incoming: Option<Incoming>,
    /// Files stay open while a peer is being sent one, so that a newer one does not take it away.
    serving: BTreeMap<NodeId, Served>,
    retry_after: Option<Instant>,
    /// Bytes of a snapshot that is being received, at most.
    max_incoming: u64,
}

/// A snapshot that is on disk now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) index: Index,
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
}

/// A part of a snapshot for a peer.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) index: Index,
    pub(crate) data: Vec<u8>,
    pub(crate) done: bool,
}

#[derive(Debug)]
struct Incoming {
    index: Index,
    file: File,
    length: u64,
    /// When the last part of it came.
    last: Instant,
}

#[derive(Debug)]
struct Served {
    index: Index,
    file: File,
    length: u64,
}

/// After a snapshot could not be written, such as on a full disk.
const RETRY: Duration = Duration::from_secs(5);
/// Snapshots that are kept: the one before the newest serves if that turns out to be damaged.
const RETAINED: usize = 2;
/// A snapshot of which no part has come for so long is given up, and its space given back.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// On a full disk, snapshots are this far apart.
const FULL_DISK_INTERVAL: Duration = Duration::from_secs(1);
/// The one file of what is being received.
const RECEIVING: &str = "snapshot-receiving";
/// What was being received and was given up, until the worker removes it.
const ABANDONED: &str = "snapshot-abandoned";

impl SnapshotStore {
    /// The snapshots of a cluster in a directory. Of what is received no more than `max_incoming` bytes are kept.
    pub(crate) fn new(dir: &Path, cluster: u64, max_incoming: u64) -> io::Result<Self> {
        // left over by a crash, and worth nothing
        for name in [RECEIVING, ABANDONED] {
            remove(&dir.join(name))?;
        }
        let reserve = Reserve::open(dir);
        remove(&dir.join(snapshot::WRITING))?;
        Ok(Self {
            dir: dir.into(),
            cluster,
            newest: snapshot::list(dir)?.first().copied(),
            reserved: ReservedSpace::new(reserve.len()),
            worker: SnapshotWorker::start(dir, cluster, reserve)?,
            writing: false,
            written: None,
            loading: None,
            incoming: None,
            serving: BTreeMap::new(),
            retry_after: None,
            max_incoming,
        })
    }

    /// Whether a snapshot can be begun now.
    pub(crate) fn is_idle(&self) -> bool {
        !self.writing
            && self.written.is_none()
            && self.loading.is_none()
            && self.retry_after.is_none_or(|at| Instant::now() >= at)
    }

    /// Begins to write a state. It is a clone that shares its memory with the living one.
    pub(crate) fn start_write(&mut self, state: State) {
        self.writing = self.worker.submit(Job::Write(Box::new(state)));
        if self.writing {
            self.reserved.take();
        } else {
            self.retry_after = Some(Instant::now() + RETRY);
        }
    }

    /// Has space reserved for a snapshot of this state, and gives up what is not being received any
    /// more. False if there is no space.
    pub(crate) fn reserve_space(&mut self, state: &State) -> bool {
        self.poll_worker();
        if self.incoming.as_ref().is_some_and(|incoming| incoming.last.elapsed() > RECEIVE_TIMEOUT)
        {
            self.abort_receive();
        }
        let bytes = reserve::estimate(state);
        // the one that is being written has it, and gives back what it does not need
        if self.writing {
            return self.reserved.may_suffice(bytes);
        }
        if self.reserved.request(bytes) {
            self.worker.submit(Job::Reserve { bytes, now: !self.reserved.holds(bytes) });
        }
        self.reserved.may_suffice(bytes)
    }

    /// Takes the outcomes of the worker's jobs.
    fn poll_worker(&mut self) {
        loop {
            match self.worker.outcome() {
                Ok(None) => return,
                Ok(Some(Outcome::Written(written, left))) => {
                    self.reserved.give_back(left);
                    self.end_writing(written);
                }
                Ok(Some(Outcome::Reserved(outcome))) => self.reserved.update(outcome),
                Ok(Some(Outcome::NotRemoved(error))) => {
                    warn!(%error, "could not remove old snapshots");
                }
                Err(_) if self.writing => {
                    return self.end_writing(Err(io::Error::other("its thread ended")));
                }
                Err(_) => return,
            }
        }
    }

    fn end_writing(&mut self, written: io::Result<Written>) {
        self.writing = false;
        self.written = Some(written);
    }

    /// Gives up what is being received.
    fn abort_receive(&mut self) {
        self.incoming = None;
        // to remove a large file takes long: another name is given at once
        if fs::rename(self.dir.join(RECEIVING), self.dir.join(ABANDONED)).is_ok() {
            self.worker.submit(Job::Prune);
        }
    }

    /// The next snapshot is not at once.
    pub(crate) fn delay_next(&mut self) {
        self.retry_after = Some(Instant::now() + FULL_DISK_INTERVAL);
    }

    /// The outcome of [`start_write`](Self::start_write), once.
    pub(crate) fn take_written(&mut self) -> Option<io::Result<Written>> {
        self.poll_worker();
        let result = self.written.take()?;
        match &result {
            Ok(written) => self.newest = self.newest.max(Some(written.index)),
            Err(_) => self.retry_after = Some(Instant::now() + RETRY),
        }
        Some(result)
    }

    /// Whether a peer was sent a part of this snapshot already.
    pub(crate) fn is_serving(&self, to: NodeId, index: Index) -> bool {
        self.serving.get(&to).is_some_and(|served| served.index == index)
    }

    /// A part for a peer, of the snapshot that was asked for, or if that is gone the beginning of the newest.
    pub(crate) fn chunk(
        &mut self,
        to: NodeId,
        index: Index,
        offset: u64,
        max_len: usize,
    ) -> io::Result<Chunk> {
        if offset == 0 || self.serving.get(&to).is_none_or(|served| served.index != index) {
            let (index, file) = self.open(index, offset)?;
            let length = file.metadata()?.len();
            self.serving.insert(to, Served { index, file, length });
        }
        let served = self.serving.get(&to).ok_or(io::ErrorKind::NotFound)?;
        let left = served.length.saturating_sub(offset);
        let mut data = vec![0; max_len.min(usize::try_from(left).unwrap_or(usize::MAX))];
        served.file.read_exact_at(&mut data, offset)?;
        let chunk = Chunk { index: served.index, done: left == data.len() as u64, data };
        if chunk.done && chunk.data.is_empty() {
            self.serving.remove(&to);
        }
        Ok(chunk)
    }

    fn open(&self, index: Index, offset: u64) -> io::Result<(Index, File)> {
        match (File::open(snapshot::path(&self.dir, index)), self.newest) {
            // it was removed for newer ones, of which the peer can be sent the newest from its beginning
            (Err(error), Some(newest))
                if error.kind() == io::ErrorKind::NotFound && offset == 0 =>
            {
                Ok((newest, File::open(snapshot::path(&self.dir, newest))?))
            }
            (file, _) => Ok((index, file?)),
        }
    }

    /// Ends what was being sent: this node does not lead any more.
    pub(crate) fn stop_serving(&mut self) {
        self.serving.clear();
    }

    /// Takes a part from the leader. When `done`, a thread makes the file durable, checks and loads it: [`take_loaded`](Self::take_loaded).
    ///
    /// There is one file of what is being received: a snapshot that begins takes the place of one that was not finished. A part
    /// that does not follow the one before, or goes beyond the limit, ends the transfer, and its file is removed.
    pub(crate) fn receive(
        &mut self,
        index: Index,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> io::Result<()> {
        let received = self.write_chunk(index, offset, data, done);
        if received.is_err() {
            self.incoming = None;
            if self.loading.is_none() {
                self.abort_receive();
            }
        }
        received
    }

    fn write_chunk(
        &mut self,
        index: Index,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> io::Result<()> {
        if self.loading.is_some() {
            return Err(io::Error::other("the snapshot before it is still being checked"));
        }
        let temporary = self.dir.join(RECEIVING);
        if offset == 0 {
            self.incoming = Some(Incoming {
                index,
                file: File::create(&temporary)?,
                length: 0,
                last: Instant::now(),
            });
        }
        let expected =
            self.incoming.as_mut().filter(|file| file.index == index && file.length == offset);
        let Some(incoming) = expected else {
            return Err(io::Error::other("a part of a snapshot that did not begin here"));
        };
        let length = offset.saturating_add(data.len() as u64);
        if length > self.max_incoming {
            let max = self.max_incoming;
            let text = format!(
                "the snapshot is longer than the {max} bytes of --max-snapshot-mb: start this node with more"
            );
            return Err(io::Error::other(text));
        }
        incoming.file.write_all_at(data, offset)?;
        incoming.length = length;
        incoming.last = Instant::now();
        if !done {
            return Ok(());
        }
        let Some(incoming) = self.incoming.take() else { return Ok(()) };
        let (sender, loading) = channel();
        let (dir, cluster) = (self.dir.clone(), self.cluster);
        thread::Builder::new().name("snapshot".into()).spawn(move || {
            let installed = install(&incoming.file, &temporary, &dir, (cluster, index));
            let _ = sender.send(installed.map(Box::new));
        })?;
        self.loading = Some(loading);
        Ok(())
    }

    /// The outcome of a snapshot that was received whole, once.
    pub(crate) fn take_loaded(&mut self) -> Option<Result<Box<State>, Fault>> {
        let path = &self.dir;
        let result = outcome(&mut self.loading, || {
            Err(Fault { path: path.clone(), offset: 0, what: "its thread ended".into() })
        })?;
        if let Ok(state) = &result {
            self.newest = self.newest.max(Some(state.applied));
            self.worker.submit(Job::Prune);
        }
        Some(result)
    }
}

/// The most that snapshots take on disk, if none has more bytes than this: those that are kept, the one that is being written, and what
/// is reserved for the next.
pub(crate) fn max_bytes(snapshot: u64) -> u64 {
    snapshot.saturating_mul(RETAINED as u64).saturating_add(Reserve::max_bytes(snapshot))
}

fn install(
    file: &File,
    temporary: &Path,
    dir: &Path,
    (cluster, index): (u64, Index),
) -> Result<State, Fault> {
    let fault = |what: String| Fault { path: temporary.into(), offset: 0, what };
    file.sync_all().map_err(|error| fault(error.to_string()))?;
    let state = snapshot::load(temporary, cluster)?;
    if state.applied != index {
        return Err(fault(format!("it covers {} instead of {index}", state.applied)));
    }
    snapshot::publish(temporary, dir, index).map_err(|error| fault(error.to_string()))?;
    Ok(state)
}

fn outcome<T>(slot: &mut Option<Receiver<T>>, died: impl FnOnce() -> T) -> Option<T> {
    let outcome = match slot.as_ref()?.try_recv() {
        Ok(outcome) => outcome,
        Err(TryRecvError::Empty) => return None,
        Err(TryRecvError::Disconnected) => died(),
    };
    *slot = None;
    Some(outcome)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("quorate-{name}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        /// Bytes of all files.
        fn bytes(&self) -> u64 {
            let files = fs::read_dir(&self.0).unwrap();
            files.map(|file| file.unwrap().metadata().map_or(0, |found| found.len())).sum()
        }

        /// The worker removes what is not wanted any more.
        fn wait_until_empty(&self) {
            while self.bytes() > 0 {
                thread::yield_now();
            }
        }

        fn holds(&self, names: &[&str]) -> bool {
            names.iter().all(|name| self.0.join(name).exists())
        }
    }

    fn state(applied: Index) -> State {
        let mut state = State::new();
        state.applied = applied;
        state
    }

    fn write(store: &mut SnapshotStore, applied: Index) -> Written {
        store.start_write(state(applied));
        loop {
            if let Some(written) = store.take_written() {
                return written.unwrap();
            }
            thread::yield_now();
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn unfinished_snapshots_take_bounded_space() {
        let dir = Dir::new("unfinished");
        let mut store = SnapshotStore::new(&dir.0, 5, 1000).unwrap();
        // many that begin: each takes the place of the one before
        for index in 1..50 {
            store.receive(index, 0, &[1; 400], false).unwrap();
            store.receive(index, 400, &[1; 400], false).unwrap();
            assert_eq!(dir.bytes(), 800);
        }
        // one that has no end
        store.receive(50, 0, &[1; 600], false).unwrap();
        store.receive(50, 600, &[1; 400], false).unwrap();
        let error = store.receive(50, 1000, &[1], false).unwrap_err().to_string();
        assert!(error.contains("--max-snapshot-mb"), "{error}");
        dir.wait_until_empty();
        assert!(store.receive(50, 1001, &[1], false).is_err(), "it ended");
    }

    #[test]
    fn out_of_order_chunk_is_refused() {
        let dir = Dir::new("gaps");
        let mut store = SnapshotStore::new(&dir.0, 5, u64::MAX).unwrap();
        for (index, offset) in [(7, 99), (7, 101), (7, u64::MAX), (8, 100)] {
            store.receive(7, 0, &[1; 100], false).unwrap();
            assert!(store.receive(index, offset, &[1; 10], false).is_err(), "{index} {offset}");
            dir.wait_until_empty();
        }
    }

    /// To remove a snapshot of 256 MiB took half a second on the node's loop, and to set space aside a
    /// tenth: a leader missed its heartbeats by that.
    #[test]
    fn event_loop_never_waits_for_files() {
        let dir = Dir::new("no-wait");
        let mut store = SnapshotStore::new(&dir.0, 5, 1000).unwrap();
        for applied in 1..=2 {
            assert_eq!(write(&mut store, applied).index, applied);
        }
        let (go_on, wait) = channel();
        store.worker.submit(Job::Wait(wait));
        // everything the loop does while the worker is busy returns at once, and has removed nothing
        store.start_write(state(3));
        assert!(!store.is_idle() && store.take_written().is_none());
        assert!(store.reserve_space(&state(3)));
        store.receive(9, 0, &[1; 600], false).unwrap();
        assert!(store.receive(9, 600, &[1; 600], false).is_err());
        let old = "snapshot-00000000000000000001";
        assert!(dir.holds(&[old, "snapshot-00000000000000000002", ABANDONED]));
        go_on.send(()).unwrap();
        let written = loop {
            if let Some(written) = store.take_written() {
                break written.unwrap();
            }
        };
        assert_eq!(written.index, 3);
        while dir.holds(&[old]) || dir.holds(&[ABANDONED]) {
            thread::yield_now();
        }
        assert_eq!(snapshot::list(&dir.0).unwrap(), [3, 2]);
        // space is reserved for the next one
        while !dir.holds(&["snapshot-reserve"]) {
            assert!(store.reserve_space(&state(3)));
            thread::yield_now();
        }
    }

    #[test]
    fn failed_snapshot_releases_reserved_space() {
        let dir = Dir::new("given-back");
        let mut store = SnapshotStore::new(&dir.0, 5, 1000).unwrap();
        while !store.reserved.holds(1) {
            assert!(store.reserve_space(&state(3)));
            thread::yield_now();
        }
        let reserve = dir.0.join("snapshot-reserve");
        let len = fs::metadata(&reserve).unwrap().len();
        assert!(store.reserved.holds(len) && len >= reserve::estimate(&state(3)));
        // its name is taken
        fs::create_dir(snapshot::path(&dir.0, 3)).unwrap();
        store.start_write(state(3));
        let written = loop {
            if let Some(written) = store.take_written() {
                break written;
            }
            thread::yield_now();
        };
        assert!(written.is_err());
        assert_eq!(fs::metadata(&reserve).unwrap().len(), len);
        assert!(store.reserved.holds(len) && !store.reserved.holds(len + 1));
        fs::remove_dir(snapshot::path(&dir.0, 3)).unwrap();
        assert_eq!(write(&mut store, 3).index, 3);
        assert!(!reserve.exists());
    }

    #[test]
    fn chunks_are_refused_while_a_snapshot_is_checked() {
        let dir = Dir::new("checked");
        let mut store = SnapshotStore::new(&dir.0, 5, u64::MAX).unwrap();
        let (_running, loading) = channel();
        store.receive(7, 0, &[1; 100], false).unwrap();
        store.loading = Some(loading);
        assert!(store.receive(8, 0, &[2; 10], false).is_err());
        assert_eq!(dir.bytes(), 100);
    }
}
