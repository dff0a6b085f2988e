//! The floor up to which tombstones are forgotten.

use quorate_core::{NodeId, Rejected, Ticket};

use super::Node;
use crate::quorum::frontier::{Next, Nodes, Report};
use crate::quorum::holdings::{AnswerKind, Asked};
use crate::quorum::message::{Body, Reason};
use crate::quorum::{Layout, Membership, Message, Storage, Value};
use crate::topology::Version;

impl<V: Value + 'static, L: Layout, S: Storage> Node<V, L, S> {
    pub(super) fn handle_seal(
        &mut self,
        asked: Asked,
        version: Version,
        known: bool,
        (floor, sealed): (u64, u64),
    ) -> Result<(), Rejected> {
        if !self.holdings.has_room_for_an_answer() {
            return Err(Rejected::Full);
        }
        if sealed < floor {
            return Err(Rejected::Impossible);
        }
        if self.layout.version() != version {
            self.holdings.owe(asked, AnswerKind::Refused(Reason::Stale), Ticket::default());
            return Ok(());
        }
        if self.collecting() != Some(asked.by) {
            return Err(Rejected::Impossible); // only the node with the lowest id asks for it
        }
        self.learn_floor(floor);
        self.seal_if_it_may(sealed);
        if known {
            self.join();
        }
        self.holdings.owe(asked, AnswerKind::Sealed, Ticket::default());
        Ok(())
    }

    /// The node that collects what the others report.
    fn collecting(&self) -> Option<NodeId> {
        let nodes = Nodes { layout: &self.layout, own: self.id, lost: self.catch_up.lost() };
        nodes.first()
    }

    /// This node knows the floor: if it joins, it takes part from now on.
    pub(super) fn join(&mut self) {
        if self.membership == Membership::Joining && !self.holdings.is_founded() {
            self.holdings.set_founded(true);
            self.catch_up.restart(self.now);
        }
    }

    /// Takes no new values up to this clock.
    pub(super) fn seal(&mut self, sealed: u64) {
        self.holdings.seal(sealed);
        self.requests.raise_floor(self.holdings.frontier().sealed());
    }

    /// The same, unless the floor is not to rise so far: then this node does not say that it is sealed, and the floor stays.
    fn seal_if_it_may(&mut self, sealed: u64) {
        if self.holdings.frontier().may_rise_to(sealed) {
            self.seal(sealed);
        }
    }

    pub(super) fn report(&self) -> Report {
        self.holdings.report(self.sweep.last_clean_rotation())
    }

    pub(super) fn handle_answer_to_seal(
        &mut self,
        from: NodeId,
        message: &Message<'_, V>,
    ) -> Result<(), Rejected> {
        if message.incarnation != self.requests.incarnation() {
            return Ok(());
        }
        match message.body {
            Body::Sealed { floor, sealed, done, changes, wanted } => {
                let report = Report { floor, sealed, done, changes, wanted };
                self.take_report(from, message.number, report);
                Ok(())
            }
            Body::Refused { .. } => Ok(()), // it is asked again, or the round is given up
            _ => Err(Rejected::Impossible),
        }
    }

    fn take_report(&mut self, from: NodeId, number: u64, report: Report) {
        let next = self.on_report(from, number, report);
        self.go_on(next);
    }

    fn on_report(&mut self, from: NodeId, number: u64, report: Report) -> Next {
        if self.collector.message() != Some((from, number)) {
            return Next::Nothing; // nobody asked for it
        }
        self.learn_floor(report.floor);
        let may = self.holdings.frontier().may_rise_to(report.wanted);
        let report = Report { wanted: if may { report.wanted } else { 0 }, ..report };
        let floor = self.holdings.known_floor();
        let Self { collector, layout, config, now, id, catch_up, .. } = self;
        let nodes = Nodes { layout, own: *id, lost: catch_up.lost() };
        collector.on_report(*now, floor, (from, number), report, &nodes, config)
    }

    /// The node with the lowest id has the others seal, and raises the floor.
    pub(super) fn tick_collector(&mut self) {
        let floor = self.holdings.known_floor();
        let Self { collector, layout, config, now, id, catch_up, .. } = self;
        let nodes = Nodes { layout, own: *id, lost: catch_up.lost() };
        let next = collector.tick(*now, floor, &nodes, config);
        self.go_on(next);
    }

    fn go_on(&mut self, mut next: Next) {
        // the lowest id is asked first, so this comes once in a round
        if next == Next::AskHere {
            self.seal_if_it_may(self.collector.target());
            let report = self.report();
            let Some((_, number)) = self.collector.message() else { return };
            next = self.on_report(self.id, number, report);
        }
        if let Next::RoundOver(floor) = next {
            if let Some(floor) = floor {
                self.learn_floor(floor);
            }
            self.join();
        }
    }
}
