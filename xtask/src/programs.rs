//! Test programs that cargo built.

use std::path::PathBuf;

use crate::json::Json;

/// A test program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where its package is: tests run there.
    pub(crate) dir: PathBuf,
}

impl Program {
    /// All in cargo's messages, which `--message-format json` prints.
    pub(crate) fn all(messages: &str) -> Vec<Self> {
        messages
            .lines()
            .filter_map(Json::parse)
            .filter_map(|message| Self::read(&message))
            .collect()
    }

    fn read(message: &Json) -> Option<Self> {
        let is_test = message.get("profile")?.get("test")?.is_true();
        let path = PathBuf::from(message.get("executable")?.text().filter(|_| is_test)?);
        let dir = PathBuf::from(message.get("manifest_path")?.text()?).parent()?.to_path_buf();
        // without the hash
        let name = path.file_stem()?.to_str()?.rsplit_once('-')?.0.to_owned();
        Some(Self { name, path, dir })
    }
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
        let wanted = Program {
            name: "leader_killed".into(),
            path: "/w/target/debug/deps/leader_killed-0a1b".into(),
            dir: "/w/examples/kv".into(),
        };
        let messages = format!("{}\n{}\nno message\n", message(true), message(false));
        assert_eq!(Program::all(&messages), [wanted]);
        assert_eq!(Program::all("{\"reason\":\"build-finished\",\"success\":true}"), []);
    }
}
