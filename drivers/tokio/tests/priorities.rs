//! Urgent messages have a connection of their own to a node that accepts two: megabytes of unread
//! bulk do not delay them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::common::register::{Request, State};
use crate::common::wire::{RawPeer, framed, hello, state};
use crate::common::{RegisterNode, listener, options, run, start_register, until, value};
use quorate_core::{NodeId, Wire};
use quorate_tokio::frame::{Capabilities, Hello, Kind};
use tokio::sync::oneshot;

/// Node 1, and the listener of what it takes for node 2.
fn node() -> (RegisterNode, std::net::SocketAddr, TcpListener, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let (theirs, their_addr) = listener();
    let options = options(1, ours, &[addr, their_addr], dir.path());
    (start_register(options).unwrap(), addr, theirs, dir)
}

/// Takes a connection, and answers its hello.
fn accept(listener: &TcpListener, capabilities: Capabilities) -> (RawPeer, Hello) {
    let mut raw = RawPeer::from_stream(listener.accept().unwrap().0);
    let (kind, payload) = raw.next().unwrap();
    assert_eq!(kind, Kind::Hello);
    raw.send(&framed(Kind::Hello, &Hello { capabilities, ..hello(2, 1) }.to_bytes()));
    (raw, Hello::from_bytes(&payload).unwrap())
}

async fn send(node: &RegisterNode, bytes: Vec<u8>) -> bool {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Send(NodeId::new(2), bytes, answer)).await.unwrap();
    answered.await.unwrap()
}

#[test]
fn unread_bulk_does_not_delay_urgent_messages() {
    let (node, addr, theirs, _dir) = node();
    run(async {
        let both = Capabilities::KEEPALIVE.union(Capabilities::TWO_CONNECTIONS);
        let (mut urgent, first) = accept(&theirs, both);
        let (_bulk, second) = accept(&theirs, both);
        assert!(!first.capabilities.contains(Capabilities::BULK_CONNECTION));
        assert!(second.capabilities.contains(Capabilities::BULK_CONNECTION));
        until("it is connected", async || node.metrics().snapshot().peers[0].1.connected).await;
        // until the queue is full
        while send(&node, vec![7; 1 << 20]).await {}
        // what the machine says now arrives all the same
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&state(9, 9));
        until("the message is taken", async || value(&node).await == 9).await;
        let (mut idle, mut told) = (0, 0);
        while told < 9 {
            match urgent.next().unwrap() {
                (Kind::Message, payload) => told = State::from_slice(&payload).unwrap().value,
                (kind, _) => {
                    assert_eq!(kind, Kind::KeepAlive, "what is not urgent goes the other way");
                    idle += 1;
                }
            }
        }
        assert!(idle > 0, "the connection is heard from its beginning");
        node.stop().await.unwrap();
    });
}

#[test]
fn peer_with_one_connection_gets_everything_in_order() {
    let (node, _, theirs, _dir) = node();
    run(async {
        let (mut only, first) = accept(&theirs, Capabilities::default());
        assert_eq!(
            first.capabilities,
            Capabilities::default(),
            "it would take them for an address"
        );
        until("it is connected", async || node.metrics().snapshot().peers[0].1.connected).await;
        for n in 0..20 {
            assert!(send(&node, vec![n; 1000]).await);
        }
        for n in 0..20 {
            loop {
                let (kind, payload) = only.next().unwrap();
                assert_ne!(kind, Kind::KeepAlive, "it knows nothing of this kind");
                if kind == Kind::Application {
                    assert_eq!(payload, vec![n; 1000]);
                    break;
                }
            }
        }
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        node.stop().await.unwrap();
    });
}

#[test]
fn messages_on_both_connections_are_received() {
    let (node, addr, _theirs, _dir) = node();
    run(async {
        let mut urgent = RawPeer::handshake(addr, &hello(2, 1));
        let mut bulk = RawPeer::handshake(
            addr,
            &Hello { capabilities: Capabilities::BULK_CONNECTION, ..hello(2, 1) },
        );
        for next in 1..20 {
            let connection = if next % 2 == 0 { &mut urgent } else { &mut bulk };
            connection.send(&state(next, 0));
            until("it is taken", async || value(&node).await == next).await;
        }
        // more than one turn of the loop takes, and more than its inbox holds
        for _ in 0..20 {
            bulk.send(&framed(Kind::Application, &vec![1; 1 << 20]));
        }
        urgent.send(&state(100, 0));
        bulk.send(&state(101, 0));
        until("all is taken", async || value(&node).await == 101).await;
        let (answer, received) = oneshot::channel();
        node.handle().send(Request::Received(answer)).await.unwrap();
        assert_eq!(received.await.unwrap().len(), 20);
        node.stop().await.unwrap();
    });
}
