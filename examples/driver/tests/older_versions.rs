//! Files and frames of version 1 are read for as long as there is a version 1; others are told by their number.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use quorate_core::NodeId;
use quorate_driver::frame::{Abilities, Hello, HelloError, Kind, Parsed, parse};
use quorate_driver::wal::{Identity, SystemDisk, Wal};
use quorate_driver::{Error, WalOptions};

/// The file header; a batch of `one` and `two`; a batch of `three`.
const WAL: &str = concat!(
    "51524d57414c0d0a01000000c1b00c26e5b8e4b147a3ea180700000000000000",
    "010000000000000000000000000000003800000000000000",
    "a3a7b915030000000000000000000000000000006f6e65",
    "20777862030000000100000000000000010000007477",
    "6f",
    "603c59ed050000000200000000000000000000007468726565",
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn read(dir: &Path, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    std::fs::write(dir.join("wal"), bytes).unwrap();
    let identity = Identity { cluster: 7, node: NodeId::new(1) };
    let mut records = Vec::new();
    let keep = |record: &[u8], _| {
        records.push(record.to_vec());
        Ok(())
    };
    Wal::open(Arc::new(SystemDisk), dir, identity, WalOptions::default(), keep)?;
    Ok(records)
}

#[test]
fn a_log_of_version_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let records = read(dir.path(), &unhex(WAL)).unwrap();
    assert_eq!(records, [&b"one"[..], b"two", b"three"]);
}

#[test]
fn a_log_of_another_version_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = unhex(WAL);
    bytes[8] = 2;
    let error = read(dir.path(), &bytes).unwrap_err().to_string();
    assert!(error.contains("another version"), "{error}");
    assert_eq!(std::fs::read(dir.path().join("wal")).unwrap(), bytes);
}

#[test]
fn a_frame_of_version_1_is_read() {
    let frame = unhex("0300000028e3a848026869");
    let read = Parsed::Frame { kind: Kind::Message, payload: b"hi", len: 11 };
    assert_eq!(parse(&frame, 1 << 20), Ok(read));
}

/// A hello keeps its beginning, so that a node can be told which version the other one speaks.
#[test]
fn hellos_tell_their_version() {
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
    assert_eq!((hello.address.as_str(), hello.abilities.has(Abilities::IDLE)), ("h:1", true));
    assert_eq!(hello.to_bytes(), able);
    let later = Hello::from_bytes(&[&ours[..], b"\0\x7fwhatever comes"].concat()).unwrap();
    assert_eq!((later.address.as_str(), later.abilities.has(Abilities::IDLE)), ("h:1", true));
    // version 1 said no address; later ones may say anything
    let version_1 = [&ours[..8], &[1, 0, 0, 0], &ours[12..44]].concat();
    assert_eq!(Hello::from_bytes(&version_1), Err(HelloError::Version(1)));
    assert_eq!(
        Hello::from_bytes(&[&ours[..8], &[3, 0, 0, 0, 0xff]].concat()),
        Err(HelloError::Version(3))
    );
}
