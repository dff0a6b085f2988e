//! All integration tests in one program: each program is linked with all that it uses.

mod common;
mod correct_boards_pass;
mod finds_planted_bugs;
mod wires;
