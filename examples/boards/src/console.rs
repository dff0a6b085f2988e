use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::jack::{Input, Jack, Plug};
use crate::{Failure, Journal};

/// A node's command line: lines of text, each command answered by one line that begins with `ok` or `error`. Other lines (they
/// begin with `# `) go to the journal.
///
/// Answers come in the order of the commands, but that to `status` is given at once, whatever else is under way: it begins with
/// `ok id=`, by which it is known.
#[derive(Debug)]
pub struct Console {
    jack: Jack,
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

/// No answer: the node is not there, went away, or is silent. The command may have been carried out nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Silence {
    /// Nobody is plugged in, so nothing was sent.
    Absent,
    /// It went away while it was waited for.
    Gone,
    /// It did not answer in time.
    Late,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts those that plugged in, and those that stopped.
    visit: u64,
    here: bool,
    partial: Vec<u8>,
    replies: VecDeque<Reply>,
    /// Answers to come that nobody waits for any more, those to `status` aside.
    stale: usize,
}

/// A line longer than that is cut there.
const LONGEST: usize = 4096;
/// Whoever asks to stop is heard within that.
const SLICE: Duration = Duration::from_millis(100);
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
        let (side, journal) = (Arc::clone(&shared), journal.clone());
        let jack =
            Jack::open(path, Plug::default(), move |input| side.take(node, input, &journal))?;
        Ok(Self { jack, shared, interrupted })
    }

    /// Where the node plugs in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.jack.path()
    }

    /// Gives a command and waits for the answer. One at a time: who else asks meanwhile may get the wrong answer.
    ///
    /// # Errors
    ///
    /// [`Silence`] when there is none within `patience`. An answer that comes later is dropped.
    pub fn ask(&self, command: &str, patience: Duration) -> Result<Reply, Silence> {
        let visit = {
            let mut state = self.shared.lock();
            if !state.here {
                return Err(Silence::Absent);
            }
            state.replies.clear();
            state.visit
        };
        let line = format!("{command}\n");
        if self.jack.plug().write(line.as_bytes()) < line.len() {
            // half a command is none, once something ends the line
            self.jack.plug().write(b"\n");
            return Err(Silence::Gone);
        }
        self.wait(visit, command == STATUS, patience)
    }

    fn wait(&self, visit: u64, status: bool, patience: Duration) -> Result<Reply, Silence> {
        let end = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            while let Some(reply) = state.replies.pop_front() {
                // an error may be the answer to anything
                if matches!(reply, Reply::Error(_)) || reply.is_status() == status {
                    return Ok(reply);
                }
            }
            if !state.here || state.visit != visit {
                return Err(Silence::Gone);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.interrupted.load(Ordering::Relaxed) {
                state.stale += usize::from(!status);
                return Err(Silence::Late);
            }
            let waited = self.shared.changed.wait_timeout(state, left.min(SLICE));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn take(&self, node: u64, input: Input<'_>, journal: &Journal) {
        let mut state = self.lock();
        match input {
            Input::Plugged => {
                *state = State { visit: state.visit + 1, here: true, ..State::default() };
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    state.push(byte, node, journal);
                }
            }
            Input::Gone => state.here = false,
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, byte: u8, node: u64, journal: &Journal) {
        if byte != b'\n' && self.partial.len() < LONGEST {
            self.partial.push(byte);
            return;
        }
        let bytes = core::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim();
        match Reply::read(line) {
            Some(reply) if self.stale > 0 && !reply.is_status() => {
                self.stale -= 1;
                journal.say(node, format!("(late) {line}"));
            }
            Some(reply) => self.replies.push_back(reply),
            None if line.is_empty() => {}
            None => {
                if line.starts_with(STOPPED) {
                    // what it was asked before, it does not answer any more
                    self.visit += 1;
                    self.stale = 0;
                }
                journal.say(node, line);
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

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "it is not there",
            Self::Gone => "it went away before it answered",
            Self::Late => "it does not answer",
        })
    }
}

impl core::error::Error for Silence {}

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
        while !console.shared.lock().here {
            thread::yield_now();
        }
        (Dir(dir), console, journal)
    }

    #[test]
    fn answers_and_other_lines_are_told_apart() {
        let (_dir, console, journal) = console("apart", |line, out| {
            let _ = write!(out, "# heard {line}\r\nerror not so\r\n");
        });
        assert_eq!(console.ask("set 1", LONG), Ok(Reply::Error("not so".to_owned())));
        assert!(journal.heard(1, "# heard set 1", 0));
    }

    #[test]
    fn a_late_answer_is_nobody_elses() {
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
        assert_eq!(console.ask("slow", Duration::from_millis(5)), Err(Silence::Late));
        assert_eq!(console.ask("status", LONG), Ok(Reply::Ok("id=1 role=leader".to_owned())));
        assert_eq!(console.ask("quick", LONG), Ok(Reply::Ok("quick".to_owned())));
        assert!(journal.heard(1, "(late) ok slow", 0));
    }

    #[test]
    fn who_stops_is_not_waited_for() {
        let (_dir, console, _) = console("stopped", |line, out| {
            let _ = match line {
                "add 1" => writeln!(out, "# stopped: the flash failed"),
                _ => writeln!(out, "error stopped: the flash failed"),
            };
        });
        assert_eq!(console.ask("add 1", LONG), Err(Silence::Gone));
        let stopped = Reply::Error("stopped: the flash failed".to_owned());
        assert_eq!(console.ask("get", LONG), Ok(stopped));
    }

    #[test]
    fn who_is_gone_does_not_answer() {
        let (_dir, console, _) = console("gone", |_, out| {
            let _ = out.shutdown(std::net::Shutdown::Both);
        });
        assert_eq!(console.ask("get", LONG), Err(Silence::Gone));
        assert_eq!(console.ask("get", LONG), Err(Silence::Absent));
    }
}
