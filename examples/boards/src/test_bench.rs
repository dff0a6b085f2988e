use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_core::Rng;

use crate::launch::{Launch, NodeSetup, Running};
use crate::noise::{ForeignFrame, Noise};
use crate::wire::{Counts, Wire};
use crate::{Console, Failure, Journal};

/// A bench with nodes on it, each wired to each other, and a console to every one.
pub struct TestBench {
    dir: PathBuf,
    nodes: BTreeMap<u64, Node>,
    wires: Vec<Wire>,
    journal: Journal,
    rng: Rng,
    interrupted: Arc<AtomicBool>,
}

/// A node on the bench.
struct Node {
    launch: Arc<dyn Launch>,
    console: Console,
    setup: NodeSetup,
    running: Option<Box<dyn Running>>,
}

impl TestBench {
    /// Sets up a bench in a folder of its own, with everything wired and nothing started; `nodes` in ascending order.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when folder or sockets cannot be made.
    pub fn new(
        dir: &Path,
        nodes: &[(u64, Arc<dyn Launch>)],
        seed: u64,
        foreign_frame: ForeignFrame,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(dir).map_err(Failure::io(dir.display()))?;
        let journal = Journal::new(dir);
        let mut rng = Rng::new(seed);
        let ids: Vec<u64> = nodes.iter().map(|(id, _)| *id).collect();
        let mut wires = Vec::new();
        for (at, &a) in ids.iter().enumerate() {
            for &b in ids.iter().skip(at + 1) {
                let (path_a, path_b) = (socket_path(dir, a, b), socket_path(dir, b, a));
                wires.push(Wire::new((a, &path_a), (b, &path_b), &mut rng, foreign_frame)?);
            }
        }
        let mut bench =
            Self { dir: dir.to_owned(), nodes: BTreeMap::new(), wires, journal, rng, interrupted };
        for (id, launch) in nodes {
            let node = bench.set_up_node(*id, &ids, launch)?;
            bench.nodes.insert(*id, node);
        }
        Ok(bench)
    }

    fn set_up_node(&self, id: u64, ids: &[u64], launch: &Arc<dyn Launch>) -> Result<Node, Failure> {
        let console = Console::open(
            id,
            &self.dir.join(format!("c{id}")),
            &self.journal,
            Arc::clone(&self.interrupted),
        )?;
        let peers = ids.iter().filter(|peer| **peer != id);
        let setup = NodeSetup {
            id,
            console: console.path().to_owned(),
            wires: peers.map(|peer| (*peer, socket_path(&self.dir, id, *peer))).collect(),
            storage: self.dir.join(format!("storage{id}")),
            seed: 0,
        };
        Ok(Node { launch: Arc::clone(launch), console, setup, running: None })
    }

    /// Powers a node on. Its storage is as it was.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it cannot be started, or there is no such node.
    pub fn start(&mut self, id: u64) -> Result<(), Failure> {
        let seed = self.rng.next_u64() >> 1;
        let node = self.nodes.get_mut(&id).ok_or_else(|| no_such_node(id))?;
        node.setup.seed = seed;
        self.journal.log(Journal::BENCH, format!("start {id}, a {}", node.launch.kind()));
        node.running = None; // the old one goes before the new one comes
        node.running = Some(node.launch.launch(&node.setup, &self.journal)?);
        Ok(())
    }

    /// Powers a node off.
    pub fn kill(&mut self, id: u64) {
        if let Some(running) = self.nodes.get_mut(&id).and_then(|node| node.running.take()) {
            let mut running = running;
            running.kill();
            self.journal.log(Journal::BENCH, format!("kill {id}"));
        }
    }

    /// The nodes' numbers, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    /// Those that have power.
    #[must_use]
    pub fn alive(&self) -> Vec<u64> {
        self.nodes.iter().filter(|(_, node)| node.running.is_some()).map(|(id, _)| *id).collect()
    }

    /// The console of a node.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is no such node.
    pub fn console(&self, id: u64) -> Result<&Console, Failure> {
        self.nodes.get(&id).map(|node| &node.console).ok_or_else(|| no_such_node(id))
    }

    /// What kind of node it is: a board, a server.
    #[must_use]
    pub fn kind(&self, id: u64) -> &'static str {
        self.nodes.get(&id).map_or("nothing", |node| node.launch.kind())
    }

    /// The wire between two nodes, in either order.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is none.
    pub fn wire(&self, a: u64, b: u64) -> Result<&Wire, Failure> {
        let ends = (a.min(b), a.max(b));
        let found = self.wires.iter().find(|wire| wire.ends() == ends);
        found.ok_or_else(|| Failure::Unexpected(format!("there is no wire between {a} and {b}")))
    }

    /// All wires.
    #[must_use]
    pub fn wires(&self) -> &[Wire] {
        &self.wires
    }

    /// Cuts both directions of a wire, or heals them.
    ///
    /// # Errors
    ///
    /// As [`wire`](Self::wire).
    pub fn cut(&self, a: u64, b: u64, cut: bool) -> Result<(), Failure> {
        self.cut_direction(a, b, cut)?;
        self.cut_direction(b, a, cut)
    }

    /// Cuts the direction from one node to another, or heals it.
    ///
    /// # Errors
    ///
    /// As [`wire`](Self::wire).
    pub fn cut_direction(&self, from: u64, to: u64, cut: bool) -> Result<(), Failure> {
        self.wire(from, to)?.from(from).cut(cut);
        let what = if cut { "cut" } else { "heal" };
        self.journal.log(Journal::BENCH, format!("{what} {from}->{to}"));
        Ok(())
    }

    /// Disturbs all wires; [`Noise::default`] is silence.
    pub fn disturb(&self, noise: Noise) {
        self.wires.iter().flat_map(Wire::directions).for_each(|direction| direction.disturb(noise));
        let what = if noise == Noise::default() { "silence" } else { "noise" };
        self.journal.log(Journal::BENCH, format!("{what} on all wires"));
    }

    /// What went through all wires together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for direction in self.wires.iter().flat_map(Wire::directions) {
            sum.add(&direction.counts());
        }
        sum
    }

    /// The nodes that ended by themselves, and how.
    pub fn unexpected_exits(&mut self) -> Vec<(u64, String)> {
        let ended = |(id, node): (&u64, &mut Node)| {
            Some((*id, node.running.as_mut().and_then(|running| running.ended())?))
        };
        self.nodes.iter_mut().filter_map(ended).collect()
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The folder it is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Random numbers for scenarios.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// The socket of the wire from `at` to `to`.
fn socket_path(dir: &Path, at: u64, to: u64) -> PathBuf {
    dir.join(format!("w{at}-{to}"))
}

fn no_such_node(id: u64) -> Failure {
    Failure::Unexpected(format!("there is no node {id}"))
}

impl fmt::Debug for TestBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBench")
            .field("dir", &self.dir)
            .field("nodes", &self.ids())
            .finish_non_exhaustive()
    }
}
