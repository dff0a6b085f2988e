//! Failure detectors: who is still there, judged by when it was last heard.
//!
//! A detector is plain data beside each monitored peer. It is called when something arrived
//! ([`Detector::heartbeat`]), and asked whether the silence since then is suspicious
//! ([`Detector::suspects`]), or when it will be ([`Detector::suspects_at`]: the deadline to sleep
//! until). Only the local clock counts, and only the time of arrival. Any traffic will do, not just
//! heartbeats, but for [`Chen`].
//!
//! | | suspects after | knows | RAM at 64 samples |
//! |---|---|---|---|
//! | [`Heartbeat`] | K intervals of silence | nothing: the interval is given | 16 B |
//! | [`NormalPhi`] | silence that a normal distribution of the intervals makes as unlikely as `10^-phi` (Hayashibara et al. 2004; Akka) | mean and deviation | 296 B |
//! | [`ExponentialPhi`] | the same for an exponential distribution: `phi` times 2.3 mean intervals (Cassandra, 2010) | mean | 288 B |
//! | [`Chen`] | the expected arrival of the next heartbeat plus a margin (Chen, Toueg and Aguilera 2002, NFD-E) | how late heartbeats are | 296 B |
//!
//! The two phis are different scales: after one mean interval of silence the exponential one is 0.43 whatever the jitter, the
//! normal one depends on the deviation. A threshold of 8 is 18.4 mean intervals for one, and mean plus 5.2 deviations for the
//! other.
//!
//! All arithmetic is on integers; sums are exact, so windows do not drift. There are no infinities: phi ends at 1000.
//!
//! # How a detector feeds an election
//!
//! [`Monitor`] keeps a detector for each peer. Every message that arrives goes to both, every
//! change of mind to the election:
//!
//! ```
//! use quorate_core::{Instant, Machine, NodeId, Output};
//! use quorate_election::detector::{NormalPhi, PhiConfig, Monitor};
//! use quorate_election::{Bully, Config, Inline, Role, Takeover};
//!
//! let ids = [1, 2].map(NodeId::new);
//! // the election's own timeout is only the last resort now
//! let config = Config { leader_timeout_us: 5_000_000, takeover: Takeover::Keep, ..Config::lan() };
//! let mut election = Bully::<Inline<2>>::new(ids[0], &ids, config)?;
//! let mut monitor = Monitor::<NormalPhi<64>, 1>::new(20_000);
//! monitor.add(ids[1], NormalPhi::new(PhiConfig::for_interval(100_000))?)?;
//!
//! let alive = quorate_election::bully::Message::Alive {
//!     epoch: quorate_election::Epoch::from_token(33),
//!     round: 0,
//! };
//! let mut now = Instant::ZERO;
//! for _ in 0..10 {
//!     monitor.heartbeat(now, ids[1]); // whatever it was
//!     election.receive(now, ids[1], alive)?;
//!     now = now.after(100_000);
//! }
//! // The leader falls silent. Sleep until the earlier deadline; one that waits for nothing has none:
//! let deadlines = [monitor.deadline(), election.deadline()];
//! let wake = deadlines.into_iter().flatten().min().ok_or("nothing to wait for")?;
//! assert!(wake < Instant::from_millis(1_600)); // long before the 5 s
//! monitor.tick(wake);
//! election.tick(wake);
//! while let Some(change) = monitor.poll() {
//!     if change.suspected {
//!         election.suspect(wake, change.node);
//!     }
//! }
//! assert_eq!(election.status().role, Role::Candidate);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to mind
//!
//! * A detector without any heartbeat suspects nobody. Call [`heartbeat`](Detector::heartbeat) once
//!   when the watch begins.
//! * [`Chen`] wants heartbeats that are numbered: hand the numbers to
//!   [`heartbeat_numbered`](Detector::heartbeat_numbered) or [`Monitor::heartbeat_numbered`]. With
//!   any other traffic it has to guess which heartbeat that is.
//! * A lost heartbeat is a silence of two intervals. A detector that is to ride out losses must tolerate as much: [`Heartbeat`] by
//!   `max_missed`, [`Chen`] by a margin above the interval, phi by a `pause_us` of the interval (until it has learnt that losses happen).
//! * Intervals may be microseconds or days; nothing is cut off. Radios that are heard every hour are configured like a network is.
//! * Traffic in bursts teaches a phi detector that the peer is heard very often. Where anything but heartbeats feeds it, set
//!   `pause_us` to the interval of the heartbeats: then no burst makes it suspect a peer whose next heartbeat is in time.
//! * After an outage the silence itself is no sample: it counts as no longer than what was tolerated, so one failure does not
//!   blind the window to the next.
//! * If it was *this* node that slept, everybody seems silent. [`Monitor`] detects that it was
//!   called late, and ignores that pause for those that were not heard since.

mod chen;
mod exponential;
mod heartbeat;
mod monitor;
mod normal;
mod phi;
mod window;

pub use chen::{Chen, ChenConfig};
pub use exponential::ExponentialPhi;
pub use heartbeat::{Heartbeat, HeartbeatConfig};
pub use monitor::{Monitor, SuspicionChange};
pub use normal::NormalPhi;
pub use phi::{Phi, PhiConfig};

use quorate_core::Instant;

/// What all detectors have in common.
pub trait Detector {
    /// Records a heartbeat, or any message, of the peer. `now` is this node's monotonic clock; a
    /// time before the last one counts as the last.
    fn heartbeat(&mut self, now: Instant);

    /// The peer's heartbeat with this number arrived; numbers grow by 1 with each that is sent. Only [`Chen`] makes use of numbers: to
    /// others it is the same as [`heartbeat`](Self::heartbeat).
    ///
    /// ```
    /// use quorate_core::Instant;
    /// use quorate_election::detector::{Chen, ChenConfig, Detector};
    /// let mut detector = Chen::<32>::new(ChenConfig { interval_us: 100_000, margin_us: 50_000 })?;
    /// detector.heartbeat_numbered(Instant::ZERO, 7);
    /// let at = detector.suspects_at();
    /// detector.heartbeat_numbered(Instant::from_millis(40), 6); // late
    /// assert_eq!(detector.suspects_at(), at);
    /// # Ok::<(), quorate_election::ConfigError>(())
    /// ```
    fn heartbeat_numbered(&mut self, now: Instant, number: u64) {
        let _ = number;
        self.heartbeat(now);
    }

    /// Whether the silence is suspicious by now. Once it is, it stays so until something is heard.
    fn suspects(&self, now: Instant) -> bool;

    /// The first instant at which [`suspects`](Self::suspects) will say so, if nothing is heard until then; `None` if nothing
    /// was ever heard.
    fn suspects_at(&self) -> Option<Instant>;

    /// Ignores so many µs of the present silence: a local pause, in which this node could not
    /// receive.
    fn ignore_local_pause(&mut self, us: u64);
}

/// The first number from 1 on that is suspicious, among those of so many bits: bit by bit, as boards have no instruction for the
/// roots and divisions that would tell directly. Whatever follows a suspicious number must be suspicious, and 0 must not be.
fn first_suspicious(bits: u32, suspicious: impl Fn(u64) -> bool) -> u64 {
    let mut last: u64 = 0;
    let mut bit = 1_u64.wrapping_shl(bits.saturating_sub(1));
    while bit > 0 {
        if !suspicious(last | bit) {
            last |= bit;
        }
        bit >>= 1;
    }
    last.saturating_add(1)
}
