//! The log of a Raft node: [`quorate_log::Log`], with terms as the tags of its entries.

use quorate_core::Full;
pub(crate) use quorate_log::{Log, Span};

use crate::entry::Header;
use crate::{EntryKind, Index, Term};

/// A log whose entries have terms.
pub(crate) trait TermLog: Log<Header = Header> {
    /// The term of the last entry, or of the compacted one.
    #[inline]
    fn last_term(&self) -> Term {
        self.last_tag()
    }

    /// The term at `index`: of the compacted entry or of one in the log.
    #[inline]
    fn term(&self, index: Index) -> Option<Term> {
        self.tag(index)
    }

    /// Adds one entry.
    #[inline]
    fn add(&mut self, term: Term, kind: EntryKind, data: &[u8]) -> Result<(), Full> {
        self.push(Header { term, kind, len: data.len() }, data)
    }
}

impl<L: Log<Header = Header>> TermLog for L {}
