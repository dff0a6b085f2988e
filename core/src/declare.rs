//! One declaration for the codec, the text, the generator and the documentation of a message.

use core::fmt;

use crate::{DecodeError, Field, FieldValue, Reader, Shape, Writer};

/// A message or record that was declared with [`wire!`](crate::wire).
pub trait Declared<'a>: Field<'a> {
    /// What it consists of, for tables.
    const SHAPE: Shape;

    /// The name of the variant, or of the struct.
    fn name(&self) -> &'static str;

    /// Hands the fields over, in order: for texts and digests that treat some of them in their own way.
    fn visit(&self, visitor: &mut dyn FnMut(VisitedField<'_>));

    /// Writes the value as it is declared. [`Wire::encode`](crate::Wire::encode) does the same, unless it is written by hand: then a test compares
    /// the two.
    fn encode_declared(&self, out: &mut Writer<'_>);

    /// Reads a value as it is declared: the counterpart of [`encode_declared`](Self::encode_declared).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are no encoding of a value.
    fn decode_declared(input: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// Declares a message or record once: the type, its [`Wire`](crate::Wire) form, its text, its generator and its table.
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
/// With `by hand;` in front the [`Wire`](crate::Wire) form is written separately, for messages on a hot path; the declaration still gives
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

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => ::core::stringify!($variant)),*
                }
            }

            fn visit(&self, visitor: &mut dyn FnMut($crate::VisitedField<'_>)) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(( $($tuple),* ))? => {
                        let _ = &visitor;
                        $($($crate::__wire!(@visit visitor $field = $field);)*)?
                        $($($crate::__wire!(@visit visitor $tuple = $tuple);)*)?
                    })*
                }
            }

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
                f.write_str($crate::Declared::name(self))?;
                $crate::__show_fields(" ", self, f)
            }

            fn value(&self) -> $crate::FieldValue<'_> {
                $crate::FieldValue::Variant($crate::Declared::name(self))
            }

            fn generate(source: &mut $crate::Source<$life>) -> Self {
                const MAKE: &[u8] = &[$($number),*];
                match source.one_of(MAKE) {
                    $($number => Self::$variant
                        $({ $($field: $crate::Field::generate(source.field(::core::stringify!($field)))),* })?
                        $(( $(<$in_tuple as $crate::Field<$life>>::generate(source.field(::core::stringify!($tuple)))),* ))?,)*
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

            fn name(&self) -> &'static str {
                ::core::stringify!($name)
            }

            fn visit(&self, visitor: &mut dyn FnMut($crate::VisitedField<'_>)) {
                $($crate::__wire!(@visit visitor $field = &self.$field);)*
            }

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
                $crate::__show_fields("", self, f)
            }

            fn generate(source: &mut $crate::Source<$life>) -> Self {
                Self { $($field: $crate::Field::generate(source.field(::core::stringify!($field)))),* }
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

    (@visit $visitor:ident $field:ident = $value:expr) => {
        $visitor($crate::VisitedField {
            name: ::core::stringify!($field),
            value: $crate::Field::value($value),
            text: &$crate::Shown($value),
        });
    };

    (@doc doc = $doc:literal) => { $doc };
    (@doc $($other:tt)*) => { "" };
}

#[doc(hidden)]
pub fn __show_fields<'a>(
    first: &str,
    of: &impl Declared<'a>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let (mut before, mut result) = (first, Ok(()));
    of.visit(&mut |field| {
        result = result.and_then(|()| write!(f, "{before}{} {}", field.name, field.text));
        before = ", ";
    });
    result
}

/// A field as [`Declared::visit`] hands it over.
///
/// ```
/// use quorate_core::{Declared, FieldValue, wire};
///
/// wire! {
///     struct Position { term: u64, index: u64, done: bool }
/// }
///
/// let mut short = Vec::new();
/// Position { term: 2, index: 7, done: false }.visit(&mut |field| match field.value {
///     FieldValue::Flag(false) => {}
///     _ => short.push(format!("{}={}", field.name, field.text)),
/// });
/// assert_eq!(short, ["term=2", "index=7"]);
/// ```
#[derive(Clone, Copy)]
pub struct VisitedField<'v> {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub value: FieldValue<'v>,
    /// The same as text: [`Field::show`].
    pub text: &'v dyn fmt::Display,
}
