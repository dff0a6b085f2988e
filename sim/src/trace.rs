use std::collections::VecDeque;
use std::fmt;

/// What happened lately, in words, and a hash of everything that happened.
#[derive(Debug)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    keep: usize,
    print: bool,
    hash: u64,
}

impl Trace {
    /// Keeps the last `keep` lines (0: none are made), or prints all.
    pub(crate) fn new(keep: usize, print: bool) -> Self {
        Self { lines: VecDeque::new(), keep, print, hash: 0xcbf2_9ce4_8422_2325 }
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

    /// Mixes numbers and bytes into the hash (FNV-1a).
    pub(crate) fn mix(&mut self, numbers: &[u64], bytes: &[u8]) {
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3);
        }
        for &byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
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
