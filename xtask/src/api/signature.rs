//! Signatures on one line.

use syn::{FnArg, Generics, Receiver, ReturnType, Signature};

use super::tokens::compact;

/// `const fn name<T: Bound>(&self, u8) -> T where …`; the names of arguments are not part of the interface.
pub(super) fn function(signature: &Signature, path: &str) -> String {
    let mut text = String::new();
    for (is, word) in [
        (signature.constness.is_some(), "const "),
        (signature.asyncness.is_some(), "async "),
        (signature.unsafety.is_some(), "unsafe "),
    ] {
        text.push_str(if is { word } else { "" });
    }
    if let Some(abi) = &signature.abi {
        text.push_str(&format!("{} ", compact(abi)));
    }
    let arguments: Vec<String> = signature.inputs.iter().map(argument).collect();
    let output = match &signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, output) => format!(" -> {}", compact(output)),
    };
    format!(
        "{text}fn {path}{}({}){output}{}",
        parameters(&signature.generics),
        arguments.join(", "),
        bounds(&signature.generics)
    )
}

fn argument(argument: &FnArg) -> String {
    match argument {
        FnArg::Typed(argument) => compact(&argument.ty),
        FnArg::Receiver(Receiver { colon_token: Some(_), ty, .. }) => {
            format!("self: {}", compact(ty))
        }
        FnArg::Receiver(Receiver { reference: Some((_, life)), mutability, .. }) => {
            let life = life.as_ref().map(|life| format!("{life} ")).unwrap_or_default();
            let mutability = if mutability.is_some() { "mut " } else { "" };
            format!("&{life}{mutability}self")
        }
        FnArg::Receiver(_) => "self".to_owned(),
    }
}

/// `<'a, T: Bound>`, or nothing.
pub(super) fn parameters(generics: &Generics) -> String {
    if generics.params.is_empty() {
        return String::new();
    }
    compact(generics)
}

/// ` where T: Bound`, or nothing.
pub(super) fn bounds(generics: &Generics) -> String {
    let Some(clause) = generics.where_clause.as_ref().filter(|it| !it.predicates.is_empty()) else {
        return String::new();
    };
    let each: Vec<String> = clause.predicates.iter().map(compact).collect();
    format!(" where {}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_on_one_line() {
        for (source, expected) in [
            ("const unsafe fn f<'a,>(&'a mut self)", "const unsafe fn T::f<'a>(&'a mut self)"),
            ("fn f(self: Box<Self>, x: u8) -> u8", "fn T::f(self: Box<Self>, u8) -> u8"),
            ("fn f(mut self, (a, b): (u8, u8),)", "fn T::f(self, (u8, u8))"),
            (
                "async fn f<T>(f: impl FnOnce(&T)) where T: Into<u8>,",
                "async fn T::f<T>(impl FnOnce(&T)) where T: Into<u8>",
            ),
        ] {
            let signature: Option<Signature> = syn::parse_str(source).ok();
            let text = signature.map(|it| function(&it, "T::f"));
            assert_eq!(text.as_deref(), Some(expected));
        }
    }
}
