//! Tokens as text with normalized spacing.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The tokens on one line, with normalized spacing and without trailing commas.
pub(super) fn compact(tokens: &impl ToTokens) -> String {
    let mut text = Text::default();
    text.stream(tokens.to_token_stream());
    text.out
}

#[derive(Default)]
struct Text {
    out: String,
    last: Last,
}

/// The end of the text, which decides whether a space follows.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Last {
    /// No space follows.
    #[default]
    Open,
    Word,
    /// A keyword or lifetime: a space separates it from a group or an operator.
    Keyword,
    /// A bracket, or a `>`.
    Close,
    /// A space always follows.
    Spaced,
    /// The quote of a lifetime.
    Quote,
}

const KEYWORDS: &[&str] = &["as", "for", "in", "mut", "where", "const", "dyn", "impl", "unsafe"];

impl Text {
    fn stream(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let (operator, len) = operator(tokens.get(at..).unwrap_or_default());
            match token {
                TokenTree::Punct(_) => {
                    let next = tokens.get(at + len);
                    let ends = matches!(next, Some(TokenTree::Punct(it)) if it.as_char() == '>');
                    if operator != "," || !ends {
                        self.operator(&operator);
                    }
                }
                TokenTree::Group(group) => self.group(group),
                TokenTree::Ident(_) | TokenTree::Literal(_) => self.word(&token.to_string()),
            }
            at += len;
        }
    }

    fn word(&mut self, word: &str) {
        if matches!(self.last, Last::Word | Last::Keyword | Last::Close | Last::Spaced) {
            self.out.push(' ');
        }
        self.out.push_str(word);
        // `&'a [u8]`
        let apart = self.last == Last::Quote || KEYWORDS.contains(&word);
        self.last = if apart { Last::Keyword } else { Last::Word };
    }

    fn operator(&mut self, operator: &str) {
        match operator {
            "," | ";" | ":" => {
                self.out.push_str(operator);
                self.last = Last::Spaced;
            }
            "=" | "+" | "->" | "=>" | "==" | "|" => {
                self.out.push(' ');
                self.out.push_str(operator);
                self.last = Last::Spaced;
            }
            "<" | "::" | ">" => {
                // `for<'a>` and `impl<T>`, but `as <T>::X` and `= <T>::X`
                if self.last == Last::Spaced {
                    self.out.push(' ');
                }
                self.out.push_str(operator);
                self.last = if operator == ">" { Last::Close } else { Last::Open };
            }
            _ => {
                if matches!(self.last, Last::Spaced | Last::Keyword)
                    || (operator == "'" && matches!(self.last, Last::Word | Last::Close))
                {
                    self.out.push(' ');
                }
                self.out.push_str(operator);
                self.last = if operator == "'" { Last::Quote } else { Last::Open };
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::None => return self.stream(group.stream()),
        };
        let braces = open == "{" && self.last != Last::Open;
        if braces || matches!(self.last, Last::Spaced | Last::Keyword) {
            self.out.push(' ');
        }
        self.out.push_str(open);
        self.last = Last::Open;
        self.stream(without_trailing_comma(group.stream()));
        self.out.push_str(close);
        self.last = Last::Close;
    }
}

/// The operator at the start of the tokens, and how many of them it takes.
fn operator(tokens: &[TokenTree]) -> (String, usize) {
    let mut text = String::new();
    for token in tokens {
        let TokenTree::Punct(punct) = token else { break };
        text.push(punct.as_char());
        if ["->", "=>", "::", "==", "..", "&&"].contains(&text.as_str()) {
            return (text, 2);
        }
        if text.len() == 2 || punct.spacing() == Spacing::Alone {
            break;
        }
    }
    (text.chars().take(1).collect(), 1)
}

/// A tuple of one element keeps its comma.
fn without_trailing_comma(tokens: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let commas = tokens.iter().filter(|token| is_comma(token)).count();
    if commas > 1 && tokens.last().is_some_and(is_comma) {
        tokens.pop();
    }
    tokens.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(text: &str) -> String {
        let tokens: TokenStream = text.parse().unwrap_or_default();
        compact(&tokens)
    }

    #[test]
    fn spacing_is_normalized() {
        for (source, expected) in [
            ("Result < Option<& 'a mut T > , E >", "Result<Option<&'a mut T>, E>"),
            ("impl < 'a , T : Wire<'a> + ? Sized > ", "impl<'a, T: Wire<'a> + ?Sized>"),
            ("for < 'a > Fn ( & 'a T ) -> ( A , )", "for<'a> Fn(&'a T) -> (A,)"),
            ("( A , B , )", "(A, B)"),
            ("X < A , B , >", "X<A, B>"),
            ("[ u8 ; N ]", "[u8; N]"),
            ("< T as core :: ops :: Deref > :: Target", "<T as core::ops::Deref>::Target"),
            ("& dyn Fn ( u8 )", "&dyn Fn(u8)"),
            (
                "impl Iterator < Item = & 'a T > + use < 'a >",
                "impl Iterator<Item = &'a T> + use<'a>",
            ),
            ("& 'a [ u8 ]", "&'a [u8]"),
            ("& 'a & 'b T", "&'a &'b T"),
            ("* const u8", "*const u8"),
            ("where T : 'a , 'a : 'b", "where T: 'a, 'a: 'b"),
            ("X < { A + 1 } , - 1 >", "X<{A + 1}, -1>"),
            ("dyn Foo + 'static", "dyn Foo + 'static"),
            ("impl 'a", "impl 'a"),
        ] {
            assert_eq!(compacted(source), expected);
        }
    }
}
