//! What the command line asks for.

use super::target::{MUTATED_CRATES, MutatedCrate};
use crate::commit;
use crate::failure::{Failure, Outcome};

/// Which mutants are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Selection {
    /// Some of each crate.
    Sample,
    /// All that are not left out by their file or name.
    All,
    /// The survivors of the last run.
    LastSurvivors,
}

/// What is to be done.
pub(super) struct Plan {
    pub(super) crates: Vec<&'static MutatedCrate>,
    pub(super) files: Vec<String>,
    pub(super) only: Option<String>,
    pub(super) selection: Selection,
    pub(super) sample: usize,
    pub(super) seed: u64,
    pub(super) jobs: usize,
    /// Whether only to say which mutants there are.
    pub(super) list: bool,
    /// Whether to leave out what is built alone.
    pub(super) quick: bool,
}

/// Mutants of each crate in a sample.
const SAMPLE: usize = 100;

impl Plan {
    pub(super) fn parse(args: &[String]) -> Outcome<Self> {
        let mut plan = Self {
            crates: Vec::new(),
            files: Vec::new(),
            only: None,
            selection: Selection::Sample,
            sample: SAMPLE,
            seed: 0,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            list: false,
            quick: false,
        };
        let (mut sampled, mut seed, mut all, mut again) = (false, None, false, false);
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut number = || {
                let number = rest.next().and_then(|text| text.parse::<u64>().ok());
                number.ok_or_else(|| Failure::usage(format!("{arg} needs a number")))
            };
            let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
            match arg.as_str() {
                "--all" => all = true,
                "--again" => again = true,
                "--list" => plan.list = true,
                "--quick" => plan.quick = true,
                "--sample" => (sampled, plan.sample) = (true, size(number()?)),
                "--seed" => seed = Some(number()?),
                "--jobs" => plan.jobs = size(number()?),
                "--only" => {
                    let text = rest.next().ok_or_else(|| Failure::usage("--only needs a text"))?;
                    plan.only = Some(text.clone());
                }
                flag if flag.starts_with('-') => {
                    return Err(Failure::usage(format!(
                        "mutants does not know {flag}; see `mutants --help`"
                    )));
                }
                word => match MUTATED_CRATES.iter().find(|krate| krate.folder == word) {
                    Some(krate) => plan.crates.push(krate),
                    None => plan.files.push(word.to_owned()),
                },
            }
        }
        let samples = sampled || seed.is_some();
        if usize::from(samples) + usize::from(all) + usize::from(again) > 1 {
            return Err(Failure::usage(
                "--all, --again, and --sample or --seed, exclude each other",
            ));
        }
        let narrowed = !plan.files.is_empty() || plan.only.is_some() || plan.list;
        plan.selection = match (again, all || narrowed && !samples) {
            (true, _) => Selection::LastSurvivors,
            (_, true) => Selection::All,
            _ => Selection::Sample,
        };
        plan.seed = seed.unwrap_or_else(commit::number);
        if plan.crates.is_empty() {
            plan.crates = MUTATED_CRATES.iter().collect();
        }
        Ok(plan)
    }

    /// Whether all mutants of the crates are tried.
    pub(super) fn is_whole(&self) -> bool {
        self.selection == Selection::All && self.files.is_empty() && self.only.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(args: &str) -> Outcome<Plan> {
        Plan::parse(&args.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn which(args: &str) -> Option<(Selection, usize, bool)> {
        plan(args).ok().map(|plan| (plan.selection, plan.crates.len(), plan.is_whole()))
    }

    #[test]
    fn sample_is_the_default() {
        let all = MUTATED_CRATES.len();
        assert_eq!(which(""), Some((Selection::Sample, all, false)));
        assert_eq!(which("crdt clocks"), Some((Selection::Sample, 2, false)));
        assert_eq!(which("--all"), Some((Selection::All, all, true)));
        assert_eq!(which("--all raft"), Some((Selection::All, 1, true)));
        assert_eq!(which("map.rs"), Some((Selection::All, all, false)));
        assert_eq!(which("--only edit crdt"), Some((Selection::All, 1, false)));
        assert_eq!(which("crdt map.rs --sample 9"), Some((Selection::Sample, 1, false)));
        assert_eq!(which("--again"), Some((Selection::LastSurvivors, all, false)));
        assert_eq!(which("--all --seed 3"), None);
        assert_eq!(which("--sample"), None);
        assert_eq!(which("--what"), None);
        assert_eq!(plan("--seed 3").map(|plan| plan.seed).ok(), Some(3));
    }
}
