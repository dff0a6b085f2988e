use std::collections::BTreeMap;

use quorate_core::{Instant, Machine, NodeId, Quorums, Rejected};
use quorate_paxos::register::{
    Attempt, Change, Config, Event, Heap, Message, NoChanges, Record, Register, Sizes, State, Step,
};
use quorate_paxos::{Ballot, Member};
use quorate_sim::Digest;
use quorate_sim::interact::{Options, Protocol, time_us};

/// Registers in interaction tests.
///
/// Options of `nodes`: `acceptors` (how many of the nodes, from the first on; the others propose only once they are set up), `retry`,
/// `backoff` (times), `seed`.
///
/// | command | what it does |
/// |---|---|
/// | `get NODE KEY`, `set NODE KEY VALUE`, `delete NODE KEY` | requests it |
/// | `cas NODE KEY VERSION VALUE` | sets the value if the register has this version, such as `1.1` |
/// | `retry NODE KEY VALUE FIRST LAST` | asks for a `set` again whose attempt was told |
/// | `collect NODE KEY` | collects the tombstone of a deleted key |
/// | `accept NODE VERSION N,…` | takes the first step of a change to these acceptors, with majorities |
/// | `prepare NODE VERSION FLOOR`, `finish NODE VERSION FLOOR` | takes the second step, the third |
/// | `keys NODE` | what the acceptor has of each key |
///
/// Each step is judged: a ballot of a key has one state on all disks, and what a version of a key holds is told alike by all answers.
pub struct RegisterProtocol {
    acceptors: u64,
    config: Config,
    seed: u64,
    /// How often each node has started.
    lives: Vec<u64>,
    /// The value of each ballot of each key, by records and by answers.
    states: BTreeMap<(Vec<u8>, Ballot), Option<Vec<u8>>>,
    versions: BTreeMap<(Vec<u8>, Ballot), Option<Vec<u8>>>,
    /// The keys of requests, in the order of their events' names.
    requests: BTreeMap<(NodeId, String), Vec<u8>>,
    violated: Option<String>,
}

type Node = Register<Heap, NoChanges>;

impl RegisterProtocol {
    fn submit(
        &mut self,
        (node, machine): (NodeId, &mut Node),
        (now, key): (Instant, &str),
        change: Change<'_>,
        attempt: Option<Attempt>,
    ) -> String {
        let result = match attempt {
            Some(attempt) => machine.retry(now, key.as_bytes(), change, attempt),
            None => machine.submit(now, key.as_bytes(), change),
        };
        match result {
            Ok(request) => {
                self.requests.insert((node, format!("{request:?}")), key.as_bytes().to_vec());
                String::new()
            }
            Err(why) => format!("refused: {why}"),
        }
    }
}

impl Protocol for RegisterProtocol {
    type Machine = Node;

    fn new(nodes: u64, options: &mut Options<'_>) -> Result<Self, String> {
        let standard = Config::lan();
        let mut time = |name, otherwise| options.take(name).map_or(Ok(otherwise), time_us);
        let (retry_us, backoff_us) =
            (time("retry", standard.retry_us)?, time("backoff", standard.backoff_us)?);
        Ok(Self {
            acceptors: options.number("acceptors", nodes)?,
            config: Config { retry_us, backoff_us, ..standard },
            seed: options.number("seed", 0)?,
            lives: vec![0; nodes as usize],
            states: BTreeMap::new(),
            versions: BTreeMap::new(),
            requests: BTreeMap::new(),
            violated: None,
        })
    }

    fn boot(&mut self, node: NodeId) -> Result<Node, String> {
        let at = (node.get() as usize).wrapping_sub(1);
        let life = self.lives.get_mut(at).ok_or("no such node")?;
        *life += 1;
        let members: Vec<Member> =
            (1..=self.acceptors).map(|id| Member::new(NodeId::new(id))).collect();
        let quorums = Quorums::majority(self.acceptors as u8);
        let seed = self.seed ^ node.get() << 32 ^ *life;
        let mut machine = Register::new(node, &members, quorums, self.config, NoChanges, seed)
            .map_err(|e| e.to_string())?;
        if *life == 1 {
            machine.found(0);
        }
        Ok(machine)
    }

    fn restored(&mut self, _node: NodeId, _machine: &mut Node) -> Result<(), String> {
        Ok(())
    }

    fn crashed(&mut self, node: NodeId) {
        self.requests.retain(|(of, _), _| *of != node);
    }

    fn command(
        &mut self,
        name: &str,
        node: NodeId,
        machine: &mut Node,
        now: Instant,
        args: &[&str],
    ) -> Result<String, String> {
        let number = |word: &str| word.parse::<u64>().map_err(|_| format!("{word:?} is no number"));
        let taken = |result: Result<(), _>| match result {
            Ok(()) => String::new(),
            Err(why) => format!("refused: {why}"),
        };
        Ok(match (name, args) {
            ("get", [key]) => self.submit((node, machine), (now, key), Change::Read, None),
            ("delete", [key]) => self.submit((node, machine), (now, key), Change::Delete, None),
            ("set", [key, value]) => {
                let change = Change::Set { value: value.as_bytes() };
                self.submit((node, machine), (now, key), change, None)
            }
            ("cas", [key, version, value]) => {
                let version = crate::synod_protocol::ballot(version)?;
                let change = Change::CompareAndSet { version, value: value.as_bytes() };
                self.submit((node, machine), (now, key), change, None)
            }
            ("retry", [key, value, first, last]) => {
                let [first, last] = [first, last].map(|word| crate::synod_protocol::ballot(word));
                let attempt = Attempt { first: first?, last: last? };
                let change = Change::Set { value: value.as_bytes() };
                self.submit((node, machine), (now, key), change, Some(attempt))
            }
            ("collect", [key]) => match machine.collect(now, key.as_bytes()) {
                Ok(()) => String::new(),
                Err(why) => format!("refused: {why}"),
            },
            ("accept", [version, acceptors]) => {
                let ids = acceptors.split(',').map(|id| Ok(NodeId::new(number(id)?)));
                let ids: Vec<NodeId> = ids.collect::<Result<_, String>>()?;
                let (version, sizes) = (number(version)?, Sizes::majority(ids.len() as u8));
                taken(machine.take(Step::Accept { version, acceptors: &ids, sizes }))
            }
            ("prepare", [version, floor]) => {
                let (version, floor) = (number(version)?, number(floor)?);
                taken(machine.take(Step::Prepare { version, floor }))
            }
            ("finish", [version, floor]) => {
                let (version, floor) = (number(version)?, number(floor)?);
                taken(machine.take(Step::Finish { version, floor }))
            }
            ("keys", []) => {
                let line = |key: &[u8]| {
                    let (state, promised) = machine.accepted(key)?;
                    let state = state.map_or("nothing".into(), |state| format_state(&state));
                    Some(format!("{}: {state}; promised {promised}", text(key)))
                };
                let lines: Vec<String> = machine.keys().filter_map(line).collect();
                if lines.is_empty() { "no keys".into() } else { lines.join("\n") }
            }
            _ => return Err(format!("there is no command `{name} NODE {}`", args.join(" "))),
        })
    }

    fn run_application(&mut self, _node: NodeId, _machine: &mut Node) -> Option<String> {
        None
    }

    fn format_message(message: &Message<'_>) -> String {
        match message {
            Message::Prepare { key, ballot, age } => {
                format!("Prepare {} {ballot}, age {age}", text(key))
            }
            Message::Promise { key, ballot, state } => {
                let state = state.as_ref().map_or("nothing".into(), format_state);
                format!("Promise {} {ballot}, {state}", text(key))
            }
            Message::Accept { key, state, next, age } => {
                format!("Accept {} {}, next {next}, age {age}", text(key), format_state(state))
            }
            Message::Accepted { key, ballot, promised } => {
                format!("Accepted {} {ballot}, promised {promised}", text(key))
            }
            Message::Conflict { key, promised } => {
                format!("Conflict {}, promised {promised}", text(key))
            }
            Message::Collect { key, tombstone, version } => {
                format!("Collect {} {tombstone}, version {version}", text(key))
            }
            Message::Collected { tombstone } => format!("Collected {tombstone}"),
            Message::Fence { age } => format!("Fence age {age}"),
            Message::Fenced { age } => format!("Fenced age {age}"),
            Message::Erase { key, tombstone } => format!("Erase {} {tombstone}", text(key)),
            Message::Erased { tombstone, erased } => format!("Erased {tombstone}: {erased}"),
            other => format!("{other:?}"),
        }
    }

    fn format_record(record: &Record<'_>) -> String {
        match record {
            Record::Promised { key, ballot } => format!("Promised {} {ballot}", text(key)),
            Record::Accepted { key, state, promised } => {
                format!("Accepted {} {}, promised {promised}", text(key), format_state(state))
            }
            Record::Erased { key } => format!("Erased {}", text(key)),
            Record::Aged { age, floor } => format!("Aged {age}, floor {floor}"),
            Record::Fenced { node, age } => format!("Fenced node {node}, age {age}"),
            Record::Rounds { through } => format!("Rounds through {through}"),
            Record::Founded { version } => format!("Founded, version {version}"),
            Record::Seat { node, present, next } => {
                format!("Seat of {node}: votes {present}, next {next}")
            }
            Record::Configured { version, stage, floor, .. } => {
                format!("Configured version {version}, stage {stage}, floor {floor}")
            }
            other => format!("{other:?}"),
        }
    }

    fn handle_event(&mut self, node: NodeId, event: &Event<'_>) -> String {
        match event {
            Event::Attempted { attempt, .. } => {
                format!("attempted in {} to {}", attempt.first, attempt.last)
            }
            Event::Answered { request, outcome, version, value } => {
                if let Some(key) = self.requests.remove(&(node, format!("{request:?}")))
                    && !version.is_zero()
                {
                    let value = value.map(<[u8]>::to_vec);
                    let known = self.versions.entry((key, *version)).or_insert(value.clone());
                    if *known != value {
                        let what = format!("version {version} is told as {known:?} and {value:?}");
                        self.violated.get_or_insert(what);
                    }
                }
                let value = value.map_or("no value".into(), text);
                format!("{outcome:?}, version {version}, {value}")
            }
            Event::Collected { key, erased } => {
                format!("collected {}, erased: {erased}", text(key))
            }
            other => format!("{other:?}"),
        }
    }

    fn format_status(&self, _node: NodeId, machine: &Node) -> String {
        let status = machine.status();
        format!(
            "{:?}, version {}, round {}, age {}, keys {}, requests {}, outdated {}",
            status.stage,
            status.version,
            status.round,
            status.age,
            status.keys,
            status.requests,
            status.outdated
        )
    }

    fn disk_records(_args: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        Ok(Vec::new())
    }

    fn forge(_args: &[&str]) -> Result<Vec<u8>, String> {
        Err("no message of registers is forged in scenarios: hold an honest one back".into())
    }

    fn message_digest(message: &Message<'_>) -> u64 {
        let mut digest = Digest::new();
        digest.mix(&[], Self::format_message(message).as_bytes());
        digest.value()
    }

    fn issued(&mut self, _node: NodeId, _record: &Record<'_>) {}

    fn durable(&mut self, node: NodeId, record: &Record<'_>) {
        let Record::Accepted { key, state, .. } = record else { return };
        let value = state.value.map(<[u8]>::to_vec);
        let known = self.states.entry((key.to_vec(), state.ballot)).or_insert(value.clone());
        if *known != value {
            let what = format!("node {node} has {value:?} in {}, not {known:?}", state.ballot);
            self.violated.get_or_insert(what);
        }
    }

    fn records_replaced(&mut self, _node: NodeId) {}

    fn sent(&mut self, _node: NodeId, _to: NodeId, _message: &Message<'_>) {}

    fn received(
        &mut self,
        node: NodeId,
        _from: NodeId,
        _order: u64,
        result: Result<(), Rejected>,
        _machine: &Node,
    ) {
        // who is no member yet, or any more, may be heard
        if let Err(why) = result
            && why != Rejected::UnknownSender
        {
            self.violated.get_or_insert(format!("node {node} refuses an honest message: {why}"));
        }
    }

    fn tampered(&mut self) {}

    fn check(&mut self, _machines: &[(NodeId, &Node)]) -> Result<(), String> {
        self.violated.take().map_or(Ok(()), Err)
    }
}

fn text(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

fn format_state(state: &State<'_>) -> String {
    let value = state.value.map_or("tombstone".into(), text);
    if state.origin == state.ballot {
        return format!("{} {value}", state.ballot);
    }
    format!("{} {value} of {}", state.ballot, state.origin)
}
