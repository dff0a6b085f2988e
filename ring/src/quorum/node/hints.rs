//! Hints: values that this node keeps for others are handed over.

use quorate_core::Instant;

use super::Node;
use crate::quorum::handoff::Handing;
use crate::quorum::holdings::holds;
use crate::quorum::table::Entry;
use crate::quorum::{Failure, Layout, Storage, Value};

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    pub(super) fn wake_handoff(&mut self, at: Instant) {
        if self.holdings.hints().len() > 0 {
            self.handoff.wake(at);
        }
    }

    /// Hands the next hint over, if there is one that can be. False if none is, until the time of the next look.
    pub(super) fn hand_over(&mut self) -> bool {
        let Self { requests, holdings, layout, config, now, catch_up, .. } = self;
        let is_old = |hint: &Entry<V, S>| {
            now.since(hint.since) >= config.hint_life_us || catch_up.is_lost(hint.owner)
        };
        let may = |hint: &Entry<V, S>| is_old(hint) || !requests.is_down(hint.owner);
        let place = match holdings.next_hint(may) {
            Ok(place) => place,
            Err(looked_at) => {
                self.look_further(looked_at);
                return false;
            }
        };
        let mut begin = || {
            let hint = holdings.hints().get(place)?;
            // where the node is no replica any more, or does not come back, the others get it
            let to = (!is_old(hint) && holds(layout, hint.owner, hint.token)).then_some(hint.owner);
            let (value, handing) =
                (hint.value.clone(), Handing::Hint { place, ticket: hint.ticket });
            requests.hand_over(*now, layout, &hint.key, value, (to, handing)).ok()
        };
        let begun = begin().is_some();
        if begun {
            self.holdings.set_handing(place);
            self.handoff.begin();
        } else {
            self.pause_handoff();
        }
        begun
    }

    /// None of some hints can be handed over: there may be others.
    fn look_further(&mut self, looked_at: usize) {
        if self.handoff.look_in_vain(looked_at, self.holdings.hints().len()) {
            self.pause_handoff();
        } else {
            self.handoff.pause(Some(self.now.after(self.config.sweep_us)));
        }
    }

    /// Nothing is repaired or handed over any more: the hints wait again.
    pub(super) fn cancel_repairs(&mut self) {
        let Self { requests, holdings, handoff, .. } = self;
        requests.cancel(|handing| {
            if let Handing::Hint { place, .. } = handing {
                holdings.set_waiting_again(place);
            }
            true
        });
        handoff.cancel();
    }

    pub(super) fn pause_handoff(&mut self) {
        let any = self.holdings.hints().len() > 0;
        self.handoff.pause(any.then(|| self.now.after(self.config.handoff_us)));
    }

    /// What was handed over was taken, or not.
    pub(super) fn handed_over(&mut self, handing: Handing, failure: Option<Failure>) {
        let failed = failure.is_some();
        let Handing::Hint { place, ticket } = handing else {
            return self.sweep.on_repaired(failed, self.now, &self.config);
        };
        self.handoff.end(failed);
        if failed {
            self.holdings.set_waiting_again(place);
            self.pause_handoff();
        } else {
            self.holdings.handed_over(place, ticket);
        }
    }
}
