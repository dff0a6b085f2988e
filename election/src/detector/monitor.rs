use quorate_core::{Full, InlineList, Instant, List, NodeId};

use super::Detector;

/// Monitors at most `PEERS` peers, with a detector for each: what an election is fed with.
///
/// [The module's page](super) shows the loop.
///
/// | parameter | unit | at most | when it is full | RAM for each |
/// |---|---|---|---|---|
/// | `PEERS` | peers | what memory allows | [`add`](Self::add) gives [`Full`] | the detector and 24 bytes |
///
/// and 16 bytes in all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Monitor<D, const PEERS: usize> {
    peers: InlineList<MonitoredPeer<D>, PEERS>,
    slack_us: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct MonitoredPeer<D> {
    node: NodeId,
    detector: D,
    suspected: bool,
    reported: bool,
    /// A local pause in its present silence was ignored.
    pause_ignored: bool,
}

/// A peer became suspected, or is no longer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SuspicionChange {
    /// Which one.
    pub node: NodeId,
    /// Whether it is suspected now.
    pub suspected: bool,
}

impl<D: Detector, const PEERS: usize> Monitor<D, PEERS> {
    /// Monitors no peer yet. When [`tick`](Self::tick) comes later than the deadline by more than
    /// `slack_us`, it was this node that paused: no peer is suspected for that, and each has
    /// `slack_us` from then on to send a heartbeat. A local pause is ignored once per silence: a
    /// node that ticks by a period longer than `slack_us` is always late, and still detects dead
    /// peers.
    ///
    /// ```
    /// use quorate_election::detector::{Heartbeat, Monitor};
    /// let monitor = Monitor::<Heartbeat, 4>::new(20_000);
    /// assert_eq!(monitor.deadline(), None);
    /// ```
    #[must_use]
    pub fn new(slack_us: u64) -> Self {
        Self { peers: InlineList::with_limit(PEERS), slack_us }
    }

    /// Watches a peer from now on; one that is watched already gets the new detector, and is not
    /// suspected until that says so.
    ///
    /// # Errors
    ///
    /// [`Full`] when there are `PEERS` others; nothing was changed.
    ///
    /// ```
    /// use quorate_core::{Full, NodeId};
    /// use quorate_election::detector::{Heartbeat, HeartbeatConfig, Monitor};
    /// let detector = Heartbeat::new(HeartbeatConfig { interval_us: 100_000, max_missed: 3 })?;
    /// let mut monitor = Monitor::<Heartbeat, 1>::new(20_000);
    /// monitor.add(NodeId::new(2), detector)?;
    /// assert_eq!(monitor.add(NodeId::new(3), detector), Err(Full));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(&mut self, node: NodeId, detector: D) -> Result<(), Full> {
        let mut new = MonitoredPeer {
            node,
            detector,
            suspected: false,
            reported: false,
            pause_ignored: false,
        };
        match self.peers.iter_mut().find(|peer| peer.node == node) {
            Some(peer) => {
                new.reported = peer.reported;
                *peer = new;
                Ok(())
            }
            None => self.peers.push(new),
        }
    }

    /// Records a message from a peer. False if it is not monitored.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Heartbeat, Monitor};
    /// assert!(!Monitor::<Heartbeat, 1>::new(0).heartbeat(Instant::ZERO, NodeId::new(9)));
    /// ```
    pub fn heartbeat(&mut self, now: Instant, node: NodeId) -> bool {
        self.record(node, |detector| detector.heartbeat(now))
    }

    /// The heartbeat with this number arrived from a peer: [`Chen`](super::Chen) wants to know.
    /// False if it is not watched.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{SuspicionChange, Chen, ChenConfig, Monitor};
    /// let node = NodeId::new(2);
    /// let mut monitor = Monitor::<Chen<8>, 1>::new(20_000);
    /// monitor.add(node, Chen::new(ChenConfig { interval_us: 100_000, margin_us: 120_000 })?)?;
    /// for number in (0..50).filter(|number| number % 7 != 3) { // some get lost, and are no reason for suspicion
    ///     let now = Instant::from_millis(number * 100);
    ///     monitor.tick(now);
    ///     assert!(monitor.heartbeat_numbered(now, node, number));
    ///     assert_eq!(monitor.poll(), None);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heartbeat_numbered(&mut self, now: Instant, node: NodeId, number: u64) -> bool {
        self.record(node, |detector| detector.heartbeat_numbered(now, number))
    }

    fn record(&mut self, node: NodeId, record_in: impl FnOnce(&mut D)) -> bool {
        let peer = self.peers.iter_mut().find(|peer| peer.node == node);
        let known = peer.is_some();
        if let Some(peer) = peer {
            record_in(&mut peer.detector);
            (peer.suspected, peer.pause_ignored) = (false, false);
        }
        known
    }

    /// Lets time pass.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{SuspicionChange, Heartbeat, HeartbeatConfig, Monitor};
    /// let node = NodeId::new(2);
    /// let mut monitor = Monitor::new(20_000);
    /// let config = HeartbeatConfig { interval_us: 100_000, max_missed: 3 };
    /// monitor.add(node, Heartbeat::new(config)?)?;
    /// # let mut monitor: Monitor<Heartbeat, 2> = monitor;
    /// monitor.heartbeat(Instant::ZERO, node);
    /// monitor.tick(Instant::from_millis(5_000)); // this node slept for 4.7 s
    /// assert_eq!(monitor.poll(), None);
    /// monitor.tick(Instant::from_millis(5_021));
    /// assert_eq!(monitor.poll(), Some(SuspicionChange { node, suspected: true }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tick(&mut self, now: Instant) {
        let late = self.deadline().map_or(0, |deadline| now.since(deadline));
        let until = now.after(self.slack_us);
        for peer in self.peers.iter_mut().filter(|peer| !peer.suspected) {
            if late > self.slack_us && !peer.pause_ignored {
                // by when it would be suspected too early: a whole sleep on top of who was just
                // heard would blind this node for as long
                let early = peer.detector.suspects_at().map_or(0, |at| until.since(at));
                peer.pause_ignored = early > 0;
                peer.detector.ignore_local_pause(early);
            }
            peer.suspected = peer.detector.suspects(now);
        }
    }

    /// The next change that was not reported yet.
    ///
    /// ```
    /// use quorate_election::detector::{Heartbeat, Monitor};
    /// assert_eq!(Monitor::<Heartbeat, 1>::new(0).poll(), None);
    /// ```
    pub fn poll(&mut self) -> Option<SuspicionChange> {
        let peer = self.peers.iter_mut().find(|peer| peer.suspected != peer.reported)?;
        peer.reported = peer.suspected;
        Some(SuspicionChange { node: peer.node, suspected: peer.suspected })
    }

    /// When the next peer will be suspected: [`tick`](Self::tick) then.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Heartbeat, HeartbeatConfig, Monitor};
    /// let mut monitor = Monitor::<Heartbeat, 1>::new(20_000);
    /// let config = HeartbeatConfig { interval_us: 100_000, max_missed: 3 };
    /// monitor.add(NodeId::new(2), Heartbeat::new(config)?)?;
    /// monitor.heartbeat(Instant::ZERO, NodeId::new(2));
    /// assert_eq!(monitor.deadline(), Some(Instant::from_micros(300_001)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.peers.iter().filter(|peer| !peer.suspected);
        waiting.filter_map(|peer| peer.detector.suspects_at()).min()
    }

    /// The detector of a peer.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_election::detector::{Heartbeat, Monitor};
    /// assert!(Monitor::<Heartbeat, 1>::new(0).detector(NodeId::new(2)).is_none());
    /// ```
    #[must_use]
    pub fn detector(&self, node: NodeId) -> Option<&D> {
        self.peers.iter().find(|peer| peer.node == node).map(|peer| &peer.detector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::{Chen, ChenConfig, Heartbeat, HeartbeatConfig, NormalPhi, PhiConfig};

    const NODE: NodeId = NodeId::new(2);

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn heartbeat() -> Heartbeat {
        Heartbeat::new(HeartbeatConfig { interval_us: 100_000, max_missed: 3 }).unwrap()
    }

    /// Ticks every `period` ms after the last sign of life, with a slack of 20 ms: when the peer is
    /// suspected.
    fn suspected_after(detector: impl Detector, period: u64) -> Option<u64> {
        let mut monitor = Monitor::<_, 1>::new(20_000);
        monitor.add(NODE, detector).unwrap();
        (0..20).for_each(|n| assert!(monitor.heartbeat(ms(n * 100), NODE)));
        let times = (1..100).map(|n| n * period);
        times.into_iter().find(|at| {
            monitor.tick(ms(1_900 + at));
            monitor.poll().is_some()
        })
    }

    #[test]
    fn rare_ticks_still_detect_dead_peers() {
        for period in [50, 100, 250, 1_000, 10_000] {
            let chen = Chen::<8>::new(ChenConfig { interval_us: 100_000, margin_us: 50_000 });
            let phi = NormalPhi::<8>::new(PhiConfig::for_interval(100_000));
            for after in [
                suspected_after(heartbeat(), period),
                suspected_after(chen.unwrap(), period),
                suspected_after(phi.unwrap(), period),
            ] {
                assert!(after.is_some_and(|after| after <= 400 + 2 * period), "{period} {after:?}");
            }
        }
    }

    #[test]
    fn local_pause_is_ignored_once_per_silence() {
        let mut monitor = Monitor::<_, 1>::new(20_000);
        monitor.add(NODE, heartbeat()).unwrap();
        for slept in 1..5 {
            monitor.heartbeat(ms(slept * 10_000), NODE);
            monitor.tick(ms(slept * 10_000 + 5_000)); // this node slept, again
            assert_eq!(monitor.poll(), None);
        }
    }

    const OTHER: NodeId = NodeId::new(3);

    /// This node sleeps for an hour; one of two is the first that it hears, and is dead from then
    /// on.
    #[test]
    fn peer_heard_after_pause_needs_no_extension() {
        fn check(detector: impl Detector + Clone, least: u64, most: u64) {
            let mut monitor = Monitor::<_, 2>::new(20_000);
            monitor.add(NODE, detector.clone()).unwrap();
            monitor.add(OTHER, detector).unwrap();
            for n in 0..100 {
                monitor.heartbeat_numbered(ms(n * 100), NODE, n);
                monitor.heartbeat_numbered(ms(n * 100), OTHER, n);
            }
            let wake = 9_900 + 3_600_000;
            monitor.heartbeat_numbered(ms(wake), OTHER, 36_099);
            monitor.tick(ms(wake));
            assert_eq!(monitor.poll(), None);
            let at = |node| monitor.detector(node).unwrap().suspects_at().unwrap().since(ms(wake));
            assert!((20_000..25_000).contains(&at(NODE)), "{}", at(NODE));
            assert!((least..most).contains(&at(OTHER)), "{}", at(OTHER));
        }
        check(heartbeat(), 300_000, 300_002);
        let chen = Chen::<64>::new(ChenConfig { interval_us: 100_000, margin_us: 120_000 });
        check(chen.unwrap(), 220_000, 220_002);
        let phi = NormalPhi::<64>::new(PhiConfig::for_interval(100_000));
        check(phi.unwrap(), 150_000, 400_000);
    }

    /// One is due when this node wakes, and one a moment later: what they sent may still be unread.
    #[test]
    fn peer_due_right_after_pause_gets_slack() {
        let mut monitor = Monitor::<_, 2>::new(20_000);
        monitor.add(NODE, heartbeat()).unwrap();
        monitor.add(OTHER, heartbeat()).unwrap();
        monitor.heartbeat(ms(0), NODE);
        monitor.heartbeat(ms(500), OTHER);
        monitor.tick(ms(790)); // NODE was due at 300, OTHER is at 800
        assert_eq!(monitor.deadline(), Some(ms(810)));
        monitor.tick(ms(809));
        assert_eq!(monitor.poll(), None);
        monitor.tick(ms(811));
        assert_eq!(
            [monitor.poll(), monitor.poll()].map(|c| c.map(|c| c.node)),
            [NODE, OTHER].map(Some)
        );
    }

    #[test]
    fn phi_is_unaffected_by_local_pause() {
        let phi = || NormalPhi::<64>::new(PhiConfig::for_interval(100_000)).unwrap();
        let mut monitor = Monitor::<_, 2>::new(20_000);
        [NODE, OTHER].into_iter().for_each(|node| monitor.add(node, phi()).unwrap());
        let heard = |monitor: &mut Monitor<_, 2>, now| {
            [NODE, OTHER].into_iter().for_each(|node| assert!(monitor.heartbeat(now, node)));
        };
        (0..100).for_each(|n| heard(&mut monitor, ms(n * 100)));
        let wake = 9_900 + 60_000;
        monitor.heartbeat(ms(wake), OTHER);
        monitor.tick(ms(wake));
        monitor.heartbeat(ms(wake), NODE);
        for n in 1..1_000 {
            let now = ms(wake + n * 100 + n % 7 * 8);
            monitor.tick(now);
            assert_eq!(monitor.poll(), None, "heartbeat {n}");
            heard(&mut monitor, now);
        }
    }

    #[test]
    fn replaced_detector_starts_fresh() {
        let mut monitor = Monitor::<_, 1>::new(20_000);
        monitor.add(NODE, heartbeat()).unwrap();
        monitor.heartbeat(ms(0), NODE);
        monitor.tick(ms(301));
        assert_eq!(monitor.poll(), Some(SuspicionChange { node: NODE, suspected: true }));
        monitor.add(NODE, heartbeat()).unwrap();
        assert_eq!(monitor.poll(), Some(SuspicionChange { node: NODE, suspected: false }));
    }
}
