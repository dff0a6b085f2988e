use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_log::session::{Call, ClusterClock, Heap, Request, Response, SessionError, Sessions};
use quorate_log::typed;
use quorate_raft::{Config, ConfigError, EntryKind, Event, Message, Raft, Role};

use crate::Payment;
use crate::network::{Address, Network, Packet, Reply};

/// A node: Raft, the sessions, and two tills.
pub(crate) struct Node {
    at: usize,
    pub(crate) raft: Raft<Heap>,
    pub(crate) sessions: Sessions<Heap>,
    clock: ClusterClock,
    /// Coffees paid, each payment applied once.
    pub(crate) with_sessions: u64,
    /// Coffees paid, if each payment in the log counts.
    pub(crate) without_sessions: u64,
    /// Pending requests of customers, and where the replies go.
    pending: Vec<(Vec<u8>, Address)>,
    outbox: Vec<(Address, Packet)>,
}

impl Node {
    pub(crate) fn new(
        at: usize,
        nodes: usize,
        sessions: Sessions<Heap>,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let ids: Vec<NodeId> = (0..nodes).map(id).collect();
        Ok(Self {
            at,
            raft: Raft::new(id(at), &ids, Config::lan(), seed + at as u64)?,
            sessions,
            clock: ClusterClock::new(Instant::ZERO),
            with_sessions: 0,
            without_sessions: 0,
            pending: Vec::new(),
            outbox: Vec::new(),
        })
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.raft.status().role == Role::Leader
    }

    pub(crate) fn receive(&mut self, now: Instant, from: Address, packet: Packet) {
        match (from, packet) {
            (Address::Node(from), Packet::Raft(bytes)) => {
                if let Ok(message) = Message::from_slice(&bytes) {
                    let _ = self.raft.receive(now, id(from), message); // refused: counted in the status
                }
            }
            (from, Packet::Request(bytes)) => self.handle_request(now, from, bytes),
            _ => {}
        }
    }

    /// Proposes a customer's request, with the cluster's time, if this node is the leader.
    fn handle_request(&mut self, now: Instant, from: Address, request: Vec<u8>) {
        let Ok(call) = Call::from_slice(&request) else { return };
        let stamped = Call { time_us: self.clock.stamp(now), ..call };
        let mut buffer = [0; 64];
        match stamped.to_slice(&mut buffer).map(|bytes| self.raft.propose(bytes)) {
            Ok(Ok(_)) => {
                self.pending.retain(|(pending, _)| *pending != request);
                self.pending.push((request, from));
            }
            _ => {
                if let Some(leader) = self.raft.status().leader {
                    let reply = Reply::Redirect(index_of(leader));
                    self.outbox.push((from, Packet::Reply(reply)));
                }
            }
        }
    }

    /// Lets time pass and does what Raft says; the disk is quick here.
    pub(crate) fn step(&mut self, now: Instant, network: &mut Network) {
        self.raft.tick(now);
        loop {
            let mut durable = None;
            while let Some(output) = self.raft.poll() {
                match output {
                    Output::Persist(ticket, _) => durable = Some(ticket),
                    Output::Send(to, message) => {
                        let mut bytes = vec![0; message.encoded_len()];
                        if message.to_slice(&mut bytes).is_ok() {
                            self.outbox.push((Address::Node(index_of(to)), Packet::Raft(bytes)));
                        }
                    }
                    Output::Event(Event::Committed(entries)) => {
                        let calls = entries.iter().filter(|e| e.kind == EntryKind::Command);
                        let calls = calls.map(|entry| (entry.index, entry.data.to_vec()));
                        for (index, call) in calls.collect::<Vec<_>>() {
                            self.apply(now, index, &call);
                        }
                    }
                    Output::Event(_) => {}
                }
            }
            let Some(ticket) = durable else { break };
            self.raft.persisted(ticket);
        }
        for (to, packet) in self.outbox.drain(..) {
            network.send(now, Address::Node(self.at), to, packet);
        }
    }

    fn apply(&mut self, now: Instant, index: u64, bytes: &[u8]) {
        let Ok(call) = Call::from_slice(bytes) else { return };
        if let Request::Command { command, .. } = call.request {
            pay(&mut self.without_sessions, command);
        }
        let with_sessions = &mut self.with_sessions;
        let result = self.sessions.apply(index, bytes, |command| pay(with_sessions, command));
        let reply = reply(call.request, result);
        self.clock.observe(call.time_us, now);
        self.reply(call, reply);
    }

    /// Replies to the customer that sent the request here.
    fn reply(&mut self, call: Call<'_>, reply: Option<Reply>) {
        let unstamped = Call { time_us: 0, ..call };
        let mut buffer = [0; 64];
        let Ok(bytes) = unstamped.to_slice(&mut buffer) else { return };
        let Some(at) = self.pending.iter().position(|(pending, _)| pending == bytes) else {
            return;
        };
        let (_, to) = self.pending.swap_remove(at);
        if let Some(reply) = reply {
            self.outbox.push((to, Packet::Reply(reply)));
        }
    }
}

/// Takes a payment, and gives the receipt: how many coffees that makes.
fn pay(till: &mut u64, command: &[u8]) -> [u8; 8] {
    if let Ok(Payment::Coffees(coffees)) = typed::decode(command) {
        *till += u64::from(coffees);
    }
    till.to_le_bytes()
}

fn reply(request: Request<'_>, result: Result<Response<'_>, SessionError>) -> Option<Reply> {
    match (request, result) {
        (Request::Register { token }, Ok(Response::Registered(session))) => {
            Some(Reply::Registered { token, session })
        }
        (
            Request::Command { session, .. } | Request::KeepAlive { session, .. },
            Err(SessionError::Expired),
        ) => Some(Reply::SessionEnded { session }),
        (Request::KeepAlive { session, .. }, Ok(_)) => Some(Reply::SessionAlive { session }),
        (Request::Command { session, serial, .. }, Ok(_)) => Some(Reply::Paid { session, serial }),
        _ => None,
    }
}

fn id(at: usize) -> NodeId {
    NodeId::new(at as u64 + 1)
}

fn index_of(node: NodeId) -> usize {
    usize::try_from(node.get()).unwrap_or(1) - 1
}
