//! Code that rustfmt gives up on.

use core::ops::Range;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::failure::{Failure, Outcome};

/// The places, `FILE:LINE`, that are not as rustfmt writes them when they are indented wrongly
/// before.
pub(super) fn find(root: &Path, sources: &[PathBuf]) -> Outcome<Vec<String>> {
    let settings = super::settings()?;
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), None));
    let work = || {
        while let Some(path) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            let lines = look(&root.join(path), &settings);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match lines {
                Ok(lines) => found.0.extend(lines.into_iter().map(|line| (path, line))),
                Err(failure) => found.1 = Some(failure),
            }
        }
    };
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..jobs {
            scope.spawn(work);
        }
        work();
    });
    let (mut places, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    places.sort();
    let named = |(path, line): (&PathBuf, usize)| format!("{}:{line}", path.display());
    failure.map_or_else(|| Ok(places.into_iter().map(named).collect()), Err)
}

/// The first line of each part of a file that differs.
fn look(path: &Path, settings: &str) -> Outcome<Vec<usize>> {
    let text = fs::read_to_string(path).map_err(Failure::io(path.display()))?;
    let wrong = indented_wrongly(&text)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    Ok(differences(&text, &rustfmt(&wrong, settings)?))
}

fn rustfmt(text: &str, settings: &str) -> Outcome<String> {
    let cannot = || Failure::io("running rustfmt");
    let mut child = Command::new("rustfmt")
        .args(["--quiet", "--emit=stdout", "--config", settings])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot())?;
    let stdin = child.stdin.take();
    // it reads all before it writes
    if let Some(mut stdin) = stdin {
        stdin.write_all(text.as_bytes()).map_err(cannot())?;
    }
    let output = child.wait_with_output().map_err(cannot())?;
    if !output.status.success() {
        return Err(Failure::failed(format!("rustfmt failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A text with each line one blank further in, but for lines where that is another program: inside
/// literals and long comments; inside what macros take, which rustfmt leaves alone; and inside what
/// it is told to leave alone.
fn indented_wrongly(text: &str) -> syn::Result<String> {
    let file = syn::parse_file(text)?;
    let mut kept = Kept::default();
    kept.visit_file(&file);
    kept.literals(text.parse()?);
    let mut comment = false;
    let mut out = String::new();
    for (at, line) in text.lines().enumerate() {
        // a comment of several lines moves as a whole
        comment |= line.trim_start().starts_with("/*");
        let inside = comment;
        if line.contains("*/") {
            comment = false;
        }
        let keep =
            line.is_empty() || inside || kept.0.iter().any(|lines| lines.contains(&(at + 1)));
        if !keep {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    Ok(out)
}

/// Lines that are not touched.
#[derive(Default)]
struct Kept(Vec<Range<usize>>);

impl Kept {
    /// The lines after the first of a literal.
    fn literals(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => {
                    let span = literal.span();
                    self.0.push(span.start().line + 1..span.end().line + 1);
                }
                TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                    self.literals(group.stream());
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Kept {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let span = call.delimiter.span();
        self.0.push(span.open().start().line + 1..span.close().end().line + 1);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => &[],
        };
        let skip = |attribute: &syn::Attribute| {
            attribute
                .path()
                .segments
                .iter()
                .map(|part| part.ident.to_string())
                .eq(["rustfmt", "skip"])
        };
        if attributes.iter().any(skip) {
            self.0.push(item.span().start().line..item.span().end().line + 1);
        } else {
            visit::visit_item(self, item);
        }
    }
}

/// The first line of each run of lines of `old` that differ from `new`.
fn differences(old: &str, new: &str) -> Vec<usize> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut places = Vec::new();
    let mut before = true;
    for (at, line) in old.iter().enumerate() {
        let same = new.get(at) == Some(line);
        if before && !same {
            places.push(at + 1);
        }
        before = same;
    }
    if old.len() != new.len() && places.is_empty() {
        places.push(old.len().min(new.len()) + 1);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Outcome<Vec<usize>> {
        let wrong = indented_wrongly(text).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(differences(text, &rustfmt(&wrong, &super::super::settings()?)?))
    }

    #[test]
    fn formatted_code_stays_as_it_is() -> Outcome {
        let text = "\
//! Story.

/// A thing.
fn f(a: u8) -> String {
    // why
    let text = \"one
        two\";
    assert!(
        a == 0, // as it is
        \"{text}\"
    );
    /* long
    comment */
    if a == 1 { text.to_owned() } else { format!(\"{a}\") }
}

#[rustfmt::skip]
const TABLE: [u8; 4] = [
  1, 2,
  3, 4,
];
";
        assert_eq!(lines(text)?, [0; 0]);
        Ok(())
    }

    #[test]
    fn code_that_rustfmt_gives_up_on_is_found() -> Outcome {
        let long = "x".repeat(100);
        let text = format!(
            "fn f(a: u8) -> &'static str {{\n    match a {{\n        0 => \"zero\",\n        1 => a.text(\"{long}\").other(a),\n        _ => \"more\",\n    }}\n}}\n"
        );
        assert!(!lines(&text)?.is_empty());
        assert_eq!(lines("fn f() {\n  g();\n}\n")?, [2]);
        Ok(())
    }
}
