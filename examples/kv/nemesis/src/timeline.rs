//! Time since the start of a run, and its lines.

use std::time::Instant;

/// A clock that all threads of a run share.
#[derive(Clone, Copy, Debug)]
pub struct Timeline(Instant);

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// µs since the beginning.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Prints a line with the time.
    pub fn log(&self, text: &str) {
        let seconds = self.0.elapsed().as_secs_f64();
        println!("{seconds:>8.2} s  {text}");
    }
}
