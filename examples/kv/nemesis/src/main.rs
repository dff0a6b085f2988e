//! See `quorate-nemesis --help`.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Parser;
use quorate_nemesis::faults::Fault;
use quorate_nemesis::nemesis;
use quorate_nemesis::options::Options;

/// Set where this program has mounts of its own already.
const OWN_MOUNTS: &str = "QUORATE_NEMESIS_OWN_MOUNTS";

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.without.contains(&Fault::FullDisk) && std::env::var_os(OWN_MOUNTS).is_none() {
        take_own_mounts();
    }
    match nemesis::run(&options) {
        Ok(()) => {
            println!("all is well");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again in a mount namespace of its own, in which it may mount and whose mounts end with it. Where that
/// cannot be, it goes on here, and mounts if it may.
fn take_own_mounts() {
    let Ok(this) = std::env::current_exe() else { return };
    for rights in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(rights).args(["--propagation", "private", "--"]);
            command
        };
        let works = unshare().arg("true").output().is_ok_and(|output| output.status.success());
        if works {
            let words = std::env::args_os().skip(1);
            // comes back only if it fails
            let error = unshare().arg(&this).args(words).env(OWN_MOUNTS, "1").exec();
            eprintln!("cannot start again with mounts of its own: {error}");
        }
    }
}
