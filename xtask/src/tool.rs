use core::fmt::Write as _;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::failure::{Failure, Outcome};

/// A program to be run in the root of the repository; what is run is printed first.
pub(crate) struct Tool {
    command: Command,
    line: String,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.current_dir(root()).stdin(Stdio::null());
        let name = Path::new(program).file_name().unwrap_or(program);
        Self { command, line: name.to_string_lossy().into_owned() }
    }

    /// The cargo that runs this.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let text = arg.as_ref().to_string_lossy().into_owned();
        let quote = text.is_empty() || text.contains([' ', '*', '"']);
        let _ = if quote { write!(self.line, " '{text}'") } else { write!(self.line, " {text}") };
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        let shown = value.as_ref().to_string_lossy();
        self.line = if shown.contains(' ') {
            format!("{key}='{shown}' {}", self.line)
        } else {
            format!("{key}={shown} {}", self.line)
        };
        self.command.env(key, value);
        self
    }

    /// One that need not be shown.
    pub(crate) fn quiet_env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// An empty environment but for what finds programs: a count must not depend on who counts.
    pub(crate) fn clean_env(mut self) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self.command.env_clear().env("PATH", path);
        self
    }

    /// Runs it, its output going where ours goes.
    pub(crate) fn run(mut self) -> Outcome {
        eprintln!("$ {}", self.line);
        let status = self.command.status().map_err(self.cannot_start())?;
        self.check(status, "")
    }

    /// Runs it and returns what it printed; what went to its error stream is shown only if it fails.
    pub(crate) fn read(mut self) -> Outcome<String> {
        let output = self.command.output().map_err(self.cannot_start())?;
        self.check(output.status, &String::from_utf8_lossy(&output.stderr))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it, and returns whether it succeeded, what it printed and what went to its error stream.
    pub(crate) fn try_read(mut self) -> Outcome<(bool, String, String)> {
        let output = self.command.output().map_err(self.cannot_start())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// Runs it, passing its output on line by line and showing each line to `see`.
    pub(crate) fn watch(mut self, mut see: impl FnMut(&str)) -> Outcome {
        eprintln!("$ {}", self.line);
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().map_err(self.cannot_start())?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.map_err(Failure::io("reading the output"))?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                see(&line);
            }
        }
        let status = child.wait().map_err(Failure::io("waiting for the program"))?;
        self.check(status, "")
    }

    /// Runs it, passing both its outputs on, and returns the last `count` lines of them as well.
    pub(crate) fn run_and_keep(mut self, count: usize) -> (Vec<String>, Outcome) {
        eprintln!("$ {}", self.line);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let last = Mutex::new(VecDeque::new());
        let keep = |line: &str| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == count {
                last.pop_front();
            }
            last.push_back(line.to_owned());
        };
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => return (Vec::new(), Err(self.cannot_start()(error))),
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            scope.spawn(|| {
                each_line(stderr, |line| {
                    eprintln!("{line}");
                    keep(line);
                });
            });
            each_line(stdout, |line| {
                println!("{line}");
                keep(line);
            });
        });
        let status = child.wait().map_err(Failure::io("waiting for the program"));
        let outcome = status.and_then(|status| self.check(status, ""));
        let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
        (last.into_iter().collect(), outcome)
    }

    /// Says what is run, for those that are read.
    pub(crate) fn announce(self) -> Self {
        eprintln!("$ {}", self.line);
        self
    }

    fn cannot_start(&self) -> impl FnOnce(std::io::Error) -> Failure + use<> {
        Failure::io(format!("cannot start `{}`", self.line))
    }

    fn check(&self, status: ExitStatus, errors: &str) -> Outcome {
        if status.success() {
            return Ok(());
        }
        let separator = if errors.is_empty() { "" } else { "\n" };
        Err(Failure::failed(format!(
            "`{}` failed ({status}){separator}{}",
            self.line,
            errors.trim_end()
        )))
    }
}

/// Goes through what a program prints; whatever cannot be read ends it.
fn each_line(stream: Option<impl Read>, mut see: impl FnMut(&str)) {
    let Some(stream) = stream else { return };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        see(&String::from_utf8_lossy(&line));
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // at run time: the repository may have moved since this was built
    let manifest = std::env::var("CARGO_MANIFEST_DIR");
    let manifest = manifest.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR"));
    Path::new(manifest).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// Where cargo builds.
pub(crate) fn target_dir() -> Outcome<PathBuf> {
    let metadata =
        Tool::cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]).read()?;
    let key = "\"target_directory\":\"";
    let found = metadata.split_once(key).and_then(|(_, rest)| rest.split_once('"'));
    let (dir, _) =
        found.ok_or_else(|| Failure::failed("`cargo metadata` names no target folder"))?;
    Ok(PathBuf::from(dir.replace("\\\\", "\\")))
}

/// Whether a program is to be found.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
