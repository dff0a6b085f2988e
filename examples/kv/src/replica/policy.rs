use crate::{limits, snapshot_store};

/// When to give up, and when to write a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// A batch that waits longer is answered by an error, in µs.
    pub(crate) timeout_us: u64,
    /// A snapshot is written after so many bytes of entries, or so many entries; where it is larger than that, after as many bytes as it
    /// has, and at most four times as many as this.
    pub(crate) snapshot_bytes: u64,
    pub(crate) snapshot_entries: u64,
    /// Entries that stay in the log behind a snapshot, so that a node that was away for a moment needs none.
    pub(crate) keep_entries: u64,
}

impl Policy {
    /// After how many bytes of entries the next snapshot is due, if the last had so many bytes.
    pub(super) const fn due_bytes(&self, last: u64) -> u64 {
        let most = self.snapshot_bytes.saturating_mul(4);
        let due = if last < most { last } else { most };
        if due > self.snapshot_bytes { due } else { self.snapshot_bytes }
    }

    /// The most that a node takes on disk, in bytes, if its snapshots never have more than this. Not counted: a snapshot that is being
    /// received, which `--max-snapshot-mb` bounds, and an older one for as long as a peer is being sent it.
    pub(crate) fn disk_bytes(&self, snapshot: u64) -> u64 {
        let waiting = 4 * limits::ENTRY_BYTES as u64;
        let live = self.due_bytes(snapshot) + self.snapshot_bytes / 4 + waiting;
        limits::wal()
            .max_disk_bytes(live, waiting)
            .saturating_add(snapshot_store::max_bytes(snapshot))
    }
}
