use quorate_core::{NodeId, Reader};

use crate::cobs::{CobsDecoder, Decoded};
use crate::{APPLICATION, CRC, CRC_LEN, Counters, Endpoint, FrameError, VERSION};

/// Finds frames in what comes off a line. `N` is the room for one, unstuffed: a payload and [`OVERHEAD`](crate::OVERHEAD).
#[derive(Clone, Debug)]
pub struct Decoder<const N: usize> {
    endpoint: Endpoint,
    body: [u8; N],
    len: usize,
    state: CobsDecoder,
    /// Nothing counts until the next zero.
    overflowed: bool,
    counters: Counters,
}

/// A frame for this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Who sent it, by its own word.
    pub from: NodeId,
    /// It carries bytes of the application, and no message of the machine.
    pub application: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

impl<const N: usize> Decoder<N> {
    /// For this end of a line.
    #[must_use]
    pub const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            body: [0; N],
            len: 0,
            state: CobsDecoder::NEW,
            overflowed: false,
            counters: Counters::NEW,
        }
    }

    /// Takes the next byte off the line. A frame, or the reason it is none, comes with the zero that ends it.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_serial::{Decoder, FrameError, Endpoint};
    /// let mut decoder = Decoder::<64>::new(Endpoint { cluster: 1, node: NodeId::new(1) });
    /// assert_eq!(decoder.push(3), None);
    /// assert_eq!(decoder.push(0), Some(Err(FrameError::Garbled)));
    /// ```
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        if byte != 0 {
            self.push_byte(byte);
            return None;
        }
        let (len, overflowed, complete) = (self.len, self.overflowed, self.state.complete());
        (self.len, self.overflowed, self.state) = (0, false, CobsDecoder::NEW);
        if overflowed {
            self.counters.count(FrameError::TooLong);
            return Some(Err(FrameError::TooLong));
        }
        if len == 0 && complete {
            return None; // two zeros in a row: the end of one frame and the beginning of the next
        }
        let body = self.body.get(..len).filter(|_| complete).unwrap_or(&[]);
        let result = parse(body, self.endpoint);
        match result {
            Ok(_) => self.counters.frames = self.counters.frames.saturating_add(1),
            Err(reason) => self.counters.count(reason),
        }
        Some(result)
    }

    /// What was found so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn push_byte(&mut self, byte: u8) {
        let Decoded::Byte(byte) = self.state.push(byte) else {
            return;
        };
        if let Some(room) = self.body.get_mut(self.len) {
            *room = byte;
            self.len = self.len.saturating_add(1);
        } else {
            self.overflowed = true;
        }
    }
}

fn parse(body: &[u8], endpoint: Endpoint) -> Result<Frame<'_>, FrameError> {
    let (head, crc) = body.split_last_chunk::<CRC_LEN>().ok_or(FrameError::Garbled)?;
    if CRC.checksum(head) != u32::from_le_bytes(*crc) {
        return Err(FrameError::Garbled);
    }
    // who makes the checksum right makes the rest right too, unless it speaks something else
    let mut input = Reader::new(head);
    let version = input.u8().map_err(|_| FrameError::Version)?;
    if version & !APPLICATION != VERSION {
        return Err(FrameError::Version);
    }
    let mut number = || input.u64().map_err(|_| FrameError::Version);
    let (cluster, to, from) = (number()?, number()?, number()?);
    if cluster != endpoint.cluster {
        return Err(FrameError::Cluster);
    }
    if to != endpoint.node.get() {
        return Err(FrameError::Address);
    }
    let application = version & APPLICATION != 0;
    Ok(Frame { from: NodeId::new(from), application, payload: input.rest() })
}
