use std::collections::BTreeMap;

use todc_utils::{Action, History as Actions, Specification, WGLChecker};

/// The requests of clients and their answers, in order; checked key by key (linearizability is local: Herlihy and Wing, 1990, 3.2).
#[derive(Debug, Default)]
pub(crate) struct History {
    operations: BTreeMap<u64, Operation>,
    /// Counts calls and returns: the order of things.
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    key: u8,
    called: u64,
    /// `u64::MAX` while nothing was heard.
    returned: u64,
    kind: Kind,
}

/// What a client asks for. Values are unique; there is none before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Read,
    Set(u64),
    Swap {
        expected: Option<u64>,
        value: u64,
    },
    Delete,
    /// Sets the value if there is one.
    Update(u64),
}

/// An operation with its outcome, as the checker sees it: whether it was applied, and the value after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    asked: Asked,
    told: Option<(bool, Option<u64>)>,
}

impl History {
    pub(crate) fn call(&mut self, id: u64, key: u8, asked: Asked) {
        self.clock += 1;
        let kind = Kind { asked, told: None };
        self.operations.insert(id, Operation { key, called: self.clock, returned: u64::MAX, kind });
    }

    pub(crate) fn returned(&mut self, id: u64, applied: bool, value: Option<u64>) {
        self.clock += 1;
        if let Some(entry) = self.operations.get_mut(&id) {
            entry.returned = self.clock;
            entry.kind.told = Some((applied, value));
        }
    }

    /// It certainly had no effect, and never will; or it is a read that was not answered.
    pub(crate) fn remove(&mut self, id: u64) {
        self.operations.remove(&id);
    }

    /// Whether the operations of every key can be put in an order that explains what clients were told.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut keys: BTreeMap<u8, Vec<Operation>> = BTreeMap::new();
        for &operation in self.operations.values() {
            let is_unanswered = operation.returned == u64::MAX;
            if !(is_unanswered && operation.kind.asked == Asked::Read) {
                keys.entry(operation.key).or_default().push(operation);
            }
        }
        for (key, operations) in keys {
            if !linearizable(&operations) {
                let told = explain(&operations);
                return Err(format!("not linearizable: key {key}:\n{told}"));
            }
        }
        Ok(())
    }
}

fn explain(operations: &[Operation]) -> String {
    let line = |operation: &Operation| {
        let Operation { called, returned, kind, .. } = operation;
        let until = if *returned == u64::MAX { "?".into() } else { returned.to_string() };
        format!("{called:>5} {until:>5} {:?} {:?}\n", kind.asked, kind.told)
    };
    operations.iter().map(line).collect()
}

fn linearizable(operations: &[Operation]) -> bool {
    // An operation without an answer may take effect at any time or never: it returns after everything else.
    let mut moments = Vec::new();
    for (process, operation) in operations.iter().enumerate() {
        moments.push((operation.called, process, Action::Call(operation.kind)));
        moments.push((operation.returned, process, Action::Response(operation.kind)));
    }
    moments.sort_by_key(|(at, process, _)| (*at, *process));
    let actions: Vec<_> = moments.into_iter().map(|(_, process, a)| (process, a)).collect();
    WGLChecker::<Register>::is_linearizable(Actions::from_actions(actions))
}

/// One register, without a value at first.
struct Register;

impl Specification for Register {
    type State = Option<u64>;
    type Operation = Kind;

    fn init() -> Option<u64> {
        None
    }

    fn apply(Kind { asked, told }: &Kind, state: &Option<u64>) -> (bool, Option<u64>) {
        let next = match *asked {
            Asked::Read => Some(*state),
            Asked::Set(value) => Some(Some(value)),
            Asked::Swap { expected, value } => (*state == expected).then_some(Some(value)),
            Asked::Delete => Some(None),
            Asked::Update(value) => state.map(|_| Some(value)),
        };
        let after = next.unwrap_or(*state);
        (told.is_none_or(|told| told == (next.is_some(), after)), after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was asked for, and whether it was applied and the value then, if that was told.
    type Operation = (Asked, Option<(bool, Option<u64>)>);

    fn history(operations: &[Operation]) -> Result<(), String> {
        let mut history = History::default();
        for (id, (asked, told)) in (1..).zip(operations) {
            history.call(id, 0, *asked);
            if let Some((applied, value)) = told {
                history.returned(id, *applied, *value);
            }
        }
        history.check()
    }

    #[test]
    fn deleted_value_does_not_come_back() {
        let set = (Asked::Set(1), Some((true, Some(1))));
        let delete = (Asked::Delete, Some((true, None)));
        let read = |value| (Asked::Read, Some((true, value)));
        assert_eq!(history(&[set, read(Some(1)), delete, read(None)]), Ok(()));
        assert!(history(&[set, delete, read(Some(1))]).is_err());
        assert_eq!(history(&[(Asked::Set(1), None), delete, read(Some(1))]), Ok(()), "or late");
    }

    #[test]
    fn refusals_tell_the_value() {
        let set = (Asked::Set(1), Some((true, Some(1))));
        let swap = |told| (Asked::Swap { expected: None, value: 2 }, Some(told));
        assert_eq!(history(&[set, swap((false, Some(1)))]), Ok(()));
        assert!(history(&[set, swap((false, None))]).is_err());
        assert!(history(&[set, swap((true, Some(2)))]).is_err());
        let update = |told| (Asked::Update(2), Some(told));
        assert_eq!(history(&[update((false, None)), set, update((true, Some(2)))]), Ok(()));
    }
}
