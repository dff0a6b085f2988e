//! `cargo xtask VERB`: one verb for each thing a developer of Quorate does. CI calls the same verbs.

mod api;
mod bench;
mod boards;
mod bugs;
mod callgrind;
mod ci;
mod commit;
mod date;
mod docs;
mod failure;
mod features;
mod figures;
mod firmware;
mod fmt;
mod full;
mod fuzz;
mod icount;
mod json;
mod lint;
mod manifest;
mod model;
mod msrv;
mod mutants;
mod nemesis;
mod packages;
mod peers;
mod programs;
mod protocol;
mod rank;
mod scratch;
mod sim;
mod size;
mod stress;
mod targets;
mod test;
mod tool;
mod toolchain;
mod trial;

use std::process::ExitCode;

use failure::{Failure, Outcome};

/// Something a developer does.
struct Verb {
    name: &'static str,
    /// One line, for the list.
    about: &'static str,
    /// What `--help` says besides.
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const VERBS: &[Verb] = &[
    fmt::VERB,
    docs::VERB,
    lint::VERB,
    test::VERB,
    features::VERB,
    packages::VERB,
    targets::VERB,
    api::VERB,
    size::VERB,
    firmware::VERB,
    boards::VERB,
    msrv::VERB,
    sim::VERB,
    model::VERB,
    bugs::VERB,
    fuzz::VERB,
    mutants::VERB,
    icount::VERB,
    bench::VERB,
    nemesis::VERB,
    stress::VERB,
    ci::VERB,
    full::VERB,
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

fn dispatch(args: &[String]) -> Outcome {
    let Some((name, rest)) = args.split_first() else {
        print_verbs();
        return Ok(());
    };
    if matches!(name.as_str(), "-h" | "--help" | "help") {
        print_verbs();
        return Ok(());
    }
    let Some(verb) = VERBS.iter().find(|v| v.name == name) else {
        return Err(Failure::usage(format!(
            "there is no verb `{name}`; `cargo xtask --help` lists them"
        )));
    };
    if rest.iter().any(|a| a == "--help" || a == "-h") {
        println!("cargo xtask {}: {}\n\n{}", verb.name, verb.about, verb.help.trim());
        return Ok(());
    }
    (verb.run)(rest)
}

fn print_verbs() {
    println!("cargo xtask VERB [ARGUMENTS]: what a developer of Quorate does\n");
    for verb in VERBS {
        println!("  {:<9} {}", verb.name, verb.about);
    }
    println!(
        "\n\
        `cargo xtask VERB --help` tells more. Every verb prints the commands it runs.\n\
        Exit codes: 0 all is well, 1 something failed, 2 the arguments make no sense.\n\n\
        A change is ready when these pass, quick ones first:\n\
        \n    cargo xtask fmt && cargo xtask docs && cargo xtask lint && cargo xtask test\n    \
        cargo xtask features && cargo xtask targets   # if a protocol crate changed\n    \
        cargo xtask sim --seeds 2000                  # if its behaviour changed\n    \
        cargo xtask bugs                              # if the simulator or raft changed\n    \
        cargo xtask icount                            # if it may be faster or slower\n    \
        cargo xtask nemesis                           # if the server, the driver or raft changed"
    );
}
