mod unformatted;

use std::fs;

use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::manifest;
use crate::scratch;
use crate::tool::{Tool, root};

pub(crate) const VERB: Verb = Verb {
    name: "fmt",
    about: "formats the sources (--check: only tells)",
    help: "
Runs rustfmt over the workspace, and over those that are workspaces of their own, with the settings
of rustfmt.toml. Then looks for code that rustfmt gives up on without saying so, as it does with all
of an expression that has a text in it that is too long for a line: each source is indented wrongly
and takes a second blank where it has one, also in what macros take as expressions; formatted again,
it must be what it was. Break such a text with `\\`, or make it a `const`.

    --check   changes nothing, and fails where something is not formatted",
    run,
};

fn run(args: &[String]) -> Outcome {
    let check = match args {
        [] => false,
        [one] if one == "--check" => true,
        _ => return Err(Failure::usage("fmt takes --check or nothing")),
    };
    let mut wrong = Vec::new();
    let tool = Tool::cargo().args(["fmt", "--all"]);
    // what rustfmt prints tells where; the rest is looked at as well
    if check {
        wrong.extend(tool.arg("--check").run().err().map(|failure| failure.to_string()));
    } else {
        tool.run()?;
        for folder in manifest::excluded()? {
            Tool::cargo()
                .args(["fmt", "--manifest-path", &format!("{folder}/Cargo.toml")])
                .run()?;
        }
    }
    let mut sources = scratch::sources()?;
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let places = unformatted::find(&root(), &sources)?;
    if !places.is_empty() {
        wrong.push(format!("not formatted, or rustfmt gives up there:\n{}", places.join("\n")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

/// The settings, as rustfmt is given them.
fn settings() -> Outcome<String> {
    let path = root().join("rustfmt.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    let pairs =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{}={}", key.trim(), value.trim().trim_matches('"')))
        .collect();
    Ok(pairs.join(","))
}
