use quorate_core::{Instant, Rng};
use quorate_log::ReadId;

use super::Slot;
use crate::Ballot;

/// Reads that were asked for and not answered.
///
/// All that wait go with one question to the acceptors. A leader asks whether a quorum of phase 2 has promised no higher ballot: then nothing
/// was chosen that it does not know. Any other node asks a quorum of phase 1 for the last slot that they have voted for: what is chosen is
/// among those of each such quorum (Charapko, Ailijiang and Demirbas, "Linearizable Quorum Reads in Paxos", 2019).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Reads {
    /// The last id that was given.
    wanted: u64,
    /// Ids up to here were asked for in the present question, or an earlier one.
    asked: u64,
    /// Ids up to here have an index, and wait until that is applied.
    confirmed: u64,
    index: Slot,
    done: u64,
    pub(super) question: Option<Question>,
    /// That of the last question.
    number: u64,
    has_asked: bool,
    /// At a leader: others have read what it has proposed up to here, and wait to hear that it is chosen.
    pub(super) others_await: Slot,
}

/// A question to the acceptors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    /// The ballot of a leader that asks; none of any other node.
    pub(super) ballot: Ballot,
    /// What must be applied before it is answered, as far as is known.
    pub(super) index: Slot,
}

impl Reads {
    /// Numbers of questions begin at random, so that answers to an earlier life of the node are not taken for some to this.
    pub(super) fn new(first_number: u64) -> Self {
        Self { number: first_number, ..Self::default() }
    }

    pub(super) fn want(&mut self) -> ReadId {
        self.wanted = self.wanted.saturating_add(1);
        ReadId::new(self.wanted)
    }

    pub(super) const fn is_due(&self) -> bool {
        self.question.is_none() && self.wanted > self.asked
    }

    /// Asks for all that are wanted.
    pub(super) fn ask(&mut self, ballot: Ballot, index: Slot, now: Instant) {
        if !core::mem::replace(&mut self.has_asked, true) {
            // the time of the first question tells this life of the node from another with the same seed
            self.number = Rng::mix(self.number ^ now.as_micros()) >> 2;
        }
        self.number = self.number.wrapping_add(1);
        self.asked = self.wanted;
        self.question = Some(Question { number: self.number, ballot, index });
    }

    /// Another question is needed: the one who asked is no leader any more, or has become one.
    pub(super) fn ask_again(&mut self) {
        if self.question.take().is_some() {
            self.asked = self.confirmed;
        }
    }

    /// The configuration has ended: what its quorums say does not cover the next one.
    pub(super) const fn restart(&mut self) {
        self.question = None;
        (self.asked, self.confirmed) = (self.done, self.done);
    }

    /// A quorum has answered.
    pub(super) fn confirm(&mut self) {
        if let Some(question) = self.question.take() {
            self.confirmed = self.asked;
            // what a quorum says now covers all that was asked for before
            self.index = question.index;
        }
    }

    /// The slot that must be applied before reads are answered; 0 if none waits.
    pub(super) const fn awaited(&self) -> Slot {
        if self.confirmed == self.done { 0 } else { self.index }
    }

    /// Once in a heartbeat interval: what has not been applied since may never be chosen, if its leader fell. Others are asked, or the same ones
    /// anew.
    pub(super) const fn ask_anew(&mut self, applied: Slot) {
        if self.question.is_none() && applied < self.awaited() {
            self.asked = self.done;
        }
    }

    /// Reads that may be answered from what is applied.
    pub(super) fn take_done(&mut self, applied: Slot) -> Option<ReadId> {
        if self.confirmed == self.done || applied < self.index {
            return None;
        }
        self.done = self.confirmed;
        Some(ReadId::new(self.done))
    }
}
