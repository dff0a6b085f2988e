//! How the program ends, and that no temporary files stay.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::process::{Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::common::{Program, command};

/// Runs the program with a script until it ends.
fn run(script: &str, options: &[&str], stdout: Stdio) -> Output {
    let dir = TempDir::new().unwrap();
    let place = TempDir::new().unwrap();
    let path = place.path().join("script");
    fs::write(&path, script).unwrap();
    let child = command(&dir)
        .arg("--script")
        .arg(&path)
        .args(options)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "temporary files stay");
    output
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_use_is_told() {
    for (options, why) in [
        (&["--nodes", "10"][..], "--nodes wants 1 to 9"),
        (&["--nodes"], "--nodes wants 1 to 9"),
        (&["--replicas", "0"], "--replicas wants 1 to 9"),
        (&["--nodes", "2"], "2 nodes cannot hold 3 replicas of a key"),
        (&["--patience", "0"], "--patience wants 1 to 86400 seconds"),
        (&["--script"], "--script wants a file"),
        (&["--sing"], "\"--sing\" is not an option"),
    ] {
        let output = run("", options, Stdio::piped());
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(complaints(&output).starts_with(why), "{}", complaints(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn bad_script_line_ends_it() {
    for (script, why) in [
        ("nodes\nsing\nnodes\n", "sing: \"sing\" is not a command"),
        ("nodes\nstart 1\nnodes\n", "start 1: node 1 runs already"),
    ] {
        let output = run(script, &[], Stdio::piped());
        assert_eq!(output.status.code(), Some(1), "{script}");
        assert!(complaints(&output).starts_with(why), "{}", complaints(&output));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.matches("> nodes").count(), 1, "{said}");
    }
}

#[test]
fn script_that_is_not_there_is_told() {
    let dir = TempDir::new().unwrap();
    let output = command(&dir).arg("--script").arg(dir.path().join("none")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaints(&output).contains("none: "), "{}", complaints(&output));
}

#[test]
fn quit_ends_it_well() {
    let output = run("# a comment\n\nnodes\nquit\nsing\n", &[], Stdio::piped());
    assert_eq!(output.status.code(), Some(0), "{}", complaints(&output));
}

#[test]
fn patience_ends() {
    let script = "kill 5\njoin 6\nwait moved\n";
    let output = run(script, &["--patience", "1"], Stdio::piped());
    assert_eq!(output.status.code(), Some(1));
    let told = complaints(&output);
    assert!(told.contains("after 1 seconds still: node "), "{told}");
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = run("nodes\n", &[], full.into());
    assert_eq!(output.status.code(), Some(1));
    assert!(complaints(&output).contains("cannot be written"), "{}", complaints(&output));
}

#[test]
fn interrupt_between_commands() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut program = Program::start(&[]);
        program.say("nodes");
        assert!(program.has_files());
        program.signal(signal);
        interrupted(&mut program);
    }
}

#[test]
fn interrupt_while_it_waits() {
    let mut program = Program::start(&[]);
    program.say("kill 5");
    program.write(&["join 6", "wait moved"]);
    program.wait_for_echo("wait moved");
    assert!(program.has_files());
    program.signal(Signal::INT);
    interrupted(&mut program);
}

fn interrupted(program: &mut Program) {
    let (status, complaints) = program.end();
    assert_eq!((status.code(), complaints.as_str()), (Some(130), ""));
    assert!(!program.has_files());
}
