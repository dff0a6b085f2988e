//! What the loop makes of a disk that is full, fails, or holds another's log, and of its own log growing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::panic
)]

use std::sync::Arc;
use std::time::Duration;

use crate::common::disk::SimDisk;
use crate::common::register::{FATAL, Register, RegisterApp, Request};
use crate::common::{
    self, RegisterNode, listener, options, raise, run, start_register, until, value,
};
use quorate_core::{Corrupt, Fatal, NodeId, Wire};
use quorate_tokio::wal::Disk;
use quorate_tokio::{Error, NodeOptions, StorageHealth, WalOptions, start, start_with_disk};
use tokio::sync::oneshot;

/// A node without peers, on this disk.
fn alone(disk: &Arc<SimDisk>) -> Result<RegisterNode, Error> {
    let (ours, _) = listener();
    let mut options =
        NodeOptions::new(NodeId::new(1), common::CLUSTER, ours, Vec::new(), "/data".into());
    options.wal = WalOptions {
        full_retry_ms: 1,
        seal_after_ms: 10,
        preallocate_bytes: 0,
        reserve_bytes: 0,
        ..WalOptions::default()
    };
    let machine = Register::new(Vec::new());
    start_with_disk(disk.clone(), machine, |machine| Ok(RegisterApp::new(machine)), options)
}

async fn health(node: &RegisterNode) -> Vec<StorageHealth> {
    let (answer, answered) = oneshot::channel();
    node.handle().send(Request::Health(answer)).await.unwrap();
    answered.await.unwrap()
}

#[test]
fn full_disk_stops_acknowledgements_until_there_is_space() {
    let disk = Arc::new(SimDisk::default());
    let node = alone(&disk).unwrap();
    run(async {
        raise(&node, 1).await;
        disk.set_faults(|faults| faults.capacity = Some(1));
        let (answer, mut answered) = oneshot::channel();
        node.handle().send(Request::Raise(2, answer)).await.unwrap();
        until("it is told", async || health(&node).await == [StorageHealth::Full]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(answered.try_recv().is_err(), "nothing is acknowledged");
        assert_eq!(value(&node).await, 2, "the loop goes on meanwhile");
        assert_eq!(node.metrics().snapshot().wal.full, 1);
        disk.set_faults(|faults| faults.capacity = None);
        answered.await.unwrap();
        assert_eq!(health(&node).await, [StorageHealth::Full, StorageHealth::Good]);
        raise(&node, 3).await;
        node.stop().await.unwrap();
        let node = alone(&disk).unwrap();
        assert_eq!(value(&node).await, 3);
        node.stop().await.unwrap();
    });
}

#[test]
fn node_stops_while_the_disk_is_full() {
    let disk = Arc::new(SimDisk::default());
    let node = alone(&disk).unwrap();
    run(async {
        raise(&node, 1).await;
        disk.set_faults(|faults| faults.capacity = Some(1));
        let (answer, answered) = oneshot::channel();
        node.handle().send(Request::Raise(2, answer)).await.unwrap();
        until("it is told", async || health(&node).await == [StorageHealth::Full]).await;
        node.stop().await.unwrap();
        assert!(answered.await.is_err(), "never acknowledged");
        disk.set_faults(|faults| faults.capacity = None);
        let node = alone(&disk).unwrap();
        assert_eq!(value(&node).await, 1);
        node.stop().await.unwrap();
    });
}

#[test]
fn failed_sync_stops_the_node() {
    let disk = Arc::new(SimDisk::default());
    let mut node = alone(&disk).unwrap();
    run(async {
        raise(&node, 1).await;
        let next_sync = disk.syncs();
        disk.set_faults(|faults| faults.fail_sync = Some(next_sync));
        let (answer, answered) = oneshot::channel();
        node.handle().send(Request::Raise(2, answer)).await.unwrap();
        let error = node.wait().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot sync /data/wal: input/output error");
        assert!(answered.await.is_err(), "never acknowledged");
        assert!(node.handle().send(Request::Raise(3, oneshot::channel().0)).await.is_err());
        node.stop().await.unwrap();
        let node = alone(&disk).unwrap();
        assert_eq!(value(&node).await, 1, "a restart goes by the disk");
        node.stop().await.unwrap();
    });
}

#[test]
fn fatal_machine_stops_the_node() {
    let disk = Arc::new(SimDisk::default());
    let mut node = alone(&disk).unwrap();
    run(async {
        node.handle().send(Request::Raise(FATAL, oneshot::channel().0)).await.unwrap();
        let error = node.wait().await.unwrap_err();
        assert!(matches!(error, Error::Fatal(Fatal::Invariant)), "{error}");
    });
}

#[test]
fn mostly_dead_log_is_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let started = |id| {
        let (ours, addr) = listener();
        let mut options = options(id, ours, &[addr], dir.path());
        options.wal.checkpoint_bytes = 4096;
        start_register(options).unwrap()
    };
    let node = started(1);
    run(async {
        // how many writes it takes depends on how long a checkpoint does
        let mut last = 0;
        while node.metrics().snapshot().wal.checkpoints < 3 {
            assert!(last < 50_000, "{:?}", node.metrics().snapshot().wal);
            last += 1;
            raise(&node, last).await;
        }
        let wal = node.metrics().snapshot().wal;
        assert_eq!(wal.records, last);
        assert!(wal.bytes < 12_308 + last * 90, "{wal:?}");
        node.stop().await.unwrap();
        let node = started(1);
        assert_eq!(value(&node).await, last);
        node.stop().await.unwrap();
    });
}

#[test]
fn checkpoints_are_abandoned_on_a_full_disk() {
    let disk = Arc::new(SimDisk::default());
    let (ours, _) = listener();
    let mut options =
        NodeOptions::new(NodeId::new(1), common::CLUSTER, ours, Vec::new(), "/data".into());
    options.wal.checkpoint_bytes = 1000;
    options.wal.preallocate_bytes = 0;
    options.wal.reserve_bytes = 0;
    let machine = Register::new(Vec::new());
    let node =
        start_with_disk(disk.clone(), machine, |machine| Ok(RegisterApp::new(machine)), options)
            .unwrap();
    run(async {
        for value in 1..=8 {
            raise(&node, value).await;
        }
        // room for a few records more, and not for another file beside
        let used = disk.usage().0;
        disk.set_faults(|faults| faults.capacity = Some(used + 330));
        for value in 9..=11 {
            raise(&node, value).await;
        }
        until("one is given up", async || node.metrics().snapshot().wal.checkpoints_failed > 0)
            .await;
        disk.set_faults(|faults| faults.capacity = None);
        for value in 12..=40 {
            raise(&node, value).await;
        }
        until("one is made", async || node.metrics().snapshot().wal.checkpoints > 0).await;
        node.stop().await.unwrap();
        assert_eq!(value(&alone(&disk).unwrap()).await, 40);
    });
}

#[test]
fn start_errors_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let begin = |change: &dyn Fn(&mut NodeOptions)| {
        let (ours, addr) = listener();
        let mut options = options(1, ours, &[addr], dir.path());
        change(&mut options);
        start_register(options)
    };
    run(async {
        let node = begin(&|_| {}).unwrap();
        raise(&node, 5).await;
        let error = begin(&|_| {}).unwrap_err();
        assert!(matches!(error, Error::Locked { .. }), "{error}");
        node.stop().await.unwrap();

        let error = begin(&|options| options.cluster = 9).unwrap_err();
        assert!(matches!(error, Error::Identity { cluster: 7, .. }), "{error}");
        let error = begin(&|options| options.wal.checkpoint_ratio = 1).unwrap_err();
        assert!(matches!(error, Error::Options(_)), "{error}");
        let twice = |options: &mut NodeOptions| {
            options.peers = vec![(NodeId::new(2), "a:1".into()), (NodeId::new(2), "b:1".into())];
        };
        assert!(matches!(begin(&twice).unwrap_err(), Error::Options("a peer is listed twice")));

        // the machine does not accept what is there
        let (ours, addr) = listener();
        let mut machine = Register::new(Vec::new());
        quorate_core::Machine::restore(&mut machine, common::register::Value(6)).unwrap();
        let app = |machine: &mut Register| Ok(RegisterApp::new(machine));
        let error = start(machine, app, options(1, ours, &[addr], dir.path())).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Restore { offset: 12_308, reason: Some(Corrupt::Regression), .. }
            ),
            "{error}"
        );
        // nor does the application
        let (ours, addr) = listener();
        let refuse = |_: &mut Register| Err::<RegisterApp, _>(Error::app("no snapshot"));
        let machine = Register::new(Vec::new());
        let error = start(machine, refuse, options(1, ours, &[addr], dir.path())).unwrap_err();
        assert_eq!(error.to_string(), "no snapshot");
        // and everything is free again
        let node = begin(&|_| {}).unwrap();
        assert_eq!(value(&node).await, 5);
        node.stop().await.unwrap();
    });
}

/// A log of version 1, with one record of the register: 5.
fn version_1() -> Vec<u8> {
    let mut header = b"QRMWAL\r\n\x01\0\0\0".to_vec();
    let fields: Vec<u8> = [99_u64, common::CLUSTER, 1, 0, 56].map(u64::to_le_bytes).concat();
    header.extend_from_slice(&crc32c(0, &fields).to_le_bytes());
    header.extend_from_slice(&fields);
    let mut payload = [0; 100];
    let payload = common::register::Value(5).to_slice(&mut payload).unwrap();
    let rest = [
        &(payload.len() as u32).to_le_bytes()[..],
        &0_u64.to_le_bytes(),
        &0_u32.to_le_bytes(),
        payload,
    ]
    .concat();
    let crc = crc32c(crc32c(0, &fields[..32]), &rest);
    [&header[..], &crc.to_le_bytes(), &rest].concat()
}

/// Goes on from the checksum of what came before.
fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    let byte = |crc, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!before, byte)
}

#[test]
fn older_log_is_rewritten_at_once() {
    let disk = Arc::new(SimDisk::default());
    disk.create("/data/wal".as_ref()).unwrap();
    disk.write("/data/wal", version_1());
    let node = alone(&disk).unwrap();
    run(async {
        assert_eq!(value(&node).await, 5);
        until("it is rewritten", async || node.metrics().snapshot().wal.checkpoints == 1).await;
        let bytes = disk.read("/data/wal").unwrap();
        assert_eq!(bytes[8], 2, "the version");
        raise(&node, 6).await;
        node.stop().await.unwrap();
        let node = alone(&disk).unwrap();
        assert_eq!(value(&node).await, 6);
        assert_eq!(node.metrics().snapshot().wal.checkpoints, 0);
        node.stop().await.unwrap();
    });
}
