//! Relative links.

use std::fs;
use std::path::Path;

use super::document::{Document, heading};
use super::finding::Finding;

/// Endings by which a link in a source is a file, and not a name of Rust.
const FILES: [&str; 6] = [".md", ".rs", ".txt", ".toml", ".svg", ".sh"];

pub(crate) fn check(documents: &[Document], root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents {
        for line in document.prose() {
            let wrong = links(&line.text).filter_map(|link| broken(document, link, root));
            findings.extend(wrong.map(|text| Finding::new(document, line.number, text)));
        }
    }
    findings
}

/// What links of a line lead to.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(link, _)| link.split_whitespace().next().unwrap_or_default())
}

/// Why a link leads nowhere.
fn broken(document: &Document, link: &str, root: &Path) -> Option<String> {
    let is_elsewhere = link.contains("://") || link.starts_with("mailto:");
    let is_file = link.contains('/') || FILES.iter().any(|end| link.ends_with(end));
    if is_elsewhere || link.contains("::") || (document.is_source() && !is_file) {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(&document.path).parent().unwrap_or(Path::new(""));
    let target = root.join(folder).join(path);
    if !path.is_empty() && !target.exists() {
        return Some(format!("the link leads to `{path}`, which does not exist here"));
    }
    let has_anchor = match path {
        _ if anchor.is_empty() => true,
        "" => anchors(document).any(|known| known == anchor),
        _ if path.ends_with(".md") => {
            let text = fs::read_to_string(&target).unwrap_or_default();
            anchors(&Document::parse(path, &text)).any(|known| known == anchor)
        }
        _ => true,
    };
    (!has_anchor).then(|| format!("the link leads to `#{anchor}`; no heading has that anchor"))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(document: &Document) -> impl Iterator<Item = String> {
    let headings = document.lines.iter().filter_map(heading);
    headings.map(|text| {
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        said(&check(&[Document::parse(path, text)], &crate::tool::root()))
    }

    #[test]
    fn targets_exist() {
        let text = "# A `b`: c-d, e\n[x](#a-b-c-d-e) [y](../core/src/lib.rs) [z](https://a/b)\n[v](../raft/README.md#features)\n";
        assert_eq!(findings("docs/x.md", text), [""; 0]);
        let text = "[x](#b)\n[y](core/) [z](../core)\n```\n[n](no.md)\n```\n[v](../raft/README.md#nothing)\n";
        let wanted = [
            "1: the link leads to `#b`; no heading has that anchor",
            "2: the link leads to `core/`, which does not exist here",
            "6: the link leads to `#nothing`; no heading has that anchor",
        ];
        assert_eq!(findings("docs/x.md", text), wanted);
    }

    #[test]
    fn names_of_rust_are_no_links() {
        let text = "//! [a](Mode::Quorum) [b](Self) [c](crate::raft) [d](README.md) [e](lib.rs)\n";
        let wanted = "1: the link leads to `README.md`, which does not exist here";
        assert_eq!(findings("core/src/lib.rs", text), [wanted]);
    }
}
