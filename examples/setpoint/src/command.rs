use quorate_core::{DecodeError, Reader, Wire, Writer};

/// A change, as it is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Command {
    /// The set-point is this from now on.
    Set(i64),
    /// The counter grows by this.
    Add(i64),
}

impl<'a> Wire<'a> for Command {
    fn encode(&self, out: &mut Writer<'_>) {
        match *self {
            Self::Set(value) => {
                out.u8(0);
                out.u64(zigzag(value));
            }
            Self::Add(value) => {
                out.u8(1);
                out.u64(zigzag(value));
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = input.u8()?;
        let value = unzigzag(input.u64()?);
        match kind {
            0 => Ok(Self::Set(value)),
            1 => Ok(Self::Add(value)),
            _ => Err(DecodeError::Invalid),
        }
    }
}

/// Small numbers of both signs as small numbers, as postcard has them.
pub(crate) const fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ value.wrapping_shr(63)).cast_unsigned()
}

pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}
