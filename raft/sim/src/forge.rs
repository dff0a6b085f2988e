//! Messages made of the text that traces have for them.

use quorate_core::{Declared, FieldShape, Writer};
use quorate_raft::{Message, Term};

use super::text_format::push_entry;

/// Encodes the message that a line says, such as `Append term 2, prev 3@1, commit 3, entries 4@2 "x"`. Fields that are not named are zero,
/// off or empty. Commands and members cannot be made.
///
/// # Errors
///
/// What is wrong with the line.
pub(crate) fn forge(line: &str) -> Result<Vec<u8>, String> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let variant = Message::SHAPE.variants.iter().find(|variant| variant.name == name);
    let variant = variant.ok_or_else(|| format!("{name:?} is no message"))?;
    let mut values = Values::parse(rest)?;
    let mut bytes = vec![variant.number.unwrap_or(0)];
    for field in variant.fields {
        let value = values.take(field.name);
        encode(field, value.as_deref(), &mut bytes)?;
    }
    match values.0.first() {
        Some((name, _)) => Err(format!("{} has no field {name:?}", variant.name)),
        None => Ok(bytes),
    }
}

/// The values of fields, by name.
struct Values(Vec<(String, String)>);

impl Values {
    /// Splits `term 2, prev 3@1, granted, entries 4@2 "a", 5@2 "b"`.
    fn parse(text: &str) -> Result<Self, String> {
        let mut values: Vec<(String, String)> = Vec::new();
        for part in text.split(", ").filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once(' ').unwrap_or((part, "yes"));
            match (values.last_mut(), name.starts_with(|c: char| c.is_ascii_digit())) {
                // another entry
                (Some((_, last)), true) => *last = format!("{last}, {part}"),
                (None, true) => return Err(format!("{part:?} has no name")),
                _ => values.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(Self(values))
    }

    /// The value of a field. An index and the term there are one value: `prev 3@1`.
    fn take(&mut self, field: &str) -> Option<String> {
        if let Some(at) =
            self.0.iter().position(|(name, value)| name == field && !is_position(value))
        {
            return Some(self.0.remove(at).1);
        }
        let (of, is_term) = match field.strip_suffix("_term") {
            Some(of) => (of, true),
            None => (field.strip_suffix("_index").unwrap_or(field), false),
        };
        let at = self.0.iter().position(|(name, value)| name == of && is_position(value))?;
        let (index, term) = self.0.get(at)?.1.split_once('@')?;
        if !is_term {
            return Some(index.to_owned());
        }
        let term = term.to_owned();
        self.0.remove(at);
        Some(term)
    }
}

fn is_position(value: &str) -> bool {
    !value.contains(' ') && value.contains('@')
}

fn encode(field: &FieldShape, value: Option<&str>, out: &mut Vec<u8>) -> Result<(), String> {
    let wrong = |value: &str| Err(format!("{} is {}, not {value:?}", field.name, field.form));
    match (field.form.name, value) {
        ("varint", None) | ("bool", None | Some("no")) | ("bytes" | "members", None) => out.push(0),
        ("bool", Some("yes")) => out.push(1),
        ("varint", Some(value)) => match value.parse() {
            Ok(number) => push(out, |out| out.u64(number)),
            Err(_) => return wrong(value),
        },
        ("bytes", Some(value)) if field.name == "entries" => {
            let run = entries(value)?;
            push(out, |out| out.bytes(&run));
        }
        ("bytes", Some(value)) if field.name == "data" => match unquoted(value) {
            Some(data) => push(out, |out| out.bytes(data.as_bytes())),
            None => return wrong(value),
        },
        (_, value) => return wrong(value.unwrap_or_default()),
    }
    Ok(())
}

/// Entries such as `4@2 "x", 5@2 blank`.
fn entries(text: &str) -> Result<Vec<u8>, String> {
    let mut run = Vec::new();
    for entry in text.split(", ") {
        let wrong = || format!("{entry:?} is no entry such as 4@2 \"x\" or 4@2 blank");
        let (position, what) = entry.split_once(' ').ok_or_else(wrong)?;
        let (_, term) = position.split_once('@').ok_or_else(wrong)?;
        let term: Term = term.parse().map_err(|_| wrong())?;
        match (what, unquoted(what)) {
            ("blank", _) => push_entry(&mut run, term, 1, &[]),
            (_, Some(command)) => push_entry(&mut run, term, 0, command.as_bytes()),
            _ => return Err(wrong()),
        }
    }
    Ok(run)
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

fn push(out: &mut Vec<u8>, write: impl Fn(&mut Writer<'_>)) {
    let mut count = Writer::new(&mut []);
    write(&mut count);
    let start = out.len();
    out.resize(start + count.needed(), 0);
    write(&mut Writer::new(out.get_mut(start..).unwrap_or_default()));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::text_format::line;
    use super::*;
    use quorate_core::{Field, Hint, Source, Wire};

    /// What a trace says of a message is that message.
    #[test]
    fn text_is_read_as_the_message_it_was_written_of() {
        let mut run = Vec::new();
        push_entry(&mut run, 3, 0, b"a");
        push_entry(&mut run, 4, 1, &[]);
        let runs = [&run[..], &[]];
        let hints = [
            Hint::bytes("entries", &runs),
            Hint::bytes("commands", &runs[1..]),
            Hint::bytes("data", &[b"chunk", b""]),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..2_000_u64 {
            let mut rng = quorate_core::Rng::new(seed);
            let bytes: Vec<u8> = (0..16).map(|_| rng.below(128) as u8).collect();
            let mut source = Source::new(&bytes, &[7]).hints(&hints);
            let message = Message::generate(&mut source);
            if matches!(message, Message::SnapshotEnd { .. }) {
                continue; // it has members
            }
            let text = line(&message);
            let forged = forge(&text).unwrap();
            assert_eq!(Message::from_slice(&forged), Ok(message), "{text}");
            seen.insert(message.name());
        }
        assert_eq!(seen.len(), Message::SHAPE.variants.len() - 1);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |line| forge(line).unwrap_err();
        assert_eq!(error("Apend term 1"), "\"Apend\" is no message");
        assert_eq!(error("Vote term one"), "term is varint, not \"one\"");
        assert_eq!(error("Vote granted maybe"), "granted is bool, not \"maybe\"");
        assert_eq!(error("Vote term 1, index 3"), "Vote has no field \"index\"");
        assert_eq!(error("Vote 3@1"), "\"3@1\" has no name");
        assert!(error("Append entries 3 \"x\"").contains("is no entry such as"));
        assert!(error("Append entries 3@1 x").contains("is no entry such as"));
    }
}
