//! All integration tests in one program: each program is linked with all that it uses.

mod checker;
mod links;
