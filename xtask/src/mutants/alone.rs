//! Builds and tests one mutant at a time, for those that cannot be selected at run time.

use std::fs;

use super::compile;
use super::doc_examples::{self, Example};
use super::site::{Mutant, Source};
use super::suite::Suite;
use super::switch;
use super::target::Subject;
use super::trial::{self, Verdict};
use crate::failure::{Failure, Outcome};
use crate::scratch::Scratch;

/// A copy of the repository in which one mutant at a time is planted.
pub(super) struct Alone<'a> {
    scratch: Scratch,
    subject: &'a Subject,
    suite: &'a Suite,
    /// The suite's tests.
    tests: Vec<usize>,
}

impl<'a> Alone<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        suite: &'a Suite,
        examples: &[Example],
    ) -> Outcome<Self> {
        let scratch = Scratch::new("mutants-alone")?;
        scratch.reset()?;
        // values name things of it
        switch::write(&scratch.tree, 0)?;
        switch::depend(&scratch.tree, subject.folder)?;
        if subject.doc_examples {
            let path = scratch
                .tree
                .join(subject.folder)
                .join(format!("tests/{}.rs", doc_examples::PROGRAM));
            let program = doc_examples::program(&subject.package(), examples);
            compile::update(&path, &program)?;
        }
        Ok(Self { scratch, subject, suite, tests: (0..suite.tests.len()).collect() })
    }

    /// What becomes of a mutant.
    pub(super) fn run(&self, source: &Source, mutant: &Mutant) -> Outcome<Verdict> {
        let path = self.scratch.tree.join(&source.path);
        let write = |text: &str| fs::write(&path, text).map_err(Failure::io(path.display()));
        write(&source.with(mutant))?;
        let verdict = self.verdict();
        write(&source.text)?;
        verdict
    }

    fn verdict(&self) -> Outcome<Verdict> {
        // most of them end here
        if compile::check(&self.scratch, self.subject)?.is_err() {
            return Ok(Verdict::Broken);
        }
        let Ok(programs) = compile::build_all(&self.scratch, self.subject)? else {
            // a test that does not compile any more has noticed it
            return Ok(Verdict::Noticed);
        };
        let suite = self.suite.elsewhere(programs).ok_or_else(|| {
            Failure::failed(format!("{}: other test programs with a mutant", self.subject.folder))
        })?;
        trial::run(&suite, &self.tests, 0)
    }
}
