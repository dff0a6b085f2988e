use core::time::Duration;
use std::io::{self, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::Instant;

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use crate::cli::{CtlArgs, CtlVerb};
use crate::{Failure, info};

/// A node that does not answer for this long is taken for down.
const PATIENCE: Duration = Duration::from_secs(2);
/// A handover takes an election and a round of messages; after this it is given up.
const HANDOVER: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// Shows how the nodes of a cluster are, or hands the lead from one to another.
pub(crate) fn run(arguments: &CtlArgs) -> Result<(), Failure> {
    match arguments.verb {
        CtlVerb::Status => status(&arguments.nodes),
        CtlVerb::Transfer { to } => transfer(&arguments.nodes, to),
    }
}

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    id: u64,
    role: String,
    term: u64,
    commit: u64,
    applied: u64,
    disk: String,
}

fn status(nodes: &[String]) -> Result<(), Failure> {
    let seen: Vec<_> = nodes.iter().map(|node| (node, ask(node))).collect();
    out!(
        "{:>4}  {:<21} {:<13} {:>6} {:>12} {:>12} {:>8}  disk",
        "node",
        "address",
        "role",
        "term",
        "commit",
        "applied",
        "behind"
    );
    let furthest = seen.iter().filter_map(|(_, seen)| Some(seen.as_ref().ok()?.commit)).max();
    for (address, seen) in &seen {
        match seen {
            Ok(Seen { id, role, term, commit, applied, disk, .. }) => {
                let behind = furthest.unwrap_or(0).saturating_sub(*applied);
                out!(
                    "{id:>4}  {address:<21} {role:<13} {term:>6} {commit:>12} {applied:>12} {behind:>8}  {disk}"
                );
            }
            Err(error) => out!("   ?  {address:<21} does not answer: {error}"),
        }
    }
    let answers: Vec<&Seen> = seen.iter().filter_map(|(_, seen)| seen.as_ref().ok()).collect();
    if answers.is_empty() {
        return Err(Failure::Run("no node answers: see --nodes".into()));
    }
    leader(&answers).map(|_| ()).ok_or_else(|| Failure::Run("none of these nodes leads".into()))
}

fn transfer(nodes: &[String], to: u64) -> Result<(), Failure> {
    let first = look(nodes);
    let answers: Vec<&Seen> = first.iter().map(|(_, seen)| seen).collect();
    let Some(old) = leader(&answers).cloned() else {
        return Err(Failure::Run("none of these nodes leads: see `ctl status`".into()));
    };
    if old.id == to {
        out!("node {to} leads already, in term {}", old.term);
        return Ok(());
    }
    let address = first.iter().find(|(_, seen)| *seen == old).map(|(address, _)| address);
    let answer = address.map(|address| call(address, &["QUORATE", "TRANSFER", &to.to_string()]));
    match answer {
        Some(Ok(OwnedFrame::SimpleString(_))) => {}
        Some(Ok(OwnedFrame::Error(error))) => return Err(Failure::Run(error)),
        Some(Err(error)) => return Err(Failure::Run(format!("node {}: {error}", old.id))),
        _ => {
            return Err(Failure::Run(format!(
                "node {} gave an answer of a kind unknown here",
                old.id
            )));
        }
    }
    out!("node {} hands the lead to node {to}", old.id);
    let deadline = Instant::now() + HANDOVER;
    while Instant::now() < deadline {
        let now = look(nodes);
        let answers: Vec<&Seen> = now.iter().map(|(_, seen)| seen).collect();
        match leader(&answers) {
            Some(new) if new.id == to && new.term > old.term => {
                out!("node {to} leads, in term {}", new.term);
                return Ok(());
            }
            Some(new) if new.term > old.term => {
                return Err(Failure::Run(format!(
                    "node {} was elected in term {} meanwhile: try again",
                    new.id, new.term
                )));
            }
            _ => sleep(LOOK),
        }
    }
    Err(Failure::Run(format!(
        "node {to} does not lead after {} s, node {} may lead on: is node {to} up, and is its log not far behind (`ctl status`)?",
        HANDOVER.as_secs(),
        old.id
    )))
}

/// Those that answer, with their addresses.
fn look(nodes: &[String]) -> Vec<(&String, Seen)> {
    nodes.iter().filter_map(|node| Some((node, ask(node).ok()?))).collect()
}

/// Who leads the highest term that is led: an older leader does not know yet that it is none.
fn leader<'a>(seen: &[&'a Seen]) -> Option<&'a Seen> {
    seen.iter().filter(|seen| seen.role == "leader").max_by_key(|seen| seen.term).copied()
}

fn ask(node: &str) -> io::Result<Seen> {
    match call(node, &["INFO"])? {
        OwnedFrame::BulkString(text) => Ok(parse(&String::from_utf8_lossy(&text))),
        _ => Err(io::Error::other("this is no node of Quorate")),
    }
}

fn parse(text: &str) -> Seen {
    let field = |name: &str| info::field(text, name);
    let number = |name: &str| field(name).parse().unwrap_or(0);
    Seen {
        id: number("node_id"),
        role: field("role").to_owned(),
        term: number("term"),
        commit: number("commit"),
        applied: number("applied"),
        disk: field("disk").to_owned(),
    }
}

/// One command on a connection of its own.
fn call(node: &str, words: &[&str]) -> io::Result<OwnedFrame> {
    let address = node.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    socket.write_all(request.as_bytes())?;
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    while bytes.len() < 1 << 20 {
        match socket.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&part[..read]),
        }
        match decode(&bytes) {
            Ok(Some((frame, _))) => return Ok(frame),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    Err(io::Error::other("this is no node of Quorate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_leader_counts() {
        let seen = |id: u64, role: &str, term: u64| {
            parse(&format!("node_id:{id}\r\nrole:{role}\r\nterm:{term}\r\n"))
        };
        let (old, new, other) =
            (seen(1, "leader", 3), seen(2, "leader", 4), seen(3, "follower", 9));
        assert_eq!(leader(&[&old, &new, &other]), Some(&new));
        assert_eq!(leader(&[&other]), None);
    }
}
