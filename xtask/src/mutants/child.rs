//! A test program that runs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::programs::Program;

/// Kibibytes of address space that a test program may take: a mutant may allocate for ever.
const MEMORY_KIB: u32 = 4 << 20;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    Passed,
    Failed,
    /// It took too long, and was killed.
    Hung,
}

/// A test program that runs, until this is dropped. A Ctrl-C reaches it as it reaches this program,
/// and where `setpriv` is, it does not outlive this program even if that is killed by force.
pub(super) struct Child {
    child: std::process::Child,
    name: String,
}

impl Child {
    pub(super) fn start(
        program: &Program,
        args: &[&str],
        variable: (&str, &OsStr),
    ) -> Outcome<Self> {
        let mut command = command(program, args, variable);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(Failure::io(program.path.display()))?;
        Ok(Self { child, name: program.name.clone() })
    }

    /// Runs a program to its end, and returns what it printed.
    pub(super) fn read(
        program: &Program,
        args: &[&str],
        variable: (&str, &OsStr),
    ) -> Outcome<String> {
        let output = command(program, args, variable).stderr(Stdio::null()).output();
        let output = output.map_err(Failure::io(program.path.display()))?;
        if !output.status.success() {
            return Err(Failure::failed(format!("{} {args:?}: {}", program.name, output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits for its end, and kills it when that takes longer than `limit`.
    pub(super) fn wait(mut self, limit: Duration) -> Outcome<Ended> {
        let begin = Instant::now();
        let mut pause = Duration::from_micros(500);
        loop {
            match self.child.try_wait().map_err(Failure::io(&self.name))? {
                Some(status) if status.success() => return Ok(Ended::Passed),
                Some(_) => return Ok(Ended::Failed),
                None if begin.elapsed() >= limit => return Ok(Ended::Hung),
                None => sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // nothing, if it has ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &Program, args: &[&str], (key, value): (&str, &OsStr)) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    let shell =
        ["sh", "-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")].map(str::to_owned);
    let mut command = if Path::new(SETPRIV).is_file() {
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL", "--"]).args(&shell);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(shell.iter().skip(1));
        command
    };
    command
        .arg(&program.path)
        .args(args)
        .current_dir(&program.dir)
        .env("CARGO_MANIFEST_DIR", &program.dir)
        // a property test that fails has said enough
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("RUST_BACKTRACE", "0")
        .env(key, value)
        .stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Duration) -> Option<Ended> {
        let program = Program { name: "sh".into(), path: "/bin/sh".into(), dir: "/".into() };
        let child = Child::start(&program, &["-c", script], ("MUTANT_ON", OsStr::new("7"))).ok()?;
        child.wait(limit).ok()
    }

    #[test]
    fn exits_are_distinguished() {
        let long = Duration::from_secs(300);
        assert_eq!(run("test $MUTANT_ON = 7", long), Some(Ended::Passed));
        assert_eq!(run("exit 3", long), Some(Ended::Failed));
        assert_eq!(run("kill -ABRT $$", long), Some(Ended::Failed));
        assert_eq!(run("exec sleep 1000", Duration::from_millis(50)), Some(Ended::Hung));
    }

    #[test]
    fn memory_is_bounded() {
        let program = Program { name: "sh".into(), path: "/bin/sh".into(), dir: "/".into() };
        let said = Child::read(&program, &["-c", "ulimit -v"], ("MUTANT_ON", OsStr::new("0")));
        assert_eq!(said.ok().as_deref().map(str::trim), Some(MEMORY_KIB.to_string().as_str()));
    }
}
