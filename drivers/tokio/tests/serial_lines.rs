//! Nodes at serial lines that garble what they carry: they replicate all the same, and what was garbled is counted.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::std_instead_of_core)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{self, CLUSTER, raise, run, start_register, until, value};
use quorate_core::{NodeId, Rng};
use quorate_tokio::NodeOptions;
use quorate_tokio::serial::Address;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// Of a thousand bytes, so many are changed, and so many are lost.
type Noise = Arc<AtomicU32>;

fn end(dir: &Path, node: u64, peer: u64) -> PathBuf {
    dir.join(format!("{node}-{peer}"))
}

/// Joins two nodes, for as long as both hold the line; then again.
fn line(dir: &Path, (a, b): (u64, u64), noise: &Noise) {
    let here = UnixListener::bind(end(dir, a, b)).unwrap();
    let there = UnixListener::bind(end(dir, b, a)).unwrap();
    let noise = noise.clone();
    tokio::spawn(async move {
        let mut rng = Rng::new(a * 10 + b);
        loop {
            let ((left, _), (right, _)) =
                (here.accept().await.unwrap(), there.accept().await.unwrap());
            let ((left_out, left_in), (right_out, right_in)) =
                (left.into_split(), right.into_split());
            tokio::select! {
                () = forward(left_out, right_in, (noise.clone(), rng.fork())) => {}
                () = forward(right_out, left_in, (noise.clone(), rng.fork())) => {}
            }
        }
    });
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, (noise, mut rng): (Noise, Rng)) {
    let mut bytes = [0; 512];
    while let Ok(len @ 1..) = from.read(&mut bytes).await {
        let permille = u64::from(noise.load(Ordering::Relaxed));
        let mut garbled = Vec::new();
        for &byte in &bytes[..len] {
            if rng.range(0, 1000) < permille {
                garbled.push(rng.range(0, 256) as u8);
            } else if rng.range(0, 1000) >= permille {
                garbled.push(byte);
            }
        }
        if to.write_all(&garbled).await.is_err() {
            return;
        }
    }
}

fn options(dir: &Path, id: u64) -> NodeOptions {
    let lines = (1..=3)
        .filter(|&peer| peer != id)
        .map(|peer| (NodeId::new(peer), Address::Unix(end(dir, id, peer))))
        .collect();
    NodeOptions::with_serial_lines(NodeId::new(id), CLUSTER, lines, dir.join(format!("node-{id}")))
}

#[test]
fn noise_is_counted_and_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let noise = Noise::default();
    run(async {
        for pair in [(1, 2), (1, 3), (2, 3)] {
            line(dir.path(), pair, &noise);
        }
        let mut nodes: Vec<_> =
            (1..=3).map(|id| start_register(options(dir.path(), id)).unwrap()).collect();
        raise(&nodes[0], 10).await;
        noise.store(20, Ordering::Relaxed);
        for number in 11..60 {
            raise(&nodes[number % 3], number as u64).await;
        }
        let garbled = |node: &common::RegisterNode| {
            let peers = node.metrics().snapshot().peers;
            peers.iter().map(|(_, peer)| peer.link.garbled).sum::<u64>()
        };
        assert!(nodes.iter().map(garbled).sum::<u64>() > 0);
        noise.store(0, Ordering::Relaxed);

        // one goes and comes back: its lines are opened again, on both sides
        nodes.remove(2).stop().await.unwrap();
        raise(&nodes[0], 70).await;
        nodes.push(start_register(options(dir.path(), 3)).unwrap());
        for node in &nodes {
            until("all nodes hear of it", async || value(node).await == 70).await;
        }
        for node in nodes {
            node.stop().await.unwrap();
        }
    });
}
