use core::iter::{Chain, Once, once};

use quorate_core::{NodeId, Overflow, Writer};

use crate::cobs::CobsEncoder;
use crate::{APPLICATION, CRC, CRC_LEN, Endpoint, VERSION};

/// Makes frames. `N` is the room for one, unstuffed: a payload and [`OVERHEAD`](crate::OVERHEAD).
#[derive(Clone, Debug)]
pub struct Encoder<const N: usize> {
    endpoint: Endpoint,
    body: [u8; N],
}

/// The bytes of a frame, in the order they go onto the line.
#[derive(Clone, Debug)]
pub struct Encoded<'a>(Chain<Chain<Once<u8>, CobsEncoder<'a>>, Once<u8>>);

impl<const N: usize> Encoder<N> {
    /// For this end of a line.
    #[must_use]
    pub const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, body: [0; N] }
    }

    /// A frame for `to` with what `payload` writes: a message's [`encode`](quorate_core::Wire::encode).
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it is too large for `N`.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_serial::{Encoder, Endpoint};
    /// let mut encoder = Encoder::<16>::new(Endpoint { cluster: 1, node: NodeId::new(1) });
    /// assert_eq!(encoder.encode(NodeId::new(2), |out| out.u8(9))?.count(), 12);
    /// assert!(encoder.encode(NodeId::new(2), |out| out.raw(&[9; 16])).is_err());
    /// # Ok::<(), quorate_core::Overflow>(())
    /// ```
    pub fn encode(
        &mut self,
        to: NodeId,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Encoded<'_>, Overflow> {
        self.frame(VERSION, to, payload)
    }

    /// A frame with bytes of the application, which are no message of the machine.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it is too large for `N`.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_serial::{Decoder, Encoder, Endpoint};
    /// let (here, there) = (NodeId::new(1), NodeId::new(2));
    /// let mut encoder = Encoder::<32>::new(Endpoint { cluster: 1, node: here });
    /// let mut decoder = Decoder::<32>::new(Endpoint { cluster: 1, node: there });
    /// let frame: Vec<u8> = encoder.encode_application(there, |out| out.u8(9))?.collect();
    /// let received = frame.into_iter().any(|byte| matches!(decoder.push(byte), Some(Ok(frame)) if frame.application));
    /// assert!(received);
    /// # Ok::<(), quorate_core::Overflow>(())
    /// ```
    pub fn encode_application(
        &mut self,
        to: NodeId,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Encoded<'_>, Overflow> {
        self.frame(VERSION | APPLICATION, to, payload)
    }

    fn frame(
        &mut self,
        version: u8,
        to: NodeId,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Encoded<'_>, Overflow> {
        let Self { endpoint, body } = self;
        let mut out = Writer::new(&mut body[..]);
        out.u8(version);
        out.u64(endpoint.cluster);
        out.u64(to.get());
        out.u64(endpoint.node.get());
        payload(&mut out);
        let len = out.needed();
        let end = len.saturating_add(CRC_LEN);
        let overflow = Overflow { needed: end };
        let (head, rest) = body.split_at_mut_checked(len).ok_or(overflow)?;
        let room = rest.first_chunk_mut().ok_or(overflow)?;
        *room = CRC.checksum(head).to_le_bytes();
        let body = body.get(..end).ok_or(overflow)?;
        Ok(Encoded(once(0).chain(CobsEncoder::new(body)).chain(once(0))))
    }
}

impl Iterator for Encoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0.next()
    }
}
