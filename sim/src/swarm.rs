use quorate_core::Rng;

/// The probabilities of one run, each drawn from its seed; some faults are off altogether in some runs ("swarm testing": Groce
/// et al., ISSTA 2012), as a fault that is always on can hide what another would find.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Nodes in the cluster.
    pub nodes: usize,
    /// Run on the inline storage with its small limits.
    pub small: bool,
    /// How long chaos lasts, in µs.
    pub chaos_us: u64,
    /// Messages lost, in 1/1000.
    pub loss: u64,
    /// Messages that arrive twice, in 1/1000.
    pub duplicate: u64,
    /// Messages that are kept and sent again much later, in 1/1000.
    pub replay: u64,
    /// The least delay of a link, in µs.
    pub delay_min_us: u64,
    /// The mean of what is added to that, in µs.
    pub delay_mean_us: u64,
    /// Messages delayed a hundred times as long, in 1/1000.
    pub spike: u64,
    /// Bytes a second that a link carries, so that bulk delays what is behind it; 0 for any number.
    pub bandwidth: u64,
    /// Mean time between faults, in µs; 0 for none.
    pub fault_every_us: u64,
    /// What faults there are, with their weights.
    pub faults: Vec<(Fault, u64)>,
    /// Mean time a node stays down, in µs.
    pub down_us: u64,
    /// Clocks run fast or slow by up to this, in 1/1,000,000.
    pub drift_ppm: u64,
    /// Writes take at least this, in µs; 0 for at once.
    pub sync_min_us: u64,
    /// The mean of what is added to that, in µs.
    pub sync_mean_us: u64,
    /// Syncs that fail, in 1/10,000: the node stops.
    pub sync_error: u64,
}

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// A node crashes.
    Crash,
    /// A node crashes at the next interesting point.
    TargetedCrash,
    /// Every node crashes at once: the power fails.
    PowerLoss,
    /// Nodes crash one after the other.
    RollingRestart,
    /// A node does nothing for a while.
    Pause,
    /// Links are cut.
    Partition,
    /// A leader is cut off from some nodes, then from all, while the others restart or their clocks
    /// run fast.
    DeposeLeader,
    /// A disk is full for a while.
    DiskFull,
    /// A node rewrites its records to the fewest.
    Checkpoint,
    /// A disk is damaged, of fewer than half of the nodes at most: the node refuses to start from it, and stays down.
    DiskDamage,
}

impl Swarm {
    /// Draws the probabilities of a run.
    #[must_use]
    pub fn draw(rng: &mut Rng, nodes: Option<usize>) -> Self {
        let drawn = match rng.below(20) {
            0 => 1,
            1 => 2,
            2..=9 => 3,
            10..=11 => 4,
            12..=17 => 5,
            _ => 7,
        };
        let kinds = [
            (Fault::Crash, 10),
            (Fault::TargetedCrash, 30),
            (Fault::PowerLoss, 3),
            (Fault::RollingRestart, 2),
            (Fault::Pause, 8),
            (Fault::Partition, 20),
            (Fault::DiskFull, 4),
            (Fault::Checkpoint, 15),
            (Fault::DiskDamage, 2),
            (Fault::DeposeLeader, 8),
        ];
        // drawn aside: the rest of a seed's run stays what it was
        let mut aside = rng.clone();
        let bandwidth = if aside.chance(1, 4) { 5_000 << aside.below(8) } else { 0 };
        let faults = kinds.into_iter().filter(|_| rng.chance(3, 4)).collect();
        let calm = |rng: &mut Rng, high: u64| if rng.chance(1, 3) { 0 } else { rng.below(high) };
        Self {
            nodes: nodes.unwrap_or(drawn),
            small: rng.chance(1, 2),
            chaos_us: 30_000_000 + rng.below(10_000_000),
            loss: calm(rng, 300),
            duplicate: calm(rng, 300),
            replay: calm(rng, 60),
            delay_min_us: rng.below(5_000),
            delay_mean_us: 1 + rng.below(15_000),
            spike: calm(rng, 20),
            bandwidth,
            fault_every_us: if rng.chance(1, 20) { 0 } else { 300_000 + rng.below(3_000_000) },
            faults,
            down_us: 100_000 + rng.below(3_000_000),
            drift_ppm: match rng.below(12) {
                0..=3 => 0,
                4 => rng.below(250_000),
                _ => rng.below(100_000),
            },
            sync_min_us: if rng.chance(1, 3) { 0 } else { rng.below(5_000) },
            sync_mean_us: if rng.chance(1, 3) { 0 } else { 1 + rng.below(20_000) },
            sync_error: calm(rng, 8),
        }
    }

    /// A fault, by weight.
    pub(crate) fn draw_fault(&self, rng: &mut Rng) -> Option<Fault> {
        let total = self.faults.iter().map(|f| f.1).sum();
        let mut at = rng.below(total);
        for &(fault, weight) in &self.faults {
            if at < weight {
                return Some(fault);
            }
            at -= weight;
        }
        None
    }
}

/// An amount with this mean, mostly small and sometimes several times as large.
pub(crate) fn random_around(rng: &mut Rng, mean: u64) -> u64 {
    // the sum of two uniform numbers, one of them squared: light to compute, a tail of four times the mean
    let uniform = rng.below(1 << 16);
    let squared = (uniform * uniform) >> 16;
    (squared * mean * 3) >> 16
}
