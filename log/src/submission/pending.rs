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
    /// The application said so, and not the log.
    is_postponed: bool,
    lost_leaders: u32,
    /// Changes of leaders that were told when it was handed over.
    leader_changes: u32,
    /// After so many it is not submitted again; 0 for no limit.
    max_lost_leaders: u32,
    /// Why it was not taken the last time; `None` if it was lost.
    refusal: Option<SubmitError>,
    pub(super) ended: Option<Outcome>,
}

/// A command was handed over: how, and in whose epoch.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    way: Way,
    epoch: u64,
    /// It is handed over again then, if commands are submitted again.
    resubmit_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Proposed(Proposal),
    Forwarded(ForwardId),
    /// By the application itself, and how many were handed over so before.
    HandedOver(NodeId, u64),
}

impl<T> Pending<T> {
    pub(super) const fn new(command: T, deadline: Instant, max_lost_leaders: u32) -> Self {
        Self {
            command,
            deadline,
            attempt: None,
            uncertain: false,
            retry_at: Instant::ZERO,
            is_postponed: false,
            lost_leaders: 0,
            leader_changes: 0,
            max_lost_leaders,
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

    /// It was handed over, after so many changes of leaders.
    pub(super) fn attempt(&mut self, way: Way, epoch: u64, resubmit_at: Instant, changes: u32) {
        self.leader_changes = changes;
        self.uncertain |= self.attempt.is_some();
        self.attempt = Some(Attempt { way, epoch, resubmit_at });
    }

    /// The leader has proposed what it was handed.
    pub(super) fn proposed(&mut self, proposal: Proposal) {
        if let Some(attempt) = &mut self.attempt {
            (attempt.way, attempt.epoch) = (Way::Proposed(proposal), proposal.epoch);
        }
    }

    /// The log did not take it. What was handed over before may still come to something.
    pub(super) fn not_taken(&mut self, reason: SubmitError, retry_at: Instant) {
        self.uncertain |= self.attempt.is_some();
        self.refused(Some(reason), retry_at);
    }

    /// The last attempt certainly came to nothing.
    pub(super) fn refused(&mut self, reason: Option<SubmitError>, retry_at: Instant) {
        self.attempt = None;
        self.refusal = reason;
        (self.retry_at, self.is_postponed) = (retry_at, false);
    }

    /// No answer is waited for any more, after so many changes of leaders: the leader is lost if there was one since, else the answer is.
    pub(super) fn unanswered(&mut self, config: &Config, now: Instant, changes: u32) {
        let (is_lost, before) = (self.leader_changes != changes, self.lost_leaders);
        self.unknown(config, now);
        if !is_lost {
            self.lost_leaders = before;
        }
    }

    /// Nothing more will be heard of the last attempt: its leader is lost.
    pub(super) fn unknown(&mut self, config: &Config, now: Instant) {
        if self.attempt.take().is_none() {
            return;
        }
        self.uncertain = true;
        self.lost_leaders = self.lost_leaders.saturating_add(1);
        (self.retry_at, self.is_postponed) = (now, false);
        if !config.resubmit {
            self.ended.get_or_insert(Outcome::Unknown);
        }
    }

    /// No leader is known any more: what the last one said is out of date.
    pub(super) fn leader_lost(&mut self) {
        if self.refusal.is_some() {
            self.refusal = Some(SubmitError::NotLeader(None));
        }
    }

    /// Another leader is known than the one it was handed to, or that refused it. What that does of an older proposal, the log
    /// tells, unless the command is submitted again anyway.
    pub(super) fn leader_changed(&mut self, config: &Config, leadership: Leadership, now: Instant) {
        let Some(Attempt { way, epoch, .. }) = self.attempt else {
            if !self.is_postponed {
                // later commands go to this leader at once, and do not overtake it
                self.retry_at = self.retry_at.min(now);
            }
            return;
        };
        let told = matches!(way, Way::Forwarded(_));
        if config.resubmit && epoch != leadership.epoch && !told {
            self.unknown(config, now);
        }
    }

    /// When it is to be handed over, if nothing happens before.
    pub(super) fn due_at(&self, config: &Config) -> Instant {
        if self.ended.is_some() {
            return Instant::MAX;
        }
        match self.attempt {
            Some(Attempt { resubmit_at, .. }) if config.resubmit => resubmit_at,
            Some(_) => Instant::MAX,
            None if self.is_exhausted() || (self.uncertain && !config.resubmit) => Instant::MAX,
            None => self.retry_at,
        }
    }

    /// It is not due before.
    pub(super) fn postpone(&mut self, until: Instant) {
        (self.retry_at, self.is_postponed) = (until, true);
        if let Some(attempt) = &mut self.attempt {
            attempt.resubmit_at = until;
        }
    }

    /// It may be what ended the leaders that had it, and so is handed to no other.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.max_lost_leaders != 0 && self.lost_leaders >= self.max_lost_leaders
    }

    pub(super) const fn limit_lost_leaders(&mut self, max: u32) {
        self.max_lost_leaders = max;
    }

    /// It was handed over before.
    pub(super) const fn is_resubmitted(&self) -> bool {
        self.attempt.is_some() || self.uncertain
    }

    /// What is known of it.
    pub(super) const fn known(&self) -> Outcome {
        if let Some(outcome) = self.ended {
            return outcome;
        }
        match self.refusal {
            _ if self.attempt.is_some() || self.uncertain => Outcome::Unknown,
            Some(reason) => Outcome::Refused(reason),
            None => Outcome::Lost,
        }
    }
}
