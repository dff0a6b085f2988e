use core::fmt;
use std::collections::{BTreeMap, VecDeque};

use quorate_core::{Instant, Machine, NodeId, Rng, Ticket, Tickets, Wire};

use super::emitted::{Emitted, Taking};
use super::host::Host;
use super::panics::caught;
use super::specimen::Specimen;

/// An application and its machine that call each other more often without an input never come to
/// rest.
const MAX_ROUNDS: usize = 1_000;

/// A node takes fewer steps in a second of virtual time, but for those that its promised messages
/// cause: a run that comes to more does not end.
const MAX_STEPS_PER_SECOND: u64 = 10_000;

/// A start takes so long, in µs; messages that arrive meanwhile are lost.
const START_US: u64 = 50_000;

/// And that of a node that restarts fast, whose disk takes no time.
const FAST_START_US: u64 = 1_000;

/// Tickets that were not issued are ahead of the last that was by less than this.
const MAX_AHEAD: u64 = 64;

/// What is different from a plain run: honest nodes, messages that are late, lost and
/// duplicated, and disks that take their time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Machines are ticked, and given old tickets and such as they did not issue, when nothing is due.
    pub(super) spurious: bool,
    /// Nodes crash and start again with what is on their disks.
    pub(super) restarts: bool,
    /// Nodes write checkpoints in place of their logs.
    pub(super) swaps: bool,
    pub(super) taking: Taking,
    /// What the last node is.
    pub(super) last: Peer,
    /// The most messages from one node to another in a second; a run with more ends.
    pub(super) max_rate: Option<Rate>,
}

/// How many messages a node sends to another within a second, at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) messages: u64,
    /// And so many for each message that the last node sent in that second.
    pub(super) answers: u64,
    /// A shorter time, and the most messages within that.
    pub(super) burst: Option<(u64, u64)>,
}

/// What a node is that the others must bear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Peer {
    #[default]
    Honest,
    /// Answers every message by refusals.
    Refuses,
    /// Starts without records at every message, which takes its time.
    ForgetsEachMessage,
    /// Starts without records at every message, and is up soon.
    RestartsFast,
    /// Starts without records once a second.
    ForgetsEachSecond,
}

impl Peer {
    const fn adjective(self) -> &'static str {
        match self {
            Self::Honest => "last",
            Self::Refuses => "refusing",
            Self::ForgetsEachMessage | Self::ForgetsEachSecond => "forgetful",
            Self::RestartsFast => "restarting",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Honest => "is honest",
            Self::Refuses => "refuses everything",
            Self::ForgetsEachMessage => "forgets everything with each message",
            Self::RestartsFast => "restarts within a millisecond with each message",
            Self::ForgetsEachSecond => "forgets everything once a second",
        })
    }
}

/// What happens to a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Input {
    Message(NodeId, Vec<u8>),
    /// Records are durable: the ticket, and how many there are. The number is the node's life.
    Written(Ticket, usize, u64),
    Act,
    Deadline,
    Spurious,
    Restart,
    Swap,
    Erase,
    /// The node is up again, and takes this message.
    Start(NodeId, Vec<u8>),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(from, bytes) => write!(f, "the message {bytes:02x?} from node {from}"),
            Self::Written(..) => f.write_str("records that are durable"),
            Self::Act => f.write_str("a call of the application"),
            Self::Deadline => f.write_str("a tick at its deadline"),
            Self::Spurious => f.write_str("a spurious tick"),
            Self::Restart => f.write_str("a restart"),
            Self::Swap => f.write_str("a checkpoint in place of the log"),
            Self::Erase => f.write_str("a start without records"),
            Self::Start(from, bytes) => {
                write!(f, "a start, and the message {bytes:02x?} from node {from}")
            }
        }
    }
}

/// A node before an input: it was ticked at `now`, and has nothing to do.
pub(super) struct Moment<'a, S: Specimen> {
    pub(super) now: Instant,
    pub(super) host: &'a Host<S>,
    pub(super) input: &'a Input,
}

/// An output of a run, with its time and node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) at: u64,
    pub(super) node: usize,
    pub(super) emitted: Emitted,
}

/// A run: its outputs, and how often it did what the checks are about.
#[derive(Default)]
pub(super) struct Run {
    pub(super) lines: Vec<Line>,
    pub(super) tally: Tally,
}

/// How often something happened that not every run must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    /// Ticks of machines that had nothing to do, and returns of a ticket that was returned before.
    pub(super) spurious_ticks: u64,
    pub(super) old_tickets: u64,
    /// Tickets that were not issued, while a record was not durable.
    pub(super) unissued_tickets: u64,
    /// Checkpoints that were written in place of a log.
    pub(super) swaps: u64,
    /// Messages of honest nodes to the last node, when that is not honest, and its messages to them.
    pub(super) to_last: u64,
    pub(super) of_last: u64,
    /// Starts of the last node without records.
    pub(super) erased: u64,
}

/// Looks at nodes before their inputs, and says what is wrong.
pub(super) type Probe<'p, S> = dyn FnMut(&Moment<'_, S>) -> Result<(), String> + 'p;

/// Runs the nodes for [`RUN_US`](Specimen::RUN_US). Without a probe
/// the machines are ticked only when it is needed.
pub(super) fn run<S: Specimen>(
    plan: Plan,
    probe: Option<&mut Probe<'_, S>>,
) -> Result<Run, String> {
    let mut net = Net::new(plan);
    let result = caught(|| net.run(probe)).and_then(|result| result);
    result.map_err(|what| {
        format!("step {}, at {} µs, node {}: {what}", net.steps, net.now, net.node + 1)
    })?;
    Ok(net.done)
}

/// A ticket that a machine did not issue: so far behind the next one.
fn unissued(last: Ticket, ahead: u64) -> Ticket {
    let mut tickets = Tickets::default();
    while tickets.issue() <= last {}
    for _ in 0..ahead {
        tickets.issue();
    }
    tickets.last()
}

struct Net<S: Specimen> {
    plan: Plan,
    hosts: Vec<Host<S>>,
    /// By time and then by order.
    queue: BTreeMap<(u64, u64), (usize, Input)>,
    order: u64,
    now: u64,
    /// The node and number of the present step.
    node: usize,
    steps: u64,
    rng: Rng,
    /// For what is not part of the run that it is compared with.
    spurious: Rng,
    done: Run,
    /// Messages in this second, by sender and receiver, and those that the last node sent.
    sent: BTreeMap<(usize, NodeId), u64>,
    received: u64,
    second: u64,
    /// When the last messages were sent, by sender and receiver: those of one burst.
    bursts: BTreeMap<(usize, NodeId), VecDeque<u64>>,
}

impl<S: Specimen> Net<S> {
    fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let spurious = Rng::new(!plan.seed);
        let hosts = (0..S::NODES).map(|node| Host::new(node, rng.fork())).collect();
        Self {
            plan,
            hosts,
            queue: BTreeMap::new(),
            order: 0,
            now: 0,
            node: 0,
            steps: 0,
            rng,
            spurious,
            done: Run::default(),
            sent: BTreeMap::new(),
            received: 0,
            second: 0,
            bursts: BTreeMap::new(),
        }
    }

    fn run(&mut self, mut probe: Option<&mut Probe<'_, S>>) -> Result<(), String> {
        for node in 0..S::NODES {
            self.start(node)?;
            self.schedule_inputs(node);
        }
        while let Some((node, input)) = self.next() {
            (self.node, self.steps) = (node, self.steps + 1);
            if self.steps > Self::max_steps() {
                return Err(format!(
                    "the run does not end, as inputs and outputs cause each other; this input is \
                     {input}; see Check::Deadlines"
                ));
            }
            let needs_tick = matches!(input, Input::Written(..) | Input::Act | Input::Swap);
            if needs_tick || (probe.is_some() && self.is_honest(node)) {
                let now = self.instant();
                self.host(node)?.machine.tick(now);
                self.settle(node)?;
            }
            if let Some(probe) = &mut probe {
                let (now, host) = (self.instant(), self.host(node)?);
                probe(&Moment { now, host, input: &input })?;
            }
            caught(|| self.apply(node, &input))
                .map_err(|panic| format!("{panic}; the input is {input}"))??;
        }
        Ok(())
    }

    const fn max_steps() -> u64 {
        let nodes = S::NODES as u64;
        // each message is sent in a step of one node, and taken in one of another
        let each = MAX_STEPS_PER_SECOND + 2 * nodes * S::MESSAGES_PER_SECOND;
        nodes * each * S::RUN_US.div_ceil(1_000_000)
    }

    fn start(&mut self, node: usize) -> Result<(), String> {
        if !self.is_honest(node) && self.plan.last == Peer::Refuses {
            return Ok(());
        }
        let now = self.instant();
        self.host(node)?.wake(now);
        self.settle(node)
    }

    /// What is to happen to a node in this run, but for what follows from its outputs.
    fn schedule_inputs(&mut self, node: usize) {
        let run_us = S::RUN_US;
        if self.is_honest(node) {
            let at = self.rng.below(2 * S::ACT_US);
            self.schedule(at, node, Input::Act);
        } else if self.plan.last == Peer::ForgetsEachSecond {
            (1..=run_us / 1_000_000).for_each(|s| self.schedule(s * 1_000_000, node, Input::Erase));
        }
        for (on, input) in [(self.plan.restarts, Input::Restart), (self.plan.swaps, Input::Swap)] {
            for _ in 0..if on { 4 } else { 0 } {
                let at = self.rng.below(run_us);
                self.schedule(at, node, input.clone());
            }
        }
        if self.plan.spurious {
            for _ in 0..400 {
                let at = self.spurious.below(run_us);
                self.schedule(at, node, Input::Spurious);
            }
        }
    }

    /// The next input, and the clock shows its time. `None` when the run is over.
    fn next(&mut self) -> Option<(usize, Input)> {
        let silent = self.plan.last == Peer::Refuses;
        let up = self.hosts.iter().enumerate().filter(|(node, _)| !silent || self.is_honest(*node));
        let wakes =
            up.filter_map(|(node, host)| Some((host.wake_at()?.max(host.starts_until), node)));
        let wake = wakes.min().filter(|(at, _)| *at <= S::RUN_US);
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let queued = queued.filter(|at| *at <= S::RUN_US);
        match (wake, queued) {
            (Some((at, node)), queued) if queued.is_none_or(|queued| at <= queued) => {
                self.now = self.now.max(at);
                Some((node, Input::Deadline))
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                Some(self.queue.pop_first()?.1)
            }
            _ => None,
        }
    }

    fn apply(&mut self, node: usize, input: &Input) -> Result<(), String> {
        let now = self.instant();
        let host = self.hosts.get_mut(node).ok_or("there is no such node")?;
        let tally = &mut self.done.tally;
        match input {
            Input::Message(from, bytes) => return self.deliver(node, *from, bytes),
            Input::Written(ticket, records, life) => {
                if *life != host.life {
                    return Ok(());
                }
                host.written(*ticket, *records);
            }
            Input::Act => {
                host.app.act(&mut host.machine, now, &mut host.rng);
                let next = self.now + self.rng.below(2 * S::ACT_US).max(1);
                self.schedule(next, node, Input::Act);
            }
            Input::Deadline => host.wake(now),
            Input::Spurious => {
                tally.spurious_ticks += 1;
                tally.old_tickets += u64::from(host.returned > Ticket::default());
                tally.unissued_tickets += u64::from(host.durable < host.records.len());
                host.machine.tick(now);
                host.machine.persisted(host.returned);
                host.machine.persisted(Ticket::default());
                host.machine.persisted(unissued(host.issued, self.spurious.below(MAX_AHEAD)));
            }
            Input::Restart => {
                let more = (host.records.len() - host.durable) as u64;
                let records = host.durable + host.rng.below(more + 1) as usize;
                host.restart(records)?;
                host.wake(now);
            }
            Input::Swap => {
                tally.swaps += 1;
                host.swap_log();
            }
            Input::Start(from, bytes) => {
                // it takes the message that it was started by
                host.wake(now);
                self.settle(node)?;
                return self.receive(node, *from, bytes);
            }
            Input::Erase => {
                tally.erased += 1;
                host.erase(node);
                host.wake(now);
            }
        }
        self.settle(node)
    }

    fn deliver(&mut self, node: usize, from: NodeId, bytes: &[u8]) -> Result<(), String> {
        let (now, last) = (self.instant(), self.plan.last);
        let honest = self.is_honest(node);
        if self.is_honest(from.get() as usize - 1) {
            self.done.tally.to_last += u64::from(!honest);
        } else {
            self.done.tally.of_last += 1;
            self.begin_second();
            self.received += 1;
        }
        if !honest && last == Peer::Refuses {
            let message = <S::Machine as Machine>::Message::from_slice(bytes);
            for refusal in message.iter().flat_map(S::refusals) {
                if <S::Machine as Machine>::Message::from_slice(&refusal).is_err() {
                    return Err(format!(
                        "`refusals` gave bytes that are no message: {refusal:02x?}"
                    ));
                }
                self.send(node, from, refusal);
            }
            return Ok(());
        }
        let start_us = match last {
            Peer::ForgetsEachMessage if !honest => START_US,
            Peer::RestartsFast if !honest => FAST_START_US,
            _ => return self.receive(node, from, bytes),
        };
        let host = self.host(node)?;
        if host.starts_until <= now.as_micros() {
            host.erase(node);
            host.starts_until = now.as_micros() + start_us;
            self.done.tally.erased += 1;
            self.schedule(self.now + start_us, node, Input::Start(from, bytes.to_vec()));
        }
        Ok(())
    }

    /// A driver drops what does not decode, and does not look at what is refused.
    fn receive(&mut self, node: usize, from: NodeId, bytes: &[u8]) -> Result<(), String> {
        let now = self.instant();
        if let Ok(message) = <S::Machine as Machine>::Message::from_slice(bytes) {
            let _ = self.host(node)?.machine.receive(now, from, message);
        }
        self.settle(node)
    }

    /// Takes what a node emits until it has nothing to do.
    fn settle(&mut self, node: usize) -> Result<(), String> {
        let (now, taking) = (self.instant(), self.plan.taking);
        for _ in 0..MAX_ROUNDS {
            let host = self.host(node)?;
            let emitted = host.take(taking)?;
            let (issued, records, life) = (host.issued, host.records.len(), host.life);
            let mut wrote = false;
            for output in emitted {
                match &output {
                    Emitted::Persist(..) => wrote = true,
                    Emitted::Send(to, bytes) => {
                        self.count(node, *to)?;
                        self.send(node, *to, bytes.clone());
                    }
                    Emitted::Event(_) => {}
                }
                self.done.lines.push(Line { at: self.now, node, emitted: output });
            }
            if wrote {
                // a disk that takes its time would bound how often a node restarts
                let fast = self.plan.last == Peer::RestartsFast && !self.is_honest(node);
                let takes = if fast { 1 } else { self.rng.range(50, 3_000) };
                let now = self.now;
                let host = self.host(node)?;
                host.disk_busy = host.disk_busy.max(now) + takes;
                let at = host.disk_busy;
                self.schedule(at, node, Input::Written(issued, records, life));
                if self.plan.spurious {
                    let before = now + self.spurious.below(at - now);
                    self.schedule(before, node, Input::Spurious);
                }
            }
            let host = self.host(node)?;
            if !host.app.respond(&mut host.machine, now) {
                return Ok(());
            }
        }
        Err(format!("the application and the machine call each other {MAX_ROUNDS} times"))
    }

    /// Counts a message of an honest node.
    fn count(&mut self, node: usize, to: NodeId) -> Result<(), String> {
        let Some(rate) = self.plan.max_rate.filter(|_| self.is_honest(node)) else { return Ok(()) };
        self.begin_second();
        let count = self.sent.entry((node, to)).or_default();
        *count += 1;
        let most = rate.messages + rate.answers * self.received;
        if *count > most {
            return Err(format!(
                "more than {most} messages to node {to} in second {} of the run, in which the {} \
                 node sent {}",
                self.second,
                self.plan.last.adjective(),
                self.received
            ));
        }
        self.count_burst(node, to, rate)
    }

    fn count_burst(&mut self, node: usize, to: NodeId, rate: Rate) -> Result<(), String> {
        let Some((time_us, most)) = rate.burst else { return Ok(()) };
        let burst = self.bursts.entry((node, to)).or_default();
        burst.retain(|at| self.now - at < time_us);
        burst.push_back(self.now);
        if burst.len() as u64 > most {
            return Err(format!("more than {most} messages to node {to} within {time_us} µs"));
        }
        Ok(())
    }

    /// Counts anew when another second has begun.
    fn begin_second(&mut self) {
        let second = self.now / 1_000_000;
        if second != self.second {
            self.sent.clear();
            self.received = 0;
            self.second = second;
        }
    }

    fn send(&mut self, node: usize, to: NodeId, bytes: Vec<u8>) {
        let from = NodeId::new(node as u64 + 1);
        let known = to.get().checked_sub(1).filter(|to| *to < S::NODES as u64);
        let Some(to) = known.map(|to| to as usize) else { return };
        if self.plan.last != Peer::Honest {
            // messages that cause each other are a storm where the network is fast
            return self.schedule(self.now + 200, to, Input::Message(from, bytes));
        }
        if self.rng.chance(1, 50) {
            return;
        }
        for _ in 0..if self.rng.chance(1, 50) { 2 } else { 1 } {
            let late = if self.rng.chance(1, 50) { 50 } else { 1 };
            let at = self.now + self.rng.range(100, 2_000) * late;
            self.schedule(at, to, Input::Message(from, bytes.clone()));
        }
    }

    fn schedule(&mut self, at: u64, node: usize, input: Input) {
        self.order += 1;
        self.queue.insert((at, self.order), (node, input));
    }

    fn is_honest(&self, node: usize) -> bool {
        self.plan.last == Peer::Honest || node + 1 < S::NODES
    }

    const fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn host(&mut self, node: usize) -> Result<&mut Host<S>, String> {
        self.hosts.get_mut(node).ok_or_else(|| "there is no such node".to_owned())
    }
}
