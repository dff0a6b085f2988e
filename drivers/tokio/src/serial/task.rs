use std::io;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Rng;
use quorate_serial::{Decoder, Encoder, Endpoint, FrameError, OVERHEAD};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Address, MAX_PAYLOAD};
use crate::TcpOptions;
use crate::frame::{Kind, Parsed, parse};
use crate::priority::Priority;
use crate::tcp::Link;

const ROOM: usize = MAX_PAYLOAD + OVERHEAD;

/// Keeps the line to one peer.
pub(crate) struct SerialTask {
    pub(crate) link: Arc<Link>,
    pub(crate) address: Address,
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Arc<TcpOptions>,
    /// Wakes the loop.
    pub(crate) wake: Arc<Notify>,
    pub(crate) rng: Rng,
}

impl SerialTask {
    /// Opens the line, sends and receives, and does it again, for ever.
    pub(crate) async fn run(mut self) {
        let (min, max) = (self.options.backoff_min_ms, self.options.backoff_max_ms);
        let (mut backoff, mut last_error) = (min, String::new());
        loop {
            let link = &self.link.clone();
            let limit = Duration::from_millis(self.options.hello_timeout_ms);
            let error = match timeout(limit, self.address.open()).await {
                Ok(Ok((read, write))) => {
                    tracing::info!(peer = %link.id, line = %self.address, "the line is open");
                    (backoff, last_error) = (min, String::new());
                    link.set_up(false);
                    let ended = tokio::select! {
                        ended = self.receive(link, read) => ended,
                        ended = self.send(link, write) => ended,
                    };
                    link.set_down();
                    ended
                        .err()
                        .map_or_else(|| "closed by the other side".to_owned(), |e| e.to_string())
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it was not opened in time".to_owned(),
            };
            if last_error != error {
                tracing::warn!(peer = %link.id, line = %self.address, "the line is closed: {error}");
                last_error = error;
            }
            let wait = self.rng.range(backoff / 2, backoff.saturating_add(1)).max(1);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            backoff = backoff.saturating_mul(2).min(max);
        }
    }

    async fn receive(&self, link: &Link, mut read: impl AsyncRead + Unpin) -> io::Result<()> {
        let counters = &link.counters().link;
        let mut decoder = Box::new(Decoder::<ROOM>::new(self.endpoint));
        let mut bytes = [0; 4096];
        loop {
            link.wait_for_room(Priority::Urgent, bytes.len()).await;
            let len = read.read(&mut bytes).await?;
            if len == 0 {
                return Ok(());
            }
            counters.bytes_in.add(len as u64);
            let mut delivered = 0;
            for &byte in &bytes[..len] {
                match decoder.push(byte) {
                    Some(Ok(frame)) if frame.from == link.id => {
                        let kind =
                            if frame.application { Kind::Application } else { Kind::Message };
                        link.deliver(Priority::Urgent, kind, frame.payload);
                        delivered += 1;
                    }
                    Some(Ok(frame)) => {
                        counters.garbled.add(1);
                        tracing::debug!(peer = %link.id, from = %frame.from, "dropped a frame that is not from this line's peer");
                    }
                    Some(Err(FrameError::Address)) | None => {}
                    Some(Err(reason)) => {
                        counters.garbled.add(1);
                        tracing::debug!(peer = %link.id, "dropped a frame: {reason}");
                    }
                }
            }
            if delivered > 0 {
                counters.frames_in.add(delivered);
                self.wake.notify_one();
            }
        }
    }

    async fn send(&self, link: &Link, mut write: impl AsyncWrite + Unpin) -> io::Result<()> {
        let limit = Duration::from_millis(self.options.write_timeout_ms);
        let mut encoder = Box::new(Encoder::<ROOM>::new(self.endpoint));
        let (mut queued, mut bytes) = (Vec::new(), Vec::new());
        loop {
            link.channel(Priority::Urgent).outgoing.notified().await;
            while link.has_outgoing(Priority::Urgent) {
                link.take_outgoing(Priority::Urgent, &mut queued);
                bytes.clear();
                let sent = self.encode(link, &mut encoder, (&queued, &mut bytes));
                match timeout(limit, write.write_all(&bytes)).await {
                    Ok(result) => result?,
                    Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                }
                link.counters().link.frames_out.add(sent);
                link.counters().link.bytes_out.add(bytes.len() as u64);
            }
        }
    }

    /// Makes the queued frames into frames of the line; tells how many.
    fn encode(
        &self,
        link: &Link,
        encoder: &mut Encoder<ROOM>,
        (mut queued, bytes): (&[u8], &mut Vec<u8>),
    ) -> u64 {
        let mut sent = 0;
        while let Ok(Parsed::Frame { kind, payload, len }) =
            parse(queued, self.options.max_frame_bytes)
        {
            let frame = match kind {
                Kind::Application => encoder.encode_application(link.id, |out| out.raw(payload)),
                _ => encoder.encode(link.id, |out| out.raw(payload)),
            };
            match frame {
                Ok(frame) => {
                    bytes.extend(frame);
                    sent += 1;
                }
                _ => {
                    link.drop_oversized(payload.len(), MAX_PAYLOAD);
                }
            }
            queued = &queued[len..];
        }
        sent
    }
}
