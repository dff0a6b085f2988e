//! Whether an image can panic, and where from.

use std::collections::BTreeSet;

use super::image::{Image, without_generics};

/// A symbol of the panicking machinery that is in an image.
pub(crate) struct Panic {
    /// The symbol.
    pub(crate) name: String,
    /// Who refers to it, other than the machinery itself: the function, and below it the lines that lead there.
    pub(crate) callers: Vec<String>,
}

/// The panicking machinery in the image. Nothing is left of it in one that cannot panic: the linker drops what nobody refers to.
///
/// A handler may melt into its callers; `core::panicking::panic_fmt` and its like never do, so that there is always a name.
pub(crate) fn find(image: &Image) -> Vec<Panic> {
    let guilty = image.functions.iter().filter(|(_, function)| is_panic(&function.name));
    guilty
        .map(|(&address, function)| Panic {
            name: function.name.clone(),
            callers: callers(image, address, function.size),
        })
        .collect()
}

/// What to print of them, a line each and its callers below.
pub(crate) fn describe(panics: &[Panic]) -> String {
    let mut text = String::new();
    for panic in panics {
        text.push_str(&format!("{}\n", panic.name));
        for caller in &panic.callers {
            text.push_str(&format!("    {}\n", caller.replace('\n', "\n        ")));
        }
    }
    text
}

/// Goes on to the callers of callers as long as those are of the standard library: it is ours that matter.
fn callers(image: &Image, address: u64, size: u64) -> Vec<String> {
    if image.references.is_empty() {
        return vec!["(link with `--emit-relocs`, and it is told who refers to this)".to_owned()];
    }
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::from([address]));
    let mut open = vec![(address, size, String::new())];
    while let Some((address, size, through)) = open.pop() {
        let inside = address..address.saturating_add(size.max(1));
        for reference in image.references.iter().filter(|r| inside.contains(&r.to)) {
            let Some((start, caller)) = image.function_at(reference.from) else { continue };
            if start == address || is_panic(&caller.name) {
                continue;
            }
            let lines = image.lines(reference.from).join("\n");
            let lines = if lines.is_empty() { lines } else { format!("\n{lines}") };
            found.insert(format!("from {}{through}{lines}", caller.name));
            if is_std(&caller.name) && seen.insert(start) {
                open.push((start, caller.size, format!(", through {}", caller.name)));
            }
        }
    }
    found.into_iter().collect()
}

fn is_std(name: &str) -> bool {
    let name = name.trim_start_matches('<');
    ["core::", "alloc::", "std::"].iter().any(|start| name.starts_with(start))
}

/// Whether a demangled name is of what `core`, `alloc` or `std` call to panic, or of the handler.
pub(super) fn is_panic(name: &str) -> bool {
    let path = without_generics(name);
    let mut segments = path.split("::");
    let first = segments.next().unwrap_or_default();
    let last = segments.last().unwrap_or(first);
    if matches!(last, "rust_begin_unwind" | "rust_panic" | "_Unwind_Resume") {
        return true;
    }
    if !matches!(first, "core" | "alloc" | "std") {
        return false;
    }
    path.split("::").any(|segment| {
        segment.starts_with("panic")
            || ["_fail", "_failed", "_fail_rt"].iter().any(|end| segment.ends_with(end))
            || matches!(segment, "handle_alloc_error" | "capacity_overflow" | "handle_error")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::image::made_of;

    #[test]
    fn panic_machinery_is_recognized_by_name() {
        for name in [
            "core::panicking::panic_fmt",
            "core::panicking::panic_bounds_check",
            "core::panicking::panic_const::panic_const_div_by_zero",
            "core::option::unwrap_failed",
            "core::option::expect_failed",
            "core::result::unwrap_failed",
            "core::slice::index::slice_index_fail",
            "core::slice::index::slice_end_index_len_fail::do_panic::runtime",
            "core::slice::copy_from_slice_impl::len_mismatch_fail",
            "core::str::slice_error_fail_rt",
            "core::cell::panic_already_borrowed",
            "alloc::raw_vec::capacity_overflow",
            "alloc::alloc::handle_alloc_error",
            "__rustc::rust_begin_unwind",
            "rust_begin_unwind",
        ] {
            assert!(is_panic(name), "{name}");
        }
    }

    #[test]
    fn caller_is_reported_through_the_standard_library() {
        let functions = [
            ("_start", 0),
            ("ours", 0),
            ("core::slice::index::range", 0),
            ("core::slice::index::slice_index_fail", 0),
            ("core::panicking::panic_fmt", 0),
        ];
        let image = made_of(&functions, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        let found = find(&image);
        let names: Vec<&str> = found.iter().map(|panic| panic.name.as_str()).collect();
        assert_eq!(names, ["core::slice::index::slice_index_fail", "core::panicking::panic_fmt"]);
        let callers: Vec<&str> =
            found.iter().flat_map(|p| &p.callers).map(String::as_str).collect();
        assert_eq!(
            callers,
            ["from core::slice::index::range", "from ours, through core::slice::index::range"]
        );
    }

    #[test]
    fn image_without_panics_has_none() {
        assert!(find(&made_of(&[("_start", 0), ("ours", 0)], &[(0, 1)])).is_empty());
    }

    #[test]
    fn other_functions_are_ignored() {
        for name in [
            "quorate_raft::raft::Raft<S>::stop",
            "<core::slice::iter::Iter<T> as core::iter::Iterator>::next",
            "core::slice::memchr::memchr_aligned",
            "my::panic_button",
            "memcpy",
        ] {
            assert!(!is_panic(name), "{name}");
        }
    }
}
