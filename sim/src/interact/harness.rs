use std::collections::{BTreeSet, VecDeque};

use quorate_core::{Instant, Machine, NodeId, Ticket};

use super::arguments::{parse_node, parse_nodes, parse_number};
use super::outputs::{Envelope, MAX_STEPS, Outputs, Show};
use super::{Error, Options, Protocol, time_us};

/// Runs the commands of a scenario: nodes, their disks and clocks, and the messages in flight.
pub struct Harness<P: Protocol> {
    pub(super) protocol: Option<P>,
    pub(super) nodes: Vec<Node<P::Machine>>,
    /// Messages in flight, oldest first.
    pub(super) in_flight: VecDeque<Envelope>,
    pub(super) blocked: BTreeSet<(u64, u64)>,
    /// Messages sent so far.
    pub(super) sent: u64,
    pub(super) show: Show,
    pub(super) output: Vec<String>,
}

/// A node: a machine (while it is up), a disk, a clock.
pub(super) struct Node<M> {
    pub(super) machine: Option<M>,
    pub(super) disk: Vec<Vec<u8>>,
    /// Writes that are not done.
    pub(super) waiting: Vec<(Ticket, Vec<u8>)>,
    pub(super) slow: bool,
    pub(super) clock: Instant,
}

impl<P: Protocol> Default for Harness<P> {
    fn default() -> Self {
        Self {
            protocol: None,
            nodes: Vec::new(),
            in_flight: VecDeque::new(),
            blocked: BTreeSet::new(),
            sent: 0,
            show: Show::All,
            output: Vec::new(),
        }
    }
}

impl<P: Protocol> Harness<P> {
    /// Does what a line says, and checks what must hold then. Comments do nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with the command, or what it violates.
    pub fn execute(&mut self, line: &str) -> Result<(), Error> {
        if line.starts_with('#') {
            return Ok(());
        }
        let args: Vec<&str> = line.split_whitespace().collect();
        let Some((&name, args)) = args.split_first() else { return Ok(()) };
        if name == "nodes" {
            return self.start(args);
        }
        if self.protocol.is_none() {
            return Err("the first command is `nodes N`".into());
        }
        match self.command(name, args) {
            Some(result) => result?,
            None => self.protocol_command(name, args)?,
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
        Some(self.nodes.get(index_of(node))?.clock)
    }

    /// The machine of a node that is up.
    #[must_use]
    pub fn machine(&self, node: u64) -> Option<&P::Machine> {
        self.nodes.get((node as usize).checked_sub(1)?)?.machine.as_ref()
    }

    fn command(&mut self, name: &str, args: &[&str]) -> Option<Result<(), Error>> {
        Some(match name {
            "set-disk" => self.set_disk(args),
            "tick" => self.tick(args),
            "advance" => self.advance(args),
            "set-clock" => self.set_clock(args),
            "run" => self.run(args),
            "deliver" => self.for_selected(args, Self::deliver),
            "duplicate" => self.for_selected(args, Self::duplicate),
            "drop" => self.for_selected(args, Self::drop_message),
            "stabilize" => self.stabilize(args),
            "partition" => self.partition(args),
            "isolate" => self.isolate(args),
            "heal" => {
                self.blocked.clear();
                Ok(())
            }
            "disk" => self.disk(args),
            "sync" => self.sync(args),
            "crash" => self.crash(args),
            "restart" => self.restart(args),
            "checkpoint" => self.checkpoint(args),
            "forge" => self.forge(args),
            "messages" => self.print_messages(),
            "status" => self.print_status(args),
            "show" => self.set_show(args),
            _ => return None,
        })
    }

    fn protocol_command(&mut self, name: &str, args: &[&str]) -> Result<(), Error> {
        let Some((&who, args)) = args.split_first() else {
            return Err(format!("there is no command `{name}` without a node").into());
        };
        let (args, more) = match args {
            [args @ .., "&"] => (args, true),
            args => (args, false),
        };
        let node = parse_node(who, self.count())?;
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
        else {
            return Ok(());
        };
        let machine = state.machine.as_mut().ok_or("the node is down")?;
        let printed = protocol.command(name, NodeId::new(node), machine, state.clock, args)?;
        self.output.extend(printed.lines().map(Into::into));
        if more { Ok(()) } else { self.drain(node) }
    }

    fn start(&mut self, args: &[&str]) -> Result<(), Error> {
        if self.protocol.is_some() {
            return Err("there are nodes already".into());
        }
        let (count, options) = args.split_first().ok_or("how many nodes?")?;
        let count = parse_number("N", count)?;
        if !(1..=64).contains(&count) {
            return Err("1 to 64 nodes".into());
        }
        let mut options = Options::parse(options)?;
        self.protocol = Some(P::new(count, &mut options)?);
        options.finish()?;
        for node in 1..=count {
            self.nodes.push(Node {
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
        if let Some(protocol) = &mut self.protocol {
            protocol.tampered();
        }
    }

    fn tick(&mut self, args: &[&str]) -> Result<(), Error> {
        let (who, time) = self.nodes_and_time(args)?;
        for node in who {
            let state = self.node_mut(node)?;
            state.clock = state.clock.after(time);
            if let Some(machine) = state.machine.as_mut() {
                machine.tick(state.clock);
            }
            self.drain(node)?;
        }
        Ok(())
    }

    fn advance(&mut self, args: &[&str]) -> Result<(), Error> {
        let (who, time) = self.nodes_and_time(args)?;
        for node in who {
            let state = self.node_mut(node)?;
            state.clock = state.clock.after(time);
        }
        Ok(())
    }

    /// Moves a clock to a time since the start, never back.
    fn set_clock(&mut self, args: &[&str]) -> Result<(), Error> {
        let (who, time) = self.nodes_and_time(args)?;
        for node in who {
            let state = self.node_mut(node)?;
            state.clock = state.clock.max(Instant::from_micros(time));
        }
        Ok(())
    }

    fn nodes_and_time(&self, args: &[&str]) -> Result<(Vec<u64>, u64), String> {
        let [who, time] = args else { return Err("wants nodes and a time".into()) };
        Ok((parse_nodes(who, self.count())?, time_us(time)?))
    }

    fn run(&mut self, args: &[&str]) -> Result<(), Error> {
        let [time] = args else { return Err("wants a time".into()) };
        let mut left = time_us(time)?;
        let show = self.show;
        self.show = show.min(Show::Events);
        self.deliver_all(|_| true)?;
        for _ in 0..MAX_STEPS {
            let next = self.until_next_deadline();
            let step = next.min(left).max(1);
            self.advance_all(step)?;
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
        let wait =
            |state: &Node<P::Machine>| Some(state.machine.as_ref()?.deadline()?.since(state.clock));
        self.nodes.iter().filter_map(wait).min().unwrap_or(u64::MAX)
    }

    /// Time passes for everybody; those whose deadline came are told.
    fn advance_all(&mut self, time: u64) -> Result<(), Error> {
        for node in 1..=self.count() {
            let state = self.node_mut(node)?;
            state.clock = state.clock.after(time);
            let now = state.clock;
            if let Some(machine) = state.machine.as_mut()
                && machine.deadline().is_some_and(|deadline| deadline <= now)
            {
                machine.tick(now);
                self.drain(node)?;
            }
        }
        Ok(())
    }

    fn print_status(&mut self, args: &[&str]) -> Result<(), Error> {
        let who = parse_nodes(args.first().unwrap_or(&"all"), self.count())?;
        let Some(protocol) = &self.protocol else { return Ok(()) };
        for node in who {
            let machine = self.nodes.get(index_of(node)).and_then(|node| node.machine.as_ref());
            let line = match machine {
                Some(machine) => protocol.format_status(NodeId::new(node), machine),
                None => "down".into(),
            };
            self.output.push(format!("{node}: {line}"));
        }
        Ok(())
    }

    fn set_show(&mut self, args: &[&str]) -> Result<(), Error> {
        self.show = match args {
            ["all"] => Show::All,
            ["events"] => Show::Events,
            ["nothing"] => Show::Nothing,
            _ => return Err("shows `all`, `events` or `nothing`".into()),
        };
        Ok(())
    }

    /// Drains a node until it is quiet, and lets its application act.
    pub(super) fn drain(&mut self, node: u64) -> Result<(), Error> {
        for _ in 0..MAX_STEPS {
            let wrote = self.take_outputs(node)?;
            let slow = self.node_mut(node)?.slow;
            if wrote && !slow {
                self.finish_writes(node, usize::MAX)?;
                continue;
            }
            let (Some(protocol), Some(state)) =
                (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
            else {
                return Ok(());
            };
            let Some(machine) = state.machine.as_mut() else { return Ok(()) };
            let Some(acted) = protocol.run_application(NodeId::new(node), machine) else {
                return Ok(());
            };
            self.print(Show::All, || format!("  {node} {acted}"));
        }
        Err(Error::Violation(format!("node {node} never gets quiet")))
    }

    /// Takes all outputs; whether a record was among them.
    fn take_outputs(&mut self, node: u64) -> Result<bool, Error> {
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(node)))
        else {
            return Ok(false);
        };
        let Some(machine) = state.machine.as_mut() else { return Ok(false) };
        let mut outputs = Outputs {
            node,
            show: self.show,
            protocol,
            waiting: &mut state.waiting,
            blocked: &self.blocked,
            in_flight: &mut self.in_flight,
            sent: &mut self.sent,
            lines: Vec::new(),
            count: 0,
            wrote: false,
        };
        machine.drain(&mut outputs)?;
        let Outputs { lines, wrote, .. } = outputs;
        self.output.extend(lines);
        Ok(wrote)
    }

    fn check(&mut self) -> Result<(), Error> {
        let Some(protocol) = &mut self.protocol else { return Ok(()) };
        let numbered = (1..).zip(&self.nodes);
        let machines: Vec<_> = numbered
            .filter_map(|(node, state)| Some((NodeId::new(node), state.machine.as_ref()?)))
            .collect();
        protocol.check(&machines).map_err(Error::Violation)
    }

    pub(super) fn print(&mut self, level: Show, line: impl FnOnce() -> String) {
        if level <= self.show {
            self.output.push(line());
        }
    }

    pub(super) fn node_and_rest<'a, 'w>(
        &self,
        args: &'a [&'w str],
    ) -> Result<(u64, &'a [&'w str]), String> {
        let (who, rest) = args.split_first().ok_or("wants a node")?;
        Ok((parse_node(who, self.count())?, rest))
    }

    pub(super) fn node_mut(&mut self, node: u64) -> Result<&mut Node<P::Machine>, String> {
        self.nodes.get_mut(index_of(node)).ok_or_else(|| format!("there is no node {node}"))
    }

    pub(super) fn count(&self) -> u64 {
        self.nodes.len() as u64
    }
}

/// The index of a node in the list.
pub(super) fn index_of(node: u64) -> usize {
    (node as usize).wrapping_sub(1)
}
