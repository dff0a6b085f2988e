//! Packages, programs and tests that are named anywhere.

use super::document::{Document, quoted};
use super::finding::Finding;
use super::workspace::Workspace;

/// What the names of all packages begin with that depend on each other.
const PREFIX: &str = "quorate-";
/// Arguments of cargo that are followed by a package.
const PACKAGE: [&str; 2] = ["-p", "--package"];
/// Arguments of cargo that are followed by a target of a package.
const TARGET: [&str; 3] = ["--test", "--bin", "--example"];

pub(crate) fn check(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents {
        for line in &document.lines {
            let mut find = |text| findings.push(Finding::new(document, line.number, text));
            let quoted = quoted(&line.text).filter(|_| !line.is_code);
            for name in quoted.filter(|name| name.starts_with(PREFIX) && is_plain(name)) {
                if !workspace.has_package(name) && !workspace.has_target(name) {
                    find(format!("there is no package `{name}`: correct the name"));
                }
            }
            for (argument, name) in arguments(&line.text) {
                if PACKAGE.contains(&argument) && !workspace.has_package(name) {
                    find(format!("`{argument} {name}`: there is no such package"));
                }
                if TARGET.contains(&argument) && !workspace.has_target(name) {
                    find(format!("`{argument} {name}`: no package has such a target"));
                }
            }
        }
    }
    findings
}

/// The pairs of an argument and the name behind it in calls of cargo.
fn arguments(line: &str) -> Vec<(&str, &str)> {
    let Some((_, call)) = line.split_once("cargo ") else { return Vec::new() };
    let words: Vec<&str> = call.split(|c: char| c.is_whitespace() || "`,;)".contains(c)).collect();
    let pairs = words.windows(2).filter_map(|pair| <[&str; 2]>::try_from(pair).ok());
    let names = pairs.filter(|[_, name]| is_plain(name) && name.chars().any(|c| c.is_lowercase()));
    names.map(|[argument, name]| (argument, name)).collect()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::super::workspace::planted;
    use super::*;

    #[test]
    fn names_are_those_of_the_workspace() {
        let mut raft = planted("raft", "quorate-raft", &[], &[]);
        raft.targets.insert("storms".to_owned());
        let workspace = Workspace::of(vec![raft]);
        let text = "`quorate-raft`, `quorate-…`, `cargo test -p quorate-raft --test storms`, `cargo run -p NAME`\n`quorate-paxos`\n```\ncargo test -p quorate-paxos --test calm\n```\n";
        let findings = check(&[&Document::parse("x.md", text)], &workspace);
        let wanted = [
            "2: there is no package `quorate-paxos`: correct the name",
            "4: `-p quorate-paxos`: there is no such package",
            "4: `--test calm`: no package has such a target",
        ];
        assert_eq!(said(&findings), wanted);
    }
}
