use std::fs;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::manifest;
use crate::tool::root;
use crate::toolchain::{self, Toolchain};

pub(crate) const VERB: Verb = Verb {
    name: "targets",
    about: "the protocol crates for bare metal, bare and with defmt",
    help: "
Builds every crate of the workspace that is no_std for boards without an operating system, with no
feature at all and with `defmt`: Cortex-M0 (thumbv6m-none-eabi, no compare-and-swap), Cortex-M4F
(thumbv7em-none-eabihf) and a 32-bit RISC-V (riscv32imac-unknown-none-elf). Where the compiler comes
from is said:

    1. the target that is installed;
    2. `rustup target add`;
    3. Debian's packages rustc-web, cargo-web, rust-web-src and lld, which build `core` from source
       (one to two minutes).

    cargo xtask targets                        all targets
    cargo xtask targets thumbv6m-none-eabi     one of them
    cargo xtask targets --debian               by way 3, whatever is installed",
    run,
};

/// The boards that are promised.
pub(crate) const TARGETS: &[&str] =
    &["thumbv6m-none-eabi", "thumbv7em-none-eabihf", "riscv32imac-unknown-none-elf"];

fn run(args: &[String]) -> Outcome {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    let find = match flags.as_slice() {
        [] => toolchain::for_target,
        ["--debian"] => toolchain::debian,
        _ => return Err(Failure::usage("targets knows no flag but --debian")),
    };
    let targets = match names.as_slice() {
        [] => TARGETS.to_vec(),
        [one] if TARGETS.contains(one) => vec![*one],
        _ => return Err(Failure::usage(format!("targets takes one of {TARGETS:?}, or nothing"))),
    };
    let crates = protocol_crates()?;
    for target in targets {
        let toolchain = find(target)?;
        let with_defmt = build_all(&toolchain, &crates)?;
        println!(
            "{target}: {} build with no features, {} with defmt, by {}",
            folders(&crates),
            folders(with_defmt),
            toolchain.says()
        );
    }
    Ok(())
}

fn folders<'a>(crates: impl IntoIterator<Item = &'a Member>) -> String {
    let all: Vec<&str> = crates.into_iter().map(|member| member.folder.as_str()).collect();
    all.join(", ")
}

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) folder: String,
    pub(crate) package: String,
}

/// The crates of the workspace that are no_std: those whose `src/lib.rs` says so.
pub(crate) fn protocol_crates() -> Outcome<Vec<Member>> {
    let path = root().join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let mut found = Vec::new();
    for folder in manifest::list(&text, "members") {
        let library = fs::read_to_string(root().join(&folder).join("src/lib.rs"));
        if library.is_ok_and(|text| text.lines().any(|line| line.trim() == "#![no_std]")) {
            found.push(Member { package: package(&folder)?, folder });
        }
    }
    if found.is_empty() {
        return Err(Failure::failed(format!("{}: no member is a no_std crate", path.display())));
    }
    Ok(found)
}

/// The name in the manifest of a member.
fn package(folder: &str) -> Outcome<String> {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = \""));
    let name = name.and_then(|rest| rest.split('"').next());
    name.map(str::to_owned)
        .ok_or_else(|| Failure::failed(format!("{}: no name of a package", path.display())))
}

/// All crates in one run of cargo for each set of features; returns those that have `defmt`.
fn build_all<'a>(toolchain: &Toolchain, crates: &'a [Member]) -> Outcome<Vec<&'a Member>> {
    let all: Vec<&Member> = crates.iter().collect();
    build(toolchain, &all, None)?;
    let mut with_defmt = Vec::new();
    for member in all {
        if manifest::features(&member.folder)?.iter().any(|feature| feature == "defmt") {
            with_defmt.push(member);
        }
    }
    if !with_defmt.is_empty() {
        build(toolchain, &with_defmt, Some("defmt"))?;
    }
    Ok(with_defmt)
}

fn build(toolchain: &Toolchain, crates: &[&Member], feature: Option<&str>) -> Outcome {
    let mut cargo = toolchain.cargo("build")?.args(["--release", "--no-default-features"]);
    for Member { package, .. } in crates {
        cargo = cargo.args(["--package", package.as_str()]);
        if let Some(feature) = feature {
            cargo = cargo.args(["--features", &format!("{package}/{feature}")]);
        }
    }
    cargo.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_std_crates_are_found() {
        let found = protocol_crates().unwrap_or_default();
        let has = |package: &str| found.iter().any(|member| member.package == package);
        assert!(has("quorate-core") && has("quorate-raft"));
        assert!(!has("xtask") && !has("quorate-sim"));
    }
}
