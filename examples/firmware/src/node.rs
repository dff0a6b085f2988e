use quorate_core::{Corrupt, Instant, Machine, NodeId, Overflow, Sink, Ticket, Wire, Writer};
use quorate_flash::{Error, FlashLog, Identity};
use quorate_serial::{Decoder, Encoded, Encoder, Endpoint, LineReader, Text};

use crate::Setup;
use crate::lm3s::{CONSOLE, Clock, FileFlash, LINES};

/// Room for a frame, and for a record.
const FRAME: usize = 512;
const RECORD: usize = 5120;
/// The longest message that a frame takes.
pub const MAX_MESSAGE: usize = FRAME - quorate_serial::OVERHEAD;
/// The longest record of a machine that the log takes.
pub const MAX_RECORD: usize = RECORD - 1;
/// The first byte of a record tells whose it is.
const OF_MACHINE: u8 = 0;
const OF_PROGRAM: u8 = 1;
/// Bytes of the log that are kept free for the program's own record.
const RESERVE: u32 = 256;

/// What a board is for, beside its machine.
pub trait Program {
    /// The machine.
    type Machine: Machine;

    /// Whether the machine rejects messages from unknown nodes. For a machine that serves any sender,
    /// the loop drops frames whose sender is not the peer on that line.
    const KNOWS_SENDERS: bool = true;

    /// Replays a record that [`record`](Self::record) wrote; the last one counts.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when it is none; the node does not start.
    fn restore(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        if record.is_empty() { Ok(()) } else { Err(Corrupt::Malformed) }
    }

    /// Everything is restored; the machine was not ticked yet.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when the two do not fit together; the node does not start.
    fn start(&mut self, machine: &mut Self::Machine) -> Result<(), Corrupt> {
        let _ = machine;
        Ok(())
    }

    /// Bytes came that another node's program sent. Like messages they may be lost, or come twice.
    fn frame(&mut self, machine: &mut Self::Machine, from: NodeId, bytes: &[u8]) {
        let _ = (machine, from, bytes);
    }

    /// A frame came from a node, whatever is in it: for failure detectors.
    fn heard(&mut self, now: Instant, from: NodeId) {
        let _ = (now, from);
    }

    /// The machine says something.
    fn event(&mut self, event: <Self::Machine as Machine>::Event<'_>);

    /// Somebody typed a line on the console.
    fn line(&mut self, desk: &mut Desk<'_>, machine: &mut Self::Machine, line: &[u8]);

    /// The machine was polled until it was quiet.
    ///
    /// # Errors
    ///
    /// What the flash says; the node stops.
    fn settle(&mut self, desk: &mut Desk<'_>, machine: &mut Self::Machine) -> Result<(), Error>;

    /// When to [`settle`](Self::settle) next at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// The program's state as a record, of at most 240 bytes.
    fn record(&self, out: &mut Writer<'_>) {
        let _ = out;
    }
}

/// What a program may use: the clock, the console and the flash.
pub struct Desk<'a> {
    /// Now.
    pub now: Instant,
    log: &'a mut FlashLog<FileFlash, RECORD>,
    counters: &'a mut Counters,
    bad_frames: u32,
    setup: &'a Setup<'a>,
    encoder: &'a mut Encoder<FRAME>,
}

/// A board in operation.
pub struct Node<'a, P: Program> {
    setup: &'a Setup<'a>,
    machine: P::Machine,
    program: P,
    log: FlashLog<FileFlash, RECORD>,
    encoder: Encoder<FRAME>,
    decoders: [Decoder<FRAME>; 2],
    console: LineReader<80>,
    counters: Counters,
    /// Records were polled that the log had no room for.
    full: bool,
}

impl Desk<'_> {
    /// Says a line on the console.
    pub fn say<const N: usize>(&self, text: &Text<N>) {
        say(text.as_bytes());
    }

    /// Keeps the program's state in flash; durable when it returns.
    ///
    /// # Errors
    ///
    /// What the flash says; hand it on.
    pub fn keep(&mut self, encode: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        self.log.append(|out| {
            out.u8(OF_PROGRAM);
            encode(out);
        })
    }

    /// Sends bytes to another node's program; they may be lost.
    pub fn send(&mut self, to: NodeId, encode: impl FnOnce(&mut Writer<'_>)) {
        let frame = self.encoder.encode_application(to, encode);
        transmit(self.setup, self.counters, to, frame);
    }

    /// From now on the flash fails, for trying that out.
    pub const fn break_flash(&mut self) {
        self.log.flash().broken = true;
    }

    /// Appends what the node counts.
    pub fn count<const N: usize>(&self, text: &mut Text<N>) {
        text.pair("badframes", u64::from(self.bad_frames))
            .pair("undecodable", u64::from(self.counters.undecodable))
            .pair("unknown", u64::from(self.counters.unknown))
            .pair("sent", u64::from(self.counters.sent))
            .pair("dropped", u64::from(self.counters.dropped))
            .pair("wakeups", u64::from(self.counters.sleeps))
            .pair("records", u64::from(self.counters.records))
            .pair("checkpoints", u64::from(self.counters.checkpoints))
            .pair("uptime_ms", self.now.as_micros() / 1000);
    }
}

impl Stop {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Setup(what) => what,
            Self::Config => "this image cannot be a node of such a cluster",
            Self::NoFlash => "the flash cannot be opened",
            Self::Flash(Error::Corrupt { .. }) => {
                "the log in flash is damaged: erase it and let the node join anew"
            }
            Self::Flash(Error::Refused { .. }) => {
                "the log in flash contradicts itself: erase it and let the node join anew"
            }
            Self::Flash(Error::Identity) => "the flash is another node's",
            Self::Flash(Error::Full) => "the flash is full",
            Self::Flash(_) => "the flash failed",
            Self::Fatal => "the machine found itself inconsistent",
        }
    }

    /// Tells it on the console and in the log, and answers every line with it. The node takes no part any more; the others go on.
    pub fn tell(self) -> ! {
        defmt::error!("stopped: {=str}", self.words());
        let mut text = Text::<128>::new();
        say(text.str("# stopped: ").str(self.words()).as_bytes());
        text.clear();
        text.str("error stopped: ").str(self.words());
        let mut console = LineReader::<80>::new();
        loop {
            while let Some(byte) = CONSOLE.take() {
                if console.push(byte).is_some() {
                    say(text.as_bytes());
                }
            }
            for line in &LINES {
                while line.take().is_some() {}
            }
            Clock::sleep(None, || !CONSOLE.is_quiet());
        }
    }
}

fn say(line: &[u8]) {
    let len = line.len().saturating_add(1);
    // a console that nobody reads loses whole lines
    CONSOLE.send(len, line.iter().copied().chain([b'\n']));
}

/// What a node counts.
#[derive(Clone, Copy, Default)]
struct Counters {
    sleeps: u32,
    sent: u32,
    /// Frames that a full line had no room for.
    dropped: u32,
    /// Frames that held no message.
    undecodable: u32,
    /// Frames of nodes that are not at the line.
    unknown: u32,
    checkpoints: u32,
    records: u32,
}

/// Why a node stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stop {
    /// The board was not told who it is, or not rightly.
    Setup(&'static str),
    /// The machine or its program cannot be made for so many nodes.
    Config,
    /// The host has no such file.
    NoFlash,
    /// The log cannot be read or written.
    Flash(Error),
    /// The machine found itself inconsistent.
    Fatal,
}

impl<'a, P: Program> Node<'a, P> {
    /// Opens the log and restores the machine and the program.
    ///
    /// # Errors
    ///
    /// [`Stop`]: this node must not run.
    pub fn restore(
        setup: &'a Setup<'a>,
        cluster: u64,
        mut machine: P::Machine,
        mut program: P,
    ) -> Result<Self, Stop> {
        let flash = FileFlash::open(setup.flash).map_err(|_| Stop::NoFlash)?;
        let mut records = 0_u32;
        let identity = Identity { cluster, node: setup.id };
        let log = FlashLog::open(flash, identity, |record| {
            records = records.saturating_add(1);
            match record.split_first() {
                Some((&OF_MACHINE, record)) => {
                    let record = <P::Machine as Machine>::Record::from_slice(record)
                        .map_err(|_| Corrupt::Malformed)?;
                    machine.restore(record)
                }
                Some((&OF_PROGRAM, record)) => program.restore(record),
                _ => Err(Corrupt::Malformed),
            }
        })
        .map_err(Stop::Flash)?;
        program
            .start(&mut machine)
            .map_err(|reason| Stop::Flash(Error::Refused { offset: 0, reason }))?;
        defmt::info!(
            "restored {=u32} records, {=u32} bytes of log; the node takes {=usize} bytes of RAM",
            records,
            log.used(),
            size_of::<Self>()
        );
        let line = Endpoint { cluster, node: setup.id };
        let mut node = Self {
            setup,
            machine,
            program,
            log,
            encoder: Encoder::new(line),
            decoders: [Decoder::new(line), Decoder::new(line)],
            console: LineReader::new(),
            counters: Counters::default(),
            full: false,
        };
        if node.log.is_torn() {
            // such a log takes nothing, not even the program's record; and its last record may not stay
            node.checkpoint()?;
        }
        Ok(node)
    }

    /// Runs until something is so wrong that the node must not go on.
    pub fn run(&mut self) -> Stop {
        loop {
            if let Err(stop) = self.turn() {
                return stop;
            }
            let deadline = match (self.machine.deadline(), self.program.deadline()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            self.counters.sleeps = self.counters.sleeps.saturating_add(1);
            Clock::sleep(deadline, || {
                !CONSOLE.is_quiet() || LINES.iter().any(|line| !line.is_quiet())
            });
        }
    }

    /// Takes in what is there, and does what follows from it.
    fn turn(&mut self) -> Result<(), Stop> {
        let now = Clock::now();
        self.receive(now);
        self.read_console(now);
        if self.machine.deadline().is_some_and(|deadline| deadline <= now) {
            self.machine.tick(now);
        }
        loop {
            let quiet = !self.poll()?;
            self.make_room()?;
            let bad_frames = bad_frames(&self.decoders);
            let Self { setup, machine, program, log, encoder, counters, .. } = self;
            let mut desk = Desk { now, log, counters, bad_frames, setup, encoder };
            program.settle(&mut desk, machine).map_err(Stop::Flash)?;
            if quiet {
                break;
            }
        }
        if self.machine.fatal().is_some() { Err(Stop::Fatal) } else { Ok(()) }
    }

    fn receive(&mut self, now: Instant) {
        let Self { setup, machine, program, decoders, counters, .. } = self;
        for ((number, line), decoder) in (1..).zip(&LINES).zip(decoders) {
            while let Some(byte) = line.take() {
                let frame = match decoder.push(byte) {
                    None => continue,
                    Some(Ok(frame)) => frame,
                    Some(Err(reason)) => {
                        defmt::debug!("dropped a frame: {}", reason);
                        continue;
                    }
                };
                let from = frame.from;
                if !P::KNOWS_SENDERS && setup.line(from) != Some(number) {
                    counters.unknown = counters.unknown.saturating_add(1);
                    defmt::debug!("dropped a frame of {}, which is not at this line", from);
                    continue;
                }
                program.heard(now, from);
                if frame.application {
                    program.frame(machine, from, frame.payload);
                    continue;
                }
                match <P::Machine as Machine>::Message::from_slice(frame.payload) {
                    Ok(message) => {
                        if let Err(reason) = machine.receive(now, from, message) {
                            defmt::warn!("refused a message from {}: {}", from, reason);
                        }
                    }
                    Err(reason) => {
                        counters.undecodable = counters.undecodable.saturating_add(1);
                        defmt::warn!("a frame from {} holds no message: {}", from, reason);
                    }
                }
            }
        }
    }

    fn read_console(&mut self, now: Instant) {
        while let Some(byte) = CONSOLE.take() {
            let bad_frames = bad_frames(&self.decoders);
            let Self { setup, machine, program, log, encoder, counters, console, .. } = self;
            if let Some(line) = console.push(byte) {
                let mut desk = Desk { now, log, counters, bad_frames, setup, encoder };
                program.line(&mut desk, machine, line);
            }
        }
    }

    /// Does all that the machine says; tells whether it said anything.
    fn poll(&mut self) -> Result<bool, Stop> {
        let Self { setup, machine, program, log, encoder, counters, full, .. } = self;
        let mut outputs =
            Outputs { setup, program, log, encoder, counters, full, any: false, durable: None };
        machine.drain(&mut outputs)?;
        let Outputs { any, durable, .. } = outputs;
        if let Some(ticket) = durable {
            self.make_durable(ticket)?;
        }
        Ok(any)
    }

    /// What was polled up to `ticket` is in flash, or will be when this returns.
    fn make_durable(&mut self, ticket: Ticket) -> Result<(), Stop> {
        if self.full {
            self.checkpoint()?;
        }
        self.machine.persisted(ticket);
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), Stop> {
        if self.log.used().saturating_add(RESERVE) > self.log.capacity() {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Writes the log anew.
    fn checkpoint(&mut self) -> Result<(), Stop> {
        let Self { machine, program, log, counters, full, .. } = self;
        let before = log.used();
        let mut checkpoint = log.checkpoint().map_err(Stop::Flash)?;
        let result = checkpoint
            .push(|out| {
                out.u8(OF_PROGRAM);
                program.record(out);
            })
            .and_then(|()| {
                machine.checkpoint().try_for_each(|record| {
                    checkpoint.push(|out| {
                        out.u8(OF_MACHINE);
                        record.encode(out);
                    })
                })
            });
        result.and_then(|()| checkpoint.commit()).map_err(Stop::Flash)?;
        *full = false;
        counters.checkpoints = counters.checkpoints.saturating_add(1);
        defmt::info!("wrote the log anew: {=u32} bytes, {=u32} before", log.used(), before);
        Ok(())
    }
}

fn bad_frames(decoders: &[Decoder<FRAME>]) -> u32 {
    decoders.iter().fold(0, |sum, decoder| sum.saturating_add(decoder.counters().errors()))
}

/// Where the outputs of the machine go: the flash, the lines, the program.
struct Outputs<'n, 's, P> {
    setup: &'n Setup<'s>,
    program: &'n mut P,
    log: &'n mut FlashLog<FileFlash, RECORD>,
    encoder: &'n mut Encoder<FRAME>,
    counters: &'n mut Counters,
    full: &'n mut bool,
    /// Whether there were any, and the last ticket.
    any: bool,
    durable: Option<Ticket>,
}

impl<P: Program> Sink<P::Machine> for Outputs<'_, '_, P> {
    type Error = Stop;

    fn persist(
        &mut self,
        ticket: Ticket,
        record: <P::Machine as Machine>::Record<'_>,
    ) -> Result<(), Stop> {
        self.any = true;
        self.durable = Some(ticket);
        if *self.full {
            return Ok(()); // the checkpoint has it
        }
        let appended = self.log.append(|out| {
            out.u8(OF_MACHINE);
            record.encode(out);
        });
        match appended {
            Ok(()) => self.counters.records = self.counters.records.saturating_add(1),
            Err(Error::Full) => *self.full = true,
            Err(error) => return Err(Stop::Flash(error)),
        }
        Ok(())
    }

    fn send(
        &mut self,
        to: NodeId,
        message: <P::Machine as Machine>::Message<'_>,
    ) -> Result<(), Stop> {
        self.any = true;
        let frame = self.encoder.encode(to, |out| message.encode(out));
        transmit(self.setup, self.counters, to, frame);
        Ok(())
    }

    fn event(&mut self, event: <P::Machine as Machine>::Event<'_>) -> Result<(), Stop> {
        self.any = true;
        self.program.event(event);
        Ok(())
    }
}

fn transmit(
    setup: &Setup<'_>,
    counters: &mut Counters,
    to: NodeId,
    frame: Result<Encoded<'_>, Overflow>,
) {
    let line = setup.line(to).and_then(|line| LINES.get(usize::from(line).saturating_sub(1)));
    let sent = match (line, frame) {
        // all of a frame or none of it
        (Some(line), Ok(frame)) => line.send(frame.clone().count(), frame),
        _ => false,
    };
    let counter = if sent { &mut counters.sent } else { &mut counters.dropped };
    *counter = counter.saturating_add(1);
}
