use crate::Verb;
use crate::failure::Outcome;
use crate::tool::{Tool, target_dir};

pub(crate) const VERB: Verb = Verb {
    name: "nemesis",
    about: "five server processes and an operator with bad luck: kills, pauses, cuts, erased and full disks",
    help: "
Starts five processes of quorate-kv, each behind a proxy and on a small file system of its own, and
lets clients write and read through them: registers, counters, values of 1 MiB. Meanwhile it kills
and pauses processes, cuts links one way and both ways, delays and resets them, isolates nodes,
fills disks, transfers leadership, and erases the disk of a node, which must be refused under its
old id and is replaced by a node with a new one. One fault of each kind comes first, then up to
three at a time are drawn from the seed.

No acknowledged write may be lost, no read may go back, nothing may be executed twice or after it
was refused; there is one cluster; no process ends by itself; when faults end, writes go on; at the
end all nodes have the same values. A failure says where logs and directories are, and how to repeat
it.

    cargo xtask nemesis                      20 minutes, a seed of its own
    cargo xtask nemesis --seconds 60         what CI runs: about one fault of each kind
    cargo xtask nemesis --seed 7             the same faults again
    cargo xtask nemesis --nodes 3            a smaller cluster
    cargo xtask nemesis --consensus paxos    the servers on Multi-Paxos; in CI for 60 s as well

Full disks take the right to mount file systems: root, or a system that lets users make mount
namespaces. Without it, say `--without full-disk`. `--keep` keeps logs and directories also when all
is well.",
    run,
};

fn run(args: &[String]) -> Outcome {
    Tool::cargo()
        .args(["build", "--quiet", "--release", "-p", "quorate-kv", "-p", "quorate-nemesis"])
        .run()?;
    let programs = target_dir()?.join("release");
    Tool::new(programs.join("quorate-nemesis"))
        .arg("--server")
        .arg(programs.join("quorate-kv"))
        .args(args)
        .run()
}
