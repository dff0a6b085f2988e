use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Failure, Outcome};
use crate::json::Json;
use crate::manifest;
use crate::tool::Tool;

/// The packages of this repository, those that are workspaces of their own included.
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
}

/// What the manifest of a package states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Package {
    /// From the root of the repository.
    pub(crate) folder: String,
    pub(crate) name: String,
    /// Without `default`.
    pub(crate) features: BTreeSet<String>,
    /// Those that are on by default.
    pub(crate) defaults: BTreeSet<String>,
    /// The folders of the packages of this repository that it depends on, other than for tests.
    pub(crate) depends: BTreeSet<String>,
    pub(crate) has_library: bool,
    /// The names of its library, programs, tests and examples.
    pub(crate) targets: BTreeSet<String>,
    /// The oldest compiler that it claims to support.
    pub(crate) rust: Option<String>,
}

impl Workspace {
    pub(crate) fn read() -> Outcome<Self> {
        let mut packages = read(&[])?;
        for folder in manifest::excluded()? {
            packages.extend(read(&["--manifest-path", &format!("{folder}/Cargo.toml")])?);
        }
        Ok(Self::of(packages))
    }

    /// Of packages whose dependencies are still names.
    pub(crate) fn of(mut packages: Vec<Package>) -> Self {
        let folders: BTreeMap<String, String> =
            packages.iter().map(|it| (it.name.clone(), it.folder.clone())).collect();
        for package in &mut packages {
            let names = core::mem::take(&mut package.depends);
            package.depends = names.iter().filter_map(|name| folders.get(name)).cloned().collect();
        }
        packages.sort_by(|a, b| a.folder.cmp(&b.folder));
        Self { packages }
    }

    pub(crate) fn at(&self, folder: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.folder == folder)
    }

    pub(crate) fn has_package(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }

    /// Whether a package has a program, a test or an example of this name.
    pub(crate) fn has_target(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.targets.contains(name))
    }
}

fn read(args: &[&str]) -> Outcome<Vec<Package>> {
    let metadata = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let text = Tool::cargo().args(metadata).args(args).read()?;
    let json = Json::parse(&text).ok_or_else(|| Failure::failed("`cargo metadata` is no JSON"))?;
    let root = crate::tool::root();
    let root = root.canonicalize().map_err(Failure::io(root.display()))?;
    let packages = json.get("packages").map(Json::list).unwrap_or_default();
    Ok(packages.iter().filter_map(|it| package(it, &root.to_string_lossy())).collect())
}

fn package(json: &Json, root: &str) -> Option<Package> {
    let manifest = json.get("manifest_path")?.text()?.replace('\\', "/");
    let folder = manifest.strip_prefix(root)?.trim_matches('/').strip_suffix("/Cargo.toml")?;
    let features = json.get("features")?.members();
    let is_default = |(name, _): &&(String, Json)| name == "default";
    let defaults = features.iter().filter(is_default).flat_map(|(_, list)| list.list());
    let names = features.iter().filter(|it| !is_default(it)).map(|(name, _)| name.clone());
    let normal = |it: &&Json| it.get("kind") == Some(&Json::Null);
    let depends = json.get("dependencies")?.list().iter().filter(normal);
    let targets = json.get("targets")?.list();
    let kinds = targets.iter().filter_map(|target| target.get("kind"));
    let text = |json: &Json| json.text().map(str::to_owned);
    Some(Package {
        folder: folder.to_owned(),
        name: text(json.get("name")?)?,
        features: names.collect(),
        defaults: defaults.filter_map(text).collect(),
        depends: depends.filter_map(|it| text(it.get("name")?)).collect(),
        has_library: kinds.flat_map(Json::list).any(|kind| kind.text() == Some("lib")),
        targets: targets.iter().filter_map(|it| text(it.get("name")?)).collect(),
        rust: json.get("rust_version").and_then(text),
    })
}

/// `FOLDER NAME [FEATURE…] -> [NAME…]`, for tests.
#[cfg(test)]
pub(crate) fn planted(folder: &str, name: &str, features: &[&str], depends: &[&str]) -> Package {
    let set = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect();
    Package {
        folder: folder.to_owned(),
        name: name.to_owned(),
        features: set(features),
        defaults: BTreeSet::new(),
        depends: set(depends),
        has_library: true,
        targets: BTreeSet::new(),
        rust: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read() {
        let text = r#"{"name":"quorate-b","manifest_path":"/r/x/b/Cargo.toml","rust_version":"1.88",
            "features":{"default":["std"],"std":[]},"targets":[{"kind":["lib"],"name":"b"}],"dependencies":[
            {"name":"quorate-a","kind":null},{"name":"serde","kind":null},{"name":"quorate-t","kind":"dev"}]}"#;
        let package = Json::parse(text).and_then(|json| package(&json, "/r"));
        let wanted = Package {
            defaults: BTreeSet::from(["std".to_owned()]),
            targets: BTreeSet::from(["b".to_owned()]),
            rust: Some("1.88".to_owned()),
            ..planted("x/b", "quorate-b", &["std"], &["quorate-a", "serde"])
        };
        assert_eq!(package, Some(wanted.clone()));
        let others = ["a", "t"].map(|it| planted(it, &format!("quorate-{it}"), &[], &[]));
        let workspace = Workspace::of([&others[..], &[wanted]].concat());
        assert_eq!(
            workspace.at("x/b").map(|it| it.depends.clone()),
            Some(BTreeSet::from(["a".to_owned()]))
        );
    }

    #[test]
    fn this_workspace_is_read() {
        let workspace = Workspace::read();
        let Ok(workspace) = workspace else { unreachable!("cargo reads the manifests") };
        let at = |folder| workspace.at(folder);
        assert_eq!(at("fuzz").map(|it| it.name.as_str()), Some("quorate-fuzz"));
        assert!(
            at("raft").is_some_and(|it| it.depends.contains("core") && !it.depends.contains("sim"))
        );
    }
}
