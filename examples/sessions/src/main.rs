//! Simulates a till, with the seed that is given, or 1.

use std::process::ExitCode;

use quorate_sessions::Simulation;

fn main() -> ExitCode {
    let seed = match std::env::args().nth(1).map(|seed| seed.parse()) {
        None => 1,
        Some(Ok(seed)) => seed,
        Some(Err(_)) => {
            eprintln!("usage: quorate-sessions [SEED], a number");
            return ExitCode::from(2);
        }
    };
    let report = match Simulation::new(seed) {
        Ok(mut simulation) => simulation.run(|line| println!("{line}")),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match report {
        Some(report) if report.in_doubt > 0 || report.with_sessions == [report.paid; 3] => {
            println!("\n{report}");
            ExitCode::SUCCESS
        }
        Some(report) => {
            eprintln!("error: what was paid is not what is in the till\n{report}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("error: seed {seed} comes to no end");
            ExitCode::FAILURE
        }
    }
}
