/// Records a run as commands of an interaction test, if that is on.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Option<Vec<String>>);

impl Recorder {
    pub(crate) fn record(&mut self, command: impl FnOnce() -> String) {
        if let Some(commands) = &mut self.0 {
            commands.push(command());
        }
    }

    /// Adds commands, the node first among their words, that came before any node was polled.
    pub(crate) fn record_all(&mut self, more: Vec<String>) {
        let Some(commands) = &mut self.0 else { return };
        let node = |command: &String| command.split(' ').nth(1).map(str::to_owned);
        for (at, command) in more.iter().enumerate() {
            let last = !more.iter().skip(at + 1).any(|later| node(later) == node(command));
            commands.push(if last { command.clone() } else { format!("{command} &") });
        }
    }
}
