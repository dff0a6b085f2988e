/// How the log behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalOptions {
    /// Bytes of one record, at most: what recovery allocates for a length it reads. Default 64 MiB.
    pub max_record_bytes: usize,
    /// A log smaller than this, in bytes, is not checkpointed. Default 16 MiB.
    pub checkpoint_bytes: u64,
    /// A log is checkpointed when it is this many times as large as what is alive in it. At least 2; default 4.
    pub checkpoint_ratio: u64,
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
            max_pending_bytes: 64 << 20,
            full_retry_ms: 50,
        }
    }
}
