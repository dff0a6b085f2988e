//! A node that comes back with an older copy of its data directory is found out, and the others go on.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use crate::common::{Cluster, output, until};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn older_data_directory_is_reported_by_the_leader() {
    // only the leader that saw the acknowledgement can report the loss: if a slow machine elects
    // another one meanwhile, the attempt proves nothing
    assert!((0..10).any(|_| is_reported()), "no attempt kept its leader");
}

/// One attempt; false if leadership changed. Fails if the loss is not reported.
fn is_reported() -> bool {
    let mut cluster = Cluster::start("older-disk", 3, &[]);
    let leader = cluster.wait_for_agreement();
    let follower = (leader + 1) % 3;
    cluster.client(leader).call_ok(&["SET", "early", "1"]);
    cluster.wait_until_converged();
    cluster.stop(follower);
    let kept = cluster.data(follower).with_extension("older");
    copy(&cluster.data(follower), &kept);
    cluster.start_node(follower);
    for n in 0..50 {
        cluster.client(leader).call_ok(&["SET", &format!("key{n}"), "1"]);
    }
    cluster.wait_until_converged();
    if cluster.leader() != Some(leader) {
        return false;
    }
    cluster.kill(follower);
    fs::remove_dir_all(cluster.data(follower)).unwrap();
    fs::rename(&kept, cluster.data(follower)).unwrap();
    cluster.start_node(follower);
    let id = (follower + 1).to_string();
    let told = until("the loss to be found out, or another leader", || {
        let field = cluster.info(leader, &format!("peer{id}"))?;
        let found = field.contains("state=lost-entries") && field.contains("lost=");
        (found || cluster.leader().is_some_and(|now| now != leader)).then_some(found)
    });
    if !told {
        return false;
    }
    let (_, said, _) = cluster.ctl(&["status"]);
    assert!(said.contains(&format!("ctl remove {id}")) && said.contains("new id"), "{said}");
    if !cluster.ctl(&["demote", &id]).1.contains("is a learner now") {
        return false;
    }
    let (code, _, complaint) = cluster.ctl(&["promote", &id]);
    assert!(code == Some(1) && complaint.contains("it is given no vote"), "{complaint}");
    let log = fs::read_to_string(cluster.log(leader)).unwrap();
    let lines = log.lines().filter(|line| line.contains("lost entries that it had acknowledged"));
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() == 1 && lines[0].contains("ERROR"), "{lines:?}");
    cluster.client(leader).call_ok(&["SET", "late", "1"]);
    true
}

#[test]
fn snapshot_older_than_the_log_requires_is_refused() {
    let options = ["--snapshot-entries", "50", "--keep-entries", "1"];
    let mut cluster = Cluster::start("older-snapshot", 1, &options);
    let mut count = 0;
    let mut compact_beyond = |cluster: &Cluster, index: u64| {
        until("a snapshot", || {
            count += 1;
            cluster.client(0).call_ok(&["SET", &format!("key{count}"), "1"]);
            let first = cluster.number(0, "log_first");
            (first > index).then_some(first)
        })
    };
    let first = compact_beyond(&cluster, 1);
    assert!(cluster.stop(0).success());
    let snapshots = cluster.data(0).join("snapshots");
    let kept = cluster.data(0).with_extension("older");
    copy(&snapshots, &kept);
    cluster.start_node(0);
    compact_beyond(&cluster, first + 200);
    assert!(cluster.stop(0).success());
    fs::rename(&snapshots, snapshots.with_extension("newer")).unwrap();
    fs::rename(&kept, &snapshots).unwrap();
    let (code, said) = output(cluster.command(0));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is missing, and the log begins at entry"), "{said}");
    // with its own snapshots the node starts again
    fs::remove_dir_all(&snapshots).unwrap();
    fs::rename(snapshots.with_extension("newer"), &snapshots).unwrap();
    cluster.start_node(0);
    cluster.wait_for_leader();
    assert_eq!(cluster.client(0).call_ok(&["GET", "key1"]).text(), "1");
}
