use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::budget::Share;
use crate::frame::{self, FrameError, Kind, Parsed};
use crate::zeros::extend_with_zeros;

/// Why no further frame comes.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The other side closed, between frames.
    Closed,
    /// The other side closed, within a frame.
    Truncated,
    Frame(FrameError),
    Io(io::Error),
}

/// Bytes from a connection, cut into frames.
///
/// The buffer grows with what arrived, not with what was announced: it is at most twice as large as what was received of the
/// present frame, or [`UNCHARGED_BYTES`], and above that it is charged to a budget.
pub(crate) struct FrameReader {
    bytes: Vec<u8>,
    /// What is received and not yet taken.
    start: usize,
    end: usize,
    /// Bytes of the frame at the front, as far as it is known.
    needed: usize,
    max: usize,
    share: Option<Share>,
}

/// The first buffer of a connection.
const MIN_BUFFER_BYTES: usize = 4 << 10;
/// A buffer of up to this size is any connection's, and kept.
pub(crate) const UNCHARGED_BYTES: usize = 64 << 10;

impl FrameReader {
    /// Takes frames of at most this many bytes, which are fewer than [`UNCHARGED_BYTES`].
    pub(crate) const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, needed: frame::HEADER, max, share: None }
    }

    /// From now on takes frames of at most `max` bytes, whose buffers are charged to `share`.
    pub(crate) fn raise_limit(&mut self, max: usize, share: Share) {
        self.max = max;
        self.share = Some(share);
    }

    /// Bytes that the buffer takes.
    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The next frame of those received.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, &[u8])>, FrameError> {
        match frame::parse(&self.bytes[self.start..self.end], self.max)? {
            Parsed::Frame { kind, len, .. } => {
                let frame = self.start..self.start + len;
                self.start = frame.end;
                self.needed = frame::HEADER;
                Ok(Some((kind, &self.bytes[frame][frame::HEADER + 1..])))
            }
            Parsed::Partial { needed } => {
                self.needed = needed;
                Ok(None)
            }
        }
    }

    /// Receives some more bytes, when [`next`](Self::next) has no more; cancel safe.
    pub(crate) async fn fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<usize, ReadError> {
        self.make_room().await;
        match stream.read(&mut self.bytes[self.end..]).await {
            Ok(0) if self.start == self.end => Err(ReadError::Closed),
            Ok(0) => Err(ReadError::Truncated),
            Ok(n) => {
                self.end += n;
                Ok(n)
            }
            Err(error) => Err(ReadError::Io(error)),
        }
    }

    /// Waits for a frame.
    pub(crate) async fn read_frame(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<(Kind, Vec<u8>), ReadError> {
        loop {
            if let Some((kind, payload)) = self.next().map_err(ReadError::Frame)? {
                return Ok((kind, payload.to_vec()));
            }
            self.fill(stream).await?;
        }
    }

    /// Moves what is left to the front, and sees to it that more can be received.
    async fn make_room(&mut self) {
        let was_full = self.end == self.bytes.len();
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let len = if self.max <= frame::MAX_HELLO {
            // a stranger gets little
            frame::MAX_HELLO
        } else if self.bytes.len() > UNCHARGED_BYTES && self.needed <= UNCHARGED_BYTES {
            // a large frame's memory is not kept
            UNCHARGED_BYTES.max(self.end)
        } else if was_full {
            // one more byte must fit: the frame at the front is not whole
            let most = self.needed.max(UNCHARGED_BYTES);
            (2 * self.bytes.len()).clamp(MIN_BUFFER_BYTES, most).max(self.end + 1)
        } else {
            self.bytes.len().max(MIN_BUFFER_BYTES)
        };
        if len != self.bytes.len() {
            self.resize(len).await;
        }
    }

    async fn resize(&mut self, len: usize) {
        if len > self.bytes.len() {
            if let (Some(share), true) = (&self.share, len > UNCHARGED_BYTES) {
                share.grow(len).await;
            }
            self.bytes.reserve_exact(len - self.bytes.len());
            extend_with_zeros(&mut self.bytes, len);
        } else {
            self.bytes.truncate(len);
            self.bytes.shrink_to(len);
            if let Some(share) = &self.share {
                share.shrink(if len > UNCHARGED_BYTES { len } else { 0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::tcp::budget::Budget;

    const MAX: usize = 2 << 20;

    fn frames(budget: &Arc<Budget>) -> FrameReader {
        let mut frames = FrameReader::new(frame::MAX_HELLO);
        frames.raise_limit(MAX, budget.share());
        frames
    }

    async fn take(frames: &mut FrameReader, mut bytes: &[u8]) -> usize {
        let mut taken = 0;
        while !bytes.is_empty() {
            frames.fill(&mut bytes).await.unwrap();
            while frames.next().unwrap().is_some() {
                taken += 1;
            }
        }
        taken
    }

    #[tokio::test]
    async fn announced_length_takes_no_memory() {
        let budget = Arc::new(Budget::new(MAX));
        let announced = u32::try_from(MAX - frame::HEADER).unwrap().to_le_bytes();
        let mut all = Vec::new();
        for _ in 0..63 {
            let mut frames = frames(&budget);
            assert_eq!(take(&mut frames, &[&announced[..], &[0; 4]].concat()).await, 0);
            frames.make_room().await;
            all.push(frames);
        }
        let bytes: usize = all.iter().map(FrameReader::capacity).sum();
        assert_eq!(bytes, 63 * MIN_BUFFER_BYTES);
    }

    #[tokio::test]
    async fn buffer_grows_with_received_bytes() {
        let budget = Arc::new(Budget::new(MAX));
        let mut frames = frames(&budget);
        let mut bytes = Vec::new();
        frame::push(&mut bytes, Kind::Application, &vec![7; MAX - frame::len(0)]);
        let mut sent = 0;
        while sent < bytes.len() {
            let piece = 30_000.min(bytes.len() - sent);
            assert_eq!(
                take(&mut frames, &bytes[sent..sent + piece]).await > 0,
                sent + piece == MAX
            );
            sent += piece;
            assert!(frames.capacity() <= (2 * sent).clamp(MIN_BUFFER_BYTES, MAX), "{sent} arrived");
        }
        // it is given back for small frames, whose buffer is kept
        let mut small = Vec::new();
        frame::push(&mut small, Kind::Application, b"small");
        for _ in 0..3 {
            assert_eq!(take(&mut frames, &small).await, 1);
        }
        assert!(frames.capacity() <= UNCHARGED_BYTES);
        let other = budget.share();
        other.grow(MAX).await;
    }
}
