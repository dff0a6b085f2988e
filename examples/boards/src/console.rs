use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::uart_socket::{Input, UartSocket, UartWriter};
use crate::{Failure, Journal};

/// A node's command line: lines of text, each command answered by one line that begins with `ok` or `error`. Other lines (they
/// begin with `# `) go to the journal.
///
/// Answers come in the order of the commands, but that to `status` is given at once, whatever else is under way: it begins with
/// `ok id=`, by which it is known.
#[derive(Debug)]
pub struct Console {
    socket: UartSocket,
    shared: Arc<Shared>,
    interrupted: Arc<AtomicBool>,
}

/// The answer to a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Done; what it says after `ok`.
    Ok(String),
    /// Not done; what it says after `error`.
    Error(String),
}

/// No answer: the node is not connected, disconnected, or is silent. The command may have been
/// executed nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoReply {
    /// No node is connected, so nothing was sent.
    NotConnected,
    /// It disconnected before it answered.
    Disconnected,
    /// It did not answer in time.
    TimedOut,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts connections and stops.
    session: u64,
    connected: bool,
    partial: Vec<u8>,
    replies: VecDeque<Reply>,
    /// Answers to come that nobody waits for any more, those to `status` aside.
    stale: usize,
}

/// A line longer than that is cut there.
const MAX_LENGTH: usize = 4096;
/// How often an interrupt is checked for.
const INTERRUPT_POLL: Duration = Duration::from_millis(100);
const STATUS: &str = "status";
/// A node says so when it takes no part any more.
const STOPPED: &str = "# stopped:";

impl Console {
    /// Listens for the console of `node` at `path`.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when the socket cannot be made.
    pub fn open(
        node: u64,
        path: &Path,
        journal: &Journal,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let (receiver, journal) = (Arc::clone(&shared), journal.clone());
        let socket = UartSocket::open(path, UartWriter::default(), move |input| {
            receiver.take(node, input, &journal)
        })?;
        Ok(Self { socket, shared, interrupted })
    }

    /// The socket that the node connects to.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Sends a command and waits for the answer. One at a time: concurrent requests may get each
    /// other's answers.
    ///
    /// # Errors
    ///
    /// [`NoReply`] when there is none within `timeout`. An answer that comes later is dropped.
    pub fn request(&self, command: &str, timeout: Duration) -> Result<Reply, NoReply> {
        let session = {
            let mut state = self.shared.lock();
            if !state.connected {
                return Err(NoReply::NotConnected);
            }
            state.replies.clear();
            state.session
        };
        let line = format!("{command}\n");
        if self.socket.writer().write(line.as_bytes()) < line.len() {
            // half a command is none, once something ends the line
            self.socket.writer().write(b"\n");
            return Err(NoReply::Disconnected);
        }
        self.wait(session, command == STATUS, timeout)
    }

    fn wait(&self, session: u64, status: bool, timeout: Duration) -> Result<Reply, NoReply> {
        let end = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            while let Some(reply) = state.replies.pop_front() {
                // an error may be the answer to anything
                if matches!(reply, Reply::Error(_)) || reply.is_status() == status {
                    return Ok(reply);
                }
            }
            if !state.connected || state.session != session {
                return Err(NoReply::Disconnected);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.interrupted.load(Ordering::Relaxed) {
                state.stale += usize::from(!status);
                return Err(NoReply::TimedOut);
            }
            let waited = self.shared.changed.wait_timeout(state, left.min(INTERRUPT_POLL));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn take(&self, node: u64, input: Input<'_>, journal: &Journal) {
        let mut state = self.lock();
        match input {
            Input::Connected => {
                *state = State { session: state.session + 1, connected: true, ..State::default() };
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    state.push(byte, node, journal);
                }
            }
            Input::Disconnected => state.connected = false,
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, byte: u8, node: u64, journal: &Journal) {
        if byte != b'\n' && self.partial.len() < MAX_LENGTH {
            self.partial.push(byte);
            return;
        }
        let bytes = core::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim();
        match Reply::read(line) {
            Some(reply) if self.stale > 0 && !reply.is_status() => {
                self.stale -= 1;
                journal.log(node, format!("(late) {line}"));
            }
            Some(reply) => self.replies.push_back(reply),
            None if line.is_empty() => {}
            None => {
                if line.starts_with(STOPPED) {
                    // what it was asked before, it does not answer any more
                    self.session += 1;
                    self.stale = 0;
                }
                journal.log(node, line);
            }
        }
    }
}

impl Reply {
    /// Reads a line; `None` if it is no answer.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ok" => Some(Self::Ok(rest.trim().to_owned())),
            "error" => Some(Self::Error(rest.trim().to_owned())),
            _ => None,
        }
    }

    fn is_status(&self) -> bool {
        matches!(self, Self::Ok(text) if text.starts_with("id="))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(text) => write!(f, "ok {text}"),
            Self::Error(text) => write!(f, "error {text}"),
        }
    }
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "it is not connected",
            Self::Disconnected => "it disconnected before it answered",
            Self::TimedOut => "it does not answer",
        })
    }
}

impl core::error::Error for NoReply {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixStream;
    use std::thread;

    const LONG: Duration = Duration::from_secs(20);

    /// A folder that goes when the test does.
    struct Dir(std::path::PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A console, and what the node behind it does with each command.
    fn console(
        name: &str,
        mut answer: impl FnMut(&str, &mut UnixStream) + Send + 'static,
    ) -> (Dir, Console, Journal) {
        let dir = std::env::temp_dir().join(format!("qc-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let journal = Journal::new(&dir);
        let console =
            Console::open(1, &dir.join("c"), &journal, Arc::new(AtomicBool::new(false))).unwrap();
        let mut stream = UnixStream::connect(console.path()).unwrap();
        thread::spawn(move || {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for line in lines.map_while(Result::ok) {
                answer(&line, &mut stream);
            }
        });
        while !console.shared.lock().connected {
            thread::yield_now();
        }
        (Dir(dir), console, journal)
    }

    #[test]
    fn other_lines_go_to_the_journal() {
        let (_dir, console, journal) = console("apart", |line, out| {
            let _ = write!(out, "# heard {line}\r\nerror not so\r\n");
        });
        assert_eq!(console.request("set 1", LONG), Ok(Reply::Error("not so".to_owned())));
        assert!(journal.contains(1, "# heard set 1", 0));
    }

    #[test]
    fn late_answer_is_dropped() {
        let mut held = false;
        let (_dir, console, journal) = console("late", move |line, out| {
            let _ = match line {
                "slow" => {
                    held = true;
                    Ok(())
                }
                "status" => writeln!(out, "ok id=1 role=leader"),
                _ if core::mem::take(&mut held) => write!(out, "ok slow\nok {line}\n"),
                _ => writeln!(out, "ok {line}"),
            };
        });
        assert_eq!(console.request("slow", Duration::from_millis(5)), Err(NoReply::TimedOut));
        assert_eq!(console.request("status", LONG), Ok(Reply::Ok("id=1 role=leader".to_owned())));
        assert_eq!(console.request("quick", LONG), Ok(Reply::Ok("quick".to_owned())));
        assert!(journal.contains(1, "(late) ok slow", 0));
    }

    #[test]
    fn stopped_node_is_not_waited_for() {
        let (_dir, console, _) = console("stopped", |line, out| {
            let _ = match line {
                "add 1" => writeln!(out, "# stopped: the flash failed"),
                _ => writeln!(out, "error stopped: the flash failed"),
            };
        });
        assert_eq!(console.request("add 1", LONG), Err(NoReply::Disconnected));
        let stopped = Reply::Error("stopped: the flash failed".to_owned());
        assert_eq!(console.request("get", LONG), Ok(stopped));
    }

    #[test]
    fn disconnected_node_does_not_answer() {
        let (_dir, console, _) = console("gone", |_, out| {
            let _ = out.shutdown(std::net::Shutdown::Both);
        });
        assert_eq!(console.request("get", LONG), Err(NoReply::Disconnected));
        assert_eq!(console.request("get", LONG), Err(NoReply::NotConnected));
    }
}
