//! An interactive bench.

mod command;
mod screen;

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use self::command::{Command, HELP, Selection};
use self::screen::Screen;
use crate::noise::Noise;
use crate::table::Table;
use crate::{Failure, Program, Reply, Status, TestBench};

/// A bench with a prompt and the log lines of the nodes. Ends with `quit`, the end of the input, or
/// a signal; then no node is left.
#[derive(Debug)]
pub struct Live {
    bench: TestBench,
    columns: &'static [&'static str],
    screen: Screen,
    statuses: BTreeMap<u64, Status>,
    /// How much of the journal was shown.
    shown: usize,
}

/// Between two looks at the journal.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Between two looks at the nodes.
const REFRESH: Duration = Duration::from_millis(400);
/// A console may take so long.
const ANSWER: Duration = Duration::from_secs(6);
/// A status comes at once or not at all.
const STATUS: Duration = Duration::from_millis(250);
/// How often a line follows `not leader, ask N`.
const MAX_REDIRECTS: u32 = 3;

impl Live {
    /// With a bench on which nothing is started.
    #[must_use]
    pub fn new(bench: TestBench, program: &Program) -> Self {
        let head = bench.ids().len() + bench.wires().len().div_ceil(WIRES_PER_ROW) + 1;
        let screen = Screen::new(u16::try_from(head).unwrap_or(u16::MAX));
        Self { bench, columns: program.columns, screen, statuses: BTreeMap::new(), shown: 0 }
    }

    /// Starts every node, and executes commands.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a node cannot be started. What goes wrong with a command is shown.
    pub fn run(mut self) -> Result<(), Failure> {
        for id in self.bench.ids() {
            self.bench.start(id)?;
        }
        let lines = read_lines();
        self.screen.line("`help` lists the commands, `quit` ends it");
        self.screen.prompt();
        let mut refreshed = None::<Instant>;
        while !self.bench.interrupted() {
            if self.screen.shows_table() && refreshed.is_none_or(|at| at.elapsed() > REFRESH) {
                self.refresh()?;
                refreshed = Some(Instant::now());
            }
            self.show_journal();
            match lines.recv_timeout(POLL_INTERVAL) {
                Ok(line) => {
                    if !self.execute_line(&line) {
                        break;
                    }
                    self.screen.prompt();
                    refreshed = None;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.show_journal();
        Ok(())
    }

    /// Whether to go on.
    fn execute_line(&mut self, line: &str) -> bool {
        let outcome = match Command::parse(line) {
            Ok(None) => Ok(()),
            Ok(Some(Command::Quit)) => return false,
            Ok(Some(command)) => self.execute(command),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            self.screen.line(&failure.to_string());
        }
        true
    }

    fn execute(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Type(id, text) => self.type_line(id, &text)?,
            Command::Cut(selection, cut) => {
                for (from, to) in self.directions(selection)? {
                    self.bench.cut_direction(from, to, cut)?;
                }
            }
            Command::Noise(selection, on) => {
                let noise = if on { Noise::LINE } else { Noise::default() };
                for (from, to) in self.directions(selection)? {
                    self.bench.wire(from, to)?.from(from).disturb(noise);
                }
            }
            Command::Kill(id) => {
                self.bench.console(id)?; // is there such a node?
                self.bench.kill(id);
            }
            Command::Restart(id) => self.bench.start(id)?,
            Command::Status => {
                self.refresh()?;
                let text = self.table()?;
                text.lines().for_each(|line| self.screen.line(line));
            }
            Command::Help => HELP.iter().for_each(|line| self.screen.line(line)),
            Command::Wait(seconds) => self.wait(Duration::from_secs(seconds)),
            Command::Quit => {}
        }
        Ok(())
    }

    /// Types a line at a node's console, and follows redirects to the leader.
    fn type_line(&mut self, id: u64, text: &str) -> Result<(), Failure> {
        let mut at = id;
        for _ in 0..MAX_REDIRECTS {
            let answer = self.bench.console(at)?.request(text, ANSWER);
            self.show_journal();
            let reply = match &answer {
                Ok(reply) => reply.to_string(),
                Err(silence) => silence.to_string(),
            };
            self.screen.line(&format!("{at} {text}: {reply}"));
            let Ok(Reply::Error(why)) = answer else { return Ok(()) };
            let Some(next) = why.strip_prefix("not leader, ask ") else { return Ok(()) };
            let Ok(next) = next.trim().parse() else { return Ok(()) };
            at = next;
        }
        Ok(())
    }

    fn directions(&self, selection: Selection) -> Result<Vec<(u64, u64)>, Failure> {
        Ok(match selection {
            Selection::All => {
                let ends = self.bench.wires().iter().map(|wire| wire.ends());
                ends.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
            }
            Selection::Both(a, b) => vec![self.direction(a, b)?, (b, a)],
            Selection::One(a, b) => vec![self.direction(a, b)?],
        })
    }

    fn direction(&self, from: u64, to: u64) -> Result<(u64, u64), Failure> {
        self.bench.wire(from, to).map(|_| (from, to))
    }

    fn wait(&mut self, time: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < time && !self.bench.interrupted() {
            self.show_journal();
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn show_journal(&mut self) {
        let (lines, end) = self.bench.journal().since(self.shown);
        self.shown = end;
        lines.iter().for_each(|line| self.screen.line(&line.to_string()));
    }

    /// Requests the status of every node.
    fn refresh(&mut self) -> Result<(), Failure> {
        for id in self.bench.ids() {
            match self.bench.console(id)?.request("status", STATUS) {
                Ok(Reply::Ok(text)) => {
                    self.statuses.insert(id, Status::parse(&text));
                }
                _ => {
                    self.statuses.remove(&id);
                }
            }
        }
        let text = self.table()?;
        self.screen.table(&text);
        Ok(())
    }

    fn table(&mut self) -> Result<String, Failure> {
        let head: Vec<&str> =
            ["node", "is"].into_iter().chain(self.columns.iter().copied()).collect();
        let mut table = Table::new(&head);
        let (alive, unexpected_exits) = (self.bench.alive(), self.bench.unexpected_exits());
        for id in self.bench.ids() {
            let mut row = vec![id.to_string(), self.bench.kind(id).to_owned()];
            match self.statuses.get(&id) {
                Some(status) => {
                    let value = |key: &&str| status.get(key).unwrap_or("-").to_owned();
                    row.extend(self.columns.iter().map(value));
                }
                None if unexpected_exits.iter().any(|(dead, _)| *dead == id) => {
                    row.push("ended".to_owned())
                }
                None if alive.contains(&id) => row.push("silent".to_owned()),
                None => row.push("off".to_owned()),
            }
            table.row(row);
        }
        Ok(format!("{table}\n{}", self.wires()))
    }

    fn wires(&self) -> String {
        let state = |from: u64, to: u64, direction: &crate::wire::Direction| {
            let (cut, noise) = direction.condition();
            let how = match (cut, noise == Noise::default()) {
                (true, _) => " cut",
                (false, false) => " noise",
                (false, true) => "",
            };
            let counts = direction.counts();
            format!("{from}>{to}{how} {} frames {} bytes", counts.frames, counts.bytes)
        };
        let mut rows = Vec::new();
        for wires in self.bench.wires().chunks(WIRES_PER_ROW) {
            let directions = wires.iter().flat_map(|wire| {
                let (a, b) = wire.ends();
                [state(a, b, wire.from(a)), state(b, a, wire.from(b))]
            });
            rows.push(directions.collect::<Vec<String>>().join("   "));
        }
        rows.join("\n")
    }
}

/// Wires that a row of the table shows.
const WIRES_PER_ROW: usize = 2;

/// The lines of the input, on a thread of their own: it waits for somebody to type.
fn read_lines() -> Receiver<String> {
    let (sender, receiver): (Sender<String>, _) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
