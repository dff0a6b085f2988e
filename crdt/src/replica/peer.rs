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
    /// Our updates on their way to it.
    pub(crate) sent: u64,
    /// It is told what is here.
    pub(crate) owes_ack: bool,
    /// It is told what the state amounts to.
    pub(crate) owes_digest: bool,
    /// It asked for the state.
    pub(crate) owes_state: bool,
    pub(crate) wants: Wants,
    /// What it has does not fit here; true once the application was told so.
    pub(crate) full: Option<bool>,
    /// It needs deltas that are not kept, and was sent a digest since the last gossip.
    pub(crate) lags: bool,
    /// It told of updates of ours that we never made, and a life was begun to hear whether it still says so.
    pub(crate) asked: bool,
    /// The application is yet to be told.
    pub(crate) claims: bool,
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
            sent: 0,
            owes_ack: false,
            owes_digest: true,
            owes_state: false,
            wants: Wants::Nothing,
            full: None,
            lags: false,
            asked: false,
            claims: false,
        }
    }

    /// It begins another life: nothing that was said before counts.
    pub(crate) const fn reborn(&mut self, life: u64) {
        *self = Self { life, asked: self.asked, claims: self.claims, ..Self::new(self.id) };
    }

    /// We begin another life: it has to acknowledge our updates once more.
    pub(crate) const fn forget_acks(&mut self) {
        (self.acked, self.sent) = (0, 0);
        (self.owes_digest, self.owes_state, self.lags) = (true, false, false);
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
