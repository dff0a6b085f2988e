//! All integration tests in one program: each program is linked with all that it uses.

mod declare;
mod drain;
mod generate;
mod instants;
mod lists;
mod machine;
mod quorums;
mod wire;
mod words;
