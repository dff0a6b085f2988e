//! Builds and tests one mutant at a time, for those that cannot be selected at run time.

use std::fs;

use super::compile;
use super::doc_examples::{self, Example};
use super::site::{Mutant, Source};
use super::suite::Suite;
use super::switch;
use super::target::MutatedCrate;
use super::trial::{self, Verdict};
use crate::failure::{Failure, Outcome};
use crate::scratch::Scratch;

/// A copy of the repository in which one mutant at a time is planted.
pub(super) struct IndividualBuilds<'a> {
    scratch: Scratch,
    krate: &'a MutatedCrate,
    suite: &'a Suite,
    /// The suite's tests.
    tests: Vec<usize>,
}

impl<'a> IndividualBuilds<'a> {
    pub(super) fn new(
        krate: &'a MutatedCrate,
        suite: &'a Suite,
        examples: &[Example],
    ) -> Outcome<Self> {
        let scratch = Scratch::new("mutants-individual")?;
        scratch.reset()?;
        // values name things of it
        switch::write(&scratch.tree, 0)?;
        switch::depend(&scratch.tree, krate.folder)?;
        if krate.doc_examples {
            let path =
                scratch.tree.join(krate.folder).join(format!("tests/{}.rs", doc_examples::PROGRAM));
            let program = doc_examples::program(&krate.package(), examples);
            compile::update(&path, &program)?;
        }
        Ok(Self { scratch, krate, suite, tests: (0..suite.tests.len()).collect() })
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
        if compile::check(&self.scratch, self.krate)?.is_err() {
            return Ok(Verdict::Broken);
        }
        let Ok(programs) = compile::build_all(&self.scratch, self.krate)? else {
            // a test that does not compile any more has noticed it
            return Ok(Verdict::Noticed);
        };
        let suite = self.suite.with_programs(programs).ok_or_else(|| {
            Failure::failed(format!("{}: other test programs with a mutant", self.krate.folder))
        })?;
        trial::run(&suite, &self.tests, 0)
    }
}
