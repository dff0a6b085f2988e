use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::limits;

/// The memory for large commands of all clients of a node: who wants to send one waits, in turn, until there is room, and its
/// connection is not read meanwhile.
///
/// A command of at most [`limits::LARGE_BYTES`] needs none of it. So the input of all clients takes no more than
/// `max-clients * (LARGE_BYTES + 16 KiB) + 2 * LARGE_INPUT_BYTES`: a buffer may be twice as large as what arrived.
#[derive(Clone, Debug)]
pub(crate) struct InputBudget(Arc<Memory>);

#[derive(Debug)]
struct Memory {
    permits: Arc<Semaphore>,
    /// Clients that wait for it.
    waiting: AtomicUsize,
}

/// Counts as long as a client waits.
struct WaitGuard<'a>(&'a AtomicUsize);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The part of the budget that a client holds, from the beginning of its command until the reply is written.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
    /// Since when the command is on its way; `None` once it is here.
    since: Option<Instant>,
}

/// One permit of the semaphore, in bytes.
const UNIT: usize = 1 << 10;

impl InputBudget {
    pub(crate) fn new() -> Self {
        let permits = Arc::new(Semaphore::new(limits::LARGE_INPUT_BYTES / UNIT));
        Self(Arc::new(Memory { permits, waiting: AtomicUsize::new(0) }))
    }

    /// Bytes that are granted.
    pub(crate) fn granted(&self) -> usize {
        limits::LARGE_INPUT_BYTES.saturating_sub(self.0.permits.available_permits() * UNIT)
    }

    /// Waits until `grant` is for a command of this many bytes. One that is too small is given back first: nobody waits for more
    /// while others wait for what it has. Cancel safe.
    pub(crate) async fn admit(&self, grant: &mut Grant, bytes: usize) {
        if bytes <= limits::LARGE_BYTES {
            return;
        }
        if grant.bytes < bytes {
            grant.release();
            let permits = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
            self.0.waiting.fetch_add(1, Relaxed);
            let waiter = WaitGuard(&self.0.waiting);
            // it is never closed
            grant.held = self.0.permits.clone().acquire_many_owned(permits).await.ok();
            drop(waiter);
            grant.bytes = bytes;
        }
        grant.since.get_or_insert_with(Instant::now);
    }

    /// Whether a large command of which so many bytes are here comes too slowly: the more so if
    /// others wait for the memory that it has.
    pub(crate) fn is_too_slow(&self, grant: &Grant, arrived: usize) -> bool {
        let others = self.0.waiting.load(Relaxed) > 0;
        grant.since.is_some_and(|since| is_too_slow(since.elapsed(), arrived, others))
    }
}

fn is_too_slow(time: Duration, arrived: usize, others_wait: bool) -> bool {
    let (patience, rate) = match others_wait {
        true => (limits::CONTENDED_INPUT_TIMEOUT_S, limits::CONTENDED_MIN_INPUT_PER_S),
        false => (limits::INPUT_TIMEOUT_S, limits::MIN_INPUT_PER_S),
    };
    time.as_secs() > patience + arrived as u64 / rate
}

impl Grant {
    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// The command is here, but not answered yet.
    pub(crate) const fn arrived(&mut self) {
        self.since = None;
    }

    /// Gives the memory back if its command is here, and so is answered by now. False if there is
    /// nothing to give back, or the command is still on its way.
    pub(crate) fn release_answered(&mut self) -> bool {
        let answered = self.held.is_some() && self.since.is_none();
        if answered {
            self.release();
        }
        answered
    }

    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_commands_time_out_sooner_under_contention() {
        let time = Duration::from_secs;
        for (seconds, kib, others, too_slow) in [
            (10, 0, false, false),
            (11, 0, false, true),
            (11, 64, false, false),
            (100, 64 * 90, false, false),
            (102, 64 * 90, false, true),
            (2, 0, true, false),
            (3, 0, true, true),
            (10, 256 * 8, true, false),
            (11, 256 * 8, true, true),
        ] {
            assert_eq!(
                is_too_slow(time(seconds), kib << 10, others),
                too_slow,
                "{seconds} s, {kib} KiB"
            );
        }
    }

    #[tokio::test]
    async fn memory_is_released_once_the_command_is_answered() {
        let budget = InputBudget::new();
        let mut grant = Grant::default();
        budget.admit(&mut grant, limits::COMMAND_BYTES).await;
        assert!(!grant.release_answered(), "it is on its way");
        grant.arrived();
        assert!(grant.release_answered() && !grant.release_answered());
        assert_eq!(budget.granted(), 0);
    }

    #[tokio::test]
    async fn large_commands_wait_for_memory() {
        let budget = InputBudget::new();
        let each = limits::COMMAND_BYTES;
        let mut grants: Vec<Grant> = Vec::new();
        while budget.granted() + each <= limits::LARGE_INPUT_BYTES {
            let mut grant = Grant::default();
            budget.admit(&mut grant, each).await;
            grants.push(grant);
        }
        // small ones need nothing
        budget.admit(&mut Grant::default(), limits::LARGE_BYTES).await;
        let waiter = {
            let budget = budget.clone();
            tokio::spawn(async move {
                let mut grant = Grant::default();
                budget.admit(&mut grant, each).await;
                grant
            })
        };
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        assert!(budget.granted() <= limits::LARGE_INPUT_BYTES);
        grants.pop();
        assert!(waiter.await.is_ok());
        grants.clear();
        assert_eq!(budget.granted(), 0);
    }
}
