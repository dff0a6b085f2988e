use crate::failure::{Failure, Outcome};
use crate::programs::Program;
use crate::tool::Tool;

/// Packages whose tests run processes, or use sockets, files and time.
const PACKAGES: [&str; 6] = [
    "quorate-kv",
    "quorate-tokio",
    "quorate-nemesis",
    "quorate-boards",
    "quorate-election-demo",
    "quorate-std-driver",
];

/// Builds the test programs, and returns those that have one of `names` in their name, or all.
pub(super) fn build(names: &[String]) -> Outcome<Vec<Program>> {
    let tool = || {
        let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
        Tool::cargo().args(["test", "--no-run"]).args(packages)
    };
    tool().run()?;
    let mut programs = Program::all(&tool().args(["--message-format", "json"]).read()?);
    if !names.is_empty() {
        programs.retain(|program| names.iter().any(|name| program.name.contains(name)));
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    if programs.is_empty() {
        return Err(Failure::usage("no test program has such a name"));
    }
    Ok(programs)
}
