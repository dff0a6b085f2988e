//! What a node says of itself to whoever asks it as a client, and how it is asked.

use core::time::Duration;
use std::io::{self, Read, Write as _};
use std::net::{TcpStream, ToSocketAddrs};

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use crate::info;

/// A node that does not answer for this long is taken for down.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node as it sees itself and its cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) id: u64,
    /// The number of its cluster.
    pub(crate) cluster: u64,
    pub(crate) role: String,
    pub(crate) standing: String,
    pub(crate) term: u64,
    pub(crate) commit: u64,
    pub(crate) applied: u64,
    pub(crate) disk: String,
    /// The last change of the members is committed.
    pub(crate) settled: bool,
    pub(crate) members: Vec<Member>,
}

/// A member of the cluster as another node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) id: u64,
    /// Where clients reach it; empty if nobody knows.
    pub(crate) client: String,
    pub(crate) standing: String,
    /// How many entries it lacks, and for how long it has not been heard, in ms; only a leader knows, and not of itself.
    pub(crate) lag: Option<(u64, u64)>,
}

impl Seen {
    pub(crate) fn member(&self, id: u64) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// What it does in its cluster.
    pub(crate) fn part(&self) -> &str {
        if self.role == "follower" && !self.standing.starts_with("voter") {
            &self.standing
        } else {
            &self.role
        }
    }
}

/// Asks a node how it is.
pub(crate) fn ask(node: &str) -> io::Result<Seen> {
    match call(node, &["INFO"])? {
        OwnedFrame::BulkString(text) => Ok(parse(&String::from_utf8_lossy(&text))),
        _ => Err(io::Error::other("this is no node of Quorate")),
    }
}

/// Who leads the highest term that is led: an older leader does not know yet that it is none.
pub(crate) fn leader(seen: &[(String, Seen)]) -> Option<&(String, Seen)> {
    seen.iter().filter(|(_, seen)| seen.role == "leader").max_by_key(|(_, seen)| seen.term)
}

pub(crate) fn parse(text: &str) -> Seen {
    let field = |name: &str| info::field(text, name);
    let number = |name: &str| field(name).parse().unwrap_or(0);
    Seen {
        id: number("node_id"),
        cluster: number("cluster"),
        role: field("role").to_owned(),
        standing: field("standing").to_owned(),
        term: number("term"),
        commit: number("commit"),
        applied: number("applied"),
        disk: field("disk").to_owned(),
        settled: number("members_settled") == 1,
        members: text.lines().filter_map(member).collect(),
    }
}

fn member(line: &str) -> Option<Member> {
    let (id, rest) = line.strip_prefix("peer")?.split_once(":address=")?;
    let field =
        |name: &str| rest.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| field(name)?.parse().ok();
    Some(Member {
        id: id.parse().ok()?,
        client: field("client")?.to_owned(),
        standing: field("standing")?.to_owned(),
        lag: number("lag").zip(number("silent_ms")),
    })
}

/// One command on a connection of its own.
pub(crate) fn call(node: &str, words: &[&str]) -> io::Result<OwnedFrame> {
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
            (String::new(), parse(&format!("node_id:{id}\r\nrole:{role}\r\nterm:{term}\r\n")))
        };
        let all = [seen(1, "leader", 3), seen(2, "leader", 4), seen(3, "follower", 9)];
        assert_eq!(leader(&all).map(|(_, seen)| seen.id), Some(2));
        assert_eq!(leader(&all[2..]), None);
    }

    #[test]
    fn members_are_read() {
        let seen = parse(
            "role:follower\r\nstanding:learner\r\npeers:2\r\npeer1:address=a:1,client=a:2,standing=voter\r\npeer2:address=[::1]:1,client=,standing=learner,state=probe,match=3,lag=4,silent_ms=5\r\npeers_of_old:1\r\n",
        );
        assert_eq!(seen.part(), "learner");
        let [first, second] = &seen.members[..] else { panic!("{seen:?}") };
        assert_eq!((first.id, &first.client[..], first.lag), (1, "a:2", None));
        assert_eq!((second.id, &second.client[..], second.lag), (2, "", Some((4, 5))));
        assert_eq!(seen.member(2).map(|member| &member.standing[..]), Some("learner"));
    }
}
