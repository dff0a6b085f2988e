use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What nodes, wires and the bench logged, in the order they were logged. Clones share it.
///
/// Everything goes to the file `journal.log` of the bench's folder; the last
/// [`CAPACITY`](Self::CAPACITY) lines are in memory.
#[derive(Clone, Debug)]
pub struct Journal {
    begin: Instant,
    inner: Arc<Mutex<Inner>>,
}

/// A line of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Since the bench was set up.
    pub at: Duration,
    /// The node that logged it; 0 is the bench.
    pub node: u64,
    /// The text.
    pub text: String,
}

#[derive(Debug)]
struct Inner {
    file: Option<File>,
    lines: VecDeque<Line>,
    /// Lines that are in the file alone.
    dropped: usize,
}

impl Journal {
    /// Lines kept in memory.
    pub const CAPACITY: usize = 4000;
    /// The node number of the bench itself.
    pub const BENCH: u64 = 0;

    /// One that writes to `journal.log` in a folder. Without that file (a full disk) the lines in memory are all there is.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let file = File::create(Self::path(dir)).ok();
        let inner = Inner { file, lines: VecDeque::new(), dropped: 0 };
        Self { begin: Instant::now(), inner: Arc::new(Mutex::new(inner)) }
    }

    /// The file in a bench's folder.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("journal.log")
    }

    /// Adds a line.
    pub fn log(&self, node: u64, text: impl Into<String>) {
        let line = Line { at: self.begin.elapsed(), node, text: text.into() };
        let mut inner = self.lock();
        if let Some(file) = &mut inner.file {
            let _ = writeln!(file, "{line}"); // the lines in memory are what is judged
        }
        inner.lines.push_back(line);
        if inner.lines.len() > Self::CAPACITY {
            inner.lines.pop_front();
            inner.dropped += 1;
        }
    }

    /// The last lines of a node.
    #[must_use]
    pub fn tail(&self, node: u64, count: usize) -> Vec<Line> {
        let inner = self.lock();
        let mut lines: Vec<Line> =
            inner.lines.iter().rev().filter(|l| l.node == node).take(count).cloned().collect();
        lines.reverse();
        lines
    }

    /// The lines after a position in the journal, and the position to go on from; 0 is its
    /// beginning.
    #[must_use]
    pub fn since(&self, position: usize) -> (Vec<Line>, usize) {
        let inner = self.lock();
        let skip = position.saturating_sub(inner.dropped);
        let lines = inner.lines.iter().skip(skip).cloned().collect();
        (lines, inner.dropped + inner.lines.len())
    }

    /// Whether a line of a node after a position contains `text`.
    #[must_use]
    pub fn contains(&self, node: u64, text: &str, position: usize) -> bool {
        self.since(position).0.iter().any(|line| line.node == node && line.text.contains(text))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        match self.node {
            Journal::BENCH => write!(f, "{at:8.3}  --  {}", self.text),
            node => write!(f, "{at:8.3}  {node:>2}  {}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn positions_stay_valid_when_old_lines_are_dropped() {
        let journal = Journal {
            begin: Instant::now(),
            inner: Arc::new(Mutex::new(Inner { file: None, lines: VecDeque::new(), dropped: 0 })),
        };
        for number in 0..Journal::CAPACITY {
            journal.log(1, format!("line {number}"));
        }
        let (_, position) = journal.since(0);
        journal.log(2, "one");
        journal.log(2, "two");
        let (lines, end) = journal.since(position);
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(end, Journal::CAPACITY + 2);
        assert!(journal.contains(2, "tw", position) && !journal.contains(2, "one", position + 1));
        assert_eq!(
            journal.tail(1, 1).first().unwrap().text,
            format!("line {}", Journal::CAPACITY - 1)
        );
    }
}
