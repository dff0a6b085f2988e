//! Three Raft nodes over plain TCP and plain files. [`Raft`] makes the decisions; this driver owns
//! the clock, the network and the disk. [`run`] starts the threads and is the loop.
//! **Not** here: authentication, so trusted networks only; snapshots, so at 64 MiB the log is full
//! and takes no more lines: `quorate-tokio` is for programs that compact their write-ahead log.
use quorate_core::{Instant, Machine, NodeId, Output, Wire};
use quorate_raft::{Config, Event, Heap, Message, Raft, Record, ReplicatedLog};
use std::io::{self, ErrorKind, prelude::*};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{env, error::Error, fs, path::Path, process::ExitCode, thread, time, time::Duration};

const CONFIG: Config = Config { forward: true, max_log_bytes: 64 << 20, ..Config::wan() };
const MAX: usize = Raft::<Heap>::max_message_len(&CONFIG);
const HELP: &str = include_str!("help.txt");

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let help = || Ok(io::stdout().write_all(HELP.as_bytes())?);
    let done = if args == ["--help"] { help() } else { run(&args) };
    done.map_or_else(|e| (eprintln!("{e}"), ExitCode::FAILURE).1, |()| ExitCode::SUCCESS)
}

fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    let [id, dir, _, _, _] = args else { return Err(HELP.into()) };
    let (me, ids) = (NodeId::new(id.parse().map_err(|_| HELP)?), [1, 2, 3].map(NodeId::new));
    let mut raft = Raft::new(me, &ids, CONFIG, time::UNIX_EPOCH.elapsed()?.as_micros() as u64)?;
    let own = &args[1 + me.get() as usize]; // bound first: a second process ends here
    let listener = TcpListener::bind(own).map_err(|e| format!("{own}: {e}"))?;
    let path = Path::new(dir).join(format!("node-{me}.log"));
    let mut log = open_log(&path, &mut raft).map_err(|e| format!("{}: {e}", path.display()))?;
    let (events, inputs) = sync_channel(256);
    let typed = events.clone();
    thread::spawn(move || {
        let mut lines = io::stdin().lock().split(b'\n').map_while(Result::ok);
        lines.try_for_each(|line| typed.send((me, line)))
    });
    thread::spawn(move || read_peers(&listener, me, &events));
    let queues = ids.map(|peer| {
        let ((queue, frames), address) = (sync_channel(64), args[1 + peer.get() as usize].clone());
        thread::spawn(move || write_peer(&address, [me, peer], &frames));
        queue // the node's own stays empty
    });
    let send = |to: NodeId, frame| drop(queues[to.get() as usize - 1].try_send(frame)); // may drop
    let start = time::Instant::now();
    let now = || Instant::from_duration(start.elapsed());
    let mut out = io::stdout();
    loop {
        let wait = raft.deadline().map_or(Duration::MAX, |at| at.duration_since(now()));
        let first = inputs.recv_timeout(wait).ok();
        for (from, bytes) in first.into_iter().chain(inputs.try_iter().take(64)) {
            if from != me {
                let Ok(message) = Message::from_slice(&bytes) else { continue };
                let _ = raft.receive(now(), from, message); // refusals are counted in `status()`
            } else {
                let error = raft.submit(&bytes).err(); // a leader proposes it, others hand it on
                error.map_or(Ok(()), |error| writeln!(out, "-- not submitted: {error}"))?;
            }
        }
        raft.tick(now());
        loop {
            let mut records = Vec::new();
            while let Some(output) = raft.poll() {
                match output {
                    Output::Persist(ticket, record) => records.push((ticket, frame(&record))),
                    Output::Send(to, message) => send(to, frame(&message)),
                    Output::Event(Event::Committed(entries)) => {
                        for e in entries.commands() {
                            writeln!(out, "{}: {}", e.index, String::from_utf8_lossy(e.data))?;
                        }
                    }
                    Output::Event(Event::Fatal(reason)) => return Err(reason.into()),
                    Output::Event(event) => writeln!(out, "-- {event:?}")?,
                }
            }
            let Some(&(last, _)) = records.last() else { break };
            records.iter().try_for_each(|(_, record)| log.write_all(record))?;
            log.sync_data()?; // if it fails, the node stops: the ticket must never be returned
            raft.persisted(last); // what depends on the records can be polled now
        }
    }
}

/// Replays the records. If a crash cut the last one short, it was never synced, and is removed.
fn open_log(path: &Path, raft: &mut Raft<Heap>) -> Result<fs::File, Box<dyn Error>> {
    let _ = path.parent().map(fs::create_dir);
    let mut log = fs::File::options().read(true).append(true).create(true).open(path)?;
    fs::File::open(path.with_file_name("."))?.sync_all()?;
    fs::File::open(path.with_file_name(".."))?.sync_all()?;
    loop {
        let at = log.stream_position()?;
        match read_frame(&mut log, Raft::<Heap>::max_record_len(&CONFIG)) {
            Ok(body) => raft.restore(Record::from_slice(&body)?)?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                log.set_len(at)?;
                log.sync_all()?; // the records read count as durable from here on
                return Ok(log);
            }
            Err(error) => return Err(format!("damaged at byte {at}: {error}").into()),
        }
    }
}

fn write_peer(address: &str, hello: [NodeId; 2], frames: &Receiver<Vec<u8>>) {
    loop {
        let _ = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            stream.write_all(&hello.map(|id| id.get() as u8))?;
            frames.iter().try_for_each(|frame| stream.write_all(&frame))
        });
        thread::sleep(Duration::from_millis(250));
        frames.try_iter().for_each(drop); // queued while disconnected: stale
    }
}

fn read_peers(listener: &TcpListener, me: NodeId, events: &SyncSender<(NodeId, Vec<u8>)>) {
    for stream in listener.incoming() {
        let events = events.clone();
        let _ = thread::Builder::new().spawn(move || -> io::Result<()> {
            let (mut stream, mut hello) = (stream?, [0; 2]);
            stream.read_exact(&mut hello)?;
            let [from, to] = hello.map(|id| NodeId::new(id.into()));
            while to == me && events.send((from, read_frame(&mut stream, MAX)?)).is_ok() {}
            Ok(())
        });
    }
}

/// Length, checksum of the length, checksum of the body, body: of a message or a record.
fn frame<'a>(value: &impl Wire<'a>) -> Vec<u8> {
    let body = value.to_vec();
    let len = body.len() as u64;
    let header = [len, fnv1a(&len.to_le_bytes()), fnv1a(&body)].map(u64::to_le_bytes);
    [header.as_flattened(), &body].concat()
}

fn read_frame(from: &mut impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut header = [[0; 8]; 3];
    from.read_exact(header.as_flattened_mut())?;
    let [len, len_sum, sum] = header.map(u64::from_le_bytes);
    let sound = len_sum == fnv1a(&header[0]) && len <= max as u64;
    let mut body = vec![0; if sound { len as usize } else { 0 }];
    from.read_exact(&mut body)?;
    if sound && sum == fnv1a(&body) { Ok(body) } else { Err(ErrorKind::InvalidData.into()) }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf29ce484222325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100000001b3))
}
