use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// How often the clock is sampled.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Detects that the host stalls for a while: then the emulators stalled too, and what they did next
/// was no fault of theirs.
pub(crate) struct StallDetector {
    longest_us: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl StallDetector {
    pub(crate) fn start() -> Self {
        let (longest_us, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (longest, end) = (Arc::clone(&longest_us), Arc::clone(&over));
        let watcher = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let begin = Instant::now();
                thread::sleep(POLL_INTERVAL);
                let late = begin.elapsed().saturating_sub(POLL_INTERVAL);
                longest.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { longest_us, over, watcher: Some(watcher) }
    }

    /// The longest stall since the start.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for StallDetector {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_stall_is_reported() {
        let stalls = StallDetector::start();
        stalls.longest_us.fetch_max(700_000, Ordering::Relaxed);
        assert!(stalls.longest() >= Duration::from_millis(700));
    }
}
