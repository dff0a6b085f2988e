/// What may have to be said: the places to look when polled, so that looking costs little when there is nothing.
///
/// It only ever says where to look; what is there is decided when it is looked at. An input that changed something sets the
/// marks of what may follow from it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Work {
    /// A bit for each peer to look at, then one for what goes beyond the bare protocol, one for records and one for events.
    marks: u64,
    /// Peers that are owed something which waits for the disk.
    waiting: u64,
}

const EXTRAS: u64 = 1 << 61;
const RECORDS: u64 = 1 << 62;
const EVENTS: u64 = 1 << 63;
const PEERS: u64 = (1 << 61) - 1;

impl Work {
    /// As many peers as there are bits.
    pub(crate) const PEERS: usize = 61;

    #[inline]
    pub(crate) const fn any(&self) -> bool {
        self.marks != 0
    }

    /// Look everywhere.
    pub(crate) const fn all(&mut self) {
        self.marks = u64::MAX;
    }

    #[inline]
    pub(crate) const fn records(&mut self) {
        self.marks |= RECORDS;
    }

    #[inline]
    pub(crate) const fn has_records(&self) -> bool {
        self.marks & RECORDS != 0
    }

    #[inline]
    pub(crate) const fn records_done(&mut self) {
        self.marks &= !RECORDS;
    }

    #[inline]
    pub(crate) const fn events(&mut self) {
        self.marks |= EVENTS;
    }

    #[inline]
    pub(crate) const fn has_events(&self) -> bool {
        self.marks & EVENTS != 0
    }

    #[inline]
    pub(crate) const fn events_done(&mut self) {
        self.marks &= !EVENTS;
    }

    #[inline]
    pub(crate) const fn extras(&mut self) {
        self.marks |= EXTRAS;
    }

    #[inline]
    pub(crate) const fn has_extras(&self) -> bool {
        self.marks & EXTRAS != 0
    }

    #[inline]
    pub(crate) const fn extras_done(&mut self) {
        self.marks &= !EXTRAS;
    }

    /// Look at the first `count` peers: where there are no more, no later poll finds out that there are none.
    #[inline]
    pub(crate) const fn peers(&mut self, count: usize) {
        self.marks |= Self::bit(count).wrapping_sub(1) & PEERS;
    }

    /// Look at one peer.
    #[inline]
    pub(crate) const fn peer(&mut self, at: usize) {
        self.marks |= Self::bit(at);
    }

    /// The next peer to look at.
    #[inline]
    pub(crate) const fn next_peer(&self) -> Option<usize> {
        match self.marks & PEERS {
            0 => None,
            due => Some(due.trailing_zeros() as usize),
        }
    }

    /// Nothing more is to be said to a peer.
    #[inline]
    pub(crate) const fn peer_done(&mut self, at: usize) {
        self.marks &= !Self::bit(at);
    }

    /// There are no more peers.
    #[inline]
    pub(crate) const fn peers_done(&mut self) {
        self.marks &= !PEERS;
    }

    /// What is owed to a peer waits for the disk.
    #[inline]
    pub(crate) const fn peer_waits(&mut self, at: usize) {
        self.waiting |= Self::bit(at);
    }

    /// The disk has finished something: look again at those that waited.
    #[inline]
    pub(crate) const fn disk_done(&mut self) {
        self.marks |= self.waiting;
        self.waiting = 0;
    }

    #[inline]
    const fn bit(at: usize) -> u64 {
        if at < Self::PEERS { 1 << at } else { 0 }
    }
}
