use std::hash::{Hash, Hasher};

use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket, Wire};
use quorate_ring::quorum::{
    Config, Event, Inline, Layout, Membership, Message, Node, Order, ReadOptions, ReadRepair,
    Record, Request, Status, Tagged, WriteOptions,
};
use quorate_ring::topology::Version;
use quorate_ring::{PreferenceList, Token, Zone};
use quorate_sim::model::{self, Modelled};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester};

/// How many nodes hold the register.
const REPLICAS: usize = 3;
const KEY: &[u8] = b"k";

type Store = Node<Tagged<u8>, Replicas, Inline<1, 1, 2, 8>>;

/// A register of three replicas, and clients, each of which does one operation after the other, for the model checker.
///
/// What clients are told must be linearizable: the tester of `stateright` judges that, and knows nothing of tags.
#[derive(Clone, Debug)]
pub struct ModelledRegister {
    /// What each client does.
    pub clients: &'static [&'static [Operation]],
    /// The clients are at nodes of their own, and not at the first replicas.
    pub apart: bool,
    /// What a read does for replicas that have less than it returns.
    pub repair: ReadRepair,
}

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// It reads.
    Read,
    /// It writes this value, which is not 0, as one of many writers.
    Write(u8),
    /// It writes this number, which is not 0, as the only writer, with the number as its tag.
    WriteNth(u8),
}

impl ModelledRegister {
    /// How long it takes until what was lost is sent again, in µs.
    pub const RETRY_US: u64 = 10_000;

    /// What the client at a node does, if there is one.
    fn operations(&self, node: usize) -> Option<&'static [Operation]> {
        let client = node.checked_sub(if self.apart { REPLICAS } else { 0 })?;
        self.clients.get(client).copied()
    }

    fn store(&self, node: usize) -> Result<Store, String> {
        let config = Config {
            retry_us: Self::RETRY_US,
            attempts: 2,
            // nothing else is looked at
            sweep_us: 3_600_000_000,
            purge_us: 365 * 24 * 3_600_000_000,
            ..Config::lan()
        };
        Node::new(NodeId::new(node as u64 + 1), 1, Replicas, config).map_err(|e| e.to_string())
    }
}

/// The nodes from 1 to 3 hold everything.
#[allow(unreachable_pub)] // of the machine of the model
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Replicas;

impl Layout for Replicas {
    fn version(&self) -> Version {
        Version::default()
    }

    fn token(&self, _key: &[u8]) -> Token {
        Token::MIN
    }

    fn replicas(&self, _at: Token) -> PreferenceList {
        let walk = || (1..=REPLICAS as u64).map(|id| (NodeId::new(id), Zone::default()));
        PreferenceList::select(walk, 1, REPLICAS, 0)
    }

    fn end_of_range(&self, _at: Token) -> Token {
        Token::MAX
    }

    fn node_after(&self, after: Option<NodeId>) -> Option<NodeId> {
        let after = after.map_or(0, NodeId::get);
        (after < REPLICAS as u64).then(|| NodeId::new(after + 1))
    }

    fn membership(&self, node: NodeId) -> Membership {
        if node.get() <= REPLICAS as u64 { Membership::Member } else { Membership::None }
    }
}

/// A node and its application, which does what it is to do, one operation after the other.
#[derive(Clone, PartialEq, Hash, Debug)]
#[allow(unnameable_types)] // of the model
pub struct Client {
    store: Store,
    operations: &'static [Operation],
    repair: ReadRepair,
    /// How many operations it has begun.
    begun: usize,
    /// The one that is not over.
    open: Option<Request>,
    /// It does not know what became of one, and does nothing more.
    stopped: bool,
}

impl Client {
    fn next(&self) -> Option<Operation> {
        let idle = self.open.is_none() && !self.stopped;
        self.operations.get(self.begun).copied().filter(|_| idle)
    }

    fn begin(&mut self, now: Instant) {
        let Some(operation) = self.next() else { return };
        let (after_read, formed) = (Order::AfterRead, Order::Formed);
        let mut write = |value, order| {
            self.store.write(now, KEY, value, WriteOptions { order, ..WriteOptions::default() })
        };
        let request = match operation {
            Operation::Write(value) => write(Tagged::new(value), after_read),
            Operation::WriteNth(value) => write(Tagged::nth(value.into(), value), formed),
            Operation::Read => {
                let options = ReadOptions { repair: self.repair, ..ReadOptions::default() };
                self.store.read(now, KEY, options)
            }
        };
        self.begun += 1;
        self.stopped = request.is_err();
        self.open = request.ok();
    }
}

impl Machine for Client {
    type Message<'a> = Message<'a, Tagged<u8>>;
    type Record<'a> = Record<'a, Tagged<u8>>;
    type Event<'a> = Event<'a, Tagged<u8>>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, Tagged<u8>>) -> Result<(), Corrupt> {
        self.store.restore(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, Tagged<u8>>,
    ) -> Result<(), Rejected> {
        self.store.receive(now, from, message)
    }

    fn tick(&mut self, now: Instant) {
        self.store.tick(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.store.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        Some(match self.store.poll()? {
            Output::Persist(ticket, record) => Output::Persist(ticket, record),
            Output::Send(to, message) => Output::Send(to, message),
            Output::Event(event) => {
                if let Event::Written { .. } | Event::Found { .. } | Event::Failed { .. } = event {
                    self.open = None;
                    self.stopped |= matches!(event, Event::Failed { .. });
                }
                Output::Event(event)
            }
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.store.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, Tagged<u8>>> {
        self.store.checkpoint()
    }

    fn status(&self) -> Status {
        self.store.status()
    }

    fn rejections(&self) -> Rejections {
        self.store.rejections()
    }
}

/// What clients have asked for and were told.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
#[allow(unnameable_types)] // of the model
pub struct History {
    /// How many operations each node has begun.
    begun: Vec<usize>,
    tester: LinearizabilityTester<usize, Register<u8>>,
}

impl Modelled for ModelledRegister {
    type Machine = Client;
    type Command = ();
    type Memory = History;

    fn nodes(&self) -> usize {
        if self.apart { REPLICAS + self.clients.len() } else { REPLICAS }
    }

    fn boot(&self, node: usize) -> Result<Client, String> {
        Ok(Client {
            store: self.store(node)?,
            operations: self.operations(node).unwrap_or_default(),
            repair: self.repair,
            begun: 0,
            open: None,
            stopped: false,
        })
    }

    /// The replicas know that they hold nothing yet, and lack nothing: catching up is not what is explored.
    fn initial_disk(&self, node: usize) -> Vec<Vec<u8>> {
        let mut disk = Vec::new();
        let Some(mut store) = self.store(node).ok().filter(|_| node < REPLICAS) else {
            return disk;
        };
        store.found();
        while let Some(output) = store.poll() {
            if let Output::Persist(_, record) = output {
                let mut bytes = vec![0; record.encoded_len()];
                disk.extend(record.to_slice(&mut bytes).map(<[u8]>::to_vec));
            }
        }
        disk
    }

    /// A client that comes back would not know what it has done.
    fn may_crash(&self, node: usize) -> bool {
        self.operations(node).is_none()
    }

    fn commands(&self, _node: usize, machine: &Client) -> Vec<()> {
        machine.next().map(|_| ()).into_iter().collect()
    }

    fn command(&self, machine: &mut Client, now: Instant, (): &()) {
        machine.begin(now);
    }

    fn hash_state<H: Hasher>(&self, machine: &Client, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn handle_event(
        &self,
        memory: &mut History,
        node: usize,
        event: Event<'_, Tagged<u8>>,
    ) -> Result<(), String> {
        let told = match event {
            Event::Written { .. } => RegisterRet::WriteOk,
            Event::Found { value, .. } => {
                RegisterRet::ReadOk(value.and_then(Tagged::get).copied().unwrap_or(0))
            }
            _ => return Ok(()), // what became of it is not known
        };
        memory.tester.on_return(node, told)?;
        if memory.tester.is_consistent() {
            return Ok(());
        }
        Err(format!("not linearizable: {:?}", memory.tester))
    }

    fn check(&self, memory: &mut History, nodes: &[model::Node<Self>]) -> Result<(), String> {
        memory.begun.resize(nodes.len(), 0);
        for (at, node) in nodes.iter().enumerate() {
            let (Some(machine), Some(begun)) = (&node.machine, memory.begun.get_mut(at)) else {
                continue;
            };
            if machine.begun > *begun {
                let operation = machine.operations.get(*begun).ok_or("there is none to begin")?;
                *begun = machine.begun;
                memory.tester.on_invoke(
                    at,
                    match *operation {
                        Operation::Read => RegisterOp::Read,
                        Operation::Write(value) | Operation::WriteNth(value) => {
                            RegisterOp::Write(value)
                        }
                    },
                )?;
            }
        }
        Ok(())
    }
}
