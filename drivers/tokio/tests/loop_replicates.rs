//! The loop, over loopback: three nodes replicate, stop, restart, restore and go on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::std_instead_of_core)]

use std::net::SocketAddr;
use std::path::Path;

use crate::common::register::Request;
use crate::common::{
    self, RegisterNode, listen_again, listener, options, raise, run, start_register, until, value,
};
use quorate_core::NodeId;
use tokio::sync::oneshot;

/// So many nodes, with directories in this one, and their addresses.
fn start_all(count: usize, dir: &Path) -> (Vec<RegisterNode>, Vec<SocketAddr>) {
    let (listeners, addrs): (Vec<_>, Vec<_>) = (0..count).map(|_| listener()).unzip();
    let start = |(listener, id)| start_register(options(id, listener, &addrs, dir)).unwrap();
    (listeners.into_iter().zip(1..).map(start).collect(), addrs)
}

#[test]
fn three_nodes_replicate_and_survive_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut nodes, addrs) = start_all(3, dir.path());
    run(async {
        raise(&nodes[0], 10).await;
        raise(&nodes[1], 20).await;
        for node in &nodes {
            until("all nodes hear of it", async || value(node).await == 20).await;
        }
        // one stops: the others go on, and it catches up
        nodes.remove(2).stop().await.unwrap();
        raise(&nodes[0], 30).await;
        let listener = listen_again(addrs[2]);
        let node = start_register(options(3, listener, &addrs, dir.path())).unwrap();
        let (answer, answered) = oneshot::channel();
        node.handle().send(Request::Restored(answer)).await.unwrap();
        assert_eq!(answered.await.unwrap(), 20);
        until("it catches up", async || value(&node).await == 30).await;
        nodes.push(node);
        // all stop: what was acknowledged is there
        for node in nodes {
            // a value is known before its record is on the own disk
            until("its disk has it", async || node.metrics().snapshot().wal.records > 0).await;
            assert!(node.metrics().snapshot().wal.syncs > 0);
            node.stop().await.unwrap();
        }
        for id in 1..=2 {
            let (listener, _) = common::listener();
            let node = start_register(options(id, listener, &addrs, dir.path())).unwrap();
            assert_eq!(value(&node).await, 30, "node {id}");
            node.stop().await.unwrap();
        }
    });
}

#[test]
fn applications_exchange_frames() {
    let dir = tempfile::tempdir().unwrap();
    let (nodes, _) = start_all(2, dir.path());
    run(async {
        let send = async |bytes: Vec<u8>| {
            let (answer, answered) = oneshot::channel();
            nodes[0].handle().send(Request::Send(NodeId::new(2), bytes, answer)).await.unwrap();
            answered.await.unwrap()
        };
        until("the link stands", async || send(b"hello".to_vec()).await).await;
        assert!(send(vec![7; 1 << 20]).await, "a large one");
        assert!(!send(vec![7; 17 << 20]).await, "one above the limit");
        until("it is heard", async || {
            let (answer, answered) = oneshot::channel();
            nodes[1].handle().send(Request::Received(answer)).await.unwrap();
            let received = answered.await.unwrap();
            let from = NodeId::new(1);
            received == [(from, b"hello".to_vec()), (from, vec![7; 1 << 20])]
        })
        .await;
        for node in nodes {
            node.stop().await.unwrap();
        }
    });
}

/// An application that has not done with what it was told takes in nothing more but messages that must not wait.
#[test]
fn backlogged_application_gets_urgent_messages_only() {
    let dir = tempfile::tempdir().unwrap();
    let (nodes, _) = start_all(2, dir.path());
    run(async {
        raise(&nodes[0], 10).await;
        let turns = || nodes[1].metrics().snapshot().turns;
        let before = turns();
        nodes[1].handle().send(Request::BacklogUntil(50)).await.unwrap();
        // it turns without a pause from then on, and has taken the command in an earlier turn
        until("it is behind", async || turns() > before + 1_000).await;
        let (answer, mut answered) = oneshot::channel();
        nodes[1].handle().send(Request::TakenWhileBacklogged(answer)).await.unwrap();
        let (queued, is_queued) = oneshot::channel();
        let send = Request::Send(NodeId::new(2), b"bulk".to_vec(), queued);
        nodes[0].handle().send(send).await.unwrap();
        assert!(is_queued.await.unwrap());
        let before = turns();
        until("it turns", async || turns() > before + 1_000).await;
        assert!(answered.try_recv().is_err(), "a command waits");
        // this needs the other one, and ends it
        raise(&nodes[0], 50).await;
        assert_eq!(answered.await.unwrap(), 0, "taken while it was behind");
        until("it is heard", async || {
            let (answer, answered) = oneshot::channel();
            nodes[1].handle().send(Request::Received(answer)).await.unwrap();
            answered.await.unwrap() == [(NodeId::new(1), b"bulk".to_vec())]
        })
        .await;
        for node in nodes {
            node.stop().await.unwrap();
        }
    });
}
