//! Finds what can be changed in a crate.

use core::ops::Range;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, Pat, Signature, UnOp};

use super::cfg::Cfg;
use super::pretty::pretty;
use super::site::{Form, Mutant, Site, Source};
use super::value;
use crate::failure::{Failure, Outcome};

/// The sources of the crate in `folder`, from its `src/lib.rs` on, as far as they are compiled.
pub(super) fn sources(root: &Path, folder: &str, cfg: &Cfg) -> Outcome<Vec<Source>> {
    let mut sources = Vec::new();
    let mut waiting = vec![PathBuf::from(folder).join("src/lib.rs")];
    while let Some(path) = waiting.pop() {
        let full = root.join(&path);
        let text = fs::read_to_string(&full).map_err(Failure::io(full.display()))?;
        let (source, modules) = source(path, text, cfg)?;
        waiting.extend(modules.into_iter().map(|module| module.path(root, &source.path)));
        sources.push(source);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

/// What can be changed in one source, and the modules that it names.
pub(super) fn source(path: PathBuf, text: String, cfg: &Cfg) -> Outcome<(Source, Vec<Module>)> {
    let cannot = |error: syn::Error| {
        let at = error.span().start();
        Failure::failed(format!("{}:{}:{}: {error}", path.display(), at.line, at.column + 1))
    };
    let file = syn::parse_file(&text).map_err(cannot)?;
    let mut finder = Finder {
        cfg,
        text: &text,
        names: Vec::new(),
        modules: Vec::new(),
        inline: Vec::new(),
        function: false,
        constant: 0,
        const_fn: false,
        alone: 0..0,
        sites: Vec::new(),
        functions: Vec::new(),
    };
    if !cfg.excludes(&file.attrs) {
        finder.visit_file(&file);
    }
    let Finder { modules, sites, functions, .. } = finder;
    Ok((Source { path, text, sites, functions }, modules))
}

/// A module in a file of its own.
pub(super) struct Module {
    name: String,
    /// The modules with a body around it, in the same file.
    inline: Vec<String>,
    /// What `#[path = "…"]` says.
    file: Option<String>,
}

impl Module {
    /// Its file, from the root; where both kinds could be, the one that is.
    fn path(&self, root: &Path, parent: &Path) -> PathBuf {
        let folder = parent.parent().unwrap_or(Path::new(""));
        if let Some(file) = &self.file {
            return folder.join(file);
        }
        let stem = parent.file_stem().unwrap_or_default();
        let mut folder = match stem.to_str() {
            Some("lib" | "mod" | "main") => folder.to_path_buf(),
            _ => folder.join(stem),
        };
        folder.extend(&self.inline);
        let own = folder.join(format!("{}.rs", self.name));
        if root.join(&own).is_file() { own } else { folder.join(&self.name).join("mod.rs") }
    }
}

struct Finder<'a> {
    cfg: &'a Cfg,
    text: &'a str,
    /// The items around.
    names: Vec<String>,
    modules: Vec<Module>,
    inline: Vec<String>,
    /// Whether a function is around.
    function: bool,
    /// How many things are around that the compiler evaluates.
    constant: usize,
    const_fn: bool,
    /// The statement that is all of a function's body: leaving it out is leaving out the body.
    alone: Range<usize>,
    sites: Vec<Site>,
    functions: Vec<Range<usize>>,
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range()
}

impl Finder<'_> {
    fn mutant(&self, what: String, span: Span, range: Range<usize>, text: &str) -> Mutant {
        let start = span.start();
        Mutant {
            what,
            line: start.line,
            column: start.column + 1,
            range,
            text: text.to_owned(),
            in_const_fn: self.const_fn,
        }
    }

    /// One inside a function.
    fn inside(&self, what: &str, span: Span, text: &str) -> Mutant {
        let name = self.names.join("::");
        let what = if self.function { format!("{what} in {name}") } else { what.to_owned() };
        self.mutant(what, span, bytes(span), text)
    }

    fn add(&mut self, range: Range<usize>, form: Form, mutants: Vec<Mutant>) {
        if !mutants.is_empty() {
            let form = if self.constant > 0 { Form::Constant } else { form };
            self.sites.push(Site { range, form, mutants });
        }
    }

    /// What the compiler evaluates.
    fn in_constant(&mut self, look: impl FnOnce(&mut Self)) {
        self.constant += 1;
        look(self);
        self.constant -= 1;
    }

    fn within(&mut self, name: String, look: impl FnOnce(&mut Self)) {
        self.names.push(name);
        look(self);
        self.names.pop();
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if self.cfg.excludes(attributes) || signature.unsafety.is_some() || block.stmts.is_empty() {
            return;
        }
        let before = (self.function, self.const_fn, self.constant);
        // a function in a constant is called when it is called
        (self.function, self.const_fn, self.constant) = (true, signature.constness.is_some(), 0);
        self.within(signature.ident.to_string(), |this| {
            let start = bytes(signature.span()).start;
            this.functions.push(start..bytes(block.span()).end);
            this.body(signature, block);
            if let [only] = block.stmts.as_slice() {
                this.alone = bytes(only.span());
            }
            this.visit_signature(signature);
            this.visit_block(block);
        });
        (self.function, self.const_fn, self.constant) = before;
    }

    fn body(&mut self, signature: &Signature, block: &Block) {
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else { return };
        let span = first.span();
        let range = bytes(span).start..bytes(last.span()).end;
        let old: String = self.text.get(range.clone()).unwrap_or_default().to_owned();
        let output = match &signature.output {
            syn::ReturnType::Default => String::new(),
            output => format!(" {}", pretty(output)),
        };
        let name = self.names.join("::");
        let mut mutants = Vec::new();
        for value in value::of_return(&signature.output) {
            if old != value.name && old != value.code {
                let what = format!("replace {name}{output} with {}", value.name);
                mutants.push(self.mutant(what, span, range.clone(), &value.code));
            }
        }
        let open = bytes(block.brace_token.span.open()).end;
        if value::is_opaque(&signature.output) {
            let close = bytes(block.brace_token.span.close()).start;
            self.add(open..close, Form::Iterator, mutants);
        } else {
            self.add(open..open, Form::Body, mutants);
        }
    }

    /// Assignments that can be left out.
    fn assignment(&mut self, stmt: &syn::Stmt) {
        let syn::Stmt::Expr(expr, _) = stmt else { return };
        let left = match expr {
            Expr::Assign(assign) => &*assign.left,
            Expr::Binary(binary) if is_assignment(&binary.op) => &*binary.left,
            _ => return,
        };
        let range = bytes(stmt.span());
        // `_ = x` changes nothing
        if matches!(left, Expr::Infer(_)) || range == self.alone {
            return;
        }
        let mutant =
            self.inside(&format!("delete assignment to {}", pretty(left)), stmt.span(), "");
        self.add(range, Form::Statement, vec![mutant]);
    }

    /// Calls that can be of another function.
    fn call(&mut self, call: Range<usize>, name: &syn::Ident) {
        let old = name.to_string();
        let Some((_, other)) = CALLS.iter().find(|(call, _)| *call == old) else { return };
        let mutant = self.inside(&format!("replace {old} with {other}"), name.span(), other);
        self.add(call, Form::Call, vec![mutant]);
    }

    /// Operators that can be another.
    fn operator(&mut self, binary: &syn::ExprBinary) {
        let others = replacements(&binary.op);
        let op = pretty(&binary.op);
        let mutants: Vec<Mutant> = others
            .iter()
            .map(|other| {
                self.inside(&format!("replace {op} with {other}"), binary.op.span(), other)
            })
            .collect();
        let (left, right) = (bytes(binary.left.span()), bytes(binary.right.span()));
        let form = match binary.op {
            BinOp::And(_) | BinOp::Or(_) if has_let(&binary.left) || has_let(&binary.right) => {
                // `let` is no operand of `||`
                return;
            }
            BinOp::And(_) => Form::Lazy { left, right, and: true },
            BinOp::Or(_) => Form::Lazy { left, right, and: false },
            BinOp::Eq(_)
            | BinOp::Ne(_)
            | BinOp::Lt(_)
            | BinOp::Le(_)
            | BinOp::Gt(_)
            | BinOp::Ge(_) => Form::Operator { left, right, op, compares: true },
            _ if op.ends_with('=') => Form::Assign { left, right, op },
            _ => Form::Operator { left, right, op, compares: false },
        };
        self.add(bytes(binary.span()), form, mutants);
    }
}

/// What an operator is replaced with; as cargo-mutants does.
fn replacements(op: &BinOp) -> &'static [&'static str] {
    match op {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Lt(_) => &["==", ">", "<="],
        BinOp::Gt(_) => &["==", "<", ">="],
        BinOp::Le(_) => &[">"],
        BinOp::Ge(_) => &["<"],
        BinOp::Add(_) => &["-", "*"],
        BinOp::AddAssign(_) => &["-=", "*="],
        BinOp::Sub(_) | BinOp::Mul(_) => &["+", "/"],
        BinOp::SubAssign(_) | BinOp::MulAssign(_) => &["+=", "/="],
        BinOp::Div(_) => &["%", "*"],
        BinOp::DivAssign(_) => &["%=", "*="],
        BinOp::Rem(_) => &["/", "+"],
        BinOp::RemAssign(_) => &["/=", "+="],
        BinOp::Shl(_) => &[">>"],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::Shr(_) => &["<<"],
        BinOp::ShrAssign(_) => &["<<="],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::BitOrAssign(_) => &["&="],
        BinOp::BitXor(_) => &["|", "&"],
        BinOp::BitXorAssign(_) => &["|=", "&="],
        _ => &[],
    }
}

fn is_assignment(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

/// What a call is replaced with: of numbers, of `core::cmp` and of iterators.
const CALLS: &[(&str, &str)] = &[
    ("min", "max"),
    ("max", "min"),
    ("min_by", "max_by"),
    ("max_by", "min_by"),
    ("min_by_key", "max_by_key"),
    ("max_by_key", "min_by_key"),
];

/// Whether an operand of a chain of `&&` is a `let`.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            has_let(&binary.left) || has_let(&binary.right)
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !self.cfg.excludes(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        if item.content.is_none() {
            let file = path_attribute(&item.attrs);
            self.modules.push(Module { name, inline: self.inline.clone(), file });
            return;
        }
        self.inline.push(name.clone());
        self.within(name, |this| visit::visit_item_mod(this, item));
        self.inline.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let kind = pretty(&item.self_ty);
        let name = match &item.trait_ {
            // no other default is as good
            Some((_, path, _)) if path.segments.last().is_some_and(|s| s.ident == "Default") => {
                return;
            }
            Some((_, path, _)) => format!("<impl {} for {kind}>", pretty(path)),
            None => kind,
        };
        self.within(name, |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), |this| visit::visit_item_trait(this, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            _ => &[],
        };
        if !self.cfg.excludes(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        // no other new one is as good
        if item.sig.ident != "new" {
            self.function(&item.attrs, &item.sig, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = item.default.as_ref().filter(|_| item.sig.ident != "new") {
            self.function(&item.attrs, &item.sig, block);
        }
    }

    // what the compiler evaluates

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.in_constant(|this| visit::visit_item_const(this, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.in_constant(|this| visit::visit_item_static(this, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.in_constant(|this| visit::visit_impl_item_const(this, item));
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.in_constant(|this| visit::visit_trait_item_const(this, item));
    }

    fn visit_expr_const(&mut self, expr: &'ast syn::ExprConst) {
        self.in_constant(|this| visit::visit_expr_const(this, expr));
    }

    fn visit_expr_repeat(&mut self, expr: &'ast syn::ExprRepeat) {
        self.visit_expr(&expr.expr);
        self.in_constant(|this| this.visit_expr(&expr.len));
    }

    /// Lengths of arrays and generic arguments are the only expressions in types.
    fn visit_type(&mut self, kind: &'ast syn::Type) {
        self.in_constant(|this| visit::visit_type(this, kind));
    }

    fn visit_generic_argument(&mut self, argument: &'ast syn::GenericArgument) {
        self.in_constant(|this| visit::visit_generic_argument(this, argument));
    }

    fn visit_generics(&mut self, generics: &'ast syn::Generics) {
        self.in_constant(|this| visit::visit_generics(this, generics));
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !self.cfg.excludes(&variant.attrs) {
            self.in_constant(|this| visit::visit_variant(this, variant));
        }
    }

    fn visit_pat(&mut self, pat: &'ast Pat) {
        self.in_constant(|this| visit::visit_pat(this, pat));
    }

    // expressions

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_stmt(&mut self, stmt: &'ast syn::Stmt) {
        let attributes: &[Attribute] = match stmt {
            syn::Stmt::Local(local) => &local.attrs,
            syn::Stmt::Expr(expr, _) => expr_attributes(expr),
            _ => &[],
        };
        if !self.cfg.excludes(attributes) {
            self.assignment(stmt);
            visit::visit_stmt(self, stmt);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // how much is reserved changes nothing
        if call.method != "with_capacity" {
            self.call(bytes(call.span()), &call.method);
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let name = match &*call.func {
            Expr::Path(path) => path.path.segments.last().map(|last| &last.ident),
            _ => None,
        };
        if name.is_some_and(|name| name == "with_capacity") {
            return;
        }
        if let Some(name) = name {
            self.call(bytes(call.span()), name);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        self.operator(binary);
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let op = match unary.op {
            UnOp::Not(_) => '!',
            UnOp::Neg(_) => '-',
            _ => return visit::visit_expr_unary(self, unary),
        };
        let mutant = self.inside(&format!("delete {op}"), unary.op.span(), "");
        let literal = matches!(&*unary.expr, Expr::Lit(_));
        let form = Form::Unary { operand: bytes(unary.expr.span()), op, literal };
        self.add(bytes(unary.span()), form, vec![mutant]);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        self.visit_expr(&expr.expr);
        let others =
            expr.arms.iter().any(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none());
        for arm in expr.arms.iter().filter(|arm| !self.cfg.excludes(&arm.attrs)) {
            self.arm(arm, others);
        }
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        if expr.rest.is_some() {
            let name = pretty(&expr.path);
            let fields = expr.fields.pairs().filter_map(|pair| {
                let syn::Member::Named(field) = &pair.value().member else { return None };
                let span = pair.value().span();
                let end = pair.punct().map_or(bytes(span).end, |comma| bytes(comma.span()).end);
                let what = format!("delete field {field} from struct {name} expression");
                let mutant = self.inside(&what, span, "");
                Some(Mutant { range: bytes(span).start..end, ..mutant })
            });
            let fields: Vec<Mutant> = fields.collect();
            self.add(bytes(expr.span()), Form::Fields, fields);
        }
        visit::visit_expr_struct(self, expr);
    }
}

impl Finder<'_> {
    fn arm(&mut self, arm: &syn::Arm, others: bool) {
        let pattern = pretty(&arm.pat);
        match &arm.guard {
            Some((_, guard)) if !has_let(guard) => {
                let old = self.text.get(bytes(guard.span())).unwrap_or_default();
                let old = old.split_whitespace().collect::<Vec<_>>().join(" ");
                let mutants = ["true", "false"].map(|new| {
                    self.inside(&format!("replace match guard {old} with {new}"), guard.span(), new)
                });
                self.add(bytes(guard.span()), Form::Guard, mutants.into());
            }
            Some(_) => {}
            None if others && !matches!(arm.pat, Pat::Wild(_)) => {
                let mutant = self.inside(&format!("delete match arm {pattern}"), arm.span(), "");
                let end = bytes(arm.pat.span()).end;
                self.add(end..end, Form::Arm, vec![mutant]);
            }
            None => {}
        }
        visit::visit_arm(self, arm);
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(file), .. }) = &pair.value else {
            return None;
        };
        Some(file.value())
    })
}

pub(super) fn item_attributes(item: &syn::Item) -> &[Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Of the expressions that are statements.
fn expr_attributes(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Assign(expr) => &expr.attrs,
        Expr::Binary(expr) => &expr.attrs,
        Expr::Block(expr) => &expr.attrs,
        Expr::Call(expr) => &expr.attrs,
        Expr::ForLoop(expr) => &expr.attrs,
        Expr::If(expr) => &expr.attrs,
        Expr::Loop(expr) => &expr.attrs,
        Expr::Macro(expr) => &expr.attrs,
        Expr::Match(expr) => &expr.attrs,
        Expr::MethodCall(expr) => &expr.attrs,
        Expr::Return(expr) => &expr.attrs,
        Expr::While(expr) => &expr.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let found = source("a/src/lib.rs".into(), text.to_owned(), &Cfg::new(""));
        let sites = found.map(|(source, _)| source.sites).unwrap_or_default();
        let mut all = Vec::new();
        for site in sites {
            let form = format!("{:?}", site.form);
            let form = form.split([' ', '(']).next().unwrap_or_default().to_owned();
            all.extend(site.mutants.into_iter().map(|mutant| (mutant.what, form.clone())));
        }
        all
    }

    fn names(text: &str) -> Vec<String> {
        found(text).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn mutants_have_the_names_of_cargo_mutants() {
        let text = "impl<S: Storage> Machine for Raft<S> { fn tick(&mut self, n: u64) -> bool { if n < 3 && !self.done { self.n += 1; } match n { 0 => true, n if n > 4 => false, _ => true } } }";
        let name = "<impl Machine for Raft<S>>::tick";
        let expected = [
            format!("replace {name} -> bool with true"),
            format!("replace {name} -> bool with false"),
            format!("replace && with || in {name}"),
            format!("replace < with == in {name}"),
            format!("replace < with > in {name}"),
            format!("replace < with <= in {name}"),
            format!("delete ! in {name}"),
            format!("delete assignment to self.n in {name}"),
            format!("replace += with -= in {name}"),
            format!("replace += with *= in {name}"),
            format!("delete match arm 0 in {name}"),
            format!("replace match guard n > 4 with true in {name}"),
            format!("replace match guard n > 4 with false in {name}"),
            format!("replace > with == in {name}"),
            format!("replace > with < in {name}"),
            format!("replace > with >= in {name}"),
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn tests_constructors_defaults_and_unsafe_are_not_mutated() {
        let text = "#[cfg(test)] mod tests { fn f() -> bool { 1 < 2 } }
            impl A { fn new() -> Self { Self(1 + 2) } fn empty(&self) {} }
            impl Default for A { fn default() -> Self { Self(1 + 2) } }
            unsafe fn f() -> bool { true }
            fn g() { let v = Vec::with_capacity(1 + 2); }
            #[cfg(feature = \"defmt\")] fn h() -> u8 { 7 }";
        assert_eq!(names(text), ["replace g with ()"]);
    }

    #[test]
    fn assignments_are_deleted_and_extremes_swapped() {
        let text = "fn f(&mut self, a: u8) {
                self.x = a; _ = a; (b, c) = (1, 2); d <<= 1; if a <= 1 { e = 1 }
            }
            fn lone(&mut self) { self.x = 1; }
            fn g(a: u8) -> u8 {
                let b = core::cmp::min(a, 2); max(b, 1).max(a); [a].iter().min_by_key(|x| max)
            }";
        let of = |kind: &str| {
            let all = found(text).into_iter().filter(|(_, form)| form == kind);
            all.map(|(what, _)| what).collect::<Vec<_>>()
        };
        let deleted = ["self.x", "(b, c)", "d", "e"];
        assert_eq!(of("Statement"), deleted.map(|it| format!("delete assignment to {it} in f")));
        assert_eq!(
            of("Call"),
            [
                "replace min with max in g",
                "replace max with min in g",
                "replace max with min in g",
                "replace min_by_key with max_by_key in g"
            ]
        );
    }

    #[test]
    fn const_contexts_are_marked() {
        let text = "const A: usize = 1 + 2; static B: [u8; A * 2] = [0; A * 2];
            enum E { X = 1 << 3 }
            const fn f(n: u8) -> u8 { match n { -1 => 1, _ => n + 1 } }
            fn g() -> [u8; 2] { const { 1 - 1 }; [0; 1 + 1] }";
        let of = |what: &str| {
            let forms = found(text).into_iter().filter(|(name, _)| name.starts_with(what));
            forms.map(|(_, form)| form).collect::<Vec<_>>()
        };
        assert_eq!(of("replace + with - in f"), ["Operator"]);
        assert_eq!(of("replace + with - in g"), ["Constant"]);
        assert_eq!(of("replace - with"), ["Constant", "Constant"]);
        assert_eq!(of("replace * with +"), ["Constant", "Constant"]);
        assert_eq!(of("replace << with >>"), ["Constant"]);
        assert_eq!(of("replace f -> u8"), ["Body", "Body"]);
    }

    #[test]
    fn let_chains_keep_their_operators() {
        assert_eq!(
            names("fn f(a: Option<u8>) { if let Some(b) = a && b < 3 {} }"),
            [
                "replace f with ()",
                "replace < with == in f",
                "replace < with > in f",
                "replace < with <= in f"
            ]
        );
    }

    #[test]
    fn modules_are_found_where_the_compiler_looks() {
        let module = |name: &str, inline: &[&str], file: Option<&str>| Module {
            name: name.into(),
            inline: inline.iter().map(ToString::to_string).collect(),
            file: file.map(str::to_owned),
        };
        let root = crate::tool::root();
        let path = |module: Module, parent: &str| module.path(&root, Path::new(parent));
        let list = path(module("list", &[], None), "core/src/lib.rs");
        assert_eq!(list, Path::new("core/src/list.rs"));
        let store = path(module("store", &[], None), "log/src/lib.rs");
        assert_eq!(store, Path::new("log/src/store/mod.rs"));
        let inner = path(module("heap", &[], None), "log/src/store/mod.rs");
        assert_eq!(inner, Path::new("log/src/store/heap.rs"));
        let given = path(module("x", &[], Some("y.rs")), "log/src/store/mod.rs");
        assert_eq!(given, Path::new("log/src/store/y.rs"));
    }
}
