//! A bench for a person to play with.

mod order;
mod screen;

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use self::order::{HELP, Order, Reach};
use self::screen::Screen;
use crate::noise::Noise;
use crate::table::Table;
use crate::{Failure, Program, Reply, Rig, Status};

/// A bench, a prompt, and what the nodes say. Ends with `quit`, the end of the input, or a signal; then no node is left.
#[derive(Debug)]
pub struct Live {
    rig: Rig,
    columns: &'static [&'static str],
    screen: Screen,
    statuses: BTreeMap<u64, Status>,
    /// How much of the journal was shown.
    shown: usize,
}

/// Between two looks at the journal.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks at the nodes.
const REFRESH: Duration = Duration::from_millis(400);
/// A console may take so long.
const ANSWER: Duration = Duration::from_secs(6);
/// A status comes at once or not at all.
const STATUS: Duration = Duration::from_millis(250);
/// How often a line follows `not leader, ask N`.
const HOPS: u32 = 3;

impl Live {
    /// With a bench on which nothing is started.
    #[must_use]
    pub fn new(rig: Rig, program: &Program) -> Self {
        let head = rig.ids().len() + rig.wires().len().div_ceil(WIRES_A_ROW) + 1;
        let screen = Screen::new(u16::try_from(head).unwrap_or(u16::MAX));
        Self { rig, columns: program.columns, screen, statuses: BTreeMap::new(), shown: 0 }
    }

    /// Starts every node, and does what is typed.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a node cannot be started. What goes wrong with an order is shown.
    pub fn run(mut self) -> Result<(), Failure> {
        for id in self.rig.ids() {
            self.rig.start(id)?;
        }
        let lines = read_lines();
        self.screen.line("`help` tells what can be typed, `quit` ends it");
        self.screen.prompt();
        let mut refreshed = None::<Instant>;
        while !self.rig.interrupted() {
            if self.screen.shows_table() && refreshed.is_none_or(|at| at.elapsed() > REFRESH) {
                self.refresh()?;
                refreshed = Some(Instant::now());
            }
            self.show_journal();
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    if !self.obey(&line) {
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
    fn obey(&mut self, line: &str) -> bool {
        let outcome = match Order::read(line) {
            Ok(None) => Ok(()),
            Ok(Some(Order::Quit)) => return false,
            Ok(Some(order)) => self.carry_out(order),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            self.screen.line(&failure.to_string());
        }
        true
    }

    fn carry_out(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::Say(id, text) => self.say(id, &text)?,
            Order::Cut(reach, cut) => {
                for (from, to) in self.lanes(reach)? {
                    self.rig.cut_lane(from, to, cut)?;
                }
            }
            Order::Noise(reach, on) => {
                let noise = if on { Noise::LINE } else { Noise::default() };
                for (from, to) in self.lanes(reach)? {
                    self.rig.wire(from, to)?.from(from).disturb(noise);
                }
            }
            Order::Kill(id) => {
                self.rig.console(id)?; // is there such a node?
                self.rig.kill(id);
            }
            Order::Restart(id) => self.rig.start(id)?,
            Order::Status => {
                self.refresh()?;
                let text = self.table()?;
                text.lines().for_each(|line| self.screen.line(line));
            }
            Order::Help => HELP.iter().for_each(|line| self.screen.line(line)),
            Order::Wait(seconds) => self.wait(Duration::from_secs(seconds)),
            Order::Quit => {}
        }
        Ok(())
    }

    /// Types a line at a node's console, and where it says that somebody else must be asked.
    fn say(&mut self, id: u64, text: &str) -> Result<(), Failure> {
        let mut at = id;
        for _ in 0..HOPS {
            let answer = self.rig.console(at)?.ask(text, ANSWER);
            self.show_journal();
            let said = match &answer {
                Ok(reply) => reply.to_string(),
                Err(silence) => silence.to_string(),
            };
            self.screen.line(&format!("{at} {text}: {said}"));
            let Ok(Reply::Error(why)) = answer else { return Ok(()) };
            let Some(next) = why.strip_prefix("not leader, ask ") else { return Ok(()) };
            let Ok(next) = next.trim().parse() else { return Ok(()) };
            at = next;
        }
        Ok(())
    }

    fn lanes(&self, reach: Reach) -> Result<Vec<(u64, u64)>, Failure> {
        Ok(match reach {
            Reach::All => {
                let ends = self.rig.wires().iter().map(|wire| wire.ends());
                ends.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
            }
            Reach::Both(a, b) => vec![self.lane(a, b)?, (b, a)],
            Reach::One(a, b) => vec![self.lane(a, b)?],
        })
    }

    fn lane(&self, from: u64, to: u64) -> Result<(u64, u64), Failure> {
        self.rig.wire(from, to).map(|_| (from, to))
    }

    fn wait(&mut self, time: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < time && !self.rig.interrupted() {
            self.show_journal();
            thread::sleep(LOOK);
        }
    }

    fn show_journal(&mut self) {
        let (lines, end) = self.rig.journal().since(self.shown);
        self.shown = end;
        lines.iter().for_each(|line| self.screen.line(&line.to_string()));
    }

    /// Asks every node how it does.
    fn refresh(&mut self) -> Result<(), Failure> {
        for id in self.rig.ids() {
            match self.rig.console(id)?.ask("status", STATUS) {
                Ok(Reply::Ok(text)) => {
                    self.statuses.insert(id, Status::read(&text));
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
        let (alive, casualties) = (self.rig.alive(), self.rig.casualties());
        for id in self.rig.ids() {
            let mut row = vec![id.to_string(), self.rig.kind(id).to_owned()];
            match self.statuses.get(&id) {
                Some(status) => {
                    let value = |key: &&str| status.get(key).unwrap_or("-").to_owned();
                    row.extend(self.columns.iter().map(value));
                }
                None if casualties.iter().any(|(dead, _)| *dead == id) => {
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
        let state = |from: u64, to: u64, lane: &crate::wire::Lane| {
            let (cut, noise) = lane.condition();
            let how = match (cut, noise == Noise::default()) {
                (true, _) => " cut",
                (false, false) => " noise",
                (false, true) => "",
            };
            let counts = lane.counts();
            format!("{from}>{to}{how} {} frames {} bytes", counts.frames, counts.bytes)
        };
        let mut rows = Vec::new();
        for wires in self.rig.wires().chunks(WIRES_A_ROW) {
            let lanes = wires.iter().flat_map(|wire| {
                let (a, b) = wire.ends();
                [state(a, b, wire.from(a)), state(b, a, wire.from(b))]
            });
            rows.push(lanes.collect::<Vec<String>>().join("   "));
        }
        rows.join("\n")
    }
}

/// Wires that a row of the table shows.
const WIRES_A_ROW: usize = 2;

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
