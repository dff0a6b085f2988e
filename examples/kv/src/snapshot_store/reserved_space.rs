use core::time::Duration;
use std::io;
use std::time::Instant;

use tracing::warn;

/// How much space is reserved for the next snapshot, as far as is known here: the
/// [worker](super::worker::SnapshotWorker) reserves it.
#[derive(Debug)]
pub(super) struct ReservedSpace {
    len: u64,
    /// The worker was asked for so much and did not answer yet.
    requested: Option<u64>,
    /// The disk had no space for so many bytes when it was asked last.
    insufficient: Option<u64>,
    retry_at: Option<Instant>,
    /// The file system cannot set space aside.
    unsupported: bool,
}

/// After there was no space.
const RETRY: Duration = Duration::from_secs(1);
/// More is asked for when this part of it is left.
const AHEAD_FRACTION: u64 = 16;

impl ReservedSpace {
    pub(super) const fn new(len: u64) -> Self {
        Self { len, requested: None, insufficient: None, retry_at: None, unsupported: false }
    }

    /// Whether there is space for a snapshot of so many bytes, or it is not known that there is
    /// none.
    pub(super) fn may_suffice(&self, bytes: u64) -> bool {
        self.unsupported
            || bytes <= self.len
            || self.insufficient.is_none_or(|insufficient| bytes < insufficient)
    }

    /// Whether the worker is to reserve space for so many bytes, as what there is does
    /// not suffice, or soon will not. It counts as asked then.
    pub(super) fn request(&mut self, bytes: u64) -> bool {
        let ahead = ahead(bytes);
        let waits = self.requested.is_some() || self.retry_at.is_some_and(|at| Instant::now() < at);
        let asks = !self.unsupported && !waits && ahead > self.len;
        if asks {
            self.requested = Some(bytes);
        }
        asks
    }

    /// So many bytes suffice without more.
    pub(super) const fn holds(&self, bytes: u64) -> bool {
        bytes <= self.len
    }

    /// A snapshot takes it. Whether there is more is asked at once, and until then as it was.
    pub(super) const fn take(&mut self) {
        (self.len, self.retry_at) = (0, None);
    }

    /// A snapshot took it and was not written.
    pub(super) const fn give_back(&mut self, len: u64) {
        self.len = len;
    }

    /// The worker's outcome: how much there is now, all of it or as much as the disk has.
    pub(super) fn update(&mut self, outcome: io::Result<u64>) {
        let requested = self.requested.take().unwrap_or(0);
        self.retry_at = None;
        match outcome {
            Ok(len) => {
                self.len = len;
                self.insufficient = (len < requested).then_some(requested);
                if len < ahead(requested) {
                    self.retry_at = Some(Instant::now() + RETRY);
                }
            }
            Err(error) => {
                warn!(%error, "cannot set space aside for snapshots: on a full disk the log may not shrink by itself");
                self.unsupported = true;
            }
        }
    }
}

/// What is asked for before so many bytes do not suffice any more.
const fn ahead(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / AHEAD_FRACTION)
}

/// Whether the disk had no space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_space_is_requested_early_and_once() {
        let mut space = ReservedSpace::new(0);
        assert!(space.request(1000) && !space.request(1000));
        assert!(space.may_suffice(1000), "nobody knows better yet");
        space.update(Ok(1600));
        assert!(!space.request(1500));
        assert!(space.request(1510), "before it is needed");
        space.update(Ok(3000));
        space.take();
        assert!(!space.holds(1) && space.request(1));
    }

    #[test]
    fn full_disk_is_remembered_until_there_is_space() {
        let mut space = ReservedSpace::new(1000);
        assert!(space.request(990));
        space.update(Ok(1000));
        assert!(space.may_suffice(1000) && space.may_suffice(1001), "soon is not now");
        assert!(
            !space.request(1001),
            "there is not enough for the future: it was asked a moment ago"
        );
        space.retry_at = None;
        assert!(space.request(1001));
        space.update(Ok(1000));
        assert!(space.may_suffice(1000) && !space.may_suffice(1001));
        assert!(!space.request(2000), "it was asked a moment ago");
        space.retry_at = None;
        assert!(space.request(2000));
        assert!(!space.may_suffice(2000), "as it was, until something else is known");
        // a snapshot that fits, or fails: nothing else is known before the worker has looked
        space.take();
        assert!(!space.may_suffice(2000));
        assert!(space.may_suffice(900), "of a state that has shrunk nothing is known yet");
        space.give_back(1000);
        assert!(space.may_suffice(1000) && !space.may_suffice(2000));
        space.update(Ok(2200));
        assert!(space.may_suffice(2000));
        space.take();
        assert!(space.may_suffice(3000), "it had what it was asked for");
        assert!(space.request(3000));
        space.update(Err(io::ErrorKind::Unsupported.into()));
        assert!(space.may_suffice(3000) && !space.request(3000), "it cannot be helped");
    }
}
