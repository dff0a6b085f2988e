use core::ops::Range;

use quorate_core::Instant;

use super::Config;

/// How many places are looked at in one step.
const STEP: u32 = 256;

/// Goes over all keys for tombstones, a step at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Scrub {
    next: u32,
    /// When the next step is due.
    at: Instant,
    /// The highest clock of old tombstones in this pass, and in the last one.
    found: u64,
    wanted: u64,
    /// A pass is over since it was begun.
    over: bool,
    /// What may be purged goes in this pass.
    drops: bool,
}

impl Scrub {
    /// Begins a pass now.
    pub(crate) const fn begin(&mut self) {
        (self.next, self.at, self.found, self.over) = (0, Instant::ZERO, 0, false);
    }

    /// Begins a pass now in which what may be purged goes.
    pub(crate) const fn begin_to_drop(&mut self) {
        self.begin();
        self.drops = true;
    }

    pub(crate) const fn drops(&self) -> bool {
        self.drops
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) const fn at(&self) -> Instant {
        self.at
    }

    /// A tombstone of this clock is old enough.
    pub(crate) fn want(&mut self, clock: u64) {
        self.found = self.found.max(clock);
    }

    /// The highest clock of tombstones that were old enough.
    pub(crate) const fn wanted(&self) -> u64 {
        self.wanted
    }

    /// The next places to look at, of so many, if a step is due.
    pub(crate) fn next(&self, now: Instant, places: usize) -> Option<Range<u32>> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let (from, to) = (self.next.min(places), self.next.saturating_add(STEP).min(places));
        (self.at <= now).then_some(from..to)
    }

    /// The step has gone up to here, of so many places: the next one follows, or the next pass.
    pub(crate) fn advance(&mut self, now: Instant, to: u32, places: usize, config: &Config) {
        if (to as usize) < places {
            (self.next, self.at) = (to, now.after(config.sweep_us));
        } else {
            (self.wanted, self.found, self.next, self.over) = (self.found, 0, 0, true);
            self.drops = false;
            self.at = now.after(config.purge_us);
        }
    }
}
