use core::fmt;
use core::ops::Range;

use crate::limits;

/// Cuts requests out of a connection's bytes: RESP arrays of bulk strings, and inline commands.
///
/// It remembers how far it got, so a request that arrives in many pieces is scanned once. Nothing is copied, and nothing is
/// allocated for a length that a client merely announced.
///
/// This scanner is ours although a protocol crate writes our replies and reads those of others: a server needs the inline form,
/// bounds that hold before the bytes are there, and Redis's own protocol errors; `redis-protocol` 6 has none of the three, and
/// its decoder recurses into nested arrays, so that 800 kB of `*1\r\n` overflow the stack. Requests are flat by definition.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// How far the present request was scanned.
    position: usize,
    /// Arguments of the present array still to come; `None` before its header.
    missing: Option<usize>,
    /// The announced length of the bulk string whose bytes are awaited.
    bulk: Option<usize>,
    arguments: Vec<Range<usize>>,
    /// Arguments of an inline command, with quotes and escapes undone.
    unquoted: Vec<u8>,
    inline: bool,
}

/// The arguments of one request, the command's name first.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    bytes: &'a [u8],
    ranges: &'a [Range<usize>],
}

/// Bytes that are no request. The connection cannot be understood any further: the error is its last reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ProtocolError {
    InlineTooLong,
    UnbalancedQuotes,
    CountTooLong,
    Count,
    LengthTooLong,
    Length,
    ExpectedBulk(u8),
    CommandTooLong,
}

impl Decoder {
    /// Looks for one whole request at the front of `bytes`, which must begin where the last request ended.
    ///
    /// Gives the number of bytes it takes, or `None` if more must come; [`arguments`](Self::arguments) then has it. A request
    /// without arguments (an empty line, `*0`) is none and is skipped by the caller.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.position == 0 {
            self.arguments.clear();
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => self.inline = false,
                Some(_) => return self.inline(bytes),
            }
        }
        self.array(bytes)
    }

    /// Bytes of the present request that is not whole, as far as its lengths tell; the most there may be if it is large and more
    /// arguments follow.
    pub(crate) fn announced(&self) -> usize {
        let known = self.position + self.bulk.map_or(0, |length| length + 2);
        let ends = self.missing.is_none_or(|missing| missing <= 1);
        if ends || known <= limits::LARGE_BYTES { known } else { limits::COMMAND_BYTES }
    }

    /// Gives back the memory that a large request took.
    pub(crate) fn reset(&mut self) {
        self.arguments = Vec::new();
        self.unquoted = Vec::new();
    }

    /// The request that [`next`](Self::next) found in these `bytes`.
    pub(crate) fn arguments<'a>(&'a self, bytes: &'a [u8]) -> Arguments<'a> {
        let bytes = if self.inline { &self.unquoted } else { bytes };
        Arguments { bytes, ranges: &self.arguments }
    }

    fn array(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => {
                let Some(line) = self.line(bytes, &ProtocolError::CountTooLong)? else {
                    return Ok(None);
                };
                let count = number(&bytes[line]).ok_or(ProtocolError::Count)?;
                if count > limits::ARGUMENTS as i64 {
                    return Err(ProtocolError::Count);
                }
                usize::try_from(count).unwrap_or(0)
            }
        };
        while missing > 0 {
            self.missing = Some(missing);
            if !self.bulk_string(bytes)? {
                return Ok(None);
            }
            missing -= 1;
        }
        self.missing = None;
        Ok(Some(core::mem::take(&mut self.position)))
    }

    /// Takes one bulk string; false if more bytes must come.
    fn bulk_string(&mut self, bytes: &[u8]) -> Result<bool, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                match bytes.get(self.position) {
                    None => return Ok(false),
                    Some(b'$') => {}
                    Some(&other) => return Err(ProtocolError::ExpectedBulk(other)),
                }
                let Some(line) = self.line(bytes, &ProtocolError::LengthTooLong)? else {
                    return Ok(false);
                };
                let length = number(&bytes[line]).and_then(|length| usize::try_from(length).ok());
                let length =
                    length.filter(|&l| l <= limits::VALUE_BYTES).ok_or(ProtocolError::Length)?;
                if self.position + length > limits::COMMAND_BYTES {
                    return Err(ProtocolError::CommandTooLong);
                }
                self.bulk = Some(length);
                length
            }
        };
        let end = self.position + length;
        if bytes.len() < end + 2 {
            return Ok(false);
        }
        // like Redis, the two bytes after the string are taken without looking at them
        self.arguments.push(self.position..end);
        self.position = end + 2;
        self.bulk = None;
        Ok(true)
    }

    /// The content of the line at the present position, after its type byte; `None` if its end has not come yet.
    fn line(
        &mut self,
        bytes: &[u8],
        too_long: &ProtocolError,
    ) -> Result<Option<Range<usize>>, ProtocolError> {
        let start = self.position + 1;
        let rest = bytes.get(start..).unwrap_or_default();
        let window = &rest[..rest.len().min(limits::LINE_BYTES)];
        match window.iter().position(|&byte| byte == b'\r') {
            Some(length) if rest.len() >= length + 2 => {
                self.position = start + length + 2;
                Ok(Some(start..start + length))
            }
            Some(_) => Ok(None),
            None if rest.len() >= limits::LINE_BYTES => Err(too_long.clone()),
            None => Ok(None),
        }
    }

    fn inline(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let window = &bytes[..bytes.len().min(limits::LINE_BYTES)];
        let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
            return if bytes.len() >= limits::LINE_BYTES {
                Err(ProtocolError::InlineTooLong)
            } else {
                Ok(None)
            };
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        self.inline = true;
        self.unquoted.clear();
        self.split(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        Ok(Some(end + 1))
    }

    /// Splits an inline command as a shell would: `"…"` with escapes, `'…'` with `\'` only.
    fn split(&mut self, mut line: &[u8]) -> Option<()> {
        loop {
            line = line.trim_ascii_start();
            if line.is_empty() {
                return Some(());
            }
            let start = self.unquoted.len();
            line = match line {
                [b'"', rest @ ..] => double_quoted(rest, &mut self.unquoted)?,
                [b'\'', rest @ ..] => single_quoted(rest, &mut self.unquoted)?,
                _ => self.bare(line)?,
            };
            self.arguments.push(start..self.unquoted.len());
        }
    }

    fn bare<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let stop =
            line.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
        let (word, rest) = line.split_at(stop.unwrap_or(line.len()));
        self.unquoted.extend_from_slice(word);
        match rest {
            [b'"', rest @ ..] => double_quoted(rest, &mut self.unquoted),
            [b'\'', rest @ ..] => single_quoted(rest, &mut self.unquoted),
            _ => Some(rest),
        }
    }
}

impl<'a> Arguments<'a> {
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.ranges.get(index).and_then(|range| self.bytes.get(range.clone()))
    }

    /// The arguments from `index` on.
    pub(crate) fn from(&self, index: usize) -> Arguments<'a> {
        Arguments { bytes: self.bytes, ranges: self.ranges.get(index..).unwrap_or_default() }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.ranges.iter().map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }
}

/// A decimal number as Redis takes it: an optional minus, no leading zeros, no plus, no spaces.
pub(crate) fn number(digits: &[u8]) -> Option<i64> {
    let (negative, magnitude) = match digits {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, digits),
    };
    match magnitude {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        _ if magnitude.len() > 19 => return None,
        _ => {}
    }
    let mut value: i64 = 0;
    for &digit in magnitude {
        let digit = i64::from(digit.checked_sub(b'0').filter(|&digit| digit < 10)?);
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

fn double_quoted<'a>(mut line: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        line = match line {
            [b'\\', b'x', high, low, rest @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) << 4 | hex(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest
            }
            [b'"', rest @ ..] => return closed(rest),
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

fn single_quoted<'a>(mut line: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        line = match line {
            [b'\\', b'\'', rest @ ..] => {
                out.push(b'\'');
                rest
            }
            [b'\'', rest @ ..] => return closed(rest),
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

/// A closing quote ends its argument.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ERR Protocol error: ")?;
        match self {
            Self::InlineTooLong => f.write_str("too big inline request"),
            Self::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            Self::CountTooLong => f.write_str("too big mbulk count string"),
            Self::Count => f.write_str("invalid multibulk length"),
            Self::LengthTooLong => f.write_str("too big bulk count string"),
            Self::Length => f.write_str("invalid bulk length"),
            Self::ExpectedBulk(byte) => {
                // what is not printable would break the error's line
                let shown = if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' };
                write!(f, "expected '$', got '{shown}'")
            }
            Self::CommandTooLong => {
                write!(f, "a command may have {} bytes", limits::COMMAND_BYTES)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let (mut decoder, mut at, mut requests) = (Decoder::default(), 0, Vec::new());
        while let Some(taken) = decoder.next(&bytes[at..])? {
            requests.push(
                decoder.arguments(&bytes[at..]).iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
            );
            at += taken;
        }
        Ok(requests)
    }

    #[test]
    fn arrays_and_inline_commands_mix() {
        let requests =
            all(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nset k \"a \\x41\\n\" 'it\\'s'\r\n\r\n*0\r\nping\n")
                .unwrap();
        let words =
            |words: &[&str]| words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(
            requests,
            [
                words(&["GET", "a"]),
                words(&["set", "k", "a A\n", "it's"]),
                vec![],
                vec![],
                words(&["ping"])
            ]
        );
    }

    #[test]
    fn malformed_requests_are_reported() {
        for (bytes, error) in [
            (&b"*a\r\n"[..], ProtocolError::Count),
            (b"*1048577\r\n", ProtocolError::Count),
            (b"*1\r\n:1\r\n", ProtocolError::ExpectedBulk(b':')),
            (b"*1\r\n*1\r\n", ProtocolError::ExpectedBulk(b'*')),
            (b"*1\r\n$-1\r\n", ProtocolError::Length),
            (b"*1\r\n$99999999\r\n", ProtocolError::Length),
            (b"get \"a\r\n", ProtocolError::UnbalancedQuotes),
            (b"get \"a\"b\r\n", ProtocolError::UnbalancedQuotes),
        ] {
            assert_eq!(all(bytes), Err(error));
        }
        assert_eq!(all(&[b'x'; limits::LINE_BYTES]), Err(ProtocolError::InlineTooLong));
        let mut long = b"*1\r\n$".to_vec();
        long.resize(limits::LINE_BYTES + 8, b'1');
        assert_eq!(all(&long), Err(ProtocolError::LengthTooLong));
        let four = format!("$4194304\r\n{}\r\n", "x".repeat(4 << 20));
        assert_eq!(
            all(format!("*3\r\n{four}{four}").as_bytes()),
            Err(ProtocolError::CommandTooLong)
        );
    }

    #[test]
    fn announced_length_is_known_early() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"), Ok(None));
        assert!(decoder.announced() < 100);
        assert_eq!(decoder.next(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4194304\r\nx"), Ok(None));
        assert_eq!(decoder.announced(), (4 << 20) + 32);
        // more arguments follow a large one
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(b"*3\r\n$3\r\nSET\r\n$70000\r\nx"), Ok(None));
        assert_eq!(decoder.announced(), limits::COMMAND_BYTES);
    }

    #[test]
    fn numbers_are_strict() {
        for good in ["0", "7", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(number(good.as_bytes()), good.parse().ok(), "{good}");
        }
        for bad in ["", "-", "+1", "01", "-0", " 1", "1 ", "9223372036854775808", "1e3", "0x1"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn partial_input_parses_like_the_whole(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), piece in 1usize..7) {
            let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
            let mut decoder = Decoder::default();
            for end in (piece..bytes.len()).step_by(piece) {
                prop_assert_eq!(decoder.next(&bytes[..end]), Ok(None));
            }
            prop_assert_eq!(decoder.next(&bytes), Ok(Some(bytes.len())));
            prop_assert_eq!(decoder.arguments(&bytes).iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), words);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'"')], 0..200)) {
            let _ = all(&bytes);
        }
    }
}
