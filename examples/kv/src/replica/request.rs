use quorate_core::NodeId;
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::consensus::Change;
use crate::node_status::{MemberInfo, NodeStatus};
use crate::pending::BatchReply;

/// Requests of client connections and of the metrics page to the node.
pub(crate) enum Request {
    /// Execute a batch; `stale` lets reads be answered from what this node has.
    Execute {
        batch: Batch,
        stale: bool,
        answer: oneshot::Sender<BatchReply>,
    },
    Status(oneshot::Sender<NodeStatus>),
    /// What the cluster knows about a node id, member or not.
    Node {
        node: NodeId,
        answer: oneshot::Sender<MemberInfo>,
    },
    /// Transfer leadership to another node; the answer is whether that has begun.
    Transfer {
        to: NodeId,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Change the members; the answer is whether that has begun.
    Change {
        change: Change,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Bring a node in that is at this address: the change of the members has begun, or the node is one. Its address is not entered yet.
    Add {
        node: NodeId,
        address: String,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Whether the address of a member may be entered anew.
    Move {
        node: NodeId,
        address: String,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// Time has passed: look after deadlines.
    Tick,
}
