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
    pub(crate) aim: Option<Aim>,
    /// Counts lives.
    pub(crate) life: u64,
    /// Stays down for good.
    pub(crate) dead: bool,
    /// Its disk is damaged.
    pub(crate) rotten: bool,
    /// What the clock showed at first.
    pub(crate) born: u64,
    /// Writes that were synced while the machine was not told.
    pub(crate) untold: usize,
}

/// Where a crash is aimed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aim {
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
    fn a_clock_that_drifts_is_read_both_ways() {
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
