//! The program as a process, and a person who types at it.
#![allow(unreachable_pub, missing_docs, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A command with a known answer, which comes after all others.
const MARK: &str = "try kill 99";
const MARK_ANSWER: &str = "failed: node 99 does not run";
/// So often is a request made again that a busy machine let time out.
const TRIES: u32 = 20;

/// The program, with a directory of its own for temporary files. Dropped, it is killed.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub dir: TempDir,
}

/// The command that runs the program, with its temporary files in this directory.
pub fn command(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-quorum-demo"));
    command.env("TMPDIR", dir.path());
    command
}

impl Program {
    pub fn start(options: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut child = command(&dir)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), child, output, dir }
    }

    /// Types lines at once, and does not wait for what comes of them.
    pub fn write(&mut self, lines: &[&str]) {
        let text = lines.join("\n") + "\n";
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Types lines at once; the answer to each.
    pub fn say_all(&mut self, lines: &[&str]) -> Vec<String> {
        self.write(&[lines, &[MARK]].concat());
        self.wait_for_echo(lines[0]);
        let rest = lines[1..].iter().chain([&MARK]);
        let answers = rest.map(|next| self.wait_for_echo(next)).collect();
        assert_eq!(self.line(), MARK_ANSWER);
        answers
    }

    /// Types a line; the answer.
    pub fn say(&mut self, line: &str) -> String {
        self.say_all(&[line]).remove(0)
    }

    /// Makes a request until it succeeds.
    pub fn insist(&mut self, line: &str) -> String {
        let attempt = format!("try {line}");
        let mut last = String::new();
        for _ in 0..TRIES {
            last = self.say(&attempt);
            if !last.starts_with("failed: ") {
                return last;
            }
        }
        panic!("{line}: {last}")
    }

    /// Demands that keys have these values.
    pub fn demand(&mut self, values: &[(String, String)]) {
        for (key, value) in values {
            assert_eq!(self.insist(&format!("get {key}")), format!("{key} is {value:?}"));
        }
    }

    /// Reads until the program repeats this line; what it said before.
    pub fn wait_for_echo(&mut self, line: &str) -> String {
        let echo = format!("> {line}");
        let mut said = Vec::new();
        loop {
            let next = self.line();
            if next == echo {
                return said.join("\n");
            }
            said.push(next);
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether there are temporary files.
    pub fn has_files(&self) -> bool {
        self.dir.path().read_dir().unwrap().next().is_some()
    }

    /// Waits until it ends; what it complained of.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.complaints())
    }

    /// Ends the input, and demands that the program ends well and cleans up.
    pub fn finish(mut self) {
        self.input = None;
        let (status, complaints) = self.end();
        assert!(status.success(), "{status}: {complaints}");
        assert_eq!(complaints, "");
        assert!(!self.has_files());
    }

    fn complaints(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn line(&mut self) -> String {
        match self.output.next() {
            Some(line) => line.unwrap(),
            None => panic!("it ended: {:?}", self.end()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
