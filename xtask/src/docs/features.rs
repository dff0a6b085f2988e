//! The tables of features: README.md's of all packages, and each library's own.

use std::collections::BTreeSet;

use super::document::{Document, heading, quoted};
use super::finding::Finding;
use super::table::{Row, Table};
use super::workspace::{Package, Workspace};

const README: &str = "README.md";
const ALL: [&str; 3] = ["crate", "features", "default"];
const OWN: &str = "feature";
const SECTION: &str = "Features";

pub(crate) fn check(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let mut findings = check_all(documents, workspace);
    findings.extend(check_described(documents, workspace));
    for package in &workspace.packages {
        findings.extend(check_own(documents, package));
    }
    findings
}

/// README.md's table: one row for each package that has features.
fn check_all(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let readme = documents.iter().find(|document| document.path == README);
    let table = readme.and_then(|it| Some((it, it.tables_with(&ALL).into_iter().next()?)));
    let Some((readme, table)) = table else {
        let text =
            "there is no table `| crate | features | default |`: list the packages with features";
        return vec![Finding::at(README, 1, text)];
    };
    let (mut findings, mut listed) = (Vec::new(), BTreeSet::new());
    for row in &table.rows {
        // crates with the same features share a row
        for folder in quoted(row.cell(0)) {
            listed.insert(folder.to_owned());
            match workspace.at(folder) {
                Some(package) => findings.extend(check_row(readme, row, package)),
                None => {
                    let text = format!("there is no package in a folder `{folder}`: remove it");
                    findings.push(Finding::new(readme, row.line, text));
                }
            }
        }
    }
    let missing = workspace.packages.iter().filter(|it| !it.features.is_empty());
    for package in missing.filter(|it| !listed.contains(&it.folder)) {
        let text = format!(
            "no row for `{}`, which has {}: add one",
            package.folder,
            list(&package.features)
        );
        findings.push(Finding::new(readme, table.line, text));
    }
    findings
}

fn check_row(document: &Document, row: &Row, package: &Package) -> Vec<Finding> {
    let columns =
        [(1, "has the features", &package.features), (2, "has by default", &package.defaults)];
    let wrong = columns.into_iter().filter_map(|(column, what, truth)| {
        let said: BTreeSet<String> = quoted(row.cell(column)).map(str::to_owned).collect();
        let text =
            || format!("`{}` {what} {}; this says {}", package.folder, list(truth), list(&said));
        (said != *truth).then(|| Finding::new(document, row.line, text()))
    });
    wrong.collect()
}

/// README.md's table of what features add: every feature of any package, and no other.
fn check_described(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let all = workspace.packages.iter().flat_map(|it| it.features.iter().cloned()).collect();
    let readme = documents.iter().find(|document| document.path == README);
    let tables = readme
        .into_iter()
        .flat_map(|it| it.tables_with(&[OWN]).into_iter().map(move |table| (it, table)));
    tables.flat_map(|(readme, table)| check_table(readme, &table, "a package", &all)).collect()
}

/// The tables of a package's README.md and `src/lib.rs`: one at least if it has features, and each complete.
fn check_own(documents: &[&Document], package: &Package) -> Vec<Finding> {
    let paths = ["README.md", "src/lib.rs"].map(|name| format!("{}/{name}", package.folder));
    let folder = format!("`{}`", package.folder);
    let mut findings = Vec::new();
    let mut found = false;
    for document in documents.iter().filter(|document| paths.contains(&document.path)) {
        let tables = document.tables_with(&[OWN]);
        for table in &tables {
            found = true;
            findings.extend(check_table(document, table, &folder, &package.features));
        }
        let section = document.lines.iter().find(|line| heading(line) == Some(SECTION));
        if let Some(line) = section.filter(|_| tables.is_empty()) {
            found = true;
            findings.push(Finding::new(document, line.number, missing(package)));
        }
    }
    if !found && package.has_library && !package.features.is_empty() {
        let [_, library] = paths;
        findings.push(Finding::at(&library, 1, missing(package)));
    }
    findings
}

fn missing(package: &Package) -> String {
    format!("no table `| feature | … |` here: list {}", list(&package.features))
}

fn check_table(
    document: &Document,
    table: &Table,
    owner: &str,
    features: &BTreeSet<String>,
) -> Vec<Finding> {
    let rows: Vec<(usize, String)> = table
        .rows
        .iter()
        .flat_map(|row| quoted(row.cell(0)).map(|name| (row.line, name.to_owned())))
        .collect();
    let unknown = rows.iter().filter(|(_, name)| !features.contains(name));
    let unknown = unknown.map(|(line, name)| {
        let text = format!("{owner} has no feature `{name}`, but {}", list(features));
        Finding::new(document, *line, text)
    });
    let missing = features.iter().filter(|name| !rows.iter().any(|(_, said)| said == *name));
    let missing = missing.map(|name| {
        let text = format!("{owner} has a feature `{name}`: add a row");
        Finding::new(document, table.line, text)
    });
    unknown.chain(missing).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::super::workspace::planted;
    use super::*;

    const README: &str = "| crate | features | default |\n|-|-|-|\n| `core`, `raft` | `alloc`, `std` | – |\n| `app` | `server` | `server` |\n";
    const OWN: &str =
        "//! | feature | what it adds |\n//! |-|-|\n//! | `alloc` | x |\n//! | `std` | y |\n";

    fn findings(readme: &str, own: &str) -> Vec<String> {
        let mut app = planted("app", "q-app", &["server"], &[]);
        app.defaults.insert("server".to_owned());
        app.has_library = false;
        let [core, raft] =
            ["core", "raft"].map(|it| planted(it, &format!("q-{it}"), &["alloc", "std"], &[]));
        let workspace = Workspace::of(vec![app, core, raft, planted("none", "q-none", &[], &[])]);
        let texts = [
            ("README.md", readme),
            ("core/src/lib.rs", own),
            ("raft/README.md", &OWN.replace("//! ", "")),
        ];
        let documents = texts.map(|(path, text)| Document::parse(path, text));
        said(&check(&documents.iter().collect::<Vec<_>>(), &workspace))
    }

    #[test]
    fn what_is_true_passes() {
        assert!(findings(README, OWN).is_empty());
    }

    #[test]
    fn the_table_of_all_is_compared() {
        let text = README
            .replace("`alloc`, `std`", "`alloc`, `serde`")
            .replace("| `server` |\n", "| – |\n");
        let both = "has the features `alloc`, `std`; this says `alloc`, `serde`";
        let wanted = [
            &format!("3: `core` {both}"),
            &format!("3: `raft` {both}"),
            "4: `app` has by default `server`; this says none",
        ];
        assert_eq!(findings(&text, OWN), wanted);
        let said = findings(&README.replace("`core`, `raft`", "`core`, `paxos`"), OWN);
        let wanted = [
            "3: there is no package in a folder `paxos`: remove it",
            "1: no row for `raft`, which has `alloc`, `std`: add one",
        ];
        assert_eq!(said, wanted);
        assert_eq!(findings("", OWN).len(), 1);
    }

    #[test]
    fn a_librarys_own_table_is_compared() {
        let said = findings(README, &OWN.replace("`std`", "`serde`"));
        let wanted = [
            "4: `core` has no feature `serde`, but `alloc`, `std`",
            "1: `core` has a feature `std`: add a row",
        ];
        assert_eq!(said, wanted);
        let wanted = "1: no table `| feature | … |` here: list `alloc`, `std`";
        assert_eq!(findings(README, "//! Features: none.\n"), [wanted]);
        let wanted = "2: no table `| feature | … |` here: list `alloc`, `std`";
        assert_eq!(findings(README, "//! a\n//! # Features\n//! Both.\n"), [wanted]);
    }

    #[test]
    fn all_features_are_described() {
        let described = "\n| feature | what it adds |\n|-|-|\n| `alloc` | x |\n| `heap` | y |\n";
        let wanted = [
            "9: a package has no feature `heap`, but `alloc`, `server`, `std`",
            "6: a package has a feature `server`: add a row",
            "6: a package has a feature `std`: add a row",
        ];
        assert_eq!(findings(&format!("{README}{described}"), OWN), wanted);
    }
}
