use crate::Verb;
use crate::failure::Outcome;
use crate::tool::Tool;

pub(crate) const VERB: Verb = Verb {
    name: "model",
    about: "the model checker: every order of everything that may happen to a few nodes",
    help: "
Explores the elections, and Raft's replication and changes of members, with stateright, as they are, within bounds: early timeouts,
crashes and recoveries, lost and repeated messages in any order. Prints how many states there are; a violation prints the steps that lead there. About a minute.

    cargo xtask model                all cases
    cargo xtask model ring           those whose name has the word",
    run,
};

fn run(args: &[String]) -> Outcome {
    let model = ["run", "--quiet", "--release", "-p", "quorate-sim", "--features", "model"];
    Tool::cargo().args(model).args(["--bin", "model", "--"]).args(args).run()
}
