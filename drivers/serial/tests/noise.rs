#![allow(clippy::unwrap_used, clippy::panic)]
//! Whatever a line does to the bytes: what arrives was sent, and a frame after the noise is found.

use proptest::prelude::*;
use quorate_core::NodeId;
use quorate_serial::{Decoder, Encoder, Endpoint, FrameError};

const HERE: Endpoint = Endpoint { cluster: 7, node: NodeId::new(1) };
const THERE: Endpoint = Endpoint { cluster: 7, node: NodeId::new(2) };

fn frame(line: Endpoint, to: u64, payload: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::<600>::new(line);
    encoder.encode(NodeId::new(to), |out| out.raw(payload)).unwrap().collect()
}

fn received(
    decoder: &mut Decoder<600>,
    bytes: &[u8],
) -> Vec<Result<(NodeId, Vec<u8>), FrameError>> {
    let mut received = Vec::new();
    for &byte in bytes {
        if let Some(result) = decoder.push(byte) {
            received.push(result.map(|frame| (frame.from, frame.payload.to_vec())));
        }
    }
    received
}

proptest! {
    #[test]
    fn frame_after_noise_is_found(noise in prop::collection::vec(any::<u8>(), 0..900), payload in prop::collection::vec(any::<u8>(), 0..520)) {
        let mut decoder = Decoder::<600>::new(THERE);
        received(&mut decoder, &noise);
        let last = received(&mut decoder, &frame(HERE, 2, &payload)).pop();
        prop_assert_eq!(last, Some(Ok((HERE.node, payload))));
    }

    #[test]
    fn damage_is_detected(payload in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), with in 1_u8..=255, cut in any::<bool>()) {
        let mut bytes = frame(HERE, 2, &payload);
        let at = at.index(bytes.len());
        if cut { bytes.remove(at); } else { bytes[at] ^= with; }
        let mut decoder = Decoder::<600>::new(THERE);
        bytes.push(0);
        for what in received(&mut decoder, &bytes).into_iter().flatten() {
            // without its first zero, or with that changed into the noise before it, the frame itself may still be whole
                            prop_assert!(at == 0 || at + 1 == frame(HERE, 2, &payload).len());
                prop_assert_eq!(what, (HERE.node, payload.clone()));
        }
    }
}

#[test]
fn frames_for_other_nodes_are_counted_apart() {
    let mut decoder = Decoder::<600>::new(THERE);
    let other = Endpoint { cluster: 8, ..HERE };
    assert_eq!(received(&mut decoder, &frame(other, 2, b"x")), [Err(FrameError::Cluster)]);
    assert_eq!(received(&mut decoder, &frame(HERE, 3, b"x")), [Err(FrameError::Address)]);
    assert_eq!(received(&mut decoder, &[9; 2000]), []);
    assert_eq!(received(&mut decoder, &[0]), [Err(FrameError::TooLong)]);
    assert_eq!(received(&mut decoder, &frame(HERE, 2, b"x")).len(), 1);
    let counters = decoder.counters();
    assert_eq!((counters.frames, counters.cluster, counters.address), (1, 1, 1));
    assert_eq!((counters.too_long, counters.errors()), (1, 2));
}

/// The bytes, for who writes the other end in another language.
#[test]
fn frame_bytes_are_stable() {
    assert_eq!(frame(HERE, 2, &[0, 1, 2]), [0, 5, 1, 7, 2, 1, 7, 1, 2, 104, 39, 138, 10, 0]);
}
