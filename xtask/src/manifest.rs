use std::fs;
use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::json::Json;
use crate::tool::{Tool, root};

/// The features of a crate of the workspace, without `default`, from the `[features]` table of its manifest.
pub(crate) fn features(folder: &str) -> Outcome<Vec<String>> {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    Ok(parse_features(&text))
}

fn parse_features(manifest: &str) -> Vec<String> {
    let in_table = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let lines = in_table.take_while(|line| !line.trim_start().starts_with('['));
    let names = lines.filter(|line| !line.trim_start().starts_with('#'));
    let names = names.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    names.filter(|name| *name != "default").map(str::to_owned).collect()
}

/// A package of the workspace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) has_features: bool,
    /// The root of its library, if it has one.
    pub(crate) library: Option<PathBuf>,
    /// Whether its manifest lets it be published.
    pub(crate) is_published: bool,
}

/// The workspace's packages.
pub(crate) fn packages() -> Outcome<Vec<Package>> {
    let text =
        Tool::cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]).read()?;
    let metadata =
        Json::parse(&text).ok_or_else(|| Failure::failed("`cargo metadata` is no JSON"))?;
    let packages = metadata.get("packages").map(Json::list).unwrap_or_default();
    Ok(packages.iter().filter_map(package).collect())
}

fn package(json: &Json) -> Option<Package> {
    let features = json.get("features")?.members();
    let is_library = |target: &&Json| {
        let kinds = target.get("kind").map(Json::list).unwrap_or_default();
        kinds.iter().any(|kind| kind.text() == Some("lib"))
    };
    let library = json.get("targets")?.list().iter().find(is_library);
    Some(Package {
        name: json.get("name")?.text()?.to_owned(),
        has_features: features.iter().any(|(name, _)| name != "default"),
        library: library.and_then(|target| Some(target.get("src_path")?.text()?.into())),
        // the registries that are allowed: with `publish = false` none
        is_published: json.get("publish") == Some(&Json::Null),
    })
}

/// The folders of what is a workspace of its own.
pub(crate) fn excluded() -> Outcome<Vec<String>> {
    let path = root().join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
    Ok(list(&text, "exclude"))
}

/// The strings of a manifest's `NAME = [ … ]`.
pub(crate) fn list(manifest: &str, name: &str) -> Vec<String> {
    let list = manifest.split_once(&format!("\n{name} = ["));
    let (list, _) = list.and_then(|(_, rest)| rest.split_once(']')).unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read() {
        let manifest = "[package]\nname = \"x\"\n[features]\ndefault = []\n## Heap.\nalloc = []\n\
            std = [\"alloc\"]\n\n[dependencies]\nserde = \"1\"\n";
        assert_eq!(parse_features(manifest), ["alloc", "std"]);
    }

    #[test]
    fn lists_are_read() {
        let manifest = "[workspace]\nmembers = [\"core\",\n  \"examples/kv\"]\nexclude = [\"x\"]\n";
        assert_eq!(list(manifest, "members"), ["core", "examples/kv"]);
        assert_eq!(list(manifest, "exclude"), ["x"]);
        assert!(list("[package]", "members").is_empty());
    }

    #[test]
    fn packages_are_those_of_the_workspace() {
        let packages = packages().unwrap_or_default();
        let of = |name: &str| {
            let package = packages.iter().find(|package| package.name == name);
            package.map(|it| (it.has_features, it.library.is_some(), it.is_published))
        };
        assert_eq!(of("quorate-raft"), Some((true, true, true)));
        assert_eq!(of("xtask"), Some((false, false, false)));
    }

    /// A published package holds its sources, its README and both licenses, and not its tests: those need packages that are not published.
    #[test]
    fn published_packages_are_complete() -> Outcome {
        for package in packages()?.iter().filter(|package| package.is_published) {
            let Package { name, library: Some(library), .. } = package else { continue };
            let folder = library.ancestors().nth(2).unwrap_or(library);
            for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
                assert!(folder.join(file).is_file(), "{name} lacks {file}: link it, as in core");
            }
            let path = folder.join("Cargo.toml");
            let manifest = fs::read_to_string(&path).map_err(Failure::io(path.display()))?;
            let include = list(&manifest, "include");
            assert_eq!(include, ["/src", "/README.md", "/LICENSE-*"], "{name}: `include`");
        }
        Ok(())
    }
}
