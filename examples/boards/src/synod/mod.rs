//! Boards that choose one value (`quorate-paxos`'s Synod): whoever proposes what, and whoever loses power, all that ever say what was chosen say the same.

mod group;
mod scenarios;

pub use group::Group;

use quorate_core::{NodeId, Rng, Wire as _};
use quorate_paxos::Ballot;
use quorate_paxos::synod::{Message, Vote};
use quorate_serial::{Encoder, Endpoint};

use crate::Program;

/// The program.
pub const PROGRAM: Program = Program {
    name: "synod",
    about: "three boards choose one value for ever, however many they propose",
    foreign_frame,
    columns: &[
        "founded",
        "phase",
        "promised",
        "voted",
        "chosen",
        "badframes",
        "rejected",
        "wakeups",
    ],
    scenarios: scenarios::ALL,
};

/// The cluster's id, as in the image.
const CLUSTER: u64 = 0x5e0d;
/// A node that is in no cluster of ours.
const UNKNOWN: u64 = 66;
/// Foreign frames have rounds from here on.
const FAR: u64 = 1 << 20;
/// What they say was chosen, or vote for.
const FORGED: &[u8] = b"forged";

/// A frame that is well-formed and that every node must reject: from an unknown node, or of another
/// cluster. It says that another value was chosen or voted for, or prepares a late ballot.
#[must_use]
pub fn foreign_frame(rng: &mut Rng, to: u64) -> Vec<u8> {
    let (cluster, from) =
        if rng.chance(1, 2) { (CLUSTER, UNKNOWN) } else { (CLUSTER + 1, to % 3 + 1) };
    let ballot = Ballot::new(rng.range(FAR, FAR << 10), NodeId::new(from));
    let vote = Vote { ballot, value: FORGED };
    let message = match rng.below(4) {
        0 => Message::Prepare { ballot },
        1 => Message::Accept { vote },
        2 => Message::Accepted { vote },
        _ => Message::Decided { value: FORGED },
    };
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
