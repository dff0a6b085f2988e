//! Files and frames of version 1 are read for as long as there is a version 1; others are told by their number.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use quorate_core::NodeId;
use quorate_tokio::frame::{Capabilities, Hello, HelloError, Kind, Parsed, parse};
use quorate_tokio::wal::{Batch, Identity, SystemDisk, Wal};
use quorate_tokio::{Error, WalOptions};

/// The file header; a batch of `one` and `two`; a batch of `three`.
const WAL: &str = concat!(
    "51524d57414c0d0a01000000c1b00c26e5b8e4b147a3ea180700000000000000",
    "010000000000000000000000000000003800000000000000",
    "a3a7b915030000000000000000000000000000006f6e65",
    "20777862030000000100000000000000010000007477",
    "6f",
    "603c59ed050000000200000000000000000000007468726565",
);

/// `one` and `two`; `three`; a seal.
const SEALED: &str = concat!(
    "51524d57414c0d0a0100000036668549833768402a16ec1807000000000000000100000000000000",
    "0000000000000000380000000000000064cb55b2030000000000000000000000000000006f6e65e7",
    "1b94c50300000001000000000000000100000074776f863265bf0500000002000000000000000000",
    "00007468726565e74a306d00000000030000000000000000000080",
);

/// After a checkpoint: `base`; `five`, which was appended meanwhile; `six` and `seven`; a seal, and with it `eight`; a seal.
const CHECKPOINTED: &str = concat!(
    "51524d57414c0d0a01000000f96abbda88827f402a16ec1807000000000000000100000000000000",
    "01000000000000006800000000000000c3d1d9190400000000000000000000000000000062617365",
    "a02a8ef504000000010000000000000000000000666976659c74d3c4030000000200000000000000",
    "0000000073697859b590a105000000030000000000000001000000736576656e5d25412d00000000",
    "040000000000000000000080f46266980500000005000000000000000100000065696768743d8da2",
    "4f00000000060000000000000000000080",
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn open(dir: &Path, records: &mut Vec<Vec<u8>>) -> Result<Wal<SystemDisk>, Error> {
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let keep = |record: &[u8], _| {
        records.push(record.to_vec());
        Ok(())
    };
    Wal::open(Arc::new(SystemDisk), dir, identity, WalOptions::default(), keep)
}

fn read(dir: &Path, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    std::fs::write(dir.join("wal"), bytes).unwrap();
    let mut records = Vec::new();
    open(dir, &mut records)?;
    Ok(records)
}

#[test]
fn version_1_log_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let records = read(dir.path(), &unhex(WAL)).unwrap();
    assert_eq!(records, [&b"one"[..], b"two", b"three"]);
}

#[test]
fn version_1_logs_with_seals_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let records = read(dir.path(), &unhex(SEALED)).unwrap();
    assert_eq!(records, [&b"one"[..], b"two", b"three"]);
    let records = read(dir.path(), &unhex(CHECKPOINTED)).unwrap();
    assert_eq!(records, [&b"base"[..], b"five", b"six", b"seven", b"eight"]);
}

/// It goes on as version 1, also with what a crash left, until a checkpoint makes it one of today's.
#[test]
fn version_1_log_is_appended_to_and_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wal");
    let torn = [&unhex(CHECKPOINTED)[..], &[0x5a; 30]].concat();
    std::fs::write(&path, torn).unwrap();
    let mut records = Vec::new();
    let mut wal = open(dir.path(), &mut records).unwrap();
    assert_eq!(records.len(), 5);
    assert!(wal.is_outdated());
    let push = |wal: &mut Wal<SystemDisk>, record: &[u8]| {
        let mut batch = Batch::default();
        batch.push_bytes(record);
        wal.append(&mut batch).unwrap();
    };
    push(&mut wal, b"nine");
    wal.seal().unwrap();
    push(&mut wal, b"ten");
    wal.seal().unwrap();
    drop(wal);
    let mut records = Vec::new();
    let mut wal = open(dir.path(), &mut records).unwrap();
    assert_eq!(records[5..], [&b"nine"[..], b"ten"]);
    assert!(wal.is_outdated());

    let mut live = Batch::default();
    records.iter().for_each(|record| live.push_bytes(record));
    let written = wal.begin_checkpoint(live).write();
    drop(wal.finish_checkpoint(written).unwrap());
    assert!(!wal.is_outdated());
    push(&mut wal, b"eleven");
    wal.seal().unwrap();
    let end = wal.size();
    drop(wal);
    let mut again = Vec::new();
    open(dir.path(), &mut again).unwrap();
    assert_eq!((again.len(), &again[7][..]), (8, &b"eleven"[..]));
    // and now a lost tail is noticed
    let bytes = std::fs::read(&path).unwrap();
    let error = read(dir.path(), &bytes[..end as usize - 26]).unwrap_err();
    assert!(matches!(error, Error::Corrupt { durable: Some(durable), .. } if durable == end));
}

/// What version 1 can notice, it notices; and nothing is deleted where no record can be read.
#[test]
fn damaged_version_1_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (first, checkpointed) = (unhex(SEALED), unhex(CHECKPOINTED));
    let mut damaged = vec![checkpointed[..90].to_vec()]; // before what the header says
    for at in 56..checkpointed.len() - 20 {
        // anything before the last seal
        damaged.push(checkpointed.clone());
        damaged.last_mut().unwrap()[at] ^= 0x10;
    }
    // the beginning of another log of the same node
    let mut other = checkpointed.clone();
    other[..56].copy_from_slice(&first[..56]);
    damaged.push(other);
    let mut other = first.clone();
    other[16] ^= 1;
    let crc = crc32c(&other[16..56]).to_le_bytes();
    other[12..16].copy_from_slice(&crc);
    damaged.push(other);
    for bytes in damaged {
        let error = read(dir.path(), &bytes).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert_eq!(std::fs::read(dir.path().join("wal")).unwrap(), bytes);
    }
}

/// Bit by bit, so that no table is needed.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    let byte = |crc, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, byte)
}

#[test]
fn unknown_version_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = unhex(WAL);
    bytes[8] = 3;
    let error = read(dir.path(), &bytes).unwrap_err().to_string();
    assert!(error.contains("another version"), "{error}");
    assert_eq!(std::fs::read(dir.path().join("wal")).unwrap(), bytes);
}

#[test]
fn version_1_frame_is_read() {
    let frame = unhex("0300000028e3a848026869");
    let read = Parsed::Frame { kind: Kind::Message, payload: b"hi", len: 11 };
    assert_eq!(parse(&frame, 1 << 20), Ok(read));
}

/// A hello keeps its beginning, so that a node can be told which version the other one speaks.
#[test]
fn hello_carries_the_version() {
    let ours = unhex(concat!(
        "51554f524154450a02000000",
        "0700000000000000010000000000000002000000000000000900000000000000",
        "683a31"
    ));
    let hello = Hello::from_bytes(&ours).unwrap();
    assert_eq!((hello.cluster, hello.sender.get(), hello.receiver.get()), (7, 1, 2));
    assert_eq!((hello.incarnation, hello.address.as_str()), (9, "h:1"));
    assert_eq!(hello.to_bytes(), ours);
    // what it takes stands behind the address, where a node that knows nothing of it does not look in an answer
    let able = [&ours[..], b"\0A"].concat();
    let hello = Hello::from_bytes(&able).unwrap();
    assert_eq!(
        (hello.address.as_str(), hello.capabilities.contains(Capabilities::KEEPALIVE)),
        ("h:1", true)
    );
    assert_eq!(hello.to_bytes(), able);
    let later = Hello::from_bytes(&[&ours[..], b"\0\x7fwhatever comes"].concat()).unwrap();
    assert_eq!(
        (later.address.as_str(), later.capabilities.contains(Capabilities::KEEPALIVE)),
        ("h:1", true)
    );
    // version 1 said no address; later ones may say anything
    let version_1 = [&ours[..8], &[1, 0, 0, 0], &ours[12..44]].concat();
    assert_eq!(Hello::from_bytes(&version_1), Err(HelloError::Version(1)));
    assert_eq!(
        Hello::from_bytes(&[&ours[..8], &[3, 0, 0, 0, 0xff]].concat()),
        Err(HelloError::Version(3))
    );
}
