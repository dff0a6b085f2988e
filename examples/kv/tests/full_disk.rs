//! Nodes on small disks: the log and the snapshots keep to their bound, and a disk that others fill is told, survived and left by itself.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::client::Value;
use crate::common::{Cluster, Consensus, until};

on_each_protocol!(
    overwriting_a_few_keys_does_not_fill_the_disk,
    reads_work_while_all_disks_are_full,
    full_disk_refuses_writes_and_recovers
);

/// A directory on a file system of some MiB, where this user may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: a full disk needs the right to mount a small file system");
        }
        mounted.then(|| Self(path.into()))
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        for piece in [1 << 20, 4096] {
            while ballast.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Twenty keys of 20 KB are overwritten again and again. Of 0.4 MB that are alive the disk never holds more than the log's bound.
fn overwriting_a_few_keys_does_not_fill_the_disk(consensus: Consensus) {
    let mut cluster = Cluster::stopped_on(consensus, "overwritten", 1, &[]);
    let Some(_disk) = SmallDisk::mount(&cluster.data(0), 160) else { return };
    cluster.start_node(0);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    let value = "v".repeat(20_000);
    for round in 0..1_000 {
        let keys: Vec<String> = (0..20).map(|key| format!("key:{key}")).collect();
        let mut command = vec!["MSET"];
        keys.iter().for_each(|key| command.extend([key.as_str(), value.as_str()]));
        assert_eq!(client.call_ok(&command).text(), "OK", "round {round}");
    }
    assert_eq!(cluster.info(0, "disk").unwrap(), "ok");
    assert!(cluster.info(0, "snapshots_written").unwrap().parse::<u64>().unwrap() > 5);
}

/// Of three nodes, every disk is filled by others. Nothing is acknowledged then, which is told; reads go on at every node, also at one that
/// is restarted; and once there is space so do writes, by themselves.
fn reads_work_while_all_disks_are_full(consensus: Consensus) {
    let mut cluster = Cluster::stopped_on(consensus, "all-full", 3, &["--timeout-ms", "3000"]);
    let mut disks = Vec::new();
    for index in 0..3 {
        let Some(disk) = SmallDisk::mount(&cluster.data(index), 64) else { return };
        disks.push(disk);
        cluster.start_node(index);
    }
    let leader = cluster.wait_for_leader();
    let mut client = cluster.client(leader);
    let value = "v".repeat(100_000);
    let mut acknowledged = 0;
    while acknowledged < 10 {
        client.call_ok(&["SET", &format!("key:{acknowledged}"), &value]);
        acknowledged += 1;
    }
    disks.iter().for_each(SmallDisk::fill);
    // some was reserved before
    let error = loop {
        match client.call(&["SET", &format!("key:{acknowledged}"), &value]).unwrap() {
            Value::Error(error) => break error,
            _ => acknowledged += 1,
        }
        assert!(acknowledged < 1_000, "the disks hold no more");
    };
    assert!(error.contains("outcome unknown") || error.starts_with("MISCONF"), "{error}");
    let error = client.call_until(&["SET", "later", "1"], "MISCONF");
    assert!(error.contains("was not executed"), "{error}");
    let last = format!("key:{}", acknowledged - 1);
    for index in 0..3 {
        assert_eq!(cluster.client(index).call_ok(&["STRLEN", &last]).number(), 100_000);
    }
    let follower = (leader + 1) % 3;
    cluster.kill(follower);
    cluster.start_node(follower);
    assert_eq!(cluster.client(follower).call_ok(&["STRLEN", &last]).number(), 100_000);

    disks.iter().for_each(SmallDisk::empty);
    until("the disks to take writes again", || {
        (client.call(&["SET", "later", "2"]).ok()?.text() == "OK").then_some(())
    });
    for index in 0..3 {
        cluster.wait_for_info(index, "disk", "ok");
        cluster.kill(index);
        cluster.start_node(index);
    }
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    assert_eq!(client.call_ok(&["GET", "later"]).text(), "2");
    for number in 0..acknowledged {
        assert_eq!(client.call_ok(&["STRLEN", &format!("key:{number}")]).number(), 100_000);
    }
}

/// What is alive grows until the disk is full. It is told, for certain; the node can be restarted, and serves reads; nothing is lost.
fn full_disk_refuses_writes_and_recovers(consensus: Consensus) {
    let mut cluster = Cluster::stopped_on(consensus, "full", 1, &["--timeout-ms", "1000"]);
    let Some(disk) = SmallDisk::mount(&cluster.data(0), 48) else { return };
    cluster.start_node(0);
    cluster.wait_for_leader();
    disk.fill();
    let mut client = cluster.client(0);
    let value = "v".repeat(100_000);
    let mut acknowledged = 0;
    let error = loop {
        match client.call(&["SET", &format!("key:{acknowledged}"), &value]).unwrap() {
            Value::Error(error) => break error,
            _ => acknowledged += 1,
        }
        assert!(acknowledged < 500, "48 MiB hold no more");
    };
    let unknown = error.contains("outcome unknown") && error.contains("a disk takes no more");
    assert!(unknown || error.starts_with("MISCONF"), "{error}");
    cluster.wait_for_info(0, "disk", "full");
    // from now on it is told before it is tried, and for certain
    let error = client.call_until(&["SET", "later", "1"], "MISCONF");
    assert!(error.contains("was not executed"), "{error}");
    // what was acknowledged can be read meanwhile, also after a restart
    assert_eq!(client.call_ok(&["STRLEN", "key:0"]).number(), 100_000);
    cluster.kill(0);
    cluster.start_node(0);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    if consensus == Consensus::Paxos {
        // a new ballot takes new votes for what is not known to be chosen, and these take space
        client.call_ok(&["READONLY"]);
    }
    until("what was acknowledged to be read", || {
        (client.call_ok(&["STRLEN", "key:0"]).number() == 100_000).then_some(())
    });
    client.call_ok(&["READWRITE"]);
    disk.empty();
    until("the disk to take writes again", || {
        (client.call(&["SET", "later", "2"]).ok()?.text() == "OK").then_some(())
    });
    cluster.wait_for_info(0, "disk", "ok");
    cluster.kill(0);
    cluster.start_node(0);
    cluster.wait_for_leader();
    let mut client = cluster.client(0);
    assert_eq!(client.call_ok(&["GET", "later"]).text(), "2");
    for number in 0..acknowledged {
        assert_eq!(client.call_ok(&["STRLEN", &format!("key:{number}")]).number(), 100_000);
    }
    cluster.kill(0);
}
