//! A replicated key-value server that Redis clients can use.
fn main() {}
