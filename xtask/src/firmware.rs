use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::size;
use crate::tool::{Tool, has, root, target_dir};
use crate::toolchain::{self, Toolchain};

pub(crate) const VERB: Verb = Verb {
    name: "firmware",
    about: "the scenarios on emulated boards",
    help: "
Builds the images of examples/firmware and the server, starts three boards in QEMU (or two and a
server process), wires their serial lines, and runs scenarios, each on a fresh bench: elect,
replicate, kill, cut, noise, power cut and more. What a board or the server acknowledged must be on
every node at the end of each. An image that can panic is refused first, and so is one whose sizes
or stack differ from examples/firmware/ledger.txt. Needs qemu-system-arm.

    cargo xtask firmware                       all scenarios of all programs
    cargo xtask firmware --program setpoint    those of one program
    cargo xtask firmware --scenario noise      one of setpoint's, or with --program of another's
    cargo xtask firmware --seed 7              the same noise again
    cargo xtask firmware --keep                leave all journals, not only those of failures
    cargo xtask firmware --list                what there is
    cargo xtask firmware --build               build only, and say where the images are
    cargo xtask firmware --bless               build only, and write the ledger",
    run,
};

/// What runs on boards.
struct Program {
    /// Its image's name, and its name on the bench.
    name: &'static str,
    /// The package and the program that is a node of the same cluster on a server.
    server: Option<(&'static str, &'static str)>,
}

const PROGRAMS: &[Program] = &[
    Program { name: "setpoint", server: Some(("quorate-setpoint", "setpoint")) },
    Program { name: "bully", server: None },
    Program { name: "tally", server: None },
    Program { name: "roster", server: None },
    Program { name: "register", server: None },
    Program { name: "synod", server: None },
];

/// QEMU's board has a Cortex-M3.
const TARGET: &str = "thumbv7m-none-eabi";

/// Added to the flags in examples/firmware/.cargo/config.toml: the compiler states what functions take of the stack.
const STACK_SIZES: &str = "target.'cfg(all(target_arch = \"arm\", target_os = \"none\"))'.rustflags = \
    [\"-Zemit-stack-sizes\"]";

/// What was built of a program, as arguments of the bench.
pub(crate) struct Parts {
    arguments: Vec<String>,
    bench: PathBuf,
}

fn run(args: &[String]) -> Outcome {
    if args == ["--bless"] {
        return bless();
    }
    let mut programs: Vec<&Program> = PROGRAMS.iter().collect();
    let mut rest = Vec::new();
    let (mut list, mut build_only) = (false, false);
    let mut scenario = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--program" => programs = vec![find(words.next())?],
            "--list" => list = true,
            "--build" => build_only = true,
            "--keep" => rest.push(word.clone()),
            "--scenario" | "--seed" => {
                // a scenario is one program's: the first one's unless another is named
                if word == "--scenario" && programs.len() > 1 {
                    programs.truncate(1);
                }
                let value =
                    words.next().ok_or_else(|| Failure::usage(format!("{word} needs a value")))?;
                if word == "--seed" && value.parse::<u64>().is_err() {
                    return Err(Failure::usage(format!("--seed takes a number, not `{value}`")));
                }
                scenario = (word == "--scenario").then_some(value).or(scenario);
                rest.extend([word.clone(), value.clone()]);
            }
            other => return Err(Failure::usage(format!("firmware does not know `{other}`"))),
        }
    }
    if list {
        return Tool::new(bench()?).arg("list").run();
    }
    if let Some(scenario) = scenario {
        // before everything is built for it
        check(&programs, scenario)?;
    }
    let mut failed = Vec::new();
    for program in programs {
        let parts = prepare(program)?;
        if build_only {
            println!("{}", parts.arguments.join(" "));
            continue;
        }
        emulator()?;
        let ran = Tool::new(&parts.bench).arg("run").args(&parts.arguments).args(&rest).run();
        failed.extend(ran.is_err().then_some(program.name));
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("scenarios of {} failed, see above", failed.join(" and "))))
}

/// Whether the first of these programs has such a scenario: the bench lists them, indented, below the program's own line.
fn check(programs: &[&Program], scenario: &str) -> Outcome {
    let Some(program) = programs.first() else { return Ok(()) };
    let list = Tool::new(bench()?).arg("list").read()?;
    let heading = format!("{}:", program.name);
    let mut lines = list.lines().skip_while(|line| !line.starts_with(&heading)).skip(1);
    let mut its = lines.by_ref().take_while(|line| line.starts_with(' '));
    if its.any(|line| line.split_whitespace().next() == Some(scenario)) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} has no scenario `{scenario}`: see `cargo xtask firmware --list`",
        program.name
    )))
}

/// A program by its name.
fn find(name: Option<&String>) -> Outcome<&'static Program> {
    PROGRAMS.iter().find(|program| name.is_some_and(|name| name == program.name)).ok_or_else(|| {
        let names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        Failure::usage(format!("--program takes one of {names:?}"))
    })
}

/// Runs a bench to play with, in place of this process: a Ctrl-C is for it alone.
pub(crate) fn live(program: Option<&String>, rest: &[&str]) -> Outcome {
    emulator()?;
    let program = match (program, PROGRAMS) {
        (None, [first, ..]) => first,
        (name, _) => find(name)?,
    };
    let parts = prepare(program)?;
    let error = Command::new(&parts.bench).arg("live").args(&parts.arguments).args(rest).exec();
    Err(Failure::io(parts.bench.display())(error))
}

fn emulator() -> Outcome {
    const QEMU: &str = "qemu-system-arm";
    if has(QEMU) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{QEMU} is not installed; in Debian and Ubuntu: apt-get install qemu-system-arm"
    )))
}

/// Builds the image, the server and the bench.
fn prepare(program: &Program) -> Outcome<Parts> {
    let toolchain = toolchain::for_target(TARGET)?;
    let image = link(program, &toolchain)?;
    size::check_board(&size::measure_board(TARGET, program.name, &image)?, &toolchain.version()?)?;
    let name = program.name.to_owned();
    let mut arguments =
        vec!["--program".to_owned(), name, "--image".to_owned(), image.display().to_string()];
    if let Some((package, binary)) = program.server {
        let path = build(package, binary, &[])?.display().to_string();
        arguments.extend(["--server".to_owned(), path]);
    }
    Ok(Parts { arguments, bench: bench()? })
}

/// Builds the image; one that can panic is refused.
fn link(program: &Program, toolchain: &Toolchain) -> Outcome<PathBuf> {
    let folder = root().join("examples/firmware");
    toolchain
        .cargo("build")?
        .args(["--release", "--bin", program.name, "--config", STACK_SIZES])
        // the sizes of the frames are not a stable flag; they change nothing in the code
        .env("RUSTC_BOOTSTRAP", "1")
        .dir(&folder)
        .run()?;
    let image = toolchain.out("release")?.join(program.name);
    size::reject_panics(&image)?;
    Ok(image)
}

/// Writes the ledger of the images.
fn bless() -> Outcome {
    let toolchain = toolchain::for_target(TARGET)?;
    let mut entries = Vec::new();
    for program in PROGRAMS {
        entries.push(size::measure_board(TARGET, program.name, &link(program, &toolchain)?)?);
    }
    size::bless_boards(&entries, &toolchain.version()?)
}

fn bench() -> Outcome<PathBuf> {
    build("quorate-boards", "boards", &["--features", "logs"])
}

/// Builds a program for this machine, and returns where it is.
fn build(package: &str, binary: &str, more: &[&str]) -> Outcome<PathBuf> {
    Tool::cargo()
        .args(["build", "--quiet", "--package", package, "--bin", binary])
        .args(more)
        .run()?;
    Ok(target_dir()?.join("debug").join(binary))
}
