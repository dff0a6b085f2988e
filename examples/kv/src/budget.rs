use std::sync::Arc;
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
pub(crate) struct Budget(Arc<Semaphore>);

/// The part of the budget that a client holds, from the beginning of its command until the reply is written.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
    deadline: Option<Instant>,
}

/// One permit of the semaphore, in bytes.
const UNIT: usize = 1 << 10;

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(limits::LARGE_INPUT_BYTES / UNIT)))
    }

    /// Bytes that are granted.
    pub(crate) fn granted(&self) -> usize {
        limits::LARGE_INPUT_BYTES.saturating_sub(self.0.available_permits() * UNIT)
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
            // it is never closed
            grant.held = self.0.clone().acquire_many_owned(permits).await.ok();
            grant.bytes = bytes;
        }
        if grant.deadline.is_none() {
            let slow = bytes as u64 / limits::SLOWEST_INPUT_PER_S;
            let time = Duration::from_secs(limits::INPUT_PATIENCE_S + slow);
            grant.deadline = Some(Instant::now() + time);
        }
    }
}

impl Grant {
    /// When the command must have arrived.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The command arrived, but its reply is not written yet.
    pub(crate) const fn arrived(&mut self) {
        self.deadline = None;
    }

    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_commands_wait_for_their_turn() {
        let budget = Budget::new();
        let each = limits::COMMAND_BYTES;
        let mut grants: Vec<Grant> = Vec::new();
        while budget.granted() + each <= limits::LARGE_INPUT_BYTES {
            let mut grant = Grant::default();
            budget.admit(&mut grant, each).await;
            grants.push(grant);
        }
        // small ones need nothing
        budget.admit(&mut Grant::default(), limits::LARGE_BYTES).await;
        let waits = {
            let budget = budget.clone();
            tokio::spawn(async move {
                let mut grant = Grant::default();
                budget.admit(&mut grant, each).await;
                grant
            })
        };
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        assert!(budget.granted() <= limits::LARGE_INPUT_BYTES);
        grants.pop();
        assert!(waits.await.is_ok());
        grants.clear();
        assert_eq!(budget.granted(), 0);
    }
}
