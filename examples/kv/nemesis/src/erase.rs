//! The disk of a node is erased. It must not come back under its id, since it forgot what it promised: the operator removes it
//! and adds a node with a new id.

use core::time::Duration;
use std::thread::sleep;

use crate::cluster::{Cluster, TIMEOUT};
use crate::failure::{Failure, Outcome};
use crate::timeline::Timeline;

/// Erases the disk of the node in a slot, and replaces the node.
///
/// # Errors
///
/// When the node starts under its old id, or cannot be replaced.
pub fn replace_erased(cluster: &mut Cluster, slot: usize, timeline: Timeline) -> Outcome {
    let old = cluster.nodes[slot].id;
    timeline.log(&format!("kill node {old} and erase its disk"));
    cluster.nodes[slot].kill()?;
    cluster.nodes[slot].erase()?;
    expect_refusal(cluster, slot, timeline)?;
    timeline.log(&format!("ctl remove {old}"));
    cluster.ctl(slot, &["remove", &old.to_string()], "no node")?;
    cluster.nodes[slot].erase()?;
    cluster.replace(slot)?;
    let node = &mut cluster.nodes[slot];
    let (new, address) = (node.id, format!("127.0.0.1:{}", node.proxy));
    timeline.log(&format!("start node {new} in its place, and ctl add {new}"));
    node.start()?;
    cluster.ctl(slot, &["add", &new.to_string(), &address], "")?;
    cluster.until(&format!("node {new} to be a voter"), |cluster| {
        let info = cluster.nodes[slot].info()?;
        (info.text("standing") == "voter").then_some(())
    })
}

/// Starts the node with its old command line, and expects it to end with a reason.
fn expect_refusal(cluster: &mut Cluster, slot: usize, timeline: Timeline) -> Outcome {
    if !cluster.is_told_of_others(slot) {
        return expect_no_membership(cluster, slot, timeline);
    }
    let node = &mut cluster.nodes[slot];
    node.start()?;
    let status = node.wait_for_exit(TIMEOUT)?;
    let log = node.last_lines(8);
    let id = node.id;
    match status {
        Some(status) if status.code() == Some(1) => {
            let last: String = log.lines().last().unwrap_or_default().chars().take(160).collect();
            timeline.log(&format!("node {id} is refused: {last}…"));
            if log.contains("ctl remove") {
                return Ok(());
            }
            Err(Failure::server(format!(
                "node {id} was started with an erased disk, and ended without saying that it is to be removed (`ctl remove`):\n{log}"
            )))
        }
        Some(status) => Err(Failure::server(format!(
            "node {id} was started with an erased disk, and ended with {status} instead of a refusal:\n{log}"
        ))),
        None => {
            let serves = node
                .info()
                .map(|info| format!("it is {} in epoch {}", info.text("role"), info.text("epoch")));
            Err(Failure::server(format!(
                "node {id} was started with an erased disk under its old id, and was not refused within {TIMEOUT:?}: {}\n{log}",
                serves.unwrap_or_else(|| "it serves no clients".into())
            )))
        }
    }
}

/// A founder that knows other founders only, all of whom were replaced: nobody can refuse it, so it must wait for them.
fn expect_no_membership(cluster: &mut Cluster, slot: usize, timeline: Timeline) -> Outcome {
    const POLLS: u32 = 60;
    let node = &mut cluster.nodes[slot];
    node.start()?;
    let id = node.id;
    for _ in 0..POLLS {
        let part = node.info().map(|info| info.text("standing").to_owned());
        if part.as_deref() == Some("voter") {
            let log = node.last_lines(8);
            return Err(Failure::server(format!(
                "node {id} was started with an erased disk, knows none of the present members, and takes part:\n{log}"
            )));
        }
        sleep(Duration::from_millis(50));
    }
    timeline.log(&format!("node {id} knows none of the present members, and stays outside"));
    node.kill()
}

/// How long a run leaves the cluster alone between two erased disks, at least.
pub const MIN_INTERVAL: Duration = Duration::from_secs(20);
