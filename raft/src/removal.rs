//! Nodes that were removed while they were cut off: how they learn of it.
//!
//! A leader tells a node that it removes, as long as that answers (see [`dismiss`](Raft::dismiss)). One that does not answer is forgotten, and
//! a leader that is elected later never knew of it. Such a node asks for votes when its links are back; a learner and a witness, which
//! cannot be elected, ask for pre-votes all the same. Each member that is asked, and has the configuration without it committed, says
//! so besides its [`Vote`](Message::Vote). The thesis (4.2.3) only keeps such nodes from disturbing others.

use quorate_core::Rejected;

use crate::extras::Extra;
use crate::peer::Reply;
use crate::raft::{LIMIT, Raft};
use crate::storage::Storage;
use crate::{Index, Message, Role, Term};

impl<S: Storage> Raft<S> {
    /// The index of the configuration that was said not to include this node, unless a leader was heard since.
    #[inline]
    pub(crate) fn removed_by(&self) -> Option<Index> {
        self.extra.get().map(|extras| extras.removed).filter(|&index| index != 0)
    }

    /// A leader contacts this node, or it is told to stand: whatever was said of its removal is no reason to be silent.
    pub(crate) fn forget_removal(&mut self) {
        if let Some(extras) = self.extra.get_mut() {
            (extras.removed, extras.removed_owed) = (0, false);
            extras.gap.clear();
        }
    }

    /// Whether this node is a member as far as it knows, and may not have been told of its removal.
    pub(crate) fn may_be_removed(&self) -> bool {
        S::CHANGES
            && self.membership.is_member()
            && self.extra.get().is_some()
            && self.removed_by().is_none()
    }

    /// A learner or a witness that hears no leader asks for pre-votes, of which it makes nothing: a member that has the removal
    /// committed answers with [`Removed`](Message::Removed), and a leader that rests wakes.
    #[cold]
    pub(crate) fn ask_whether_removed(&mut self) {
        if !self.may_be_removed() || self.term.saturating_add(2) >= LIMIT {
            return;
        }
        for at in 0..self.peers.len() {
            if self.peers.get(at).is_some_and(|peer| peer.membership.is_member()) {
                self.owe(at, Reply::PreVote);
            }
        }
    }

    /// Tells a node that is no member that it was removed, if that is committed.
    #[cold]
    pub(crate) fn owe_removed(&mut self, to: usize) {
        let committed = self.config_at <= self.commit && self.config_index() != 0;
        let member = self.peers.get(to).is_none_or(|peer| peer.membership.is_member());
        if S::CHANGES && committed && !member {
            self.owe(to, Reply::Removed);
        }
    }

    /// The entry that lists the members, or the snapshot.
    fn config_index(&self) -> Index {
        self.config_at.max(self.snapshot)
    }

    #[cold]
    pub(crate) fn write_removed(&self) -> Message<'_> {
        if !S::CHANGES {
            // never planned there
            return Message::AppendAccepted { term: self.term, round: 0, match_index: 0 };
        }
        let index = self.config_index();
        let index_term = self.term_at(index);
        Message::Removed { term: self.term, index, index_term }
    }

    /// A member says that this node was removed. That is believed of a member alone, while no leader is heard, and only if
    /// it can be so: the log has neither that entry nor anything that was committed after it. Then this node could not be elected anyway,
    /// as all who have that entry have more of the log (3.6.1), so that nothing is lost with its silence. It still votes.
    ///
    /// The commit index is not persisted, so after a restart a node may have its removal in the log
    /// without knowing that it is committed. Such a node believes a configuration at or after its own.
    #[cold]
    pub(crate) fn on_removed(
        &mut self,
        term: Term,
        (index, index_term): (Index, Term),
    ) -> Result<(), Rejected> {
        if self.extra.get().is_none() {
            return Ok(());
        }
        if index == 0 || index_term == 0 || index_term > term {
            return Err(Rejected::Malformed);
        }
        if term >= LIMIT || index >= LIMIT {
            return Err(Rejected::OutOfRange);
        }
        let heard = self.now.since(self.leader_heard) < self.config.election_min_us;
        let led = self.role == Role::Leader || (self.leader.is_some() && heard);
        let news = if self.membership.is_member() {
            index > self.commit && self.term_at(index) != index_term
        } else {
            self.config_at > self.commit && index >= self.config_at
        };
        if led || !news || self.removed_by().is_some() {
            return Ok(());
        }
        if let Some(extras) = self.extra.get_mut() {
            (extras.removed, extras.removed_owed) = (index, true);
        }
        self.follow(self.term, None);
        self.work.all();
        Ok(())
    }
}
