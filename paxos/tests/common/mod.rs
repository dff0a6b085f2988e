//! A network and disks for a few nodes of one decision, which the test moves step by step.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Declared, Instant, Machine, NodeId, Output, Rng, Ticket, Wire};
use quorate_paxos::Ballot;
use quorate_paxos::synod::{Event, Message, Record, Status};

/// The machine of any role.
pub(crate) trait Node:
    for<'a> Machine<
        Message<'a> = Message<'a>,
        Record<'a> = Record<'a>,
        Event<'a> = Event<'a>,
        Status = Status,
    >
{
}

impl<M> Node for M where
    M: for<'a> Machine<
            Message<'a> = Message<'a>,
            Record<'a> = Record<'a>,
            Event<'a> = Event<'a>,
            Status = Status,
        >
{
}

/// A message under way.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sent {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::from_slice(&self.bytes).unwrap()
    }
}

/// Nodes, their disks, and what is between them.
pub(crate) struct Net<M: Node> {
    pub(crate) nodes: BTreeMap<NodeId, Host<M>>,
    pub(crate) now: Instant,
    pub(crate) in_flight: VecDeque<Sent>,
    /// How many messages of each kind were sent.
    pub(crate) sent: BTreeMap<&'static str, usize>,
}

/// A node and its disk.
pub(crate) struct Host<M> {
    pub(crate) machine: Option<M>,
    /// The records that are durable, and those that are not.
    pub(crate) disk: Vec<Vec<u8>>,
    pub(crate) unsynced: Vec<(Ticket, Vec<u8>)>,
    /// How often the disk was written, when something waited for it.
    pub(crate) syncs: usize,
    pub(crate) decided: Vec<Vec<u8>>,
}

impl<M: Node> Net<M> {
    pub(crate) fn new(machines: impl IntoIterator<Item = M>) -> Self {
        let host = |machine: M| {
            let id = machine.status().id;
            let (disk, unsynced, decided) = (Vec::new(), Vec::new(), Vec::new());
            (id, Host { machine: Some(machine), disk, unsynced, syncs: 0, decided })
        };
        let mut net = Self {
            nodes: machines.into_iter().map(host).collect(),
            now: Instant::ZERO,
            in_flight: VecDeque::new(),
            sent: BTreeMap::new(),
        };
        net.poll_all();
        net
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut M {
        self.nodes.get_mut(&NodeId::new(id)).unwrap().machine.as_mut().unwrap()
    }

    pub(crate) fn host(&self, id: u64) -> &Host<M> {
        &self.nodes[&NodeId::new(id)]
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    /// Everything that a node wants. Records wait for [`sync`](Self::sync).
    pub(crate) fn poll(&mut self, id: NodeId) {
        let Some(host) = self.nodes.get_mut(&id) else { return };
        let Some(machine) = &mut host.machine else { return };
        while let Some(output) = machine.poll() {
            match output {
                Output::Persist(ticket, record) => host.unsynced.push((ticket, record.to_vec())),
                Output::Send(to, message) => {
                    *self.sent.entry(message.name()).or_default() += 1;
                    self.in_flight.push_back(Sent { from: id, to, bytes: message.to_vec() });
                }
                Output::Event(Event::Decided { value }) => host.decided.push(value.to_vec()),
                Output::Event(_) => {}
            }
        }
    }

    pub(crate) fn poll_all(&mut self) {
        self.ids().into_iter().for_each(|id| self.poll(id));
    }

    /// What a node has written becomes durable.
    pub(crate) fn sync(&mut self, id: NodeId) -> bool {
        let Some(host) = self.nodes.get_mut(&id) else { return false };
        let Some(&(last, _)) = host.unsynced.last() else { return false };
        host.disk.extend(host.unsynced.drain(..).map(|(_, bytes)| bytes));
        host.syncs += 1;
        if let Some(machine) = &mut host.machine {
            machine.persisted(last);
        }
        self.poll(id);
        true
    }

    pub(crate) fn sync_all(&mut self) {
        for id in self.ids() {
            while self.sync(id) {}
        }
    }

    pub(crate) fn deliver(&mut self, sent: &Sent) {
        let now = self.now;
        let host = self.nodes.get_mut(&sent.to).unwrap();
        if let Some(machine) = &mut host.machine {
            let result = machine.receive(now, sent.from, sent.message());
            assert_eq!(result, Ok(()), "{} to {}: {:?}", sent.from, sent.to, sent.message());
        }
        self.poll(sent.to);
    }

    /// Removes what is on its way and `is_meant`, in its order.
    pub(crate) fn take(&mut self, is_meant: impl Fn(&Sent) -> bool) -> Vec<Sent> {
        let (taken, left) = self.in_flight.drain(..).partition(|sent| is_meant(sent));
        self.in_flight = VecDeque::from(left);
        taken
    }

    /// Delivers what is on its way and `is_meant`, once; answers stay on their way.
    pub(crate) fn deliver_if(&mut self, is_meant: impl Fn(&Sent) -> bool) {
        for sent in self.take(is_meant) {
            self.deliver(&sent);
        }
    }

    /// Messages arrive and disks write until nothing happens any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000 {
            self.poll_all();
            self.sync_all();
            match self.in_flight.pop_front() {
                Some(sent) => self.deliver(&sent),
                None if self.nodes.values().all(|host| host.unsynced.is_empty()) => return,
                None => {}
            }
        }
        panic!("it never settles");
    }

    /// What nodes do is on disk; what they say is lost. For a node that answers one that the test plays.
    pub(crate) fn settle_unheard(&mut self) {
        self.poll_all();
        self.sync_all();
        self.take(|_| true);
    }

    pub(crate) fn tick(&mut self, us: u64) {
        self.now = self.now.after(us);
        for id in self.ids() {
            let now = self.now;
            if let Some(machine) = &mut self.nodes.get_mut(&id).unwrap().machine {
                machine.tick(now);
            }
            self.poll(id);
        }
    }

    /// Lets time pass, to the next deadline of any node.
    pub(crate) fn wait(&mut self) -> bool {
        let hosts = self.nodes.values().filter_map(|host| host.machine.as_ref());
        let Some(next) = hosts.filter_map(Machine::deadline).min() else { return false };
        self.tick(next.since(self.now));
        true
    }

    /// A node crashes, and what was not synced is lost.
    pub(crate) fn crash(&mut self, id: u64) {
        let host = self.nodes.get_mut(&NodeId::new(id)).unwrap();
        host.machine = None;
        host.unsynced.clear();
    }

    /// It comes back with its disk.
    pub(crate) fn restart(&mut self, mut machine: M) {
        let id = machine.status().id;
        let host = self.nodes.get_mut(&id).unwrap();
        for record in &host.disk {
            machine.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        machine.tick(self.now);
        host.machine = Some(machine);
        self.poll(id);
    }

    pub(crate) fn total(&self) -> usize {
        self.sent.values().sum()
    }

    /// What the nodes were told, which is one value.
    pub(crate) fn decided(&self) -> Option<Vec<u8>> {
        let mut all = self.nodes.values().flat_map(|host| host.decided.iter().cloned());
        let first = all.next();
        assert!(all.all(|other| Some(other) == first), "two values were chosen");
        first
    }
}

pub(crate) fn ballot(round: u64, node: u64) -> Ballot {
    Ballot::new(round, NodeId::new(node))
}

/// Runs a machine that was changed by hand, with faults: messages are lost, late and repeated, nodes crash and come back.
pub(crate) fn chaos<M: Node>(
    net: &mut Net<M>,
    rng: &mut Rng,
    steps: usize,
    boot: impl Fn(NodeId) -> M,
    mut act: impl FnMut(&mut M, Instant, &mut Rng),
) {
    for _ in 0..steps {
        let ids = net.ids();
        let id = ids[rng.below(ids.len() as u64) as usize];
        match rng.below(20) {
            0 => {
                let now = net.now;
                if let Some(machine) = &mut net.nodes.get_mut(&id).unwrap().machine {
                    act(machine, now, rng);
                }
                net.poll(id);
            }
            1 => {
                if net.nodes[&id].machine.is_some() {
                    net.crash(id.get());
                } else {
                    net.restart(boot(id));
                }
            }
            2 => net.tick(rng.below(30_000)),
            3..6 => {
                net.sync(id);
            }
            _ => {
                let len = net.in_flight.len() as u64;
                if len > 0 {
                    let at = rng.below(len) as usize;
                    let sent = net.in_flight[at].clone();
                    if rng.chance(9, 10) {
                        net.in_flight.remove(at);
                    }
                    if rng.chance(9, 10) {
                        net.deliver(&sent);
                    }
                }
            }
        }
        net.decided();
    }
}
