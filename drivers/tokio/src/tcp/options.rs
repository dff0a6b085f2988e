use crate::{Error, frame};

/// How the transport behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TcpOptions {
    /// Bytes of one frame, at most, both ways. Default 16 MiB.
    pub max_frame_bytes: usize,
    /// Frames that may wait for one peer; further ones are dropped. Default 65,536.
    pub max_queue_frames: usize,
    /// Bytes that may wait for one peer; further frames are dropped. Default 32 MiB.
    pub max_queue_bytes: usize,
    /// Bytes of frames from one peer that may wait for the loop; beyond that its connection is not read. Default 8 MiB.
    pub max_inbox_bytes: usize,
    /// How long a connection may take, in ms, to be made and to say who it is. Default 3,000.
    pub hello_timeout_ms: u64,
    /// How long a write may make no progress, in ms, before the connection is given up. Default 10,000.
    pub write_timeout_ms: u64,
    /// The first wait before connecting again, in ms; doubles each time, with jitter. Default 20.
    pub backoff_min_ms: u64,
    /// The longest wait before connecting again, in ms. Default 1,000.
    pub backoff_max_ms: u64,
    /// Incoming connections that may have sent no hello yet; at most three quarters of them from
    /// one address. One more closes the oldest. Default 64.
    pub max_pending_handshakes: usize,
    /// Bytes of frames that have not arrived whole, of all connections together, and as many again of frames that wait for the
    /// loop. At least `max_frame_bytes`; default 128 MiB.
    ///
    /// A connection's buffer is at most twice as large as what arrived of the frame, and buffers of
    /// up to 64 KiB are not counted. So all that peers can make a node hold is
    /// `max_pending_handshakes * 512 + 2 * max_peers * 64 KiB + 2 * max_incoming_bytes`.
    pub max_incoming_bytes: usize,
    /// A connection from a peer that delivered something and was silent for this long, in ms, may
    /// be replaced by another process that uses the peer's name; before, only by the same one.
    /// Keepalives are sent four times as often. Default 2,000.
    pub keepalive_timeout_ms: u64,
    /// Peers there may be before nodes that nobody named are refused. Default 64; 0 refuses them always.
    pub max_peers: usize,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            max_frame_bytes: 16 << 20,
            max_queue_frames: 1 << 16,
            max_queue_bytes: 32 << 20,
            max_inbox_bytes: 8 << 20,
            hello_timeout_ms: 3_000,
            write_timeout_ms: 10_000,
            backoff_min_ms: 20,
            backoff_max_ms: 1_000,
            max_pending_handshakes: 64,
            max_incoming_bytes: 128 << 20,
            keepalive_timeout_ms: 2_000,
            max_peers: 64,
        }
    }
}

impl TcpOptions {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.max_frame_bytes < frame::MAX_HELLO || u32::try_from(self.max_frame_bytes).is_err() {
            return Err(Error::Options("max_frame_bytes must be between 512 and 2^32 - 1"));
        }
        if self.max_queue_bytes < self.max_frame_bytes {
            return Err(Error::Options("max_queue_bytes must have room for one frame"));
        }
        if self.max_queue_frames == 0 || self.max_inbox_bytes == 0 {
            return Err(Error::Options("max_queue_frames and max_inbox_bytes must not be 0"));
        }
        if self.backoff_min_ms == 0 || self.backoff_max_ms < self.backoff_min_ms {
            return Err(Error::Options(
                "backoff_min_ms must be above 0 and at most backoff_max_ms",
            ));
        }
        if self.max_incoming_bytes < self.max_frame_bytes {
            return Err(Error::Options("max_incoming_bytes must have room for one frame"));
        }
        if self.keepalive_timeout_ms < 4 {
            return Err(Error::Options("keepalive_timeout_ms must be at least 4"));
        }
        if self.max_pending_handshakes == 0 {
            return Err(Error::Options("max_pending_handshakes must not be 0"));
        }
        Ok(())
    }
}
