//! All integration tests in one program: each program is linked with all that it uses.

mod common;
mod geometry;
mod misplaced;
mod older_versions;
mod power_cuts;
