use quorate_core::{Instant, Wire};
use quorate_log::session::{Call, Client, Config, Request, SessionId};
use quorate_log::typed;

use crate::Payment;
use crate::network::{Address, Network, Packet, Reply};

/// A request without a reply is sent again after this, to another node, in µs.
const RETRY_US: u64 = 150_000;

/// A customer without a reply about its session for this long probes the session before it buys, in µs:
/// if the session has expired, no payment is in doubt.
const IDLE_PROBE_US: u64 = 1_000_000;

/// Somebody who buys coffees, one at a time or several at once.
pub(crate) struct Customer {
    at: usize,
    nodes: usize,
    config: Config,
    /// Registrations so far: each has a token of its own.
    registrations: u64,
    session: Option<Client>,
    /// When the last reply about the session came.
    last_reply: Instant,
    /// Payments in flight, and when each was sent last.
    in_flight: Vec<(u64, Instant)>,
    /// When a session was last requested or probed.
    probed_at: Option<Instant>,
    /// The presumed leader.
    leader: usize,
    /// A node redirected to it just now.
    hinted: bool,
    /// When the next coffee is due.
    next_purchase: Instant,
    interval_us: u64,
    left: u64,
    pub(crate) paid: u64,
    /// Payments that may have been applied or not: the session expired while they were in flight.
    pub(crate) in_doubt: u64,
    pub(crate) requests_sent: u64,
    /// Sessions that ended.
    pub(crate) ended: u64,
}

impl Customer {
    pub(crate) fn new(
        at: usize,
        nodes: usize,
        config: Config,
        coffees: u64,
        interval_us: u64,
    ) -> Self {
        Self {
            at,
            nodes,
            config,
            registrations: 0,
            session: None,
            last_reply: Instant::ZERO,
            in_flight: Vec::new(),
            probed_at: None,
            leader: at % nodes,
            hinted: false,
            next_purchase: Instant::ZERO,
            interval_us,
            left: coffees,
            paid: 0,
            in_doubt: 0,
            requests_sent: 0,
            ended: 0,
        }
    }

    /// Has all its coffees.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0 && self.in_flight.is_empty()
    }

    pub(crate) fn receive(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::Registered { token, session } if token == self.token() => {
                self.session.get_or_insert_with(|| Client::new(session, self.config.window));
                self.last_reply = now;
            }
            Reply::Paid { session, serial } if self.is(session) => {
                if self.session.as_mut().is_some_and(|client| client.finish(serial)) {
                    self.paid += 1;
                    self.in_flight.retain(|(sent, _)| *sent != serial);
                }
                self.last_reply = now;
            }
            Reply::SessionAlive { session } if self.is(session) => self.last_reply = now,
            Reply::SessionEnded { session } if self.is(session) => self.restart_session(),
            Reply::Redirect(node) => {
                self.hinted |= self.leader != node;
                self.leader = node;
            }
            _ => {}
        }
    }

    fn restart_session(&mut self) {
        self.ended += 1;
        self.in_doubt += self.in_flight.len() as u64;
        self.in_flight.clear();
        self.session = None;
        self.registrations += 1;
        self.probed_at = None;
    }

    pub(crate) fn step(&mut self, now: Instant, network: &mut Network) {
        let hinted = core::mem::take(&mut self.hinted);
        let oldest = self.in_flight.iter().map(|(_, at)| *at).min().or(self.probed_at);
        let late = oldest.is_some_and(|at| now.since(at) >= RETRY_US);
        if late && !hinted {
            self.leader = (self.leader + 1) % self.nodes;
        }
        if late || hinted {
            self.probed_at = None;
            for (serial, _) in self.in_flight.clone() {
                self.pay(now, network, serial);
            }
        }
        if self.left == 0 || now < self.next_purchase {
            return;
        }
        let known = self.session.is_some() && now.since(self.last_reply) < IDLE_PROBE_US;
        if known || !self.in_flight.is_empty() {
            self.buy(now, network);
        } else if self.probed_at.is_none() {
            self.probe_session(now, network);
        }
    }

    fn probe_session(&mut self, now: Instant, network: &mut Network) {
        self.probed_at = Some(now);
        let register = Request::Register { token: self.token() };
        self.send_request(now, network, self.session.as_ref().map_or(register, Client::keep_alive));
    }

    fn buy(&mut self, now: Instant, network: &mut Network) {
        let Some(serial) = self.session.as_mut().and_then(Client::begin) else { return };
        self.left -= 1;
        self.next_purchase = now.after(self.interval_us);
        self.pay(now, network, serial);
    }

    /// For the first time or again: it is the same payment.
    fn pay(&mut self, now: Instant, network: &mut Network, serial: u64) {
        self.in_flight.retain(|(sent, _)| *sent != serial);
        self.in_flight.push((serial, now));
        let mut buffer = [0; 8];
        let payment = typed::encode(&Payment::Coffees(1), &mut buffer).unwrap_or_default();
        if let Some(client) = &self.session {
            self.send_request(now, network, client.request(serial, payment));
            self.requests_sent += 1;
        }
    }

    fn send_request(&self, now: Instant, network: &mut Network, request: Request<'_>) {
        // the leader adds the time
        let call = Call { time_us: 0, request };
        let mut bytes = vec![0; call.encoded_len()];
        if call.to_slice(&mut bytes).is_ok() {
            let (from, to) = (Address::Customer(self.at), Address::Node(self.leader));
            network.send(now, from, to, Packet::Request(bytes));
        }
    }

    fn is(&self, session: SessionId) -> bool {
        self.session.as_ref().is_some_and(|client| client.session() == session)
    }

    fn token(&self) -> u64 {
        self.at as u64 | self.registrations << 32
    }
}
