//! Clients: they write and read at the node that they believe to be the leader, wait for the
//! answer, and try another node without one.

use quorate_core::{Instant, Machine, NodeId, Wire};
use quorate_raft::ReplicatedLog as _;
use quorate_raft::{Index, ProposeError, Raft, ReadError, Role, Storage};
use quorate_sim::{Access, Marks};

use super::super::clients::{Request, State, next_target};
use super::super::store::{Change, Command};
use super::RaftSubject;

impl<S: Storage> RaftSubject<S> {
    /// Whether a node takes an operation: `Err` names the node to try instead.
    fn submit(
        &mut self,
        client: usize,
        node: usize,
        request: Request,
        (raft, sent, clock): (&mut Raft<S>, u64, Instant),
        marks: &mut Marks,
    ) -> Result<(), Option<NodeId>> {
        let Some(change) = request.change else {
            if self.read_lease(client, node, request, (raft, clock), marks) {
                return Ok(());
            }
            let id = raft.read().map_err(|e| match e {
                ReadError::NotLeader(leader) => leader,
                _ => None,
            })?;
            let committed = self.oracle.committed();
            self.oracle.reads.requested(node, id, sent, committed, raft.status().term);
            self.history.call_read(request.operation, request.key);
            self.applications[node].reads.push((id, request.operation, client, request.key));
            self.commands.push(format!("read {}", node + 1));
            return Ok(());
        };
        let zeros = [0; 256];
        let padding = &zeros[..self.rng.below(self.padding + 1) as usize];
        let command = Command { operation: request.operation, key: request.key, change, padding };
        let mut buffer = [0; 300];
        let bytes = command.to_slice(&mut buffer).map_err(|_| None)?;
        // in the harness a command is a text of the same length
        let text = format!("x{:.<1$}", request.operation, bytes.len().saturating_sub(1));
        let before = raft.status();
        if before.quiescent {
            marks.hit("unquiesced by a client");
        }
        // a quiesced node wakes up even if it refuses the command
        if before.quiescent || before.role == Role::Leader {
            self.commands.push(format!("propose {} {text}", node + 1));
        }
        let leads = before.role == Role::Leader;
        if self.config.forward && request.operation.is_multiple_of(2) && !leads {
            self.commands.push(format!("forward {} {text}", node + 1));
            let id = raft.forward(bytes).map_err(|_| before.leader)?;
            marks.hit("command forwarded");
            self.history.call_write(request.operation, request.key, change);
            self.applications[node].forwards.push((id, request.operation, client));
            return Ok(());
        }
        let proposal = raft.propose(bytes).map_err(|e| match e {
            ProposeError::NotLeader(leader) => leader,
            ProposeError::LogFull => {
                marks.hit("log full");
                self.applications[node].full = true;
                Some(Self::id(node))
            }
            _ => Some(Self::id(node)),
        })?;
        self.history.call_write(request.operation, request.key, change);
        self.applications[node].writes.push((proposal, request.operation, client));
        Ok(())
    }

    /// Checks the lease of every node that believes to be the leader, at every step of the clients:
    /// a lease that is too long is so for a moment only.
    pub(super) fn check_leases(&mut self, access: &mut Access<'_, Self>) {
        if self.config.lease_drift.is_none() {
            return;
        }
        for node in 0..access.nodes() {
            let leads = access.peek(node).is_some_and(|raft| raft.status().role == Role::Leader);
            let clock = access.clock(node);
            if leads && let Some(raft) = access.machine(node) {
                self.check_lease(node, raft, clock);
            }
        }
    }

    /// The index up to which a node may read by its lease.
    fn check_lease(&mut self, node: usize, raft: &mut Raft<S>, clock: Instant) -> Option<Index> {
        let index = raft.read_lease(clock)?;
        self.commands.push(format!("read-lease {}", node + 1));
        let committed = self.oracle.committed();
        if index < committed {
            let what = format!("node {} reads by lease at {index} of {committed}", node + 1);
            self.violated.get_or_insert(what);
        }
        // before anything is committed by it
        if let Some(term) = self.oracle.later_leader_term(raft.status().term) {
            let what = format!("node {} has a lease, and another leads term {term}", node + 1);
            self.violated.get_or_insert(what);
        }
        Some(index)
    }

    /// Reads at once if the node has a lease.
    fn read_lease(
        &mut self,
        client: usize,
        node: usize,
        request: Request,
        (raft, clock): (&mut Raft<S>, Instant),
        marks: &mut Marks,
    ) -> bool {
        let Some(index) = self.check_lease(node, raft, clock) else { return false };
        if self.applications[node].store.applied < index {
            marks.hit("leased read waits");
            return false;
        }
        marks.hit("read by lease");
        self.history.call_read(request.operation, request.key);
        let value = self.applications[node].store.get(request.key);
        self.history.read_returned(request.operation, value);
        self.clients[client].last_seen = value;
        self.done = Some(request.operation);
        true
    }

    fn new_request(&mut self, client: usize) -> Request {
        self.operations += 1;
        let operation = self.operations;
        let key = self.keys.pick(&mut self.rng);
        let change = match self.rng.below(10) {
            0..4 => None,
            4..8 => Some(Change::Put { value: operation }),
            _ => {
                let expected = self.clients[client].last_seen;
                Some(Change::Swap { expected, value: operation })
            }
        };
        Request { operation, key, change }
    }

    /// All clients pause now and then, if nodes quiesce then.
    const fn pauses(&self, now_us: u64) -> bool {
        self.config.quiesce_us > 0 && (now_us / 400_000).is_multiple_of(3)
    }

    /// A client submits a request, waits, or gives up, as the time is.
    pub(super) fn client(&mut self, client: usize, access: &mut Access<'_, Self>) {
        self.transfer_leadership(access);
        self.damage_state(access);
        self.request_campaign(access);
        self.change_members(access);
        let now = access.now_us();
        match self.clients[client].state {
            State::Idle { until } if now >= until && !self.clients_stopped && !self.pauses(now) => {
                let request = self.new_request(client);
                let give_up = now + 2_000_000;
                self.clients[client].state = State::Submitting { request, next: now, give_up };
            }
            State::Submitting { request, next, give_up } if now >= next => {
                let target = self.clients[client].target;
                let (nodes, sent, clock) = (access.nodes(), access.sent(), access.clock(target));
                let result = match access.machine(target) {
                    // a machine and the marks are two parts of what clients may touch
                    Some(raft) => {
                        let mut marks = Marks::default();
                        let seen = (raft, sent, clock);
                        let result = self.submit(client, target, request, seen, &mut marks);
                        access.marks.merge(&marks);
                        result
                    }
                    None => Err(None),
                };
                self.clients[client].state = match result {
                    Ok(()) => {
                        let give_up = now + self.rng.range(300_000, 1_500_000);
                        State::Waiting { request, give_up }
                    }
                    Err(hint) => {
                        self.clients[client].target = next_target(hint, nodes, &mut self.rng);
                        let next = now + self.rng.range(5_000, 40_000);
                        if now >= give_up {
                            State::Idle { until: next }
                        } else {
                            State::Submitting { request, next, give_up }
                        }
                    }
                };
            }
            State::Waiting { request, give_up } if now >= give_up => {
                access.marks.hit("outcome unknown");
                self.keys.penalize(request.key);
                self.clients[client].target = self.rng.below(access.nodes() as u64) as usize;
                self.clients[client].state = State::Idle { until: now + self.rng.below(50_000) };
            }
            _ => {}
        }
    }
}
