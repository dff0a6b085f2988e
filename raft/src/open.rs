//! What became of proposals: each is committed, or known to be lost.

use crate::extras::Extra;
use crate::log::Log;
use crate::raft::Raft;
use crate::storage::Storage;
use crate::{Index, Term};

/// The terms this node has led, or has forwarded commands in, whose proposals may be undecided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Open {
    /// The earliest; 0 for none.
    first: Term,
    /// The latest.
    last: Term,
    /// The application must be told what is lost: what is of terms before this.
    pub(crate) lost: Option<Term>,
    /// The last snapshot that came: of what it took the place of, nothing is known here.
    pub(crate) installed: Index,
}

impl Open {
    /// Something was proposed in a term, by this node or for it.
    pub(crate) const fn begin(&mut self, term: Term) {
        if self.first == 0 {
            self.first = term;
        }
        self.last = term;
    }

    /// Something of a term is committed: an entry of an earlier one that was not before it never will be, as terms do not go back along a
    /// log, and every later leader's log has this (Raft thesis, 3.6.3).
    fn decide(&mut self, term: Term) {
        if self.first != 0 && term > self.first {
            self.lost = Some(term);
            self.first = if self.last >= term { term } else { 0 };
        }
    }
}

impl<S: Storage> Raft<S> {
    /// This node leads no more: what it proposed in that term and is not committed may be replaced.
    #[cold]
    pub(crate) fn leave_open(&mut self, term: Term) {
        let undecided = self.log.last() > self.commit;
        if let Some(extras) = self.extra.get_mut()
            && undecided
        {
            extras.open.begin(term);
        }
    }

    /// The application was given everything up to here.
    #[inline]
    pub(crate) fn decide_open(&mut self, index: Index) {
        if self.extra.get().is_some_and(|extras| extras.open.first != 0) {
            let term = self.term_at(index);
            self.decide_in(term);
        }
    }

    /// A snapshot came, and with it all that is committed up to here.
    #[cold]
    pub(crate) fn decide_by_snapshot(&mut self, index: Index, term: Term) {
        if let Some(extras) = self.extra.get_mut() {
            extras.open.installed = index;
        }
        self.decide_in(term);
    }

    /// Something of this term is committed.
    #[cold]
    fn decide_in(&mut self, term: Term) {
        if let Some(extras) = self.extra.get_mut() {
            extras.open.decide(term);
        }
    }
}
