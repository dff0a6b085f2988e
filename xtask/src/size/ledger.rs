//! The sizes that were committed, and how far off one may be.

use std::fs;

use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// A file of sizes, and what writes it.
pub(crate) struct Form {
    path: &'static str,
    verb: &'static str,
    columns: &'static [&'static str],
}

/// The minimal programs of bench/size.
pub(crate) const PROGRAMS: Form = Form {
    path: "bench/size/ledger.txt",
    verb: "size",
    columns: &[".text", ".rodata", ".data", ".bss", "stack", "state", "content"],
};
/// The images of examples/firmware.
pub(crate) const IMAGES: Form = Form {
    path: "examples/firmware/ledger.txt",
    verb: "firmware",
    columns: &[".text", ".rodata", ".data", ".bss", "stack"],
};

/// A target and a program, and its numbers in the order of the columns.
pub(crate) type Entry = (String, Vec<u64>);

/// What was measured before.
pub(crate) struct Ledger {
    /// The compiler it was measured with: another one gives other sizes.
    pub(crate) compiler: String,
    columns: &'static [&'static str],
    rows: Vec<Entry>,
}

const COMPILER: &str = "# compiler ";

/// Bytes a number may differ by: a hundredth, or this if that is less.
const SLACK_BYTES: u64 = 64;

impl Ledger {
    pub(crate) fn read(form: &Form) -> Outcome<Self> {
        let text = fs::read_to_string(root().join(form.path)).map_err(Failure::io(form.path))?;
        let parsed = Self::parse(&text, form.columns);
        parsed.map_err(|what| Failure::failed(format!("{}: {what}", form.path)))
    }

    pub(crate) fn write(form: &Form, rows: &[Entry], compiler: &str) -> Outcome {
        let mut text = format!(
            "# What `cargo xtask {} --bless` measured, in bytes; CI lets a hundredth or {SLACK_BYTES} bytes pass, either way.\n\
            {COMPILER}{compiler}\n\
            # target program {}\n",
            form.verb,
            form.columns.join(" ")
        );
        for (name, numbers) in rows {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            text.push_str(&format!("{name} {}\n", numbers.join(" ")));
        }
        fs::write(root().join(form.path), text).map_err(Failure::io(form.path))
    }

    fn parse(text: &str, columns: &'static [&'static str]) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let compiler = compiler.ok_or("names no compiler")?.trim().to_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let rows = lines.map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, numbers) = words.split_at_checked(2).unwrap_or_default();
            let numbers: Vec<u64> = numbers.iter().filter_map(|word| word.parse().ok()).collect();
            let count = columns.len();
            if numbers.len() != count {
                return Err(format!("not a target, a program and {count} numbers: {line}"));
            }
            Ok((name.join(" "), numbers))
        });
        Ok(Self { compiler, columns, rows: rows.collect::<Result<_, _>>()? })
    }

    /// What is not as it was, a sentence each.
    pub(crate) fn differences(&self, measured: &[Entry]) -> Vec<String> {
        let mut wrong = self.moved(measured);
        let gone = self.rows.iter().filter(|(name, _)| !measured.iter().any(|(it, _)| it == name));
        wrong
            .extend(gone.map(|(name, _)| format!("{name} is in the ledger, and there is no such")));
        wrong
    }

    /// The same for some of what there is.
    pub(crate) fn moved(&self, measured: &[Entry]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, now) in measured {
            match self.rows.iter().find(|(it, _)| it == name) {
                Some((_, before)) => wrong.extend(moved(name, self.columns, before, now)),
                None => wrong.push(format!("{name} is not in the ledger")),
            }
        }
        wrong
    }
}

fn moved(name: &str, columns: &[&str], before: &[u64], now: &[u64]) -> Vec<String> {
    let pairs = columns.iter().zip(before.iter().zip(now));
    let far =
        pairs.filter(|(_, (before, now))| before.abs_diff(**now) > SLACK_BYTES.max(**before / 100));
    far.map(|(what, (before, now))| {
        let verb = if now > before { "grew" } else { "shrank" };
        format!("{name}: {what} {verb} from {before} to {now} bytes")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_parses() {
        let text = "# x\n# compiler 1.95.0\n# …\nthumb raft 1 2 3 4 5 6 7\n\n";
        let Ok(ledger) = Ledger::parse(text, PROGRAMS.columns) else { unreachable!("it parses") };
        assert_eq!(ledger.compiler, "1.95.0");
        assert_eq!(ledger.rows, [("thumb raft".to_owned(), vec![1, 2, 3, 4, 5, 6, 7])]);
        assert!(Ledger::parse("# compiler 1\nthumb raft 1 2", IMAGES.columns).is_err());
        assert!(Ledger::parse("thumb raft 1 2 3 4 5 6 7", PROGRAMS.columns).is_err());
    }

    #[test]
    fn growth_and_large_shrinkage_are_reported() {
        let before = [10_000, 100, 0, 0, 0, 0, 0];
        let moved = |now: &[u64]| moved("x", PROGRAMS.columns, &before, now);
        assert!(moved(&[10_100, 164, 64, 0, 0, 0, 0]).is_empty());
        assert_eq!(moved(&[10_101, 100, 0, 0, 0, 0, 0]).len(), 1);
        let shrunk = moved(&[9_000, 100, 65, 0, 0, 0, 0]);
        assert_eq!(
            shrunk,
            ["x: .text shrank from 10000 to 9000 bytes", "x: .data grew from 0 to 65 bytes"]
        );
    }
}
