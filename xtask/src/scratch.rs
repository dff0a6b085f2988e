use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::tool::{Tool, root, target_dir};

/// A copy of the repository's files, in the target folder, that may be changed.
pub(crate) struct Scratch {
    /// Where the copy is.
    pub(crate) tree: PathBuf,
    /// Where it is built.
    pub(crate) target: PathBuf,
}

impl Scratch {
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        let base = target_dir()?.join(name);
        let scratch = Self { tree: base.join("tree"), target: base.join("target") };
        fs::create_dir_all(&scratch.tree).map_err(Failure::io(scratch.tree.display()))?;
        Ok(scratch)
    }

    /// Makes the copy equal to the repository, touching only what differs, so that cargo builds only that anew.
    pub(crate) fn reset(&self) -> Outcome {
        let root = root();
        let sources = files(&root, &target_dir()?)?;
        for old in files(&self.tree, &self.target)?.difference(&sources) {
            let path = self.tree.join(old);
            fs::remove_file(&path).map_err(Failure::io(path.display()))?;
        }
        for file in &sources {
            let (from, to) = (root.join(file), self.tree.join(file));
            let content = fs::read(&from).map_err(Failure::io(from.display()))?;
            if fs::read(&to).is_ok_and(|present| present == content) {
                continue;
            }
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(Failure::io(parent.display()))?;
            }
            fs::write(&to, content).map_err(Failure::io(to.display()))?;
        }
        Ok(())
    }

    /// `git` within the copy, which it takes for no repository.
    pub(crate) fn git(&self) -> Tool {
        let ceiling = self.tree.parent().unwrap_or(&self.tree);
        Tool::new("git").quiet_env("GIT_CEILING_DIRECTORIES", ceiling).dir(&self.tree)
    }
}

/// The repository's files, from its root on.
pub(crate) fn sources() -> Outcome<Vec<PathBuf>> {
    Ok(files(&root(), &target_dir()?)?.into_iter().collect())
}

/// The files below `base`, but for hidden folders other than `.cargo` and for what is built.
fn files(base: &Path, built: &Path) -> Outcome<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![base.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Failure::io(folder.display()))? {
            let entry = entry.map_err(Failure::io(folder.display()))?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().map_err(Failure::io(path.display()))?;
            if kind.is_dir() {
                let skip = path == built || name == "target" || name.starts_with('.');
                if !skip || name == ".cargo" {
                    folders.push(path);
                }
            } else if kind.is_file()
                && let Ok(relative) = path.strip_prefix(base)
            {
                found.insert(relative.to_path_buf());
            }
        }
    }
    Ok(found)
}
