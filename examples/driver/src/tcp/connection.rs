use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::frame::{self, FrameError, Kind, Parsed};

/// Why no further frame comes.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The other side closed, between frames.
    Closed,
    /// The other side closed, within a frame.
    HalfFrame,
    Frame(FrameError),
    Io(io::Error),
}

/// Bytes from a connection, cut into frames.
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// What is received and not yet taken.
    start: usize,
    end: usize,
    max: usize,
}

const STEP: usize = 256 << 10;

impl Frames {
    /// Takes frames of at most this many bytes.
    pub(crate) const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, max }
    }

    pub(crate) const fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// The next frame of those received.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, &[u8])>, FrameError> {
        match frame::parse(&self.bytes[self.start..self.end], self.max)? {
            Parsed::Frame { kind, len, .. } => {
                let frame = self.start..self.start + len;
                self.start = frame.end;
                Ok(Some((kind, &self.bytes[frame][frame::HEADER + 1..])))
            }
            Parsed::Partial { needed } => {
                self.make_room(needed);
                Ok(None)
            }
        }
    }

    /// Receives some more bytes; cancel safe.
    pub(crate) async fn fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<usize, ReadError> {
        if self.end == self.bytes.len() {
            self.make_room(self.end - self.start + 1);
        }
        match stream.read(&mut self.bytes[self.end..]).await {
            Ok(0) if self.start == self.end => Err(ReadError::Closed),
            Ok(0) => Err(ReadError::HalfFrame),
            Ok(n) => {
                self.end += n;
                Ok(n)
            }
            Err(error) => Err(ReadError::Io(error)),
        }
    }

    /// Waits for a frame.
    pub(crate) async fn wait(
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

    /// Moves what is left to the front, and has room for a frame of `needed` bytes.
    fn make_room(&mut self, needed: usize) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // a stranger gets little, and a large frame's memory is not kept
        let len = if self.max <= frame::MAX_HELLO { frame::MAX_HELLO } else { needed.max(STEP) };
        if len != self.bytes.len() {
            self.bytes.resize(len.max(self.end), 0);
            self.bytes.shrink_to(len);
        }
    }
}
