use quorate_core::NodeId;

/// What is known of another replica, and owed to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    /// Which of its lives is known here.
    pub(crate) life: u64,
    /// Its updates up to this number are part of the state here …
    pub(crate) got: u64,
    /// … as of this update of ours: once that is durable, so are they.
    pub(crate) got_at: u64,
    /// Up to here they are durable.
    pub(crate) told: u64,
    /// Our updates that it acknowledged.
    pub(crate) acked: u64,
    /// How many of ours after those are on their way to it.
    on_the_way: u32,
    flags: u8,
    pub(crate) wants: Wants,
    /// What it has does not fit here; true once the application was told so.
    pub(crate) full: Option<bool>,
}

/// One of the things that are, or are not, so with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flag {
    /// It is told what is here.
    OwesAck = 1,
    /// It is told what the state amounts to.
    OwesDigest = 2,
    /// It asked for the state.
    OwesState = 4,
    /// It needs deltas that are not kept, and was sent a digest since the last gossip.
    Lags = 8,
    /// It told of updates of ours that we never made, and a life was begun to hear whether it still says so.
    Asked = 16,
    /// The application is yet to be told.
    Claims = 32,
}

/// Whether a peer's whole state is wanted, as its deltas lead no further here.
///
/// It is asked for once between two gossips: two replicas that have no room for each other's state would
/// go on sending theirs otherwise, as fast as the network is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wants {
    Nothing,
    /// The next message asks for it.
    Ask,
    /// It was asked for, or is not to be before the next gossip.
    Asked,
}

impl Wants {
    /// What a message to the peer says, once.
    pub(crate) fn ask(&mut self) -> bool {
        let asks = *self == Self::Ask;
        if asks {
            *self = Self::Asked;
        }
        asks
    }
}

impl Peer {
    pub(crate) const fn new(id: NodeId) -> Self {
        Self {
            id,
            life: 0,
            got: 0,
            got_at: 0,
            told: 0,
            acked: 0,
            on_the_way: 0,
            flags: Flag::OwesDigest as u8,
            wants: Wants::Nothing,
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
        self.acked.saturating_add(self.on_the_way as u64)
    }

    /// Our updates up to this one are on their way; as many as can be counted.
    pub(crate) fn set_sent(&mut self, sent: u64) {
        let more = sent.saturating_sub(self.acked);
        self.on_the_way = u32::try_from(more).unwrap_or(u32::MAX);
    }

    /// It acknowledged our updates up to this one.
    pub(crate) fn acknowledged(&mut self, up_to: u64) {
        let sent = self.sent();
        self.acked = self.acked.max(up_to);
        self.set_sent(sent.max(self.acked));
    }

    /// It begins another life: nothing that was said before counts.
    pub(crate) const fn reborn(&mut self, life: u64) {
        let kept = self.flags & (Flag::Asked as u8 | Flag::Claims as u8);
        *self = Self { life, ..Self::new(self.id) };
        self.flags |= kept;
    }

    /// We begin another life: it has to acknowledge our updates once more.
    pub(crate) const fn forget_acks(&mut self) {
        (self.acked, self.on_the_way) = (0, 0);
        self.set(Flag::OwesDigest, true);
        self.set(Flag::OwesState, false);
        self.set(Flag::Lags, false);
    }

    /// Its whole state is wanted: at once, or with the next gossip.
    pub(crate) fn want(&mut self, at_once: bool) {
        if self.wants == Wants::Nothing {
            self.wants = if at_once { Wants::Ask } else { Wants::Asked };
        }
    }

    pub(crate) fn has(&mut self, seq: u64, at: u64) {
        if seq > self.got {
            (self.got, self.got_at) = (seq, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_update_keeps_the_number_at_which_it_came() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.has(5, 7);
        peer.has(5, 9);
        peer.has(4, 10);
        assert_eq!((peer.got, peer.got_at), (5, 7));
        peer.has(6, 10);
        assert_eq!((peer.got, peer.got_at), (6, 10));
    }

    #[test]
    fn another_life_of_ours_is_acknowledged_anew() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.acknowledged(3);
        peer.set_sent(8);
        assert_eq!((peer.acked, peer.sent()), (3, 8));
        peer.set(Flag::OwesDigest, false);
        peer.set(Flag::OwesState, true);
        peer.set(Flag::Lags, true);
        peer.set(Flag::Asked, true);
        peer.forget_acks();
        assert_eq!((peer.acked, peer.sent()), (0, 0));
        assert!(peer.is(Flag::OwesDigest) && peer.is(Flag::Asked));
        assert!(!peer.is(Flag::OwesState) && !peer.is(Flag::Lags));
    }

    #[test]
    fn another_life_of_its_own_has_nothing_of_before() {
        let mut peer = Peer::new(NodeId::new(2));
        peer.acknowledged(3);
        peer.has(5, 7);
        for flag in [Flag::Asked, Flag::Claims, Flag::OwesState] {
            peer.set(flag, true);
        }
        peer.reborn(9);
        let mut fresh = Peer { life: 9, ..Peer::new(NodeId::new(2)) };
        fresh.set(Flag::Asked, true);
        fresh.set(Flag::Claims, true);
        assert_eq!(peer, fresh);
    }
}
