//! A flash that was written by version 1 is read for as long as there is a version 1.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_flash::{Error, FlashLog, Identity, Ram};

/// The front of a half: the header, `vote 3` and `entry`, each with its mark, length and checksum.
const HALF: &str = concat!(
    "000000001c000000a9114259",
    "51464c31",
    "010000000000000007000000000000000100000000000000",
    "0000000006000000dbebde9f",
    "766f74652033ffff",
    "000000000500000030815072",
    "656e747279",
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn read(half: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut ram = Ram::<8192>::default();
    ram.bytes()[..half.len()].copy_from_slice(half);
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let mut records = Vec::new();
    let opened = FlashLog::<_, 256>::open(&mut ram, identity, |record| {
        records.push(record.to_vec());
        Ok(())
    });
    opened.map(|_| records)
}

#[test]
fn a_half_of_version_1_is_read() {
    assert_eq!(read(&unhex(HALF)), Ok(vec![b"vote 3".to_vec(), b"entry".to_vec()]));
}

/// It is not taken for a flash that holds nothing: the node would forget its vote.
#[test]
fn a_half_of_another_version_is_refused() {
    let mut half = unhex(HALF);
    half[8..16].copy_from_slice(b"\x0e\x4d\x1f\x2bQFL2"); // its checksum, and the version
    assert_eq!(read(&half), Err(Error::Corrupt { offset: 0 }));
}
