//! The lines of a list.

use quote::ToTokens as _;
use syn::visit_mut::VisitMut as _;
use syn::{Fields, Item, ItemEnum, ItemStruct, ItemTrait, TraitItem, TypeParamBound};

use super::condition::{Condition, attributes};
use super::impls;
use super::public::Public;
use super::rewrite::Rewrite;
use super::scope::{Id, Scope, Thing, is_public};
use super::signature::{bounds, function, parameters};
use super::source::{Member, Source, is_hidden};
use super::tokens::compact;

/// The lines of a crate, sorted by path; the `impl`s of a type follow its own line.
pub(super) fn list(source: &Source) -> Vec<String> {
    let scope = Scope::new(source);
    let public = Public::of(&scope);
    let mut list = List { scope: &scope, public: &public, lines: Vec::new() };
    list.modules();
    list.foreign();
    for (&id, paths) in &public.items {
        list.item(id, paths);
    }
    impls::list(&mut list);
    for (module, name) in &source.unknown {
        let file = source.modules.get(*module).and_then(|it| source.files.get(it.file));
        let file = file.map(|path| path.display().to_string()).unwrap_or_default();
        let line = format!("macro {name}!{{…}} in {file} → not expanded");
        list.push(std::slice::from_ref(name), 0, line, &Condition::default());
    }
    list.lines.sort();
    list.lines.dedup();
    list.lines.into_iter().map(|line| line.text).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    path: Vec<String>,
    rank: u8,
    text: String,
}

pub(super) struct List<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) public: &'a Public,
    lines: Vec<Line>,
}

impl<'a> List<'a> {
    pub(super) fn push(&mut self, path: &[String], rank: u8, text: String, condition: &Condition) {
        let text = format!("{text}{condition}");
        self.lines.push(Line { path: path.to_vec(), rank, text });
    }

    pub(super) fn rewrite(&self, module: usize) -> Rewrite<'a> {
        Rewrite::new(self.scope, self.public, module)
    }

    fn modules(&mut self) {
        for paths in self.public.modules.values() {
            let Some(((first, condition), others)) = paths.split_first() else { continue };
            if !first.is_empty() {
                self.push(first, 0, format!("pub mod {}", first.join("::")), condition);
            }
            self.others(first, others);
        }
    }

    /// The other paths of an item that is listed under its first.
    fn others(&mut self, first: &[String], others: &[(Vec<String>, Condition)]) {
        for (path, condition) in others {
            let line = format!("pub use {} as {}", first.join("::"), path.join("::"));
            self.push(path, 0, line, condition);
        }
    }

    fn foreign(&mut self) {
        for ((path, condition), there) in &self.public.foreign {
            let same = path.len() == 1 && path.last() == there.last();
            let name = if same { String::new() } else { format!(" as {}", path.join("::")) };
            let line = format!("pub use {}{name}", there.join("::"));
            self.push(path, 0, line, condition);
        }
    }

    fn item(&mut self, id: Id, paths: &[(Vec<String>, Condition)]) {
        let Some(Member { item, condition }) = self.scope.member(id) else { return };
        let Some(((path, named), others)) = paths.split_first() else { return };
        let condition = condition.and(named);
        self.others(path, others);
        let name = path.join("::");
        let mut item = item.clone();
        let line = match &mut item {
            Item::Struct(it) => return self.structure(it, id.module, path, &condition),
            Item::Enum(it) => return self.enumeration(it, id.module, path, &condition),
            Item::Trait(it) => return self.interface(it, id.module, path, &condition),
            Item::Fn(it) => {
                self.rewrite(id.module).within(&it.sig.generics).visit_signature_mut(&mut it.sig);
                format!("pub {}", function(&it.sig, &name))
            }
            Item::Const(it) => {
                self.rewrite(id.module).visit_type_mut(&mut it.ty);
                format!("pub const {name}: {}", compact(&it.ty))
            }
            Item::Static(it) => {
                self.rewrite(id.module).visit_type_mut(&mut it.ty);
                format!("pub static {name}: {}", compact(&it.ty))
            }
            Item::Type(it) => {
                let mut rewrite = self.rewrite(id.module).within(&it.generics);
                rewrite.visit_generics_mut(&mut it.generics);
                rewrite.visit_type_mut(&mut it.ty);
                format!("pub type {name}{} = {}", parameters(&it.generics), compact(&it.ty))
            }
            Item::Macro(_) => format!("macro {name}!"),
            other => format!("pub {}", compact(&other.to_token_stream())),
        };
        self.push(path, 0, line, &condition);
    }

    fn structure(
        &mut self,
        it: &mut ItemStruct,
        module: usize,
        path: &[String],
        condition: &Condition,
    ) {
        let generics = it.generics.clone();
        let mut rewrite = self.rewrite(module).within(&generics);
        rewrite.visit_generics_mut(&mut it.generics);
        it.fields.iter_mut().for_each(|field| rewrite.visit_type_mut(&mut field.ty));
        let mut shown = 0;
        for (at, field) in it.fields.iter().enumerate() {
            let Some(own) = Condition::of(&field.attrs) else { continue };
            if !is_public(&field.vis) || is_hidden(&field.attrs) {
                continue;
            }
            shown += 1;
            let field_name =
                field.ident.as_ref().map_or_else(|| at.to_string(), ToString::to_string);
            let path = [path, &[field_name]].concat();
            let line = format!("pub {}: {}", path.join("::"), compact(&field.ty));
            self.push(&path, 0, line, &own.and(condition));
        }
        let inside = match (shown, it.fields.len()) {
            (0, 0) => "",
            (0, _) => "private",
            (shown, all) if shown == all => "…",
            _ => "…, private",
        };
        let body = match &it.fields {
            Fields::Named(_) => format!(" {{ {inside} }}"),
            Fields::Unnamed(_) => format!("({inside})"),
            Fields::Unit => String::new(),
        };
        let line = format!(
            "{}pub struct {}{}{}{body}",
            prefix(&it.attrs),
            path.join("::"),
            parameters(&it.generics),
            bounds(&it.generics)
        );
        self.push(path, 0, line, condition);
        impls::derived(self, path, &it.attrs, &it.generics, condition, module);
    }

    fn enumeration(
        &mut self,
        it: &mut ItemEnum,
        module: usize,
        path: &[String],
        condition: &Condition,
    ) {
        let generics = it.generics.clone();
        let mut rewrite = self.rewrite(module).within(&generics);
        rewrite.visit_generics_mut(&mut it.generics);
        for variant in &mut it.variants {
            let Some(own) = Condition::of(&variant.attrs) else { continue };
            if is_hidden(&variant.attrs) {
                continue;
            }
            rewrite.visit_fields_mut(&mut variant.fields);
            let fields = variant.fields.iter().map(|field| match &field.ident {
                Some(name) => format!("{name}: {}", compact(&field.ty)),
                None => compact(&field.ty),
            });
            let fields: Vec<String> = fields.collect();
            let body = match &variant.fields {
                Fields::Named(_) => format!(" {{ {} }}", fields.join(", ")),
                Fields::Unnamed(_) => format!("({})", fields.join(", ")),
                Fields::Unit => String::new(),
            };
            let number = variant.discriminant.as_ref();
            let number = number.map(|(_, it)| format!(" = {}", compact(it))).unwrap_or_default();
            let path = [path, &[variant.ident.to_string()]].concat();
            let line = format!("{}pub {}{body}{number}", prefix(&variant.attrs), path.join("::"));
            self.push(&path, 0, line, &own.and(condition));
        }
        let line = format!(
            "{}pub enum {}{}{}",
            prefix(&it.attrs),
            path.join("::"),
            parameters(&it.generics),
            bounds(&it.generics)
        );
        self.push(path, 0, line, condition);
        impls::derived(self, path, &it.attrs, &it.generics, condition, module);
    }

    fn interface(
        &mut self,
        it: &mut ItemTrait,
        module: usize,
        path: &[String],
        condition: &Condition,
    ) {
        let sealed = it.supertraits.iter().any(|bound| self.is_private(bound, module));
        let generics = it.generics.clone();
        let mut rewrite = self.rewrite(module).within(&generics);
        rewrite.visit_generics_mut(&mut it.generics);
        it.supertraits.iter_mut().for_each(|bound| rewrite.visit_type_param_bound_mut(bound));
        for item in &mut it.items {
            self.trait_item(item, &generics, module, path, condition);
        }
        let supertraits: Vec<String> = it.supertraits.iter().map(compact).collect();
        let colon = if supertraits.is_empty() { "" } else { ": " };
        let line = format!(
            "{}pub {}trait {}{}{colon}{}{}",
            if sealed { "#[sealed] " } else { "" },
            if it.unsafety.is_some() { "unsafe " } else { "" },
            path.join("::"),
            parameters(&it.generics),
            supertraits.join(" + "),
            bounds(&it.generics)
        );
        self.push(path, 0, line, condition);
    }

    /// Marks a default: adding an item without one is a breaking change.
    fn trait_item(
        &mut self,
        item: &mut TraitItem,
        outer: &syn::Generics,
        module: usize,
        path: &[String],
        condition: &Condition,
    ) {
        let rewrite = self.rewrite(module).within(outer);
        let (attributes, name) = match item {
            TraitItem::Const(it) => (&it.attrs, it.ident.to_string()),
            TraitItem::Fn(it) => (&it.attrs, it.sig.ident.to_string()),
            TraitItem::Type(it) => (&it.attrs, it.ident.to_string()),
            _ => return,
        };
        let Some(own) = Condition::of(attributes).filter(|_| !is_hidden(attributes)) else {
            return;
        };
        let path = [path, &[name]].concat();
        let name = path.join("::");
        let line = match item {
            TraitItem::Const(it) => {
                let mut rewrite = rewrite;
                rewrite.visit_type_mut(&mut it.ty);
                let default = if it.default.is_some() { " = …" } else { "" };
                format!("const {name}: {}{default}", compact(&it.ty))
            }
            TraitItem::Fn(it) => {
                let default = if it.default.is_some() { " { … }" } else { "" };
                rewrite.within(&it.sig.generics.clone()).visit_signature_mut(&mut it.sig);
                format!("{}{default}", function(&it.sig, &name))
            }
            TraitItem::Type(it) => {
                let mut rewrite = rewrite.within(&it.generics.clone());
                rewrite.visit_generics_mut(&mut it.generics);
                it.bounds.iter_mut().for_each(|bound| rewrite.visit_type_param_bound_mut(bound));
                let each: Vec<String> = it.bounds.iter().map(compact).collect();
                let colon = if each.is_empty() { "" } else { ": " };
                format!(
                    "type {name}{}{colon}{}{}",
                    parameters(&it.generics),
                    each.join(" + "),
                    bounds(&it.generics)
                )
            }
            _ => return,
        };
        self.push(&path, 0, line, &own.and(condition));
    }

    fn is_private(&self, bound: &TypeParamBound, module: usize) -> bool {
        let TypeParamBound::Trait(bound) = bound else { return false };
        let names: Vec<String> =
            bound.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let things = self.scope.resolve(module, &names).map(|(things, _)| things);
        things.is_some_and(|things| {
            let own: Vec<Id> = things
                .into_iter()
                .filter_map(|thing| match thing {
                    Thing::Item(id) => Some(id),
                    _ => None,
                })
                .collect();
            !own.is_empty() && own.iter().all(|id| self.public.path(*id).is_none())
        })
    }
}

/// The attributes that are part of the public interface.
fn prefix(of: &[syn::Attribute]) -> String {
    let mut text = String::new();
    for (condition, meta) in attributes(of) {
        let path = meta.path();
        if ["non_exhaustive", "deprecated", "repr"].iter().any(|it| path.is_ident(it)) {
            text.push_str(&format!("#[{}]{condition} ", compact(&meta)));
        }
    }
    text
}
