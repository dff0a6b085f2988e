use quorate_core::{Instant, Machine, NodeId, Quorums, Rejected, Wire};
use quorate_paxos::fast::FastQuorums;
use quorate_paxos::synod::{Config, Event, Learning, Message, Record, Vote};
use quorate_paxos::{Ballot, Heap, Member, Roles};
use quorate_sim::Digest;
use quorate_sim::interact::{Options, Protocol, time_us};

use crate::setup::MAX_VALUE;
use crate::{Kind, Node, Oracle, Setup, parse};

/// Paxos of one decision, and Fast Paxos, in interaction tests.
///
/// Options of `nodes`: `roles=all,acceptor,…` (one for each node: `all`, `proposer`, `acceptor`, `learner`), `q1` and `q2` (how many
/// acceptors are a quorum of phase 1 and of phase 2), `grid=2x3` (rows and columns), `fast=3,4` (Fast Paxos: quorums of a classic ballot
/// and of the fast one), `learning` (`direct`, `distinguished` or `proposer`), `retry`, `backoff`, `learn` (times), `seed`.
///
/// | command | what it does |
/// |---|---|
/// | `propose NODE VALUE` | proposes a value |
/// | `learn NODE` | asks what was chosen |
///
/// `set-disk NODE [promised=ROUND.NODE] [vote=ROUND.NODE:VALUE]` is the disk of a founded node; without arguments it is erased. The oracle
/// judges each step until a disk is replaced; then only that no two nodes know different values.
pub struct SynodProtocol {
    setup: Setup,
    seed: u64,
    /// How often each node has started.
    lives: Vec<u64>,
    oracle: Option<Oracle>,
    /// The violation it found.
    violated: Option<String>,
}

impl SynodProtocol {
    /// Calls the oracle, if it is on; what it finds is reported by the next check.
    fn with_oracle(&mut self, check: impl FnOnce(&mut Oracle) -> Result<(), String>) {
        if let Some(oracle) = &mut self.oracle
            && let Err(what) = check(oracle)
        {
            self.violated.get_or_insert(what);
        }
    }
}

impl Protocol for SynodProtocol {
    type Machine = Node<Heap>;

    fn new(nodes: u64, options: &mut Options<'_>) -> Result<Self, String> {
        let standard = Config::lan();
        let mut time = |name, otherwise| options.take(name).map_or(Ok(otherwise), time_us);
        let (retry_us, backoff_us) =
            (time("retry", standard.retry_us)?, time("backoff", standard.backoff_us)?);
        let learn_us = time("learn", standard.learn_us)?;
        let learning = match options.take("learning") {
            None | Some("distinguished") => Learning::Distinguished,
            Some("direct") => Learning::Direct,
            Some("proposer") => Learning::Proposer,
            Some(other) => return Err(format!("{other:?} is no way to learn")),
        };
        let max_value_bytes = MAX_VALUE;
        let config =
            Config { retry_us, backoff_us, learn_us, learning, max_value_bytes, ..standard };
        let mut roles: Vec<Roles> = match options.take("roles") {
            Some(words) => words.split(',').map(role).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        roles.resize(nodes as usize, Roles::ALL);
        let acceptors = roles.iter().filter(|roles| roles.contains(Roles::ACCEPTOR)).count() as u64;
        let majority = acceptors / 2 + 1;
        let (one, two) = (options.number("q1", majority)?, options.number("q2", majority)?);
        let mut fast = None;
        let (quorums, kind) = if let Some((rows, columns)) = pair(options.take("grid"), 'x')? {
            let quorums = Quorums::grid(rows, columns).map_err(|e| e.to_string())?;
            (quorums, Kind::Grid(columns.into()))
        } else if let Some((classic, size)) = pair(options.take("fast"), ',')? {
            let sizes = FastQuorums::new(acceptors as u8, classic, size);
            fast = Some(sizes.map_err(|e| e.to_string())?);
            (Quorums::majority(acceptors as u8), Kind::Fast([classic.into(), size.into()]))
        } else {
            let quorums = Quorums::flexible(acceptors as u8, one as u8, two as u8);
            (quorums.map_err(|e| e.to_string())?, Kind::Votes([one, two]))
        };
        let ids = (1..=nodes).map(NodeId::new);
        let members = ids.zip(roles).map(|(id, roles)| Member::new(id).with_roles(roles)).collect();
        let setup = Setup { members, quorums, fast, config, kind };
        Ok(Self {
            oracle: Some(Oracle::new(setup.clone())),
            setup,
            seed: options.number("seed", 0)?,
            lives: vec![0; nodes as usize],
            violated: None,
        })
    }

    fn boot(&mut self, node: NodeId) -> Result<Node<Heap>, String> {
        let at = index_of(node);
        let life = self.lives.get_mut(at).ok_or("no such node")?;
        *life += 1;
        let seed = self.seed ^ node.get() << 32 ^ *life;
        let mut machine = Node::new(&self.setup, at, seed).map_err(|e| e.to_string())?;
        if *life == 1 {
            machine.found();
        }
        Ok(machine)
    }

    fn restored(&mut self, _node: NodeId, _machine: &mut Node<Heap>) -> Result<(), String> {
        Ok(())
    }

    fn crashed(&mut self, node: NodeId) {
        if let Some(oracle) = &mut self.oracle {
            oracle.crashed(index_of(node));
        }
    }

    fn command(
        &mut self,
        name: &str,
        node: NodeId,
        machine: &mut Node<Heap>,
        now: Instant,
        args: &[&str],
    ) -> Result<String, String> {
        match (name, args) {
            ("propose", [value]) => {
                let result = machine.propose(now, value.as_bytes()).ok_or("it does not propose")?;
                if let Err(why) = result {
                    return Ok(format!("refused: {why}"));
                }
                self.with_oracle(|oracle| {
                    oracle.proposed(index_of(node), value.as_bytes());
                    Ok(())
                });
            }
            ("learn", []) => machine.learn(now),
            _ => return Err(format!("there is no command `{name} NODE {}`", args.join(" "))),
        }
        Ok(String::new())
    }

    fn run_application(&mut self, _node: NodeId, _machine: &mut Node<Heap>) -> Option<String> {
        None
    }

    fn format_message(message: &Message<'_>) -> String {
        match message {
            Message::Prepare { ballot } => format!("Prepare {ballot}"),
            Message::Promise { ballot, vote: None } => format!("Promise {ballot}, no vote"),
            Message::Promise { ballot, vote: Some(vote) } => {
                format!("Promise {ballot}, vote {}", format_vote(vote))
            }
            Message::Accept { vote } => format!("Accept {}", format_vote(vote)),
            Message::Accepted { vote } => format!("Accepted {}", format_vote(vote)),
            Message::Preempted { ballot, promised } => {
                format!("Preempted {ballot}, promised {promised}")
            }
            Message::Decided { value } => format!("Decided {}", format_value(value)),
            Message::Learn => "Learn".into(),
            Message::Propose { value } => format!("Propose {}", format_value(value)),
            other => format!("{other:?}"),
        }
    }

    fn format_record(record: &Record<'_>) -> String {
        match record {
            Record::Founded => "Founded".into(),
            Record::Rounds { through } => format!("Rounds through {through}"),
            Record::Promised { ballot } => format!("Promised {ballot}"),
            Record::Accepted { vote } => format!("Accepted {}", format_vote(vote)),
            other => format!("{other:?}"),
        }
    }

    fn handle_event(&mut self, node: NodeId, event: &Event<'_>) -> String {
        let Event::Decided { value } = event else { return format!("{event:?}") };
        self.with_oracle(|oracle| oracle.decided(index_of(node), value));
        format!("decided {}", format_value(value))
    }

    fn format_status(&self, _node: NodeId, machine: &Node<Heap>) -> String {
        let status = machine.status();
        let decided = machine
            .decided()
            .map_or(String::new(), |value| format!(", knows {}", format_value(value)));
        let founded = if status.founded { "" } else { ", not founded" };
        format!(
            "{:?}, ballot {}; promised {}, voted in {}{decided}{founded}",
            status.phase, status.ballot, status.promised, status.accepted
        )
    }

    fn disk_records(args: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        if args.is_empty() {
            return Ok(Vec::new());
        }
        let mut options = Options::parse(args)?;
        let promised = options.take("promised").map(ballot).transpose()?;
        let vote = options.take("vote");
        options.finish()?;
        let mut records = vec![encode(&Record::Founded)?];
        if let Some(ballot) = promised {
            records.push(encode(&Record::Promised { ballot })?);
        }
        if let Some(word) = vote {
            let (voted, value) = word.split_once(':').ok_or("a vote is ROUND.NODE:VALUE")?;
            let vote = Vote { ballot: ballot(voted)?, value: value.as_bytes() };
            records.push(encode(&Record::Accepted { vote })?);
        }
        Ok(records)
    }

    fn forge(_args: &[&str]) -> Result<Vec<u8>, String> {
        Err("no message of Paxos is forged in scenarios: hold an honest one back".into())
    }

    fn message_digest(message: &Message<'_>) -> u64 {
        let mut digest = Digest::new();
        digest.mix(&[], Self::format_message(message).as_bytes());
        digest.value()
    }

    fn issued(&mut self, _node: NodeId, _record: &Record<'_>) {}

    fn durable(&mut self, node: NodeId, record: &Record<'_>) {
        let record = encode(record).and_then(|bytes| parse::record(&bytes));
        self.with_oracle(|oracle| oracle.durable(index_of(node), record?));
    }

    fn records_replaced(&mut self, node: NodeId) {
        self.with_oracle(|oracle| {
            oracle.replaced(index_of(node));
            Ok(())
        });
    }

    fn sent(&mut self, node: NodeId, to: NodeId, message: &Message<'_>) {
        let said = encode(message).and_then(|bytes| parse::message(&bytes));
        self.with_oracle(|oracle| oracle.sent(index_of(node), index_of(to), said?));
    }

    fn received(
        &mut self,
        node: NodeId,
        _from: NodeId,
        _order: u64,
        result: Result<(), Rejected>,
        _machine: &Node<Heap>,
    ) {
        self.with_oracle(|_| {
            result.map_err(|why| format!("node {node} refuses an honest message: {why}"))
        });
    }

    fn tampered(&mut self) {
        self.oracle = None;
    }

    fn check(&mut self, machines: &[(NodeId, &Node<Heap>)]) -> Result<(), String> {
        for (node, machine) in machines {
            self.with_oracle(|oracle| {
                oracle.check_checkpoint(index_of(*node))?;
                match machine.decided() {
                    Some(value) => oracle.decided(index_of(*node), value),
                    None => Ok(()),
                }
            });
        }
        if let Some(what) = self.violated.take() {
            return Err(what);
        }
        let mut known = machines.iter().filter_map(|(_, machine)| machine.decided());
        let first = known.next();
        match known.find(|value| Some(*value) != first) {
            Some(other) => Err(format!("two values are known to be chosen: {first:?}, {other:?}")),
            None => Ok(()),
        }
    }
}

fn index_of(node: NodeId) -> usize {
    (node.get() as usize).wrapping_sub(1)
}

fn format_value(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}

fn format_vote(vote: &Vote<'_>) -> String {
    format!("{} {}", vote.ballot, format_value(vote.value))
}

fn role(word: &str) -> Result<Roles, String> {
    Ok(match word {
        "all" => Roles::ALL,
        "proposer" => Roles::PROPOSER,
        "acceptor" => Roles::ACCEPTOR,
        "learner" => Roles::LEARNER,
        other => return Err(format!("{other:?} is no role")),
    })
}

/// Two small numbers.
fn pair(word: Option<&str>, between: char) -> Result<Option<(u8, u8)>, String> {
    let Some(word) = word else { return Ok(None) };
    let numbers =
        word.split_once(between).and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    numbers.map(Some).ok_or_else(|| format!("{word:?} is not N{between}N"))
}

/// Reads `2.1`.
pub(crate) fn ballot(word: &str) -> Result<Ballot, String> {
    let numbers = word.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let (round, node) = numbers.ok_or_else(|| format!("{word:?} is no ballot such as 2.1"))?;
    Ok(Ballot::new(round, NodeId::new(node)))
}

fn encode<'a, T: Wire<'a>>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
    Ok(bytes)
}
