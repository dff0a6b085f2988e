use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::trace::Trace;
use crate::{Marks, Subject, World, compare_drain};

/// A healed majority must have a leader within so many of the longest election timeouts.
pub const LEADER_TIMEOUTS: u64 = 8;

/// An election takes longer than so many of the longest election timeouts once in 1,000 times at most.
pub const SLOW_ELECTION_TIMEOUTS: u64 = 4;

/// A healed majority must have committed something new within so many of the longest election timeouts.
pub const COMMIT_TIMEOUTS: u64 = 10;

/// That a node forgot must be noticed within so many of the longest election timeouts.
const AMNESIA_TIMEOUTS: u64 = 6;

/// Messages in a second, at most, that a node sends and is sent which forgot: heartbeats, those of the clients' reads, and answers.
const MAX_AMNESIAC_MESSAGES: u64 = 2_500;

/// All nodes must have converged within so many of the longest election timeouts once all is healed.
const CONVERGE_TIMEOUTS: u64 = 40;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Messages that reached a machine.
    pub delivered: u64,
    /// Crashes of single nodes.
    pub crashes: u64,
    /// What the subject counts as completed, such as acknowledged operations.
    pub completed: u64,
    /// From healing a majority to a leader, in 1/1000 of the longest election timeout.
    pub leader_after: u64,
    /// From healing a majority to a new commit, in 1/1000 of the longest election timeout.
    pub commit_after: u64,
    /// From a partial partition to a leader that reaches a majority, in 1/1000 of the longest election timeout; `None` where
    /// there was no such partition.
    pub partial_after: Option<u64>,
    /// Messages sent in the busiest second of virtual time.
    pub max_messages_per_second: u64,
    /// Outputs of one node in its busiest step.
    pub max_outputs_per_step: u64,
    /// How often each rare thing happened.
    pub marks: Marks,
    /// Equal for equal runs.
    pub fingerprint: u64,
}

/// What was violated, and what led to it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The run.
    pub seed: u64,
    /// What was violated.
    pub what: String,
    /// The end of the trace.
    pub trace: String,
}

/// Runs one seed: chaos, then a healed majority that must make progress, then everybody.
///
/// # Errors
///
/// The [`Violation`], a panic of the machine included.
pub fn run<S: Subject>(seed: u64, nodes: Option<usize>, trace: bool) -> Result<Report, Violation> {
    match run_once::<S>(seed, nodes, Trace::new(0, trace)) {
        Ok(report) => Ok(report),
        // once more, this time with words
        Err((what, _)) if !trace => match run_once::<S>(seed, nodes, Trace::new(80, false)) {
            Err((what, trace)) => Err(Violation { seed, what, trace }),
            Ok(_) => {
                let what = format!("{what} (and not when run again: not deterministic)");
                Err(Violation { seed, what, trace: String::new() })
            }
        },
        Err((what, trace)) => Err(Violation { seed, what, trace }),
    }
}

/// Runs one seed as [`run`] does, and before each time that outputs of a machine are taken, [compares](compare_drain) what
/// `drain` and `poll` make of copies of it.
///
/// # Errors
///
/// The [`Violation`], how `drain` and `poll` differ included.
pub fn run_comparing_drain<S: Subject>(seed: u64, nodes: Option<usize>) -> Result<Report, Violation>
where
    S::Machine: Clone,
{
    let mut world = World::<S>::new(seed, nodes, Trace::new(80, false));
    world.check_outputs = Some(compare_drain::<S::Machine>);
    run_world(&mut world).map_err(|(what, trace)| Violation { seed, what, trace })
}

/// Runs the first `duration_us` microseconds of a seed: what happened, as commands of an interaction test.
///
/// # Errors
///
/// What was violated, or that the subject has no interaction protocol.
pub fn record<S: Subject>(
    seed: u64,
    nodes: Option<usize>,
    duration_us: u64,
) -> Result<Vec<String>, String> {
    let mut world = recording_world::<S>(seed, nodes)?;
    world.run_until(duration_us, |_| false)?;
    Ok(world.recorder.0.take().unwrap_or_default())
}

/// Runs one seed that fails: what happened, as commands of an interaction test, and what was violated.
pub(crate) fn run_recorded<S: Subject>(
    seed: u64,
    nodes: Option<usize>,
) -> Result<(Vec<String>, String), String> {
    let mut world = recording_world::<S>(seed, nodes)?;
    let result = catch_unwind(AssertUnwindSafe(|| phases(&mut world)));
    let commands = world.recorder.0.take().unwrap_or_default();
    match result {
        Ok(Ok(_)) => Err(format!("seed {seed}: nothing is violated")),
        Ok(Err(what)) => Ok((commands, what)),
        Err(_) => Ok((commands, "it panics".into())),
    }
}

fn recording_world<S: Subject>(seed: u64, nodes: Option<usize>) -> Result<World<S>, String> {
    let mut world = World::<S>::new(seed, nodes, Trace::new(0, false));
    let scenario_setup =
        world.subject.scenario_setup().ok_or("this subject has no interaction protocol")?;
    world.recorder.0 = Some(scenario_setup);
    Ok(world)
}

fn run_once<S: Subject>(
    seed: u64,
    nodes: Option<usize>,
    trace: Trace,
) -> Result<Report, (String, String)> {
    run_world(&mut World::<S>::new(seed, nodes, trace))
}

fn run_world<S: Subject>(world: &mut World<S>) -> Result<Report, (String, String)> {
    match catch_unwind(AssertUnwindSafe(|| phases(world))) {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(what)) => Err((what, world.trace.to_string())),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            let what = format!("panicked: {}", words.unwrap_or_default());
            Err((what, world.trace.to_string()))
        }
    }
}

fn phases<S: Subject>(world: &mut World<S>) -> Result<Report, String> {
    let chaos = world.swarm.chaos_us;
    world.run_until(chaos, |_| false)?;

    let keep = random_majority(world);
    world.trace.line(world.now, || format!("only {:?} heal", NodeNumbers(&keep)));
    world.heal(&keep)?;
    world.report_link_changes()?;
    let start = world.now;
    let before = world.subject.completed();
    // clocks that run slow wait longer
    let timeout = world.subject.timeout_us() * (1_000_000 + 2 * world.swarm.drift_ppm) / 1_000_000;
    world.run_until(start + LEADER_TIMEOUTS * timeout, has_leader)?;
    if !has_leader(world) {
        return Err(format!("no leader within {LEADER_TIMEOUTS} election timeouts of healing"));
    }
    let leader_after = (world.now - start) * 1_000 / timeout;
    let progress = |world: &World<S>| world.subject.completed() > before;
    world.run_until(start + COMMIT_TIMEOUTS * timeout, progress)?;
    if !progress(world) {
        let what = "nothing new committed within";
        return Err(format!("{what} {COMMIT_TIMEOUTS} election timeouts of healing"));
    }
    let commit_after = (world.now - start) * 1_000 / timeout;

    let all: Vec<usize> = (0..world.swarm.nodes).collect();
    world.heal(&all)?;
    world.run_until(world.now + 2 * timeout, |_| false)?;
    let partial_after = check_partial_partition(world, timeout)?;
    world.heal(&all)?;
    check_amnesia(world, timeout)?;
    check_disk_erasures(world, timeout)?;
    check_stable_leader(world, timeout)?;
    world.subject.stop_clients();
    world.run_until(world.now + CONVERGE_TIMEOUTS * timeout, converged)?;
    if !converged(world) {
        return Err(format!("no convergence within {CONVERGE_TIMEOUTS} election timeouts"));
    }
    world.subject.finish(&mut world.marks)?;
    Ok(Report {
        delivered: world.delivered,
        crashes: world.crashes,
        completed: world.subject.completed(),
        leader_after,
        commit_after,
        partial_after,
        max_messages_per_second: world.load.max_messages_per_second,
        max_outputs_per_step: world.load.max_outputs_per_step,
        marks: world.marks.clone(),
        fingerprint: world.final_fingerprint()?,
    })
}

/// Some links are cut again: the nodes must find a leader that reaches a majority, and get on.
fn check_partial_partition<S: Subject>(
    world: &mut World<S>,
    timeout: u64,
) -> Result<Option<u64>, String> {
    if !world.block_partially() {
        return Ok(None);
    }
    world.report_link_changes()?;
    let start = world.now;
    world.run_until(start + LEADER_TIMEOUTS * timeout, World::leader_reaches_majority)?;
    if !world.leader_reaches_majority() {
        let within = format!("within {LEADER_TIMEOUTS} election timeouts");
        return Err(format!("no leader with a majority {within} of a partial partition"));
    }
    let after = (world.now - start) * 1_000 / timeout;
    let before = world.subject.completed();
    let progress = |world: &World<S>| world.subject.completed() > before;
    world.run_until(world.now + COMMIT_TIMEOUTS * timeout, progress)?;
    if !progress(world) {
        return Err("nothing new committed in a partial partition".into());
    }
    Ok(Some(after))
}

/// A follower comes back with an empty disk, or an older copy of it: somebody must notice, and no messages may go back and forth
/// because of it. What such a node says is worth nothing, so it is taken away then; the others are a majority.
fn check_amnesia<S: Subject>(world: &mut World<S>, timeout: u64) -> Result<(), String> {
    let nodes = world.swarm.nodes;
    if nodes < 3 || world.subject.needs_all_nodes() || world.hosts.iter().any(|host| host.damaged) {
        return Ok(());
    }
    // the links are whole again, and everybody has been heard
    world.run_until(world.now + 2 * timeout, |_| false)?;
    let Some((leader, term)) =
        world.leader_and_term().filter(|_| world.machines().count() == nodes)
    else {
        return Ok(());
    };
    let node = (leader + 1 + world.rng.below(nodes as u64 - 1) as usize) % nodes;
    if world.inject_amnesia(leader, node)?.is_none() {
        return Ok(());
    }
    let noticed = |world: &World<S>| world.subject.detected_amnesia();
    let led_on = |world: &World<S>| world.leader_and_term() == Some((leader, term));
    world.run_until(world.now + AMNESIA_TIMEOUTS * timeout, |world| {
        noticed(world) || !led_on(world)
    })?;
    if !noticed(world) && led_on(world) {
        return Err(format!("node {} forgot what it acknowledged, and nobody tells", node + 1));
    }
    world.watched.1 = 0;
    world.run_until(world.now + AMNESIA_TIMEOUTS * timeout, |world| !led_on(world))?;
    let (_, messages) = world.watched;
    let most = AMNESIA_TIMEOUTS * timeout * MAX_AMNESIAC_MESSAGES / 1_000_000;
    if messages > most {
        return Err(format!("a storm: {messages} messages of node {}, which forgot", node + 1));
    }
    world.remove_node(node)
}

/// Nodes come back with empty disks, one after the other, while all others are there.
fn check_disk_erasures<S: Subject>(world: &mut World<S>, timeout: u64) -> Result<(), String> {
    for _ in 0..if S::ERASES_DISKS { 2 } else { 0 } {
        world.run_until(world.now + LEADER_TIMEOUTS * timeout, has_leader)?;
        let node = world.side_rng.below(world.swarm.nodes as u64) as usize;
        let up = world.machines().count() == world.swarm.nodes;
        if up && has_leader(world) && world.subject.may_erase_disk(node, true) {
            world.marks.hit("disk erased while all are there");
            world.erase_disk(node)?;
            world.run_until(world.now + 2 * timeout, |_| false)?;
        }
    }
    Ok(())
}

/// Nodes that do not lead, fewer than half of all, are cut off for a while, together or each alone, and come back: the leader stays.
fn check_stable_leader<S: Subject>(world: &mut World<S>, timeout: u64) -> Result<(), String> {
    let nodes = world.swarm.nodes;
    let settled = |world: &World<S>| world.machines().count() == nodes && has_leader(world);
    for _ in 0..if S::ERASES_DISKS && nodes > 2 { 2 } else { 0 } {
        world.run_until(world.now + LEADER_TIMEOUTS * timeout, settled)?;
        // it is heard by all
        world.run_until(world.now + timeout, |_| false)?;
        let Some(leader) = world.subject.stable_leader(&mut world.machines()) else {
            return Ok(());
        };
        if !settled(world) {
            return Ok(());
        }
        let mut away: Vec<usize> = (0..nodes).filter(|&node| node != leader).collect();
        while away.len() > (nodes - 1) / 2 || away.len() > 1 && world.side_rng.chance(1, 2) {
            let at = world.side_rng.below(away.len() as u64) as usize;
            away.swap_remove(at);
        }
        world.marks.hit(if away.len() > 1 { "nodes are away at once" } else { "a node is away" });
        world.subject.expect_stable_leader(Some((leader, &away)));
        world.network.partition = crate::partition::Partition::none(nodes);
        let together = world.side_rng.chance(1, 2);
        for &one in &away {
            let others = (0..nodes).filter(|other| !(together && away.contains(other)));
            others.for_each(|other| world.network.partition.block_both(one, other));
        }
        let absence = world.side_rng.range(200_000, 3_000_000);
        world.run_until(world.now + absence, |_| false)?;
        world.network.partition = crate::partition::Partition::none(nodes);
        world.run_until(world.now + LEADER_TIMEOUTS * timeout, |_| false)?;
        if !settled(world) || world.subject.stable_leader(&mut world.machines()) != Some(leader) {
            return Err(format!(
                "nodes {away:?} (from 0) were away, and node {} leads no more",
                leader + 1
            ));
        }
        world.subject.expect_stable_leader(None);
    }
    Ok(())
}

fn has_leader<S: Subject>(world: &World<S>) -> bool {
    world.subject.has_leader(&mut world.machines())
}

fn converged<S: Subject>(world: &World<S>) -> bool {
    let sound = world.hosts.iter().filter(|host| !host.damaged).count();
    world.machines().count() == sound && world.subject.converged(&mut world.machines())
}

/// A random majority.
fn random_majority<S: Subject>(world: &mut World<S>) -> Vec<usize> {
    let nodes = world.swarm.nodes;
    let sound = |&node: &usize| world.hosts.get(node).is_some_and(|host| !host.damaged);
    let mut all: Vec<usize> = (0..nodes).filter(sound).collect();
    let mut rng = quorate_core::Rng::new(world.trace.hash() ^ world.delivered);
    while all.len() > nodes / 2 + 1 && !world.subject.needs_all_nodes() {
        all.remove(rng.below(all.len() as u64) as usize);
    }
    all
}

/// Node numbers as people count them.
struct NodeNumbers<'a>(&'a [usize]);

impl fmt::Debug for NodeNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|n| n + 1)).finish()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.trace)?;
        writeln!(f, "seed {}: {}", self.seed, self.what)
    }
}
