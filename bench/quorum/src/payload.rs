use quorate_core::{DecodeError, Reader, Wire, Writer};

/// The sixteen bytes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Payload(pub [u8; 16]);

/// The bytes, without their length.
impl Wire<'_> for Payload {
    fn encode(&self, out: &mut Writer<'_>) {
        out.raw(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.raw(16)?.try_into().map(Self).map_err(|_| DecodeError::Truncated)
    }
}
