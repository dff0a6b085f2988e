use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use quorate_core::NodeId;

/// What a node counts, as it runs; read it with [`snapshot`](Self::snapshot), from any thread.
#[derive(Debug, Default)]
pub struct Metrics {
    /// In the order of their ids; they come and go.
    peers: RwLock<Vec<(NodeId, Arc<PeerCounters>)>>,
    pub(crate) wal: WalCounters,
    pub(crate) closed: ClosedCounters,
    pub(crate) rejected: RejectedCounters,
    pub(crate) turns: Count,
    pub(crate) commands: Count,
}

/// A counter that one thread or several increment.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Makes, from one list of fields, a struct of counters and the public struct of their values.
macro_rules! counters {
    ($(#[$doc:meta])* $name:ident of $counters:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct $counters {
            $(pub(crate) $field: Count,)*
        }

        impl $counters {
            fn values(&self) -> $name {
                $name { $($field: self.$field.get(),)* }
            }
        }
    };
}

counters! {
    /// The write-ahead log.
    WalMetrics of WalCounters {
        /// The log's size, in bytes.
        bytes,
        /// Space reserved for rewriting it, in bytes.
        reserved,
        /// Records written.
        records,
        /// Batches made durable, one sync each.
        syncs,
        /// Time spent writing and syncing them, in µs.
        sync_us,
        /// Checkpoints made.
        checkpoints,
        /// Checkpoints given up for want of space.
        checkpoints_failed,
        /// Times the disk was found full.
        full,
    }
}

counters! {
    /// Connections that were closed for what the other side did, by reason.
    ClosedMetrics of ClosedCounters {
        /// Malformed: a wrong checksum, or a frame that is not expected there.
        malformed,
        /// A frame above the size limit.
        oversized,
        /// Ended within a frame.
        truncated,
        /// Sent no hello in time.
        hello_timeout,
        /// Closed before its hello, as the oldest, because too many connections had sent none.
        hello_evicted,
        /// Speaks another version of the protocol.
        wrong_version,
        /// Belongs to another cluster.
        wrong_cluster,
        /// Meant for another node.
        wrong_receiver,
        /// Not from a configured peer.
        unknown_peer,
        /// From a peer that is connected already and sent something just now.
        already_connected,
        /// Sent no more of a large frame while others needed the memory.
        stalled,
    }
}

counters! {
    /// Messages the machine refused, by reason (see [`Rejected`](quorate_core::Rejected)).
    RejectedMetrics of RejectedCounters {
        /// They do not decode.
        undecodable,
        /// From a node the machine does not know.
        unknown_sender,
        /// They contradict themselves.
        malformed,
        /// A number beyond what an honest node reaches.
        out_of_range,
        /// They contradict what the protocol guarantees.
        impossible,
        /// No room to take them.
        full,
        /// The machine has stopped itself.
        stopped,
    }
}

counters! {
    /// The link to one peer.
    LinkMetrics of LinkCounters {
        /// Times the outgoing connection was made.
        connects,
        /// Times the peer refused it, with a reason that was logged.
        refused,
        /// Frames written to the system.
        frames_out,
        /// Bytes written to the system.
        bytes_out,
        /// Frames received.
        frames_in,
        /// Bytes received.
        bytes_in,
        /// Frames dropped because the link was down or its queue full.
        dropped,
        /// Frames dropped because they are longer than the transport takes; `dropped` counts them too.
        oversized,
        /// Frames of a serial line that were garbled, or not from its peer.
        garbled,
    }
}

#[derive(Debug, Default)]
pub(crate) struct PeerCounters {
    pub(crate) connected: AtomicBool,
    pub(crate) link: LinkCounters,
}

/// One peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct PeerMetrics {
    /// The outgoing connection is up.
    pub connected: bool,
    /// What went over the link.
    pub link: LinkMetrics,
}

/// The numbers of [`Metrics`] at one moment. Counters begin at 0 when the node starts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// By peer, in the order of their ids.
    pub peers: Vec<(NodeId, PeerMetrics)>,
    /// The write-ahead log.
    pub wal: WalMetrics,
    /// Connections closed, by reason.
    pub closed: ClosedMetrics,
    /// Messages the machine refused, by reason.
    pub rejected: RejectedMetrics,
    /// Rounds of the loop.
    pub turns: u64,
    /// Commands received.
    pub commands: u64,
}

impl Metrics {
    /// The counters of a peer, which begin at 0 when it is new.
    pub(crate) fn peer(&self, id: NodeId) -> Arc<PeerCounters> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        match peers.binary_search_by_key(&id, |(peer, _)| *peer) {
            Ok(at) => peers[at].1.clone(),
            Err(at) => {
                peers.insert(at, (id, Arc::default()));
                peers[at].1.clone()
            }
        }
    }

    /// A peer is none any more.
    pub(crate) fn forget(&self, id: NodeId) {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|(peer, _)| *peer != id);
    }

    /// The present numbers.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let peer = |peer: &PeerCounters| PeerMetrics {
            connected: peer.connected.load(Relaxed),
            link: peer.link.values(),
        };
        MetricsSnapshot {
            peers: self
                .peers
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .map(|(id, counters)| (*id, peer(counters)))
                .collect(),
            wal: self.wal.values(),
            closed: self.closed.values(),
            rejected: self.rejected.values(),
            turns: self.turns.get(),
            commands: self.commands.get(),
        }
    }
}
