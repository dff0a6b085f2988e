//! Placements side by side with what others have made, in one run. `cargo xtask bench ring` runs it.
//!
//! Lookups of one operation are timed in turns, and the least of many short runs counts: what disturbs one disturbs its
//! neighbours.

mod case;
mod key;
mod ours;
mod peers;
mod table;

use std::error::Error;
use std::process::ExitCode;

use case::{Case, Operation};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Points of a node on a ring: its virtual nodes.
const POINTS: u16 = 100;
/// How often each lookup is timed.
const TURNS: usize = 20;

const HELP: &str = "\
Placements of 10, 100 and 1,000 nodes, ours and what others have made; rings with 100 virtual nodes
for each node. Lookups are timed in turns, in one process; the least of 80 runs counts, in ns, and
behind it how many times as long as ours of the same kind that is. What stands in parentheses is no
library, but the least that such a placement could take.

    cargo run --release                  all of it, in a minute
    cargo run --release -- 100 1000      with so many nodes
    cargo run --release -- --quick       without how even the shares are, and adding a node
    cargo run --release -- --markdown    as tables for a README

16 B key      the owner of a key of 16 bytes, hashed as the library does by itself
hashed key    the owner of a key that is hashed
3 replicas    three distinct nodes for a key that is hashed, all in one zone; hashring gives the nodes
              of three points, which may be one node
3 zones       three nodes in three zones
allocations   calls of the allocator for an owner, and for three replicas
add a node    with its virtual nodes; all is made again where the library cannot add one
B each        bytes of the heap for a virtual node of a ring, and for a node elsewhere
max/mean      the largest share of 1,000,000 keys (rendezvous: 100,000), as a multiple of the mean";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| matches!(arg.as_str(), "--help" | "-h" | "help")) {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let (flags, sizes): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with('-'));
    let unknown = flags.iter().find(|flag| !matches!(**flag, "--quick" | "--markdown"));
    let sizes: Result<Vec<u64>, _> = sizes.into_iter().map(str::parse).collect();
    let sizes = match (unknown, sizes) {
        (None, Ok(sizes)) if sizes.iter().all(|size| (10..=10_000).contains(size)) => sizes,
        _ => {
            eprintln!("numbers of nodes from 10 to 10000, --quick and --markdown; see --help");
            return ExitCode::from(2);
        }
    };
    let sizes = if sizes.is_empty() { vec![10, 100, 1_000] } else { sizes };
    for nodes in sizes {
        if let Err(error) = run(nodes, flags.contains(&"--quick"), flags.contains(&"--markdown")) {
            eprintln!("{nodes} nodes: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(nodes: u64, quick: bool, markdown: bool) -> Result<(), Box<dyn Error>> {
    let mut cases: Vec<Case> = Vec::new();
    ours::cases(&mut cases, nodes)?;
    peers::cases(&mut cases, nodes);
    cases.sort_by_key(|case| case.kind as u8); // ours first of each kind
    for operation in Operation::ALL {
        for _ in 0..TURNS {
            cases.iter_mut().for_each(|case| case.turn(operation));
        }
    }
    if !quick {
        cases.iter_mut().for_each(Case::time_add);
    }
    let rows = table::rows(&mut cases, nodes, quick);
    if markdown {
        println!("{nodes} nodes:\n\n{}", table::markdown(&rows));
    } else {
        println!("{nodes} nodes\n{}", table::plain(&rows));
    }
    Ok(())
}
