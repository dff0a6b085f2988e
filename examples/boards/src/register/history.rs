use std::collections::BTreeMap;

use crate::{Failure, Status};

/// What was asked of the registers and what came of it. A write's number is its place in the order of its register, so the check needs no
/// search: an operation that begins after another one returned must not be before it.
///
/// Each write has a value of its own.
#[derive(Debug, Default)]
pub struct History {
    registers: BTreeMap<String, Register>,
    /// Counts calls and returns: the order of things.
    clock: u64,
    /// The last value that was written.
    value: u32,
    acknowledged: u64,
    unclear: u64,
}

/// What a register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The value; `None` if it was deleted, or never written.
    pub value: Option<u32>,
    /// The number of its write; 0 if there was none.
    pub number: u64,
}

#[derive(Debug, Default)]
struct Register {
    /// The values that were to be written, and when.
    asked: BTreeMap<u32, u64>,
    /// How many deletions were asked for.
    deletions: usize,
    /// What is known of the order.
    operations: Vec<Operation>,
}

/// One that returned.
#[derive(Clone, Copy, Debug)]
struct Operation {
    called: u64,
    returned: u64,
    found: Found,
    writes: bool,
}

impl Found {
    /// Reads the answer of a board about a register.
    ///
    /// ```
    /// use quorate_boards::register::Found;
    /// assert_eq!(Found::parse("x", "x=7 write=3")?, Found { value: Some(7), number: 3 });
    /// assert_eq!(Found::parse("x", "x=none write=0")?, Found { value: None, number: 0 });
    /// # Ok::<(), quorate_boards::Failure>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it is none.
    pub fn parse(key: &str, answer: &str) -> Result<Self, Failure> {
        let status = Status::parse(answer);
        let wrong = || Failure::Unexpected(format!("an answer about {key} is `{answer}`"));
        let value = match status.get(key) {
            Some("none") => None,
            Some(value) => Some(value.parse().map_err(|_| wrong())?),
            None => return Err(wrong()),
        };
        Ok(Self { value, number: u64::try_from(status.number("write")?).map_err(|_| wrong())? })
    }
}

impl History {
    /// Something is asked now.
    pub const fn call(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A write is asked for now: when, and what it writes.
    pub fn call_write(&mut self, key: &str) -> (u64, u32) {
        let called = self.call();
        self.value += 1;
        let value = self.value;
        self.register(key).asked.insert(value, called);
        (called, value)
    }

    /// A deletion is asked for now.
    pub fn call_delete(&mut self, key: &str) -> u64 {
        self.register(key).deletions += 1;
        self.call()
    }

    /// It is not known what became of a write or a deletion: it may take place at any time, or never.
    pub const fn record_unknown(&mut self) {
        self.unclear += 1;
    }

    /// A write or a deletion was acknowledged.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`] when it cannot have its place.
    pub fn wrote(&mut self, key: &str, called: u64, found: Found) -> Result<(), Failure> {
        self.acknowledged += 1;
        self.add(key, called, found, true)
    }

    /// A read returned.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`] when it must not be that.
    pub fn read(&mut self, key: &str, called: u64, found: Found) -> Result<(), Failure> {
        self.add(key, called, found, false)
    }

    /// The registers that something was asked of.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.registers.keys().cloned().collect()
    }

    /// How many writes were acknowledged, and of how many it is not known.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.acknowledged, self.unclear)
    }

    fn add(&mut self, key: &str, called: u64, found: Found, writes: bool) -> Result<(), Failure> {
        let returned = self.call();
        let new = Operation { called, returned, found, writes };
        let added = self.register(key).add(new);
        added.map_err(|why| Failure::Violation(format!("register {key}: {why}")))
    }

    fn register(&mut self, key: &str) -> &mut Register {
        self.registers.entry(key.to_owned()).or_default()
    }
}

impl Register {
    fn add(&mut self, new: Operation) -> Result<(), String> {
        self.check_value(&new)?;
        let before = self.operations.iter().filter(|old| old.returned < new.called);
        let Some(last) = before.max_by_key(|old| old.found.number) else {
            self.operations.push(new);
            return Ok(());
        };
        if new.found == Found::default() && !new.writes {
            // a deletion that all boards have is forgotten
            if last.found.value.is_none() || self.may_be_deleted() {
                return Ok(());
            }
            return Err(format!("nothing was read after {:?}", last.found));
        }
        let is_behind = new.found.number < last.found.number;
        if is_behind || (new.writes && new.found.number == last.found.number) {
            let what = if new.writes { "written" } else { "read" };
            return Err(format!("{:?} was {what} after {:?}", new.found, last.found));
        }
        self.check_ties(&new)?;
        self.operations.push(new);
        Ok(())
    }

    /// The value was asked for, and is of one write.
    fn check_value(&self, new: &Operation) -> Result<(), String> {
        let is_known = match new.found.value {
            Some(value) => self.asked.get(&value).is_some_and(|asked| *asked < new.returned),
            None => self.deletions > 0 || new.found.number == 0,
        };
        if !is_known {
            return Err(format!("{:?} was never written", new.found));
        }
        let same =
            |old: &&Operation| new.found.value.is_some() && old.found.value == new.found.value;
        match self.operations.iter().filter(same).find(|old| old.found != new.found) {
            Some(old) => Err(format!("{:?} and {:?} are one write", old.found, new.found)),
            None => Ok(()),
        }
    }

    /// Writes at the same time may have one number. Which is the later one is always the same.
    fn check_ties(&self, new: &Operation) -> Result<(), String> {
        let ties =
            |old: &&Operation| old.found.number == new.found.number && old.found != new.found;
        for old in self.operations.iter().filter(ties).filter(|old| old.returned < new.called) {
            let first = self.operations.iter().filter(|first| first.found == new.found);
            let last = || self.operations.iter().filter(|last| last.found == old.found);
            for first in first {
                if last().any(|last| first.returned < last.called) {
                    return Err(format!(
                        "{:?} and {:?} come after each other",
                        old.found, new.found
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether there was a deletion that nobody acknowledged.
    fn may_be_deleted(&self) -> bool {
        let deletes = |old: &&Operation| old.writes && old.found.value.is_none();
        self.operations.iter().filter(deletes).count() < self.deletions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Found = Found { value: None, number: 0 };

    const fn found(value: u32, number: u64) -> Found {
        Found { value: Some(value), number }
    }

    /// Writes 1, 2, 3 and so on, each after the one before.
    fn written(count: u32) -> History {
        let mut history = History::default();
        for number in 1..=count {
            let (called, value) = history.call_write("x");
            assert_eq!(value, number);
            assert!(history.wrote("x", called, found(value, number.into())).is_ok());
        }
        history
    }

    fn reads(history: &mut History, found: Found) -> bool {
        let called = history.call();
        history.read("x", called, found).is_ok()
    }

    #[test]
    fn acknowledged_writes_are_read() {
        assert!(reads(&mut History::default(), NOTHING));
        assert!(reads(&mut written(2), found(2, 2)));
        assert!(!reads(&mut written(2), found(1, 1)), "an old value");
        assert!(!reads(&mut written(2), NOTHING), "lost");
        assert!(!reads(&mut written(2), found(3, 3)), "made up");
        assert!(!reads(&mut written(2), found(2, 3)), "written twice");
        assert!(!reads(&mut written(2), Found { value: None, number: 3 }), "nobody deleted it");
    }

    #[test]
    fn write_is_later_than_what_was_acknowledged() {
        let mut history = written(2);
        let (called, value) = history.call_write("x");
        assert!(history.wrote("x", called, found(value, 2)).is_err());
    }

    #[test]
    fn read_is_not_behind_another() {
        let mut history = written(1);
        let (called, value) = history.call_write("x");
        let during = history.call();
        assert!(reads(&mut history, found(value, 2)), "it may take place now");
        assert!(!reads(&mut history, found(1, 1)), "it has taken place");
        assert!(history.read("x", during, found(1, 1)).is_ok(), "this one began before");
        assert!(history.wrote("x", called, found(value, 2)).is_ok());
    }

    #[test]
    fn order_of_writes_with_one_number_is_always_the_same() {
        let mut history = written(1);
        let (one, two) = (history.call_write("x"), history.call_write("x"));
        assert!(reads(&mut history, found(one.1, 2)));
        assert!(reads(&mut history, found(two.1, 2)), "the other one is later");
        assert!(!reads(&mut history, found(one.1, 2)));
        for (called, value) in [one, two] {
            assert!(history.wrote("x", called, found(value, 2)).is_ok());
        }
        assert!(!reads(&mut history, found(one.1, 2)));
        assert!(reads(&mut history, found(two.1, 2)));
    }

    #[test]
    fn deleted_register_may_be_forgotten() {
        let mut history = written(1);
        let called = history.call_delete("x");
        assert!(reads(&mut history, NOTHING), "it may be deleted already");
        assert!(history.wrote("x", called, Found { value: None, number: 2 }).is_ok());
        assert!(reads(&mut history, Found { value: None, number: 2 }));
        assert!(reads(&mut history, NOTHING));
        let (called, value) = history.call_write("x");
        assert!(history.wrote("x", called, found(value, 3)).is_ok());
        assert!(!reads(&mut history, NOTHING));
        assert!(reads(&mut history, found(value, 3)));
    }
}
