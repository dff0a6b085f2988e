//! A small blocking client of the Redis protocol.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than a node takes to give up on a command.
const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a reply, at most.
const MAX_REPLY_BYTES: usize = 8 << 20;

/// A connection to a node.
#[derive(Debug)]
pub struct Client {
    socket: BufReader<TcpStream>,
}

/// A reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// `+OK` and the like.
    Simple(String),
    /// What went wrong, in the server's words.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// No value.
    Null,
}

impl Client {
    /// Connects to a port of loopback.
    ///
    /// # Errors
    ///
    /// When nothing answers there.
    pub fn connect(port: u16) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
        socket.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Self { socket: BufReader::with_capacity(64 << 10, socket) })
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    ///
    /// When the connection fails, or nothing comes for some seconds: then whether the command was executed is not known.
    pub fn call(&mut self, words: &[&[u8]]) -> io::Result<Reply> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.socket.get_mut().write_all(&bytes)?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| invalid("an empty line"))?;
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(rest.parse().map_err(|_| invalid("no number"))?),
            "$" if rest == "-1" => Reply::Null,
            "$" => {
                let length: usize = rest.parse().map_err(|_| invalid("no length"))?;
                if length > MAX_REPLY_BYTES {
                    return Err(invalid("a reply is too long"));
                }
                let mut bytes = vec![0; length + 2];
                self.socket.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Bulk(bytes)
            }
            _ => return Err(invalid("a reply of a kind that is not expected")),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.socket.by_ref().take(64 << 10).read_until(b'\n', &mut line)?;
        let text = String::from_utf8(line).map_err(|_| invalid("a line that is no text"))?;
        text.strip_suffix("\r\n").map(str::to_owned).ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The fields of a node's `INFO`; `None` while it does not answer.
#[must_use]
pub fn info(port: u16) -> Option<Info> {
    match Client::connect(port).ok()?.call(&[b"INFO"]).ok()? {
        Reply::Bulk(text) => Some(Info(String::from_utf8_lossy(&text).into_owned())),
        _ => None,
    }
}

/// What a node says of itself.
#[derive(Clone, Debug)]
pub struct Info(String);

impl Info {
    /// A field as text; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default()
    }

    /// A field as a number; 0 where there is none.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::other(what)
}
