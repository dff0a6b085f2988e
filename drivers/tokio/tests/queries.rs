//! Queries of nodes that belong to no cluster yet, and hellos of older versions.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::wire::{RawPeer, framed};
use crate::common::{listener, options, start_register};
use quorate_tokio::QueryHandler;
use quorate_tokio::frame::Kind;

/// A hello of version 2 as it was before it had capabilities: node 2 of cluster 7 to node 1,
/// incarnation 1.
const HELLO: [u8; 44] =
    *b"QUORATE\n\x02\0\0\0\x07\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";

#[test]
fn query_is_answered_by_the_application_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let mut options = options(1, ours, &[addr, addr], dir.path());
    options.query_handler = Some(QueryHandler::new(|query| [query, b"?"].concat()));
    let _node = start_register(options).unwrap();
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Query, b"who"));
    assert_eq!(peer.next(), Some((Kind::QueryResponse, b"who?".to_vec())));
    assert_eq!(peer.next(), None, "closed after it");
    // a response is no query
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::QueryResponse, b"me"));
    assert!(matches!(peer.next(), Some((Kind::Refusal, _))));
}

#[test]
fn query_without_a_handler_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let _node = start_register(options(1, ours, &[addr, addr], dir.path())).unwrap();
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Query, b"who"));
    assert!(matches!(peer.next(), Some((Kind::Refusal, _))));
}

#[test]
fn hello_without_capabilities_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let _node = start_register(options(1, ours, &[addr, addr], dir.path())).unwrap();
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Hello, &HELLO));
    let Some((Kind::Hello, answer)) = peer.next() else { panic!("it is refused") };
    // magic, version, cluster, and who speaks to whom: in the places of before
    assert_eq!(answer[..20], HELLO[..20]);
    assert_eq!((answer[20], answer[28]), (1, 2));
}
