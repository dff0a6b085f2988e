//! All tests of the crate, in one program.

mod entries;
mod headers;
mod sessions;
mod stores;
mod submissions;
