use quorate_core::{Machine, NodeId};
use quorate_log::Index;
use quorate_raft::{
    ChangeError, Config, EntryKind, Heap, Members, Membership, Message, Raft, Replication,
    TransferError,
};
use quorate_tokio::Priority;

use super::{
    Change, Consensus, Content, Entry, Event, LogProtocol, Member, Progress, ProposeError, Role,
    Standing, Status,
};
use crate::{admin_commands, limits};

impl Consensus for Raft<Heap> {
    const PROTOCOL: LogProtocol = LogProtocol::Raft;

    fn founder(id: NodeId, voters: &[NodeId], seed: u64) -> Result<Self, String> {
        Self::new(id, voters, config(), seed).map_err(|error| error.to_string())
    }

    fn joining(id: NodeId, seed: u64) -> Result<Self, String> {
        Self::join(id, config(), seed).map_err(|error| error.to_string())
    }

    /// A crash may have come between a snapshot and its record. A snapshot beyond the log comes again, from the leader: what the
    /// machine has counts then.
    fn begin(&mut self, applied: Index) -> Result<(), String> {
        let known = self.status().snapshot;
        let covers = [applied, applied.min(known)];
        let (index, term) =
            covers.into_iter().find_map(|index| Some((index, self.term(index)?))).ok_or_else(
                || format!("the log does not reach entry {known}, which its snapshot covers"),
            )?;
        self.resume(index, term)
            .map_err(|error| format!("cannot resume after entry {index}: {error}"))
    }

    /// Heartbeats, votes and answers; entries and parts of snapshots are bulk.
    fn priority(message: &Message<'_>) -> Priority {
        match message {
            Message::Append { entries: data, .. } | Message::Snapshot { data, .. }
                if data.is_empty() =>
            {
                Priority::Urgent
            }
            Message::Append { .. }
            | Message::Snapshot { .. }
            | Message::SnapshotEnd { .. }
            | Message::Propose { .. }
            | Message::Proposed { .. } => Priority::Bulk,
            _ => Priority::Urgent,
        }
    }

    fn describe<'a>(event: &'a quorate_raft::Event<'_>) -> Option<Event<'a>> {
        use quorate_raft::Event as Told;
        Some(match *event {
            Told::Committed(entries) => {
                Event::Committed { last: entries.last(), bytes: entries.bytes().len() as u64 }
            }
            Told::Leading { term } => Event::Leading { epoch: term },
            Told::Following { leader, term } => Event::Following { leader, epoch: term },
            Told::Leaderless { term } => Event::Leaderless { epoch: term },
            Told::Read { through } => Event::Read { through },
            Told::SnapshotWanted { to, index, offset, max_len } => {
                Event::SnapshotWanted { to, index, offset, max_len }
            }
            Told::SnapshotChunk { index, offset, data, done, .. } => {
                Event::SnapshotChunk { index, offset, data, done }
            }
            Told::Members { .. } => Event::Members,
            Told::PeerLostEntries { peer, acknowledged } => {
                Event::PeerLostEntries { peer, acknowledged }
            }
            Told::Removed { index } => Event::Removed { index },
            Told::Refusing { peer, reason } => Event::Refusing { peer, reason },
            Told::LogFull => Event::LogFull,
            Told::Fatal(fatal) => Event::Fatal(fatal),
            _ => return None,
        })
    }

    fn view(&self) -> Status {
        let status = self.status();
        Status {
            id: status.id,
            role: match status.role {
                quorate_raft::Role::Leader => Role::Leader,
                quorate_raft::Role::Candidate => Role::Candidate,
                quorate_raft::Role::PreCandidate => Role::PreCandidate,
                _ => Role::Follower,
            },
            epoch: status.term,
            ballot: None,
            leader: status.leader,
            first: status.first,
            last: status.last,
            durable: status.durable,
            commit: status.commit,
            applied: status.applied,
            snapshot: status.snapshot,
            members_index: status.config,
            configuration: None,
            is_changing: status.joint || status.config > status.commit,
            standing: standing(status.membership),
            removed: status.removed,
            awaits_snapshot: status.awaits_snapshot,
            refusing: status.refusing,
            fatal: status.fatal,
        }
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        let members = Self::members(self).iter();
        members.map(|member| Member { id: member.id, standing: standing(member.membership) })
    }

    fn progress(&self) -> impl Iterator<Item = Progress> {
        self.peers().map(|peer| Progress {
            id: peer.id,
            state: match peer.replication {
                Replication::Probe => "probe",
                Replication::Replicate => "replicate",
                Replication::Snapshot => "snapshot",
                Replication::Halted => "lost-entries",
                _ => "unknown",
            },
            match_index: peer.match_index,
            silent_us: peer.silent_us,
            lost: peer.lost,
        })
    }

    fn entries(&self, from: Index) -> impl Iterator<Item = Entry<'_>> {
        Self::entries(self, from).iter().map(|entry| Entry {
            index: entry.index,
            content: match entry.kind {
                EntryKind::Command => Content::Command(entry.data),
                EntryKind::Config => Content::Members(entry.data),
                _ => Content::Nothing,
            },
            bytes: entry.data.len(),
        })
    }

    fn decode_members(data: &[u8]) -> Option<Vec<NodeId>> {
        Members::decode(data).ok().map(|members| members.iter().map(|member| member.id).collect())
    }

    fn replicas(&self, index: Index) -> usize {
        self.peers().filter(|peer| peer.match_index >= index).count()
    }

    fn is_of_leader(&self, index: Index) -> bool {
        self.term(index) == Some(self.status().term)
    }

    fn propose(&mut self, command: &[u8]) -> Result<Index, ProposeError> {
        use quorate_raft::ProposeError as Refused;
        Self::propose(self, command).map(|proposal| proposal.index).map_err(|error| match error {
            Refused::Busy => ProposeError::Busy,
            Refused::LogFull => ProposeError::LogFull,
            Refused::TooLarge => ProposeError::TooLarge,
            _ => ProposeError::NotLeader,
        })
    }

    fn change(&mut self, change: Change) -> Result<(), String> {
        let change = match change {
            Change::Add(id) => quorate_raft::Change::Add(id),
            Change::Promote(id) => quorate_raft::Change::Promote(id),
            Change::Demote(id) => quorate_raft::Change::Demote(id),
            Change::Remove(id) => quorate_raft::Change::Remove(id),
        };
        Self::change(self, &[change]).map(drop).map_err(|error| match error {
            ChangeError::NotLeader(leader) => admin_commands::not_leader(leader),
            ChangeError::Behind(_) => format!("BEHIND {error}"),
            ChangeError::Transferring(_)
            | ChangeError::TermNotCommitted
            | ChangeError::InProgress
            | ChangeError::LogFull => format!("TRYAGAIN {error}"),
            _ => format!("ERR {error}"),
        })
    }

    fn transfer(&mut self, to: NodeId) -> Result<(), String> {
        Self::transfer(self, to).map_err(|error| match error {
            TransferError::NotLeader(leader) => admin_commands::not_leader(leader),
            error => format!("ERR {error}"),
        })
    }

    fn step_down(&mut self) {
        Self::step_down(self);
    }

    fn snapshot_taken(&mut self, index: Index, compacted: Index) -> Result<(), String> {
        Self::snapshot_taken(self, index, compacted).map_err(|error| error.to_string())
    }

    fn snapshot_installed(&mut self, index: Index) -> Result<(), String> {
        Self::snapshot_installed(self, index).map_err(|error| error.to_string())
    }

    fn snapshot_refused(&mut self) {
        Self::snapshot_refused(self);
    }

    fn send_snapshot(
        &mut self,
        to: NodeId,
        index: Index,
        offset: u64,
        data: &[u8],
        done: bool,
    ) -> Result<(), String> {
        Self::send_snapshot(self, to, index, offset, data, done).map_err(|error| error.to_string())
    }
}

fn config() -> Config {
    Config {
        // several times what a thread may wait for a core on a machine that is busy: half a second is soon enough to miss a leader,
        // and an election that nobody needed costs as much
        election_min_us: 500_000,
        election_max_us: 1_000_000,
        heartbeat_us: 50_000,
        max_entry_bytes: limits::ENTRY_BYTES,
        max_uncommitted_bytes: 2 * limits::ENTRY_BYTES,
        max_append_bytes: 256 << 10,
        max_inflight_bytes: 4 << 20,
        max_snapshot_chunk_bytes: 256 << 10,
        max_members: limits::MEMBERS,
        ..Config::default()
    }
}

fn standing(membership: Membership) -> Standing {
    const BETWEEN: [&str; 3] =
        ["voter before and after", "voter until it leaves", "voter until it learns"];
    let words = membership.to_string();
    match BETWEEN.into_iter().find(|between| *between == words) {
        Some(between) => Standing::Between(between),
        None if membership.is_voter() => Standing::Voter,
        None if membership.is_learner() => Standing::Learner,
        None => Standing::None,
    }
}
