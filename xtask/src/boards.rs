use crate::Verb;
use crate::failure::{Failure, Outcome};
use crate::firmware;

pub(crate) const VERB: Verb = Verb {
    name: "boards",
    about: "emulated boards with a prompt",
    help: "
Builds the images as `cargo xtask firmware` does and starts three boards on a bench, with a prompt:
type on their consoles, cut and disturb wires, power nodes off. A terminal shows the status of the
nodes and what they log; elsewhere everything comes line by line.

    cargo xtask boards                         three boards
    cargo xtask boards --server                two boards and a server process
    cargo xtask boards --program setpoint      what runs on them

    1 set 20     type `set 20` at node 1      cut 1-2, cut 1>2    cut a wire, or one direction
    kill 3       power node 3 off            heal 1-2, heal      one wire, or all
    restart 3    power it on again         noise 1-2, silence  disturb a wire, and stop that",
    run,
};

fn run(args: &[String]) -> Outcome {
    let (mut program, mut rest) = (None, Vec::new());
    let mut arguments = args.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--program" => {
                program =
                    Some(arguments.next().ok_or_else(|| Failure::usage("--program needs a name"))?)
            }
            "--server" => rest.push("--with-server"),
            other => return Err(Failure::usage(format!("boards does not know `{other}`"))),
        }
    }
    firmware::live(program, &rest)
}
