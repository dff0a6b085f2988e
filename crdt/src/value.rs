use core::fmt::Debug;
use core::hash::Hash;

use quorate_clocks::{Actor, Dot, Stamp, Timestamp};
use quorate_core::{DecodeError, NodeId, Reader, Wire, Writer};

/// What the types of this crate hold: elements, keys, contents of registers.
///
/// The order makes the form canonical, so that equal states have equal bytes; it has no other meaning but where a type says so.
/// `write` and `read` are inverse to each other, both ways. Implemented for integers, `bool`, `()`, byte arrays, pairs,
/// the identities of `quorate-clocks` and, with `alloc`, `String`.
///
/// ```
/// use quorate_core::{DecodeError, Reader, Writer};
/// use quorate_crdt::Value;
///
/// #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
/// enum Colour { Red, Blue }
///
/// impl Value for Colour {
///     fn write(&self, out: &mut Writer<'_>) {
///         out.u8(*self as u8);
///     }
///     fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
///         match input.u8()? {
///             0 => Ok(Self::Red),
///             1 => Ok(Self::Blue),
///             _ => Err(DecodeError::Invalid),
///         }
///     }
/// }
/// ```
pub trait Value: Clone + Ord + Hash + Debug {
    /// Writes the value.
    fn write(&self, out: &mut Writer<'_>);

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! unsigned {
    ($($int:ty)*) => {$(
        impl Value for $int {
            #[inline]
            fn write(&self, out: &mut Writer<'_>) {
                out.u64(u64::from(*self));
            }

            #[inline]
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)
            }
        }
    )*};
}

/// As postcard does: zigzag, so that small negative numbers are short.
macro_rules! signed {
    ($($int:ty)*) => {$(
        impl Value for $int {
            #[inline]
            #[allow(clippy::cast_sign_loss)] // the bits are meant
            fn write(&self, out: &mut Writer<'_>) {
                let wide = i64::from(*self);
                out.u64(((wide << 1) ^ (wide >> 63)) as u64);
            }

            #[inline]
            #[allow(clippy::cast_possible_wrap)] // the bits are meant
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let bits = input.u64()?;
                let wide = ((bits >> 1) as i64) ^ ((bits & 1) as i64).wrapping_neg();
                Self::try_from(wide).map_err(|_| DecodeError::Invalid)
            }
        }
    )*};
}

unsigned!(u16 u32 u64);
signed!(i16 i32 i64);

impl Value for u8 {
    fn write(&self, out: &mut Writer<'_>) {
        out.u8(*self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u8()
    }
}

impl Value for bool {
    fn write(&self, out: &mut Writer<'_>) {
        out.bool(*self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bool()
    }
}

impl Value for () {
    fn write(&self, _out: &mut Writer<'_>) {}

    fn read(_input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl<const N: usize> Value for [u8; N] {
    fn write(&self, out: &mut Writer<'_>) {
        out.raw(self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::try_from(input.raw(N)?).map_err(|_| DecodeError::Truncated)
    }
}

impl<A: Value, B: Value> Value for (A, B) {
    fn write(&self, out: &mut Writer<'_>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

impl<V: Value> Value for Option<V> {
    fn write(&self, out: &mut Writer<'_>) {
        out.bool(self.is_some());
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(if input.bool()? { Some(V::read(input)?) } else { None })
    }
}

macro_rules! as_wire {
    ($($wire:ty)*) => {$(
        impl Value for $wire {
            #[inline]
            fn write(&self, out: &mut Writer<'_>) {
                self.encode(out);
            }

            #[inline]
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::decode(input)
            }
        }
    )*};
}

as_wire!(Actor Dot Stamp Timestamp);

impl Value for NodeId {
    fn write(&self, out: &mut Writer<'_>) {
        out.u64(self.get());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u64().map(Self::new)
    }
}

#[cfg(feature = "alloc")]
impl Value for alloc::string::String {
    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(self.as_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = core::str::from_utf8(input.bytes()?).map_err(|_| DecodeError::Invalid)?;
        Ok(text.into())
    }
}
