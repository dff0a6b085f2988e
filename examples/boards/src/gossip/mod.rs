//! Boards that take updates whether they hear the others or not, and tell each other when they can: a counter (`tally`) and a set
//! (`roster`), both CRDTs.

mod group;
mod scenarios;

use crate::Program;
use quorate_core::{NodeId, Rng};
use quorate_serial::{Encoder, Endpoint};

/// The counter.
pub const TALLY: Program = Program {
    name: "tally",
    about: "a counter that every board counts up and down, in touch or not",
    foreign_frame: |rng, to| foreign_frame(rng, to, 0xc0de),
    columns: &["value", "changes", "stable", "rejected", "badframes", "wakeups"],
    scenarios: scenarios::TALLY,
};

/// The set.
pub const ROSTER: Program = Program {
    name: "roster",
    about: "a set to which every board adds and from which every board removes, in touch or not",
    foreign_frame: |rng, to| foreign_frame(rng, to, 0xc1de),
    columns: &["elements", "changes", "full", "stable", "rejected", "badframes", "wakeups"],
    scenarios: scenarios::ROSTER,
};

/// A frame that is well-formed and that every board must reject: garbage from an unknown node, or
/// of another group.
fn foreign_frame(rng: &mut Rng, to: u64, cluster: u64) -> Vec<u8> {
    let (cluster, from) = if rng.chance(1, 2) { (cluster, 66) } else { (cluster + 1, to % 3 + 1) };
    let mut encoder = Encoder::<128>::new(Endpoint { cluster, node: NodeId::new(from) });
    let bytes = rng.next_u64().to_le_bytes();
    encoder
        .encode(NodeId::new(to), |out| out.raw(&bytes))
        .map(Iterator::collect)
        .unwrap_or_default()
}
