use std::collections::BTreeMap;

use quorate_raft::{Index, ReadId, Role, Status, Term};

/// Whether those of whom something is so are enough for a decision of a leader.
type Decides<'a> = &'a dyn Fn(usize, &dyn Fn(usize) -> bool) -> bool;

/// Judges reads by what a linearizable one needs (Raft thesis, 6.4), whoever's rounds the machine counts: after the read was
/// asked for, a majority took a message of the leader in its term, and what anybody had committed by then was applied.
#[derive(Debug)]
pub(crate) struct Reads {
    open: Vec<Vec<Asked>>,
    /// By the node that took it, the node that sent it and the term of the taker after it: the newest message.
    taken: BTreeMap<(usize, usize, Term), u64>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    id: ReadId,
    /// How many messages had been sent.
    order: u64,
    /// What had been committed by anybody.
    committed: Index,
    /// The term of the node that was asked.
    term: Term,
    /// A leader that told it the index was confirmed then.
    confirmed: bool,
}

impl Reads {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { open: vec![Vec::new(); nodes], taken: BTreeMap::new() }
    }

    /// A node took on a read.
    pub(crate) fn asked(
        &mut self,
        node: usize,
        id: ReadId,
        order: u64,
        committed: Index,
        term: Term,
    ) {
        self.open[node].push(Asked { id, order, committed, term, confirmed: false });
    }

    /// A node took a message.
    pub(crate) fn received(&mut self, node: usize, from: usize, order: u64, term: Term) {
        // an old message that comes late confirms nothing that a newer one did not
        let newest = self.taken.entry((node, from, term)).or_default();
        *newest = order.max(*newest);
    }

    /// What was asked of a node is lost.
    pub(crate) fn forget(&mut self, node: usize) {
        self.open[node].clear();
    }

    /// A leader tells a node the index of its reads, and may crash in this very step: afterward it may know of earlier members only
    /// than those by whom it counted.
    pub(crate) fn told(&mut self, node: usize, leader: usize, decides: Decides<'_>) {
        for read in &mut self.open[node] {
            read.confirmed |= is_confirmed(&self.taken, read, leader, decides);
        }
    }

    /// A node says that reads may be answered; `applied` is what its application has seen.
    pub(crate) fn ready(
        &mut self,
        node: usize,
        through: ReadId,
        applied: Index,
        seen: Option<Status>,
        decides: Decides<'_>,
    ) -> Result<(), String> {
        let nodes = self.open.len();
        // one that leads confirms its own reads; what others ask for, somebody who leads confirms
        let leads = seen.is_none_or(|status| status.role == Role::Leader);
        for read in self.open[node].extract_if(.., |read| read.id <= through) {
            let confirmed = |leader| is_confirmed(&self.taken, &read, leader, decides);
            let mut leaders = if leads { node..node + 1 } else { 0..nodes };
            if !read.confirmed && !leaders.any(confirmed) {
                return Err(format!(
                    "node {} answers a read that no majority confirmed since it was asked: {read:?}",
                    node + 1
                ));
            }
            if applied < read.committed {
                return Err(format!(
                    "node {} answers a read at {applied}, older than what was committed: {read:?}",
                    node + 1
                ));
            }
        }
        Ok(())
    }
}

/// Whether a majority of a leader's members took a message of it after a read was asked for.
fn is_confirmed(
    taken: &BTreeMap<(usize, usize, Term), u64>,
    read: &Asked,
    leader: usize,
    decides: Decides<'_>,
) -> bool {
    let followed = |taker: usize| {
        let newest = taken.get(&(taker, leader, read.term));
        taker == leader || newest.is_some_and(|&order| order > read.order)
    };
    decides(leader, &followed)
}
