use crate::failure::{Failure, Outcome};
use crate::protocol::PROTOCOLS;
use crate::tool::Tool;
use crate::{Verb, commit};

pub(crate) const VERB: Verb = Verb {
    name: "sim",
    about: "the simulator: seeds with every fault on",
    help: "
Runs whole clusters in virtual time, one a seed, with faults of the network, the disks and the
nodes, and checks every invariant after every step. Arguments go on to the simulator:

    cargo xtask sim --seeds 2000             seeds 1 to 2000 of Raft
    cargo xtask sim --seeds 500 --from 7000  others
    cargo xtask sim --protocol crdt          of another protocol: clocks, crdt, election, multi,
                                             paxos, ring
    cargo xtask sim --sample                 some of each protocol, which the commit determines: a
                                             minute of Raft, 10 s of each other; CI runs this

A seed that fails prints the command that replays it with a trace. `cargo run --release -p
quorate-sim-cli --bin sim -- --help` tells all the simulator can do.",
    run,
};

fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--sample") {
        if args.len() > 1 {
            return Err(Failure::usage("--sample says which seeds to run: give it alone"));
        }
        return sample();
    }
    Tool::cargo()
        .args(["run", "--quiet", "--release", "-p", "quorate-sim-cli", "--bin", "sim", "--"])
        .args(args)
        .run()
}

/// Some seeds of every protocol. One that fails does not stop the others.
fn sample() -> Outcome {
    let from = commit::number().saturating_add(1).to_string();
    let mut failed = Vec::new();
    for protocol in PROTOCOLS {
        let seeds = protocol.sample.to_string();
        let args = ["--protocol", protocol.name, "--from", &from, "--seeds", &seeds];
        // said as if it had been asked for: what is printed runs the same seeds at any commit
        println!("cargo xtask sim {}", args.join(" "));
        if run(&args.map(String::from)).is_err() {
            failed.push(protocol.name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("violated, or not tested: {}", failed.join(", "))))
    }
}
