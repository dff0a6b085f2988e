use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::features::PROTOCOL_CRATES;
use crate::scratch::Scratch;
use crate::tool::root;

/// A planted bug: a patch against a protocol crate, with a header that says what it breaks.
pub(crate) struct Bug {
    /// The file's name without `.patch`.
    pub(crate) name: String,
    /// The safety rule it breaks.
    pub(crate) rule: String,
    /// The header, which git passes over.
    pub(crate) header: String,
    /// The folder of its crate.
    pub(crate) krate: &'static str,
    /// The protocol's name in the simulator: that of the crate, unless a line `Protocol: …` says otherwise.
    pub(crate) protocol: String,
    pub(crate) path: PathBuf,
}

/// The crates that have planted bugs.
pub(crate) fn crates() -> impl Iterator<Item = &'static str> {
    PROTOCOL_CRATES.iter().copied().filter(|krate| folder(krate).is_dir())
}

/// Where the patches of a crate are.
fn folder(krate: &str) -> PathBuf {
    root().join(krate).join("bugs")
}

impl Bug {
    /// All of them, or those of which a word of `filter` is the crate or part of the name, in order of their names.
    pub(crate) fn load(filter: &str) -> Outcome<Vec<Self>> {
        let mut bugs = Vec::new();
        for krate in crates() {
            bugs.extend(Self::load_of(krate)?);
        }
        let is_chosen = |bug: &Self| {
            let mut words = filter.split_whitespace();
            words.any(|word| bug.krate == word || bug.name.contains(word))
        };
        bugs.retain(|bug| filter.is_empty() || is_chosen(bug));
        bugs.sort_by(|a, b| a.name.cmp(&b.name));
        if bugs.is_empty() {
            return Err(Failure::usage(format!(
                "no planted bug, and no crate, has a name with `{filter}`; bugs are in the folders `bugs` of the crates"
            )));
        }
        Ok(bugs)
    }

    /// Those of a crate, in order of their names.
    pub(crate) fn load_of(krate: &'static str) -> Outcome<Vec<Self>> {
        let folder = folder(krate);
        let mut bugs = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Failure::io(folder.display()))? {
            let path = entry.map_err(Failure::io(folder.display()))?.path();
            if path.extension().is_some_and(|e| e == "patch") {
                bugs.push(Self::read(krate, &path)?);
            }
        }
        bugs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(bugs)
    }

    fn read(krate: &'static str, path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).map_err(Failure::io(path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let header = header(&text);
        let field = |key: &str| {
            let line = header.lines().find_map(|line| line.strip_prefix(key));
            line.map(|text| text.trim().to_owned()).ok_or_else(|| {
                Failure::failed(format!("{}: no line `{key} …` above the diff", path.display()))
            })
        };
        field("Source:")?;
        let rule = field("Rule:")?;
        let protocol = field("Protocol:").unwrap_or_else(|_| krate.to_owned());
        Ok(Self { rule, name, header, krate, protocol, path: path.to_path_buf() })
    }

    /// Applies the patch to the copy.
    pub(crate) fn plant(&self, scratch: &Scratch) -> Outcome {
        self.apply(scratch, &[])
    }

    /// Whether the patch would apply to the copy, which stays as it is.
    pub(crate) fn fits(&self, scratch: &Scratch) -> Outcome {
        self.apply(scratch, &["--check"])
    }

    fn apply(&self, scratch: &Scratch, options: &[&str]) -> Outcome {
        // one line of context is enough: the lines that a bug changes must be there anyway
        let apply = scratch.git().args(["apply", "-p1", "-C1"]).args(options).arg(&self.path);
        let (applied, _, text) = apply.try_read()?;
        if applied {
            return Ok(());
        }
        let name = &self.name;
        Err(Failure::failed(format!(
            "{name}.patch does not apply any more:\n{}\n\
            To write it again: `cargo xtask bugs --open {name}` copies the present sources and applies what still fits;\n\
            plant the bug in the copy by hand, then `cargo xtask bugs --save {name}` writes the patch.",
            text.trim_end()
        )))
    }

    /// Writes the difference between the repository and the copy as the patch, under the header it had.
    pub(crate) fn save(&self, scratch: &Scratch) -> Outcome {
        let mut diff = String::new();
        for krate in PROTOCOL_CRATES {
            // a crate's folder also holds its patches, which the copy may have in an older form
            let sources = Path::new(krate).join("src");
            let (here, there) = (root().join(&sources), scratch.tree.join(&sources));
            let tool = scratch.git().args(["diff", "--no-index", "--no-color", "--src-prefix="]);
            let (_, text, _) =
                tool.args(["--dst-prefix=", "--"]).args([&here, &there]).try_read()?;
            diff.push_str(&relative(&text, &root(), &scratch.tree));
        }
        if diff.is_empty() {
            return Err(Failure::failed(format!(
                "{} is no different from the repository: plant the bug there first",
                scratch.tree.display()
            )));
        }
        fs::write(&self.path, format!("{}\n\n{diff}", self.header.trim_end()))
            .map_err(Failure::io(self.path.display()))
    }
}

fn header(patch: &str) -> String {
    let lines = patch.lines().take_while(|l| !l.starts_with("diff ") && !l.starts_with("--- "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Names the files from the roots on, and leaves out git's own lines.
fn relative(diff: &str, here: &Path, there: &Path) -> String {
    // git leaves out the first slash of a path
    let strip = |path: &str, root: &Path| {
        let root = root.to_string_lossy();
        let path = path.trim_start_matches('/').strip_prefix(root.trim_start_matches('/'));
        path.unwrap_or_default().trim_start_matches('/').to_owned()
    };
    let mut text = String::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("--- ") {
            text.push_str(&format!("--- a/{}\n", strip(path, here)));
        } else if let Some(path) = line.strip_prefix("+++ ") {
            text.push_str(&format!("+++ b/{}\n", strip(path, there)));
        } else if !line.starts_with("diff ") && !line.starts_with("index ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_stripped_from_paths() {
        let diff = "diff --git /r/raft/a.rs /s/t/raft/a.rs\nindex 1..2\n--- r/raft/a.rs\n\
            +++ s/t/raft/a.rs\n@@ -1 +1 @@\n-x\n+y\n";
        assert_eq!(
            relative(diff, Path::new("/r"), Path::new("/s/t")),
            "--- a/raft/a.rs\n+++ b/raft/a.rs\n@@ -1 +1 @@\n-x\n+y\n"
        );
    }

    #[test]
    fn header_ends_at_the_diff() {
        assert_eq!(header("Rule: x\nSource: y\n--- a/f\n+++ b/f\n"), "Rule: x\nSource: y");
    }
}
