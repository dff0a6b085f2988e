//! How much the loop does for clients, counted in steps: the same number for the same commands on the same keys, whatever the
//! machine. A step is about a nanosecond of an optimized build.
//!
//! Nothing else of the node happens meanwhile, heartbeats above all, so a turn of the loop has a bound. (A turn is one time that the driver
//! settles the application here; after 10 ms it does not do so again before it has looked at what came.)
//!
//! | | steps |
//! |---|---|
//! | reads, answered in one turn | [`TURN`] and one command |
//! | what is committed, applied in one turn | [`TURN`] and one batch |
//! | writes that a leader has proposed and not applied, with what is read among them | [`IN_FLIGHT`] or one batch |
//! | a batch | [`BATCH`] and one command |
//! | one `SCAN` | [`SCAN`] and one key |
//! | a command with many keys | 8,192 of them |

/// Reads that one turn answers, and writes that it applies; the rest is left to the next ones.
pub(crate) const TURN: u64 = 1 << 19;
/// Reads of one batch that are answered before another batch has its turn.
pub(crate) const SLICE: u64 = 1 << 17;
/// Writes that a leader lets into its log before it has applied them.
pub(crate) const IN_FLIGHT: u64 = 1 << 19;
/// A batch of writes that another node forwards, at most: commands have limits, and nodes cut what they forward; an older one may not.
pub(crate) const LARGEST: u64 = 4 << 20;
/// A batch of pipelined commands goes off when it has grown to this.
pub(crate) const BATCH: u64 = 1 << 17;
/// One `SCAN` goes through, whatever `COUNT` says.
pub(crate) const SCAN: u64 = 1 << 17;
/// A batch of reads of this much is not retried when the leader that had it is lost.
pub(crate) const HEAVY: u64 = 1 << 17;
/// `FLUSHALL`.
pub(crate) const FLUSH: u64 = 1 << 14;
/// A command that is small whatever it says.
pub(crate) const SMALL: u64 = 64;

/// To visit a key, and to pass the shards of the store.
pub(crate) const VISIT: u64 = 32;
pub(crate) const SHARDS: u64 = 4096;

/// To find a key.
pub(crate) const fn key(bytes: usize) -> u64 {
    SMALL.saturating_add(bytes as u64 / 4)
}

/// To find some keys of so many bytes in all.
pub(crate) const fn keys(count: u64, bytes: usize) -> u64 {
    count.saturating_mul(SMALL).saturating_add(bytes as u64 / 4)
}

/// To copy so many bytes.
pub(crate) const fn copy(bytes: usize) -> u64 {
    bytes as u64 / 8
}

/// What was done in the present turn, and the most that any turn did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    reads: u64,
    writes: u64,
    pub(crate) most_reads: u64,
    pub(crate) most_writes: u64,
}

impl Meter {
    /// A turn begins.
    pub(crate) const fn begin(&mut self) {
        (self.reads, self.writes) = (0, 0);
    }

    pub(crate) fn applied(&mut self, steps: u64) {
        self.writes = self.writes.saturating_add(steps);
        self.most_writes = self.most_writes.max(self.writes);
    }

    /// Whether this turn may apply more.
    pub(crate) const fn may_apply(&self) -> bool {
        self.writes < TURN
    }

    pub(crate) fn read(&mut self, steps: u64) {
        self.reads = self.reads.saturating_add(steps);
        self.most_reads = self.most_reads.max(self.reads);
    }

    /// Whether this turn may answer more.
    pub(crate) const fn has_room(&self) -> bool {
        self.reads < TURN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meter_counts_per_turn() {
        let mut meter = Meter::default();
        meter.applied(5);
        meter.read(TURN - 1);
        assert!(meter.has_room() && meter.may_apply());
        meter.read(1);
        meter.applied(TURN - 5);
        assert!(!meter.has_room() && !meter.may_apply());
        meter.begin();
        meter.applied(6);
        assert!(meter.has_room() && meter.may_apply());
        assert_eq!((meter.most_reads, meter.most_writes), (TURN, TURN));
    }
}
