use crate::Error;

/// How the log behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalOptions {
    /// Bytes of one record, at most 1 GiB. Default 64 MiB.
    pub max_record_bytes: usize,
    /// A log smaller than this, in bytes, is not checkpointed. Default 16 MiB.
    pub checkpoint_bytes: u64,
    /// A log is checkpointed when it is this many times as large as what is alive in it. At least 2; default 4.
    pub checkpoint_ratio: u64,
    /// Space set aside ahead of the end, in bytes, so that most syncs need not record a new file size; 0 for none. Default 4 MiB.
    pub preallocate_bytes: u64,
    /// A log at rest for this long, in ms, is sealed: its last batch is from then on told apart from one that a crash cut short.
    /// Default 500.
    pub seal_after_ms: u64,
    /// Bytes that may wait for the disk; beyond that the node takes no input until some are written. Default 64 MiB.
    pub max_pending_bytes: usize,
    /// How long to wait, in ms, before trying again on a full disk; doubles up to one second. Default 50.
    pub full_retry_ms: u64,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            max_record_bytes: 64 << 20,
            checkpoint_bytes: 16 << 20,
            checkpoint_ratio: 4,
            preallocate_bytes: 4 << 20,
            seal_after_ms: 500,
            max_pending_bytes: 64 << 20,
            full_retry_ms: 50,
        }
    }
}

impl WalOptions {
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
