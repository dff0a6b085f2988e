//! What the lists say of small crates.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::cycles;
use super::expand::Macro;
use super::list::list;
use super::source::Source;
use crate::tool::root;

/// A crate whose files are removed in the end.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let this = Self(std::env::temp_dir().join(format!("api-{name}-{}", std::process::id())));
        for (path, text) in files {
            let path = this.0.join(path);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            assert!(made.and_then(|()| fs::write(&path, text)).is_ok());
        }
        this
    }

    fn source(&self, exported: &BTreeMap<String, Macro>) -> Source {
        match Source::read("small", &self.0.join("lib.rs")) {
            Ok(mut source) => {
                source.expand(exported);
                source
            }
            Err(failure) => unreachable!("{failure}"),
        }
    }

    fn list(&self) -> Vec<String> {
        list(&self.source(&BTreeMap::new()))
    }

    /// The cycles, each as the names of its files.
    fn cycles(&self) -> Vec<String> {
        let found = cycles::find("small", &self.source(&BTreeMap::new()));
        found.iter().map(|it| it.files.iter().cloned().collect::<Vec<_>>().join(" ")).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listed(name: &str, text: &str) -> Vec<String> {
    Files::new(name, &[("lib.rs", text)]).list()
}

#[test]
fn re_exports_are_followed_to_what_they_name() {
    let files = Files::new(
        "re-exports",
        &[
            (
                "lib.rs",
                "mod a; mod b; #[path = \"other/c.rs\"] mod c; pub mod d; \
                 pub use a::{A, inner::B as Renamed}; pub use b::*; pub use c::run; \
                 pub use quorate_core::{Wire, Writer as W}; pub(crate) use b::Hidden;",
            ),
            ("a.rs", "pub struct A; pub mod inner; pub struct NotOffered;"),
            ("a/inner.rs", "pub struct B;"),
            ("b/mod.rs", "pub const N: usize = 1; pub(crate) struct Hidden; mod run {}"),
            ("other/c.rs", "pub fn run(a: crate::A, n: [u8; super::N]) {} pub struct Gone;"),
            ("d.rs", "pub use crate::A; pub fn here(_: &super::c::Gone) {}"),
        ],
    );
    assert_eq!(
        files.list(),
        [
            "pub struct A",
            "pub const N: usize",
            "pub struct Renamed",
            "pub use quorate_core::Writer as W",
            "pub use quorate_core::Wire",
            "pub mod d",
            "pub use A as d::A",
            "pub fn d::here(&private::Gone)",
            "pub fn run(A, [u8; N])",
        ]
    );
}

#[test]
fn what_users_do_not_see_is_left_out() {
    let text = "
        #[doc(hidden)] pub fn hidden() {}
        #[cfg(test)] pub fn test() {}
        #[cfg(doctest)] pub struct Readme;
        pub(crate) fn inside() {}
        #[cfg(feature = \"alloc\")] pub fn heap() {}
        #[cfg(all(unix, feature = \"std\"))] pub mod unix { pub static S: u8 = 0; }
        macro_rules! own { () => { pub fn made(); } }
        #[macro_export] macro_rules! offered { () => {} }
        unknown! { fn x() }";
    assert_eq!(
        listed("hidden", text),
        [
            "pub fn heap() [alloc]",
            "macro offered!",
            "pub mod unix [std, unix]",
            "pub static unix::S: u8 [std, unix]",
            "macro unknown!{…} in lib.rs → not expanded",
        ]
    );
}

#[test]
fn types_tell_what_users_can_do_with_them() {
    let text = "
        use core::fmt;
        #[derive(Clone, Debug)]
        #[cfg_attr(feature = \"serde\", derive(serde::Deserialize))]
        pub struct S<'a, T: Copy, const N: usize = 3> { pub a: &'a [T; N], b: u8, }
        #[non_exhaustive] pub enum E { A { x: u8, }, B(S<'static, u8>), C = 7 }
        impl<'a, T: Copy, const N: usize> S<'a, T, N> {
            pub const X: Secret = 1;
            pub fn all(&self) -> Option<Pair<T>> {}
            fn private(&self) {}
        }
        impl<'a> S<'a, u8> { pub fn some(self, n: impl Into<u8>) where u8: Copy {} }
        impl fmt::Display for E { fn fmt(&self) {} }
        impl Iterator for E { type Item = u8; }
        impl Private for E {}
        impl From<Key> for E {}
        trait Private {}
        struct Key;
        type Pair<T> = (T, Secret);
        type Secret = u8;";
    assert_eq!(
        listed("types", text),
        [
            "#[non_exhaustive] pub enum E",
            "impl Iterator for E { Item = u8 }",
            "impl core::fmt::Display for E",
            "pub E::A { x: u8 }",
            "pub E::B(S<'static, u8>)",
            "pub E::C = 7",
            "pub struct S<'a, T: Copy, const N: usize = 3> { …, private }",
            "impl<'a, T: Copy + Clone, const N: usize> Clone for S<'a, T, N>",
            "impl<'a, T: Copy + core::fmt::Debug, const N: usize> core::fmt::Debug for S<'a, T, N>",
            "impl<'de: 'a, 'a, T: Copy + serde::Deserialize<'de>, const N: usize> \
             serde::Deserialize<'de> for S<'a, T, N> [serde]",
            "pub const S::X: u8",
            "pub S::a: &'a [T; N]",
            "pub fn S::all(&self) -> Option<(T, u8)>",
            "pub fn S::some(self, impl Into<u8>) where u8: Copy in impl<'a> S<'a, u8>",
        ]
    );
}

#[test]
fn traits_tell_what_must_be_implemented() {
    let text = "
        pub trait T<'a>: Sized + sealed::Sealed {
            const A: u8; const B: u8 = 1; type C<'b>: Clone + 'b where Self: 'b;
            fn must(&self, x: <Self as T<'a>>::C<'_>); fn may(&mut self) -> u8 { 1 }
            #[doc(hidden)] fn hidden(); more!{}
        }
        macro_rules! more { () => { fn more() -> std::fmt::Result; } }
        mod sealed { pub trait Sealed {} }
        impl<'a> T<'a> for u8 {}
        impl<'a, X: Clone> T<'a> for &'a [X] {}";
    assert_eq!(
        listed("traits", text),
        [
            "#[sealed] pub trait T<'a>: Sized + private::Sealed",
            "impl<'a, X: Clone> T<'a> for &'a [X]",
            "impl<'a> T<'a> for u8",
            "const T::A: u8",
            "const T::B: u8 = …",
            "type T::C<'b>: Clone + 'b where Self: 'b",
            "fn T::may(&mut self) -> u8 { … }",
            "fn T::more() -> core::fmt::Result",
            "fn T::must(&self, <Self as T<'a>>::C<'_>)",
        ]
    );
}

#[test]
fn messages_that_are_declared_with_wire_are_expanded() {
    let core = Source::read("quorate_core", &root().join("core/src/lib.rs"));
    let exported = core.map(|it| it.exported()).unwrap_or_default();
    let text = "
        use quorate_core::wire;
        wire! {
            /// What nodes send.
            #[derive(Clone)] #[non_exhaustive]
            pub enum Message<'a> {
                /// One.
                0 => Ping { /** Counts. */ round: u64, data: &'a [u8], },
                7 => End,
            }
        }
        quorate_core::wire! { by hand; pub union Vote { pub term: u64, } }
        #[cfg(feature = \"x\")] wire! { struct Inside { x: u8 } }";
    let files = Files::new("wire", &[("lib.rs", text)]);
    assert_eq!(
        list(&files.source(&exported)),
        [
            "#[non_exhaustive] pub enum Message<'a>",
            "impl<'a> Clone for Message<'a>",
            "impl<'a> quorate_core::Declared<'a> for Message<'a>",
            "impl<'a> quorate_core::Field<'a> for Message<'a>",
            "impl<'a> quorate_core::Wire<'a> for Message<'a>",
            "pub Message::End",
            "pub Message::Ping { round: u64, data: &'a [u8] }",
            "macro __wire!{…} in lib.rs → not expanded",
        ]
    );
}

#[test]
fn files_that_use_each_other_are_a_cycle() {
    let files = Files::new(
        "cycle",
        &[
            ("lib.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B;"),
            ("a.rs", "use crate::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { let _ = assert!(crate::c::g()); }"),
            ("c.rs", "pub fn g() { let _ = super::A; }"),
        ],
    );
    assert_eq!(files.cycles(), ["a.rs b.rs c.rs"]);
}

#[test]
fn parents_that_only_declare_and_offer_are_in_no_cycle() {
    let files = Files::new(
        "parents",
        &[
            ("lib.rs", "pub mod a; pub use a::b::B; pub const LIMIT: usize = 1;"),
            ("a/mod.rs", "pub mod b; pub use b::B; pub(crate) use b::C; pub struct A;"),
            ("a/b.rs", "use super::{A, *}; pub struct B(A, [u8; crate::LIMIT]); pub struct C;"),
        ],
    );
    assert_eq!(files.cycles(), Vec::<String>::new());
    // what the parent uses itself, and not in tests only, does make one
    let files = Files::new(
        "parent-uses",
        &[
            ("lib.rs", "mod a; mod c;"),
            ("a.rs", "mod b; pub struct A(b::B);"),
            ("a/b.rs", "pub struct B; fn f(_: super::A) {}"),
            ("c.rs", "#[cfg(test)] fn t(_: crate::d::D) {}"),
        ],
    );
    assert_eq!(files.cycles(), ["a.rs a/b.rs"]);
}
