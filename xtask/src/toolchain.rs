//! What builds for bare metal, and where it came from.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, has, target_dir};

/// A compiler that builds for one target without an operating system.
///
/// ```text
/// let toolchain = toolchain::for_target("thumbv7m-none-eabi")?;
/// toolchain.cargo("build")?.args(["--release"]).dir(&folder).run()?;
/// let image = toolchain.out("release")?.join("name-of-the-program");
/// ```
pub(crate) struct Toolchain {
    target: String,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The present toolchain, which has the target.
    Installed,
    /// The same, after rustup fetched the target.
    Fetched,
    /// Debian's compiler, and `core` and `alloc` from source.
    Debian,
}

/// The linker is Debian's too: its compiler brings none for bare metal.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld"];
const DEBIAN_LINKER: &str = "ld.lld";

/// The first of these that works: the installed target, `rustup target add`, Debian's packages.
///
/// # Errors
///
/// When none does; it says what was tried.
pub(crate) fn for_target(target: &str) -> Outcome<Toolchain> {
    let toolchain = |source| Toolchain { target: target.to_owned(), source };
    if installed(target)? {
        return Ok(toolchain(Source::Installed));
    }
    if has("rustup") {
        let added = Tool::new("rustup").args(["target", "add", target]).run();
        if added.is_ok() && installed(target)? {
            return Ok(toolchain(Source::Fetched));
        }
        eprintln!("rustup has no {target} here: trying Debian's packages");
    }
    debian(target)
}

/// Debian's packages, whatever else is there.
///
/// # Errors
///
/// When they are not installed and cannot be.
pub(crate) fn debian(target: &str) -> Outcome<Toolchain> {
    let toolchain = Toolchain { target: target.to_owned(), source: Source::Debian };
    if DEBIAN_PACKAGES.iter().all(|package| is_installed(package)) {
        return Ok(toolchain);
    }
    if !has("apt-get") {
        return Err(Failure::failed(format!(
            "no compiler for {target}: `rustup target add` failed, and there is no apt-get for Debian's packages"
        )));
    }
    Tool::new("apt-get").args(["update", "-qq"]).run()?;
    Tool::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(DEBIAN_PACKAGES)
        .run()?;
    Ok(toolchain)
}

impl Toolchain {
    /// `cargo VERB --target TARGET`, in the root of the repository unless `dir` says otherwise.
    ///
    /// # Errors
    ///
    /// When cargo cannot tell where it builds.
    pub(crate) fn cargo(&self, verb: &str) -> Outcome<Tool> {
        let built = self.target_dir()?;
        let cargo = match self.source {
            Source::Installed | Source::Fetched => Tool::cargo(),
            Source::Debian => Tool::new("/usr/bin/cargo")
                .env("RUSTC", "/usr/bin/rustc")
                .quiet_env(&self.linker_variable(), DEBIAN_LINKER)
                // build-std is not a stable flag
                .env("RUSTC_BOOTSTRAP", "1"),
        };
        let cargo = cargo.quiet_env("CARGO_TARGET_DIR", built).args([
            verb,
            "--quiet",
            "--target",
            self.target.as_str(),
        ]);
        Ok(match self.source {
            Source::Installed | Source::Fetched => cargo,
            Source::Debian => cargo.arg("-Zbuild-std=core,alloc"),
        })
    }

    /// Where [`cargo`](Self::cargo) puts what it builds with a profile: `release`, `debug`, or its own name.
    ///
    /// # Errors
    ///
    /// When cargo cannot tell where it builds.
    pub(crate) fn out(&self, profile: &str) -> Outcome<PathBuf> {
        Ok(self.target_dir()?.join(&self.target).join(profile))
    }

    /// The compiler's version, such as `1.95.0`, and whether it builds `core` itself: either changes what comes out.
    ///
    /// # Errors
    ///
    /// When the compiler does not run.
    pub(crate) fn version(&self) -> Outcome<String> {
        let line = self.rustc().arg("--version").read()?;
        let version = line.split_whitespace().nth(1).ok_or_else(|| {
            Failure::failed(format!("`rustc --version` printed no version: {}", line.trim()))
        })?;
        Ok(match self.source {
            Source::Installed | Source::Fetched => version.to_owned(),
            Source::Debian => format!("{version}, core from source"),
        })
    }

    /// Where it comes from, for people.
    pub(crate) const fn says(&self) -> &'static str {
        match self.source {
            Source::Installed => "the installed target",
            Source::Fetched => "the target rustup just added",
            Source::Debian => "Debian's compiler, with core from source",
        }
    }

    fn rustc(&self) -> Tool {
        match self.source {
            Source::Installed | Source::Fetched => present_rustc(),
            Source::Debian => Tool::new("/usr/bin/rustc"),
        }
    }

    /// Debian's has its own folder: two compilers would throw away each other's work.
    fn target_dir(&self) -> Outcome<PathBuf> {
        let dir = target_dir()?;
        Ok(if self.source == Source::Debian { dir.join("debian") } else { dir })
    }

    fn linker_variable(&self) -> String {
        let target = self.target.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{target}_LINKER")
    }
}

/// Whether the present toolchain has the target's libraries.
fn installed(target: &str) -> Outcome<bool> {
    let libdir = present_rustc().args(["--print", "target-libdir", "--target", target]).read()?;
    Ok(Path::new(libdir.trim()).is_dir())
}

fn present_rustc() -> Tool {
    Tool::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn is_installed(package: &str) -> bool {
    let query = Tool::new("dpkg-query").args(["-W", "-f=${Status}", package]);
    query.read().is_ok_and(|status| status.ends_with(" installed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linker_variable_is_the_one_of_cargo() {
        let toolchain =
            Toolchain { target: "thumbv7m-none-eabi".to_owned(), source: Source::Debian };
        assert_eq!(toolchain.linker_variable(), "CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER");
    }
}
