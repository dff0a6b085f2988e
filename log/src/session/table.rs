//! What is remembered of one client.

use core::mem::swap;

use quorate_core::List;

use crate::Index;

/// A session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Session<A> {
    /// The index of the entry that registered it.
    pub(super) id: Index,
    pub(super) token: u64,
    /// The client waits for no answer below this.
    pub(super) lowest: u64,
    /// The last entry in which something was heard of the client.
    pub(super) heard: Index,
    /// The cluster's time of that.
    pub(super) heard_us: u64,
    /// Answers that the client may ask for again, by serial.
    pub(super) answers: A,
}

/// The answer to one command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Answer<B> {
    pub(super) serial: u64,
    /// The bytes are what was answered; otherwise that did not fit.
    pub(super) kept: bool,
    pub(super) bytes: B,
}

/// What is known of a serial number.
pub(super) enum Seen {
    /// Nothing.
    New,
    /// It was carried out: which of the answers.
    Answered(usize),
    /// The client does not wait for it any more.
    Settled,
    /// Beyond the window.
    Ahead,
}

impl<A> Session<A> {
    pub(super) fn expired(&self, time_us: u64, idle_us: u64) -> bool {
        idle_us > 0 && time_us.saturating_sub(self.heard_us) > idle_us
    }

    pub(super) fn seen<B>(&self, serial: u64, window: usize) -> Seen
    where
        A: List<Answer<B>>,
    {
        let Some(above) = serial.checked_sub(self.lowest) else { return Seen::Settled };
        if above >= window as u64 {
            return Seen::Ahead;
        }
        match self.answers.iter().position(|answer| answer.serial == serial) {
            Some(at) => Seen::Answered(at),
            None => Seen::New,
        }
    }

    /// Forgets the answers that the client has.
    pub(super) fn settle<B>(&mut self, lowest: u64)
    where
        A: List<Answer<B>>,
    {
        if lowest <= self.lowest {
            return;
        }
        self.lowest = lowest;
        while self.answers.first().is_some_and(|answer| answer.serial < lowest) {
            self.answers.remove(0);
        }
    }

    /// Makes a place for the answer to a command, which from then on counts as carried out. `None` if there is none; nothing
    /// was changed.
    pub(super) fn reserve<B: List<u8>>(&mut self, serial: u64, bytes: usize) -> Option<usize>
    where
        A: List<Answer<B>>,
    {
        let answer = Answer { serial, kept: false, bytes: B::with_limit(bytes) };
        self.answers.push(answer).ok()?;
        // they come in order, almost always
        let mut at = self.answers.len().saturating_sub(1);
        while let Some(before) = at.checked_sub(1)
            && let Some([left, right]) = self.answers.get_mut(before..=at)
            && left.serial > right.serial
        {
            swap(left, right);
            at = before;
        }
        Some(at)
    }
}
