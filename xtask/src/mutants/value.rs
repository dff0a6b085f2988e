//! The values that functions return at once, instead of what they would.

use syn::{GenericArgument, Ident, Path, PathArguments, ReturnType, Type, TypeParamBound};

use super::pretty::pretty;
use super::switch;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Value {
    /// As mutants are called.
    pub(super) name: String,
    /// As it is compiled: in a crate without `std`, `Vec` and `Box` must be named in full.
    pub(super) code: String,
}

/// Values of a function's type, those that cargo-mutants knows: often of the right type.
pub(super) fn of_return(output: &ReturnType) -> Vec<Value> {
    match output {
        ReturnType::Default => some(&["()"]),
        ReturnType::Type(_, kind) => of_type(kind),
    }
}

/// Whether a function promises one type that it does not name.
pub(super) fn is_opaque(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, kind) if matches!(**kind, Type::ImplTrait(_)))
}

fn some(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| Value { name: (*name).to_owned(), code: (*name).to_owned() }).collect()
}

fn one(name: impl Into<String>, code: impl Into<String>) -> Vec<Value> {
    vec![Value { name: name.into(), code: code.into() }]
}

/// Puts each value between two texts.
fn each(values: Vec<Value>, before: &str, after: &str) -> Vec<Value> {
    let around = |text: &str| format!("{before}{text}{after}");
    values
        .iter()
        .map(|value| Value { name: around(&value.name), code: around(&value.code) })
        .collect()
}

/// The same, where the code has another text before.
fn each_as(values: Vec<Value>, (name, code): (&str, &str), after: &str) -> Vec<Value> {
    let around = |value: &Value| Value {
        name: format!("{name}{}{after}", value.name),
        code: format!("{code}{}{after}", value.code),
    };
    values.iter().map(around).collect()
}

fn of_type(kind: &Type) -> Vec<Value> {
    match kind {
        Type::Path(path) => of_path(&path.path),
        Type::Array(array) => {
            each(of_type(&array.elem), "[", &format!("; {}]", pretty(&array.len)))
        }
        Type::Slice(slice) => leaked_lists(&slice.elem, ""),
        Type::Reference(reference) => {
            // what is leaked may be changed, and where a type is inferred that is another type
            let shared = if reference.mutability.is_none() { "&*" } else { "" };
            match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") && !shared.is_empty() => {
                    some(&["\"\"", "\"xyzzy\""])
                }
                Type::Slice(slice) => leaked_lists(&slice.elem, shared),
                elem => {
                    let std = format!("{}::std::boxed::Box::", switch::PATH);
                    let code = format!("{shared}{std}leak({std}new(");
                    each_as(of_type(elem), ("Box::leak(Box::new(", &code), "))")
                }
            }
        }
        Type::Tuple(tuple) => {
            let parts: Vec<Vec<Value>> = tuple.elems.iter().map(of_type).collect();
            let trailing = if parts.len() == 1 { "," } else { "" };
            each(product(&parts), "(", &format!("{trailing})"))
        }
        Type::ImplTrait(opaque) => match opaque.bounds.iter().find_map(iterator_item) {
            Some(item) => {
                let empty = one("::std::iter::empty()", "::core::iter::empty()");
                let once = ("::std::iter::once(", "::core::iter::once(");
                empty.into_iter().chain(each_as(of_type(item), once, ")")).collect()
            }
            None => Vec::new(),
        },
        Type::Never(_) => Vec::new(),
        _ => some(&["Default::default()"]),
    }
}

fn of_path(path: &Path) -> Vec<Value> {
    let Some(last) = path.segments.last() else { return Vec::new() };
    let name = last.ident.to_string();
    let primitive = path.get_ident().map(ToString::to_string).unwrap_or_default();
    match primitive.as_str() {
        "bool" => return some(&["true", "false"]),
        "String" => return some(&["String::new()", "\"xyzzy\".into()"]),
        "str" => return some(&["\"\"", "\"xyzzy\""]),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => return some(&["0", "1"]),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => return some(&["0", "1", "-1"]),
        "f32" | "f64" => return some(&["0.0", "1.0", "-1.0"]),
        _ => {}
    }
    if let Some(number) = name.strip_prefix("NonZero").filter(|rest| !rest.is_empty()) {
        return some(if number.starts_with('I') { &["1", "-1"] } else { &["1"] });
    }
    let arguments = types(&last.arguments);
    let first = arguments.first();
    match (name.as_str(), first) {
        ("Result", Some(ok)) => each(of_type(ok), "Ok(", ")"),
        ("Result", None) => some(&["Ok(Default::default())"]),
        ("Option", Some(inner)) => {
            some(&["None"]).into_iter().chain(each(of_type(inner), "Some(", ")")).collect()
        }
        ("Vec", Some(inner)) => {
            let code = format!("{}::std::vec![", switch::PATH);
            let empty = one("vec![]", format!("{code}]"));
            empty.into_iter().chain(each_as(of_type(inner), ("vec![", &code), "]")).collect()
        }
        ("Cow", Some(inner)) => of_type(inner)
            .into_iter()
            .flat_map(|value| {
                let value = vec![value];
                let mut both = each(value.clone(), "Cow::Borrowed(", ")");
                both.extend(each(value, "Cow::Owned(", ".to_owned())"));
                both
            })
            .collect(),
        ("Box" | "Cell" | "RefCell" | "Arc" | "Rc" | "Mutex", Some(inner)) => {
            each(of_type(inner), &format!("{name}::new("), ")")
        }
        ("BinaryHeap" | "BTreeSet" | "HashSet" | "LinkedList" | "VecDeque", Some(inner)) => {
            let filled = each(of_type(inner), &format!("{name}::from_iter(["), "])");
            some(&[&format!("{name}::new()")]).into_iter().chain(filled).collect()
        }
        ("BTreeMap" | "HashMap", Some(key)) => {
            let pairs = arguments.get(1).map(|value| product(&[of_type(key), of_type(value)]));
            let filled = each(pairs.unwrap_or_default(), &format!("{name}::from_iter([("), ")])");
            some(&[&format!("{name}::new()")]).into_iter().chain(filled).collect()
        }
        (_, Some(inner)) if arguments.len() == 1 => in_container(&last.ident, inner),
        _ => some(&["Default::default()"]),
    }
}

/// Values of a type that may hold another, in some way.
fn in_container(container: &Ident, inner: &Type) -> Vec<Value> {
    let mut values = some(&[&format!("{container}::new()")]);
    for value in of_type(inner) {
        let value = vec![value];
        values.extend(each(value.clone(), &format!("{container}::from_iter(["), "])"));
        values.extend(each(value.clone(), &format!("{container}::new("), ")"));
        values.extend(each(value, &format!("{container}::from("), ")"));
    }
    values
}

fn leaked_lists(elem: &Type, shared: &str) -> Vec<Value> {
    let (vec, leak) = (format!("{}::std::vec", switch::PATH), "::Vec::leak");
    let new = format!("{shared}{vec}{leak}({vec}::Vec::new())");
    let code = format!("{shared}{vec}{leak}({vec}![");
    let filled = each_as(of_type(elem), ("Vec::leak(vec![", &code), "])");
    one("Vec::leak(Vec::new())", new).into_iter().chain(filled).collect()
}

/// Every combination of one value of each.
fn product(parts: &[Vec<Value>]) -> Vec<Value> {
    let Some((first, rest)) = parts.split_first() else { return one("", "") };
    let tails = product(rest);
    let mut all = Vec::new();
    for value in first {
        for tail in &tails {
            let comma = if rest.is_empty() { "" } else { ", " };
            all.push(Value {
                name: format!("{}{comma}{}", value.name, tail.name),
                code: format!("{}{comma}{}", value.code, tail.code),
            });
        }
    }
    all
}

/// The types among generic arguments.
fn types(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(list) = arguments else { return Vec::new() };
    let types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    });
    types.collect()
}

/// `T` of `Iterator<Item = T>`.
fn iterator_item(bound: &TypeParamBound) -> Option<&Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let last = bound.path.segments.last().filter(|last| last.ident == "Iterator")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(item) if item.ident == "Item" => Some(&item.ty),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(output: &str) -> Vec<String> {
        let output: Option<ReturnType> = syn::parse_str(output).ok();
        let values = output.map(|output| of_return(&output)).unwrap_or_default();
        values.into_iter().map(|value| value.name).collect()
    }

    #[test]
    fn values_have_the_return_type() {
        assert_eq!(names(""), ["()"]);
        assert_eq!(names("-> bool"), ["true", "false"]);
        assert_eq!(names("-> i64"), ["0", "1", "-1"]);
        assert_eq!(names("-> Option<u64>"), ["None", "Some(0)", "Some(1)"]);
        assert_eq!(names("-> Result<(), Full>"), ["Ok(())"]);
        assert_eq!(names("-> fmt::Result"), ["Ok(Default::default())"]);
        assert_eq!(names("-> (bool, Option<Dot>)").len(), 4);
        assert_eq!(names("-> (bool, u8)").first().map(String::as_str), Some("(true, 0)"));
        assert_eq!(names("-> [u8; N]"), ["[0; N]", "[1; N]"]);
        assert_eq!(names("-> &'a str"), ["\"\"", "\"xyzzy\""]);
        assert_eq!(names("-> &mut Peer"), ["Box::leak(Box::new(Default::default()))"]);
        assert_eq!(names("-> &[u8]").first().map(String::as_str), Some("Vec::leak(Vec::new())"));
        assert_eq!(names("-> NonZeroU64"), ["1"]);
        assert_eq!(names("-> Self"), ["Default::default()"]);
        assert_eq!(names("-> impl Iterator<Item = bool> + '_").len(), 3);
        assert_eq!(names("-> impl Fn()"), [""; 0]);
        assert_eq!(names("-> !"), [""; 0]);
        assert_eq!(names("-> Run<'a, u8>").len(), 7);
    }
}
