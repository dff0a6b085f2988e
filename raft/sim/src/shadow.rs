use std::collections::VecDeque;

use quorate_core::{NodeId, Rng};
use quorate_raft::{Entries, Index, Record, Term};

use super::configs::{Config, Configs};
use super::entries::decode;

/// What is durable on a node, as its records say: the simulator's own reading, which trusts no machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadow {
    /// Who founded the cluster, as this node was told at its first start.
    pub(crate) founders: Option<Config>,
    pub(crate) term: Term,
    pub(crate) vote: Option<NodeId>,
    compacted: Index,
    snapshot: Index,
    /// The entries after the compacted: term and a hash of all the rest.
    entries: VecDeque<(Term, u64)>,
    /// The configurations among all entries there have been.
    pub(crate) configs: Configs,
    /// The members that came with snapshots, by where these end.
    pub(crate) snapshot_configs: Configs,
}

impl Shadow {
    pub(crate) const fn snapshot(&self) -> Index {
        self.snapshot
    }

    pub(crate) fn last(&self) -> Index {
        self.snapshot.max(self.compacted + self.entries.len() as u64)
    }

    /// Whether this very entry is durable; what a snapshot covers counts, as it was committed.
    pub(crate) fn has(&self, index: Index, entry: (Term, u64)) -> bool {
        index <= self.snapshot.max(self.compacted)
            || self
                .entries
                .get((index - self.compacted - 1) as usize)
                .is_some_and(|e| same(*e, entry))
    }

    /// The term of a durable entry; `None` of what a snapshot covers.
    pub(crate) fn term_at(&self, index: Index) -> Option<Term> {
        let at = index.checked_sub(self.snapshot.max(self.compacted) + 1)?;
        let before = self.snapshot.saturating_sub(self.compacted);
        self.entries.get((before + at) as usize).map(|entry| entry.0)
    }

    pub(crate) fn apply(&mut self, record: Record<'_>) {
        match record {
            Record::Vote { term, vote } => (self.term, self.vote) = (term, vote),
            Record::Append { first, entries, .. } => {
                let kept = first.saturating_sub(self.compacted + 1);
                self.configs.append(first, entries);
                self.entries.truncate(kept as usize);
                self.entries.extend(parse(first, entries).map(|(_, term, hash)| (term, hash)));
            }
            Record::Snapshot { index, compacted, compacted_term, .. } => {
                self.snapshot = index;
                let at = compacted.checked_sub(self.compacted + 1);
                let known = at.and_then(|at| self.entries.get(at as usize)).map(|e| e.0);
                if compacted == self.compacted {
                    // nothing is dropped
                } else if known == Some(compacted_term) {
                    self.entries.drain(..(compacted - self.compacted) as usize);
                } else {
                    self.entries.clear();
                }
                self.compacted = compacted;
            }
            Record::Members { index, members, .. } => {
                self.snapshot_configs.insert(index, Config::parse(members.bytes()));
            }
            Record::Founders { voters } => self.founders = Some(Config::parse(voters.bytes())),
            _ => {}
        }
    }
}

/// The entries of an encoded run: index, term, and a hash of kind and data.
pub(crate) fn parse(first: Index, run: &[u8]) -> impl Iterator<Item = (Index, Term, u64)> + '_ {
    decode(first, run).map(|(index, term, kind, data)| (index, term, hash(kind, data)))
}

/// Whether two entries, each a term and a hash, are the same at one index: a witness does not know what is in a command.
pub(crate) const fn same(a: (Term, u64), b: (Term, u64)) -> bool {
    a.0 == b.0 && (a.1 == b.1 || a.1 == METADATA_ONLY || b.1 == METADATA_ONLY)
}

/// The hash of an entry that a witness has the metadata of.
pub(crate) const METADATA_ONLY: u64 = 0;

fn hash(kind: u64, data: &[u8]) -> u64 {
    if kind == 3 {
        return METADATA_ONLY;
    }
    let mut hash = Rng::new(kind).next_u64();
    for chunk in data.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash = Rng::new(hash ^ u64::from_le_bytes(word)).next_u64();
    }
    hash
}

/// Index, term and hash of entries that a machine shows.
pub(crate) fn hashes(entries: Entries<'_>) -> impl Iterator<Item = (Index, Term, u64)> + '_ {
    parse(entries.first(), entries.bytes())
}
