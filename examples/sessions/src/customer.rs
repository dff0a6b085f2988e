use quorate_core::{Instant, Wire};
use quorate_raft::session::{Call, Client, Limits, Request, SessionId};
use quorate_raft::typed;

use crate::Payment;
use crate::mail::{Address, Letter, Mail, Reply};

/// A customer that hears nothing asks again after this, another node, in µs.
const PATIENCE_US: u64 = 150_000;

/// A customer that has heard nothing of its session for this long asks whether it lives before it buys, in µs: then there is no doubt about a payment if
/// it does not.
const AWAY_US: u64 = 1_000_000;

/// Somebody who buys coffees, one at a time or several at once.
pub(crate) struct Customer {
    at: usize,
    nodes: usize,
    limits: Limits,
    /// Registrations so far: each has a token of its own.
    lives: u64,
    session: Option<Client>,
    /// When the session was heard of last.
    heard: Instant,
    /// What is under way, and when it was sent last.
    under_way: Vec<(u64, Instant)>,
    /// When it was asked last for a session, or after it.
    knocked: Option<Instant>,
    /// Who leads, it seems.
    leader: usize,
    /// A node said so just now.
    hinted: bool,
    /// When the next coffee is due.
    thirsty: Instant,
    between_us: u64,
    left: u64,
    pub(crate) paid: u64,
    /// Payments of which nobody can tell any more: the session ended while they were under way.
    pub(crate) in_doubt: u64,
    pub(crate) letters: u64,
    /// Sessions that ended.
    pub(crate) ended: u64,
}

impl Customer {
    pub(crate) fn new(
        at: usize,
        nodes: usize,
        limits: Limits,
        coffees: u64,
        between_us: u64,
    ) -> Self {
        Self {
            at,
            nodes,
            limits,
            lives: 0,
            session: None,
            heard: Instant::ZERO,
            under_way: Vec::new(),
            knocked: None,
            leader: at % nodes,
            hinted: false,
            thirsty: Instant::ZERO,
            between_us,
            left: coffees,
            paid: 0,
            in_doubt: 0,
            letters: 0,
            ended: 0,
        }
    }

    /// Has all its coffees.
    pub(crate) fn content(&self) -> bool {
        self.left == 0 && self.under_way.is_empty()
    }

    pub(crate) fn hear(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::Registered { token, session } if token == self.token() => {
                self.session.get_or_insert_with(|| Client::new(session, self.limits.window));
                self.heard = now;
            }
            Reply::Paid { session, serial } if self.is(session) => {
                if self.session.as_mut().is_some_and(|client| client.finish(serial)) {
                    self.paid += 1;
                    self.under_way.retain(|(sent, _)| *sent != serial);
                }
                self.heard = now;
            }
            Reply::Alive { session } if self.is(session) => self.heard = now,
            Reply::Gone { session } if self.is(session) => self.begin_anew(),
            Reply::AskNode(node) => {
                self.hinted |= self.leader != node;
                self.leader = node;
            }
            _ => {}
        }
    }

    fn begin_anew(&mut self) {
        self.ended += 1;
        self.in_doubt += self.under_way.len() as u64;
        self.under_way.clear();
        self.session = None;
        self.lives += 1;
        self.knocked = None;
    }

    pub(crate) fn turn(&mut self, now: Instant, mail: &mut Mail) {
        let hinted = core::mem::take(&mut self.hinted);
        let oldest = self.under_way.iter().map(|(_, at)| *at).min().or(self.knocked);
        let late = oldest.is_some_and(|at| now.since(at) >= PATIENCE_US);
        if late && !hinted {
            self.leader = (self.leader + 1) % self.nodes;
        }
        if late || hinted {
            self.knocked = None;
            for (serial, _) in self.under_way.clone() {
                self.pay(now, mail, serial);
            }
        }
        if self.left == 0 || now < self.thirsty {
            return;
        }
        let known = self.session.is_some() && now.since(self.heard) < AWAY_US;
        if known || !self.under_way.is_empty() {
            self.buy(now, mail);
        } else if self.knocked.is_none() {
            self.knock(now, mail);
        }
    }

    fn knock(&mut self, now: Instant, mail: &mut Mail) {
        self.knocked = Some(now);
        let register = Request::Register { token: self.token() };
        self.ask(now, mail, self.session.as_ref().map_or(register, Client::keep_alive));
    }

    fn buy(&mut self, now: Instant, mail: &mut Mail) {
        let Some(serial) = self.session.as_mut().and_then(Client::begin) else { return };
        self.left -= 1;
        self.thirsty = now.after(self.between_us);
        self.pay(now, mail, serial);
    }

    /// For the first time or again: it is the same payment.
    fn pay(&mut self, now: Instant, mail: &mut Mail, serial: u64) {
        self.under_way.retain(|(sent, _)| *sent != serial);
        self.under_way.push((serial, now));
        let mut buffer = [0; 8];
        let payment = typed::encode(&Payment::Coffees(1), &mut buffer).unwrap_or_default();
        if let Some(client) = &self.session {
            self.ask(now, mail, client.request(serial, payment));
            self.letters += 1;
        }
    }

    fn ask(&self, now: Instant, mail: &mut Mail, request: Request<'_>) {
        // who leads puts the time to it
        let call = Call { time_us: 0, request };
        let mut bytes = vec![0; call.encoded_len()];
        if call.to_slice(&mut bytes).is_ok() {
            let (from, to) = (Address::Customer(self.at), Address::Node(self.leader));
            mail.send(now, from, to, Letter::Ask(bytes));
        }
    }

    fn is(&self, session: SessionId) -> bool {
        self.session.as_ref().is_some_and(|client| client.session() == session)
    }

    fn token(&self) -> u64 {
        self.at as u64 | self.lives << 32
    }
}
