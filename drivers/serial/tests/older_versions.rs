//! Frames of version 1 are read for as long as there is a version 1; others are dropped and counted.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_serial::{Decoder, Encoder, Endpoint, FrameError, VERSION};

/// A message of the bytes `a`, 0, `b`, and `hi` of the application, from node 1 to node 2 of cluster 300.
const MESSAGE: &[u8] = &[0, 7, 1, 0xac, 2, 2, 1, 0x61, 6, 0x62, 0x63, 0xa5, 0x9a, 0x93, 0];
const APPLICATION: &[u8] = &[0, 12, 0x81, 0xac, 2, 2, 1, 0x68, 0x69, 0xd5, 6, 0xa4, 3, 0];

fn read(bytes: &[u8]) -> Vec<Result<(bool, Vec<u8>), FrameError>> {
    let mut decoder = Decoder::<32>::new(Endpoint { cluster: 300, node: NodeId::new(2) });
    let mut read = Vec::new();
    for &byte in bytes {
        if let Some(frame) = decoder.push(byte) {
            read.push(frame.map(|frame| (frame.application, frame.payload.to_vec())));
        }
    }
    read
}

#[test]
fn version_1_frames_are_read() {
    assert_eq!(read(MESSAGE), [Ok((false, b"a\0b".to_vec()))]);
    assert_eq!(read(APPLICATION), [Ok((true, b"hi".to_vec()))]);
}

/// They are what is sent, too, for as long as that is the version.
#[test]
fn version_1_frame_bytes_are_stable() {
    assert_eq!(VERSION, 1);
    let mut encoder = Encoder::<32>::new(Endpoint { cluster: 300, node: NodeId::new(1) });
    let message: Vec<u8> =
        encoder.encode(NodeId::new(2), |out| out.raw(b"a\0b")).unwrap().collect();
    assert_eq!(message, MESSAGE);
}
