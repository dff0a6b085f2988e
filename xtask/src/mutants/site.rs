//! Places of a source that can be changed, and the changes.

use core::ops::Range;
use std::path::PathBuf;

/// A source file of a crate, and the places in it that can be changed.
pub(super) struct Source {
    /// From the root of the repository.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Outer ones before those inside them.
    pub(super) sites: Vec<Site>,
    /// The functions, from their signatures on; outer ones first.
    pub(super) functions: Vec<Range<usize>>,
}

/// A place that can be changed in one or several ways.
pub(super) struct Site {
    /// What is written anew, in bytes; empty where something is only added.
    pub(super) range: Range<usize>,
    pub(super) form: Form,
    pub(super) mutants: Vec<Mutant>,
}

/// What a place looks like, which says how a mutant is selected there at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The start of a function's body: the mutants return early.
    Body,
    /// The whole of a function's body that returns `impl Iterator`.
    Iterator,
    /// `left op right`; a comparison borrows its operands.
    Operator { left: Range<usize>, right: Range<usize>, op: String, compares: bool },
    /// `left && right`, or `||`.
    Lazy { left: Range<usize>, right: Range<usize>, and: bool },
    /// `left op= right`.
    Assign { left: Range<usize>, right: Range<usize>, op: String },
    /// `!operand`, or `-operand`; a literal cannot be taken apart from its sign.
    Unary { operand: Range<usize>, op: char, literal: bool },
    /// After an arm's pattern: a guard that is false.
    Arm,
    /// An arm's guard.
    Guard,
    /// A struct expression with a base: each mutant leaves out a field.
    Fields,
    /// A call of `min` or `max`: the mutant calls the other.
    Call,
    /// A statement that assigns: the mutant leaves it out.
    Statement,
    /// Where the compiler evaluates, so that nothing can be selected at run time.
    Constant,
}

/// One change.
#[derive(Clone)]
pub(super) struct Mutant {
    /// What it changes, without the place: `replace < with <= in Raft::on_append`.
    pub(super) what: String,
    /// Line and column, from 1.
    pub(super) line: usize,
    pub(super) column: usize,
    /// What is replaced when this mutant alone is built.
    pub(super) range: Range<usize>,
    /// By what.
    pub(super) text: String,
    /// In a `const fn`, which may only ever be evaluated by the compiler.
    pub(super) in_const_fn: bool,
}

/// Which mutant: a source, a site in it, and a mutant there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Id {
    pub(super) source: usize,
    pub(super) site: usize,
    pub(super) mutant: usize,
}

impl Source {
    /// The source with one mutant and nothing else.
    pub(super) fn with(&self, mutant: &Mutant) -> String {
        let before = self.text.get(..mutant.range.start).unwrap_or_default();
        let after = self.text.get(mutant.range.end..).unwrap_or_default();
        format!("{before}{}{after}", mutant.text)
    }

    /// The lines that a mutant changes, before and after.
    pub(super) fn diff(&self, mutant: &Mutant) -> String {
        let (old, new) = (self.text.as_str(), self.with(mutant));
        let start = old.get(..mutant.range.start).and_then(|text| text.rfind('\n'));
        let start = start.map_or(0, |at| at + 1);
        let line_end = |text: &str, from: usize| {
            text.get(from..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| from + at)
        };
        let old_end = line_end(old, mutant.range.end);
        let new_end = line_end(&new, mutant.range.start + mutant.text.len());
        let show = |sign: char, text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            let mut shown: String =
                lines.iter().take(SHOWN).map(|line| format!("  {sign} {line}\n")).collect();
            if lines.len() > SHOWN {
                shown.push_str(&format!("  {sign} …\n"));
            }
            shown
        };
        let old = old.get(start..old_end).unwrap_or_default();
        let new = new.get(start..new_end).unwrap_or_default();
        show('-', old) + &show('+', new)
    }
}

/// Lines of a change that are shown.
const SHOWN: usize = 3;

/// Mutants by number: 1 is the first.
pub(super) struct Numbers(Vec<Id>);

impl Numbers {
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut all = Vec::new();
        for (source, Source { sites, .. }) in sources.iter().enumerate() {
            for (site, Site { mutants, .. }) in sites.iter().enumerate() {
                all.extend((0..mutants.len()).map(|mutant| Id { source, site, mutant }));
            }
        }
        Self(all)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Id> + '_ {
        self.0.iter().copied()
    }

    /// They are in order.
    pub(super) fn of_mutant(&self, id: Id) -> u32 {
        let at = self.0.binary_search(&id).map_or(0, |at| at + 1);
        u32::try_from(at).unwrap_or(0)
    }
}

pub(super) fn site(sources: &[Source], id: Id) -> Option<&Site> {
    sources.get(id.source)?.sites.get(id.site)
}

pub(super) fn mutant(sources: &[Source], id: Id) -> Option<&Mutant> {
    site(sources, id)?.mutants.get(id.mutant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_are_shown_before_and_after() {
        let text = "fn f() {\n    if a < b {\n    }\n}\n".to_owned();
        let at = text.find('<').unwrap_or_default();
        let mutant = Mutant {
            what: String::new(),
            line: 2,
            column: 10,
            range: at..at + 1,
            text: "<=".into(),
            in_const_fn: false,
        };
        let source = Source { path: "a.rs".into(), text, sites: Vec::new(), functions: Vec::new() };
        assert_eq!(source.diff(&mutant), "  -     if a < b {\n  +     if a <= b {\n");
    }
}
