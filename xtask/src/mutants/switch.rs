//! The crate that a copy with all mutants depends on: which mutant is on, and which places are
//! reached.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// The crate's name, as a path in mutated source.
pub(super) const PATH: &str = "::mutant_switch";
/// The crate's folder and package.
const PACKAGE: &str = "mutant-switch";
/// The number of the mutant that is on.
pub(super) const ON: &str = "MUTANT_ON";
/// The file that takes the numbers of the mutants that a run reaches, four bytes each.
pub(super) const REACHED: &str = "MUTANTS_REACHED";
/// What lets the crate, and it alone, use features that are not stable: `const_eval_select` makes a
/// `const fn` of the switch, so that mutants in `const fn` are selected at run time too. Where the
/// compiler evaluates them, no mutant is on.
pub(super) const BOOTSTRAP: (&str, &str) = ("RUSTC_BOOTSTRAP", "mutant_switch");

/// Writes the crate into a copy of the repository, for mutants numbered 1 to `count`.
pub(super) fn write(tree: &Path, count: usize) -> Outcome {
    let folder = tree.join(PACKAGE);
    let source = SOURCE.replace("COUNT_OF_MUTANTS", &count.to_string());
    fs::create_dir_all(folder.join("src")).map_err(Failure::io(folder.display()))?;
    fs::write(folder.join("src/lib.rs"), source).map_err(Failure::io(folder.display()))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST).map_err(Failure::io(folder.display()))
}

/// Makes a crate of the copy depend on it.
pub(super) fn depend(tree: &Path, folder: &str) -> Outcome {
    let path = tree.join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let up = "../".repeat(folder.split('/').count());
    let line = format!("[dependencies]\n{PACKAGE} = {{ path = \"{up}{PACKAGE}\" }}\n");
    let changed = text.replacen("[dependencies]\n", &line, 1);
    if changed == text {
        return Err(Failure::failed(format!("{}: no [dependencies]", path.display())));
    }
    fs::write(&path, changed).map_err(Failure::io(path.display()))
}

const MANIFEST: &str = "\
[package]
name = \"mutant-switch\"
version = \"0.0.0\"
edition = \"2024\"
publish = false
";

/// The source. Also compiled by a test, which is why it needs no crate besides `std`.
pub(super) const SOURCE: &str = r#"//! Which mutant is on. Written by `cargo xtask mutants`.
#![allow(internal_features)]
#![feature(core_intrinsics, const_eval_select)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;

/// For values that need the heap, in crates that have none.
pub use std;

/// Not known yet: the environment was not asked.
const UNKNOWN: u32 = u32::MAX;
/// No mutant is on, and what is reached is written down.
const RECORD: u32 = u32::MAX - 1;

static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
static SEEN: [AtomicBool; COUNT_OF_MUTANTS + 1] = [const { AtomicBool::new(false) }; COUNT_OF_MUTANTS + 1];
static FILE: OnceLock<File> = OnceLock::new();

/// Whether the mutant of this number is on.
#[inline]
pub const fn on(number: u32) -> bool {
    core::intrinsics::const_eval_select((number,), at_compile_time, at_run_time)
}

const fn at_compile_time(_number: u32) -> bool {
    false
}

#[inline]
fn at_run_time(number: u32) -> bool {
    let active = ACTIVE.load(Relaxed);
    if active >= RECORD { ask(number) } else { active == number }
}

#[cold]
fn ask(number: u32) -> bool {
    if ACTIVE.load(Relaxed) == UNKNOWN {
        let path = std::env::var_os("MUTANTS_REACHED");
        let on = std::env::var("MUTANT_ON").ok().and_then(|on| on.parse().ok());
        let open = |path| File::options().append(true).create(true).open(path).ok();
        match path.and_then(open) {
            Some(file) => {
                let _ = FILE.set(file);
                ACTIVE.store(RECORD, Relaxed);
            }
            None => ACTIVE.store(on.unwrap_or(0), Relaxed),
        }
        return at_run_time(number);
    }
    let first = SEEN.get(number as usize).is_some_and(|seen| !seen.swap(true, Relaxed));
    if let Some(mut file) = FILE.get().filter(|_| first) {
        let _ = file.write_all(&number.to_le_bytes());
    }
    false
}

/// One of two iterators: what a function returns that promises one type of iterator, where a mutant
/// returns another.
#[derive(Clone)]
pub enum Either<L, R> {
    Left(L),
    Right(R),
}

impl<L: Iterator, R: Iterator<Item = L::Item>> Iterator for Either<L, R> {
    type Item = L::Item;
    fn next(&mut self) -> Option<L::Item> {
        match self {
            Self::Left(left) => left.next(),
            Self::Right(right) => right.next(),
        }
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Left(left) => left.size_hint(),
            Self::Right(right) => right.size_hint(),
        }
    }
}

impl<L: DoubleEndedIterator, R: DoubleEndedIterator<Item = L::Item>> DoubleEndedIterator for Either<L, R> {
    fn next_back(&mut self) -> Option<L::Item> {
        match self {
            Self::Left(left) => left.next_back(),
            Self::Right(right) => right.next_back(),
        }
    }
}

impl<L: ExactSizeIterator, R: ExactSizeIterator<Item = L::Item>> ExactSizeIterator for Either<L, R> {}
"#;
