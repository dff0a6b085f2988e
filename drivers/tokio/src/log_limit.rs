//! Log lines that others can cause, a few at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets a line of each class through a few times a minute, and counts the others: what a peer or a client can make a node log
/// must not fill its disk.
///
/// A class is whatever tells lines apart: a reason and the address it came from, say. At most [`CLASSES`](Self::CLASSES) are
/// remembered; while there are more, those that are new share one.
///
/// ```
/// use quorate_tokio::LogLimit;
/// let refusals = LogLimit::new(1);
/// assert_eq!(refusals.pass("wrong cluster"), Some(0));
/// assert_eq!(refusals.pass("wrong cluster"), None);
/// assert_eq!(refusals.pass("wrong version"), Some(0));
/// // a minute later the next one passes, and tells how many did not
/// ```
#[derive(Debug)]
pub struct LogLimit<C> {
    burst: u32,
    period: Duration,
    state: Mutex<State<C>>,
}

#[derive(Debug)]
struct State<C> {
    classes: HashMap<C, Lines>,
    others: Lines,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    /// When the present period began, and what passed in it.
    began: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

impl<C: Eq + Hash> LogLimit<C> {
    /// Classes that are remembered, at most.
    pub const CLASSES: usize = 256;

    /// Lets this many lines of each class through a minute.
    #[must_use]
    pub fn new(burst: u32) -> Self {
        let state = State { classes: HashMap::new(), others: Lines::default() };
        Self { burst, period: Duration::from_secs(60), state: Mutex::new(state) }
    }

    /// Whether a line may be logged now: how many of its class were not, since the last one that was.
    pub fn pass(&self, class: C) -> Option<u64> {
        self.pass_at(class, Instant::now())
    }

    fn pass_at(&self, class: C, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { classes, others } = &mut *state;
        if classes.len() >= Self::CLASSES && !classes.contains_key(&class) {
            // those that are over
            classes.retain(|_, lines| lines.is_under_way(now, self.period));
        }
        let full = classes.len() >= Self::CLASSES && !classes.contains_key(&class);
        let lines = if full { others } else { classes.entry(class).or_default() };
        if !lines.is_under_way(now, self.period) {
            lines.began = Some(now);
            lines.passed = 0;
        }
        if lines.passed >= self.burst {
            lines.suppressed += 1;
            return None;
        }
        lines.passed += 1;
        Some(core::mem::take(&mut lines.suppressed))
    }
}

impl Lines {
    fn is_under_way(&self, now: Instant, period: Duration) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) < period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_and_the_rest_is_counted() {
        let limit = LogLimit::new(2);
        let start = Instant::now();
        let at = |ms| limit.pass_at("a", start + Duration::from_millis(ms));
        assert_eq!((at(0), at(1), at(2), at(59_999)), (Some(0), Some(0), None, None));
        assert_eq!(limit.pass_at("b", start), Some(0));
        assert_eq!((at(60_000), at(60_001), at(60_002)), (Some(2), Some(0), None));
    }

    #[test]
    fn classes_are_bounded() {
        let limit = LogLimit::new(1);
        let start = Instant::now();
        let mut passed = 0;
        for class in 0..100_000 {
            passed += u32::from(limit.pass_at(class, start).is_some());
        }
        assert_eq!(passed as usize, LogLimit::<u32>::CLASSES + 1);
        assert!(limit.state.lock().is_ok_and(|state| state.classes.len() <= 256));
        // a period later the places are free again
        let later = start + Duration::from_secs(61);
        assert_eq!(limit.pass_at(200_000, later), Some(0));
    }
}
