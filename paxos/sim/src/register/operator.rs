use std::collections::BTreeMap;

use quorate_core::{NodeId, Rng};
use quorate_paxos::register::{Plan, Sizes, Stage, Status, Step};

/// A change of the acceptors under way, and which nodes there are.
#[derive(Clone, Default, Debug)]
pub(crate) struct Operator {
    /// The acceptors; while they change, those before.
    pub(crate) present: Vec<usize>,
    /// Those that may enter, and those that have left for good.
    pub(crate) new: Vec<usize>,
    left: Vec<usize>,
    /// The change under way.
    pub(crate) change: Option<Change>,
    version: u64,
    /// What was last seen of each node.
    statuses: BTreeMap<usize, Status>,
    pub(crate) done: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    nodes: Vec<NodeId>,
    acceptors: Vec<NodeId>,
    sizes: Sizes,
    pub(crate) enters: Vec<usize>,
    /// The keys that are still to be read, once it is known which.
    pub(crate) scan: Option<Vec<Vec<u8>>>,
    is_scanned: bool,
}

fn id(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

fn node(id: NodeId) -> usize {
    id.get() as usize - 1
}

impl Operator {
    pub(crate) fn new(present: Vec<usize>, new: Vec<usize>) -> Self {
        Self { present, new, ..Self::default() }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn see(&mut self, node: usize, status: Status) {
        self.statuses.insert(node, status);
    }

    /// Whether a node is one that clients may ask.
    pub(crate) fn is_member(&self, node: usize) -> bool {
        let stays = |change: &Change| change.acceptors.contains(&id(node));
        self.present.contains(&node) && self.change.as_ref().is_none_or(stays)
    }

    /// The acceptors that are in force now: of both sets while they change.
    pub(crate) fn sets(&self) -> Vec<Vec<usize>> {
        let next = self.change.as_ref();
        let next = next.map(|change| change.acceptors.iter().map(|id| node(*id)).collect());
        core::iter::once(self.present.clone()).chain(next).collect()
    }

    /// Begins a change: nodes enter, leave, or both.
    pub(crate) fn begin(&mut self, rng: &mut Rng) -> bool {
        let mut next = self.present.clone();
        let mut enters = Vec::new();
        if !self.new.is_empty() && rng.chance(2, 3) {
            let node = self.new.remove(rng.below(self.new.len() as u64) as usize);
            enters.push(node);
            next.push(node);
        }
        if self.present.len() > 1 && rng.chance(1, 2) {
            next.remove(rng.below(self.present.len() as u64) as usize);
        }
        if next == self.present {
            return false;
        }
        let all = self.present.iter().chain(&enters);
        let count = next.len() as u8;
        let sizes = match rng.below(4) {
            0 => Sizes { one: count, two: 1 },
            1 => Sizes { one: 1, two: count },
            _ => Sizes::majority(count),
        };
        self.change = Some(Change {
            nodes: all.map(|node| id(*node)).collect(),
            acceptors: next.iter().map(|node| id(*node)).collect(),
            sizes,
            enters,
            scan: None,
            is_scanned: false,
        });
        true
    }

    fn plan(&self) -> Option<Plan<'_>> {
        let Change { nodes, acceptors, sizes, is_scanned, .. } = self.change.as_ref()?;
        let mut plan = Plan::new(self.version, nodes, acceptors, *sizes);
        self.statuses.values().for_each(|status| plan.observe(status));
        if *is_scanned {
            plan.confirm_keys_read();
        }
        Some(plan)
    }

    /// The step that nodes are to take.
    pub(crate) fn step(&self) -> Option<Step<'_>> {
        self.plan()?.step()
    }

    /// Whether a node takes part in the change.
    pub(crate) fn is_in_change(&self, node: usize) -> bool {
        self.change.as_ref().is_some_and(|change| change.nodes.contains(&id(node)))
    }

    /// Whether all have taken the first step, and the keys are to be read.
    pub(crate) fn must_scan(&self) -> bool {
        self.plan().is_some_and(|plan| plan.step().is_none() && !plan.is_done())
    }

    pub(crate) fn scanned(&mut self) {
        if let Some(change) = &mut self.change {
            change.is_scanned = true;
        }
    }

    /// Ends the change when all have taken all steps.
    pub(crate) fn finish(&mut self) -> bool {
        let is_done = self.plan().is_some_and(|plan| plan.is_done());
        if is_done && let Some(change) = self.change.take() {
            let next: Vec<usize> = change.acceptors.iter().map(|id| node(*id)).collect();
            self.left.extend(self.present.iter().filter(|node| !next.contains(node)));
            self.present = next;
            self.version += 3;
            self.done += 1;
        }
        is_done
    }

    /// Whether a node has left for good.
    pub(crate) fn has_left(&self, node: usize) -> bool {
        self.left.contains(&node)
    }

    pub(crate) fn is_stable(&self, node: usize) -> bool {
        self.statuses.get(&node).is_none_or(|status| status.stage == Stage::Stable)
    }
}
