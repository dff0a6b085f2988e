use quorate_core::{NodeId, Rejections};
use quorate_log::Index;
use quorate_tokio::StorageHealth;

use crate::consensus::{Progress, Status};
use crate::directory::Address;
use crate::work::Meter;

/// The node at one moment, for people.
#[derive(Clone, Debug)]
pub(crate) struct NodeStatus {
    pub(crate) status: Status,
    pub(crate) rejections: Rejections,
    pub(crate) members: Vec<MemberInfo>,
    /// Nodes whose addresses are kept.
    pub(crate) known: usize,
    pub(crate) peers: Vec<Progress>,
    pub(crate) applied: Index,
    pub(crate) keys: usize,
    pub(crate) bytes: u64,
    pub(crate) waiting: usize,
    pub(crate) disk: StorageHealth,
    pub(crate) snapshot_failed: bool,
    pub(crate) counters: Counters,
    pub(crate) meter: Meter,
}

/// A member of the cluster, as what, and where it is reached.
#[derive(Clone, Debug)]
pub(crate) struct MemberInfo {
    pub(crate) id: NodeId,
    pub(crate) standing: String,
    pub(crate) address: Address,
}

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) applied: u64,
    pub(crate) duplicates: u64,
    pub(crate) forwarded_out: u64,
    pub(crate) forwarded_in: u64,
    pub(crate) retries: u64,
    pub(crate) timeouts: u64,
    pub(crate) snapshots_written: u64,
    pub(crate) snapshots_installed: u64,
    pub(crate) leader_changes: u64,
    /// What peers sent and no node can have sent.
    pub(crate) invalid_requests: u64,
    /// Times this node went on under a new incarnation because somebody else spoke in its name.
    pub(crate) incarnation_changes: u64,
}
