//! Refuses clients and scrapers of metrics while a node waits for the other founders.

use core::future::pending;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::limits;

const CLIENT: &[u8] = b"-CLUSTERDOWN the cluster is not founded yet, the command was not executed: this node waits for the other founders, which its log names\r\n";
const METRICS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthe cluster is not founded yet: this node waits for the other founders, which its log names\n";

/// Connections that are answered at the same time.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Answers every client; never ends.
pub(crate) async fn serve_clients(listener: TcpListener) {
    reject_all(listener, CLIENT).await;
}

/// Answers every scrape, if there is a port for that; never ends.
pub(crate) async fn serve_metrics(listener: Option<TcpListener>) {
    match listener {
        Some(listener) => reject_all(listener, METRICS).await,
        None => pending().await,
    }
}

async fn reject_all(listener: TcpListener, reply: &'static [u8]) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::spawn(async move {
            // whether it took the answer makes no difference
            let _ = timeout(TIMEOUT, reject(socket, reply)).await;
            drop(slot);
        });
    }
}

/// Answers once. What is closed with something unread loses the answer, so what else is sent is read, too.
async fn reject(mut socket: TcpStream, reply: &[u8]) -> io::Result<()> {
    let mut part = [0; 4096];
    if socket.read(&mut part).await? == 0 {
        return Ok(());
    }
    socket.write_all(reply).await?;
    socket.shutdown().await?;
    let mut rest = limits::COMMAND_BYTES;
    while rest > 0 {
        match socket.read(&mut part).await? {
            0 => break,
            read => rest = rest.saturating_sub(read),
        }
    }
    Ok(())
}
