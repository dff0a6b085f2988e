/// Where to look for what is to be said, so that looking costs little where there is nothing.
///
/// What is there is decided when it is looked at. An input that changed something sets the marks of what may follow from it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Work {
    /// A bit for each member, one for records and one for events.
    marks: u64,
    /// The bits of all other members.
    others: u64,
}

const RECORDS: u64 = 1 << 62;
const EVENTS: u64 = 1 << 63;
const MEMBERS: u64 = (1 << Work::MEMBERS) - 1;

impl Work {
    /// As many members as there are bits.
    pub(super) const MEMBERS: usize = 62;

    pub(super) const fn new(members: usize, me: usize) -> Self {
        let all =
            if members < Self::MEMBERS { Self::bit(members).wrapping_sub(1) } else { MEMBERS };
        Self { marks: 0, others: all & !Self::bit(me) }
    }

    #[inline]
    pub(super) const fn any(&self) -> bool {
        self.marks != 0
    }

    /// Look everywhere.
    pub(super) const fn all(&mut self) {
        self.marks |= RECORDS | EVENTS | self.others;
    }

    /// Look at all other members.
    #[inline]
    pub(super) const fn members(&mut self) {
        self.marks |= self.others;
    }

    #[inline]
    pub(super) const fn records(&mut self) {
        self.marks |= RECORDS;
    }

    #[inline]
    pub(super) const fn has_records(&self) -> bool {
        self.marks & RECORDS != 0
    }

    #[inline]
    pub(super) const fn records_done(&mut self) {
        self.marks &= !RECORDS;
    }

    #[inline]
    pub(super) const fn events(&mut self) {
        self.marks |= EVENTS;
    }

    #[inline]
    pub(super) const fn has_events(&self) -> bool {
        self.marks & EVENTS != 0
    }

    #[inline]
    pub(super) const fn events_done(&mut self) {
        self.marks &= !EVENTS;
    }

    /// Look at one member.
    #[inline]
    pub(super) const fn member(&mut self, index: usize) {
        self.marks |= Self::bit(index);
    }

    /// The next member to look at.
    #[inline]
    pub(super) const fn next_member(&self) -> Option<usize> {
        match self.marks & MEMBERS {
            0 => None,
            due => Some(due.trailing_zeros() as usize),
        }
    }

    /// Nothing more is to be said to a member.
    #[inline]
    pub(super) const fn member_done(&mut self, index: usize) {
        self.marks &= !Self::bit(index);
    }

    #[inline]
    const fn bit(index: usize) -> u64 {
        if index < Self::MEMBERS { 1 << index } else { 0 }
    }
}
