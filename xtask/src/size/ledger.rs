//! The sizes that were committed, and how far off one may be.

use std::fs;
use std::path::PathBuf;

use super::Row;
use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// What was measured before.
pub(crate) struct Ledger {
    /// The compiler it was measured with: another one gives other sizes.
    pub(crate) compiler: String,
    rows: Vec<(String, [u64; COLUMNS])>,
}

/// The numbers of a row, in the order of the file.
pub(crate) const COLUMNS: usize = 7;
const NAMES: [&str; COLUMNS] =
    [".text", ".rodata", ".data", ".bss", "the stack", "the state", "the content"];
const COMPILER: &str = "# compiler ";

/// Bytes a number may differ by: a hundredth, or this if that is less.
const SLACK_BYTES: u64 = 64;

impl Ledger {
    pub(crate) fn read() -> Outcome<Self> {
        let path = path();
        let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
        Self::parse(&text).map_err(|what| Failure::failed(format!("{}: {what}", path.display())))
    }

    pub(crate) fn write(rows: &[Row], compiler: &str) -> Outcome {
        let mut text = format!(
            "# What `cargo xtask size --bless` measured, in bytes; CI lets a hundredth or {SLACK_BYTES} bytes pass, either way.\n\
            {COMPILER}{compiler}\n\
            # target program .text .rodata .data .bss stack state content\n"
        );
        for row in rows {
            let numbers = row.numbers().map(|number| number.to_string());
            text.push_str(&format!("{} {}\n", row.name(), numbers.join(" ")));
        }
        let path = path();
        fs::write(&path, text).map_err(Failure::io(path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let compiler = compiler.ok_or("names no compiler")?.trim().to_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let rows = lines.map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, numbers) = words.split_at_checked(2).unwrap_or_default();
            let numbers: Vec<u64> = numbers.iter().filter_map(|word| word.parse().ok()).collect();
            let numbers = <[u64; COLUMNS]>::try_from(numbers);
            numbers
                .map(|numbers| (name.join(" "), numbers))
                .map_err(|_| format!("not a target, a program and {COLUMNS} numbers: {line}"))
        });
        Ok(Self { compiler, rows: rows.collect::<Result<_, _>>()? })
    }

    /// What is not as it was, a sentence each.
    pub(crate) fn differences(&self, measured: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in measured {
            match self.rows.iter().find(|(name, _)| *name == row.name()) {
                Some((_, before)) => wrong.extend(moved(&row.name(), before, &row.numbers())),
                None => wrong.push(format!("{} is not in the ledger", row.name())),
            }
        }
        let gone = self.rows.iter().filter(|(name, _)| !measured.iter().any(|r| r.name() == *name));
        wrong
            .extend(gone.map(|(name, _)| format!("{name} is in the ledger, and there is no such")));
        wrong
    }
}

fn moved(name: &str, before: &[u64; COLUMNS], now: &[u64; COLUMNS]) -> Vec<String> {
    let pairs = NAMES.iter().zip(before.iter().zip(now));
    let far =
        pairs.filter(|(_, (before, now))| before.abs_diff(**now) > SLACK_BYTES.max(**before / 100));
    far.map(|(what, (before, now))| {
        let verb = if now > before { "grew" } else { "shrank" };
        format!("{name}: {what} {verb} from {before} to {now} bytes")
    })
    .collect()
}

fn path() -> PathBuf {
    root().join("bench/size/ledger.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read() {
        let text = "# x\n# compiler 1.95.0\n# …\nthumb raft 1 2 3 4 5 6 7\n\n";
        let Ok(ledger) = Ledger::parse(text) else { unreachable!("it parses") };
        assert_eq!(ledger.compiler, "1.95.0");
        assert_eq!(ledger.rows, [("thumb raft".to_owned(), [1, 2, 3, 4, 5, 6, 7])]);
        assert!(Ledger::parse("# compiler 1\nthumb raft 1 2").is_err());
        assert!(Ledger::parse("thumb raft 1 2 3 4 5 6 7").is_err());
    }

    #[test]
    fn growing_and_much_shrinking_are_told() {
        let before = [10_000, 100, 0, 0, 0, 0, 0];
        assert!(moved("x", &before, &[10_100, 164, 64, 0, 0, 0, 0]).is_empty());
        assert_eq!(moved("x", &before, &[10_101, 100, 0, 0, 0, 0, 0]).len(), 1);
        let shrunk = moved("x", &before, &[9_000, 100, 65, 0, 0, 0, 0]);
        assert_eq!(
            shrunk,
            ["x: .text shrank from 10000 to 9000 bytes", "x: .data grew from 0 to 65 bytes"]
        );
    }
}
