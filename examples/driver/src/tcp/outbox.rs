use quorate_core::NodeId;

/// Where an application puts what goes to other nodes' applications.
#[derive(Debug)]
pub struct Outbox(());

impl Outbox {
    /// Sends bytes to a node's application, best effort: they are dropped when its link is down or its queue is full. Tells
    /// whether they were queued.
    pub fn send(&mut self, to: NodeId, bytes: &[u8]) -> bool {
        let _ = (to, bytes);
        false
    }
}
