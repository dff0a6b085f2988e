use std::collections::BTreeSet;

use crate::{Failure, Status};

/// The changes that were requested and their outcomes, and so the values that nodes may hold.
///
/// The bench asks one thing at a time. A change without a clear answer may have been made or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    /// The sum of what was surely added, and of all that may have been.
    counter: (i64, i64),
    /// What the set-point may be.
    setpoints: BTreeSet<i64>,
    acknowledged: u64,
    unclear: u64,
}

/// A change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The set-point is this.
    Set(i64),
    /// The counter grows by this; not negative here, so that sums are bounds.
    Add(u32),
}

impl Ledger {
    /// Before anything was asked.
    #[must_use]
    pub fn new() -> Self {
        Self { counter: (0, 0), setpoints: BTreeSet::from([0]), acknowledged: 0, unclear: 0 }
    }

    /// The change was acknowledged: it holds for ever.
    pub fn acknowledge(&mut self, change: Change) {
        self.acknowledged += 1;
        match change {
            // what was unclear before has a lower place in the log, or none
            Change::Set(value) => self.setpoints = BTreeSet::from([value]),
            Change::Add(value) => {
                self.counter.0 += i64::from(value);
                self.counter.1 += i64::from(value);
            }
        }
    }

    /// The outcome of the change is unknown.
    pub fn record_unknown(&mut self, change: Change) {
        self.unclear += 1;
        match change {
            Change::Set(value) => {
                self.setpoints.insert(value);
            }
            Change::Add(value) => self.counter.1 += i64::from(value),
        }
    }

    /// Whether a node's values are what they must be.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`] says what was lost or made up.
    pub fn check(&self, id: u64, status: &Status) -> Result<(), Failure> {
        let (counter, setpoint) = (status.number("counter")?, status.number("setpoint")?);
        let (low, high) = self.counter;
        if !(low..=high).contains(&counter) {
            return Err(Failure::Violation(format!(
                "node {id} counts {counter}; acknowledged are {low}, asked for {high}"
            )));
        }
        if !self.setpoints.contains(&setpoint) {
            return Err(Failure::Violation(format!(
                "node {id} has set-point {setpoint}; acknowledged, or asked for since, are {:?}",
                self.setpoints
            )));
        }
        Ok(())
    }

    /// How many changes were acknowledged, and how many are unclear.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.acknowledged, self.unclear)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(ledger: &Ledger, setpoint: i64, counter: i64) -> bool {
        ledger.check(1, &Status::parse(&format!("setpoint={setpoint} counter={counter}"))).is_ok()
    }

    #[test]
    fn acknowledged_changes_must_be_applied() {
        let mut ledger = Ledger::new();
        assert!(is_valid(&ledger, 0, 0));
        ledger.acknowledge(Change::Add(5));
        ledger.acknowledge(Change::Set(7));
        assert!(is_valid(&ledger, 7, 5));
        assert!(!is_valid(&ledger, 7, 0), "lost");
        assert!(!is_valid(&ledger, 7, 10), "counted twice");
        assert!(!is_valid(&ledger, 0, 5), "an old set-point");
    }

    #[test]
    fn changes_with_an_unknown_outcome_may_be_applied() {
        let mut ledger = Ledger::new();
        ledger.acknowledge(Change::Set(1));
        ledger.record_unknown(Change::Set(2));
        ledger.record_unknown(Change::Add(3));
        assert!(is_valid(&ledger, 1, 0) && is_valid(&ledger, 2, 3) && !is_valid(&ledger, 3, 0));
        ledger.acknowledge(Change::Set(4));
        assert!(is_valid(&ledger, 4, 3) && !is_valid(&ledger, 2, 3));
        assert_eq!(ledger.counts(), (2, 2));
    }
}
