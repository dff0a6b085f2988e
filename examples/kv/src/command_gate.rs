use crate::table::{Kind, Name, Spec};

/// Commands of a connection that are refused because one before them was.
///
/// A client that pipelines `MULTI`, `SET`, `EXEC` expects all or nothing. This server has no transactions, so it refuses
/// `MULTI`; executing the `SET` behind it would be neither. The same holds for what follows a `SELECT` of a database
/// that does not exist: it was meant for other keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CommandGate {
    /// A `MULTI` was refused, and neither `EXEC` nor `DISCARD` has followed.
    pub(crate) transaction: bool,
    /// A `SELECT` was refused, and no other has succeeded.
    pub(crate) database: bool,
}

pub(crate) const NO_MULTI: &str = "ERR MULTI is not supported: this server has no transactions. Commands are refused until EXEC or DISCARD; MSET sets several keys at once";
pub(crate) const NO_WATCH: &str = "ERR WATCH is not supported: this server has no transactions. SET with NX or XX sets on a condition";
pub(crate) const EXEC_ABORT: &str = "EXECABORT Transaction discarded because of previous errors.";
const NOT_QUEUED: &str =
    "ERR not queued and not executed: MULTI was refused, EXEC or DISCARD ends that";
const NO_DATABASE: &str = "ERR not executed: the SELECT before was refused, this server has database 0 only; SELECT 0 or RESET ends that";

impl CommandGate {
    /// The error reply to a command that must not be executed now.
    pub(crate) fn rejection(self, spec: &Spec) -> Option<&'static str> {
        use Name::{Discard, Exec, Multi, Quit, Reset, Watch};
        // as in Redis, these are not queued
        let never_queued = matches!(spec.name_id, Multi | Exec | Discard | Watch | Quit | Reset);
        if self.transaction && !never_queued {
            return Some(NOT_QUEUED);
        }
        (self.database && spec.kind != Kind::Connection).then_some(NO_DATABASE)
    }

    /// The error reply to `MULTI`.
    pub(crate) fn multi(&mut self) -> &'static str {
        if core::mem::replace(&mut self.transaction, true) {
            return "ERR MULTI calls can not be nested";
        }
        NO_MULTI
    }

    /// The error reply to `WATCH`.
    pub(crate) const fn watch(self) -> &'static str {
        if self.transaction { "ERR WATCH inside MULTI is not allowed" } else { NO_WATCH }
    }

    /// The reply to `EXEC`, always an error.
    pub(crate) fn exec(&mut self) -> &'static str {
        if core::mem::take(&mut self.transaction) { EXEC_ABORT } else { "ERR EXEC without MULTI" }
    }

    /// The reply to `DISCARD`.
    ///
    /// # Errors
    ///
    /// The error reply without `MULTI`.
    pub(crate) fn discard(&mut self) -> Result<(), &'static str> {
        if core::mem::take(&mut self.transaction) {
            Ok(())
        } else {
            Err("ERR DISCARD without MULTI")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::find;

    fn rejection(gate: CommandGate, name: &str) -> bool {
        gate.rejection(find(name.as_bytes()).unwrap()).is_some()
    }

    #[test]
    fn commands_after_multi_are_refused_until_exec() {
        let mut gate = CommandGate::default();
        assert!(!rejection(gate, "set"));
        assert_eq!(gate.multi(), NO_MULTI);
        for name in ["set", "get", "ping", "flushall", "select", "client", "info", "unwatch"] {
            assert!(rejection(gate, name), "{name}");
        }
        for name in ["multi", "exec", "discard", "watch", "quit", "reset"] {
            assert!(!rejection(gate, name), "{name}");
        }
        assert!(gate.multi().contains("nested") && gate.watch().contains("inside MULTI"));
        assert_eq!(gate.exec(), EXEC_ABORT);
        assert_eq!(gate, CommandGate::default());
        assert!(gate.exec().contains("without MULTI"));
        assert!(gate.discard().is_err());
        gate.multi();
        assert_eq!(gate.discard(), Ok(()));
        assert!(!rejection(gate, "set"));
    }

    #[test]
    fn key_commands_are_refused_after_a_failed_select() {
        let gate = CommandGate { database: true, ..CommandGate::default() };
        assert!(["get", "set", "flushall", "dbsize", "scan"].iter().all(|n| rejection(gate, n)));
        assert!(!["ping", "select", "info", "reset"].iter().any(|n| rejection(gate, n)));
    }
}
