use quorate_core::NodeId;

/// State of another replica: what it is known to have, and which messages to it are due.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    /// Which of its generations is known here.
    pub(crate) generation: u64,
    /// Its updates up to this number are part of the state here …
    pub(crate) received: u64,
    /// … as of this update of ours: once that is durable, so are they.
    pub(crate) received_as_of: u64,
    /// Up to here they are durable.
    pub(crate) received_durable: u64,
    /// Our updates that it acknowledged.
    pub(crate) acked: u64,
    /// How many of ours after those are on their way to it.
    in_flight: u32,
    flags: u8,
    pub(crate) state_request: StateRequest,
    /// What it has does not fit here; true once that was reported to the application.
    pub(crate) full: Option<bool>,
}

/// One of the things that are, or are not, so with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flag {
    /// An acknowledgement to it is due.
    AckDue = 1,
    /// A digest of the state to it is due.
    DigestDue = 2,
    /// It requested the whole state.
    StateDue = 4,
    /// It needs deltas that are not kept, and was sent a digest since the last gossip.
    Lagging = 8,
    /// It claimed updates of ours that we never made, and a generation was begun to challenge it.
    Challenged = 16,
    /// The event that reports its claim is due.
    ClaimEventDue = 32,
    /// It was sent the whole state since the last gossip: one that refuses it would be sent it again
    /// and again otherwise, as fast as the network is.
    StateSent = 64,
}

/// Whether a peer's whole state is wanted, as its deltas lead no further here.
///
/// It is requested once between two gossips: two replicas that have no room for each other's state
/// would go on sending theirs otherwise, as fast as the network is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum StateRequest {
    Idle,
    /// The next message requests it.
    Due,
    /// It was requested, or is not to be before the next gossip.
    Sent,
}

impl StateRequest {
    /// Whether the next message requests it; then it is sent.
    pub(crate) fn take_due(&mut self) -> bool {
        let due = *self == Self::Due;
        if due {
            *self = Self::Sent;
        }
        due
    }
}

impl Peer {
    pub(crate) const fn new(id: NodeId) -> Self {
        Self {
            id,
            generation: 0,
            received: 0,
            received_as_of: 0,
            received_durable: 0,
            acked: 0,
            in_flight: 0,
            flags: Flag::DigestDue as u8,
            state_request: StateRequest::Idle,
            full: None,
        }
    }

    pub(crate) const fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }

    pub(crate) const fn set(&mut self, flag: Flag, to: bool) {
        self.flags = if to { self.flags | flag as u8 } else { self.flags & !(flag as u8) };
    }

    /// Whether it is so; it no longer is.
    pub(crate) const fn take(&mut self, flag: Flag) -> bool {
        let was = self.is(flag);
        self.set(flag, false);
        was
    }

    /// Our updates that it acknowledged, or that are on their way to it.
    pub(crate) const fn sent(&self) -> u64 {
        self.acked.saturating_add(self.in_flight as u64)
    }

    /// Our updates up to this one are on their way; as many as can be counted.
    pub(crate) fn set_sent(&mut self, sent: u64) {
        let more = sent.saturating_sub(self.acked);
        self.in_flight = u32::try_from(more).unwrap_or(u32::MAX);
    }

    /// It acknowledged our updates up to this one.
    pub(crate) fn record_ack(&mut self, up_to: u64) {
        let sent = self.sent();
        self.acked = self.acked.max(up_to);
        self.set_sent(sent.max(self.acked));
    }

    /// It begins another generation: nothing of the former one counts.
    pub(crate) const fn start_generation(&mut self, generation: u64) {
        let kept = self.flags & (Flag::Challenged as u8 | Flag::ClaimEventDue as u8);
        *self = Self { generation, ..Self::new(self.id) };
        self.flags |= kept;
    }

    /// We begin another generation: it has to acknowledge our updates once more.
    pub(crate) const fn reset_acks(&mut self) {
        (self.acked, self.in_flight) = (0, 0);
        self.set(Flag::DigestDue, true);
        self.set(Flag::StateDue, false);
        self.set(Flag::StateSent, false);
        self.set(Flag::Lagging, false);
    }

    /// Its whole state is wanted: at once, or with the next gossip.
    pub(crate) fn request_state(&mut self, at_once: bool) {
        if self.state_request == StateRequest::Idle {
            self.state_request = if at_once { StateRequest::Due } else { StateRequest::Sent };
        }
    }

    pub(crate) fn record_received(&mut self, seq: u64, at: u64) {
        if seq > self.received {
            (self.received, self.received_as_of) = (seq, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_update_keeps_its_log_position() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.record_received(5, 7);
        peer.record_received(5, 9);
        peer.record_received(4, 10);
        assert_eq!((peer.received, peer.received_as_of), (5, 7));
        peer.record_received(6, 10);
        assert_eq!((peer.received, peer.received_as_of), (6, 10));
    }

    #[test]
    fn new_own_generation_resets_acks() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.record_ack(3);
        peer.set_sent(8);
        assert_eq!((peer.acked, peer.sent()), (3, 8));
        peer.set(Flag::DigestDue, false);
        peer.set(Flag::StateDue, true);
        peer.set(Flag::Lagging, true);
        peer.set(Flag::Challenged, true);
        peer.reset_acks();
        assert_eq!((peer.acked, peer.sent()), (0, 0));
        assert!(peer.is(Flag::DigestDue) && peer.is(Flag::Challenged));
        assert!(!peer.is(Flag::StateDue) && !peer.is(Flag::Lagging));
    }

    #[test]
    fn new_peer_generation_resets_its_state() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.record_ack(3);
        peer.record_received(5, 7);
        for flag in [Flag::Challenged, Flag::ClaimEventDue, Flag::StateDue] {
            peer.set(flag, true);
        }
        peer.start_generation(9);
        let mut expected = Peer { generation: 9, ..Peer::new(NodeId::new(2)) };
        expected.set(Flag::Challenged, true);
        expected.set(Flag::ClaimEventDue, true);
        assert_eq!(peer, expected);
    }
}
