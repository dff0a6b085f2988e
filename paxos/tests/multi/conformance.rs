//! Multi-Paxos keeps the contract of `Machine`, with both storages.

use core::marker::PhantomData;

use quorate_core::{Instant, Machine, NodeId, Quorums, Rejected, Rng, Shown, Wire as _};
#[cfg(feature = "alloc")]
use quorate_paxos::Heap;
use quorate_paxos::multi::{
    Ballots, Config, Event, Inline, Message, MultiPaxos, Record, Slot, Storage,
};
use quorate_paxos::{Ballot, Member};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

const LAST: Ballot = Ballot::new(Ballot::MAX_ROUND, NodeId::new(u64::MAX));
const GREATEST: u64 = (1 << 62) - 1;

/// How long the snapshots are, and the commands at most.
const SNAPSHOT_LEN: u64 = 150;
const MAX_COMMAND: u64 = 120;

/// The application of one node: a snapshot that is durable, and what the machine asked for.
#[derive(Clone)]
struct Application<S> {
    id: NodeId,
    snapshot: Slot,
    /// Parts of snapshots that peers need: who, which and from where, and how much at most.
    wanted: Vec<(NodeId, Slot, u64, usize)>,
    /// A snapshot that was received whole.
    received: Option<Slot>,
    is_full: bool,
    storage: PhantomData<S>,
}

/// What differs between the storages.
trait Kind: Storage {
    const NAME: &'static str;
    /// The bytes that the log holds, and those that the machine takes at most.
    const ROOM: usize;
    const MEMORY: usize;
    const BALLOTS: usize;
}

const BYTES: usize = 4096;

impl Kind for Inline<3, BYTES, 64, 64> {
    const NAME: &'static str = "Multi-Paxos inline";
    const ROOM: usize = BYTES;
    const BALLOTS: usize = 18;
    const MEMORY: usize = BYTES + 4 * 64 + 64 + 3 * 272 + 1500;
}

#[cfg(feature = "alloc")]
impl Kind for Heap {
    const NAME: &'static str = "Multi-Paxos on the heap";
    const ROOM: usize = 8192;
    const BALLOTS: usize = 4096;
    const MEMORY: usize = 1320;
}

impl<S: Kind> Application<S> {
    /// Takes a snapshot of everything that was applied, and keeps some of the log behind it.
    fn compact(&mut self, node: &mut MultiPaxos<S>, kept: u64) {
        let applied = node.status().applied;
        if node.snapshot_taken(applied, applied.saturating_sub(kept)).is_ok() {
            self.snapshot = applied;
        }
    }

    fn send_chunk(&self, node: &mut MultiPaxos<S>, wanted: (NodeId, Slot, u64, usize)) {
        let (to, slot, offset, max_len) = wanted;
        let (slot, offset) =
            if slot == self.snapshot { (slot, offset) } else { (self.snapshot, 0) };
        let rest = usize::try_from(SNAPSHOT_LEN.saturating_sub(offset)).unwrap();
        let part = vec![7; rest.min(max_len)];
        let _ = node.send_snapshot(to, slot, offset, &part, part.len() == rest);
    }
}

impl<S: Kind> Specimen for Application<S> {
    type Machine = MultiPaxos<S>;

    const NAME: &'static str = S::NAME;
    // what `MultiPaxos` promises: 8 in each heartbeat interval, and what clients cause, who act 20 times a second on either node
    const MESSAGES_PER_SECOND: u64 = 8 * 1_000_000 / Config::lan().heartbeat_us + 2 * 20;
    const ANSWERS_PER_MESSAGE: u64 = 2;
    const REJECTED: &'static [Rejected] =
        &[Rejected::UnknownSender, Rejected::Malformed, Rejected::OutOfRange, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self {
            id: NodeId::new(node as u64 + 1),
            snapshot: 0,
            wanted: Vec::new(),
            received: None,
            is_full: false,
            storage: PhantomData,
        }
    }

    fn boot(&self, seed: u64) -> MultiPaxos<S> {
        let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
        let config = Config {
            max_accept_bytes: 400,
            max_entry_bytes: 256,
            max_uncommitted_bytes: 2048,
            max_chunk_bytes: 64,
            max_log_bytes: S::ROOM,
            max_members: 3,
            ..Config::lan()
        };
        MultiPaxos::new(self.id, members, Quorums::majority(3), config, seed).unwrap()
    }

    fn restored(&mut self, node: &mut MultiPaxos<S>) {
        *self = Self { snapshot: self.snapshot, ..Self::new(self.id.get() as usize - 1) };
        let _ = node.resume(self.snapshot);
    }

    fn durable(node: &MultiPaxos<S>) -> String {
        let status = node.status();
        // what is known to be chosen is told with votes, and may be known later
        let (mut entries, mut next) = (Vec::new(), status.compacted + 1);
        while next <= status.last {
            let run = node.entries(next);
            entries.push(run.bytes().to_vec());
            next = run.last().max(next) + 1;
        }
        let log = (status.compacted, status.last, status.snapshot, entries);
        format!("{:?}", (status.founded, status.promised, log))
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::SnapshotWanted { to, slot, offset, max_len } => {
                self.wanted.push((to, slot, offset, max_len));
            }
            Event::SnapshotChunk { slot, done: true, .. } => self.received = Some(slot),
            Event::LogFull => self.is_full = true,
            _ => {}
        }
    }

    fn respond(&mut self, node: &mut MultiPaxos<S>, _now: Instant) -> bool {
        let wanted = core::mem::take(&mut self.wanted);
        let received = self.received.take();
        let is_full = core::mem::take(&mut self.is_full);
        for &wanted in &wanted {
            self.send_chunk(node, wanted);
        }
        if let Some(received) = received
            && node.snapshot_installed(received).is_ok()
        {
            self.snapshot = received;
        }
        if is_full {
            self.compact(node, 0);
        }
        !wanted.is_empty() || received.is_some() || is_full
    }

    fn act(&mut self, node: &mut MultiPaxos<S>, _now: Instant, rng: &mut Rng) {
        node.found(); // a crash may have come before that was on disk
        let command = vec![9; rng.below(MAX_COMMAND) as usize];
        match rng.below(24) {
            0..2 => self.compact(node, rng.below(4)),
            2..6 => _ = node.read(),
            _ => _ = node.propose(&command),
        }
    }

    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        let refuse = |ballot: Ballot| {
            let promised = Ballot::new(ballot.round + 1, NodeId::new(3));
            vec![Message::Preempted { ballot, promised }.to_vec()]
        };
        match *message {
            Message::Prepare { ballot, .. } | Message::Accept { ballot, .. } => refuse(ballot),
            _ => Vec::new(),
        }
    }

    fn memory(_node: &MultiPaxos<S>) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", size_of::<MultiPaxos<S>>(), S::MEMORY)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(
            Message::Promise {
                ballot: LAST,
                from: GREATEST,
                first: GREATEST,
                accepted: LAST,
                entries: &[0; 400],
                commit: GREATEST,
                last: GREATEST,
            }
            .to_vec(),
        )
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        let entries = vec![0; S::ROOM];
        let mut then = vec![0; S::BALLOTS * 24 + 3];
        let then = (&vec![0; S::BALLOTS * 24][..]).to_slice(&mut then).unwrap().to_vec();
        let then = Ballots::from_slice(&then).unwrap();
        let record = Record::Accepted {
            first: GREATEST,
            ballot: LAST,
            then,
            commit: GREATEST,
            entries: &entries,
        };
        Some(record.to_vec())
    }

    fn message_text(message: &Message<'_>) -> String {
        Shown(message).to_string()
    }

    fn record_text(record: &Record<'_>) -> String {
        Shown(record).to_string()
    }
}

conformance_tests! {
    inline: Application<Inline<3, BYTES, 64, 64>>, seeds 0..16;
}

#[cfg(feature = "alloc")]
conformance_tests! {
    heap: Application<Heap>, seeds 0..16;
}
