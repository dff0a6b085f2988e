//! A network and disks for a few nodes of registers, which the test moves step by step.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Declared, Instant, List, Machine, NodeId, Output, Quorums, Ticket, Wire};
use quorate_paxos::register::{
    Attempt, Change, Changes, Config, Effect, Event, Inline, Message, Outcome, Record, Register,
    Request,
};
use quorate_paxos::{Ballot, Member};

pub(crate) type Storage = Inline<7, 8, 4, 8, 8>;
pub(crate) type Node = Register<Storage, IfPresent>;

/// Number 17 sets a value if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct IfPresent;

impl Changes for IfPresent {
    fn apply<V: List<u8>>(
        &self,
        number: u16,
        argument: &[u8],
        present: Option<&[u8]>,
        out: &mut V,
    ) -> Effect {
        let is_meant = number == 17 && present.is_some();
        match is_meant && out.extend_from_slice(argument).is_ok() {
            true => Effect::Set,
            false => Effect::Refuse,
        }
    }
}

/// A message under way.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sent {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::from_slice(&self.bytes).unwrap()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.message().name() == name
    }
}

/// An answer: what became of it, the version, the value.
pub(crate) type Answer = (Outcome, Ballot, Option<Vec<u8>>);

/// A node, its disk, and what its application was told.
pub(crate) struct Host {
    pub(crate) machine: Option<Node>,
    pub(crate) disk: Vec<Vec<u8>>,
    pub(crate) unsynced: Vec<(Ticket, Vec<u8>)>,
    pub(crate) syncs: usize,
    pub(crate) answers: BTreeMap<Request, Answer>,
    pub(crate) attempts: BTreeMap<Request, Attempt>,
    pub(crate) collected: Vec<(Vec<u8>, bool)>,
}

/// Nodes, their disks, and what is between them.
pub(crate) struct Net {
    pub(crate) hosts: BTreeMap<u64, Host>,
    pub(crate) members: Vec<Member>,
    pub(crate) quorums: Quorums,
    pub(crate) now: Instant,
    pub(crate) in_flight: VecDeque<Sent>,
    pub(crate) sent: BTreeMap<&'static str, usize>,
    /// Nodes that neither hear nor say anything.
    pub(crate) cut: Vec<u64>,
    lives: u64,
}

impl Net {
    /// Nodes 1 to n, that were set up, with that on disk.
    pub(crate) fn new(n: u64) -> Self {
        Self::with(n, Quorums::majority(n as u8))
    }

    pub(crate) fn with(n: u64, quorums: Quorums) -> Self {
        let members: Vec<Member> = (1..=n).map(|id| Member::new(NodeId::new(id))).collect();
        let mut net = Self {
            hosts: BTreeMap::new(),
            members,
            quorums,
            now: Instant::ZERO,
            in_flight: VecDeque::new(),
            sent: BTreeMap::new(),
            cut: Vec::new(),
            lives: 0,
        };
        for id in 1..=n {
            net.add(id, 0);
        }
        net.forget();
        net
    }

    pub(crate) fn fresh(&mut self, id: u64) -> Node {
        self.lives += 1;
        let (config, seed) = (Config::lan(), id + 100 * self.lives);
        Node::new(NodeId::new(id), &self.members, self.quorums, config, IfPresent, seed).unwrap()
    }

    /// A node is set up.
    pub(crate) fn add(&mut self, id: u64, version: u64) {
        let mut machine = self.fresh(id);
        machine.found(version);
        let host = Host {
            machine: Some(machine),
            disk: Vec::new(),
            unsynced: Vec::new(),
            syncs: 0,
            answers: BTreeMap::new(),
            attempts: BTreeMap::new(),
            collected: Vec::new(),
        };
        self.hosts.insert(id, host);
        self.poll(id);
        self.sync_all();
    }

    /// Forgets what was counted.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.hosts.values_mut().for_each(|host| host.syncs = 0);
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut Node {
        self.hosts.get_mut(&id).unwrap().machine.as_mut().unwrap()
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.hosts.keys().copied().collect()
    }

    pub(crate) fn total(&self) -> usize {
        self.sent.values().sum()
    }

    /// Everything that a node wants. Records wait for [`sync`](Self::sync).
    pub(crate) fn poll(&mut self, id: u64) {
        let host = self.hosts.get_mut(&id).unwrap();
        let Some(machine) = &mut host.machine else { return };
        for _ in 0..10_000 {
            match machine.poll() {
                None => return,
                Some(Output::Persist(ticket, record)) => {
                    host.unsynced.push((ticket, record.to_vec()));
                }
                Some(Output::Send(to, message)) => {
                    *self.sent.entry(message.name()).or_default() += 1;
                    let sent = Sent { from: id, to: to.get(), bytes: message.to_vec() };
                    self.in_flight.push_back(sent);
                }
                Some(Output::Event(Event::Attempted { request, attempt })) => {
                    host.attempts.insert(request, attempt);
                }
                Some(Output::Event(Event::Answered { request, outcome, version, value })) => {
                    let answer = (outcome, version, value.map(<[u8]>::to_vec));
                    assert_eq!(host.answers.insert(request, answer), None, "answered twice");
                }
                Some(Output::Event(Event::Collected { key, erased })) => {
                    host.collected.push((key.to_vec(), erased));
                }
                Some(Output::Event(_)) => {}
            }
        }
        panic!("it never becomes quiet");
    }

    pub(crate) fn poll_all(&mut self) {
        self.ids().into_iter().for_each(|id| self.poll(id));
    }

    /// What a node has written becomes durable.
    pub(crate) fn sync(&mut self, id: u64) -> bool {
        let host = self.hosts.get_mut(&id).unwrap();
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
        if self.cut.contains(&sent.to) || self.cut.contains(&sent.from) {
            return;
        }
        let Some(host) = self.hosts.get_mut(&sent.to) else { return };
        if let Some(machine) = &mut host.machine {
            let result = machine.receive(now, NodeId::new(sent.from), sent.message());
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
        for _ in 0..10_000 {
            self.poll_all();
            self.sync_all();
            match self.in_flight.pop_front() {
                Some(sent) => self.deliver(&sent),
                None if self.hosts.values().all(|host| host.unsynced.is_empty()) => return,
                None => {}
            }
        }
        panic!("it never settles");
    }

    pub(crate) fn tick(&mut self, us: u64) {
        self.now = self.now.after(us);
        for id in self.ids() {
            let now = self.now;
            if let Some(machine) = &mut self.hosts.get_mut(&id).unwrap().machine {
                machine.tick(now);
            }
            self.poll(id);
        }
    }

    /// Settles, and lets time pass, until nobody waits for anything or this holds.
    pub(crate) fn run_until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..300 {
            self.settle();
            if holds(self) {
                return;
            }
            let machines = self.hosts.values().filter_map(|host| host.machine.as_ref());
            let next = machines.filter_map(Machine::deadline).min();
            let Some(next) = next else { return };
            self.tick(next.since(self.now).max(1));
        }
        panic!("it never comes to an end");
    }

    pub(crate) fn run(&mut self) {
        self.run_until(|_| false);
    }

    pub(crate) fn submit(&mut self, id: u64, key: &[u8], change: Change<'_>) -> Request {
        let now = self.now;
        let request = self.node(id).submit(now, key, change).unwrap();
        self.poll(id);
        request
    }

    /// What becomes of a change, and the value.
    pub(crate) fn change(&mut self, id: u64, key: &[u8], change: Change<'_>) -> Answer {
        let request = self.submit(id, key, change);
        self.answer(id, request)
    }

    pub(crate) fn answer(&mut self, id: u64, request: Request) -> Answer {
        self.run_until(|net| net.hosts[&id].answers.contains_key(&request));
        self.hosts[&id].answers.get(&request).cloned().unwrap()
    }

    pub(crate) fn set(&mut self, id: u64, value: &[u8]) -> Ballot {
        let (outcome, version, now) = self.change(id, b"k", Change::Set { value });
        assert_eq!((outcome, now.as_deref()), (Outcome::Applied, Some(value)));
        version
    }

    pub(crate) fn read(&mut self, id: u64) -> Option<Vec<u8>> {
        let (outcome, version, value) = self.change(id, b"k", Change::Read);
        assert_eq!((outcome, version.is_zero()), (Outcome::Applied, value.is_none()));
        value
    }

    pub(crate) fn delete(&mut self, id: u64) {
        assert_eq!(self.change(id, b"k", Change::Delete), (Outcome::Applied, Ballot::ZERO, None));
    }

    /// A node crashes, and what was not synced is lost.
    pub(crate) fn crash(&mut self, id: u64) {
        let host = self.hosts.get_mut(&id).unwrap();
        host.machine = None;
        host.unsynced.clear();
        host.answers.clear(); // requests have the same names in each life
        host.attempts.clear();
    }

    /// It comes back with its disk.
    pub(crate) fn restart(&mut self, id: u64) {
        let mut machine = self.fresh(id);
        let host = self.hosts.get_mut(&id).unwrap();
        for record in &host.disk {
            machine.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        machine.tick(self.now);
        host.machine = Some(machine);
        self.poll(id);
    }

    /// The version of the value at an acceptor, the value, and what it has promised.
    pub(crate) fn accepted(&mut self, id: u64) -> Option<(Ballot, Option<Vec<u8>>, Ballot)> {
        let (state, promised) = self.node(id).accepted(b"k")?;
        state.map(|state| (state.ballot, state.value.map(<[u8]>::to_vec), promised))
    }

    pub(crate) fn collect(&mut self, id: u64) -> bool {
        let now = self.now;
        self.node(id).collect(now, b"k").unwrap();
        let before = self.hosts[&id].collected.len();
        self.run_until(|net| net.hosts[&id].collected.len() > before);
        let (key, erased) = self.hosts[&id].collected.last().unwrap().clone();
        assert_eq!(key, b"k");
        erased
    }
}
