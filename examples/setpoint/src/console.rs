use std::io;

use quorate_serial::LineReader;
use quorate_tokio::Handle;
use quorate_tokio::serial::Address;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use crate::server::{ConsoleLine, Server};

/// Takes commands, a line each, and answers them, a line each; from standard input if no socket is named. Ends with its input.
pub(crate) async fn serve(socket: Option<Address>, node: Handle<Server>) -> Result<(), String> {
    let result = match &socket {
        None => serve_lines(tokio::io::stdin(), tokio::io::stdout(), node).await,
        Some(address) => match address.open().await {
            Ok((read, write)) => serve_lines(read, write, node).await,
            Err(error) => return Err(format!("cannot open the console {address}: {error}")),
        },
    };
    result.map_err(|error| format!("the console failed: {error}"))
}

async fn serve_lines(
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    node: Handle<Server>,
) -> io::Result<()> {
    let (mut lines, mut bytes) = (LineReader::<256>::new(), [0; 1024]);
    loop {
        let len = read.read(&mut bytes).await?;
        if len == 0 {
            return Ok(());
        }
        for &byte in &bytes[..len] {
            let Some(line) = lines.push(byte) else {
                continue;
            };
            let (answer, answered) = oneshot::channel();
            if node.send(ConsoleLine { line: line.to_vec(), answer }).await.is_err() {
                return Ok(());
            }
            let answer = answered.await;
            let text =
                answer.as_ref().map_or(&b"error the node stopped"[..], |text| text.as_bytes());
            write.write_all(text).await?;
            write.write_all(b"\n").await?;
            write.flush().await?;
        }
    }
}
