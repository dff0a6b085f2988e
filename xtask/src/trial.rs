use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};

/// A trial hangs if it prints nothing for so long. It prints ten times how far it came, so a slow machine is no reason.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(600);

/// A run of the simulator over some seeds.
pub(crate) struct Trial {
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
    /// All it printed.
    pub(crate) log: PathBuf,
}

/// How a trial ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Nothing was violated.
    Clean,
    /// The simulator found something.
    Violated { seed: u64, what: String },
    /// The simulator itself failed.
    Broken,
    /// It printed nothing for too long.
    Hung,
}

impl Trial {
    /// Runs a simulator over `seeds` seeds of a protocol from `from` on, until the first violation.
    pub(crate) fn run(
        program: &Path,
        protocol: &str,
        from: u64,
        seeds: u64,
        log: PathBuf,
    ) -> Outcome<Self> {
        let output = fs::File::create(&log).map_err(Failure::io(log.display()))?;
        let errors = output.try_clone().map_err(Failure::io(log.display()))?;
        let start = Instant::now();
        let mut child = Command::new(program)
            // what a bug keeps from happening is not what is looked for
            .args([
                "--protocol",
                protocol,
                "--no-marks",
                "--from",
                &from.to_string(),
                "--seeds",
                &seeds.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Failure::io(program.display()))?;
        let waiting = Failure::io("waiting for the simulator");
        let (mut printed, mut heard) = (0, start);
        let status = loop {
            let length = fs::metadata(&log).map_or(printed, |file| file.len());
            if length != printed {
                (printed, heard) = (length, Instant::now());
            }
            match child.try_wait() {
                Ok(None) if heard.elapsed() < OUTPUT_TIMEOUT => {
                    thread::sleep(Duration::from_millis(20))
                }
                Ok(status) => break status,
                Err(error) => return Err(waiting(error)),
            }
        };
        let ended = match status {
            Some(status) if status.success() => Ended::Clean,
            Some(_) => Ended::read(&fs::read_to_string(&log).unwrap_or_default()),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Ended::Hung
            }
        };
        Ok(Self { ended, took: start.elapsed(), log })
    }
}

impl Ended {
    /// From the simulator's line `seed 7: two leaders in term 3`.
    fn read(log: &str) -> Self {
        let lines = log.lines().rev();
        let mut named = lines.filter_map(|line| line.strip_prefix("seed ")?.split_once(": "));
        match named.find_map(|(seed, what)| Some((seed.parse().ok()?, what))) {
            Some((seed, what)) => Self::Violated { seed, what: what.to_owned() },
            None => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violation_is_found_in_the_log() {
        let log = " 12 ms  1 <- 2  Vote\n\nseed 19: no leader within 8 timeouts: healed\n\nreplay it with: x";
        let what = "no leader within 8 timeouts: healed".to_owned();
        assert_eq!(Ended::read(log), Ended::Violated { seed: 19, what });
        assert_eq!(Ended::read("seed of doubt"), Ended::Broken);
    }
}
