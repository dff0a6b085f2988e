use std::hash::{Hash, Hasher};

use quorate_core::{Corrupt, Instant, Machine, NodeId, Output, Rejected, Rejections, Ticket, Wire};
use quorate_ring::migration::{
    Config, Event, Inline, Message, Migration, Ownership, Progress, Record, Status,
};
use quorate_ring::topology::Version;
use quorate_sim::model::{Modelled, Node};

type Plain = Migration<u64, Inline<3, 1, 12, 1>>;

/// The range, which belongs to the first node.
const RANGE: u64 = 7;

const CONFIG: Config =
    Config { retry_us: 10_000, stall_us: 1_000_000, bytes_per_second: u64::MAX, ..Config::lan() };

/// A migration whose application answers at once: it takes what is offered, and reads two chunks.
#[derive(Clone, PartialEq, Hash, Debug)]
#[allow(unnameable_types)] // of the machine of the model
pub struct Answering(Plain);

impl Answering {
    /// Answers an event, if that needs an answer. False for others.
    fn answer(&mut self) -> bool {
        let mut next = self.0.clone();
        let (mut taken, mut read, mut applied) = (false, None, false);
        match next.poll() {
            Some(Output::Event(Event::Offered { .. })) => taken = true,
            Some(Output::Event(Event::Read { after, .. })) => read = Some(after.is_empty()),
            Some(Output::Event(Event::Apply { .. })) => applied = true,
            _ => return false,
        }
        if taken {
            next.accept(RANGE).unwrap();
        }
        if applied {
            next.applied(RANGE).unwrap();
        }
        if let Some(is_first) = read {
            let cursor: Option<&[u8]> = is_first.then_some(&[1]);
            next.provide(RANGE, b"part", cursor).unwrap();
        }
        self.0 = next;
        true
    }
}

impl Machine for Answering {
    type Message<'a> = Message<'a, u64>;
    type Record<'a> = Record<'a, u64>;
    type Event<'a> = Event<'a, u64>;
    type Status = Status;

    fn restore(&mut self, record: Record<'_, u64>) -> Result<(), Corrupt> {
        self.0.restore(record)
    }

    fn receive(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'_, u64>,
    ) -> Result<(), Rejected> {
        self.0.receive(now, from, message)
    }

    fn tick(&mut self, now: Instant) {
        self.0.tick(now);
    }

    fn persisted(&mut self, ticket: Ticket) {
        self.0.persisted(ticket);
    }

    fn poll(&mut self) -> Option<Output<'_, Self>> {
        while self.answer() {}
        Some(match self.0.poll()? {
            Output::Persist(ticket, record) => Output::Persist(ticket, record),
            Output::Send(to, message) => Output::Send(to, message),
            Output::Event(event) => Output::Event(event),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    fn checkpoint(&self) -> impl Iterator<Item = Record<'_, u64>> {
        self.0.checkpoint()
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn rejections(&self) -> Rejections {
        self.0.rejections()
    }
}

/// What the application of the owner asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(unnameable_types)]
pub enum Command {
    /// To hand the range over to this node.
    Begin(NodeId),
    /// To send a write on, while both have the range.
    Write,
    /// To give the range away.
    Release,
    /// To keep it.
    Cancel,
}

/// A hand-over of one range for the model checker: the range never has two owners, and never none on record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelledMigration {
    /// How many nodes there are, the first of which owns the range.
    pub nodes: usize,
}

impl ModelledMigration {
    fn ids(&self) -> Vec<NodeId> {
        (1..=self.nodes as u64).map(NodeId::new).collect()
    }

    fn plain(&self, node: usize) -> Plain {
        Plain::new(self.ids()[node], &self.ids(), CONFIG).unwrap()
    }

    /// What the records of a node say: whether it owns the range, whom it released it to, and whether it has all of it.
    fn on_record(&self, at: usize, disk: &[Vec<u8>]) -> (bool, Option<NodeId>, bool) {
        let mut machine = self.plain(at);
        for record in disk {
            machine.restore(Record::from_slice(record).unwrap()).unwrap();
        }
        let released = machine.outgoing().find(|one| one.progress == Progress::Released);
        let has_all = machine.incoming().any(|one| one.progress >= Progress::Copied);
        (owns(at, machine.ownership(RANGE)), released.map(|one| one.peer), has_all)
    }
}

fn owns(at: usize, ownership: Ownership) -> bool {
    ownership.is_here().unwrap_or(at == 0)
}

impl Modelled for ModelledMigration {
    type Machine = Answering;
    type Command = Command;
    type Memory = ();

    fn nodes(&self) -> usize {
        self.nodes
    }

    fn boot(&self, node: usize) -> Result<Answering, String> {
        Ok(Answering(self.plain(node)))
    }

    fn commands(&self, node: usize, machine: &Answering) -> Vec<Command> {
        if node > 0 {
            return Vec::new();
        }
        match machine.0.outgoing().next().map(|one| one.progress) {
            None => self.ids().into_iter().skip(1).map(Command::Begin).collect(),
            Some(Progress::Copying) => vec![Command::Cancel, Command::Write],
            Some(Progress::Copied) => vec![Command::Cancel, Command::Write, Command::Release],
            _ => Vec::new(),
        }
    }

    fn command(&self, machine: &mut Answering, now: Instant, command: &Command) {
        let machine = &mut machine.0;
        machine.tick(now);
        // a command may come too late, or find no room
        let _ = match command {
            Command::Begin(to) => machine.begin(RANGE, *to, Version::default()).is_ok(),
            Command::Write => machine.forward(RANGE, b"w").is_ok(),
            Command::Release => machine.release(RANGE).is_ok(),
            Command::Cancel => machine.cancel(RANGE).is_ok(),
        };
    }

    fn hash_state<H: Hasher>(&self, machine: &Answering, _now: Instant, state: &mut H) {
        machine.hash(state);
    }

    fn check(&self, _memory: &mut (), nodes: &[Node<Self>]) -> Result<(), String> {
        let serving = nodes.iter().enumerate().filter(|(at, node)| {
            node.machine.as_ref().is_some_and(|machine| owns(*at, machine.0.ownership(RANGE)))
        });
        if serving.count() > 1 {
            return Err("two nodes serve the range".into());
        }
        let records: Vec<_> =
            nodes.iter().enumerate().map(|(at, node)| self.on_record(at, &node.disk)).collect();
        let owners = records.iter().filter(|(owns, ..)| *owns).count();
        let named = records.iter().find_map(|(_, released, _)| *released);
        match (owners, named) {
            (1, None) => Ok(()),
            (1, Some(to)) if records[to.get() as usize - 1].0 => Ok(()),
            (0, Some(to)) if records[to.get() as usize - 1].2 => Ok(()),
            _ => Err(format!("on record: {records:?}")),
        }
    }

    /// What is under way comes to its end: it is copied, or it is over.
    fn healed(&self, nodes: &[Node<Self>]) -> Result<(), String> {
        let machines: Vec<&Plain> =
            nodes.iter().filter_map(|node| Some(&node.machine.as_ref()?.0)).collect();
        if machines.len() < nodes.len() {
            return Ok(()); // one of them is down, and waited for
        }
        let source = machines[0].outgoing().next();
        let progress = |one: quorate_ring::migration::Handover<u64>| one.progress;
        let targets = machines[1..].iter().filter_map(|machine| machine.incoming().next());
        let targets: Vec<_> = targets.collect();
        match source.map(progress) {
            None if targets.is_empty() => Ok(()),
            Some(Progress::Copied) if targets.len() == 1 => Ok(()),
            Some(Progress::Closed)
                if targets.len() == 1 && progress(targets[0]) == Progress::Closed =>
            {
                Ok(())
            }
            _ => Err(format!("{source:?} and {targets:?}")),
        }
    }

    fn max_healing_us(&self) -> u64 {
        20 * CONFIG.retry_us
    }
}
