//! Where the sections go, and that the linker keeps what refers to what: `cargo xtask size` reads it.

fn main() {
    println!("cargo:rerun-if-changed=link.x");
    println!("cargo:rustc-link-search={}", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--emit-relocs");
}
