//! The table at the end of a run.

use core::sync::atomic::Ordering::SeqCst;
use core::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::faults::{ALL, Fault, Faults};
use crate::workload::Counts;

/// Prints what clients did and what was done to the nodes.
pub fn print(counts: &Counts, faults: &Faults, term: u64, slowest: Duration, took: Duration) {
    let row = |name: &str, value: String| println!("{name:<36} {value:>12}");
    println!();
    row("acknowledged writes", counts.acknowledged.load(SeqCst).to_string());
    row("  of those, of 1 MiB", counts.big.load(SeqCst).to_string());
    row("writes refused (not executed)", counts.refused.load(SeqCst).to_string());
    row("writes of unknown outcome", counts.unknown.load(SeqCst).to_string());
    row("reads", counts.reads.load(SeqCst).to_string());
    for fault in ALL {
        row(fault.name(), count(faults, fault).to_string());
    }
    row("terms or ballots", term.to_string());
    row("slowest recovery", format!("{:.1} s", slowest.as_secs_f64()));
    row("took", format!("{:.1} s", took.as_secs_f64()));
}

/// Every kind of fault occurred, and values of 1 MiB were written: else the run proves less than it claims.
///
/// # Errors
///
/// What did not occur.
pub fn coverage(counts: &Counts, faults: &Faults, without: &[Fault]) -> Outcome {
    let missing =
        ALL.into_iter().filter(|&fault| !without.contains(&fault) && count(faults, fault) == 0);
    let mut missing: Vec<&str> = missing.map(Fault::name).collect();
    if counts.big.load(SeqCst) == 0 {
        missing.push("values of 1 MiB");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::server(format!("these did not occur: {}", missing.join(", ")))),
    }
}

fn count(faults: &Faults, fault: Fault) -> u64 {
    faults.counts.get(&fault).copied().unwrap_or(0)
}
