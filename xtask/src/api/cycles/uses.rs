//! Imports between the files of a crate.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ImplItemFn, Item, ItemUse, Lit, Meta, Path, Visibility};

use crate::api::condition::Condition;
use crate::api::scope::{Scope, Thing, imports};
use crate::api::source::{Source, attributes_of};

/// The imported names, by the indexes of the importing and the imported file.
pub(super) type Uses = BTreeMap<(usize, usize), Vec<String>>;

/// The imports of each file, by `use` and by paths in code. `mod` and re-exports (`pub use`, `pub(crate) use`) do not count, and a
/// path does not tell in which file a method is defined.
pub(super) fn uses(source: &Source) -> Uses {
    let scope = Scope::new(source);
    let mut all = Uses::new();
    for (module, it) in source.modules.iter().enumerate() {
        let mut visitor = Visitor { scope: &scope, module, file: it.file, uses: &mut all };
        it.items.iter().for_each(|member| visitor.visit_item(&member.item));
    }
    for &(from, to) in &source.expansions {
        if from != to {
            all.entry((from, to)).or_default().push("a macro".to_owned());
        }
    }
    for names in all.values_mut() {
        names.sort();
        names.dedup();
    }
    all
}

struct Visitor<'a> {
    scope: &'a Scope<'a>,
    module: usize,
    file: usize,
    uses: &'a mut Uses,
}

impl Visitor<'_> {
    fn path(&mut self, path: &[String]) {
        let Some((things, taken)) = self.scope.resolve(self.module, path) else { return };
        for thing in things {
            if let Thing::Item(id) = thing {
                self.used(id.module, path.get(..taken).unwrap_or_default());
            }
        }
    }

    fn used(&mut self, module: usize, path: &[String]) {
        let Some(module) = self.scope.source.modules.get(module) else { return };
        if module.file != self.file {
            let name = path.last().cloned().unwrap_or_default();
            self.uses.entry((self.file, module.file)).or_default().push(name);
        }
    }

    /// Finds paths in the arguments of a macro, whose syntax is unknown.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.path(&std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.path(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.path(&path);
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if Condition::of(attributes_of(item)).is_some() {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if Condition::of(&item.attrs).is_some() {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !matches!(item.vis, Visibility::Inherited) {
            return;
        }
        let leading = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
        for (name, path) in imports(&item.tree, leading) {
            // only the names that the code mentions count, not all that `*` imports
            if name.is_some() {
                self.path(&path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let leading = path.leading_colon.is_some().then(String::new);
        let names = path.segments.iter().map(|segment| segment.ident.to_string());
        self.path(&leading.into_iter().chain(names).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // paths in a definition count where it is expanded
        if item.ident.is_none() {
            visit::visit_item_macro(self, item);
        }
    }

    /// `serde(with = "path")`
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::List(list) = &attribute.meta else { return };
        let mut literals = Vec::new();
        find_literals(list.tokens.clone(), &mut literals);
        for text in literals {
            let Ok(path) = syn::parse_str::<Path>(&text) else { continue };
            let names: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let things = self.scope.resolve(self.module, &names).map(|(things, _)| things);
            for thing in things.unwrap_or_default() {
                match thing {
                    Thing::Item(id) => self.used(id.module, &names),
                    Thing::Module(module) => self.used(module, &names),
                    Thing::Foreign(_) => {}
                }
            }
        }
    }
}

fn find_literals(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => find_literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Ok(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) =
                    syn::parse_str(&literal.to_string())
                {
                    found.push(text.value());
                }
            }
            _ => {}
        }
    }
}
