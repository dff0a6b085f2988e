use std::collections::BTreeMap;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::{Parse, ParseStream, Parser as _};

use super::pattern::{Pattern, variables};

/// The value of a macro variable.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    One(TokenStream),
    Many(Vec<Self>),
}

pub(super) type Bindings = BTreeMap<String, Binding>;

/// The bindings, if the patterns match all tokens.
pub(super) fn matches(patterns: &[Pattern], tokens: TokenStream) -> Option<Bindings> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut bindings = Bindings::new();
    let taken = sequence(patterns, &tokens, &mut bindings)?;
    (taken == tokens.len()).then_some(bindings)
}

/// The number of tokens that the patterns match. Repetitions are greedy, without backtracking: rustc rejects ambiguous rules.
fn sequence(patterns: &[Pattern], tokens: &[TokenTree], bindings: &mut Bindings) -> Option<usize> {
    let mut at = 0;
    for pattern in patterns {
        let rest = tokens.get(at..)?;
        at += match pattern {
            Pattern::Token(token) => {
                let same = rest.first().is_some_and(|it| it.to_string() == token.to_string());
                same.then_some(1)?
            }
            Pattern::Group(delimiter, inner) => {
                let TokenTree::Group(group) = rest.first()? else { return None };
                (group.delimiter() == *delimiter).then_some(())?;
                bindings.extend(matches(inner, group.stream())?);
                1
            }
            Pattern::Variable { name, kind } => {
                let taken = fragment(kind, rest)?;
                let tokens = rest.get(..taken)?.iter().cloned().collect();
                bindings.insert(name.clone(), Binding::One(tokens));
                taken
            }
            Pattern::Repeat { inner, separator, operator } => {
                repeat(inner, separator.as_ref(), *operator, rest, bindings)?
            }
        };
    }
    Some(at)
}

fn repeat(
    inner: &[Pattern],
    separator: Option<&TokenTree>,
    operator: char,
    tokens: &[TokenTree],
    bindings: &mut Bindings,
) -> Option<usize> {
    let mut rounds = Vec::new();
    let mut at = 0;
    while operator != '?' || rounds.is_empty() {
        let mut start = at;
        if let (Some(separator), false) = (separator, rounds.is_empty()) {
            if tokens.get(at).is_none_or(|it| it.to_string() != separator.to_string()) {
                break;
            }
            start += 1;
        }
        let mut round = Bindings::new();
        let rest = tokens.get(start..).unwrap_or_default();
        match sequence(inner, rest, &mut round) {
            Some(taken) if taken > 0 => at = start + taken,
            _ => break,
        }
        rounds.push(round);
    }
    if operator == '+' && rounds.is_empty() {
        return None;
    }
    for name in variables(inner) {
        let each = rounds.iter().filter_map(|round| round.get(name).cloned()).collect();
        bindings.insert(name.to_owned(), Binding::Many(each));
    }
    Some(at)
}

/// The number of tokens of a fragment of this kind.
fn fragment(kind: &str, tokens: &[TokenTree]) -> Option<usize> {
    match kind {
        "tt" => match tokens {
            [TokenTree::Punct(quote), TokenTree::Ident(_), ..] if quote.as_char() == '\'' => {
                Some(2)
            }
            [_, ..] => Some(1),
            [] => None,
        },
        "ident" => matches!(tokens.first()?, TokenTree::Ident(_)).then_some(1),
        "lifetime" => parsed::<syn::Lifetime>(tokens),
        "literal" => parsed::<Literal>(tokens),
        "vis" => parsed::<syn::Visibility>(tokens),
        "ty" => parsed::<syn::Type>(tokens),
        "path" => taken(tokens, |input| input.parse::<syn::TypePath>().map(drop)),
        "expr" | "expr_2021" => parsed::<syn::Expr>(tokens),
        "pat" => taken(tokens, |input| syn::Pat::parse_multi(input).map(drop)),
        "pat_param" => taken(tokens, |input| syn::Pat::parse_single(input).map(drop)),
        "meta" => parsed::<syn::Meta>(tokens),
        "item" => parsed::<syn::Item>(tokens),
        "block" => parsed::<syn::Block>(tokens),
        "stmt" => parsed::<syn::Stmt>(tokens),
        _ => None,
    }
}

/// A literal with an optional sign.
struct Literal;

impl Parse for Literal {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let _: Option<syn::Token![-]> = input.parse()?;
        input.parse::<syn::Lit>().map(|_| Self)
    }
}

fn parsed<T: Parse>(tokens: &[TokenTree]) -> Option<usize> {
    taken(tokens, |input| input.parse::<T>().map(drop))
}

/// The number of tokens that a parser consumes.
fn taken(
    tokens: &[TokenTree],
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<()>,
) -> Option<usize> {
    let parser = |input: ParseStream<'_>| {
        parse(input)?;
        input.parse::<TokenStream>()
    };
    let stream: TokenStream = tokens.iter().cloned().collect();
    let rest = parser.parse2(stream).ok()?;
    tokens.len().checked_sub(rest.into_iter().count())
}

/// The expansion of a rule.
pub(super) fn transcribe(
    patterns: &[Pattern],
    bindings: &Bindings,
    home: &TokenStream,
) -> Option<TokenStream> {
    let mut out = TokenStream::new();
    for pattern in patterns {
        match pattern {
            Pattern::Token(token) => token.to_tokens(&mut out),
            Pattern::Group(delimiter, inner) => {
                Group::new(*delimiter, transcribe(inner, bindings, home)?).to_tokens(&mut out);
            }
            Pattern::Variable { name, .. } if name == "crate" => out.extend(home.clone()),
            Pattern::Variable { name, .. } => match bindings.get(name)? {
                Binding::One(tokens) => out.extend(tokens.clone()),
                Binding::Many(_) => return None,
            },
            Pattern::Repeat { inner, separator, .. } => {
                let repeated: Vec<(&str, &Vec<Binding>)> = variables(inner)
                    .into_iter()
                    .filter_map(|name| match bindings.get(name)? {
                        Binding::Many(each) => Some((name, each)),
                        Binding::One(_) => None,
                    })
                    .collect();
                let rounds = repeated.iter().map(|(_, each)| each.len()).max()?;
                for round in 0..rounds {
                    let mut inside = bindings.clone();
                    for (name, each) in &repeated {
                        inside.insert((*name).to_owned(), each.get(round)?.clone());
                    }
                    if let (Some(separator), true) = (separator, round > 0) {
                        separator.to_tokens(&mut out);
                    }
                    out.extend(transcribe(inner, &inside, home)?);
                }
            }
        }
    }
    Some(out)
}
