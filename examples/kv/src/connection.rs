use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::batch::Batch;
use crate::command_gate::CommandGate;
use crate::input_budget::{Grant, InputBudget};
use crate::op::put;
use crate::output_budget::Share;
use crate::pending::BatchReply;
use crate::replica::{OUTPUT_FULL, Request};
use crate::reply::{Protocol, Reply};
use crate::resp::{Arguments, Decoder};
use crate::server::Server;
use crate::table::Kind;
use crate::{command, limits, work};

/// One client. Its commands are executed in their order, those that arrived together in one batch.
pub(crate) struct Connection {
    input: Input,
    session: Session,
}

/// What a client sent and this node has not looked at yet.
struct Input {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    decoder: Decoder,
    budget: InputBudget,
    grant: Grant,
}

/// What a connection has agreed on, and the commands and replies on their way.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) server: Arc<Server>,
    pub(crate) reply: Reply,
    pub(crate) name: Vec<u8>,
    /// Reads may be answered from what this node has.
    pub(crate) stale: bool,
    /// Commands that are refused because an earlier one was.
    pub(crate) gate: CommandGate,
    pub(crate) reply_mode: ReplyMode,
    socket: OwnedWriteHalf,
    /// What `reply` takes of the memory for replies.
    share: Share,
    batch: Batch,
    /// The last entry of the log that an answer told of.
    index: u64,
}

/// Which commands are answered: `CLIENT REPLY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// All but the next one.
    SkipNext,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    Continue,
    Close,
    /// It ends with an error that tells why, which the client is to read.
    Refuse,
}

/// What came of waiting for bytes.
enum ReadOutcome {
    Data,
    Eof,
    /// A large command is not whole, and others wait for the memory it holds.
    TooSlow,
    /// A large command waits for that memory in vain.
    NoMemory,
}

const TOO_SLOW: &str = "ERR the rest of the command did not come in time";
/// How long a client that was refused may go on sending. Nothing is kept for it, and one that is only silent may stay for ever.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 16 << 10;
const RETAINED_BYTES: usize = 256 << 10;

impl Connection {
    pub(crate) fn new(server: Arc<Server>, socket: TcpStream, id: u64) -> Self {
        let (read, write) = socket.into_split();
        let input = Input {
            socket: read,
            buffer: BytesMut::new(),
            decoder: Decoder::default(),
            budget: server.input.clone(),
            grant: Grant::default(),
        };
        let session = Session {
            id,
            share: server.output_budget.share(0),
            server,
            reply: Reply::new(Protocol::Resp2),
            name: Vec::new(),
            stale: false,
            gate: CommandGate::default(),
            reply_mode: ReplyMode::On,
            socket: write,
            batch: Batch::default(),
            index: 0,
        };
        Self { input, session }
    }

    /// Serves until the client leaves, or says what cannot be understood.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        loop {
            let flow = self.drain().await?;
            self.input.release_memory();
            self.session.flush_replies().await?;
            match flow {
                Flow::Continue => {}
                Flow::Close => return Ok(()),
                Flow::Refuse => return self.linger().await,
            }
            match self.input.read().await? {
                ReadOutcome::Data => continue,
                ReadOutcome::Eof => return Ok(()),
                ReadOutcome::TooSlow => self.session.reply.error(TOO_SLOW),
                ReadOutcome::NoMemory => self.session.reply.error(NO_MEMORY),
            }
            self.session.flush_replies().await?;
            return self.linger().await;
        }
    }

    /// Reads and drops what the client still sends, for a moment: a connection that is closed with something unread is reset, and
    /// a client that is in the midst of a large command would not read what was wrong with it.
    async fn linger(self) -> io::Result<()> {
        let Self { input: Input { mut socket, buffer, decoder, mut grant, .. }, mut session } =
            self;
        // nothing is kept of what was refused, before others get the memory for it
        drop((buffer, decoder));
        grant.release();
        session.socket.shutdown().await?;
        let mut part = vec![0; READ_BYTES];
        let mut left = LINGER_BYTES;
        let dropping = async {
            while left > 0 {
                match socket.read(&mut part).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            Ok(())
        };
        timeout(LINGER, dropping).await.unwrap_or(Ok(()))
    }

    /// Goes through every whole request that has arrived.
    async fn drain(&mut self) -> io::Result<Flow> {
        let Self { input, session } = self;
        loop {
            match input.decoder.next(&input.buffer) {
                Ok(Some(taken)) => {
                    input.grant.arrived();
                    let arguments = input.decoder.arguments(&input.buffer);
                    if command::may_block(arguments) {
                        // meanwhile nothing may be kept that others need: neither the memory of a large command, nor replies
                        session.execute_batch().await?;
                        input.grant.release();
                        session.flush_replies().await?;
                    }
                    if arguments.len() > 0 && session.request(arguments).await? == Flow::Close {
                        session.execute_batch().await?;
                        return Ok(Flow::Close);
                    }
                    input.buffer.advance(taken);
                    // replies may be much longer than requests
                    if session.reply.len() > session.output_limit() {
                        if session.batch.is_empty() {
                            input.release_memory();
                        }
                        session.flush_replies().await?;
                    }
                }
                Ok(None) => {
                    session.execute_batch().await?;
                    return Ok(Flow::Continue);
                }
                Err(error) => {
                    session.execute_batch().await?;
                    session.server.counters.protocol_errors();
                    session.reply.error(&error.to_string());
                    return Ok(Flow::Refuse);
                }
            }
        }
    }
}

impl Input {
    /// Waits for more bytes, and before that, if they belong to a large command, for its turn. What is asked of the system is no
    /// more than what arrived already, or little.
    async fn read(&mut self) -> io::Result<ReadOutcome> {
        let announced = self.decoder.announced();
        let turn = self.budget.admit(&mut self.grant, announced);
        if timeout(Duration::from_secs(limits::ADMISSION_TIMEOUT_S), turn).await.is_err() {
            return Ok(ReadOutcome::NoMemory);
        }
        let missing = announced.saturating_sub(self.buffer.len());
        self.buffer.reserve(missing.min(self.buffer.len()).max(READ_BYTES));
        // of what follows a large command no more comes with it than with a small one
        let most = if self.grant.is_held() { missing.max(READ_BYTES) } else { usize::MAX };
        loop {
            let mut room = (&mut self.buffer).limit(most);
            match timeout(POLL_INTERVAL, self.socket.read_buf(&mut room)).await {
                Ok(read) => {
                    return Ok(if read? > 0 { ReadOutcome::Data } else { ReadOutcome::Eof });
                }
                Err(_) if self.budget.is_too_slow(&self.grant, self.buffer.len()) => {
                    return Ok(ReadOutcome::TooSlow);
                }
                Err(_) => {}
            }
        }
    }

    /// Gives back the memory of a large command that was answered. A client that does not take the
    /// reply holds none of it, and waits for its turn again if another follows.
    fn release_memory(&mut self) {
        if self.grant.release_answered() {
            // what follows it is little
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        if self.buffer.is_empty() && self.buffer.capacity() > RETAINED_BYTES {
            self.buffer = BytesMut::new();
            self.decoder.reset();
        }
    }
}

impl Session {
    /// Executes what was gathered, and takes the replies.
    async fn execute_batch(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = core::mem::take(&mut self.batch);
        self.batch.protocol = batch.protocol;
        let count = batch.len();
        match self.execute(batch, self.stale).await {
            Some(BatchReply { replies, share, .. }) => {
                if self.reply.is_empty() {
                    self.reply.take_encoded(replies);
                } else {
                    self.reply.encoded(&replies);
                }
                self.account_output();
                // from here on it counts as this connection's, or not at all if nobody wants it
                drop(share);
            }
            None => (0..count).for_each(|_| self.reply.error(STOPPING)),
        }
        Ok(())
    }

    /// The replies to a batch, which are short.
    pub(crate) async fn execute_internal(&mut self, batch: Batch, stale: bool) -> Option<BytesMut> {
        Some(self.execute(batch, stale).await?.replies)
    }

    async fn execute(&mut self, batch: Batch, stale: bool) -> Option<BatchReply> {
        self.server.counters.commands(u64::from(batch.len()));
        let (answer, answered) = oneshot::channel();
        self.server.node.send(Request::Execute { batch, stale, answer }).await.ok()?;
        let answer = answered.await.ok()?;
        self.index = self.index.max(answer.index);
        Some(answer)
    }

    /// Counts what the replies take.
    fn account_output(&mut self) {
        // what an empty one keeps is little, and for the next
        let bytes = if self.reply.is_empty() { 0 } else { self.reply.memory() };
        self.share.set(bytes);
    }

    /// How long replies may become before they are written out.
    fn output_limit(&self) -> usize {
        if self.server.output_budget.is_full() { READ_BYTES } else { limits::OUTPUT_FLUSH_BYTES }
    }

    async fn request(&mut self, arguments: Arguments<'_>) -> io::Result<Flow> {
        if self.reply_mode != ReplyMode::SkipNext {
            return self.dispatch(arguments).await;
        }
        // what came before is answered, and so is what comes after
        self.execute_batch().await?;
        self.set_reply_mode(ReplyMode::On);
        self.reply.mute(true);
        let flow = self.dispatch(arguments).await?;
        self.execute_batch().await?;
        self.reply.mute(self.reply_mode == ReplyMode::Off);
        Ok(flow)
    }

    /// Executes a command, or adds it to the batch.
    async fn dispatch(&mut self, arguments: Arguments<'_>) -> io::Result<Flow> {
        let spec = match command::look_up(arguments) {
            Ok(spec) => spec,
            Err(error) => {
                if is_http(arguments) {
                    // a web page that talks to this port: what follows must not be taken for commands
                    return Ok(Flow::Close);
                }
                self.execute_batch().await?;
                self.reply.error(&error);
                return Ok(Flow::Continue);
            }
        };
        if let Some(error) = self.gate.rejection(spec) {
            self.execute_batch().await?;
            self.reply.error(error);
            return Ok(Flow::Continue);
        }
        if spec.kind == Kind::Connection {
            self.execute_batch().await?;
            self.server.counters.commands(1);
            let before = self.reply.len();
            let flow = self.connection_command(spec, arguments).await;
            if self.server.output_budget.is_full()
                && self.reply.len().saturating_sub(before) > limits::LARGE_BYTES
            {
                self.reply.truncate(before);
                self.reply.error(OUTPUT_FULL);
            }
            self.account_output();
            return Ok(flow);
        }
        // with `READONLY`, reads and writes take different paths
        if self.stale
            && !self.batch.is_empty()
            && self.batch.is_read_only() != (spec.kind == Kind::Read)
        {
            self.execute_batch().await?;
        }
        if let Err(error) = command::add(spec, arguments, &mut self.batch) {
            self.execute_batch().await?;
            self.reply.error(&error);
        }
        if self.batch.len() >= limits::BATCH_COMMANDS
            || self.batch.ops.len() >= limits::BATCH_BYTES
            || self.batch.work >= work::BATCH
        {
            self.execute_batch().await?;
        }
        Ok(Flow::Continue)
    }

    pub(crate) fn set_protocol(&mut self, protocol: Protocol) {
        self.reply.set_protocol(protocol);
        self.batch.protocol = protocol;
    }

    pub(crate) fn set_reply_mode(&mut self, reply_mode: ReplyMode) {
        self.reply_mode = reply_mode;
        self.reply.mute(reply_mode == ReplyMode::Off);
    }

    /// `WAIT`: the followers that have everything this connection wrote, as soon as they are enough or the time is over.
    pub(crate) async fn wait(&mut self, replicas: i64, time: Duration) {
        let deadline = Instant::now() + time;
        let mut pause = Duration::from_millis(1);
        loop {
            let mut batch = Batch { reads: 1, ..Batch::default() };
            put::replicas(&mut batch.ops, self.index);
            let Some(bytes) = self.execute_internal(batch, false).await else {
                return self.reply.error(STOPPING);
            };
            let digits = bytes.strip_prefix(b":").map(<[u8]>::trim_ascii_end);
            let Some(count) = digits.and_then(crate::resp::number) else {
                return self.reply.encoded(&bytes);
            };
            if count >= replicas || Instant::now() + pause >= deadline {
                return self.reply.integer(count);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    async fn flush_replies(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut last_progress = begun;
        let mut rest = self.reply.bytes();
        while !rest.is_empty() {
            match timeout(POLL_INTERVAL, self.socket.write(rest)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => (rest, last_progress) = (&rest[written?..], Instant::now()),
                Err(_) => {}
            }
            let taken = self.reply.len() - rest.len();
            let full = self.server.output_budget.is_full();
            if !rest.is_empty() && is_slow(begun.elapsed(), last_progress.elapsed(), taken, full) {
                self.server.count_slow_client(self.id, self.reply.len());
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.reply.clear();
        self.account_output();
        Ok(())
    }
}

/// How often a client that takes its replies slowly, or sends a large command, is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Whether a client is closed that took so much of its replies in this time, and nothing in the last part of it; `full` if the replies
/// of all take too much memory.
fn is_slow(time: Duration, stalled: Duration, taken: usize, full: bool) -> bool {
    let seconds = time.as_secs();
    let least = seconds.saturating_mul(limits::CONTENDED_MIN_OUTPUT_PER_S);
    stalled.as_secs() >= limits::WRITE_TIMEOUT_S
        || (seconds >= limits::WRITE_TIMEOUT_S
            && (taken as u64) < seconds * limits::MIN_OUTPUT_PER_S)
        || (full && stalled.as_secs() >= limits::CONTENDED_STALL_S)
        || (full && seconds >= limits::CONTENDED_OUTPUT_AFTER_S && (taken as u64) < least)
}

const NO_MEMORY: &str = "TRYAGAIN other clients' large commands take all the memory there is for them, the command was not executed";
const STOPPING: &str = "ERR this node is stopping; whether the command was executed is unknown";

fn is_http(arguments: Arguments<'_>) -> bool {
    let name = arguments.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_clients_are_closed_sooner_under_contention() {
        let time = Duration::from_secs;
        for (seconds, stalled, taken, full, slow) in [
            (4, 4, 0, true, false),
            (5, 5, 0, true, true),
            (5, 5, 0, false, false),
            (9, 2, 1, true, false),
            (10, 0, 2_560 << 10, true, false),
            (10, 0, (2_560 << 10) - 1, true, true),
            (10, 0, 0, false, false),
            (59, 59, 0, false, false),
            (60, 60, 12 << 20, false, true),
            (600, 59, 600 << 10, false, false),
            (600, 0, (600 << 10) - 1, false, true),
        ] {
            assert_eq!(is_slow(time(seconds), time(stalled), taken, full), slow, "{seconds} s");
        }
    }
}
