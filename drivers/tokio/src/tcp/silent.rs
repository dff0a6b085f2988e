use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Incoming connections that have not said who they are yet: so many at most, and so many from one address.
///
/// One more is always let in. The oldest goes in its favor: of its own address when that has as many as it may, and else of the
/// address that has the most. So those that say nothing keep nobody out, and those of one address crowd out their own kind first.
#[derive(Clone, Debug)]
pub(crate) struct Silent(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    max_of_one: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// The oldest first.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    from: IpAddr,
    close: Arc<Notify>,
}

/// The place of one connection; dropped, it is free.
#[derive(Debug)]
pub(crate) struct Place {
    silent: Silent,
    id: u64,
    close: Arc<Notify>,
}

impl Silent {
    /// At most this many, none of them more than three quarters from one address if there is room for several.
    pub(crate) fn new(max: usize) -> Self {
        let max_of_one = (max - max / 4).max(1);
        Self(Arc::new(Shared { max, max_of_one, state: Mutex::default() }))
    }

    /// Takes one more in, and tells whether another must go for it.
    pub(crate) fn admit(&self, from: IpAddr) -> (Place, bool) {
        let close = Arc::new(Notify::new());
        let mut state = self.lock();
        let crowded = state.crowded(from, &self.0).and_then(|from| {
            let at = state.waiting.iter().position(|waiting| waiting.from == from)?;
            state.waiting.remove(at)
        });
        state.next += 1;
        let id = state.next;
        state.waiting.push_back(Waiting { id, from, close: close.clone() });
        drop(state);
        if let Some(oldest) = &crowded {
            oldest.close.notify_one();
        }
        (Place { silent: self.clone(), id, close }, crowded.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Of which address the oldest must go before another of `from` comes.
    fn crowded(&self, from: IpAddr, limits: &Shared) -> Option<IpAddr> {
        let own = self.waiting.iter().filter(|waiting| waiting.from == from).count();
        if own >= limits.max_of_one {
            return Some(from);
        }
        if self.waiting.len() < limits.max {
            return None;
        }
        let mut counts = HashMap::new();
        for waiting in &self.waiting {
            *counts.entry(waiting.from).or_insert(0_usize) += 1;
        }
        // of those that have as many, the one whose connection is the oldest
        let most = counts.values().max().copied()?;
        self.waiting.iter().map(|waiting| waiting.from).find(|from| counts.get(from) == Some(&most))
    }
}

impl Place {
    /// Waits until the place is wanted for another. Cancel safe.
    pub(crate) async fn wanted(&self) {
        self.close.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.silent.lock().waiting.retain(|waiting| waiting.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn of(silent: &Silent) -> Vec<(u64, IpAddr)> {
        silent.lock().waiting.iter().map(|waiting| (waiting.id, waiting.from)).collect()
    }

    #[test]
    fn the_oldest_of_an_address_goes_when_it_has_its_share() {
        let silent = Silent::new(8);
        let _places: Vec<_> = (0..6).map(|_| silent.admit(ip(1)).0).collect();
        let (_place, crowded) = silent.admit(ip(1));
        assert!(crowded);
        let ids: Vec<u64> = of(&silent).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [2, 3, 4, 5, 6, 7]);
        // another address has room left
        assert!(!silent.admit(ip(2)).1);
    }

    #[test]
    fn a_full_room_loses_the_oldest_of_the_greediest() {
        let silent = Silent::new(4);
        let quiet = silent.admit(ip(9)).0;
        let _greedy: Vec<_> = (0..3).map(|_| silent.admit(ip(1)).0).collect();
        let (_place, crowded) = silent.admit(ip(2));
        assert!(crowded);
        assert_eq!(of(&silent), [(1, ip(9)), (3, ip(1)), (4, ip(1)), (5, ip(2))]);
        drop(quiet);
        assert!(!silent.admit(ip(3)).1);
    }

    #[tokio::test]
    async fn the_one_that_goes_is_told() {
        let silent = Silent::new(1);
        let first = silent.admit(ip(1)).0;
        let second = silent.admit(ip(2)).0;
        first.wanted().await;
        drop(first);
        assert_eq!(of(&silent), [(2, ip(2))]);
        drop(second);
        assert_eq!(of(&silent), []);
    }
}
