use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::manifest;
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "features",
    about: "the protocol crates with every combination of features",
    help: "
Checks each protocol crate and its documentation on this machine with every combination of its
features, warnings denied. Features are additive and no combination may break: `--all-features` is
only one of them. The combinations of other crates, which have one feature at most, are those of
`packages`.

    cargo xtask features              every crate
    cargo xtask features raft         one of them, by its folder",
    run,
};

/// The folders of the crates that run without std.
pub(crate) const PROTOCOL_CRATES: &[&str] =
    &["core", "log", "clocks", "crdt", "election", "ring", "paxos", "raft"];

fn run(args: &[String]) -> Outcome {
    let folders = match args {
        [] => PROTOCOL_CRATES.to_vec(),
        [one] if PROTOCOL_CRATES.contains(&one.as_str()) => vec![one.as_str()],
        _ => {
            return Err(Failure::usage(format!(
                "features takes one of {PROTOCOL_CRATES:?}, or nothing"
            )));
        }
    };
    let mut clean = 0;
    let mut broken = Vec::new();
    for folder in folders {
        let features = manifest::features(folder)?;
        for subset in subsets(&features) {
            match check(folder, &subset) {
                Ok(()) => clean += 1,
                Err(_) => broken.push(format!("{folder} with [{}]", subset.join(", "))),
            }
        }
    }
    println!("{clean} combinations of features are clean");
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("{} are not:\n{}", broken.len(), broken.join("\n"))))
}

fn check(folder: &str, features: &[&str]) -> Outcome {
    let package = format!("quorate-{folder}");
    let features = ["--no-default-features", "--features", &features.join(",")];
    Tool::cargo()
        .args(["clippy", "--quiet", "--lib", "--package", &package])
        .args(features)
        .args(["--", "-D", "warnings"])
        .run()?;
    document(&package, &features)
}

/// The documentation of a library with these features: what it links to is there.
pub(crate) fn document(package: &str, features: &[&str]) -> Outcome {
    Tool::cargo()
        .args(["doc", "--quiet", "--no-deps", "--lib", "--package", package])
        .args(features)
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

fn subsets(features: &[String]) -> Vec<Vec<&str>> {
    let mut all = vec![Vec::new()];
    for feature in features {
        let with: Vec<Vec<&str>> = all
            .iter()
            .map(|subset| subset.iter().copied().chain([feature.as_str()]).collect())
            .collect();
        all.extend(with);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets;

    #[test]
    fn each_subset_appears_once() {
        let features = ["a", "b", "c"].map(str::to_owned);
        let mut all = subsets(&features);
        assert_eq!(all.len(), 8);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    /// The no_std crates at the top level; drivers and examples have folders of their own.
    #[test]
    fn every_protocol_crate_is_listed() -> Outcome {
        for member in targets::protocol_crates()? {
            let folder = member.folder.as_str();
            let is_listed = PROTOCOL_CRATES.contains(&folder);
            assert_eq!(is_listed, !folder.contains('/'), "{folder}: add it to PROTOCOL_CRATES");
        }
        Ok(())
    }
}
