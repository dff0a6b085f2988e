//! The features and targets that an item needs.

use core::fmt;
use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

/// A conjunction: every part must hold. An empty one always holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Condition(BTreeSet<String>);

impl Condition {
    /// The condition of the `#[cfg(…)]` attributes; `None` if no user's build has the item, as with tests.
    pub(super) fn of(attributes: &[Attribute]) -> Option<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|it| it.path().is_ident("cfg")) {
            all.0.extend(of_meta(&attribute.parse_args().ok()?)?.0);
        }
        Some(all)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let parts: Vec<&str> = self.0.iter().map(String::as_str).collect();
        write!(f, " [{}]", parts.join(", "))
    }
}

/// All attributes; those inside a `cfg_attr` come with its condition.
pub(super) fn attributes(attributes: &[Attribute]) -> Vec<(Condition, Meta)> {
    let mut found = Vec::new();
    attributes.iter().for_each(|it| flatten(&it.meta, &Condition::default(), &mut found));
    found
}

fn flatten(meta: &Meta, condition: &Condition, found: &mut Vec<(Condition, Meta)>) {
    let list = match meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => list,
        _ => return found.push((condition.clone(), meta.clone())),
    };
    let metas = inner(list);
    let Some((first, rest)) = metas.split_first() else { return };
    let Some(first) = of_meta(first) else { return };
    rest.iter().for_each(|meta| flatten(meta, &first.and(condition), found));
}

fn inner(list: &syn::MetaList) -> Vec<Meta> {
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    metas.unwrap_or_default().into_iter().collect()
}

/// `None` if it is false in every user's build.
fn of_meta(meta: &Meta) -> Option<Condition> {
    match meta {
        Meta::Path(path) if ["test", "doctest", "docsrs"].iter().any(|it| path.is_ident(it)) => {
            None
        }
        Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Some(one(name.value())),
            _ => Some(one(text(meta))),
        },
        Meta::List(list) if list.path.is_ident("not") => not(of_meta(inner(list).first()?)),
        Meta::List(list) if list.path.is_ident("all") => {
            let mut all = Condition::default();
            for part in inner(list) {
                all.0.extend(of_meta(&part)?.0);
            }
            Some(all)
        }
        Meta::List(list) if list.path.is_ident("any") => any(inner(list).iter().map(of_meta)),
        _ => Some(one(text(meta))),
    }
}

fn not(condition: Option<Condition>) -> Option<Condition> {
    let Some(condition) = condition else { return Some(Condition::default()) };
    let parts: Vec<&str> = condition.0.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => None,
        [part] if !part.contains(' ') => Some(one(format!("not {part}"))),
        parts => Some(one(format!("not ({})", parts.join(", ")))),
    }
}

fn any(parts: impl Iterator<Item = Option<Condition>>) -> Option<Condition> {
    let parts: Vec<Condition> = parts.flatten().collect();
    if parts.iter().any(|part| part.0.is_empty()) {
        return Some(Condition::default());
    }
    match parts.as_slice() {
        [] => None,
        [part] => Some(part.clone()),
        parts => {
            let each =
                parts.iter().map(|it| it.0.iter().cloned().collect::<Vec<_>>().join(" and "));
            Some(one(each.collect::<Vec<_>>().join(" or ")))
        }
    }
}

fn one(part: String) -> Condition {
    Condition([part].into())
}

fn text(meta: &Meta) -> String {
    super::tokens::compact(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: &str) -> Option<String> {
        let item: syn::ItemStruct = syn::parse_str(&format!("{attributes} struct S;")).ok()?;
        Condition::of(&item.attrs).map(|it| it.to_string())
    }

    #[test]
    fn features_and_targets_are_named() {
        assert_eq!(of("#[derive(Clone)]").as_deref(), Some(""));
        assert_eq!(of("#[cfg(feature = \"alloc\")]").as_deref(), Some(" [alloc]"));
        assert_eq!(of("#[cfg(not(feature = \"alloc\"))]").as_deref(), Some(" [not alloc]"));
        assert_eq!(of("#[cfg(unix)] #[cfg(feature = \"std\")]").as_deref(), Some(" [std, unix]"));
        let any = "#[cfg(any(feature = \"std\", target_os = \"linux\"))]";
        assert_eq!(of(any).as_deref(), Some(" [std or target_os = \"linux\"]"));
    }

    #[test]
    fn tests_are_no_part_of_a_users_build() {
        assert_eq!(of("#[cfg(test)]"), None);
        assert_eq!(of("#[cfg(all(test, feature = \"alloc\"))]"), None);
        assert_eq!(of("#[cfg(doctest)]"), None);
        assert_eq!(of("#[cfg(not(test))]").as_deref(), Some(""));
        assert_eq!(of("#[cfg(any(feature = \"std\", test))]").as_deref(), Some(" [std]"));
    }

    #[test]
    fn conditional_attributes_keep_their_condition() {
        let source = "#[cfg_attr(feature = \"serde\", derive(Clone), serde(x))] #[y] struct S;";
        let item: Option<syn::ItemStruct> = syn::parse_str(source).ok();
        let found = attributes(&item.map(|it| it.attrs).unwrap_or_default());
        let shown: Vec<String> =
            found.iter().map(|(condition, meta)| format!("{}{condition}", text(meta))).collect();
        assert_eq!(shown, ["derive(Clone) [serde]", "serde(x) [serde]", "y"]);
    }
}
