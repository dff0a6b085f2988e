//! All tests of the crate, in one program.

mod balance;
mod joining;
mod member_limit;
mod models;
mod plan;
mod ranges;
mod readme_figures;
mod topology;
mod worked_examples;
