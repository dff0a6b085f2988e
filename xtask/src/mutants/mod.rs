mod cfg;
mod child;
mod compile;
mod doc_examples;
mod find;
mod individual;
mod plan;
mod pretty;
mod render;
mod results;
mod site;
mod suite;
mod survivors;
mod switch;
mod target;
mod trial;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cfg::Cfg;
use compile::{Built, Exclusion};
use individual::IndividualBuilds;
use plan::{Plan, Selection};
use results::Totals;
use site::{Id, Mutant, Numbers, Source};
use suite::Suite;
use survivors::List;
use target::MutatedCrate;
use trial::Verdict;

use crate::Verb;
use crate::date::today;
use crate::failure::{Failure, Outcome};
use crate::rank;
use crate::scratch::Scratch;
use crate::tool::{root, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "mutants",
    about: "changes the crates' code in every small way; the tests must notice",
    help: "
A mutant is a source with one small change: a function that returns at once, another operator, a
match arm, a field, an assignment, a `!` or a `-` less, a guard that is always true or false,
`min` for `max` and the other way round. If the tests pass with it, nothing tests what it changes,
or it changes nothing. The crates are core, log, clocks, crdt, ring, election and raft; the
tests are each crate's own with the examples of its documentation, and those of the simulator that
are about it.

    cargo xtask mutants                     100 mutants of each crate, which the commit determines
    cargo xtask mutants crdt clocks         of these crates
    cargo xtask mutants --sample 300        so many of each
    cargo xtask mutants --seed 7            those that another number determines: a run prints its
    cargo xtask mutants --all raft          all mutants of a crate, or of every crate
    cargo xtask mutants map.rs list.rs      all mutants in sources with one of these in their path
    cargo xtask mutants --only OrMap::edit  all with this in their name
    cargo xtask mutants --again             those that survived last time, after tests were added
    cargo xtask mutants --list hlc.rs       only says which mutants there are
    cargo xtask mutants --quick             leaves out what needs a build of its own: not measured
    cargo xtask mutants --jobs 1            so many mutants at once (one for each core unless told)

All mutants of a crate are compiled into one program, in a copy of the repository in the target
folder, and each is selected at run time (mutant schemata). What the compiler refuses is left out.
Then each test runs alone, which says how long it takes and which mutants it reaches, and each
mutant meets the tests that reach it, the quick ones first, up to the first that fails. A run that
takes ten times as long as without a mutant, and 5 seconds, is killed: the mutant was noticed.
Mutants in what the compiler evaluates (constants, lengths of arrays, patterns) cannot be selected
at run time; each is built alone, which takes some seconds. So is each in a `const fn` that would
survive otherwise: a test may have a constant made by it.

A survivor is shown with its file, line and change as soon as it is found. Write a test that fails
with it; try it with

    cargo xtask mutants --only 'map.rs: replace < with <='

If nothing can tell a survivor from the original, or only in speed, it gets a line in mutants.txt of
its crate, `FILE: WHAT  # WHY`, without a line number, as those move; one line for each, if several
have the same name. Exit code 1 if a survivor is not there; with --all also if a line names no
survivor any more, or if less than 95 % of a crate's mutants are noticed. With --all and no other
restriction the results go to docs/mutants.md, which is committed, as mutants.txt is.

Not changed, and so not measured: what macros write, `unsafe` functions, constructors called `new`,
`Default`, and what is compiled only with the feature `defmt`, or only without a feature. A Ctrl-C
ends the run and all it started; the survivors so far have been printed.",
    run,
};

/// So many of a hundred mutants must be noticed.
const NOTICED_PERCENT: usize = 95;
/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

fn run(args: &[String]) -> Outcome {
    let plan = Plan::parse(args)?;
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    let mut found = false;
    for &krate in &plan.crates {
        let sources = find::sources(&root(), krate.folder, &Cfg::new(krate.features))?;
        let numbers = Numbers::of(&sources);
        let chosen = chosen(&plan, krate, &sources, &numbers)?;
        if chosen.is_empty() {
            continue;
        }
        found = true;
        if plan.list {
            chosen.iter().for_each(|id| println!("{}", place(&sources, *id)));
            continue;
        }
        let run = Run { plan: &plan, krate, sources: &sources, numbers: &numbers };
        let verdicts = run.measure(&chosen)?;
        let totals = run.report(&verdicts, &mut wrong)?;
        rows.push((krate.folder, totals));
    }
    if !found && plan.selection != Selection::LastSurvivors {
        return Err(Failure::usage("no mutant is in such a file, or has such a name"));
    }
    if !rows.is_empty() {
        println!();
        results::print(&rows);
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(wrong.join("\n"))) }
}

/// The mutants that are to be compiled.
fn chosen(
    plan: &Plan,
    krate: &MutatedCrate,
    sources: &[Source],
    numbers: &Numbers,
) -> Outcome<BTreeSet<Id>> {
    let last = if plan.selection == Selection::LastSurvivors {
        last_survivors(krate)?
    } else {
        BTreeSet::new()
    };
    let wanted = |id: &Id| {
        let Some(source) = sources.get(id.source) else { return false };
        let path = source.path.to_string_lossy();
        let file = plan.files.is_empty() || plan.files.iter().any(|file| path.contains(file));
        let name = name(sources, *id);
        let only = plan.only.as_ref().is_none_or(|text| name.contains(text));
        file && only && (plan.selection != Selection::LastSurvivors || last.contains(&name))
    };
    Ok(numbers.all().filter(wanted).collect())
}

/// Where the survivors of a crate's last run are.
fn last_file(krate: &MutatedCrate) -> Outcome<PathBuf> {
    Ok(target_dir()?.join(format!("mutants/survivors-{}.txt", krate.folder)))
}

fn last_survivors(krate: &MutatedCrate) -> Outcome<BTreeSet<String>> {
    let text = fs::read_to_string(last_file(krate)?).unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Whether a mutant that was tried at run time must be tried as the compiler evaluates it, too.
fn is_undecided(verdict: Verdict, in_const_fn: bool) -> bool {
    in_const_fn && verdict == Verdict::Survives
}

/// `raft/src/read.rs: replace …`: the name in lists.
fn name(sources: &[Source], id: Id) -> String {
    described(sources, id, |_| String::new())
}

/// `raft/src/read.rs:41:9: replace …`.
fn place(sources: &[Source], id: Id) -> String {
    described(sources, id, |mutant| format!(":{}:{}", mutant.line, mutant.column))
}

fn described(sources: &[Source], id: Id, at: impl Fn(&Mutant) -> String) -> String {
    match (sources.get(id.source), site::mutant(sources, id)) {
        (Some(source), Some(mutant)) => {
            format!("{}{}: {}", source.path.display(), at(mutant), mutant.what)
        }
        _ => String::new(),
    }
}

/// The mutants of one crate.
struct Run<'a> {
    plan: &'a Plan,
    krate: &'static MutatedCrate,
    sources: &'a [Source],
    numbers: &'a Numbers,
}

/// What became of each mutant, and how long that took.
struct Verdicts {
    of: BTreeMap<Id, Verdict>,
    took: Duration,
}

impl Run<'_> {
    fn measure(&self, chosen: &BTreeSet<Id>) -> Outcome<Verdicts> {
        let Self { plan, krate, sources, numbers } = *self;
        let folder = krate.folder;
        println!("\n=== {folder}: {} mutants in {} sources", chosen.len(), sources.len());
        let scratch = Scratch::new("mutants")?;
        scratch.reset()?;
        let examples = if krate.doc_examples {
            doc_examples::examples(&root(), sources, krate.features)
        } else {
            Vec::new()
        };
        let begin = Instant::now();
        let built = compile::build(
            &scratch,
            krate,
            sources,
            numbers,
            &|id| chosen.contains(&id),
            examples,
        )?;
        let Built { programs, mut exclusions, examples } = built;
        eprintln!("{folder}: compiled in {:.0} s", begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let suite = Suite::record(programs, numbers.len(), &scratch.target, plan.jobs)?;
        eprintln!(
            "{folder}: {} tests take {:.1} s one after the other; recorded in {:.0} s",
            suite.tests.len(),
            suite.total_time().as_secs_f64(),
            begin.elapsed().as_secs_f64()
        );
        // what no test reaches at run time may be evaluated by the compiler
        for id in chosen {
            let compiled =
                !exclusions.contains_key(id) && suite.reaching(numbers.of_mutant(*id)).is_empty();
            if compiled && site::mutant(sources, *id).is_some_and(|mutant| mutant.in_const_fn) {
                exclusions.insert(*id, Exclusion::Individual);
            }
        }
        let sampled = self.sample(
            chosen
                .iter()
                .copied()
                .filter(|id| exclusions.get(id) != Some(&Exclusion::Broken))
                .collect(),
        );
        let (mut alone, selected): (Vec<Id>, Vec<Id>) =
            sampled.into_iter().partition(|id| exclusions.contains_key(id));
        let begin = Instant::now();
        let mut of = self.select(&suite, &selected)?;
        // a constant that a test compares with shows what a call of it at run time may not
        let in_const_fn = |id| site::mutant(sources, id).is_some_and(|mutant| mutant.in_const_fn);
        let undecided =
            of.iter().filter(|(id, verdict)| is_undecided(**verdict, in_const_fn(**id)));
        alone.extend(undecided.map(|(id, _)| *id));
        if plan.quick {
            of.extend(alone.into_iter().map(|id| (id, Verdict::Unmeasured)));
        } else {
            self.build_individually(&suite, &alone, &examples, &mut of)?;
        }
        if plan.selection != Selection::Sample {
            of.extend(
                exclusions
                    .into_iter()
                    .filter(|(_, exclusion)| *exclusion == Exclusion::Broken)
                    .map(|(id, _)| (id, Verdict::Broken)),
            );
        }
        Ok(Verdicts { of, took: begin.elapsed() })
    }

    /// Those of the mutants that are tried.
    fn sample(&self, mut all: Vec<Id>) -> Vec<Id> {
        if self.plan.selection == Selection::Sample {
            // two of the same name are told apart by their place among those of the name
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let mut keyed: Vec<(u64, Id)> = Vec::new();
            for id in all {
                let name = name(self.sources, id);
                let nth = seen.entry(name.clone()).or_default();
                *nth += 1;
                keyed.push((rank::rank(self.plan.seed, &format!("{name} {nth}")), id));
            }
            keyed.sort_unstable();
            keyed.truncate(self.plan.sample);
            all = keyed.into_iter().map(|(_, id)| id).collect();
            all.sort_unstable();
        }
        all
    }

    /// Tries those that are selected at run time, several at once.
    fn select(&self, suite: &Suite, ids: &[Id]) -> Outcome<BTreeMap<Id, Verdict>> {
        let progress = Progress::new(self.krate.folder, ids.len());
        let next = AtomicUsize::new(0);
        let found = Mutex::new((BTreeMap::new(), Vec::new()));
        let work = || {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                let number = self.numbers.of_mutant(*id);
                let tests = suite.reaching(number);
                let verdict = if tests.is_empty() {
                    Ok(Verdict::Unreached)
                } else {
                    trial::run(suite, tests, number)
                };
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match verdict {
                    Ok(verdict) => {
                        self.print_survivor(*id, verdict);
                        found.0.insert(*id, verdict);
                    }
                    Err(failure) => {
                        found.1.push(failure);
                        break;
                    }
                }
                progress.step(&found.0);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.plan.jobs {
                scope.spawn(work);
            }
            work();
        });
        let (verdicts, mut failures) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.pop().map_or(Ok(verdicts), Err)
    }

    /// Tries the others, one after the other.
    fn build_individually(
        &self,
        suite: &Suite,
        ids: &[Id],
        examples: &[doc_examples::Example],
        of: &mut BTreeMap<Id, Verdict>,
    ) -> Outcome {
        if ids.is_empty() {
            return Ok(());
        }
        eprintln!("{}: {} mutants are built alone", self.krate.folder, ids.len());
        let alone = IndividualBuilds::new(self.krate, suite, examples)?;
        let progress = Progress::new(self.krate.folder, ids.len());
        let mut verdicts = BTreeMap::new();
        for id in ids {
            let (Some(source), Some(mutant)) =
                (self.sources.get(id.source), site::mutant(self.sources, *id))
            else {
                continue;
            };
            let verdict = alone.run(source, mutant)?;
            self.print_survivor(*id, verdict);
            verdicts.insert(*id, verdict);
            progress.step(&verdicts);
        }
        of.extend(verdicts);
        Ok(())
    }

    /// Shows a survivor.
    fn print_survivor(&self, id: Id, verdict: Verdict) {
        let what = match verdict {
            Verdict::Survives => "survives",
            Verdict::Unreached => "survives, as no test reaches it",
            _ => return,
        };
        if let (Some(source), Some(mutant)) =
            (self.sources.get(id.source), site::mutant(self.sources, id))
        {
            println!("{what}: {}\n{}", place(self.sources, id), source.diff(mutant).trim_end());
        }
    }

    /// Adds up what became of the mutants, and compares the survivors with the list.
    fn report(&self, verdicts: &Verdicts, wrong: &mut Vec<String>) -> Outcome<Totals> {
        let Self { plan, krate, sources, .. } = *self;
        let mut totals = Totals { took: verdicts.took, ..Totals::default() };
        let (mut survivors, mut unmeasured) = (Vec::new(), Vec::new());
        for (id, verdict) in &verdicts.of {
            match verdict {
                Verdict::Noticed => totals.noticed += 1,
                Verdict::Hung => {
                    (totals.noticed, totals.hung) = (totals.noticed + 1, totals.hung + 1)
                }
                Verdict::Broken => totals.broken += 1,
                Verdict::Unmeasured => {
                    totals.unmeasured += 1;
                    unmeasured.push(name(sources, *id));
                }
                Verdict::Survives | Verdict::Unreached => {
                    totals.survived += 1;
                    totals.unreached += usize::from(*verdict == Verdict::Unreached);
                    survivors.push((name(sources, *id), place(sources, *id)));
                }
            }
        }
        let last: String = survivors.iter().map(|(name, _)| format!("{name}\n")).collect();
        let file = last_file(krate)?;
        fs::write(&file, last).map_err(Failure::io(file.display()))?;
        let list = fs::read_to_string(root().join(krate.list())).unwrap_or_default();
        let list = List::read(&list);
        let whole = plan.is_whole();
        let unknown = list.compare(&krate.list(), &survivors, whole, &unmeasured);
        let fine = unknown.is_empty();
        wrong.extend(unknown);
        if plan.selection == Selection::Sample {
            let Plan { sample, seed, .. } = plan;
            println!("again: cargo xtask mutants {} --sample {sample} --seed {seed}", krate.folder);
        }
        if whole && totals.noticed * 100 < totals.measured() * NOTICED_PERCENT {
            wrong.push(format!("{}: only {} % are noticed", krate.folder, totals.percent()));
        } else if whole && fine && !plan.quick {
            results::save(krate.folder, &totals, &today())?;
        }
        Ok(totals)
    }
}

/// Tells how far a run is.
struct Progress<'a> {
    name: &'a str,
    count: usize,
    begin: Instant,
    told: Mutex<Instant>,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str, count: usize) -> Self {
        Self { name, count, begin: Instant::now(), told: Mutex::new(Instant::now()) }
    }

    fn step(&self, done: &BTreeMap<Id, Verdict>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < PROGRESS_INTERVAL && done.len() < self.count {
            return;
        }
        *told = Instant::now();
        let survive =
            |verdict: &&Verdict| matches!(verdict, Verdict::Survives | Verdict::Unreached);
        let survivors = done.values().filter(survive).count();
        let took = self.begin.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // an estimate
        let left = took / done.len().max(1) as f64 * (self.count - done.len()) as f64 / 60.0;
        let Self { name, count, .. } = self;
        eprintln!("{name}: {} of {count}, {survivors} survive, {left:.0} min left", done.len());
    }
}

#[cfg(test)]
mod tests;
