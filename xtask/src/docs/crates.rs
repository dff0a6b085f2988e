//! The tables of crates in README.md and ARCHITECTURE.md.

use std::collections::BTreeSet;

use super::document::{Document, quoted};
use super::finding::Finding;
use super::table::{Row, Table};
use super::workspace::Workspace;

const DOCUMENTS: [&str; 2] = ["README.md", "ARCHITECTURE.md"];
const HEADER: [&str; 2] = ["folder", "package"];
const NO_TABLE: &str = "there is no table `| folder | package | … |`, or more than one: list all \
    packages in one";
/// The column that lists a package's dependencies among the others.
const DEPENDS: &str = "depends on";

pub(crate) fn check(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in DOCUMENTS {
        let document = documents.iter().find(|document| document.path == path);
        match document.map(|it| (it, it.tables_with(&HEADER))) {
            Some((document, tables)) if tables.len() == 1 => {
                let rows = tables.iter().flat_map(|table| check_table(document, table, workspace));
                findings.extend(rows);
            }
            _ => findings.push(Finding::at(path, 1, NO_TABLE)),
        }
    }
    findings
}

fn check_table(document: &Document, table: &Table, workspace: &Workspace) -> Vec<Finding> {
    let depends = table.header.iter().position(|cell| cell == DEPENDS);
    let (mut findings, mut listed) = (Vec::new(), BTreeSet::new());
    for row in &table.rows {
        let folder = quoted(row.cell(0)).next().unwrap_or_default();
        if !listed.insert(folder.to_owned()) {
            findings.push(Finding::new(document, row.line, format!("`{folder}` has two rows")));
        }
        findings.extend(check_row(document, row, folder, depends, workspace));
    }
    for package in workspace.packages.iter().filter(|it| !listed.contains(&it.folder)) {
        let text =
            format!("no row for `{}`, the package `{}`: add one", package.folder, package.name);
        findings.push(Finding::new(document, table.line, text));
    }
    findings
}

fn check_row(
    document: &Document,
    row: &Row,
    folder: &str,
    depends: Option<usize>,
    workspace: &Workspace,
) -> Vec<Finding> {
    let finding = |text: String| Finding::new(document, row.line, text);
    let Some(package) = workspace.at(folder) else {
        return vec![finding(format!(
            "there is no package in a folder `{folder}`: remove the row"
        ))];
    };
    let mut findings = Vec::new();
    let name = quoted(row.cell(1)).next().unwrap_or(row.cell(1));
    if name != package.name {
        findings.push(finding(format!(
            "the package in `{folder}` is said to be `{name}`; its manifest says `{}`",
            package.name
        )));
    }
    if let Some(column) = depends {
        let said = quoted(row.cell(column)).map(str::to_owned).collect();
        let missing = package.depends.difference(&said);
        findings
            .extend(missing.map(|it| finding(format!("`{folder}` depends on `{it}`: list it"))));
        let extra = said.difference(&package.depends);
        findings.extend(
            extra.map(|it| finding(format!("`{folder}` does not depend on `{it}`: remove it"))),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::super::workspace::planted;
    use super::*;

    fn findings(readme: &str, architecture: &str) -> Vec<String> {
        let workspace = Workspace::of(vec![
            planted("core", "q-core", &[], &["heapless"]),
            planted("raft", "q-raft", &[], &["q-core"]),
        ]);
        let readme = Document::parse("README.md", readme);
        let architecture = Document::parse("ARCHITECTURE.md", architecture);
        said(&check(&[&readme, &architecture], &workspace))
    }

    const README: &str =
        "| folder | package |\n|-|-|\n| [`core`](core/) | `q-core` |\n| `raft` | `q-raft` |\n";
    const ARCHITECTURE: &str = "| folder | package | depends on |\n|-|-|-|\n| `core` | `q-core` | – |\n| `raft` | `q-raft` | `core` |\n";

    #[test]
    fn what_is_true_passes() {
        assert!(findings(README, ARCHITECTURE).is_empty());
    }

    #[test]
    fn rows_are_complete_and_right() {
        let text = README.replace("`raft` | `q-raft`", "`core` | –");
        let said = findings(&text, ARCHITECTURE);
        let wanted = [
            "4: `core` has two rows",
            "4: the package in `core` is said to be `–`; its manifest says `q-core`",
            "1: no row for `raft`, the package `q-raft`: add one",
        ];
        assert_eq!(said, wanted);
        let said = findings(&README.replace("`raft`", "`paxos`"), ARCHITECTURE);
        assert!(
            said.contains(&"4: there is no package in a folder `paxos`: remove the row".to_owned())
        );
    }

    #[test]
    fn dependencies_are_compared() {
        let text = ARCHITECTURE.replace("`core` | `q-core` | –", "`core` | `q-core` | `raft`");
        let text = text.replace("`q-raft` | `core`", "`q-raft` | –");
        let wanted = [
            "3: `core` does not depend on `raft`: remove it",
            "4: `raft` depends on `core`: list it",
        ];
        assert_eq!(findings(README, &text), wanted);
    }

    #[test]
    fn both_documents_have_the_table() {
        assert_eq!(findings("", ARCHITECTURE).len(), 1);
        assert_eq!(findings(README, &format!("{ARCHITECTURE}\n{ARCHITECTURE}")).len(), 1);
    }
}
