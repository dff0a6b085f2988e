use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use super::until_or;

/// A blocking client that speaks RESP2.
pub struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Value>),
    Null,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Self> {
        let socket =
            TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(10))?;
        socket.set_nodelay(true)?;
        // longer than any node tries to have a command executed
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { socket, buffer: Vec::new() })
    }

    /// A client on a connection that is there.
    pub fn from_socket(socket: TcpStream) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    /// A client of a node, as soon as that serves clients.
    pub fn wait_for(port: u16) -> Self {
        until_or(&format!("the node at port {port} to serve clients"), || {
            let mut client = Self::connect(port).map_err(|error| error.to_string())?;
            match client.call(&["PING"]) {
                Ok(Value::Simple(_)) => Ok(client),
                answer => Err(format!("{answer:?}")),
            }
        })
    }

    /// Sends one command and takes its reply.
    pub fn call(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(&[words])?;
        self.receive()
    }

    /// Asks until it works: a leader may be elected at any time, on a machine with much else to do also without a fault. What was
    /// not executed is asked for again, and what may have been if that makes no difference.
    pub fn call_ok(&mut self, words: &[&str]) -> Value {
        let again = is_repeatable(words);
        let shown: Vec<String> = words.iter().map(|word| shown_word(word)).collect();
        until_or(&format!("{shown:?} to be executed"), || match self.call(words) {
            Ok(Value::Error(error)) if error.contains("was not executed") => Err(error),
            Ok(Value::Error(error)) if again && error.contains("unknown") => Err(error),
            Ok(Value::Error(error)) => panic!("{shown:?}: {error}"),
            Ok(value) => Ok(value),
            Err(error) => panic!("{shown:?}: {error}"),
        })
    }

    /// Asks until the answer begins as it should.
    pub fn call_until(&mut self, words: &[&str], wanted: &str) -> String {
        until_or(&format!("{words:?} to be answered with {wanted}"), || {
            let text = self.call(words).map_err(|error| error.to_string())?.text();
            if text.starts_with(wanted) { Ok(text) } else { Err(text) }
        })
    }

    /// Sends commands together.
    pub fn send(&mut self, commands: &[&[&str]]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in *words {
                bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        self.socket.write_all(&bytes)
    }

    pub fn receive(&mut self) -> io::Result<Value> {
        loop {
            if !self.buffer.is_empty() {
                let decoded =
                    decode(&self.buffer).map_err(|error| io::Error::other(error.to_string()))?;
                if let Some((frame, taken)) = decoded {
                    self.buffer.drain(..taken);
                    return Ok(frame.into());
                }
            }
            let mut part = [0; 16 << 10];
            match self.socket.read(&mut part) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.buffer.extend_from_slice(&part[..read]),
                // a read with a time limit is not begun again by the system
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Value {
    pub fn text(&self) -> String {
        match self {
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Null => String::new(),
            Self::Array(values) => values.iter().map(Self::text).collect::<Vec<_>>().join(" "),
        }
    }

    /// A counter's value, or 0 where there is none.
    pub fn number(&self) -> u64 {
        match self {
            Self::Null => 0,
            other => other.text().parse().unwrap_or_else(|_| panic!("no number: {other:?}")),
        }
    }
}

impl From<OwnedFrame> for Value {
    fn from(frame: OwnedFrame) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match frame {
            OwnedFrame::SimpleString(bytes) => Self::Simple(text(&bytes)),
            OwnedFrame::Error(error) => Self::Error(error),
            OwnedFrame::Integer(number) => Self::Integer(number),
            OwnedFrame::BulkString(bytes) => Self::Bulk(bytes),
            OwnedFrame::Array(frames) => Self::Array(frames.into_iter().map(Self::from).collect()),
            OwnedFrame::Null => Self::Null,
        }
    }
}

/// Whether a command that is executed twice has the effect and the reply of one.
fn is_repeatable(words: &[&str]) -> bool {
    match words {
        ["SET", _, _] | ["MSET", ..] | ["FLUSHALL"] => true,
        [name, ..] => {
            let reads = ["GET", "MGET", "STRLEN", "EXISTS", "DBSIZE", "SCAN", "WAIT", "READONLY"];
            reads.contains(name)
        }
        [] => false,
    }
}

/// A word of a command as it is shown to people.
fn shown_word(word: &str) -> String {
    match word.char_indices().nth(60) {
        Some((at, _)) => format!("{}… ({} bytes)", &word[..at], word.len()),
        None => word.to_owned(),
    }
}
