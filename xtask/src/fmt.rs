use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "fmt",
    about: "formats the sources (--check: only tells)",
    help: "
Runs rustfmt over the workspace with the settings of rustfmt.toml.

    --check   changes nothing, and fails where something is not formatted",
    run,
};

fn run(args: &[String]) -> Outcome {
    let check = match args {
        [] => false,
        [one] if one == "--check" => true,
        _ => return Err(Failure::usage("fmt takes --check or nothing")),
    };
    let tool = Tool::cargo().args(["fmt", "--all"]);
    if check { tool.arg("--check").run() } else { tool.run() }
}
