//! What is compiled at all.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

/// The conditions under which a crate is built.
pub(super) struct Cfg {
    features: Vec<String>,
    /// Whether documentation examples are looked for, which `cfg(doctest)` is for.
    doctest: bool,
}

impl Cfg {
    pub(super) fn new(features: &str) -> Self {
        let features = features.split(',').filter(|name| !name.is_empty());
        Self { features: features.map(str::to_owned).collect(), doctest: false }
    }

    pub(super) fn doctest(features: &str) -> Self {
        Self { doctest: true, ..Self::new(features) }
    }

    /// Whether a `#[cfg(…)]` among the attributes is false, or they mark a test.
    pub(super) fn excludes(&self, attributes: &[Attribute]) -> bool {
        attributes.iter().any(|attribute| {
            let path = attribute.path();
            let is_test = path.segments.last().is_some_and(|last| last.ident == "test");
            let is_skip =
                path.segments.iter().map(|part| &part.ident).eq(["mutants", "skip"].iter());
            let is_false = path.is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|meta| !self.holds(&meta));
            is_test || is_skip || is_false
        })
    }

    fn holds(&self, condition: &Meta) -> bool {
        let inner = |list: &syn::MetaList| {
            list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .unwrap_or_default()
        };
        match condition {
            Meta::Path(path) if path.is_ident("test") => false,
            Meta::Path(path) if path.is_ident("doctest") => self.doctest,
            Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
                Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => {
                    self.features.contains(&name.value())
                }
                _ => true,
            },
            Meta::List(list) if list.path.is_ident("not") => {
                !inner(list).iter().all(|meta| self.holds(meta))
            }
            Meta::List(list) if list.path.is_ident("all") => {
                inner(list).iter().all(|meta| self.holds(meta))
            }
            Meta::List(list) if list.path.is_ident("any") => {
                inner(list).iter().any(|meta| self.holds(meta))
            }
            // the machine's properties: none of the crates tells machines apart in a way that
            // matters here
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_evaluated() {
        let cfg = Cfg::new("alloc,serde");
        let excluded = |attribute: &str| {
            let item: Option<syn::ItemStruct> =
                syn::parse_str(&format!("{attribute} struct S;")).ok();
            item.map(|item| cfg.excludes(&item.attrs))
        };
        assert_eq!(excluded("#[cfg(feature = \"alloc\")]"), Some(false));
        assert_eq!(excluded("#[cfg(not(feature = \"alloc\"))]"), Some(true));
        assert_eq!(excluded("#[cfg(all(feature = \"alloc\", feature = \"defmt\"))]"), Some(true));
        assert_eq!(excluded("#[cfg(any(feature = \"alloc\", feature = \"defmt\"))]"), Some(false));
        assert_eq!(excluded("#[cfg(test)]"), Some(true));
        assert_eq!(excluded("#[cfg(any(test, feature = \"std\"))]"), Some(true));
        assert_eq!(excluded("#[mutants::skip]"), Some(true));
        assert_eq!(excluded("#[derive(Clone)]"), Some(false));
    }
}
