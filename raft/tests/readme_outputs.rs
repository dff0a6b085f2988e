//! The README's table of outputs names each event, and no other.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

const README: &str = include_str!("../README.md");
const API: &str = include_str!("../../docs/api/raft.txt");

/// The names in the first column: `Read { through }` is `Read`; what is lower-case is a method.
fn documented() -> BTreeSet<&'static str> {
    let (_, rest) = README.split_once("| what the machine says |").unwrap();
    let (table, _) = rest.split_once("\n\n").unwrap();
    let cells = table.lines().skip(2).filter_map(|row| row.split('|').nth(1));
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names = quoted.map(|text| text.split(|c: char| !c.is_alphanumeric()).next().unwrap());
    names.filter(|name| name.starts_with(char::is_uppercase)).collect()
}

fn events() -> BTreeSet<&'static str> {
    let variants = API.lines().filter_map(|line| line.strip_prefix("pub Event::"));
    variants.map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap()).collect()
}

#[test]
fn the_table_lists_every_event() {
    let mut expected = events();
    assert!(expected.len() > 10);
    expected.extend(["Persist", "Send"]);
    assert_eq!(documented(), expected);
}
