//! When snapshots are written, sent and taken in.

use quorate_core::Instant;
use quorate_tokio::StorageHealth;
use tracing::{info, warn};

use super::{ChunkRequest, LogGrowth, Replica};
use crate::consensus::{Consensus, Status};
use crate::session::BatchId;
use crate::store;

/// Of the log that makes a snapshot due, this part stays behind it at most.
const RETAINED_FRACTION: u64 = 4;

/// When the leader is told that its snapshot was not taken, and sends it anew: after a second, then
/// two, four, up to a minute. What is wrong with it, or with this node's disk, is seldom gone at once,
/// and each attempt may write and send as much as the last.
#[derive(Debug, Default)]
pub(super) struct SnapshotBackoff {
    at: Option<Instant>,
    count: u32,
}

const MIN_BACKOFF_US: u64 = 1_000_000;
const MAX_BACKOFF_US: u64 = 60_000_000;

impl SnapshotBackoff {
    /// A part was not kept, or the whole was damaged.
    pub(super) fn start(&mut self, now: Instant) {
        if self.at.is_none() {
            let pause = MIN_BACKOFF_US.saturating_mul(1 << self.count.min(10));
            self.at = Some(now.after(pause.min(MAX_BACKOFF_US)));
            self.count = self.count.saturating_add(1);
        }
    }

    /// What comes until it is told is of no use.
    pub(super) const fn is_pending(&self) -> bool {
        self.at.is_some()
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.at.is_some_and(|at| at <= now);
        if due {
            self.at = None;
        }
        due
    }
}

impl<C: Consensus> Replica<C> {
    pub(super) fn manage_snapshots(&mut self, log: &mut C, now: Instant, status: &Status) {
        self.finish_snapshot(log, status);
        self.install_snapshot(log, now);
        if core::mem::take(&mut self.chunk_lost) {
            self.snapshot_backoff.start(now);
        }
        if self.snapshot_backoff.is_due(now) {
            log.snapshot_refused();
        }
        for chunk_request in core::mem::take(&mut self.chunk_requests) {
            self.send_chunk(log, chunk_request);
        }
        let no_snapshot_space = !self.snapshots.reserve_space(&self.state);
        if no_snapshot_space != core::mem::replace(&mut self.no_snapshot_space, no_snapshot_space)
            && let Some(suppressed) = self.log_limit.pass("space for a snapshot")
        {
            match no_snapshot_space {
                true => warn!(
                    suppressed,
                    "the disk has no space for the next snapshot: this node acknowledges no writes until it has"
                ),
                false => info!(suppressed, "the disk has space for the next snapshot again"),
            }
        }
        let LogGrowth { bytes, entries } = self.growth_since_snapshot;
        let full = self.disk != StorageHealth::Good;
        let under_pressure = entries > 0
            && (full || (self.no_snapshot_space && bytes >= self.policy.snapshot_bytes / 4));
        let due = bytes >= self.policy.due_bytes(self.snapshot_bytes)
            || entries >= self.policy.snapshot_entries
            || self.compact_all
            || under_pressure;
        if due && self.snapshots.is_idle() {
            let each = (bytes / entries.max(1)).max(1);
            self.retained_entries =
                self.policy.keep_entries.min(self.policy.snapshot_bytes / RETAINED_FRACTION / each);
            self.growth_since_snapshot = LogGrowth::default();
            if under_pressure {
                self.snapshots.delay_next();
            }
            self.snapshots.start_write(self.state.clone());
        } else if (full || no_snapshot_space)
            && status.snapshot > 0
            && status.first <= status.snapshot
        {
            // entries that were kept for nodes that were away for a moment
            let _ = log.snapshot_taken(status.snapshot, status.snapshot);
        }
    }

    fn finish_snapshot(&mut self, log: &mut C, status: &Status) {
        let written = match self.snapshots.take_written() {
            None => return,
            Some(Ok(written)) => written,
            Some(Err(error)) => {
                warn!(%error, "could not write a snapshot; trying again, the log grows meanwhile");
                self.snapshot_failed = true;
                self.growth_since_snapshot.entries = u64::MAX / 2;
                return;
            }
        };
        self.snapshot_failed = false;
        self.counters.snapshots_written += 1;
        // entries of that size, at most as much as makes a snapshot due
        let under_pressure = core::mem::take(&mut self.compact_all) || self.disk_full();
        let keep = if under_pressure { 0 } else { self.retained_entries };
        self.snapshot_bytes = written.bytes;
        let behind = written.index.saturating_sub(keep);
        let compacted = behind.max(status.first.saturating_sub(1)).min(written.index);
        match log.snapshot_taken(written.index, compacted) {
            Ok(()) => info!(
                index = written.index,
                bytes = written.bytes,
                ms = written.duration.as_millis() as u64,
                log_from = compacted + 1,
                disk_mib_at_most = self.policy.disk_bytes(written.bytes) >> 20,
                "wrote a snapshot"
            ),
            Err(error) => warn!(index = written.index, %error, "a snapshot came too late"),
        }
    }

    fn install_snapshot(&mut self, log: &mut C, now: Instant) {
        let state = match self.snapshots.take_loaded() {
            None => return,
            Some(Ok(state)) => state,
            Some(Err(fault)) => {
                if let Some(suppressed) = self.log_limit.pass("snapshot refused") {
                    warn!(%fault, suppressed, "refusing a snapshot from the leader");
                }
                return self.snapshot_backoff.start(now);
            }
        };
        self.snapshot_backoff = SnapshotBackoff::default();
        let index = state.applied;
        // one that the log has overtaken meanwhile has nothing more than that, and not who waits for what
        if index > self.state.applied && index > log.view().applied {
            let old = core::mem::replace(&mut self.state, *state);
            store::discard(old.store);
            self.growth_since_snapshot = LogGrowth::default();
            self.fail_batches_in_snapshot();
            self.release_applied();
            self.check_forged_batches();
        }
        match log.snapshot_installed(index) {
            Ok(()) => {
                self.counters.snapshots_installed += 1;
                if let Some(suppressed) = self.log_limit.pass("snapshot installed") {
                    let keys = self.state.store.len();
                    info!(index, keys, suppressed, "installed a snapshot from the leader");
                }
            }
            Err(error) => {
                if let Some(suppressed) = self.log_limit.pass("snapshot late") {
                    warn!(index, %error, suppressed, "a snapshot from the leader came too late");
                }
            }
        }
    }

    /// A snapshot may contain batches whose clients wait here: they are done, and what they would have been told is not known.
    fn fail_batches_in_snapshot(&mut self) {
        for number in self.writes.numbers(|_, _| true) {
            let id = BatchId { origin: self.id, incarnation: self.incarnation.get(), number };
            if self.state.sessions.is_done(id)
                && let Some(waiting) = self.writes.remove(number)
            {
                waiting.fail(
                    "ERR the command was executed, but its reply was lost as this node caught up \
                     by a snapshot",
                );
            }
        }
    }

    fn send_chunk(&mut self, log: &mut C, chunk_request: ChunkRequest) {
        let ChunkRequest { to, index, offset, max_len } = chunk_request;
        // to one that is down, its beginning is sent again and again
        let again = self.snapshots.is_serving(to, index);
        match self.snapshots.chunk(to, index, offset, max_len) {
            Ok(chunk) => {
                if offset == 0
                    && !again
                    && let Some(suppressed) = self.log_limit.pass("snapshot sent")
                {
                    info!(to = to.get(), index = chunk.index, suppressed, "sending a snapshot");
                }
                if let Err(error) =
                    log.send_snapshot(to, chunk.index, offset, &chunk.data, chunk.done)
                    && let Some(suppressed) = self.log_limit.pass("part not sent")
                {
                    warn!(to = to.get(), %error, suppressed, "a part of a snapshot was not sent");
                }
            }
            Err(error) => {
                if let Some(suppressed) = self.log_limit.pass("part not read") {
                    warn!(to = to.get(), index, %error, suppressed, "could not read a snapshot");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_snapshot_backs_off_exponentially() {
        let (mut backoff, mut now, mut pauses) =
            (SnapshotBackoff::default(), Instant::ZERO, Vec::new());
        for _ in 0..9 {
            backoff.start(now);
            backoff.start(now.after(500_000)); // of the same one
            assert!(backoff.is_pending());
            let started = now;
            while !backoff.is_due(now) {
                now = now.after(500_000);
            }
            assert!(!backoff.is_pending());
            pauses.push(now.since(started) / 1_000_000);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
