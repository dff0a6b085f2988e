//! Connections to the other members, their addresses, and what a non-member does.

use std::collections::{HashMap, HashSet};

use quorate_core::{Instant, NodeId};
use quorate_tokio::app::Outbox;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::Replica;
use crate::admin_commands;
use crate::batch::Batch;
use crate::consensus::{Change, Consensus, Role, Standing, Status};
use crate::directory::Address;
use crate::node_status::MemberInfo;
use crate::op::put;

/// How often the connections are checked, in µs.
const CHECK_INTERVAL_US: u64 = 500_000;
/// After so long without a leader, in µs, the node logs it, and again after as long.
const LEADERLESS_US: u64 = 30_000_000;
/// A removed member stays connected for this long, in µs, so that it learns of its removal.
const DISCONNECT_DELAY_US: u64 = 5_000_000;
/// A node whose address is not in the directory announces it again after this, in µs.
const ANNOUNCE_US: u64 = 5_000_000;

const CATCHING_UP: &str =
    "TRYAGAIN this node leads, and is still applying what was committed before";
const NOT_MEMBER: &str = "NOTMEMBER this node is not in the cluster, the command was not executed: ask another node (one that is new is brought in with `quorate-kv ctl add`)";
const UNKNOWN_NOT_MEMBER: &str = "ERR outcome unknown: this node was removed from the cluster; the command may or may not have been executed";

/// The addresses of this node and of the others.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) own: Address,
    /// Addresses of others from the command line: they precede the directory's.
    pub(crate) configured: HashMap<NodeId, String>,
}

/// The connections to other nodes.
#[derive(Debug, Default)]
pub(super) struct PeerConnections {
    open: HashMap<NodeId, PeerConnection>,
    /// Those that were closed: such a node may come back, and not know yet that it was removed.
    closed: HashSet<NodeId>,
    changed: bool,
    /// Since when there is no leader, or when that was logged last.
    leaderless: Option<Instant>,
    next_check: Instant,
    announce_at: Instant,
}

#[derive(Debug)]
struct PeerConnection {
    address: String,
    /// Since when the node at its other end is no member.
    non_member_since: Option<Instant>,
}

impl PeerConnections {
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }
}

impl<C: Consensus> Replica<C> {
    /// Connects new members, disconnects removed ones, and announces this node's address.
    pub(super) fn maintain_connections(
        &mut self,
        log: &mut C,
        now: Instant,
        status: &Status,
        outbox: &mut Outbox,
    ) {
        if !core::mem::take(&mut self.connections.changed) && now < self.connections.next_check {
            return;
        }
        self.connections.next_check = now.after(CHECK_INTERVAL_US);
        self.member = status.standing.is_member() && status.removed.is_none();
        if self.member {
            self.connect_members(log, outbox);
        }
        // before that another leader may take the change back
        if status.members_index <= status.commit || status.removed.is_some() {
            self.track_non_members(log, now, outbox);
            self.disconnect_non_members(log, now, outbox);
        }
        self.log_leaderless(now, status);
        if self.is_non_member() && status.members_index <= self.state.applied {
            self.fail_all_pending(NOT_MEMBER, UNKNOWN_NOT_MEMBER);
        }
        self.announce_address(log, now, status);
    }

    /// Logs that there is no leader for long: what is asked of this node is refused meanwhile.
    fn log_leaderless(&mut self, now: Instant, status: &Status) {
        if status.leader.is_some() || !self.member {
            self.connections.leaderless = None;
            return;
        }
        let since = *self.connections.leaderless.get_or_insert(now);
        if now.since(since) >= LEADERLESS_US {
            self.connections.leaderless = Some(now);
            warn!(
                seconds = LEADERLESS_US / 1_000_000,
                epoch = status.epoch,
                "no leader: too few voters reach each other (`quorate-kv ctl status` names those that do not answer)"
            );
        }
    }

    /// Whether this node serves nobody: it waits to be brought in, or was removed. It may lead for a moment longer, for other nodes' clients.
    pub(super) fn is_non_member(&self) -> bool {
        !self.member
    }

    pub(super) const fn non_member_error() -> &'static str {
        NOT_MEMBER
    }

    /// The members, and where they are.
    pub(super) fn member_list(&self, log: &C) -> Vec<MemberInfo> {
        let info = |id: NodeId, standing: String| {
            let known = self.state.directory.get(id).cloned().unwrap_or_default();
            let address = if id == self.id {
                self.addresses.own.clone()
            } else {
                Address { peer: self.address_of(id).unwrap_or_default().to_owned(), ..known }
            };
            MemberInfo { id, standing, address }
        };
        log.members().map(|m| info(m.id, m.standing.to_string())).collect()
    }

    /// A node as the directory has it. Removed nodes stay there, so that no id is used twice.
    pub(super) fn id_record(&self, log: &C, id: NodeId) -> MemberInfo {
        let standing = log.standing(id).to_string();
        MemberInfo {
            id,
            standing,
            address: self.state.directory.get(id).cloned().unwrap_or_default(),
        }
    }

    /// Begins to bring a node in. Everything that can be wrong is found before the members change.
    pub(super) fn add_node(&self, log: &mut C, node: NodeId, address: &str) -> Result<(), String> {
        let status = log.view();
        if status.role != Role::Leader {
            return Err(admin_commands::not_leader(status.leader));
        }
        let is_member = |id| log.is_member(id);
        if is_member(node) {
            let address_of = if node == self.id {
                Some(&*self.addresses.own.peer)
            } else {
                self.address_of(node)
            };
            return match address_of {
                Some(address_of) if address_of != address => Err(format!(
                    "ERR node {node} is a member already, at {address_of}: QUORATE MOVE {node} HOST:PORT (`quorate-kv ctl move`) enters another address"
                )),
                _ => Ok(()),
            };
        }
        if self.is_applying() {
            return Err(CATCHING_UP.into());
        }
        if self.state.directory.get(node).is_some() {
            return Err(format!(
                "ERR node {node} was in the cluster before, and an id is used once: give the new node another id and an empty directory"
            ));
        }
        if let Some(other) = self.member_at(log, node, address) {
            return Err(admin_commands::address_taken(other, address));
        }
        if !self.state.directory.has_room_for(node, is_member) {
            return Err("ERR no more addresses can be kept: remove a node first".into());
        }
        log.change(Change::Add(node))
    }

    /// Begins a change of the members.
    pub(super) fn change(&self, log: &mut C, change: Change) -> Result<(), String> {
        // a node enters where clients reach it when it knows that it is a member; from then on the cluster knows its disk from another
        if let Change::Promote(node) = change
            && log.standing(node) == Standing::Learner
            && self.state.directory.get(node).is_none_or(|address| address.client.is_empty())
        {
            return Err(format!("BEHIND node {node} has not caught up with the cluster yet"));
        }
        log.change(change)
    }

    /// Whether an operator may enter another address for a member.
    pub(super) fn check_move(&self, log: &C, node: NodeId, address: &str) -> Result<(), String> {
        let status = log.view();
        if status.role != Role::Leader {
            return Err(admin_commands::not_leader(status.leader));
        }
        if !log.is_member(node) {
            return Err(format!(
                "ERR there is no node {node} in the cluster: QUORATE ADD {node} HOST:PORT brings one in"
            ));
        }
        if node == self.id {
            return Err(format!(
                "ERR node {node} is this one, and says itself where it is: start it with another --advertise"
            ));
        }
        if let Some(address_of) =
            self.addresses.configured.get(&node).filter(|address_of| *address_of != address)
        {
            return Err(format!(
                "ERR node {node} is at {address_of} by --peers of this node, which counts more: start the founders with its new address in --peers, then ask again, for those that joined later"
            ));
        }
        match self.member_at(log, node, address) {
            Some(other) => Err(admin_commands::address_taken(other, address)),
            None => Ok(()),
        }
    }

    /// Another member than this one that is reached at this address.
    fn member_at(&self, log: &C, node: NodeId, address: &str) -> Option<NodeId> {
        let address_of = |id| {
            if id == self.id { Some(&*self.addresses.own.peer) } else { self.address_of(id) }
        };
        let mut others = log.members().map(|member| member.id).filter(|&id| id != node);
        others.find(|&id| address_of(id) == Some(address))
    }

    fn address_of(&self, id: NodeId) -> Option<&str> {
        let configured = self.addresses.configured.get(&id).map(String::as_str);
        configured.or_else(|| self.state.directory.get(id).map(|address| address.peer.as_str()))
    }

    fn connect_members(&mut self, log: &C, outbox: &mut Outbox) {
        for member in log.members().filter(|member| member.id != self.id) {
            let Some(address) = self.address_of(member.id).map(str::to_owned) else { continue };
            match self.connections.open.get_mut(&member.id) {
                Some(connection) if connection.address == address => {
                    connection.non_member_since = None
                }
                _ => {
                    self.connections.closed.remove(&member.id);
                    outbox.connect(member.id, &address);
                    self.connections
                        .open
                        .insert(member.id, PeerConnection { address, non_member_since: None });
                }
            }
        }
    }

    /// A removed node that comes by itself is told so, and its way closed again. One of which this node knows nothing may be a
    /// member that a later entry adds, and stays.
    fn track_non_members(&mut self, log: &C, now: Instant, outbox: &mut Outbox) {
        for id in outbox.peers() {
            let is_member = log.is_member(id);
            let was_member = self.connections.closed.contains(&id) || self.address_of(id).is_some();
            if !is_member && was_member {
                let non_member_since =
                    || PeerConnection { address: String::new(), non_member_since: Some(now) };
                self.connections.open.entry(id).or_insert_with(non_member_since);
            }
        }
    }

    fn disconnect_non_members(&mut self, log: &C, now: Instant, outbox: &mut Outbox) {
        if log.members().next().is_none() {
            return;
        }
        let (own, member) = (self.id, self.member);
        let PeerConnections { open, closed, .. } = &mut self.connections;
        open.retain(|&id, connection| {
            if member && log.is_member(id) {
                return true;
            }
            let stays =
                now.since(*connection.non_member_since.get_or_insert(now)) < DISCONNECT_DELAY_US;
            if !stays {
                if closed.insert(id)
                    && let Some(suppressed) = self.log_limit.pass("disconnected")
                {
                    info!(
                        node = own.get(),
                        peer = id.get(),
                        suppressed,
                        "disconnected a node that is not a member"
                    );
                }
                outbox.disconnect(id);
            }
            stays
        });
    }

    /// Has this node's address entered in the directory, if it is missing there or has changed.
    fn announce_address(&mut self, log: &mut C, now: Instant, status: &Status) {
        let Address { peer, client } = &self.addresses.own;
        let entered = self.state.directory.get(self.id) == Some(&self.addresses.own);
        if entered || !self.member || status.leader.is_none() || now < self.connections.announce_at
        {
            return;
        }
        self.connections.announce_at = now.after(ANNOUNCE_US);
        let mut batch = Batch { writes: 1, ..Batch::default() };
        put::set_address(&mut batch.ops, self.id.get(), peer, client);
        // nobody waits for the answer
        let (answer, _) = oneshot::channel();
        self.execute(log, now, batch, false, answer);
    }
}
