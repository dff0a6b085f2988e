use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// How often the host is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Watches whether the machine that everything runs on stands still for a while: then the emulators did as well, and what they did next was
/// no fault of theirs.
pub(crate) struct Host {
    longest_us: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Host {
    pub(crate) fn watch() -> Self {
        let (longest_us, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (longest, end) = (Arc::clone(&longest_us), Arc::clone(&over));
        let watcher = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let begin = Instant::now();
                thread::sleep(LOOK);
                let late = begin.elapsed().saturating_sub(LOOK);
                longest.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { longest_us, over, watcher: Some(watcher) }
    }

    /// The longest it stood still since it is watched.
    pub(crate) fn stalled(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for Host {
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
    fn what_stood_still_is_told() {
        let host = Host::watch();
        host.longest_us.fetch_max(700_000, Ordering::Relaxed);
        assert!(host.stalled() >= Duration::from_millis(700));
    }
}
