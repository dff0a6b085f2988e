//! What a declared message may hold.

use core::fmt;

use crate::{DecodeError, Form, NodeId, Reader, Source, Wire, Writer};

/// A type that a message or record may hold: besides its [`Wire`] form it has a text and a generator.
///
/// The numbers, `bool`, `&[u8]`, [`NodeId`] and options of these are fields; so is every type that [`wire!`](crate::wire)
/// declares. Other types implement it by hand.
pub trait Field<'a>: Wire<'a> {
    /// How it is encoded, in the words of a table.
    const FORM: Form;

    /// Writes it as text, in one line, for traces and logs.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// What it holds, if that is of a kind that most fields are of.
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Other
    }

    /// Makes a value from bytes that somebody else chose: a fuzzer, or a generator of hostile messages.
    fn generate(source: &mut Source<'a>) -> Self;
}

/// What a field holds, for those that treat kinds of fields differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldValue<'v> {
    /// A number of any size, or what is encoded as one.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(&'v [u8]),
    /// An enum that is declared: the name of the variant.
    Variant(&'static str),
    /// Anything else.
    Other,
}

/// A value as text: [`Field::show`] as [`Display`](fmt::Display).
///
/// ```
/// use quorate_core::{NodeId, Shown};
/// assert_eq!(Shown(&Some(NodeId::new(3))).to_string(), "3");
/// assert_eq!(Shown(&&b"hello"[..]).to_string(), "\"hello\"");
/// assert_eq!(Shown(&&b"\0\x01"[..]).to_string(), "2 bytes");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'v, T>(pub &'v T);

impl<'a, T: Field<'a>> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// Numbers are [varints](Writer::u64), whatever their size in memory.
macro_rules! numbers {
    ($($number:ident),*) => {$(
        impl Wire<'_> for $number {
            #[inline]
            fn encode(&self, out: &mut Writer<'_>) {
                out.u64(u64::from(*self));
            }

            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::try_from(input.u64()?).map_err(|_| DecodeError::Invalid)
            }
        }

        impl Field<'_> for $number {
            const FORM: Form = Form::named("varint");

            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            fn value(&self) -> FieldValue<'_> {
                FieldValue::Number(u64::from(*self))
            }

            #[allow(clippy::cast_possible_truncation, trivial_numeric_casts)] // any number will do
            fn generate(source: &mut Source<'_>) -> Self {
                source.number() as Self
            }
        }
    )*};
}

numbers!(u16, u32, u64);

impl Wire<'_> for u8 {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.u8(*self);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u8()
    }
}

impl Field<'_> for u8 {
    const FORM: Form = Form::named("byte");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn value(&self) -> FieldValue<'_> {
        FieldValue::Number(u64::from(*self))
    }

    /// Any byte, unless a hint says which matter.
    #[allow(clippy::cast_possible_truncation)] // any number will do
    fn generate(source: &mut Source<'_>) -> Self {
        if source.has_near() { source.number() as Self } else { source.byte() }
    }
}

impl Wire<'_> for bool {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.bool(*self);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bool()
    }
}

impl Field<'_> for bool {
    const FORM: Form = Form::named("bool");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn value(&self) -> FieldValue<'_> {
        FieldValue::Flag(*self)
    }

    fn generate(source: &mut Source<'_>) -> Self {
        source.byte() & 1 == 1
    }
}

/// The longest text that is shown as such, in bytes.
const SHOWN: usize = 64;

impl<'a> Wire<'a> for &'a [u8] {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.bytes(self);
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        input.bytes()
    }
}

impl<'a> Field<'a> for &'a [u8] {
    const FORM: Form = Form::named("bytes");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self) {
            Ok(text) if text.len() <= SHOWN && !text.contains(char::is_control) => {
                write!(f, "{text:?}")
            }
            _ if self.len() == 1 => f.write_str("1 byte"),
            _ => write!(f, "{} bytes", self.len()),
        }
    }

    fn value(&self) -> FieldValue<'_> {
        FieldValue::Bytes(self)
    }

    fn generate(source: &mut Source<'a>) -> Self {
        source.bytes()
    }
}

impl Wire<'_> for NodeId {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.get());
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u64().map(Self::new)
    }
}

impl Field<'_> for NodeId {
    const FORM: Form = Form::named("node");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn value(&self) -> FieldValue<'_> {
        FieldValue::Number(self.get())
    }

    fn generate(source: &mut Source<'_>) -> Self {
        match source.byte() {
            byte @ 0..0xf0 => Self::new(u64::from(byte & 7)),
            _ => Self::new(source.number()),
        }
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    #[inline]
    fn encode(&self, out: &mut Writer<'_>) {
        out.bool(self.is_some());
        if let Some(value) = self {
            value.encode(out);
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(if input.bool()? { Some(T::decode(input)?) } else { None })
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    const FORM: Form = Form { name: "option", of: Some(&T::FORM) };

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(value) => value.show(f),
            None => f.write_str("none"),
        }
    }

    fn value(&self) -> FieldValue<'_> {
        self.as_ref().map_or(FieldValue::Other, Field::value)
    }

    fn generate(source: &mut Source<'a>) -> Self {
        bool::generate(source).then(|| T::generate(source))
    }
}
