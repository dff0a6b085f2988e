use crate::failure::Outcome;
use crate::tool::Tool;
use crate::{Verb, commit};

pub(crate) const VERB: Verb = Verb {
    name: "model",
    about: "the model checker: every order of everything that may happen to a few nodes",
    help: "
Explores the elections, Raft's replication and changes of members, Paxos and Multi-Paxos, registers
of the quorum store and hand-overs of a range, with stateright, as they are, within bounds: early
timeouts, crashes and recoveries, lost and repeated messages in any order. Prints how many states
there are; a violation prints the steps that lead there. A few minutes.

    cargo xtask model                all cases
    cargo xtask model ring           those of a model: bully, ring, raft, paxos, multi,
                                     quorum, migration
    cargo xtask model quorum writers those of them whose name has the word
    cargo xtask model bully --part 1/2   of these, the first, the third and so on
    cargo xtask model bully --sample     half of these; the commit determines which",
    run,
};

/// Parts of which a sample is one.
const PARTS: u64 = 2;

fn run(args: &[String]) -> Outcome {
    let rest: Vec<String> = args.iter().filter(|arg| *arg != "--sample").cloned().collect();
    if rest.len() < args.len() {
        let part = format!("{}/{PARTS}", commit::number() % PARTS + 1);
        println!("cargo xtask model {} --part {part}", rest.join(" "));
        return run(&[rest, vec!["--part".to_owned(), part]].concat());
    }
    let model = ["run", "--quiet", "--release", "-p", "quorate-sim-cli", "--features", "model"];
    Tool::cargo().args(model).args(["--bin", "model", "--"]).args(args).run()
}
