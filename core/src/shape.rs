//! What a declared type consists of, for tables.

use core::fmt;

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
    /// How it is encoded: [`Field::FORM`](crate::Field::FORM).
    pub form: Form,
    /// Its documentation, line by line; other attributes are empty lines.
    pub doc: &'static [&'static str],
}
