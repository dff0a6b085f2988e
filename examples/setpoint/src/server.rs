use quorate_core::{Instant, NodeId, Wire as _};
use quorate_raft::{Event, Heap, Raft};
use quorate_setpoint::{Answer, Command, Program};
use quorate_tokio::{App, Error, Outbox};
use tokio::sync::{mpsc, oneshot};

use crate::snapshot_file::SnapshotFile;

/// The program beside a server's Raft.
pub(crate) struct Server {
    program: Program,
    file: SnapshotFile,
    pending_reply: Option<oneshot::Sender<Answer>>,
    /// Where it goes when a snapshot cannot be kept: the node must stop.
    failures: mpsc::UnboundedSender<String>,
    failed: bool,
}

/// A line from the console, and where the answer goes.
pub(crate) struct ConsoleLine {
    pub(crate) line: Vec<u8>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

impl Server {
    pub(crate) fn new(
        raft: &mut Raft<Heap>,
        file: SnapshotFile,
        failures: mpsc::UnboundedSender<String>,
    ) -> Result<Self, Error> {
        let kept = file.load().map_err(Error::app)?;
        let program = Program::resume(kept, raft).ok_or_else(|| {
            Error::app(format!("{} is older than the log", file.path().display()))
        })?;
        Ok(Self { program, file, pending_reply: None, failures, failed: false })
    }
}

impl App for Server {
    type Machine = Raft<Heap>;
    type Command = ConsoleLine;

    fn command(
        &mut self,
        raft: &mut Raft<Heap>,
        now: Instant,
        ConsoleLine { line, answer }: ConsoleLine,
    ) {
        if let Some(text) = self.program.line(raft, now, &line) {
            let _ = answer.send(text); // whoever asked may be gone
        } else {
            self.pending_reply = Some(answer);
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Leading { term } => tracing::info!(term, "this node leads"),
            Event::Following { leader, term } => tracing::info!(term, %leader, "follows"),
            Event::Leaderless { term } => tracing::info!(term, "no leader"),
            _ => {}
        }
        self.program.event(event);
    }

    fn frame(&mut self, raft: &mut Raft<Heap>, _: Instant, from: NodeId, bytes: &[u8]) {
        match Command::from_slice(bytes) {
            Ok(command) => self.program.receive_forwarded(raft, from, command),
            Err(error) => tracing::debug!(%from, %error, "dropped what is no command"),
        }
    }

    fn settle(&mut self, raft: &mut Raft<Heap>, now: Instant, outbox: &mut Outbox) {
        if self.failed {
            return;
        }
        if let Err(error) = self.program.settle(raft, |kept| self.file.save(kept)) {
            self.failed = true;
            let _ = self.failures.send(error);
            return;
        }
        let answer = self.program.answer(raft, now);
        if let Some((to, command)) = self.program.forward() {
            let mut buffer = [0; 64];
            outbox.send(to, command.to_slice(&mut buffer).unwrap_or_default());
        }
        if let Some(text) = answer
            && let Some(answer) = self.pending_reply.take()
        {
            let _ = answer.send(text);
        }
    }
}
