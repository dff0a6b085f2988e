//! A store without a leader: each key has N replicas, and a request is done when R or W of them have answered.

mod config;
mod coordinator;
mod digest;
mod error;
mod event;
mod frontier;
mod handoff;
mod holdings;
mod layout;
mod level;
mod limits;
mod lww;
#[cfg(feature = "crdt")]
mod merged;
mod message;
mod node;
mod order;
mod rebuild;
mod replica;
mod request;
mod requests;
mod runs;
mod scrub;
mod siblings;
mod slab;
mod status;
mod storage;
mod sweep;
mod table;
mod tagged;
mod targets;
mod value;

pub use config::{Config, ConfigError};
pub use coordinator::{Coordinator, CoordinatorStatus};
pub use error::{Failure, LevelError, RequestError};
pub use event::Event;
pub use layout::{Layout, Membership, Replicated};
pub use level::{Level, Order, ReadOptions, ReadRepair, WriteOptions};
pub use lww::Lww;
#[cfg(feature = "crdt")]
pub use merged::Merged;
pub use message::{Message, Record};
pub use node::Node;
pub use replica::Replica;
pub use request::{Request, WriteId};
pub use status::Status;
pub use storage::*;
pub use tagged::{Tag, Tagged};
pub use value::{FollowRefused, MergeRefused, Value};
