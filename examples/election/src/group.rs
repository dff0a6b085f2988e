use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use quorate_core::NodeId;
use quorate_election::{Config, Role};

use crate::{Disk, Node};

/// Several nodes on the loopback, each with a free port.
pub struct Group {
    config: Config,
    peers: Vec<(NodeId, SocketAddr)>,
    sockets: Vec<UdpSocket>,
    disks: Vec<Disk>,
    nodes: Vec<Option<Node>>,
}

impl Group {
    /// Starts so many nodes, at most 9.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub fn start(count: usize, config: Config) -> io::Result<Self> {
        let sockets = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0"));
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        let address = |(at, socket): (usize, &UdpSocket)| {
            Ok((NodeId::new(at as u64 + 1), socket.local_addr()?))
        };
        let peers = sockets.iter().enumerate().map(address).collect::<io::Result<_>>()?;
        let disks = (0..count).map(|_| Disk::default()).collect();
        let nodes = (0..count).map(|_| None).collect();
        let mut group = Self { config, peers, sockets, disks, nodes };
        for at in 0..count {
            group.revive(at)?;
        }
        Ok(group)
    }

    /// Kills a node, from 0; its disk stays. False if there is none.
    pub fn kill(&mut self, at: usize) -> bool {
        self.nodes.get_mut(at).and_then(Option::take).is_some()
    }

    /// Starts a node that was killed. False if there is none to start.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub fn revive(&mut self, at: usize) -> io::Result<bool> {
        let (Some(place), Some(socket), Some(disk), Some(&(id, _))) =
            (self.nodes.get_mut(at), self.sockets.get(at), self.disks.get(at), self.peers.get(at))
        else {
            return Ok(false);
        };
        if place.is_some() {
            return Ok(false);
        }
        let (socket, disk) = (socket.try_clone()?, Disk::clone(disk));
        *place = Some(Node::start(id, socket, self.peers.clone(), self.config, disk)?);
        Ok(true)
    }

    /// Who leads, from 0, if exactly one does and all that live know it.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let mut leader = None;
        for node in self.nodes.iter().flatten() {
            let known = node.view()?.status.leader?;
            if leader.is_some_and(|leader| leader != known) {
                return None;
            }
            leader = Some(known);
        }
        let at = usize::try_from(leader?.get()).ok()?.checked_sub(1)?;
        let view = self.nodes.get(at)?.as_ref()?.view()?;
        (view.status.role == Role::Leader).then_some(at)
    }

    /// Waits until the nodes agree on a leader; how long it took, or `None` after `limit`.
    #[must_use]
    pub fn settle(&self, limit: Duration) -> Option<(usize, Duration)> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(leader) = self.leader() {
                return Some((leader, start.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// A table of the nodes, for people: who leads, in which epoch, what was sent, and how suspicious each finds the others.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out =
            String::from("node  role        leader  token   sent  refused  phi of the others\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(view) = node.as_ref().and_then(Node::view) else {
                let _ = writeln!(out, "{:>4}  down", at + 1);
                continue;
            };
            let status = view.status;
            let leader = status.leader.map_or("-".into(), |id| id.to_string());
            let role = format!("{:?}", status.role).to_lowercase();
            let counts = view.counts;
            let sent = counts.algorithm() + counts.alive + counts.accept + counts.stale;
            let (token, refused) = (status.epoch.token(), view.refused);
            let _ = write!(
                out,
                "{:>4}  {role:<10}  {leader:>6}  {token:>5}  {sent:>5}  {refused:>7} ",
                at + 1
            );
            for (peer, phi) in view.phis {
                let phi = f64::from(phi.milli().min(99_900)) / 1_000.0;
                let _ = write!(out, " {peer}: {phi:<5.1}");
            }
            out.push('\n');
        }
        out
    }
}
