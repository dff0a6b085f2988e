//! From a seed that fails to a short scenario that fails in the same way.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_core::Machine;

use crate::Subject;
use crate::interact::{Error, Harness, Links, Protocol};
use crate::run::run_recorded;

/// Executes at most so many commands, in all candidates together: what was found by then is good
/// enough.
const MAX_COMMANDS: usize = 40_000_000;

/// Runs a seed that fails and finds an interaction test, as short as can be, that fails in the same way: delta debugging
/// (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) of the record of all that happened.
///
/// # Errors
///
/// Why there is none: nothing fails, or the harness cannot reproduce it, such as a history that is
/// not linearizable, or no progress.
pub fn shrink<S, P>(seed: u64, nodes: Option<usize>) -> Result<String, String>
where
    S: Subject,
    P: Protocol<Machine: Machine>,
{
    let (commands, what) = run_recorded::<S>(seed, nodes)?;
    shrink_commands::<P>(commands, &format!("the simulator, seed {seed}")).ok_or_else(|| {
        format!("seed {seed}: {what}\nThe interaction harness does not reproduce this.")
    })
}

/// Finds an interaction test, as short as can be, that fails in the same way as these commands; `source` says where they are
/// from. `None` if they violate nothing.
#[must_use]
pub fn shrink_commands<P>(mut commands: Vec<String>, source: &str) -> Option<String>
where
    P: Protocol<Machine: Machine>,
{
    let (end, violation) = run_until_violation::<P>(&commands)?;
    let mut shrinker = Shrinker::<P> {
        kind: violation_kind(&violation),
        executed: 0,
        protocol: core::marker::PhantomData,
    };
    commands.truncate(end + 1);
    let commands = shrinker.minimize(commands);
    let commands = shrinker.simplify(commands);
    Some(shrinker.write(source, &commands, &violation))
}

struct Shrinker<P> {
    /// What is to be violated.
    kind: String,
    executed: usize,
    protocol: core::marker::PhantomData<P>,
}

impl<P: Protocol> Shrinker<P> {
    /// Whether these commands, too, violate the same.
    fn fails(&mut self, commands: &[String]) -> bool {
        if self.executed > MAX_COMMANDS {
            return false;
        }
        self.executed += commands.len();
        run_until_violation::<P>(commands)
            .is_some_and(|(_, what)| violation_kind(&what) == self.kind)
    }

    /// Takes out what can be, in halves, quarters and so on; the first command stays.
    fn minimize(&mut self, mut commands: Vec<String>) -> Vec<String> {
        let mut size = commands.len() / 2;
        while size > 0 {
            let mut from = 1;
            let mut smaller = false;
            while from < commands.len() && self.executed < MAX_COMMANDS {
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

    /// The scenario with what each command prints: digests as places, clocks as times that pass.
    fn write(&self, source: &str, commands: &[String], what: &str) -> String {
        let first: String = what.lines().next().unwrap_or_default().chars().take(120).collect();
        let mut text = format!("# {first}\n#\n# Source: {source}\n");
        let mut harness = Harness::<P>::default();
        let mut rest = commands.iter().peekable();
        while let Some(command) = rest.next() {
            let next = rest.peek().map(|next| next.as_str());
            let Some(command) = readable(&harness, command, next) else { continue };
            let result = catch_unwind(AssertUnwindSafe(|| harness.execute(&command)));
            let _ = writeln!(text, "\n{command}\n----");
            for line in harness.take_output() {
                let _ = writeln!(text, "{line}");
            }
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let _ = writeln!(text, "{error}");
                }
                Err(_) => {
                    let _ = writeln!(text, "violated: it panics");
                }
            }
        }
        text
    }
}

/// Executes commands until something is violated: which command it was, and what. Commands that
/// make no sense are passed over.
fn run_until_violation<P: Protocol>(commands: &[String]) -> Option<(usize, String)> {
    let mut harness = Harness::<P>::default();
    for (at, command) in commands.iter().enumerate() {
        let result = catch_unwind(AssertUnwindSafe(|| harness.execute(command)));
        match result {
            Ok(Ok(()) | Err(Error::Command(_))) => {}
            Ok(Err(Error::Violation(what))) => return Some((at, what)),
            Err(_) => return Some((at, "it panics".into())),
        }
        if at == 0 {
            // formatting takes longer than all the rest
            let _ = harness.execute("show nothing");
        }
    }
    None
}

/// What is violated without numbers, so that it is known again in a smaller scenario.
fn violation_kind(what: &str) -> String {
    what.chars().filter(|c| c.is_alphabetic() || *c == ' ').take(50).collect()
}

/// A command as a person would write it; `None` if it does nothing.
fn readable<P: Protocol>(
    harness: &Harness<P>,
    command: &str,
    next: Option<&str>,
) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    match words[..] {
        [verb @ ("deliver" | "duplicate"), link, digest] if digest.starts_with('#') => {
            let digest = u64::from_str_radix(digest.trim_start_matches('#'), 16).ok()?;
            let ends = Links::parse(link, 64).ok()?.0.first().copied()?;
            match harness.position_on_link(ends, digest)? {
                1 => Some(format!("{verb} {link}")),
                nth => Some(format!("{verb} {link} {nth}")),
            }
        }
        ["set-clock", node, _] => {
            // told together with the tick
            let elapsed = elapsed_us(harness, command)?;
            let ticks = next.is_some_and(|next| next == format!("tick {node} 0us"));
            Some(format!("{} {node} {elapsed}us", if ticks { "tick" } else { "advance" }))
        }
        ["tick", node, "0us"] => {
            // the clock was set, and the tick done, by the command before
            let clock = harness.clock(node.parse().ok()?)?;
            let due = harness.machine(node.parse().ok()?)?.deadline()?;
            (due <= clock).then(|| command.into())
        }
        _ => Some(command.into()),
    }
}

/// How long a clock has to go on to show what `set-clock` says.
fn elapsed_us<P: Protocol>(harness: &Harness<P>, command: &str) -> Option<u64> {
    let mut words = command.split(' ').skip(1);
    let clock = harness.clock(words.next()?.parse().ok()?)?.as_micros();
    let time: u64 = words.next()?.trim_end_matches("us").parse().ok()?;
    time.checked_sub(clock).filter(|&elapsed| elapsed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violation_kinds_ignore_numbers() {
        assert_eq!(
            violation_kind("node 3: went back: Status { term: 7"),
            violation_kind("node 1: went back: Status { term: 2")
        );
        assert_ne!(violation_kind("node 3: went back"), violation_kind("node 3: stopped itself"));
    }
}
