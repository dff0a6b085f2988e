use core::fmt;

use crate::{DecodeError, Field, Form, Reader, Source, Wire, Writer};

/// A value inside a message: a reference to it when the message is sent, its bytes when the message
/// is received. Both have the same encoding, a length and then the value's own.
///
/// The receiver decides when to [decode](Self::read) it.
///
/// ```
/// use quorate_core::{Embedded, NodeId, Reader, Wire, Writer};
/// let sent = Embedded::Local(&NodeId::new(300));
/// let mut buffer = [0; 8];
/// let bytes = sent.to_slice(&mut buffer)?;
/// assert_eq!(bytes, [2, 0xac, 0x02]);
/// let received = Embedded::<NodeId>::from_slice(bytes)?;
/// assert_eq!(received, Embedded::Encoded(&[0xac, 0x02]));
/// assert_eq!(received.read(), Ok(NodeId::new(300)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Embedded<'a, T> {
    /// To be encoded.
    Local(&'a T),
    /// Encoded.
    Encoded(&'a [u8]),
}

impl<T: Clone + for<'b> Wire<'b>> Embedded<'_, T> {
    /// The value.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] of bytes that are no value, or more than one.
    pub fn read(&self) -> Result<T, DecodeError> {
        match self {
            Self::Local(value) => Ok((*value).clone()),
            Self::Encoded(bytes) => T::from_slice(bytes),
        }
    }
}

impl<'a, T: for<'b> Wire<'b>> Wire<'a> for Embedded<'a, T> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Local(value) => out.length_prefixed(|out| value.encode(out)),
            Self::Encoded(bytes) => out.bytes(bytes),
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        input.bytes().map(Self::Encoded)
    }
}

impl<'a, T: for<'b> Wire<'b>> Field<'a> for Embedded<'a, T> {
    const FORM: Form = <&[u8]>::FORM;

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = match self {
            Self::Local(value) => value.encoded_len(),
            Self::Encoded(bytes) => bytes.len(),
        };
        write!(f, "{len} {}", if len == 1 { "byte" } else { "bytes" })
    }

    fn generate(source: &mut Source<'a>) -> Self {
        Self::Encoded(source.bytes())
    }
}
