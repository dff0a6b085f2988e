use quorate_core::{Corrupt, Machine, NodeId, Quorums, Wire};
use quorate_log::{Index, ReplicatedLog};
use quorate_paxos::multi::{
    Config, Configuration, EntryKind, Message, MultiPaxos, ReconfigureError, TransferError,
};
use quorate_paxos::{Heap, Roles};
use quorate_tokio::Priority;

use super::{
    Change, Consensus, Content, Entry, Event, LogProtocol, Member, Progress, ProposeError, Role,
    Standing, Status,
};
use crate::{admin_commands, limits};

impl Consensus for MultiPaxos<Heap> {
    const PROTOCOL: LogProtocol = LogProtocol::Paxos;

    fn founder(id: NodeId, voters: &[NodeId], seed: u64) -> Result<Self, String> {
        let members = voters.iter().map(|&id| quorate_paxos::Member::new(id));
        Self::new(id, members, Quorums::majority(voters.len() as u8), config(), seed)
            .map_err(|error| error.to_string())
    }

    fn joining(id: NodeId, seed: u64) -> Result<Self, String> {
        Self::join(id, config(), seed).map_err(|error| error.to_string())
    }

    /// A directory that was used and has no log was refused before, and so was an id that the cluster knows with another disk: what
    /// has no record here is new.
    fn begin(&mut self, applied: Index) -> Result<(), String> {
        self.found();
        let known = self.status().snapshot;
        let resumed = match self.resume(applied) {
            // beyond what is known of the members: the others have the rest
            Err(Corrupt::Gap) => self.resume(applied.min(known)),
            resumed => resumed,
        };
        resumed.map_err(|error| format!("cannot resume after entry {applied}: {error}"))
    }

    fn priority(message: &Message<'_>) -> Priority {
        match message {
            Message::Accept { entries: data, .. } | Message::Promise { entries: data, .. }
                if data.is_empty() =>
            {
                Priority::Urgent
            }
            Message::Accept { .. }
            | Message::Promise { .. }
            | Message::Chosen { .. }
            | Message::Chunk { .. }
            | Message::LastChunk { .. } => Priority::Bulk,
            _ => Priority::Urgent,
        }
    }

    fn describe<'a>(event: &'a quorate_paxos::multi::Event<'_>) -> Option<Event<'a>> {
        use quorate_paxos::multi::Event as Told;
        Some(match *event {
            Told::Committed(entries) => {
                Event::Committed { last: entries.last(), bytes: entries.bytes().len() as u64 }
            }
            Told::Leading { epoch, .. } => Event::Leading { epoch },
            Told::Following { leader, epoch, .. } => Event::Following { leader, epoch },
            Told::Leaderless { epoch, .. } => Event::Leaderless { epoch },
            Told::Read { through } => Event::Read { through },
            Told::SnapshotWanted { to, slot, offset, max_len } => {
                Event::SnapshotWanted { to, index: slot, offset, max_len }
            }
            Told::SnapshotChunk { slot, offset, data, done } => {
                Event::SnapshotChunk { index: slot, offset, data, done }
            }
            Told::Reconfigured { .. } => Event::Members,
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
                quorate_paxos::multi::Role::Leader => Role::Leader,
                quorate_paxos::multi::Role::Candidate => Role::Candidate,
                _ => Role::Follower,
            },
            epoch: self.leadership().epoch,
            ballot: Some((status.promised.round, status.promised.node)),
            leader: status.leader,
            first: status.compacted.saturating_add(1),
            last: status.last,
            durable: status.durable,
            commit: status.commit,
            applied: status.applied,
            snapshot: status.snapshot,
            // a configuration counts once it is chosen
            members_index: status.commit,
            configuration: Some(status.configuration),
            is_changing: false,
            standing: standing(status.roles),
            removed: None,
            awaits_snapshot: false,
            refusing: None,
            fatal: self.fatal(),
        }
    }

    fn members(&self) -> impl Iterator<Item = Member> {
        Self::members(self).map(|member| Member { id: member.id, standing: standing(member.roles) })
    }

    fn progress(&self) -> impl Iterator<Item = Progress> {
        let present = self.status().configuration;
        let members = Self::progress(self).filter(|peer| standing(peer.roles) != Standing::None);
        members.map(move |peer| Progress {
            id: peer.id,
            state: match peer.configuration == present {
                true => "replicate",
                // it has not come to the last stop-sign
                false => "fetch",
            },
            match_index: peer.through,
            silent_us: peer.silent_us.unwrap_or(u64::MAX),
            lost: None,
        })
    }

    fn entries(&self, from: Index) -> impl Iterator<Item = Entry<'_>> {
        Self::entries(self, from).iter().map(|entry| Entry {
            index: entry.slot,
            content: match entry.kind {
                EntryKind::Command => Content::Command(entry.data),
                EntryKind::StopSign => Content::Members(entry.data),
                _ => Content::Nothing,
            },
            bytes: entry.data.len(),
        })
    }

    fn decode_members(data: &[u8]) -> Option<Vec<NodeId>> {
        let configuration = Configuration::from_slice(data).ok()?;
        Some(configuration.members.iter().map(|member| member.id).collect())
    }

    fn replicas(&self, index: Index) -> usize {
        Consensus::progress(self).filter(|peer| peer.match_index >= index).count()
    }

    fn is_of_leader(&self, index: Index) -> bool {
        let epoch = self.leadership().epoch;
        Self::entries(self, index).iter().next().is_some_and(|entry| entry.epoch == epoch)
    }

    fn propose(&mut self, command: &[u8]) -> Result<Index, ProposeError> {
        use quorate_paxos::multi::ProposeError as Refused;
        Self::propose(self, command).map(|proposal| proposal.index).map_err(|error| match error {
            // the stop-sign is committed first
            Refused::Busy | Refused::Reconfiguring => ProposeError::Busy,
            Refused::LogFull => ProposeError::LogFull,
            Refused::TooLarge => ProposeError::TooLarge,
            _ => ProposeError::NotLeader,
        })
    }

    /// Proposes the next configuration: the present one with one node more, less, or in another part.
    fn change(&mut self, change: Change) -> Result<(), String> {
        let mut next: Vec<_> = Self::members(self).collect();
        let (Change::Add(id) | Change::Promote(id) | Change::Demote(id) | Change::Remove(id)) =
            change;
        let status = self.status();
        let is_ready = Self::progress(self).any(|peer| {
            peer.id == id
                && peer.configuration == status.configuration
                && peer.silent_us.is_some_and(|us| us < config().election_us)
                && status.last.saturating_sub(peer.through) <= MAX_BEHIND
        });
        let at = next.iter().position(|member| member.id == id);
        let known = at.and_then(|at| next.get_mut(at));
        let missing = || format!("ERR there is no node {id} in the cluster");
        let already = || Err(format!("ERR node {id} is that already"));
        match change {
            Change::Add(_) if known.is_some() => return already(),
            Change::Add(_) => {
                next.push(quorate_paxos::Member::new(id).with_roles(Roles::LEARNER));
            }
            Change::Promote(_) => match known {
                Some(member) if member.roles == Roles::ALL => return already(),
                Some(_) if !is_ready => {
                    return Err(format!("BEHIND node {id} has not caught up with the cluster yet"));
                }
                Some(member) => *member = member.with_roles(Roles::ALL),
                None => return Err(missing()),
            },
            Change::Demote(_) => match known {
                Some(member) if member.roles == Roles::LEARNER => return already(),
                Some(member) => *member = member.with_roles(Roles::LEARNER),
                None => return Err(missing()),
            },
            Change::Remove(_) if known.is_none() => return Err(missing()),
            Change::Remove(_) => next.retain(|member| member.id != id),
        }
        let voters = next.iter().filter(|member| member.roles == Roles::ALL).count();
        if voters == 0 {
            return Err("ERR a cluster without a voter could not go on".into());
        }
        self.reconfigure(next, Quorums::majority(voters as u8)).map(drop).map_err(|error| {
            use quorate_paxos::multi::ProposeError as Refused;
            match error {
                ReconfigureError::Propose(Refused::NotLeader(leader)) => {
                    admin_commands::not_leader(leader)
                }
                ReconfigureError::Propose(
                    Refused::Busy | Refused::Reconfiguring | Refused::LogFull,
                ) => format!("TRYAGAIN {error}"),
                _ => format!("ERR {error}"),
            }
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

/// A learner that lacks more entries, or was not heard for an election timeout, is not given a vote: it may be needed for a quorum, and be
/// of no use.
const MAX_BEHIND: u64 = 1_000;

fn config() -> Config {
    Config {
        // several times what a thread may wait for a core on a machine that is busy, as for Raft
        heartbeat_us: 50_000,
        election_us: 500_000,
        max_entry_bytes: limits::ENTRY_BYTES,
        max_uncommitted_bytes: 2 * limits::ENTRY_BYTES,
        max_accept_bytes: 256 << 10,
        max_inflight_bytes: 4 << 20,
        max_chunk_bytes: 256 << 10,
        max_members: limits::MEMBERS,
        ..Config::default()
    }
}

fn standing(roles: Roles) -> Standing {
    if roles.contains(Roles::ALL) {
        Standing::Voter
    } else if roles.contains(Roles::LEARNER) {
        Standing::Learner
    } else {
        Standing::None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use quorate_core::Output;

    use super::*;

    const ME: NodeId = NodeId::new(1);
    const OTHER: NodeId = NodeId::new(2);

    /// Lets the machine do what it can alone, with a disk that is there at once.
    fn drive(log: &mut MultiPaxos<Heap>) {
        loop {
            let mut ticket = None;
            while let Some(output) = log.poll() {
                if let Output::Persist(next, _) = output {
                    ticket = Some(next);
                }
            }
            let Some(ticket) = ticket else { return };
            log.persisted(ticket);
        }
    }

    /// The only node of its cluster, which leads.
    fn leader() -> MultiPaxos<Heap> {
        let mut log = MultiPaxos::founder(ME, &[ME], 7).unwrap();
        log.begin(0).unwrap();
        log.tick(quorate_core::Instant::ZERO);
        drive(&mut log);
        elect(&mut log);
        log
    }

    fn elect(log: &mut MultiPaxos<Heap>) {
        while log.view().role != Role::Leader {
            log.tick(log.deadline().unwrap());
            drive(log);
        }
    }

    /// Makes a change of which this node alone is a quorum; it leads again after it.
    fn apply(log: &mut MultiPaxos<Heap>, change: Change) {
        let before = log.view().configuration;
        Consensus::change(log, change).unwrap();
        drive(log);
        assert_ne!(log.view().configuration, before, "{change:?}");
        elect(log);
    }

    #[test]
    fn changes_make_the_next_configuration() {
        let mut log = leader();
        apply(&mut log, Change::Add(OTHER));
        assert_eq!(log.standing(OTHER), Standing::Learner);
        apply(&mut log, Change::Remove(OTHER));
        assert_eq!(log.standing(OTHER), Standing::None);
        apply(&mut log, Change::Add(OTHER));
        // it was never heard: with its vote, this node would be no majority any more
        let error = Consensus::change(&mut log, Change::Promote(OTHER)).unwrap_err();
        assert!(error.starts_with("BEHIND"), "{error}");
        assert_eq!(log.standing(OTHER), Standing::Learner);
        let members: Vec<_> = Consensus::members(&log).map(|member| member.id).collect();
        assert_eq!(members, [ME, OTHER]);
    }

    #[test]
    fn impossible_changes_are_refused() {
        let mut log = leader();
        apply(&mut log, Change::Add(OTHER));
        let last = log.view().last;
        for (change, text) in [
            (Change::Add(OTHER), "ERR node 2 is that already"),
            (Change::Promote(ME), "ERR node 1 is that already"),
            (Change::Demote(OTHER), "ERR node 2 is that already"),
            (Change::Promote(NodeId::new(9)), "ERR there is no node 9"),
            (Change::Demote(NodeId::new(9)), "ERR there is no node 9"),
            (Change::Remove(NodeId::new(9)), "ERR there is no node 9"),
            (Change::Demote(ME), "ERR a cluster without a voter"),
            (Change::Remove(ME), "ERR a cluster without a voter"),
        ] {
            let error = Consensus::change(&mut log, change).unwrap_err();
            assert!(error.starts_with(text), "{change:?}: {error}");
        }
        assert_eq!(log.view().last, last, "nothing was proposed");
        // one at a time; a command waits for it
        Consensus::change(&mut log, Change::Remove(OTHER)).unwrap();
        let error = Consensus::change(&mut log, Change::Remove(OTHER)).unwrap_err();
        assert!(error.starts_with("TRYAGAIN"), "{error}");
        assert_eq!(Consensus::propose(&mut log, b"x"), Err(ProposeError::Busy));
    }

    #[test]
    fn who_does_not_lead_says_who_does() {
        let mut log = MultiPaxos::founder(ME, &[ME, OTHER], 7).unwrap();
        let error = Consensus::change(&mut log, Change::Remove(OTHER)).unwrap_err();
        assert_eq!(error, "NOTLEADER nobody leads: ask there");
        assert_eq!(Consensus::propose(&mut log, b"x"), Err(ProposeError::NotLeader));
        assert_eq!(Consensus::transfer(&mut log, OTHER).unwrap_err(), error);
        let error = Consensus::transfer(&mut leader(), OTHER).unwrap_err();
        assert_eq!(error, "ERR there is no such node in the cluster");
    }

    #[test]
    fn committed_entries_are_described() {
        let mut log = leader();
        let index = Consensus::propose(&mut log, b"x").unwrap();
        drive(&mut log);
        let entry = Consensus::entries(&log, index).next().unwrap();
        assert_eq!((entry.index, entry.bytes), (index, 1));
        assert!(matches!(entry.content, Content::Command(b"x")));
        assert!(log.is_of_leader(index) && !log.is_of_leader(index + 1));
        apply(&mut log, Change::Add(OTHER));
        let entry = Consensus::entries(&log, index + 1).next().unwrap();
        let Content::Members(data) = entry.content else { panic!("{entry:?}") };
        let members = <MultiPaxos<Heap> as Consensus>::decode_members(data);
        assert_eq!(members, Some(vec![ME, OTHER]));
    }
}
