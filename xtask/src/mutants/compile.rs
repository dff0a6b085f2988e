//! Builds a crate with all its mutants in it, and leaves out those that do not compile.

use core::ops::Range;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::doc_examples::{self, Example};
use super::render::{self, Rendered};
use super::site::{Form, Id, Numbers, Source, site};
use super::switch;
use super::target::{MutatedCrate, Target};
use crate::failure::{Failure, Outcome};
use crate::json::Json;
use crate::programs::Program;
use crate::scratch::Scratch;
use crate::tool::Tool;

/// Why a mutant is not in the program that has all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exclusion {
    /// It does not compile.
    Broken,
    /// It cannot be selected at run time: it is built alone.
    Individual,
}

/// A crate with all its mutants, built.
pub(super) struct Built {
    pub(super) programs: Vec<Program>,
    /// The mutants that are not in it.
    pub(super) exclusions: BTreeMap<Id, Exclusion>,
    /// The examples of the documentation that are in it.
    pub(super) examples: Vec<Example>,
}

/// An error of the compiler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Error {
    pub(super) rendered: String,
    /// The files and bytes it points at first of all.
    spans: Vec<(String, Range<usize>)>,
}

/// Each run of the compiler tells of errors of one kind: types, then borrows, and so on.
const ROUNDS: usize = 40;

/// Builds the crate in a copy of the repository, with those of the mutants that are `chosen`.
pub(super) fn build(
    scratch: &Scratch,
    krate: &MutatedCrate,
    sources: &[Source],
    numbers: &Numbers,
    chosen: &impl Fn(Id) -> bool,
    mut examples: Vec<Example>,
) -> Outcome<Built> {
    switch::write(&scratch.tree, numbers.len())?;
    switch::depend(&scratch.tree, krate.folder)?;
    let constants = numbers
        .all()
        .filter(|id| site(sources, *id).is_some_and(|site| site.form == Form::Constant));
    let mut exclusions: BTreeMap<Id, Exclusion> =
        constants.filter(|id| chosen(*id)).map(|id| (id, Exclusion::Individual)).collect();
    let mut checked = false;
    for _ in 0..ROUNDS {
        let number =
            |id: Id| (chosen(id) && !exclusions.contains_key(&id)).then(|| numbers.of_mutant(id));
        let rendered: Vec<Rendered> = sources
            .iter()
            .enumerate()
            .map(|(at, source)| render::render(source, at, &number))
            .collect();
        for (source, rendered) in sources.iter().zip(&rendered) {
            update(&scratch.tree.join(&source.path), &rendered.text)?;
        }
        let program = doc_examples::program(&krate.package(), &examples);
        let doc_path = Path::new(krate.folder).join(format!("tests/{}.rs", doc_examples::PROGRAM));
        if krate.doc_examples {
            update(&scratch.tree.join(&doc_path), &program)?;
        }
        // the library first: that is sooner done, and all errors are in it
        let result = if checked { build_all(scratch, krate)? } else { check(scratch, krate)? };
        let errors = match result {
            Ok(_) if !checked => {
                checked = true;
                continue;
            }
            Ok(programs) => return Ok(Built { programs, exclusions, examples }),
            Err(errors) => errors,
        };
        let before = examples.len();
        let mut blamed = BTreeMap::new();
        for error in &errors {
            for (file, span) in &error.spans {
                if Path::new(file) == doc_path {
                    let name = doc_examples::at(&program, span.start);
                    let shown = name.unwrap_or_default();
                    eprintln!("{shown} does not compile as a test:\n{}", error.rendered);
                    examples.retain(|example| Some(example.name.as_str()) != name);
                }
                let at = sources.iter().position(|source| source.path == Path::new(file));
                if let Some((at, rendered)) = at.and_then(|at| Some((at, rendered.get(at)?))) {
                    blame(at, rendered, span, sources, &number, &mut blamed);
                }
            }
        }
        if blamed.is_empty() && before == examples.len() {
            let all: Vec<&str> = errors.iter().map(|error| error.rendered.as_str()).collect();
            let text = all.join("\n");
            return Err(Failure::failed(format!(
                "{} does not compile with mutants, and no mutant is to blame:\n{text}",
                krate.folder
            )));
        }
        exclusions.extend(blamed);
        let alone =
            exclusions.values().filter(|exclusion| **exclusion == Exclusion::Individual).count();
        let (broken, folder) = (exclusions.len() - alone, krate.folder);
        eprintln!("{folder}: {broken} mutants do not compile, {alone} are built alone");
    }
    Err(Failure::failed(format!("{}: still errors after {ROUNDS} rounds", krate.folder)))
}

/// Writes a file if that changes it, so that cargo builds only what is different.
pub(super) fn update(path: &Path, text: &str) -> Outcome {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::io(folder.display()))?;
    }
    fs::write(path, text).map_err(Failure::io(path.display()))
}

/// Finds the mutants that an error is due to, from the inside out: the mutant whose own text it
/// points at does not compile; where it points at a site, the site as it was written does not, and
/// its mutants are built alone, and the same with what is around.
fn blame(
    at: usize,
    rendered: &Rendered,
    span: &Range<usize>,
    sources: &[Source],
    number: &impl Fn(Id) -> Option<u32>,
    exclusions: &mut BTreeMap<Id, Exclusion>,
) {
    let within = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let size = |range: &Range<usize>| range.end - range.start;
    let smallest = |range: &&Range<usize>| size(range);
    let branch = rendered.branches.iter().filter(|(range, _)| within(range));
    let site = rendered.sites.iter().filter(|(range, _)| within(range));
    let branch = branch.min_by_key(|(range, _)| size(range));
    let site = site.min_by_key(|(range, _)| size(range));
    // a site inside a mutant's text is in its way sooner than the mutant
    if let Some((range, id)) = branch
        && site.is_none_or(|(inner, _)| size(range) <= size(inner))
    {
        exclusions.insert(*id, Exclusion::Broken);
        return;
    }
    let mut alone = |index: usize| {
        let count = sources
            .get(at)
            .and_then(|source| source.sites.get(index))
            .map_or(0, |site| site.mutants.len());
        let ids = (0..count).map(|mutant| Id { source: at, site: index, mutant });
        let live: Vec<Id> = ids.filter(|id| number(*id).is_some()).collect();
        exclusions.extend(live.into_iter().map(|id| (id, Exclusion::Individual)));
    };
    if let Some((_, index)) = site {
        return alone(*index);
    }
    let inside: Vec<usize> = rendered
        .sites
        .iter()
        .filter(|(range, _)| span.start <= range.start && range.end <= span.end)
        .map(|(_, index)| *index)
        .collect();
    if !inside.is_empty() {
        return inside.into_iter().for_each(alone);
    }
    // in a signature: what the function returns is not what it promises
    let function = rendered.functions.iter().filter(|range| within(range)).min_by_key(smallest);
    let Some(function) = function else { return };
    let sites = rendered.sites.iter();
    let sites = sites.filter(|(it, _)| function.start <= it.start && it.end <= function.end);
    let sites: Vec<usize> = sites.map(|(_, index)| *index).collect();
    let form = |index: &usize| sources.get(at)?.sites.get(*index).map(|site| &site.form);
    match sites.iter().find(|index| form(index) == Some(&Form::Iterator)) {
        Some(iterator) => alone(*iterator),
        None => sites.into_iter().for_each(alone),
    }
}

/// What is asked of cargo for all that is built here.
fn cargo(scratch: &Scratch, verb: &str, package: &str, features: &str) -> Tool {
    let profile = ["debug=false", "opt-level=1", "package.'*'.opt-level=2"];
    let features = (!features.is_empty()).then(|| format!("--features={features}"));
    Tool::cargo()
        .args([verb, "--quiet", "--message-format=json", "--package", package])
        .args(features)
        .args(profile.map(|setting| format!("--config=profile.dev.{setting}")))
        .env("CARGO_TARGET_DIR", &scratch.target)
        // a mutant may leave something unused, or compute what the compiler can see to fail
        .env("RUSTFLAGS", "--cap-lints=allow")
        .env(switch::BOOTSTRAP.0, switch::BOOTSTRAP.1)
        .dir(&scratch.tree)
}

/// Whether the library compiles.
pub(super) fn check(
    scratch: &Scratch,
    krate: &MutatedCrate,
) -> Outcome<Result<Vec<Program>, Vec<Error>>> {
    read(cargo(scratch, "check", &krate.package(), krate.features).arg("--lib"))
}

/// Builds all test programs.
pub(super) fn build_all(
    scratch: &Scratch,
    krate: &MutatedCrate,
) -> Outcome<Result<Vec<Program>, Vec<Error>>> {
    let mut programs = Vec::new();
    for Target { package, programs: wanted, features } in krate.targets {
        let tool = cargo(scratch, "test", package, features).arg("--no-run").args(*wanted);
        match read(tool)? {
            Ok(built) => programs.extend(built),
            errors => return Ok(errors),
        }
    }
    Ok(Ok(programs))
}

fn read(tool: Tool) -> Outcome<Result<Vec<Program>, Vec<Error>>> {
    let (ok, messages, text) = tool.try_read()?;
    if ok {
        return Ok(Ok(Program::all(&messages)));
    }
    let errors: Vec<Error> =
        messages.lines().filter_map(Json::parse).filter_map(|message| error(&message)).collect();
    if errors.is_empty() {
        return Err(Failure::failed(format!("cargo failed:\n{text}")));
    }
    Ok(Err(errors))
}

/// An error among cargo's messages.
fn error(message: &Json) -> Option<Error> {
    let message = message.get("message")?;
    if message.get("level")?.text()? != "error" {
        return None;
    }
    let span = |span: &Json| {
        let bytes = span.get("byte_start")?.number()?..span.get("byte_end")?.number()?;
        let primary = span.get("is_primary")?.is_true();
        primary.then_some((span.get("file_name")?.text()?.to_owned(), bytes))
    };
    let spans: Vec<(String, Range<usize>)> =
        message.get("spans")?.list().iter().filter_map(span).collect();
    // "aborting due to 3 previous errors" points nowhere
    let rendered = message.get("rendered").and_then(Json::text).unwrap_or_default().to_owned();
    (!spans.is_empty()).then_some(Error { rendered, spans })
}

#[cfg(test)]
mod tests {
    use super::super::cfg::Cfg;
    use super::super::find;
    use super::*;

    #[test]
    fn errors_parse_with_their_spans() {
        let text = r#"{"reason":"compiler-message","message":{"level":"error","rendered":"error: x","spans":[
            {"file_name":"a/src/lib.rs","byte_start":3,"byte_end":7,"is_primary":true},
            {"file_name":"a/src/lib.rs","byte_start":1,"byte_end":2,"is_primary":false}]}}"#;
        let error = Json::parse(text).and_then(|message| error(&message));
        let spans = vec![("a/src/lib.rs".to_owned(), 3..7)];
        assert_eq!(error, Some(Error { rendered: "error: x".into(), spans }));
    }

    #[test]
    fn errors_are_attributed_to_the_innermost_mutant() {
        let text = "fn f(a: u8, b: u8) -> bool { a + b < 9 }";
        let Ok((source, _)) = find::source("a.rs".into(), text.to_owned(), &Cfg::new("")) else {
            return;
        };
        let sources = [source];
        let numbers = Numbers::of(&sources);
        let number = |id| Some(numbers.of_mutant(id));
        let rendered = render::render(&sources[0], 0, &number);
        let exclusions = |what: &str| {
            let start = rendered.text.find(what).unwrap_or_default();
            let mut exclusions = BTreeMap::new();
            blame(0, &rendered, &(start..start + what.len()), &sources, &number, &mut exclusions);
            let all: Vec<(usize, usize, Exclusion)> = exclusions
                .into_iter()
                .map(|(id, exclusion)| (id.site, id.mutant, exclusion))
                .collect();
            all
        };
        assert_eq!(exclusions("__l - __r"), [(2, 0, Exclusion::Broken)]);
        assert_eq!(
            exclusions("__l + __r"),
            [(2, 0, Exclusion::Individual), (2, 1, Exclusion::Individual)]
        );
        assert_eq!(
            exclusions("9"),
            [
                (1, 0, Exclusion::Individual),
                (1, 1, Exclusion::Individual),
                (1, 2, Exclusion::Individual)
            ]
        );
        // points at nothing that was written anew: all in the function
        assert_eq!(exclusions("no such text").len(), 7);
        assert_eq!(exclusions(" (match").len(), 7);
    }
}
