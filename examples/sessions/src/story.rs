use std::error::Error;
use std::fmt;

use quorate_core::Instant;
use quorate_raft::session::{Limits, Sessions, WhenFull};

use crate::customer::Customer;
use crate::mail::{Address, Letter, Mail};
use crate::node::Node;

const NODES: usize = 3;
/// How often somebody's time comes, in µs.
const STEP_US: u64 = 1_000;
/// Nobody needs longer than this.
const TOO_LONG_US: u64 = 120_000_000;
/// Whoever leads is cut off this often, and for so long.
const CUT_EVERY_US: u64 = 2_000_000;
const CUT_US: u64 = 700_000;

const LIMITS: Limits = Limits {
    sessions: 16,
    window: 4,
    answer_bytes: 8,
    idle_us: 5_000_000,
    when_full: WhenFull::EndOldest,
};

/// Nodes, customers and the mail between them.
pub struct Story {
    now: Instant,
    mail: Mail,
    nodes: Vec<Node>,
    customers: Vec<Customer>,
    leads: Option<(usize, u64)>,
    leaders: u64,
    said: Vec<String>,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Coffees that customers were told to have paid.
    pub paid: u64,
    /// Payments that nobody can tell of, as the session ended while they were under way.
    pub in_doubt: u64,
    /// Letters that were sent for them.
    pub letters: u64,
    /// Terms with a leader.
    pub leaders: u64,
    /// Sessions that ended while a customer was away, which then registered again.
    pub ended: u64,
    /// What is in the till where each payment in the log counts.
    pub as_they_come: u64,
    /// What is in the till where the sessions see to it; on every node.
    pub once: [u64; NODES],
}

impl Story {
    /// Three regular customers, and one that comes every eight seconds, longer than a session lasts.
    ///
    /// # Errors
    ///
    /// When the nodes' settings are wrong.
    pub fn new(seed: u64) -> Result<Self, Box<dyn Error>> {
        let sessions = Sessions::new(LIMITS)?;
        let nodes: Result<Vec<_>, _> =
            (0..NODES).map(|at| Node::new(at, NODES, sessions.clone(), seed)).collect();
        let mut customers: Vec<_> =
            (0..3).map(|at| Customer::new(at, NODES, LIMITS, 100, 150_000)).collect();
        customers.push(Customer::new(3, NODES, LIMITS, 3, 8_000_000));
        Ok(Self {
            now: Instant::from_micros(STEP_US),
            mail: Mail::new(seed),
            nodes: nodes?,
            customers,
            leads: None,
            leaders: 0,
            said: Vec::new(),
        })
    }

    /// Lets it happen until everybody has all coffees and all nodes know of it; `tell` hears of it line by line. `None` if that
    /// takes too long.
    pub fn run(&mut self, mut tell: impl FnMut(&str)) -> Option<Report> {
        let mut quiet = 0;
        while quiet < 500 {
            if self.now.as_micros() > TOO_LONG_US {
                return None;
            }
            self.step();
            self.said.drain(..).for_each(|line| tell(&line));
            let content = self.customers.iter().all(Customer::content);
            // the last duplicates are still on their way
            quiet = if content { quiet + 1 } else { 0 };
        }
        Some(self.report())
    }

    fn step(&mut self) {
        self.now = self.now.after(STEP_US);
        self.meddle();
        while let Some(envelope) = self.mail.arrived(self.now) {
            match (envelope.to, envelope.letter) {
                (Address::Node(at), letter) => {
                    self.nodes[at].receive(self.now, envelope.from, letter);
                }
                (Address::Customer(at), Letter::Reply(reply)) => self.hear(at, reply),
                _ => {}
            }
        }
        for customer in &mut self.customers {
            customer.turn(self.now, &mut self.mail);
        }
        for node in &mut self.nodes {
            node.turn(self.now, &mut self.mail);
        }
        self.notice();
    }

    fn hear(&mut self, at: usize, reply: crate::mail::Reply) {
        let ended = self.customers[at].ended;
        self.customers[at].hear(self.now, reply);
        if self.customers[at].ended > ended {
            self.say(format!("customer {} was away too long, and registers again", at + 1));
        }
    }

    /// Cuts whoever leads off, now and then.
    fn meddle(&mut self) {
        let content = self.customers.iter().all(Customer::content);
        match self.now.as_micros() % CUT_EVERY_US {
            0 if !content => {
                self.mail.cut_off = self.leads.map(|(at, _)| at);
                if let Some(at) = self.mail.cut_off {
                    self.say(format!("node {} is cut off", at + 1));
                }
            }
            CUT_US => self.mail.cut_off = None,
            _ => {}
        }
    }

    fn notice(&mut self) {
        let leaders = self.nodes.iter().enumerate().filter(|(_, node)| node.leads());
        let leads = leaders.map(|(at, node)| (at, node.raft.status().term)).max_by_key(|l| l.1);
        if let Some((at, term)) = leads
            && self.leads.is_none_or(|(_, before)| term > before)
        {
            self.leads = leads;
            self.leaders += 1;
            self.say(format!("node {} leads term {term}", at + 1));
        }
    }

    fn say(&mut self, what: String) {
        let ms = self.now.as_micros() / 1000;
        self.said.push(format!("{:>3}.{:03} s  {what}", ms / 1000, ms % 1000));
    }

    fn report(&self) -> Report {
        let sum = |of: fn(&Customer) -> u64| self.customers.iter().map(of).sum();
        Report {
            paid: sum(|customer| customer.paid),
            in_doubt: sum(|customer| customer.in_doubt),
            letters: sum(|customer| customer.letters),
            leaders: self.leaders,
            ended: sum(|customer| customer.ended),
            as_they_come: self.nodes.iter().map(|node| node.as_they_come).max().unwrap_or(0),
            once: [0, 1, 2].map(|at| self.nodes[at].once),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.once;
        writeln!(f, "coffees that customers have paid      {:>5}", self.paid)?;
        writeln!(f, "payments in doubt                     {:>5}", self.in_doubt)?;
        writeln!(f, "letters that were sent for them       {:>5}", self.letters)?;
        writeln!(f, "leaders                               {:>5}", self.leaders)?;
        writeln!(f, "in the till, if each payment counts   {:>5}", self.as_they_come)?;
        write!(f, "in the till, with sessions            {first:>5} {second} {third}")
    }
}
