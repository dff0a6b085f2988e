use std::hash::Hasher;
use std::marker::PhantomData;

use quorate_core::{Instant, NodeId, Wire};
use quorate_election::{Config, Epoch, Event, Record, Role};
use quorate_sim::model::{Modelled, Node};

use super::machine::check_converged;
use super::{ElectionMachine, Leaders};

/// An election for the model checker.
#[derive(Clone, Debug)]
pub struct ModelledElection<M> {
    nodes: usize,
    config: Config,
    /// Places in the ring, as node numbers from 1.
    order: Vec<NodeId>,
    machine: PhantomData<M>,
}

impl<M: ElectionMachine> ModelledElection<M> {
    /// So many nodes that behave so; as a ring in an order that is neither up nor down.
    #[must_use]
    pub fn new(nodes: usize, config: Config) -> Self {
        let mut order: Vec<NodeId> = (1..=nodes as u64).map(NodeId::new).collect();
        if nodes > 2 {
            order.swap(0, 2);
        }
        Self { nodes, config, order, machine: PhantomData }
    }
}

impl<M: ElectionMachine> Modelled for ModelledElection<M> {
    type Machine = M;
    type Command = ();
    type Memory = Leaders;

    fn nodes(&self) -> usize {
        self.nodes
    }

    fn boot(&self, node: usize) -> Result<M, String> {
        M::create(NodeId::new(node as u64 + 1), &self.order, self.config)
    }

    /// The nodes took part before.
    fn initial_disk(&self, _node: usize) -> Vec<Vec<u8>> {
        let mut bytes = [0; 16];
        let record = Record { epoch: Epoch::ZERO };
        record.to_slice(&mut bytes).map(<[u8]>::to_vec).into_iter().collect()
    }

    fn hash_state<H: Hasher>(&self, machine: &M, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn handle_event(&self, memory: &mut Leaders, node: usize, event: Event) -> Result<(), String> {
        memory.record_event(node, event)
    }

    fn check(&self, memory: &mut Leaders, nodes: &[Node<Self>]) -> Result<(), String> {
        for (at, node) in nodes.iter().enumerate() {
            let Some(machine) = &node.machine else { continue };
            let status = machine.status();
            if status.role == Role::Leader {
                memory.record_leader(at, status.epoch)?;
            }
        }
        Ok(())
    }

    fn healed(&self, nodes: &[Node<Self>]) -> Result<(), String> {
        let live = nodes.iter().enumerate().filter_map(|(at, n)| Some((at, n.machine.as_ref()?)));
        check_converged(&self.config, self.nodes, live)
    }

    fn max_healing_us(&self) -> u64 {
        self.boot(0).map_or(0, |machine| machine.settle_us(&self.config))
    }
}
