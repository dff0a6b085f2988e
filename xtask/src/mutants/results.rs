//! The committed results of full runs: how many mutants of each crate the tests notice.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::target::MUTATED_CRATES;
use crate::commit;
use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// Where they are.
pub(super) const FILE: &str = "docs/mutants.md";

/// What became of the mutants of a crate.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) noticed: usize,
    /// Noticed because they hang.
    pub(super) hung: usize,
    pub(super) survived: usize,
    /// Survivors that no test reaches.
    pub(super) unreached: usize,
    pub(super) broken: usize,
    pub(super) unmeasured: usize,
    /// How long the mutants' runs took, one after the other.
    pub(super) took: Duration,
}

impl Totals {
    pub(super) fn measured(&self) -> usize {
        self.noticed + self.survived
    }

    /// Tenths of a percent, rounded down.
    pub(super) fn permille(&self) -> usize {
        (self.noticed * 1000).checked_div(self.measured()).unwrap_or(1000)
    }

    pub(super) fn percent(&self) -> String {
        format!("{}.{}", self.permille() / 10, self.permille() % 10)
    }

    fn cells(&self) -> String {
        let Self { noticed, hung, survived, unreached, broken, unmeasured, .. } = self;
        let (measured, percent) = (self.measured(), self.percent());
        format!(
            "{measured} | {noticed} | {hung} | {survived} | {unreached} | {broken} | {unmeasured} | {percent} %"
        )
    }

    /// Adds another.
    pub(super) fn add(&mut self, other: &Self) {
        self.noticed += other.noticed;
        self.hung += other.hung;
        self.survived += other.survived;
        self.unreached += other.unreached;
        self.broken += other.broken;
        self.unmeasured += other.unmeasured;
        self.took += other.took;
    }
}

const COLUMNS: &str =
    "mutants | noticed | hang | survive | not reached | do not compile | not measured | noticed";

/// Prints the results of several crates, and their sum.
pub(super) fn print(rows: &[(&str, Totals)]) {
    let heads: Vec<&str> = COLUMNS.split(" | ").collect();
    let line = |name: &str, cells: &[&str], each: &str| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&heads)
            .map(|(cell, head)| format!("{cell:>width$}", width = head.len()))
            .collect();
        println!("{name:<10}{}  {each}", cells.join("  "));
    };
    line("", &heads, "seconds each");
    let mut sum = Totals::default();
    let row = |name: &str, totals: &Totals| {
        let cells = totals.cells();
        let cells: Vec<&str> = cells.split(" | ").collect();
        let measured = u32::try_from(totals.measured()).unwrap_or(u32::MAX);
        let each = totals.took.checked_div(measured).unwrap_or_default();
        line(name, &cells, &format!("{:.2}", each.as_secs_f64()));
    };
    for (name, totals) in rows {
        row(name, totals);
        sum.add(totals);
    }
    if rows.len() > 1 {
        row("all", &sum);
    }
}

/// Writes the row of a crate, all of whose mutants were tried.
pub(super) fn save(folder: &str, totals: &Totals, date: &str) -> Outcome {
    let path = root().join(FILE);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let row = format!("| `{folder}` | {} | {} | {date} |", totals.cells(), commit::name(FILE));
    fs::write(&path, with_row(&old, folder, &row)).map_err(Failure::io(path.display()))
}

const HEAD: &str = "\
# Mutants

How many of the small changes to each crate's sources the tests notice; written by `cargo xtask mutants --all`. A mutant that hangs was
noticed. The survivors, and why each is right to survive, are in `mutants.txt` of each crate; a survivor that is not there fails the run.
What does not compile, and what was not measured, is no part of the percentage.

";

fn with_row(old: &str, folder: &str, row: &str) -> String {
    let mut rows: BTreeMap<usize, String> = BTreeMap::new();
    let place = |line: &str| {
        MUTATED_CRATES.iter().position(|krate| line.starts_with(&format!("| `{}` |", krate.folder)))
    };
    for line in old.lines() {
        if let Some(place) = place(line) {
            rows.insert(place, line.to_owned());
        }
    }
    let own = MUTATED_CRATES.iter().position(|krate| krate.folder == folder);
    rows.insert(own.unwrap_or(usize::MAX), row.to_owned());
    let dashes = "---:|".repeat(COLUMNS.split(" | ").count());
    let mut text = format!("{HEAD}| crate | {COLUMNS} | commit | date |\n|---|{dashes}---|---|\n");
    for row in rows.values() {
        text.push_str(row);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangs_count_as_noticed_and_broken_mutants_do_not_count() {
        let totals = Totals { noticed: 95, hung: 3, survived: 5, broken: 40, ..Totals::default() };
        assert_eq!(
            (totals.measured(), totals.permille(), totals.percent()),
            (100, 950, "95.0".to_owned())
        );
        assert_eq!(Totals { noticed: 2, survived: 1, ..Totals::default() }.percent(), "66.6");
        assert_eq!(Totals::default().permille(), 1000);
    }

    #[test]
    fn row_replaces_the_previous_one() {
        let text = with_row("", "raft", "| `raft` | 1 |");
        let text = with_row(&text, "core", "| `core` | 2 |");
        let text = with_row(&text, "raft", "| `raft` | 3 |");
        assert!(text.starts_with(HEAD));
        assert!(text.ends_with("|---|---|\n| `core` | 2 |\n| `raft` | 3 |\n"), "{text}");
    }
}
