//! Serial lines between nodes, that can be cut and disturbed.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::Rng;

use crate::Failure;
use crate::noise::{ForeignFrame, Noise, NoiseCounts, delimit};
use crate::uart_socket::{Input, UartSocket, UartWriter};

/// A serial line between two nodes, which the bench can cut, heal and disturb, each direction by itself.
#[derive(Debug)]
pub struct Wire {
    ends: (u64, u64),
    there: Direction,
    back: Direction,
    sockets: (UartSocket, UartSocket),
}

/// One direction of a wire. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Direction(Arc<Mutex<State>>);

/// How much went through one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Bytes that came in.
    pub bytes: u64,
    /// Frames that came in.
    pub frames: u64,
    /// Frames lost because the wire was cut.
    pub cut: u64,
    /// Bytes that no node was connected to receive.
    pub undelivered: u64,
    /// What noise did.
    pub noise: NoiseCounts,
}

/// Frames of a direction that can be replayed or looked at.
const RECENT: usize = 256;
/// More without a zero is no frame: it goes on as it is.
const MAX_LENGTH: usize = 8192;

#[derive(Debug)]
struct State {
    to: u64,
    out: UartWriter,
    cut: bool,
    noise: Noise,
    rng: Rng,
    foreign_frame: ForeignFrame,
    /// The frame that is coming in.
    partial: Vec<u8>,
    recent: VecDeque<Vec<u8>>,
    counts: Counts,
}

impl Wire {
    /// A wire between two nodes; each connects to its own socket.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when a socket cannot be made.
    pub fn new(
        (a, path_a): (u64, &Path),
        (b, path_b): (u64, &Path),
        rng: &mut Rng,
        foreign_frame: ForeignFrame,
    ) -> Result<Self, Failure> {
        let (writer_a, writer_b) = (UartWriter::default(), UartWriter::default());
        let there = Direction::new(b, writer_b.clone(), rng.fork(), foreign_frame);
        let back = Direction::new(a, writer_a.clone(), rng.fork(), foreign_frame);
        let (from_a, from_b) = (there.clone(), back.clone());
        let socket_a = UartSocket::open(path_a, writer_a, move |input| from_a.take(input))?;
        let socket_b = UartSocket::open(path_b, writer_b, move |input| from_b.take(input))?;
        Ok(Self { ends: (a, b), there, back, sockets: (socket_a, socket_b) })
    }

    /// The two nodes.
    #[must_use]
    pub const fn ends(&self) -> (u64, u64) {
        self.ends
    }

    /// The socket that a node connects to.
    #[must_use]
    pub fn path(&self, node: u64) -> &Path {
        if node == self.ends.0 { self.sockets.0.path() } else { self.sockets.1.path() }
    }

    /// The direction away from a node.
    #[must_use]
    pub const fn from(&self, node: u64) -> &Direction {
        if node == self.ends.0 { &self.there } else { &self.back }
    }

    /// Both directions.
    #[must_use]
    pub const fn directions(&self) -> [&Direction; 2] {
        [&self.there, &self.back]
    }
}

impl Direction {
    fn new(to: u64, out: UartWriter, rng: Rng, foreign_frame: ForeignFrame) -> Self {
        Self(Arc::new(Mutex::new(State {
            to,
            out,
            cut: false,
            noise: Noise::default(),
            rng,
            foreign_frame,
            partial: Vec::new(),
            recent: VecDeque::new(),
            counts: Counts::default(),
        })))
    }

    /// Nothing comes through from now on, or everything again.
    pub fn cut(&self, cut: bool) {
        self.lock().cut = cut;
    }

    /// Disturbs it from now on; [`Noise::default`] is silence.
    pub fn disturb(&self, noise: Noise) {
        self.lock().noise = noise;
    }

    /// Whether it is cut, and its noise.
    #[must_use]
    pub fn condition(&self) -> (bool, Noise) {
        let state = self.lock();
        (state.cut, state.noise)
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The last frames that came in, without their zeros, as they were sent.
    #[must_use]
    pub fn recent(&self) -> Vec<Vec<u8>> {
        self.lock().recent.iter().cloned().collect()
    }

    /// Sends bytes to the receiving end, as if they came off the line.
    pub fn inject(&self, bytes: &[u8]) {
        self.lock().send(bytes);
    }

    fn take(&self, input: Input<'_>) {
        let mut state = self.lock();
        match input {
            Input::Connected => state.partial.clear(),
            Input::Bytes(bytes) => state.pass(bytes),
            // the sender died in the middle of a frame: its bytes are on the line
            Input::Disconnected => state.flush(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&mut self, bytes: &[u8]) {
        self.counts.bytes += bytes.len() as u64;
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte != 0 {
                self.partial.push(byte);
            } else if !self.partial.is_empty() {
                let frame = core::mem::take(&mut self.partial);
                self.frame(frame, &mut out);
            }
            if self.partial.len() > MAX_LENGTH {
                self.flush();
            }
        }
        self.send(&out);
    }

    fn frame(&mut self, frame: Vec<u8>, out: &mut Vec<u8>) {
        self.counts.frames += 1;
        if self.cut {
            self.counts.cut += 1;
        } else if self.noise == Noise::default() {
            delimit(&frame, out);
        } else {
            if self.noise.foreign_frame_due(&mut self.rng) {
                out.extend((self.foreign_frame)(&mut self.rng, self.to));
                self.counts.noise.foreign_frames += 1;
            }
            let done = &mut self.counts.noise;
            self.noise.apply(&frame, &self.recent, &mut self.rng, done, out);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(frame);
    }

    fn flush(&mut self) {
        let partial = core::mem::take(&mut self.partial);
        if !self.cut && !partial.is_empty() {
            self.send(&[&[0], partial.as_slice()].concat());
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let taken = self.out.write(bytes);
            self.counts.undelivered += (bytes.len() - taken) as u64;
        }
    }
}

impl Counts {
    /// Adds those of another direction.
    pub const fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.frames += other.frames;
        self.cut += other.cut;
        self.undelivered += other.undelivered;
        self.noise.add(&other.noise);
    }
}
