//! Trait implementations, inherent methods and associated constants.

use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut as _;
use syn::{
    Attribute, Expr, ExprLit, GenericParam, Generics, ImplItem, Item, ItemImpl, Lifetime, Lit,
    Meta, Path, Token, Type, Visibility, parse_quote,
};

use super::condition::{Condition, attributes};
use super::list::List;
use super::public::Public;
use super::rewrite::Rewrite;
use super::scope::{Id, Scope, Thing, is_public};
use super::signature::{bounds, function, parameters};
use super::source::is_hidden;
use super::tokens::compact;

/// The rank of an `impl`: it follows the line of its type.
const RANK: u8 = 1;

pub(super) fn list(list: &mut List<'_>) {
    for (module, it) in list.scope.source.modules.iter().enumerate() {
        for member in &it.items {
            let Item::Impl(item) = &member.item else { continue };
            if is_hidden(&item.attrs) {
                continue;
            }
            match &item.trait_ {
                Some(_) => of_trait(list, module, item.clone(), &member.condition),
                None => inherent(list, module, item, &member.condition),
            }
        }
    }
}

/// `impl Trait for Type { Item = … }`
fn of_trait(list: &mut List<'_>, module: usize, mut item: ItemImpl, condition: &Condition) {
    let generics = item.generics.clone();
    let rewrite = || list.rewrite(module).within(&generics);
    // a user sees it if the type and the trait are public
    let mut outside = rewrite();
    outside.visit_type_mut(&mut item.self_ty);
    if let Some((_, path, _)) = &mut item.trait_ {
        outside.visit_path_mut(path);
    }
    let mut inside = rewrite();
    inside.visit_generics_mut(&mut item.generics);
    let mut types = Vec::new();
    for inner in &mut item.items {
        let ImplItem::Type(it) = inner else { continue };
        let mut inside = rewrite().within(&it.generics.clone());
        inside.visit_generics_mut(&mut it.generics);
        inside.visit_type_mut(&mut it.ty);
        types.push(format!("{}{} = {}", it.ident, parameters(&it.generics), compact(&it.ty)));
    }
    let Some((bang, path, _)) = &item.trait_ else { return };
    let Some(owner) = owner(&item, &outside.named) else { return };
    if outside.private {
        return;
    }
    types.sort();
    let types = match types.as_slice() {
        [] => String::new(),
        types => format!(" {{ {} }}", types.join(", ")),
    };
    let line = format!(
        "{}impl{} {}{} for {}{}{types}",
        if item.unsafety.is_some() { "unsafe " } else { "" },
        parameters(&item.generics),
        if bang.is_some() { "!" } else { "" },
        compact(path),
        compact(&item.self_ty),
        bounds(&item.generics),
    );
    list.push(&owner, RANK, line, condition);
}

/// The path that an `impl` is sorted under: the first of its type, its trait and its arguments that is an item of the crate. The
/// paths in it have been rewritten, and `named` are those that lead into the crate.
fn owner(item: &ItemImpl, named: &[Vec<String>]) -> Option<Vec<String>> {
    let of_type = type_path(&item.self_ty).map(names);
    let of_trait = item.trait_.as_ref().map(|(_, path, _)| names(path));
    let mut all = of_type.into_iter().chain(of_trait);
    all.find(|path| named.contains(path)).or_else(|| named.first().cloned())
}

/// The inherent methods and constants of a type.
fn inherent(list: &mut List<'_>, module: usize, item: &ItemImpl, condition: &Condition) {
    let Some(path) = type_path(&item.self_ty) else { return };
    let Some((things, _)) = list.scope.resolve(module, &names(path)) else { return };
    let ids = things.into_iter().filter_map(|thing| match thing {
        Thing::Item(id) => Some(id),
        _ => None,
    });
    let of_type = |id: &Id| {
        let item = list.scope.member(*id).map(|member| &member.item);
        matches!(item, Some(Item::Struct(_) | Item::Enum(_) | Item::Union(_) | Item::Trait(_)))
    };
    let Some(id) = ids.into_iter().find(of_type) else { return };
    let Some(owner) = list.public.path(id).map(<[String]>::to_vec) else { return };
    let mut header = item.clone();
    let (scope, public) = (list.scope, list.public);
    let rewrite = || Rewrite::new(scope, public, module).within(&item.generics);
    let mut outside = rewrite();
    outside.visit_generics_mut(&mut header.generics);
    outside.visit_type_mut(&mut header.self_ty);
    let head = format!(
        "impl{} {}{}",
        parameters(&header.generics),
        compact(&header.self_ty),
        bounds(&header.generics)
    );
    let is_for_all = head_for_all(scope, public, id).is_some_and(|it| it == head);
    let within = if is_for_all { String::new() } else { format!(" in {head}") };
    for inner in &item.items {
        let mut inner = inner.clone();
        let Some((attributes, vis, name)) = described(&inner) else { continue };
        if !is_public(vis) || is_hidden(attributes) {
            continue;
        }
        let Some(own) = Condition::of(attributes) else { continue };
        let path = [owner.as_slice(), &[name]].concat();
        let name = path.join("::");
        let line = match &mut inner {
            ImplItem::Fn(it) => {
                let mut rewrite = rewrite().within(&it.sig.generics.clone());
                rewrite.visit_signature_mut(&mut it.sig);
                function(&it.sig, &name)
            }
            ImplItem::Const(it) => {
                rewrite().visit_type_mut(&mut it.ty);
                format!("const {name}: {}", compact(&it.ty))
            }
            _ => continue,
        };
        list.push(&path, 0, format!("pub {line}{within}"), &own.and(condition));
    }
}

fn described(item: &ImplItem) -> Option<(&[Attribute], &Visibility, String)> {
    match item {
        ImplItem::Fn(it) => Some((&it.attrs, &it.vis, it.sig.ident.to_string())),
        ImplItem::Const(it) => Some((&it.attrs, &it.vis, it.ident.to_string())),
        _ => None,
    }
}

/// The path of a type, or of the target of a reference.
fn type_path(of: &Type) -> Option<&Path> {
    match of {
        Type::Path(it) if it.qself.is_none() => Some(&it.path),
        Type::Reference(it) => type_path(&it.elem),
        Type::Paren(it) => type_path(&it.elem),
        Type::Group(it) => type_path(&it.elem),
        _ => None,
    }
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// The derived implementations of a type. A derive bounds each type parameter by the same trait.
pub(super) fn derived(
    list: &mut List<'_>,
    path: &[String],
    of: &[Attribute],
    generics: &Generics,
    condition: &Condition,
    module: usize,
) {
    let all = attributes(of);
    for (own, meta) in &all {
        let Meta::List(derive) = meta else { continue };
        if !derive.path.is_ident("derive") {
            continue;
        }
        let traits = derive.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
        for mut name in traits.unwrap_or_default() {
            list.rewrite(module).visit_path_mut(&mut name);
            let line = implementation(path, &name, generics, without_bounds(&all, &name));
            list.push(path, RANK, line, &own.and(condition));
        }
    }
}

fn implementation(path: &[String], name: &Path, generics: &Generics, free: bool) -> String {
    let is_deserialize = name.segments.last().is_some_and(|last| last.ident == "Deserialize");
    let shown = match compact(name).as_str() {
        // the paths that a handwritten `impl` resolves to
        "Debug" => "core::fmt::Debug".to_owned(),
        "Hash" => "core::hash::Hash".to_owned(),
        other if is_deserialize => format!("{other}<'de>"),
        other => other.to_owned(),
    };
    let bound: Option<syn::TypeParamBound> = syn::parse_str(&shown).ok();
    let (mut generics, arguments) = without_defaults(generics);
    if !free {
        generics.type_params_mut().for_each(|it| it.bounds.extend(bound.clone()));
    }
    if is_deserialize {
        // borrowed data must not outlive the input
        let lives: Vec<Lifetime> = generics.lifetimes().map(|it| it.lifetime.clone()).collect();
        generics.params.insert(0, parse_quote!('de: #(#lives)+*));
    }
    format!(
        "impl{} {shown} for {}{arguments}{}",
        parameters(&generics),
        path.join("::"),
        bounds(&generics)
    )
}

/// The generic parameters of a type as they appear after `impl`, and as arguments of the type.
fn without_defaults(generics: &Generics) -> (Generics, String) {
    let mut generics = generics.clone();
    let mut arguments = Vec::new();
    for param in &mut generics.params {
        arguments.push(match param {
            GenericParam::Type(it) => {
                it.default = None;
                it.eq_token = None;
                it.ident.to_string()
            }
            GenericParam::Const(it) => {
                it.default = None;
                it.eq_token = None;
                it.ident.to_string()
            }
            GenericParam::Lifetime(it) => it.lifetime.to_string(),
        });
    }
    match arguments.as_slice() {
        [] => (generics, String::new()),
        arguments => {
            let arguments = format!("<{}>", arguments.join(", "));
            (generics, arguments)
        }
    }
}

/// The header of an `impl` that adds no bounds to those of the type.
fn head_for_all(scope: &Scope<'_>, public: &Public, id: Id) -> Option<String> {
    let mut generics = match &scope.member(id)?.item {
        Item::Struct(it) => it.generics.clone(),
        Item::Enum(it) => it.generics.clone(),
        Item::Union(it) => it.generics.clone(),
        _ => return None,
    };
    let mut rewrite = Rewrite::new(scope, public, id.module).within(&generics.clone());
    rewrite.visit_generics_mut(&mut generics);
    let (generics, arguments) = without_defaults(&generics);
    let path = public.path(id)?.join("::");
    Some(format!("impl{} {path}{arguments}{}", parameters(&generics), bounds(&generics)))
}

/// Whether `serde(bound = "")` removes the bounds of the derive.
fn without_bounds(all: &[(Condition, Meta)], name: &Path) -> bool {
    let last = name.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
    if !matches!(last.as_str(), "Serialize" | "Deserialize") {
        return false;
    }
    all.iter().any(|(_, meta)| {
        let Meta::List(list) = meta else { return false };
        let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        let is_empty = |meta: &Meta| match meta {
            Meta::NameValue(pair) if pair.path.is_ident("bound") => matches!(&pair.value,
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().is_empty()),
            _ => false,
        };
        list.path.is_ident("serde") && inner.unwrap_or_default().iter().any(is_empty)
    })
}
