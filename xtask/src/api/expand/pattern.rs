use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A part of a matcher or of a transcriber.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Token(TokenTree),
    Group(Delimiter, Vec<Self>),
    /// `$name:kind`, or `$name` without a kind.
    Variable {
        name: String,
        kind: String,
    },
    /// `$( … ) separator operator`
    Repeat {
        inner: Vec<Self>,
        separator: Option<TokenTree>,
        operator: char,
    },
}

/// `None` if the tokens are not valid in a rule.
pub(super) fn parse(tokens: TokenStream) -> Option<Vec<Pattern>> {
    let mut tokens = tokens.into_iter().peekable();
    let mut patterns = Vec::new();
    while let Some(token) = tokens.next() {
        patterns.push(match token {
            TokenTree::Punct(punct) if punct.as_char() == '$' => match tokens.next()? {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                    let inner = parse(group.stream())?;
                    let mut separator = None;
                    let operator = loop {
                        match tokens.next()? {
                            TokenTree::Punct(it) if matches!(it.as_char(), '*' | '+' | '?') => {
                                break it.as_char();
                            }
                            other if separator.is_none() => separator = Some(other),
                            _ => return None,
                        }
                    };
                    Pattern::Repeat { inner, separator, operator }
                }
                TokenTree::Ident(name) => {
                    let mut kind = String::new();
                    let has_kind = matches!(tokens.peek(), Some(TokenTree::Punct(colon))
                        if colon.as_char() == ':' && colon.spacing() == Spacing::Alone);
                    if has_kind && name != "crate" {
                        // not right for macros that define macros; there are none
                        let mut ahead = tokens.clone();
                        ahead.next();
                        if let Some(TokenTree::Ident(word)) = ahead.next()
                            && KINDS.iter().any(|kind| word == kind)
                        {
                            kind = word.to_string();
                            tokens = ahead;
                        }
                    }
                    Pattern::Variable { name: name.to_string(), kind }
                }
                _ => return None,
            },
            TokenTree::Group(group) => Pattern::Group(group.delimiter(), parse(group.stream())?),
            token => Pattern::Token(token),
        });
    }
    Some(patterns)
}

const KINDS: &[&str] = &[
    "block",
    "expr",
    "expr_2021",
    "ident",
    "item",
    "lifetime",
    "literal",
    "meta",
    "pat",
    "pat_param",
    "path",
    "stmt",
    "tt",
    "ty",
    "vis",
];

/// The names of the variables.
pub(super) fn variables(patterns: &[Pattern]) -> Vec<&str> {
    let mut found = Vec::new();
    for pattern in patterns {
        match pattern {
            Pattern::Variable { name, .. } => found.push(name.as_str()),
            Pattern::Group(_, inner) | Pattern::Repeat { inner, .. } => {
                found.extend(variables(inner));
            }
            Pattern::Token(_) => {}
        }
    }
    found
}
