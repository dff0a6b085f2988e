//! The disk of a node is erased. It must not come back under its id, since it forgot what it promised: the operator removes it
//! and adds a node with a new id.

use core::time::Duration;
use std::thread::sleep;

use crate::cluster::{Cluster, PATIENCE};
use crate::failure::{Failure, Outcome};
use crate::timeline::Timeline;

/// Erases the disk of the node in a place, and replaces the node.
///
/// # Errors
///
/// When the node starts under its old id, or cannot be replaced.
pub fn replace_erased(cluster: &mut Cluster, place: usize, timeline: Timeline) -> Outcome {
    let old = cluster.nodes[place].id;
    timeline.say(&format!("kill node {old} and erase its disk"));
    cluster.nodes[place].kill()?;
    cluster.nodes[place].erase()?;
    is_refused(cluster, place, timeline)?;
    timeline.say(&format!("ctl remove {old}"));
    cluster.ctl(place, &["remove", &old.to_string()], "no node")?;
    cluster.nodes[place].erase()?;
    cluster.replace(place)?;
    let node = &mut cluster.nodes[place];
    let (new, address) = (node.id, format!("127.0.0.1:{}", node.proxy));
    timeline.say(&format!("start node {new} in its place, and ctl add {new}"));
    node.start()?;
    cluster.ctl(place, &["add", &new.to_string(), &address], "")?;
    cluster.until(&format!("node {new} to be a voter"), |cluster| {
        let info = cluster.nodes[place].info()?;
        (info.text("standing") == "voter").then_some(())
    })
}

/// Starts the node with its old command line, and expects it to end with a reason.
fn is_refused(cluster: &mut Cluster, place: usize, timeline: Timeline) -> Outcome {
    if !cluster.finds_others(place) {
        return stays_outside(cluster, place, timeline);
    }
    let node = &mut cluster.nodes[place];
    node.start()?;
    let status = node.ended(PATIENCE)?;
    let said = node.last_lines(8);
    let id = node.id;
    match status {
        Some(status) if status.code() == Some(1) => {
            let last: String = said.lines().last().unwrap_or_default().chars().take(160).collect();
            timeline.say(&format!("node {id} is refused: {last}…"));
            if said.contains("ctl remove") {
                return Ok(());
            }
            Err(Failure::server(format!(
                "node {id} was started with an erased disk, and ended without saying that it is to be removed (`ctl remove`):\n{said}"
            )))
        }
        Some(status) => Err(Failure::server(format!(
            "node {id} was started with an erased disk, and ended with {status} instead of a refusal:\n{said}"
        ))),
        None => {
            let serves = node
                .info()
                .map(|info| format!("it is {} in term {}", info.text("role"), info.text("term")));
            Err(Failure::server(format!(
                "node {id} was started with an erased disk under its old id, and was not refused within {PATIENCE:?}: {}\n{said}",
                serves.unwrap_or_else(|| "it serves no clients".into())
            )))
        }
    }
}

/// A founder that knows other founders only, all of whom were replaced: nobody can refuse it, so it must wait for them.
fn stays_outside(cluster: &mut Cluster, place: usize, timeline: Timeline) -> Outcome {
    const LOOKS: u32 = 60;
    let node = &mut cluster.nodes[place];
    node.start()?;
    let id = node.id;
    for _ in 0..LOOKS {
        let part = node.info().map(|info| info.text("standing").to_owned());
        if part.as_deref() == Some("voter") {
            let said = node.last_lines(8);
            return Err(Failure::server(format!(
                "node {id} was started with an erased disk, knows none of the present members, and takes part:\n{said}"
            )));
        }
        sleep(Duration::from_millis(50));
    }
    timeline.say(&format!("node {id} knows none of the present members, and stays outside"));
    node.kill()
}

/// How long a run leaves the cluster alone between two erased disks, at least.
pub const BETWEEN: Duration = Duration::from_secs(20);
