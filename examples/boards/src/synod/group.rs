use core::time::Duration;
use std::fs;

use crate::wait::wait;
use crate::{Failure, Reply, Status, TestBench};

/// Boards that choose a value, as the bench sees them. Every status that is read is checked: all that say what was chosen say the same,
/// and somebody proposed it; a board's promise and vote never go back.
#[derive(Debug)]
pub struct Group<'a> {
    bench: &'a mut TestBench,
    history: ChoiceHistory,
}

/// One decision, as it was told.
#[derive(Debug, Default)]
struct ChoiceHistory {
    proposed: Vec<String>,
    chosen: Option<String>,
    /// Of each board: its id, and its promise and its vote as it told them last and before. What it told before is in its flash: since it
    /// takes commands in turns, and writes at the end of each.
    kept: Vec<(u64, [[Ballot; 2]; 2])>,
}

/// A round and a node.
type Ballot = (u64, u64);

/// A node answers this at once.
const AT_ONCE: Duration = Duration::from_secs(5);
/// A board runs a duel within itself.
const DUEL: Duration = Duration::from_secs(60);

impl<'a> Group<'a> {
    /// Starts every board, and makes a new instance of them.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a board cannot be started, or does not answer.
    pub fn start(bench: &'a mut TestBench) -> Result<Self, Failure> {
        let mut group = Self { bench, history: ChoiceHistory::default() };
        group.found()?;
        Ok(group)
    }

    /// Starts every board, each as a new one.
    fn found(&mut self) -> Result<(), Failure> {
        for id in self.bench.ids() {
            self.start_board(id)?;
            self.order(id, "found")?;
        }
        Ok(())
    }

    /// Erases all boards, and begins another decision.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a board cannot be started, or does not answer.
    pub fn start_anew(&mut self) -> Result<(), Failure> {
        for id in self.bench.ids() {
            self.bench.kill(id);
            self.erase(id)?;
        }
        self.history = ChoiceHistory::default();
        self.found()
    }

    /// The bench.
    pub const fn bench(&mut self) -> &mut TestBench {
        self.bench
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
    pub fn erase(&mut self, id: u64) -> Result<(), Failure> {
        self.history.kept.retain(|(other, _)| *other != id);
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

    /// What a board says to a command: `Err` is an error of the board's.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it says nothing.
    pub fn ask(&self, id: u64, command: &str) -> Result<Result<String, String>, Failure> {
        match self.bench.console(id)?.request(command, DUEL) {
            Ok(Reply::Ok(text)) => Ok(Ok(text)),
            Ok(Reply::Error(text)) => Ok(Err(text)),
            Err(silence) => Err(Failure::Unexpected(format!("node {id}, `{command}`: {silence}"))),
        }
    }

    /// Has a board do something that it does by itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it does not.
    pub fn order(&self, id: u64, command: &str) -> Result<String, Failure> {
        self.ask(id, command)?
            .map_err(|error| Failure::Unexpected(format!("node {id}, `{command}`: {error}")))
    }

    /// Proposes a value at a board. False if the board says that it is too late for that.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it says anything else.
    pub fn propose(&mut self, id: u64, value: &str) -> Result<bool, Failure> {
        self.history.proposed.push(value.to_owned());
        match self.ask(id, &format!("propose {value}"))? {
            Ok(_) => Ok(true),
            Err(error) if error == "a value was chosen already" || error == "busy" => Ok(false),
            Err(error) => Err(Failure::Unexpected(format!("node {id} says: {error}"))),
        }
    }

    /// The status of a board; `None` if it does not answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Violation`] when that must not be.
    pub fn status(&mut self, id: u64) -> Result<Option<Status>, Failure> {
        let Ok(Reply::Ok(text)) = self.bench.console(id)?.request("status", AT_ONCE) else {
            return Ok(None);
        };
        let status = Status::parse(&text);
        self.history.observe(id, &status)?;
        Ok(Some(status))
    }

    /// Waits until all of `among` know what was chosen; returns that.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::Violation`].
    pub fn wait_for_choice(&mut self, among: &[u64]) -> Result<String, Failure> {
        self.wait("all know what was chosen", |group| {
            let mut chosen = None;
            for &id in among {
                let Some(status) = group.status(id)? else { return Ok(None) };
                chosen = status.get("chosen").filter(|value| *value != NONE).map(str::to_owned);
                if chosen.is_none() {
                    return Ok(None);
                }
            }
            Ok(chosen)
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

    /// The sum over all boards that have power of something they count.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when one is silent.
    pub fn sum(&mut self, key: &str) -> Result<i64, Failure> {
        self.bench.alive().into_iter().try_fold(0, |sum, id| {
            let status = self.status(id)?;
            let status =
                status.ok_or_else(|| Failure::Unexpected(format!("node {id} is silent")))?;
            Ok(sum + status.number(key)?)
        })
    }
}

/// A board that does not know what was chosen says so.
const NONE: &str = "none";

impl ChoiceHistory {
    fn observe(&mut self, id: u64, status: &Status) -> Result<(), Failure> {
        let violation = |what| Err(Failure::Violation(what));
        let ballots = [ballot(status, "promised")?, ballot(status, "voted")?];
        match self.kept.iter_mut().find(|(other, _)| *other == id) {
            Some((_, [kept, _])) if ballots.iter().zip(&*kept).any(|(now, then)| now < then) => {
                return violation(format!("node {id} goes back from {kept:?} to {ballots:?}"));
            }
            Some((_, [kept, last])) => (*kept, *last) = (*last, ballots),
            None => self.kept.push((id, [[(0, 0); 2], ballots])),
        }
        let Some(value) = status.get("chosen").filter(|value| *value != NONE) else {
            return Ok(());
        };
        if !self.proposed.iter().any(|proposed| proposed == value) {
            return violation(format!("node {id} says `{value}`, which nobody proposed"));
        }
        let chosen = self.chosen.get_or_insert_with(|| value.to_owned());
        if chosen != value {
            return violation(format!("node {id} says `{value}`, and another said `{chosen}`"));
        }
        Ok(())
    }
}

fn ballot(status: &Status, key: &str) -> Result<Ballot, Failure> {
    let text = status.get(key).and_then(|text| text.split_once('.'));
    let ballot = text.and_then(|(round, node)| Some((round.parse().ok()?, node.parse().ok()?)));
    ballot.ok_or_else(|| Failure::Unexpected(format!("the status has no ballot `{key}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(promised: &str, chosen: &str) -> Status {
        Status::parse(&format!("promised={promised} voted=0.0 chosen={chosen}"))
    }

    fn history() -> ChoiceHistory {
        ChoiceHistory { proposed: vec!["a".into(), "b".into()], ..ChoiceHistory::default() }
    }

    #[test]
    fn two_values_are_a_violation() {
        let mut history = history();
        assert!(history.observe(1, &says("0.0", "none")).is_ok());
        assert!(history.observe(1, &says("0.0", "a")).is_ok());
        assert!(history.observe(2, &says("0.0", "a")).is_ok());
        assert!(history.observe(3, &says("0.0", "b")).is_err());
    }

    #[test]
    fn a_value_that_nobody_proposed_is_a_violation() {
        assert!(history().observe(1, &says("0.0", "c")).is_err());
    }

    #[test]
    fn a_promise_that_goes_back_is_a_violation() {
        let mut history = history();
        assert!(history.observe(1, &says("2.1", "none")).is_ok());
        assert!(history.observe(2, &says("1.3", "none")).is_ok());
        assert!(history.observe(1, &says("10.1", "none")).is_ok());
        assert!(history.observe(1, &says("9.3", "none")).is_ok()); // 10.1 was not written yet
        assert!(history.observe(1, &says("9.3", "none")).is_err());
    }
}
