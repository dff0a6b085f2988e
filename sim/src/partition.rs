use quorate_core::Rng;

/// Which links are blocked: a bit for each ordered pair of nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    links: Vec<u64>,
}

impl Partition {
    pub(crate) fn none(nodes: usize) -> Self {
        Self { links: vec![0; nodes] }
    }

    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.links.get(from).is_some_and(|row| row >> to & 1 == 1)
    }

    fn block(&mut self, from: usize, to: usize) {
        if from != to
            && let Some(row) = self.links.get_mut(from)
        {
            *row |= 1 << to;
        }
    }

    pub(crate) fn block_both(&mut self, a: usize, b: usize) {
        self.block(a, b);
        self.block(b, a);
    }

    /// A random shape, and its name.
    pub(crate) fn draw(rng: &mut Rng, nodes: usize) -> (Self, &'static str) {
        let mut partition = Self::none(nodes);
        let pivot = rng.below(nodes as u64) as usize;
        let all = || (0..nodes).flat_map(move |a| (a + 1..nodes).map(move |b| (a, b)));
        let name = match rng.below(7) {
            0 => {
                let side = rng.next_u64();
                all().filter(|&(a, b)| (side >> a ^ side >> b) & 1 == 1).for_each(|(a, b)| {
                    partition.block_both(a, b);
                });
                "partition: split"
            }
            1 => {
                (0..nodes).for_each(|other| partition.block_both(pivot, other));
                "partition: isolated"
            }
            2 => {
                // deaf or mute
                let mute = rng.chance(1, 2);
                for other in 0..nodes {
                    if mute { partition.block(pivot, other) } else { partition.block(other, pivot) }
                }
                "partition: one way"
            }
            3 => {
                // all are connected to one, and to nobody else: that one alone has a quorum (Omni-Paxos, quorum loss)
                all().filter(|&(a, b)| a != pivot && b != pivot).for_each(|(a, b)| {
                    partition.block_both(a, b);
                });
                "partition: quorum loss"
            }
            4 => {
                // a chain: each is connected to its neighbours
                all().filter(|&(a, b)| b - a != 1).for_each(|(a, b)| partition.block_both(a, b));
                "partition: chain"
            }
            5 => {
                // one link alone (constrained election with three nodes)
                let other = (pivot + 1) % nodes;
                partition.block_both(pivot, other);
                "partition: one link"
            }
            _ => {
                // any links, each way by itself
                for from in 0..nodes {
                    for to in 0..nodes {
                        if rng.chance(1, 3) {
                            partition.block(from, to);
                        }
                    }
                }
                "partition: any links"
            }
        };
        (partition, name)
    }

    /// One of the partial partitions of Ng, Kozak and Haridi ("Omni-Paxos: Breaking the Barriers of Partial Connectivity",
    /// EuroSys 2023, figure 1) and its name: the old leader is not lost to everybody, and one node, the pivot, still reaches a
    /// majority.
    pub(crate) fn partial(
        rng: &mut Rng,
        nodes: usize,
        leader: usize,
        pivot: usize,
    ) -> (Self, &'static str) {
        let mut partition = Self::none(nodes);
        let all = || (0..nodes).flat_map(move |a| (a + 1..nodes).map(move |b| (a, b)));
        // in a longer chain no node has a majority beside it
        let shapes = if nodes <= 5 { 3 } else { 2 };
        let shape = match rng.below(shapes) {
            // the nodes of a longer chain need their neighbours' votes, whose logs may be longer all the way up to a leader at its end:
            // by Raft's rule (thesis, 3.6.1) none of them can be elected then
            2 if nodes > 3 && (leader == 0 || leader + 1 == nodes) => 0,
            shape => shape,
        };
        let name = match shape {
            0 => "partial partition: quorum loss",
            1 => "partial partition: constrained election",
            _ => "partial partition: chain",
        };
        for (a, b) in all() {
            let blocked = match shape {
                0 => a != pivot && b != pivot,
                1 => a == leader || b == leader || (a != pivot && b != pivot),
                _ => b - a != 1,
            };
            if blocked {
                partition.block_both(a, b);
            }
        }
        (partition, name)
    }

    /// Whether a node is connected both ways to a majority.
    pub(crate) fn reaches_majority(&self, node: usize) -> bool {
        let nodes = self.links.len();
        let linked =
            |&other: &usize| !self.is_blocked(node, other) && !self.is_blocked(other, node);
        (0..nodes).filter(linked).count() > nodes / 2
    }

    /// Unblocks one link; false when none is left (swizzle: links come back one by one in any
    /// order).
    pub(crate) fn heal_one_link(&mut self, rng: &mut Rng) -> bool {
        let total: u64 = self.links.iter().map(|row| u64::from(row.count_ones())).sum();
        let mut at = rng.below(total);
        for row in &mut self.links {
            let here = u64::from(row.count_ones());
            if at < here {
                let bit = (0..64).filter(|b| *row >> b & 1 == 1).nth(at as usize);
                *row &= !(1 << bit.unwrap_or(0));
                return true;
            }
            at -= here;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_partition_leaves_the_leader_a_majority() {
        for seed in 0..100 {
            for (nodes, leader) in (3..=5).flat_map(|nodes| (0..nodes).map(move |l| (nodes, l))) {
                let pivot = (leader + 1) % nodes;
                let (partition, name) =
                    Partition::partial(&mut Rng::new(seed), nodes, leader, pivot);
                let chain = name.ends_with("chain");
                assert!(
                    !chain || partition.reaches_majority(leader),
                    "{leader} leads {nodes} nodes"
                );
            }
        }
    }

    #[test]
    fn partial_partition_leaves_the_pivot_a_majority() {
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            for (nodes, leader, pivot) in [(3, 0, 1), (4, 3, 1), (5, 0, 2), (7, 6, 3)] {
                let (partition, name) = Partition::partial(&mut rng, nodes, leader, pivot);
                assert!(partition.reaches_majority(pivot), "{nodes} nodes, {name}");
                let constrained = name.ends_with("election");
                assert_eq!(
                    (0..nodes).all(|n| n == leader || partition.is_blocked(leader, n)),
                    constrained
                );
            }
        }
    }
}
