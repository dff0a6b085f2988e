use core::fmt;

use crate::commit;
use crate::protocol::PROTOCOLS;

/// A part of a full run: verbs that check one kind of thing.
pub(super) struct Part {
    pub(super) name: &'static str,
    about: &'static str,
    /// About how long it takes on two cores.
    pub(super) minutes: u32,
    /// Verbs with their arguments.
    pub(super) commands: Vec<Vec<String>>,
    count: Count,
}

/// Where a verb says how much it did.
#[derive(Clone, Copy)]
enum Count {
    /// In its last line.
    LastLine,
    /// A line for each case, which ends with a number.
    Cases,
    /// Nowhere: that it passed is all there is to say.
    None,
}

/// Seeds of a protocol: so many times those that CI runs.
const SEEDS: u64 = 20;

/// All parts: quick ones first, as later ones say little where they fail.
pub(super) fn all() -> Vec<Part> {
    use Count::{Cases, LastLine, None};
    let part = |name, about, minutes, commands: &[&str], count| {
        let words = |command: &&str| command.split(' ').map(String::from).collect();
        Part { name, about, minutes, commands: commands.iter().map(words).collect(), count }
    };
    vec![
        part(
            "sources",
            "the form of the sources, the documents and the lists of public items",
            3,
            &["fmt --check", "docs", "lint", "api --check"],
            None,
        ),
        part(
            "builds",
            "features, packages, bare metal and the oldest compiler",
            15,
            &["features", "packages", "targets", "msrv"],
            None,
        ),
        part("sizes", "what a board is asked for", 5, &["size --check"], None),
        part("instructions", "what a proposal costs", 3, &["icount --check"], None),
        part(
            "tests",
            "all tests, and once more with property tests that draw other cases",
            20,
            &["test --no-fail-fast", "test --no-fail-fast --fresh"],
            LastLine,
        ),
        Part {
            commands: seeds(),
            ..part("seeds", "every protocol under every fault", 30, &[], LastLine)
        },
        part(
            "models",
            "every order of everything that may happen to a few nodes",
            2,
            &["model"],
            Cases,
        ),
        part("bugs", "the whole catalogue of planted bugs", 60, &["bugs"], LastLine),
        part("boards", "all scenarios on emulated boards", 10, &["firmware"], LastLine),
        part("fuzz", "every fuzz target for ten minutes", 120, &["fuzz --seconds 600"], None),
        part("nemesis", "twenty minutes of faults in server processes", 21, &["nemesis"], LastLine),
        part(
            "stress",
            "tests with processes and sockets on a busy machine",
            120,
            &["stress"],
            LastLine,
        ),
        part("mutants", "all mutants of all crates", 240, &["mutants --all"], LastLine),
    ]
}

/// Seeds that the commit determines, so that each full run sees others.
fn seeds() -> Vec<Vec<String>> {
    let from = commit::number().saturating_add(1).to_string();
    let command = |protocol: &crate::protocol::Protocol| {
        let seeds = protocol.sample.saturating_mul(SEEDS).to_string();
        ["sim", "--protocol", protocol.name, "--from", &from, "--seeds", &seeds].map(String::from)
    };
    PROTOCOLS.iter().map(|protocol| command(protocol).to_vec()).collect()
}

impl Part {
    /// How much a verb did, by what it printed.
    pub(super) fn count(&self, lines: &[String]) -> Option<String> {
        match self.count {
            Count::LastLine => {
                let last = lines.iter().rev().find(|line| !line.trim().is_empty());
                last.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            Count::Cases => {
                let is_case = |line: &&String| {
                    let numbers = line.split_whitespace().rev();
                    numbers.take_while(|word| word.parse::<u64>().is_ok()).count() >= 5
                };
                Some(format!("{} cases", lines.iter().filter(is_case).count()))
            }
            Count::None => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<13} {:>4} min  {}", self.name, self.minutes, self.about)?;
        for command in &self.commands {
            writeln!(f, "{:24}cargo xtask {}", "", command.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whatever CI checks is also part of a full run, and so is every verb but those that check nothing.
    #[test]
    fn every_verb_that_checks_is_run() {
        let parts = all();
        let run: BTreeSet<&str> = parts
            .iter()
            .flat_map(|part| &part.commands)
            .filter_map(|it| Some(it.first()?.as_str()))
            .collect();
        let others = ["boards", "bench", "ci", "full"];
        let verbs = crate::VERBS.iter().map(|verb| verb.name).filter(|name| !others.contains(name));
        assert_eq!(run, verbs.collect());
    }

    #[test]
    fn nothing_is_sampled() {
        for part in all() {
            assert!(!part.commands.is_empty(), "{}", part.name);
            assert!(part.commands.iter().flatten().all(|word| word != "--sample"), "{}", part.name);
        }
    }

    #[test]
    fn counts_are_read_from_what_is_printed() {
        let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
        let part = |name: &str| all().into_iter().find(|part| part.name == name);
        let count = |name: &str, text: &str| part(name).and_then(|it| it.count(&lines(text)));
        let text = "a\n74 bugs   found\n\n";
        assert_eq!(count("bugs", text).as_deref(), Some("74 bugs found"));
        let text = "     nodes timeouts\nbully    3   1   1   0   0   3    9506   20   13\nnode 3: 1 2\nraft members   3 2 0 0 0 2 1 2 3\n";
        assert_eq!(count("models", text).as_deref(), Some("2 cases"));
        assert_eq!(count("sources", text), None);
    }
}
