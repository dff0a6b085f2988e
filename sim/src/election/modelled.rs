use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use quorate_core::{Instant, NodeId};
use quorate_election::{Bully, Config, Epoch, Event, Inline, Mode, Role, Takeover};

use crate::model::{Modelled, Node};

/// Bully nodes for the model checker.
#[derive(Clone, Debug)]
pub struct ModelledBully {
    /// How many.
    pub nodes: usize,
    /// How they behave.
    pub config: Config,
}

/// Who was told to lead in which epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Leaders(BTreeMap<Epoch, usize>);

impl Leaders {
    /// A node leads in an epoch: nobody else ever may.
    ///
    /// # Errors
    ///
    /// Who else did.
    pub fn leads(&mut self, node: usize, epoch: Epoch) -> Result<(), String> {
        let first = *self.0.entry(epoch).or_insert(node);
        if first == node {
            return Ok(());
        }
        Err(format!("nodes {} and {} both lead in {epoch:?}", first + 1, node + 1))
    }
}

impl Modelled for ModelledBully {
    type Machine = Bully<Inline<5>>;
    type Command = ();
    type Memory = Leaders;

    fn nodes(&self) -> usize {
        self.nodes
    }

    fn boot(&self, node: usize) -> Result<Bully<Inline<5>>, String> {
        let ids: Vec<NodeId> = (1..=self.nodes as u64).map(NodeId::new).collect();
        let id = NodeId::new(node as u64 + 1);
        Bully::new(id, &ids, self.config).map_err(|e| e.to_string())
    }

    fn view<H: Hasher>(&self, machine: &Bully<Inline<5>>, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn learnt(&self, memory: &mut Leaders, node: usize, event: Event) -> Result<(), String> {
        match event {
            Event::Leading { epoch } => memory.leads(node, epoch),
            Event::Following { leader, epoch } => memory.leads(leader.get() as usize - 1, epoch),
            _ => Ok(()),
        }
    }

    fn check(&self, memory: &mut Leaders, nodes: &[Node<Self>]) -> Result<(), String> {
        for (at, node) in nodes.iter().enumerate() {
            let Some(machine) = &node.machine else { continue };
            let status = machine.status();
            if status.role == Role::Leader {
                memory.leads(at, status.epoch)?;
            }
        }
        Ok(())
    }

    fn healed(&self, nodes: &[Node<Self>]) -> Result<(), String> {
        let live =
            || nodes.iter().enumerate().filter_map(|(at, n)| Some((at, n.machine.as_ref()?)));
        let known: Vec<_> = live().map(|(_, machine)| machine.status().leader).collect();
        if self.config.mode != Mode::Classic && known.len() <= nodes.len() / 2 {
            return if known.iter().all(Option::is_none) {
                Ok(())
            } else {
                Err(format!("a minority has leaders {known:?}"))
            };
        }
        let leaders: Vec<_> =
            live().filter(|(_, m)| m.status().role == Role::Leader).map(|(at, _)| at).collect();
        let highest = live().map(|(at, _)| at).max();
        let right = match leaders[..] {
            [] => highest.is_none(),
            [leader] => self.config.takeover == Takeover::Keep || Some(leader) == highest,
            _ => false,
        };
        let told = |known: Option<NodeId>| known.map(|id| id.get() as usize - 1);
        if right && known.iter().all(|&known| told(known) == leaders.first().copied()) {
            return Ok(());
        }
        let up: Vec<_> = live().map(|(at, _)| at + 1).collect();
        Err(format!("of the live nodes {up:?} {leaders:?} lead, and they know {known:?}"))
    }

    fn patience(&self) -> u64 {
        self.config.settle_us()
    }
}
