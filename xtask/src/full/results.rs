//! The committed results of full runs.

use std::collections::BTreeMap;
use std::fs;

use super::part;
use crate::bugs;
use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// Where they are.
pub(super) const FILE: &str = "docs/full.md";

/// The last run of a part.
pub(super) struct Row {
    pub(super) part: String,
    pub(super) date: String,
    pub(super) commit: String,
    /// The commands.
    pub(super) ran: Vec<String>,
    /// How much they did, as they say it.
    pub(super) counts: Vec<String>,
    pub(super) took: String,
    /// The commands that failed.
    pub(super) failed: Vec<String>,
}

/// The rows, by the part's name.
#[derive(Default)]
pub(super) struct Results(BTreeMap<String, String>);

const HEAD: &str = "\
# Full runs

What became of each part of `cargo xtask full` when it was last run: everything that CI samples, and what it leaves out; written by that verb. A
commit with `+` had changes. `cargo xtask full --list` tells what the parts are.

| part | date | commit | what ran | how many | took | result |
|---|---|---|---|---|---:|---|
";

/// All files that a full run writes and commits.
pub(super) fn files() -> Vec<String> {
    let mut files = vec![FILE.to_owned(), "docs/mutants.md".to_owned()];
    files.extend(bugs::crates().map(|krate| format!("{krate}/bugs/RESULT.md")));
    files.retain(|file| root().join(file).is_file());
    files
}

impl Results {
    pub(super) fn load() -> Outcome<Self> {
        let path = root().join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::read(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::io(path.display())(error)),
        }
    }

    fn read(text: &str) -> Self {
        let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        Self(text.lines().filter_map(|line| Some((name(line)?, line.to_owned()))).collect())
    }

    pub(super) fn put(&mut self, row: &Row) {
        self.0.insert(row.part.clone(), row.line());
    }

    pub(super) fn save(&self) -> Outcome {
        let path = root().join(FILE);
        fs::write(&path, self.text()).map_err(Failure::io(path.display()))
    }

    /// In the order of the parts; a part that is no more is left out.
    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for part in part::all() {
            if let Some(line) = self.0.get(part.name) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

impl Row {
    fn line(&self) -> String {
        let Self { part, date, commit, took, .. } = self;
        let code = |commands: &[String]| {
            commands
                .iter()
                .map(|it| format!("`{}`", it.replace('|', "\\|")))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let counts = self.counts.join("; ").replace('|', "\\|");
        let counts = if counts.is_empty() { "–".to_owned() } else { counts };
        let result = match self.failed.as_slice() {
            [] => "passed".to_owned(),
            failed => format!("**failed**: {}", code(failed)),
        };
        format!(
            "| `{part}` | {date} | {commit} | {} | {counts} | {took} | {result} |",
            code(&self.ran)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: &str, failed: &[&str]) -> Row {
        Row {
            part: part.to_owned(),
            date: "2026-11-29".into(),
            commit: "abc+".into(),
            ran: vec!["model".into(), "fuzz --seconds 600".into()],
            counts: vec!["3 | 4 cases".into()],
            took: "2 min".into(),
            failed: failed.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    #[test]
    fn rows_say_what_ran_and_what_failed() {
        assert_eq!(
            row("models", &["model"]).line(),
            "| `models` | 2026-11-29 | abc+ | `model`, `fuzz --seconds 600` | 3 \\| 4 cases | 2 min | **failed**: `model` |"
        );
        assert!(row("models", &[]).line().ends_with("| 2 min | passed |"));
    }

    #[test]
    fn row_replaces_the_previous_one_and_keeps_the_others() {
        let mut results = Results::default();
        results.put(&row("mutants", &[]));
        results.put(&row("models", &["model"]));
        results.put(&row("no such part", &[]));
        let mut again = Results::read(&results.text());
        again.put(&row("models", &[]));
        let (models, mutants) = (row("models", &[]).line(), row("mutants", &[]).line());
        assert_eq!(again.text(), format!("{HEAD}{models}\n{mutants}\n"));
    }

    #[test]
    fn committed_files_are_results_only() {
        for file in files() {
            assert!(file.starts_with("docs/") || file.ends_with("/bugs/RESULT.md"), "{file}");
        }
    }
}
