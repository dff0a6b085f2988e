mod condition;
mod cycles;
mod expand;
mod impls;
mod list;
mod public;
mod rewrite;
mod scope;
mod signature;
mod source;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::manifest::{self, Package};
use crate::tool::root;
use source::Source;

pub(crate) const VERB: Verb = Verb {
    name: "api",
    about: "lists the public items of the libraries in docs/api (--check: compares)",
    help: "
Writes docs/api/CRATE.txt for each published library, and for the drivers: the public items, one per
line, sorted by path, as users name them, followed by the features they need, as in [alloc]. It
parses the sources, expands macros and follows re-exports, so it needs no particular compiler. Names
of arguments, values of constants and bodies are left out. `= …` and `{ … }` mark a default in a
trait, and `private` stands for what users cannot name.

    --check   changes nothing; fails if a list is out of date, or if source files of a crate import
              each other in a cycle that has no row under `Import cycles` in ARCHITECTURE.md
    --cycles  shows all import cycles, and which import closes each

Without arguments it also removes files from those rows that are in no cycle any more.

A removed or changed line is a breaking change: it belongs in CHANGELOG.md.

A file imports another one if it names an item that is defined there, by `use` or by a path. `mod`
and `pub use` alone import nothing, and a re-export counts for the file that defines the item.
Method calls are not seen.",
    run,
};

/// The folder of the lists.
const FOLDER: &str = "docs/api";

fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let libraries = libraries()?;
    match args.as_slice() {
        [] => write(&libraries),
        ["--check"] => check(&libraries),
        ["--cycles"] => {
            let edges = cycles(&libraries).into_iter().flat_map(|cycle| {
                let title = format!("{}: {} files", cycle.of, cycle.files.len());
                [title].into_iter().chain(cycle.edges.into_iter().map(|edge| format!("  {edge}")))
            });
            edges.for_each(|line| println!("{line}"));
            Ok(())
        }
        _ => Err(Failure::usage("api takes --check, --cycles or nothing")),
    }
}

/// A library that has a list.
struct Library {
    /// The name of its list: the package's without the prefix.
    name: String,
    package: String,
    source: Source,
}

impl Library {
    fn path(&self) -> PathBuf {
        root().join(FOLDER).join(format!("{}.txt", self.name))
    }

    /// Its up-to-date list.
    fn list(&self) -> String {
        let lines = list::list(&self.source);
        let head = format!(
            "# cargo xtask api: what a user of {} can name; not to be edited by hand\n",
            self.package
        );
        lines.iter().fold(head, |text, line| text + line + "\n")
    }
}

/// The published libraries and the drivers, with macros expanded.
fn libraries() -> Outcome<Vec<Library>> {
    let mut all = Vec::new();
    for package in manifest::packages()? {
        let Package { name, library: Some(root), is_published, .. } = package else { continue };
        if is_published || root.starts_with(crate::tool::root().join("drivers")) {
            let short = name.strip_prefix("quorate-").unwrap_or(&name).to_owned();
            let source = Source::read(&name.replace('-', "_"), &root)?;
            all.push(Library { name: short, package: name, source });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let exported = all.iter().flat_map(|it| it.source.exported()).collect();
    all.iter_mut().for_each(|it| it.source.expand(&exported));
    Ok(all)
}

fn write(libraries: &[Library]) -> Outcome {
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder).map_err(Failure::io(folder.display()))?;
    for stale in stale(libraries)? {
        fs::remove_file(&stale).map_err(Failure::io(stale.display()))?;
    }
    for library in libraries {
        let (path, list) = (library.path(), library.list());
        fs::write(&path, &list).map_err(Failure::io(path.display()))?;
        println!("{FOLDER}/{}.txt: {} lines", library.name, list.lines().count());
    }
    cycles::update(&cycles(libraries))
}

fn check(libraries: &[Library]) -> Outcome {
    let mut wrong = Vec::new();
    for library in libraries {
        let old = fs::read_to_string(library.path()).unwrap_or_default();
        let changes = changes(&old, &library.list());
        if !changes.is_empty() {
            wrong.push(format!("{FOLDER}/{}.txt:\n{}", library.name, changes.join("\n")));
        }
    }
    for stale in stale(libraries)? {
        wrong.push(format!("{}: there is no such library", stale.display()));
    }
    if !wrong.is_empty() {
        wrong.push(
            "The lists above are out of date. `cargo xtask api` rewrites them; commit the result. \
            A removed or changed line is a breaking change and belongs in CHANGELOG.md."
                .to_owned(),
        );
    }
    wrong.extend(cycles::check(&cycles(libraries))?);
    if wrong.is_empty() {
        println!("{} lists are up to date", libraries.len());
        return Ok(());
    }
    Err(Failure::failed(wrong.join("\n\n")))
}

fn cycles(libraries: &[Library]) -> Vec<cycles::Cycle> {
    libraries.iter().flat_map(|it| cycles::find(&it.name, &it.source)).collect()
}

/// Lists whose library no longer exists.
fn stale(libraries: &[Library]) -> Outcome<Vec<PathBuf>> {
    let folder = root().join(FOLDER);
    let expected: BTreeSet<PathBuf> = libraries.iter().map(Library::path).collect();
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(Failure::io(folder.display()))?.path();
        if path.extension().is_some_and(|it| it == "txt") && !expected.contains(&path) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// The removed lines, then the added ones.
fn changes(old: &str, new: &str) -> Vec<String> {
    let before: BTreeSet<&str> = old.lines().collect();
    let after: BTreeSet<&str> = new.lines().collect();
    let gone = old.lines().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let come = new.lines().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    let mut all: Vec<String> = gone.chain(come).collect();
    if all.is_empty() && old != new {
        all.push("the order of the lines differs".to_owned());
    }
    all
}
