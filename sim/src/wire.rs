//! Checks of messages and records that are [declared](quorate_core::wire), for the tests of each
//! crate: of the tables in the documentation, and of codecs that are written by hand.

use core::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;

use quorate_core::{Declared, FieldShape, Reader, Shape, Writer};

/// The environment variable that makes [`check_tables`] write the tables.
const UPDATE: &str = "UPDATE";

/// Checks the tables in a document, which is a path from the root of the repository. Each is
/// between `<!-- wire: NAME -->` and `<!-- end -->`, and there is one for each of the names. With
/// `UPDATE=1` in the environment it writes them.
///
/// # Errors
///
/// The tables that differ, and how to write them; or that the document cannot be read or written.
pub fn check_tables(document: &str, declared: &[(&str, Shape)]) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let old = fs::read_to_string(&path).map_err(|error| format!("{document}: {error}"))?;
    let new = replaced(&old, declared).map_err(|error| format!("{document}: {error}"))?;
    if old == new {
        return Ok(());
    }
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&path, new).map_err(|error| format!("{document}: {error}"));
    }
    let pairs = old.lines().zip(new.lines());
    let line = 1 + pairs.take_while(|(old, new)| old == new).count();
    Err(format!(
        "{document}:{line}: a table is not what is declared: run this test again with {UPDATE}=1 in \
         the environment, and commit the document"
    ))
}

/// The text with the tables that are declared.
fn replaced(text: &str, declared: &[(&str, Shape)]) -> Result<String, String> {
    let mut out = String::new();
    let mut missing: Vec<&str> = declared.iter().map(|&(name, _)| name).collect();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!-- wire: ") {
        let (name, after) = after.split_once(" -->").ok_or("a marker does not end")?;
        let (_, after) = after
            .split_once("<!-- end -->")
            .ok_or_else(|| format!("there is no `<!-- end -->` for {name}"))?;
        let (_, shape) = declared
            .iter()
            .find(|(declared, _)| *declared == name)
            .ok_or_else(|| format!("the test has no declaration for {name}"))?;
        missing.retain(|missing| *missing != name);
        let _ = write!(out, "{before}<!-- wire: {name} -->\n\n{}\n<!-- end -->", table(shape));
        rest = after;
    }
    out.push_str(rest);
    match missing.first() {
        Some(name) => {
            Err(format!("there is no table of {name}: add `<!-- wire: {name} --><!-- end -->`"))
        }
        None => Ok(out),
    }
}

/// A shape as a Markdown table: of an enum the variants, of a struct the fields.
///
/// ```
/// use quorate_core::{Declared, wire};
///
/// wire! {
///     #[derive(Debug)]
///     enum Message {
///         /// Is anybody there?
///         0 => Ping {
///             round: u64,
///         },
///         1 => End,
///     }
/// }
///
/// let table = "\
/// | number | name | fields, in order | meaning |
/// |---|---|---|---|
/// | 0 | Ping | `round` varint | Is anybody there? |
/// | 1 | End | – |  |
/// ";
/// assert_eq!(quorate_sim::wire::table(&Message::SHAPE), table);
/// ```
#[must_use]
pub fn table(shape: &Shape) -> String {
    let mut out = String::new();
    match shape.variants {
        [fields] if fields.number.is_none() => {
            out.push_str("| field | form | meaning |\n|---|---|---|\n");
            for field in fields.fields {
                let meaning = meaning(field.doc);
                let _ = writeln!(out, "| `{}` | {} | {meaning} |", field.name, field.form);
            }
        }
        variants => {
            out.push_str("| number | name | fields, in order | meaning |\n|---|---|---|---|\n");
            for variant in variants {
                let number = variant.number.map_or_else(String::new, |number| number.to_string());
                let (fields, meaning) = (fields(variant.fields), meaning(variant.doc));
                let _ = writeln!(out, "| {number} | {} | {fields} | {meaning} |", variant.name);
            }
        }
    }
    out
}

fn fields(fields: &[FieldShape]) -> String {
    let texts: Vec<String> =
        fields.iter().map(|field| format!("`{}` {}", field.name, field.form)).collect();
    if texts.is_empty() { "–".to_owned() } else { texts.join(", ") }
}

/// The first paragraph of documentation, in one line; of links the text.
fn meaning(doc: &[&str]) -> String {
    let lines = doc.iter().map(|line| line.trim()).skip_while(|line| line.is_empty());
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let text = lines.join(" ").replace('|', "\\|");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, link)) = rest.split_once('[') {
        let Some((label, after)) = link.split_once(']') else { break };
        out.push_str(before);
        out.push_str(label);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// Takes bytes as the source of a generated value, and as the encoding of one. The
/// [`Wire`](quorate_core::Wire) form must be the one that is declared, give the value back, and be
/// the only one.
///
/// # Errors
///
/// What differs.
pub fn check_codec<'a, T: Declared<'a> + PartialEq + Debug>(
    bytes: &'a [u8],
    room: &'a mut Vec<u8>,
) -> Result<(), String> {
    if let Some(value) = check_decoded::<T>(bytes)? {
        check_encoded(&value, bytes)?;
    }
    let generated = T::generate(&mut quorate_core::Source::new(bytes, &[7, 300]));
    room.resize(generated.encoded_len(), 0);
    generated.to_slice(room).map_err(|error| error.to_string())?;
    check_encoded(&generated, room)?;
    match check_decoded::<T>(room)? {
        Some(value) if value == generated => Ok(()),
        other => Err(format!("{generated:?} is read as {other:?}")),
    }
}

/// The value that the bytes encode, by the codec and by the declaration. Errors may be of different
/// kinds, as one may read all numbers before it looks at them.
fn check_decoded<'a, T: Declared<'a> + PartialEq + Debug>(
    bytes: &'a [u8],
) -> Result<Option<T>, String> {
    let value = T::from_slice(bytes).ok();
    let mut input = Reader::new(bytes);
    let declared = T::decode_declared(&mut input);
    let declared = declared.ok().filter(|_| input.finish().is_ok());
    if value == declared {
        return Ok(value);
    }
    Err(format!("{bytes:02x?} is read as {value:?}, and as {declared:?} by the declaration"))
}

fn check_encoded<'a, T: Declared<'a> + Debug>(value: &T, bytes: &[u8]) -> Result<(), String> {
    let encoded = |encode: &dyn Fn(&mut Writer<'_>)| {
        let mut buffer = vec![0; bytes.len()];
        let mut out = Writer::new(&mut buffer);
        encode(&mut out);
        out.finish().is_ok_and(|written| written == bytes)
    };
    if encoded(&|out| value.encode(out)) && encoded(&|out| value.encode_declared(out)) {
        return Ok(());
    }
    Err(format!("{value:?} is not encoded as {bytes:02x?} by the codec and by the declaration"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_core::{NodeId, wire};

    wire! {
        #[derive(Clone, Copy, PartialEq, Debug)]
        enum Message<'a> {
            /// Asks [`Everybody`](super::Everybody)
            /// for `a|b`, see [Data].
            ///
            /// At length.
            0 => Ask {
                round: u64,
                from: Option<NodeId>,
            },
            #[allow(unused)]
            /// A list [of two.
            7 => Data(bytes: &'a [u8]),
            8 => Nothing,
        }
    }

    wire! {
        #[derive(Clone, Copy, PartialEq, Debug)]
        struct Pair {
            /// The first.
            a: u8,
            b: bool,
        }
    }

    wire! {
        by hand;
        #[derive(Clone, Copy, PartialEq, Debug)]
        struct Wrong {
            a: u64,
        }
    }

    impl quorate_core::Wire<'_> for Wrong {
        fn encode(&self, out: &mut Writer<'_>) {
            out.u8(self.a.to_le_bytes()[0]);
        }
        fn decode(input: &mut Reader<'_>) -> Result<Self, quorate_core::DecodeError> {
            input.u8().map(|a| Self { a: a.into() })
        }
    }

    const MESSAGES: &str = "\
| number | name | fields, in order | meaning |
|---|---|---|---|
| 0 | Ask | `round` varint, `from` option of node | Asks `Everybody` for `a\\|b`, see Data. |
| 7 | Data | `bytes` bytes | A list [of two. |
| 8 | Nothing | – |  |
";
    const PAIR: &str = "\
| field | form | meaning |
|---|---|---|
| `a` | byte | The first. |
| `b` | bool |  |
";

    #[test]
    fn tables_have_variants_or_fields() {
        assert_eq!(table(&Message::SHAPE), MESSAGES);
        assert_eq!(table(&Pair::SHAPE), PAIR);
    }

    #[test]
    fn text_between_markers_is_replaced() {
        let declared = [("Message", Message::SHAPE), ("Pair", Pair::SHAPE)];
        let old =
            "# A\n<!-- wire: Pair -->old<!-- end -->\nb\n<!-- wire: Message --><!-- end -->\n";
        let new = format!(
            "# A\n<!-- wire: Pair -->\n\n{PAIR}\n<!-- end -->\nb\n<!-- wire: Message -->\n\n{MESSAGES}\n<!-- end -->\n"
        );
        assert_eq!(replaced(old, &declared), Ok(new.clone()));
        assert_eq!(replaced(&new, &declared), Ok(new));
    }

    #[test]
    fn markers_and_declarations_correspond() {
        let declared = [("Pair", Pair::SHAPE)];
        let error = |text| replaced(text, &declared).unwrap_err();
        assert_eq!(
            error("# A\n"),
            "there is no table of Pair: add `<!-- wire: Pair --><!-- end -->`"
        );
        assert_eq!(error("<!-- wire: Pair -->\n"), "there is no `<!-- end -->` for Pair");
        assert_eq!(
            error("<!-- wire: Other --><!-- end -->"),
            "the test has no declaration for Other"
        );
        assert_eq!(error("<!-- wire: Pair"), "a marker does not end");
        assert!(check_tables("docs/nothing.md", &[]).is_err());
        let error = check_tables("CHANGELOG.md", &declared).unwrap_err();
        assert!(error.starts_with("CHANGELOG.md: there is no table of Pair"), "{error}");
    }

    #[test]
    fn codecs_that_differ_from_the_declaration_are_found() {
        let check = |bytes: &[u8]| check_codec::<Wrong>(bytes, &mut Vec::new());
        assert!(check(&[5]).is_ok());
        assert!(check(&[0xff]).unwrap_err().starts_with("[ff] is read as Some"));
        let error = check(&[0x50, 0x01]).unwrap_err();
        assert!(error.starts_with("Wrong { a: 300 } is not encoded"), "{error}");
        for bytes in [&[0, 5, 0][..], &[7, 1, 1], &[8], &[1, 2, 3]] {
            assert_eq!(check_codec::<Message<'_>>(bytes, &mut Vec::new()), Ok(()));
        }
    }
}
