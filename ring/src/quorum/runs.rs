use quorate_core::NodeId;

use super::digest::digest;
use super::table::{Entry, Keys};
use super::{Layout, Storage, Value};
use crate::Token;

pub(crate) const MAX_RUN_BITS: u32 = 12;
/// The most keys of a run.
pub(crate) const MAX_RUN: usize = 1 << MAX_RUN_BITS;
/// How many keys are looked at for one run, those of others among them.
const LOOKED_AT: usize = 4 * MAX_RUN;

/// Keys in the order of their tokens, from the first token to the last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Run {
    pub(crate) first: Token,
    pub(crate) last: Token,
    pub(crate) keys: u64,
    pub(crate) fingerprint: u64,
    /// How many keys were looked at for it, those of others among them.
    pub(crate) read: u32,
}

impl Run {
    pub(crate) const fn empty(first: Token, last: Token) -> Self {
        Self { first, last, keys: 0, fingerprint: 0, read: 0 }
    }

    fn add<V: Value, S: Storage>(&mut self, entry: &Entry<V, S>, salt: u64) {
        self.keys = self.keys.saturating_add(1);
        // a sum: the order of keys with one token is each node's own
        let digest = digest(salt, &entry.key, &entry.value);
        self.fingerprint = self.fingerprint.wrapping_add(digest);
    }
}

/// The keys that this node shares with another.
pub(crate) struct Shared<'a, V: Value, S: Storage, L> {
    pub(crate) keys: &'a Keys<V, S>,
    pub(crate) layout: &'a L,
    pub(crate) node: NodeId,
    pub(crate) peer: NodeId,
}

impl<'a, V: Value, S: Storage, L: Layout> Shared<'a, V, S, L> {
    /// The run from a token on with so many keys. It ends with all keys of its last token, or of all tokens.
    ///
    /// `meet` is told of the nodes that this node shares keys with.
    pub(crate) fn run(
        &self,
        first: Token,
        keys: usize,
        salt: u64,
        mut meet: impl FnMut(NodeId),
    ) -> Run {
        let mut run = Run::empty(first, Token::MAX);
        let mut range = Holders::default();
        for (seen, entry) in self.keys.from(first).enumerate() {
            let enough = run.keys >= keys as u64 || seen >= LOOKED_AT;
            if enough && entry.token != run.last {
                return run;
            }
            if range.advance(self.layout, entry.token) && range.holds(self.node) {
                range.nodes().filter(|node| *node != self.node).for_each(&mut meet);
            }
            if range.holds(self.node) && range.holds(self.peer) {
                run.add(entry, salt);
            }
            run.last = entry.token;
            run.read = run.read.saturating_add(1);
        }
        run.last = Token::MAX;
        run
    }

    /// The keys between two tokens. Of too many to be looked at the fingerprint is that of no run.
    pub(crate) fn run_between(&self, first: Token, last: Token, salt: u64) -> Run {
        let mut run = Run::empty(first, last);
        let mut range = Holders::default();
        for (seen, entry) in
            self.keys.from(first).take_while(|entry| entry.token <= last).enumerate()
        {
            if seen >= 2 * LOOKED_AT {
                run.keys = u64::MAX;
                return run;
            }
            range.advance(self.layout, entry.token);
            if range.holds(self.node) && range.holds(self.peer) {
                run.add(entry, salt);
            }
        }
        run
    }

    /// The keys between two tokens, with their digests.
    pub(crate) fn digests(
        &self,
        first: Token,
        last: Token,
        salt: u64,
    ) -> impl Iterator<Item = (&'a Entry<V, S>, u64)> + use<'a, V, S, L> {
        let (layout, node, peer) = (self.layout, self.node, self.peer);
        let keys = self.keys.from(first).take_while(move |entry| entry.token <= last);
        let mut range = Holders::default();
        let shared = keys.take(2 * LOOKED_AT).filter(move |entry| {
            range.advance(layout, entry.token);
            range.holds(node) && range.holds(peer)
        });
        shared.map(move |entry| (entry, digest(salt, &entry.key, &entry.value)))
    }
}

/// The nodes that hold the keys of a range, now or soon.
#[derive(Default)]
struct Holders {
    /// The last token of the range; `None` before the first.
    last: Option<Token>,
    now: crate::PreferenceList,
    next: Option<crate::PreferenceList>,
}

impl Holders {
    /// Goes on to the range of a token. True if that is another one.
    fn advance<L: Layout>(&mut self, layout: &L, to: Token) -> bool {
        if self.last.is_some_and(|last| to <= last) {
            return false;
        }
        let end = layout.end_of_range(to);
        // one that goes over the end of the circle ends there, as the keys do
        self.last = Some(if end < to { Token::MAX } else { end });
        (self.now, self.next) = (layout.replicas(to), layout.next_replicas(to));
        true
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let next = self.next.iter().flat_map(|next| next.replicas());
        self.now.replicas().iter().chain(next).copied()
    }

    fn holds(&self, node: NodeId) -> bool {
        self.nodes().any(|other| other == node)
    }
}
