//! A client of other nodes for `ctl` and `--join`: fetches `INFO`, sends `QUORATE …`.

use core::time::Duration;
use std::io::{self, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use crate::consensus::LogProtocol;
use crate::response::{self, Response, printable};
use crate::{directory, info};

/// A node that sends nothing for this long is taken for down.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// A node whose answer is not whole after this is given up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Members that one answer may name, at most; a cluster has fewer.
const MAX_MEMBERS: usize = 64;

/// A node as it sees itself and its cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NodeInfo {
    pub(crate) id: u64,
    /// The number of its cluster.
    pub(crate) cluster: u64,
    pub(crate) role: String,
    pub(crate) standing: String,
    /// What keeps its log.
    pub(crate) protocol: LogProtocol,
    /// Grows with every leader.
    pub(crate) epoch: u64,
    /// The epoch as its protocol says it: a term, or a ballot.
    pub(crate) term: String,
    pub(crate) commit: u64,
    pub(crate) applied: u64,
    pub(crate) disk: String,
    /// It was removed while it was cut off.
    pub(crate) removed: bool,
    /// It applies nothing until a snapshot comes.
    pub(crate) awaits_snapshot: bool,
    /// Whose messages it keeps refusing, and why; empty for nobody.
    pub(crate) refusing: String,
    /// The last change of the members is committed.
    pub(crate) config_committed: bool,
    pub(crate) members: Vec<Member>,
}

/// A member of the cluster as another node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) id: u64,
    /// Where clients reach it; empty if nobody knows.
    pub(crate) client: String,
    pub(crate) standing: String,
    /// How many entries it is behind, and for how long it was silent, in ms; only a leader knows,
    /// and not of itself.
    pub(crate) lag: Option<(u64, u64)>,
    /// The last entry it had acknowledged before it lost some of those; only a leader knows.
    pub(crate) lost_entries: Option<u64>,
}

/// What the cluster knows about a node id, member or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdRecord {
    pub(crate) standing: String,
    /// The client address that the node last announced; empty if it never ran.
    pub(crate) client: String,
    /// The directory has an address of it: it is a member, or was one.
    pub(crate) has_address: bool,
}

impl NodeInfo {
    pub(crate) fn member(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// Its role as people are shown it.
    pub(crate) fn role_label(&self) -> &str {
        if self.removed {
            "removed"
        } else if self.role == "follower" && !self.standing.starts_with("voter") {
            &self.standing
        } else {
            &self.role
        }
    }
}

/// Fetches a node's `INFO`.
pub(crate) fn fetch_info(node: &str) -> io::Result<NodeInfo> {
    match send_command(node, &["INFO"])? {
        Response::Bulk(text) => Ok(parse(&String::from_utf8_lossy(&text))),
        Response::Error(error) => Err(io::Error::other(printable(&error))),
        _ => Err(io::Error::other("this is no node of Quorate")),
    }
}

/// Fetches what a node's cluster knows about an id; `None` if the node's version has no `QUORATE
/// NODE`.
///
/// # Errors
///
/// Why there is no answer.
pub(crate) fn fetch_id_record(node: &str, id: u64) -> io::Result<Option<IdRecord>> {
    match send_command(node, &["QUORATE", "NODE", &id.to_string()])? {
        Response::Bulk(text) => {
            let text = String::from_utf8_lossy(&text);
            let field = |name: &str| printable(info::field(&text, name));
            Ok(Some(IdRecord {
                standing: field("standing"),
                client: field("client"),
                has_address: !field("address").is_empty(),
            }))
        }
        Response::Error(error) if error.contains("unknown subcommand") => Ok(None),
        Response::Error(error) | Response::Simple(error) => {
            Err(io::Error::other(printable(&error)))
        }
    }
}

/// The leader of the highest epoch: an older one does not know yet that it was deposed.
pub(crate) fn leader(infos: &[(String, NodeInfo)]) -> Option<&(String, NodeInfo)> {
    infos.iter().filter(|(_, node)| node.role == "leader").max_by_key(|(_, node)| node.epoch)
}

pub(crate) fn parse(text: &str) -> NodeInfo {
    let field = |name: &str| info::field(text, name);
    let number = |name: &str| field(name).parse().unwrap_or(0);
    let words = |name: &str| printable(field(name));
    NodeInfo {
        id: number("node_id"),
        cluster: number("cluster"),
        role: words("role"),
        standing: words("standing"),
        // what has no such field knows Raft alone
        protocol: LogProtocol::parse(field("consensus")).unwrap_or(LogProtocol::Raft),
        epoch: number("epoch").max(number("term")),
        term: words(epoch_field(text)),
        commit: number("commit"),
        applied: number("applied"),
        disk: words("disk"),
        removed: number("removed") > 0,
        awaits_snapshot: number("awaits_snapshot") == 1,
        refusing: words("refusing"),
        config_committed: number("members_settled") == 1,
        members: text.lines().filter_map(member).take(MAX_MEMBERS).collect(),
    }
}

/// The field with a node's term or ballot.
pub(crate) fn epoch_field(text: &str) -> &'static str {
    if info::field(text, "ballot").is_empty() { "term" } else { "ballot" }
}

fn member(line: &str) -> Option<Member> {
    let (id, rest) = line.strip_prefix("peer")?.split_once(":address=")?;
    let field =
        |name: &str| rest.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| field(name)?.parse().ok();
    // an address is dialed and shown: one that is none is not known
    let client = field("client").filter(|client| directory::check(client).is_ok());
    Some(Member {
        id: id.parse().ok()?,
        client: client.unwrap_or_default().to_owned(),
        standing: printable(field("standing")?),
        lag: number("lag").zip(number("silent_ms")),
        lost_entries: number("lost"),
    })
}

/// One command on a connection of its own.
///
/// # Errors
///
/// Why there is no answer, in words: nothing listens there, it stays silent, or it is no node of Quorate.
pub(crate) fn send_command(node: &str, words: &[&str]) -> io::Result<Response> {
    let deadline = Instant::now() + TIMEOUT;
    let address = node.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut socket =
        TcpStream::connect_timeout(&address, READ_TIMEOUT).map_err(describe_timeout)?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    socket.set_write_timeout(Some(READ_TIMEOUT))?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    socket.write_all(request.as_bytes()).map_err(describe_timeout)?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        let read = match socket.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(describe_timeout)?,
        };
        bytes.extend_from_slice(&chunk[..read]);
        match response::parse(&bytes) {
            Ok(Some(response)) => return Ok(response),
            Err(malformed) => return Err(io::Error::other(malformed.to_string())),
            Ok(None) if read == 0 => {
                return Err(io::Error::other(
                    "it closed the connection in the middle of its answer",
                ));
            }
            // one that sends a byte at a time does not hold anybody up either
            Ok(None) if Instant::now() >= deadline => {
                let within = TIMEOUT.as_secs();
                let text = format!("no whole answer within {within} s");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Ok(None) => {}
        }
    }
}

/// Replaces the system's text for a timeout, which explains nothing.
fn describe_timeout(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let text = format!("no answer within {} s", READ_TIMEOUT.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, text)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leader_of_the_highest_term_is_chosen() {
        let node = |id: u64, role: &str, term: u64| {
            (String::new(), parse(&format!("node_id:{id}\r\nrole:{role}\r\nterm:{term}\r\n")))
        };
        let all = [node(1, "leader", 3), node(2, "leader", 4), node(3, "follower", 9)];
        assert_eq!(leader(&all).map(|(_, node)| node.id), Some(2));
        assert_eq!(leader(&all[2..]), None);
    }

    #[test]
    fn members_of_info_are_parsed() {
        let node = parse(
            "role:follower\r\nstanding:learner\r\npeers:2\r\npeer1:address=a:1,client=a:2,standing=voter\r\npeer2:address=[::1]:1,client=,standing=learner,state=probe,match=3,lag=4,silent_ms=5,lost=17\r\npeers_of_old:1\r\n",
        );
        assert_eq!(node.role_label(), "learner");
        let [first, second] = &node.members[..] else { panic!("{node:?}") };
        assert_eq!((first.id, &first.client[..], first.lag), (1, "a:2", None));
        assert_eq!((second.id, &second.client[..], second.lag), (2, "", Some((4, 5))));
        assert_eq!((first.lost_entries, second.lost_entries), (None, Some(17)));
        let hostile = parse(
            "role:\x1b[2J\u{202e}x\r\npeer3:address=a:1,client=\x1b]0;x:1,standing=v\x07\r\n",
        );
        assert_eq!(hostile.role, "\\u{1b}[2J\\u{202e}x");
        assert_eq!(
            (&hostile.members[0].client[..], &hostile.members[0].standing[..]),
            ("", "v\\u{7}")
        );
        let many: String =
            (0..100_000).map(|id| format!("peer{id}:address=,client=a:1,standing=v\n")).collect();
        assert_eq!(parse(&many).members.len(), MAX_MEMBERS);
        assert_eq!(node.member(2).map(|member| &member.standing[..]), Some("learner"));
    }
}
