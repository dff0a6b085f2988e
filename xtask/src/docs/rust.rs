//! The oldest Rust that is supported.

use super::document::Document;
use super::finding::Finding;
use super::workspace::Workspace;

const README: &str = "README.md";
/// The package whose `rust-version` is the workspace's.
const CORE: &str = "core";
/// What stands before a version that is a claim.
const CLAIMS: [&str; 4] = ["Needs Rust ", "Requires Rust ", "Rust version is ", "MSRV is "];

pub(crate) fn check(documents: &[&Document], workspace: &Workspace) -> Vec<Finding> {
    let Some(version) = workspace.at(CORE).and_then(|core| core.rust.as_deref()) else {
        return vec![Finding::at("Cargo.toml", 1, "there is no rust-version: add one")];
    };
    let (mut findings, mut readme_says) = (Vec::new(), false);
    for document in documents {
        for line in document.prose() {
            for said in CLAIMS.iter().flat_map(|claim| versions(&line.text, claim)) {
                readme_says |= document.path == README;
                if said != version {
                    let text = format!("says Rust {said}; rust-version is {version}");
                    findings.push(Finding::new(document, line.number, text));
                }
            }
        }
    }
    if !readme_says {
        let text = format!("does not say `Requires Rust {version}`: add it");
        findings.push(Finding::at(README, 1, text));
    }
    let others = workspace.packages.iter().filter_map(|it| Some((it, it.rust.as_deref()?)));
    findings.extend(others.filter(|(_, said)| *said != version).map(|(package, said)| {
        let path = format!("{}/Cargo.toml", package.folder);
        Finding::at(&path, 1, format!("rust-version is {said}; that of the workspace is {version}"))
    }));
    findings
}

/// The versions that follow a claim.
fn versions<'a>(line: &'a str, claim: &str) -> impl Iterator<Item = &'a str> {
    line.split(claim).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches('.')
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::said;
    use super::super::workspace::planted;
    use super::*;

    fn findings(readme: &str, bench: &str) -> Vec<String> {
        let package = |folder: &str, rust: &str| super::super::workspace::Package {
            rust: Some(rust.to_owned()),
            ..planted(folder, folder, &[], &[])
        };
        let workspace = Workspace::of(vec![package("core", "1.88"), package("bench", bench)]);
        said(&check(&[&Document::parse("README.md", readme)], &workspace))
    }

    #[test]
    fn claims_are_compared() {
        assert!(findings("Needs Rust 1.88. Measured with rustc 1.95.", "1.88").is_empty());
        let wanted = "1: says Rust 1.85; rust-version is 1.88";
        assert_eq!(findings("The least supported Rust version is 1.85 (x).", "1.88"), [wanted]);
        assert_eq!(findings("x", "1.88"), ["1: does not say `Requires Rust 1.88`: add it"]);
        let wanted = "1: rust-version is 1.80; that of the workspace is 1.88";
        assert_eq!(findings("Requires Rust 1.88", "1.80"), [wanted]);
    }
}
