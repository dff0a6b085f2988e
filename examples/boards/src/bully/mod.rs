//! Boards that elect by bullying (`quorate-election`): the highest one alive leads, in an epoch that no leader had before.

mod group;
mod scenarios;

pub use group::Group;

use quorate_core::{NodeId, Rng, Wire as _};
use quorate_election::Epoch;
use quorate_election::bully::Message;
use quorate_serial::{Encoder, Endpoint};

use crate::Program;

/// The program.
pub const PROGRAM: Program = Program {
    name: "bully",
    about: "the highest board alive leads, and a phi accrual detector misses it when it falls silent",
    foreign_frame,
    columns: &[
        "role",
        "leader",
        "epoch",
        "leaders",
        "suspected",
        "phi_milli",
        "badframes",
        "rejected",
        "wakeups",
    ],
    scenarios: scenarios::ALL,
};

/// The cluster's id, as in the image.
const CLUSTER: u64 = 0xb011;
/// A node that is in no cluster of ours.
const UNKNOWN: u64 = 66;
/// Foreign frames have epochs from here on.
const FAR: u64 = 1 << 20;

/// A frame that is well-formed and that every node must reject: from an unknown node, or of another
/// cluster. It claims the leadership or starts an election, in a late epoch.
#[must_use]
pub fn foreign_frame(rng: &mut Rng, to: u64) -> Vec<u8> {
    let epoch = Epoch::from_token(rng.range(FAR, FAR << 10));
    let message = match rng.below(3) {
        0 => Message::Coordinator { epoch },
        1 => Message::Election { epoch },
        _ => Message::Alive { epoch, round: 1 },
    };
    let (cluster, from) =
        if rng.chance(1, 2) { (CLUSTER, UNKNOWN) } else { (CLUSTER + 1, to % 3 + 1) };
    let mut encoder = Encoder::<128>::new(Endpoint { cluster, node: NodeId::new(from) });
    let frame = encoder.encode(NodeId::new(to), |out| message.encode(out));
    frame.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_serial::{Decoder, FrameError};

    #[test]
    fn foreign_frames_are_well_formed() {
        let mut rng = Rng::new(1);
        let (mut unknown, mut foreign) = (0, 0);
        for _ in 0..40 {
            let line = Endpoint { cluster: CLUSTER, node: NodeId::new(2) };
            let mut decoder = Decoder::<128>::new(line);
            for byte in foreign_frame(&mut rng, 2) {
                match decoder.push(byte) {
                    Some(Ok(frame)) => {
                        assert_eq!(frame.from.get(), UNKNOWN);
                        assert!(Message::from_slice(frame.payload).is_ok());
                        unknown += 1;
                    }
                    Some(Err(reason)) => {
                        assert_eq!(reason, FrameError::Cluster);
                        foreign += 1;
                    }
                    None => {}
                }
            }
        }
        assert_eq!(unknown + foreign, 40);
        assert!(unknown > 5 && foreign > 5);
    }
}
