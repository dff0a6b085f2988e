use quorate_core::{Instant, NodeId};

use super::{Config, Outcome};
use crate::{ForwardId, Leadership, Proposal, SubmitError};

/// A command that is undecided.
#[derive(Debug)]
pub(super) struct Pending<T> {
    pub(super) command: T,
    deadline: Instant,
    /// The last time it was handed over, if that may still come to something.
    attempt: Option<Attempt>,
    /// An earlier attempt may still come to something.
    uncertain: bool,
    /// It is not submitted again before.
    retry_at: Instant,
    lost_leaders: u32,
    /// Why it was not taken the last time; `None` if it was lost.
    refusal: Option<SubmitError>,
    pub(super) ended: Option<Outcome>,
}

/// A command was handed over: how, to whom as the leader, and when.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    way: Way,
    epoch: u64,
    at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Proposed(Proposal),
    Forwarded(ForwardId),
    /// By the application itself.
    HandedOver(NodeId),
}

impl<T> Pending<T> {
    pub(super) const fn new(command: T, deadline: Instant) -> Self {
        Self {
            command,
            deadline,
            attempt: None,
            uncertain: false,
            retry_at: Instant::ZERO,
            lost_leaders: 0,
            refusal: Some(SubmitError::NotLeader(None)),
            ended: None,
        }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How it was handed over, if that may still come to something.
    pub(super) fn way(&self) -> Option<Way> {
        self.attempt.map(|attempt| attempt.way)
    }

    /// It was handed over.
    pub(super) fn attempt(&mut self, way: Way, epoch: u64, at: Instant) {
        self.uncertain |= self.attempt.is_some();
        self.attempt = Some(Attempt { way, epoch, at });
    }

    /// The leader has proposed what it was handed.
    pub(super) fn taken(&mut self, proposal: Proposal) {
        if let Some(attempt) = &mut self.attempt {
            *attempt =
                Attempt { way: Way::Proposed(proposal), epoch: proposal.epoch, at: attempt.at };
        }
    }

    /// The last attempt certainly came to nothing.
    pub(super) fn refused(&mut self, reason: Option<SubmitError>, retry_at: Instant) {
        self.attempt = None;
        self.refusal = reason;
        self.retry_at = retry_at;
    }

    /// Nothing more will be heard of the last attempt.
    pub(super) fn unknown(&mut self, config: &Config, now: Instant) {
        if self.attempt.take().is_none() {
            return;
        }
        self.uncertain = true;
        self.lost_leaders = self.lost_leaders.saturating_add(1);
        self.retry_at = now;
        if !config.again {
            self.ended = Some(Outcome::Unknown);
        }
    }

    /// Another leader is known than the one it was handed to. What that does of an older proposal, the log tells, unless the
    /// command is submitted again anyway.
    pub(super) fn leader_changed(&mut self, config: &Config, leadership: Leadership, now: Instant) {
        let Some(Attempt { way, epoch, .. }) = self.attempt else { return };
        let told = matches!(way, Way::Forwarded(_));
        if config.again && epoch != leadership.epoch && !told {
            self.unknown(config, now);
        }
    }

    /// When it is to be handed over, if nothing happens before.
    pub(super) fn due_at(&self, config: &Config) -> Instant {
        if self.ended.is_some() {
            return Instant::MAX;
        }
        match self.attempt {
            Some(Attempt { way: Way::HandedOver(_), at, .. }) if config.again => {
                at.after(config.resend_us)
            }
            Some(_) => Instant::MAX,
            None if self.is_exhausted(config) || (self.uncertain && !config.again) => Instant::MAX,
            None => self.retry_at,
        }
    }

    const fn is_exhausted(&self, config: &Config) -> bool {
        config.max_lost_leaders != 0 && self.lost_leaders >= config.max_lost_leaders
    }

    /// What is known of it now that it is not waited for any longer.
    pub(super) const fn give_up(&self) -> Outcome {
        match self.refusal {
            _ if self.attempt.is_some() || self.uncertain => Outcome::Unknown,
            Some(reason) => Outcome::Refused(reason),
            None => Outcome::Lost,
        }
    }
}
