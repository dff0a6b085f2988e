//! `quorate-kv ctl`: shows and changes a cluster for its operator.

mod members;
mod status;
mod transfer;

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use crate::admin_client::{NodeInfo, leader};
use crate::cli::{CtlArgs, CtlCommand};
use crate::response::{Response, printable};
use crate::{Failure, admin_client};

/// Longer than an election, a leadership transfer, a change and a round of messages take.
const TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Does what the command line says.
pub(crate) fn run(arguments: &CtlArgs) -> Result<(), Failure> {
    let nodes = &arguments.nodes;
    match &arguments.command {
        CtlCommand::Status => status::run(nodes),
        CtlCommand::Transfer { to } => transfer::run(nodes, *to),
        CtlCommand::Add { id, address, learner, patience_s } => {
            let patience = Duration::from_secs(*patience_s);
            members::add(nodes, *id, address, *learner, patience)
        }
        CtlCommand::Move { id, address } => members::move_node(nodes, *id, address),
        CtlCommand::Promote { id } => members::promote(nodes, *id),
        CtlCommand::Demote { id } => members::demote(nodes, *id),
        CtlCommand::Remove { id } => members::remove(nodes, *id),
    }
}

/// Nodes that one survey queries, at most: the lists that nodes return are not trusted.
const MAX_NODES: usize = 64;

/// The state of the named nodes, and of those that they know.
struct Survey {
    /// Nodes that answered, with the addresses at which they did.
    seen: Vec<(String, NodeInfo)>,
    /// Named nodes that did not.
    unreachable: Vec<(String, io::Error)>,
}

fn survey(nodes: &[String]) -> Survey {
    let mut survey = Survey { seen: Vec::new(), unreachable: Vec::new() };
    let mut queried = BTreeSet::new();
    let mut next: Vec<String> = nodes.to_vec();
    while let Some(node) = next.pop() {
        if queried.len() >= MAX_NODES || !queried.insert(node.clone()) {
            continue;
        }
        match admin_client::fetch_info(&node) {
            Ok(seen) if survey.seen.iter().any(|(_, other)| other.id == seen.id) => {}
            Ok(seen) => {
                let others = seen.members.iter().filter(|member| member.id != seen.id);
                next.extend(others.map(|member| member.client.clone()).filter(|c| !c.is_empty()));
                survey.seen.push((node, seen));
            }
            Err(error) => survey.unreachable.push((node, error)),
        }
    }
    survey.seen.sort_by_key(|(_, seen)| seen.id);
    survey
}

/// The leader and where it is; it may be just being elected.
fn find_leader(nodes: &[String]) -> Result<(String, NodeInfo), Failure> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let Survey { seen, .. } = survey(nodes);
        if let Some(found) = leader(&seen) {
            return Ok(found.clone());
        }
        if seen.is_empty() {
            return Err(Failure::Run("no node answers: see --nodes".into()));
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run("none of these nodes is the leader: see `ctl status`".into()));
        }
        sleep(POLL_INTERVAL);
    }
}

/// How the leader answered a request.
enum Outcome {
    /// It has begun.
    Started,
    /// It cannot be yet.
    Retry(String),
    /// It cannot be.
    Failed(String),
}

fn execute(node: &str, words: &[&str]) -> Outcome {
    match admin_client::send_command(node, words) {
        Ok(Response::Simple(_)) => Outcome::Started,
        Ok(Response::Error(error)) => {
            let error = printable(&error);
            match error.split_once(' ') {
                Some(("NOTLEADER" | "TRYAGAIN" | "BEHIND" | "CLUSTERDOWN", _)) => {
                    Outcome::Retry(error)
                }
                Some(("ERR", why)) => Outcome::Failed(why.to_owned()),
                _ => Outcome::Failed(error),
            }
        }
        Ok(_) => Outcome::Failed(format!("{node} gave an answer of a kind unknown here")),
        Err(error) => Outcome::Retry(format!("{node}: {error}")),
    }
}
