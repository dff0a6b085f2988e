use core::fmt::{self, Debug};
use core::hash::Hash;

use quorate_core::{DecodeError, Field, Form, Reader, Source, Wire, Writer, varint_len};

use crate::{Token, TokenRange};

/// What one node hands over to another: a set of keys that has one owner.
///
/// [`TokenRange`] is for placements of tokens. A `u64` is for everything that the application numbers: partitions, slots, the ranges
/// of ordered keys; two numbers never overlap.
///
/// ```
/// use quorate_ring::migration::Range;
/// use quorate_ring::{Token, TokenRange};
/// let range = |first, last| TokenRange::new(Token::new(first), Token::new(last));
/// assert!(range(10, 20).overlaps(range(20, 30)));
/// assert!(!range(10, 20).overlaps(range(21, 9)));
/// assert!(7.overlaps(7) && !7.overlaps(8));
/// ```
pub trait Range: Copy + Eq + Hash + Debug + for<'a> Field<'a> {
    /// The longest encoding, in bytes.
    const MAX_LEN: usize;

    /// Whether some key is in both.
    #[must_use]
    fn overlaps(self, other: Self) -> bool;
}

impl Range for TokenRange {
    const MAX_LEN: usize = 2 * varint_len(u64::MAX);

    fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }
}

impl Range for u64 {
    const MAX_LEN: usize = varint_len(Self::MAX);

    fn overlaps(self, other: Self) -> bool {
        self == other
    }
}

impl Wire<'_> for TokenRange {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.first.get());
        out.u64(self.last.get());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { first: Token::new(input.u64()?), last: Token::new(input.u64()?) })
    }
}

impl Field<'_> for TokenRange {
    const FORM: Form = Form::named("token range");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn generate(source: &mut Source<'_>) -> Self {
        Self { first: Token::new(source.number()), last: Token::new(source.number()) }
    }
}
