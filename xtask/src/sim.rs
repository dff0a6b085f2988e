use crate::Verb;
use crate::failure::Outcome;
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "sim",
    about: "the simulator: seeds with every fault on",
    help: "
Runs whole clusters in virtual time, one a seed, with faults of the network, the disks and the nodes, and checks every
invariant after every step. Arguments go on to the simulator:

    cargo xtask sim --seeds 2000             seeds 0 to 1999
    cargo xtask sim --seeds 500 --from 7000  others

A seed that fails prints the command that replays it with a trace. `cargo run --release -p quorate-sim --bin sim -- --help`
tells all the simulator can do.",
    run,
};

fn run(args: &[String]) -> Outcome {
    Tool::cargo()
        .args(["run", "--quiet", "--release", "-p", "quorate-sim", "--bin", "sim", "--"])
        .args(args)
        .run()
}
