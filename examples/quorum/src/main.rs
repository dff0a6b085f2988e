//! Five nodes that keep keys without a leader: see `quorate-quorum-demo --help`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use quorate_quorum_demo::{Cluster, Command, HELP, Options, Shell, Stored, screen};
use quorate_ring::quorum::{Lww, Tagged};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// How often the view is drawn, and how often a change of the members is looked after.
const FRAME: Duration = Duration::from_millis(200);

/// What comes from outside.
enum Input {
    Line(String),
    /// Lines cannot be read any more.
    Broken(String),
    Interrupted,
}

/// Why the program ends before its time.
enum End {
    /// In a sentence.
    Failed(String),
    Interrupted,
    /// Nobody reads what it says any more.
    ReaderGone,
}

fn main() -> ExitCode {
    let ended = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) if options.register => run::<Tagged<Vec<u8>>>(&options),
        Ok(Some(options)) => run::<Lww<Vec<u8>>>(&options),
        Ok(None) => say(&format!("{HELP}\n")),
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) | Err(End::ReaderGone) => ExitCode::SUCCESS,
        Err(End::Interrupted) => ExitCode::from(130),
        Err(End::Failed(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run<V: Stored>(options: &Options) -> Result<(), End> {
    let live = options.script.is_none() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let interrupted = Arc::new(AtomicBool::new(false));
    let (send, inputs) = sync_channel(64);
    watch_signals(send.clone(), Arc::clone(&interrupted))?;
    match &options.script {
        Some(path) => {
            let told = |error| End::Failed(format!("{}: {error}", path.display()));
            read_lines(BufReader::new(File::open(path).map_err(told)?), send);
        }
        None => read_lines(BufReader::new(io::stdin()), send),
    }
    let cluster = Cluster::<V>::start(options.nodes, options.replicas);
    let cluster = cluster.map_err(|why| End::Failed(why.to_string()))?;
    let shell = Shell::new(cluster, options.patience, interrupted);
    if live { watch(shell, &inputs) } else { obey_script(shell, &inputs) }
}

fn read_lines(lines: impl BufRead + Send + 'static, send: SyncSender<Input>) {
    thread::spawn(move || {
        for line in lines.lines() {
            let is_last = line.is_err();
            let input = line.map_or_else(|error| Input::Broken(error.to_string()), Input::Line);
            if send.send(input).is_err() || is_last {
                return;
            }
        }
        let _ = send.send(Input::Line("quit".into()));
    });
}

/// Ctrl-C and a request to end become inputs, so that the nodes end in order and their disks go.
fn watch_signals(send: SyncSender<Input>, interrupted: Arc<AtomicBool>) -> Result<(), End> {
    let failed = |error: io::Error| End::Failed(format!("cannot watch for signals: {error}"));
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let signals = {
        let _guard = runtime.enter();
        signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)))
    };
    let (mut interrupt, mut terminate) = signals.map_err(failed)?;
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        interrupted.store(true, Ordering::Relaxed);
        let _ = send.send(Input::Interrupted);
    });
    Ok(())
}

/// The live view, until the person has had enough.
fn watch<V: Stored>(mut shell: Shell<V>, inputs: &Receiver<Input>) -> Result<(), End> {
    let mut said = String::from("help tells what there is to type");
    say("\x1b[2J")?;
    ask()?;
    while !shell.is_interrupted() {
        draw(&format!("{said}\n\n{}", screen(shell.cluster())))?;
        let told = match inputs.recv_timeout(FRAME) {
            Ok(Input::Line(line)) => {
                ask()?;
                match Command::parse(&line) {
                    Ok(command) if command.waits() => {
                        Ok(Some("wait is for scripts: watch the view".into()))
                    }
                    Ok(command) => match shell.obey(&command) {
                        Ok(None) => break,
                        done => done.map_err(|why| why.to_string()),
                    },
                    Err(why) => Err(why),
                }
            }
            Ok(Input::Broken(why)) => return Err(End::Failed(why)),
            Ok(Input::Interrupted) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => shell.tick().map_err(|why| why.to_string()),
        };
        match told {
            Ok(Some(news)) => said = news,
            Ok(None) => {}
            Err(why) => said = format!("failed: {why}"),
        }
    }
    say("\x1b[2J\x1b[H")
}

/// An empty line at the top, for the next command.
fn ask() -> Result<(), End> {
    say("\x1b[H\x1b[2K> ")
}

/// Draws below the line on which the person types, and leaves the cursor there.
fn draw(view: &str) -> Result<(), End> {
    let lines = view.trim_end().replace('\n', "\x1b[K\n");
    say(&format!("\x1b7\x1b[3;1H{lines}\x1b[K\x1b[J\x1b8"))
}

/// One command after the other, until one fails.
fn obey_script<V: Stored>(mut shell: Shell<V>, inputs: &Receiver<Input>) -> Result<(), End> {
    loop {
        if shell.is_interrupted() {
            return Err(End::Interrupted);
        }
        let line = match inputs.recv_timeout(FRAME) {
            Ok(Input::Line(line)) => line,
            Ok(Input::Broken(why)) => return Err(End::Failed(why)),
            Ok(Input::Interrupted) => return Err(End::Interrupted),
            Err(RecvTimeoutError::Timeout) => {
                let news = shell.tick().map_err(|why| End::Failed(why.to_string()))?;
                say(&news.map_or_else(String::new, |news| format!("{news}\n")))?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let command = Command::parse(&line).map_err(|why| failed(&line, &why))?;
        if command == Command::Nothing {
            continue;
        }
        say(&format!("> {}\n", line.trim()))?;
        match shell.obey(&command) {
            Ok(None) => return Ok(()),
            Ok(Some(said)) => say(&format!("{}\n", said.trim_end()))?,
            Err(_) if shell.is_interrupted() => return Err(End::Interrupted),
            Err(why) => return Err(failed(&line, &why)),
        }
    }
}

fn failed(line: &str, why: &dyn core::fmt::Display) -> End {
    End::Failed(format!("{}: {why}", line.trim()))
}

/// Prints; a reader that has gone away has had enough.
fn say(text: &str) -> Result<(), End> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Err(End::ReaderGone),
        Err(why) => Err(End::Failed(format!("the output cannot be written: {why}"))),
        Ok(()) => Ok(()),
    }
}
