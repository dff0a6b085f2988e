//! Tokens as people write them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

/// The text of a piece of syntax, with blanks where cargo-mutants puts them: the lists of survivors
/// know mutants by such names.
pub(super) fn pretty(syntax: &impl ToTokens) -> String {
    let mut text = String::new();
    write(syntax.to_token_stream(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) => {
                text.push(punct.as_char());
                let wide = matches!(punct.as_char(), ',' | ';') || text.ends_with("->");
                if wide && tokens.peek().is_some() {
                    text.push(' ');
                }
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                // an assignment, or an arrow before; "->" has its blank already
                if text.ends_with('=') || text.ends_with("=>") {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
                if tokens.peek().is_some_and(blank_before) {
                    text.push(' ');
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
        }
    }
}

/// Whether a blank stands between a word and this.
fn blank_before(next: &TokenTree) -> bool {
    match next {
        TokenTree::Ident(_) | TokenTree::Literal(_) => true,
        TokenTree::Punct(punct) => !",;<>:.!".contains(punct.as_char()),
        TokenTree::Group(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        text.parse::<TokenStream>().map(|tokens| pretty(&tokens)).unwrap_or_default()
    }

    #[test]
    fn blanks_are_inserted() {
        assert_eq!(of("impl Iterator < Item = String >"), "impl Iterator<Item = String>");
        assert_eq!(of("-> Result < ( ) , Full >"), "-> Result<(), Full>");
        assert_eq!(of("Raft < S > :: read"), "Raft<S>::read");
        assert_eq!(of("[ u8 ; 4 ]"), "[u8; 4]");
        assert_eq!(of("Role :: Leader { .. }"), "Role::Leader{..}");
    }
}
