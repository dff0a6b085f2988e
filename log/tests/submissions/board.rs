//! A few submissions, and what the log says to them.

use quorate_core::{Instant, NodeId};
use quorate_log::submission::{Config, Inline, Storage, Submissions};
use quorate_log::{ForwardId, Forwarded, Leadership, Notice, Proposal, Submitted};

use crate::headers::Tagged;

pub(super) const ONE: NodeId = NodeId::new(1);
pub(super) const TWO: NodeId = NodeId::new(2);
/// Ten seconds, retries after 20 ms.
pub(super) const AT_MOST_ONCE: Config = Config::at_most_once(10_000_000);
pub(super) const EXACTLY_ONCE: Config = Config::exactly_once(10_000_000);

pub(super) const NONE: [u64; 0] = [];

pub(super) type Board = Submissions<char, Inline<4>>;

pub(super) const fn leads(epoch: u64) -> Leadership {
    Leadership { leader: Some(ONE), epoch }
}

pub(super) fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Commands that are due, as their numbers, without being handed over.
pub(super) fn due<S: Storage>(
    submissions: &mut Submissions<char, S>,
    now: Instant,
    leadership: Leadership,
) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(due) = submissions.due(now, leadership) {
        numbers.push(due.number);
    }
    numbers
}

pub(super) fn propose(submissions: &mut Board, now: Instant, number: u64, epoch: u64, index: u64) {
    let result = Ok(Submitted::Proposed(Proposal { epoch, index }));
    submissions.submitted(now, leads(epoch), number, result);
}

pub(super) fn forward(submissions: &mut Board, now: Instant, number: u64, id: u64) {
    let result = Ok(Submitted::Forwarded(ForwardId::new(id)));
    submissions.submitted(now, leads(3), number, result);
}

pub(super) fn notice(submissions: &mut Board, now: Instant, notice: Notice<'_, Tagged>) {
    submissions.notice(now, &notice);
}

pub(super) fn told(first: u64, count: u64, end: Forwarded) -> Notice<'static, Tagged> {
    Notice::Forwarded { first: ForwardId::new(first), count, end }
}
