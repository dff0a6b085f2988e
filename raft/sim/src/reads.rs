use std::collections::BTreeMap;

use quorate_raft::{Index, ReadId, Role, Status, Term};

/// Whether those of whom something is so are enough for a decision of a leader.
type HasQuorum<'a> = &'a dyn Fn(usize, &dyn Fn(usize) -> bool) -> bool;

/// Checks reads by what a linearizable one needs (Raft thesis, 6.4), whoever's rounds the machine
/// counts: after the read was asked for, a majority took a message of the leader in its term, and
/// what anybody had committed by then was applied.
#[derive(Debug)]
pub(crate) struct ReadChecker {
    pending: Vec<Vec<PendingRead>>,
    /// By the node that took it, the node that sent it and the term of the taker after it: the newest message.
    latest: BTreeMap<(usize, usize, Term), u64>,
}

#[derive(Clone, Copy, Debug)]
struct PendingRead {
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

impl ReadChecker {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { pending: vec![Vec::new(); nodes], latest: BTreeMap::new() }
    }

    /// A node accepted a read.
    pub(crate) fn requested(
        &mut self,
        node: usize,
        id: ReadId,
        order: u64,
        committed: Index,
        term: Term,
    ) {
        self.pending[node].push(PendingRead { id, order, committed, term, confirmed: false });
    }

    /// A node took a message.
    pub(crate) fn received(&mut self, node: usize, from: usize, order: u64, term: Term) {
        // an old message that comes late confirms nothing that a newer one did not
        let newest = self.latest.entry((node, from, term)).or_default();
        *newest = order.max(*newest);
    }

    /// The reads that a node accepted are lost.
    pub(crate) fn drop_pending(&mut self, node: usize) {
        self.pending[node].clear();
    }

    /// A leader sends a node the index of its reads, and may crash in this very step: afterward it
    /// may know of earlier members only than those by whom it counted.
    pub(crate) fn index_sent(&mut self, node: usize, leader: usize, has_quorum: HasQuorum<'_>) {
        for read in &mut self.pending[node] {
            read.confirmed |= is_confirmed(&self.latest, read, leader, has_quorum);
        }
    }

    /// A node says that reads may be answered; `applied` is what its application has seen.
    pub(crate) fn check_ready(
        &mut self,
        node: usize,
        through: ReadId,
        applied: Index,
        seen: Option<Status>,
        has_quorum: HasQuorum<'_>,
    ) -> Result<(), String> {
        let nodes = self.pending.len();
        // one that leads confirms its own reads; reads of other nodes are confirmed by a leader
        let leads = seen.is_none_or(|status| status.role == Role::Leader);
        for read in self.pending[node].extract_if(.., |read| read.id <= through) {
            let confirmed = |leader| is_confirmed(&self.latest, &read, leader, has_quorum);
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
    latest: &BTreeMap<(usize, usize, Term), u64>,
    read: &PendingRead,
    leader: usize,
    has_quorum: HasQuorum<'_>,
) -> bool {
    let followed = |taker: usize| {
        let newest = latest.get(&(taker, leader, read.term));
        taker == leader || newest.is_some_and(|&order| order > read.order)
    };
    has_quorum(leader, &followed)
}
