use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use quorate_core::{Declared, Instant, Machine, NodeId};
use quorate_election::ring::Algorithm;
use quorate_election::{
    Bully, Config, Epoch, Event, Record, Ring, Role, Status, Storage, Takeover,
};

/// What all election machines have in common.
pub trait ElectionMachine:
    for<'a> Machine<
        Message<'a>: Declared<'a>,
        Event<'a> = Event,
        Record<'a> = Record,
        Status = Status,
    > + Clone
    + PartialEq
    + Hash
    + Debug
    + Send
    + Sync
    + 'static
{
    /// A node without a past.
    ///
    /// # Errors
    ///
    /// What does not fit.
    fn create(id: NodeId, members: &[NodeId], config: Config) -> Result<Self, String>;

    /// Whether it leads and holds the lease.
    fn holds_lease(&self, now: Instant) -> bool;

    /// A failure detector suspects a node.
    fn suspect(&mut self, now: Instant, node: NodeId);

    /// A resource has seen a later token.
    fn fenced(&mut self, now: Instant, later: Epoch);

    /// How long it may take, once faults stop, until the right node leads.
    fn settle_us(&self, config: &Config) -> u64;
}

impl<S: Storage + Send + Sync + 'static> ElectionMachine for Bully<S>
where
    Self: Send + Sync,
{
    fn create(id: NodeId, members: &[NodeId], config: Config) -> Result<Self, String> {
        Self::new(id, members, config).map_err(|e| e.to_string())
    }

    fn holds_lease(&self, now: Instant) -> bool {
        Self::holds_lease(self, now)
    }

    fn suspect(&mut self, now: Instant, node: NodeId) {
        Self::suspect(self, now, node);
    }

    fn fenced(&mut self, now: Instant, later: Epoch) {
        Self::fenced(self, now, later);
    }

    fn settle_us(&self, config: &Config) -> u64 {
        config.settle_us()
    }
}

impl<A: Algorithm + Send + Sync + 'static, S: Storage + Send + Sync + 'static> ElectionMachine
    for Ring<A, S>
where
    Self: Send + Sync,
{
    fn create(id: NodeId, members: &[NodeId], config: Config) -> Result<Self, String> {
        Self::new(id, members, config).map_err(|e| e.to_string())
    }

    fn holds_lease(&self, _now: Instant) -> bool {
        false
    }

    fn suspect(&mut self, now: Instant, node: NodeId) {
        Self::suspect(self, now, node);
    }

    fn fenced(&mut self, now: Instant, later: Epoch) {
        Self::fenced(self, now, later);
    }

    fn settle_us(&self, _config: &Config) -> u64 {
        Self::settle_us(self)
    }
}

/// The leaders by epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Leaders {
    /// The leader of each epoch.
    of: BTreeMap<Epoch, usize>,
    /// The last epoch of each leader, in all its incarnations.
    last: BTreeMap<usize, Epoch>,
}

impl Leaders {
    /// A node leads in an epoch: no other node ever may.
    ///
    /// # Errors
    ///
    /// The node that did before.
    pub fn record_leader(&mut self, node: usize, epoch: Epoch) -> Result<(), String> {
        let first = *self.of.entry(epoch).or_insert(node);
        if first == node {
            return Ok(());
        }
        Err(format!("nodes {} and {} both lead in {epoch:?}", first + 1, node + 1))
    }

    /// An event of a node: it leads in each epoch once, and its epochs only grow.
    ///
    /// # Errors
    ///
    /// The node that led then, or that it led in this epoch or a later one before.
    pub fn record_event(&mut self, node: usize, event: Event) -> Result<(), String> {
        match event {
            Event::Leading { epoch } => {
                let last = self.last.insert(node, epoch);
                if last >= Some(epoch) {
                    return Err(format!("node {} leads in {epoch:?} after {last:?}", node + 1));
                }
                self.record_leader(node, epoch)
            }
            Event::Following { leader, epoch } => self.record_leader(index_of(leader), epoch),
            _ => Ok(()),
        }
    }

    /// How many epochs had a leader.
    #[must_use]
    pub fn count(&self) -> usize {
        self.of.len()
    }
}

/// From 0.
pub(super) fn index_of(id: NodeId) -> usize {
    usize::try_from(id.get()).unwrap_or(0).wrapping_sub(1)
}

/// How many others must tell a node that has forgotten what it accepted what they know: if one fewer did, those that remain and the
/// node itself could be a majority, which accepted what nobody tells.
pub(super) fn recovery_quorum(nodes: usize) -> usize {
    nodes.div_ceil(2).min(nodes - 1)
}

/// Whether the right node leads, and all nodes that are up know it. `live` are the machines that
/// are up, with their indices.
pub(super) fn check_converged<'a, M: ElectionMachine>(
    config: &Config,
    nodes: usize,
    live: impl Iterator<Item = (usize, &'a M)>,
) -> Result<(), String> {
    let live: Vec<(usize, Status)> = live.map(|(at, machine)| (at, machine.status())).collect();
    let known: Vec<_> = live.iter().map(|(_, status)| status.leader.map(index_of)).collect();
    let quorum = config.mode != quorate_election::Mode::Classic;
    let recovers = live.iter().any(|(_, status)| status.role == Role::Recovering);
    let stuck = quorum && recovers && known.len() <= recovery_quorum(nodes);
    if recovers && !stuck {
        return Err("a node could know all it has forgotten, and still recovers".into());
    }
    if stuck || quorum && known.len() <= nodes / 2 {
        let nobody = known.iter().all(Option::is_none);
        return if nobody { Ok(()) } else { Err(format!("a minority has leaders {known:?}")) };
    }
    let leads = |(_, status): &&(usize, Status)| status.role == Role::Leader;
    let leaders: Vec<_> = live.iter().filter(leads).map(|&(at, _)| at).collect();
    let highest = live.iter().map(|&(at, _)| at).max();
    let right = match leaders[..] {
        [] => highest.is_none(),
        [leader] => config.takeover == Takeover::Keep || Some(leader) == highest,
        _ => false,
    };
    // A follower in a later epoch ignores the leader's heartbeats: the leader has not learned that it was elected in that epoch.
    let all_know = known.iter().all(|&known| known == leaders.first().copied());
    let mut epochs: Vec<_> = live.iter().map(|(_, status)| status.epoch).collect();
    epochs.dedup();
    if right && all_know && epochs.len() <= 1 {
        return Ok(());
    }
    let up: Vec<_> = live.iter().map(|&(at, _)| at).collect();
    Err(format!(
        "of the live nodes {up:?} {leaders:?} lead, and they know {known:?} (from 0) in {epochs:?}"
    ))
}
