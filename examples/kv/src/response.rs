//! What a node answers to `ctl`, to `--join` and to the live table, read with bounds: it may be no node at all.

use core::fmt;

use crate::resp::number;

/// A reply to one command. `INFO` and `QUORATE …` give no other kinds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Response {
    Simple(String),
    Error(String),
    Bulk(Vec<u8>),
}

/// Bytes that no node of Quorate answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

/// Bytes of a line, at most.
const LINE_BYTES: usize = 4 << 10;
/// Bytes of an `INFO`, at most.
const BULK_BYTES: usize = 1 << 20;
/// Characters of one field that are shown, at most.
const SHOWN: usize = 256;

/// Reads the reply at the front of the bytes; `None` if more must come.
///
/// Replies are flat: nothing recurses, and no memory is reserved for a length that was merely announced.
///
/// # Errors
///
/// [`Malformed`] for every other kind of reply, and for one beyond the bounds.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Response>, Malformed> {
    let (Some(&kind), rest) = (bytes.first(), bytes.get(1..).unwrap_or_default()) else {
        return Ok(None);
    };
    if !matches!(kind, b'+' | b'-' | b'$') {
        return Err(Malformed);
    }
    let line = rest.get(..LINE_BYTES).unwrap_or(rest);
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if rest.len() > LINE_BYTES { Err(Malformed) } else { Ok(None) };
    };
    let (line, rest) = (&rest[..end], &rest[end + 2..]);
    match kind {
        b'+' => Ok(Some(Response::Simple(String::from_utf8_lossy(line).into_owned()))),
        b'-' => Ok(Some(Response::Error(String::from_utf8_lossy(line).into_owned()))),
        _ => {
            let length = number(line).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|&length| length <= BULK_BYTES).ok_or(Malformed)?;
            // the line's end behind it must be there too
            Ok((rest.len() >= length + 2).then(|| Response::Bulk(rest[..length].to_vec())))
        }
    }
}

/// Text from elsewhere as a terminal may be shown it: cut, and with everything escaped that would move the cursor, color the
/// screen or turn the direction of the text.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || hidden {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no node of Quorate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_replies_of_nodes_are_parsed() {
        assert_eq!(parse(b"+OK\r\n"), Ok(Some(Response::Simple("OK".into()))));
        assert_eq!(parse(b"-ERR no\r\n"), Ok(Some(Response::Error("ERR no".into()))));
        assert_eq!(parse(b"$3\r\na\rb\r\n"), Ok(Some(Response::Bulk(b"a\rb".to_vec()))));
        for half in [&b""[..], b"+", b"+OK\r", b"$", b"$3", b"$3\r\n", b"$3\r\nabc", b"$3\r\nabc\r"]
        {
            assert_eq!(parse(half), Ok(None), "{half:?}");
        }
        for bad in [
            &b":1\r\n"[..],
            b"*1\r\n+a\r\n",
            b"$-1\r\n",
            b"$1048577\r\n",
            b"$x\r\n",
            b"HTTP/1.1",
            b"_\r\n",
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(parse(&b"*1\r\n".repeat(100_000)), Err(Malformed));
        assert_eq!(parse(&[b'+'; LINE_BYTES + 2]), Err(Malformed));
        assert_eq!(parse(&[b"$".to_vec(), b"9".repeat(LINE_BYTES + 1)].concat()), Err(Malformed));
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\x1b[2Jb\r\n\x07\u{9b}é"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{7}\\u{9b}é");
        assert_eq!(printable("\u{202e}x"), "\\u{202e}x");
        assert_eq!(printable(&"x".repeat(1_000)).chars().count(), SHOWN + 1);
    }

    proptest! {
        #[test]
        fn partial_input_parses_like_the_whole(bytes in "[+$][0-9a-c\r\n]{0,12}", at in 0usize..12) {
            let (whole, part) = (parse(bytes.as_bytes()), parse(&bytes.as_bytes()[..at.min(bytes.len())]));
            prop_assert!(part == Ok(None) || part == whole);
        }
    }
}
