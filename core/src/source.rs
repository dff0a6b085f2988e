//! Bytes that values are made of: a fuzzer's, or those of a generator of hostile messages.

/// Bytes that [`Field::generate`](crate::Field::generate) makes values of. When they run out, it gives zeros and empty runs, so every value ends.
///
/// ```
/// use quorate_core::Source;
/// let mut source = Source::new(&[0x03, 2, 9, 9], &[500]);
/// assert_eq!(source.number(), 503); // near a number that matters
/// assert_eq!(source.bytes(), [9, 9]);
/// assert_eq!((source.byte(), source.is_empty()), (0, true));
/// ```
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
    near: &'a [u64],
    hints: &'a [Hint<'a>],
    field: &'static str,
}

/// What the fields of a name most likely hold, in the messages that are to mislead a machine: numbers near its own, bytes
/// that it accepts.
///
/// A hint for `term` is also one for `last_term`, unless there is another for that before it.
///
/// ```
/// use quorate_core::{Field, Hint, Source, wire};
///
/// wire! {
///     #[derive(PartialEq, Debug)]
///     struct Append<'a> { term: u64, last_term: u64, entries: &'a [u8] }
/// }
///
/// let hints = [Hint::near("term", &[40]), Hint::bytes("entries", &[b"one", b"two"])];
/// let mut source = Source::new(&[0x01, 0x62, 0x01], &[]).hints(&hints);
/// assert_eq!(
///     Append::generate(&mut source),
///     Append { term: 41, last_term: 38, entries: b"two" }
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    field: &'static str,
    near: &'a [u64],
    runs: &'a [&'a [u8]],
}

impl<'a> Hint<'a> {
    /// Numbers near these.
    ///
    /// ```
    /// use quorate_core::{Hint, Source};
    /// let hints = [Hint::near("round", &[7])];
    /// assert_eq!(Source::new(&[0x02], &[]).hints(&hints).field("round").number(), 9);
    /// ```
    #[must_use]
    pub const fn near(field: &'static str, numbers: &'a [u64]) -> Self {
        Self { field, near: numbers, runs: &[] }
    }

    /// One of these runs of bytes.
    ///
    /// ```
    /// use quorate_core::{Hint, Source};
    /// let hints = [Hint::bytes("data", &[b"a", b"b"])];
    /// assert_eq!(Source::new(&[1], &[]).hints(&hints).field("data").bytes(), b"b");
    /// ```
    #[must_use]
    pub const fn bytes(field: &'static str, runs: &'a [&'a [u8]]) -> Self {
        Self { field, near: &[], runs }
    }

    fn is_for(&self, field: &str) -> bool {
        field
            .strip_suffix(self.field)
            .is_some_and(|before| before.is_empty() || before.ends_with('_'))
    }
}

impl<'a> Source<'a> {
    /// Makes values of `bytes`. Most numbers come out near one of `near`: the terms, epochs or counters of the machine that
    /// is to be misled, since a number that is far from all of them is refused early.
    #[must_use]
    pub const fn new(bytes: &'a [u8], near: &'a [u64]) -> Self {
        Self { rest: bytes, near, hints: &[], field: "" }
    }

    /// With hints for some fields; the first that is for a field counts.
    ///
    /// ```
    /// use quorate_core::{Hint, Source};
    /// let hints = [Hint::near("term", &[9])];
    /// assert_eq!(Source::new(&[0], &[1]).hints(&hints).field("term").number(), 9);
    /// ```
    #[must_use]
    pub const fn hints(self, hints: &'a [Hint<'a>]) -> Self {
        Self { hints, ..self }
    }

    /// Whether the bytes have run out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that are left.
    ///
    /// ```
    /// use quorate_core::Source;
    /// let mut source = Source::new(&[1, 2, 3], &[]);
    /// assert_eq!((source.byte(), source.rest()), (1, &[2, 3][..]));
    /// ```
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// What comes next is for a field of this name: [`wire!`](crate::wire) says so before each.
    ///
    /// ```
    /// use quorate_core::{Hint, Source};
    /// let hints = [Hint::near("last_term", &[5]), Hint::near("term", &[9])];
    /// let mut source = Source::new(&[0, 0, 0], &[1]).hints(&hints);
    /// assert_eq!(source.field("last_term").number(), 5);
    /// assert_eq!(source.field("prev_term").number(), 9);
    /// assert_eq!(source.field("index").number(), 1);
    /// ```
    pub const fn field(&mut self, name: &'static str) -> &mut Self {
        self.field = name;
        self
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// A number: one that matters or within 15 of it, or of 0, 2^62, 2^63 or the end of the range, or 2^32 further.
    pub fn number(&mut self) -> u64 {
        let near = self.hint(|hint| !hint.near.is_empty()).map_or(self.near, |hint| hint.near);
        let what = self.byte();
        let near = self.one_of(near);
        let offset = u64::from(what & 0x0f);
        let close = CLOSE.get(usize::from(what & 0x0f)).copied().map_or(0, u64::from);
        let from = |base: u64| base.saturating_sub(8).saturating_add(offset);
        match what >> 4 {
            0..6 => near.saturating_add(close),
            6..11 => near.saturating_sub(close),
            11 => offset,
            12 => from(near.saturating_add(1 << 32)),
            13 => from(1 << 62),
            14 => from(1 << 63),
            _ => u64::MAX.saturating_sub(offset),
        }
    }

    /// A run of bytes: mostly one that a hint names, or else a length, and as many of those that are left.
    pub fn bytes(&mut self) -> &'a [u8] {
        if let Some(hint) = self.hint(|hint| !hint.runs.is_empty())
            && self.rest.first().is_none_or(|&first| first < RAW)
        {
            let at = usize::from(self.byte()).checked_rem(hint.runs.len()).unwrap_or_default();
            return hint.runs.get(at).copied().unwrap_or_default();
        }
        let len = usize::from(self.byte()).min(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        run
    }

    /// One of these, by the next byte; the default if there are none. Of one only, no byte is taken.
    pub fn one_of<T: Copy + Default>(&mut self, of: &[T]) -> T {
        if let [only] = of {
            return *only;
        }
        let at = usize::from(self.byte()).checked_rem(of.len()).unwrap_or_default();
        of.get(at).copied().unwrap_or_default()
    }

    /// Whether a hint says which numbers the field has.
    pub(crate) fn has_near(&self) -> bool {
        self.hint(|hint| !hint.near.is_empty()).is_some()
    }

    fn hint(&self, has: impl Fn(&Hint<'a>) -> bool) -> Option<Hint<'a>> {
        self.hints.iter().find(|hint| has(hint) && hint.is_for(self.field)).copied()
    }
}

/// How far numbers are from those that matter: often not at all, as most rules are about equal ones.
const CLOSE: [u8; 16] = [0, 1, 2, 3, 0, 0, 0, 1, 0, 0, 0, 0, 5, 8, 0, 15];

/// A length from here on is one of bytes that no hint names.
const RAW: u8 = 0xf0;
