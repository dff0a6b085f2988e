use std::path::Path;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::features::PROTOCOL_CRATES;
use crate::tool::{Tool, has, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "targets",
    about: "the protocol crates without any feature for bare metal",
    help: "
Builds each protocol crate with no feature at all for boards without an operating system: thumbv7em-none-eabi (Cortex-M4, M7)
and thumbv6m-none-eabi (Cortex-M0, no compare-and-swap). Where the compiler comes from is said:

    1. the target that is installed;
    2. `rustup target add`;
    3. Debian's packages rustc-web, cargo-web and rust-web-src, which build `core` from source (one to two minutes).

    cargo xtask targets                        all targets
    cargo xtask targets thumbv6m-none-eabi     one of them
    cargo xtask targets --debian               by way 3, whatever is installed",
    run,
};

const TARGETS: &[&str] = &["thumbv7em-none-eabi", "thumbv6m-none-eabi"];
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// What builds for a target.
#[derive(Clone, Copy)]
enum Compiler {
    /// The present toolchain, which has the target.
    Installed,
    /// The same, after rustup fetched the target.
    Fetched,
    /// Debian's compiler, and `core` from source.
    Debian,
}

fn run(args: &[String]) -> Outcome {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    let debian = match flags.as_slice() {
        [] => false,
        ["--debian"] => true,
        _ => return Err(Failure::usage("targets knows no flag but --debian")),
    };
    let targets = match names.as_slice() {
        [] => TARGETS.to_vec(),
        [one] if TARGETS.contains(one) => vec![*one],
        _ => return Err(Failure::usage(format!("targets takes one of {TARGETS:?}, or nothing"))),
    };
    for target in targets {
        let compiler = if debian { install_debian()? } else { find(target)? };
        for folder in PROTOCOL_CRATES {
            build(compiler, &format!("quorate-{folder}"), target)?;
        }
        println!("{target}: {PROTOCOL_CRATES:?} build with no features, by {}", compiler.says());
    }
    Ok(())
}

fn find(target: &str) -> Outcome<Compiler> {
    if installed(target)? {
        return Ok(Compiler::Installed);
    }
    if has("rustup") {
        let added = Tool::new("rustup").args(["target", "add", target]).run();
        if added.is_ok() && installed(target)? {
            return Ok(Compiler::Fetched);
        }
        eprintln!("rustup has no {target} here: trying Debian's packages");
    }
    install_debian()
}

/// Whether the present toolchain has the target's libraries.
fn installed(target: &str) -> Outcome<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libdir = Tool::new(rustc).args(["--print", "target-libdir", "--target", target]).read()?;
    Ok(Path::new(libdir.trim()).is_dir())
}

fn install_debian() -> Outcome<Compiler> {
    let there = |package: &&&str| {
        let query = Tool::new("dpkg-query").args(["-W", "-f=${Status}", package]);
        query.read().is_ok_and(|status| status.ends_with(" installed"))
    };
    if DEBIAN_PACKAGES.iter().filter(there).count() == DEBIAN_PACKAGES.len() {
        return Ok(Compiler::Debian);
    }
    if !has("apt-get") {
        return Err(Failure::failed(
            "no compiler for this target: `rustup target add` failed, and there is no apt-get for Debian's packages",
        ));
    }
    Tool::new("apt-get").args(["update", "-qq"]).run()?;
    Tool::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(DEBIAN_PACKAGES)
        .run()?;
    Ok(Compiler::Debian)
}

fn build(compiler: Compiler, package: &str, target: &str) -> Outcome {
    let cargo = match compiler {
        Compiler::Installed | Compiler::Fetched => Tool::cargo(),
        // its own folder: two compilers would throw away each other's work
        Compiler::Debian => Tool::new("/usr/bin/cargo")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", target_dir()?.join("debian")),
    };
    let cargo = cargo.args(["build", "--quiet", "--release", "--no-default-features"]).args([
        "--package",
        package,
        "--target",
        target,
    ]);
    match compiler {
        Compiler::Installed | Compiler::Fetched => cargo.run(),
        Compiler::Debian => cargo.arg("-Zbuild-std=core,alloc").run(),
    }
}

impl Compiler {
    const fn says(self) -> &'static str {
        match self {
            Self::Installed => "the installed target",
            Self::Fetched => "the target rustup just added",
            Self::Debian => "Debian's compiler, with core from source",
        }
    }
}
