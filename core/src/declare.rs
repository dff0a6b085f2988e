//! One declaration for the codec, the text, the generator and the documentation of a message.

use core::fmt;

use crate::{DecodeError, NodeId, Reader, Wire, Writer};

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

    /// Makes a value from bytes that somebody else chose: a fuzzer, or a generator of hostile messages.
    fn generate(source: &mut Source<'a>) -> Self;
}

/// A message or record that was declared with [`wire!`](crate::wire).
pub trait Declared<'a>: Field<'a> {
    /// What it consists of, for tables.
    const SHAPE: Shape;

    /// Writes the value as it is declared. [`Wire::encode`] does the same, unless it is written by hand: then a test compares
    /// the two.
    fn encode_declared(&self, out: &mut Writer<'_>);

    /// Reads a value as it is declared: the counterpart of [`encode_declared`](Self::encode_declared).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value.
    fn decode_declared(input: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// Declares a message or record once: the type, its [`Wire`] form, its text, its generator and its table.
///
/// An enum is encoded as its number and then its fields, in order; a struct as its fields. Attributes and documentation are
/// those of the type. Fields have types that are a [`Field`]. A type may have one lifetime, and after it one type parameter with
/// a bound: `Message<'a, T: Value>`. Fields of a tuple variant are named in the declaration only, for the text and the table:
/// `3 => Data(payload: &'a [u8])` declares `Data(&'a [u8])`.
///
/// ```
/// use quorate_core::{Declared, NodeId, Shown, Wire, wire};
///
/// wire! {
///     /// What nodes send.
///     #[derive(Clone, Copy, PartialEq, Debug)]
///     pub enum Message<'a> {
///         /// Is anybody there?
///         0 => Ping {
///             /// Counts the questions.
///             round: u64,
///             /// Who asks.
///             from: NodeId,
///         },
///         /// Here is something.
///         1 => Data {
///             /// What it is.
///             payload: &'a [u8],
///         },
///         /// Nothing more.
///         2 => End,
///     }
/// }
///
/// let ping = Message::Ping { round: 300, from: NodeId::new(2) };
/// let mut buffer = [0; 8];
/// let bytes = ping.to_slice(&mut buffer)?;
/// assert_eq!(bytes, [0, 0xac, 0x02, 2]);
/// assert_eq!(Message::from_slice(bytes), Ok(ping));
/// assert_eq!(Shown(&ping).to_string(), "Ping round 300, from 2");
/// assert_eq!(Message::SHAPE.variants[1].fields[0].form.to_string(), "bytes");
/// # Ok::<(), quorate_core::Overflow>(())
/// ```
///
/// With `by hand;` in front the [`Wire`] form is written separately, for messages on a hot path; the declaration still gives
/// the rest, and [`Declared::encode_declared`] to compare with.
#[macro_export]
macro_rules! wire {
    (by hand; $($declaration:tt)*) => {
        $crate::__wire!(@declare [hand] $($declaration)*);
    };
    ($($declaration:tt)*) => {
        $crate::__wire!(@declare [codec] $($declaration)*);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __wire {
    // a type that borrows, and may have a parameter
    (@declare [$codec:ident] $(#[$($attr:tt)*])* $vis:vis $kind:ident
        $name:ident<$life:lifetime $(, $param:ident : $bound:path)?> { $($body:tt)* }
    ) => {
        $crate::__wire!(@$kind [$(#[$($attr)*])*] [$vis] $name [$life] [<$life $(, $param: $bound)?>]
            [<$life $(, $param: $bound)?>] [<$life $(, $param)?>] { $($body)* });
        $crate::__wire!(@$codec $name [$life] [<$life $(, $param: $bound)?>] [<$life $(, $param)?>]);
    };
    // a type that does not
    (@declare [$codec:ident] $(#[$($attr:tt)*])* $vis:vis $kind:ident $name:ident { $($body:tt)* }) => {
        $crate::__wire!(@$kind [$(#[$($attr)*])*] [$vis] $name ['wire] [] [<'wire>] [] { $($body)* });
        $crate::__wire!(@$codec $name ['wire] [<'wire>] []);
    };

    (@enum [$($attrs:tt)*] [$vis:vis] $name:ident
        [$life:lifetime] [$($params:tt)*] [$($impl:tt)*] [$($of:tt)*] {
        $($(#[$($vattr:tt)*])* $number:literal => $variant:ident $({
            $($(#[$($fattr:tt)*])* $field:ident : $type:ty),* $(,)?
        })? $((
            $($(#[$($tattr:tt)*])* $tuple:ident : $in_tuple:ty),* $(,)?
        ))?),* $(,)?
    }) => {
        $($attrs)*
        $vis enum $name $($params)* {
            $($(#[$($vattr)*])* $variant
                $({ $($(#[$($fattr)*])* $field: $type),* })?
                $(( $($(#[$($tattr)*])* $in_tuple),* ))?),*
        }

        impl $($impl)* $crate::Declared<$life> for $name $($of)* {
            const SHAPE: $crate::Shape = $crate::Shape {
                name: ::core::stringify!($name),
                variants: &[$($crate::Variant {
                    number: ::core::option::Option::Some($number),
                    name: ::core::stringify!($variant),
                    doc: &[$($crate::__wire!(@doc $($vattr)*)),*],
                    fields: &[
                        $($($crate::FieldShape {
                            name: ::core::stringify!($field),
                            form: <$type as $crate::Field<$life>>::FORM,
                            doc: &[$($crate::__wire!(@doc $($fattr)*)),*],
                        }),*)?
                        $($($crate::FieldShape {
                            name: ::core::stringify!($tuple),
                            form: <$in_tuple as $crate::Field<$life>>::FORM,
                            doc: &[$($crate::__wire!(@doc $($tattr)*)),*],
                        }),*)?
                    ],
                }),*],
            };

            #[inline]
            fn encode_declared(&self, out: &mut $crate::Writer<'_>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($tuple),* ))? => {
                        out.u8($number);
                        $($($crate::Wire::encode($field, out);)*)?
                        $($($crate::Wire::encode($tuple, out);)*)?
                    })*
                }
            }

            #[inline]
            fn decode_declared(
                input: &mut $crate::Reader<$life>,
            ) -> ::core::result::Result<Self, $crate::DecodeError> {
                ::core::result::Result::Ok(match input.u8()? {
                    $($number => Self::$variant
                        $({ $($field: $crate::Wire::decode(input)?),* })?
                        $(( $(<$in_tuple as $crate::Wire<$life>>::decode(input)?),* ))?,)*
                    _ => return ::core::result::Result::Err($crate::DecodeError::Invalid),
                })
            }
        }

        impl $($impl)* $crate::Field<$life> for $name $($of)* {
            const FORM: $crate::Form = $crate::Form::named(::core::stringify!($name));

            fn show(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($tuple),* ))? => {
                        f.write_str(::core::stringify!($variant))?;
                        $($crate::__wire!(@show f " " $($field = $field),*);)?
                        $($crate::__wire!(@show f " " $($tuple = $tuple),*);)?
                        ::core::result::Result::Ok(())
                    })*
                }
            }

            fn generate(source: &mut $crate::Source<$life>) -> Self {
                const MAKE: &[u8] = &[$($number),*];
                match source.one_of(MAKE) {
                    $($number => Self::$variant
                        $({ $($field: $crate::Field::generate(source)),* })?
                        $(( $(<$in_tuple as $crate::Field<$life>>::generate(source)),* ))?,)*
                    // all there are come before, but the compiler does not know
                    _ => Self::generate(source),
                }
            }
        }
    };

    (@struct [$($attrs:tt)*] [$vis:vis] $name:ident
        [$life:lifetime] [$($params:tt)*] [$($impl:tt)*] [$($of:tt)*] {
        $($(#[$($fattr:tt)*])* $fvis:vis $field:ident : $type:ty),* $(,)?
    }) => {
        $($attrs)*
        $vis struct $name $($params)* {
            $($(#[$($fattr)*])* $fvis $field: $type),*
        }

        impl $($impl)* $crate::Declared<$life> for $name $($of)* {
            const SHAPE: $crate::Shape = $crate::Shape {
                name: ::core::stringify!($name),
                variants: &[$crate::Variant {
                    number: ::core::option::Option::None,
                    name: ::core::stringify!($name),
                    doc: &[],
                    fields: &[$($crate::FieldShape {
                        name: ::core::stringify!($field),
                        form: <$type as $crate::Field<$life>>::FORM,
                        doc: &[$($crate::__wire!(@doc $($fattr)*)),*],
                    }),*],
                }],
            };

            #[inline]
            fn encode_declared(&self, out: &mut $crate::Writer<'_>) {
                $($crate::Wire::encode(&self.$field, out);)*
            }

            #[inline]
            fn decode_declared(
                input: &mut $crate::Reader<$life>,
            ) -> ::core::result::Result<Self, $crate::DecodeError> {
                ::core::result::Result::Ok(Self { $($field: $crate::Wire::decode(input)?),* })
            }
        }

        impl $($impl)* $crate::Field<$life> for $name $($of)* {
            const FORM: $crate::Form = $crate::Form::named(::core::stringify!($name));

            fn show(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::__wire!(@show f "" $($field = &self.$field),*);
                ::core::result::Result::Ok(())
            }

            fn generate(source: &mut $crate::Source<$life>) -> Self {
                Self { $($field: $crate::Field::generate(source)),* }
            }
        }
    };

    (@hand $($name:tt)*) => {};
    (@codec $name:ident [$life:lifetime] [$($impl:tt)*] [$($of:tt)*]) => {
        impl $($impl)* $crate::Wire<$life> for $name $($of)* {
            #[inline]
            fn encode(&self, out: &mut $crate::Writer<'_>) {
                $crate::Declared::encode_declared(self, out);
            }

            #[inline]
            fn decode(
                input: &mut $crate::Reader<$life>,
            ) -> ::core::result::Result<Self, $crate::DecodeError> {
                $crate::Declared::decode_declared(input)
            }
        }
    };

    (@show $f:ident $first:literal $($field:ident = $value:expr),*) => {
        let mut before = $first;
        $($f.write_str(before)?;
        $f.write_str(::core::concat!(::core::stringify!($field), " "))?;
        $crate::Field::show($value, $f)?;
        before = ", ";)*
        let _ = before;
    };

    (@doc doc = $doc:literal) => { $doc };
    (@doc $($other:tt)*) => { "" };
}

/// How a field is encoded, for tables: `varint`, `bytes`, `option of node`, or the name of a type that has its own table.
///
/// ```
/// use quorate_core::{Field, NodeId};
/// assert_eq!(<Option<NodeId> as Field>::FORM.to_string(), "option of node");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// What is in it, if it wraps something.
    pub of: Option<&'static Self>,
}

impl Form {
    /// A form that wraps nothing.
    ///
    /// ```
    /// use quorate_core::Form;
    /// assert_eq!(Form::named("varint").to_string(), "varint");
    /// ```
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self { name, of: None }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.of.map_or(Ok(()), |of| write!(f, " of {of}"))
    }
}

/// What a declared type consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// The name of the type.
    pub name: &'static str,
    /// The variants of an enum, in the order of the declaration; of a struct one, without a number.
    pub variants: &'static [Variant],
}

/// A variant of a declared enum, or the fields of a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The number that stands for it; `None` in a struct.
    pub number: Option<u8>,
    /// Its name.
    pub name: &'static str,
    /// Its documentation, line by line; other attributes are empty lines.
    pub doc: &'static [&'static str],
    /// Its fields, in the order of their encoding.
    pub fields: &'static [FieldShape],
}

/// A field of a declared type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldShape {
    /// Its name.
    pub name: &'static str,
    /// How it is encoded: [`Field::FORM`].
    pub form: Form,
    /// Its documentation, line by line; other attributes are empty lines.
    pub doc: &'static [&'static str],
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

/// Bytes that [`Field::generate`] makes values of. When they run out, it gives zeros and empty runs, so every value ends.
///
/// ```
/// use quorate_core::Source;
/// let mut source = Source::new(&[0x03, 0x00, 2, 9, 9], &[500]);
/// assert_eq!(source.number(), 503); // near a number that matters
/// assert_eq!(source.bytes(), [9, 9]);
/// assert_eq!((source.byte(), source.is_empty()), (0, true));
/// ```
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
    near: &'a [u64],
}

impl<'a> Source<'a> {
    /// Makes values of `bytes`. Most numbers come out near one of `near`: the terms, epochs or counters of the machine that
    /// is to be misled, since a number that is far from all of them is refused early.
    #[must_use]
    pub const fn new(bytes: &'a [u8], near: &'a [u64]) -> Self {
        Self { rest: bytes, near }
    }

    /// Whether the bytes have run out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// A number: within 15 of one that matters, or of 0, 2^62, 2^63 or the end of the range, or 2^32 further.
    pub fn number(&mut self) -> u64 {
        let what = self.byte();
        let near = self.one_of(self.near);
        let offset = u64::from(what & 0x0f);
        let from = |base: u64| base.saturating_sub(8).saturating_add(offset);
        match what >> 4 {
            0..6 => near.saturating_add(offset),
            6..11 => near.saturating_sub(offset),
            11 => offset,
            12 => from(near.saturating_add(1 << 32)),
            13 => from(1 << 62),
            14 => from(1 << 63),
            _ => u64::MAX.saturating_sub(offset),
        }
    }

    /// A run of bytes: a length, and as many of those that are left.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        run
    }

    /// One of these, by the next byte; the default if there are none.
    pub fn one_of<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let at = usize::from(self.byte()).checked_rem(of.len()).unwrap_or_default();
        of.get(at).copied().unwrap_or_default()
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

    fn generate(source: &mut Source<'_>) -> Self {
        source.byte()
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

    fn generate(source: &mut Source<'_>) -> Self {
        source.byte() & 1 == 1
    }
}

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
            Ok(text) if !text.contains(char::is_control) => write!(f, "{text:?}"),
            _ if self.len() == 1 => f.write_str("1 byte"),
            _ => write!(f, "{} bytes", self.len()),
        }
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

    fn generate(source: &mut Source<'a>) -> Self {
        bool::generate(source).then(|| T::generate(source))
    }
}
