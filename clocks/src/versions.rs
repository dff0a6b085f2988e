use core::fmt;

use quorate_core::{DecodeError, Field, Form, Reader, Source, Wire, Writer};

use crate::{Dot, sorted};

/// The entries of a version vector in a message: borrowed from the vector when sent, from the receive buffer when received.
///
/// What was received is checked to be canonical, and copied nowhere.
///
/// ```
/// use quorate_clocks::{Inline, VersionVector, Versions};
/// use quorate_core::{NodeId, Wire};
///
/// let mut vector = VersionVector::<Inline<4>>::new();
/// vector.increment(NodeId::new(7).into())?;
/// let mut buffer = [0; 16];
/// let bytes = vector.versions().to_slice(&mut buffer)?;
/// let received = Versions::from_slice(bytes)?;
/// let mut other = VersionVector::<Inline<4>>::new();
/// other.observe_all(received)?;
/// assert_eq!(other, vector);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Versions<'a>(Entries<'a>);

#[derive(Clone, Copy)]
enum Entries<'a> {
    Plain(&'a [Dot]),
    /// So many, encoded and checked.
    Encoded(usize, &'a [u8]),
}

impl<'a> Versions<'a> {
    /// No events.
    ///
    /// ```
    /// # use quorate_clocks::Versions;
    /// assert!(Versions::EMPTY.is_empty());
    /// ```
    pub const EMPTY: Self = Self(Entries::Plain(&[]));

    /// Entries that are in canonical form.
    pub(crate) const fn plain(entries: &'a [Dot]) -> Self {
        Self(Entries::Plain(entries))
    }

    /// The entries, sorted by actor.
    ///
    /// ```
    /// # use quorate_clocks::{Actor, Inline, VersionVector};
    /// let mut vector = VersionVector::<Inline<4>>::new();
    /// let dot = vector.increment(Actor::default())?;
    /// assert!(vector.versions().iter().eq([dot]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(self) -> impl Iterator<Item = Dot> + 'a {
        let (plain, bytes) = match self.0 {
            Entries::Plain(entries) => (entries, [].as_slice()),
            Entries::Encoded(_, bytes) => ([].as_slice(), bytes),
        };
        let mut input = Reader::new(bytes);
        let encoded = core::iter::from_fn(move || Dot::decode(&mut input).ok());
        plain.iter().copied().chain(encoded)
    }

    /// How many entries there are.
    ///
    /// ```
    /// # use quorate_clocks::Versions;
    /// assert_eq!(Versions::EMPTY.len(), 0);
    /// ```
    #[must_use]
    pub const fn len(self) -> usize {
        match self.0 {
            Entries::Plain(entries) => entries.len(),
            Entries::Encoded(len, _) => len,
        }
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use quorate_clocks::Versions;
    /// assert!(Versions::EMPTY.is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Versions<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Versions<'_> {}

impl fmt::Debug for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'a> Wire<'a> for Versions<'a> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self.0 {
            Entries::Plain(entries) => sorted::encode(entries, out),
            Entries::Encoded(len, bytes) => {
                out.u64(len as u64);
                out.raw(bytes);
            }
        }
    }

    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = input.u64()?;
        let (mut probe, mut last, mut len) = (input.clone(), None, 0usize);
        for _ in 0..count {
            let entry = Dot::decode(&mut probe)?;
            if last.replace(entry.actor()).is_some_and(|last| last >= entry.actor()) {
                return Err(DecodeError::Invalid);
            }
            len = len.saturating_add(1);
        }
        let taken = input.rest().len().saturating_sub(probe.rest().len());
        Ok(Self(Entries::Encoded(len, input.raw(taken)?)))
    }
}

impl<'a> Field<'a> for Versions<'a> {
    const FORM: Form = Form::named("versions");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    /// As many entries as a run of the source's bytes begins with; the rest of the run is lost.
    fn generate(source: &mut Source<'a>) -> Self {
        let bytes = source.bytes();
        let (mut input, mut last, mut len, mut taken) = (Reader::new(bytes), None, 0_usize, 0);
        while let Ok(entry) = Dot::decode(&mut input) {
            if last.replace(entry.actor()).is_some_and(|last| last >= entry.actor()) {
                break;
            }
            len = len.saturating_add(1);
            taken = bytes.len().saturating_sub(input.rest().len());
        }
        Self(Entries::Encoded(len, bytes.get(..taken).unwrap_or_default()))
    }
}
