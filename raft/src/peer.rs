use quorate_core::{Instant, NodeId};

use crate::flow::Flow;
use crate::raft::succ;
use crate::{Index, Membership, Replication, Term};

/// What a node knows and owes of another: a few bits of intent, from which messages are made when polled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    pub(crate) id: NodeId,
    pub(crate) membership: Membership,
    /// When it was last heard, as a leader sees it.
    pub(crate) heard: Instant,

    // Candidates
    /// Its answer to this election; only the first one counts.
    pub(crate) vote: Option<bool>,
    /// A request for its vote is due.
    pub(crate) ask_vote: bool,

    // Leaders
    pub(crate) replication: Replication,
    pub(crate) match_index: Index,
    pub(crate) next_index: Index,
    /// The last round it answered in this term.
    pub(crate) round: u64,
    /// A message is due even if there are no entries for it.
    pub(crate) heartbeat_due: bool,
    /// It is due to be asked to take over the lead.
    pub(crate) time_out_due: bool,
    /// A probe is on its way.
    pub(crate) probing: bool,
    /// The round in which probing or streaming began: answers to what was sent before say nothing of it.
    pub(crate) since: u64,
    pub(crate) flow: Flow,
    pub(crate) transfer: Transfer,

    // Followers and voters
    pub(crate) owed_vote: Option<VoteReply>,
    pub(crate) owed: Reply,
}

/// An answer to a request for a vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct VoteReply {
    pub(crate) pre: bool,
    /// The term asked for.
    pub(crate) term: Term,
    pub(crate) granted: bool,
}

/// An answer to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reply {
    Nothing,
    /// The term has moved on, and nothing else: this node does not follow the one it tells that.
    Stale,
    /// How far the logs agree; at once, or as soon as that is durable.
    Accept {
        at_once: bool,
    },
    Reject {
        prev_index: Index,
        prev_term: Term,
        round: u64,
    },
    Part {
        index: Index,
    },
    /// It is no member any more, and that is committed.
    Removed,
    /// Nothing: it is asked for a pre-vote by a member that may not lead.
    PreVote,
}

/// A snapshot on its way to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Transfer {
    pub(crate) index: Index,
    pub(crate) index_term: Term,
    /// What the peer has, in bytes.
    pub(crate) offset: u64,
    pub(crate) stage: Stage,
    /// The leader's round when the last part went out.
    pub(crate) sent_round: u64,
    /// One more than the bytes of the whole snapshot, once the last part went out; 0 before.
    pub(crate) beyond: u64,
    /// The peer has the entries, and asked for it all the same.
    pub(crate) asked_for: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Stage {
    /// The application must be asked for the next part.
    #[default]
    Wanted,
    /// The application was asked.
    Asked,
    /// The part is in the buffer, to be sent.
    Ready,
    /// The part is on its way.
    Sent,
}

impl Peer {
    pub(crate) fn new(id: NodeId, membership: Membership) -> Self {
        Self {
            id,
            membership,
            heard: Instant::ZERO,
            vote: None,
            ask_vote: false,
            replication: Replication::Probe,
            match_index: 0,
            next_index: 1,
            round: 0,
            heartbeat_due: false,
            time_out_due: false,
            probing: false,
            since: 0,
            flow: Flow::default(),
            transfer: Transfer::default(),
            owed_vote: None,
            owed: Reply::Nothing,
        }
    }

    /// Starts an election: no answers yet.
    pub(crate) fn ask(&mut self) {
        self.vote = None;
        self.ask_vote = self.membership.is_voter();
    }

    /// Starts a leader's term: nothing is known of the peer's log.
    pub(crate) fn lead(&mut self, now: Instant, last: Index) {
        self.heard = now;
        self.vote = None;
        self.ask_vote = false;
        self.match_index = 0;
        self.round = 0;
        self.since = 0;
        self.flow = Flow::default();
        self.heartbeat_due = true;
        self.time_out_due = false;
        self.owed = Reply::Nothing;
        self.probe(succ(last));
    }

    /// Looks for the place where the logs agree, from just before `next`.
    pub(crate) fn probe(&mut self, next: Index) {
        self.replication = Replication::Probe;
        self.next_index = next.max(succ(self.match_index));
        self.probing = false;
        self.set_probed(0);
    }

    /// Begins to send a snapshot.
    pub(crate) fn start_transfer(&mut self, index: Index, index_term: Term) {
        self.replication = Replication::Snapshot;
        self.transfer = Transfer { index, index_term, ..Transfer::default() };
    }

    /// Ends being a leader or candidate: what was owed as one is void.
    pub(crate) fn follow(&mut self) {
        self.vote = None;
        self.ask_vote = false;
        self.heartbeat_due = false;
        self.time_out_due = false;
        self.transfer = Transfer::default();
        self.probe(1);
        if self.membership.departs() {
            self.membership = Membership::NONE;
        }
    }
}
