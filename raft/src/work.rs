/// What may have to be said: the places to look when polled, so that looking costs little when there is nothing.
///
/// It only ever says where to look; what is there is decided when it is looked at. An input that changed something sets the
/// marks of what may follow from it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Work {
    pub(crate) records: bool,
    pub(crate) events: bool,
    /// Peers to look at, a bit each.
    due: u32,
    /// Peers that are owed something which waits for the disk.
    waiting: u32,
}

impl Work {
    /// As many peers as there are bits.
    pub(crate) const PEERS: usize = 32;

    pub(crate) const fn any(&self) -> bool {
        self.records || self.events || self.due != 0
    }

    /// Look everywhere.
    pub(crate) const fn all(&mut self) {
        self.records = true;
        self.events = true;
        self.due = u32::MAX;
    }

    /// Look at all peers.
    pub(crate) const fn peers(&mut self) {
        self.due = u32::MAX;
    }

    /// Look at one peer.
    pub(crate) const fn peer(&mut self, at: usize) {
        self.due |= Self::bit(at);
    }

    /// The next peer to look at.
    pub(crate) const fn next_peer(&self) -> Option<usize> {
        match self.due {
            0 => None,
            due => Some(due.trailing_zeros() as usize),
        }
    }

    /// Nothing more is to be said to a peer.
    pub(crate) const fn peer_done(&mut self, at: usize) {
        self.due &= !Self::bit(at);
    }

    /// There are no more peers.
    pub(crate) const fn no_peers(&mut self) {
        self.due = 0;
    }

    /// What is owed to a peer waits for the disk.
    pub(crate) const fn peer_waits(&mut self, at: usize) {
        self.waiting |= Self::bit(at);
    }

    /// The disk has finished something: look again at those that waited.
    pub(crate) const fn disk_done(&mut self) {
        self.due |= self.waiting;
        self.waiting = 0;
    }

    const fn bit(at: usize) -> u32 {
        if at < Self::PEERS { 1 << at } else { 0 }
    }
}
