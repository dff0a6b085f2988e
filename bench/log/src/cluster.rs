use core::hint::black_box;
use core::mem;

use quorate_core::{Instant, NodeId, Output, Wire};
use quorate_log::{Index, Notice};

use crate::count::{allocator_calls, live_bytes};
use crate::{Case, Count, Failure, Replica};

/// Bytes of commands after which the application takes a snapshot: a quarter of a chunk of the log, whose size then stays within two
/// chunks. (The log keeps one emptied chunk to use again; if it shrank by several at once, the others would be freed, and
/// allocated anew as it grows.)
const SNAPSHOT_EVERY: usize = 16 << 10;
/// Entries it leaves in the log before the snapshot.
const TRAILING: Index = 64;
/// Bytes for all messages on their way at once, and for one record.
const BUFFER: usize = 1 << 20;

/// Three nodes, the wire between them and their disks, moved by hand.
///
/// The clock stands still during rounds, so that no heartbeat, which costs the same however many proposals there are, is counted.
#[derive(Debug)]
pub struct Cluster<R> {
    nodes: [Node<R>; 3],
    /// Which of them leads.
    leader: usize,
    /// Messages being delivered.
    arriving: Frames,
    /// Messages made meanwhile.
    leaving: Frames,
    disk: Vec<u8>,
    now: Instant,
    command: Vec<u8>,
    delivered: usize,
}

#[derive(Debug)]
struct Node<R> {
    machine: R,
    applied: Index,
    commands: usize,
    commands_at_snapshot: usize,
}

impl<R: Replica> Cluster<R> {
    /// A cluster with a leader.
    ///
    /// # Errors
    ///
    /// [`Failure`] if that cannot be had.
    pub fn new() -> Result<Self, Failure> {
        let mut cluster = Self {
            nodes: [Node::new(1)?, Node::new(2)?, Node::new(3)?],
            leader: 0,
            arriving: Frames::new(),
            leaving: Frames::new(),
            disk: vec![0; BUFFER],
            now: Instant::from_millis(1),
            command: Vec::new(),
            delivered: 0,
        };
        for _ in 0..100 {
            cluster.now = cluster.now.after(10_000);
            for node in &mut cluster.nodes {
                node.machine.tick(cluster.now);
            }
            cluster.settle()?;
            let leads =
                |(at, node): (usize, &Node<R>)| node.machine.leadership().leader == Some(id(at));
            if let Some(leader) = cluster.nodes.iter().enumerate().position(leads) {
                cluster.leader = leader;
                return Ok(cluster);
            }
        }
        Err(Failure::NoLeader)
    }

    /// Runs rounds that are not counted, until the log has its steady size.
    ///
    /// # Errors
    ///
    /// [`Failure`] if anything goes wrong.
    pub fn warm_up(&mut self, case: Case, rounds: usize) -> Result<(), Failure> {
        self.prepare(case);
        self.rounds(case.batch, rounds)
    }

    /// Runs rounds and counts what they take.
    ///
    /// # Errors
    ///
    /// [`Failure`] if anything goes wrong.
    pub fn measure(&mut self, case: Case, rounds: usize) -> Result<Count, Failure> {
        self.prepare(case);
        let (delivered, commands, calls) =
            (self.delivered, self.nodes[self.leader].commands, allocator_calls());
        self.measured_rounds(case.batch, rounds)?;
        let calls_after = allocator_calls();
        let count = Count {
            proposals: self.nodes[self.leader].commands - commands,
            messages: self.delivered - delivered,
            allocations: calls_after.0 - calls.0,
            calls: calls_after.1 - calls.1,
        };
        if count.proposals != case.batch * rounds {
            return Err(Failure::NotCommitted);
        }
        Ok(count)
    }

    /// Bytes of heap that an entry of this many bytes takes on each node, with `entries` of them in the log.
    ///
    /// # Errors
    ///
    /// [`Failure`] if anything goes wrong.
    #[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
    pub fn live_bytes_per_entry(case: Case, entries: usize) -> Result<f64, Failure> {
        let mut cluster = Self::new()?;
        cluster.prepare(case);
        let before = live_bytes();
        for _ in 0..case.rounds(entries) {
            cluster.round(case.batch)?;
        }
        let entries = (case.rounds(entries) * case.batch * cluster.nodes.len()) as f64;
        Ok(live_bytes().saturating_sub(before) as f64 / entries)
    }

    fn prepare(&mut self, case: Case) {
        self.command.clear();
        self.command.resize(case.payload, 0x5a);
    }

    /// The measured part: callgrind, which is told this name, collects within it.
    #[inline(never)]
    fn measured_rounds(&mut self, batch: usize, rounds: usize) -> Result<(), Failure> {
        self.rounds(batch, rounds)
    }

    fn rounds(&mut self, batch: usize, rounds: usize) -> Result<(), Failure> {
        for _ in 0..rounds {
            self.round(batch)?;
            if self.commands_since_snapshot() * self.command.len() >= SNAPSHOT_EVERY {
                self.take_snapshots()?;
            }
        }
        Ok(())
    }

    fn round(&mut self, batch: usize) -> Result<(), Failure> {
        for _ in 0..batch {
            self.nodes[self.leader].machine.submit(&self.command)?;
        }
        self.nodes[self.leader].turn(self.leader, &mut self.leaving, &mut self.disk)?;
        self.deliver()
    }

    /// Delivers messages until there are none.
    fn deliver(&mut self) -> Result<(), Failure> {
        while !self.leaving.list.is_empty() {
            mem::swap(&mut self.arriving, &mut self.leaving);
            let mut stirred = [false; 3];
            for frame in &self.arriving.list {
                let bytes = self.arriving.bytes.get(frame.start..frame.end).unwrap_or_default();
                let message = Wire::from_slice(bytes)?;
                self.nodes[frame.to].machine.receive(self.now, id(frame.from), message)?;
                stirred[frame.to] = true;
            }
            self.delivered += self.arriving.list.len();
            self.arriving.clear();
            for (at, node) in self.nodes.iter_mut().enumerate().filter(|(at, _)| stirred[*at]) {
                node.turn(at, &mut self.leaving, &mut self.disk)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Failure> {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.turn(at, &mut self.leaving, &mut self.disk)?;
        }
        self.deliver()
    }

    const fn commands_since_snapshot(&self) -> usize {
        self.nodes[self.leader].commands - self.nodes[self.leader].commands_at_snapshot
    }

    fn take_snapshots(&mut self) -> Result<(), Failure> {
        for node in &mut self.nodes {
            node.commands_at_snapshot = node.commands;
            // a follower hears of what is committed with the next batch
            if node.applied == 0 {
                continue;
            }
            node.machine.take_snapshot(node.applied, node.applied.saturating_sub(TRAILING))?;
        }
        self.settle()
    }
}

impl<R: Replica> Node<R> {
    fn new(id: u64) -> Result<Self, Failure> {
        Ok(Self { machine: R::create(id)?, applied: 0, commands: 0, commands_at_snapshot: 0 })
    }

    /// Polls until quiet, doing what is asked.
    fn turn(&mut self, at: usize, wire: &mut Frames, disk: &mut [u8]) -> Result<(), Failure> {
        loop {
            let mut last = None;
            while let Some(output) = self.machine.poll() {
                match output {
                    Output::Persist(ticket, record) => {
                        black_box(R::Record::from_slice(black_box(record.to_slice(disk)?))?);
                        last = Some(ticket);
                    }
                    Output::Send(to, message) => wire.put(at, to, &message)?,
                    Output::Event(event) => {
                        if let Some(Notice::Committed(entries)) = R::notice(&event) {
                            self.applied = entries.last();
                            for (_index, command) in entries.payloads() {
                                self.commands += 1;
                                black_box(command);
                            }
                        } else {
                            R::check(&event)?;
                        }
                    }
                }
            }
            match last {
                Some(ticket) => self.machine.persisted(ticket),
                None => return Ok(()),
            }
        }
    }
}

/// Encoded messages, one after the other.
#[derive(Debug)]
struct Frames {
    list: Vec<Frame>,
    bytes: Vec<u8>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    from: usize,
    to: usize,
    start: usize,
    end: usize,
}

impl Frames {
    fn new() -> Self {
        Self { list: Vec::with_capacity(1024), bytes: vec![0; BUFFER], used: 0 }
    }

    fn put<'a>(&mut self, from: usize, to: NodeId, message: &impl Wire<'a>) -> Result<(), Failure> {
        let room = self.bytes.get_mut(self.used..).unwrap_or_default();
        let end = self.used + message.to_slice(room)?.len();
        let to = usize::try_from(to.get()).unwrap_or_default().saturating_sub(1);
        self.list.push(Frame { from, to, start: self.used, end });
        self.used = end;
        Ok(())
    }

    fn clear(&mut self) {
        self.list.clear();
        self.used = 0;
    }
}

const fn id(at: usize) -> NodeId {
    NodeId::new(at as u64 + 1)
}
