use super::{Modelled, System};

/// Steps after which a system that never gets quiet is given up.
const STEPS: usize = 100_000;

/// How messages that are in flight together are ordered.
#[derive(Clone, Copy)]
pub(crate) enum DeliveryOrder {
    First,
    Last,
}

impl<M: Modelled> System<M> {
    /// Stops all faults: messages arrive at once, writes are durable, clocks run evenly, and crashed nodes stay down. The system
    /// must get where it should within its patience, and be there still a quarter of that later.
    pub(crate) fn check_heals(&self, model: &M, order: DeliveryOrder) -> Result<(), String> {
        let mut system = self.clone();
        system.remaining.in_flight = 0;
        let patience = model.max_healing_us();
        system.run(model, patience, order, true)?;
        model
            .healed(&system.nodes)
            .map_err(|e| format!("after {patience} µs without faults {e}"))?;
        system.run(model, patience / 4, order, false)?;
        model.healed(&system.nodes).map_err(|e| format!("it was, but does not stay so: {e}"))
    }

    /// Nothing goes wrong for so long.
    pub(crate) fn warm_up(&mut self, model: &M, us: u64) -> Result<(), String> {
        self.run(model, us, DeliveryOrder::First, false)
    }

    fn run(
        &mut self,
        model: &M,
        for_us: u64,
        order: DeliveryOrder,
        until: bool,
    ) -> Result<(), String> {
        let mut passed = 0;
        for _ in 0..STEPS {
            self.deliver_all(model, order)?;
            let Some((at, wait)) = self.next_deadline() else { return Ok(()) };
            if until && model.healed(&self.nodes).is_ok() {
                return Ok(());
            }
            if passed + wait > for_us {
                self.advance(for_us - passed);
                return Ok(());
            }
            passed += wait;
            self.advance(wait);
            self.timeout(model, at)?;
        }
        Err("timeouts never end".into())
    }

    /// Everything in flight arrives, and what follows from that, and nothing waits for a disk.
    fn deliver_all(&mut self, model: &M, order: DeliveryOrder) -> Result<(), String> {
        for _ in 0..STEPS {
            if let Some(at) = self.nodes.iter().position(|node| !node.pending.is_empty()) {
                self.sync(model, at)?;
                continue;
            }
            let envelope = match order {
                DeliveryOrder::First => self.in_flight.pop_first(),
                DeliveryOrder::Last => self.in_flight.pop_last(),
            };
            let Some(envelope) = envelope else { return Ok(()) };
            self.deliver(model, &envelope)?;
        }
        Err("messages beget messages without end".into())
    }

    /// Whose deadline is next, and in how many µs.
    fn next_deadline(&self) -> Option<(usize, u64)> {
        use quorate_core::Machine;
        let wait = |(at, node): (usize, &super::Node<M>)| {
            let deadline = node.machine.as_ref()?.deadline()?;
            Some((at, deadline.since(node.now)))
        };
        self.nodes.iter().enumerate().filter_map(wait).min_by_key(|&(_, wait)| wait)
    }

    fn advance(&mut self, us: u64) {
        for node in &mut self.nodes {
            node.now = node.now.after(us);
        }
    }
}
