//! Leases that hold although clocks run at different rates.

use quorate_core::{Drift, Instant};

/// How long a grantor waits, on its clock, for what it granted for `lease_us`: if it runs fast, its wait is short in true
/// time. With the holder's part below, (1 - e) on a slow clock against (1 + e) on a fast one: the ratio of both factors is
/// at least (1 + e) / (1 - e), which is how far two such clocks can part.
const fn grantor_us(drift: Drift, lease_us: u64) -> u64 {
    lease_us.saturating_add(drift.error_us(lease_us))
}

/// How long a holder may rely, on its clock, on a lease of `lease_us`.
const fn holder_us(drift: Drift, lease_us: u64) -> u64 {
    lease_us.saturating_sub(drift.error_us(lease_us))
}

/// A lease as its holder sees it (Gray and Cheriton, "Leases", SOSP 1989): it runs out by itself, on the holder's clock, before
/// any grantor's runs out.
///
/// It counts from the moment the *request* was sent, not from when the answer came: the grantor's promise began in between.
/// Ask [`holds`](Self::holds) with the clock read *after* whatever took time, right before the act; a pause between the check
/// and the act is what the [token](crate::Epoch::token) is for.
///
/// ```
/// use quorate_core::{Drift, Instant};
/// use quorate_election::lease::{Grant, Lease};
///
/// let drift = Drift::from_ppm(10_000).unwrap_or_default(); // one per cent
/// let (mut holder, mut grantor) = (Lease::new(1_000_000, drift), Grant::new(1_000_000, drift));
///
/// let requested = Instant::from_millis(0);
/// grantor.grant(Instant::from_millis(40)); // when the request arrived
/// holder.renew(requested); // when the answer arrived: it counts from the request
/// assert!(holder.holds(Instant::from_millis(989)));
/// assert!(!holder.holds(Instant::from_millis(990))); // 1 % early
/// assert!(grantor.is_active(Instant::from_millis(1_049))); // 1 % late
/// assert!(!grantor.is_active(Instant::from_millis(1_051)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lease {
    held_us: u64,
    until: Instant,
}

impl Lease {
    /// A lease that was never granted.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Lease;
    /// assert!(!Lease::new(1_000, Drift::NONE).holds(Instant::ZERO));
    /// ```
    #[must_use]
    pub const fn new(lease_us: u64, drift: Drift) -> Self {
        Self { held_us: holder_us(drift, lease_us), until: Instant::ZERO }
    }

    /// Renews it: it was granted, in answer to a request that was sent at `requested`. Answers may
    /// come in any order.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Lease;
    /// let mut lease = Lease::new(1_000, Drift::NONE);
    /// lease.renew(Instant::from_micros(500));
    /// lease.renew(Instant::from_micros(300)); // an older answer takes nothing back
    /// assert_eq!(lease.until(), Instant::from_micros(1_500));
    /// ```
    pub fn renew(&mut self, requested: Instant) {
        self.until = self.until.max(requested.after(self.held_us));
    }

    /// Gives it up.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Lease;
    /// let mut lease = Lease::new(1_000, Drift::NONE);
    /// lease.renew(Instant::ZERO);
    /// lease.release();
    /// assert!(!lease.holds(Instant::ZERO));
    /// ```
    pub const fn release(&mut self) {
        self.until = Instant::ZERO;
    }

    /// Whether it is held at `now`.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Lease;
    /// let mut lease = Lease::new(1_000, Drift::NONE);
    /// lease.renew(Instant::ZERO);
    /// assert!(lease.holds(Instant::from_micros(999)) && !lease.holds(Instant::from_micros(1_000)));
    /// ```
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        now < self.until
    }

    /// When it runs out.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Lease;
    /// assert_eq!(Lease::new(1_000, Drift::NONE).until(), Instant::ZERO);
    /// ```
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }
}

/// A lease as its grantor sees it: nothing may be granted to another while it runs.
///
/// A grantor that restarts has forgotten what it granted: it calls [`grant`](Self::grant) once when it starts, and so waits
/// out whatever there may have been. [`Lease`] has an example.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Grant {
    granted_us: u64,
    until: Instant,
}

impl Grant {
    /// Nothing was granted.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Grant;
    /// assert!(!Grant::new(1_000, Drift::NONE).is_active(Instant::ZERO));
    /// ```
    #[must_use]
    pub const fn new(lease_us: u64, drift: Drift) -> Self {
        Self { granted_us: grantor_us(drift, lease_us), until: Instant::ZERO }
    }

    /// Grants it from `now` on, or once more.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Grant;
    /// let mut grant = Grant::new(1_000, Drift::NONE);
    /// grant.grant(Instant::from_micros(5));
    /// assert_eq!(grant.until(), Instant::from_micros(1_005));
    /// ```
    pub fn grant(&mut self, now: Instant) {
        self.until = self.until.max(now.after(self.granted_us));
    }

    /// Whether it still runs at `now`.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Grant;
    /// let mut grant = Grant::new(1_000, Drift::NONE);
    /// grant.grant(Instant::ZERO);
    /// assert!(grant.is_active(Instant::from_micros(999)) && !grant.is_active(Instant::from_micros(1_000)));
    /// ```
    #[must_use]
    pub fn is_active(&self, now: Instant) -> bool {
        now < self.until
    }

    /// When it has run out for every holder.
    ///
    /// ```
    /// use quorate_core::{Drift, Instant};
    /// use quorate_election::lease::Grant;
    /// assert_eq!(Grant::new(1_000, Drift::NONE).until(), Instant::ZERO);
    /// ```
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two clocks, each wrong by up to the drift: the holder's lease ends before the grantor's in true time.
        #[test]
        fn holder_expires_before_grantor(ppm in 0u32..499_999, lease in 1u64..1 << 40, fast: bool) {
            let drift = Drift::from_ppm(ppm).unwrap();
            let (holder, grantor) = (holder_us(drift, lease), grantor_us(drift, lease));
            // true time = time on the clock / rate: the holder slow, the grantor fast is the worst
            let e = u128::from(ppm);
            let m = 1_000_000u128;
            let (holder_rate, grantor_rate) = if fast { (m - e, m + e) } else { (m, m) };
            prop_assert!(u128::from(holder) * grantor_rate <= u128::from(grantor) * holder_rate);
        }
    }
}
