//! An expander for macros by example (`macro_rules!`), for declarations: it keeps no hygiene.

mod matching;
mod pattern;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use pattern::Pattern;

/// A definition by `macro_rules!`.
#[derive(Clone, Debug)]
pub(super) struct Macro {
    rules: Vec<(Vec<Pattern>, Vec<Pattern>)>,
    /// The name of its crate, for `$crate`.
    pub(super) home: String,
    /// The index of its file in its crate.
    pub(super) file: usize,
}

impl Macro {
    /// `None` if the tokens are not a definition.
    pub(super) fn new(definition: TokenStream, home: &str, file: usize) -> Option<Self> {
        let mut tokens = definition.into_iter().peekable();
        let mut rules = Vec::new();
        while let Some(token) = tokens.next() {
            let TokenTree::Group(matcher) = token else { return None };
            let arrow: String = tokens.by_ref().take(2).map(|it| it.to_string()).collect();
            let Some(TokenTree::Group(replacement)) = tokens.next() else { return None };
            if arrow != "=>" {
                return None;
            }
            if replacement.delimiter() == Delimiter::None {
                return None;
            }
            rules.push((pattern::parse(matcher.stream())?, pattern::parse(replacement.stream())?));
            tokens.next_if(|it| it.to_string() == ";");
        }
        Some(Self { rules, home: home.to_owned(), file })
    }

    /// The expansion of an invocation in the crate `here`; `None` if no rule matches.
    pub(super) fn expand(&self, arguments: &TokenStream, here: &str) -> Option<TokenStream> {
        let home = if self.home == here { "crate" } else { &self.home };
        let home: TokenStream = home.parse().ok()?;
        self.rules.iter().find_map(|(matcher, replacement)| {
            let bindings = matching::matches(matcher, arguments.clone())?;
            matching::transcribe(replacement, &bindings, &home)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(definition: &str, arguments: &str) -> Option<String> {
        let tokens = |text: &str| text.parse::<TokenStream>().ok();
        let it = Macro::new(tokens(definition)?, "other", 0)?;
        it.expand(&tokens(arguments)?, "here").map(|tokens| super::super::tokens::compact(&tokens))
    }

    #[test]
    fn repetitions_and_fragments_are_expanded() {
        let rule =
            "($(#[$a:meta])* $v:vis $n:ident [$($t:ty),* $(,)?]) => { $v fn $n($(_: $t),*); }";
        let out = expanded(rule, "#[x] pub(crate) go [&'a u8, Vec<(A, B)>,]");
        assert_eq!(out.as_deref(), Some("pub(crate) fn go(_: &'a u8, _: Vec<(A, B)>);"));
    }

    #[test]
    fn nested_repetitions_and_options_are_expanded() {
        let rule = "{$($n:literal => $v:ident $({ $($f:ident: $t:ty),* })?),*} => \
            { enum E { $($v $({ $($f: $t),* })?),* } }";
        let out = expanded(rule, "0 => A { x: u8, y: &'a [u8] }, 1 => B");
        assert_eq!(out.as_deref(), Some("enum E {A {x: u8, y: &'a [u8]}, B}"));
    }

    #[test]
    fn the_first_rule_that_matches_counts_and_names_its_crate() {
        let rules = "(@a $l:lifetime) => { $crate::A<$l> }; ($($t:tt)*) => { B<$($t)*> };";
        assert_eq!(expanded(rules, "@a 'x").as_deref(), Some("other::A<'x>"));
        assert_eq!(expanded(rules, "'x, y").as_deref(), Some("B<'x, y>"));
        assert_eq!(expanded("(a) => {}", "b"), None);
    }
}
