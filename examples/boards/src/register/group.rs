use core::time::Duration;
use std::fs;
use std::thread;
use std::time::Instant;

use crate::register::{Found, History};
use crate::wait::wait;
use crate::{Failure, NoReply, Reply, Status, TestBench};

/// Boards that share registers, as the bench sees them. Everything they answer is checked: what is read is linearizable.
#[derive(Debug)]
pub struct Group<'a> {
    bench: &'a mut TestBench,
    history: History,
}

/// A board gives up a request after 4 s and says so: then an answer that is not there by now will not come.
const ANSWER: Duration = Duration::from_secs(20);
/// A board answers this at once: it asks nobody.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Between two turns of what is done while a board is asked: it takes in what it hears.
const PAUSE: Duration = Duration::from_millis(5);

impl<'a> Group<'a> {
    /// Starts every board, and makes a new cluster of them.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a board cannot be started, or does not answer.
    pub fn start(bench: &'a mut TestBench) -> Result<Self, Failure> {
        let mut group = Self { bench, history: History::default() };
        for id in group.bench.ids() {
            group.start_board(id)?;
            group.order(id, "found")?;
        }
        Ok(group)
    }

    /// The bench.
    pub const fn bench(&mut self) -> &mut TestBench {
        self.bench
    }

    /// What was asked and answered.
    pub const fn history(&mut self) -> &mut History {
        &mut self.history
    }

    /// Powers a board on, and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`Failure`] when it does not.
    pub fn start_board(&mut self, id: u64) -> Result<Status, Failure> {
        self.bench.start(id)?;
        self.wait("the board answers", |group| group.status(id))
    }

    /// Empties the flash of a board that has no power.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when that cannot be done.
    pub fn erase(&self, id: u64) -> Result<(), Failure> {
        let path = self.bench.dir().join(format!("storage{id}"));
        fs::remove_file(&path).map_err(Failure::io(path.display()))
    }

    /// Cuts a board off from all others, or joins it to them again.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is no such board.
    pub fn isolate(&self, id: u64, cut: bool) -> Result<(), Failure> {
        let others = self.bench.ids().into_iter().filter(|other| *other != id);
        others.into_iter().try_for_each(|other| self.bench.cut(id, other, cut))
    }

    /// Has a board do something that it does by itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it does not.
    pub fn order(&self, id: u64, command: &str) -> Result<String, Failure> {
        match self.bench.console(id)?.request(command, AT_ONCE) {
            Ok(Reply::Ok(text)) => Ok(text),
            Ok(reply) => Err(Failure::Unexpected(format!("node {id}, `{command}`: {reply}"))),
            Err(silence) => Err(Failure::Unexpected(format!("node {id}, `{command}`: {silence}"))),
        }
    }

    /// Writes a register at a board, with a new value until one is acknowledged; returns that.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`] when none is, [`Failure::Violation`].
    pub fn write(&mut self, id: u64, key: &str) -> Result<u32, Failure> {
        self.wait(&format!("{key} is written at {id}"), |group| {
            let (called, value) = group.history.call_write(key);
            let reply = group.bench.console(id)?.request(&format!("set {key} {value}"), ANSWER);
            Ok(group.take_write(key, called, reply)?.ok().map(|_| value))
        })
    }

    /// Writes a register at a board once; the error is the board's.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`].
    pub fn try_write(&mut self, id: u64, key: &str) -> Result<Result<Found, String>, Failure> {
        self.write_within(id, key, ANSWER)
    }

    /// The same, and does not wait long: for a board that loses power then.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`].
    pub fn write_within(
        &mut self,
        id: u64,
        key: &str,
        timeout: Duration,
    ) -> Result<Result<Found, String>, Failure> {
        let (called, value) = self.history.call_write(key);
        let reply = self.bench.console(id)?.request(&format!("set {key} {value}"), timeout);
        self.take_write(key, called, reply)
    }

    /// Deletes a register at a board.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`] when it is not done, [`Failure::Violation`].
    pub fn delete(&mut self, id: u64, key: &str) -> Result<(), Failure> {
        self.wait(&format!("{key} is deleted at {id}"), |group| {
            let called = group.history.call_delete(key);
            let reply = group.bench.console(id)?.request(&format!("delete {key}"), ANSWER);
            Ok(group.take_write(key, called, reply)?.ok().map(|_| ()))
        })
    }

    /// Reads a register at a board.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`] when it is not answered, [`Failure::Violation`].
    pub fn read(&mut self, id: u64, key: &str) -> Result<Found, Failure> {
        self.wait(&format!("{key} is read at {id}"), |group| Ok(group.try_read(id, key)?.ok()))
    }

    /// Reads a register at a board once; the error is the board's.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`].
    pub fn try_read(&mut self, id: u64, key: &str) -> Result<Result<Found, String>, Failure> {
        let called = self.history.call();
        let reply = self.bench.console(id)?.request(&format!("get {key}"), ANSWER);
        self.take_read(key, called, reply)
    }

    /// Reads a register at a board once, and does something in turns until it answers.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`], and the error of `turn`.
    pub fn read_meanwhile(
        &mut self,
        id: u64,
        key: &str,
        mut turn: impl FnMut(&TestBench) -> Result<(), Failure>,
    ) -> Result<Result<Found, String>, Failure> {
        let called = self.history.call();
        let (console, command) = (self.bench.console(id)?, format!("get {key}"));
        let reply = thread::scope(|scope| {
            let asked = scope.spawn(|| console.request(&command, ANSWER));
            while !asked.is_finished() {
                turn(self.bench)?;
                thread::sleep(PAUSE);
            }
            Ok(asked.join().unwrap_or(Err(NoReply::Disconnected)))
        })?;
        self.take_read(key, called, reply)
    }

    /// Two boards write a register at the same time, and the third reads it; returns what came of each.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`].
    pub fn race(
        &mut self,
        writers: [u64; 2],
        reader: u64,
        key: &str,
    ) -> Result<[Result<Found, String>; 3], Failure> {
        let [one, two] = [self.history.call_write(key), self.history.call_write(key)];
        let called = self.history.call();
        let commands = [
            (writers[0], format!("set {key} {}", one.1)),
            (writers[1], format!("set {key} {}", two.1)),
            (reader, format!("get {key}")),
        ];
        let mut consoles = Vec::new();
        for (id, command) in &commands {
            consoles.push((self.bench.console(*id)?, command));
        }
        let replies: Vec<Result<Reply, NoReply>> = thread::scope(|scope| {
            let ask = |(console, command): (&'_ crate::Console, &'_ String)| {
                console.request(command, ANSWER)
            };
            let threads: Vec<_> =
                consoles.into_iter().map(|pair| scope.spawn(move || ask(pair))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(NoReply::Disconnected)))
                .collect()
        });
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Err(NoReply::Disconnected));
        Ok([
            self.take_write(key, one.0, next())?,
            self.take_write(key, two.0, next())?,
            self.take_read(key, called, next())?,
        ])
    }

    /// What a board itself holds, whatever the others do.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it does not answer.
    pub fn held(&self, id: u64, key: &str) -> Result<Found, Failure> {
        Found::parse(key, &self.order(id, &format!("held {key}"))?)
    }

    /// Waits until all boards that have power hold the same, which must be what was acknowledged; returns how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::Violation`].
    pub fn converge(&mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        for key in self.history.keys() {
            let called = self.history.call();
            let found = self.wait(&format!("all boards hold the same for {key}"), |group| {
                let mut all = Vec::new();
                for id in group.bench.alive() {
                    all.push(group.held(id, &key)?);
                }
                Ok(all.first().copied().filter(|first| all.iter().all(|held| held == first)))
            })?;
            self.history.read(&key, called, found)?;
        }
        Ok(begin.elapsed())
    }

    /// The status of a board; `None` if it does not answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is no such board.
    pub fn status(&self, id: u64) -> Result<Option<Status>, Failure> {
        Ok(match self.bench.console(id)?.request("status", AT_ONCE) {
            Ok(Reply::Ok(text)) => Some(Status::parse(&text)),
            _ => None,
        })
    }

    /// Waits until a board knows what it holds; returns how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`].
    pub fn wait_until_founded(&mut self, id: u64) -> Result<Duration, Failure> {
        let begin = Instant::now();
        self.wait(&format!("node {id} is rebuilt"), |group| {
            Ok(group.status(id)?.filter(|status| status.get("founded") == Some("1")))
        })?;
        Ok(begin.elapsed())
    }

    /// The sum over all boards that have power of something they count.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when one is silent.
    pub fn sum(&self, key: &str) -> Result<i64, Failure> {
        self.bench.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status =
                status.ok_or_else(|| Failure::Unexpected(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }

    /// Polls until `poll` returns something.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::Interrupted`], and the error of `poll`.
    pub fn wait<T>(
        &mut self,
        what: &str,
        mut poll: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |group| group.bench.interrupted(), what, &mut poll)
    }

    fn take_write(
        &mut self,
        key: &str,
        called: u64,
        reply: Result<Reply, NoReply>,
    ) -> Result<Result<Found, String>, Failure> {
        match reply {
            Ok(Reply::Ok(text)) => {
                let found = Found::parse(key, &text)?;
                self.history.wrote(key, called, found)?;
                Ok(Ok(found))
            }
            other => {
                self.history.record_unknown();
                Ok(Err(error(other)))
            }
        }
    }

    fn take_read(
        &mut self,
        key: &str,
        called: u64,
        reply: Result<Reply, NoReply>,
    ) -> Result<Result<Found, String>, Failure> {
        match reply {
            Ok(Reply::Ok(text)) => {
                let found = Found::parse(key, &text)?;
                self.history.read(key, called, found)?;
                Ok(Ok(found))
            }
            other => Ok(Err(error(other))),
        }
    }
}

fn error(reply: Result<Reply, NoReply>) -> String {
    match reply {
        Ok(Reply::Ok(text) | Reply::Error(text)) => text,
        Err(silence) => silence.to_string(),
    }
}
