use quorate_core::Instant;

use crate::Disk;

/// One node: a machine (while it is up), a disk, a clock.
pub(crate) struct Host<M> {
    pub(crate) machine: Option<M>,
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    /// Does nothing before this, in µs of virtual time.
    pub(crate) paused_until: u64,
    /// When the next wake-up is due; `u64::MAX` for none.
    pub(crate) wake_at: u64,
    /// Crashes at the next point of this kind.
    pub(crate) crash_point: Option<CrashPoint>,
    /// Grows with each start.
    pub(crate) incarnation: u64,
    /// Stays down for good.
    pub(crate) down_for_good: bool,
    /// Its disk is damaged.
    pub(crate) damaged: bool,
    /// What the clock showed at the start of the run.
    pub(crate) clock_start: u64,
    /// Writes that were synced before the machine learned of it.
    pub(crate) unreported: usize,
}

/// Where a targeted crash happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CrashPoint {
    /// Just after a message was handed to the network.
    AfterSend,
    /// After a record was issued, before it is synced.
    BeforeSync,
    /// After a sync, before the machine learns of it.
    BeforeTicket,
    /// At an event that the subject calls interesting, after the application saw it.
    AtEvent,
}

/// A node's own idea of time: a rate and an offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) base: u64,
    pub(crate) global: u64,
    /// Microseconds per second of virtual time.
    pub(crate) rate: u64,
}

impl Clock {
    /// What the clock shows.
    pub(crate) fn local(&self, global: u64) -> Instant {
        let passed = u128::from(global - self.global) * u128::from(self.rate) / 1_000_000;
        Instant::from_micros(self.base.saturating_add(passed as u64))
    }

    /// The first virtual time at which the clock shows `local` or later.
    pub(crate) fn global(&self, local: Instant) -> u64 {
        let wait = u128::from(local.as_micros().saturating_sub(self.base)) * 1_000_000;
        let wait = wait.div_ceil(u128::from(self.rate));
        u64::try_from(u128::from(self.global) + wait).unwrap_or(u64::MAX)
    }

    /// Runs at another rate from now on.
    pub(crate) fn set_rate(&mut self, global: u64, rate: u64) {
        self.base = self.local(global).as_micros();
        self.global = global;
        self.rate = rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drifting_clock_converts_both_ways() {
        let mut clock = Clock { base: 500, global: 100, rate: 1_100_000 };
        for global in [100, 101, 1_000, 123_456_789] {
            let local = clock.local(global);
            let back = clock.global(local);
            assert!(back <= global && clock.local(back) >= local, "{global}");
        }
        let before = clock.local(5_000);
        clock.set_rate(5_000, 900_000);
        assert_eq!(clock.local(5_000), before);
        assert_eq!(clock.local(1_005_000).since(before), 900_000);
    }
}
