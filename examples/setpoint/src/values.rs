use crate::Command;

/// What the nodes agree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Values {
    /// The value last set.
    pub setpoint: i64,
    /// The sum of what was added; it stops at the ends of its range.
    pub counter: i64,
}

impl Values {
    /// Applies a change.
    pub const fn apply(&mut self, command: Command) {
        match command {
            Command::Set(value) => self.setpoint = value,
            Command::Add(value) => self.counter = self.counter.saturating_add(value),
        }
    }
}
