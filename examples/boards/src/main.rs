//! Emulated boards on one bench: scenarios that are checked, or an interactive bench.

use core::sync::atomic::AtomicBool;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use quorate_boards::board::Board;
use quorate_boards::launch::Launch;
use quorate_boards::live::Live;
use quorate_boards::runner::Runner;
use quorate_boards::{Failure, PROGRAMS, Program, Server};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Emulated boards on one bench.
#[derive(Parser)]
#[command(name = "boards", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run scenarios one after another, and check their outcomes.
    Run {
        #[command(flatten)]
        parts: Parts,
        /// Run only this one; may be given more than once.
        #[arg(long, value_name = "NAME")]
        scenario: Vec<String>,
        /// For everything random on the bench; another one each time without it.
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Keep the folders of scenarios that passed, too.
        #[arg(long)]
        keep: bool,
    },
    /// Three boards with a prompt.
    Live {
        #[command(flatten)]
        parts: Parts,
        /// Node 3 is a server process.
        #[arg(long)]
        with_server: bool,
    },
    /// List programs and scenarios.
    List,
}

/// What is put on the bench.
#[derive(Args)]
struct Parts {
    /// What runs on the boards.
    #[arg(long, value_name = "NAME", default_value = "setpoint")]
    program: String,
    /// The image for the boards, an ELF file.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The server, for scenarios that need one.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all passed.
fn dispatch(verb: Verb) -> Result<bool, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .map_err(Failure::io("watching for signals"))?;
    }
    match verb {
        Verb::List => {
            list();
            Ok(true)
        }
        Verb::Run { parts, scenario, seed, keep } => {
            let seed = seed.unwrap_or_else(any_seed);
            let (program, mut runner) = parts.runner(seed, interrupted)?;
            runner.keep = keep;
            println!("seed {seed}, in {}", runner.dir.display());
            let summary = runner.run(program, &scenario);
            // gone when nothing is in it that somebody may want to see
            let _ = std::fs::remove_dir(&runner.dir);
            let summary = summary?;
            println!(
                "\nscenarios: {} passed, {} failed, {} skipped",
                summary.passed.len(),
                summary.failed.len(),
                summary.skipped.len()
            );
            for (name, why) in &summary.failed {
                println!("  {name}: {why}\n    again: --scenario {name} --seed {seed}");
            }
            Ok(summary.failed.is_empty())
        }
        Verb::Live { parts, with_server } => {
            let (program, runner) = parts.runner(any_seed(), interrupted)?;
            let bench = runner.bench("live", program, with_server)?;
            let outcome = Live::new(bench, program).run();
            let _ = std::fs::remove_dir_all(&runner.dir);
            outcome.map(|()| true)
        }
    }
}

impl Parts {
    fn runner(
        &self,
        seed: u64,
        interrupted: Arc<AtomicBool>,
    ) -> Result<(&'static Program, Runner), Failure> {
        let program = PROGRAMS.iter().find(|program| program.name == self.program);
        let program = program.ok_or_else(|| {
            Failure::Unexpected(format!("no program `{}`; `boards list` names them", self.program))
        })?;
        let board = Arc::new(Board::new(&self.image)?);
        let server = self.server.as_deref().map(start_server).transpose()?;
        let dir = std::env::temp_dir().join(format!("quorate-boards-{}", std::process::id()));
        let runner = Runner { board, server, dir, seed, keep: false, interrupted };
        Ok((program, runner))
    }
}

fn start_server(program: &Path) -> Result<Arc<dyn Launch>, Failure> {
    Ok(Arc::new(Server::new(program)?))
}

fn list() {
    for program in PROGRAMS {
        println!("{}: {}", program.name, program.about);
        for scenario in program.scenarios {
            println!("  {:<10} {}", scenario.name, scenario.about);
        }
    }
}

fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_micros().try_into().unwrap_or(0) & 0xffff_ffff
}
