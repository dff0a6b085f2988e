//! CASPaxos.
pub(crate) mod limits;
mod cell;
mod change;
mod collect;
mod config;
mod event;
mod membership;
mod message;
mod node;
mod record;
mod rounds;
mod slot;
mod storage;

pub use change::{Change, Changes, Effect, FIRST_OTHER, NoChanges};
pub use config::Config;
pub use event::{Attempt, CollectError, Event, Outcome, Request, Stage, Status, SubmitError};
pub use limits::{max_message_len, max_record_len};
pub use membership::{Plan, Step, StepError};
pub use message::{Message, State};
pub use node::{Cancelled, Register};
pub use record::{Record, Sizes};
#[cfg(feature = "alloc")]
pub use storage::Heap;
pub use storage::{Inline, Storage};
