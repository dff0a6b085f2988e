//! The connections of founders: one query, one answer.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_tokio::frame::{self, Kind, MAX_HELLO, Parsed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::message::Message;

/// A founder that does not answer for this long is silent.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are answered at a time.
const MAX_CONNECTIONS: usize = 64;

/// This node's own answer; the receiver is filled in.
pub(super) type Shared = Arc<Mutex<Message>>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum RpcError {
    /// Nothing listens there, or it does not answer.
    Unreachable(String),
    /// It answers in another way than a founder of this version.
    Incompatible(&'static str),
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Incompatible(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for RpcError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Queries the stage of a founder.
///
/// # Errors
///
/// Why there is no answer.
pub(super) async fn query(address: String, query: Message) -> Result<Message, RpcError> {
    let exchange = async {
        let mut stream = TcpStream::connect(&address).await?;
        let mut bytes = Vec::new();
        frame::push(&mut bytes, Kind::Query, &query.to_bytes());
        stream.write_all(&bytes).await?;
        match read_frame(&mut stream).await? {
            Some((Kind::QueryResponse, answer)) => Message::from_bytes(&answer).ok_or(
                RpcError::Incompatible("it answers in a form unknown here: is its version newer?"),
            ),
            _ => Err(RpcError::Incompatible(
                "it answers as an older version does, or is no node: give it this version of \
                 quorate-kv; if it is of a cluster that runs, do not found another, but start \
                 this node with --join",
            )),
        }
    };
    let silent = |_| Err(RpcError::Unreachable("it does not answer".into()));
    timeout(TIMEOUT, exchange).await.unwrap_or_else(silent)
}

/// Answers queries of founders, for ever; refuses the hellos of nodes that run already.
pub(super) async fn serve(listener: TcpListener, shared: Shared) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            // the querying node may be gone
            let _ = timeout(TIMEOUT, handle(stream, &shared)).await;
            drop(slot);
        });
    }
}

async fn handle(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut bytes = Vec::new();
    match read_frame(&mut stream).await? {
        Some((Kind::Query, query)) => {
            let Some(theirs) = Message::from_bytes(&query) else { return Ok(()) };
            let own = *shared.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = Message { receiver: theirs.sender, ..own };
            frame::push(&mut bytes, Kind::QueryResponse, &answer.to_bytes());
        }
        Some((Kind::Hello, _)) => {
            frame::push(
                &mut bytes,
                Kind::Refusal,
                b"this node waits for the others to found the cluster",
            );
        }
        _ => return Ok(()),
    }
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// The first frame; `None` if what comes is none, or nothing.
async fn read_frame(stream: &mut TcpStream) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let (mut bytes, mut part) = (Vec::new(), [0; MAX_HELLO]);
    loop {
        match frame::parse(&bytes, MAX_HELLO) {
            Ok(Parsed::Frame { kind, payload, .. }) => return Ok(Some((kind, payload.to_vec()))),
            Ok(Parsed::Partial { .. }) => {}
            Err(_) => return Ok(None),
        }
        match stream.read(&mut part).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}
