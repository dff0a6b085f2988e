//! Figures in a text that a marker before them makes checkable: an HTML comment, which no reader sees.

/// A marker and the figure behind it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Marker<'a> {
    /// `size` or `count`.
    pub(crate) kind: &'a str,
    /// What the figure is of.
    pub(crate) what: &'a str,
    /// Digits with commas between thousands and perhaps a decimal point; empty if none follows.
    pub(crate) number: &'a str,
    /// The bytes of a unit; 1 without one.
    pub(crate) unit: u64,
    /// Where the number begins in the line.
    pub(crate) at: usize,
}

const OPEN: &str = "<!-- ";
pub(crate) const CLOSE: &str = " -->";
const KINDS: [&str; 2] = ["size", "count"];
const UNITS: [(&str, u64); 4] = [("bytes", 1), ("B", 1), ("KB", 1_000), ("KiB", 1 << 10)];

/// The markers of a line.
pub(crate) fn markers(line: &str) -> Vec<Marker<'_>> {
    let opened = line.match_indices(OPEN).filter_map(|(at, _)| {
        let begin = at + OPEN.len();
        let (inside, _) = line.get(begin..)?.split_once(CLOSE)?;
        let (kind, what) = inside.split_once(": ").filter(|(kind, _)| KINDS.contains(kind))?;
        let at = begin + inside.len() + CLOSE.len();
        let number = number(line.get(at..)?);
        let unit = unit(line.get(at + number.len()..)?).unwrap_or(1);
        Some(Marker { kind, what, number, unit, at })
    });
    opened.collect()
}

/// The number that a text begins with.
fn number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && !",.".contains(c)).unwrap_or(text.len());
    // what ends a sentence is no part of it
    text.get(..end).unwrap_or_default().trim_end_matches(['.', ','])
}

/// The bytes of the unit that a text begins with, behind a blank.
fn unit(text: &str) -> Option<u64> {
    let word = text.strip_prefix(' ')?;
    let word = word.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    UNITS.iter().find(|(name, _)| *name == word).map(|(_, bytes)| *bytes)
}

impl Marker<'_> {
    /// How the value is written with this unit and as many decimals.
    pub(crate) fn write(&self, value: u64) -> String {
        let decimals = self.number.split_once('.').map_or(0, |(_, digits)| digits.len());
        if self.unit == 1 {
            return grouped(&value.to_string());
        }
        #[expect(clippy::cast_precision_loss, reason = "sizes of programs are far below 2^52")]
        let scaled = value as f64 / self.unit as f64;
        grouped(&format!("{scaled:.decimals$}"))
    }
}

/// With commas between thousands.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// Where a figure with a unit stands before these words without a marker: the figure.
pub(crate) fn unmarked<'a>(line: &'a str, words: &str) -> Vec<&'a str> {
    let places = line.match_indices(words).filter_map(|(at, _)| {
        let before = line.get(..at)?;
        let begin = before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
        unit(line.get(begin.checked_sub(1)?..)?)?;
        let number = before.get(..begin - 1)?;
        let start = number.trim_end_matches(|c: char| c.is_ascii_digit() || ",.".contains(c)).len();
        let figure =
            before.get(start..).filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))?;
        (!before.get(..start)?.ends_with(CLOSE)).then_some(figure)
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_read() {
        let line = "a <!-- size: t p code -->24.5 KB, <!-- count: bugs -->1,075. <!-- other --> <!-- size: x -->";
        let all = markers(line);
        let read: Vec<_> = all.iter().map(|it| (it.kind, it.what, it.number, it.unit)).collect();
        let wanted = [
            ("size", "t p code", "24.5", 1_000),
            ("count", "bugs", "1,075", 1),
            ("size", "x", "", 1),
        ];
        assert_eq!(read, wanted);
        assert!(all.iter().all(|it| line[it.at..].starts_with(it.number)));
    }

    #[test]
    fn values_are_written_as_the_figure_was() {
        let write = |line: &str, value| markers(line).first().map(|it| it.write(value));
        assert_eq!(write("<!-- size: x -->1.0 KB", 24_496), Some("24.5".to_owned()));
        assert_eq!(write("<!-- size: x -->1 KiB", 1_951), Some("2".to_owned()));
        assert_eq!(write("<!-- size: x -->1 B", 1_024_496), Some("1,024,496".to_owned()));
        assert_eq!(write("<!-- size: x -->", 7), Some("7".to_owned()));
    }

    #[test]
    fn figures_without_a_marker_are_found() {
        let find = |line| unmarked(line, " of code");
        assert_eq!(
            find("takes 24.4 KB of code, or 1,024 bytes of code"),
            ["24.4 KB", "1,024 bytes"]
        );
        assert!(
            find("<!-- size: x -->24.4 KB of code; some bytes of code; 3 lines of code").is_empty()
        );
    }
}
