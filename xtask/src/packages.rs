use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::manifest::{self, Package};
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "packages",
    about: "every package alone: its tests build without the features that others turn on",
    help: "
Tests of the whole workspace run with all features that any package of it asks for. A person who
tests one package has its own features only. So each package is taken alone, without features and
with all of them: its library, programs, tests and examples must compile, and its documentation must
link to what is there, warnings denied; and the examples in the documentation of a library that has
features must pass: rustdoc compiles those only when they run. Separate workspaces
are compiled by other verbs: bench/size by `size`, examples/firmware by `firmware`, the other
benchmarks by `bench`, and fuzz by `fuzz`.

    cargo xtask packages           every package
    cargo xtask packages raft kv   those with one of these in their name
    cargo xtask packages --run     runs all their tests as well: some minutes",
    run,
};

fn run(args: &[String]) -> Outcome {
    let (flags, names): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with('-'));
    let runs = match flags.as_slice() {
        [] => false,
        [one] if *one == "--run" => true,
        _ => return Err(Failure::usage("packages knows no flag but --run")),
    };
    let mut packages = manifest::packages()?;
    packages.retain(|it| names.is_empty() || names.iter().any(|name| it.name.contains(*name)));
    if packages.is_empty() {
        return Err(Failure::usage("no package has such a name"));
    }
    let mut broken = Vec::new();
    for package in &packages {
        let sets: &[&str] = match package.has_features {
            true => &["--no-default-features", "--all-features"],
            false => &["--no-default-features"],
        };
        for features in sets {
            if test(package, features, runs).is_err() {
                broken.push(format!("{} {features}", package.name));
            }
        }
    }
    println!("{} packages alone, {} fail", packages.len(), broken.len());
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("these fail alone:\n{}", broken.join("\n"))))
}

fn test(package: &Package, set: &str, runs: bool) -> Outcome {
    let cargo = |verb: &str| Tool::cargo().args([verb, "--quiet", "--package", &package.name, set]);
    cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]).run()?;
    if package.library.is_some() {
        crate::features::document(&package.name, &[set])?;
    }
    if runs {
        cargo("test").run()
    } else if package.has_features && package.library.is_some() {
        cargo("test").arg("--doc").run()
    } else {
        Ok(())
    }
}
