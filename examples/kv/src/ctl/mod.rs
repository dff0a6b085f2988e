//! `quorate-kv ctl`: what operators see of a cluster, and what they ask of it.

mod members;
mod status;
mod transfer;

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::thread::sleep;
use std::time::Instant;

use crate::cli::{CtlArgs, CtlVerb};
use crate::remote::{Seen, leader};
use crate::response::{Response, printable};
use crate::{Failure, remote};

/// An election, a handover, a change and a round of messages are over in less.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// Does what the command line says.
pub(crate) fn run(arguments: &CtlArgs) -> Result<(), Failure> {
    let nodes = &arguments.nodes;
    match &arguments.verb {
        CtlVerb::Status => status::run(nodes),
        CtlVerb::Transfer { to } => transfer::run(nodes, *to),
        CtlVerb::Add { id, address, learner, patience_s } => {
            let patience = Duration::from_secs(*patience_s);
            members::add(nodes, *id, address, *learner, patience)
        }
        CtlVerb::Move { id, address } => members::relocate(nodes, *id, address),
        CtlVerb::Promote { id } => members::promote(nodes, *id),
        CtlVerb::Demote { id } => members::demote(nodes, *id),
        CtlVerb::Remove { id } => members::remove(nodes, *id),
    }
}

/// Nodes that are asked for one survey, at most: what a node says of others is not believed without end.
const NODES: usize = 64;

/// What the nodes say that were named, and those that they know of.
struct Survey {
    /// Who answered, with the addresses they were asked at.
    seen: Vec<(String, Seen)>,
    /// Who was named and did not.
    silent: Vec<(String, io::Error)>,
}

fn survey(nodes: &[String]) -> Survey {
    let mut survey = Survey { seen: Vec::new(), silent: Vec::new() };
    let mut asked = BTreeSet::new();
    let mut next: Vec<String> = nodes.to_vec();
    while let Some(node) = next.pop() {
        if asked.len() >= NODES || !asked.insert(node.clone()) {
            continue;
        }
        match remote::ask(&node) {
            Ok(seen) if survey.seen.iter().any(|(_, other)| other.id == seen.id) => {}
            Ok(seen) => {
                let others = seen.members.iter().filter(|member| member.id != seen.id);
                next.extend(others.map(|member| member.client.clone()).filter(|c| !c.is_empty()));
                survey.seen.push((node, seen));
            }
            Err(error) => survey.silent.push((node, error)),
        }
    }
    survey.seen.sort_by_key(|(_, seen)| seen.id);
    survey
}

/// The leader and where it is; it may be just being elected.
fn find_leader(nodes: &[String]) -> Result<(String, Seen), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Survey { seen, .. } = survey(nodes);
        if let Some(found) = leader(&seen) {
            return Ok(found.clone());
        }
        if seen.is_empty() {
            return Err(Failure::Run("no node answers: see --nodes".into()));
        }
        if Instant::now() >= deadline {
            return Err(Failure::Run("none of these nodes leads: see `ctl status`".into()));
        }
        sleep(LOOK);
    }
}

/// An answer to what was asked of the leader.
enum BatchReply {
    /// It has begun.
    Begun,
    /// It cannot be yet.
    Later(String),
    /// It cannot be.
    No(String),
}

fn ask(node: &str, words: &[&str]) -> BatchReply {
    match remote::call(node, words) {
        Ok(Response::Simple(_)) => BatchReply::Begun,
        Ok(Response::Error(error)) => {
            let error = printable(&error);
            match error.split_once(' ') {
                Some(("NOTLEADER" | "TRYAGAIN" | "BEHIND" | "CLUSTERDOWN", _)) => {
                    BatchReply::Later(error)
                }
                Some(("ERR", why)) => BatchReply::No(why.to_owned()),
                _ => BatchReply::No(error),
            }
        }
        Ok(_) => BatchReply::No(format!("{node} gave an answer of a kind unknown here")),
        Err(error) => BatchReply::Later(format!("{node}: {error}")),
    }
}
