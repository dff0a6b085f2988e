//! What a node says to those that belong to no cluster yet, and to those of an older version.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::wire::{RawPeer, framed};
use common::{listener, options, start_register};
use quorate_tokio::Answerer;
use quorate_tokio::frame::Kind;

/// A hello of version 2 as it was before it could say anything of abilities: node 2 of cluster 7 to node 1, incarnation 1.
const HELLO: [u8; 44] =
    *b"QUORATE\n\x02\0\0\0\x07\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";

#[test]
fn a_question_is_answered_by_the_application_and_the_connection_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let mut options = options(1, ours, &[addr, addr], dir.path());
    options.answerer = Some(Answerer::new(|question| [question, b"?"].concat()));
    let _node = start_register(options).unwrap();
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Question, b"who"));
    assert_eq!(peer.next(), Some((Kind::Answer, b"who?".to_vec())));
    assert_eq!(peer.next(), None, "closed after it");
    // an answer is no question
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Answer, b"me"));
    assert!(matches!(peer.next(), Some((Kind::Refusal, _))));
}

#[test]
fn who_answers_no_questions_refuses_them() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let _node = start_register(options(1, ours, &[addr, addr], dir.path())).unwrap();
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Question, b"who"));
    assert!(matches!(peer.next(), Some((Kind::Refusal, _))));
}

#[test]
fn a_hello_of_a_node_that_knows_no_questions_is_answered() {
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
