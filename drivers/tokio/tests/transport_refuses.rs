//! Whatever arrives at the peer port is an answer and a count, and never the end of the node.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::common::register::ABSURD;
use crate::common::wire::{RawPeer, framed, hello, state};
use crate::common::{RegisterNode, listener, options, run, start_register, until, value};
use quorate_core::{NodeId, Rng};
use quorate_tokio::frame::{self, Hello, Kind};
use quorate_tokio::{MetricsSnapshot, NodeOptions};

/// Node 1 of two; the other does not exist.
fn node_with(
    change: impl FnOnce(&mut NodeOptions),
) -> (RegisterNode, SocketAddr, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    // bound and never accepted from: connections to it go nowhere
    let (theirs, nobody) = listener();
    drop(theirs);
    let mut options = options(1, ours, &[addr, nobody], dir.path());
    change(&mut options);
    (start_register(options).unwrap(), addr, dir)
}

/// Waits for a count, and then for the node to serve a proper peer as if nothing had been.
async fn survives(
    node: &RegisterNode,
    addr: SocketAddr,
    counted: impl Fn(&MetricsSnapshot) -> u64,
) {
    until("it is counted", async || counted(&node.metrics().snapshot()) > 0).await;
    let next = value(node).await + 1;
    let mut peer = RawPeer::handshake(addr, &hello(2, 1));
    peer.send(&state(next, 0));
    until("it takes messages", async || value(node).await == next).await;
}

fn refusal(addr: SocketAddr, ours: &Hello) -> String {
    let mut peer = RawPeer::connect(addr);
    peer.send(&framed(Kind::Hello, &ours.to_bytes()));
    let (kind, payload) = peer.next().unwrap();
    assert_eq!(kind, Kind::Refusal);
    assert_eq!(peer.next(), None, "closed after it");
    String::from_utf8(payload).unwrap()
}

#[test]
fn mismatched_hellos_are_refused_with_a_reason() {
    let (node, addr, _dir) = node_with(|_| {});
    let reason = refusal(addr, &Hello { version: 1, ..hello(2, 1) });
    assert_eq!(reason, "you speak protocol 1, this node 2");
    let reason = refusal(addr, &Hello { cluster: 8, ..hello(2, 1) });
    assert_eq!(
        reason,
        "node 2 is of the cluster founded as 0000000000000008, this node of 0000000000000007"
    );
    let reason = refusal(addr, &hello(2, 3));
    assert_eq!(reason, "you look for node 3, this is another: check the addresses");
    let reason = refusal(addr, &hello(9, 1));
    assert_eq!(reason, "you are node 9, which is not the peer expected here");
    // not even this node itself
    refusal(addr, &hello(1, 1));
    run(async {
        let closed = node.metrics().snapshot().closed;
        assert_eq!(
            (
                closed.wrong_version,
                closed.wrong_cluster,
                closed.wrong_receiver,
                closed.unknown_peer,
                closed.malformed
            ),
            (1, 1, 1, 2, 0)
        );
        survives(&node, addr, |_| 1).await;
        node.stop().await.unwrap();
    });
}

#[test]
fn invalid_connections_are_closed() {
    let (node, addr, _dir) = node_with(|_| {});
    run(async {
        let send = |bytes: &[u8]| {
            let mut peer = RawPeer::connect(addr);
            // it may be closed before all is sent
            let _ = peer.try_send(bytes);
            peer
        };
        // another protocol: its first bytes are a length beyond all bounds
        assert_eq!(send(b"GET / HTTP/1.1\r\n\r\n").next(), None);
        assert_eq!(send(b"*1\r\n$4\r\nPING\r\n").next(), None);
        survives(&node, addr, |m| m.closed.oversized / 2).await;
        // a frame that is legal later is too large for a stranger
        assert_eq!(send(&framed(Kind::Hello, &[0; 600])).next(), None);
        survives(&node, addr, |m| m.closed.oversized / 3).await;
        // a wrong checksum, a kind there is not, an empty frame
        let mut bad = framed(Kind::Hello, &hello(2, 1).to_bytes());
        bad[20] ^= 1;
        assert_eq!(send(&bad).next(), None);
        assert_eq!(send(&[0; 8]).next(), None);
        survives(&node, addr, |m| m.closed.malformed / 2).await;
        // a message before the hello is answered, for who gets the order wrong
        let (kind, reason) = send(&state(5, 5)).next().unwrap();
        assert_eq!((kind, &reason[..]), (Kind::Refusal, &b"this is no hello"[..]));
        // half a hello
        let half = send(&framed(Kind::Hello, &hello(2, 1).to_bytes())[..30]);
        half.shut_down_write();
        survives(&node, addr, |m| m.closed.truncated).await;
        assert_eq!(value(&node).await, 4, "and no message of a stranger was taken");
        node.stop().await.unwrap();
    });
}

#[test]
fn noise_never_stops_the_node() {
    let (node, addr, _dir) = node_with(|_| {});
    let mut rng = Rng::new(7);
    for round in 0..200 {
        let mut peer = if round % 2 == 0 {
            RawPeer::connect(addr)
        } else {
            RawPeer::handshake(addr, &hello(2, 1))
        };
        let mut bytes: Vec<u8> = (0..rng.below(300)).map(|_| rng.next_u64() as u8).collect();
        if round % 3 == 0 {
            // a proper frame of noise
            let kind = if round % 5 == 0 { Kind::Hello } else { Kind::Message };
            bytes = framed(kind, &bytes);
        }
        let _ = peer.try_send(&bytes);
    }
    run(async {
        survives(&node, addr, |m| m.closed.malformed + m.closed.oversized).await;
        node.stop().await.unwrap();
    });
}

#[test]
fn silent_connections_do_not_block_peers() {
    let (node, addr, _dir) = node_with(|options| {
        options.tcp.max_pending_handshakes = 8;
        // they may be silent for as long as this test takes
        options.tcp.hello_timeout_ms = 600_000;
    });
    run(async {
        // all from one address, of which six may wait
        let mut silent: Vec<_> = (0..8).map(|_| RawPeer::connect(addr)).collect();
        until("the oldest make room", async || node.metrics().snapshot().closed.hello_evicted == 2)
            .await;
        survives(&node, addr, |m| m.closed.hello_evicted).await;
        for oldest in &mut silent[..3] {
            assert_eq!(oldest.next(), None);
        }
        node.stop().await.unwrap();
    });
}

#[test]
fn silent_connections_time_out() {
    let (node, addr, _dir) = node_with(|options| options.tcp.hello_timeout_ms = 50);
    run(async {
        assert_eq!(RawPeer::connect(addr).next(), None);
        until("it is counted", async || node.metrics().snapshot().closed.hello_timeout > 0).await;
        node.stop().await.unwrap();
    });
}

#[test]
fn peer_that_violates_the_protocol_is_closed() {
    let (node, addr, _dir) = node_with(|options| options.tcp.max_frame_bytes = 1 << 16);
    run(async {
        // above the limit: only the length is looked at
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&u32::MAX.to_le_bytes());
        peer.send(&[0; 4]);
        assert_eq!(peer.next(), None);
        survives(&node, addr, |m| m.closed.oversized).await;
        // a flipped bit
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        let mut bytes = state(3, 3);
        bytes[10] ^= 1;
        peer.send(&bytes);
        assert_eq!(peer.next(), None);
        survives(&node, addr, |m| m.closed.malformed).await;
        // a hello again
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
        assert_eq!(peer.next(), None);
        survives(&node, addr, |m| m.closed.malformed / 2).await;
        // gone within a frame
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&state(3, 3)[..9]);
        peer.shut_down_write();
        survives(&node, addr, |m| m.closed.truncated).await;
        // the largest frame there may be, in small pieces
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        let largest = framed(Kind::Application, &vec![1; (1 << 16) - frame::len(0)]);
        assert_eq!(largest.len(), 1 << 16);
        for piece in largest.chunks(1000) {
            peer.send(piece);
        }
        peer.send(&state(100, 0));
        until("the next message is taken", async || value(&node).await == 100).await;
        node.stop().await.unwrap();
    });
}

#[test]
fn rejected_messages_are_counted() {
    let (node, addr, _dir) = node_with(|_| {});
    run(async {
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&state(ABSURD, 0));
        peer.send(&framed(Kind::Message, b"\xff\xff"));
        peer.send(&framed(Kind::Message, b""));
        peer.send(&state(5, 0));
        until("the good one is taken", async || value(&node).await == 5).await;
        let rejected = node.metrics().snapshot().rejected;
        assert_eq!((rejected.out_of_range, rejected.undecodable), (1, 2));
        node.stop().await.unwrap();
    });
}

#[test]
fn newest_connection_is_used_before_the_first_frame() {
    let (node, addr, _dir) = node_with(|_| {});
    run(async {
        let mut first = RawPeer::handshake(addr, &hello(2, 1));
        let mut second = RawPeer::handshake(addr, &Hello { incarnation: 2, ..hello(2, 1) });
        assert_eq!(first.next(), None, "the older one is closed");
        second.send(&state(7, 0));
        until("the newer one is heard", async || value(&node).await == 7).await;
        let peers = node.metrics().snapshot().peers;
        assert_eq!(peers.len(), 1);
        assert_eq!((peers[0].0, peers[0].1.link.frames_in), (NodeId::new(2), 1));
        node.stop().await.unwrap();
    });
}

#[test]
fn active_peer_is_not_replaced() {
    let (node, addr, _dir) = node_with(|options| options.tcp.keepalive_timeout_ms = 600_000);
    run(async {
        let mut peer = RawPeer::handshake(addr, &hello(2, 1));
        peer.send(&state(1, 0));
        until("it is heard", async || value(&node).await == 1).await;
        for incarnation in 2..50 {
            let reason = refusal(addr, &Hello { incarnation, ..hello(2, 1) });
            assert!(reason.contains("is connected and was heard just now"), "{reason}");
        }
        peer.send(&state(2, 0));
        until("it still counts", async || value(&node).await == 2).await;
        assert_eq!(node.metrics().snapshot().closed.already_connected, 48);
        // when it ends, its place is free at once
        drop(peer);
        until("another process has the place", async || {
            let mut other = RawPeer::connect(addr);
            other.send(&framed(Kind::Hello, &Hello { incarnation: 9, ..hello(2, 1) }.to_bytes()));
            other.next().unwrap().0 == Kind::Hello
        })
        .await;
        node.stop().await.unwrap();
    });
}

#[test]
fn silent_peer_is_replaced() {
    let (node, addr, _dir) = node_with(|options| options.tcp.keepalive_timeout_ms = 50);
    run(async {
        // a machine that lost its power: its connection stays
        let mut silent = RawPeer::handshake(addr, &hello(2, 1));
        silent.send(&state(1, 0));
        until("it is heard", async || value(&node).await == 1).await;
        until("the restarted one gets in", async || {
            let mut peer = RawPeer::connect(addr);
            peer.send(&framed(Kind::Hello, &Hello { incarnation: 2, ..hello(2, 1) }.to_bytes()));
            peer.next().unwrap().0 == Kind::Hello
        })
        .await;
        assert_eq!(silent.next(), None);
        node.stop().await.unwrap();
    });
}

/// A process that says a peer's name again and again, and nothing else, unseats the peer only before its first frame.
#[test]
fn hello_storm_does_not_block_a_peer() {
    let (node, addr, _dir) = node_with(|_| {});
    let over = Arc::new(AtomicBool::new(false));
    let storm = {
        let over = over.clone();
        std::thread::spawn(move || {
            for incarnation in 100.. {
                if over.load(Relaxed) {
                    return;
                }
                let mut impostor = RawPeer::connect(addr);
                let hello = Hello { incarnation, ..hello(2, 1) };
                let _ = impostor.try_send(&framed(Kind::Hello, &hello.to_bytes()));
                let _ = impostor.next();
                std::thread::sleep(Duration::from_millis(4));
            }
        })
    };
    run(async {
        until("the storm is on", async || {
            node.metrics().snapshot().peers[0].1.link.frames_in == 0
                && RawPeer::connect(addr).stays_open(Duration::from_millis(20))
        })
        .await;
        // as the driver does: the first frame follows the hello at once
        let mut peer = None;
        until("the peer is heard", async || {
            let mut raw = RawPeer::connect(addr);
            raw.send(&framed(Kind::Hello, &hello(2, 1).to_bytes()));
            let _ = raw.try_send(&framed(Kind::KeepAlive, &[]));
            let _ = raw.try_send(&state(1, 0));
            let answered = raw.next().is_some_and(|(kind, _)| kind == Kind::Hello);
            peer = answered.then_some(raw);
            answered && raw_is_received(&node).await
        })
        .await;
        let mut peer = peer.unwrap();
        for next in 2..200 {
            peer.send(&state(next, 0));
            until("its frames are taken", async || value(&node).await == next).await;
        }
        over.store(true, Relaxed);
        storm.join().unwrap();
        assert!(node.metrics().snapshot().closed.already_connected > 0);
        node.stop().await.unwrap();
    });
}

async fn raw_is_received(node: &RegisterNode) -> bool {
    for _ in 0..100 {
        if value(node).await == 1 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}
