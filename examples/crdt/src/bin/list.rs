//! Two people write in one text at one place at once, while they do not hear each other: both runs stay whole.

use std::error::Error;

use quorate_clocks::Heap;
use quorate_crdt::{List, ListError};
use quorate_crdt_demo::Group;

type Text = List<u8, Heap>;

fn main() -> Result<(), Box<dyn Error>> {
    for line in write()? {
        println!("{line}");
    }
    Ok(())
}

fn write() -> Result<Vec<String>, Box<dyn Error>> {
    let mut group = Group::new(2, &Text::new())?;
    let mut lines = Vec::new();
    insert(&mut group, 0, 0, "Dear , hello")?;
    group.seconds(2)?;
    group.cut(Some(1));
    insert(&mut group, 0, 5, "Alice")?;
    insert(&mut group, 1, 5, "Bob")?;
    group.update(1, |text, _| text.remove(text.len().saturating_sub(1)))?;
    group.seconds(2)?;
    lines.extend([show(&group, 0), show(&group, 1)]);
    group.cut(None);
    group.seconds(3)?;
    lines.extend([show(&group, 0), show(&group, 1)]);
    Ok(lines)
}

fn insert(group: &mut Group<Text>, node: usize, at: usize, words: &str) -> Result<(), ListError> {
    let mut letters = words.bytes().enumerate();
    letters
        .try_for_each(|(n, letter)| group.update(node, |text, me| text.insert(me, at + n, letter)))
}

fn show(group: &Group<Text>, node: usize) -> String {
    let letters: Vec<u8> =
        group.state(node).into_iter().flat_map(|text| text.iter().copied()).collect();
    format!("{}: {}", ["left", "right"][node % 2], String::from_utf8_lossy(&letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_read_the_same() -> Result<(), Box<dyn Error>> {
        let lines = write()?;
        assert_eq!(lines[2..], ["left: Dear AliceBob, hell", "right: Dear AliceBob, hell"]);
        Ok(())
    }
}
