//! What the crates take of a board: sizes, the stack, and no panic.

mod frame;
mod image;
mod ledger;
mod panics;
mod stack;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::targets::{self, Member, TARGETS};
use crate::tool::root;
use crate::toolchain::{self, Toolchain};
use image::{Image, Sizes};
use ledger::{Entry, IMAGES, Ledger, PROGRAMS};

pub(crate) const VERB: Verb = Verb {
    name: "size",
    about: "what the crates take of a board, and that nothing there can panic",
    help: "
Builds the minimal programs of bench/size (opt-level z, fat LTO) for each kind of board and
reads the linked images: code, constants and variables; the largest stack, from the compiler's
frames and the calls (`cargo xtask size --explain` shows the chain); the size of the machine's
state, and how much of it is content, such as the bytes of a log, that is the user's choice. An
image that holds anything of core's panicking machinery is refused, with who refers to it.

    cargo xtask size                             the table
    cargo xtask size --check                     also fails on what the ledger does not allow
                                                 (bench/size/ledger.txt), on an aim that is
                                                 missed, on recursion and on calls by pointer
    cargo xtask size --bless                     writes the ledger
    cargo xtask size --explain PROGRAM TARGET    its largest functions and deepest chain of calls
    cargo xtask size --image PATH                sizes of any ELF program, and that it cannot panic:
                                                 link it with `--emit-relocs` to be told from where,
                                                 and with debug information to be told the lines",
    run,
};

/// What is promised: code and constants of a program on a kind of board, and its state without content.
const SIZE_TARGETS: [(&str, &str, u64, u64); 1] =
    [("thumbv7em-none-eabihf", "raft", 24_576, 2 << 10)];

/// A program that panics, to see that this is found.
const PLANTED: &str = "planted";

/// What was measured of a program.
struct Row {
    target: String,
    program: String,
    sizes: Sizes,
    stack: u64,
    state: u64,
    content: u64,
}

fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => measure().map(|measured| print_table(&measured.rows)),
        ["--check"] => check(),
        ["--bless"] => bless(),
        ["--explain", program, target] => explain(program, target),
        ["--image", path] => image_alone(Path::new(path)),
        _ => Err(Failure::usage("size does not know these arguments; see `size --help`")),
    }
}

/// Fails when the program can panic, telling where from.
///
/// # Errors
///
/// When it can, or when it cannot be read.
pub(crate) fn reject_panics(path: &Path) -> Outcome {
    no_panics(path, &Image::read(path)?)
}

/// The row of a board's image in its ledger: its sections, and the largest stack from the reset on. Handlers of interrupts come on top.
///
/// # Errors
///
/// When it cannot be read, or its stack cannot be told.
pub(crate) fn measure_board(target: &str, program: &str, path: &Path) -> Outcome<Entry> {
    let image = Image::read(path)?;
    let stack = stack::measure(&image, "Reset");
    let told = stack.filter(|it| it.recursive.is_empty() && it.unknown.is_empty());
    let stack = told
        .ok_or_else(|| Failure::failed(format!("{}: its stack cannot be told", path.display())))?;
    let Sizes { text, rodata, data, bss } = image.sizes;
    Ok((format!("{target} {program}"), vec![text, rodata, data, bss, stack.bytes]))
}

/// Compares a board's image with the ledger.
///
/// # Errors
///
/// When it is larger or smaller than the ledger allows.
pub(crate) fn check_board(entry: &Entry, compiler: &str) -> Outcome {
    let ledger = Ledger::read(&IMAGES)?;
    if ledger.compiler != compiler {
        println!(
            "the ledger is of the compiler {}, this is {compiler}: not compared",
            ledger.compiler
        );
        return Ok(());
    }
    let wrong = ledger.moved(core::slice::from_ref(entry));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{}\nIf a new size is meant, `cargo xtask firmware --bless` writes the ledger; say why in the commit.",
        wrong.join("\n")
    )))
}

/// Writes the ledger of the boards' images.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn bless_boards(entries: &[Entry], compiler: &str) -> Outcome {
    Ledger::write(&IMAGES, entries, compiler)
}

fn no_panics(path: &Path, image: &Image) -> Outcome {
    let panics = panics::find(image);
    if panics.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} can panic. It holds of the panicking machinery:\n{}",
        path.display(),
        panics::describe(&panics).trim_end()
    )))
}

/// All that was measured, and what is wrong with it whatever the ledger says.
struct Measured {
    rows: Vec<Row>,
    wrong: Vec<String>,
    compiler: String,
}

impl Measured {
    fn entries(&self) -> Vec<Entry> {
        self.rows.iter().map(|row| (row.name(), row.numbers().to_vec())).collect()
    }
}

fn measure() -> Outcome<Measured> {
    let programs = programs()?;
    let (mut rows, mut wrong, mut compilers) = (Vec::new(), without(&programs)?, BTreeSet::new());
    for target in TARGETS {
        let toolchain = toolchain::for_target(target)?;
        compilers.insert(toolchain.version()?);
        let out = build(&toolchain)?;
        planted_panic_is_found(&out)?;
        for program in &programs {
            let path = out.join(program);
            let image = Image::read(&path)?;
            let (row, complaints) = measure_program(target, program, &image)?;
            if let Err(failure) = no_panics(&path, &image) {
                wrong.push(failure.to_string());
            }
            wrong.extend(complaints);
            rows.push(row);
        }
    }
    let compiler = compilers.into_iter().collect::<Vec<_>>().join(" and ");
    Ok(Measured { rows, wrong, compiler })
}

fn measure_program(target: &str, program: &str, image: &Image) -> Outcome<(Row, Vec<String>)> {
    let name = format!("{target} {program}");
    let missing = |what: &str| Failure::failed(format!("{name}: the image has no {what}"));
    let (state, content) = image.figures.ok_or_else(|| missing("figures of its state"))?;
    let stack = stack::measure(image, "_start").ok_or_else(|| missing("entry `_start`"))?;
    let mut complaints = Vec::new();
    let mut complain = |what: &str, functions: &[String]| {
        if !functions.is_empty() {
            complaints.push(format!("{name}: {what}: {}", functions.join(", ")));
        }
    };
    complain("the stack has no bound, these call themselves", &stack.recursive);
    complain("the stack cannot be told, these are called by pointer", &stack.by_pointer);
    complain("the stack cannot be told, nor what these take of it", &stack.unknown);
    let row = Row {
        target: target.to_owned(),
        program: program.to_owned(),
        sizes: image.sizes,
        stack: stack.bytes,
        state,
        content,
    };
    complaints.extend(missed_targets(&row));
    Ok((row, complaints))
}

fn missed_targets(row: &Row) -> Vec<String> {
    let mut missed = Vec::new();
    let aims = SIZE_TARGETS.iter().filter(|(target, program, ..)| {
        (*target, *program) == (row.target.as_str(), row.program.as_str())
    });
    for (_, _, code, state) in aims {
        if row.code() > *code {
            missed.push(format!("{}: {} bytes of code, the aim is {code}", row.name(), row.code()));
        }
        let own = row.state.saturating_sub(row.content);
        if own > *state {
            missed.push(format!("{}: {own} bytes of state, the aim is {state}", row.name()));
        }
    }
    missed
}

/// What is wrong must not be seen as right: the program that panics has to be refused, and its line named.
fn planted_panic_is_found(out: &Path) -> Outcome {
    let path = out.join(PLANTED);
    let told = match reject_panics(&path) {
        Ok(()) => String::new(),
        Err(failure) => failure.to_string(),
    };
    if told.contains("bin/planted.rs:") {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} panics, and this was not found, so that a panic elsewhere would not be either. {told}",
        path.display()
    )))
}

fn build(toolchain: &Toolchain) -> Outcome<PathBuf> {
    toolchain
        .cargo("build")?
        .arg("--release")
        .dir(&folder())
        // the sizes of the frames are not a stable flag; they change nothing in the code
        .env("RUSTFLAGS", "-Zemit-stack-sizes")
        .env("RUSTC_BOOTSTRAP", "1")
        .run()?;
    toolchain.out("release")
}

/// The names of the minimal programs, but for the planted one.
fn programs() -> Outcome<Vec<String>> {
    let path = folder().join("src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).map_err(Failure::io(path.display()))? {
        let entry = entry.map_err(Failure::io(path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").filter(|name| *name != PLANTED).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The protocol crates that have no program.
fn without(programs: &[String]) -> Outcome<Vec<String>> {
    let mut crates = targets::protocol_crates()?;
    crates.retain(|member| !member.folder.contains('/') && !programs.contains(&member.folder));
    let missing = crates.iter().map(|Member { folder, package }| {
        format!("{package} has no program: write bench/size/src/bin/{folder}.rs")
    });
    Ok(missing.collect())
}

fn folder() -> PathBuf {
    root().join("bench/size")
}

fn check() -> Outcome {
    let measured = measure()?;
    print_table(&measured.rows);
    let ledger = Ledger::read(&PROGRAMS)?;
    let mut wrong = measured.wrong.clone();
    if ledger.compiler == measured.compiler {
        wrong.extend(ledger.differences(&measured.entries()));
    } else {
        println!(
            "the ledger is of the compiler {}, this is {}: not compared",
            ledger.compiler, measured.compiler
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{}\nIf a new size is meant, `cargo xtask size --bless` writes the ledger; say why in the commit.",
        wrong.join("\n")
    )))
}

fn bless() -> Outcome {
    let measured = measure()?;
    print_table(&measured.rows);
    Ledger::write(&PROGRAMS, &measured.entries(), &measured.compiler)?;
    if measured.wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("the ledger is written, but:\n{}", measured.wrong.join("\n"))))
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.target, self.program)
    }

    /// What it takes of the flash, but for what variables begin with.
    const fn code(&self) -> u64 {
        self.sizes.text + self.sizes.rodata
    }

    /// As the ledger lists them.
    const fn numbers(&self) -> [u64; 7] {
        let Sizes { text, rodata, data, bss } = self.sizes;
        [text, rodata, data, bss, self.stack, self.state, self.content]
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<30} {:<13} {:>7} {:>7} {:>6} {:>6} {:>7} {:>7}  of it content",
        "bytes", "program", ".text", ".rodata", ".data", ".bss", "stack", "state"
    );
    for row in rows {
        let [text, rodata, data, bss, stack, state, content] = row.numbers();
        println!(
            "{:<30} {:<13} {text:>7} {rodata:>7} {data:>6} {bss:>6} {stack:>7} {state:>7} {content:>8}",
            row.target, row.program
        );
    }
    for (target, program, code, state) in SIZE_TARGETS {
        println!(
            "aim: {program} on {target}: {code} bytes of .text and .rodata, {state} of state besides content"
        );
    }
}

fn explain(program: &str, target: &str) -> Outcome {
    let out = build(&toolchain::for_target(target)?)?;
    let image = Image::read(&out.join(program))?;
    let mut functions: Vec<(u64, &str)> =
        image.functions.values().map(|f| (f.size, f.name.as_str())).collect();
    functions.sort_unstable_by(|a, b| b.cmp(a));
    println!("functions by size:");
    for (size, name) in functions.iter().take(40) {
        println!("{size:>7}  {name}");
    }
    if let Some(stack) = stack::measure(&image, "_start") {
        println!("\nthe deepest chain of calls: {} bytes of stack", stack.bytes);
        for (name, bytes) in &stack.chain {
            println!("{bytes:>7}  {name}");
        }
    }
    Ok(())
}

fn image_alone(path: &Path) -> Outcome {
    let image = Image::read(path)?;
    let Sizes { text, rodata, data, bss } = image.sizes;
    println!("{}: .text {text}, .rodata {rodata}, .data {data}, .bss {bss} bytes", path.display());
    no_panics(path, &image)?;
    println!("it cannot panic: nothing of core's panicking machinery is in it");
    Ok(())
}
