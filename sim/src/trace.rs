use std::collections::VecDeque;
use std::fmt;

use crate::Digest;

/// What happened lately, in words, and a hash of everything that happened.
#[derive(Debug)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    keep: usize,
    print: bool,
    digest: Digest,
}

impl Trace {
    /// Keeps the last `keep` lines (0: none are made), or prints all.
    pub(crate) fn new(keep: usize, print: bool) -> Self {
        Self { lines: VecDeque::new(), keep, print, digest: Digest::new() }
    }

    /// Adds a line, which is only made if somebody wants to see it.
    pub(crate) fn line(&mut self, now: u64, make: impl FnOnce() -> String) {
        if self.keep == 0 && !self.print {
            return;
        }
        let line = format!("{:>10.3} ms  {}", now as f64 / 1000.0, make());
        if self.print {
            println!("{line}");
        } else {
            if self.lines.len() == self.keep {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }

    /// Mixes numbers and bytes into the hash.
    pub(crate) fn mix(&mut self, numbers: &[u64], bytes: &[u8]) {
        self.digest.mix(numbers, bytes);
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.digest.value()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
