//! All integration tests in one program: each program is linked with all that it uses.

mod noise;
mod older_versions;
