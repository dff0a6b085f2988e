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
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
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

/// A text with each line one blank further in, and with one blank more between two tokens of a line
/// that have one already, or of which the first is a comma or opens parentheses. Left as they are:
/// literals and long comments, where that would be another program; what macros take that rustfmt
/// leaves alone; and what it is told to leave alone.
fn indented_wrongly(text: &str) -> syn::Result<String> {
    let file = syn::parse_file(text)?;
    let mut kept = Kept::default();
    kept.visit_file(&file);
    let mut tokens = Tokens::default();
    tokens.read(text.parse()?);
    kept.lines.extend(tokens.literals);
    let mut blanks: Vec<usize> = tokens
        .places
        .windows(2)
        .filter_map(|pair| {
            let [(before, opens), (after, _)] = pair else { return None };
            let gap = text.get(before.end..after.start)?;
            let here = (*opens || !gap.is_empty()) && gap.bytes().all(|byte| byte == b' ');
            (here && !kept.contains(before.end)).then_some(before.end)
        })
        .collect();
    blanks.reverse();
    let mut comment = false;
    let mut out = String::new();
    let mut start = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        // a comment of several lines moves as a whole
        comment |= line.trim_start().starts_with("/*");
        let inside = comment;
        if line.contains("*/") {
            comment = false;
        }
        let keep =
            line == "\n" || inside || kept.lines.iter().any(|lines| lines.contains(&(at + 1)));
        if !keep {
            out.push(' ');
        }
        let end = start + line.len();
        while let Some(blank) = blanks.pop_if(|blank| *blank < end) {
            out.push_str(text.get(start..blank).unwrap_or_default());
            out.push(' ');
            start = blank;
        }
        out.push_str(text.get(start..end).unwrap_or_default());
        start = end;
    }
    Ok(out)
}

/// Where the tokens of a text are.
#[derive(Default)]
struct Tokens {
    /// Each in bytes, and whether a blank may follow that rustfmt removes or adds another to.
    places: Vec<(Range<usize>, bool)>,
    /// The lines after the first of a literal.
    literals: Vec<Range<usize>>,
}

impl Tokens {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                    let opens = group.delimiter() == Delimiter::Parenthesis;
                    self.places.push((group.span_open().byte_range(), opens));
                    self.read(group.stream());
                    self.places.push((group.span_close().byte_range(), false));
                }
                TokenTree::Literal(literal) => {
                    let span = literal.span();
                    self.literals.push(span.start().line + 1..span.end().line + 1);
                    self.places.push((span.byte_range(), false));
                }
                TokenTree::Punct(punct) => {
                    self.places.push((punct.span().byte_range(), punct.as_char() == ','));
                }
                other => self.places.push((other.span().byte_range(), false)),
            }
        }
    }
}

/// What is not touched.
#[derive(Default)]
struct Kept {
    lines: Vec<Range<usize>>,
    /// In bytes.
    places: Vec<Range<usize>>,
}

impl Kept {
    fn contains(&self, place: usize) -> bool {
        self.places.iter().any(|range| range.contains(&place))
    }
}

/// What a macro takes, if rustfmt formats it: expressions, or the value and the count of `vec!`.
fn arguments(call: &syn::Macro) -> Option<Vec<syn::Expr>> {
    if matches!(call.delimiter, syn::MacroDelimiter::Brace(_)) {
        return None;
    }
    let list = Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
    let repeated = |input: ParseStream<'_>| {
        let value = input.parse()?;
        input.parse::<syn::Token![;]>()?;
        Ok(vec![value, input.parse()?])
    };
    let list = call.parse_body_with(list).map(|list| list.into_iter().collect());
    let repeats = call.path.is_ident("vec");
    list.or_else(|error| if repeats { call.parse_body_with(repeated) } else { Err(error) }).ok()
}

impl<'ast> Visit<'ast> for Kept {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(arguments) = arguments(call) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
            return;
        }
        let span = call.delimiter.span();
        self.lines.push(span.open().start().line + 1..span.close().end().line + 1);
        self.places.push(span.open().byte_range().start..span.close().byte_range().end);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        // left alone unless all values in it are literals
        self.places.push(attribute.span().byte_range());
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
        let span = item.span();
        if attributes.iter().any(skip) {
            self.lines.push(span.start().line..span.end().line + 1);
            self.places.push(span.byte_range());
            return;
        }
        match item {
            // a text that has a name may be as long as it likes
            syn::Item::Const(item) if is_literal(&item.expr) => self.places.push(span.byte_range()),
            syn::Item::Static(item) if is_literal(&item.expr) => {
                self.places.push(span.byte_range());
            }
            syn::Item::Macro(_) => self.places.push(span.byte_range()),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if is_literal(&item.expr) {
            self.places.push(item.span().byte_range());
        }
        visit::visit_impl_item_const(self, item);
    }
}

fn is_literal(value: &syn::Expr) -> bool {
    matches!(value, syn::Expr::Lit(_))
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
    fn formatted_code_is_not_reported() -> Outcome {
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
    fn code_that_rustfmt_skips_is_not_reported() -> Outcome {
        let long = "x".repeat(100);
        let text = format!(
            "\
#[doc = include_str!(\"a.md\")]
const LONG: &str = \"{long}\";

macro_rules! twice {{
    ($($a:expr)*) => {{
        0  $(+  $a)*
    }};
}}

impl Thing {{
    const LONG: &'static str = \"{long}\";

    fn f() {{
        let a = std::vec![0;  10];
        let b = matches!(a, Some(x)  if x > 1);
        given! {{ a  b }}
    }}
}}
"
        );
        assert_eq!(lines(&text)?, [0; 0]);
        Ok(())
    }

    #[test]
    fn code_that_rustfmt_gives_up_on_is_found() -> Outcome {
        let long = "x".repeat(100);
        let text = format!(
            "fn f(a: u8) -> &'static str {{\n    match a {{\n        0 => \"zero\",\n        \
             1 => a.text(\"{long}\").other(a),\n        _ => \"more\",\n    }}\n}}\n"
        );
        assert!(!lines(&text)?.is_empty());
        assert_eq!(lines("fn f() {\n  g();\n}\n")?, [2]);
        Ok(())
    }

    /// Code of which rustfmt gives up on the second line, and leaves what is around it.
    fn second_line(text: &str) -> Outcome {
        assert_eq!(lines(text)?, [2], "{text}");
        Ok(())
    }

    #[test]
    fn one_line_statement_that_rustfmt_gives_up_on_is_found() -> Outcome {
        let long = "x".repeat(100);
        second_line(&format!(
            "fn f(a: &str) -> &str {{\n    let x = \
             a.strip_prefix(\"{long}\").map_or(   a,|b|b  );\n    x\n}}\n"
        ))?;
        // no blank in it
        second_line(&format!("fn f(a: &str) {{\n    g(\"{long}\",a);\n}}\n"))?;
        second_line(&format!("fn f(a: &str) {{\n    g(a,\"{long}\".len());\n}}\n"))
    }

    #[test]
    fn expressions_in_macros_that_rustfmt_gives_up_on_are_found() -> Outcome {
        let long = "x".repeat(100);
        second_line(&format!(
            "fn f(a: Option<u8>) {{\n    assert!(a.map(|a| {{ let b=a+1; b as usize }})\
             .is_some_and(|b| b < \"{long}\".len()));\n}}\n"
        ))?;
        second_line(&format!("fn f() {{\n    let a = vec![\"{long}\".len(); 1+2];\n}}\n"))
    }
}
