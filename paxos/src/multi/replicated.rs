//! Multi-Paxos as a replicated log that knows no more of Multi-Paxos.

use quorate_log::{Leadership, Notice, ReadError, ReadId, ReplicatedLog, SubmitError, Submitted};

use super::entry::Header;
use super::{Event, MultiPaxos, Role, Storage};

impl<S: Storage> ReplicatedLog for MultiPaxos<S> {
    type Header = Header;

    /// A leader [proposes](Self::propose) it. Another node does not forward it: it fails with
    /// [`NotLeader`](SubmitError::NotLeader).
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_log::{ReplicatedLog, SubmitError};
    /// use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// let me = NodeId::new(1);
    /// type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.submit(b"x"), Err(SubmitError::NotLeader(None)));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    fn submit(&mut self, command: &[u8]) -> Result<Submitted, SubmitError> {
        Ok(Submitted::Proposed(self.propose(command)?))
    }

    /// [Any node](Self::read) reads.
    ///
    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_log::ReplicatedLog;
    /// use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// let me = NodeId::new(1);
    /// type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let mut node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert!(ReplicatedLog::read(&mut node).is_ok());
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    fn read(&mut self) -> Result<ReadId, ReadError> {
        Self::read(self)
    }

    /// ```
    /// use quorate_core::{NodeId, Quorums};
    /// use quorate_log::ReplicatedLog;
    /// use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// let me = NodeId::new(1);
    /// type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let node = Node::new(me, [Member::new(me)], Quorums::majority(1), Config::lan(), 42)?;
    /// assert_eq!(node.leadership().leader, None);
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    fn leadership(&self) -> Leadership {
        let ballot = match (self.role, self.election.leader()) {
            (Role::Leader, _) | (_, None) => self.election.promised(),
            (_, Some((_, ballot))) => ballot,
        };
        Leadership { leader: self.leader_id(), epoch: self.epoch_of(ballot) }
    }

    /// ```
    /// use quorate_log::{Notice, ReplicatedLog};
    /// use quorate_paxos::multi::{Event, Inline, MultiPaxos};
    /// type Node = MultiPaxos<Inline<1, 1024, 16, 64>>;
    /// let event = Event::ProposalsDropped { before: 128, after: 0 };
    /// assert_eq!(Node::notice(&event), Some(Notice::Dropped { before: 128, after: 0 }));
    /// assert_eq!(Node::notice(&Event::LogFull), None);
    /// ```
    fn notice<'a>(event: &'a Event<'_>) -> Option<Notice<'a, Header>> {
        Some(match *event {
            Event::Committed(entries) => Notice::Committed(entries),
            Event::ProposalsDropped { before, after } => Notice::Dropped { before, after },
            Event::Read { through } => Notice::Read { through },
            Event::Leading { epoch, .. }
            | Event::Following { epoch, .. }
            | Event::Leaderless { epoch, .. } => Notice::LeaderChanged { epoch },
            Event::Fatal(reason) => Notice::Fatal(reason),
            _ => return None,
        })
    }
}
