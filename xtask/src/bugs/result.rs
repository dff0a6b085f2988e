use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use super::bug::{self, Bug};
use crate::commit;
use crate::date::today;
use crate::failure::{Failure, Outcome};

/// The files of all crates, as git takes it.
const PATHS: &str = "*/bugs/RESULT.md";

/// The file of a crate, from the root of the repository on.
fn path_of(krate: &str) -> String {
    format!("{krate}/bugs/RESULT.md")
}

const HEAD: &str = "\
# Planted bugs: what found each

`cargo xtask bugs` writes this file: for each patch in this folder, when and at which commit (`+`: with changes) the bug was last
planted in a run without `--sample`, the seed that found it, how many seeds were run until then, and what was violated.

| bug | date | commit | seed | seeds | violated |
|---|---|---|---:|---:|---|
";

/// When each bug was found last: the lines of the table, by the names of the bugs.
#[derive(Default)]
pub(crate) struct Results {
    rows: BTreeMap<String, String>,
}

impl Results {
    /// Those that the repository holds of a crate; `None` if it has no such file.
    pub(crate) fn load(krate: &str) -> Outcome<Option<Self>> {
        let path = crate::tool::root().join(path_of(krate));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self::read(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io(path.display())(error)),
        }
    }

    fn read(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| {
            let name = line.strip_prefix("| ")?.split(" | ").next()?;
            (name != "bug").then(|| (name.to_owned(), line.to_owned()))
        });
        Self { rows: rows.collect() }
    }

    /// Notes that a bug was found today by `seed`, after `seeds` of them.
    pub(crate) fn found(&mut self, name: &str, commit: &str, seed: u64, seeds: u64, what: &str) {
        let (date, what) = (today(), what.replace('|', "\\|"));
        let row = format!("| {name} | {date} | {commit} | {seed} | {seeds} | {what} |");
        self.rows.insert(name.to_owned(), row);
    }

    /// The commit as the rows name it.
    pub(crate) fn commit() -> String {
        commit::name(PATHS)
    }

    /// Writes the rows of those bugs that there are.
    pub(crate) fn save(&self, krate: &str, bugs: &[Bug]) -> Outcome {
        let rows = bugs.iter().filter_map(|bug| self.rows.get(&bug.name));
        let text = rows.fold(HEAD.to_owned(), |text, row| text + row + "\n");
        let path = crate::tool::root().join(path_of(krate));
        fs::write(&path, text).map_err(Failure::io(path.display()))?;
        println!("wrote {}: commit it", path_of(krate));
        Ok(())
    }

    /// What is wrong if the rows are not those of the patches.
    fn compare(&self, path: &str, names: &[String]) -> Vec<String> {
        let missing = names.iter().filter(|name| !self.rows.contains_key(*name)).map(|name| {
            format!(
                "{name}.patch has no row in {path}: run `cargo xtask bugs {name}` and commit it"
            )
        });
        let gone = self.rows.keys().filter(|name| !names.contains(name)).map(|name| {
            format!("{path} has a row for {name}, of which there is no patch: remove the row")
        });
        missing.chain(gone).collect()
    }
}

/// Compares the committed results with the patches.
///
/// # Errors
/// No results, a patch without a row, or a row without a patch.
pub(crate) fn check() -> Outcome {
    let mut wrong = Vec::new();
    for krate in bug::crates() {
        let path = path_of(krate);
        let Some(results) = Results::load(krate)? else {
            wrong.push(format!("{path} is missing: run `cargo xtask bugs`, then commit it"));
            continue;
        };
        let names: Vec<_> = Bug::load_of(krate)?.into_iter().map(|bug| bug.name).collect();
        wrong.extend(results.compare(&path, &names));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_has_a_result() -> Outcome {
        check()
    }

    #[test]
    fn patch_without_a_row_is_rejected() {
        let mut results = Results::default();
        results.found("vote-given-twice", "abc", 7, 7, "two leaders");
        let names = ["vote-given-twice".to_owned(), "new-bug".to_owned()];
        let wrong = results.compare("raft/bugs/RESULT.md", &names);
        assert_eq!(wrong.len(), 1);
        assert!(wrong.concat().contains("run `cargo xtask bugs new-bug`"), "{wrong:?}");
        let wrong = results.compare("raft/bugs/RESULT.md", &[]);
        assert!(wrong.concat().contains("remove the row"), "{wrong:?}");
    }

    #[test]
    fn rows_round_trip() {
        let mut results = Results::default();
        results.found("a", "abc", 9, 9, "x | y");
        let row = results.rows.values().cloned().collect::<String>();
        assert!(row.ends_with("| abc | 9 | 9 | x \\| y |"), "{row}");
        assert_eq!(Results::read(&format!("{HEAD}{row}\n")).rows, results.rows);
    }
}
