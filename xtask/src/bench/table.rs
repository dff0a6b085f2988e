use std::fmt::Write as _;

use super::row::Row;
use crate::icount::short;

/// A table for the terminal.
pub(crate) fn plain(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<28} {:<18} {:>10} {:>8} {:>13} {:>8} {:>12}\n",
        "operation (size)", "library", "ns", "to ours", "instructions", "to ours", "allocations"
    );
    for group in rows.chunk_by(|a, b| a.key() == b.key()) {
        for (at, row) in group.iter().enumerate() {
            let name = if at == 0 { name(row) } else { String::new() };
            let instructions = row.instructions.map_or("-".into(), |n| n.to_string());
            let _ = writeln!(
                text,
                "{name:<28} {:<18} {:>10.1} {:>8} {instructions:>13} {:>8} {:>12}",
                row.who,
                row.ns,
                ratio(group, row, |row| Some(row.ns)),
                ratio(group, row, by_instructions),
                short(row.allocations),
            );
        }
    }
    text
}

/// The same for a README.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| operation (size) | library | ns | to ours | instructions | to ours | allocations |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
    );
    for group in rows.chunk_by(|a, b| a.key() == b.key()) {
        for (at, row) in group.iter().enumerate() {
            let name = if at == 0 { name(row) } else { String::new() };
            let instructions = row.instructions.map_or("-".into(), |n| n.to_string());
            let _ = writeln!(
                text,
                "| {name} | {} | {:.1} | {} | {instructions} | {} | {} |",
                row.who,
                row.ns,
                ratio(group, row, |row| Some(row.ns)),
                ratio(group, row, by_instructions),
                short(row.allocations),
            );
        }
    }
    text
}

fn name(row: &Row) -> String {
    match row.size {
        1 => row.operation.clone(),
        size => format!("{} ({size})", row.operation),
    }
}

#[allow(clippy::cast_precision_loss)]
fn by_instructions(row: &Row) -> Option<f64> {
    row.instructions.map(|n| n as f64)
}

/// How many times as much as ours.
fn ratio(group: &[Row], row: &Row, of: impl Fn(&Row) -> Option<f64>) -> String {
    let ours = group.iter().find(|row| row.is_ours()).and_then(&of);
    match (ours, of(row)) {
        (Some(ours), Some(theirs)) if ours > 0.0 && !row.is_ours() => {
            format!("{:.1}", theirs / ours)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_relative_to_ours() {
        let lines = ["0|clocks|merge|16|quorate|10.00|0.00", "1|clocks|merge|16|crdts|45.00|3.00"];
        let rows: Vec<Row> = lines.iter().filter_map(|line| Row::parse(line)).collect();
        let text = markdown(&rows);
        assert!(text.contains("| merge (16) | quorate | 10.0 |  | - |  | 0 |"), "{text}");
        assert!(text.contains("|  | crdts | 45.0 | 4.5 | - |  | 3 |"), "{text}");
        assert_eq!(plain(&rows).lines().count(), 3);
    }
}
