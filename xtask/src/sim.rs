use crate::failure::{Failure, Outcome};
use crate::tool::Tool;
use crate::{Verb, commit};

pub(crate) const VERB: Verb = Verb {
    name: "sim",
    about: "the simulator: seeds with every fault on",
    help: "
Runs whole clusters in virtual time, one a seed, with faults of the network, the disks and the
nodes, and checks every invariant after every step. Arguments go on to the simulator:

    cargo xtask sim --seeds 2000             seeds 0 to 1999
    cargo xtask sim --seeds 500 --from 7000  others
    cargo xtask sim --sample                 3000 that the commit determines; CI runs this

A seed that fails prints the command that replays it with a trace. `cargo run --release -p
quorate-sim-cli --bin sim -- --help` tells all the simulator can do.",
    run,
};

/// Seeds of a sample: a minute of two cores.
const SAMPLE: u64 = 3_000;

fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--sample") {
        if args.len() > 1 {
            return Err(Failure::usage("--sample says which seeds to run: give it alone"));
        }
        let (from, seeds) = (commit::number().saturating_add(1), SAMPLE);
        // said as if it had been asked for: what is printed runs the same seeds at any commit
        println!("cargo xtask sim --from {from} --seeds {seeds}");
        return run(&["--from", &from.to_string(), "--seeds", &seeds.to_string()].map(String::from));
    }
    Tool::cargo()
        .args(["run", "--quiet", "--release", "-p", "quorate-sim-cli", "--bin", "sim", "--"])
        .args(args)
        .run()
}
