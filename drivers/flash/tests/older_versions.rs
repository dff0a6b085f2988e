//! A flash that was written by version 1 is read, and written anew in today's form with the next checkpoint.
#![allow(clippy::unwrap_used)]

use quorate_core::NodeId;
use quorate_flash::{Error, FlashLog, Identity, RamFlash};

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

/// The same in version 2: its checksums cover the place and the generation as well.
const HALF_2: &str = concat!(
    "000000001c000000f846a5c9",
    "51464c32",
    "010000000000000007000000000000000100000000000000",
    "0000000006000000e70d8709766f74652033ffff",
    "000000000500000000587570656e747279ffffff",
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn read(half: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut ram = RamFlash::<8192>::default();
    ram.bytes()[..half.len()].copy_from_slice(half);
    read_ram(&mut ram)
}

fn read_ram(ram: &mut RamFlash<8192>) -> Result<Vec<Vec<u8>>, Error> {
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let mut records = Vec::new();
    let opened = FlashLog::<_, 256>::open(ram, identity, |record| {
        records.push(record.to_vec());
        Ok(())
    });
    opened.map(|_| records)
}

#[test]
fn version_1_half_is_read() {
    assert_eq!(read(&unhex(HALF)), Ok(vec![b"vote 3".to_vec(), b"entry".to_vec()]));
}

/// It is not taken for a flash that holds nothing: the node would forget its vote.
#[test]
fn unknown_version_is_refused() {
    let mut half = unhex(HALF);
    half[8..16].copy_from_slice(b"\x0e\x4d\x1f\x2bQFL2"); // its checksum, and the version
    assert_eq!(read(&half), Err(Error::Corrupt { offset: 0 }));
}

/// It takes nothing more until a checkpoint has written it in today's form; a power cut before that leaves the old one.
#[test]
fn version_1_half_is_appendable_after_a_checkpoint() {
    let mut ram = RamFlash::<8192>::default();
    let half = unhex(HALF);
    ram.bytes()[..half.len()].copy_from_slice(&half);
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let mut log = FlashLog::<_, 256>::open(&mut ram, identity, |_| Ok(())).unwrap();
    assert!(log.is_torn());
    assert_eq!(log.append(|out| out.raw(b"more")), Err(Error::Full));
    let mut checkpoint = log.checkpoint().unwrap();
    for record in [&b"vote 3"[..], b"entry", b"more"] {
        checkpoint.push(|out| out.raw(record)).unwrap();
    }
    assert_eq!(read_ram(&mut ram), Ok(vec![b"vote 3".to_vec(), b"entry".to_vec()]));

    let mut log = FlashLog::<_, 256>::open(&mut ram, identity, |_| Ok(())).unwrap();
    let mut checkpoint = log.checkpoint().unwrap();
    for record in [&b"vote 3"[..], b"entry", b"more"] {
        checkpoint.push(|out| out.raw(record)).unwrap();
    }
    checkpoint.commit().unwrap();
    assert!(!log.is_torn());
    log.append(|out| out.raw(b"and more")).unwrap();
    let records = read_ram(&mut ram).unwrap();
    assert_eq!(records[2..], [b"more".to_vec(), b"and more".to_vec()]);
    assert_eq!(&ram.bytes()[4096 + 12..4096 + 16], b"QFL2");
}

/// The same records in today's form, which has to stay readable.
#[test]
fn version_2_half_is_read() {
    let mut ram = RamFlash::<8192>::default();
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let mut log = FlashLog::<_, 256>::open(&mut ram, identity, |_| Ok(())).unwrap();
    log.append(|out| out.raw(b"vote 3")).unwrap();
    log.append(|out| out.raw(b"entry")).unwrap();
    let half = unhex(HALF_2);
    assert_eq!(ram.bytes()[..half.len()], half);
    assert_eq!(read(&half), Ok(vec![b"vote 3".to_vec(), b"entry".to_vec()]));
}
