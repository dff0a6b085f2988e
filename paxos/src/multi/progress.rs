use quorate_core::NodeId;

use super::{MultiPaxos, Role, Slot, Storage};
use crate::Roles;

/// How far another node is, as far as this one knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Progress {
    /// The node.
    pub id: NodeId,
    /// What it is for; nothing if it is no member any more, or not yet.
    pub roles: Roles,
    /// At a leader: the slot up to which the node has said that all is on its disk, as votes in the leader's ballot or because it knows that
    /// it is chosen; 0 elsewhere.
    pub through: Slot,
    /// It has said that it knows what is chosen up to this slot.
    pub commit: Slot,
    /// The number of the configuration that it was in when it was last heard.
    pub configuration: u64,
    /// For how long it was not heard, in µs; none if it never was since this node started.
    pub silent_us: Option<u64>,
    /// It hears this node, or did when it was last heard.
    pub hears_this: bool,
}

impl<S: Storage> MultiPaxos<S> {
    /// How far all other nodes are that this one knows, those that are no members included, in the order of their ids.
    ///
    /// ```
    /// # use quorate_core::{NodeId, Quorums};
    /// # use quorate_paxos::{Member, multi::{Config, Inline, MultiPaxos}};
    /// # type Node = MultiPaxos<Inline<3, 1024, 16, 64>>;
    /// let members = [1, 2, 3].map(|id| Member::new(NodeId::new(id)));
    /// let node = Node::new(NodeId::new(1), members, Quorums::majority(3), Config::lan(), 42)?;
    /// assert!(node.progress().map(|peer| peer.id.get()).eq([2, 3]));
    /// assert!(node.progress().all(|peer| peer.silent_us.is_none()));
    /// # Ok::<(), quorate_paxos::ConfigError>(())
    /// ```
    pub fn progress(&self) -> impl Iterator<Item = Progress> {
        let leads = self.role == Role::Leader;
        self.peers.iter().enumerate().filter(|&(index, _)| index != self.group.me()).map(
            move |(index, peer)| Progress {
                id: self.group.id(index),
                roles: self.group.roles(index),
                through: if leads { peer.flow.matched } else { 0 },
                commit: peer.link.commit,
                configuration: peer.link.configuration,
                silent_us: peer.link.silent_us(self.now),
                hears_this: peer.link.hears_me,
            },
        )
    }
}
