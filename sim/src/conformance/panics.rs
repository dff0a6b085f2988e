//! A machine that panics fails like one that breaks another rule.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `call` returns, or the text of its panic. What it was working on is not used after that.
pub(super) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| format!("it panicked: {}", text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}
