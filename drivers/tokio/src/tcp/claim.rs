use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Which incoming connection counts as a peer's, one at a time.
///
/// A hello proves nothing, so whoever says the peer's name first could be unseated by whoever says it next. These rules bound the
/// harm of a process that pretends to be the peer, and let the peer in after a restart:
///
/// * A connection that has not delivered a frame yet is replaced by a newer one.
/// * One that has, and was heard within the last [`silence`](Self::new), is replaced only by the same process at the same address
///   (it knows that its old connection is gone), and that at most once each [`PAUSE`].
/// * One that fell silent for longer is replaced: a machine that lost its power does not close its connections.
#[derive(Debug)]
pub(crate) struct Claim {
    silence: Duration,
    state: Mutex<State>,
    replaced: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers the connections.
    last: u64,
    holder: Option<Holder>,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    claimant: Claimant,
    since: Instant,
    /// When its last frame came.
    heard: Option<Instant>,
}

/// Who says a peer's name: a process, by its incarnation, and where it connects from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claimant {
    pub(crate) incarnation: u64,
    pub(crate) from: IpAddr,
}

/// The peer is connected already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Occupied;

/// The shortest time between two connections of the same process, each of which delivered something.
const PAUSE: Duration = Duration::from_millis(100);

impl Claim {
    /// A connection that was silent for this long may be replaced by anybody.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { silence, state: Mutex::default(), replaced: Notify::new() }
    }

    /// Makes a connection the one that counts; gives its number.
    ///
    /// # Errors
    ///
    /// [`Occupied`] when another keeps its place.
    pub(crate) fn take(&self, claimant: Claimant) -> Result<u64, Occupied> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(holder) = &state.holder
            && let Some(heard) = holder.heard
        {
            let same = holder.claimant == claimant;
            let patience = if same { PAUSE } else { self.silence };
            let since = if same { holder.since } else { heard };
            if now.duration_since(since) < patience {
                return Err(Occupied);
            }
        }
        state.last += 1;
        let number = state.last;
        state.holder = Some(Holder { number, claimant, since: now, heard: None });
        drop(state);
        self.replaced.notify_waiters();
        Ok(number)
    }

    /// A frame came over a connection.
    pub(crate) fn heard(&self, number: u64) {
        let now = Instant::now();
        if let Some(holder) = &mut self.lock().holder
            && holder.number == number
        {
            holder.heard = Some(now);
        }
    }

    /// A connection ended.
    pub(crate) fn release(&self, number: u64) {
        let mut state = self.lock();
        state.holder.take_if(|holder| holder.number == number);
    }

    /// Whether no connection counts.
    pub(crate) fn is_free(&self) -> bool {
        self.lock().holder.is_none()
    }

    /// The connection that counts, if there is one, is to end.
    pub(crate) fn revoke(&self) {
        self.lock().holder = None;
        self.replaced.notify_waiters();
    }

    /// Waits until a connection does not count any more. Cancel safe.
    pub(crate) async fn lost(&self, number: u64) {
        loop {
            let replaced = self.replaced.notified();
            tokio::pin!(replaced);
            replaced.as_mut().enable();
            if self.lock().holder.as_ref().is_none_or(|holder| holder.number != number) {
                return;
            }
            replaced.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a node of this id is connected and was heard just now: do two processes run under \
             one id?",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::time::advance;

    const SILENCE: Duration = Duration::from_secs(2);

    fn claimant(incarnation: u64) -> Claimant {
        Claimant { incarnation, from: IpAddr::from([10, 0, 0, 1]) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_wins_while_nothing_was_heard() {
        let claim = Claim::new(SILENCE);
        let first = claim.take(claimant(1)).unwrap();
        let second = claim.take(claimant(2)).unwrap();
        claim.lost(first).await;
        claim.heard(first);
        assert!(claim.take(claimant(1)).is_ok(), "a frame of a connection that does not count");
        claim.release(second);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_heard_keeps_its_place_until_it_falls_silent() {
        let claim = Claim::new(SILENCE);
        let first = claim.take(claimant(1)).unwrap();
        for _ in 0..1000 {
            claim.heard(first);
            advance(Duration::from_millis(4)).await;
            assert_eq!(claim.take(claimant(2)), Err(Occupied));
        }
        let elsewhere = Claimant { from: IpAddr::from([10, 0, 0, 2]), ..claimant(1) };
        assert_eq!(claim.take(elsewhere), Err(Occupied));
        advance(SILENCE).await;
        let second = claim.take(claimant(2)).unwrap();
        claim.lost(first).await;
        claim.heard(second);
        // one that ended leaves its place at once
        claim.release(second);
        assert!(claim.take(claimant(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_may_replace_its_own_connection_now_and_then() {
        let claim = Claim::new(SILENCE);
        let first = claim.take(claimant(1)).unwrap();
        claim.heard(first);
        assert_eq!(claim.take(claimant(1)), Err(Occupied));
        advance(PAUSE).await;
        let second = claim.take(claimant(1)).unwrap();
        claim.lost(first).await;
        claim.revoke();
        claim.lost(second).await;
    }
}
