use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{SLACK, build, each, short};
use crate::callgrind;
use crate::failure::{Failure, Outcome};
use crate::figures;
use crate::tool::{Tool, root, target_dir};

/// The package and its program.
const PROGRAM: &str = "quorate-bench-quorum";

/// A request that is measured.
pub(crate) struct Case {
    /// The row's name, as the program has it.
    pub(crate) name: &'static str,
    /// What it is, for the README.
    pub(crate) about: &'static str,
    /// How many messages it takes; no other number is let pass.
    pub(crate) messages: f64,
}

const CASES: [Case; 4] = [
    Case { name: "write", about: "write, last write wins", messages: 4.0 },
    Case { name: "read", about: "read", messages: 4.0 },
    Case { name: "register-write", about: "write of a linearizable register", messages: 8.0 },
    Case { name: "register-read", about: "read of it", messages: 4.0 },
];
/// Requests that are counted.
const REQUESTS: usize = 20_480;

/// What a row came to, for a request.
pub(crate) struct Row {
    pub(crate) case: &'static Case,
    pub(crate) instructions: u64,
    pub(crate) messages: f64,
    pub(crate) message_bytes: f64,
    pub(crate) record_bytes: f64,
    pub(crate) allocations: f64,
}

pub(super) fn measure() -> Outcome<Vec<Row>> {
    let target = target_dir()?;
    let program = build(PROGRAM, &target, false)?;
    CASES.iter().map(|case| measure_row(&program, &target, case)).collect()
}

fn measure_row(program: &Path, target: &Path, case: &'static Case) -> Outcome<Row> {
    let args = [case.name.to_owned(), REQUESTS.to_string()];
    let printed = Tool::new(program).args(&args).read()?;
    let numbers: Vec<f64> = printed.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [requests, messages, message_bytes, _, record_bytes, allocations, _] = *numbers else {
        return Err(Failure::failed(format!(
            "{PROGRAM} printed what icount cannot read: {printed}"
        )));
    };
    let total = callgrind::count(program, &args, &target.join("callgrind.out"))?;
    Ok(Row {
        case,
        instructions: each(total, requests),
        messages: messages / requests,
        message_bytes: message_bytes / requests,
        record_bytes: record_bytes / requests,
        allocations: allocations / requests,
    })
}

pub(super) fn print_plain(rows: &[Row]) {
    for Row { case, instructions, messages, message_bytes, allocations, .. } in rows {
        let [allocations, messages, bytes] =
            [allocations, messages, message_bytes].map(|number| short(*number));
        println!("{} {instructions} {allocations} {messages} {bytes}", case.name);
    }
}

pub(super) fn print_table(rows: &[Row]) {
    println!(
        "per request, whole cluster of three, 2 must answer  instructions  allocations  messages  their bytes  bytes of records"
    );
    for row in rows {
        println!(
            "{:<50} {:>13} {:>12} {:>9} {:>12.1} {:>17.1}",
            format!("16 B, {}", row.case.name),
            row.instructions,
            short(row.allocations),
            short(row.messages),
            row.message_bytes,
            row.record_bytes,
        );
    }
}

/// Prints the table, and returns what costs too much.
pub(super) fn check() -> Outcome<Vec<String>> {
    let rows = measure()?;
    print_table(&rows);
    let ceilings = read_ceilings()?;
    Ok(rows.iter().flat_map(|row| complaints(row, ceilings.get(row.case.name))).collect())
}

/// What is wrong with a row whose ceilings are these.
fn complaints(row: &Row, ceilings: Option<&(u64, u64)>) -> Vec<String> {
    let Row { case, instructions, messages, message_bytes, allocations, .. } = row;
    let name = case.name;
    let mut wrong = Vec::new();
    if *allocations > 0.0 {
        wrong.push(format!("{name}: {} allocations a request", short(*allocations)));
    }
    if (messages - case.messages).abs() > f64::EPSILON {
        let (taken, right) = (short(*messages), short(case.messages));
        wrong.push(format!("{name}: {taken} messages a request, not {right}"));
    }
    let Some((most, most_bytes)) = ceilings else {
        wrong.push(format!("{name}: not in {}", ceilings_path().display()));
        return wrong;
    };
    if instructions * 100 > most * (100 + SLACK) {
        wrong.push(format!(
            "{name}: {instructions} instructions, over {SLACK} % above the {most} reached before"
        ));
    }
    if whole(*message_bytes) > *most_bytes {
        wrong.push(format!(
            "{name}: {message_bytes:.1} bytes of messages, over the {most_bytes} reached before"
        ));
    }
    wrong
}

pub(super) fn bless() -> Outcome {
    let rows = measure()?;
    print_table(&rows);
    let mut text = String::from(
        "# request instructions bytes of messages: what `cargo xtask icount --bless` counted; CI lets 3 % more instructions pass\n",
    );
    for row in &rows {
        let (name, bytes) = (row.case.name, whole(row.message_bytes));
        text.push_str(&format!("{name} {} {bytes}\n", row.instructions));
    }
    let path = ceilings_path();
    fs::write(&path, text).map_err(Failure::io(path.display()))?;
    figures::write_quorum(&rows)
}

/// Rounded up: numbers of requests grow, and with them their encodings.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(bytes: f64) -> u64 {
    bytes.ceil() as u64
}

fn read_ceilings() -> Outcome<HashMap<String, (u64, u64)>> {
    let path = ceilings_path();
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers = match words.as_slice() {
            [_, instructions, bytes] => instructions.parse().ok().zip(bytes.parse().ok()),
            _ => None,
        };
        let name = words.first().map(|name| (*name).to_owned());
        name.zip(numbers).ok_or_else(|| {
            Failure::failed(format!("{}: not `request instructions bytes`: {line}", path.display()))
        })
    })
    .collect()
}

fn ceilings_path() -> PathBuf {
    root().join("bench/quorum/ceilings.txt")
}

/// Whether there is a row of this name.
pub(super) fn has(name: &str) -> bool {
    CASES.iter().any(|case| case.name == name)
}

pub(super) fn profile(name: &str) -> Outcome {
    let args = [name.to_owned(), REQUESTS.to_string()];
    super::profile(PROGRAM, &args, "request", REQUESTS as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(instructions: u64, messages: f64, message_bytes: f64, allocations: f64) -> Row {
        let [case, ..] = &CASES;
        Row { case, instructions, messages, message_bytes, record_bytes: 0.0, allocations }
    }

    #[test]
    fn row_that_reaches_its_ceilings_is_right() {
        assert_eq!(complaints(&row(1_030, 4.0, 143.9, 0.0), Some(&(1_000, 144))), [""; 0]);
    }

    #[test]
    fn each_figure_has_a_limit() {
        let ceilings = Some(&(1_000, 144));
        for (row, what) in [
            (row(1_031, 4.0, 144.0, 0.0), "instructions"),
            (row(1_000, 4.5, 144.0, 0.0), "4.5 messages a request, not 4"),
            (row(1_000, 3.0, 144.0, 0.0), "3 messages a request, not 4"),
            (row(1_000, 4.0, 144.1, 0.0), "bytes of messages"),
            (row(1_000, 4.0, 144.0, 0.001), "allocations"),
        ] {
            let wrong = complaints(&row, ceilings);
            assert!(wrong.len() == 1 && wrong.concat().contains(what), "{wrong:?}");
        }
        assert!(complaints(&row(1_000, 4.0, 144.0, 0.0), None).concat().contains("not in"));
    }
}
