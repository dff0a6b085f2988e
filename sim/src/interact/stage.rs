use std::collections::{BTreeSet, VecDeque};

use quorate_core::{Instant, Machine, NodeId, Output, Ticket, Wire};

use super::words::{node, nodes, number};
use super::{Options, Play, Wrong, time_us};

/// Where a play is played: nodes, their disks and clocks, and messages on their way, all moved by commands.
pub struct Stage<P: Play> {
    pub(super) play: Option<P>,
    pub(super) actors: Vec<Actor<P::Machine>>,
    /// Messages on their way, oldest first.
    pub(super) letters: VecDeque<Letter>,
    pub(super) cut: BTreeSet<(u64, u64)>,
    /// Messages sent so far.
    pub(super) sent: u64,
    pub(super) show: Show,
    pub(super) output: Vec<String>,
}

/// A node: a machine (while it is up), a disk, a clock.
pub(super) struct Actor<M> {
    pub(super) machine: Option<M>,
    pub(super) disk: Vec<Vec<u8>>,
    /// Writes that are not done.
    pub(super) waiting: Vec<(Ticket, Vec<u8>)>,
    pub(super) slow: bool,
    pub(super) clock: Instant,
}

/// A message on its way.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: u64,
    /// How many had been sent when it was, itself included.
    pub(super) order: u64,
}

/// How much is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Show {
    Nothing,
    Events,
    All,
}

/// More messages than this without a pause, or outputs of one node, are a storm.
pub(super) const STORM: usize = 10_000;

impl<P: Play> Default for Stage<P> {
    fn default() -> Self {
        Self {
            play: None,
            actors: Vec::new(),
            letters: VecDeque::new(),
            cut: BTreeSet::new(),
            sent: 0,
            show: Show::All,
            output: Vec::new(),
        }
    }
}

impl<P: Play> Stage<P> {
    /// Does what a line says, and checks what must hold then. Comments do nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with the command, or what it violates.
    pub fn execute(&mut self, line: &str) -> Result<(), Wrong> {
        if line.starts_with('#') {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((&name, words)) = words.split_first() else { return Ok(()) };
        if name == "nodes" {
            return self.start(words);
        }
        if self.play.is_none() {
            return Err("the first command is `nodes N`".into());
        }
        match self.command(name, words) {
            Some(result) => result?,
            None => self.protocol(name, words)?,
        }
        self.check()
    }

    /// What was printed since the last call.
    pub fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.output)
    }

    /// What a node's clock shows.
    #[must_use]
    pub fn clock(&self, node: u64) -> Option<Instant> {
        Some(self.actors.get(at(node))?.clock)
    }

    /// The machine of a node that is up.
    #[must_use]
    pub fn machine(&self, node: u64) -> Option<&P::Machine> {
        self.actors.get((node as usize).checked_sub(1)?)?.machine.as_ref()
    }

    fn command(&mut self, name: &str, words: &[&str]) -> Option<Result<(), Wrong>> {
        Some(match name {
            "given" => self.given(words),
            "tick" => self.tick(words),
            "pass" => self.pass(words),
            "at" => self.at(words),
            "run" => self.run(words),
            "deliver" => self.messages(words, Self::deliver),
            "duplicate" => self.messages(words, Self::duplicate),
            "drop" => self.messages(words, Self::lose),
            "stabilize" => self.stabilize(words),
            "cut" => self.cut(words),
            "isolate" => self.isolate(words),
            "heal" => {
                self.cut.clear();
                Ok(())
            }
            "disk" => self.disk(words),
            "sync" => self.sync(words),
            "crash" => self.crash(words),
            "restart" => self.restart(words),
            "checkpoint" => self.checkpoint(words),
            "forge" => self.forge(words),
            "messages" => self.print_messages(),
            "status" => self.print_status(words),
            "show" => self.set_show(words),
            _ => return None,
        })
    }

    fn protocol(&mut self, name: &str, words: &[&str]) -> Result<(), Wrong> {
        let Some((&who, words)) = words.split_first() else {
            return Err(format!("there is no command `{name}` without a node").into());
        };
        let (words, more) = match words {
            [words @ .., "&"] => (words, true),
            words => (words, false),
        };
        let node = node(who, self.count())?;
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node))) else {
            return Ok(());
        };
        let machine = actor.machine.as_mut().ok_or("the node is down")?;
        let printed = play.command(name, NodeId::new(node), machine, actor.clock, words)?;
        self.output.extend(printed.lines().map(Into::into));
        if more { Ok(()) } else { self.drain(node) }
    }

    fn start(&mut self, words: &[&str]) -> Result<(), Wrong> {
        if self.play.is_some() {
            return Err("there are nodes already".into());
        }
        let (count, options) = words.split_first().ok_or("how many nodes?")?;
        let count = number("N", count)?;
        if !(1..=64).contains(&count) {
            return Err("1 to 64 nodes".into());
        }
        let mut options = Options::parse(options)?;
        self.play = Some(P::new(count, &mut options)?);
        options.finish()?;
        for node in 1..=count {
            self.actors.push(Actor {
                machine: None,
                disk: Vec::new(),
                waiting: Vec::new(),
                slow: false,
                clock: Instant::from_millis(1),
            });
            self.boot(node)?;
        }
        Ok(())
    }

    pub(super) fn tampered(&mut self) {
        if let Some(play) = &mut self.play {
            play.tampered();
        }
    }

    fn tick(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (who, time) = self.who_and_time(words)?;
        for node in who {
            let actor = self.actor(node)?;
            actor.clock = actor.clock.after(time);
            if let Some(machine) = actor.machine.as_mut() {
                machine.tick(actor.clock);
            }
            self.drain(node)?;
        }
        Ok(())
    }

    fn pass(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (who, time) = self.who_and_time(words)?;
        for node in who {
            let actor = self.actor(node)?;
            actor.clock = actor.clock.after(time);
        }
        Ok(())
    }

    /// Moves a clock to a time since the start, never back.
    fn at(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (who, time) = self.who_and_time(words)?;
        for node in who {
            let actor = self.actor(node)?;
            actor.clock = actor.clock.max(Instant::from_micros(time));
        }
        Ok(())
    }

    fn who_and_time(&self, words: &[&str]) -> Result<(Vec<u64>, u64), String> {
        let [who, time] = words else { return Err("wants nodes and a time".into()) };
        Ok((nodes(who, self.count())?, time_us(time)?))
    }

    fn run(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let [time] = words else { return Err("wants a time".into()) };
        let mut left = time_us(time)?;
        let show = self.show;
        self.show = show.min(Show::Events);
        self.deliver_all(|_| true)?;
        for _ in 0..STORM {
            let next = self.until_next_deadline();
            let step = next.min(left).max(1);
            self.live(step)?;
            self.deliver_all(|_| true)?;
            left = left.saturating_sub(step);
            if left == 0 {
                self.show = show;
                return Ok(());
            }
        }
        Err("never gets quiet".into())
    }

    fn until_next_deadline(&self) -> u64 {
        let wait = |actor: &Actor<P::Machine>| {
            Some(actor.machine.as_ref()?.deadline()?.since(actor.clock))
        };
        self.actors.iter().filter_map(wait).min().unwrap_or(u64::MAX)
    }

    /// Time passes for everybody; those whose deadline came are told.
    fn live(&mut self, time: u64) -> Result<(), Wrong> {
        for node in 1..=self.count() {
            let actor = self.actor(node)?;
            actor.clock = actor.clock.after(time);
            let now = actor.clock;
            if let Some(machine) = actor.machine.as_mut()
                && machine.deadline().is_some_and(|deadline| deadline <= now)
            {
                machine.tick(now);
                self.drain(node)?;
            }
        }
        Ok(())
    }

    fn print_status(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let who = nodes(words.first().unwrap_or(&"all"), self.count())?;
        let Some(play) = &self.play else { return Ok(()) };
        for node in who {
            let machine = self.actors.get(at(node)).and_then(|a| a.machine.as_ref());
            let line = match machine {
                Some(machine) => play.status(NodeId::new(node), machine),
                None => "down".into(),
            };
            self.output.push(format!("{node}: {line}"));
        }
        Ok(())
    }

    fn set_show(&mut self, words: &[&str]) -> Result<(), Wrong> {
        self.show = match words {
            ["all"] => Show::All,
            ["events"] => Show::Events,
            ["nothing"] => Show::Nothing,
            _ => return Err("shows `all`, `events` or `nothing`".into()),
        };
        Ok(())
    }

    /// Polls a node until it is quiet, and lets its application act.
    pub(super) fn drain(&mut self, node: u64) -> Result<(), Wrong> {
        for _ in 0..STORM {
            let wrote = self.poll_all(node)?;
            let slow = self.actor(node)?.slow;
            if wrote && !slow {
                self.finish_writes(node, usize::MAX)?;
                continue;
            }
            let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node)))
            else {
                return Ok(());
            };
            let Some(machine) = actor.machine.as_mut() else { return Ok(()) };
            let Some(acted) = play.settle(NodeId::new(node), machine) else { return Ok(()) };
            self.print(Show::All, || format!("  {node} {acted}"));
        }
        Err(Wrong::Violated(format!("node {node} never gets quiet")))
    }

    /// Takes all outputs; whether a record was among them.
    fn poll_all(&mut self, node: u64) -> Result<bool, Wrong> {
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(node))) else {
            return Ok(false);
        };
        let Some(machine) = actor.machine.as_mut() else { return Ok(false) };
        let mut wrote = false;
        let mut lines = Vec::new();
        let show = self.show;
        let mut say = |level: Show, words: &dyn Fn() -> String| {
            if level <= show {
                lines.push(words());
            }
        };
        let mut count = 0;
        while let Some(output) = machine.poll() {
            count += 1;
            if count > STORM {
                return Err(Wrong::Violated(format!("node {node} never gets quiet")));
            }
            match output {
                Output::Persist(ticket, record) => {
                    wrote = true;
                    say(Show::All, &|| format!("  {node} writes {}", P::record(&record)));
                    play.issued(NodeId::new(node), &record);
                    actor.waiting.push((ticket, encode(&record)?));
                }
                Output::Send(to, message) => {
                    play.sent(NodeId::new(node), to, &message);
                    self.sent += 1;
                    let to = to.get();
                    let lost = self.cut.contains(&(node, to));
                    let mark = if lost { " (lost)" } else { "" };
                    say(Show::All, &|| format!("  {node}->{to}  {}{mark}", P::message(&message)));
                    if !lost {
                        let (bytes, digest) = (encode(&message)?, P::digest(&message));
                        let order = self.sent;
                        self.letters.push_back(Letter { from: node, to, bytes, digest, order });
                    }
                }
                Output::Event(event) => {
                    let words = play.event(NodeId::new(node), &event);
                    say(Show::Events, &|| format!("  {node} learns: {words}"));
                }
            }
        }
        self.output.extend(lines);
        Ok(wrote)
    }

    fn check(&mut self) -> Result<(), Wrong> {
        let Some(play) = &mut self.play else { return Ok(()) };
        let numbered = (1..).zip(&self.actors);
        let machines: Vec<_> = numbered
            .filter_map(|(node, actor)| Some((NodeId::new(node), actor.machine.as_ref()?)))
            .collect();
        play.check(&machines).map_err(Wrong::Violated)
    }

    pub(super) fn print(&mut self, level: Show, line: impl FnOnce() -> String) {
        if level <= self.show {
            self.output.push(line());
        }
    }

    pub(super) fn one<'a, 'w>(&self, words: &'a [&'w str]) -> Result<(u64, &'a [&'w str]), String> {
        let (who, rest) = words.split_first().ok_or("wants a node")?;
        Ok((node(who, self.count())?, rest))
    }

    pub(super) fn actor(&mut self, node: u64) -> Result<&mut Actor<P::Machine>, String> {
        self.actors.get_mut(at(node)).ok_or_else(|| format!("there is no node {node}"))
    }

    pub(super) fn count(&self) -> u64 {
        self.actors.len() as u64
    }
}

/// Where a node is in the list.
pub(super) fn at(node: u64) -> usize {
    (node as usize).wrapping_sub(1)
}

pub(super) fn encode<'a, T: Wire<'a>>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; value.encoded_len()];
    value.to_slice(&mut bytes).map_err(|e| format!("does not encode: {e}"))?;
    Ok(bytes)
}
