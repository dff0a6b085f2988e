use std::fs;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, has, root};

pub(crate) const VERB: Verb = Verb {
    name: "fuzz",
    about: "the fuzz targets, for some seconds each",
    help: "
Runs each target of fuzz/ under libFuzzer: bytes that decoders take, and lists of inputs that a node
takes. What is found stays in fuzz/artifacts; the tests replay the inputs of fuzz/corpus, so a
finding that is fixed belongs there.

    cargo xtask fuzz                     every target for 60 seconds
    cargo xtask fuzz raft_inputs         one of them
    cargo xtask fuzz --seconds 600       longer
    cargo xtask fuzz --minimize          makes each corpus as small as covers the same

It needs a nightly compiler, a C++ compiler and cargo-fuzz: `cargo install cargo-fuzz`.",
    run,
};

/// Seconds for each target.
const SECONDS: u64 = 60;

fn run(args: &[String]) -> Outcome {
    let (mut seconds, mut minimize, mut only) = (SECONDS, false, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--seconds" => {
                let number = rest.next().and_then(|n| n.parse().ok());
                seconds = number.ok_or_else(|| Failure::usage("--seconds needs a number"))?;
            }
            "--minimize" => minimize = true,
            flag if flag.starts_with('-') => {
                return Err(Failure::usage(format!(
                    "fuzz does not know {flag}; see `fuzz --help`"
                )));
            }
            name => only = Some(name),
        }
    }
    if !has("cargo-fuzz") {
        return Err(Failure::failed("cargo-fuzz is missing: `cargo install cargo-fuzz`"));
    }
    let targets = targets()?;
    let chosen: Vec<_> =
        targets.iter().filter(|target| only.is_none_or(|name| name == *target)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage(format!("the targets are {}", targets.join(", "))));
    }
    for target in chosen {
        fuzz(target, seconds, minimize)?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u64, minimize: bool) -> Outcome {
    let verb = if minimize { "cmin" } else { "run" };
    // no sanitizer: there is no unsafe code for one to watch
    let tool = Tool::new("cargo").args(["+nightly", "fuzz", verb, "--sanitizer", "none", target]);
    let tool = if minimize {
        tool
    } else {
        tool.args(["--", &format!("-max_total_time={seconds}"), "-max_len=400"])
    };
    tool.run()
}

/// The names of the targets.
fn targets() -> Outcome<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let cannot = || Failure::io(folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(cannot())? {
        let path = entry.map_err(cannot())?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
