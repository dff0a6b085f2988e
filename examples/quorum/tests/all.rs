//! All integration tests in one program: each program is linked with all that it uses.

mod common;
mod exit_codes;
mod moves;
mod story;
