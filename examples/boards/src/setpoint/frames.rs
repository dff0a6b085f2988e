use quorate_core::{NodeId, Rng, Wire as _};
use quorate_raft::Message;
use quorate_serial::{Decoder, Encoder, Endpoint};
use quorate_setpoint::{CLUSTER, Command, MAX_PAYLOAD};

use crate::Failure;

/// Room for a frame.
const ROOM: usize = MAX_PAYLOAD + quorate_serial::OVERHEAD;
/// A node that is in no cluster of ours.
const UNKNOWN: u64 = 66;

/// A frame that is well-formed and that every node must reject: from an unknown node, or of another
/// cluster. It carries what would do most harm: a later term.
#[must_use]
pub fn foreign_frame(rng: &mut Rng, to: u64) -> Vec<u8> {
    // a board that believes it takes the term; one further ahead it would refuse as implausible
    let term = rng.range(1_000, 1 << 31);
    let message = match rng.below(3) {
        0 => Message::RequestVote { pre: false, term, last_index: term, last_term: term },
        1 => Message::Append {
            term,
            prev_index: 0,
            prev_term: 0,
            commit: term,
            round: 1,
            entries: &[],
        },
        _ => Message::Vote { pre: false, term, granted: true },
    };
    // a member's number in another cluster, or an unknown node's in ours
    let (cluster, from) =
        if rng.chance(1, 2) { (CLUSTER, UNKNOWN) } else { (CLUSTER + 1, to % 3 + 1) };
    encode(&message, cluster, from, to).unwrap_or_default()
}

/// Decodes a frame that was captured on a wire: its sender and its message. Encoding that again
/// must give the same bytes.
///
/// # Errors
///
/// [`Failure::Unexpected`] when it is no frame for `to`, holds no message, or is not what we would
/// have sent.
pub fn decode(frame: &[u8], to: u64) -> Result<(u64, String), Failure> {
    let mut decoder = Decoder::<ROOM>::new(Endpoint { cluster: CLUSTER, node: NodeId::new(to) });
    for &byte in frame {
        let _ = decoder.push(byte);
    }
    let wrong = |what: &str| Failure::Unexpected(format!("a frame to {to}, {frame:02x?}, {what}"));
    let heard = match decoder.push(0) {
        Some(Ok(heard)) => heard,
        Some(Err(reason)) => return Err(wrong(&reason.to_string())),
        None => return Err(wrong("is empty")),
    };
    let from = heard.from.get();
    if heard.application {
        let command =
            Command::from_slice(heard.payload).map_err(|error| wrong(&error.to_string()))?;
        let line = Endpoint { cluster: CLUSTER, node: heard.from };
        let mut encoder = Encoder::<ROOM>::new(line);
        let again = encoder.encode_application(NodeId::new(to), |out| command.encode(out));
        let again: Vec<u8> = again.map_err(|_| wrong("is too large to be made here"))?.collect();
        return match again.get(1..again.len().saturating_sub(1)) == Some(frame) {
            true => Ok((from, "Ask".to_owned())),
            false => Err(wrong("is not what the same command gives here")),
        };
    }
    let message = Message::from_slice(heard.payload).map_err(|error| wrong(&error.to_string()))?;
    let again = encode(&message, CLUSTER, from, to)?;
    if again.get(1..again.len().saturating_sub(1)) != Some(frame) {
        return Err(wrong("is not what the same message gives here"));
    }
    let text = format!("{message:?}");
    let name = text.split([' ', '{']).next().unwrap_or_default().to_owned();
    Ok((from, name))
}

fn encode(message: &Message<'_>, cluster: u64, from: u64, to: u64) -> Result<Vec<u8>, Failure> {
    let mut encoder = Encoder::<ROOM>::new(Endpoint { cluster, node: NodeId::new(from) });
    let frame = encoder.encode(NodeId::new(to), |out| message.encode(out));
    let frame = frame.map_err(|_| Failure::unexpected("a message is too large for a frame"))?;
    Ok(frame.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn captured_frames_decode_and_damaged_ones_do_not() {
        let message = Message::AppendAccepted { term: 3, round: 4, match_index: 5 };
        let whole = encode(&message, CLUSTER, 1, 3).unwrap();
        let frame = &whole[1..whole.len() - 1];
        assert_eq!(decode(frame, 3).unwrap(), (1, "AppendAccepted".to_owned()));
        assert!(decode(frame, 2).is_err(), "for another node");
        let mut bad = frame.to_vec();
        bad[4] ^= 1;
        assert!(decode(&bad, 3).is_err());
        assert!(decode(&frame[..frame.len() - 1], 3).is_err());
    }

    #[test]
    fn foreign_frames_are_well_formed() {
        let mut rng = Rng::new(1);
        let (mut ours, mut others) = (0, 0);
        for _ in 0..40 {
            let whole = foreign_frame(&mut rng, 2);
            match decode(&whole[1..whole.len() - 1], 2) {
                Ok((from, _)) => {
                    assert_eq!(from, UNKNOWN);
                    ours += 1;
                }
                Err(failure) => {
                    assert!(failure.to_string().contains("another cluster"), "{failure}");
                    others += 1;
                }
            }
        }
        assert!(ours > 5 && others > 5);
    }
}
