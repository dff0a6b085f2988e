//! Peers come, move and go while a node runs; a node of the cluster that was not known is let in.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::net::{SocketAddr, TcpListener};

use crate::common::register::Request;
use crate::common::wire::{RawPeer, framed, hello};
use crate::common::{RegisterNode, listen_again, listener, options, run, start_register, until};
use quorate_core::NodeId;
use quorate_tokio::NodeOptions;
use quorate_tokio::frame::{Hello, Kind};
use tokio::sync::oneshot;

fn node(change: impl FnOnce(&mut NodeOptions)) -> (RegisterNode, SocketAddr, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (ours, addr) = listener();
    let mut options = options(1, ours, &[addr], dir.path());
    options.tcp.backoff_max_ms = 50;
    change(&mut options);
    (start_register(options).unwrap(), addr, dir)
}

/// Takes a connection from node 1, and answers its hello as node `id`.
fn accept(listener: &TcpListener, id: u64) -> (RawPeer, Hello) {
    let mut raw = RawPeer::from_stream(listener.accept().unwrap().0);
    let (kind, payload) = raw.next().unwrap();
    assert_eq!(kind, Kind::Hello);
    let theirs = Hello::from_bytes(&payload).unwrap();
    assert_eq!(theirs.receiver, NodeId::new(id));
    raw.send(&framed(Kind::Hello, &hello(id, 1).to_bytes()));
    (raw, theirs)
}

async fn send(node: &RegisterNode, to: u64, bytes: &[u8]) -> bool {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Send(NodeId::new(to), bytes.to_vec(), answer)).await.unwrap();
    answered.await.unwrap()
}

async fn received(node: &RegisterNode) -> Vec<(NodeId, Vec<u8>)> {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Received(answer)).await.unwrap();
    answered.await.unwrap()
}

fn peers(node: &RegisterNode) -> Vec<u64> {
    node.metrics().snapshot().peers.iter().map(|(id, _)| id.get()).collect()
}

#[test]
fn peers_are_added_moved_and_removed() {
    let (node, addr, _dir) = node(|options| options.advertise = Some("there:1".into()));
    let (first, first_addr) = listener();
    let (second, second_addr) = listener();
    run(async {
        assert!(!send(&node, 5, b"nobody").await);
        let handle = node.handle();
        handle.send(Request::Connect(NodeId::new(5), first_addr.to_string())).await.unwrap();
        let (mut peer, theirs) = accept(&first, 5);
        assert_eq!(theirs.address, "there:1");
        until("sent", async || send(&node, 5, b"here").await).await;
        assert_eq!(peer.next().unwrap(), (Kind::Application, b"here".to_vec()));
        // it is let in as well
        let mut back = RawPeer::handshake(addr, &hello(5, 1));
        back.send(&framed(Kind::Application, b"back"));
        until("heard", async || received(&node).await.len() == 1).await;
        // the same address again changes nothing; another one moves it
        handle.send(Request::Connect(NodeId::new(5), first_addr.to_string())).await.unwrap();
        handle.send(Request::Connect(NodeId::new(5), second_addr.to_string())).await.unwrap();
        let (mut moved, _) = accept(&second, 5);
        assert_eq!(peer.next(), None);
        until("sent", async || send(&node, 5, b"there").await).await;
        assert_eq!(moved.next().unwrap(), (Kind::Application, b"there".to_vec()));
        assert_eq!(peers(&node), [5]);
        // and it goes
        handle.send(Request::Disconnect(NodeId::new(5))).await.unwrap();
        assert_eq!(moved.next(), None);
        assert!(!send(&node, 5, b"gone").await);
        assert_eq!(peers(&node), [0; 0]);
        // nor does it come back by itself
        let again = Hello { address: first_addr.to_string(), ..hello(5, 2) };
        let mut refused = RawPeer::connect(addr);
        refused.send(&framed(Kind::Hello, &again.to_bytes()));
        assert_eq!(refused.next().unwrap().0, Kind::Refusal);
        handle.send(Request::Connect(NodeId::new(5), first_addr.to_string())).await.unwrap();
        accept(&first, 5);
        assert_eq!(peers(&node), [5]);
        node.stop().await.unwrap();
    });
}

#[test]
fn unknown_node_with_an_address_becomes_a_peer() {
    let (node, addr, _dir) = node(|options| options.tcp.max_peers = 1);
    let (listener, their_addr) = listener();
    run(async {
        let theirs = Hello { address: their_addr.to_string(), ..hello(7, 1) };
        let mut stranger = RawPeer::handshake(addr, &theirs);
        stranger.send(&framed(Kind::Application, b"it is me"));
        let (mut answer, _) = accept(&listener, 7);
        until("heard", async || !received(&node).await.is_empty()).await;
        assert_eq!(received(&node).await, [(NodeId::new(7), b"it is me".to_vec())]);
        until("sent", async || send(&node, 7, b"welcome").await).await;
        assert_eq!(answer.next().unwrap(), (Kind::Application, b"welcome".to_vec()));
        // there is no room for another, nor for one that does not say where it is
        let late = Hello { address: their_addr.to_string(), ..hello(8, 1) };
        let mut refused = RawPeer::connect(addr);
        refused.send(&framed(Kind::Hello, &late.to_bytes()));
        assert_eq!(refused.next().unwrap().0, Kind::Refusal);
        node.stop().await.unwrap();
    });
}

#[test]
fn moved_peer_is_reached_at_its_announced_address() {
    let (node, addr, _dir) = node(|_| {});
    let (before, before_addr) = listener();
    let (after, after_addr) = listener();
    drop(before);
    run(async {
        node.handle()
            .send(Request::Connect(NodeId::new(5), before_addr.to_string()))
            .await
            .unwrap();
        let says = |address: String| Hello { address, ..hello(5, 1) };
        let _there = RawPeer::handshake(addr, &says(after_addr.to_string()));
        let (mut moved, _) = accept(&after, 5);
        until("sent", async || send(&node, 5, b"found").await).await;
        assert_eq!(moved.next().unwrap(), (Kind::Application, b"found".to_vec()));
        // where this node was told counts more, as soon as it is there
        let before = listen_again(before_addr);
        drop(moved);
        drop(after);
        let (mut back, _) = accept(&before, 5);
        until("sent", async || send(&node, 5, b"back").await).await;
        assert_eq!(back.next().unwrap(), (Kind::Application, b"back".to_vec()));
        assert_eq!(peers(&node), [5]);
        node.stop().await.unwrap();
    });
}

#[test]
fn absent_unknown_peers_are_evicted() {
    let (node, addr, _dir) = node(|options| options.tcp.max_peers = 3);
    let (listener, their_addr) = listener();
    run(async {
        let at = |id| Hello { address: their_addr.to_string(), ..hello(id, 1) };
        // one that the application wants, and is away
        node.handle().send(Request::Connect(NodeId::new(5), their_addr.to_string())).await.unwrap();
        let (_named, _) = accept(&listener, 5);
        // each is let in as soon as this node notices that one before it is gone
        for id in 10..20 {
            until("the unknown peers to be gone", async || {
                let mut raw = RawPeer::connect(addr);
                raw.send(&framed(Kind::Hello, &at(id).to_bytes()));
                raw.next().unwrap().0 == Kind::Hello
            })
            .await;
        }
        assert!(peers(&node).contains(&5));
        assert!(peers(&node).len() <= 3, "{:?}", peers(&node));
        node.stop().await.unwrap();
    });
}
