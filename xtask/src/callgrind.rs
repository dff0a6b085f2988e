//! Runs the bench program under valgrind's callgrind and reads what it wrote.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, has};

/// The function of the programs in bench/log and bench/quorum within which instructions are counted, in whatever crate and impl it is.
const MEASURED: &str = "*measured_rounds*";

/// The instructions of the measured part.
pub(crate) fn count(program: &Path, args: &[String], out: &Path) -> Outcome<u64> {
    run(program, args, out)?;
    let text = fs::read_to_string(out).map_err(Failure::io(out.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.and_then(|t| t.trim().parse().ok()) {
        Some(0) | None => Err(Failure::failed(format!(
            "callgrind counted nothing: {} has no function {MEASURED} any more, or its name was inlined away",
            program.display()
        ))),
        Some(total) => Ok(total),
    }
}

fn run(program: &Path, args: &[String], out: &Path) -> Outcome {
    if !has("valgrind") {
        return Err(Failure::failed("valgrind is not installed: `apt-get install valgrind`"));
    }
    Tool::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(args)
        .clean_env()
        .announce()
        .read()
        .map(|_| ())
}

/// Where the instructions went.
#[derive(Default)]
pub(crate) struct Profile {
    /// By function, callees not included.
    pub(crate) functions: Vec<(String, u64)>,
    /// By file and line, whatever function the line was inlined into.
    pub(crate) lines: Vec<((String, u32), u64)>,
    /// By file.
    pub(crate) files: Vec<(String, u64)>,
    pub(crate) total: u64,
}

impl Profile {
    pub(crate) fn take(program: &Path, args: &[String], out: &Path) -> Outcome<Self> {
        run(program, args, out)?;
        let text = fs::read_to_string(out).map_err(Failure::io(out.display()))?;
        Ok(Self::parse(&text))
    }

    /// Reads callgrind's format, names and positions not compressed.
    fn parse(text: &str) -> Self {
        let mut functions: HashMap<&str, u64> = HashMap::new();
        let mut lines: HashMap<(&str, u32), u64> = HashMap::new();
        let mut files: HashMap<&str, u64> = HashMap::new();
        let (mut function, mut file, mut total) = ("", "", 0);
        let mut rest = text.lines();
        while let Some(line) = rest.next() {
            match line.split_once('=') {
                Some(("fn", name)) => function = name,
                Some(("fl" | "fi" | "fe", name)) => file = name,
                // the next line is the cost of the callee
                Some(("calls", _)) => _ = rest.next(),
                Some(_) => {}
                None => {
                    let mut numbers = line.split(' ').map(str::parse::<u64>);
                    let (Some(Ok(at)), Some(Ok(cost))) = (numbers.next(), numbers.next()) else {
                        continue;
                    };
                    let at = u32::try_from(at).unwrap_or(0);
                    *functions.entry(function).or_default() += cost;
                    *lines.entry((file, at)).or_default() += cost;
                    *files.entry(file).or_default() += cost;
                    total += cost;
                }
            }
        }
        Self {
            functions: ranked(functions.into_iter().map(|(k, v)| (k.to_owned(), v))),
            lines: ranked(lines.into_iter().map(|((f, l), v)| ((f.to_owned(), l), v))),
            files: ranked(files.into_iter().map(|(k, v)| (k.to_owned(), v))),
            total,
        }
    }
}

fn ranked<K: Ord>(costs: impl Iterator<Item = (K, u64)>) -> Vec<(K, u64)> {
    let mut costs: Vec<(K, u64)> = costs.collect();
    costs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_attributed_to_lines() {
        let text = "events: Ir\n\nfl=a.rs\nfn=outer\n10 5\nfi=b.rs\n20 7\nfe=a.rs\n11 1\ncfn=inner\n\
            calls=3 30\n12 999\n\nfn=inner\n30 6\n\ntotals: 19\n";
        let profile = Profile::parse(text);
        assert_eq!(profile.total, 19);
        assert_eq!(profile.functions, [("outer".to_owned(), 13), ("inner".to_owned(), 6)]);
        assert_eq!(profile.lines[0], (("b.rs".to_owned(), 20), 7));
        assert_eq!(profile.files[0], ("a.rs".to_owned(), 12));
    }
}
