//! Paths in backticks.

use std::path::Path;

use super::document::{Document, Line, heading, quoted};
use super::finding::Finding;

/// What stands for any name in a path.
const PLACEHOLDERS: [&str; 2] = ["NAME", "CRATE"];

pub(crate) fn check(documents: &[&Document], root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents.iter().filter(|document| !document.is_source()) {
        let sections = document.sections().filter(|lines| !is_relative(lines));
        for line in sections.flatten().filter(|line| !line.is_code) {
            let paths = quoted(&line.text).filter(|text| is_path(text, root));
            let gone = paths.filter(|path| !root.join(path).exists());
            findings.extend(gone.map(|path| {
                Finding::new(
                    document,
                    line.number,
                    format!("there is no `{path}`: correct the path"),
                )
            }));
        }
    }
    findings
}

/// Whether the paths of a section begin in the sources of a crate: those of `cargo xtask api`.
fn is_relative(section: &[Line]) -> bool {
    section.first().and_then(heading) == Some("Import cycles")
}

/// Whether a text is a path from the root: it begins with one of its folders.
fn is_path(text: &str, root: &Path) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let Some((first, _)) = text.split_once('/') else { return false };
    !first.is_empty()
        && !first.starts_with('.')
        && text.chars().all(is_plain)
        && !PLACEHOLDERS.iter().any(|word| text.contains(word))
        && root.join(first).is_dir()
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::*;

    #[test]
    fn paths_exist() {
        let text = "`raft/src`, `raft/src/lib.rs`, `src/none.rs`, `raft/bugs/NAME.patch`, `a/b`, `raft/x y`\n`raft/src/gone.rs`\n";
        let document = Document::parse("x.md", text);
        let findings = said(&check(&[&document], &crate::tool::root()));
        assert_eq!(findings, ["2: there is no `raft/src/gone.rs`: correct the path"]);
    }

    #[test]
    fn paths_in_the_table_of_import_cycles_begin_in_a_crate() {
        let text = "## Import cycles\n`raft/gone.rs`\n## Others\n`raft/gone.rs`\n";
        let document = Document::parse("x.md", text);
        let findings = said(&check(&[&document], &crate::tool::root()));
        assert_eq!(findings, ["4: there is no `raft/gone.rs`: correct the path"]);
    }
}
