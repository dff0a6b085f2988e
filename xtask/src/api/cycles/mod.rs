//! Files of a crate that import each other in a cycle.

mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::source::Source;
use crate::failure::{Failure, Outcome};
use crate::tool::root;

/// The file with the table of accepted cycles.
const FILE: &str = "ARCHITECTURE.md";
const HEADING: &str = "\n## Import cycles\n";

/// Files each of which imports every other, directly or through others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Cycle {
    /// The crate, by the name of its list.
    pub(super) of: String,
    pub(super) files: BTreeSet<String>,
    /// `a.rs imports X, Y of b.rs`
    pub(super) edges: Vec<String>,
}

/// The maximal cycles of a crate: no file is in two.
pub(super) fn find(of: &str, source: &Source) -> Vec<Cycle> {
    let uses = uses::uses(source);
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for &(from, to) in uses.keys() {
        next.entry(from).or_default().insert(to);
    }
    let name = |file: usize| {
        let path = source.files.get(file).map(|path| path.display().to_string());
        path.unwrap_or_default()
    };
    components(&next)
        .into_iter()
        .map(|files| {
            let inside =
                uses.iter().filter(|((from, to), _)| files.contains(from) && files.contains(to));
            let edges = inside.map(|((from, to), names)| {
                format!("{} imports {} of {}", name(*from), names.join(", "), name(*to))
            });
            Cycle {
                of: of.to_owned(),
                edges: edges.collect(),
                files: files.iter().map(|file| name(*file)).collect(),
            }
        })
        .collect()
}

/// The strongly connected components of more than one node.
fn components(next: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<BTreeSet<usize>> {
    let reached: BTreeMap<usize, BTreeSet<usize>> =
        next.keys().map(|&node| (node, reach(node, next))).collect();
    let both = |a: usize, b: usize| reached.get(&a).is_some_and(|it| it.contains(&b));
    let component = |&node: &usize| -> BTreeSet<usize> {
        next.keys().copied().filter(|&other| both(node, other) && both(other, node)).collect()
    };
    next.keys().map(component).filter(|it| it.len() > 1).collect()
}

fn reach(from: usize, next: &BTreeMap<usize, BTreeSet<usize>>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(node) = waiting.pop() {
        for &to in next.get(&node).into_iter().flatten() {
            if reached.insert(to) {
                waiting.push(to);
            }
        }
    }
    reached
}

/// The cycles that are not in the table, and the rows that are out of date.
pub(super) fn check(found: &[Cycle]) -> Outcome<Vec<String>> {
    let (_, text) = read()?;
    Ok(compare(found, &rows(section(&text))))
}

/// Removes from the table the files that are no longer in a cycle. A new cycle, or a file that joins one, needs a reason first.
pub(super) fn update(found: &[Cycle]) -> Outcome {
    let (path, text) = read()?;
    let old = section(&text);
    let new: Vec<String> = old.split('\n').flat_map(|line| updated(found, line)).collect();
    let new = new.join("\n");
    if new == old {
        return Ok(());
    }
    fs::write(&path, text.replacen(old, &new, 1)).map_err(Failure::io(path.display()))
}

fn read() -> Outcome<(PathBuf, String)> {
    let path = root().join(FILE);
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    Ok((path, text))
}

/// What is below the heading.
fn section(text: &str) -> &str {
    let (_, section) = text.split_once(HEADING).unwrap_or_default();
    section.split("\n## ").next().unwrap_or_default()
}

/// A row of the table.
#[derive(PartialEq, Eq, Debug)]
struct Row {
    of: String,
    files: BTreeSet<String>,
    why: String,
}

impl Row {
    /// `None` if the line is not a row, or has no reason.
    fn parse(line: &str) -> Option<Self> {
        let line = line.strip_prefix("| `")?;
        let mut cells = line.trim_matches('|').splitn(3, '|').map(str::trim);
        let (of, files, why) = (cells.next()?, cells.next()?, cells.next()?);
        let files = files.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let of = of.trim_matches('`').to_owned();
        (!why.is_empty()).then(|| Self { of, files, why: why.to_owned() })
    }

    fn text(of: &str, files: &BTreeSet<String>, why: &str) -> String {
        let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
        format!("| `{of}` | {} | {why} |", files.join(", "))
    }
}

fn rows(section: &str) -> Vec<Row> {
    section.lines().filter_map(Row::parse).collect()
}

/// A line of the table; a row of a cycle that fell apart becomes a row for each part.
fn updated(found: &[Cycle], line: &str) -> Vec<String> {
    let Some(row) = Row::parse(line) else { return vec![line.to_owned()] };
    let same = |cycle: &&Cycle| cycle.of == row.of;
    if found.iter().filter(same).any(|cycle| cycle.files.is_superset(&row.files)) {
        return vec![line.to_owned()];
    }
    let parts = found.iter().filter(same).filter(|cycle| cycle.files.is_subset(&row.files));
    parts.map(|cycle| Row::text(&row.of, &cycle.files, &row.why)).collect()
}

fn compare(found: &[Cycle], rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    let heading = HEADING.trim();
    for cycle in found {
        if !rows.iter().any(|row| row.of == cycle.of && row.files == cycle.files) {
            wrong.push(format!(
                "These files of {} import each other in a cycle:\n  {}\n\
                Remove one of these imports, or state the reason in a row of `{heading}` \
                in {FILE}:\n{}",
                cycle.of,
                cycle.edges.join("\n  "),
                Row::text(&cycle.of, &cycle.files, "WHY")
            ));
        }
    }
    for row in rows {
        if !found.iter().any(|cycle| cycle.of == row.of && cycle.files == row.files) {
            let files: Vec<&str> = row.files.iter().map(String::as_str).collect();
            wrong.push(format!(
                "These files of {} have a row in `{heading}` of {FILE}, but are not a cycle; \
                `cargo xtask api` removes files that are in none: {}",
                row.of,
                files.join(", ")
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn cycle(files: &[&str]) -> Cycle {
        Cycle { of: "raft".to_owned(), files: set(files), edges: Vec::new() }
    }

    #[test]
    fn components_are_maximal() {
        let next = [(1, vec![2]), (2, vec![3]), (3, vec![1, 4]), (4, vec![5]), (5, vec![])];
        let next = next.into_iter().map(|(node, to)| (node, to.into_iter().collect())).collect();
        assert_eq!(components(&next), [[1, 2, 3].into()].into());
    }

    #[test]
    fn rows_need_a_reason_and_must_be_true() {
        let text = "# A\n\n## Import cycles\n\nText.\n\n| crate | files | why |\n|---|---|---|\n\
            | `raft` | `a.rs`, `b.rs` | one type |\n| `core` | `c.rs` |  |\n\n## Next\n\n| `x` | `y` | z |\n";
        let rows = rows(section(text));
        let (of, why) = ("raft".to_owned(), "one type".to_owned());
        assert_eq!(rows, [Row { of, files: set(&["a.rs", "b.rs"]), why }]);
        assert_eq!(compare(&[cycle(&["a.rs", "b.rs"])], &rows), Vec::<String>::new());
        // it has grown: neither the cycle nor the row is right
        assert_eq!(compare(&[cycle(&["a.rs", "b.rs", "c.rs"])], &rows).len(), 2);
        assert_eq!(compare(&[], &rows).len(), 1);
    }

    #[test]
    fn rows_shrink_and_never_grow() {
        let row = "| `raft` | `a.rs`, `b.rs`, `c.rs`, `d.rs` | it `is` so |";
        let updated = |found: &[Cycle]| updated(found, row);
        assert_eq!(updated(&[]), Vec::<String>::new());
        assert_eq!(updated(&[cycle(&["a.rs", "b.rs", "c.rs", "d.rs", "e.rs"])]), [row]);
        assert_eq!(
            updated(&[cycle(&["a.rs", "b.rs"]), cycle(&["c.rs", "d.rs"]), cycle(&["x.rs"])]),
            [
                "| `raft` | `a.rs`, `b.rs` | it `is` so |",
                "| `raft` | `c.rs`, `d.rs` | it `is` so |"
            ]
        );
    }
}
