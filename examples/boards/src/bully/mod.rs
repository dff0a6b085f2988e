//! Boards that elect a leader by bullying: what must hold of them, and what is tried.

mod group;
mod scenarios;

pub use group::Group;

use quorate_core::{NodeId, Rng, Wire as _};
use quorate_election::Epoch;
use quorate_election::bully::Message;
use quorate_serial::{Encoder, Line};

use crate::Program;

/// The cluster's id, as the image has it.
const CLUSTER: u64 = 0xb011;
/// A node that is in no group of ours.
const UNKNOWN: u64 = 66;

/// The program.
pub const PROGRAM: Program = Program {
    name: "bully",
    about: "boards that elect the highest of them; a phi accrual detector misses the leader",
    stranger,
    columns: &[
        "role",
        "leader",
        "epoch",
        "leaders",
        "suspected",
        "phi_milli",
        "rejected",
        "badframes",
        "wakeups",
    ],
    scenarios: scenarios::ALL,
};

/// A frame that is well-formed and that no node may heed: a later epoch, claimed by a node nobody knows or in another group.
fn stranger(rng: &mut Rng, to: u64) -> Vec<u8> {
    let epoch = Epoch::from_token(rng.range(1_000, 1 << 40));
    let (cluster, from) =
        if rng.chance(1, 2) { (CLUSTER, UNKNOWN) } else { (CLUSTER + 1, to % 3 + 1) };
    let mut encoder = Encoder::<128>::new(Line { cluster, node: NodeId::new(from) });
    let message = Message::Coordinator { epoch };
    encoder
        .encode(NodeId::new(to), |out| message.encode(out))
        .map(Iterator::collect)
        .unwrap_or_default()
}
