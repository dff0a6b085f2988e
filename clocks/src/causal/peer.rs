use quorate_core::{Instant, NodeId};

use crate::{Storage, VersionVector};

/// What is known of another member, and owed to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer<A: Storage> {
    pub(super) id: NodeId,
    /// What it has delivered: a row of the matrix clock (Wuu, Bernstein, "Efficient Solutions to the Replicated Log and
    /// Dictionary Problems", PODC 1984).
    pub(super) known: VersionVector<A>,
    /// The start it said that in; 0 before it was heard.
    pub(super) boot: u32,
    /// Since when it has been silent: when it was last heard to have more than before, or had
    /// everything. [`JUST_NOW`] until time passes.
    pub(super) heard_at: Instant,
    /// The next message of the store to consider for it.
    pub(super) cursor: usize,
    /// It asked for messages of others, too.
    pub(super) helped: bool,
    /// It is owed a status.
    pub(super) status: bool,
    /// It is to be asked for its own. A question is no answer: it may be owed both.
    pub(super) ask: bool,
    /// It is owed the news that it is behind.
    pub(super) behind: bool,
    /// It said that this node is behind it, and the application was not told yet.
    pub(super) ahead: bool,
    /// What it said and is not believed yet.
    pub(super) unconfirmed: Option<Unconfirmed>,
}

/// The time of what happened when no time was handed in; it becomes the next one that is.
pub(super) const JUST_NOW: Instant = Instant::from_micros(u64::MAX);

/// A status of another start, or one that claims own broadcasts which this node did not make. It
/// is no proof: a single message may be wrong, and networks deliver one twice. It is confirmed when
/// the peer says the same in answer to a question that was asked after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Unconfirmed {
    pub(super) boot: u32,
    pub(super) is_claim: bool,
    /// It was a question, so no copy of it can be taken for an answer.
    pub(super) ask: bool,
    /// Otherwise its answer must differ in this word, which answers repeat from questions.
    pub(super) help: bool,
    /// The question was sent.
    pub(super) is_asked: bool,
}

impl Unconfirmed {
    /// Whether a status with these words answers the question.
    pub(super) const fn is_answer(&self, ask: bool, help: bool) -> bool {
        self.is_asked && !ask && (self.ask || help != self.help)
    }
}

impl<A: Storage> Peer<A> {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            known: VersionVector::new(),
            boot: 0,
            heard_at: Instant::ZERO,
            cursor: 0,
            helped: false,
            status: false,
            ask: false,
            behind: false,
            ahead: false,
            unconfirmed: None,
        }
    }

    /// Whether a question should ask for help. One that is to confirm an answer says what that one
    /// did not: neither the message nor a copy of it can then be taken for the answer.
    pub(super) fn asks_help(&self, is_gap_old: bool) -> bool {
        match self.unconfirmed {
            Some(said) if !said.ask => !said.help,
            _ => is_gap_old,
        }
    }

    /// Whether it may have started anew, and have less than is known of it.
    pub(super) fn is_starting(&self) -> bool {
        self.unconfirmed.is_some_and(|said| said.boot != self.boot)
    }

    /// Whether others should wait for it.
    pub(super) fn is_silent(&self, now: Instant, patience_us: u64) -> bool {
        now.since(self.heard_at) >= patience_us
    }
}
