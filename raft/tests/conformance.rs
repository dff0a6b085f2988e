//! Raft keeps the contract of `Machine`, with all storages.
#![allow(clippy::unwrap_used)]

use core::marker::PhantomData;
use quorate_raft::ReplicatedLog as _;

use quorate_core::{Instant, Machine, NodeId, Rejected, Rng};
#[cfg(feature = "alloc")]
use quorate_raft::Heap;
use quorate_raft::{
    Config, Event, Fixed, Index, Inline, Message, Raft, Record, Role, Storage, Term,
};
use quorate_sim::conformance::Specimen;
use quorate_sim::conformance_tests;

use crate::common::encode;

/// The greatest term, index or round.
const GREATEST: u64 = (1 << 62) - 1;

/// How long the snapshots are, and the commands at most.
const SNAPSHOT_LEN: u64 = 150;
const MAX_COMMAND: u64 = 120;

/// The application of one node: a snapshot that is durable, and what the machine asked for.
#[derive(Clone)]
struct Application<S> {
    id: NodeId,
    snapshot: (Index, Term),
    /// Parts of snapshots that peers need: who, which and from where, and how much at most.
    wanted: Vec<(NodeId, Index, u64, usize)>,
    /// A snapshot that was received whole.
    received: Option<(Index, Term)>,
    snapshot_due: bool,
    storage: PhantomData<S>,
}

/// What differs between the storages.
trait Kind: Storage {
    const NAME: &'static str;
    /// Whether the optional features are there.
    const ALL: bool;
    /// The bytes that the log holds, and those that the machine takes at most.
    const ROOM: usize;
    const MEMORY: usize;
}

const BYTES: usize = 4096;
const CONTENT: usize = BYTES + 4 * 64 + 64;

impl Kind for Fixed<3, BYTES, 64, 64> {
    const NAME: &'static str = "Raft with fixed members";
    const ALL: bool = false;
    const ROOM: usize = BYTES;
    const MEMORY: usize = CONTENT + 3 * 192 + 896;
}

impl Kind for Inline<3, BYTES, 64, 64> {
    const NAME: &'static str = "Raft inline";
    const ALL: bool = true;
    const ROOM: usize = BYTES;
    const MEMORY: usize = CONTENT + 3 * 256 + 1480;
}

#[cfg(feature = "alloc")]
impl Kind for Heap {
    const NAME: &'static str = "Raft on the heap";
    const ALL: bool = true;
    const ROOM: usize = 8192;
    const MEMORY: usize = 1480;
}

fn config<S: Kind>() -> Config {
    Config {
        forward: S::ALL,
        max_append_bytes: 400,
        max_entry_bytes: 256,
        max_uncommitted_bytes: 2048,
        max_snapshot_chunk_bytes: 64,
        max_log_bytes: S::ROOM,
        max_members: 3,
        ..Config::default()
    }
}

impl<S: Kind> Application<S> {
    /// Takes a snapshot of everything that was applied, and keeps some of the log behind it.
    fn compact(&mut self, raft: &mut Raft<S>, kept: u64) {
        let applied = raft.status().applied;
        let Some(term) = raft.term(applied).filter(|_| applied > 0) else { return };
        if raft.snapshot_taken(applied, applied.saturating_sub(kept)).is_ok() {
            self.snapshot = (applied, term);
        }
    }

    fn send_chunk(&self, raft: &mut Raft<S>, wanted: (NodeId, Index, u64, usize)) {
        let (to, index, offset, max_len) = wanted;
        let (index, offset) =
            if index == self.snapshot.0 { (index, offset) } else { (self.snapshot.0, 0) };
        let rest = usize::try_from(SNAPSHOT_LEN.saturating_sub(offset)).unwrap();
        let part = vec![7; rest.min(max_len)];
        let _ = raft.send_snapshot(to, index, offset, &part, part.len() == rest);
    }
}

impl<S: Kind> Specimen for Application<S> {
    type Machine = Raft<S>;

    const NAME: &'static str = S::NAME;
    // what `Raft` promises: 8 per heartbeat, as in `message_storms.rs`, and what clients cause, who act
    // 20 times a second on either node
    const MESSAGES_PER_SECOND: u64 = 8 * 1_000_000 / Config::lan().heartbeat_us + 2 * 20;
    const REJECTED: &'static [Rejected] =
        &[Rejected::UnknownSender, Rejected::Malformed, Rejected::OutOfRange, Rejected::Impossible];

    fn new(node: usize) -> Self {
        Self {
            id: NodeId::new(node as u64 + 1),
            snapshot: (0, 0),
            wanted: Vec::new(),
            received: None,
            snapshot_due: false,
            storage: PhantomData,
        }
    }

    fn boot(&self, seed: u64) -> Raft<S> {
        let voters: Vec<NodeId> = (1..=Self::NODES as u64).map(NodeId::new).collect();
        Raft::new(self.id, &voters, config::<S>(), seed).unwrap()
    }

    fn restored(&mut self, raft: &mut Raft<S>) {
        *self = Self { snapshot: self.snapshot, ..Self::new(self.id.get() as usize - 1) };
        let (index, term) = self.snapshot;
        let _ = raft.resume(index, term); // a machine that does not resume stops itself
    }

    fn durable(raft: &Raft<S>) -> String {
        let status = raft.status();
        let (mut entries, mut next) = (Vec::new(), status.first);
        while next <= status.last {
            let run = raft.entries(next);
            entries.extend_from_slice(run.bytes());
            next = run.last().max(next) + 1;
        }
        let log = (status.first, status.last, status.snapshot, entries);
        format!("{:?}", (status.term, status.vote, log, status.membership, status.config))
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::SnapshotWanted { to, index, offset, max_len } => {
                self.wanted.push((to, index, offset, max_len));
            }
            Event::SnapshotChunk { index, index_term, done: true, .. } => {
                self.received = Some((index, index_term));
            }
            Event::SnapshotDue { .. } | Event::LogFull => self.snapshot_due = true,
            _ => {}
        }
    }

    fn respond(&mut self, raft: &mut Raft<S>, _now: Instant) -> bool {
        let wanted = core::mem::take(&mut self.wanted);
        let received = self.received.take();
        let due = core::mem::take(&mut self.snapshot_due);
        for &wanted in &wanted {
            self.send_chunk(raft, wanted);
        }
        if let Some(received) = received
            && raft.snapshot_installed(received.0).is_ok()
        {
            self.snapshot = received;
        }
        if due {
            self.compact(raft, 0);
        }
        !wanted.is_empty() || received.is_some() || due
    }

    fn act(&mut self, raft: &mut Raft<S>, now: Instant, rng: &mut Rng) {
        let command = vec![9; rng.below(MAX_COMMAND) as usize];
        match rng.below(24) {
            0 => raft.campaign(now),
            1 => self.compact(raft, rng.below(4)),
            2 => _ = raft.transfer(NodeId::new(1 + rng.below(3))),
            3..6 => _ = raft.read(),
            _ if raft.status().role == Role::Leader => _ = raft.propose(&command),
            _ => _ = raft.forward(&command),
        }
    }

    fn refusals(message: &Message<'_>) -> Vec<Vec<u8>> {
        let refusal = match *message {
            Message::Append { term, prev_index, round, .. } if prev_index > 0 => {
                let hint_index = prev_index - 1;
                let hint_term = u64::from(hint_index > 0);
                Message::AppendRejected { term, round, prev_index, hint_index, hint_term }
            }
            Message::Snapshot { term, round, index, .. }
            | Message::SnapshotEnd { term, round, index, .. } => {
                Message::SnapshotAck { term, round, index, offset: 0 }
            }
            Message::RequestVote { pre, term, .. } => Message::Vote { pre, term, granted: false },
            Message::RequestVoteForTransfer { term, .. } => {
                Message::Vote { pre: false, term, granted: false }
            }
            _ => return Vec::new(),
        };
        vec![encode(&refusal)]
    }

    fn memory(_raft: &Raft<S>) -> Vec<(&'static str, usize, usize)> {
        vec![("bytes", size_of::<Raft<S>>(), S::MEMORY)]
    }

    fn longest_message(&self) -> Option<Vec<u8>> {
        Some(encode(&Message::Append {
            term: GREATEST,
            prev_index: GREATEST,
            prev_term: GREATEST,
            commit: GREATEST,
            round: GREATEST,
            entries: &[0; 400],
        }))
    }

    fn longest_record(&self) -> Option<Vec<u8>> {
        let entries = vec![0; S::ROOM];
        Some(encode(&Record::Append { first: GREATEST, commit: GREATEST, entries: &entries }))
    }
}

conformance_tests! {
    fixed: Application<Fixed<3, BYTES, 64, 64>>, seeds 0..16;
    inline: Application<Inline<3, BYTES, 64, 64>>, seeds 0..16;
}

#[cfg(feature = "alloc")]
conformance_tests! {
    heap: Application<Heap>, seeds 0..16;
}
