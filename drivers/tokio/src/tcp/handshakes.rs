use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Incoming connections that have sent no hello yet: limited in all, and from one address.
///
/// One more is always let in. The oldest goes in its favor: of its own address when that has as
/// many as it may, and else of the address that has the most. So those that say nothing keep nobody
/// out, and those of one address crowd out their own kind first.
#[derive(Clone, Debug)]
pub(crate) struct PendingHandshakes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    max_per_address: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// The oldest first.
    pending: VecDeque<Handshake>,
}

#[derive(Debug)]
struct Handshake {
    id: u64,
    from: IpAddr,
    close: Arc<Notify>,
}

/// The slot of one connection, free when dropped.
#[derive(Debug)]
pub(crate) struct HandshakeSlot {
    handshakes: PendingHandshakes,
    id: u64,
    close: Arc<Notify>,
}

impl PendingHandshakes {
    /// At most this many, none of them more than three quarters from one address if there is room
    /// for several.
    pub(crate) fn new(max: usize) -> Self {
        let max_per_address = (max - max / 4).max(1);
        Self(Arc::new(Shared { max, max_per_address, state: Mutex::default() }))
    }

    /// Takes one more in, and tells whether another must go for it.
    pub(crate) fn admit(&self, from: IpAddr) -> (HandshakeSlot, bool) {
        let close = Arc::new(Notify::new());
        let mut state = self.lock();
        let to_evict = state.to_evict(from, &self.0).and_then(|from| {
            let at = state.pending.iter().position(|pending| pending.from == from)?;
            state.pending.remove(at)
        });
        state.next += 1;
        let id = state.next;
        state.pending.push_back(Handshake { id, from, close: close.clone() });
        drop(state);
        if let Some(oldest) = &to_evict {
            oldest.close.notify_one();
        }
        (HandshakeSlot { handshakes: self.clone(), id, close }, to_evict.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Of which address the oldest must go before another of `from` comes.
    fn to_evict(&self, from: IpAddr, limits: &Shared) -> Option<IpAddr> {
        let own = self.pending.iter().filter(|pending| pending.from == from).count();
        if own >= limits.max_per_address {
            return Some(from);
        }
        if self.pending.len() < limits.max {
            return None;
        }
        let mut counts = HashMap::new();
        for pending in &self.pending {
            *counts.entry(pending.from).or_insert(0_usize) += 1;
        }
        // of those that have as many, the one whose connection is the oldest
        let most = counts.values().max().copied()?;
        self.pending.iter().map(|pending| pending.from).find(|from| counts.get(from) == Some(&most))
    }
}

impl HandshakeSlot {
    /// Waits until the slot is given to another. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.close.notified().await;
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.handshakes.lock().pending.retain(|pending| pending.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn of(handshakes: &PendingHandshakes) -> Vec<(u64, IpAddr)> {
        handshakes.lock().pending.iter().map(|pending| (pending.id, pending.from)).collect()
    }

    #[test]
    fn oldest_handshake_of_a_full_address_is_evicted() {
        let handshakes = PendingHandshakes::new(8);
        let _slots: Vec<_> = (0..6).map(|_| handshakes.admit(ip(1)).0).collect();
        let (_slot, evicted) = handshakes.admit(ip(1));
        assert!(evicted);
        let ids: Vec<u64> = of(&handshakes).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [2, 3, 4, 5, 6, 7]);
        // another address has room left
        assert!(!handshakes.admit(ip(2)).1);
    }

    #[test]
    fn oldest_handshake_of_the_busiest_address_is_evicted() {
        let handshakes = PendingHandshakes::new(4);
        let quiet = handshakes.admit(ip(9)).0;
        let _greedy: Vec<_> = (0..3).map(|_| handshakes.admit(ip(1)).0).collect();
        let (_slot, evicted) = handshakes.admit(ip(2));
        assert!(evicted);
        assert_eq!(of(&handshakes), [(1, ip(9)), (3, ip(1)), (4, ip(1)), (5, ip(2))]);
        drop(quiet);
        assert!(!handshakes.admit(ip(3)).1);
    }

    #[tokio::test]
    async fn evicted_handshake_is_notified() {
        let handshakes = PendingHandshakes::new(1);
        let first = handshakes.admit(ip(1)).0;
        let second = handshakes.admit(ip(2)).0;
        first.evicted().await;
        drop(first);
        assert_eq!(of(&handshakes), [(2, ip(2))]);
        drop(second);
        assert_eq!(of(&handshakes), []);
    }
}
