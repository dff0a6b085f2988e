//! The survivors that are justified.

use std::collections::BTreeMap;

/// Survivors by what they change, and how many there are of each; two places of a function may be
/// changed in the same way.
pub(super) struct List {
    counts: BTreeMap<String, usize>,
    /// Lines that are neither comments nor survivors with a reason.
    wrong: Vec<String>,
}

impl List {
    /// Lines of the form `FILE: WHAT  # WHY`; those that begin with `#` are comments.
    pub(super) fn read(text: &str) -> Self {
        let mut list = Self { counts: BTreeMap::new(), wrong: Vec::new() };
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match line.split_once("  #") {
                Some((what, why)) if !why.trim().is_empty() => {
                    *list.counts.entry(what.trim().to_owned()).or_default() += 1;
                }
                _ => list.wrong.push(format!("no `FILE: WHAT  # WHY`: {line}")),
            }
        }
        list
    }

    /// How many of the mutants of a name may survive.
    pub(super) fn allows(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Compares the list with the mutants of each name that survive, `(name, place)`. Where
    /// `whole`, all mutants were tried, but for those named in `unmeasured`.
    pub(super) fn compare(
        &self,
        file: &str,
        survivors: &[(String, String)],
        whole: bool,
        unmeasured: &[String],
    ) -> Vec<String> {
        let mut wrong: Vec<String> =
            self.wrong.iter().map(|line| format!("{file}: {line}")).collect();
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, place) in survivors {
            found.entry(name).or_default().push(place);
        }
        for (name, places) in &found {
            let allowed = self.allows(name);
            if places.len() > allowed {
                let more = if allowed == 0 {
                    String::new()
                } else {
                    format!(" ({file} has {allowed} of these)")
                };
                wrong.extend(places.iter().map(|place| format!("survives: {place}{more}")));
            }
        }
        if whole {
            let measured = |name: &&String| !unmeasured.contains(*name);
            for name in self.counts.keys().filter(measured) {
                let here = found.get(name.as_str()).map_or(0, Vec::len);
                let listed = self.allows(name);
                if here < listed {
                    wrong.push(format!("{file} names {listed} where {here} survive: {name}"));
                }
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "raft/src/read.rs: replace Raft<S>::read -> u64 with 0";

    fn survivors(lines: &[u8]) -> Vec<(String, String)> {
        lines
            .iter()
            .map(|line| (NAME.to_owned(), format!("raft/src/read.rs:{line}:9: …")))
            .collect()
    }

    fn wrong(list: &str, lines: &[u8], whole: bool) -> usize {
        List::read(list).compare("raft/mutants.txt", &survivors(lines), whole, &[]).len()
    }

    #[test]
    fn survivors_must_be_justified() {
        let list = format!("# comment\n\n{NAME}  # only a statistic\n");
        assert_eq!(wrong(&list, &[41], true), 0);
        assert_eq!(wrong("", &[41], true), 1);
        assert_eq!(wrong(&list, &[41, 50], true), 2, "one line for each");
        assert_eq!(wrong(&format!("{list}{NAME}  # the other\n"), &[41, 50], true), 0);
        assert_eq!(wrong(&list, &[], true), 1, "the list is out of date");
        assert_eq!(wrong(&list, &[], false), 0, "but not if only a part was run");
        let unmeasured = [NAME.to_owned()];
        assert_eq!(List::read(&list).compare("x", &[], true, &unmeasured), [""; 0]);
    }

    #[test]
    fn every_line_needs_a_reason() {
        assert_eq!(wrong(&format!("{NAME}\n"), &[], true), 1);
        assert_eq!(wrong(&format!("{NAME}  # \n"), &[], true), 1);
    }
}
