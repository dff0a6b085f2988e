use quorate_core::{Full, InlineList, Instant, List, NodeId};

use super::Detector;

/// A detector for each of at most `N` peers, and what became of them: what an election is fed with.
///
/// [The module's page](super) shows the loop. RAM: the detectors, 24 bytes for each, and 16.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Watch<D, const N: usize> {
    peers: InlineList<Watched<D>, N>,
    slack_us: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Watched<D> {
    node: NodeId,
    detector: D,
    suspected: bool,
    told: bool,
    /// Its present silence was excused.
    excused: bool,
}

/// A peer is suspected, or is no longer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Change {
    /// Which one.
    pub node: NodeId,
    /// Whether it is suspected now.
    pub suspected: bool,
}

impl<D: Detector, const N: usize> Watch<D, N> {
    /// Watches nobody yet. When [`tick`](Self::tick) comes later than the deadline by more than `slack_us`, it was this node
    /// that slept: nobody is suspected for that, and everybody has `slack_us` from then on to be heard. Who was heard since needs no
    /// excuse, and gets none. A silence is excused once: who ticks by a period that is longer than `slack_us` is always late, and
    /// still learns who is dead.
    ///
    /// ```
    /// use quorate_election::detector::{Heartbeat, Watch};
    /// let watch = Watch::<Heartbeat, 4>::new(20_000);
    /// assert_eq!(watch.deadline(), None);
    /// ```
    #[must_use]
    pub fn new(slack_us: u64) -> Self {
        Self { peers: InlineList::with_limit(N), slack_us }
    }

    /// Watches a peer from now on; one that is watched already gets the new detector, and is not suspected until that says so.
    ///
    /// # Errors
    ///
    /// [`Full`] when there are `N` others; nothing was changed.
    ///
    /// ```
    /// use quorate_core::{Full, NodeId};
    /// use quorate_election::detector::{Heartbeat, HeartbeatConfig, Watch};
    /// let detector = Heartbeat::new(HeartbeatConfig { interval_us: 100_000, missed: 3 })?;
    /// let mut watch = Watch::<Heartbeat, 1>::new(20_000);
    /// watch.add(NodeId::new(2), detector)?;
    /// assert_eq!(watch.add(NodeId::new(3), detector), Err(Full));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(&mut self, node: NodeId, detector: D) -> Result<(), Full> {
        let mut new = Watched { node, detector, suspected: false, told: false, excused: false };
        match self.peers.iter_mut().find(|peer| peer.node == node) {
            Some(peer) => {
                new.told = peer.told;
                *peer = new;
                Ok(())
            }
            None => self.peers.push(new),
        }
    }

    /// Something arrived from a peer. False if it is not watched.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Heartbeat, Watch};
    /// assert!(!Watch::<Heartbeat, 1>::new(0).heard(Instant::ZERO, NodeId::new(9)));
    /// ```
    pub fn heard(&mut self, now: Instant, node: NodeId) -> bool {
        self.heard_as(node, |detector| detector.heard(now))
    }

    /// The heartbeat with this number arrived from a peer: [`Chen`](super::Chen) wants to know. False if it is not watched.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Change, Chen, ChenConfig, Watch};
    /// let node = NodeId::new(2);
    /// let mut watch = Watch::<Chen<8>, 1>::new(20_000);
    /// watch.add(node, Chen::new(ChenConfig { interval_us: 100_000, margin_us: 120_000 })?)?;
    /// for number in (0..50).filter(|number| number % 7 != 3) { // some get lost, and are no reason for suspicion
    ///     let now = Instant::from_millis(number * 100);
    ///     watch.tick(now);
    ///     assert!(watch.heard_number(now, node, number));
    ///     assert_eq!(watch.poll(), None);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heard_number(&mut self, now: Instant, node: NodeId, number: u64) -> bool {
        self.heard_as(node, |detector| detector.heard_number(now, number))
    }

    fn heard_as(&mut self, node: NodeId, hear: impl FnOnce(&mut D)) -> bool {
        let peer = self.peers.iter_mut().find(|peer| peer.node == node);
        let known = peer.is_some();
        if let Some(peer) = peer {
            hear(&mut peer.detector);
            (peer.suspected, peer.excused) = (false, false);
        }
        known
    }

    /// Lets time pass.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Change, Heartbeat, HeartbeatConfig, Watch};
    /// let node = NodeId::new(2);
    /// let mut watch = Watch::new(20_000);
    /// let config = HeartbeatConfig { interval_us: 100_000, missed: 3 };
    /// watch.add(node, Heartbeat::new(config)?)?;
    /// # let mut watch: Watch<Heartbeat, 2> = watch;
    /// watch.heard(Instant::ZERO, node);
    /// watch.tick(Instant::from_millis(5_000)); // this node slept for 4.7 s
    /// assert_eq!(watch.poll(), None);
    /// watch.tick(Instant::from_millis(5_021));
    /// assert_eq!(watch.poll(), Some(Change { node, suspected: true }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tick(&mut self, now: Instant) {
        let late = self.deadline().map_or(0, |deadline| now.since(deadline));
        let until = now.after(self.slack_us);
        for peer in self.peers.iter_mut().filter(|peer| !peer.suspected) {
            if late > self.slack_us && !peer.excused {
                // by when it would be suspected too early: a whole sleep on top of who was just heard would blind this node for as long
                let early = peer.detector.suspects_at().map_or(0, |at| until.since(at));
                peer.excused = early > 0;
                peer.detector.excuse(early);
            }
            peer.suspected = peer.detector.suspects(now);
        }
    }

    /// A peer that is suspected, or no longer, and was not told of yet.
    ///
    /// ```
    /// use quorate_election::detector::{Heartbeat, Watch};
    /// assert_eq!(Watch::<Heartbeat, 1>::new(0).poll(), None);
    /// ```
    pub fn poll(&mut self) -> Option<Change> {
        let peer = self.peers.iter_mut().find(|peer| peer.suspected != peer.told)?;
        peer.told = peer.suspected;
        Some(Change { node: peer.node, suspected: peer.suspected })
    }

    /// When the next peer will be suspected: [`tick`](Self::tick) then.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Heartbeat, HeartbeatConfig, Watch};
    /// let mut watch = Watch::<Heartbeat, 1>::new(20_000);
    /// let config = HeartbeatConfig { interval_us: 100_000, missed: 3 };
    /// watch.add(NodeId::new(2), Heartbeat::new(config)?)?;
    /// watch.heard(Instant::ZERO, NodeId::new(2));
    /// assert_eq!(watch.deadline(), Some(Instant::from_micros(300_001)));
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
    /// use quorate_election::detector::{Heartbeat, Watch};
    /// assert!(Watch::<Heartbeat, 1>::new(0).detector(NodeId::new(2)).is_none());
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
        Heartbeat::new(HeartbeatConfig { interval_us: 100_000, missed: 3 }).unwrap()
    }

    /// Ticks every `period` ms after the last sign of life, with a slack of 20 ms: when the peer is suspected.
    fn suspected_after(detector: impl Detector, period: u64) -> Option<u64> {
        let mut watch = Watch::<_, 1>::new(20_000);
        watch.add(NODE, detector).unwrap();
        (0..20).for_each(|n| assert!(watch.heard(ms(n * 100), NODE)));
        let times = (1..100).map(|n| n * period);
        times.into_iter().find(|at| {
            watch.tick(ms(1_900 + at));
            watch.poll().is_some()
        })
    }

    #[test]
    fn who_ticks_too_seldom_still_learns_who_is_dead() {
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
    fn every_silence_has_its_own_excuse() {
        let mut watch = Watch::<_, 1>::new(20_000);
        watch.add(NODE, heartbeat()).unwrap();
        for slept in 1..5 {
            watch.heard(ms(slept * 10_000), NODE);
            watch.tick(ms(slept * 10_000 + 5_000)); // this node slept, again
            assert_eq!(watch.poll(), None);
        }
    }

    const OTHER: NodeId = NodeId::new(3);

    /// This node sleeps for an hour; one of two is the first that it hears, and is dead from then on.
    #[test]
    fn who_was_heard_after_a_sleep_needs_no_excuse() {
        fn check(detector: impl Detector + Clone, least: u64, most: u64) {
            let mut watch = Watch::<_, 2>::new(20_000);
            watch.add(NODE, detector.clone()).unwrap();
            watch.add(OTHER, detector).unwrap();
            for n in 0..100 {
                watch.heard_number(ms(n * 100), NODE, n);
                watch.heard_number(ms(n * 100), OTHER, n);
            }
            let wake = 9_900 + 3_600_000;
            watch.heard_number(ms(wake), OTHER, 36_099);
            watch.tick(ms(wake));
            assert_eq!(watch.poll(), None);
            let at = |node| watch.detector(node).unwrap().suspects_at().unwrap().since(ms(wake));
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
    fn who_is_due_right_after_a_sleep_has_the_slack_too() {
        let mut watch = Watch::<_, 2>::new(20_000);
        watch.add(NODE, heartbeat()).unwrap();
        watch.add(OTHER, heartbeat()).unwrap();
        watch.heard(ms(0), NODE);
        watch.heard(ms(500), OTHER);
        watch.tick(ms(790)); // NODE was due at 300, OTHER is at 800
        assert_eq!(watch.deadline(), Some(ms(810)));
        watch.tick(ms(809));
        assert_eq!(watch.poll(), None);
        watch.tick(ms(811));
        assert_eq!(
            [watch.poll(), watch.poll()].map(|c| c.map(|c| c.node)),
            [NODE, OTHER].map(Some)
        );
    }

    #[test]
    fn phi_is_calm_after_a_sleep() {
        let phi = || NormalPhi::<64>::new(PhiConfig::for_interval(100_000)).unwrap();
        let mut watch = Watch::<_, 2>::new(20_000);
        [NODE, OTHER].into_iter().for_each(|node| watch.add(node, phi()).unwrap());
        let heard = |watch: &mut Watch<_, 2>, now| {
            [NODE, OTHER].into_iter().for_each(|node| assert!(watch.heard(now, node)));
        };
        (0..100).for_each(|n| heard(&mut watch, ms(n * 100)));
        let wake = 9_900 + 60_000;
        watch.heard(ms(wake), OTHER);
        watch.tick(ms(wake));
        watch.heard(ms(wake), NODE);
        for n in 1..1_000 {
            let now = ms(wake + n * 100 + n % 7 * 8);
            watch.tick(now);
            assert_eq!(watch.poll(), None, "heartbeat {n}");
            heard(&mut watch, now);
        }
    }

    #[test]
    fn a_new_detector_begins_anew() {
        let mut watch = Watch::<_, 1>::new(20_000);
        watch.add(NODE, heartbeat()).unwrap();
        watch.heard(ms(0), NODE);
        watch.tick(ms(301));
        assert_eq!(watch.poll(), Some(Change { node: NODE, suspected: true }));
        watch.add(NODE, heartbeat()).unwrap();
        assert_eq!(watch.poll(), Some(Change { node: NODE, suspected: false }));
    }
}
