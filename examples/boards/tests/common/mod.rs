//! Boards that are threads: the same program on the same machine, without an emulator, and with a bug if one is wanted.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use quorate_boards::launch::{Launch, NodeSetup, Running};
use quorate_boards::runner::{Runner, Summary};
use quorate_boards::{Failure, Journal, PROGRAMS};
use quorate_core::{Instant, Machine, NodeId, Output, Wire as _};
use quorate_raft::{Config, Fixed, Message, Raft, Record};
use quorate_serial::{Decoder, Encoder, Endpoint, LineReader};
use quorate_setpoint::{Answer, CLUSTER, Command, Program, Request, SavedState, config};

/// The bug that is planted in a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    None,
    /// Its flash is empty after a restart.
    LosesFlash,
    /// A change is acknowledged when it is proposed.
    AcknowledgesEarly,
    /// It forwards each command to the leader twice, as two commands.
    ForwardsTwice,
    /// It polls all the time.
    NeverSleeps,
    /// It accepts every frame, damaged or not, whatever its sender and receiver.
    AcceptsEveryFrame,
    /// It reports records as durable before it writes them, a few at a time.
    DelaysWrites,
}

/// The boards' own: with members that may change, unknown nodes would be answered.
type Node = Raft<Fixed<5, 3072, 256, 200>>;

const ROOM: usize = 512;

/// Starts boards; what is in their flash lasts as long as this.
pub struct ThreadLauncher {
    bug: Bug,
    flashes: Mutex<BTreeMap<u64, Arc<Mutex<Flash>>>>,
}

#[derive(Default)]
struct Flash {
    records: Vec<Vec<u8>>,
    kept: SavedState,
}

struct BoardThread {
    streams: Vec<UnixStream>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Runs scenarios on such boards.
pub fn run(bug: Bug, names: &[&str]) -> Summary {
    let name = format!("qb-{}-{bug:?}-{}", std::process::id(), names.first().unwrap());
    let launch: Arc<dyn Launch> = Arc::new(ThreadLauncher { bug, flashes: Mutex::default() });
    let runner = Runner {
        board: Arc::clone(&launch),
        server: Some(launch),
        dir: std::env::temp_dir().join(name),
        seed: 1,
        keep: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let summary = runner.run(PROGRAMS.first().unwrap(), &names).unwrap();
    let _ = std::fs::remove_dir_all(&runner.dir);
    summary
}

impl Launch for ThreadLauncher {
    fn launch(&self, setup: &NodeSetup, journal: &Journal) -> Result<Box<dyn Running>, Failure> {
        let mut flashes = self.flashes.lock().unwrap();
        // a bench of its own has boards of its own
        if journal.since(0).1 <= 3 {
            flashes.remove(&setup.id);
        }
        let flash = Arc::clone(flashes.entry(setup.id).or_default());
        if self.bug == Bug::LosesFlash {
            *flash.lock().unwrap() = Flash::default();
        }
        let paths: Vec<PathBuf> = core::iter::once(setup.console.clone())
            .chain(setup.wires.iter().map(|(_, path)| path.clone()))
            .collect();
        let streams: Vec<UnixStream> =
            paths.iter().map(|path| UnixStream::connect(path).unwrap()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let board = Board::new(setup, self.bug, flash, &streams, Arc::clone(&stop));
        let thread = thread::spawn(move || board.run());
        Ok(Box::new(BoardThread { streams, stop, thread: Some(thread) }))
    }

    fn kind(&self) -> &'static str {
        "thread"
    }
}

impl Running for BoardThread {
    fn kill(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    fn ended(&mut self) -> Option<String> {
        self.thread.as_ref()?.is_finished().then(|| "its thread ended".to_owned())
    }
}

impl Drop for BoardThread {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Board {
    bug: Bug,
    flash: Arc<Mutex<Flash>>,
    broken: bool,
    /// Records that are reported as durable and not written yet.
    unwritten: Vec<Vec<u8>>,
    machine: Node,
    program: Program,
    peers: Vec<u64>,
    streams: Vec<UnixStream>,
    inbox: std::sync::mpsc::Receiver<(usize, Vec<u8>)>,
    /// Keeps the inbox open when all who read have ended.
    _sender: Sender<(usize, Vec<u8>)>,
    encoder: Encoder<ROOM>,
    decoders: Vec<Decoder<ROOM>>,
    console: LineReader<80>,
    wakeups: u64,
    boot: std::time::Instant,
    stop: Arc<AtomicBool>,
}

/// The times of the boards, a third of them.
fn fast_config() -> Config {
    Config { election_min_us: 200_000, election_max_us: 400_000, heartbeat_us: 50_000, ..config() }
}

impl Board {
    fn new(
        setup: &NodeSetup,
        bug: Bug,
        flash: Arc<Mutex<Flash>>,
        streams: &[UnixStream],
        stop: Arc<AtomicBool>,
    ) -> Self {
        let node = NodeId::new(setup.id);
        let peers: Vec<u64> = setup.wires.iter().map(|(peer, _)| *peer).collect();
        let voters: Vec<NodeId> =
            core::iter::once(setup.id).chain(peers.iter().copied()).map(NodeId::new).collect();
        let mut machine = Node::new(node, &voters, fast_config(), setup.seed).unwrap();
        let program = {
            let flash = flash.lock().unwrap();
            for record in &flash.records {
                machine.restore(Record::from_slice(record).unwrap()).unwrap();
            }
            Program::resume(flash.kept, &mut machine).unwrap()
        };
        let (sender, inbox) = channel();
        for (at, stream) in streams.iter().enumerate() {
            let (mut stream, sender) = (stream.try_clone().unwrap(), sender.clone());
            thread::spawn(move || {
                let mut buffer = [0; 512];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if sender.send((at, buffer[..count].to_vec())).is_err() {
                        return;
                    }
                }
            });
        }
        let line = Endpoint { cluster: CLUSTER, node };
        Self {
            bug,
            flash,
            broken: false,
            unwritten: Vec::new(),
            machine,
            program,
            decoders: peers.iter().map(|_| Decoder::new(line)).collect(),
            peers,
            streams: streams.iter().map(|stream| stream.try_clone().unwrap()).collect(),
            inbox,
            _sender: sender,
            encoder: Encoder::new(line),
            console: LineReader::new(),
            wakeups: 0,
            boot: std::time::Instant::now(),
            stop,
        }
    }

    fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            if let Err(what) = self.step() {
                self.print(format!("# stopped: {what}").as_bytes());
                return self.answer_all_commands(&format!("error stopped: {what}"));
            }
            let wait = self.time_to_deadline();
            match self.inbox.recv_timeout(wait) {
                Ok((at, bytes)) => self.receive(at, &bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.wakeups += 1;
        }
    }

    fn time_to_deadline(&self) -> Duration {
        if self.bug == Bug::NeverSleeps {
            return Duration::from_micros(20);
        }
        let now = self.now().as_micros();
        let deadlines = [self.machine.deadline(), self.program.deadline()];
        let next = deadlines.into_iter().flatten().map(Instant::as_micros).min();
        let left = next.map_or(100_000, |next| next.saturating_sub(now));
        Duration::from_micros(left.min(100_000)) // the stop flag is to be seen
    }

    /// A stopped node answers nothing else.
    fn answer_all_commands(&mut self, text: &str) {
        while !self.stop.load(Ordering::SeqCst) {
            if let Ok((0, bytes)) = self.inbox.recv_timeout(Duration::from_millis(50)) {
                for byte in bytes {
                    if self.console.push(byte).is_some() {
                        self.print(text.as_bytes());
                    }
                }
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.boot.elapsed().as_micros()).unwrap())
    }

    fn print(&self, line: &[u8]) {
        let _ = (&self.streams[0]).write_all(&[line, b"\n"].concat());
    }

    fn receive(&mut self, at: usize, bytes: &[u8]) {
        let now = self.now();
        if at == 0 {
            for &byte in bytes {
                if let Some(line) = self.console.push(byte).map(<[u8]>::to_vec) {
                    self.execute_line(now, &line);
                }
            }
            return;
        }
        let peer = NodeId::new(self.peers[at - 1]);
        if self.bug == Bug::AcceptsEveryFrame {
            return self.accept_any_frame(now, peer, bytes);
        }
        for &byte in bytes {
            match self.decoders[at - 1].push(byte) {
                Some(Ok(frame)) if frame.application => {
                    if let Ok(command) = Command::from_slice(frame.payload) {
                        self.program.receive_forwarded(&mut self.machine, frame.from, command);
                    }
                }
                Some(Ok(frame)) => {
                    if let Ok(message) = Message::from_slice(frame.payload) {
                        let _ = self.machine.receive(now, frame.from, message);
                    }
                }
                _ => {}
            }
        }
    }

    /// Accepts every frame as the peer's.
    fn accept_any_frame(&mut self, now: Instant, peer: NodeId, bytes: &[u8]) {
        for frame in bytes.split(|byte| *byte == 0).filter(|frame| !frame.is_empty()) {
            let mut body = vec![0; frame.len()];
            let Some(len) = decode_cobs(frame, &mut body) else { continue };
            // version, cluster (3 bytes as a varint), to, from; payload; checksum
            let Some(payload) = body.get(6..len.saturating_sub(4)) else { continue };
            if let Ok(message) = Message::from_slice(payload) {
                let _ = self.machine.receive(now, peer, message);
            }
        }
    }

    fn execute_line(&mut self, now: Instant, line: &[u8]) {
        let answer = match Request::parse(line) {
            Ok(Request::Status) => {
                let mut text = self.program.status(&self.machine);
                let bad: u32 =
                    self.decoders.iter().map(|decoder| decoder.counters().errors()).sum();
                text.pair("badframes", u64::from(bad))
                    .pair("wakeups", self.wakeups)
                    .pair("uptime_ms", now.as_micros() / 1000);
                Some(text)
            }
            Ok(Request::FlashFail) => {
                self.broken = true;
                let mut text = Answer::new();
                text.str("ok");
                Some(text)
            }
            _ => self.program.line(&mut self.machine, now, line),
        };
        if let Some(answer) = answer {
            self.print(answer.as_bytes());
        } else if self.bug == Bug::AcknowledgesEarly {
            self.print(b"ok index=0 setpoint=0 counter=0");
        }
    }

    fn step(&mut self) -> Result<(), &'static str> {
        let now = self.now();
        self.machine.tick(now);
        loop {
            let quiet = !self.poll()?;
            let Self { program, machine, flash, broken, .. } = self;
            program.settle(machine, |kept| {
                if *broken {
                    return Err("the flash failed");
                }
                flash.lock().unwrap().kept = *kept;
                Ok(())
            })?;
            if let Some(answer) = self.program.answer(&mut self.machine, now)
                && self.bug != Bug::AcknowledgesEarly
            {
                self.print(answer.as_bytes());
            }
            if let Some((to, command)) = self.program.forward() {
                self.send(to, command);
                if self.bug == Bug::ForwardsTwice {
                    self.send(to, Command { serial: command.serial + 1, ..command });
                }
            }
            if quiet {
                return Ok(());
            }
        }
    }

    fn send(&mut self, to: NodeId, command: Command) {
        let at = self.peers.iter().position(|peer| *peer == to.get()).unwrap();
        let frame = self.encoder.encode_application(to, |out| command.encode(out)).unwrap();
        let bytes: Vec<u8> = frame.collect();
        let _ = (&self.streams[at + 1]).write_all(&bytes);
    }

    fn poll(&mut self) -> Result<bool, &'static str> {
        let Self {
            machine, program, flash, unwritten, encoder, streams, peers, broken, bug, ..
        } = self;
        let (mut any, mut durable) = (false, None);
        while let Some(output) = machine.poll() {
            any = true;
            match output {
                Output::Persist(ticket, record) => {
                    if *broken {
                        return Err("the flash failed");
                    }
                    let mut buffer = [0; 8192];
                    let bytes = record.to_slice(&mut buffer).unwrap().to_vec();
                    unwritten.push(bytes);
                    if *bug != Bug::DelaysWrites || unwritten.len() > 8 {
                        flash.lock().unwrap().records.append(unwritten);
                    }
                    durable = Some(ticket);
                }
                Output::Send(to, message) => {
                    let at = peers.iter().position(|peer| *peer == to.get());
                    let at = at.ok_or("a message for a node that is no member")?;
                    let frame = encoder.encode(to, |out| message.encode(out)).unwrap();
                    let bytes: Vec<u8> = frame.collect();
                    let _ = (&streams[at + 1]).write_all(&bytes);
                }
                Output::Event(event) => program.event(event),
            }
        }
        if let Some(ticket) = durable {
            machine.persisted(ticket);
        }
        Ok(any)
    }
}

/// Undoes the stuffing; nothing when the bytes are no whole frame.
fn decode_cobs(frame: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut at, mut len) = (0, 0);
    while let Some(&code) = frame.get(at) {
        let block = frame.get(at + 1..at + usize::from(code))?;
        out.get_mut(len..len + block.len())?.copy_from_slice(block);
        (at, len) = (at + usize::from(code), len + block.len());
        if code < 255 && at < frame.len() {
            *out.get_mut(len)? = 0;
            len += 1;
        }
    }
    Some(len)
}
