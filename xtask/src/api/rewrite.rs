//! Types and signatures with the paths that a user of the crate writes.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, GenericParam, Generics, Ident, Item, ItemType, Lifetime, Path, PathArguments,
    PathSegment, Type, TypePath,
};

use super::public::Public;
use super::scope::{Id, Scope, Thing};

/// Replaces each path by the public path of the item, regardless of the imports in the source.
pub(super) struct Rewrite<'a> {
    scope: &'a Scope<'a>,
    public: &'a Public,
    module: usize,
    /// Names of generic parameters, which shadow items.
    generics: Vec<String>,
    /// The public items seen so far.
    pub(super) named: Vec<Vec<String>>,
    /// Whether an item that users cannot name was seen.
    pub(super) private: bool,
}

impl<'a> Rewrite<'a> {
    pub(super) fn new(scope: &'a Scope<'a>, public: &'a Public, module: usize) -> Self {
        Self { scope, public, module, generics: Vec::new(), named: Vec::new(), private: false }
    }

    /// Inside an item with these generic parameters.
    pub(super) fn within(mut self, generics: &Generics) -> Self {
        let names = generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(it) => Some(it.ident.to_string()),
            GenericParam::Const(it) => Some(it.ident.to_string()),
            GenericParam::Lifetime(_) => None,
        });
        self.generics.extend(names);
        self
    }

    /// The type alias behind a type, if it is not public.
    fn private_alias(&self, of: &Type) -> Option<(Id, &'a ItemType)> {
        let Type::Path(TypePath { qself: None, path }) = of else { return None };
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if self.generics.contains(names.first()?) {
            return None;
        }
        let (things, taken) = self.scope.resolve(self.module, &names)?;
        let id = things.into_iter().find_map(|thing| match thing {
            Thing::Item(id) => Some(id),
            _ => None,
        })?;
        match &self.scope.member(id)?.item {
            Item::Type(alias) if taken == names.len() && self.public.path(id).is_none() => {
                Some((id, alias))
            }
            _ => None,
        }
    }

    /// The public path for a prefix of a path, and the length of that prefix.
    fn public_path(&mut self, names: &[String]) -> Option<(Vec<String>, usize)> {
        let first = names.first()?;
        if first == "Self" || self.generics.contains(first) {
            return None;
        }
        let (things, taken) = self.scope.resolve(self.module, names)?;
        let last = names.get(taken.checked_sub(1)?)?;
        let mut private = None;
        for thing in things {
            let path = match thing {
                Thing::Foreign(path) => return Some((canonical(path, names), taken)),
                Thing::Item(id) => self.public.path(id).map(<[String]>::to_vec),
                Thing::Module(module) => {
                    let named = self.public.modules.get(&module).and_then(|it| it.first());
                    named.map(|(path, _)| path.clone())
                }
            };
            match path {
                Some(path) => {
                    self.named.push(path.clone());
                    return Some((path, taken));
                }
                None => private = Some(vec!["private".to_owned(), last.clone()]),
            }
        }
        self.private |= private.is_some();
        private.map(|path| (path, taken))
    }
}

impl VisitMut for Rewrite<'_> {
    /// Replaces a private alias by its target.
    fn visit_type_mut(&mut self, it: &mut Type) {
        let Some((id, alias)) = self.private_alias(it) else {
            return visit_mut::visit_type_mut(self, it);
        };
        let arguments = match it {
            Type::Path(it) => it.path.segments.last_mut().map(|last| &mut last.arguments),
            _ => None,
        };
        let mut values = Vec::new();
        if let Some(PathArguments::AngleBracketed(arguments)) = arguments {
            arguments
                .args
                .iter_mut()
                .for_each(|argument| self.visit_generic_argument_mut(argument));
            values.extend(arguments.args.iter().cloned());
        }
        let mut inside = Self::new(self.scope, self.public, id.module).within(&alias.generics);
        let mut ty = (*alias.ty).clone();
        inside.visit_type_mut(&mut ty);
        self.named.append(&mut inside.named);
        self.private |= inside.private;
        Substitute::new(&alias.generics, values).visit_type_mut(&mut ty);
        *it = ty;
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        let mut names: Vec<String> = Vec::new();
        if path.leading_colon.is_some() {
            names.push(String::new());
        }
        names.extend(path.segments.iter().map(|segment| segment.ident.to_string()));
        let Some((public, mut taken)) = self.public_path(&names) else { return };
        if path.leading_colon.take().is_some() {
            taken = taken.saturating_sub(1);
        }
        let old: Vec<PathSegment> = std::mem::take(&mut path.segments).into_iter().collect();
        let arguments = old.get(taken.saturating_sub(1)).map(|it| it.arguments.clone());
        let rest = old.into_iter().skip(taken);
        for name in &public {
            path.segments.push(ident(name).into());
        }
        if let (Some(last), Some(arguments)) = (path.segments.last_mut(), arguments) {
            last.arguments = arguments;
        }
        path.segments.extend(rest);
    }

    /// In `<Type as Trait>::Item`, the length of the trait's path may change.
    fn visit_type_path_mut(&mut self, it: &mut TypePath) {
        let Some(qself) = &mut it.qself else { return visit_mut::visit_type_path_mut(self, it) };
        self.visit_type_mut(&mut qself.ty);
        let segments = std::mem::take(&mut it.path.segments);
        let (mut before, after): (Vec<_>, Vec<_>) =
            segments.into_iter().enumerate().partition(|(at, _)| *at < qself.position);
        let mut head = Path {
            leading_colon: it.path.leading_colon.take(),
            segments: before.drain(..).map(|(_, segment)| segment).collect(),
        };
        if qself.position > 0 {
            self.visit_path_mut(&mut head);
            qself.position = head.segments.len();
        }
        it.path = head;
        it.path.segments.extend(after.into_iter().map(|(_, segment)| segment));
    }

    fn visit_attribute_mut(&mut self, _: &mut syn::Attribute) {}

    fn visit_block_mut(&mut self, _: &mut syn::Block) {}
}

/// Replaces the parameters of an alias by its arguments.
struct Substitute {
    types: BTreeMap<String, Type>,
    lives: BTreeMap<String, Lifetime>,
}

impl Substitute {
    fn new(generics: &Generics, arguments: Vec<GenericArgument>) -> Self {
        let mut this = Self { types: BTreeMap::new(), lives: BTreeMap::new() };
        for (param, argument) in generics.params.iter().zip(arguments) {
            match (param, argument) {
                (GenericParam::Type(param), GenericArgument::Type(argument)) => {
                    this.types.insert(param.ident.to_string(), argument);
                }
                (GenericParam::Lifetime(param), GenericArgument::Lifetime(argument)) => {
                    this.lives.insert(param.lifetime.to_string(), argument);
                }
                _ => {}
            }
        }
        this
    }
}

impl VisitMut for Substitute {
    fn visit_type_mut(&mut self, it: &mut Type) {
        let name = match it {
            Type::Path(TypePath { qself: None, path }) => path.get_ident().map(Ident::to_string),
            _ => None,
        };
        match name.and_then(|name| self.types.get(&name)) {
            Some(value) => *it = value.clone(),
            None => visit_mut::visit_type_mut(self, it),
        }
    }

    fn visit_lifetime_mut(&mut self, it: &mut Lifetime) {
        if let Some(value) = self.lives.get(&it.to_string()) {
            *it = value.clone();
        }
    }
}

/// Names an item of `core` that was reached through `std` by its path in `core`, so that both spellings give the same line.
fn canonical(mut path: Vec<String>, names: &[String]) -> Vec<String> {
    let module = path.get(1).or_else(|| names.get(1)).map(String::as_str).unwrap_or_default();
    let is_core = CORE.contains(&module);
    if let Some(first) = path.first_mut()
        && *first == "std"
        && is_core
    {
        "core".clone_into(first);
    }
    path
}

/// Modules of `core` that `std` re-exports unchanged.
const CORE: &[&str] = &[
    "any", "cell", "clone", "cmp", "convert", "default", "error", "fmt", "future", "hash", "iter",
    "marker", "mem", "num", "ops", "option", "pin", "result", "slice", "str", "task",
];

fn ident(name: &str) -> Ident {
    let span = Span::call_site();
    match name.strip_prefix("r#") {
        Some(raw) => Ident::new_raw(raw, span),
        None => Ident::new(name, span),
    }
}
