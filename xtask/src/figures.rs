use std::fs;

use crate::failure::{Failure, Outcome};
use crate::icount::proposals::{Row, TARGETS};
use crate::icount::{quorum, short};
use crate::peers::PEERS;
use crate::tool::root;

/// Writes Raft's rows into the README, between the marks.
pub(crate) fn write(rows: &[Row]) -> Outcome {
    put("icount", &markdown(rows))
}

/// Writes the quorum store's rows into the README, between the marks.
pub(crate) fn write_quorum(rows: &[quorum::Row]) -> Outcome {
    put("icount of quorum", &quorum_markdown(rows))
}

fn put(name: &str, table: &str) -> Outcome {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let begin =
        format!("<!-- {name} begins: `cargo xtask icount --bless` writes what is between -->\n");
    let end = format!("<!-- {name} ends -->");
    let missing = || {
        Failure::failed(format!("README.md has no place for the figures: the lines {begin}{end}"))
    };
    let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    let text = format!("{before}{begin}\n{table}\n{end}{after}");
    fs::write(&path, text).map_err(Failure::io(path.display()))
}

fn markdown(rows: &[Row]) -> String {
    let mut table = String::from(
        "| command, batch | instructions | aim | others, encoded | allocations | messages | heap an entry and node |\n\
        |---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let at = (row.payload, row.batch);
        let aim = TARGETS.iter().find(|(target, _)| *target == at);
        let aim = aim.map_or_else(|| "–".to_owned(), |(_, aim)| format!("≤ {}", grouped(*aim)));
        let others = PEERS.iter().filter(|p| (p.payload, p.batch) == at && p.encoded());
        let others: Vec<String> =
            others.map(|p| format!("{} {}", p.library(), grouped(p.instructions))).collect();
        table.push_str(&format!(
            "| {} B, {} | {} | {aim} | {} | {} | {} | {:.1} B |\n",
            row.payload,
            row.batch,
            grouped(row.instructions),
            others.join(", "),
            short(row.allocations),
            short(row.messages),
            row.live_bytes,
        ));
    }
    table
}

fn quorum_markdown(rows: &[quorum::Row]) -> String {
    let mut table = String::from(
        "| request, 16 B | instructions | allocations | messages | their bytes | bytes of records |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        table.push_str(&format!(
            "| {} | {} | {} | {} | {:.0} | {:.0} |\n",
            row.case.about,
            grouped(row.instructions),
            short(row.allocations),
            short(row.messages),
            row.message_bytes,
            row.record_bytes,
        ));
    }
    table
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 649, 5_763, 1_234_567].map(grouped), ["0", "649", "5,763", "1,234,567"]);
    }
}
