//! `QUORATE …`: the commands of operators. A reply says whether a change has begun; `INFO` shows
//! what becomes of it.

use quorate_core::NodeId;
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::command::{shown, wrong_arity};
use crate::connection::Session;
use crate::consensus::Change;
use crate::directory::Address;
use crate::node_status::MemberInfo;
use crate::op::put;
use crate::replica::Request;
use crate::resp::{Arguments, number};
use crate::{directory, info, work};

const STOPPING: &str = "ERR this node is stopping";

impl Session {
    pub(crate) async fn quorate(&mut self, arguments: Arguments<'_>) {
        let sub = arguments.get(1).unwrap_or_default().to_ascii_uppercase();
        let arity = match &sub[..] {
            b"STATUS" => 2,
            b"ADD" | b"MOVE" => 4,
            b"NODE" | b"REMOVE" | b"PROMOTE" | b"DEMOTE" | b"TRANSFER" => 3,
            _ => {
                let sub = shown(arguments.get(1).unwrap_or_default(), 128);
                return self.reply.error(&format!(
                    "ERR unknown subcommand '{sub}'. Try STATUS, NODE, ADD, MOVE, REMOVE, PROMOTE, \
                     DEMOTE or TRANSFER."
                ));
            }
        };
        if arguments.len() != arity {
            let sub = String::from_utf8_lossy(&sub).to_lowercase();
            return self.reply.error(&wrong_arity(&format!("quorate|{sub}")));
        }
        if sub == b"STATUS" {
            return self.status().await;
        }
        let node = arguments.get(2).and_then(number).and_then(|id| u64::try_from(id).ok());
        let Some(id @ 1..) = node else {
            return self.reply.error("ERR a node is a number from 1 on");
        };
        let node = NodeId::new(id);
        match &sub[..] {
            b"NODE" => self.node(node).await,
            b"ADD" => self.add(node, arguments.get(3).unwrap_or_default()).await,
            b"MOVE" => self.move_node(node, arguments.get(3).unwrap_or_default()).await,
            b"REMOVE" => self.change(Change::Remove(node)).await,
            b"PROMOTE" => self.change(Change::Promote(node)).await,
            b"DEMOTE" => self.change(Change::Demote(node)).await,
            _ => self.transfer(node).await,
        }
    }

    async fn status(&mut self) {
        match self.node_status().await {
            Some(view) => {
                let text = info::render(&self.server, &view, &[b"replication"]);
                self.reply.text(&text);
            }
            None => self.reply.error(STOPPING),
        }
    }

    /// What the cluster knows about an id: a member, a former member, or unused.
    async fn node(&mut self, node: NodeId) {
        let (answer, known) = oneshot::channel();
        let sent = self.server.node.send(Request::Node { node, answer }).await.is_ok();
        match known.await {
            Ok(MemberInfo { id, standing, address: Address { peer, client } }) if sent => {
                let text = format!(
                    "node:{id}\r\nstanding:{standing}\r\naddress:{peer}\r\nclient:{client}\r\n"
                );
                self.reply.text(&text);
            }
            _ => self.reply.error(STOPPING),
        }
    }

    /// Adds the node, and enters its address in the directory, so that all can reach it. Behind
    /// each other in the log, the second is not there without the first.
    async fn add(&mut self, node: NodeId, address: &[u8]) {
        let address = match host_and_port(address) {
            Ok(address) => address,
            Err(error) => return self.reply.error(&error),
        };
        let (answer, begun) = oneshot::channel();
        let request = Request::Add { node, address: address.to_owned(), answer };
        self.submit_address(request, begun, node, address).await;
    }

    /// Enters another address for a member.
    async fn move_node(&mut self, node: NodeId, address: &[u8]) {
        let address = match host_and_port(address) {
            Ok(address) => address,
            Err(error) => return self.reply.error(&error),
        };
        let (answer, may) = oneshot::channel();
        let request = Request::Move { node, address: address.to_owned(), answer };
        self.submit_address(request, may, node, address).await;
    }

    /// Enters an address if the node has nothing against it.
    async fn submit_address(
        &mut self,
        request: Request,
        answer: oneshot::Receiver<Result<(), String>>,
        node: NodeId,
        address: &str,
    ) {
        let sent = self.server.node.send(request).await.is_ok();
        match answer.await {
            Ok(Ok(())) if sent => {}
            Ok(Err(error)) => return self.reply.error(&error),
            _ => return self.reply.error(STOPPING),
        }
        let mut batch = Batch { protocol: self.reply.protocol(), ..Batch::default() };
        put::set_address(&mut batch.ops, node.get(), address, "");
        batch.count(true, work::SMALL);
        match self.execute_internal(batch, false).await {
            Some(reply) => self.reply.encoded(&reply),
            None => self.reply.error(STOPPING),
        }
    }

    async fn change(&mut self, change: Change) {
        match self.begin_change(change).await {
            Ok(()) => self.reply.ok(),
            Err(error) => self.reply.error(&error),
        }
    }

    /// Whether the change has begun.
    async fn begin_change(&self, change: Change) -> Result<(), String> {
        let (answer, begun) = oneshot::channel();
        let sent = self.server.node.send(Request::Change { change, answer }).await.is_ok();
        match begun.await {
            Ok(Ok(())) if sent => Ok(()),
            Ok(Err(error)) => Err(error),
            _ => Err(STOPPING.into()),
        }
    }

    async fn transfer(&mut self, to: NodeId) {
        let (answer, begun) = oneshot::channel();
        let sent = self.server.node.send(Request::Transfer { to, answer }).await.is_ok();
        match begun.await {
            Ok(Ok(())) if sent => self.reply.ok(),
            Ok(Err(error)) => self.reply.error(&error),
            _ => self.reply.error(STOPPING),
        }
    }
}

/// The error reply to an address that another member has.
pub(crate) fn address_taken(other: NodeId, address: &str) -> String {
    format!(
        "ERR node {other} is at {address}: two nodes cannot have one address; if it has moved, enter that first"
    )
}

fn host_and_port(address: &[u8]) -> Result<&str, String> {
    let checked = match core::str::from_utf8(address) {
        Ok(text) => directory::check(text).map(|()| text),
        Err(_) => Err("it is no text"),
    };
    checked.map_err(|why| format!("ERR a node is at HOST:PORT, and {why}"))
}

pub(crate) fn not_leader(leader: Option<NodeId>) -> String {
    let leader = leader.map_or_else(|| "nobody".into(), |id| format!("node {id}"));
    format!("NOTLEADER {leader} leads: ask there")
}
