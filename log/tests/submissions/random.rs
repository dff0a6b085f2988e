//! Random leaders, refusals, losses and copies of messages: no outcome lies, and no command overtakes another or is forgotten.

use quorate_core::{Instant, NodeId, Rng};
use quorate_log::submission::{Config, Inline, Outcome, Submissions};
use quorate_log::{Leadership, Notice, Proposal, SubmitError, Submitted};

use super::board::{ONE, TWO};
use crate::headers::Tagged;

const SEEDS: u64 = 1_000;
const TURNS: u64 = 300;
const TIMEOUT_US: u64 = 200_000;

/// A command that was sent to the leader, or its refusal on the way back.
#[derive(Clone, Copy)]
struct Sent {
    number: u64,
    attempt: u64,
    to: NodeId,
}

/// This node, the log as the leader has it, and the messages between them. A command is its own number.
struct World {
    rng: Rng,
    submissions: Submissions<u64, Inline<8>>,
    config: Config,
    now: u64,
    /// The clock goes on within a turn.
    reads_clock_anew: bool,
    /// Commands are sent to another leader, so that only those that are proposed here come in order.
    hands_over: bool,
    leadership: Leadership,
    has_room: bool,
    /// The epoch of each entry, and its command.
    log: Vec<(u64, Option<u64>)>,
    applied: usize,
    requests: Vec<Sent>,
    refusals: Vec<Sent>,
    submitted: u64,
    /// The last command that was proposed here for the first time.
    newest: u64,
    /// What ended.
    outcomes: Vec<(u64, Option<Outcome>)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let config = Config {
            retry_us: [0, 1, 20_000][rng.below(3) as usize],
            resend_us: 30_000,
            resubmit: rng.chance(1, 2),
            ..Config::at_most_once(TIMEOUT_US)
        };
        Self {
            submissions: Submissions::new(config),
            config,
            now: 0,
            reads_clock_anew: rng.chance(1, 4),
            hands_over: rng.chance(1, 2),
            leadership: Leadership { leader: Some(ONE), epoch: 1 },
            has_room: true,
            log: Vec::new(),
            applied: 0,
            requests: Vec::new(),
            refusals: Vec::new(),
            submitted: 0,
            newest: 0,
            outcomes: Vec::new(),
            rng,
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn turn(&mut self) {
        let now = self.now();
        if self.rng.chance(1, 3) && self.submissions.submit(now, self.submitted + 1).is_ok() {
            self.submitted += 1;
        }
        if self.rng.chance(1, 20) {
            self.change_leader();
        }
        self.deliver();
        if self.rng.chance(1, 3) {
            self.apply();
        }
        self.hand_over_due();
        self.take_outcomes();
        for (number, _) in self.submissions.iter() {
            if self.submissions.known(number).is_some_and(Outcome::is_certainly_absent) {
                assert!(!self.may_be_applied(number), "{number} is told as absent");
            }
        }
        let deadline = self.submissions.deadline();
        if !self.reads_clock_anew {
            assert!(deadline.is_none_or(|deadline| deadline > now), "the loop does not sleep");
        }
        self.now += match deadline {
            Some(deadline) if self.rng.chance(1, 2) => {
                deadline.as_micros().saturating_sub(self.now).min(TIMEOUT_US)
            }
            _ => self.rng.below(30_000),
        };
    }

    /// Another leader, or the same again: what was not committed may be lost.
    fn change_leader(&mut self) {
        let leader = [None, Some(ONE), Some(ONE), Some(TWO)][self.rng.below(4) as usize];
        let epoch = self.leadership.epoch + u64::from(self.rng.chance(7, 8));
        if epoch == self.leadership.epoch {
            self.leadership.leader = None;
            return;
        }
        let kept = self.applied as u64 + self.rng.below((self.log.len() - self.applied) as u64 + 1);
        self.log.truncate(kept as usize);
        self.log.push((epoch, None));
        self.leadership = Leadership { leader, epoch };
        self.submissions.notice::<Tagged>(self.now(), &Notice::LeaderChanged { epoch });
    }

    /// The other node takes or refuses what it was sent, and its refusals arrive late, twice, or not at all.
    fn deliver(&mut self) {
        if !self.requests.is_empty() && self.rng.chance(1, 2) {
            let at = self.rng.below(self.requests.len() as u64) as usize;
            let sent = self.requests.swap_remove(at);
            if self.leadership.leader == Some(sent.to) && self.rng.chance(1, 3) {
                self.log.push((self.leadership.epoch, Some(sent.number)));
            } else if self.rng.chance(7, 8) {
                self.refusals.push(sent);
            }
        }
        if !self.refusals.is_empty() && self.rng.chance(1, 2) {
            let at = self.rng.below(self.refusals.len() as u64) as usize;
            let Sent { number, attempt, to } = self.refusals[at];
            self.submissions.refused(self.now(), number, attempt, to, SubmitError::Busy);
            if self.rng.chance(1, 2) {
                self.refusals.swap_remove(at);
            }
        }
    }

    /// The next entry is committed, and applied here.
    fn apply(&mut self) {
        let Some(&(epoch, command)) = self.log.get(self.applied) else { return };
        self.applied += 1;
        let proposal = Proposal { epoch, index: self.applied as u64 };
        let by_place = self.submissions.applied_at(proposal);
        assert!(by_place.is_none() || by_place.map(|(_, found)| found) == command);
        let found =
            by_place.is_some() || command.is_some_and(|it| self.submissions.applied(it).is_some());
        if let (Some(command), true) = (command, found) {
            self.ends(command, None);
        } else if let Some(command) = command {
            let end = self.outcomes.iter().find(|(number, _)| *number == command).unwrap().1;
            assert!(end.is_none_or(|outcome| outcome == Outcome::Unknown), "{command}: {end:?}");
            assert!(end.is_some() || self.config.resubmit, "{command} is applied twice");
        }
        if epoch == self.leadership.epoch {
            let dropped = Notice::Dropped { before: epoch, after: 0 };
            self.submissions.notice::<Tagged>(self.now(), &dropped);
        }
    }

    fn hand_over_due(&mut self) {
        let leadership = self.leadership;
        while let Some(due) = self.submissions.due(self.now(), leadership) {
            let (number, resubmitted) = (due.number, due.resubmitted);
            assert!(resubmitted || !self.may_be_applied(number), "{number} was handed over before");
            assert!(!resubmitted || self.config.resubmit, "{number} is submitted twice");
            let leads = leadership.leader == Some(ONE);
            let has_room = self.has_room && !self.rng.chance(1, 8);
            let result =
                if let (false, true, Some(to)) = (leads, self.hands_over, leadership.leader) {
                    let attempt = self.submissions.handed_over(self.now(), leadership, number, to);
                    self.requests.push(Sent { number, attempt, to });
                    continue;
                } else if !leads {
                    Err(SubmitError::NotLeader(leadership.leader))
                } else if !has_room {
                    Err([SubmitError::Busy, SubmitError::LogFull][self.rng.below(2) as usize])
                } else {
                    Ok(self.propose(number))
                };
            self.submissions.submitted(self.now(), leadership, number, result);
            if self.reads_clock_anew {
                self.now += self.config.retry_us.max(1);
            }
        }
        if self.rng.chance(1, 20) {
            self.has_room = !self.has_room;
        }
    }

    fn propose(&mut self, number: u64) -> Submitted {
        let is_new = !self.log.iter().any(|(_, command)| *command == Some(number));
        if !self.hands_over && is_new && number > self.newest {
            let overtaken = self
                .submissions
                .iter()
                .map(|(number, _)| number)
                .find(|other| *other > self.newest && *other < number);
            assert_eq!(overtaken, None, "overtaken by {number}");
            self.newest = number;
        }
        let epoch = self.leadership.epoch;
        self.log.push((epoch, Some(number)));
        Submitted::Proposed(Proposal { epoch, index: self.log.len() as u64 })
    }

    fn take_outcomes(&mut self) {
        while let Some((number, command, outcome)) = self.submissions.outcome(self.now()) {
            assert_eq!(number, command);
            if outcome.is_certainly_absent() {
                assert!(!self.may_be_applied(number), "{number} is told as {outcome:?}");
            }
            self.ends(number, Some(outcome));
        }
    }

    fn ends(&mut self, number: u64, outcome: Option<Outcome>) {
        assert!(self.outcomes.iter().all(|(other, _)| *other != number), "two ends of {number}");
        self.outcomes.push((number, outcome));
    }

    /// Whether a command is in the log, or on its way there.
    fn may_be_applied(&self, number: u64) -> bool {
        self.log.iter().any(|(_, command)| *command == Some(number))
            || self.requests.iter().any(|sent| sent.number == number)
    }
}

#[test]
fn no_outcome_lies_and_no_command_is_overtaken_or_forgotten() {
    for seed in 0..SEEDS {
        let _replay = PrintedOnPanic(seed);
        let mut world = World::new(seed);
        for _ in 0..TURNS {
            world.turn();
        }
        // a leader that has room is handed everything that is certainly not in the log
        world.has_room = true;
        world.leadership = Leadership { leader: Some(ONE), epoch: world.leadership.epoch + 1 };
        while let Some(due) = world.submissions.due(world.now(), world.leadership) {
            let number = due.number;
            let proposed = Ok(world.propose(number));
            world.submissions.submitted(world.now(), world.leadership, number, proposed);
        }
        for (number, _) in world.submissions.iter() {
            assert_eq!(world.submissions.known(number), Some(Outcome::Unknown), "{number}");
        }
    }
}

/// Says which seed failed.
struct PrintedOnPanic(u64);

impl Drop for PrintedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}
