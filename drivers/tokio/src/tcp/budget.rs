use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The bytes that all connections of a node together hold of frames that have not arrived whole.
///
/// Only buffers above [`UNCHARGED_BYTES`](super::frame_reader::UNCHARGED_BYTES) take part. When one
/// wants to grow and there is no room, the connection whose buffer last grew the longest time ago
/// is closed: a peer that sends grows, one that announced a frame and stalls does not.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    next: u64,
    holders: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    last_growth: Instant,
    evicted: bool,
    evict: Arc<Notify>,
}

/// A connection's part of a [`Budget`]; dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    id: u64,
    evict: Arc<Notify>,
}

impl Budget {
    /// A budget of this many bytes, which must hold the largest buffer there may be.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, state: Mutex::default(), freed: Notify::new() }
    }

    /// A share of nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        let evict = Arc::new(Notify::new());
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        drop(state);
        Share { budget: self.clone(), id, evict }
    }

    /// Bytes taken now.
    #[cfg(test)]
    fn used(&self) -> usize {
        self.lock().used
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // it is whole whenever somebody may panic
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Waits until the share may be this many bytes, closing others if need be. Cancel safe.
    pub(crate) async fn grow(&self, bytes: usize) {
        loop {
            let freed = self.budget.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.try_grow(bytes) {
                return;
            }
            freed.await;
        }
    }

    /// The share is this many bytes now, which is no more than before.
    pub(crate) fn shrink(&self, bytes: usize) {
        let mut state = self.budget.lock();
        let Some(holder) = state.holders.get_mut(&self.id) else { return };
        let less = holder.bytes.saturating_sub(bytes);
        holder.bytes -= less;
        if bytes == 0 {
            state.holders.remove(&self.id);
        }
        state.used -= less;
        drop(state);
        if less > 0 {
            self.budget.freed.notify_waiters();
        }
    }

    /// Told when this connection is to end, so that others have room.
    pub(crate) fn evicted(&self) -> Arc<Notify> {
        self.evict.clone()
    }

    fn try_grow(&self, bytes: usize) -> bool {
        let mut state = self.budget.lock();
        let own = state.holders.get(&self.id).map_or(0, |holder| holder.bytes);
        let more = bytes.saturating_sub(own);
        if state.used.saturating_add(more) <= self.budget.max {
            state.used += more;
            let (bytes, last_growth) = (own + more, Instant::now());
            let evict = self.evict.clone();
            state.holders.insert(self.id, Holder { bytes, last_growth, evicted: false, evict });
            return true;
        }
        let others = state.holders.iter_mut().filter(|(id, _)| **id != self.id);
        if let Some((_, stalled)) = others
            .filter(|(_, holder)| !holder.evicted)
            .min_by_key(|(_, holder)| holder.last_growth)
        {
            stalled.evicted = true;
            stalled.evict.notify_one();
        }
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stalled_connection_is_evicted_for_a_growing_one() {
        let budget = Arc::new(Budget::new(100));
        let (stalled, growing) = (budget.share(), budget.share());
        stalled.grow(50).await;
        tokio::time::advance(core::time::Duration::from_millis(1)).await;
        growing.grow(40).await;
        tokio::time::advance(core::time::Duration::from_millis(1)).await;
        growing.grow(50).await;
        assert_eq!(budget.used(), 100);
        let third = budget.share();
        let evicted = stalled.evicted();
        let waits = tokio::spawn(async move {
            third.grow(30).await;
            third
        });
        evicted.notified().await;
        assert!(!waits.is_finished(), "the room is not free before the connection is gone");
        drop(stalled);
        let third = waits.await.unwrap();
        assert_eq!(budget.used(), 80);
        third.shrink(0);
        drop(growing);
        assert_eq!(budget.used(), 0);
    }
}
