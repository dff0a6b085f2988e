//! What a node says beyond the bare protocol, if its storage has room for that: where it has not, nothing of it is compiled.

use quorate_core::{Fatal, NodeId, Rejected};

use crate::extras::Extra;
use crate::log::Log;
use crate::raft::Raft;
use crate::storage::Storage;
use crate::{Event, ForwardId, Forwarded, Index, Message, Term};

/// A message that is not made yet.
pub(crate) enum Beyond {
    ReadIndex { id: u64 },
    ReadAt { id: u64 },
    Rest,
    Renew,
    Propose { id: u64, round: u64 },
    Proposed { id: u64, first: Index, count: u64 },
    Promise,
}

/// Something for the application.
pub(crate) enum News {
    Lost { before: Term, after: Index },
    Forwarded { first: ForwardId, count: u64, end: Forwarded },
    SnapshotDue(Index),
    Removed(Index),
    Refusing(NodeId, Rejected),
}

impl<S: Storage> Raft<S> {
    #[inline]
    pub(crate) fn write_beyond(&self, draft: &Beyond) -> Message<'_> {
        let term = self.term;
        if self.extra.get().is_none() {
            // never planned there
            return Message::AppendAccepted { term, round: 0, match_index: 0 };
        }
        match *draft {
            Beyond::ReadIndex { id } => Message::ReadIndex { term, id },
            Beyond::ReadAt { id } => Message::ReadIndexConfirmed { term, id, index: self.commit },
            Beyond::Rest => Message::Quiesce { term, round: self.round, index: self.log.last() },
            Beyond::Renew => Message::RequestSnapshot { term, index: self.applied },
            Beyond::Propose { id, round } => {
                Message::Propose { term, id, round, commands: self.chunk.bytes() }
            }
            Beyond::Proposed { id, first: index, count } => {
                Message::Proposed { term, id, index, count }
            }
            Beyond::Promise => Message::LeasePromise {
                term,
                round: self.leader_round,
                promise_us: self.promise_us(),
            },
        }
    }

    /// What comes before anything that is applied.
    #[inline]
    pub(crate) fn plan_news(&mut self) -> Option<News> {
        if !self.has_news() {
            return None;
        }
        self.take_news()
    }

    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.extra.get().is_some_and(|extras| {
            extras.removed_owed
                || extras.gap.owed
                || extras.open.lost.is_some()
                || extras.forward.has_news()
        })
    }

    #[cold]
    fn take_news(&mut self) -> Option<News> {
        let extras = self.extra.get_mut()?;
        if let Some(before) = extras.open.lost.take() {
            return Some(News::Lost { before, after: extras.open.installed });
        }
        if core::mem::take(&mut extras.removed_owed) && extras.removed != 0 {
            return Some(News::Removed(extras.removed));
        }
        if core::mem::take(&mut extras.gap.owed)
            && let Some((peer, reason)) = extras.gap.refusing()
        {
            return Some(News::Refusing(peer, reason));
        }
        let (first, count, end) = extras.forward.tell()?;
        Some(News::Forwarded { first, count, end })
    }

    #[cold]
    pub(crate) fn tell_news(&self, news: &News) -> Event<'_> {
        if self.extra.get().is_none() {
            // never planned there
            return Event::Fatal(Fatal::Invariant);
        }
        match *news {
            News::Lost { before, after } => Event::ProposalsDropped { before, after },
            News::Forwarded { first, count, end } => Event::Forwarded { first, count, end },
            News::SnapshotDue(index) => Event::SnapshotDue { index },
            News::Removed(index) => Event::Removed { index },
            News::Refusing(peer, reason) => Event::Refusing { peer, reason },
        }
    }
}
