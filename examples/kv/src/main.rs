//! A replicated key-value server that Redis clients can use, and that you can kill: see `quorate-kv --help`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

/// Prints a line; nobody may be reading any more, and that is no fault.
macro_rules! out {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("{}\n", format_args!($($text)*)),
        );
    }};
}

mod admin_client;
mod admin_commands;
mod apply;
mod batch;
mod bootstrap;
mod cli;
mod clients;
mod cluster;
mod command;
mod command_gate;
mod connection;
mod connection_commands;
mod consensus;
mod ctl;
mod dashboard;
mod data_protocol;
mod directory;
mod forward;
mod founding;
mod glob;
mod incarnation;
mod info;
mod input_budget;
mod join;
mod limits;
mod lock;
mod metrics;
mod node;
mod node_status;
mod not_ready;
mod op;
mod open_files;
mod output_budget;
mod pending;
mod recover;
mod replica;
mod reply;
mod reserve;
mod resp;
mod response;
mod server;
mod session;
mod snapshot;
mod snapshot_store;
mod store;
mod table;
mod validate;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Exit codes: 0 after a clean stop, 1 after a failure, 2 for a command line that makes no sense.
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Node(arguments) => {
            init_log(arguments.tuning.log);
            node::run(*arguments)
        }
        Command::Ctl(arguments) => ctl::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quorate-kv: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn init_log(level: tracing::level_filters::LevelFilter) {
    use std::io::IsTerminal;
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// Why the program ends, in a sentence.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    Usage(String),
    /// Something went wrong.
    Run(String),
}

impl Failure {
    const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
        }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Usage(text) | Self::Run(text) => f.write_str(text),
        }
    }
}
