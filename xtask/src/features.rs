use crate::failure::{Failure, Outcome};
use crate::manifest;
use crate::tool::Tool;
use crate::{Verb, commit};

pub(crate) const VERB: Verb = Verb {
    name: "features",
    about: "the protocol crates with every combination of features",
    help: "
Checks each protocol crate and its documentation on this machine with every combination of its
features, warnings denied. Features are additive and no combination may break: `--all-features` is
only one of them. In CI: none, each alone, all together, and a third of the others, which the commit
determines. The combinations of other crates, which have one feature at most, are those of
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
    let sample = std::env::var_os("CI").is_some().then(commit::number);
    let mut clean = 0;
    let mut broken = Vec::new();
    for folder in folders {
        let features = manifest::features(folder)?;
        for (at, subset) in subsets(&features).into_iter().enumerate() {
            if sample
                .is_some_and(|order| !is_sampled(at as u64, order, subset.len(), features.len()))
            {
                continue;
            }
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

/// Whether CI checks a combination of so many of all features.
const fn is_sampled(at: u64, order: u64, features: usize, all: usize) -> bool {
    features <= 1 || features == all || (at.wrapping_add(order)).is_multiple_of(3)
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
    fn each_combination_is_in_the_sample_of_some_commit() {
        for at in 0..32 {
            let in_samples = (0..3).filter(|&order| is_sampled(at, order, 2, 5)).count();
            assert_eq!(in_samples, 1);
            assert!((0..3).all(|order| is_sampled(at, order, 1, 5) && is_sampled(at, order, 5, 5)));
        }
    }

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
