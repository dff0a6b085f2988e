//! From a seed that fails to a short script that fails in the same way.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_core::Machine;

use crate::Subject;
use crate::interact::{Links, Play, Stage, Wrong};
use crate::run::recorded;

/// Plays at most so many commands, in all candidates together: what was found by then is good enough.
const MOST_COMMANDS: usize = 40_000_000;

/// Runs a seed that fails and finds an interaction test, as short as can be, that fails in the same way: delta debugging
/// (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) of the record of all that happened.
///
/// # Errors
///
/// Why there is none: nothing fails, or it is nothing that shows at one moment on a stage, such as a history that cannot be put
/// in order, or no progress.
pub fn shrink<S, P>(seed: u64, nodes: Option<usize>) -> Result<String, String>
where
    S: Subject,
    P: Play<Machine: Machine>,
{
    let (commands, what) = recorded::<S>(seed, nodes)?;
    let mut shrinker =
        Shrinker::<P> { kind: String::new(), played: 0, play: core::marker::PhantomData };
    let Some((end, on_stage)) = play::<P>(&commands) else {
        return Err(format!("seed {seed}: {what}\nThis does not show on a stage."));
    };
    shrinker.kind = kind(&on_stage);
    let mut commands = commands;
    commands.truncate(end + 1);
    let commands = shrinker.minimize(commands);
    let commands = shrinker.simplify(commands);
    Ok(shrinker.write(seed, &commands, &on_stage))
}

struct Shrinker<P> {
    /// What is to be violated.
    kind: String,
    played: usize,
    play: core::marker::PhantomData<P>,
}

impl<P: Play> Shrinker<P> {
    /// Whether these commands, too, violate the same.
    fn fails(&mut self, commands: &[String]) -> bool {
        if self.played > MOST_COMMANDS {
            return false;
        }
        self.played += commands.len();
        play::<P>(commands).is_some_and(|(_, what)| kind(&what) == self.kind)
    }

    /// Takes out what can be, in halves, quarters and so on; the first command stays.
    fn minimize(&mut self, mut commands: Vec<String>) -> Vec<String> {
        let mut size = commands.len() / 2;
        while size > 0 {
            let mut from = 1;
            let mut smaller = false;
            while from < commands.len() && self.played < MOST_COMMANDS {
                let until = (from + size).min(commands.len());
                let mut candidate = commands.clone();
                candidate.drain(from..until);
                if self.fails(&candidate) {
                    commands = candidate;
                    smaller = true;
                } else {
                    from = until;
                }
            }
            size = if smaller && size == 1 { 1 } else { size / 2 };
        }
        commands
    }

    /// Makes single commands plainer: messages that need not arrive again, options that need not be given.
    fn simplify(&mut self, mut commands: Vec<String>) -> Vec<String> {
        let slow = |command: &&String| !command.starts_with("disk") && !command.starts_with("sync");
        let fast: Vec<String> = commands.iter().filter(slow).cloned().collect();
        if self.fails(&fast) {
            commands = fast;
        }
        for at in 1..commands.len() {
            self.replace(&mut commands, at, |command| command.replace("duplicate", "deliver"));
        }
        let options = commands.first().map_or(0, |first| first.split(' ').count());
        for option in (2..options).rev() {
            let without = |command: &str| {
                let words = command.split(' ').enumerate().filter(|(at, _)| *at != option);
                words.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
            };
            self.replace(&mut commands, 0, without);
        }
        self.minimize(commands)
    }

    fn replace(&mut self, commands: &mut [String], at: usize, plainer: impl Fn(&str) -> String) {
        let Some(command) = commands.get(at) else { return };
        let (old, new) = (command.clone(), plainer(command));
        if new == old {
            return;
        }
        commands[at] = new;
        if !self.fails(commands) {
            commands[at] = old;
        }
    }

    /// The script with what each command prints: digests as places, clocks as times that pass.
    fn write(&self, seed: u64, commands: &[String], what: &str) -> String {
        let first: String = what.lines().next().unwrap_or_default().chars().take(120).collect();
        let mut text = format!("# {first}\n#\n# Source: the simulator, seed {seed}\n");
        let mut stage = Stage::<P>::default();
        let mut rest = commands.iter().peekable();
        while let Some(command) = rest.next() {
            let next = rest.peek().map(|next| next.as_str());
            let Some(command) = readable(&stage, command, next) else { continue };
            let result = catch_unwind(AssertUnwindSafe(|| stage.execute(&command)));
            let _ = writeln!(text, "\n{command}\n----");
            for line in stage.take_output() {
                let _ = writeln!(text, "{line}");
            }
            match result {
                Ok(Ok(())) => {}
                Ok(Err(wrong)) => {
                    let _ = writeln!(text, "{wrong}");
                }
                Err(_) => {
                    let _ = writeln!(text, "violated: it panics");
                }
            }
        }
        text
    }
}

/// Plays commands until something is violated: which command it was, and what. Commands that make no sense are passed over.
fn play<P: Play>(commands: &[String]) -> Option<(usize, String)> {
    let mut stage = Stage::<P>::default();
    for (at, command) in commands.iter().enumerate() {
        let result = catch_unwind(AssertUnwindSafe(|| stage.execute(command)));
        match result {
            Ok(Ok(()) | Err(Wrong::Command(_))) => {}
            Ok(Err(Wrong::Violated(what))) => return Some((at, what)),
            Err(_) => return Some((at, "it panics".into())),
        }
        if at == 0 {
            // words take longer than all the rest
            let _ = stage.execute("show nothing");
        }
    }
    None
}

/// What is violated without numbers, so that it is known again in a smaller script.
fn kind(what: &str) -> String {
    what.chars().filter(|c| c.is_alphabetic() || *c == ' ').take(50).collect()
}

/// A command as a person would write it; `None` if it does nothing.
fn readable<P: Play>(stage: &Stage<P>, command: &str, next: Option<&str>) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    match words[..] {
        [verb @ ("deliver" | "duplicate"), link, digest] if digest.starts_with('#') => {
            let digest = u64::from_str_radix(digest.trim_start_matches('#'), 16).ok()?;
            let ends = Links::parse(link, 64).ok()?.0.first().copied()?;
            match stage.nth_with(ends, digest)? {
                1 => Some(format!("{verb} {link}")),
                nth => Some(format!("{verb} {link} {nth}")),
            }
        }
        ["at", node, _] => {
            // told together with the tick
            let passed = passed(stage, command)?;
            let ticks = next.is_some_and(|next| next == format!("tick {node} 0us"));
            Some(format!("{} {node} {passed}us", if ticks { "tick" } else { "pass" }))
        }
        ["tick", node, "0us"] => {
            // the clock was set, and the tick done, by the command before
            let clock = stage.clock(node.parse().ok()?)?;
            let due = stage.machine(node.parse().ok()?)?.deadline()?;
            (due <= clock).then(|| command.into())
        }
        _ => Some(command.into()),
    }
}

/// How long a clock has to go on to show what `at` says.
fn passed<P: Play>(stage: &Stage<P>, command: &str) -> Option<u64> {
    let mut words = command.split(' ').skip(1);
    let clock = stage.clock(words.next()?.parse().ok()?)?.as_micros();
    let time: u64 = words.next()?.trim_end_matches("us").parse().ok()?;
    time.checked_sub(clock).filter(|&passed| passed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;
    use crate::raft::{Narrow, OnHeap, OnInline, RaftPlay};
    use crate::trace::Trace;

    /// What a stage makes of the first seconds of a run: commands, how many of them made no sense there, and what was violated.
    fn replay<S: Subject, P: Play>(seed: u64) -> (usize, Vec<String>, Option<Wrong>) {
        let mut world = World::<S>::new(seed, None, Trace::new(0, false));
        world.record.0 = world.subject.opening();
        world.run_until(5_000_000, |_| false).unwrap();
        let commands = world.record.0.take().unwrap();
        let mut stage = Stage::<P>::default();
        let mut senseless = Vec::new();
        for command in &commands {
            match stage.execute(command) {
                Ok(()) => {}
                Err(Wrong::Command(what)) => senseless.push(format!("{command}: {what}")),
                Err(wrong) => return (commands.len(), senseless, Some(wrong)),
            }
            stage.take_output();
        }
        (commands.len(), senseless, None)
    }

    #[test]
    fn a_recorded_run_plays_on_a_stage() {
        for seed in 1..=8 {
            let (count, senseless, wrong) = if seed % 2 == 0 {
                replay::<OnHeap, RaftPlay>(seed)
            } else {
                replay::<OnInline, RaftPlay<Narrow>>(seed)
            };
            assert_eq!(wrong, None, "seed {seed}");
            // a crash in the middle of a poll, or a message of before a restart that differs, is not told exactly
            let few = senseless.len() * 100 <= count;
            assert!(few, "seed {seed}: {} of {count}: {:?}", senseless.len(), senseless.first());
        }
    }

    #[test]
    fn what_does_not_matter_is_taken_out() {
        // two disks that tell of different committed entries: no bug of a machine is needed for that to be violated
        let text = "nodes 2 part=32 seed=7;campaign 1;disk all slow;duplicate 1->2;given 1 term=2 log=1 commit=1;sync 2;\
            jump 3;at 1 90us;given 2 term=2 log=2 commit=1;tick 1 5s";
        let commands: Vec<String> = text.split(';').map(|c| c.trim().to_owned()).collect();
        let (end, what) = play::<RaftPlay>(&commands).unwrap();
        assert_eq!(end, 8, "{what}");
        let play = core::marker::PhantomData::<RaftPlay>;
        let mut shrinker = Shrinker { kind: kind(&what), played: 0, play };
        let small = shrinker.minimize(commands);
        let small = shrinker.simplify(small);
        let left = ["nodes 2", "given 1 term=2 log=1 commit=1", "given 2 term=2 log=2 commit=1"];
        assert_eq!(small, left);
        let script = shrinker.write(7, &small, &what);
        assert!(script.ends_with("committed different entries at 1\n"), "{script}");
    }

    #[test]
    fn kinds_are_known_without_numbers() {
        assert_eq!(
            kind("node 3: went back: Status { term: 7"),
            kind("node 1: went back: Status { term: 2")
        );
        assert_ne!(kind("node 3: went back"), kind("node 3: stopped itself"));
    }
}
