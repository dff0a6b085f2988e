//! A driver of elections over UDP, as small as it can be: one thread and one socket a node.
//!
//! [`Node`] is one node; [`Group`] is several on the loopback of one machine, to play with.

mod group;
mod node;

pub use group::Group;
pub use node::{Disk, Node, View};
