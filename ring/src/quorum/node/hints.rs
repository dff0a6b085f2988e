//! Hints: values that this node keeps for others are handed over.

use quorate_core::Instant;

use super::Node;
use crate::quorum::handoff::Handing;
use crate::quorum::holdings::holds;
use crate::quorum::{Failure, Layout, Storage, Value};

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    pub(super) fn wake_handoff(&mut self, at: Instant) {
        if self.holdings.hints().len() > 0 {
            self.handoff.wake(at);
        }
    }

    /// Hands the next hint over, if there is one that can be.
    pub(super) fn hand_over(&mut self) {
        let Self { requests, holdings, layout, config, now, .. } = self;
        let is_old = |since: Instant| now.since(since) >= config.hint_life_us;
        let place = holdings.next_hint(|hint| is_old(hint.since) || !requests.is_down(hint.owner));
        let begun = place.and_then(|place| {
            let hint = holdings.hints().get(place)?;
            // where the node is no replica any more, or does not come back, the others get it
            let to = (!is_old(hint.since) && holds(layout, hint.owner, hint.token))
                .then_some(hint.owner);
            let value = hint.value.clone();
            let request = requests.hand_over(*now, layout, &hint.key, value, to).ok()?;
            Some(Handing { request, place, ticket: hint.ticket })
        });
        match begun {
            Some(handing) => self.handoff.begin(handing),
            None => self.pause_handoff(),
        }
    }

    pub(super) fn pause_handoff(&mut self) {
        let any = self.holdings.hints().len() > 0;
        self.handoff.pause(any.then(|| self.now.after(self.config.handoff_us)));
    }

    pub(super) fn handed_over(&mut self, request: u64, failure: Option<Failure>) {
        let failed = failure.is_some();
        if self.sweep.on_repaired(request, failed, self.now, &self.config) {
            return;
        }
        let Some(Handing { place, ticket, .. }) = self.handoff.end(request) else { return };
        match failure {
            None => {
                self.holdings.handed_over(place, ticket);
                self.wake_handoff(self.now);
            }
            Some(_) => self.pause_handoff(),
        }
    }
}
