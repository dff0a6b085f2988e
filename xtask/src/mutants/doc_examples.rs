//! The examples of a crate's documentation as an ordinary test program: rustdoc would compile them
//! for every run.

use core::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Lit, Meta};

use super::cfg::Cfg;
use super::find;
use super::site::Source;

/// The name of the test program.
pub(super) const PROGRAM: &str = "doc_examples";

/// An example.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Example {
    /// The file and the line where it begins.
    pub(super) name: String,
    code: String,
    panics: bool,
}

/// The examples in the sources of a crate, but for those that macros write.
pub(super) fn examples(root: &Path, sources: &[Source], features: &str) -> Vec<Example> {
    let cfg = Cfg::doctest(features);
    let mut examples = Vec::new();
    for source in sources {
        let Ok(file) = syn::parse_file(&source.text) else { continue };
        let folder = root.join(&source.path).parent().map(Path::to_path_buf).unwrap_or_default();
        let path = source.path.to_string_lossy();
        let mut finder = Finder {
            cfg: &cfg,
            folder,
            doc: Vec::new(),
            name: name_of(&path),
            examples: Vec::new(),
        };
        if !cfg.excludes(&file.attrs) {
            finder.visit_file(&file);
            finder.flush();
        }
        examples.extend(finder.examples);
    }
    examples
}

/// Writes the program's source.
pub(super) fn program(package: &str, examples: &[Example]) -> String {
    let mut text = String::from(
        "//! The examples of the documentation. Written by `cargo xtask mutants`.\n#![allow(warnings)]\n",
    );
    let krate = package.replace('-', "_");
    for Example { name, code, panics } in examples {
        let panics = if *panics { "#[should_panic]\n" } else { "" };
        // inner attributes are for the program
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("#!["));
        let code: String = lines.map(|line| format!("{line}\n")).collect();
        let _ = if code.contains("fn main()") {
            write!(
                text,
                "mod {name} {{\nuse ::{krate};\n{code}\n#[test]\n{panics}fn example() {{ main(); }}\n}}\n"
            )
        } else {
            // as rustdoc does
            let (open, close) = if returns_result(&code) {
                ("fn inner() -> Result<(), impl core::fmt::Debug> {\n", "}\ninner().unwrap();\n")
            } else {
                ("", "")
            };
            write!(
                text,
                "mod {name} {{\n#[test]\n{panics}fn example() {{\n{open}{code}{close}}}\n}}\n"
            )
        };
    }
    text
}

/// The name of the example at a byte of the program's source.
pub(super) fn at(program: &str, byte: usize) -> Option<&str> {
    let (_, rest) = program.get(..byte)?.rsplit_once("\nmod ")?;
    rest.split_whitespace().next()
}

/// Whether an example ends with `Ok::<(), E>(())`.
fn returns_result(code: &str) -> bool {
    let last = code.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.is_some_and(|last| last.starts_with("Ok::<") && last.ends_with(">(())"))
}

struct Finder<'a> {
    cfg: &'a Cfg,
    folder: PathBuf,
    /// The lines of a comment so far, with their numbers.
    doc: Vec<(usize, String)>,
    /// Of the file.
    name: String,
    examples: Vec<Example>,
}

impl Finder<'_> {
    /// The comment is over.
    fn flush(&mut self) {
        let doc = core::mem::take(&mut self.doc);
        self.examples.extend(blocks(&self.name, &doc));
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::NameValue(pair) = &attribute.meta else { return };
        if !attribute.path().is_ident("doc") {
            return;
        }
        let line = attribute.pound_token.span.start().line;
        match &pair.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => {
                // another item's comment begins
                if self.doc.last().is_some_and(|(last, _)| last + 1 != line) {
                    self.flush();
                }
                self.doc.push((line, text.value()));
            }
            Expr::Macro(expr) if expr.mac.path.is_ident("include_str") => {
                self.flush();
                let file = expr.mac.parse_body::<syn::LitStr>().map(|file| file.value());
                let text = file.map(|file| fs::read_to_string(self.folder.join(file)));
                let text = text.ok().and_then(Result::ok).unwrap_or_default();
                let lines: Vec<(usize, String)> =
                    text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned())).collect();
                let name = format!("{}_included_{line}", self.name);
                self.examples.extend(blocks(&name, &lines));
            }
            _ => {}
        }
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !self.cfg.excludes(find::item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !self.cfg.excludes(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_block(&mut self, _: &'ast syn::Block) {}
}

/// The blocks of code in a comment that are Rust and run.
fn blocks(file: &str, doc: &[(usize, String)]) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = doc.iter();
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line.as_str())
            .take_while(|line| line.trim() != "```")
            .collect();
        let words: Vec<&str> = kind.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        let runs = words
            .iter()
            .all(|word| matches!(*word, "rust" | "should_panic") || word.starts_with("edition"));
        if runs {
            let code = body.iter().map(|line| shown_or_not(line)).collect::<Vec<_>>().join("\n");
            let panics = words.contains(&"should_panic");
            examples.push(Example { name: format!("{file}_{at}"), code, panics });
        }
    }
    examples
}

/// A line that begins with `# ` is compiled and not shown; `##` stands for `#`.
fn shown_or_not(line: &str) -> String {
    let line = line.strip_prefix(' ').unwrap_or(line);
    let trimmed = line.trim_start();
    if let Some(rest) = trimmed.strip_prefix("# ") {
        return rest.to_owned();
    }
    match trimmed {
        "#" => String::new(),
        _ => trimmed.strip_prefix("##").map_or(line.to_owned(), |rest| format!("#{rest}")),
    }
}

/// `core/src/list.rs` as a name: `core_src_list`.
fn name_of(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_become_tests() {
        let text = "\
//! Story.
//!
//! ```
//! use a::B;
//! # let hidden = 1;
//! assert!(hidden == 1);
//! ```

/// A thing.
///
/// ```text
/// no code
/// ```
///
/// ```should_panic
/// panic!();
/// ```
pub struct B;

impl B {
    /// ```
    /// # use a::B;
    /// B.go()?;
    /// # Ok::<(), a::E>(())
    /// ```
    pub fn go(&self) {}
    /// ```
    /// hidden();
    /// ```
    #[cfg(test)]
    fn tested(&self) {}
}
";
        let source = Source {
            path: "a/src/b.rs".into(),
            text: text.into(),
            sites: Vec::new(),
            functions: Vec::new(),
        };
        let examples = examples(Path::new("/"), &[source], "");
        let names: Vec<&str> = examples.iter().map(|example| example.name.as_str()).collect();
        assert_eq!(names, ["a_src_b_3", "a_src_b_15", "a_src_b_21"]);
        let program = program("a", &examples);
        assert!(
            program.contains("use a::B;\nlet hidden = 1;\nassert!(hidden == 1);\n"),
            "{program}"
        );
        assert!(program.contains("#[should_panic]\nfn example() {\npanic!();\n"), "{program}");
        assert!(
            program.contains(
                "fn inner() -> Result<(), impl core::fmt::Debug> {\n\
                use a::B;\nB.go()?;\nOk::<(), a::E>(())\n}\ninner().unwrap();"
            ),
            "{program}"
        );
        assert!(syn::parse_file(&program).is_ok(), "{program}");
        let error = program.find("B.go").and_then(|byte| at(&program, byte));
        assert_eq!(error, Some("a_src_b_21"));
    }
}
