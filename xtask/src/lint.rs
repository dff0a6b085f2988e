use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "lint",
    about: "clippy and the documentation, warnings denied; planted bugs without a result",
    help: "
Clippy over all targets of all crates with all features, then the documentation (broken links and
the like), both with warnings denied. The lints are in [workspace.lints] of Cargo.toml, and in
clippy.toml. Before that: each patch in CRATE/bugs must have a row in CRATE/bugs/RESULT.md.",
    run,
};

fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("lint takes no arguments"));
    }
    crate::bugs::check()?;
    Tool::cargo()
        .args(["clippy", "--workspace", "--all-targets", "--all-features", "--keep-going"])
        .args(["--", "-D", "warnings"])
        .run()?;
    Tool::cargo()
        .args(["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}
