use core::marker::PhantomData;
use quorate_raft::ReplicatedLog as _;

use quorate_core::{Drift, Instant, Machine, NodeId, Rejected, Rng, Wire};
use quorate_raft::{
    Change, ChangeError, Config, EntryKind, Event, Heap, Index, Members, Message, Proposal,
    ProposeError, Raft, Record, Role, Storage, Term,
};
use quorate_sim::Marks;
use quorate_sim::interact::{Options, Protocol, time_us};

use super::oracle::Oracle;
use super::text_format::{self, RoleText};

/// Raft in interaction tests, on the heap storage or another. The application beside each node is
/// the list of commands it applied.
///
/// Options of `nodes`: `pre-vote`, `check-quorum`, `forward` (`on` or `off`), `election=150ms`,
/// `election-max=300ms`, `heartbeat=50ms`, `lease-drift` (ppm), `snapshot-pace=20ms`,
/// `quiesce=200ms`, `max-append`, `max-inflight`, `max-inflight-bytes`, `max-entry`,
/// `max-uncommitted`, `snapshot-chunk`, `max-log` (numbers), `voters` (how many of the nodes found
/// the cluster; all. The others join), `seed` (of the timeouts), `election-spread=60ms` (by how
/// much the election timeouts of nodes differ: node 1's are longer by once, node 2's by twice that,
/// and node 3's are as given).
///
/// | command | what it does |
/// |---|---|
/// | `campaign NODE` | starts an election |
/// | `step-down NODE` | the leader steps down |
/// | `forget-leader NODE` | the follower forgets its leader |
/// | `unquiesce NODE` | wakes the node if it is quiesced |
/// | `request-snapshot NODE` | what it applied is lost: requests a snapshot from the leader |
/// | `transfer NODE TO`, `abort-transfer NODE` | transfers leadership, or aborts that |
/// | `change NODE add\|witness\|promote\|demote\|remove N …` | changes the members; with `jointly` first, until `leave-joint NODE` |
/// | `members NODE` | the members as the node knows them |
/// | `propose NODE TEXT` | proposes a command |
/// | `forward NODE TEXT` | forwards a command to the leader |
/// | `read NODE` | requests a linearizable read |
/// | `read-lease NODE` | reads by the leader's lease, if it holds one |
/// | `snapshot NODE [keeping N]` | the application takes a snapshot of what was applied, and keeps N entries of the log |
/// | `application NODE slow\|fast` | whether snapshots wait for `handle-snapshots` |
/// | `handle-snapshots NODE` | a slow application installs what it received, and sends what peers need (`install-snapshot`, `send-snapshot`: one of these) |
/// | `refuse-snapshot NODE` | the application refuses the snapshot it received |
/// | `applied NODE`, `log NODE`, `terms NODE` | what was applied; the entries; the term of each |
/// | `peers NODE` | a leader's view of the others |
///
/// `set-disk NODE term=6 [vote=2] [log=1,1,4,4] [commit=N]` names the terms of the entries, which
/// hold `e1`, `e2`, … `forge A->B MESSAGE` takes the text that traces have for a message:
/// `forge 1->2 Append term 2, prev 1@1, entries 2@2 "x"`. Fields that are not named are zero.
pub struct RaftProtocol<S: Storage = Heap> {
    config: Config,
    voters: Vec<NodeId>,
    applications: Vec<Application>,
    /// What timeouts are drawn from, with the node and its incarnation.
    seed: u64,
    /// How much longer the election timeouts of some nodes are, in µs.
    spread_us: u64,
    /// Checks as in the simulator, as long as nothing is forged.
    oracle: Option<Oracle>,
    /// The violation it found.
    violated: Option<String>,
    sent: u64,
    storage: PhantomData<S>,
}

/// What is beside a node.
#[derive(Default)]
struct Application {
    /// How often the node has booted.
    incarnations: u64,
    applied: Vec<String>,
    /// The index of what was applied last.
    index: Index,
    /// The newest snapshot: the index it covers, the term there, its bytes.
    snapshot: Option<(Index, Term, Vec<u8>)>,
    incoming: Vec<u8>,
    complete: Option<(Index, Term)>,
    snapshot_requests: Vec<(NodeId, Index, u64, usize)>,
    /// What was applied is lost.
    lost: bool,
    slow: bool,
}

impl<S: Storage> RaftProtocol<S> {
    /// Calls the oracle, if it is on; what it finds is reported by the next check.
    fn with_oracle(&mut self, check: impl FnOnce(&mut Oracle) -> Result<(), String>) {
        if let Some(oracle) = &mut self.oracle
            && let Err(what) = check(oracle)
        {
            self.violated.get_or_insert(what);
        }
    }

    fn application(&mut self, node: NodeId) -> Result<&mut Application, String> {
        let at = (node.get() as usize).wrapping_sub(1);
        self.applications.get_mut(at).ok_or_else(|| format!("there is no node {node}"))
    }
}

impl Application {
    fn load(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.applied = text.split('\n').filter(|t| !t.is_empty()).map(Into::into).collect();
    }

    fn take_snapshot<S: Storage>(
        &mut self,
        raft: &mut Raft<S>,
        keep: u64,
        size: Option<usize>,
    ) -> String {
        let index = raft.status().applied;
        let term = raft.term(index).unwrap_or(0);
        let mut bytes = self.applied.join("\n").into_bytes();
        bytes.resize(size.unwrap_or(bytes.len()), b'\n');
        match raft.snapshot_taken(index, index.saturating_sub(keep)) {
            Ok(()) => {
                self.snapshot = Some((index, term, bytes));
                String::new()
            }
            Err(reason) => format!("refused: {reason}"),
        }
    }

    /// Installs what was received, and sends what peers need.
    fn handle_snapshots<S: Storage>(&mut self, raft: &mut Raft<S>) -> Vec<String> {
        let mut lines: Vec<String> = self.install(raft).into_iter().collect();
        lines.extend(self.send_snapshot(raft));
        lines
    }

    fn install<S: Storage>(&mut self, raft: &mut Raft<S>) -> Option<String> {
        let (index, term) = self.complete.take()?;
        let bytes = std::mem::take(&mut self.incoming);
        if index > raft.status().applied || self.lost {
            self.lost = false;
            self.load(&bytes);
            self.index = index;
            self.snapshot = Some((index, term, bytes));
        }
        Some(match raft.snapshot_installed(index) {
            Ok(()) => format!("installs the snapshot of {index}"),
            Err(reason) => format!("cannot install the snapshot of {index}: {reason}"),
        })
    }

    fn send_snapshot<S: Storage>(&mut self, raft: &mut Raft<S>) -> Vec<String> {
        let mut lines = Vec::new();
        for (to, index, offset, max_len) in std::mem::take(&mut self.snapshot_requests) {
            let Some((newest, _, bytes)) = &self.snapshot else { continue };
            let offset = if *newest == index { offset } else { 0 };
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let data = rest.get(..max_len).unwrap_or(rest);
            let done = data.len() == rest.len();
            lines.push(match raft.send_snapshot(to, *newest, offset, data, done) {
                Ok(()) => format!("sends {to} {} at {offset}", text_format::bytes(data)),
                Err(reason) => format!("cannot send {to} the snapshot: {reason}"),
            });
        }
        lines
    }
}

impl<S: Storage> RaftProtocol<S> {
    fn read_lease(&mut self, node: NodeId, raft: &mut Raft<S>, now: Instant) -> String {
        let Some(index) = raft.read_lease(now) else { return "no lease".into() };
        self.with_oracle(|oracle| match oracle.committed() {
            committed if index < committed => {
                Err(format!("node {node} reads by lease at {index} of {committed}"))
            }
            _ => Ok(()),
        });
        format!("lease held: reads at {index} or later")
    }

    fn read(&mut self, node: NodeId, raft: &mut Raft<S>) -> String {
        match raft.read() {
            Ok(id) => {
                let (sent, term) = (self.sent, raft.status().term);
                self.with_oracle(|oracle| {
                    let committed = oracle.committed();
                    oracle.reads.requested(index_of(node), id, sent, committed, term);
                    Ok(())
                });
                format!("read {id:?}")
            }
            Err(reason) => format!("refused: {reason}"),
        }
    }
}

impl<S: Storage> Protocol for RaftProtocol<S> {
    type Machine = Raft<S>;

    fn new(nodes: u64, options: &mut Options<'_>) -> Result<Self, String> {
        let mut time = |name, otherwise| options.take(name).map_or(Ok(otherwise), time_us);
        let election_min_us = time("election", 150_000)?;
        let election_max_us = time("election-max", election_min_us.saturating_mul(2))?;
        let heartbeat_us = time("heartbeat", 50_000)?;
        let voters = options.number("voters", nodes)?;
        let mut size = |name, otherwise: usize| {
            options.number(name, otherwise as u64).map(|number| number as usize)
        };
        let standard = Config::default();
        let config = Config {
            election_min_us,
            election_max_us,
            heartbeat_us,
            max_append_bytes: size("max-append", standard.max_append_bytes)?,
            max_inflight_bytes: size("max-inflight-bytes", standard.max_inflight_bytes)?,
            max_entry_bytes: size("max-entry", 64)?,
            max_uncommitted_bytes: size("max-uncommitted", standard.max_uncommitted_bytes)?,
            max_snapshot_chunk_bytes: size("snapshot-chunk", 64)?,
            max_log_bytes: size("max-log", standard.max_log_bytes)?,
            max_inflight_entries: options.number("max-inflight", standard.max_inflight_entries)?,
            pre_vote: options.switch("pre-vote", standard.pre_vote)?,
            check_quorum: options.switch("check-quorum", standard.check_quorum)?,
            lease_drift: Some(options.number("lease-drift", 0)? as u32)
                .filter(|&ppm| ppm != 0)
                .and_then(Drift::from_ppm),
            snapshot_chunk_interval_us: options.take("snapshot-pace").map_or(Ok(0), time_us)?,
            quiesce_us: options.take("quiesce").map_or(Ok(0), time_us)?,
            forward: options.switch("forward", false)?,
            ..standard
        };
        Ok(Self {
            config,
            voters: (1..=voters).map(NodeId::new).collect(),
            applications: (0..nodes).map(|_| Application::default()).collect(),
            seed: options.number("seed", 0)?,
            spread_us: options.take("election-spread").map_or(Ok(0), time_us)?,
            oracle: Some(Oracle::new(nodes as usize, voters as usize)),
            violated: None,
            sent: 0,
            storage: PhantomData,
        })
    }

    fn boot(&mut self, node: NodeId) -> Result<Self::Machine, String> {
        self.application(node)?.incarnations += 1;
        let seed = incarnation_seed(self.seed, node.get(), self.application(node)?.incarnations);
        let config = node_config(&self.config, self.spread_us, node.get());
        let made = if self.voters.contains(&node) {
            Raft::new(node, &self.voters, config, seed)
        } else {
            Raft::join(node, config, seed)
        };
        let mut raft = made.map_err(|e| format!("node {node} cannot be made: {e}"))?;
        // not its first start: a scenario need not begin with the founders on their way to every disk
        let list = raft.members().bytes().to_vec();
        let voters = Members::decode(&list).unwrap_or_default();
        let founders = Record::Founders { voters };
        raft.restore(founders).map_err(|e| format!("node {node} refuses its founders: {e}"))?;
        self.with_oracle(|oracle| {
            oracle.founders_already_durable(index_of(node), founders);
            Ok(())
        });
        Ok(raft)
    }

    fn restored(&mut self, node: NodeId, raft: &mut Self::Machine) -> Result<(), String> {
        let application = self.application(node)?;
        if let Some((index, term, bytes)) = application.snapshot.clone() {
            application.load(&bytes);
            application.index = index;
            raft.resume(index, term).map_err(|e| format!("node {node} cannot resume: {e}"))?;
        }
        Ok(())
    }

    fn crashed(&mut self, node: NodeId) {
        if let Ok(application) = self.application(node) {
            let Application { snapshot, slow, incarnations, .. } = std::mem::take(application);
            *application = Application { snapshot, slow, incarnations, ..Application::default() };
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.crashed(index_of(node));
        }
    }

    fn command(
        &mut self,
        name: &str,
        node: NodeId,
        raft: &mut Self::Machine,
        now: Instant,
        args: &[&str],
    ) -> Result<String, String> {
        let application = self.application(node)?;
        Ok(match (name, args) {
            ("campaign", []) => {
                raft.campaign(now);
                String::new()
            }
            ("unquiesce", []) => {
                raft.unquiesce(now);
                String::new()
            }
            ("request-snapshot", []) => match raft.request_snapshot() {
                Ok(()) => {
                    application.lost = true;
                    application.applied.clear();
                    String::new()
                }
                Err(reason) => format!("refused: {reason}"),
            },
            ("forget-leader", []) => {
                raft.forget_leader();
                String::new()
            }
            ("step-down", []) => {
                raft.step_down();
                String::new()
            }
            ("transfer", [to]) => {
                let to = to.parse().map_err(|_| format!("{to:?} is no node"))?;
                match raft.transfer(NodeId::new(to)) {
                    Ok(()) => String::new(),
                    Err(reason) => format!("refused: {reason}"),
                }
            }
            ("change", changes) => {
                let (jointly, changes) = match changes {
                    ["jointly", rest @ ..] => (true, rest),
                    all => (false, all),
                };
                let changes = self::changes(changes)?;
                format_proposal(if jointly {
                    raft.change_jointly(&changes)
                } else {
                    raft.change(&changes)
                })
            }
            ("leave-joint", []) => format_proposal(raft.leave_joint()),
            ("members", []) => format!("{node}: {}", text_format::members(raft.members())),
            ("abort-transfer", []) => {
                raft.abort_transfer();
                String::new()
            }
            ("propose", [text]) => match raft.propose(text.as_bytes()) {
                Ok(at) => format!("{text:?} proposed at {}@{}", at.index, at.term),
                Err(reason) => refused(reason),
            },
            ("forward", [text]) => match raft.forward(text.as_bytes()) {
                Ok(id) => format!("{text:?} forwarded as {}", id.get()),
                Err(reason) => refused(reason),
            },
            ("read", []) => self.read(node, raft),
            ("read-lease", []) => self.read_lease(node, raft, now),
            ("snapshot", []) => application.take_snapshot(raft, 0, None),
            ("snapshot", ["keeping", count]) => {
                application.take_snapshot(raft, number(count)?, None)
            }
            ("snapshot", ["keeping", count, "bytes", size]) => {
                application.take_snapshot(raft, number(count)?, Some(number(size)? as usize))
            }
            ("application", [speed @ ("slow" | "fast")]) => {
                application.slow = *speed == "slow";
                String::new()
            }
            ("handle-snapshots", []) => application.handle_snapshots(raft).join("\n"),
            ("install-snapshot", []) => application.install(raft).unwrap_or_default(),
            ("send-snapshot", []) => application.send_snapshot(raft).join("\n"),
            ("refuse-snapshot", []) => {
                application.complete = None;
                raft.snapshot_refused();
                String::new()
            }
            ("applied", []) => format!("{node}: {}", application.applied.join(" ")),
            ("log", []) => format!("{node}: {}", format_log(raft)),
            ("terms", []) => format!("{node}: {}", format_terms(raft)),
            ("peers", []) => format_peers(raft),
            _ => return Err("there is no such command, or not with these arguments".into()),
        })
    }

    fn run_application(&mut self, node: NodeId, raft: &mut Self::Machine) -> Option<String> {
        let application = self.application(node).ok().filter(|a| !a.slow)?;
        let lines = application.handle_snapshots(raft);
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    fn format_message(message: &Message<'_>) -> String {
        text_format::line(message)
    }

    fn format_record(record: &Record<'_>) -> String {
        text_format::line(record)
    }

    fn handle_event(&mut self, node: NodeId, event: &Event<'_>) -> String {
        if let Ok(application) = self.application(node) {
            match *event {
                Event::Committed(entries) => {
                    application.index = entries.last();
                    let commands = entries.iter().filter(|e| e.kind == EntryKind::Command);
                    let text = |data| String::from_utf8_lossy(data).into_owned();
                    application.applied.extend(commands.map(|e| text(e.data)));
                }
                Event::SnapshotWanted { to, index, offset, max_len } => {
                    application.snapshot_requests.retain(|(peer, ..)| *peer != to);
                    application.snapshot_requests.push((to, index, offset, max_len));
                }
                Event::SnapshotChunk { index, index_term, offset, data, done } => {
                    application.incoming.truncate(offset as usize);
                    application.incoming.extend(data);
                    application.complete = done.then_some((index, index_term));
                }
                _ => {}
            }
        }
        let index = self.application(node).map_or(0, |a| a.index);
        match *event {
            Event::Committed(entries) => {
                self.with_oracle(|oracle| oracle.check_applied(index_of(node), entries))
            }
            Event::Read { through } => {
                self.with_oracle(|oracle| oracle.read(index_of(node), through, index))
            }
            Event::Leading { .. } | Event::Following { .. } | Event::Leaderless { .. } => self
                .with_oracle(|oracle| {
                    oracle.reads.drop_pending(index_of(node));
                    Ok(())
                }),
            _ => {}
        }
        text_format::event(event)
    }

    fn format_status(&self, _node: NodeId, raft: &Self::Machine) -> String {
        let s = raft.status();
        let place = RoleText { role: s.role, term: s.term, leader: s.leader };
        let vote = s.vote.map_or(String::new(), |vote| format!(", voted for {vote}"));
        let snapshot =
            if s.snapshot > 0 { format!(", snapshot of {}", s.snapshot) } else { String::new() };
        let (first, last) = (s.first, s.last);
        let quiesced = if s.quiescent { "; quiesced" } else { "" };
        let log = if last < first { "empty".into() } else { format!("{first}..{last}") };
        format!(
            "{place}{vote}; log {log}, commit {}, applied {}{snapshot}{quiesced}",
            s.commit, s.applied
        )
    }

    fn disk_records(args: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        let mut options = Options::parse(args)?;
        let term = options.number("term", 1)?;
        let vote = Some(options.number("vote", 0)?).filter(|&vote| vote > 0).map(NodeId::new);
        let commit = options.number("commit", 0)?;
        let terms = options.take("log").unwrap_or_default();
        options.finish()?;
        let mut run = Vec::new();
        for (at, term) in terms.split(',').filter(|t| !t.is_empty()).enumerate() {
            let term = term.parse().map_err(|_| format!("{term:?} is no term"))?;
            text_format::push_entry(&mut run, term, 0, format!("e{}", at + 1).as_bytes());
        }
        let mut records = vec![encode(&Record::Vote { term, vote })];
        if !run.is_empty() {
            records.push(encode(&Record::Append { first: 1, commit, entries: &run }));
        }
        Ok(records)
    }

    fn forge(args: &[&str]) -> Result<Vec<u8>, String> {
        super::forge::forge(&args.join(" "))
    }

    fn message_digest(message: &Message<'_>) -> u64 {
        text_format::message_digest(message)
    }

    fn issued(&mut self, node: NodeId, record: &Record<'_>) {
        self.with_oracle(|oracle| oracle.issued(index_of(node), *record));
    }

    fn durable(&mut self, node: NodeId, record: &Record<'_>) {
        self.with_oracle(|oracle| {
            oracle.durable(index_of(node), *record);
            Ok(())
        });
    }

    fn records_replaced(&mut self, node: NodeId) {
        self.with_oracle(|oracle| {
            oracle.records_replaced(index_of(node));
            Ok(())
        });
    }

    fn sent(&mut self, node: NodeId, to: NodeId, message: &Message<'_>) {
        self.sent += 1;
        self.with_oracle(|oracle| oracle.sent(index_of(node), to, *message));
    }

    fn received(
        &mut self,
        node: NodeId,
        from: NodeId,
        order: u64,
        result: Result<(), Rejected>,
        raft: &Self::Machine,
    ) {
        let term = raft.status().term;
        self.with_oracle(|oracle| match result {
            // an answer may come when its sender is no member any more
            Err(reason) if reason != Rejected::Full && reason != Rejected::UnknownSender => {
                Err(format!("node {node} refuses an honest message: {reason}"))
            }
            _ => {
                oracle.reads.received(index_of(node), index_of(from), order, term);
                Ok(())
            }
        });
    }

    fn tampered(&mut self) {
        self.oracle = None;
    }

    fn check(&mut self, machines: &[(NodeId, &Self::Machine)]) -> Result<(), String> {
        for (node, raft) in machines {
            self.with_oracle(|oracle| oracle.check(index_of(*node), raft, &mut Marks::default()));
        }
        if let Some(what) = self.violated.take() {
            return Err(what);
        }
        if self.oracle.is_some() {
            // it has compared everything that was committed
            return Ok(());
        }
        for (at, (a, first)) in machines.iter().enumerate() {
            for (b, second) in machines.iter().skip(at + 1) {
                check_agreement((*a, first), (*b, second))?;
            }
        }
        Ok(())
    }
}

/// Where a node is in the lists of the oracle.
fn index_of(node: NodeId) -> usize {
    (node.get() as usize).saturating_sub(1)
}

/// The seed of an incarnation of a node: the same in the simulator and in the harness.
pub(crate) fn incarnation_seed(seed: u64, node: u64, life: u64) -> u64 {
    // the machine makes `Rng::new(Rng::new(seed).next_u64() ^ node)` of it: what is taken out here
    // lets scenarios and seeds stay what they were
    invert_first_output(Rng::new(seed ^ node << 32 ^ life).next_u64() ^ node)
}

/// The seed whose generator gives this number first: the steps of [`Rng::next_u64`] backwards.
const fn invert_first_output(number: u64) -> u64 {
    // the multipliers are the inverses, modulo 2^64, of the generator's
    let z = number ^ number >> 31 ^ number >> 62;
    let z = z.wrapping_mul(0x3196_42b2_d24d_8ec3);
    let z = (z ^ z >> 27 ^ z >> 54).wrapping_mul(0x96de_1b17_3f11_9089);
    (z ^ z >> 30 ^ z >> 60).wrapping_sub(0x9e37_79b9_7f4a_7c15)
}

/// A node's settings: with a spread, the election timeouts of every third node are longer by that, and of every third by twice as much; with an
/// odd one, the others have leases off.
pub(crate) fn node_config(config: &Config, spread_us: u64, node: u64) -> Config {
    let more = node % 3 * spread_us;
    let off = more == 0 && !spread_us.is_multiple_of(2);
    Config {
        lease_drift: config.lease_drift.filter(|_| !off),
        election_min_us: config.election_min_us + more,
        election_max_us: config.election_max_us + more,
        ..config.clone()
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}

/// Election safety and state-machine safety between two nodes (Raft thesis, figure 3.2).
fn check_agreement<S: Storage>(a: (NodeId, &Raft<S>), b: (NodeId, &Raft<S>)) -> Result<(), String> {
    let (first, second) = (a.1.status(), b.1.status());
    let both_lead = first.role == Role::Leader && second.role == Role::Leader;
    if both_lead && first.term == second.term {
        return Err(format!("{} and {} both lead term {}", a.0, b.0, first.term));
    }
    for index in first.first.max(second.first)..=first.commit.min(second.commit) {
        if a.1.term(index) != b.1.term(index) {
            return Err(format!("{} and {} committed different entries at {index}", a.0, b.0));
        }
    }
    Ok(())
}

/// Reads `add 4 remove 1`.
fn changes(args: &[&str]) -> Result<Vec<Change>, String> {
    let change = |pair: &[&str]| {
        let [what, node] = *pair else { return Err("a change is a word and a node".to_owned()) };
        let node = NodeId::new(number(node)?);
        Ok(match what {
            "add" => Change::Add(node),
            "witness" => Change::AddWitness(node),
            "promote" => Change::Promote(node),
            "demote" => Change::Demote(node),
            "remove" => Change::Remove(node),
            what => return Err(format!("{what:?} is no change of the members")),
        })
    };
    args.chunks(2).map(change).collect()
}

fn format_proposal(result: Result<Proposal, ChangeError>) -> String {
    match result {
        Ok(at) => format!("proposed at {}@{}", at.index, at.term),
        Err(reason) => format!("refused: {reason}"),
    }
}

fn refused(reason: ProposeError) -> String {
    format!("refused: {reason}")
}

fn format_log<S: Storage>(raft: &Raft<S>) -> String {
    let mut next = raft.status().first;
    let mut runs = Vec::new();
    loop {
        let entries = raft.entries(next);
        if entries.is_empty() {
            return runs.join(", ");
        }
        next = entries.last() + 1;
        runs.push(text_format::entries(entries));
    }
}

/// The terms of the log's entries, as figure 7 of the paper draws them.
fn format_terms<S: Storage>(raft: &Raft<S>) -> String {
    let status = raft.status();
    let terms = (status.first..=status.last).filter_map(|index| raft.term(index));
    terms.map(|term| term.to_string()).collect::<Vec<_>>().join(" ")
}

fn format_peers<S: Storage>(raft: &Raft<S>) -> String {
    let line = |p: quorate_raft::Progress| {
        let mode = format!("{:?}", p.replication).to_lowercase();
        format!("{}: {mode}, match {}, next {}", p.id, p.match_index, p.next_index)
    };
    raft.peers().map(line).collect::<Vec<_>>().join("\n")
}

/// Reads `3@1` as an index and a term.
fn encode<'a, T: Wire<'a>>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    let written = value.to_slice(&mut bytes).is_ok();
    debug_assert!(written, "the buffer is as long as the message says");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invert_first_output_inverts_the_generator() {
        for number in [0, 1, 7, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            assert_eq!(Rng::new(invert_first_output(number)).next_u64(), number);
        }
    }
}
