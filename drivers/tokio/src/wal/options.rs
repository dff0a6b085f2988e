use crate::Error;

/// How the log behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalOptions {
    /// Bytes of one record, at most 1 GiB. Default 64 MiB.
    pub max_record_bytes: usize,
    /// A log smaller than this, in bytes, is not checkpointed. Default 16 MiB.
    pub checkpoint_bytes: u64,
    /// A log is checkpointed when it is this many times as large as what is alive in it. At least 2; default 2.
    pub checkpoint_ratio: u64,
    /// Space reserved ahead of the end, in bytes, so that most syncs need not record a new file size; 0 for none. Default 4 MiB.
    pub preallocate_bytes: u64,
    /// Space reserved beyond what is alive in the log, in bytes, so that a log that fills the disk can be rewritten and shrinks; 0 for
    /// none at all. What is submitted and not durable must fit into it. Default 4 MiB.
    pub reserve_bytes: u64,
    /// A log at rest for this long, in ms, is sealed: its last batch is from then on told apart from one that a crash cut short.
    /// Default 500.
    pub seal_after_ms: u64,
    /// Bytes that may wait for the disk; beyond that the node takes in no bulk and no commands until some are written, and beyond twice
    /// as many nothing at all. Default 64 MiB.
    pub max_pending_bytes: usize,
    /// How long to wait, in ms, before trying again on a full disk; doubles up to one second. Default 50.
    pub full_retry_ms: u64,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            max_record_bytes: 64 << 20,
            checkpoint_bytes: 16 << 20,
            checkpoint_ratio: 2,
            preallocate_bytes: 4 << 20,
            reserve_bytes: 4 << 20,
            seal_after_ms: 500,
            max_pending_bytes: 64 << 20,
            full_retry_ms: 50,
        }
    }
}

impl WalOptions {
    /// The most that the log ever takes on disk, in bytes, with everything beside it: if never more than `live` bytes of records are
    /// alive in it, and never more than `waiting` bytes are submitted and not durable.
    ///
    /// The log is rewritten when it is larger than `checkpoint_bytes` and than `live` × `checkpoint_ratio`. Until that is noticed and
    /// done, a quarter of `checkpoint_bytes`, `reserve_bytes` and twice `waiting` may be added to it, and `preallocate_bytes` lie
    /// ahead of its end. As much again is reserved for its rewriting, and `waiting`, `reserve_bytes` and `preallocate_bytes` more.
    ///
    /// Not counted: what the file system needs for names and blocks.
    ///
    /// ```
    /// let options = quorate_tokio::WalOptions::default();
    /// // 32 MiB are alive at most, and 1 MiB waits
    /// assert_eq!(options.max_disk_bytes(32 << 20, 1 << 20), (165 << 20) + 2 * 12_308);
    /// ```
    #[must_use]
    pub const fn max_disk_bytes(&self, live: u64, waiting: u64) -> u64 {
        let scaled = live.saturating_mul(self.checkpoint_ratio);
        let dead = if scaled > self.checkpoint_bytes { scaled } else { self.checkpoint_bytes };
        let ahead = self.reserve_bytes.saturating_add(self.preallocate_bytes);
        let log = super::room_for(dead)
            .saturating_add(self.checkpoint_bytes / 4)
            .saturating_add(waiting.saturating_mul(2))
            .saturating_add(ahead);
        log.saturating_mul(2).saturating_add(waiting).saturating_add(ahead)
    }

    pub(crate) const fn validate(&self) -> Result<(), Error> {
        if self.max_record_bytes == 0 || self.max_record_bytes > super::record::MAX_PAYLOAD {
            return Err(Error::Options("max_record_bytes must be between 1 and 2^30"));
        }
        if self.checkpoint_ratio < 2 {
            return Err(Error::Options("checkpoint_ratio must be at least 2"));
        }
        if self.max_pending_bytes == 0 {
            return Err(Error::Options("max_pending_bytes must not be 0"));
        }
        Ok(())
    }
}
