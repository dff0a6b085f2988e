/// The answer to `help`.
pub const USAGE: &str = "set N | add N | get | status | flash fail | log fill | help";

/// What a person or a program asks on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request {
    /// What there is.
    Help,
    /// How the node does.
    Status,
    /// The values as of now, agreed with a majority.
    Get,
    /// Change the set-point.
    Set(i64),
    /// Add to the counter.
    Add(i64),
    /// From now on the flash refuses to be written.
    FlashFail,
    /// Propose until the log is full.
    LogFill,
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    ///
    /// ```
    /// use quorate_setpoint::Request;
    /// assert_eq!(Request::parse(b"set -20"), Ok(Request::Set(-20)));
    /// assert!(Request::parse(b"set").is_err());
    /// ```
    pub fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word: &&[u8]| !word.is_empty());
        let (first, second, third) = (words.next(), words.next(), words.next());
        if third.is_some() {
            return Err("too many words: try help");
        }
        match (first.unwrap_or_default(), second) {
            (b"help", None) => Ok(Self::Help),
            (b"status", None) => Ok(Self::Status),
            (b"get", None) => Ok(Self::Get),
            (b"set", Some(value)) => number(value).map(Self::Set),
            (b"add", Some(value)) => number(value).map(Self::Add),
            (b"flash", Some(b"fail")) => Ok(Self::FlashFail),
            (b"log", Some(b"fill")) => Ok(Self::LogFill),
            _ => Err("no such command: try help"),
        }
    }
}

fn number(word: &[u8]) -> Result<i64, &'static str> {
    const BAD: &str = "a whole number is needed, of at most 63 bits";
    let (negative, digits) = match word.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, word),
    };
    if digits.is_empty() {
        return Err(BAD);
    }
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10).ok_or(BAD)?;
        value = value.checked_mul(10).ok_or(BAD)?.checked_add(i64::from(digit)).ok_or(BAD)?;
    }
    Ok(if negative { value.saturating_neg() } else { value })
}
