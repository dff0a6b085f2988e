use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::jobs::Job;
use super::results::{self, Results};
use crate::failure::{Failure, Outcome};

/// A job that takes longer hangs.
const HANG_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Lines of a failure that are shown.
const SHOWN: usize = 60;

/// A job that runs.
pub(super) struct Running<'a> {
    job: &'a Job,
    pub(super) round: u32,
    child: Child,
    begin: Instant,
    /// Its last words; none if it hung.
    status: Option<ExitStatus>,
    out: PathBuf,
    err: PathBuf,
}

impl<'a> Running<'a> {
    pub(super) fn start(job: &'a Job, round: u32, folder: &Path) -> Outcome<Self> {
        let program = &job.program;
        // with the hash: a library and a program may have one name
        let hash = program.path.file_name().unwrap_or_default().to_string_lossy();
        let hash = hash.rsplit('-').next().unwrap_or_default();
        let name = job.name.replace("::", "-");
        let file = |kind: &str| folder.join(format!("{name}-{hash}-{round}.{kind}"));
        let (out, err) = (file("out"), file("err"));
        let create = |path: &PathBuf| File::create(path).map_err(Failure::io(path.display()));
        let child = Command::new(&program.path)
            .args(if job.tests.is_empty() { None } else { Some("--exact") })
            .args(&job.tests)
            .current_dir(&program.dir)
            .env("CARGO_MANIFEST_DIR", &program.dir)
            // what a test does many times by itself it does less often here
            .env("QUORATE_ROUNDS", "3")
            .stdin(Stdio::null())
            .stdout(create(&out)?)
            .stderr(create(&err)?)
            .spawn()
            .map_err(Failure::io(program.path.display()))?;
        Ok(Self { job, round, child, begin: Instant::now(), status: None, out, err })
    }

    /// Whether it has ended; one that hangs is ended.
    pub(super) fn has_ended(&mut self) -> Outcome<bool> {
        self.status = self.child.try_wait().map_err(Failure::io(&self.job.name))?;
        let hangs = self.status.is_none() && self.begin.elapsed() >= HANG_TIMEOUT;
        if hangs {
            // its servers stop with it: they watch their standard input
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        Ok(hangs || self.status.is_some())
    }

    /// Adds up what it said.
    pub(super) fn judge(&self, results: &mut Results) -> Outcome {
        let (name, round) = (&self.job.name, self.round);
        let text = fs::read(&self.out).map_err(Failure::io(self.out.display()))?;
        let text = String::from_utf8_lossy(&text);
        let mut any = false;
        for test in results::tests(&text) {
            any |= !test.passed;
            let first = results.add(name, test.name, test.passed);
            if first && !test.passed {
                println!("\n--- {name} {} failed in round {round}:", test.name);
                results::said(&text, test.name).take(SHOWN).for_each(|line| println!("{line}"));
            }
        }
        let ended = match self.status {
            Some(status) if status.success() || any => return Ok(()),
            Some(status) => format!("(ended with {status})"),
            None => format!("(did not end within {} s)", self.begin.elapsed().as_secs()),
        };
        let (out, err) = (self.out.display(), self.err.display());
        println!("\n--- {name} {ended} in round {round}: see {out} and {err}");
        results.add(name, &ended, false);
        Ok(())
    }
}
