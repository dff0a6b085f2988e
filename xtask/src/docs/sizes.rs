//! Figures that are stated, against the ledgers and what is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::document::{Document, Line};
use super::finding::Finding;
use super::marker::{Marker, markers, unmarked};
use crate::failure::{Failure, Outcome};
use crate::features::PROTOCOL_CRATES;
use crate::tool::root;

/// The ledgers, each with the manifest whose profile it was measured with.
const LEDGERS: [(&str, &str); 2] = [
    ("bench/size/ledger.txt", "bench/size/Cargo.toml"),
    ("examples/firmware/ledger.txt", "examples/firmware/Cargo.toml"),
];
/// What is counted: files in a folder of each protocol crate that has it.
const COUNTS: [(&str, &str, &str); 2] =
    [("planted bugs", "bugs", ".patch"), ("scenarios", "scenarios", ".txt")];
/// Words that make a figure before them a size of a program.
const OF_CODE: &str = " of code";

/// CommonMark takes such a line as HTML, and shows links and code in it as they are written.
const AT_START: &str =
    "a line that begins with a marker is no Markdown: put a word before the marker";

/// What figures are compared with.
pub(crate) struct Figures {
    ledgers: Vec<Ledger>,
    counts: BTreeMap<String, u64>,
}

struct Ledger {
    path: String,
    /// `opt-level = …` of its profile.
    level: String,
    columns: Vec<String>,
    /// By target and program.
    rows: BTreeMap<(String, String), Vec<u64>>,
}

impl Figures {
    pub(crate) fn read() -> Outcome<Self> {
        let read = |path: &str| fs::read_to_string(root().join(path)).map_err(Failure::io(path));
        let mut ledgers = Vec::new();
        for (path, manifest) in LEDGERS {
            ledgers.push(Ledger::parse(path, &read(path)?, &read(manifest)?));
        }
        let mut counts = BTreeMap::new();
        for (name, folder, end) in COUNTS {
            let folders = PROTOCOL_CRATES.iter().map(|krate| format!("{krate}/{folder}"));
            let there = folders.filter(|folder| root().join(folder).is_dir());
            let count = there.map(|folder| count(&folder, end)).sum::<Outcome<u64>>()?;
            counts.insert(name.to_owned(), count);
        }
        Ok(Self { ledgers, counts })
    }

    /// What the figure should be.
    fn value(&self, marker: &Marker<'_>) -> Result<u64, String> {
        if marker.kind == "count" {
            let count = self.counts.get(marker.what).copied();
            let names: Vec<&str> = self.counts.keys().map(String::as_str).collect();
            return count.ok_or_else(|| format!("what is counted is one of {names:?}"));
        }
        let (ledger, [target, program, column]) = self.place(marker.what)?;
        let number = ledger.number(target, program, column);
        number.ok_or_else(|| {
            format!("{} has no `{target} {program} {column}`: correct the marker", ledger.path)
        })
    }

    /// The ledger of the target, and the words of a marker.
    fn place<'a>(&self, what: &'a str) -> Result<(&Ledger, [&'a str; 3]), String> {
        let words: Vec<&str> = what.split_whitespace().collect();
        let words = <[&str; 3]>::try_from(words)
            .map_err(|_| format!("`{what}` is not TARGET PROGRAM COLUMN"))?;
        let [target, ..] = words;
        let has = |it: &&Ledger| it.rows.keys().any(|(known, _)| known == target);
        let ledger = self.ledgers.iter().find(has);
        ledger.map(|it| (it, words)).ok_or_else(|| format!("no ledger has the target {target}"))
    }
}

fn count(folder: &str, end: &str) -> Outcome<u64> {
    let mut count = 0;
    for entry in fs::read_dir(root().join(folder)).map_err(Failure::io(folder))? {
        let name = entry.map_err(Failure::io(folder))?.file_name();
        count += u64::from(name.to_string_lossy().ends_with(end));
    }
    Ok(count)
}

impl Ledger {
    fn parse(path: &str, text: &str, manifest: &str) -> Self {
        let header = text.lines().find_map(|line| line.strip_prefix("# target program "));
        let columns = header.unwrap_or_default().split_whitespace();
        let columns = columns.map(|name| name.trim_start_matches('.').to_owned()).collect();
        let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = (words.next()?.to_owned(), words.next()?.to_owned());
            Some((name, words.filter_map(|word| word.parse().ok()).collect()))
        });
        let profile = manifest.lines().skip_while(|line| *line != "[profile.release]").skip(1);
        let mut profile = profile.take_while(|line| !line.starts_with('['));
        let level = profile.find(|line| line.starts_with("opt-level = ")).unwrap_or_default();
        Self { path: path.to_owned(), level: level.to_owned(), columns, rows: rows.collect() }
    }

    /// A number, the difference of two programs or of two columns, or a sum of columns.
    fn number(&self, target: &str, program: &str, column: &str) -> Option<u64> {
        if let Some((all, less)) = program.split_once('-') {
            let (all, less) =
                (self.number(target, all, column)?, self.number(target, less, column)?);
            return all.checked_sub(less);
        }
        if let Some((all, less)) = column.split_once('-') {
            let (all, less) =
                (self.number(target, program, all)?, self.number(target, program, less)?);
            return all.checked_sub(less);
        }
        let column = if column == "code" { "text+rodata" } else { column };
        if column.contains('+') {
            return column.split('+').map(|part| self.number(target, program, part)).sum();
        }
        let row = self.rows.get(&(target.to_owned(), program.to_owned()))?;
        row.get(self.columns.iter().position(|name| name == column)?).copied()
    }
}

pub(crate) fn check(documents: &[&Document], figures: &Figures) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents {
        for section in document.sections() {
            findings.extend(check_section(document, section, figures));
        }
    }
    findings
}

fn check_section(document: &Document, section: &[Line], figures: &Figures) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut must_say = BTreeSet::new();
    for line in section.iter().filter(|line| !line.is_code) {
        if line.text.trim_start().starts_with("<!--") && !markers(&line.text).is_empty() {
            findings.push(Finding::new(document, line.number, AT_START));
        }
        for marker in markers(&line.text) {
            match figures.value(&marker) {
                Ok(value) => findings.extend(compare(document, line, &marker, value)),
                Err(text) => findings.push(Finding::new(document, line.number, text)),
            }
            if marker.kind == "size"
                && let Ok((ledger, [target, ..])) = figures.place(marker.what)
            {
                must_say.extend([(target, line.number), (ledger.level.as_str(), line.number)]);
            }
        }
        findings.extend(unmarked(&line.text, OF_CODE).into_iter().map(|figure| {
            let text =
                format!("{figure} of code: put `<!-- size: TARGET PROGRAM code -->` before it");
            Finding::new(document, line.number, text)
        }));
    }
    let says = |words: &str| section.iter().any(|line| without_markers(&line.text).contains(words));
    let mut told = BTreeSet::new();
    for (words, line) in must_say {
        if !says(words) && told.insert(words) {
            let text = format!("the section states a size: say that it is with `{words}`");
            findings.push(Finding::new(document, line, text));
        }
    }
    findings
}

/// What a reader sees of a line.
fn without_markers(line: &str) -> String {
    let parts = line.split("<!--");
    let seen = parts.enumerate().map(|(at, part)| match part.split_once("-->") {
        Some((_, seen)) if at > 0 => seen,
        _ => part,
    });
    seen.collect()
}

fn compare(document: &Document, line: &Line, marker: &Marker<'_>, value: u64) -> Option<Finding> {
    let wanted = marker.write(value);
    let text = || {
        format!(
            "{} is said to be {}, and is {wanted}: `cargo xtask docs --bless` writes it",
            marker.what,
            if marker.number.is_empty() { "nothing" } else { marker.number },
        )
    };
    (marker.number != wanted).then(|| Finding::new(document, line.number, text()))
}

/// The text of a document with the figures as they are.
pub(crate) fn rewrite(text: &str, document: &Document, figures: &Figures) -> String {
    let prose: BTreeSet<usize> = document.prose().map(|line| line.number).collect();
    let lines = (1..).zip(text.split_inclusive('\n')).map(|(number, line)| {
        let mut line = line.to_owned();
        let marked = line.clone();
        // from the last, so that places of those before it stay
        for marker in markers(&marked).iter().rev().filter(|_| prose.contains(&number)) {
            if let Ok(value) = figures.value(marker) {
                line.replace_range(
                    marker.at..marker.at + marker.number.len(),
                    &marker.write(value),
                );
            }
        }
        line
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::*;

    const LEDGER: &str = "# x\n# target program .text .rodata .data .bss stack state content\nm4 raft 24476 20 0 2 9144 6560 4608\nm4 nothing 1000 0 0 2 9 8 0\n";
    const MANIFEST: &str = "[profile.dev]\nopt-level = \"s\"\n[profile.release]\nlto = \"fat\"\nopt-level = \"z\"\n[workspace]\n";
    const TEXT: &str = "# Size\n\nOn `m4`, `opt-level = \"z\"`: <!-- size: m4 raft code -->24.5 KB of code,\nor <!-- size: m4 raft-nothing text -->23,476 B more, <!-- size: m4 raft state-content -->1,952 B,\nand <!-- size: m4 raft data+bss -->2 B.\nAll <!-- count: bugs -->75 bugs.\n";

    fn figures() -> Figures {
        Figures {
            ledgers: vec![Ledger::parse("ledger.txt", LEDGER, MANIFEST)],
            counts: BTreeMap::from([("bugs".to_owned(), 75)]),
        }
    }

    fn findings(text: &str) -> Vec<String> {
        said(&check(&[&Document::parse("README.md", text)], &figures()))
    }

    #[test]
    fn what_is_true_passes() {
        assert_eq!(findings(TEXT), [""; 0]);
    }

    #[test]
    fn figures_are_compared_and_written() {
        let text = TEXT.replace("24.5", "24.4").replace("1,952", "1,951").replace(">75", ">73");
        let end = "`cargo xtask docs --bless` writes it";
        let wanted = [
            format!("3: m4 raft code is said to be 24.4, and is 24.5: {end}"),
            format!("4: m4 raft state-content is said to be 1,951, and is 1,952: {end}"),
            format!("6: bugs is said to be 73, and is 75: {end}"),
        ];
        assert_eq!(findings(&text), wanted);
        assert_eq!(rewrite(&text, &Document::parse("README.md", &text), &figures()), TEXT);
    }

    #[test]
    fn sections_name_target_and_level() {
        let wanted = "3: the section states a size: say that it is with `opt-level = \"z\"`";
        assert_eq!(findings(&TEXT.replace("`opt-level = \"z\"`", "small")), [wanted]);
        let wanted = "3: the section states a size: say that it is with `m4`";
        assert_eq!(findings(&TEXT.replace("`m4`", "a board")), [wanted]);
        // another section's do not count
        assert_eq!(findings(&TEXT.replace("\nor ", "\n## B\nor ")).len(), 2);
    }

    #[test]
    fn markers_name_what_there_is() {
        let said = findings(
            &TEXT.replace("m4 raft code", "m4 paxos code").replace("count: bugs", "count: mice"),
        );
        let wanted = [
            "3: ledger.txt has no `m4 paxos code`: correct the marker",
            "6: what is counted is one of [\"bugs\"]",
        ];
        assert_eq!(said, wanted);
        assert_eq!(
            findings("A <!-- size: m0 raft code -->1 B"),
            ["1: no ledger has the target m0"]
        );
        assert_eq!(
            findings("A <!-- size: raft -->1 B"),
            ["1: `raft` is not TARGET PROGRAM COLUMN"]
        );
    }

    #[test]
    fn no_line_begins_with_a_marker() {
        let wanted =
            "6: a line that begins with a marker is no Markdown: put a word before the marker";
        assert_eq!(findings(&TEXT.replace("All <!", "<!")), [wanted]);
    }

    #[test]
    fn sizes_of_code_have_a_marker() {
        let wanted = "1: 6 KB of code: put `<!-- size: TARGET PROGRAM code -->` before it";
        assert_eq!(findings("Some 6 KB of code less."), [wanted]);
    }
}
