use core::fmt;

/// A type with an encoded form: what goes over links and onto disks.
///
/// The bytes are those of the postcard format (a struct is its fields in order, an enum is its variant number and fields, a
/// `u64` is a little-endian base-128 varint, bytes are a varint length and the bytes), so tools that know postcard can read
/// them. The code is ours because a node without a heap wants what a general serializer does not promise: one encoding per
/// value (an over-long varint or trailing bytes are an error, so decode and encode are inverse both ways), no recursion, and
/// a few hundred bytes of flash.
///
/// ```
/// use quorate_core::{DecodeError, Reader, Wire, Writer};
///
/// #[derive(Debug, PartialEq)]
/// struct Ping<'a> { round: u64, note: &'a [u8] }
///
/// impl<'a> Wire<'a> for Ping<'a> {
///     fn encode(&self, out: &mut Writer<'_>) {
///         out.u64(self.round);
///         out.bytes(self.note);
///     }
///     fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
///         Ok(Self { round: input.u64()?, note: input.bytes()? })
///     }
/// }
///
/// let mut buffer = [0; 16];
/// let bytes = Ping { round: 300, note: b"hi" }.to_slice(&mut buffer)?;
/// assert_eq!(bytes, [0xac, 0x02, 2, b'h', b'i']);
/// assert_eq!(Ping::from_slice(bytes), Ok(Ping { round: 300, note: b"hi" }));
/// assert_eq!(Ping::from_slice(&[1, 0, 9]), Err(DecodeError::Trailing));
/// # Ok::<(), quorate_core::Overflow>(())
/// ```
pub trait Wire<'a>: Sized {
    /// Writes the value.
    fn encode(&self, out: &mut Writer<'_>);

    /// Reads a value, borrowing from the input.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value.
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Writes the value to the front of `buffer`, and returns the bytes written.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit; the buffer then holds a part of it.
    fn to_slice<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Overflow> {
        let mut out = Writer::new(buffer);
        self.encode(&mut out);
        out.finish()
    }

    /// The encoded form, in as many bytes as it takes.
    ///
    /// ```
    /// # #[derive(Debug, PartialEq)]
    /// # struct Ping { round: u64 }
    /// # impl<'a> Wire<'a> for Ping {
    /// #     fn encode(&self, out: &mut Writer<'_>) { out.u64(self.round); }
    /// #     fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> { Ok(Self { round: input.u64()? }) }
    /// # }
    /// use quorate_core::{DecodeError, Reader, Wire, Writer};
    /// assert_eq!(Ping { round: 300 }.to_vec(), [0xac, 0x02]);
    /// ```
    #[cfg(feature = "alloc")]
    fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let mut bytes = alloc::vec![0; self.encoded_len()];
        let len = self.to_slice(&mut bytes).map_or(0, <[u8]>::len);
        bytes.truncate(len);
        bytes
    }

    /// Reads a value that takes all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value, or more than one.
    fn from_slice(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let value = Self::decode(&mut input)?;
        input.finish()?;
        Ok(value)
    }

    /// How many bytes the value takes.
    fn encoded_len(&self) -> usize {
        let mut out = Writer::new(&mut []);
        self.encode(&mut out);
        out.needed()
    }
}

/// Writes the encoded form into a buffer. Past its end it only counts, so that [`Overflow`] can tell how much is needed.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    position: usize,
}

impl<'b> Writer<'b> {
    /// Writes from the front of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, position: 0 }
    }

    /// A byte as it is: postcard's `u8` and `bool`, and variant numbers below 128.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        if let Some(byte) = self.buffer.get_mut(self.position) {
            *byte = value;
        }
        self.position = self.position.wrapping_add(1); // a buffer is never as long as memory
    }

    /// False or true as 0 or 1.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// A varint: seven bits a byte, low ones first, 1 to 10 bytes.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the low seven bits are meant
    pub fn u64(&mut self, value: u64) {
        // one and two bytes are almost all there is
        if value < 0x80 {
            self.u8(value as u8);
        } else if value < 0x4000 {
            self.raw(&[value as u8 | 0x80, (value >> 7) as u8]);
        } else {
            self.long_u64(value);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // the low seven bits are meant
    fn long_u64(&mut self, mut value: u64) {
        if value < 0x20_0000 {
            return self.raw(&[value as u8 | 0x80, (value >> 7) as u8 | 0x80, (value >> 14) as u8]);
        }
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Bytes with their length before them.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.raw(bytes);
    }

    /// What `encode` writes, with its length before it: read as [`bytes`](Reader::bytes).
    ///
    /// It is called once, and again where it writes more than 127 bytes: it must write the same each time.
    ///
    /// ```
    /// use quorate_core::{Reader, Writer};
    /// let mut buffer = [0; 8];
    /// let mut out = Writer::new(&mut buffer);
    /// out.length_prefixed(|out| {
    ///     out.u64(300);
    ///     out.bool(true);
    /// });
    /// let bytes = out.finish()?;
    /// assert_eq!(bytes, [3, 0xac, 0x02, 1]);
    /// assert_eq!(Reader::new(bytes).bytes(), Ok(&bytes[1..]));
    /// # Ok::<(), quorate_core::Overflow>(())
    /// ```
    #[inline]
    pub fn length_prefixed(&mut self, encode: impl Fn(&mut Writer<'_>)) {
        // almost all lengths take one byte: it is left out, and past 127 bytes all that follows is only counted
        let from = self.position.wrapping_add(1);
        let room = self.buffer.get_mut(from..).unwrap_or_default();
        let end = room.len().min(0x7f);
        let mut short = Writer::new(room.get_mut(..end).unwrap_or_default());
        encode(&mut short);
        let len = short.needed();
        self.u64(len as u64);
        if len > 0x7f {
            encode(self);
        } else {
            self.position = self.position.wrapping_add(len);
        }
    }

    /// Bytes alone.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        let end = self.position.wrapping_add(bytes.len());
        if let Some(room) = self.buffer.get_mut(self.position..end) {
            if cfg!(debug_assertions) {
                // the lengths are equal; and byte by byte, a few megabytes would take longer than an election timeout
                room.copy_from_slice(bytes);
                self.position = end;
                return;
            }
            // compiled to a copy of memory, as `copy_from_slice` is, and without its panic
            room.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
        }
        self.position = end;
    }

    /// How many bytes the encoding takes so far, whether they fitted or not.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.position
    }

    /// What was written.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if the buffer was too small.
    #[inline]
    pub fn finish(self) -> Result<&'b [u8], Overflow> {
        let needed = self.position;
        let buffer: &'b [u8] = self.buffer;
        buffer.get(..needed).ok_or(Overflow { needed })
    }
}

/// Reads the encoded form. Every length is checked against what is left.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One byte.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] at the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    /// 0 or 1.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] at the end, [`DecodeError::Invalid`] for another byte.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid),
        }
    }

    /// A varint.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] at the end; [`DecodeError::Invalid`] for one that is over-long or beyond 64 bits.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        // one and two bytes are almost all there is; a second byte of zero is left to the rest, which refuses it
        match *self.rest {
            [first, ref rest @ ..] if first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(first))
            }
            [first, second @ 1..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
            }
            _ => self.long_u64(),
        }
    }

    /// Bytes with their length before them.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] if the length goes beyond the end; [`DecodeError::Invalid`] for a malformed length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.u64()?).map_err(|_| DecodeError::Truncated)?;
        self.raw(len)
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] if there are fewer.
    #[inline]
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Trailing`] if something is.
    #[inline]
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    fn long_u64(&mut self) -> Result<u64, DecodeError> {
        if let [first, second @ 0x80..=0xff, third @ 1..0x80, ref rest @ ..] = *self.rest
            && first >= 0x80
        {
            self.rest = rest;
            let low = u64::from(first & 0x7f) | u64::from(second & 0x7f) << 7;
            return Ok(low | u64::from(third) << 14);
        }
        let (mut value, mut shift) = (0, 0_u32);
        let mut rest = self.rest.iter();
        while let Some(&byte) = rest.next() {
            // the tenth byte has room for one bit only, and is the last
            if shift == 63 && byte > 1 {
                return Err(DecodeError::Invalid);
            }
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                // a last byte of zero is one too many
                if byte == 0 && shift > 0 {
                    return Err(DecodeError::Invalid);
                }
                self.rest = rest.as_slice();
                return Ok(value);
            }
            shift = shift.wrapping_add(7);
        }
        Err(DecodeError::Truncated)
    }
}

/// Why bytes are no encoding of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// They end too early.
    Truncated,
    /// A byte that no encoding has there: an unknown variant, an over-long number.
    Invalid,
    /// There are more of them than the value takes.
    Trailing,
}

/// The buffer is too small.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Overflow {
    /// How many bytes the value takes.
    pub needed: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end too early",
            Self::Invalid => "a byte that no encoding has there",
            Self::Trailing => "more bytes than the value takes",
        })
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer is too small: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for DecodeError {}
impl core::error::Error for Overflow {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Debug, PartialEq)]
    struct Number(u64);
    impl<'a> Wire<'a> for Number {
        fn encode(&self, out: &mut Writer<'_>) {
            out.u64(self.0);
        }
        fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
            Ok(Self(input.u64()?))
        }
    }

    proptest! {
        #[test]
        fn numbers_are_postcards(value in prop_oneof![any::<u64>(), 0u64..300, Just(u64::MAX)]) {
            let mut buffer = [0; 10];
            let bytes = Number(value).to_slice(&mut buffer).unwrap();
            prop_assert_eq!(bytes, &postcard::to_allocvec(&value).unwrap()[..]);
            prop_assert_eq!(Number::from_slice(bytes), Ok(Number(value)));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(number) = Number::from_slice(&bytes) {
                let mut buffer = [0; 10];
                prop_assert_eq!(number.to_slice(&mut buffer).unwrap(), &bytes[..]);
            }
        }
    }

    #[test]
    fn over_long_and_too_large_numbers_are_refused() {
        for bytes in [&[0x80, 0][..], &[0xff, 0x80, 0]] {
            assert_eq!(Number::from_slice(bytes), Err(DecodeError::Invalid));
        }
        let mut eleven: Vec<u8> = std::vec![0xff; 10];
        eleven.push(1);
        assert_eq!(Number::from_slice(&eleven), Err(DecodeError::Invalid));
        let mut beyond = std::vec![0xff; 9];
        beyond.push(2);
        assert_eq!(Number::from_slice(&beyond), Err(DecodeError::Invalid));
        assert_eq!(Number::from_slice(&[0x80]), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_small_buffer_tells_what_is_needed() {
        assert_eq!(Number(300).to_slice(&mut [0; 1]), Err(Overflow { needed: 2 }));
        assert_eq!(Number(300).encoded_len(), 2);
    }
}
