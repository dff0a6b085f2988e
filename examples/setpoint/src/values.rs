use quorate_core::NodeId;

use crate::{Change, Command};

/// Nodes whose commands are told apart, at most; those of others are not carried out.
pub const MAX_NODES: usize = 5;

/// What the nodes agree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Values {
    /// The value last set.
    pub setpoint: i64,
    /// The sum of what was added; it stops at the ends of its range.
    pub counter: i64,
    /// Each node's last command that was carried out; unused places are at the end, with node 0.
    pub(crate) sessions: [Session; MAX_NODES],
}

/// The last command of a node: those up to it are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Session {
    pub(crate) node: NodeId,
    pub(crate) boot: u64,
    pub(crate) serial: u64,
}

/// Starts of a node, and commands since one, are below this.
const MAX_NUMBER: u64 = 1 << 32;
/// How far above the last start that is known a node may have gone on, if that is beyond
/// [`MAX_NUMBER`].
const MAX_BOOT_STEP: u64 = 1 << 16;

impl Values {
    /// Whether its node can have sent it.
    pub(crate) fn is_valid(&self, command: Command) -> bool {
        let known = self.sessions.iter().find(|session| session.node == command.node);
        let boots =
            known.map_or(0, |session| session.boot.saturating_add(MAX_BOOT_STEP)).max(MAX_NUMBER);
        (1..boots).contains(&command.boot) && (1..MAX_NUMBER).contains(&command.serial)
    }

    /// Carries out a command, unless it was before. A node asks one thing at a time, so the last one is all there is to remember.
    ///
    /// ```
    /// use quorate_core::NodeId;
    /// use quorate_setpoint::{Change, Command, Values};
    /// let add = Command { node: NodeId::new(1), boot: 1, serial: 1, change: Change::Add(5) };
    /// let mut values = Values::default();
    /// values.apply(add);
    /// values.apply(add); // it was proposed twice
    /// assert_eq!(values.counter, 5);
    /// ```
    pub fn apply(&mut self, command: Command) {
        let at = |node| self.sessions.iter().position(|session| session.node == node);
        let Some(at) = at(command.node).or_else(|| at(NodeId::new(0))) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(at) else { return };
        let known = session.node == command.node;
        if known && (command.boot, command.serial) <= (session.boot, session.serial) {
            return;
        }
        let Command { node, boot, serial, change } = command;
        *session = Session { node, boot, serial };
        match change {
            Change::Noop => {}
            Change::Set(value) => self.setpoint = value,
            Change::Add(value) => self.counter = self.counter.saturating_add(value),
        }
    }
}
