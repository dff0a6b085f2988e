use quorate_core::Rng;

use crate::partition::Partition;
use crate::swarm::random_around;
use crate::{Marks, Swarm};

/// Encoded messages on their way, and what the network does to them.
pub(crate) struct Network {
    rng: Rng,
    pub(crate) partition: Partition,
    /// Each link's least delay, in µs.
    delays: Vec<u64>,
    nodes: usize,
    /// When each link has sent all that was posted, in µs.
    busy: Vec<u64>,
    /// Old messages, for replays.
    old_messages: Vec<Envelope>,
    /// The network does no more harm than a short delay.
    pub(crate) calm: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) bytes: Vec<u8>,
    /// How many messages had been sent when this one was, itself included.
    pub(crate) order: u64,
}

/// How many old messages are kept.
const MAX_OLD_MESSAGES: usize = 64;

/// What waits for a slow link longer than this, in µs, is dropped, as by a queue that is bounded.
const LINK_QUEUE_US: u64 = 1_000_000;
/// A wait that counts, in µs: more than an election timeout has to spare.
const BULK_DELAY_US: u64 = 50_000;

/// The longest delay once the network is calm, in µs: far below an election timeout.
const CALM_DELAY_US: u64 = 5_000;

impl Network {
    pub(crate) fn new(swarm: &Swarm, mut rng: Rng) -> Self {
        let nodes = swarm.nodes;
        let link = |rng: &mut Rng| swarm.delay_min_us + rng.below(swarm.delay_mean_us + 1);
        let delays = (0..nodes * nodes).map(|_| link(&mut rng)).collect();
        let (partition, busy) = (Partition::none(nodes), vec![0; nodes * nodes]);
        Self { rng, partition, delays, nodes, busy, old_messages: Vec::new(), calm: false }
    }

    /// Drops the old messages from and to a node.
    pub(crate) fn drop_old_messages(&mut self, node: usize) {
        self.old_messages.retain(|envelope| envelope.from != node && envelope.to != node);
    }

    /// Takes a message at a time in µs. Returns the messages that arrive because of it, each with
    /// its delay: none if it is lost, two if it is duplicated, and perhaps an old one besides.
    pub(crate) fn send(
        &mut self,
        now: u64,
        envelope: Envelope,
        swarm: &Swarm,
        marks: &mut Marks,
    ) -> Vec<(u64, Envelope)> {
        let mut arrivals = Vec::new();
        if self.calm {
            let delay = self.rng.below(CALM_DELAY_US);
            arrivals.push((delay, envelope));
            return arrivals;
        }
        if self.rng.chance(swarm.replay, 1000) {
            self.replay(&envelope, marks, &mut arrivals);
        }
        if self.rng.chance(swarm.loss, 1000) {
            marks.hit("message lost");
            return arrivals;
        }
        let Some(behind) = self.queueing_delay(now, &envelope, swarm, marks) else {
            return arrivals;
        };
        if self.rng.chance(swarm.duplicate, 1000) {
            marks.hit("message duplicated");
            let delay = behind + self.delay(&envelope, swarm, marks);
            arrivals.push((delay, envelope.clone()));
        }
        let delay = behind + self.delay(&envelope, swarm, marks);
        arrivals.push((delay, envelope));
        arrivals
    }

    /// How long a message waits for those before it on its link, and takes itself; `None` if too much waits already.
    fn queueing_delay(
        &mut self,
        now: u64,
        envelope: &Envelope,
        swarm: &Swarm,
        marks: &mut Marks,
    ) -> Option<u64> {
        let busy = self.busy.get_mut(envelope.from * self.nodes + envelope.to)?;
        if swarm.bandwidth == 0 {
            return Some(0);
        }
        let waits = busy.saturating_sub(now);
        if waits > LINK_QUEUE_US {
            marks.hit("link full");
            return None;
        }
        if waits > BULK_DELAY_US {
            marks.hit("message delayed by bulk");
        }
        let takes = envelope.bytes.len() as u64 * 1_000_000 / swarm.bandwidth;
        *busy = now + waits + takes;
        Some(waits + takes)
    }

    /// Keeps a message for later, and sends one that was kept.
    fn replay(
        &mut self,
        envelope: &Envelope,
        marks: &mut Marks,
        arrivals: &mut Vec<(u64, Envelope)>,
    ) {
        if self.old_messages.len() < MAX_OLD_MESSAGES {
            self.old_messages.push(envelope.clone());
            return;
        }
        let at = self.rng.below(MAX_OLD_MESSAGES as u64) as usize;
        if let Some(slot) = self.old_messages.get_mut(at) {
            let old = core::mem::replace(slot, envelope.clone());
            marks.hit("old message replayed");
            arrivals.push((self.rng.below(50_000), old));
        }
    }

    fn delay(&mut self, envelope: &Envelope, swarm: &Swarm, marks: &mut Marks) -> u64 {
        let least = self.delays.get(envelope.from * self.nodes + envelope.to).copied().unwrap_or(0);
        let mut delay = least + random_around(&mut self.rng, swarm.delay_mean_us);
        if self.rng.chance(swarm.spike, 1000) {
            marks.hit("message late");
            delay = (delay * 100).min(2_000_000);
        }
        delay
    }
}
