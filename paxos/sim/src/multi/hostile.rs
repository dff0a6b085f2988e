//! One node of a log against anything: what the fuzz targets run, and the tests replay.
//!
//! No input, however hostile, may panic a node, make it tell what its disk does not hold, take back a promise, use a ballot again, give its
//! application a slot twice or a hole, or write what it cannot restore. What is refused changes nothing, and is counted once.

use std::collections::BTreeMap;

use quorate_core::{
    Declared, Hint, Instant, Machine, NodeId, Output, Quorums, Shown, Ticket, Wire,
};
use quorate_paxos::multi::{Config, Event, Inline, Members, Message, MultiPaxos, Record, Role};
use quorate_paxos::{Member, Roles};
use quorate_sim::hostile::{Echo, Input, Outcomes, check_round_trip};

use super::disk::Disk;
use super::parse::{self, Ballot, Kind, NONE, Run, Said, Slot};

/// Decodes bytes as a message and as a record. What decodes must encode to the same bytes.
///
/// # Errors
///
/// What does not.
pub fn decode(data: &[u8]) -> Result<(), String> {
    check_round_trip::<Message<'_>>(data)?;
    check_round_trip::<Record<'_>>(data)
}

/// Gives a node of a group of three a list of inputs. The first byte chooses its roles, and how far honest peers get with it first.
///
/// # Errors
///
/// What was violated.
pub fn inputs(data: &[u8]) -> Result<(), String> {
    outcomes(data).map(drop)
}

/// The same; what became of the messages.
///
/// # Errors
///
/// What was violated.
pub fn outcomes(data: &[u8]) -> Result<Outcomes, String> {
    let Some((&which, rest)) = data.split_first() else { return Ok(Outcomes::default()) };
    let mut node = NodeUnderTest::new(which % 8 == 7, which & 0x80 == 0)?;
    node.begin(which & 0x40 != 0, which & 0x20 != 0)?;
    node.run(rest)?;
    Ok(node.outcomes)
}

type Storage = Inline<3, 1024, 24, 64>;
type Node = MultiPaxos<Storage>;

const NODE: NodeId = NodeId::new(2);

/// Outputs after one input, at most.
const MAX_OUTPUTS: usize = 300;

/// What can be seen of a node: its status, its deadline, its checkpoint, and what it does next.
type View = (String, Option<Instant>, Vec<Vec<u8>>, Vec<String>);

/// The node, its disk and its application, and what it did.
struct NodeUnderTest {
    node: Node,
    learns: bool,
    is_founded: bool,
    now: Instant,
    records: Vec<Vec<u8>>,
    disk: Disk,
    waiting: Option<(Ticket, Vec<Vec<u8>>)>,
    life: u64,
    /// The life in which each ballot was prepared.
    prepared: BTreeMap<Ballot, u64>,
    applied: Slot,
    /// The last snapshot of the application that is durable.
    snapshot: Slot,
    incoming: u64,
    complete: Option<Slot>,
    wanted: Option<(NodeId, Slot, u64, usize)>,
    echo: Echo,
    outcomes: Outcomes,
}

fn make(learns: bool, seed: u64) -> Result<Node, String> {
    let member = |id: u64| {
        let member = Member::new(NodeId::new(id));
        if learns && id == NODE.get() { member.with_roles(Roles::LEARNER) } else { member }
    };
    let config = Config {
        max_accept_bytes: 100,
        max_entry_bytes: 100,
        max_uncommitted_bytes: 300,
        max_chunk_bytes: 64,
        max_log_bytes: 1_024,
        max_members: 3,
        ..Config::lan()
    };
    let voters = if learns { 2 } else { 3 };
    let quorums = Quorums::majority(voters);
    Node::new(NODE, [1, 2, 3].map(member), quorums, config, seed).map_err(|e| e.to_string())
}

impl NodeUnderTest {
    fn new(learns: bool, is_founded: bool) -> Result<Self, String> {
        let mut node = make(learns, 0)?;
        if is_founded {
            node.found();
        }
        Ok(Self {
            node,
            learns,
            is_founded,
            now: Instant::ZERO,
            records: Vec::new(),
            disk: Disk::default(),
            waiting: None,
            life: 0,
            prepared: BTreeMap::new(),
            applied: 0,
            snapshot: 0,
            incoming: 0,
            complete: None,
            wanted: None,
            echo: Echo::default(),
            outcomes: Outcomes::default(),
        })
    }

    /// Honest peers hear it until it is a candidate, and make it the leader.
    fn begin(&mut self, stands: bool, leads: bool) -> Result<(), String> {
        self.node.tick(self.now);
        self.drain()?;
        for _ in 0..if stands { 20 } else { 0 } {
            if self.node.status().role == Role::Follower {
                self.now = self.now.after(30_000);
                self.hear_peers()?;
                self.sync()?;
                self.drain()?;
            }
        }
        let ballot = self.node.status().promised;
        let (from, first) = (1, 1);
        let (accepted, entries) = (quorate_paxos::Ballot::ZERO, &[][..]);
        let promise =
            Message::Promise { ballot, from, first, accepted, entries, commit: 0, last: 0 };
        if stands && leads && self.node.status().role == Role::Candidate {
            self.sync()?;
            let result = self.node.receive(self.now, NodeId::new(1), promise);
            result.map_err(|e| format!("it refuses an honest promise: {e}"))?;
            self.drain()?;
        }
        Ok(())
    }

    /// A heartbeat of each peer, which hears it.
    fn hear_peers(&mut self) -> Result<(), String> {
        for from in [1, 3] {
            let heartbeat = Message::Heartbeat {
                configuration: 0,
                promised: quorate_paxos::Ballot::ZERO,
                leads: false,
                has_leader: false,
                hears_you: true,
                commit: 0,
                through: 0,
                last: 0,
            };
            let result = self.node.receive(self.now, NodeId::new(from), heartbeat);
            result.map_err(|e| format!("it refuses an honest heartbeat: {e}"))?;
            self.drain()?;
        }
        Ok(())
    }

    fn run(&mut self, data: &[u8]) -> Result<(), String> {
        let mut input = Input::new(data);
        while let Some(what) = input.byte() {
            self.step(what, &mut input)?;
            self.drain()?;
        }
        self.sync()?;
        self.drain()?;
        self.restart(true)
    }

    fn step(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        if what % 16 < 9 {
            return self.receive(what, input);
        }
        let argument = input.byte().unwrap_or(0);
        match what % 16 {
            9 | 10 => {
                self.now = self.now.after(u64::from(argument) * 1_000);
                self.node.tick(self.now);
            }
            11 => {
                let value = [argument; 110];
                let len = usize::from(argument % 110);
                let _ = self.node.propose(value.get(..len).unwrap_or_default());
            }
            12 if argument.is_multiple_of(2) => {
                let _ = self.node.read();
            }
            12 => self.application(argument)?,
            13 => {
                self.sync()?;
                if argument > 64 {
                    self.hear_peers()?;
                }
            }
            14 if argument > 200 => return self.restart(argument.is_multiple_of(2)),
            14 => self.application(argument)?,
            _ => {
                // clocks that go back, or far on
                if argument % 16 == 1 {
                    self.now = self.now.after(1 << 40);
                }
                self.node.tick(if argument % 2 == 1 { self.now } else { Instant::ZERO });
            }
        }
        Ok(())
    }

    /// The application does what it was asked for, or something else.
    fn application(&mut self, argument: u8) -> Result<(), String> {
        let status = self.node.status();
        match argument % 4 {
            0 => {
                let compacted = status.applied.saturating_sub(u64::from(argument >> 4));
                if self.node.snapshot_taken(status.applied, compacted).is_ok() {
                    self.snapshot = self.snapshot.max(status.applied);
                }
            }
            1 => {
                if let Some(slot) = self.complete.take() {
                    // it is durable before the machine is told
                    let before = self.snapshot;
                    self.snapshot = before.max(slot);
                    if self.node.snapshot_installed(slot).is_ok() {
                        self.applied = self.applied.max(slot);
                    } else {
                        self.snapshot = before;
                    }
                }
            }
            2 => {
                if let Some((to, slot, offset, max_len)) = self.wanted.take() {
                    let data = [argument; 80];
                    let data = data.get(..max_len.min(64)).unwrap_or_default();
                    let _ = self.node.send_snapshot(to, slot, offset, data, argument > 128);
                }
            }
            _ => {
                self.complete = None;
                self.node.snapshot_refused();
            }
        }
        Ok(())
    }

    /// A message of any kind, with numbers near those that the node knows.
    fn receive(&mut self, what: u8, input: &mut Input<'_>) -> Result<(), String> {
        let senders = [1, 3, 1, 3, 1, 3, 0, 2, 4];
        let from: u64 = senders.get(usize::from(what % 16)).copied().unwrap_or(1);
        let status = self.node.status();
        let rounds = [status.promised.round, self.echo.last("round"), 1];
        let nodes = [from, NODE.get(), status.promised.node.get(), 0];
        let slots =
            [status.commit, status.commit + 1, status.last, status.last + 1, status.applied];
        let numbers = [self.echo.last("number")];
        let own = [status.promised.round << 6 | 1];
        let entries: [Vec<u8>; 5] = [
            vec![own[0] as u8 & 0x7f, 4, b'a'],
            vec![1, 8, b'b', b'c'],
            vec![1, 1],
            vec![1, 4, b'a', 1, 1, 2, 12, b'd', b'e', b'f'],
            vec![1, 3],
        ];
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let data: [&[u8]; 2] = [b"a part", &[7; 64]];
        let slot_fields = ["from", "first", "commit", "through", "last", "snapshot"];
        let mut hints = vec![
            Hint::near("round", &rounds),
            Hint::near("node", &nodes),
            Hint::near("number", &numbers),
            Hint::near("configuration", &[0]),
            Hint::bytes("entries", &entries),
            Hint::bytes("data", &data),
        ];
        hints.extend(slot_fields.map(|field| Hint::near(field, &slots)));
        let Some(message) = input.message::<Message<'_>>(&hints) else { return Ok(()) };
        // most messages name the nodes that they must
        let promised = Some(status.promised).filter(|_| what & 0x20 != 0);
        let message = if what & 0x30 == 0 { message } else { aimed(message, from, promised) };
        let (name, text) = (message.name(), Shown(&message).to_string());
        self.node.tick(self.now);
        self.drain()?;
        let before = (self.view()?, self.node.rejections().total());
        let result = self.node.receive(self.now, NodeId::new(from), message);
        self.outcomes.record(name, result);
        let counted = self.node.rejections().total() - before.1;
        if counted != u32::from(result.is_err()) {
            return Err(format!("{text} of {from} is {result:?}, and counted {counted} times"));
        }
        if result.is_err() && self.view()? != before.0 {
            return Err(format!("{text} of {from} was refused, and changed something"));
        }
        Ok(())
    }

    /// What can be seen of the node, and all that it would do next.
    fn view(&self) -> Result<View, String> {
        let records: Result<Vec<_>, String> = self.node.checkpoint().map(|r| bytes(&r)).collect();
        let mut copy = self.node.clone();
        let mut outputs = Vec::new();
        while let Some(output) = copy.poll() {
            outputs.push(format!("{output:?}"));
            if outputs.len() > MAX_OUTPUTS {
                return Err(format!("more than {MAX_OUTPUTS} outputs at once"));
            }
        }
        Ok((format!("{:?}", self.node.status()), self.node.deadline(), records?, outputs))
    }

    fn sync(&mut self) -> Result<(), String> {
        if let Some((ticket, records)) = self.waiting.take() {
            self.write(records)?;
            self.node.persisted(ticket);
        }
        Ok(())
    }

    fn write(&mut self, records: Vec<Vec<u8>>) -> Result<(), String> {
        for record in records {
            let written = parse::record(&record)?;
            if written.ballot() != NONE && !self.is_founded && !self.learns {
                return Err(format!("it has no vote, and writes {written:?}"));
            }
            self.disk.apply(&written)?;
            self.records.push(record);
        }
        Ok(())
    }

    fn restart(&mut self, written: bool) -> Result<(), String> {
        let (_, records) = self.waiting.take().unwrap_or_default();
        self.write(if written { records } else { Vec::new() })?;
        self.life += 1;
        self.node = make(self.learns, self.life)?;
        for record in &self.records {
            let record = Record::from_slice(record).map_err(|e| e.to_string())?;
            let text = Shown(&record).to_string();
            self.node.restore(record).map_err(|e| format!("its own record: {e}: {text}"))?;
        }
        self.node.resume(self.snapshot).map_err(|e| format!("it cannot resume: {e}"))?;
        if self.is_founded && !self.disk.is_founded {
            self.node.found();
        }
        (self.applied, self.incoming, self.complete, self.wanted) = (self.snapshot, 0, None, None);
        let status = self.node.status();
        if (status.promised.round, status.promised.node.get()) != self.disk.promised {
            return Err(format!("it restores {status:?}, its disk holds {:?}", self.disk));
        }
        self.node.tick(self.now);
        self.drain()
    }

    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..MAX_OUTPUTS {
            match self.node.poll() {
                None => return self.check(),
                Some(Output::Persist(ticket, record)) => {
                    let record = bytes(&record)?;
                    let waiting = self.waiting.get_or_insert_default();
                    waiting.0 = ticket;
                    waiting.1.push(record);
                }
                Some(Output::Send(_, message)) => {
                    self.echo.sent(&message);
                    let said = parse::message(&bytes(&message)?)?;
                    let commit = self.node.status().commit;
                    self.check_sent(&said, commit)?;
                }
                Some(Output::Event(event)) => {
                    let event = owned(event)?;
                    self.event(event)?;
                }
            }
        }
        Err(format!("more than {MAX_OUTPUTS} outputs at once"))
    }

    fn check(&self) -> Result<(), String> {
        let status = self.node.status();
        let is_ordered = status.compacted <= status.snapshot
            && status.snapshot <= status.applied
            && status.applied <= status.commit
            && status.commit <= status.last;
        if !is_ordered || (status.role != Role::Follower && (self.learns || !self.is_founded)) {
            return Err(format!("its status is {status:?}"));
        }
        Ok(())
    }

    fn event(&mut self, event: Told) -> Result<(), String> {
        match event {
            Told::Committed(run) => {
                for (slot, entry) in run.iter() {
                    if slot != self.applied + 1 || entry.kind == Kind::Hole {
                        let applied = self.applied;
                        return Err(format!("{entry:?} is given for {slot} after {applied}"));
                    }
                    self.applied = slot;
                }
            }
            Told::Chunk { slot, offset, len, done } => {
                if offset != 0 && offset != self.incoming {
                    return Err(format!("a part at {offset} after {}", self.incoming));
                }
                self.incoming = offset + len;
                self.complete = done.then_some(slot);
            }
            Told::Wanted(wanted) => self.wanted = Some(wanted),
            Told::Other => {}
        }
        Ok(())
    }

    fn check_sent(&mut self, said: &Said, commit: Slot) -> Result<(), String> {
        let disk = &self.disk;
        let is_kept = match said {
            Said::Heartbeat(heartbeat) => {
                (self.learns || disk.promised >= heartbeat.promised)
                    && self.has_voted(heartbeat.promised, heartbeat.through, commit)
            }
            Said::Prepare { ballot, .. } => {
                let life = *self.prepared.entry(*ballot).or_insert(self.life);
                life == self.life && ballot.1 == NODE.get() && disk.promised >= *ballot
            }
            Said::Promise { ballot, .. } => disk.promised >= *ballot,
            Said::Accept { ballot, .. } | Said::Stand { ballot, .. } => {
                self.prepared.get(ballot) == Some(&self.life) && disk.promised >= *ballot
            }
            Said::Accepted { ballot, through } => {
                disk.promised <= *ballot && self.has_voted(*ballot, *through, commit)
            }
            Said::Preempted { ballot, promised } => promised > ballot && disk.promised >= *promised,
            Said::Answer { promised, last, .. } => {
                disk.promised <= *promised && disk.last() <= *last
            }
            _ => true,
        };
        let votes = self.is_founded && !self.learns;
        let needs_no_vote = match said {
            Said::Heartbeat(_) | Said::Accepted { .. } | Said::Preempted { .. } => self.learns,
            Said::Fetch { .. } | Said::Chosen { .. } | Said::Chunk { .. } | Said::Query { .. } => {
                true
            }
            _ => false,
        };
        if is_kept && (votes || needs_no_vote) {
            return Ok(());
        }
        Err(format!("it says {said:?}, and its disk holds {disk:?}"))
    }

    /// Whether its disk holds votes in a ballot for all slots up to one that it does not know to be chosen.
    fn has_voted(&self, ballot: Ballot, through: Slot, commit: Slot) -> bool {
        (commit.max(self.disk.commit) + 1..=through)
            .all(|slot| self.disk.votes.get(&slot).is_some_and(|vote| vote.0 == ballot))
    }
}

/// What the application was told.
enum Told {
    Committed(Run),
    Chunk { slot: Slot, offset: u64, len: u64, done: bool },
    Wanted((NodeId, Slot, u64, usize)),
    Other,
}

fn owned(event: Event<'_>) -> Result<Told, String> {
    Ok(match event {
        Event::Committed(entries) => Told::Committed(Run::read(entries.first(), entries.bytes())?),
        Event::SnapshotChunk { slot, offset, data, done } => {
            Told::Chunk { slot, offset, len: data.len() as u64, done }
        }
        Event::SnapshotWanted { to, slot, offset, max_len } => {
            Told::Wanted((to, slot, offset, max_len))
        }
        _ => Told::Other,
    })
}

/// The same message with the ballots of those that may use them: the sender asks in its own, and answers in those of the node.
fn aimed(message: Message<'_>, from: u64, promised: Option<quorate_paxos::Ballot>) -> Message<'_> {
    use quorate_paxos::Ballot;
    let of = |ballot: Ballot, node: NodeId| Ballot::new(ballot.round, node);
    let own = |ballot: Ballot| promised.unwrap_or_else(|| of(ballot, NODE));
    let from = NodeId::new(from);
    match message {
        Message::Heartbeat {
            configuration,
            promised,
            leads,
            has_leader,
            hears_you,
            commit,
            through,
            last,
        } => Message::Heartbeat {
            configuration,
            promised: if leads { of(promised, from) } else { promised },
            leads,
            has_leader,
            hears_you,
            commit: commit.min(last),
            through: through.min(last),
            last,
        },
        Message::Prepare { configuration, ballot, from: slot } => {
            Message::Prepare { configuration, ballot: of(ballot, from), from: slot }
        }
        Message::Stand { configuration, ballot } => {
            Message::Stand { configuration, ballot: of(ballot, from) }
        }
        Message::Accept { configuration, ballot, first, commit, entries } => {
            Message::Accept { configuration, ballot: of(ballot, from), first, commit, entries }
        }
        Message::Promise { ballot, from, first, accepted, entries, commit, last } => {
            let ballot = own(ballot);
            let first = if promised.is_some() { from } else { first.max(from) };
            // what is chosen, or votes in a ballot before, for slots that are not
            let (accepted, commit) = match entries.len() % 2 == 0 {
                true => (Ballot::ZERO, commit),
                false => {
                    let round = accepted.round.min(ballot.round.saturating_sub(1));
                    (Ballot::new(round, accepted.node), commit.min(first.saturating_sub(1)))
                }
            };
            let last = last.max(commit);
            Message::Promise { ballot, from, first, accepted, entries, commit, last }
        }
        Message::Accepted { ballot, through } => Message::Accepted { ballot: own(ballot), through },
        Message::Preempted { ballot, promised: higher } => {
            Message::Preempted { ballot: own(ballot), promised: higher }
        }
        // what it generates is no configuration
        Message::LastChunk { snapshot, offset, data, configuration, quorums, members } => {
            let listed = Members::from_slice(LISTED).unwrap_or(members);
            Message::LastChunk {
                snapshot,
                offset,
                configuration: if offset % 4 == 3 { configuration } else { 1 },
                quorums: if offset % 4 == 3 { quorums } else { Quorums::majority(3) },
                members: listed,
                data,
            }
        }
        _ => message,
    }
}

/// Nodes 1 to 3, with all roles and a vote each.
const LISTED: &[u8] =
    b"\x21\x07\x01\0\x01\0\0\0\0\0\0\0\x07\x01\0\x02\0\0\0\0\0\0\0\x07\x01\0\x03\0\0\0\0\0\0\0";

fn bytes<'a>(value: &impl Wire<'a>) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}
