//! One machine against anything that a peer may send: what the hostile inputs of all protocols share.
//!
//! Bytes of a fuzzer or of a random generator are read as a list of inputs, so that they can be cut and spliced. Messages are made
//! by their [declaration](quorate_core::wire); a protocol adds what it knows as [`Hint`]s.

use core::fmt::{self, Debug};
use std::collections::BTreeMap;

use quorate_core::{Declared, Field, FieldValue, Hint, Rejected, Source, Wire};

/// Bytes that are read as a list of inputs.
///
/// ```
/// use quorate_sim::hostile::Input;
/// let mut input = Input::new(&[7, 1, 2, 3]);
/// assert_eq!((input.byte(), input.take(2)), (Some(7), &[1, 2][..]));
/// assert_eq!((input.take(9), input.byte()), (&[3][..], None));
/// ```
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

/// A byte from here on begins a message that is not made but decoded from bytes.
const RAW: u8 = 224;

impl<'a> Input<'a> {
    /// These bytes.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// So many bytes, or those that are left.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The bytes that are left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// A number near another, or near an end of the range.
    pub fn number_near(&mut self, number: u64) -> u64 {
        self.source(&[number], &[], Source::number)
    }

    /// A message: of eight, seven are made by the declaration, and one is decoded from the bytes as they are. `None`
    /// where these are no message.
    ///
    /// ```
    /// use quorate_core::{Hint, wire};
    /// use quorate_sim::hostile::Input;
    ///
    /// wire! {
    ///     #[derive(PartialEq, Debug)]
    ///     enum Message { 0 => Ping { round: u64 }, 1 => Pong { round: u64 } }
    /// }
    ///
    /// let hints = [Hint::near("round", &[50])];
    /// let mut input = Input::new(&[1, 2, 226, 0, 9]);
    /// assert_eq!(input.message(&hints), Some(Message::Pong { round: 52 }));
    /// assert_eq!(input.message(&hints), Some(Message::Ping { round: 9 }));
    /// ```
    pub fn message<'b, T: Field<'b>>(&mut self, hints: &'b [Hint<'b>]) -> Option<T>
    where
        'a: 'b,
    {
        match *self.0.first()? {
            first @ RAW.. => {
                self.byte();
                T::from_slice(self.take(usize::from(first - RAW))).ok()
            }
            _ => Some(self.source(&[0], hints, T::generate)),
        }
    }

    fn source<'b, T>(
        &mut self,
        near: &'b [u64],
        hints: &'b [Hint<'b>],
        make: impl FnOnce(&mut Source<'b>) -> T,
    ) -> T
    where
        'a: 'b,
    {
        let mut source = Source::new(self.0, near).hints(hints);
        let made = make(&mut source);
        let used = self.0.len() - source.rest().len();
        self.take(used);
        made
    }
}

/// The last number of each field that the machine has sent: a peer that echoes them is believed more often.
///
/// ```
/// use quorate_core::wire;
/// use quorate_sim::hostile::Echo;
///
/// wire! {
///     struct Ping { round: u64 }
/// }
///
/// let mut echo = Echo::default();
/// echo.sent(&Ping { round: 7 });
/// assert_eq!((echo.last("round"), echo.last("term")), (7, 0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Echo(BTreeMap<&'static str, u64>);

impl Echo {
    /// The machine sent a message.
    pub fn sent<'a>(&mut self, message: &impl Declared<'a>) {
        message.visit(&mut |field| {
            if let FieldValue::Number(number) = field.value {
                self.0.insert(field.name, number);
            }
        });
    }

    /// The last number of a field; 0 if there was none.
    #[must_use]
    pub fn last(&self, field: &str) -> u64 {
        self.0.get(field).copied().unwrap_or(0)
    }
}

/// What became of the messages, by name: how many were accepted, and how many rejected for which reason. A test that
/// demands some notices when a generator no longer reaches what it did.
///
/// ```
/// use quorate_core::Rejected;
/// use quorate_sim::hostile::Outcomes;
/// let mut outcomes = Outcomes::default();
/// outcomes.record("Ping", Ok(()));
/// outcomes.record("Ping", Ok(()));
/// outcomes.record("Ping", Err(Rejected::Malformed));
/// assert_eq!(outcomes.to_string(), "Ping: accepted 2, Malformed 1\n");
/// assert_eq!((outcomes.accepted("Ping"), outcomes.accepted("Pong")), (2, 0));
/// assert_eq!(outcomes.rejected_kinds(), 1);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcomes(BTreeMap<&'static str, Kind>);

/// Those of a kind of message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Kind {
    accepted: u64,
    rejected: BTreeMap<String, u64>,
}

impl Outcomes {
    /// The machine accepted or rejected a message of a name.
    pub fn record(&mut self, message: &'static str, result: Result<(), Rejected>) {
        let kind = self.0.entry(message).or_default();
        match result {
            Ok(()) => kind.accepted += 1,
            Err(reason) => *kind.rejected.entry(format!("{reason:?}")).or_default() += 1,
        }
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: Self) {
        for (message, theirs) in other.0 {
            let kind = self.0.entry(message).or_default();
            kind.accepted += theirs.accepted;
            for (reason, count) in theirs.rejected {
                *kind.rejected.entry(reason).or_default() += count;
            }
        }
    }

    /// How many messages of a name were accepted.
    #[must_use]
    pub fn accepted(&self, message: &str) -> u64 {
        self.0.get(message).map_or(0, |kind| kind.accepted)
    }

    /// How many reasons there were to reject messages, counted for each kind of message.
    #[must_use]
    pub fn rejected_kinds(&self) -> usize {
        self.0.values().map(|kind| kind.rejected.len()).sum()
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (message, Kind { accepted, rejected }) in &self.0 {
            write!(f, "{message}: accepted {accepted}")?;
            rejected.iter().try_for_each(|(reason, count)| write!(f, ", {reason} {count}"))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// What was decoded from bytes must be encoded to the same bytes.
///
/// # Errors
///
/// The value that is not.
pub fn check_round_trip<'a, T: Wire<'a> + Debug>(data: &'a [u8]) -> Result<(), String> {
    let Ok(value) = T::from_slice(data) else { return Ok(()) };
    let mut bytes = vec![0; value.encoded_len()];
    match value.to_slice(&mut bytes) {
        Ok(written) if written == data => Ok(()),
        other => Err(format!("{value:?} was read from {data:02x?} and is written as {other:02x?}")),
    }
}
