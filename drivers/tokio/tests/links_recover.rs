//! The sending side: it introduces itself, comes back, and never grows.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::net::TcpListener;

use crate::common::register::Request;
use crate::common::wire::{RawPeer, framed, hello};
use crate::common::{
    RegisterNode, listen_again, listener, options, run, start_register, until, value,
};
use quorate_core::NodeId;
use quorate_tokio::NodeOptions;
use quorate_tokio::frame::{Hello, Kind};
use quorate_tokio::metrics::PeerMetrics;
use tokio::sync::oneshot;

/// Node 1, and the listener of what it takes for node 2.
fn node_with(
    change: impl FnOnce(&mut NodeOptions),
) -> (RegisterNode, TcpListener, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let (theirs, their_addr) = listener();
    let mut options = options(1, ours, &[addr, their_addr], dir.path());
    options.tcp.backoff_max_ms = 50;
    change(&mut options);
    (start_register(options).unwrap(), theirs, dir)
}

fn peer(node: &RegisterNode) -> PeerMetrics {
    node.metrics().snapshot().peers[0].1
}

/// Takes a connection and its hello.
fn accept(listener: &TcpListener) -> RawPeer {
    let mut raw = RawPeer::from_stream(listener.accept().unwrap().0);
    let (kind, payload) = raw.next().unwrap();
    assert_eq!(kind, Kind::Hello);
    let theirs = Hello::from_bytes(&payload).unwrap();
    let expected = hello(1, 2);
    assert_eq!(Hello { incarnation: 1, ..theirs }, expected);
    raw
}

async fn send(node: &RegisterNode, bytes: Vec<u8>) -> bool {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Send(NodeId::new(2), bytes, answer)).await.unwrap();
    answered.await.unwrap()
}

#[test]
fn fallen_links_reconnect() {
    let (node, listener, _dir) = node_with(|_| {});
    run(async {
        for round in 1..=5 {
            let mut raw = accept(&listener);
            raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
            // it says something by itself now and then
            assert_eq!(raw.next().unwrap().0, Kind::Message);
            assert_eq!(peer(&node).link.connects, round);
            drop(raw);
        }
        // and when nobody is there for a while
        let addr = listener.local_addr().unwrap();
        drop(listener);
        until("it notices", async || !peer(&node).connected).await;
        assert!(!send(&node, b"lost".to_vec()).await, "nothing waits for a link that is down");
        let listener = listen_again(addr);
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        until("it is back", async || peer(&node).connected).await;
        assert!(send(&node, b"there".to_vec()).await);
        loop {
            let (kind, payload) = raw.next().unwrap();
            if kind == Kind::Application {
                assert_eq!(payload, b"there");
                break;
            }
        }
        node.stop().await.unwrap();
    });
}

#[test]
fn mismatched_peers_are_sent_nothing() {
    let (node, listener, _dir) = node_with(|_| {});
    run(async {
        let answers = [
            framed(Kind::Refusal, b"you speak protocol 1, this node 2"),
            framed(Kind::Hello, &Hello { version: 1, ..hello(2, 1) }.to_bytes()),
            framed(Kind::Hello, &Hello { cluster: 8, ..hello(2, 1) }.to_bytes()),
            framed(Kind::Hello, &hello(2, 3).to_bytes()),
            framed(Kind::Hello, &hello(3, 1).to_bytes()),
            framed(Kind::Message, b"surprise"),
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        ];
        for answer in answers {
            let mut raw = accept(&listener);
            raw.send(&answer);
            assert_eq!(raw.next(), None);
        }
        let metrics = node.metrics().snapshot();
        let (link, closed) = (metrics.peers[0].1.link, metrics.closed);
        assert_eq!((link.refused, link.connects, link.frames_out), (1, 0, 0));
        assert_eq!(
            (
                closed.wrong_version,
                closed.wrong_cluster,
                closed.wrong_receiver,
                closed.unknown_peer
            ),
            (1, 1, 1, 1)
        );
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        assert_eq!(raw.next().unwrap().0, Kind::Message);
        node.stop().await.unwrap();
    });
}

#[test]
fn unanswered_hello_times_out() {
    let (node, listener, _dir) = node_with(|options| options.tcp.hello_timeout_ms = 100);
    run(async {
        let mut raw = RawPeer::from_stream(listener.accept().unwrap().0);
        while raw.next().is_some() {}
        let link = peer(&node).link;
        assert_eq!((link.connects, link.frames_out), (0, 0));
        drop(RawPeer::from_stream(listener.accept().unwrap().0));
        node.stop().await.unwrap();
    });
}

#[test]
fn full_queue_drops_frames() {
    let (node, listener, _dir) = node_with(|options| {
        options.tcp.max_queue_bytes = 1 << 20;
        options.tcp.max_frame_bytes = 1 << 18;
        options.tcp.write_timeout_ms = 300;
    });
    run(async {
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        until("it is connected", async || peer(&node).connected).await;
        // nobody reads: the system's buffers fill up, then the queue
        until("frames are dropped", async || !send(&node, vec![7; 100_000]).await).await;
        assert!(peer(&node).link.dropped > 0);
        until("the connection is given up", async || !peer(&node).connected).await;
        assert_eq!(value(&node).await, 0, "the node goes on");
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        assert_eq!(raw.next().unwrap().0, Kind::Message, "what waited is not sent late");
        node.stop().await.unwrap();
    });
}

#[test]
fn queue_is_bounded_by_frames_too() {
    let (node, listener, _dir) = node_with(|options| options.tcp.max_queue_frames = 10);
    run(async {
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        until("it is connected", async || peer(&node).connected).await;
        let handle = node.handle();
        // handed in at once, so that one turn takes many; the connection's task may still take some between turns
        until("some are dropped", async || {
            let before = peer(&node).link.dropped;
            let mut answers = Vec::new();
            for _ in 0..200 {
                let (answer, answered) = oneshot::channel();
                handle.try_send(Request::Send(NodeId::new(2), vec![1], answer)).ok().unwrap();
                answers.push(answered);
            }
            let (mut queued, mut refused) = (0, 0);
            for answer in answers {
                *if answer.await.unwrap() { &mut queued } else { &mut refused } += 1;
            }
            // the node's own messages may be dropped too
            assert!(peer(&node).link.dropped - before >= refused);
            queued > 0 && refused > 0
        })
        .await;
        node.stop().await.unwrap();
    });
}

#[test]
fn incoming_peer_is_connected_to_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let (theirs, their_addr) = listener();
    drop(theirs);
    let mut options = options(1, ours, &[addr, their_addr], dir.path());
    // it would take a day
    options.tcp.backoff_min_ms = 86_400_000;
    options.tcp.backoff_max_ms = 86_400_000;
    let node = start_register(options).unwrap();
    run(async {
        // the first attempt fails
        tokio::time::sleep(core::time::Duration::from_millis(50)).await;
        let listener = listen_again(their_addr);
        let _heard = RawPeer::handshake(addr, &hello(2, 1));
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        until("it is connected", async || peer(&node).connected).await;
        node.stop().await.unwrap();
    });
}

#[test]
fn too_short_frames_are_refused_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, _) = listener();
    let mut options = options(1, ours, &[], dir.path());
    options.tcp.max_frame_bytes = 605;
    let Err(error) = start_register(options) else { panic!("it started") };
    let text = error.to_string();
    assert!(text.contains("up to 600 bytes") && text.contains("raise"), "{text}");
    assert!(text.contains("max_frame_bytes"), "{text}");
}

#[test]
fn oversized_messages_are_counted() {
    let (node, listener, _dir) = node_with(|options| options.tcp.max_frame_bytes = 1 << 10);
    run(async {
        let mut raw = accept(&listener);
        raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        until("it is connected", async || peer(&node).connected).await;
        let before = peer(&node).link;
        assert!(!send(&node, vec![7; 2000]).await);
        let after = peer(&node).link;
        assert_eq!((after.oversized, after.dropped), (before.oversized + 1, before.dropped + 1));
    });
}
