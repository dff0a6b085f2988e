//! Leases that hold although clocks run at different rates.

use quorate_core::Instant;

use crate::ConfigError;

/// How much faster or slower than true time a clock may run, in parts per million.
///
/// Crystals are good for 20 to 100 ppm, RC oscillators for 10,000 to 50,000.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Drift(u32);

impl Drift {
    /// Clocks that run true.
    pub const NONE: Self = Self(0);

    /// Clocks off by at most so many parts per million.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Drift`] at 500,000 and above.
    ///
    /// ```
    /// use quorate_election::{ConfigError, lease::Drift};
    /// assert!(Drift::from_ppm(100).is_ok());
    /// assert_eq!(Drift::from_ppm(500_000), Err(ConfigError::Drift));
    /// ```
    pub const fn from_ppm(ppm: u32) -> Result<Self, ConfigError> {
        if ppm < 500_000 { Ok(Self(ppm)) } else { Err(ConfigError::Drift) }
    }

    /// In parts per million.
    ///
    /// ```
    /// use quorate_election::lease::Drift;
    /// assert_eq!(Drift::from_ppm(100)?.ppm(), 100);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// How long a grantor waits, on its clock, for what it granted for `lease_us`: if it runs fast, its wait is short in true
    /// time. With the holder's part below, (1 - e) on a slow clock against (1 + e) on a fast one: the ratio of both factors is
    /// at least (1 + e) / (1 - e), which is how far two such clocks can part.
    const fn grantor_us(self, lease_us: u64) -> u64 {
        lease_us.saturating_add(self.scale(lease_us))
    }

    /// How long a holder may rely, on its clock, on a lease of `lease_us`.
    const fn holder_us(self, lease_us: u64) -> u64 {
        lease_us.saturating_sub(self.scale(lease_us))
    }

    /// The part of a time that clocks may be wrong by, rounded up: by the 8 millionth part, and a microsecond.
    const fn scale(self, us: u64) -> u64 {
        if self.0 == 0 {
            return 0;
        }
        // in 1/2^32, without a division: boards have no instruction for one of this size; below 2^31, as the drift is, and each
        // product below 2^63, so that nothing wraps
        let fraction = (self.0 as u64).wrapping_mul(4_295);
        let whole = (us >> 32).wrapping_mul(fraction);
        let rest = (us & 0xffff_ffff).wrapping_mul(fraction) >> 32;
        whole.wrapping_add(rest).wrapping_add(1)
    }
}

/// A lease as its holder sees it (Gray and Cheriton, "Leases", SOSP 1989): it runs out by itself, on the holder's clock, before
/// any grantor's runs out.
///
/// It counts from the moment the *request* was sent, not from when the answer came: the grantor's promise began in between.
/// Ask [`holds`](Self::holds) with the clock read *after* whatever took time, right before the act; a pause between the check
/// and the act is what the [token](crate::Epoch::token) is for.
///
/// ```
/// use quorate_core::Instant;
/// use quorate_election::lease::{Drift, Grant, Lease};
///
/// let drift = Drift::from_ppm(10_000)?; // one per cent
/// let (mut holder, mut grantor) = (Lease::new(1_000_000, drift), Grant::new(1_000_000, drift));
///
/// let requested = Instant::from_millis(0);
/// grantor.grant(Instant::from_millis(40)); // when the request arrived
/// holder.renew(requested); // when the answer arrived: it counts from the request
/// assert!(holder.holds(Instant::from_millis(989)));
/// assert!(!holder.holds(Instant::from_millis(990))); // 1 % early
/// assert!(grantor.is_active(Instant::from_millis(1_049))); // 1 % late
/// assert!(!grantor.is_active(Instant::from_millis(1_051)));
/// # Ok::<(), quorate_election::ConfigError>(())
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
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Lease};
    /// assert!(!Lease::new(1_000, Drift::from_ppm(0)?).holds(Instant::ZERO));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn new(lease_us: u64, drift: Drift) -> Self {
        Self { held_us: drift.holder_us(lease_us), until: Instant::ZERO }
    }

    /// Renews it: it was granted, in answer to a request that was sent at `requested`. Answers may
    /// come in any order.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Lease};
    /// let mut lease = Lease::new(1_000, Drift::from_ppm(0)?);
    /// lease.renew(Instant::from_micros(500));
    /// lease.renew(Instant::from_micros(300)); // an older answer takes nothing back
    /// assert_eq!(lease.until(), Instant::from_micros(1_500));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    pub fn renew(&mut self, requested: Instant) {
        self.until = self.until.max(requested.after(self.held_us));
    }

    /// Gives it up.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Lease};
    /// let mut lease = Lease::new(1_000, Drift::from_ppm(0)?);
    /// lease.renew(Instant::ZERO);
    /// lease.release();
    /// assert!(!lease.holds(Instant::ZERO));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    pub const fn release(&mut self) {
        self.until = Instant::ZERO;
    }

    /// Whether it is held at `now`.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Lease};
    /// let mut lease = Lease::new(1_000, Drift::from_ppm(0)?);
    /// lease.renew(Instant::ZERO);
    /// assert!(lease.holds(Instant::from_micros(999)) && !lease.holds(Instant::from_micros(1_000)));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        now < self.until
    }

    /// When it runs out.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Lease};
    /// assert_eq!(Lease::new(1_000, Drift::from_ppm(0)?).until(), Instant::ZERO);
    /// # Ok::<(), quorate_election::ConfigError>(())
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
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Grant};
    /// assert!(!Grant::new(1_000, Drift::from_ppm(0)?).is_active(Instant::ZERO));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn new(lease_us: u64, drift: Drift) -> Self {
        Self { granted_us: drift.grantor_us(lease_us), until: Instant::ZERO }
    }

    /// Grants it from `now` on, or once more.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Grant};
    /// let mut grant = Grant::new(1_000, Drift::from_ppm(0)?);
    /// grant.grant(Instant::from_micros(5));
    /// assert_eq!(grant.until(), Instant::from_micros(1_005));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    pub fn grant(&mut self, now: Instant) {
        self.until = self.until.max(now.after(self.granted_us));
    }

    /// Whether it still runs at `now`.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Grant};
    /// let mut grant = Grant::new(1_000, Drift::from_ppm(0)?);
    /// grant.grant(Instant::ZERO);
    /// assert!(grant.is_active(Instant::from_micros(999)) && !grant.is_active(Instant::from_micros(1_000)));
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_active(&self, now: Instant) -> bool {
        now < self.until
    }

    /// When it has run out for every holder.
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::lease::{Drift, Grant};
    /// assert_eq!(Grant::new(1_000, Drift::from_ppm(0)?).until(), Instant::ZERO);
    /// # Ok::<(), quorate_election::ConfigError>(())
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
            let (holder, grantor) = (drift.holder_us(lease), drift.grantor_us(lease));
            // true time = time on the clock / rate: the holder slow, the grantor fast is the worst
            let e = u128::from(ppm);
            let m = 1_000_000u128;
            let (holder_rate, grantor_rate) = if fast { (m - e, m + e) } else { (m, m) };
            prop_assert!(u128::from(holder) * grantor_rate <= u128::from(grantor) * holder_rate);
        }
    }

    #[test]
    fn drift_scale_rounds_up_without_overflow() {
        let drift = |ppm| Drift::from_ppm(ppm).unwrap();
        assert_eq!((drift(0).scale(u64::MAX), drift(1).scale(1)), (0, 1));
        for (ppm, us) in [(1u32, 1_000_001u64), (100, 3_000_000), (499_999, 1 << 50), (20_000, 7)] {
            let exact = (u128::from(ppm) * u128::from(us)).div_ceil(1_000_000) as u64;
            let found = drift(ppm).scale(us);
            assert!((exact..=exact + exact / 100_000 + 1).contains(&found), "{ppm} {us} {found}");
        }
        assert!(drift(499_999).scale(u64::MAX) < u64::MAX / 2 + u64::MAX / 100_000);
    }
}
