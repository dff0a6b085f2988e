//! Raft as a replicated log that knows no more of Raft.

use quorate_log::{
    Forwarded as LogForwarded, Leadership, Notice, Proposal as LogProposal, ReadId, ReplicatedLog,
    SubmitError, Submitted,
};

use crate::entry::Header;
use crate::raft::Raft;
use crate::storage::Storage;
use crate::{Event, Forwarded, Proposal, ProposeError, ReadError, Role};

impl<S: Storage> ReplicatedLog for Raft<S> {
    type Header = Header;

    /// A leader [proposes](Self::propose) it, another node [forwards](Self::forward) it if
    /// [`Config::forward`](crate::Config::forward) is on, which it is not by default. Otherwise,
    /// and with [`Fixed`](crate::Fixed) storage, it fails with
    /// [`NotLeader`](SubmitError::NotLeader).
    ///
    /// ```
    /// use quorate_core::{Instant, Machine, NodeId};
    /// use quorate_log::{ReplicatedLog, SubmitError};
    /// use quorate_raft::{Config, Inline, Raft};
    /// let me = NodeId::new(1);
    /// let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
    /// assert_eq!(raft.submit(b"set-point 21"), Err(SubmitError::NotLeader(None)));
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    fn submit(&mut self, command: &[u8]) -> Result<Submitted, SubmitError> {
        if self.role == Role::Leader {
            return Ok(Submitted::Proposed(self.propose(command)?.into()));
        }
        Ok(Submitted::Forwarded(self.forward(command)?))
    }

    /// Takes no memory, so any number of reads may wait. All that are asked for until the next message goes out share one round of
    /// messages, which any append on its way carries. They wait for the first commit of the term, and are dropped with the leader.
    ///
    /// A follower or learner asks its leader, one question at a time for all reads that wait by then, and asks again when no answer comes.
    /// That takes two messages where the leader and the asking node are a majority, and a round besides where they are not. A leader
    /// whose storage is [`Fixed`](crate::Fixed) does not answer, and a follower of that storage does not ask. With that storage, the id
    /// of a read that was lost with its role, before any message of it went out, may be given once more.
    ///
    /// What this costs is not needed for a stale read: the application may always answer from what it has applied. Such an answer
    /// may be older than one that was given before, and nothing limits its age.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_raft::{Config, Inline, Raft, ReadError, ReplicatedLog};
    /// let me = NodeId::new(1);
    /// let mut raft = Raft::<Inline<1, 1024, 16, 64>>::new(me, &[me], Config::default(), 42)?;
    /// assert_eq!(raft.read(), Err(ReadError::NotLeader(None)));
    /// # Ok::<(), quorate_raft::ConfigError>(())
    /// ```
    fn read(&mut self) -> Result<ReadId, ReadError> {
        self.register_read()
    }

    fn leadership(&self) -> Leadership {
        Leadership { leader: self.leader, epoch: self.term }
    }

    /// | event | notice |
    /// |---|---|
    /// | [`Committed`](Event::Committed) | [`Committed`](Notice::Committed) |
    /// | [`Forwarded`](Event::Forwarded) | [`Forwarded`](Notice::Forwarded) |
    /// | [`ProposalsDropped`](Event::ProposalsDropped) | [`Dropped`](Notice::Dropped) |
    /// | [`Read`](Event::Read) | [`Read`](Notice::Read) |
    /// | [`Leading`](Event::Leading), [`Following`](Event::Following), [`Leaderless`](Event::Leaderless) | [`LeaderChanged`](Notice::LeaderChanged) |
    /// | [`Fatal`](Event::Fatal) | [`Fatal`](Notice::Fatal) |
    /// | any other: members, snapshots, a full log … | none |
    ///
    /// ```
    /// use quorate_log::{Notice, ReplicatedLog};
    /// use quorate_raft::{Event, Inline, Raft};
    /// type Node = Raft<Inline<3, 1024, 16, 64>>;
    /// let notice = Node::notice(&Event::Leading { term: 7 });
    /// assert_eq!(notice, Some(Notice::LeaderChanged { epoch: 7 }));
    /// assert_eq!(Node::notice(&Event::LogFull), None);
    /// ```
    fn notice<'a>(event: &'a Event<'_>) -> Option<Notice<'a, Header>> {
        Some(match *event {
            Event::Committed(entries) => Notice::Committed(entries),
            Event::Forwarded { first, count, end } => {
                let end = match end {
                    Forwarded::Proposed(proposal) => LogForwarded::Proposed(proposal.into()),
                    Forwarded::Refused => LogForwarded::Refused,
                    Forwarded::Unknown => LogForwarded::Unknown,
                };
                Notice::Forwarded { first, count, end }
            }
            Event::ProposalsDropped { before, after } => Notice::Dropped { before, after },
            Event::Read { through } => Notice::Read { through },
            Event::Leading { term }
            | Event::Following { term, .. }
            | Event::Leaderless { term } => Notice::LeaderChanged { epoch: term },
            Event::Fatal(reason) => Notice::Fatal(reason),
            _ => return None,
        })
    }
}

impl From<Proposal> for LogProposal {
    fn from(Proposal { term, index }: Proposal) -> Self {
        Self { epoch: term, index }
    }
}

impl From<ProposeError> for SubmitError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader(leader) => Self::NotLeader(leader),
            ProposeError::TooLarge => Self::TooLarge,
            ProposeError::LogFull => Self::LogFull,
            ProposeError::Stopped => Self::Stopped,
            // leadership is on its way to another node, or has just come here
            ProposeError::Busy | ProposeError::Transferring(_) | ProposeError::IsLeader => {
                Self::Busy
            }
        }
    }
}
