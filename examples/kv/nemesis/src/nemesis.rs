//! A whole run: the cluster, its clients, the faults, the last look.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quorate_core::Rng;

use crate::client::{Client, Info, Reply};
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::faults::{Fault, Faults};
use crate::history::{Key, Read};
use crate::node::Program;
use crate::options::Options;
use crate::report;
use crate::rounds::{Rounds, check_one_cluster};
use crate::timeline::Timeline;
use crate::workload::{SHARED, Workload};

/// Small limits, so that snapshots and compactions happen all the time.
const SERVER: [&str; 8] = [
    "--timeout-ms",
    "3000",
    "--snapshot-mb",
    "16",
    "--snapshot-entries",
    "5000",
    "--keep-entries",
    "500",
];

/// Runs it, and says how it went.
///
/// # Errors
///
/// What went wrong.
pub fn run(options: &Options) -> Outcome {
    let seed = options.seed.unwrap_or_else(random_seed);
    let time = options.seconds.unwrap_or(options.minutes * 60);
    println!("seed {seed}, {} nodes on {}, {time} s", options.nodes, options.consensus);
    let scratch = options.dir.clone().unwrap_or_else(default_dir);
    fs::create_dir_all(&scratch).map_err(Failure::io(scratch.display()))?;
    let program = Program {
        path: options.server.clone(),
        options: SERVER
            .into_iter()
            .chain(["--consensus", &options.consensus])
            .map(str::to_owned)
            .collect(),
        scratch: scratch.clone(),
    };
    let small_disks = !options.without.contains(&Fault::FullDisk);
    let mut cluster = Cluster::found(usize::from(options.nodes), program, small_disks)?;
    let outcome = run_rounds(&mut cluster, options, seed, Duration::from_secs(time));
    if outcome.is_err() || options.keep {
        let kept: Vec<String> =
            cluster.preserve_data().iter().map(|path| path.display().to_string()).collect();
        println!("\nlogs are in {}, directories in {}", scratch.display(), kept.join(", "));
        println!(
            "the same faults again: cargo xtask nemesis --seed {seed} --seconds {time} --nodes {} --consensus {}",
            options.nodes, options.consensus
        );
    }
    drop(cluster);
    if outcome.is_ok() && !options.keep {
        // what cannot be removed is among the temporary files
        let _ = fs::remove_dir_all(&scratch);
    }
    outcome
}

fn run_rounds(cluster: &mut Cluster, options: &Options, seed: u64, time: Duration) -> Outcome {
    let begin = Instant::now();
    let timeline = Timeline::start();
    let mut rng = Rng::new(seed);
    let mut faults = Faults::new(timeline);
    let mut workload = Workload::start(cluster.endpoints.clone(), timeline, &mut rng)?;
    let mut rounds = Rounds {
        cluster,
        workload: &workload,
        timeline,
        rng: rng.fork(),
        faults: &mut faults,
        slowest: Duration::ZERO,
        without: options.without.clone(),
    };
    let outcome = rounds.run(time);
    let slowest = rounds.slowest;
    workload.stop();
    let outcome = outcome.and_then(|()| final_check(cluster, &workload, timeline));
    let term = cluster.infos().iter().flatten().map(term).max().unwrap_or(0);
    let counts = &workload.shared.counts;
    report::print(counts, &faults, term, slowest, begin.elapsed());
    // what was seen before a failure may explain it
    let history = workload.shared.check(None);
    outcome.and(history)?;
    report::coverage(counts, &faults, &options.without)
}

/// Every node has applied the same, and that is what clients were promised.
fn final_check(cluster: &mut Cluster, workload: &Workload, timeline: Timeline) -> Outcome {
    timeline.log("the clients have stopped: reading everything at every node");
    let over = timeline.now();
    cluster.until("every node to apply everything", |cluster| {
        let infos = cluster.infos().into_iter().collect::<Option<Vec<_>>>()?;
        let last = infos.iter().map(|info| info.number("log_last")).max()?;
        infos.iter().all(|info| info.number("applied") == last).then_some(())
    })?;
    check_one_cluster(cluster)?;
    let mut shared = Vec::new();
    for slot in 0..cluster.nodes.len() {
        let (node, port) = (cluster.nodes[slot].id, cluster.nodes[slot].client_port());
        // through the leader first, then what the node has itself
        for local in [false, true] {
            let read = cluster
                .until("a node to be read", |_| read_all(workload, node, port, local, timeline))?;
            shared.push(read);
        }
    }
    if let Some(pair) = shared.windows(2).find(|pair| pair[0] != pair[1]) {
        return Err(Failure::server(format!(
            "nodes differ: the shared counter is {} at one and {} at another",
            pair[0], pair[1]
        )));
    }
    check_nodes_agree(workload, over)?;
    workload.shared.check(shared.first().copied())
}

/// Reads every key at a node, and returns the shared counter; `None` if something cannot be read.
fn read_all(
    workload: &Workload,
    node: u64,
    port: u16,
    local: bool,
    timeline: Timeline,
) -> Option<u64> {
    let mut client = Client::connect(port).ok()?;
    if local {
        client.call(&[b"READONLY"]).ok()?;
    }
    for key in workload.shared.keys() {
        if key.operations().retired {
            continue;
        }
        let start = timeline.now();
        let value = match client.call(&[b"GET", key.name.as_bytes()]).ok()? {
            // a value of another key is found when all are compared
            Reply::Bulk(bytes) => key.decode(&bytes).unwrap_or(u64::MAX),
            Reply::Null => 0,
            _ => return None,
        };
        key.operations().reads.push(Read { value, start, end: timeline.now(), node });
    }
    match client.call(&[b"GET", SHARED.as_bytes()]).ok()? {
        Reply::Bulk(bytes) => String::from_utf8(bytes).ok()?.parse().ok(),
        Reply::Null => Some(0),
        _ => None,
    }
}

/// The reads of each key after all writes were over are equal.
fn check_nodes_agree(workload: &Workload, over: u64) -> Outcome {
    let differs = |key: &Key| {
        let operations = key.operations();
        let mut last = operations.reads.iter().filter(|read| read.start > over);
        let first = last.next().map(|read| (read.value, read.node))?;
        let other = last.find(|read| read.value != first.0)?;
        Some(format!(
            "nodes differ: key {} is {} at node {} and {} at node {}",
            key.name, first.0, first.1, other.value, other.node
        ))
    };
    match workload.shared.keys().iter().find_map(|key| differs(key)) {
        Some(text) => Err(Failure::server(text)),
        None => Ok(()),
    }
}

/// The term of a node, or the round of its ballot.
fn term(info: &Info) -> u64 {
    let ballot = info.text("ballot").split('.').next().and_then(|round| round.parse().ok());
    ballot.unwrap_or_else(|| info.number("term"))
}

fn random_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0) % 1_000_000
}

fn default_dir() -> PathBuf {
    std::env::temp_dir().join(format!("quorate-nemesis-{}", std::process::id()))
}
