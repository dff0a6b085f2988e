//! A cluster with simulated time: every message has the same latency, and nodes are ticked at their deadlines.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Instant, Machine};

use super::{Cluster, Envelope};

/// Messages sent, by (from, to).
pub type Counts = BTreeMap<(u64, u64), usize>;

impl Cluster {
    /// Runs for `us`, with a latency of `hop_us` for each message. A message for which `takes` returns true is
    /// not delivered.
    pub fn run_timed(
        &mut self,
        us: u64,
        hop_us: u64,
        mut takes: impl FnMut(&mut Self, &Envelope) -> bool,
    ) -> Counts {
        let end = self.now.after(us);
        let mut in_flight: VecDeque<(Instant, Envelope)> = VecDeque::new();
        let mut counts = Counts::new();
        for _ in 0..2_000_000 {
            for envelope in self.net.drain(..) {
                *counts.entry((envelope.from, envelope.to)).or_default() += 1;
                in_flight.push_back((self.now.after(hop_us), envelope));
            }
            let up = self.hosts.iter().filter(|host| host.up);
            let wake = up.filter_map(|host| host.raft.deadline()).min().unwrap_or(Instant::MAX);
            let arrival = in_flight.front().map_or(Instant::MAX, |(at, _)| *at);
            let next = wake.min(arrival).max(self.now);
            if next > end {
                self.now = end;
                return counts;
            }
            self.now = next;
            if arrival <= next {
                let (_, envelope) = in_flight.pop_front().unwrap();
                if !takes(self, &envelope) {
                    self.deliver(&envelope);
                }
                continue;
            }
            for node in 1..=self.hosts.len() as u64 {
                let now = self.now;
                if self.host(node).up && self.raft(node).deadline().is_some_and(|at| at <= now) {
                    self.raft(node).tick(now);
                    self.drain(node);
                }
            }
        }
        panic!("the messages never end: {counts:?}");
    }
}
