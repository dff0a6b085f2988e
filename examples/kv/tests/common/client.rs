use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

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
            TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_secs(2))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { socket, buffer: Vec::new() })
    }

    pub fn connect_within(port: u16, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        loop {
            match Self::connect(port) {
                Ok(client) => return client,
                Err(error) => assert!(Instant::now() < deadline, "port {port}: {error}"),
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Sends one command and takes its reply.
    pub fn ask(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(&[words])?;
        self.receive()
    }

    /// Asks, and expects it to work.
    pub fn must(&mut self, words: &[&str]) -> Value {
        match self.ask(words) {
            Ok(Value::Error(error)) => panic!("{words:?}: {error}"),
            Ok(value) => value,
            Err(error) => panic!("{words:?}: {error}"),
        }
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
            match self.socket.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend_from_slice(&part[..read]),
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
