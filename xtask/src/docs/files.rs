//! The tables of sources in ARCHITECTURE.md, below headings such as "Inside `raft`".

use std::collections::BTreeSet;
use std::fs;

use super::document::{Document, quoted};
use super::finding::Finding;
use super::table::Table;
use crate::failure::{Failure, Outcome};
use crate::tool::root;

const HEADING: &str = "Inside ";
const COLUMN: &str = "file";
/// Every crate has it, and it holds no part of the design.
const LIBRARY: &str = "lib.rs";

pub(crate) fn check(
    documents: &[&Document],
    sources: impl Fn(&str) -> Outcome<BTreeSet<String>>,
) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    for document in documents {
        for table in document.tables_with(&[COLUMN]) {
            let folder = table.heading.strip_prefix(HEADING).and_then(|rest| quoted(rest).next());
            if let Some(folder) = folder {
                findings.extend(check_table(document, &table, folder, &sources(folder)?));
            }
        }
    }
    Ok(findings)
}

fn check_table(
    document: &Document,
    table: &Table,
    folder: &str,
    sources: &BTreeSet<String>,
) -> Vec<Finding> {
    let (mut findings, mut listed) = (Vec::new(), BTreeSet::new());
    for row in &table.rows {
        for name in quoted(row.cell(0)) {
            if !sources.contains(name) {
                let text = format!("there is no `{folder}/src/{name}`: remove it");
                findings.push(Finding::new(document, row.line, text));
            } else if !listed.insert(name.to_owned()) {
                let text = format!("`{name}` is listed twice");
                findings.push(Finding::new(document, row.line, text));
            }
        }
    }
    let missing = sources.difference(&listed).filter(|name| *name != LIBRARY);
    findings.extend(missing.map(|name| {
        let text = format!("`{folder}/src/{name}` is not listed: add it to a row");
        Finding::new(document, table.line, text)
    }));
    findings
}

/// What is in the folder `src` of a crate: files, and folders with a `/` at their end.
pub(crate) fn sources(folder: &str) -> Outcome<BTreeSet<String>> {
    let path = root().join(folder).join("src");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&path).map_err(Failure::io(path.display()))? {
        let entry = entry.map_err(Failure::io(path.display()))?;
        let end = if entry.path().is_dir() { "/" } else { "" };
        names.insert(format!("{}{end}", entry.file_name().to_string_lossy()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::*;

    const TEXT: &str = "## Inside `raft`\n\n| file | room |\n|-|-|\n| `vote.rs`, `log/` | x |\n";

    fn findings(text: &str) -> Vec<String> {
        let sources = |folder: &str| {
            assert_eq!(folder, "raft");
            Ok(["lib.rs", "log/", "vote.rs"].map(str::to_owned).into())
        };
        let document = Document::parse("ARCHITECTURE.md", text);
        said(&check(&[&document], sources).unwrap_or_default())
    }

    #[test]
    fn sources_are_listed_once() {
        assert!(findings(TEXT).is_empty());
        assert!(findings(&TEXT.replace("Inside", "Outside").replace("vote", "gone")).is_empty());
        let wanted = [
            "5: there is no `raft/src/votes.rs`: remove it",
            "3: `raft/src/vote.rs` is not listed: add it to a row",
        ];
        assert_eq!(findings(&TEXT.replace("vote", "votes")), wanted);
        assert_eq!(findings(&format!("{TEXT}| `log/` | y |\n")), ["6: `log/` is listed twice"]);
    }

    #[test]
    fn folders_are_read() {
        let log = sources("log").unwrap_or_default();
        assert!(log.contains("lib.rs") && log.contains("store/") && !log.contains("store"));
    }
}
