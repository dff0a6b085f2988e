use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::tool::Tool;

/// Packages whose tests run processes, or use sockets, files and time.
const PACKAGES: [&str; 5] =
    ["quorate-kv", "quorate-driver", "quorate-nemesis", "quorate-boards", "quorate-election-demo"];

/// A test program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Binary {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Where its package is.
    pub(super) dir: PathBuf,
}

/// Builds the test programs, and returns those that have one of `names` in their name, or all.
pub(super) fn build(names: &[String]) -> Outcome<Vec<Binary>> {
    let tool = || {
        let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
        Tool::cargo().args(["test", "--no-run"]).args(packages)
    };
    tool().run()?;
    let messages = tool().args(["--message-format", "json"]).read()?;
    let mut binaries: Vec<Binary> = messages.lines().filter_map(read).collect();
    if !names.is_empty() {
        binaries.retain(|binary| names.iter().any(|name| binary.name.contains(name)));
    }
    binaries.sort_by(|a, b| a.name.cmp(&b.name));
    if binaries.is_empty() {
        return Err(Failure::usage("no test program has such a name"));
    }
    Ok(binaries)
}

/// A test program out of one of cargo's messages.
fn read(message: &str) -> Option<Binary> {
    let field = |key: &str| {
        let (_, rest) = message.split_once(&format!("\"{key}\":\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    // a target says as well whether it has tests
    let (_, profile) = message.split_once("\"profile\":{")?;
    let is_test = profile.split('}').next()?.contains("\"test\":true");
    let path = PathBuf::from(field("executable").filter(|_| is_test)?);
    let dir = PathBuf::from(field("manifest_path")?).parent()?.to_path_buf();
    // without the hash
    let name = path.file_stem()?.to_str()?.rsplit_once('-')?.0.to_owned();
    Some(Binary { name, path, dir })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_in_messages() {
        let message = |test: bool| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/w/examples/kv/Cargo.toml\",\"target\":{{\"kind\":[\"bin\"],\"test\":true}},\"profile\":{{\"opt_level\":\"0\",\"test\":{test}}},\"executable\":\"/w/target/debug/deps/leader_killed-0a1b\"}}"
            )
        };
        let wanted = Binary {
            name: "leader_killed".into(),
            path: "/w/target/debug/deps/leader_killed-0a1b".into(),
            dir: "/w/examples/kv".into(),
        };
        assert_eq!(read(&message(true)), Some(wanted));
        assert_eq!(read(&message(false)), None);
        assert_eq!(read("{\"reason\":\"build-finished\",\"success\":true}"), None);
    }
}
