//! Emulated boards on one bench: scenarios that are checked, or a bench to play with.

use core::sync::atomic::AtomicBool;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use quorate_boards::board::Board;
use quorate_boards::launch::Launch;
use quorate_boards::live::Live;
use quorate_boards::run::Kit;
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
    /// Run scenarios one after another, and check what comes out.
    Run {
        #[command(flatten)]
        parts: Parts,
        /// Run only this one; may be given more than once.
        #[arg(long, value_name = "NAME")]
        scenario: Vec<String>,
        /// For everything random on the bench; another one each time without it.
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Keep the folders of scenarios that went well, too.
        #[arg(long)]
        keep: bool,
    },
    /// Three boards to play with.
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

/// Whether all went well.
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
            let (program, mut kit) = parts.kit(seed, interrupted)?;
            kit.keep = keep;
            println!("seed {seed}, in {}", kit.dir.display());
            let tally = kit.run(program, &scenario);
            // gone when nothing is in it that somebody may want to see
            let _ = std::fs::remove_dir(&kit.dir);
            let tally = tally?;
            println!(
                "\nscenarios: {} passed, {} failed, {} left out",
                tally.passed.len(),
                tally.failed.len(),
                tally.skipped.len()
            );
            for (name, why) in &tally.failed {
                println!("  {name}: {why}\n    again: --scenario {name} --seed {seed}");
            }
            Ok(tally.failed.is_empty())
        }
        Verb::Live { parts, with_server } => {
            let (program, kit) = parts.kit(any_seed(), interrupted)?;
            let rig = kit.rig("live", program, with_server)?;
            let outcome = Live::new(rig, program).run();
            let _ = std::fs::remove_dir_all(&kit.dir);
            outcome.map(|()| true)
        }
    }
}

impl Parts {
    fn kit(
        &self,
        seed: u64,
        interrupted: Arc<AtomicBool>,
    ) -> Result<(&'static Program, Kit), Failure> {
        let program = PROGRAMS.iter().find(|program| program.name == self.program);
        let program = program.ok_or_else(|| {
            Failure::Wrong(format!("no program `{}`; `boards list` names them", self.program))
        })?;
        let board = Arc::new(Board::new(&self.image)?);
        let server = self.server.as_deref().map(start_server).transpose()?;
        let dir = std::env::temp_dir().join(format!("quorate-boards-{}", std::process::id()));
        let kit = Kit { board, server, dir, seed, keep: false, interrupted };
        Ok((program, kit))
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
