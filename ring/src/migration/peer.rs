use core::mem;

use quorate_core::NodeId;

use super::Range;
use super::message::{Message, Refusal};

/// Another member, and the answers to it that belong to no hand-over: of each kind the latest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Peer {
    pub(super) id: NodeId,
    /// The highest session of this source that was accepted.
    pub(super) seen: u64,
    pub(super) lost: Option<(u64, u64)>,
    pub(super) refused: Option<(u64, u64, Refusal)>,
    pub(super) gone: Option<u64>,
    pub(super) closed: Option<u64>,
}

impl Peer {
    pub(super) const fn new(id: NodeId) -> Self {
        Self { id, seen: 0, lost: None, refused: None, gone: None, closed: None }
    }

    /// The next answer. What was forgotten is told only once that is on record.
    pub(super) fn take_answer<R: Range>(
        &mut self,
        is_durable: bool,
    ) -> Option<Message<'static, R>> {
        if let Some(handover) = self.closed.take() {
            return Some(Message::Closed { handover });
        }
        if let Some((handover, session, reason)) = self.refused.take() {
            return Some(Message::Refused { handover, session, reason });
        }
        if !is_durable {
            return None;
        }
        if let Some(handover) = self.gone.take() {
            return Some(Message::Gone { handover });
        }
        let (handover, session) = mem::take(&mut self.lost)?;
        Some(Message::Lost { handover, session, seen: self.seen })
    }
}
