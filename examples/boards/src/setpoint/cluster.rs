use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::setpoint::{Change, Ledger};
use crate::wait::wait;
use crate::{Failure, NoReply, Reply, Status, TestBench};

/// A client of the cluster on a bench: it sends commands to any node, follows redirects to the
/// leader, and records what was acknowledged.
///
/// Every status that is read on the way is checked: there is one leader in a term, and no node goes back to an earlier one.
#[derive(Debug)]
pub struct Cluster<'a> {
    bench: &'a mut TestBench,
    ledger: Ledger,
    /// The node to try first.
    target: u64,
    /// The leader of each term.
    leaders: BTreeMap<i64, i64>,
    /// The last term each node was seen in.
    terms: BTreeMap<u64, i64>,
}

/// A node gives up a change after 4 s and says so: then an answer that is not there by now will not come.
const ANSWER: Duration = Duration::from_secs(10);
/// A node answers this at once.
const STATUS: Duration = Duration::from_secs(5);

/// Errors after which the change is certainly not applied, and will not be.
const NOT_APPLIED: &[&str] =
    &["not leader", "log full", "busy", "lost", "refused", "the command is too large"];

impl<'a> Cluster<'a> {
    /// Starts every node, and waits until they have a leader.
    ///
    /// # Errors
    ///
    /// [`Failure`] when a node cannot be started, or none is elected.
    pub fn start(bench: &'a mut TestBench) -> Result<Self, Failure> {
        let mut cluster = Self {
            bench,
            ledger: Ledger::new(),
            target: 1,
            leaders: BTreeMap::new(),
            terms: BTreeMap::new(),
        };
        for id in cluster.bench.ids() {
            cluster.bench.start(id)?;
        }
        cluster.wait_for_leader(&cluster.bench.ids())?;
        Ok(cluster)
    }

    /// The bench.
    pub const fn bench(&mut self) -> &mut TestBench {
        self.bench
    }

    /// The ledger of acknowledged changes.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The status of a node.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it is silent or stopped, and when what it says must not be.
    pub fn status(&mut self, id: u64) -> Result<Status, Failure> {
        let reply = self.bench.console(id)?.request("status", STATUS);
        let status = match reply {
            Ok(Reply::Ok(text)) => Status::parse(&text),
            Ok(reply) => return Err(Failure::Unexpected(format!("node {id}: {reply}"))),
            Err(silence) => return Err(Failure::Unexpected(format!("node {id}: {silence}"))),
        };
        self.check(id, &status)?;
        Ok(status)
    }

    /// Waits until all of `among` follow one of them in one term; returns which, and how long it took.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], or what [`status`](Self::status) finds wrong.
    pub fn wait_for_leader(&mut self, among: &[u64]) -> Result<(u64, Duration), Failure> {
        let begin = Instant::now();
        let leader = self.wait("one leader for all", |cluster| {
            let mut seen = Vec::new();
            for &id in among {
                let Some(status) = cluster.try_status(id)? else { return Ok(None) };
                seen.push((status.number("term")?, status.number("leader")?));
            }
            let first = seen.first().copied().unwrap_or_default();
            let leader = u64::try_from(first.1).unwrap_or(0);
            Ok((seen.iter().all(|each| *each == first) && among.contains(&leader))
                .then_some(leader))
        })?;
        self.target = leader;
        Ok((leader, begin.elapsed()))
    }

    /// Makes a change at the leader. One with an unknown outcome is repeated: the ledger allows
    /// that it counts twice.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`] when nobody makes it.
    pub fn change(&mut self, change: Change) -> Result<(), Failure> {
        let command = match change {
            Change::Set(value) => format!("set {value}"),
            Change::Add(value) => format!("add {value}"),
        };
        let mut at = self.target;
        self.wait(&format!("`{command}` is made"), |cluster| {
            match cluster.bench.console(at)?.request(&command, ANSWER) {
                Ok(Reply::Ok(_)) => {
                    cluster.ledger.acknowledge(change);
                    cluster.target = at;
                    return Ok(Some(()));
                }
                Ok(Reply::Error(why)) => {
                    if !certainly_not_applied(&why) {
                        cluster.ledger.record_unknown(change);
                    }
                    at = redirect_target(&why).unwrap_or_else(|| cluster.next_alive(at));
                }
                Err(silence) => {
                    if silence != NoReply::NotConnected {
                        cluster.ledger.record_unknown(change);
                    }
                    at = cluster.next_alive(at);
                }
            }
            Ok(None)
        })
    }

    /// The same, trying a certain node first.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn change_at(&mut self, id: u64, change: Change) -> Result<(), Failure> {
        self.target = id;
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

    /// The same, trying these nodes in turn.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn load_at(&mut self, changes: u32, nodes: &[u64]) -> Result<(), Failure> {
        let mut turns = nodes.iter().cycle();
        for number in 1..=changes {
            self.target = turns.next().copied().unwrap_or(self.target);
            let change = if number.is_multiple_of(2) {
                Change::Set(i64::try_from(self.bench.rng().below(1_000_000)).unwrap_or(0))
            } else {
                Change::Add(number)
            };
            self.change(change)?;
        }
        Ok(())
    }

    /// Sends an `add` to a node and does not wait long, for a node that loses power or leadership
    /// then.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when there is no such node.
    pub fn add_without_waiting(
        &mut self,
        id: u64,
        value: u32,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let change = Change::Add(value);
        match self.bench.console(id)?.request(&format!("add {value}"), timeout) {
            Ok(Reply::Ok(_)) => self.ledger.acknowledge(change),
            Ok(Reply::Error(why)) if certainly_not_applied(&why) => {}
            Err(NoReply::NotConnected) => {}
            Ok(Reply::Error(_)) | Err(_) => self.ledger.record_unknown(change),
        }
        Ok(())
    }

    /// Reads the current values, and checks them.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when an acknowledged change is missing, [`Failure::TimedOut`] when
    /// nobody answers.
    pub fn get(&mut self) -> Result<(), Failure> {
        let mut at = self.target;
        let status = self.wait("`get` is answered", |cluster| {
            match cluster.bench.console(at)?.request("get", ANSWER) {
                Ok(Reply::Ok(text)) => return Ok(Some(Status::parse(&text))),
                Ok(Reply::Error(why)) => {
                    at = redirect_target(&why).unwrap_or_else(|| cluster.next_alive(at));
                }
                Err(_) => at = cluster.next_alive(at),
            }
            Ok(None)
        })?;
        self.ledger.check(at, &status)
    }

    /// Waits until all nodes that have power hold the same, to the last entry; then that must be what was acknowledged. Returns how long
    /// it took.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::Unexpected`].
    pub fn converge(&mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let statuses = self.wait("all nodes hold the same", |cluster| {
            let mut statuses = Vec::new();
            for id in cluster.bench.alive() {
                let Some(status) = cluster.try_status(id)? else { return Ok(None) };
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
            self.ledger.check(*id, status)?;
            let held = (status.number("setpoint")?, status.number("counter")?);
            if *values.get_or_insert(held) != held {
                return Err(Failure::Violation(format!(
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
        self.bench.alive().into_iter().try_fold(0, |sum, id| {
            // a server has no such number, for some
            Ok(sum + self.status(id)?.number(key).unwrap_or(0))
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
        wait(self, |cluster| cluster.bench.interrupted(), what, &mut poll)
    }

    /// The status, or nothing from a node that is silent or stopped.
    pub(crate) fn try_status(&mut self, id: u64) -> Result<Option<Status>, Failure> {
        match self.bench.console(id)?.request("status", STATUS) {
            Ok(Reply::Ok(text)) => {
                let status = Status::parse(&text);
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
            return Err(Failure::Violation(text));
        }
        if status.get("role") == Some("leader") {
            let leader = i64::try_from(id).unwrap_or(0);
            let known = *self.leaders.entry(term).or_insert(leader);
            if known != leader {
                return Err(Failure::Violation(format!(
                    "{known} and {id} both lead in term {term}"
                )));
            }
        }
        Ok(())
    }

    fn next_alive(&self, after: u64) -> u64 {
        let alive = self.bench.alive();
        alive.iter().copied().find(|id| *id > after).or(alive.first().copied()).unwrap_or(after)
    }
}

fn certainly_not_applied(why: &str) -> bool {
    NOT_APPLIED.iter().any(|beginning| why.starts_with(beginning))
}

/// The node that `not leader, ask 2` redirects to.
fn redirect_target(why: &str) -> Option<u64> {
    why.strip_prefix("not leader, ask ")?.trim().parse().ok()
}
