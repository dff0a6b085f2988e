use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::setpoint::{Change, Ledger};
use crate::wait::wait;
use crate::{Failure, Reply, Rig, Silence, Status};

/// A cluster on a bench, as its users have it: they ask anybody, go where they are sent, and remember what was acknowledged.
///
/// Every status that is read on the way is checked: there is one leader in a term, and no node goes back to an earlier one.
#[derive(Debug)]
pub struct Cluster<'a> {
    rig: &'a mut Rig,
    ledger: Ledger,
    /// Whom to ask first.
    hint: u64,
    /// Who led in each term.
    leaders: BTreeMap<i64, i64>,
    /// The last term each node was seen in.
    terms: BTreeMap<u64, i64>,
}

/// A node gives up a change after 4 s and says so: then an answer that is not there by now will not come.
const ANSWER: Duration = Duration::from_secs(10);
/// A node answers this at once.
const STATUS: Duration = Duration::from_secs(5);

/// Answers after which the change was surely not made, and will not be.
const NOT_MADE: &[&str] =
    &["not leader", "log full", "busy", "lost", "refused", "the command is too large"];

impl<'a> Cluster<'a> {
    /// Starts every node, and waits until they have a leader.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a node cannot be started, or none is elected.
    pub fn start(rig: &'a mut Rig) -> Result<Self, Failure> {
        let mut cluster = Self {
            rig,
            ledger: Ledger::new(),
            hint: 1,
            leaders: BTreeMap::new(),
            terms: BTreeMap::new(),
        };
        for id in cluster.rig.ids() {
            cluster.rig.start(id)?;
        }
        cluster.settle(&cluster.rig.ids())?;
        Ok(cluster)
    }

    /// The bench.
    pub const fn rig(&mut self) -> &mut Rig {
        self.rig
    }

    /// What was acknowledged.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What a node says of itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when it is silent or stopped, and when what it says must not be.
    pub fn status(&mut self, id: u64) -> Result<Status, Failure> {
        let reply = self.rig.console(id)?.ask("status", STATUS);
        let status = match reply {
            Ok(Reply::Ok(text)) => Status::read(&text),
            Ok(reply) => return Err(Failure::Wrong(format!("node {id}: {reply}"))),
            Err(silence) => return Err(Failure::Wrong(format!("node {id}: {silence}"))),
        };
        self.check(id, &status)?;
        Ok(status)
    }

    /// Waits until all of `among` follow one of them in one term; returns which, and how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`], or what [`status`](Self::status) finds wrong.
    pub fn settle(&mut self, among: &[u64]) -> Result<(u64, Duration), Failure> {
        let begin = Instant::now();
        let leader = self.wait("one leader for all", |cluster| {
            let mut seen = Vec::new();
            for &id in among {
                let Some(status) = cluster.glance(id)? else { return Ok(None) };
                seen.push((status.number("term")?, status.number("leader")?));
            }
            let first = seen.first().copied().unwrap_or_default();
            let leader = u64::try_from(first.1).unwrap_or(0);
            Ok((seen.iter().all(|each| *each == first) && among.contains(&leader))
                .then_some(leader))
        })?;
        self.hint = leader;
        Ok((leader, begin.elapsed()))
    }

    /// Has a change made, by whoever leads. One without a clear answer is asked for again: the ledger knows that it may count twice.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`] when nobody makes it.
    pub fn change(&mut self, change: Change) -> Result<(), Failure> {
        let command = match change {
            Change::Set(value) => format!("set {value}"),
            Change::Add(value) => format!("add {value}"),
        };
        let mut at = self.hint;
        self.wait(&format!("`{command}` is made"), |cluster| {
            match cluster.rig.console(at)?.ask(&command, ANSWER) {
                Ok(Reply::Ok(_)) => {
                    cluster.ledger.acknowledge(change);
                    cluster.hint = at;
                    return Ok(Some(()));
                }
                Ok(Reply::Error(why)) => {
                    if !surely_not_made(&why) {
                        cluster.ledger.doubt(change);
                    }
                    at = leader_named(&why).unwrap_or_else(|| cluster.next(at));
                }
                Err(silence) => {
                    if silence != Silence::Absent {
                        cluster.ledger.doubt(change);
                    }
                    at = cluster.next(at);
                }
            }
            Ok(None)
        })
    }

    /// The same, asking a certain node first.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn change_at(&mut self, id: u64, change: Change) -> Result<(), Failure> {
        self.hint = id;
        self.change(change)
    }

    /// Makes some changes: sums and set-points in turn.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn load(&mut self, changes: u32) -> Result<(), Failure> {
        self.load_at(changes, &[])
    }

    /// The same, asking these nodes in turn.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn load_at(&mut self, changes: u32, nodes: &[u64]) -> Result<(), Failure> {
        let mut turns = nodes.iter().cycle();
        for number in 1..=changes {
            self.hint = turns.next().copied().unwrap_or(self.hint);
            let change = if number.is_multiple_of(2) {
                Change::Set(i64::try_from(self.rig.rng().below(1_000_000)).unwrap_or(0))
            } else {
                Change::Add(number)
            };
            self.change(change)?;
        }
        Ok(())
    }

    /// Gives a node something to add and does not wait long: then the power goes, say, or the node leads nobody.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when there is no such node.
    pub fn leave(&mut self, id: u64, value: u32, patience: Duration) -> Result<(), Failure> {
        let change = Change::Add(value);
        match self.rig.console(id)?.ask(&format!("add {value}"), patience) {
            Ok(Reply::Ok(_)) => self.ledger.acknowledge(change),
            Ok(Reply::Error(why)) if surely_not_made(&why) => {}
            Err(Silence::Absent) => {}
            Ok(Reply::Error(_)) | Err(_) => self.ledger.doubt(change),
        }
        Ok(())
    }

    /// Asks for the values as they are now, and checks them.
    ///
    /// # Errors
    ///
    /// [`Failure::Wrong`] when an acknowledged change is missing, [`Failure::Late`] when nobody answers.
    pub fn get(&mut self) -> Result<(), Failure> {
        let mut at = self.hint;
        let status = self.wait("`get` is answered", |cluster| {
            match cluster.rig.console(at)?.ask("get", ANSWER) {
                Ok(Reply::Ok(text)) => return Ok(Some(Status::read(&text))),
                Ok(Reply::Error(why)) => {
                    at = leader_named(&why).unwrap_or_else(|| cluster.next(at));
                }
                Err(_) => at = cluster.next(at),
            }
            Ok(None)
        })?;
        self.ledger.judge(at, &status)
    }

    /// Waits until all nodes that have power hold the same, to the last entry; then that must be what was acknowledged. Returns how long
    /// it took.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`], [`Failure::Wrong`].
    pub fn converge(&mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let statuses = self.wait("all nodes hold the same", |cluster| {
            let mut statuses = Vec::new();
            for id in cluster.rig.alive() {
                let Some(status) = cluster.glance(id)? else { return Ok(None) };
                statuses.push((id, status));
            }
            let ends = |status: &Status| {
                let keys = ["term", "commit", "last", "applied"];
                keys.iter().map(|key| status.number(key)).collect::<Result<Vec<i64>, Failure>>()
            };
            let mut first: Option<Vec<i64>> = None;
            for (_, status) in &statuses {
                let [term, commit, last, applied] = ends(status)?[..] else { return Ok(None) };
                let same = first.get_or_insert_with(|| vec![term, commit, last, applied]);
                if commit != last || applied != last || *same != [term, commit, last, applied] {
                    return Ok(None);
                }
            }
            Ok(Some(statuses))
        })?;
        let mut values = None;
        for (id, status) in &statuses {
            self.ledger.judge(*id, status)?;
            let held = (status.number("setpoint")?, status.number("counter")?);
            if *values.get_or_insert(held) != held {
                return Err(Failure::Broken(format!(
                    "node {id} holds {held:?} after the same entries that gave others {values:?}"
                )));
            }
        }
        Ok(begin.elapsed())
    }

    /// The sum over all nodes that have power of something they count.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub fn sum(&mut self, key: &str) -> Result<i64, Failure> {
        self.rig.alive().into_iter().try_fold(0, |sum, id| {
            // a server has no such number, for some
            Ok(sum + self.status(id)?.number(key).unwrap_or(0))
        })
    }

    /// Looks again and again until `look` finds something.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`], [`Failure::Interrupted`], and what `look` says.
    pub fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        wait(self, |cluster| cluster.rig.interrupted(), what, &mut look)
    }

    /// The status, or nothing from a node that is silent or stopped.
    pub(crate) fn glance(&mut self, id: u64) -> Result<Option<Status>, Failure> {
        match self.rig.console(id)?.ask("status", STATUS) {
            Ok(Reply::Ok(text)) => {
                let status = Status::read(&text);
                self.check(id, &status)?;
                Ok(Some(status))
            }
            _ => Ok(None),
        }
    }

    fn check(&mut self, id: u64, status: &Status) -> Result<(), Failure> {
        let term = status.number("term")?;
        let before = self.terms.insert(id, term).unwrap_or(0);
        if term < before {
            let text = format!("node {id} is in term {term}, and was in {before} before");
            return Err(Failure::Broken(text));
        }
        if status.get("role") == Some("leader") {
            let leader = i64::try_from(id).unwrap_or(0);
            let known = *self.leaders.entry(term).or_insert(leader);
            if known != leader {
                return Err(Failure::Broken(format!("{known} and {id} both lead in term {term}")));
            }
        }
        Ok(())
    }

    fn next(&self, after: u64) -> u64 {
        let alive = self.rig.alive();
        alive.iter().copied().find(|id| *id > after).or(alive.first().copied()).unwrap_or(after)
    }
}

fn surely_not_made(why: &str) -> bool {
    NOT_MADE.iter().any(|beginning| why.starts_with(beginning))
}

/// Who is named in `not leader, ask 2`.
fn leader_named(why: &str) -> Option<u64> {
    why.strip_prefix("not leader, ask ")?.trim().parse().ok()
}
