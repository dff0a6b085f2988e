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
    /// that slept: nobody is suspected for that, and everybody has `slack_us` more to be heard.
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

    /// Watches a peer from now on; one that is watched already gets the new detector.
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
        match self.peers.iter_mut().find(|peer| peer.node == node) {
            Some(peer) => peer.detector = detector,
            None => {
                self.peers.push(Watched { node, detector, suspected: false, told: false })?;
            }
        }
        Ok(())
    }

    /// Something arrived from a peer. False if it is not watched.
    ///
    /// ```
    /// use quorate_core::{Instant, NodeId};
    /// use quorate_election::detector::{Heartbeat, Watch};
    /// assert!(!Watch::<Heartbeat, 1>::new(0).heard(Instant::ZERO, NodeId::new(9)));
    /// ```
    pub fn heard(&mut self, now: Instant, node: NodeId) -> bool {
        let peer = self.peers.iter_mut().find(|peer| peer.node == node);
        let known = peer.is_some();
        if let Some(peer) = peer {
            peer.detector.heard(now);
            peer.suspected = false;
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
        for peer in self.peers.iter_mut().filter(|peer| !peer.suspected) {
            if late > self.slack_us {
                peer.detector.excuse(late.saturating_add(self.slack_us));
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
