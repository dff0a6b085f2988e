use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Which incoming connection counts as a peer's, one at a time.
///
/// A hello proves nothing, so the first process that uses the peer's name could be replaced by the
/// next one. These rules bound the harm of a process that pretends to be the peer, and let the peer
/// in after a restart:
///
/// * A connection that has not delivered a frame yet is replaced by a newer one.
/// * One that has, and was heard within the last [timeout](Self::new), is replaced only
///   by the same process at the same address (it knows that its old connection is gone), and that
///   at most once each [`MIN_REPLACE_INTERVAL`].
/// * One that fell silent for longer is replaced: a machine that lost its power does not close its
///   connections.
#[derive(Debug)]
pub(crate) struct ActiveConnection {
    silence_timeout: Duration,
    state: Mutex<State>,
    replaced: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers the connections.
    last: u64,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u64,
    process: PeerProcess,
    since: Instant,
    /// When its last frame came.
    frame_received: Option<Instant>,
}

/// A process that uses a peer's name: its incarnation, and where it connects from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PeerProcess {
    pub(crate) incarnation: u64,
    pub(crate) from: IpAddr,
}

/// The peer is connected already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AlreadyConnected;

/// The shortest time between two connections of the same process, each of which delivered
/// something.
const MIN_REPLACE_INTERVAL: Duration = Duration::from_millis(100);

impl ActiveConnection {
    /// A connection that was silent for this long may be replaced by anybody.
    pub(crate) fn new(silence_timeout: Duration) -> Self {
        Self { silence_timeout, state: Mutex::default(), replaced: Notify::new() }
    }

    /// Makes a connection the one that counts; gives its number.
    ///
    /// # Errors
    ///
    /// [`AlreadyConnected`] when another keeps its place.
    pub(crate) fn replace(&self, process: PeerProcess) -> Result<u64, AlreadyConnected> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(current) = &state.current
            && let Some(frame_received) = current.frame_received
        {
            let same = current.process == process;
            let patience = if same { MIN_REPLACE_INTERVAL } else { self.silence_timeout };
            let since = if same { current.since } else { frame_received };
            if now.duration_since(since) < patience {
                return Err(AlreadyConnected);
            }
        }
        state.last += 1;
        let number = state.last;
        state.current = Some(Current { number, process, since: now, frame_received: None });
        drop(state);
        self.replaced.notify_waiters();
        Ok(number)
    }

    /// A frame came over a connection.
    pub(crate) fn frame_received(&self, number: u64) {
        let now = Instant::now();
        if let Some(current) = &mut self.lock().current
            && current.number == number
        {
            current.frame_received = Some(now);
        }
    }

    /// A connection ended.
    pub(crate) fn release(&self, number: u64) {
        let mut state = self.lock();
        state.current.take_if(|current| current.number == number);
    }

    /// Whether no connection counts.
    pub(crate) fn is_none(&self) -> bool {
        self.lock().current.is_none()
    }

    /// The connection that counts, if there is one, is to end.
    pub(crate) fn close(&self) {
        self.lock().current = None;
        self.replaced.notify_waiters();
    }

    /// Waits until a connection does not count any more. Cancel safe.
    pub(crate) async fn replaced_by_another(&self, number: u64) {
        loop {
            let replaced = self.replaced.notified();
            tokio::pin!(replaced);
            replaced.as_mut().enable();
            if self.lock().current.as_ref().is_none_or(|current| current.number != number) {
                return;
            }
            replaced.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for AlreadyConnected {
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

    fn process(incarnation: u64) -> PeerProcess {
        PeerProcess { incarnation, from: IpAddr::from([10, 0, 0, 1]) }
    }

    #[tokio::test(start_paused = true)]
    async fn newest_connection_wins_before_the_first_frame() {
        let active = ActiveConnection::new(SILENCE);
        let first = active.replace(process(1)).unwrap();
        let second = active.replace(process(2)).unwrap();
        active.replaced_by_another(first).await;
        active.frame_received(first);
        assert!(active.replace(process(1)).is_ok(), "a frame of a connection that does not count");
        active.release(second);
    }

    #[tokio::test(start_paused = true)]
    async fn active_connection_is_kept_until_it_is_silent() {
        let active = ActiveConnection::new(SILENCE);
        let first = active.replace(process(1)).unwrap();
        for _ in 0..1000 {
            active.frame_received(first);
            advance(Duration::from_millis(4)).await;
            assert_eq!(active.replace(process(2)), Err(AlreadyConnected));
        }
        let elsewhere = PeerProcess { from: IpAddr::from([10, 0, 0, 2]), ..process(1) };
        assert_eq!(active.replace(elsewhere), Err(AlreadyConnected));
        advance(SILENCE).await;
        let second = active.replace(process(2)).unwrap();
        active.replaced_by_another(first).await;
        active.frame_received(second);
        // one that ended leaves its place at once
        active.release(second);
        assert!(active.replace(process(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn process_may_replace_its_own_connection_rarely() {
        let active = ActiveConnection::new(SILENCE);
        let first = active.replace(process(1)).unwrap();
        active.frame_received(first);
        assert_eq!(active.replace(process(1)), Err(AlreadyConnected));
        advance(MIN_REPLACE_INTERVAL).await;
        let second = active.replace(process(1)).unwrap();
        active.replaced_by_another(first).await;
        active.close();
        active.replaced_by_another(second).await;
    }
}
