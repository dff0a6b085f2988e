//! What was measured, as a table.

use std::fmt::Write as _;

use crate::POINTS;
use crate::case::{Case, Kind, Operation};

const HEADERS: [&str; 9] = [
    "library",
    "16 B key",
    "hashed key",
    "3 replicas",
    "3 zones",
    "allocations",
    "add a node",
    "B each",
    "max/mean",
];

/// A row for each placement of so many nodes.
pub(crate) fn rows(cases: &mut [Case], nodes: u64, quick: bool) -> Vec<[String; 9]> {
    let ours: Vec<(Kind, Operation, f64)> = cases
        .iter()
        .filter(|case| case.is_ours)
        .flat_map(|case| {
            let one = |operation| Some((case.kind, operation, case.ns(operation)?));
            Operation::ALL.into_iter().filter_map(one).collect::<Vec<_>>()
        })
        .collect();
    cases.iter_mut().map(|case| row(case, nodes, quick, &ours)).collect()
}

fn row(case: &mut Case, nodes: u64, quick: bool, ours: &[(Kind, Operation, f64)]) -> [String; 9] {
    let none = || "-".to_owned();
    let time = |operation| {
        let Some(ns) = case.ns(operation) else { return none() };
        let ours = ours.iter().find(|(kind, it, _)| (*kind, *it) == (case.kind, operation));
        match ours.filter(|_| !case.is_ours) {
            Some((_, _, least)) => format!("{ns:.0} ({:.1})", ns / least),
            None => format!("{ns:.0}"),
        }
    };
    let [key, hashed, three, zones] = Operation::ALL.map(time);
    let each = match case.kind {
        Kind::Ring => nodes * u64::from(POINTS),
        _ => nodes,
    };
    // a sample of rendezvous hashing takes long, and a small one says nothing about a thousand nodes
    let sample = match case.kind {
        Kind::Rendezvous if nodes > 100 => None,
        Kind::Rendezvous => Some(100_000),
        _ => Some(1_000_000),
    };
    let share = sample.filter(|_| !quick && !case.who.contains("weights"));
    let share = share.and_then(|keys| case.largest_share(nodes as usize, keys));
    let counts = [Operation::Hashed, Operation::Three].map(|it| case.allocations(it));
    let [owner, replicas] = counts.map(|count| count.map_or_else(none, |it| format!("{it:.0}")));
    [
        case.who.to_owned(),
        key,
        hashed,
        three,
        zones,
        format!("{owner}, {replicas}"),
        case.add_ns.map_or_else(none, duration),
        format!("{:.1}", case.bytes as f64 / each as f64),
        share.map_or_else(none, |share| format!("{share:.3}")),
    ]
}

fn duration(ns: f64) -> String {
    match ns {
        ..1e4 => format!("{ns:.0} ns"),
        1e4..1e7 => format!("{:.0} us", ns / 1e3),
        _ => format!("{:.0} ms", ns / 1e6),
    }
}

pub(crate) fn plain(rows: &[[String; 9]]) -> String {
    let widths = [28, 13, 13, 15, 13, 12, 11, 8, 9];
    let mut text = String::new();
    for row in [HEADERS.map(str::to_owned)].iter().chain(rows) {
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match at {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, " {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

pub(crate) fn markdown(rows: &[[String; 9]]) -> String {
    let mut text = format!("| {} |\n|---|{}\n", HEADERS.join(" | "), "---:|".repeat(8));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}
