use quorate_core::NodeId;

/// What a node counts, as it runs.
#[derive(Debug, Default)]
pub struct Metrics(());

impl Metrics {
    /// The present numbers.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot::default()
    }
}

/// The numbers of [`Metrics`] at one moment. Counters grow from the node's start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// By peer, in the order of their ids.
    pub peers: Vec<(NodeId, PeerMetrics)>,
    /// The write-ahead log.
    pub wal: WalMetrics,
    /// Incoming connections that were closed, by reason.
    pub closed: ClosedMetrics,
    /// Messages the machine refused.
    pub rejected_messages: u64,
    /// Rounds of the loop.
    pub turns: u64,
    /// Commands handed in.
    pub commands: u64,
}

/// The link to one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct PeerMetrics {
    /// The outgoing connection stands.
    pub connected: bool,
    /// Times the outgoing connection was made.
    pub connects: u64,
    /// Times the peer refused it.
    pub refused: u64,
    /// Frames written.
    pub frames_out: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames read.
    pub frames_in: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Frames dropped because the link was down or its queue full.
    pub dropped: u64,
}

/// The write-ahead log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct WalMetrics {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Records written.
    pub records: u64,
    /// Batches made durable, one sync each.
    pub syncs: u64,
    /// Time spent in those syncs, in µs.
    pub sync_us: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Checkpoints given up for want of space.
    pub checkpoints_failed: u64,
    /// Times a write found the disk full.
    pub full: u64,
}

/// Incoming connections that were closed, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ClosedMetrics {
    /// No frame of ours: a bad magic, checksum or kind.
    pub garbage: u64,
    /// A frame above the size limit.
    pub oversized: u64,
    /// Ended within a frame.
    pub half_frame: u64,
    /// Did not say who it is in time.
    pub silent: u64,
    /// Too many others had not said it either.
    pub too_many: u64,
    /// Another protocol version.
    pub version: u64,
    /// Another cluster.
    pub cluster: u64,
    /// Meant for another node.
    pub receiver: u64,
    /// From a node that is not a configured peer.
    pub sender: u64,
}
