//! A node of a set-point cluster on a server, at serial lines to the others.

mod cli;
mod console;
mod server;
mod snapshot_file;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use quorate_core::NodeId;
use quorate_raft::{Heap, Raft};
use quorate_setpoint::{CLUSTER, config};
use quorate_tokio::{NodeOptions, start};
use tokio::sync::mpsc;
use tracing::Level;

use cli::{Cli, CliCommand, Serve};
use server::Server;
use snapshot_file::SnapshotFile;

fn main() -> ExitCode {
    let Cli { command: CliCommand::Serve(serve) } = Cli::parse();
    tracing_subscriber::fmt()
        .with_max_level(if serve.verbose { Level::DEBUG } else { Level::INFO })
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let result = runtime.block_on(run(serve));
    // a blocked read of standard input must not hold the process
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

async fn run(serve: Serve) -> Result<(), String> {
    let id = NodeId::new(serve.id);
    let lines: Vec<_> =
        serve.wire.iter().map(|wire| (NodeId::new(wire.peer), wire.address.clone())).collect();
    let voters: Vec<_> = lines.iter().map(|(peer, _)| *peer).chain([id]).collect();
    let raft = Raft::<Heap>::new(id, &voters, config(), seed()).map_err(|e| e.to_string())?;

    let file = SnapshotFile::in_dir(&serve.dir);
    let (failures, mut failure) = mpsc::unbounded_channel();
    let options = NodeOptions::with_serial_lines(id, CLUSTER, lines, serve.dir.clone());
    let mut node = start(raft, move |raft| Server::new(raft, file, failures), options)
        .map_err(|error| error.to_string())?;

    let console = console::serve(serve.console, node.handle());
    let ended = tokio::select! {
        ended = node.wait() => return ended.map_err(|error| error.to_string()),
        Some(failure) = failure.recv() => Err(failure),
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = console => ended,
    };
    node.stop().await.map_err(|error| error.to_string())?;
    ended
}

/// Different each time: nodes must not wait for the same times.
fn seed() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(1) ^ u64::from(std::process::id())
}
