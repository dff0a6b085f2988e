//! The verbs of a developer.
fn main() {}
