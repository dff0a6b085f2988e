use std::fs;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, has, root, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "msrv",
    about: "all crates with the oldest compiler that is supported",
    help: "
Checks the workspace with the Rust version that Cargo.toml claims (`rust-version`), with all
features. The toolchain is fetched by rustup if it is not there; where that cannot be done, this
says so and checks nothing.",
    run,
};

fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("msrv takes no arguments"));
    }
    let version = claimed()?;
    if !fetched(&version) {
        println!("Rust {version} cannot be had here: not checked");
        return Ok(());
    }
    Tool::new("rustup")
        .args(["run", &version, "cargo", "check", "--workspace", "--all-features", "--quiet"])
        // its own folder: two compilers would throw away each other's work
        .env("CARGO_TARGET_DIR", target_dir()?.join("msrv"))
        .run()?;
    println!("all crates build with Rust {version}");
    Ok(())
}

fn claimed() -> Outcome<String> {
    let path = root().join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let version = line.and_then(|rest| rest.split('"').next());
    version.map(str::to_owned).ok_or_else(|| {
        Failure::failed(format!("{}: no rust-version in [workspace.package]", path.display()))
    })
}

/// Whether the toolchain is there, if need be after fetching it.
fn fetched(version: &str) -> bool {
    let runs = || Tool::new("rustup").args(["run", version, "rustc", "--version"]).read().is_ok();
    has("rustup")
        && (runs()
            || Tool::new("rustup")
                .args(["toolchain", "install", version, "--profile", "minimal"])
                .run()
                .is_ok()
                && runs())
}
