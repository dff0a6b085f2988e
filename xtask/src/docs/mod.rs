//! Checks what the documentation states about the workspace against the workspace.

mod crates;
mod document;
mod features;
mod files;
mod finding;
mod links;
mod marker;
mod names;
mod paths;
mod rust;
mod sizes;
mod table;
mod verbs;
mod workspace;

use std::fs;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, root};
use document::Document;
use finding::Finding;
use sizes::Figures;
use workspace::Workspace;

pub(crate) const VERB: Verb = Verb {
    name: "docs",
    about: "compares what the documentation states with the workspace",
    help: "
Reads all Markdown files and the documentation comments of all sources, and compares with the
workspace:

    crates      README.md and ARCHITECTURE.md each have a table `| folder | package | … |` with one
                row for each package; a column `depends on` lists the folders of the packages of
                this repository that the manifest depends on (`–` for none)
    features    README.md has a table `| crate | features | default |` with one row for each package
                that has features; each library with features has a table `| feature | … |` in its
                README.md or in src/lib.rs; every such table lists exactly the manifest's features,
                and README.md's those of all packages
    verbs       CONTRIBUTING.md has a table `| verb | what it does | ci runs | … |` that is the list
                of `cargo xtask --help` with the steps of `cargo xtask ci`; no text names a verb
                that does not exist
    files       a table `| file | … |` below a heading `Inside `raft`` lists the sources of raft/src
    figures     <!-- size: TARGET PROGRAM COLUMN -->24,496 B is what bench/size/ledger.txt or
                examples/firmware/ledger.txt says, to the digits shown. PROGRAM and COLUMN may be
                differences (`election-election_nothing`, `state-content`), COLUMN a sum
                (`data+bss`); `code` is `text+rodata`. The section names the target and the
                opt-level. A size `of code` without a marker is refused.
                <!-- count: planted bugs -->75 and <!-- count: scenarios -->119 are counted
    links       relative links, and anchors in Markdown files, have a target; paths in backticks
                that begin with a folder of the root exist
    names       packages in backticks, and packages, programs and tests in calls of cargo, exist
    Rust        the Rust version that is stated as the oldest supported is `rust-version`

    cargo xtask docs            checks all of that
    cargo xtask docs --bless    first writes the figures behind the markers",
    run,
};

/// What describes the past: its statements were true then.
const HISTORY: &str = "CHANGELOG.md";

fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => check(),
        ["--bless"] => bless().and_then(|()| check()),
        _ => Err(Failure::usage("docs knows no argument but --bless")),
    }
}

fn check() -> Outcome {
    let workspace = Workspace::read()?;
    let documents = documents()?;
    let current: Vec<&Document> = documents.iter().filter(|it| it.path != HISTORY).collect();
    let mut findings = Vec::new();
    findings.extend(crates::check(&current, &workspace));
    findings.extend(features::check(&current, &workspace));
    findings.extend(verbs::check(&current, &verbs::listed()));
    findings.extend(files::check(&current, files::sources)?);
    findings.extend(sizes::check(&current, &Figures::read()?));
    findings.extend(links::check(&documents, &root()));
    findings.extend(paths::check(&current, &root()));
    findings.extend(names::check(&current, &workspace));
    findings.extend(rust::check(&current, &workspace));
    report(&documents, findings)
}

fn report(documents: &[Document], mut findings: Vec<Finding>) -> Outcome {
    if findings.is_empty() {
        println!("{} documents agree with the workspace", documents.len());
        return Ok(());
    }
    findings.sort();
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    Err(Failure::failed(format!("{}\n{} statements are false", lines.join("\n"), lines.len())))
}

/// Writes the figures that the ledgers give behind their markers.
fn bless() -> Outcome {
    let figures = Figures::read()?;
    for document in documents()?.iter().filter(|it| it.path != HISTORY) {
        let path = root().join(&document.path);
        let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
        let blessed = sizes::rewrite(&text, document, &figures);
        if blessed != text {
            println!("{}", document.path);
            fs::write(&path, blessed).map_err(Failure::io(path.display()))?;
        }
    }
    Ok(())
}

/// All Markdown files and sources that git tracks or would track.
fn documents() -> Outcome<Vec<Document>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.rs"];
    let list = Tool::new("git").args(list).read()?;
    let mut paths: Vec<&str> = list.lines().filter(|path| root().join(path).is_file()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        let text = fs::read_to_string(root().join(path)).map_err(Failure::io(path))?;
        Ok(Document::parse(path, &text))
    };
    paths.into_iter().map(read).collect()
}
