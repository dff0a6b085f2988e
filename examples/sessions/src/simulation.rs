use std::error::Error;
use std::fmt;

use quorate_core::{Instant, Machine};
use quorate_log::session::{Config, Sessions, WhenFull};

use crate::customer::Customer;
use crate::network::{Address, Network, Packet};
use crate::node::Node;

const NODES: usize = 3;
/// Virtual time between two steps, in µs.
const STEP_US: u64 = 1_000;
/// A run that takes longer has failed.
const TIME_LIMIT_US: u64 = 120_000_000;
/// The leader is isolated this often, and for so long.
const ISOLATE_EVERY_US: u64 = 2_000_000;
const ISOLATED_US: u64 = 700_000;

const CONFIG: Config = Config {
    max_sessions: 16,
    window: 4,
    max_response_bytes: 8,
    timeout_us: 5_000_000,
    when_full: WhenFull::EvictOldest,
};

/// Nodes, customers and the network between them.
pub struct Simulation {
    now: Instant,
    network: Network,
    nodes: Vec<Node>,
    customers: Vec<Customer>,
    leader: Option<(usize, u64)>,
    leaders: u64,
    lines: Vec<String>,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Coffees that customers were told to have paid.
    pub paid: u64,
    /// Payments that may have been applied or not: the session expired while they were in flight.
    pub in_doubt: u64,
    /// Requests that were sent for them.
    pub requests_sent: u64,
    /// Terms with a leader.
    pub leaders: u64,
    /// Sessions that expired while a customer was away, which then registered again.
    pub ended: u64,
    /// What is in the till if each payment in the log counts.
    pub without_sessions: u64,
    /// What is in the till with sessions, on every node.
    pub with_sessions: [u64; NODES],
}

impl Simulation {
    /// Three regular customers, and one that comes every eight seconds, longer than a session lasts.
    ///
    /// # Errors
    ///
    /// When the nodes' settings are wrong.
    pub fn new(seed: u64) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(CONFIG)?;
        let nodes: Result<Vec<_>, _> =
            (0..NODES).map(|at| Node::new(at, NODES, sessions.clone(), seed)).collect();
        let mut customers: Vec<_> =
            (0..3).map(|at| Customer::new(at, NODES, CONFIG, 100, 150_000)).collect();
        customers.push(Customer::new(3, NODES, CONFIG, 3, 8_000_000));
        Ok(Self {
            now: Instant::from_micros(STEP_US),
            network: Network::new(seed),
            nodes: nodes?,
            customers,
            leader: None,
            leaders: 0,
            lines: Vec::new(),
        })
    }

    /// Lets it happen until everybody has all coffees and all nodes know of it; `print` gets its
    /// lines. `None` if that takes too long.
    pub fn run(&mut self, mut print: impl FnMut(&str)) -> Option<Report> {
        let mut settled = 0;
        while settled < 500 {
            if self.now.as_micros() > TIME_LIMIT_US {
                return None;
            }
            self.step();
            self.lines.drain(..).for_each(|line| print(&line));
            let all_done = self.customers.iter().all(Customer::is_done);
            // the last duplicates are still on their way
            settled = if all_done { settled + 1 } else { 0 };
        }
        Some(self.report())
    }

    fn step(&mut self) {
        self.now = self.now.after(STEP_US);
        self.isolate_leader();
        while let Some(envelope) = self.network.arrived(self.now) {
            match (envelope.to, envelope.packet) {
                (Address::Node(at), packet) => {
                    self.nodes[at].receive(self.now, envelope.from, packet);
                }
                (Address::Customer(at), Packet::Reply(reply)) => self.receive(at, reply),
                _ => {}
            }
        }
        for customer in &mut self.customers {
            customer.step(self.now, &mut self.network);
        }
        for node in &mut self.nodes {
            node.step(self.now, &mut self.network);
        }
        self.observe_leader();
    }

    fn receive(&mut self, at: usize, reply: crate::network::Reply) {
        let ended = self.customers[at].ended;
        self.customers[at].receive(self.now, reply);
        if self.customers[at].ended > ended {
            self.log(format!("customer {} was away too long, and registers again", at + 1));
        }
    }

    /// Isolates the leader now and then.
    fn isolate_leader(&mut self) {
        let all_done = self.customers.iter().all(Customer::is_done);
        match self.now.as_micros() % ISOLATE_EVERY_US {
            0 if !all_done => {
                self.network.isolated = self.leader.map(|(at, _)| at);
                if let Some(at) = self.network.isolated {
                    self.log(format!("node {} is cut off", at + 1));
                }
            }
            ISOLATED_US => self.network.isolated = None,
            _ => {}
        }
    }

    fn observe_leader(&mut self) {
        let leaders = self.nodes.iter().enumerate().filter(|(_, node)| node.is_leader());
        let leader = leaders.map(|(at, node)| (at, node.raft.status().term)).max_by_key(|l| l.1);
        if let Some((at, term)) = leader
            && self.leader.is_none_or(|(_, before)| term > before)
        {
            self.leader = leader;
            self.leaders += 1;
            self.log(format!("node {} is the leader in term {term}", at + 1));
        }
    }

    fn log(&mut self, what: String) {
        let ms = self.now.as_micros() / 1000;
        self.lines.push(format!("{:>3}.{:03} s  {what}", ms / 1000, ms % 1000));
    }

    fn report(&self) -> Report {
        let sum = |of: fn(&Customer) -> u64| self.customers.iter().map(of).sum();
        Report {
            paid: sum(|customer| customer.paid),
            in_doubt: sum(|customer| customer.in_doubt),
            requests_sent: sum(|customer| customer.requests_sent),
            leaders: self.leaders,
            ended: sum(|customer| customer.ended),
            without_sessions: self
                .nodes
                .iter()
                .map(|node| node.without_sessions)
                .max()
                .unwrap_or(0),
            with_sessions: [0, 1, 2].map(|at| self.nodes[at].with_sessions),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.with_sessions;
        writeln!(f, "coffees that customers have paid      {:>5}", self.paid)?;
        writeln!(f, "payments in doubt                     {:>5}", self.in_doubt)?;
        writeln!(f, "requests that were sent for them      {:>5}", self.requests_sent)?;
        writeln!(f, "leaders                               {:>5}", self.leaders)?;
        writeln!(f, "in the till, if each payment counts   {:>5}", self.without_sessions)?;
        write!(f, "in the till, with sessions            {first:>5} {second} {third}")
    }
}
