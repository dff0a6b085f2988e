//! The other transport: a serial line to each peer, for clusters of boards and servers.
//!
//! A line is a stream of bytes that may garble them: a socket here (`unix:PATH` or `tcp:HOST:PORT`), behind which there is a UART. `socat`
//! makes one of a device, and knows its speed and parity:
//!
//! ```text
//! socat UNIX-LISTEN:/run/line-2,fork /dev/ttyUSB0,b115200,raw,echo=0
//! ```
//!
//! The frames are [`quorate_serial`]'s, the bytes that boards speak. There is no hello: a frame tells its cluster, its sender and its
//! receiver, and one that is garbled or not from this line's peer is dropped and counted. A socket that closes is opened again, with growing
//! pauses. Queues are bounded as [`tcp`](crate::tcp)'s are. What is longer than [`MAX_PAYLOAD`] is
//! dropped and counted.

mod address;
mod task;

pub use address::{Address, Halves};

pub(crate) use task::SerialTask;

/// Bytes of a message on a serial line, at most. Boards have room for much less: limit the machine's messages to what they take.
pub const MAX_PAYLOAD: usize = 4096;
