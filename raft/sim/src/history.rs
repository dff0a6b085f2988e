use std::collections::BTreeMap;

use todc_utils::{Action, History as Actions, Specification, WGLChecker};

use super::store::Change;

/// The requests of clients and their answers, in order; checked key by key (linearizability is
/// local: Herlihy and Wing, 1990, 3.2).
#[derive(Debug, Default)]
pub(crate) struct History {
    operations: BTreeMap<u64, Operation>,
    /// Counts calls and returns: the order of things.
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    key: u64,
    called: u64,
    /// `u64::MAX` while nothing was heard.
    returned: u64,
    kind: OperationKind,
}

/// An operation with its outcome, as the checker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Read { value: u64 },
    Write { change: Change, outcome: Option<bool> },
}

impl History {
    pub(crate) fn call_write(&mut self, operation: u64, key: u64, change: Change) {
        let kind = OperationKind::Write { change, outcome: None };
        self.clock += 1;
        let entry = Operation { key, called: self.clock, returned: u64::MAX, kind };
        self.operations.insert(operation, entry);
    }

    pub(crate) fn call_read(&mut self, operation: u64, key: u64) {
        self.clock += 1;
        let kind = OperationKind::Read { value: 0 };
        let entry = Operation { key, called: self.clock, returned: u64::MAX, kind };
        self.operations.insert(operation, entry);
    }

    pub(crate) fn write_returned(&mut self, operation: u64, effect: bool) {
        self.clock += 1;
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.returned = self.clock;
            if let OperationKind::Write { outcome, .. } = &mut entry.kind {
                *outcome = Some(effect);
            }
        }
    }

    pub(crate) fn read_returned(&mut self, operation: u64, read: u64) {
        self.clock += 1;
        if let Some(entry) = self.operations.get_mut(&operation) {
            entry.returned = self.clock;
            entry.kind = OperationKind::Read { value: read };
        }
    }

    /// It certainly had no effect, and never will.
    pub(crate) fn remove(&mut self, operation: u64) {
        self.operations.remove(&operation);
    }

    /// Whether the operations of every key can be put in an order that explains what clients were told.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut keys: BTreeMap<u64, Vec<(u64, Operation)>> = BTreeMap::new();
        for (&id, &operation) in &self.operations {
            let unanswered_read = matches!(operation.kind, OperationKind::Read { .. })
                && operation.returned == u64::MAX;
            if !unanswered_read {
                keys.entry(operation.key).or_default().push((id, operation));
            }
        }
        for (key, operations) in keys {
            if !linearizable(&operations) {
                return Err(format!("not linearizable: key {key}: {operations:#?}"));
            }
        }
        Ok(())
    }
}

fn linearizable(operations: &[(u64, Operation)]) -> bool {
    // An operation without an answer may take effect at any time or never: it returns after everything else.
    let mut moments = Vec::new();
    for (process, (_, operation)) in operations.iter().enumerate() {
        moments.push((operation.called, process, Action::Call(operation.kind)));
        moments.push((operation.returned, process, Action::Response(operation.kind)));
    }
    moments.sort_by_key(|(at, process, _)| (*at, *process));
    let actions: Vec<_> = moments.into_iter().map(|(_, process, a)| (process, a)).collect();
    WGLChecker::<Register>::is_linearizable(Actions::from_actions(actions))
}

/// One register, 0 at first.
struct Register;

impl Specification for Register {
    type State = u64;
    type Operation = OperationKind;

    fn init() -> u64 {
        0
    }

    fn apply(operation: &OperationKind, state: &u64) -> (bool, u64) {
        match *operation {
            OperationKind::Read { value } => (value == *state, *state),
            OperationKind::Write { change: Change::Put { value }, .. } => (true, value),
            OperationKind::Write { change: Change::Swap { expected, value }, outcome } => {
                let effect = *state == expected;
                let explained = outcome.is_none_or(|told| told == effect);
                (explained, if effect { value } else { *state })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: u64) -> Change {
        Change::Put { value }
    }

    #[test]
    fn stale_read_is_not_linearizable() {
        for (reads, fine) in [([1, 2], true), ([2, 1], false), ([2, 2], true), ([0, 1], false)] {
            let mut history = History::default();
            history.call_write(1, 7, put(1));
            history.write_returned(1, true);
            history.call_write(2, 7, put(2));
            for (id, value) in reads.into_iter().enumerate() {
                history.call_read(10 + id as u64, 7);
                history.read_returned(10 + id as u64, value);
            }
            history.write_returned(2, true);
            assert_eq!(history.check().is_ok(), fine, "{reads:?}");
        }
    }

    #[test]
    fn lost_write_is_not_linearizable() {
        let mut history = History::default();
        history.call_write(1, 7, put(1));
        history.write_returned(1, true);
        history.call_read(2, 7);
        history.read_returned(2, 0);
        assert!(history.check().is_err());
    }

    #[test]
    fn write_without_an_answer_may_take_effect_late_or_never() {
        for value in [0, 1] {
            let mut history = History::default();
            history.call_write(1, 7, put(1));
            history.call_read(2, 7);
            history.read_returned(2, value);
            assert!(history.check().is_ok());
        }
        let mut history = History::default();
        history.call_read(2, 7);
        history.read_returned(2, 1);
        history.call_write(1, 7, put(1));
        assert!(history.check().is_err(), "but not before it was asked for");
    }

    #[test]
    fn swap_outcome_is_checked() {
        for (outcome, fine) in [(true, true), (false, false)] {
            let mut history = History::default();
            history.call_write(1, 7, put(1));
            history.write_returned(1, true);
            history.call_write(2, 7, Change::Swap { expected: 1, value: 2 });
            history.write_returned(2, outcome);
            assert_eq!(history.check().is_ok(), fine);
        }
    }
}
